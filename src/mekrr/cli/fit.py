"""`mekrr fit`: fit a model to frames."""

from __future__ import annotations

import argparse
from pathlib import Path

from mekrr.cli.arguments import reference_rule, registry, require_not_input, threads
from mekrr.cli.printing import errors_per_atom, line, quality, summary

FRACTIONS = (0.6, 0.2, 0.2)


def add_command(commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "fit",
        parents=[registry(), threads()],
        help="fit a model to frames",
        description="Fit a model to frames. What of layer, alpha and regularisation is not given "
        "is chosen by leave-one-out errors or, with --split, on validation frames.",
    )
    command.set_defaults(command=run)
    command.add_argument(
        "frames", metavar="FRAMES", help="file that ASE reads, with total energies in eV"
    )
    command.add_argument(
        "--backbone", required=True, metavar="NAME", help="network; `mekrr backbones` lists them"
    )
    command.add_argument("--layer", type=int, metavar="L", help="layer of the network")
    command.add_argument(
        "--alpha", type=float, metavar="A", help="weight of the kernel by species, 0 to 1"
    )
    command.add_argument(
        "--regularisation",
        type=float,
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
    command.add_argument(
        "--split",
        choices=("random", "run"),
        help="fit to 60 %% of the frames, choose on 20 %%, test on 20 %%, divided at random or by "
        "whole runs (default: fit to all)",
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of --split (default: %(default)s)"
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="file to write, safetensors"
    )


def run(options: argparse.Namespace) -> None:
    """Fit, print what came out, and write the model."""
    import numpy as np

    from mekrr.data.frames import frame_table, read_frames
    from mekrr.data.references import is_isolated
    from mekrr.data.splits import split_frames
    from mekrr.estimator import MEKRR

    require_not_input(options.output, options.frames)
    frames = read_frames(options.frames)
    model = MEKRR(
        options.backbone,
        layer=options.layer,
        alpha=options.alpha,
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
        split = split_frames(table, options.split, FRACTIONS, options.seed, options.frames)["split"]
        known = np.flatnonzero(split != "test")
        validation = np.flatnonzero(split[known] == "val")
        model.fit([*(frames[index] for index in known), *isolated], validation=validation)
    print(summary(model))
    if options.split is not None:
        test = [frames[index] for index in np.flatnonzero(split == "test")]
        errors = errors_per_atom(model.predict(test), table["energy"][split == "test"], test)
        print(line("test", f"{quality(errors)} ({len(test)} frames, split {options.split})"))
    model.save(options.output)
    print(f"written: {options.output} ({Path(options.output).stat().st_size / 1e6:.1f} MB)")
