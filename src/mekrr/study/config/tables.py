"""Tables of keys in the documentation: what each takes, its default, what it means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from mekrr.backbones.entry import URL
from mekrr.backbones.families import families
from mekrr.study.config.active import Active
from mekrr.study.config.datasets import Dataset
from mekrr.study.config.networks import Network, Training
from mekrr.study.config.pretraining import Pretraining
from mekrr.study.config.study import REGISTRIES, Backbone, Gap, StudyConfig
from mekrr.study.config.surrogates import Surrogate
from mekrr.study.config.types import NAME

DOCUMENTED = "config/README.md"
MARKED = re.compile(
    r"(<!-- keys: (\w+), written by make config-docs -->\n).*?(?=<!-- end of keys -->)", re.DOTALL
)
TEXTS = {NAME: "name", URL: "address"}  # by their patterns


@dataclass(frozen=True)
class Key:
    """A row of a table."""

    name: str
    takes: str
    default: str
    meaning: str


def documented(text: str) -> str:
    """Return a text with its marked tables of keys made anew."""
    tables = tables_of_keys()
    return MARKED.sub(lambda found: found[1] + tables[found[2]], text)


def tables_of_keys() -> dict[str, str]:
    """Return all tables as Markdown, by the names that their marks have."""
    general = (key for key in keys_of(StudyConfig) if key.name not in REGISTRIES)
    options = (
        Key(f"options.{key.name}", key.takes, key.default, f"`{name}`: {key.meaning}")
        for name, family in families().items()
        for key in keys_of(family.options)
    )
    return {
        "config": _table(general, with_default=False),
        "gap": _table(keys_of(Gap, "gap."), with_default=False),
        "training": _table(keys_of(Training, "training."), with_default=False),
        "datasets": _table(keys_of(Dataset)),
        "backbones": _table(keys_of(Backbone)),
        "options": _table(options),
        "networks": _table(keys_of(Network)),
        "surrogates": _table(keys_of(Surrogate)),
        "active": _table(keys_of(Active, "active.")),
        "pretraining": _table(keys_of(Pretraining, "pretraining.")),
    }


def keys_of(model: type[BaseModel], prefix: str = "", needed: str = "required") -> Iterator[Key]:
    """Yield the keys of a model; one that is not described stands for those within it."""
    properties = model.model_json_schema()["properties"] if model.model_fields else {}
    for name, field in model.model_fields.items():
        key = prefix + name
        if field.description is None:
            (inner,) = filter(_is_model, [field.annotation, *get_args(field.annotation)])
            yield from keys_of(inner, f"{key}.", needed if field.is_required() else f"with `{key}`")
        else:
            default = needed if field.is_required() else _default(field.default)
            yield Key(key, _takes(properties[name]), default, field.description)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _default(value: object) -> str:
    if value in (None, [], {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(keys: Iterable[Key], with_default: bool = True) -> str:
    columns = ["key", "takes", *(["default"] if with_default else []), "meaning"]
    rows = [columns, ["---"] * len(columns)]
    for key in keys:
        default = [key.default] if with_default else []
        rows.append([f"`{key.name}`", key.takes, *default, key.meaning])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _takes(node: dict[str, Any], plural: bool = False) -> str:
    """What a JSON schema takes, in words."""
    s = "s" if plural else ""
    if "$comment" in node:
        return _marked(node)
    if constants := _constants(node):
        return ", ".join(f"`{word}`" for word in constants)
    kind = node.get("type", "object")
    if kind == "boolean":
        return "`true`, `false`"
    if kind in ("integer", "number"):
        return f"{kind}{s}{_bounds(node)}"
    if kind == "string":
        return TEXTS.get(node.get("pattern", ""), "text") + s
    if kind == "array":
        items = node["items"]
        inside = "mappings" if "$comment" in items else _takes(items, plural=True)
        size = node.get("maxItems")
        return f"pair{s} of {inside}" if size == 2 else f"{size or f'list{s} of'} {inside}"
    return f"mapping{s}"


def _marked(node: dict[str, Any]) -> str:
    """Words that a model gives for a union, with what is to be written as code."""
    words = [re.escape(word) for part in node["anyOf"] for word in _constants(part)]
    code = "|".join([r"\{[^}]*\}", *(rf"\b{word}\b" for word in words)])
    return re.sub(code, r"`\g<0>`", node["$comment"])


def _constants(node: dict[str, Any]) -> list[str]:
    return [node["const"]] if "const" in node else list(node.get("enum", []))


def _bounds(node: dict[str, Any]) -> str:
    """Bounds of a number; an integer above 0 is one of at least 1."""
    least, above = node.get("minimum"), node.get("exclusiveMinimum")
    if node["type"] == "integer" and above is not None:
        least, above = above + 1, None
    signs = (
        ("≥", least),
        (">", above),
        ("≤", node.get("maximum")),
        ("<", node.get("exclusiveMaximum")),
    )
    return ",".join(f" {sign} {bound:g}" for sign, bound in signs if bound is not None)
