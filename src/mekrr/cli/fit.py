"""`mekrr fit`: fit a model to frames."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mekrr.choices import BY_SPECIES, EXTENSIVE, FORMS
from mekrr.cli.arguments import (
    Commands,
    add_frames,
    add_output,
    how_to_read,
    integer,
    number,
    reference_rule,
    registry,
    require_writable,
    summary_stream,
    threads,
)
from mekrr.cli.printing import errors_per_atom, line, quality, summary
from mekrr.data.strategies import STRATEGIES
from mekrr.errors import OutputError
from mekrr.kernels.atom import KERNELS
from mekrr.models.limits import LARGEST_LAYER, LARGEST_REGULARISATION

FRACTIONS = (0.6, 0.2, 0.2)
CHOSEN = "chosen"  # α


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "fit",
        parents=[registry(), threads()],
        help="fit a model to frames",
        description="Fit a model to frames. A layer and regularisation that are not given, and "
        "what is to be chosen of alpha, are chosen by leave-one-out errors or, with --split, on "
        "validation frames.",
    )
    command.set_defaults(command=run)
    add_frames(command)
    command.add_argument(
        "--backbone", required=True, metavar="NAME", help="network; `mekrr backbones` lists them"
    )
    command.add_argument(
        "--layer", type=integer(0, LARGEST_LAYER), metavar="L", help="layer of the network"
    )
    command.add_argument(
        "--alpha",
        type=_alpha,
        default=0.0,
        metavar="A",
        help="weight of the kernel by species, 0 to 1; chosen; or by-species: a chosen one for "
        "each (default: %(default)g)",
    )
    command.add_argument(
        "--form",
        choices=FORMS,
        default=EXTENSIVE,
        help="energies that add up over atoms, or as published those of whole frames, all of as "
        "many atoms (default: %(default)s)",
    )
    command.add_argument(
        "--kernel",
        choices=KERNELS,
        default="gaussian",
        help="kernel between atoms; linear is ridge regression on mean features, with --alpha 1 on "
        "those of each species (default: %(default)s)",
    )
    command.add_argument(
        "--regularisation",
        type=number(0, LARGEST_REGULARISATION),
        metavar="LAMBDA",
        help="λ; λ × number of training frames is added to the kernel's diagonal",
    )
    command.add_argument(
        "--target",
        choices=("energy", "delta"),
        default="energy",
        help="what is learnt: the energy, or what the network's own energy leaves of it "
        "(default: %(default)s)",
    )
    command.add_argument(
        "--reference-energy",
        type=reference_rule,
        default="least-squares",
        metavar="RULE",
        help="what is subtracted for each atom: least-squares, mean, none, isolated-atoms (frames "
        "with config_type=IsolatedAtom) or energies in eV, as Cu=-3.7,O=-1.9 (default: "
        "%(default)s)",
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
    from mekrr.models.mekrr import MEKRR

    require_writable(options)
    out = summary_stream(options.output)
    if out is sys.stderr and sys.stdout.isatty():
        raise OutputError("-o -: a model is no text for a terminal; name a file or pipe it on")
    frames = read_frames(
        options.frames, least=MINIMUM_FRAMES if options.split else 2, **how_to_read(options)
    )
    model = MEKRR(
        options.backbone,
        layer=options.layer,
        alpha=options.alpha,
        kernel=options.kernel,
        form=options.form,
        regularisation=options.regularisation,
        target=options.target,
        reference_energy=options.reference_energy,
        registry=options.registry,
        threads=options.threads,
    )
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
    model.save(options.output)
    print(f"written: {options.output}", file=out)


def _alpha(text: str) -> float | str | None:
    if text == CHOSEN:
        return None
    return text if text == BY_SPECIES else number(0, 1)(text)


_alpha.__name__ = "number"  # argparse: invalid number value
