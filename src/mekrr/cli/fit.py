"""`mekrr fit`: fit a model to frames."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mekrr.choices import BY_SPECIES, EXTENSIVE, FORMS, METRICS
from mekrr.cli.arguments import (
    Commands,
    add_frames,
    add_output,
    atom_rule,
    how_to_read,
    integer,
    integers,
    number,
    reference_rule,
    registry,
    require_writable,
    summary_stream,
    threads,
)
from mekrr.cli.printing import compared_forces, errors_per_atom, line, quality, summary
from mekrr.data.strategies import STRATEGIES
from mekrr.errors import ConfigError, DataWarning, OutputError
from mekrr.kernels.atom import KERNELS, RADIAL
from mekrr.models.limits import (
    LARGEST_INDUCING,
    LARGEST_LAYER,
    LARGEST_REGULARISATION,
    MOST_DIRECTIONS,
)

if TYPE_CHECKING:
    from ase import Atoms

    from mekrr.models.mekrr import MEKRR
    from mekrr.models.sparse_mekrr import SparseMEKRR

FRACTIONS = (0.6, 0.2, 0.2)
CHOSEN = "chosen"  # α
SPARSE = ("forces", "inducing")  # options of which one asks for a sparse model
OF_BOTH = ("layer", "alpha", "kernel", "regularisation", "target", "reference_energy")
OF_SPARSE = (*SPARSE, "force_atoms", "stress", "metric", "sigma_energy")
OF_MEKRR = ("form",)


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "fit",
        parents=[registry(), threads()],
        help="fit a model to frames",
        description="Fit a model to frames: MEKRR, to energies; or, with --forces or --inducing, "
        "a sparse potential, to energies and forces. What is not given, and has no default, is "
        "chosen by leave-one-out errors, of a sparse potential by errors of folds or, with "
        "--split, on validation frames.",
    )
    command.set_defaults(command=run)
    add_frames(command)
    command.add_argument(
        "--backbone", required=True, metavar="NAME", help="network; `mekrr backbones` lists them"
    )
    command.add_argument(
        "--layer",
        type=integers(0, LARGEST_LAYER),
        metavar="L",
        help="layer of the network; of a sparse potential also several side by side, as 1,2,4",
    )
    command.add_argument(
        "--alpha",
        type=_alpha,
        metavar="A",
        help="weight of the kernel by species, 0 to 1; of MEKRR also chosen, or by-species: a "
        "chosen one for each (default: 0, of a sparse potential 1)",
    )
    command.add_argument(
        "--kernel",
        choices=KERNELS,
        help="kernel between atoms; linear, of MEKRR alone, is ridge regression on mean features, "
        "with --alpha 1 on those of each species (default: gaussian)",
    )
    command.add_argument(
        "--regularisation",
        type=number(0, LARGEST_REGULARISATION),
        metavar="LAMBDA",
        help="λ; of MEKRR λ × number of training frames is added to the kernel's diagonal, of a "
        "sparse potential 1/λ eV² is the prior variance of an atom's energy",
    )
    command.add_argument(
        "--target",
        choices=("energy", "delta", "auto"),
        help="what is learnt: the energy, or what the network's own energy leaves of it; auto, of "
        "a sparse potential alone: what varies less (default: energy, of a sparse potential auto)",
    )
    command.add_argument(
        "--reference-energy",
        type=reference_rule,
        metavar="RULE",
        help="what is subtracted for each atom: least-squares, mean, none, isolated-atoms (frames "
        "with config_type=IsolatedAtom) or energies in eV, as Cu=-3.7,O=-1.9 (default: "
        "least-squares)",
    )
    command.add_argument(
        "--form",
        choices=FORMS,
        help="of MEKRR: energies that add up over atoms, or as published those of whole frames, "
        f"all of as many atoms (default: {EXTENSIVE})",
    )
    sparse = command.add_argument_group(
        "sparse potential", "fitted as soon as --forces or --inducing is given"
    )
    sparse.add_argument(
        "--forces",
        type=integer(0, MOST_DIRECTIONS),
        metavar="Q",
        help="random directions along which the forces of each frame are learnt; 0 for energies "
        "alone (default: 8)",
    )
    sparse.add_argument(
        "--inducing",
        type=integers(1, LARGEST_INDUCING),
        metavar="M",
        help="most inducing atoms, or numbers of them to choose from, as 250,500,1000 (default: "
        "1000)",
    )
    sparse.add_argument(
        "--force-atoms",
        type=atom_rule,
        metavar="RULE",
        help="atoms of which all components of the forces are learnt too, such as those that "
        "react: species, as C,O,H; places in the frame from 0, as 48,49; mobile or all",
    )
    sparse.add_argument(
        "--stress",
        action="store_true",
        default=None,
        help="learn the stress too, in eV/Å³, of the frames that come with it",
    )
    sparse.add_argument(
        "--metric",
        choices=METRICS,
        help="scale of the features within each species (default: whitened, by half)",
    )
    sparse.add_argument(
        "--sigma-energy",
        type=number(1e-6, 1e6),
        metavar="S",
        help="expected error of energies in meV/atom, beside 50 meV/Å of forces",
    )
    splits = {name: one.label for name, one in STRATEGIES.items() if not one.divided}
    command.add_argument(
        "--split",
        choices=splits,
        help="fit to 60 %% of the frames, choose on 20 %%, test on 20 %%: "
        f"{'; '.join(f'{name}, {label}' for name, label in splits.items())} (default: fit to all)",
    )
    command.add_argument(
        "--seed",
        type=integer(0),
        default=0,
        metavar="N",
        help="of --split (default: %(default)s)",
    )
    add_output(command, "MODEL", "file to write, safetensors")


def run(options: argparse.Namespace) -> None:
    """Fit, print what came out, and write the model."""
    import numpy as np

    from mekrr.data.frames import MINIMUM_FRAMES, frame_table, read_frames
    from mekrr.data.references import is_isolated
    from mekrr.data.splits import split_frames

    model = _model(options)
    require_writable(options)
    out = summary_stream(options.output)
    if out is sys.stderr and sys.stdout.isatty():
        raise OutputError("-o -: a model is no text for a terminal; name a file or pipe it on")
    frames = read_frames(
        options.frames, least=MINIMUM_FRAMES if options.split else 2, **how_to_read(options)
    )
    # Which reading the frames has told.
    warnings.filterwarnings("ignore", ".* have no forces", DataWarning)
    if options.split is None:
        model.fit(frames)
    else:
        isolated = [atoms for atoms in frames if is_isolated(atoms)]
        frames = [atoms for atoms in frames if not is_isolated(atoms)]
        table = frame_table(frames)
        source = ", ".join(options.frames)
        split = split_frames(table, options.split, FRACTIONS, options.seed, source)["split"]
        known = np.flatnonzero(split != "test")
        validation = np.flatnonzero(split[known] == "val")
        model.fit([*(frames[index] for index in known), *isolated], validation=validation)
    print(summary(model), file=out)
    if options.split is not None:
        test = [frames[index] for index in np.flatnonzero(split == "test")]
        predicted: Any = model.predict(test)
        errors = errors_per_atom(predicted, table["energy"][split == "test"], test)
        told = f"{quality(errors)} ({len(test)} frames, split {options.split})"
        print(line("test", told), file=out)
        if _is_sparse(options):
            for text in _test_forces(model, test, options.threads):
                print(text, file=out)
    model.save(options.output)
    print(f"written: {options.output}", file=out)


def _is_sparse(options: argparse.Namespace) -> bool:
    return any(getattr(options, name) is not None for name in SPARSE)


def _model(options: argparse.Namespace) -> MEKRR | SparseMEKRR:
    """Return the model that was asked for, unfitted; what is not given is left to its defaults."""
    from mekrr.models.mekrr import MEKRR
    from mekrr.models.sparse_mekrr import SparseMEKRR

    names = (*OF_BOTH, *OF_SPARSE, *OF_MEKRR)
    given = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    sparse = _is_sparse(options)
    if other := _of_other_kind(given, sparse):
        kind = "is not of a sparse potential, which --forces and --inducing ask for"
        raise ConfigError(f"{other} {kind if sparse else 'goes with --forces or --inducing'}")
    given |= {"registry": options.registry, "threads": options.threads}
    layers = given.pop("layer", None)
    if sparse:
        if len(given.get("inducing", ())) == 1:
            (given["inducing"],) = given["inducing"]
        return SparseMEKRR(options.backbone, layers=layers, **given)
    if given.get("alpha") == CHOSEN:
        given["alpha"] = None
    return MEKRR(options.backbone, layer=layers[0] if layers else None, **given)


def _of_other_kind(given: Mapping[str, Any], sparse: bool) -> str | None:
    """Return an option, or a value of one, that the kind of model does not have."""
    foreign = OF_MEKRR if sparse else OF_SPARSE
    values: dict[str, tuple[object, ...]] = {"target": ("auto",)}
    if sparse:
        values = {"alpha": (CHOSEN, BY_SPECIES), "kernel": tuple(set(KERNELS) - set(RADIAL))}
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if name in foreign:
            return option
        if value in values.get(name, ()):
            return f"{option} {value}"
        if name == "layer" and len(value) > 1 and not sparse:
            return f"{option} {','.join(map(str, value))}"
    return None


def _test_forces(model: MEKRR | SparseMEKRR, frames: list[Atoms], threads: int) -> list[str]:
    """Return lines on the errors of the forces of test frames."""
    from mekrr.models.potentials.frames import evaluate_frames

    found = evaluate_frames(model.potential(), frames, threads=threads)
    return compared_forces(frames, [each.forces for each in found])


def _alpha(text: str) -> float | str:
    return text if text in (CHOSEN, BY_SPECIES) else number(0, 1)(text)


_alpha.__name__ = "number"  # argparse: invalid number value
