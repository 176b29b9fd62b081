"""What no value of a configuration may be, wherever it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from mekrr.errors import ConfigError, printable
from mekrr.study.tables.printing.escapes import CONTROL

LARGEST = 2**31 - 2  # integer that everything here can count to


def require_finite(config: Mapping) -> None:
    """Refuse numbers that no setting can mean."""
    for key, value in _walk(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{printable(key)}: {value} is no finite number; correct it")
        if isinstance(value, int) and abs(value) > LARGEST:
            raise ConfigError(f"{printable(key)}: is beyond ±{LARGEST}; correct it")


def require_no_control(config: Mapping) -> None:
    """Refuse a key or text with a control character.

    Titles, names and paths go into tables, figures, logs and terminals, each of which reads
    line breaks, escape sequences or changes of direction in its own way.
    """
    for key, value in _walk(config):
        for text in map(str, value) if isinstance(value, Mapping) else [value]:
            if isinstance(text, str) and (found := CONTROL.search(text)):
                raise ConfigError(
                    f"{key or 'config'}: {printable(text[:80])!r} holds the control character "
                    f"{printable(found[0])} (U+{ord(found[0]):04X}); remove it"
                )


def _walk(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield every entry of a configuration under its full key, what holds others before them."""
    yield key, value
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    for name, entry in value.items() if isinstance(value, Mapping) else ():
        yield from _walk(entry, f"{key}.{name}" if key else str(name))
