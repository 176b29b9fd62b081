"""`mekrr select`: which frames to label next."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mekrr.choices import SELECTIONS
from mekrr.cli.arguments import (
    Commands,
    add_frames,
    add_output,
    atom_rule,
    how_to_read,
    integer,
    number,
    registry,
    require_writable,
    summary_stream,
    threads,
)
from mekrr.cli.printing import line
from mekrr.errors import ConfigError, DataError, InputError
from mekrr.files import STANDARD_OUTPUT, check_output
from mekrr.packages import install_extra

if TYPE_CHECKING:
    from ase import Atoms

    from mekrr.selection import Selection


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "select",
        parents=[registry(), threads()],
        help="choose the frames to label next",
        description="Choose the frames of a trajectory to label next: those of whose energies a "
        "model knows the least, or that are unlike others by the features of a network. Each that "
        "is chosen counts as known, so that of frames alike one is taken. Beside OUT come a table "
        "(.csv) and a figure (.png).",
    )
    command.set_defaults(command=run)
    add_frames(command)
    command.add_argument(
        "-n", type=integer(1), required=True, metavar="N", help="most frames to choose"
    )
    by = command.add_mutually_exclusive_group(required=True)
    by.add_argument("--model", metavar="MODEL", help="sparse potential that `mekrr fit` wrote")
    by.add_argument(
        "--backbone", metavar="NAME", help="network alone; `mekrr backbones` lists them"
    )
    command.add_argument(
        "--labelled",
        action="append",
        default=[],
        metavar="FILE",
        help="frames whose labels there are already, beside those of the model's fit; may be given "
        "several times",
    )
    command.add_argument(
        "--method",
        choices=SELECTIONS,
        default=SELECTIONS[0],
        help="variance, where the least is known; fps, farthest point sampling; random; stride, "
        "every so many (default: %(default)s)",
    )
    command.add_argument(
        "--atoms",
        type=atom_rule,
        default="all",
        metavar="RULE",
        help="atoms that count: species, as C,O,H; places in the frame from 0, as 48,49; mobile or "
        "all (default: %(default)s)",
    )
    command.add_argument(
        "--max-std",
        type=number(0, 1e6),
        metavar="S",
        help="stop as soon as no frame is less certain than this, eV/atom; of a model",
    )
    command.add_argument(
        "--seed", type=integer(0), default=0, metavar="N", help="of random (default: %(default)s)"
    )
    add_output(
        command,
        "OUT",
        "file to write: extended XYZ (.extxyz, .xyz, also with .gz, .bz2, .xz), .traj, .db or "
        ".json, in the order of choice, with original_frame, energy_std, atomic_uncertainty and "
        "max_atomic_uncertainty in eV, of a network alone relative. What a frame came with is kept "
        "as energy_ref, forces_ref, …",
    )


def run(options: argparse.Namespace) -> None:
    """Choose, print what that leaves unknown, write the frames, a table and a figure."""
    from mekrr.data.frames import stream_unlabelled
    from mekrr.data.predictions import format_of
    from mekrr.models.load import load_model
    from mekrr.models.sparse_mekrr import SparseMEKRR
    from mekrr.selection import FrameError, select_frames

    if "-" in options.frames:
        raise InputError("frames are read twice, which standard input is not; name a file")
    require_writable(options, options.model, *options.labelled)
    format_of(options.output)
    beside = _beside(options.output)
    for path in beside.values():
        check_output(path, options.frames)
    model = None
    if options.model is not None:
        loaded = load_model(options.model, registry=options.registry)
        if not isinstance(loaded, SparseMEKRR):
            raise ConfigError(
                f"{options.model}: is no sparse potential; fit one with --forces or --inducing, or "
                "choose by the --backbone alone"
            )
        model = loaded
    try:
        found = select_frames(
            stream_unlabelled(options.frames, **how_to_read(options)),
            options.n,
            model=model,
            backbone=options.backbone,
            labelled=stream_unlabelled(options.labelled),
            method=options.method,
            atoms=options.atoms,
            max_std=options.max_std,
            seed=options.seed,
            registry=options.registry,
            threads=options.threads,
        )
    except FrameError as error:
        files = options.labelled if error.labelled else options.frames
        raise DataError(f"{', '.join(files)}: {error}") from error
    out = summary_stream(options.output)
    for text in _told(found, options):
        print(text, file=out)
    _write(found, options)
    written = [options.output, *_write_beside(found, options, beside)]
    print(f"written: {', '.join(map(str, written))}", file=out)


def _told(found: Selection, options: argparse.Namespace) -> list[str]:
    """Return lines on what was chosen, and what is left unknown."""
    factor, unit = (1.0, "of an atom's spread") if found.relative else (1000.0, "meV/atom")
    by = options.backbone or options.model

    def stds(row: Mapping[str, float]) -> str:
        return f"largest {factor * row['largest']:.3g}, mean {factor * row['mean']:.3g} {unit}"

    lines = [
        line("candidates", f"{len(found.candidates)} frames"),
        line("chosen", f"{len(found.places)}, by {options.method} of {by}: {found.ended}"),
    ]
    first = found.left[found.left["method"] == options.method].iloc[0]
    lines.append(line("uncertainty", f"{stds(first)}, before"))
    for name, part in found.left.groupby("method", sort=False):
        what = "as chosen" if name == options.method else f"as many by {name}"
        lines.append(line("", f"{stds(part.iloc[-1])}, {what}"))
    return lines


def _write(found: Selection, options: argparse.Namespace) -> None:
    """Write the frames in the order of choice."""
    from mekrr.data.labels import energy_of
    from mekrr.data.predictions import write_predictions

    kept = _chosen(found, options)
    values = zip(found.places.tolist(), found.of_atoms, found.energy_stds.tolist(), strict=True)
    frames, predictions = [], []
    for place, of_atoms, energy_std in values:
        atoms, own = kept[place]
        atoms.info |= own | {"max_atomic_uncertainty": float(of_atoms[of_atoms == of_atoms].max())}
        atoms.arrays["atomic_uncertainty"] = of_atoms
        frames.append(atoms)
        predictions.append({"energy_std": energy_std})
    references = [energy_of(atoms) for atoms in frames]
    source = ", ".join(options.frames)
    write_predictions(options.output, frames, predictions, references, source)


def _chosen(
    found: Selection, options: argparse.Namespace
) -> dict[int, tuple[Atoms, dict[str, object]]]:
    """Read the chosen frames again, by their places, with what says where they come from."""
    from mekrr.data.frames import stream_unlabelled

    wanted, kept, place = set(found.places.tolist()), {}, 0
    for file in options.frames:
        for within, atoms in enumerate(stream_unlabelled(file, **how_to_read(options))):
            if place in wanted:
                own: dict[str, object] = {"original_frame": within}
                if len(options.frames) > 1:
                    own["original_file"] = file
                kept[place] = atoms, own
            place += 1
    return kept


def _beside(output: str) -> dict[str, Path]:
    """Return the files that come beside the output; none beside standard output."""
    if output == str(STANDARD_OUTPUT):
        return {}
    path = Path(output)
    stem = path.with_name(path.name.split(".")[0] or path.name)
    return {"table": stem.with_suffix(".csv"), "figure": stem.with_suffix(".png")}


def _write_beside(
    found: Selection, options: argparse.Namespace, paths: dict[str, Path]
) -> list[Path]:
    """Write the table and, where matplotlib is installed, the figure; return what was written."""
    from mekrr.files import write_csv

    if not paths:
        return []
    write_csv(paths["table"], found.table)
    try:
        from mekrr.selection.figure import draw_selection
    except ModuleNotFoundError:
        warnings.warn(f"no figure, which needs matplotlib: {install_extra('figure')}", stacklevel=1)
        return [paths["table"]]
    draw_selection(found, options.method, paths["figure"])
    return list(paths.values())
