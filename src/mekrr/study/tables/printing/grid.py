"""A table as it is printed: rows of cells under grouped columns."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

MISSING = "–"
FEWER = "†"  # marks a number over fewer seeds than the rest of its table


@dataclass(frozen=True)
class Cell:
    """One number as printed.

    Attributes
    ----------
    value : its digits.
    spread : digits of its standard deviation, or "".
    interval : digits of the ends of its interval, or None.
    mark : a sign that a note explains, or "".
    best : whether it is the best of its column.
    detail : what an HTML page shows when the cell is pointed at.
    """

    value: str = MISSING
    spread: str = ""
    interval: tuple[str, str] | None = None
    mark: str = ""
    best: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """One line: leading texts, then cells; ``quoted`` if the numbers are others' work."""

    stub: tuple[str, ...]
    cells: tuple[Cell, ...] = ()
    quoted: bool = False


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes
    ----------
    title : what it shows, "" on a page of which it is the only table.
    stub : headings of the leading columns.
    groups : title of each group of columns, and the headings in it.
    rows : lines from top to bottom; a line whose first text is that of the line above
        belongs to it, and the text is not repeated.
    """

    title: str
    stub: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[Row, ...]


def flat(table: pd.DataFrame, title: str = "") -> Grid:
    """A table of texts without groups."""
    rows = tuple(Row(tuple(map(str, row))) for row in table.itertuples(index=False))
    return Grid(title, tuple(table.columns), (), rows)


def printed_rows(grid: Grid) -> list[tuple[Row, tuple[str, ...], bool]]:
    """Each row, its leading texts as printed, and whether it opens a group of rows."""
    printed, above = [], None
    for row in grid.rows:
        repeated = bool(grid.groups) and row.stub[0] == above
        printed.append((row, ("", *row.stub[1:]) if repeated else row.stub, not repeated))
        above = row.stub[0]
    return printed


def shown(cell: Cell) -> str:
    """A cell as text."""
    return cell.value + extra(cell)


def extra(cell: Cell) -> str:
    """What follows the digits of a cell."""
    text = f" ± {cell.spread}" if cell.spread else ""
    if cell.interval:
        text = " ({}–{})".format(*cell.interval)
    return text + cell.mark
