"""Downloading a data set's file: resumable, retried, checked before anything reads it."""

from __future__ import annotations

import logging
import os
import shutil
import tarfile
import time
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

import requests

from mekrr.errors import DataError, first_line
from mekrr.files import atomic_path, sha256, write_text
from mekrr.progress import progress_bar

log = logging.getLogger(__name__)

CHUNK = 1 << 16
PASSING = (  # faults that another try may not meet
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)


class _Interrupted(Exception):
    """A transfer broke off; what has arrived is kept and the rest can be asked for."""


def download(
    url: str,
    target: str | os.PathLike,
    expected_sha256: str | None = None,
    *,
    attempts: int = 6,
    timeout: float = 60.0,
    pause: float = 1.0,
) -> None:
    """Download ``url`` to ``target``, whole and checked or not at all.

    What arrives is kept beside the target under a name ending in ``.part``; a later
    attempt, or a later run, asks the server for the rest only. Without an expected
    checksum, the one of the first download is recorded in ``target`` + ``.sha256`` and
    enforced from then on.

    Parameters
    ----------
    attempts : tries while the server is out of reach, answers 5xx or breaks off.
    timeout : seconds without a byte after which a try counts as broken off.
    pause : seconds before the second try; doubled before each further one.

    Raises
    ------
    DataError
        If the file cannot be had, or is not the expected one. The message gives the
        address and the path at which a file obtained by hand is taken.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    by_hand = f"get it by hand and put it at {target}"
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _continue_download(url, part, timeout, by_hand)
            break
        except (*PASSING, _Interrupted) as error:
            reason = first_line(error)
            log.warning("%s: attempt %d of %d: %s", url, attempt + 1, attempts, reason)
        except requests.RequestException as error:
            raise DataError(f"{url}: no valid address ({first_line(error)}); {by_hand}") from error
    else:
        raise DataError(f"{url}: no download after {attempts} attempts ({reason}); {by_hand}")

    record = target.with_name(f"{target.name}.sha256")
    if expected_sha256 is None and record.is_file():
        expected_sha256 = record.read_text(encoding="utf-8").strip()
    found = sha256(part)
    if expected_sha256 not in (None, found):
        part.unlink()
        raise DataError(
            f"{url}: sha256 of what arrived is {found}, expected {expected_sha256}; the file at "
            f"that address has changed or something stands between: {by_hand}"
        )
    if expected_sha256 is None:
        write_text(record, f"{found}\n")
        log.info("%s: sha256 %s, recorded at this first download", url, found)
    os.replace(part, target)


def extract_member(archive: str | os.PathLike, member: str, target: str | os.PathLike) -> None:
    """Write one regular file of a tar or zip archive to ``target``, whole or not at all.

    ``member`` is its path in the archive, or its name alone where only one file has it.
    Only the bytes of that member are used: no path, link or mode of the archive is.
    """
    try:
        if zipfile.is_zipfile(archive):
            _extract_zip(archive, member, target)
        else:
            _extract_tar(archive, member, target)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(
            f"{archive}: damaged archive ({first_line(error)}); delete it and run again"
        ) from error


def _continue_download(url: str, part: Path, timeout: float, by_hand: str) -> None:
    """Append to ``part`` until it is complete; _Interrupted if the server stops before."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    headers["Accept-Encoding"] = "identity"  # lengths and ranges of the file itself
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            if answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                return  # an earlier run was killed between the last byte and the renaming
            part.unlink()
            raise _Interrupted("the server has less than arrived before; starting anew")
        if answer.status_code >= 500:
            raise _Interrupted(f"the server answers {answer.status_code} {answer.reason}")
        if answer.status_code >= 400:
            raise DataError(
                f"{url}: the server answers {answer.status_code} {answer.reason}; {by_hand}"
            )
        if answer.status_code != requests.codes.partial_content:
            have = 0  # the server sends the file from its beginning
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        with (
            open(part, "ab" if have else "wb") as stream,
            progress_bar(total, part.stem, "B", scale=True) as bar,
        ):
            bar.update(have)
            for chunk in answer.iter_content(CHUNK):
                stream.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
    if total is not None and have != total:
        raise _Interrupted(f"broke off after {have} of {total} bytes")


def _extract_tar(archive: str | os.PathLike, member: str, target: str | os.PathLike) -> None:
    with tarfile.open(archive) as file:
        entry = file.getmember(_find(archive, member, file.getnames()))
        if not entry.isreg():
            raise DataError(f"{archive}: member {member!r} is not a regular file; correct `member`")
        with file.extractfile(entry) as source:
            _write(source, target)


def _extract_zip(archive: str | os.PathLike, member: str, target: str | os.PathLike) -> None:
    with (
        zipfile.ZipFile(archive) as file,
        file.open(_find(archive, member, file.namelist())) as source,
    ):
        _write(source, target)


def _write(source: IO[bytes], target: str | os.PathLike) -> None:
    with atomic_path(target) as temporary, open(temporary, "wb") as stream:
        shutil.copyfileobj(source, stream)


def _find(archive: str | os.PathLike, member: str, names: list[str]) -> str:
    """The path in the archive that ``member`` means."""
    if member in names:
        return member
    named = [name for name in names if PurePosixPath(name).name == member]
    if len(named) == 1:
        return named[0]
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    raise DataError(
        f"{archive}: has {len(named) or 'no'} members {member!r}; correct `member` in the registry "
        f"of data sets: {shown}"
    )
