"""Places to link to, and to find by the search, of each configuration key and option.

``{confval}`large.above``` links to the row of a key, ``{option}`mekrr fit --layer``` to an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from docutils import nodes
from sphinx.domains.std import StandardDomain
from sphinx.transforms import SphinxTransform

TABLE = re.compile(r"<!-- keys: (\w+),")  # opens a table that `make config-docs` has made
# Of entries of a registry, whose keys have names of their own only with the registry's.
WITHIN = {
    "datasets": "datasets.NAME.",
    "backbones": "backbones.NAME.",
    "options": "backbones.NAME.",
    "networks": "networks.NAME.",
    "surrogates": "surrogates.NAME.",
}


class Anchors(SphinxTransform):
    """Give rows of keys and items of options their ids, and make them known to the domain."""

    default_priority = 850  # after all that makes tables and options

    def apply(self, **options: object) -> None:
        standard = cast(StandardDomain, self.env.domains["std"])
        docname = self.env.current_document.docname
        for name, row in self._keys():
            identifier = _mark(row, f"key-{name}")
            standard.note_object("confval", name, identifier, location=row)
        for command, option, group in self._options():
            identifier = _mark(group, f"{command} {option}")
            program = command.replace(" ", "-")  # as the role has it
            standard.add_program_option(program, option, docname, identifier)

    def _keys(self) -> Iterator[tuple[str, nodes.row]]:
        """Yield whole names of keys and their rows."""
        for mark in self.document.findall(nodes.raw):
            table = TABLE.match(mark.astext())
            if table is None:
                continue
            body = next(mark.next_node(nodes.table, siblings=True).findall(nodes.tbody))
            for row in body.findall(nodes.row):
                yield WITHIN.get(table[1], "") + row[0].astext(), row

    def _options(self) -> Iterator[tuple[str, str, nodes.option_group]]:
        """Yield commands, their options without values, and where these stand."""
        for group in self.document.findall(nodes.option_group):
            within = group
            while not within.astext().startswith("mekrr "):  # the title of a command's section
                within = within.parent
            for option in group.findall(nodes.option_string):
                name = option.astext().split()[0]
                if name.startswith("-"):
                    yield within[0].astext(), name, group


def _mark(node: nodes.Element, text: str) -> str:
    identifier = nodes.make_id(text)
    node["ids"].append(identifier)
    return identifier


def setup(app):
    app.add_transform(Anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
