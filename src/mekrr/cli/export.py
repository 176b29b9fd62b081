"""`mekrr export`: a model as a file that engines of dynamics load."""

from __future__ import annotations

import argparse

from mekrr.cli.arguments import Commands, add_output, registry, summary_stream
from mekrr.files import check_output


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "export",
        parents=[registry()],
        help="write a sparse potential for i-PI, LAMMPS, torch-sim",
        description="Write a sparse potential on a SevenNet to a file of metatomic, which ASE, "
        "i-PI, LAMMPS and torch-sim load.",
    )
    command.set_defaults(command=run)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")
    command.add_argument(
        "--float64", action="store_true", help="compute in float64, several times slower"
    )
    command.add_argument(
        "--no-std",
        action="store_true",
        help="without standard deviations, for which engines may ask in every step",
    )
    add_output(command, "OUT", "file to write, as model.pt")


def run(options: argparse.Namespace) -> None:
    """Export, and say what the file holds."""
    from mekrr.engines.export import export
    from mekrr.models.load import load_model

    inputs = [path for path in (options.model, options.registry) if path is not None]
    check_output(options.output, inputs)
    model = load_model(options.model, registry=options.registry)
    dtype = "float64" if options.float64 else "float32"
    told = export(model, options.output, dtype=dtype, std=not options.no_std)
    print(f"written: {options.output} ({told})", file=summary_stream(options.output))
