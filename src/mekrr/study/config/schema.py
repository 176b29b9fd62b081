"""JSON schemas of the configuration's files, by which editors complete keys and mark mistakes.

They are made from the models, which are what counts: rules between keys are in no schema.
"""

from __future__ import annotations

import json
from typing import Any

from mekrr.study.config.active import ActiveConfig
from mekrr.study.config.pretraining import PretrainingConfig
from mekrr.study.config.study import REGISTRIES, StudyConfig

FOLDER = "config/schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Return a schema for each file of the configuration, and ``overlay`` for what changes them."""
    whole = _tidy(StudyConfig.model_json_schema())
    own = [key for key in whole["properties"] if key not in REGISTRIES]
    files = {"config": own} | {registry: [registry] for registry in REGISTRIES}
    made = {name: _part(whole, keys) for name, keys in files.items()}
    for name, model in (("active", ActiveConfig), ("pretraining", PretrainingConfig)):
        other = _tidy(model.model_json_schema())
        made[name] = _part(other, list(other["properties"]))
    return made | {"overlay": _part(_nothing_required(whole), list(whole["properties"]))}


def schema_files() -> dict[str, str]:
    """Return the text of each schema's file by its path from the top of the project."""
    return {
        f"{FOLDER}/{name}.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }


def _part(whole: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """The schema of a file that holds some of the keys."""
    part = {
        "$schema": DRAFT,
        "type": "object",
        "additionalProperties": False,
        "properties": {key: whole["properties"][key] for key in keys},
    }
    required = [key for key in keys if key in whole.get("required", ())]
    definitions: dict[str, Any] = {}
    waiting = _referred(part)
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = whole["$defs"][name]
            waiting |= _referred(definitions[name])
    return (
        part
        | ({"required": required} if required else {})
        | {"$defs": {name: definitions[name] for name in sorted(definitions)}}
    )


def _referred(node: object) -> set[str]:
    """Names of the definitions that a schema refers to."""
    if isinstance(node, list):
        return set().union(*map(_referred, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].rpartition("/")[2]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(_referred, node.values()))


def _tidy(node: Any) -> Any:
    """The same closed, without pydantic's titles and defaults that stand for a key left out."""
    if isinstance(node, list):
        return [_tidy(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    closed = {"additionalProperties": False} if "patternProperties" in node else {}
    return closed | {
        key: _tidy(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
        and not (key == "default" and value in (None, {}, []))
    }


def _nothing_required(node: Any) -> Any:
    """The same for a mapping that is merged into another; conditions stay as they are."""
    if isinstance(node, list):
        return [_nothing_required(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value if key == "if" else _nothing_required(value)
        for key, value in node.items()
        if not (key == "required" and isinstance(value, list))
    }
