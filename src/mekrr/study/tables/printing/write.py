"""Writing one table in all forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mekrr.files import write_text
from mekrr.study.tables.printing.grid import Grid, flat
from mekrr.study.tables.printing.latex import latex
from mekrr.study.tables.printing.markdown import markdown
from mekrr.study.tables.printing.page import page


def write_printed(
    paths: Mapping[str, str],
    number: str,
    title: str,
    grids: Sequence[Grid],
    details: Sequence[Grid],
    notes: Sequence[str],
) -> None:
    """Write ``paths`` latex, markdown and html.

    Parameters
    ----------
    number : e.g. "Table 1", which LaTeX counts itself; "" for none.
    details : tables for the screen, not for a page of LaTeX.
    """
    heading = f"{number}. {title}" if number else title
    label = paths["latex"].rsplit("/", 1)[-1].removesuffix(".tex").replace("_", "-")
    write_text(paths["latex"], latex(title, grids, notes, label))
    write_text(paths["markdown"], markdown(heading, [*grids, *details], notes))
    write_text(paths["html"], page(heading, [*grids, *details], notes))


def write_listing(
    paths: Mapping[str, str], table: pd.DataFrame, title: str, notes: Sequence[str] = ()
) -> None:
    """Write a table of texts with its notes to ``paths`` markdown and html."""
    write_text(paths["markdown"], markdown(title, [flat(table)], notes))
    write_text(paths["html"], page(title, [flat(table)], notes))
