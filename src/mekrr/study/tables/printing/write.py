"""Writing one table in all forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mekrr.files import write_text
from mekrr.study.tables.printing.grid import Grid
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
