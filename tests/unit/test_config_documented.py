"""Every key of the schemas stands in config/README.md, and every key there in the schemas."""

import re

import pytest
import yaml
from samples import ROOT

SCHEMAS = {
    path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "workflow/schemas").glob("*")
}
README = (ROOT / "config/README.md").read_text(encoding="utf-8")
SECTIONS = {
    title: text for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", README, re.M | re.S)
}
OF_ENTRIES = {
    "datasets": "Keys of a data set (`datasets.NAME`)",
    "backbones": "Keys of a backbone (`backbones.NAME`)",
    "networks": "Keys of a network (`networks.NAME`)",
    "surrogates": "Keys of a surrogate (`surrogates.NAME`)",
}
GENERAL = "Keys of `config.yaml`"


def keys(schema):
    """Names of all properties that a schema knows, at any depth, other files' included."""
    if isinstance(schema, list):
        return set().union(*map(keys, schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties", {}))
    if str(schema.get("$ref", "")).endswith(".yaml"):
        found |= keys(SCHEMAS[schema["$ref"]])
    return found.union(*map(keys, schema.values()))


def code(text):
    """Words in what a text marks as code."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return set(re.findall(r"\w+", " ".join([*blocks, *inline])))


@pytest.mark.parametrize("schema", ["config", *OF_ENTRIES])
def test_every_key_is_documented(schema):
    known = keys(SCHEMAS[f"{schema}.schema.yaml"])
    assert len(known) > 10
    assert known - code(README) == set()


def rows(section):
    """Keys in the first column of a section's tables of keys, the inner ones with their outer."""
    for table in re.findall(r"^\| key .*?(?:\n\n|\Z)", SECTIONS[section], re.M | re.S):
        for line in table.strip().splitlines()[2:]:
            outer = ""
            for key in re.findall(r"`([^`]+)`", line.split("|")[1]):
                whole = outer + key if key.startswith(".") else key
                outer = whole.rpartition(".")[0]
                yield from expand(whole)


def expand(key):
    """`fractions.{train,val}` as its two keys."""
    match = re.fullmatch(r"(.*)\{(.*)\}", key)
    return [match[1] + part for part in match[2].split(",")] if match else [key]


def at(schema, path):
    """The schema at a path of keys, None if it has none there."""
    for key in path:
        for part in (schema, *schema.get("allOf", [])):
            if "$ref" in part and part["$ref"].endswith(".yaml"):
                schema = SCHEMAS[part["$ref"]]
        if key not in schema.get("properties", {}):
            entry = schema.get("additionalProperties")
            if not isinstance(entry, dict):
                return None
            schema = entry
        else:
            schema = schema["properties"][key]
    return schema


@pytest.mark.parametrize("registry", [None, *OF_ENTRIES])
def test_every_documented_key_is_in_the_schema(registry):
    section = OF_ENTRIES.get(registry, GENERAL)
    schema = SCHEMAS[f"{registry or 'config'}.schema.yaml"]
    found = list(rows(section))
    assert len(found) > 5
    for key in found:
        path = ["NAME", *key.split(".")] if registry else key.split(".")
        known = at(schema, path) or (registry and at(SCHEMAS["training.schema.yaml"], path[1:]))
        assert known is not None, key
