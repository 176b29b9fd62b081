"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mekrr.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

# The number of a process, what nobody can foresee, the end of a file's name.
TEMPORARY = re.compile(r"\.(?P<process>\d{1,9})-[0-9a-f]{16}-(?P<name>.+?)(?:\.parts)?")
KEPT = 48  # characters of a name that its temporary keeps, of the 255 bytes that a name may have
STANDARD_OUTPUT = Path("/dev/stdout")
DESCRIPTOR = re.compile(r"/dev/(stdin|stdout|stderr|fd/.+)|/proc/.+")

_in_use: set[Path] = set()  # temporary paths of this process


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success.

    The temporary name keeps the suffix, by which writers choose a format. On any error
    it is removed and ``path`` is left as it was. What a killed process left of the same
    file is removed first.

    A symbolic link stays, and its target is replaced. What is no regular file (a device, a
    FIFO, standard output) is written to in the end, and never replaced. A new file has the
    mode that the umask leaves, another the mode of the one that it replaces.
    """
    if _is_written_to(path):
        with tempfile.TemporaryDirectory(prefix="mekrr-") as folder:
            temporary = Path(folder) / Path(path).name
            yield temporary
            _copy_into(temporary, path)
        return
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    mode = _mode(target)
    with _temporary(target) as temporary:
        # Without following what another user may have put there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        os.close(os.open(temporary, flags, 0o666 if mode is None else 0o600))
        try:
            yield temporary
            _to_disk(temporary)
            if mode is not None:
                os.chmod(temporary, mode)
            _replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` for what it is made from; remove it in the end."""
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    with _temporary(target, ".parts") as folder:
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def check_output(path: str | os.PathLike, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Raise an OutputError unless `atomic_path` can write ``path``; to be called before the work.

    ``inputs`` are the files that must not be overwritten: those that the work reads. An input
    "-" is standard input.
    """
    name = os.fspath(path)
    if not name:
        raise OutputError("the name of the file to write is empty; give one")
    try:
        found = _stat(path)
        for source in inputs:
            if found is not None and _is_same(found, source):
                raise OutputError(f"{name}: is an input; write to another file")
        if name.endswith(os.sep) or (found is not None and stat.S_ISDIR(found.st_mode)):
            raise OutputError(f"{name}: is a folder; name a file in it")
        if found is not None and stat.S_ISSOCK(found.st_mode):
            raise OutputError(f"{name}: is a socket, which cannot be opened; write to a file")
        if found is not None and not os.access(path, os.W_OK):
            raise OutputError(f"{name}: is read-only; make it writable or write to another file")
        if not _is_written_to(path):
            _try_to_write(Path(os.path.realpath(path)).parent)
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written ({error.strerror}); write to another place"
        ) from error


def leftovers(paths: Iterable[Path]) -> Iterator[Path]:
    """Those of ``paths`` that are temporary and whose process is gone.

    A process of another machine counts as gone.
    """
    for path in paths:
        match = TEMPORARY.fullmatch(path.name)
        if match and not _in_work(path, int(match["process"])):
            yield path


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes of this user left of ``target``.

    Another machine may not be writing it; whoever starts jobs on several sees to that.
    """
    for path in leftovers(target.parent.glob(".*")):
        found = path.lstat()
        match = TEMPORARY.fullmatch(path.name)
        if match is None or match["name"] != _kept(target) or found.st_uid != os.geteuid():
            continue
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _temporary(target: Path, suffix: str = "") -> Iterator[Path]:
    """A path beside ``target`` that nobody can foresee, marked as in use."""
    name = f".{os.getpid()}-{secrets.token_hex(8)}-{_kept(target)}{suffix}"
    path = target.with_name(name)
    _in_use.add(path)
    try:
        yield path
    finally:
        _in_use.discard(path)


def _kept(target: Path) -> str:
    return target.name[-KEPT:]


def _in_work(path: Path, process: int) -> bool:
    """Whether the process that made a temporary path runs.

    In containers a killed process often had the number that this one has.
    """
    if process == os.getpid():
        return Path(os.path.realpath(path)) in _in_use
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, for another user
    return True


def _is_written_to(path: str | os.PathLike) -> bool:
    """Whether a path leads to what is no regular file, or to a file that is open already."""
    found = _stat(path)
    if found is None:
        return False
    return not stat.S_ISREG(found.st_mode) or bool(DESCRIPTOR.fullmatch(os.path.abspath(path)))


def _stat(path: str | os.PathLike) -> os.stat_result | None:
    """Status of what a path leads to; None if there is nothing."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _mode(target: Path) -> int | None:
    found = _stat(target)
    return None if found is None else stat.S_IMODE(found.st_mode) & 0o777


def _is_same(found: os.stat_result, source: str | os.PathLike) -> bool:
    """Whether an input is the file found; a terminal may well be both input and output."""
    if stat.S_ISCHR(found.st_mode):
        return False
    try:
        return os.path.samestat(found, os.stat(0 if os.fspath(source) == "-" else source))
    except OSError:
        return False  # a missing input is told of by its reader


def _try_to_write(folder: Path) -> None:
    """Raise an OSError if a file cannot be made in a folder, which may be missing itself."""
    while _stat(folder) is None:
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def _copy_into(source: Path, target: str | os.PathLike) -> None:
    """Write a file's bytes to what must not be replaced."""
    with open(source, "rb") as stream, _opened(target) as out:
        shutil.copyfileobj(stream, out)


def _opened(target: str | os.PathLike) -> BinaryIO:
    if Path(target) == STANDARD_OUTPUT:  # by its name, a socket could not be opened
        sys.stdout.flush()
        return os.fdopen(os.dup(1), "wb")
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_TRUNC), "wb")


def _replace(temporary: Path, target: Path) -> None:
    try:
        os.replace(temporary, target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        _copy_into(temporary, target)  # a file that is mounted, as into a container


def _to_disk(path: Path) -> None:
    """Have the system write a file out: a power cut must not leave a name without its bytes."""
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_text(path: str | os.PathLike, text: str) -> None:
    """Append ``text`` as UTF-8 to a file, whole or not at all; several processes may do so."""
    added = text.encode()
    with open(path, "ab", buffering=0) as stream:  # one write, which no other one interrupts
        written = stream.write(added)
        if written < len(added):
            stream.truncate(stream.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
        os.fsync(stream.fileno())


@contextmanager
def named_in_errors(path: str | os.PathLike) -> Iterator[None]:
    """Give an OSError that names no file, as that of a full disk, the name of this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error


def write_csv(path: str | os.PathLike, table: pd.DataFrame) -> None:
    """Write a pandas table without its index, whole or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
