"""Checking the configuration: closed schemas, then what no schema can say."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry, Resource

from mekrr.config_rules import check_rules, require_finite, require_no_control, suggestion
from mekrr.errors import ConfigError, printable
from mekrr.names import check_names
from mekrr.sources import download_key
from mekrr.yaml_file import read_yaml

__all__ = ["REGISTRIES", "check_config", "check_files", "download_key"]

REGISTRIES = ("datasets", "backbones", "surrogates", "networks")
SHARED_SCHEMAS = (
    "variable.schema.yaml",
    "download.schema.yaml",
    "files.schema.yaml",
    "training.schema.yaml",
    "name.schema.yaml",
    "species.schema.yaml",
)
# To JSON Schema 0.0 and 1.0e+30 are integers; here they are not.
Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def check_files(paths: Iterable[str | os.PathLike]) -> None:
    """Raise a ConfigError for the first file of a configuration that must not be merged.

    Snakemake takes the last of two equal keys in silence, and runs code in a file that asks
    for it by the key ``__use_yte__``.
    """
    for path in paths:
        if "__use_yte__" in read_yaml(path):
            raise ConfigError(f"{path}: __use_yte__: no code runs in a configuration; remove it")


def check_config(config: dict, schemas: Path) -> None:
    """Raise a ConfigError of one line for the first fault of a configuration.

    Parameters
    ----------
    config : the merged configuration, registries included.
    schemas : folder with one ``.schema.yaml`` for the config and each registry.
    """
    require_finite(config)
    _check_schema(config, schemas / "config.schema.yaml", "")
    for registry in REGISTRIES:
        _check_schema(config[registry], schemas / f"{registry}.schema.yaml", registry)
    require_no_control(config)
    check_rules(config, _symbols(schemas))
    check_names(config)


def _check_schema(instance: object, path: Path, prefix: str) -> None:
    error = best_match(_validator(path).iter_errors(instance))
    if error is not None:
        raise ConfigError(printable(_one_line(error, prefix)))


@cache
def _validator(path: Path) -> Validator:
    shared = Registry().with_resources(
        (name, Resource.from_contents(read_yaml(path.with_name(name)))) for name in SHARED_SCHEMAS
    )
    return Validator(read_yaml(path), registry=shared)


@cache
def _symbols(folder: Path) -> frozenset[str]:
    return frozenset(read_yaml(folder / "species.schema.yaml")["enum"])


def _one_line(error: ValidationError, prefix: str) -> str:
    key = ".".join(filter(None, [prefix, *map(str, error.absolute_path)]))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = sorted(set(map(str, error.instance)) - set(known))[0]
        full = f"{key}.{unknown}" if key else unknown
        listed = ", ".join(known) or "none"
        return printable(f"{full}: unknown key{suggestion(unknown, known)}; known: {listed}")
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))[0]
        return f"{key or 'config'}: key `{missing}` is missing; add it"
    if error.validator == "not" and key:
        return f"{key}: give either surrogate_for or published_as, not both"
    told = next(_wrong_symbols(_outermost(error)), None) or _described(error) or error
    return printable(_of_value(told, prefix).replace("\n", " "))


def _of_value(error: ValidationError, prefix: str) -> str:
    key = ".".join(filter(None, [prefix, *map(str, error.absolute_path)])) or "config"
    value, kind = repr(error.instance)[:80], error.validator_value
    if _of_symbol(error):
        if isinstance(error.instance, bool):
            return f'{key}: {value} is no chemical symbol (in YAML write "No", as No is false)'
        return f"{key}: {value} is no chemical symbol{suggestion(error.instance, kind)}"
    if "description" in error.schema:
        return f"{key}: {value} is not valid; give {error.schema['description']}"
    if error.validator != "type":
        return f"{key}: {value} is not valid: {error.message[:160]}"
    hint = ""
    if isinstance(error.instance, str) and kind in ("number", "integer"):
        hint = " (in YAML write 1.0e-3, since 1e-3 is a string)"
    return f"{key}: {value} should be of type {kind}{hint}"


def _outermost(error: ValidationError) -> ValidationError:
    return error if error.parent is None else _outermost(error.parent)


def _of_symbol(error: ValidationError) -> bool:
    return error.schema.get("title") == "Chemical symbol"


def _wrong_symbols(error: ValidationError) -> Iterator[ValidationError]:
    """Errors of texts, or of No taken for false, that should be chemical symbols."""
    if _of_symbol(error) and isinstance(error.instance, (str, bool)):
        yield error
    for inner in error.context or ():
        yield from _wrong_symbols(inner)


def _described(error: ValidationError) -> ValidationError | None:
    """The innermost choice that an error is about and that says in words what it takes."""
    if error.validator not in ("oneOf", "type", "enum", "const", "pattern"):
        return None
    while error is not None and "description" not in error.schema:
        error = error.parent
    return error
