"""Tables as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from mekrr.printing.grid import Cell, Grid, printed_rows

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "λ": "lambda",
    "μ": "mu",
    "σ": "sigma",
    "Δ": "Delta",
}
_COMMANDS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: "\\" + char for char in "&%$#_{}"},
    "`": "",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "→": r"$\to$",
    "–": "--",
    "†": r"\textsuperscript{\dag}",
    "½": r"$\frac{1}{2}$",
    "√": r"$\surd$",
    **{chr(0x2080 + digit): f"$_{digit}$" for digit in range(10)},
    **{char: rf"$\{name}$" for char, name in _GREEK.items()},
}
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
        rf"\multicolumn{{{width}}}{{c}}{{{escaped(name)}}}"
        for width, (name, _) in zip(widths, grid.groups, strict=True)
    ]
    rules = [
        rf"\cmidrule(lr){{{first}-{first + width - 1}}}"
        for first, width in zip(firsts, widths, strict=True)
    ]
    heads = [
        rf"\multicolumn{{2}}{{c}}{{{escaped(head)}}}" for _, group in grid.groups for head in group
    ]
    lines = []
    for row, stub, opens in printed_rows(grid):
        if opens and lines:
            lines.append(r"\addlinespace[2pt]")
        texts = [_text(text, row.quoted) for text in stub]
        lines.append(" & ".join([*texts, *(_cell(c, row.quoted) for c in row.cells)]) + r" \\")
    caption = ". ".join(filter(None, [title, grid.title]))
    below = [rf"\par\smallskip\parbox{{\linewidth}}{{{escaped(' '.join(notes))}}}"]
    return "\n".join(
        [
            r"\begin{table}[tbp]",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{escaped(caption)}.}}\label{{tab:{label}}}",
            rf"\resizebox{{{_WIDTH}}}{{!}}{{%",
            rf"\begin{{tabular}}{{@{{}}{'l' * stubs}{'r@{}l' * len(heads)}@{{}}}}",
            r"\toprule",
            " & ".join([""] * stubs + groups) + r" \\",
            "".join(rules),
            " & ".join([*map(escaped, grid.stub), *heads]) + r" \\",
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
    return rf"\textit{{{escaped(text)}}}" if quoted and text else escaped(text)


def _cell(cell: Cell, quoted: bool) -> str:
    value = _text(cell.value, quoted)
    if cell.best:
        value = rf"\textbf{{{value}}}"
    spread = rf"$_{{\pm{cell.spread}}}$" if cell.spread else ""
    if cell.interval:
        low, high = (escaped(end) for end in cell.interval)
        spread = rf"$_{{{low}}}^{{{high}}}$"
    return f"{value} & {spread}{escaped(cell.mark)}"


def escaped(text: str) -> str:
    """``text`` as LaTeX prints it; characters that pdflatex does not know become commands."""
    return text.translate(str.maketrans(_COMMANDS))
