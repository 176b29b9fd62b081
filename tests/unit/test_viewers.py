"""Viewers of structures in the pages of tutorials."""

import base64
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ase.build import molecule

sys.path.append(str(Path(__file__).parents[2] / "docs" / "_extensions"))
chemiscope = pytest.importorskip("chemiscope")
viewers = pytest.importorskip("viewers")
pytestmark = pytest.mark.filterwarnings("ignore:chemiscope.show only displays a widget")


@pytest.fixture
def widget():
    return chemiscope.show([molecule("H2O")], mode="structure")


def variables(widget, folder):
    page = folder / "1_first.py"
    return {"example_globals": {"___": widget}, "target_file": str(page)}


def test_a_viewer_stands_below_its_cell_only(widget, tmp_path):
    scraper = viewers.Viewers()
    shown = scraper(("code", "", 12), variables(widget, tmp_path), {})
    assert "_datasets/1_first_12.json" in shown
    assert scraper(("code", "", 20), variables(widget, tmp_path), {}) == ""
    assert scraper(("code", "", 30), variables("text", tmp_path), {}) == ""


def test_a_page_has_its_data_and_nothing_from_outside(widget, tmp_path):
    (tmp_path / "_datasets").mkdir()
    widget.save(str(tmp_path / "_datasets" / "data.json"))
    builder = SimpleNamespace(
        outdir=str(tmp_path),
        current_docname="page",
        get_outfilename=lambda name: str(tmp_path / f"{name}.html"),
    )
    translator = SimpleNamespace(builder=builder, body=[])
    node = viewers.chemiscope()
    node["filepath"] = "../_datasets/data.json"
    node["mode"], node["warning_timeout"], node["include_headers"] = "structure", 1000, True
    viewers.visit(translator, node)
    (text,) = translator.body
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert text.count("<div") == text.count("</div>")
    data = json.loads(base64.b64decode(re.search(r"base64,([^']*)'", text)[1]))
    assert data["structures"][0]["size"] == 3
