"""What the commands print of models and errors."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mekrr.choices import BY_SPECIES
from mekrr.errors import printable

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import ArrayLike

    from mekrr.models.mekrr import MEKRR
    from mekrr.models.sparse_mekrr import SparseMEKRR


def summary(model: MEKRR | SparseMEKRR) -> str:
    """What a model is, in a few lines."""
    from mekrr.models.sparse_mekrr import SparseMEKRR

    return "\n".join(_of_sparse(model) if isinstance(model, SparseMEKRR) else _of_mekrr(model))


def _of_mekrr(model: MEKRR) -> list[str]:
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
    return lines


def _of_sparse(model: SparseMEKRR) -> list[str]:
    import numpy as np
    from ase.data import chemical_symbols

    assert model.backbone_ is not None
    assert model.references_ is not None
    fit, given = model.model_, model.parameters_

    def how(name: str) -> str:
        return f"chosen by {model.criterion_}" if given[name] is None else "given"

    unit = "meV/Å" if model.relative_ else "meV/atom"
    spreads = " and ".join(f"{name} {value:.3g}" for name, value in model.spreads_.items())
    by = "chosen" if given["target"] == "auto" else "given"
    counts = Counter(chemical_symbols[z] for z in fit.basis.species.tolist())
    by_species = ", ".join(f"{symbol} {n}" for symbol, n in sorted(counts.items()))
    most = given["inducing"]
    if isinstance(most, Sequence):
        most = f"{', '.join(map(str, most))} (chosen by {model.criterion_})"
    energy, force = model.errors_
    learnt = "forces and stress are" if given["stress"] else "forces are"
    lines = [
        line("training frames", f"{model.n_frames_}, of {', '.join(sorted(model.references_))}"),
        line("directions", f"{model.n_directions_}, along which {learnt} learnt"),
        line("target", f"{model.target_} ({by}; spread of {spreads} {unit})"),
        line("backbone", model.backbone_["name"]),
        line("layers", f"{', '.join(map(str, model.layers_))} ({how('layers')})"),
        line("inducing atoms", f"{len(fit.basis)} of at most {most}: {by_species}"),
        line("alpha", f"{_number(fit.basis.alpha)} (given)"),
        line(
            "lengthscale",
            f"{fit.basis.kernel.lengthscale:.4g} of {given['metric']} features "
            f"({how('lengthscale')})",
        ),
        line("regularisation", f"{_number(fit.regularisation)} ({how('regularisation')})"),
        line(
            "sigma",
            f"{1000 * fit.sigma_energy:.3g} meV/atom ({how('sigma_energy')}), "
            f"{1000 * fit.sigma_force:.3g} meV/Å",
        ),
    ]
    parts = [] if np.isnan(energy) else [f"{energy:.2f} meV/atom"]
    parts += [] if np.isnan(force) else [f"{force:.1f} meV/Å along directions"]
    lines.append(line("held out", f"RMSE {', '.join(parts)} ({model.criterion_})"))
    if model.relative_:
        lines.append(line("energies", "relative: no training frame had one"))
    return lines


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


def compared_forces(frames: Sequence[Atoms], predicted: Sequence[np.ndarray]) -> list[str]:
    """Lines on the errors of predicted forces (n, 3), eV/Å, of those frames that come with such."""
    import numpy as np

    from mekrr.data.labels import forces_of

    stated = {k: forces for k, a in enumerate(frames) if (forces := forces_of(a)) is not None}
    if not stated:
        return []
    errors = [predicted[index] - forces for index, forces in stated.items()]
    species = [frames[index].symbols for index in stated]
    first, *each = force_lines(np.concatenate(errors), np.concatenate(species))
    return [f"{first} ({len(stated)} frames with forces)", *each]


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mekrr: warning: {printable(str(message))}", file=sys.stderr)
