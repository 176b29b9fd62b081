"""Files that the configuration names: where they are, or will be once they are downloaded."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from mekrr.errors import ConfigError

PARTS = ("train", "val", "test")
VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


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


def member_file(member: str) -> str:
    """A member's path inside its archive as one file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "__", member)


def expand_paths(config: Mapping) -> None:
    """Put in place what ``~``, ``$NAME`` and ``${NAME}`` mean in the paths of a configuration.

    Raises a ConfigError if a variable is not set.
    """
    for name, entry in config["datasets"].items():
        expand_path(entry, f"datasets.{name}")
    for name, entry in config["backbones"].items():
        expand_path(entry.get("weights", {}), f"backbones.{name}.weights")


def expand_path(entry: dict, key: str) -> None:
    """The same in the ``path`` of one entry, if it has one."""
    path = entry.get("path")
    if isinstance(path, Mapping):
        entry["path"] = {part: expanded(p, f"{key}.path.{part}") for part, p in path.items()}
    elif path is not None:
        entry["path"] = expanded(path, f"{key}.path")


def expanded(path: str, key: str) -> str:
    """A path of a configuration in which ``~`` and variables are replaced by their values."""
    for match in VARIABLE.finditer(path):
        variable = match[1] or match[2]
        if variable not in os.environ:
            raise ConfigError(
                f"{key}: {path}: the environment has no variable ${variable}; set it, or write the "
                "path out"
            )
    return os.path.expanduser(os.path.expandvars(path))


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


def _require_no_braces(key: str, path: str) -> None:
    if "{" in path or "}" in path:
        raise ConfigError(f"{key}: {path}: Snakemake takes braces for wildcards; rename the file")
