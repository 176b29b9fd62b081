"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mekrr.study.tables.printing.escapes import for_markdown
from mekrr.study.tables.printing.grid import Cell, Grid, extra


def markdown(title: str, grids: Sequence[Grid], notes: Sequence[str]) -> str:
    """A page: heading, tables, notes, which are plain texts."""
    parts = [f"# {for_markdown(title)}"]
    for grid in grids:
        parts += [f"## {for_markdown(grid.title)}"] if grid.title else []
        heads = [f"{name} {head}".strip() for name, group in grid.groups for head in group]
        body = pd.DataFrame(
            [
                [*map(for_markdown, row.stub), *(_cell(cell, row.quoted) for cell in row.cells)]
                for row in grid.rows
            ],
            columns=[*map(for_markdown, [*grid.stub, *heads])],
        )
        align = ["left"] * len(grid.stub) + ["right"] * len(heads)
        parts.append(body.to_markdown(index=False, disable_numparse=True, colalign=align))
    return "\n\n".join([*parts, *map(for_markdown, notes)]) + "\n"


def _cell(cell: Cell, quoted: bool) -> str:
    value = for_markdown(cell.value)
    text = f"**{value}**" if cell.best else f"*{value}*" if quoted else value
    return text + for_markdown(extra(cell))
