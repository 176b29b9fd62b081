"""What this package asks for, by itself and by its extras, and how what is missing is installed.

Nothing is published under its name, so that a hint names the packages of an extra: that is right
in a clone and beside an installed wheel alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import metadata, requires
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

GATHERED = "all"  # the extra of all others


def needs(extra: str = "") -> Iterator[Requirement]:
    """Yield what the library needs on this machine, or what an extra adds to it."""
    from packaging.requirements import Requirement

    for text in requires("mekrr") or ():
        need = Requirement(text)
        stated = "extra ==" in text
        if stated == bool(extra) and (
            need.marker is None or need.marker.evaluate({"extra": extra})
        ):
            yield need


def extras() -> list[str]:
    """Return the names of the extras, but for that of all others."""
    return [e for e in metadata("mekrr").get_all("Provides-Extra") or () if e != GATHERED]


def install(*wanted: Requirement) -> str:
    """Return the command that installs packages, in the versions that are asked for."""
    return " ".join(["pip install", *(f"'{need.name}{need.specifier}'" for need in wanted)])


def install_extra(extra: str) -> str:
    """Return the command that installs what an extra adds, which is nothing on some machines."""
    wanted = list(needs(extra))
    return install(*wanted) if wanted else f"its packages ({extra}) are not for this machine"
