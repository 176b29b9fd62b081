"""`mekrr plan`: what a fit of sparse models to many frames would cost."""

from __future__ import annotations

import argparse

from mekrr.cli.arguments import Commands, integer
from mekrr.models.limits import LARGEST_INDUCING, MOST_DIRECTIONS

MOST = 10**9
FLAGS = (
    ("frames", 1_000_000, MOST, "frames of the data set"),
    ("atoms", 50, MOST, "atoms of a frame, on average"),
    ("species", 3, 118, "species of atoms"),
    ("directions", 8, MOST_DIRECTIONS, "directions along which the forces of a frame are learnt"),
    ("width", 384, MOST, "features of an atom, of all layers side by side"),
    ("inducing", 3000, LARGEST_INDUCING, "inducing atoms"),
    ("settings", 3, 1000, "lengthscales, times sets of layers, that are tried"),
    ("methods", 4, 4, "sparse models that are fitted: from energies or forces too, Δ or not"),
    ("shard-frames", 2000, MOST, "frames of a shard"),
    ("cores", 100, MOST, "jobs that run at once"),
)


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "plan",
        help="say what a fit of sparse models to many frames would cost",
        description="Hours of cores, memory and disk of each step of a fit of sparse models in "
        "shards, by laws whose rates were measured on one core of an AMD EPYC with SevenNet-0. On "
        "a GPU, features and directions take less; how much was never measured.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.set_defaults(command=run)
    for name, default, most, text in FLAGS:
        command.add_argument(
            f"--{name}", type=integer(1, most), default=default, metavar="N", help=text
        )


def run(options: argparse.Namespace) -> None:
    """Print the plan."""
    print("\n".join(plan(options)))


def plan(options: argparse.Namespace) -> list[str]:
    """Return the lines of the plan."""
    from mekrr.models.sparse.cost import Size

    given = dict(vars(options))
    cores = given.pop("cores")
    del given["command"]
    size = Size(**given)
    lines = [
        f"{size.frames:,} frames of {size.atoms} atoms in {size.shards:,} shards, "
        f"{size.inducing:,} inducing atoms, {size.directions} directions a frame",
        f"{'step':<12}{'jobs':>8}{'h of a core':>13}{'h':>9}{'GB of a job':>13}{'GB on disk':>12}",
    ]
    total, elapsed, kept, most = 0.0, 0.0, 0.0, 0.0
    for step in size.steps():
        hours = step.seconds / 3600
        at_once = min(cores, step.jobs)
        total, elapsed = total + hours, elapsed + hours / at_once
        kept += step.disk
        most = max(most, kept + step.passing)
        disk = step.disk + step.passing
        lines.append(
            f"{step.name:<12}{step.jobs:>8,}{hours:>13,.2f}{hours / at_once:>9,.2f}"
            f"{step.memory:>13,.1f}{disk:>12,.1f}"
        )
    lines.append(f"{'all':<12}{'':>8}{total:>13,.1f}{elapsed:>9,.1f}{'':>13}{most:>12,.1f}")
    lines.append(
        f"h: with {cores:,} jobs at once. On disk at most {most:,.0f} GB, of which "
        f"{kept:,.0f} stay. Measured on one core of an AMD EPYC; on a GPU unmeasured."
    )
    return lines
