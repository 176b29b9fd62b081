"""Viewers of structures in the pages of tutorials, which need no server and nothing from outside.

Those of chemiscope fetch their data, which no browser does for a page opened from a folder, and
load a script from another address to decompress it. Here the page has the data in it, as they are.
"""

from __future__ import annotations

import base64
from pathlib import Path

from chemiscope.sphinx import ChemiscopeScraper, chemiscope, visit_chemiscope_html

UNWANTED = (
    '<script src="https://cdnjs.cloudflare.com/ajax/libs/pako/2.0.4/pako.min.js"></script>',
    '<div style="padding: 0.5rem 1.25rem" />',  # never closed: it would hold the rest of the page
)


class Viewers(ChemiscopeScraper):
    """Put the viewer that ends a cell below it."""

    def __call__(self, block, variables: dict, settings: dict) -> str:
        """Return the directive that shows it, and write its data beside the page."""
        widget = variables["example_globals"].get("___")
        mode = self.get_widget_mode(widget)
        if mode is None or getattr(widget, "in_page", False):
            return ""
        widget.in_page = True  # the value of a cell stays until another cell has one
        page = Path(variables["target_file"])
        name = f"_datasets/{page.stem}_{block[2]}.json"
        (page.parent / name).parent.mkdir(exist_ok=True)
        widget.save(str(page.parent / name))
        return self.generate_rst(name, mode)


def visit(translator, node: chemiscope) -> None:
    """Write a viewer with its data."""
    path = Path(translator.builder.outdir, "_datasets", Path(node["filepath"]).name)
    data = base64.b64encode(path.read_bytes()).decode()
    node["filepath"] = f"data:application/json;base64,{data}"
    visit_chemiscope_html(translator, node)
    for text in UNWANTED:
        translator.body[-1] = translator.body[-1].replace(text, "")


def setup(app):
    app.setup_extension("chemiscope.sphinx")
    app.add_node(chemiscope, override=True, html=(visit, lambda translator, node: None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
