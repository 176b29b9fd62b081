"""`mekrr predict`: energies of frames by a fitted model."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

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
from mekrr.cli.printing import errors_per_atom, line, quality
from mekrr.errors import DataError


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "predict",
        parents=[registry(), threads()],
        help="predict the energies of frames",
        description="Predict the energies of frames, and compare where the file has energies.",
    )
    command.set_defaults(command=run)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")
    add_frames(command)
    command.add_argument(
        "--std",
        action="store_true",
        help="also the predictive standard deviation in eV, as energy_std",
    )
    add_output(
        command,
        "OUT",
        "file to write: extended XYZ (.extxyz, .xyz, also with .gz, .bz2, .xz), .traj, .db or "
        ".json. What a frame came with is kept as energy_ref, forces_ref, …",
    )


def run(options: argparse.Namespace) -> None:
    """Predict, write the frames, and compare where they come with energies."""
    from mekrr.data.frames import read_unlabelled
    from mekrr.data.labels import energy_fault, energy_of
    from mekrr.data.predictions import format_of, write_predictions
    from mekrr.models.mekrr import MEKRR

    require_writable(options, options.model)
    format_of(options.output)
    model = MEKRR.load(options.model, registry=options.registry)
    model.set_params(threads=options.threads)
    frames = read_unlabelled(options.frames, **how_to_read(options))
    try:
        predicted: Any = model.predict(frames, return_std=options.std)
    except DataError as error:
        raise DataError(f"{', '.join(options.frames)}: {error}") from error
    energies, stds = predicted if options.std else (predicted, None)
    references = [energy_of(atoms) for atoms in frames]
    faults = {k: fault for k, atoms in enumerate(frames) if (fault := energy_fault(atoms))}
    if faults:
        index, fault = next(iter(faults.items()))
        warnings.warn(
            f"energies of {len(faults)} frames are not compared: frame {index}: {fault}",
            stacklevel=1,
        )
    source = ", ".join(options.frames)
    write_predictions(options.output, frames, energies, stds, references, source)
    out = summary_stream(options.output)
    print(f"written: {options.output} ({len(frames)} frames)", file=out)
    stated = {index: energy for index, energy in enumerate(references) if energy is not None}
    if stated:
        known = list(stated)
        errors = errors_per_atom(energies[known], [*stated.values()], [frames[i] for i in known])
        told = f"{quality(errors)} ({len(known)} frames with energies)"
        print(line("errors", told), file=out)
