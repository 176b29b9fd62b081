"""The networks of a registry as `mekrr backbones` describes them, and in a table."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from tables import markdown

from mekrr.backbones.entry import BackboneEntry
from mekrr.backbones.registry import registered
from mekrr.cli.backbones import describe

COLUMNS = ("training_data", "energy", "elements", "licence")
CODE = re.compile(r"(https?://[^\s)]+|[0-9a-f]{64})")


class Backbones(SphinxDirective):
    """Show all networks, those of a registry file beside those inside packages."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        told = {name: facts(name, Path(path)) for name in registered(path)}
        rows = [
            [f"[{name}](#{name.lower()})", *(found.get(key, "–") for key in COLUMNS)]
            for name, found in told.items()
        ]
        head = ["name", *(key.replace("_", " ") for key in COLUMNS)]
        table = self.parse_text_to_nodes(markdown(head, rows))
        sections = [_section(name, found) for name, found in told.items()]
        for section in sections:
            self.state.document.note_explicit_target(section)
        return [*table, *sections]


def _section(name: str, found: dict[str, str]) -> nodes.section:
    """Return a network's facts under its name."""
    fields = nodes.field_list(classes=["facts"])
    for key, text in found.items():
        body = nodes.paragraph()
        for k, part in enumerate(CODE.split(text)):
            body += nodes.literal(part, part) if k % 2 else nodes.Text(part)
        title = nodes.field_name(text=key.replace("_", " "))
        fields += nodes.field("", title, nodes.field_body("", body))
    return nodes.section("", nodes.title(name, name), fields, names=[name.lower()])


@cache
def facts(name: str, registry: Path) -> dict[str, str]:
    """Return what the command prints of a network, whatever files this machine has."""
    entry: BackboneEntry = registered(registry)[name]
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        _, *lines = describe(name, entry)
    # How weights came about, which is indented further, is left to the command.
    own = (line.strip() for line in lines if not line.startswith(4 * " "))
    found = dict(line.split(": ", 1) for line in own if line != "provenance:")
    if entry.weights and entry.weights.download:
        found["weights"] = f"a file to be downloaded from {entry.weights.download.url}"
    return found


def setup(app):
    app.add_directive("backbones", Backbones)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
