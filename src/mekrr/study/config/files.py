"""Files of a configuration, and those that it names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mekrr.data.lmdb_file import FOLDER, parts_of
from mekrr.errors import ConfigError
from mekrr.paths import expanded
from mekrr.study.config.study import StudyConfig
from mekrr.study.config.types import in_parts
from mekrr.yaml_file import read_yaml


def check_files(paths: Iterable[str | os.PathLike]) -> None:
    """Raise a ConfigError for the first file of a configuration that must not be merged.

    Snakemake takes the last of two equal keys in silence, and runs code in a file that asks
    for it by the key ``__use_yte__``.
    """
    for path in paths:
        if "__use_yte__" in read_yaml(path):
            raise ConfigError(f"{path}: __use_yte__: no code runs in a configuration; remove it")


def expand_paths(config: Mapping) -> None:
    """Put in place what ``~``, ``$NAME`` and ``${NAME}`` mean in the paths of a configuration.

    Raises a ConfigError if a variable is not set.
    """
    for name, entry in config["datasets"].items():
        _expand(entry, f"datasets.{name}.path")
    for name, entry in config["backbones"].items():
        _expand(entry.get("weights", {}), f"backbones.{name}.weights.path")


def _expand(entry: dict, key: str) -> None:
    path = entry.get("path")
    if isinstance(path, Mapping):
        entry["path"] = {part: expanded(p, f"{key}.{part}") for part, p in path.items()}
    elif path is not None:
        entry["path"] = expanded(path, key)


def check_sources(config: StudyConfig) -> None:
    """Raise a ConfigError if a local file that the study needs is missing."""
    for name in config.study.datasets:
        for path in in_parts(config.datasets[name].path):
            key = f"datasets.{name}.path"
            parts = parts_of(path)
            if not parts:
                raise ConfigError(f"{key}: {path}: is a folder without {FOLDER}; give a file")
            for part in parts:
                _require_file(part, key)
    starts = [config.networks[name].start for name in config.study.networks]
    for name in dict.fromkeys([*config.study.backbones, *starts]):
        weights = config.backbones[name].weights if name in config.backbones else None
        if weights and weights.path:
            _require_file(weights.path, f"backbones.{name}.weights.path")


def _require_file(path: str, key: str) -> None:
    if "{" in path or "}" in path:
        raise ConfigError(f"{key}: {path}: Snakemake takes braces for wildcards; rename the file")
    if not Path(path).is_file():
        raise ConfigError(
            f"{key}: {path}: no such file; give its path from the folder in which snakemake runs, "
            "or an absolute one"
        )
