"""Docstrings of the package as numpydoc reads them, and the names that they refer to.

A docstring of the package says what an argument is on the line of its name, since the type
stands in the signature:

    layer : layer of the network whose features enter; None: chosen among those that the
        registry names.

numpydoc takes what follows the colon for the type. Here the type of the annotation comes in
between; and what is returned, a text, gets that of the function. Formulas are indented, and
become literal blocks; a | is never a substitution.

A name in single backticks becomes a link where the site documents it, else code. One of the
package that does not exist stays unresolved, of which Sphinx warns.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

LISTS = ("Parameters", "Attributes")
TEXTS = ("Returns", "Yields")
ITEM = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.*)")
INDENT = "    "


def process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list) -> None:
    """Put a docstring's lines into the form that numpydoc reads, before it does."""
    types = _annotations(thing)
    lines[:] = [new for title, part in _sections(lines) for new in _section(title, part, types)]


def _sections(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the title and the lines, title and all, of each section; the first has no title."""
    begins = [k for k, line in enumerate(lines[1:]) if re.fullmatch("-{3,}", line)]
    yield "", list(lines[: begins[0]] if begins else lines)
    for begin, end in pairwise([*begins, len(lines)]):
        yield lines[begin], list(lines[begin:end])


def _section(title: str, lines: list[str], types: dict[str, str]) -> Iterable[str]:
    heading, body = lines[:2], lines[2:]
    if title == "":
        return _literal(lines)
    if title in LISTS or (title in TEXTS and any(map(ITEM.fullmatch, body))):
        return [*heading, *(new for line in body for new in _item(line, types))]
    if title in TEXTS:
        return [*heading, types.get("return", ""), *(INDENT + _plain(line) for line in body)]
    return lines


def _literal(lines: list[str]) -> Iterator[str]:
    """Yield lines of text, those that are indented as literal blocks."""
    inside = False
    for line in lines:
        indented = line.startswith(INDENT)
        if indented and not inside:
            yield from ("::", "")
        inside = indented or (inside and not line)
        yield line if inside else _plain(line)


def _item(line: str, types: dict[str, str]) -> list[str]:
    """Return the line of one or several names with their types, and what it said of them."""
    found = ITEM.fullmatch(line)
    if found is None:
        return [_plain(line)]
    names = found[1].split(", ")
    known = dict.fromkeys(types[bare] for n in names if (bare := n.lstrip("*")) in types)
    *first, last = names
    shown = ", ".join([*(n.removesuffix("_") + r"\_" * n.endswith("_") for n in first), last])
    return [f"{shown} : {'; '.join(known)}" if known else shown, INDENT + _plain(found[2])]


def _plain(line: str) -> str:
    return re.sub(r"(``.*?``)|\|", lambda found: found[1] or r"\|", line)


def _annotations(thing: object) -> dict[str, str]:
    """Return the annotations of a function, or of a class, its ``__init__`` and properties."""
    if not isinstance(thing, type):
        return _texts(getattr(inspect.unwrap(thing), "__annotations__", {}))
    found: dict[str, str] = {}
    for kind in reversed(thing.__mro__):
        for holder in (kind, vars(kind).get("__init__")):
            found |= _texts(getattr(holder, "__annotations__", {}))
        for name, value in vars(kind).items():
            if isinstance(value, property):
                found[name] = _annotations(value.fget).get("return", "")
    return found


def _texts(annotations: dict[str, object]) -> dict[str, str]:
    return {name: kind for name, kind in annotations.items() if isinstance(kind, str)}


def resolve(app: Sphinx, env: BuildEnvironment, node: nodes.Element, shown: nodes.Element):
    """Link a name that is documented under a longer one; leave others as code."""
    if (node.get("refdomain"), node.get("reftype")) != ("py", "obj"):
        return None
    target, domain = node["reftarget"], env.domains.python_domain
    longer = [name for name in domain.objects if name.endswith(f".{target}")]
    if len(longer) == 1:
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", longer[0], node, shown)
    return None if target.startswith("mekrr.") and not _exists(target) else shown


def _exists(name: str) -> bool:
    """Tell whether a dotted name is a module, or something in one or in a class of one."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process, priority=400)  # numpydoc's has 500
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
