"""Downloading a data set's file: resumable, retried, checked before anything reads it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from mekrr.errors import DataError, first_line, printable
from mekrr.files import sha256, write_text
from mekrr.progress import progress_bar

log = logging.getLogger(__name__)

CHUNK = 1 << 16
PASSING = (  # faults that another try may not meet
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
COME_AGAIN = (202, 408, 425, 429)  # with these a server says so itself
PAGES = {"text/html": ".html", "application/xhtml+xml": ".html", "application/json": ".json"}
BEGINNING_OF_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|script)\b", re.I)
RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
VALIDATOR = re.compile(r'"[\x21\x23-\x7e]{1,200}"|\w{3}, [\w :]{10,30}')  # strong ETag, or date
SHA256 = re.compile("[0-9a-f]{64}")


class _Interrupted(Exception):
    """A transfer broke off; the rest, or all that is missing, can be asked for."""


class _Part:
    """What has arrived of a file, kept under a name ending in ``.part``.

    Beside it stands what tells this version of the file from others: the ETag or the date
    that came with its first bytes.
    """

    def __init__(self, target: Path):
        self.path = target.with_name(f"{target.name}.part")
        self._version = target.with_name(f"{target.name}.part.version")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> str | None:
        """The validator of what has arrived, None if it is unknown."""
        if not self._version.exists():
            return None
        text = self._version.read_text(encoding="utf-8", errors="replace")
        return text if VALIDATOR.fullmatch(text) else None

    def start(self, version: str | None) -> None:
        """Throw away what is there; what comes now is of ``version``."""
        self.drop()
        if version is not None:
            write_text(self._version, version)

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        os.replace(self.path, target)
        self._version.unlink(missing_ok=True)


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
    attempt, or a later run, asks the server for the rest only, if that can be told to be of
    the same version: by the server, or in the end by the checksum. Without an expected
    checksum, the one of the first download is recorded in ``target`` + ``.sha256`` and
    enforced from then on; and refused is what may not be the file, or not all of it: a web
    page, an answer that does not say how long it is, one that left https.

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
    record = target.with_name(f"{target.name}.sha256")
    expected = expected_sha256 or _recorded(record)
    part = _Part(target)
    by_hand = f"get it by hand and put it at {target}"
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            continued = _fetch(url, part, expected, timeout, by_hand)
            found = _checked(url, part, expected, continued, by_hand)
            break
        except (*PASSING, _Interrupted) as error:
            reason = first_line(error)
            log.warning("%s: attempt %d of %d: %s", url, attempt + 1, attempts, reason)
        except requests.RequestException as error:
            raise DataError(f"{url}: no valid address ({first_line(error)}); {by_hand}") from error
    else:
        raise DataError(f"{url}: no download after {attempts} attempts ({reason}); {by_hand}")
    if expected is None:
        write_text(record, f"{found}\n")
        log.info("%s: sha256 %s, recorded at this first download", url, found)
    part.become(target)


def _recorded(record: Path) -> str | None:
    """Checksum of an earlier download of the file, None if there was none."""
    if not record.is_file():
        return None
    text = record.read_text(encoding="utf-8", errors="replace").strip()
    if not SHA256.fullmatch(text):
        raise DataError(f"{record}: damaged record of a checksum; delete it and run again")
    return text


def _checked(url: str, part: _Part, expected: str | None, continued: bool, by_hand: str) -> str:
    """The checksum of what arrived, which is thrown away if it is not the file."""
    found = sha256(part.path)
    if expected is None:
        with open(part.path, "rb") as stream:
            if BEGINNING_OF_PAGE.match(stream.read(512)):
                part.drop()
                raise DataError(_page(url, "a web page", by_hand))
    elif found != expected:
        part.drop()
        if continued:
            raise _Interrupted("what had arrived before is not of this file; starting anew")
        raise DataError(
            f"{url}: sha256 of what arrived is {found}, expected {expected}; the file at that "
            f"address has changed or something stands between: {by_hand}"
        )
    return found


def _page(url: str, what: str, by_hand: str) -> str:
    return (
        f"{url}: the server sends {what}, not the file; it may want a login or a licence "
        f"accepted: {by_hand}"
    )


def _fetch(url: str, part: _Part, expected: str | None, timeout: float, by_hand: str) -> bool:
    """Complete ``part``; whether that meant to continue it. _Interrupted if that failed."""
    have, version = part.size(), part.version()
    if have and version is None and expected is None:
        part.drop()  # nothing could tell whether the rest is of the same version
        have = 0
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges of the file itself
    if have:
        headers["Range"] = f"bytes={have}-"
        if version is not None:
            headers["If-Range"] = version
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        status, reason = answer.status_code, printable(str(answer.reason))
        if have and status == requests.codes.requested_range_not_satisfiable:
            if answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                return True  # an earlier run was killed between the last byte and the renaming
            part.drop()
            raise _Interrupted("the server has less than arrived before; starting anew")
        if status >= 500 or status in COME_AGAIN:
            raise _Interrupted(f"the server answers {status} {reason}")
        if status not in (requests.codes.ok, requests.codes.partial_content):
            raise DataError(f"{url}: the server answers {status} {reason}; {by_hand}")
        if expected is None:
            _require_trustworthy(answer, url, part.path, by_hand)
        if encoding := answer.headers.get("Content-Encoding", "").replace("identity", ""):
            raise DataError(
                f"{url}: the server sends the file encoded ({printable(encoding)}), though asked "
                f"not to; {by_hand}"
            )
        if status == requests.codes.partial_content:
            stop = _stop_of_rest(answer.headers, part, have, version)
            total = _total(answer.headers)
        else:  # the server sends the file from its beginning
            have = 0
            part.start(_validator(answer.headers))
            stop = total = _length(answer.headers)
        _require_room(url, part.path.parent, (total or have) - have)
        return _append(answer, part, have, stop, total)


def _append(
    answer: requests.Response, part: _Part, have: int, stop: int | None, total: int | None
) -> bool:
    """Append an answer's bytes, which end at ``stop``, of ``total`` of the file."""
    continued = have > 0
    with (
        open(part.path, "ab") as stream,
        progress_bar(total, part.path.stem, "B", scale=True) as bar,
    ):
        bar.update(have)
        for chunk in answer.iter_content(CHUNK):
            stream.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
            if stop is not None and have > stop:
                break
    if have == 0 or (stop is not None and have > stop):
        part.drop()
        raise _Interrupted("the answer is empty" if have == 0 else "sent more than it said")
    if total is not None and have != total:
        raise _Interrupted(f"broke off after {have} of {total} bytes")
    return continued


