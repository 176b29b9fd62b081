"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mekrr.printing.grid import Cell, Grid, extra


def markdown(title: str, grids: Sequence[Grid], notes: Sequence[str]) -> str:
    """A page: heading, tables, notes."""
    parts = [f"# {title}"]
    for grid in grids:
        parts += [f"## {grid.title}"] if grid.title else []
        heads = [f"{name} {head}".strip() for name, group in grid.groups for head in group]
        body = pd.DataFrame(
            [[*row.stub, *(_cell(cell, row.quoted) for cell in row.cells)] for row in grid.rows],
            columns=[*grid.stub, *heads],
        )
        align = ["left"] * len(grid.stub) + ["right"] * len(heads)
        parts.append(body.to_markdown(index=False, disable_numparse=True, colalign=align))
    return "\n\n".join([*parts, *notes]) + "\n"


def _cell(cell: Cell, quoted: bool) -> str:
    text = f"**{cell.value}**" if cell.best else f"*{cell.value}*" if quoted else cell.value
    return text + extra(cell)
