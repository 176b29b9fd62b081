"""`mekrr predict`: energies of frames by a fitted model, and on demand forces and stress."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mekrr.cli.arguments import (
    Commands,
    add_frames,
    add_output,
    how_to_read,
    registry,
    require_writable,
    summary_stream,
    threads,
)
from mekrr.cli.printing import compared_forces, errors_per_atom, line, quality
from mekrr.errors import CompositionWarning, DataError

if TYPE_CHECKING:
    from ase import Atoms

    from mekrr.models.mekrr import MEKRR
    from mekrr.models.sparse_mekrr import SparseMEKRR


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "predict",
        parents=[registry(), threads()],
        help="predict energies, forces and stress of frames",
        description="Predict energies of frames, on demand also forces and stress, and compare "
        "where the file has them.",
    )
    command.set_defaults(command=run)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")
    add_frames(command)
    command.add_argument(
        "--std",
        action="store_true",
        help="also the predictive standard deviation in eV, as energy_std",
    )
    command.add_argument(
        "--forces",
        action="store_true",
        help="also forces in eV/Å, and the energies of the atoms where energies add up",
    )
    command.add_argument(
        "--stress",
        action="store_true",
        help="also the stress in eV/Å³ of frames with a cell, in ASE's sign and order",
    )
    command.add_argument(
        "--float64", action="store_true", help="compute in float64, several times slower"
    )
    add_output(
        command,
        "OUT",
        "file to write: extended XYZ (.extxyz, .xyz, also with .gz, .bz2, .xz), .traj, .db or "
        ".json. What a frame came with is kept as energy_ref, forces_ref, …",
    )


def run(options: argparse.Namespace) -> None:
    """Predict, write the frames, and compare where they come with energies and forces."""
    from mekrr.data.frames import read_unlabelled
    from mekrr.data.labels import energy_fault, energy_like, energy_of, force_like, forces_fault
    from mekrr.data.predictions import format_of, write_predictions
    from mekrr.data.units import warn_of_units
    from mekrr.models.load import load_model

    require_writable(options, options.model)
    format_of(options.output)
    model = load_model(options.model, registry=options.registry)
    model.set_params(threads=options.threads)
    frames = read_unlabelled(options.frames, **how_to_read(options))
    source = ", ".join(options.frames)
    try:
        predictions = _predictions(model, frames, options)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    references = [energy_of(atoms) for atoms in frames]
    faults = [energy_fault(atoms) for atoms in frames]
    _warn_of_faults("energies", faults)
    warn_of_units(frames, source)
    write_predictions(options.output, frames, predictions, references, source)
    out = summary_stream(options.output)
    print(f"written: {options.output} ({len(frames)} frames)", file=out)
    stated = {index: energy for index, energy in enumerate(references) if energy is not None}
    told = _none("an energy", "--energy-key", energy_like, frames, faults)
    if stated:
        predicted = [predictions[index]["energy"] for index in stated]
        known = [frames[index] for index in stated]
        errors = errors_per_atom(predicted, [*stated.values()], known)
        told = f"{quality(errors)} ({len(known)} frames with energies)"
    print(line("errors", told), file=out)
    if options.forces:
        faults = [forces_fault(atoms) for atoms in frames]
        _warn_of_faults("forces", faults)
        none = _none("forces", "--forces-key", force_like, frames, faults)
        lines = compared_forces(frames, [row["forces"] for row in predictions])
        for text in lines or [line("force errors", none)]:
            print(text, file=out)


def _predictions(
    model: MEKRR | SparseMEKRR, frames: list[Atoms], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return what was asked for of each frame, by ASE's names.

    Energies are those of `predict`, the same whatever else is asked for, but for float64.
    """
    names = ["energy", "energy_std"] if options.std else ["energy"]
    rows: list[dict[str, Any]] = [{} for _ in frames]
    if not options.float64:
        predicted: Any = model.predict(frames, return_std=options.std)
        columns = zip(*predicted, strict=True) if options.std else ((e,) for e in predicted)
        rows = [dict(zip(names, map(float, values), strict=True)) for values in columns]
        names = []
    names += ["forces", "energies"] if options.forces else []
    names += ["stress"] if options.stress else []
    if not names:
        return rows
    from mekrr.models.potentials.frames import evaluate_frames

    potential = model.potential("float64" if options.float64 else "float32")
    std = options.std and options.float64
    found = evaluate_frames(potential, frames, std=std, threads=options.threads)
    if options.float64 and (doubt := potential.doubt(frames)):
        warnings.warn(doubt, CompositionWarning, stacklevel=1)
    without = [index for index, each in enumerate(found) if each.stress is None]
    if options.stress and without:
        warnings.warn(
            f"no stress of {len(without)} frames: frame {without[0]} has no cell of three vectors",
            stacklevel=1,
        )
    for row, each in zip(rows, found, strict=True):
        values = {name: getattr(each, name) for name in names}
        row.update({name: value for name, value in values.items() if value is not None})
    return rows


def _none(
    what: str,
    option: str,
    likely: Callable[[Atoms], list[str]],
    frames: list[Atoms],
    faults: list[str | None],
) -> str:
    """Return why there are no errors, and which keys of a frame may be what is missing."""
    absent = (atoms for atoms, fault in zip(frames, faults, strict=True) if fault is None)
    keys = next(filter(None, map(likely, absent)), [])
    none = f"none: no frame has {what} to compare with"
    if keys:
        return f"{none}, but {', '.join(keys)} may be; if so, name it ({option} {keys[0]})"
    return f"{none} ({option} names its key)"


def _warn_of_faults(what: str, faults: list[str | None]) -> None:
    """Warn of labels that cannot be used; ``faults`` says why, of each frame."""
    found = [(index, fault) for index, fault in enumerate(faults) if fault]
    if found:
        index, fault = found[0]
        warnings.warn(
            f"{what} of {len(found)} frames are not compared: frame {index}: {fault}", stacklevel=1
        )
