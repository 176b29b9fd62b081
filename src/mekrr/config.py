"""Checking the configuration: closed schemas, then what no schema can say."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource

from mekrr.errors import ConfigError, printable
from mekrr.printing.escapes import CONTROL

PARTS = ("train", "val", "test")
REGISTRIES = ("datasets", "backbones", "surrogates", "networks")
SHARED_SCHEMAS = (
    "variable.schema.yaml",
    "download.schema.yaml",
    "files.schema.yaml",
    "training.schema.yaml",
)
TRAINABLE = ("chgnet", "schnet", "sevennet")  # families of backbones that can be fine-tuned


def check_config(config: dict, schemas: Path) -> None:
    """Raise a ConfigError of one line for the first fault of a configuration.

    Parameters
    ----------
    config : the merged configuration, registries included.
    schemas : folder with one ``.schema.yaml`` for the config and each registry.
    """
    _check_schema(config, schemas / "config.schema.yaml", "")
    for registry in REGISTRIES:
        _check_schema(config[registry], schemas / f"{registry}.schema.yaml", registry)
    _require_no_control(config, "config")
    for registry in ("datasets", "backbones", "networks"):
        for name in config["study"][registry]:
            _require_known(f"study.{registry}", name, config[registry], registry)
    of_pairs = [name for pair in config["study"]["transfer"] for name in pair]
    for key, names in (
        ("study.transfer", of_pairs),
        ("learning.skip", config["learning"]["skip"]),
        ("ablation.skip", config["ablation"]["skip"]),
        ("heatmap.skip", config["heatmap"]["skip"]),
    ):
        for name in names:
            _require_known(key, name, config["datasets"], "datasets")
    for name, entry in config["datasets"].items():
        if ("path" in entry) == ("download" in entry):
            raise ConfigError(f"datasets.{name}: give either `path` or `download`")
        if "sha256" in entry and isinstance(entry.get("path"), dict):
            raise ConfigError(f"datasets.{name}.sha256: checks one file, `path` names several")
    for name in config["study"]["backbones"]:
        made = [d for d in config["study"]["datasets"] if d in config["surrogates"]]
        if config["backbones"][name]["family"] == "diep" and made:
            raise ConfigError(
                f"study.backbones: {name}: DIEP made the labels of {made[0]} and would be judged "
                "by itself; leave one of them out"
            )
    for name, entry in config["backbones"].items():
        weights = entry.get("weights", {"path": ""})
        if ("path" in weights) == ("download" in weights):
            raise ConfigError(f"backbones.{name}.weights: give either `path` or `download`")
    for name, entry in config["networks"].items():
        if name in config["backbones"]:
            raise ConfigError(f"networks.{name}: is the name of a backbone too; rename one")
        _check_network(f"networks.{name}", entry, config["backbones"])
    if "sequential" in config["study"]["splits"]:
        for name in config["study"]["datasets"]:
            if not config["datasets"][name].get("time_ordered", True):
                raise ConfigError(
                    f"study.splits: sequential, but datasets.{name}.time_ordered is false; "
                    "leave one of them out"
                )
    total = sum(config["split"]["fractions"].values())
    if abs(total - 1.0) > 1e-9:
        raise ConfigError(f"split.fractions: train + val + test = {total:g}; they must sum to 1")
    bounds = config["grid"]["regularisation"]
    if bounds["smallest"] > bounds["largest"]:
        raise ConfigError("grid.regularisation: smallest is above largest; exchange them")


def check_sources(config: dict) -> None:
    """Raise a ConfigError if a local file that the study needs is missing."""
    for name in config["study"]["datasets"]:
        paths = in_parts(config["datasets"][name].get("path", {}))
        for path in paths:
            _require_no_braces(f"datasets.{name}.path", path)
        for path in (p for p in paths if not Path(p).is_file()):
            raise ConfigError(
                f"datasets.{name}.path: {path}: no such file; give its path from the folder "
                "in which snakemake runs, or an absolute one"
            )
    starts = [config["networks"][name]["start"] for name in config["study"]["networks"]]
    for name in dict.fromkeys([*config["study"]["backbones"], *starts]):
        path = config["backbones"].get(name, {}).get("weights", {}).get("path")
        if path is None:
            continue
        _require_no_braces(f"backbones.{name}.weights.path", path)
        if not Path(path).is_file():
            raise ConfigError(
                f"backbones.{name}.weights.path: {path}: no such file; give its path from the "
                "folder in which snakemake runs, or an absolute one"
            )


def _require_no_control(value: object, key: str) -> None:
    """Raise a ConfigError for a key or text of the configuration with a control character.

    Titles, names and paths go into tables, figures, logs and terminals, each of which reads
    line breaks, escape sequences or changes of direction in its own way.
    """
    if isinstance(value, dict):
        for name, entry in value.items():
            _require_no_control(str(name), key)
            _require_no_control(entry, f"{key}.{name}".removeprefix("config."))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            _require_no_control(entry, f"{key}.{number}")
    elif isinstance(value, str) and (found := CONTROL.search(value)):
        raise ConfigError(
            f"{key}: {printable(value[:80])!r} holds the control character "
            f"{printable(found[0])} (U+{ord(found[0]):04X}); remove it"
        )


def _require_no_braces(key: str, path: str) -> None:
    if "{" in path or "}" in path:
        raise ConfigError(f"{key}: {path}: Snakemake takes braces for wildcards; rename the file")


def _require_known(key: str, name: str, entries: dict, registry: str) -> None:
    if name not in entries:
        known = ", ".join(sorted(entries))
        raise ConfigError(
            f"{key}: {name!r} is not in the registry `{registry}`"
            f"{_suggestion(name, entries)}; known: {known}"
        )


def _check_network(key: str, entry: dict, backbones: dict) -> None:
    start = entry["start"]
    needed, out_of_place = "frozen", "architecture"
    if start == "scratch":
        needed, out_of_place = out_of_place, needed
    elif start not in backbones:
        raise ConfigError(
            f"{key}.start: {start!r} is neither scratch nor in the registry `backbones`"
            f"{_suggestion(start, backbones)}"
        )
    elif backbones[start]["family"] not in TRAINABLE:
        raise ConfigError(
            f"{key}.start: {start!r} is of family {backbones[start]['family']}, which cannot be "
            f"trained; those that can: {', '.join(TRAINABLE)}"
        )
    if needed not in entry or out_of_place in entry:
        raise ConfigError(f"{key}: with start {start!r} give `{needed}`, not `{out_of_place}`")


def in_parts(files: str | dict) -> list[str]:
    """One file, or those of train, val and test, as a list in that order."""
    return [files] if isinstance(files, str) else [files[part] for part in PARTS if part in files]


def download_folder(download: dict) -> str:
    """Folder that a download goes to, from the one in which Snakemake runs."""
    return f"results/downloads/{download_key(download)}"


def download_key(download: dict) -> str:
    """Folder name of a download: of its checksum, or of its address where that is unknown.

    A changed source thus never overwrites another.
    """
    known = download.get("sha256") or hashlib.sha256(download["url"].encode()).hexdigest()
    return known[:12]


def _load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _check_schema(instance: object, path: Path, prefix: str) -> None:
    schema = _load(path)
    registry = Registry().with_resources(
        (name, Resource.from_contents(_load(path.with_name(name)))) for name in SHARED_SCHEMAS
    )
    error = best_match(Draft202012Validator(schema, registry=registry).iter_errors(instance))
    if error is not None:
        raise ConfigError(printable(_one_line(error, prefix)))


def _one_line(error: ValidationError, prefix: str) -> str:
    key = ".".join(filter(None, [prefix, *map(str, error.absolute_path)]))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = sorted(set(map(str, error.instance)) - set(known))[0]
        full = f"{key}.{unknown}" if key else unknown
        return f"{full}: unknown key{_suggestion(unknown, known)}; known: {', '.join(known)}"
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))[0]
        return f"{key or 'config'}: key `{missing}` is missing; add it"
    if error.validator == "not" and key:
        return f"{key}: give either surrogate_for or published_as, not both"
    value = repr(error.instance)
    message = f"{key or 'config'}: {value[:80]} is not valid: {error.message[:160]}"
    if error.validator == "type":
        message = f"{key or 'config'}: {value[:80]} should be of type {error.validator_value}"
        if isinstance(error.instance, str) and error.validator_value in ("number", "integer"):
            message += " (in YAML write 1.0e-3, since 1e-3 is a string)"
    return message.replace("\n", " ")


def _suggestion(name: str, known: object) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
