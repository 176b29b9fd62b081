"""A table of the packages that this one stands on, as they state their licences themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata, requires

from docutils import nodes
from packaging.requirements import Requirement
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("package", "licence", "extra")
LONGEST = 60  # of a licence's name; some packages give its whole text
OWN = "mekrr"


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


def needs() -> list[tuple[str, str, str]]:
    """Return package, licence and extras of everything that the package asks for."""
    extras: dict[str, set[str]] = {}
    for text in requires(OWN) or ():
        need = Requirement(text)
        marker = str(need.marker or "")
        extra = marker.split('extra == "')[1].split('"')[0] if 'extra == "' in marker else ""
        if need.name != OWN and extra != "all":
            extras.setdefault(need.name, set()).add(extra)
    return [
        (name, stated(name), "" if "" in found else ", ".join(sorted(found)))
        for name, found in sorted(extras.items())
    ]


class Licences(SphinxDirective):
    """Show that table."""

    def run(self) -> list[nodes.Node]:
        table, group = nodes.table(), nodes.tgroup(cols=len(COLUMNS))
        table += group
        for width in (30, 50, 20):
            group += nodes.colspec(colwidth=width)
        head, body = nodes.thead(), nodes.tbody()
        group += [head, body]
        for part, rows in ((head, [COLUMNS]), (body, needs())):
            for row in rows:
                line = nodes.row()
                for text in row:
                    line += nodes.entry("", nodes.paragraph(text=text))
                part += line
        return [table]


def setup(app):
    app.add_directive("licences", Licences)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
