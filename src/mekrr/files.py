"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = re.compile(r"\.(?P<process>\d{1,9})-.+")  # the number of a process, a file's name


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success.

    The temporary name keeps the suffix, by which writers choose a format. On any error
    it is removed and ``path`` is left as it was. What a killed process left of the same
    file is removed first.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    temporary = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` for what it is made from; remove it in the end."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    folder = target.with_name(f".{os.getpid()}-{target.name}.parts")
    shutil.rmtree(folder, ignore_errors=True)  # of a killed process of the same number
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def leftovers(paths: Iterable[Path]) -> Iterator[Path]:
    """Those of ``paths`` that are temporary and whose process is gone.

    A process of another machine counts as gone.
    """
    for path in paths:
        match = TEMPORARY.fullmatch(path.name)
        if match and not _running(int(match["process"])):
            yield path


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left of ``target``.

    Another machine may not be writing it: Snakemake's lock sees to that.
    """
    beside = target.parent.glob(".*")
    names = (f"-{target.name}", f"-{target.name}.parts")
    for path in leftovers(path for path in beside if path.name.lstrip(".0123456789") in names):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, for another user
    return True


def _to_disk(path: Path) -> None:
    """Have the system write a file out: a power cut must not leave a name without its bytes."""
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: str | os.PathLike, table) -> None:
    """Write a pandas table without its index, whole or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
