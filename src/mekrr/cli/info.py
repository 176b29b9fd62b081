"""`mekrr info`: what a model is and was fitted to."""

from __future__ import annotations

import argparse

from mekrr.cli.arguments import Commands
from mekrr.cli.printing import line, summary


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser("info", help="print what a model is and was fitted to")
    command.set_defaults(command=run)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")


def run(options: argparse.Namespace) -> None:
    """Print the model's summary and its records."""
    from mekrr.models.load import load_model

    model = load_model(options.model)
    print(summary(model))
    for title, record in (
        ("backbone", model.backbone_),
        ("reference energies, eV", model.references_),
        ("fitted with", model.provenance_),
        ("parameters", model.parameters_),
    ):
        print(f"{title}:")
        for key, value in (record or {}).items():
            print("  " + line(key, value))
