"""A table of the packages that this one stands on, as they state their licences themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from tables import markdown

from mekrr.packages import extras, needs

COLUMNS = ("package", "licence", "extra")
LONGEST = 60  # of a licence's name; some packages give its whole text


def stated(package: str) -> str:
    """Return the licence of an installed package in a line."""
    try:
        found = metadata(package)
    except PackageNotFoundError:
        return "not installed where this page was built"
    expression, licence = found.get("License-Expression"), found.get("License") or ""
    if expression:
        return expression
    short = [licence] if 0 < len(licence) <= LONGEST and "\n" not in licence else []
    classified = [
        line.rsplit(" :: ", 1)[1]
        for line in found.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    return (short or classified or ["not stated; see the package"])[0]


def stated_of_all() -> list[tuple[str, str, str]]:
    """Return package, licence and extras of everything that the package asks for."""
    found: dict[str, list[str]] = {}
    for extra in ("", *extras()):
        for need in needs(extra):
            found.setdefault(need.name, []).append(extra)
    return [
        (name, stated(name), "" if "" in asked else ", ".join(sorted(asked)))
        for name, asked in sorted(found.items())
    ]


class Licences(SphinxDirective):
    """Show that table."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(markdown(COLUMNS, stated_of_all()))


def setup(app):
    app.add_directive("licences", Licences)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
