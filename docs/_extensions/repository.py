"""Links of included files of the repository: to the page that is or has the file, else code.

README files and the like are included by pages of the site. Their links go by the folders of
the repository, whose other files are no part of the site.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

PAGES = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "README.md": "index",
    "SECURITY.md": "security",
    "config/README.md": "reference/config",
    "profiles/README.md": "howto/cluster",
    "results/README.md": "reference/results",
}


class Outwards(SphinxTransform):
    """Turn links to files outside of the site's folder into links to pages, or into code."""

    default_priority = 200  # before files to be downloaded are collected

    def apply(self, **options: object) -> None:
        docs = Path(self.env.srcdir)
        for link in [*self.document.findall(_is_link)]:
            target, _, part = link["reftarget"].partition("#")
            written_in = link.source or link.parent.source  # the file that is included
            path = (Path(written_in).parent / target).resolve()
            included = not Path(written_in).is_relative_to(docs)
            if path.is_relative_to(docs) and included and path.is_file():
                page = path.relative_to(docs).with_suffix("").as_posix()
                link.replace_self(self._to_page(link, page, part))
            if path.is_relative_to(docs) or not path.is_relative_to(docs.parent):
                continue
            name = PurePosixPath(path.relative_to(docs.parent)).as_posix()
            link.replace_self(
                self._to_page(link, PAGES[name], part) if name in PAGES else _code(link, name)
            )

    def _to_page(self, link: nodes.Element, page: str, part: str) -> nodes.Node:
        return addnodes.pending_xref(
            "",
            *link.children,
            refdomain="doc",
            reftype="myst",
            reftarget=page,
            reftargetid=part or None,
            refdoc=self.env.current_document.docname,
            refexplicit=True,
        )


def _is_link(node: nodes.Node) -> bool:
    kinds = (addnodes.download_reference, addnodes.pending_xref)
    return isinstance(node, kinds) and node.get("reftype") == "myst"


def _code(link: nodes.Element, name: str) -> list[nodes.Node]:
    """Return the text of a link with the place of its file, or that alone if it names the file."""
    text, place = link.astext(), nodes.literal(name, name)
    if name.endswith(text):
        return [place]
    return [nodes.Text(f"{text} ("), place, nodes.Text(")")]


def setup(app):
    app.add_transform(Outwards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
