"""Tables as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from mekrr.study.tables.printing.escapes import for_latex
from mekrr.study.tables.printing.grid import Cell, Grid, printed_rows

# Tables wider than the text are scaled to its width.
_WIDTH = r"\ifdim\width>\linewidth\linewidth\else\width\fi"


def latex(title: str, grids: Sequence[Grid], notes: Sequence[str], label: str) -> str:
    """One float each, with booktabs and graphicx; the notes stand below the last.

    Labels are ``tab:label-1`` and so on.
    """
    floats = [
        _float(title, grid, notes if grid is grids[-1] else [], f"{label}-{number}")
        for number, grid in enumerate(grids, start=1)
    ]
    return "\n".join(["% \\usepackage{booktabs,graphicx}", *floats])


def _float(title: str, grid: Grid, notes: Sequence[str], label: str) -> str:
    """A cell takes two columns, its value and its spread, so that values stand in line."""
    stubs, widths = len(grid.stub), [2 * len(heads) for _, heads in grid.groups]
    firsts = [stubs + 1 + sum(widths[:k]) for k in range(len(widths))]
    groups = [
        rf"\multicolumn{{{width}}}{{c}}{{{for_latex(name)}}}"
        for width, (name, _) in zip(widths, grid.groups, strict=True)
    ]
    rules = [
        rf"\cmidrule(lr){{{first}-{first + width - 1}}}"
        for first, width in zip(firsts, widths, strict=True)
    ]
    heads = [
        rf"\multicolumn{{2}}{{c}}{{{for_latex(head)}}}"
        for _, group in grid.groups
        for head in group
    ]
    lines: list[str] = []
    for row, stub, opens in printed_rows(grid):
        if opens and lines:
            lines.append(r"\addlinespace[2pt]")
        texts = [_text(text, row.quoted) for text in stub]
        lines.append(" & ".join([*texts, *(_cell(c, row.quoted) for c in row.cells)]) + r" \\")
    caption = ". ".join(filter(None, [title, grid.title]))
    below = [rf"\par\smallskip\parbox{{\linewidth}}{{{for_latex(' '.join(notes))}}}"]
    return "\n".join(
        [
            r"\begin{table}[tbp]",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{for_latex(caption)}.}}\label{{tab:{label}}}",
            rf"\resizebox{{{_WIDTH}}}{{!}}{{%",
            rf"\begin{{tabular}}{{@{{}}{'l' * stubs}{'r@{}l' * len(heads)}@{{}}}}",
            r"\toprule",
            " & ".join([""] * stubs + groups) + r" \\",
            "".join(rules),
            " & ".join([*map(for_latex, grid.stub), *heads]) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            *(below if notes else []),
            r"\end{table}",
            "",
        ]
    )


def _text(text: str, quoted: bool) -> str:
    return rf"\textit{{{for_latex(text)}}}" if quoted and text else for_latex(text)


def _cell(cell: Cell, quoted: bool) -> str:
    value = _text(cell.value, quoted)
    if cell.best:
        value = rf"\textbf{{{value}}}"
    spread = rf"$_{{\pm{for_latex(cell.spread)}}}$" if cell.spread else ""
    if cell.interval:
        low, high = (for_latex(end) for end in cell.interval)
        spread = rf"$_{{{low}}}^{{{high}}}$"
    return f"{value} & {spread}{for_latex(cell.mark)}"