def _stop_of_rest(headers: Mapping[str, str], part: _Part, have: int, version: str | None) -> int:
    """Where in the file the answer ends that should begin after the first ``have`` bytes."""
    match = RANGE.fullmatch(headers.get("Content-Range", ""))
    stop = int(match[2]) + 1 if match else 0
    length = _length(headers)
    if match is None or int(match[1]) != have or length not in (None, stop - have):
        part.drop()
        raise _Interrupted("the server sends another part than it was asked for; starting anew")
    if version is not None and _validator(headers) not in (None, version):
        part.drop()
        raise _Interrupted("the file has changed since it began to arrive; starting anew")
    return stop


def _total(headers: Mapping[str, str]) -> int | None:
    """Length of the file that a part of it is of."""
    total = RANGE.fullmatch(headers["Content-Range"])[3]
    return None if total == "*" else int(total)


def _length(headers: Mapping[str, str]) -> int | None:
    """Length of an answer, None where it is unknown."""
    length = headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _validator(headers: Mapping[str, str]) -> str | None:
    """What tells the version of a file that a server sends from any other."""
    for key in ("ETag", "Last-Modified"):
        if VALIDATOR.fullmatch(headers.get(key, "")):
            return headers[key]
    return None


def _require_trustworthy(answer: requests.Response, url: str, part: Path, by_hand: str) -> None:
    """Refuse what no checksum will tell from the file, or from the whole of it."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in PAGES and PAGES[kind] not in part.suffixes:
        raise DataError(_page(url, kind, by_hand))
    way = [hop.url for hop in (*answer.history, answer)]
    if url.startswith("https:") and not all(hop.startswith("https:") for hop in way):
        raise DataError(
            f"{url}: leads to an address without https, where anyone between could change the "
            f"file; give its `sha256`, or {by_hand}"
        )
    chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
    if _length(answer.headers) is None and not chunked:
        raise DataError(
            f"{url}: the server does not say how long the file is, so that one cut off would go "
            f"unseen; give its `sha256`, or {by_hand}"
        )


def _require_room(url: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(f"{url}: {needed} bytes to come, {free} are free in {folder}; make room")
