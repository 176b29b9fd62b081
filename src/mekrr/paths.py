"""Paths as users write them, with ``~`` and variables of the environment."""

from __future__ import annotations

import os
import re

from mekrr.errors import ConfigError

VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


def expanded(path: str, key: str) -> str:
    """Return a path in which ``~``, ``$NAME`` and ``${NAME}`` are replaced by what they mean.

    Raises a ConfigError that begins with ``key`` if a variable is not set.
    """
    for match in VARIABLE.finditer(path):
        variable = match[1] or match[2]
        if variable not in os.environ:
            raise ConfigError(
                f"{key}: {path}: the environment has no variable ${variable}; set it, or write the "
                "path out"
            )
    return os.path.expanduser(os.path.expandvars(path))
