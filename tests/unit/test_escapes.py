"""Any text of a user appears in every form of output as it is, and means nothing there."""

import csv
import html
import io
import logging
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from docutils.core import publish_parts
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import Environment
from samples import ROOT
from test_fuzz import cases

from mekrr.errors import MekrrError, printable
from mekrr.files import write_csv
from mekrr.study.job import TERMINAL, _fail, _Printable
from mekrr.study.report import with_overview
from mekrr.study.tables.printing.escapes import (
    CONTROL,
    for_html,
    for_label,
    for_latex,
    for_markdown,
    for_spreadsheet,
    inert_report,
)
from mekrr.study.tables.printing.grid import flat
from mekrr.study.tables.printing.latex import latex
from mekrr.study.tables.printing.markdown import markdown

HOSTILE = "</script><img src=x onerror=f()> a|b \\| $x_1$ %#&{}~^\\ _é_ 金 😀 `c` [l](u) &amp; --"
# Mostly what some language reads as its own.
SIGNS = st.one_of(
    st.sampled_from("|\\`*_[]()<>&;$%#{}~^-'\"!=+@:. abé金😀α"),
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")),
)
TEXTS = st.text(SIGNS, max_size=30).filter(lambda text: not CONTROL.search(text))


class Shown(HTMLParser):
    """The text of a page, its elements, and the title of the first."""

    def __init__(self, page):
        super().__init__()
        self.text, self.elements, self.titles = "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.titles += [value for key, value in attrs if key == "title"]

    def handle_data(self, data):
        self.text += data


@cases(200)
@given(TEXTS)
@example(HOSTILE)
def test_html_shows_the_text(text):
    shown = Shown(f'<p title="{for_html(text)}">{for_html(text)}</p>')
    assert (shown.text, shown.elements, shown.titles) == (text, ["p"], [text])


def unescaped(text):
    """What Markdown shows of escaped text: no backslash before punctuation, no references."""
    signs = r"\\([!-/:-@\[-`{-~])|&(?:#\w+|\w+);"
    return re.sub(signs, lambda found: found[1] or html.unescape(found[0]), text)


@cases(200)
@given(TEXTS)
@example(HOSTILE)
def test_markdown_shows_the_text(text):
    escaped = for_markdown(text)
    assert unescaped(escaped) == text
    plain = re.sub(r"\\[!-/:-@\[-`{-~]", "", escaped)
    assert not re.search(r"[`*|<\[\]~$]|&#|\W_|_\W|^_|_$", plain.replace("\\", ""))


@cases(100)
@given(st.lists(TEXTS, min_size=2, max_size=2))
@example([HOSTILE, "\\|"])
def test_markdown_tables_have_the_same_cells_on_every_line(texts):
    table = pd.DataFrame([texts, texts[::-1]], columns=["one", "other"])
    page = markdown("T", [flat(table)], [])
    lines = [line for line in page.splitlines() if line.startswith("|")]
    counts = [len(re.findall(r"(?:\\.|[^\\|])*\|", line)) for line in lines]
    assert counts == [3] * 4  # the edge on the left, and an edge after each cell


def test_markdown_by_a_library():
    library = pytest.importorskip("markdown", reason="no Markdown library on this machine")
    table = pd.DataFrame([[HOSTILE, "b"]], columns=["one", "other"])
    shown = Shown(library.markdown(markdown("T", [flat(table)], []), extensions=["tables"]))
    assert shown.elements.count("td") == 2
    assert not {"img", "script", "em", "a", "code"} & set(shown.elements)


@cases(200)
@given(TEXTS)
@example(HOSTILE)
@example(r"\input{/etc/passwd} \write18{touch x} ^^5c")
def test_latex_has_no_special_sign_of_a_text(text):
    escaped = for_latex(text)
    assert escaped.isascii()
    for command in re.findall(r"\\([A-Za-z]+)", escaped):
        assert command in COMMANDS, command
    bare = re.sub(r"\\[A-Za-z]+|\\.|\$[^$]*\$", "", escaped)
    assert not re.search(r"[%#&$_^\\]", bare)
    assert bare.count("{") == bare.count("}")


COMMANDS = set(  # that print a sign
    re.findall(
        r"\w+",
        """textbackslash textasciitilde textasciicircum textasciigrave textless textgreater textbar
        leq geq pm times cdot circ to ldots textsuperscript dag frac surd texttt alpha beta gamma
        delta lambda mu sigma Delta o O l L ss aa AA ae AE oe OE u r H v c""",
    )
)


