"""Schemas for editors and tables of keys are those of the models; the documentation is whole."""

import re

import jsonschema
import pytest
import yaml
from samples import ROOT
from snakemake.utils import update_config
from studies import default_config

from mekrr.backbones.families import families
from mekrr.study.config import check_config
from mekrr.study.config.schema import FOLDER, schema_files, schemas
from mekrr.study.config.tables import DOCUMENTED, MARKED, documented, tables_of_keys

README = (ROOT / DOCUMENTED).read_text(encoding="utf-8")
FILES = sorted((ROOT / "config").glob("*.yaml"))
PACKAGED = ROOT / "src/mekrr/backbones/backbones.yaml"


def refused(schema, instance):
    return not jsonschema.Draft202012Validator(schema).is_valid(instance)


def properties(schema):
    """Names of all properties that a schema knows, at any depth."""
    if isinstance(schema, list):
        return set().union(*map(properties, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})).union(*map(properties, schema.values()))


def code(text):
    """Words in what a text marks as code."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return set(re.findall(r"\w+", " ".join([*blocks, *inline])))


def test_schemas_of_editors_are_those_of_the_models():
    written = {
        f"{FOLDER}/{path.name}": path.read_text(encoding="utf-8")
        for path in (ROOT / FOLDER).iterdir()
    }
    assert written == schema_files(), "make config-docs"


def test_tables_of_keys_are_those_of_the_models():
    assert documented(README) == README, "make config-docs"
    assert sorted(match[2] for match in MARKED.finditer(README)) == sorted(tables_of_keys())


def test_a_damaged_table_is_made_anew():
    key = "| `study.every` | integer ≥ 1 |"
    assert key in README
    assert documented(README.replace(key, "| `study.evry` | text |")) == README


def test_every_key_is_documented():
    known = properties(schemas()["overlay"])
    assert len(known) > 100
    assert known - code(README) == set()


def test_every_family_is_documented():
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", README, re.M)) >= set(
        families()
    )


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```", README, re.M | re.S))
def test_examples_are_valid(block):
    config = default_config()
    update_config(config, yaml.safe_load(block) or {})
    check_config(config)


@pytest.mark.parametrize("path", [*FILES, PACKAGED], ids=lambda path: path.name)
def test_files_fit_the_schemas_that_they_name(path):
    text = path.read_text(encoding="utf-8")
    named = "schemas/backbones.schema.json"
    if path != PACKAGED:  # the package knows nothing of the study
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)[1]
    schema = schemas()[named.removeprefix("schemas/").removesuffix(".schema.json")]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text), schema)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("studdy", {}),
        ("study seeds", "0"),
        ("study seeds", [0, 0]),
        ("study splits", ["radnom"]),
        ("grid alpha cuont", 3),
        ("split fractions train", 1.0),
        ("features atoms", {"species": ["Xx"]}),
        ("features atoms", {"of": ["N"], "species": ["N"]}),
        ("datasets ../evil", {"path": "a"}),
        ("datasets mine titel", "x"),
        ("datasets mine title", None),
        ("datasets mine reference_energy", {"Xx": 1.0}),
        ("datasets mine collective_variables", [{"angle": ["N", "N"]}]),
        ("backbones mine", {"family": "diep", "options": {"model": "a"}}),
        ("backbones mine", {"family": "soap", "options": {"speces": "all"}}),
        ("networks schnet training lerning_rate", 1.0),
        ("surrogates d1-surrogate system size", [1, 1]),
    ],
)
def test_schemas_refuse_what_models_refuse(keys, value):
    overlay = value
    for key in reversed(keys.split()):
        overlay = {key: overlay}
    assert refused(schemas()["overlay"], overlay)
