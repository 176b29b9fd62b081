"""What the commands print of models and errors."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mekrr.choices import BY_SPECIES
from mekrr.errors import printable

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import ArrayLike

    from mekrr.models.mekrr import MEKRR


def summary(model: MEKRR) -> str:
    """What a model is, in a few lines."""
    from ase.data import chemical_symbols

    frames = f"{len(model.leave_one_out_)}"
    if model.train_ is not None:
        species = ", ".join(chemical_symbols[z] for z in sorted(set(model.train_.species.tolist())))
        frames += f", {len(model.train_.species)} atoms: {species}"
    lines = [line("training frames", frames), line("target", model.parameters_["target"])]
    if model.backbone_ is not None:
        lines.append(line("backbone", model.backbone_["name"]))
    if model.input_ != "kernel":
        lines.append(line("form", model.parameters_["form"]))
    for name in ("layer", "alpha", "regularisation"):
        value = getattr(model, f"{name}_")
        if value is not None:
            chosen = model.parameters_[name] in (None, BY_SPECIES)
            how = f"chosen by {model.criterion_}" if chosen and model.criterion_ else "given"
            lines.append(line(name, f"{_number(value)} ({how})"))
    if model.lengthscale_ is not None:
        lines.append(
            line("lengthscale", f"{model.lengthscale_:.4g} ({model.parameters_['lengthscale']})")
        )
    lines.append(line("leave-one-out", quality(model.leave_one_out_)))
    return "\n".join(lines)


def _number(value: float | Mapping[str, float]) -> str:
    """A number, or one for each species, as a summary has it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{symbol} {_number(number)}" for symbol, number in value.items())
    return f"{value:.3g}"


def line(label: str, value: object) -> str:
    return printable(f"{label:16s} {value}")


def errors_per_atom(
    predicted: ArrayLike, reference: ArrayLike, frames: Sequence[Atoms]
) -> np.ndarray:
    """Signed errors in meV/atom of energies in eV."""
    import numpy as np

    difference = np.asarray(predicted) - np.asarray(reference)
    return 1000.0 * difference / np.array([len(atoms) for atoms in frames])


def quality(errors: np.ndarray) -> str:
    from mekrr.metrics import mae, rmse

    return f"RMSE {rmse(errors):.2f}, MAE {mae(errors):.2f} meV/atom"


def force_lines(errors: np.ndarray, species: np.ndarray) -> list[str]:
    """Lines on errors (n, 3), eV/Å, of the forces on atoms of these species (n,), of all and each.

    Components count one by one.
    """
    import numpy as np

    from mekrr.metrics import mae, rmse

    def told(part: np.ndarray) -> str:
        return f"RMSE {1000 * rmse(part):.1f}, MAE {1000 * mae(part):.1f} meV/Å"

    each = [line(f"  {s}", told(errors[species == s])) for s in np.unique(species).tolist()]
    return [line("force errors", told(errors)), *each]


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mekrr: warning: {printable(str(message))}", file=sys.stderr)