def test_latex_shows_what_it_knows():
    assert for_latex("é Å ø ½ D1_x 金") == r"\'{e} \AA{} \o{} $\frac{1}{2}$ D1\_x \texttt{U+91D1}"
    assert for_latex("a--b") == "a-{}-b"
    lines = latex("T", [flat(pd.DataFrame({HOSTILE: [HOSTILE]}))], [HOSTILE], "t").splitlines()
    assert not [line for line in lines if re.search(r"(?<!\\)(?:\\\\)*%", line[1:-1])]


@cases(50)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@example(texts=["a,b", 'a"b', "=1+1", "-x", HOSTILE])
def test_csv_round_trip_is_exact(texts, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    write_csv(str(path), pd.DataFrame({"text": texts}))
    read = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)["text"]
    assert read.tolist() == texts
    with open(path, newline="", encoding="utf-8") as stream:
        assert [row[0] if row else "" for row in csv.reader(stream)][1:] == texts


@pytest.mark.parametrize("start", "=+-@")
def test_a_spreadsheet_runs_no_formula(start):
    assert for_spreadsheet(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert for_spreadsheet("Batzner et al. = 3") == "Batzner et al. = 3"


@cases(60)
@given(TEXTS.filter(lambda text: text.strip()))
@example("- a_ `x <javascript:f()>`_ |s| *b* <b> :a:`b` http://a.b/ [1]_ .. raw:: html")
def test_the_description_of_the_report_shows_the_title(text):
    class Step:
        config = {  # noqa: RUF012
            "study": {"datasets": ["mine"], "backbones": ["toy_"]},
            "datasets": {"mine": {"title": text, "surrogate_for": "D1"}},
        }

    template = (ROOT / "workflow/report/study.rst").read_text(encoding="utf-8")
    source = Environment(trim_blocks=True, lstrip_blocks=True).from_string(template)
    body = publish_parts(source.render(snakemake=Step), writer="html")["html_body"]
    shown = Shown(body)
    assert set(shown.elements) == {"div", "p"}
    assert " ".join(f"Data sets: {text}. Backbones: toy_.".split()) in " ".join(shown.text.split())


def test_a_label_of_the_report_is_no_wildcard():
    from snakemake.io import apply_wildcards

    label = for_label("a {dataset} {unknown,.*} {{x}}")
    assert apply_wildcards(label, {"dataset": "d"}) == label
    assert label.replace("\u2060", "") == "a {dataset} {unknown,.*} {{x}}"


DATA = '    <script id="{}">\n    var x = {};\n    </script>\n'
NAMES = ("workflow-desc", "results", "categories", "rules", "metadata")


def test_data_of_the_report_cannot_end_their_script():
    page = "".join(DATA.format(name, '{"a": "</script><b>"}') for name in NAMES)
    assert "b" in Shown(page).elements
    inert = inert_report(page)
    assert set(Shown(inert).elements) == {"script"}
    assert inert.count(r"\u003c/script>") == len(NAMES)


def test_an_unknown_form_of_the_report_is_refused():
    with pytest.raises(MekrrError, match="no script results in it"):
        inert_report("".join(DATA.format(name, "{}") for name in NAMES if name != "results"))


FRAME = """<head>
<title>Snakemake Report</title>
</head>

<body>
    <script>'use strict';

let app;

class App extends React.Component {}
    </script>
</body>
"""


def test_the_first_page_of_the_report_cannot_end_its_script():
    page = with_overview(FRAME, {"overview": "</script><img>", "datasets": []}, "a {}\n", "f();\n")
    assert "img" not in Shown(page).elements
    assert page.index("var overview = ") < page.index("f();") < page.index("class App extends")
    assert page.index("a {}") < page.index("</head>")


@pytest.mark.parametrize("place", ["</head>", "let app;"])
def test_an_unknown_frame_of_the_report_is_refused(place):
    with pytest.raises(MekrrError, match="use the pinned version of snakemake"):
        with_overview(FRAME.replace(place, ""), {}, "", "")


def test_lines_for_a_terminal_are_printable(capfd):
    assert printable("a b é 金\x1b[2J\u202e\n") == "a b é 金\\x1b[2J\\u202e\\n"
    record = logging.LogRecord(TERMINAL.name, logging.WARNING, "", 0, "a\x1b]0;b\x07", (), None)
    assert _Printable("%(message)s").format(record) == "a\\x1b]0;b\\x07"
    with pytest.raises(SystemExit):
        _fail("mekrr: error: frames\x1b[31m.xyz", io.StringIO())
    assert "frames\\x1b[31m.xyz" in capfd.readouterr().err
