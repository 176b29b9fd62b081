"""Pages of the reference that are written by hand name all that the code has."""

import argparse
import re

import pytest
from samples import ROOT

from mekrr.cli import parser
from mekrr.models.file import FORMAT
from mekrr.models.record import OF_ATOMS, OF_FRAMES, OF_NORMALISATION, ModelRecord
from mekrr.models.sparse.record import LAYOUT, SparseRecord

PAGE = (ROOT / "docs/reference/model_file.md").read_text(encoding="utf-8")


def rows(title):
    """First cells of the tables of a section."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `?(\w+)`? \|", section, re.M)[1:]


@pytest.mark.parametrize(
    ("title", "layout"),
    [
        ("Tensors of MEKRR", OF_FRAMES | OF_ATOMS | OF_NORMALISATION),
        ("Tensors of a sparse potential", LAYOUT),
    ],
)
def test_all_tensors_are_documented(title, layout):
    assert rows(title) == list(layout)
    section = PAGE.split(f"## {title}\n")[1]
    for name, (kinds, _) in layout.items():
        (stated,) = re.findall(rf"^\| `{name}` \| ([^|]+) \|", section.split("\n## ")[0], re.M)
        assert set(re.findall(r"\w+\d\d", stated)) == set(kinds)


def test_all_of_a_record_is_documented():
    assert set(rows("The record")) == {*ModelRecord.model_fields, *SparseRecord.model_fields}


def test_all_formats_are_documented():
    assert rows("Versions") == [str(n) for n in range(FORMAT, 0, -1)]
    assert f"Its format is **{FORMAT}**." in PAGE


def test_every_command_is_documented():
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert re.findall(r"^## mekrr (\w+)$", page, re.M) == list(commands.choices)
    assert re.findall(r"^:path: (\w+)$", page, re.M) == list(commands.choices)


def test_deviations_from_the_paper_have_one_home():
    """Two lists of them would part; the other pages link to it."""
    home = ROOT / "docs/reproduction/index.md"
    pages = {path: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
    tables = [path for path, text in pages.items() if "| here | published | why |" in text]
    assert tables == [home]
    # What opens every such list.
    as_published = re.compile(r"not\s+divided\s+by\s+the\s+number\s+of\s+species")
    assert [path for path, text in pages.items() if as_published.search(text)] == [home]
    link = "../reproduction/index.md#deliberate-deviations"
    assert link in pages[ROOT / "docs/explanation/kernels.md"]
