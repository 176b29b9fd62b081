"""Reading a YAML file strictly: every key once, bounded, plain values.

YAML itself takes the last of two equal keys in silence, and lets a few lines stand for
billions of values through anchors.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from mekrr.errors import ConfigError, printable

LARGEST = 1 << 20  # bytes; the largest registries known have some 10 kB
MOST_VALUES = 100_000  # with those that anchors stand for again
DEEPEST = 50
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool")}
PLAIN |= {"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"}


def read_yaml(path: str | os.PathLike) -> dict:
    """The mapping in a YAML file.

    Raises
    ------
    ConfigError
        In one line that names the file and, where there is one, the line in it: if the file
        cannot be read, is no regular one or larger than 1 MiB; is no UTF-8 or no YAML; has a
        key twice, more than 100,000 values, deeper nesting than 50 or other values than
        mappings, lists, texts, numbers, true, false and null; or is not a mapping.
    """
    text = _text(Path(path))
    try:
        content = yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        problem = ": ".join(filter(None, [error.context, error.problem]))
        if "\\t" in problem:
            problem = "is indented by a tab; use spaces"
        raise ConfigError(f"{path}: {where}{printable(problem)[:300]}") from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise ConfigError(f"{path}: line {line}: holds a control character; remove it") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds no keys; give it `key: value` at the top level")
    return content


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: is no regular file; correct its path")
        with open(path, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); correct its path") from error
    if len(data) > LARGEST:
        raise ConfigError(
            f"{path}: has more than {LARGEST} bytes: no configuration has; correct its path"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}: line {line}: byte {data[error.start]:#04x} is not UTF-8; save the file as "
            "UTF-8"
        ) from error


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which counts what it composes and looks at every key."""

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = 0
        self._n_values = 0
        self._n_within: dict[int, int] = {}  # values that a finished node stands for

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node:
        event, before = self.peek_event(), self._n_values
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(
                problem=f"is nested deeper than {DEEPEST} levels; no configuration is",
                problem_mark=event.start_mark,
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent):
            self._n_values += 1
            self._n_within[id(node)] = self._n_values - before
        elif id(node) in self._n_within:
            self._n_values += self._n_within[id(node)]
        else:
            raise yaml.composer.ComposerError(
                problem=f"the anchor {event.anchor!r} holds itself; write its values out",
                problem_mark=event.start_mark,
            )
        if self._n_values > MOST_VALUES:
            raise yaml.composer.ComposerError(
                problem=f"more than {MOST_VALUES} values, with those that anchors repeat; no "
                "configuration has so many",
                problem_mark=event.start_mark,
            )
        return node

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # the constructor refuses it
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                raise yaml.composer.ComposerError(
                    problem=f"key `{key.value}` is on line {lines[key.tag, key.value]} already; "
                    "remove one of them: YAML takes the last in silence",
                    problem_mark=key.start_mark,
                )
            lines[key.tag, key.value] = line
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        if node.tag not in PLAIN:
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            raise yaml.constructor.ConstructorError(
                problem=f"a value of the kind {kind!r}; write a text in quotation marks, or a "
                "number",
                problem_mark=node.start_mark,
            )
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, OverflowError) as error:  # as of `0x_` and `!!int one`
            raise yaml.constructor.ConstructorError(
                problem=f"{str(node.value)[:40]!r} is not the number or value that it looks like; "
                "write it otherwise, a text in quotation marks",
                problem_mark=node.start_mark,
            ) from error
