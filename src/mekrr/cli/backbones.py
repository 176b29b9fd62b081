"""`mekrr backbones`: the networks known by name."""

from __future__ import annotations

import argparse

from mekrr.cli.arguments import registry


def add_command(commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "backbones", parents=[registry()], help="list the networks, and whether they can be used"
    )
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print all of them."""
    from mekrr.backbones.__main__ import print_all

    print_all(options.registry)
