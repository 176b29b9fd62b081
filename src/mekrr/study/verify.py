"""Whether the files of the study are as they were written: ``python -m mekrr.study.verify``.

Every file is compared with its record (`mekrr.study.provenance`): damage ends with exit status 1.
What is whole but no longer fits together, or was made with other versions, is reported.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mekrr.errors import DataError
from mekrr.files import leftovers, sha256
from mekrr.study.provenance import RECORDS, RESULTS, read_record, versions

UNRECORDED = ("benchmarks", "logs", "provenance", "training")  # folders of what is no output


@dataclass
class Report:
    """What `verify` found.

    Attributes
    ----------
    n_whole : files that are as they were written.
    damaged : what is wrong with a file, by its path.
    outdated : files made from an input, or with a version, that is another by now.
    unrecorded : files without a record, whose state is unknown.
    left_over : temporary files of killed processes.
    n_gone : files that are gone and that nothing is to be made from any more.
    """

    n_whole: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    outdated: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    n_gone: int = 0

    def lines(self) -> Iterator[str]:
        """The report as lines of text, with what to do."""
        yield from (f"{path}: {fault}" for path, fault in self.damaged.items())
        yield from self.outdated
        yield from (f"{path}: left by a killed process; delete it" for path in self.left_over)
        if self.unrecorded:
            yield f"{len(self.unrecorded)} files without a record, such as {self.unrecorded[0]}"
        if self.n_gone:
            yield f"{self.n_gone} intermediate files are gone; nothing needs them"
        yield f"{self.n_whole} files are as they were written, {len(self.damaged)} are damaged"
        if self.damaged:
            files = shlex.join(self.damaged)
            yield (
                f"to make them again: snakemake --cores all --force {files} "
                "(before the --configfile of the study, if it has one)"
            )


def verify() -> Report:
    """Compare all files below ``results`` of the current folder with their records."""
    report, records = Report(), {}
    for place in sorted(RECORDS.rglob("*.json")):
        path = str(RESULTS / place.relative_to(RECORDS).with_suffix(""))
        try:
            records[path] = read_record(path)
        except DataError as error:
            report.damaged[path] = str(error)
    for path, record in records.items():
        fault = _fault(path, record)
        if fault is None:
            report.n_whole += 1
        elif os.path.exists(path) or not _used_up(path, records):
            report.damaged[path] = fault
        else:
            report.n_gone += 1
    report.outdated = [*_other_inputs(records), *_other_versions(records)]
    found = [path for path in sorted(RESULTS.rglob("*")) if path.is_file()]
    report.left_over = [str(path) for path in leftovers(sorted(RESULTS.rglob("*")))]
    known = {*records, *report.damaged, *report.left_over}
    report.unrecorded = [str(path) for path in found if _is_output(path) and str(path) not in known]
    return report


def _fault(path: str, record: Mapping) -> str | None:
    """What is wrong with a file, None if nothing."""
    if not os.path.exists(path):
        return "missing"
    size = os.path.getsize(path)
    if size != record["size"]:
        word = "cut short" if size < record["size"] else "changed"
        return f"{word}: has {size} bytes, {record['size']} were written"
    return None if sha256(path) == record["sha256"] else "changed: other bytes than were written"


def _used_up(path: str, records: Mapping[str, Mapping]) -> bool:
    """Whether all that was made from a file is there, as after a temporary file's removal."""
    users = [other for other, record in records.items() if path in record["inputs"]]
    return bool(users) and all(os.path.exists(user) or _used_up(user, records) for user in users)


def _other_inputs(records: Mapping[str, Mapping]) -> Iterator[str]:
    """Files made from an input as it is no longer."""
    current: dict[str, str | None] = {}
    for path, record in records.items():
        for name, checksum in record["inputs"].items():
            if name not in current:
                current[name] = _current_sha256(name, records)
            if os.path.exists(path) and current[name] not in (None, checksum):
                yield (
                    f"{path}: made from {name} as it was before; run the study again, with "
                    f"--forcerun {path} if Snakemake goes by times that tell nothing"
                )


def _current_sha256(path: str, records: Mapping[str, Mapping]) -> str | None:
    if path in records:
        return records[path]["sha256"]
    return sha256(path) if os.path.isfile(path) else None


def _other_versions(records: Mapping[str, Mapping]) -> Iterator[str]:
    """How many files were made with what is another here: a package, a processor, …"""
    here = versions()
    made = Counter(
        (item, value)
        for path, record in records.items()
        for item, value in record["environment"].items()
        if os.path.exists(path) and here.get(item, value) != value
    )
    for (item, value), count in sorted(made.items()):
        yield f"{item}: {count} files were made with {value}, here is {here[item]}"


def _is_output(path: Path) -> bool:
    folder, *names = path.relative_to(RESULTS).parts
    return bool(names) and folder not in UNRECORDED


def main() -> None:
    """Print the report; exit status 1 if a file is damaged."""
    report = verify()
    for line in report.lines():
        print(line)
    sys.exit(1 if report.damaged else 0)


if __name__ == "__main__":
    main()
