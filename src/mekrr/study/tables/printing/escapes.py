"""Texts of users where they enter another language: one function for each.

Titles, names and citations may hold any printable character, and appear as they are. Control
characters, which the configuration refuses, are shown as escapes.
"""

from __future__ import annotations

import html
import re
import unicodedata

from mekrr.errors import MekrrError, printable

# Controls, line and paragraph separators, changes of direction, halves of surrogate pairs.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_MARKDOWN = re.compile(
    r"""(?P<tag> <) | (?P<reference> &(?=\#|\w+;))
    | [\\`*|\[\]~$]               # emphasis, cells, links, strikethrough, formulas
    | (?<![^\W_])_ | _(?![^\W_])   # emphasis, but not within a word
    """,
    re.VERBOSE,
)

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "λ": "lambda",
    "μ": "mu",
    "µ": "mu",
    "σ": "sigma",
    "Δ": "Delta",
}
_NAMES = {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "å": "aa", "Å": "AA"}
_NAMES |= {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: "\\" + char for char in "&%$#_{}"},
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u00a0": "~",
    "\u2060": "{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "°": r"$^{\circ}$",
    "→": r"$\to$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "†": r"\textsuperscript{\dag}",
    "½": r"$\frac{1}{2}$",
    "√": r"$\surd$",
    **{chr(0x2080 + digit): f"$_{digit}$" for digit in range(10)},
    **{char: f"$^{digit}$" for digit, char in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{char: rf"$\{name}$" for char, name in _GREEK.items()},
    **{char: rf"\{name}{{}}" for char, name in _NAMES.items()},
}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0307\u0308", "`'^~=.\"", strict=True))
_ACCENTS |= dict(zip("\u0306\u030a\u030b\u030c\u0327", "urHvc", strict=True))

# Snakemake's report holds each of its data as one line of JSON in a script of its own.
_REPORT_DATA = re.compile(r'^    <script id="([\w-]+)">\n    var \w+ = .*;\n    </script>$', re.M)
_REPORT_TEXTS = {"workflow-desc", "results", "categories", "rules", "metadata"}


def _one_line(text: str) -> str:
    return CONTROL.sub(lambda found: printable(found[0]), text)


def for_html(text: str) -> str:
    """``text`` as a page shows it, in an element or an attribute."""
    return html.escape(_one_line(text))


def for_markdown(text: str) -> str:
    """``text`` as Markdown shows it, also in a cell of a table."""
    return _MARKDOWN.sub(_markdown_sign, _one_line(text))


def _markdown_sign(found: re.Match) -> str:
    """Not every reader of Markdown takes a backslash before what HTML reads."""
    if found.lastgroup:
        return html.escape(found[0])
    return f"\\{found[0]}"


def for_latex(text: str) -> str:
    """``text`` as pdflatex prints it, in ASCII; signs that it lacks by their numbers."""
    apart = re.sub(r"([-'])(?=\1)", "\\1\u2060", _one_line(text))  # -- would become a dash
    return "".join(map(_latex_sign, unicodedata.normalize("NFC", apart)))


def _latex_sign(char: str) -> str:
    if char in _LATEX:
        return _LATEX[char]
    if char.isascii():
        return char
    base, *marks = unicodedata.normalize("NFD", char)
    if base.isascii() and len(marks) == 1 and marks[0] in _ACCENTS:
        return rf"\{_ACCENTS[marks[0]]}{{{base}}}"
    return rf"\texttt{{U+{ord(char):04X}}}"


def for_label(text: str) -> str:
    """``text`` as a label of Snakemake's report, where {name} stands for a wildcard.

    A word joiner, which is not seen, keeps a brace from opening one.
    """
    return text.replace("{", "{\u2060")


def for_spreadsheet(text: str) -> str:
    """``text`` in a CSV file for readers: an apostrophe in front of what would be a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def inert_report(page: str) -> str:
    """Snakemake's report with texts that cannot end the scripts in which they stand.

    Raises a MekrrError if the page is not built as it is known to be.
    """
    missing = _REPORT_TEXTS - {match[1] for match in _REPORT_DATA.finditer(page)}
    if missing:
        raise MekrrError(
            f"report: no script {min(missing)} in it; use the pinned version of snakemake"
        )
    return _REPORT_DATA.sub(_without_tags, page)


def _without_tags(script: re.Match) -> str:
    opening, data, closing = script[0].split("\n")
    return "\n".join([opening, data.replace("<", r"\u003c"), closing])
