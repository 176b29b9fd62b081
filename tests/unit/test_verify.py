"""Records of files, what verify makes of them, and how a step ends that goes wrong."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from mekrr.errors import DataError
from mekrr.files import atomic_path, scratch_folder, write_text
from mekrr.study.job import TERMINAL, job
from mekrr.study.provenance import read_inputs, read_record, record_path, without_places
from mekrr.study.verify import main, verify

FEATURES, KERNELS, TABLE = "results/features/a", "results/kernels/a", "results/tables/t.csv"


class Named(list):
    """Paths or values, by name as well, as Snakemake hands them to a script."""

    def __init__(self, **entries):
        super().__init__(entries.values())
        self.items = entries.items


def step(output, *inputs, **params):
    return SimpleNamespace(
        rule="a_rule",
        input=Named(**{f"i{k}": path for k, path in enumerate(inputs)}),
        output=Named(file=output),
        params=Named(**params),
        wildcards=Named(seed="3"),
        threads=1,
        log=["a.log"],
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a step that writes a text, and leaves the process's streams as they were."""
    monkeypatch.chdir(tmp_path)

    def written(output, *inputs, text="what was written", **params):
        with job(step(output, *inputs, **params)):
            write_text(output, text)

    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    yield written
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.captureWarnings(False)
    TERMINAL.handlers.clear()


@pytest.fixture
def chain(run):
    """Features, kernels and a table, each made from the one before."""
    write_text("raw", "frames")
    run(FEATURES, "raw")
    run(KERNELS, FEATURES)
    run(TABLE, KERNELS)
    return run


def test_record_tells_how_a_file_was_made(run):
    write_text("raw.xyz", "frames")
    grid = {"alpha": [0, 1], "file": os.path.abspath("raw.xyz")}
    run(TABLE, os.path.abspath("raw.xyz"), grid=grid)
    record = json.loads(record_path(TABLE).read_text())
    assert record["path"] == TABLE
    assert record["size"] == os.path.getsize(TABLE)
    assert record["rule"] == "a_rule"
    assert record["wildcards"] == {"seed": "3"}
    assert record["params"] == {"grid": {"alpha": [0, 1], "file": "raw.xyz"}}
    assert list(record["inputs"]) == ["raw.xyz"]
    assert {"git", "numpy", "cpu", "cores", "gpu"} <= set(record["environment"])
    assert os.getcwd() not in record_path(TABLE).read_text()


def test_whole_results(chain):
    report = verify()
    assert report.n_whole == 3
    assert list(report.lines()) == ["3 files are as they were written, 0 are damaged"]


def test_each_kind_of_damage_is_named_with_the_command(chain, capsys):
    with open(FEATURES, "r+b") as stream:
        stream.truncate(5)
    write_text(KERNELS, "what was WRITTEN")
    os.unlink(TABLE)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        f"{FEATURES}: cut short: has 5 bytes, 16 were written",
        f"{KERNELS}: changed: other bytes than were written",
        f"{TABLE}: missing",
    ]
    assert f"snakemake --cores all --force {FEATURES} {KERNELS} {TABLE}" in lines[-1]


def test_a_file_that_is_gone_counts_only_where_it_is_needed(chain):
    os.unlink(FEATURES)
    assert verify().damaged == {}
    assert verify().n_gone == 1
    os.unlink(KERNELS)
    assert verify().n_gone == 2
    os.unlink(TABLE)
    assert verify().damaged == {path: "missing" for path in (FEATURES, KERNELS, TABLE)}


def test_drift_is_reported_but_no_damage(chain, monkeypatch):
    chain(KERNELS, FEATURES, text="made anew")
    write_text("raw", "other frames")
    monkeypatch.setattr("mekrr.study.verify.versions", lambda: {"numpy": "0.1"})
    report = verify()
    assert report.damaged == {}
    assert [line.split(" as it")[0] for line in report.outdated[:2]] == [
        f"{FEATURES}: made from raw",
        f"{TABLE}: made from {KERNELS}",
    ]
    assert "numpy: 3 files were made with " in report.outdated[2]


def test_damaged_record_and_files_without_one(chain):
    record_path(TABLE).write_text("{")
    write_text("results/tables/other.csv", "x")
    report = verify()
    assert "damaged record" in report.damaged[TABLE]
    assert report.unrecorded == ["results/tables/other.csv"]


def test_step_refuses_an_input_that_was_cut_short(chain, capsys):
    with open(FEATURES, "r+b") as stream:
        stream.truncate(5)
    with pytest.raises(DataError, match=r"features/a: has 5 bytes, 16 were written.*delete it"):
        read_inputs(["raw", FEATURES])
    with pytest.raises(SystemExit):
        chain(KERNELS, FEATURES, text="never written")
    assert read_record(KERNELS)["size"] == os.path.getsize(KERNELS) == 16


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("Unable to allocate 8 GiB"), ("a_rule: out of memory", "Unable to allocate")),
        (OSError(errno.ENOSPC, "No space left on device"), (TABLE, "No space left", "make room")),
        (OSError(errno.EROFS, "Read-only", "results"), ("results: Read-only", "make it writable")),
        (ValueError("odd"), ("unexpected ValueError: odd; see a.log",)),
    ],
)
def test_error_of_a_step_is_one_line(run, capfd, error, words):
    with pytest.raises(SystemExit), job(step(TABLE)):
        raise error
    (line,) = capfd.readouterr().err.splitlines()
    for word in words:
        assert word in line


def test_time_limit_is_one_line_and_leaves_nothing_half_written(run, capfd):
    def stopped_halfway():
        with job(step(TABLE)), atomic_path(TABLE) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        stopped_halfway()
    assert "a_rule: ended by SIGTERM, as at a time limit" in capfd.readouterr().err
    assert os.listdir("results/tables") == []


def test_what_a_killed_process_left_is_reported_then_removed(chain):
    """Of a file that is written again; a live process's file stays."""
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left = f"results/tables/.{killed.pid}-{16 * '0'}-t.csv"
    live = f"results/tables/.{os.getppid()}-{16 * '0'}-t.csv"
    for path in (left, live):
        write_text(path, "half")
    os.mkdir(f"{left}.parts")
    assert verify().left_over == [left, f"{left}.parts"]
    with scratch_folder(TABLE) as folder:
        (folder / "part").write_text("x")
        write_text(TABLE, "whole")
        assert not os.path.exists(left)
        assert folder.is_dir()
    assert sorted(os.listdir("results/tables")) == [os.path.basename(live), "t.csv"]


def test_paths_of_this_machine_stay_out():
    value = {"a": "/home/me/x.xyz", "b": ["relative/y", {"c": "/z"}], "d": 1, "e": "https://h/f"}
    expected = {"a": "x.xyz", "b": ["relative/y", {"c": "z"}], "d": 1, "e": "https://h/f"}
    assert without_places(value) == expected


def flip(path, bit):
    """Change one bit of a file, and nothing of what the system says of it."""
    found, data = os.stat(path), bytearray(Path(path).read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    Path(path).write_bytes(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_every_bit_of_a_record_counts(chain, rng):
    record = record_path(FEATURES)
    whole = record.read_bytes()
    for bit in rng.integers(8 * len(whole), size=150):
        flip(record, int(bit))
        with pytest.raises(DataError, match=f"damaged record.*delete {FEATURES} and run again"):
            read_record(FEATURES)
        record.write_bytes(whole)
    flip(record, 100)
    assert "damaged record" in verify().damaged[FEATURES]
    os.unlink(FEATURES)
    with pytest.raises(DataError, match=f"delete {record} and run again"):
        read_record(FEATURES)


def test_step_refuses_an_input_of_which_a_bit_is_flipped(chain, capfd, rng):
    whole = Path(FEATURES).read_bytes()
    for path in (FEATURES, record_path(FEATURES)):
        for bit in rng.integers(8 * os.path.getsize(path), size=5):
            flip(path, int(bit))
            with pytest.raises(SystemExit):
                chain(KERNELS, FEATURES, text="never written")
            (line,) = capfd.readouterr().err.splitlines()
            assert f"delete {FEATURES} and run again" in line.replace(
                "delete it", f"delete {FEATURES}"
            )
            flip(path, int(bit))
    assert Path(FEATURES).read_bytes() == whole
    assert verify().damaged == {}


@pytest.mark.parametrize("how", ["written", "replaced", "removed"])
def test_input_that_changes_while_it_is_read(run, capfd, how):
    """What is recorded is what was read; at the end it must still be there."""
    write_text("raw", "frames")

    def changed_meanwhile():
        with job(step(FEATURES, "raw")):
            write_text(FEATURES, Path("raw").read_text())
            if how == "written":
                with open("raw", "r+") as stream:
                    stream.write("FRAMES")
            elif how == "replaced":
                write_text("raw", "FRAMES")
            else:
                os.unlink("raw")

    with pytest.raises(SystemExit):
        changed_meanwhile()
    (line,) = capfd.readouterr().err.splitlines()
    assert line == "mekrr: error: raw: was changed while it was read; run again"
    assert read_record(FEATURES) is None


def test_input_that_is_touched_is_no_other(run):
    write_text("raw", "frames")
    with job(step(FEATURES, "raw")):
        os.utime("raw", (1, 1))
        write_text(FEATURES, "made")
    assert verify().n_whole == 1


def test_benchmarks_are_recorded_when_they_are_read(run):
    benchmark = "results/benchmarks/a_rule/x.tsv"
    write_text(benchmark, "s\n12.5\n")
    run(TABLE, benchmark)
    flip(benchmark, 20)
    assert "changed" in verify().damaged[benchmark]
    # The job of that benchmark runs again: the next benchmark is another.
    again = step(KERNELS)
    again.log = ["results/logs/a_rule/x.log"]
    os.makedirs("results/logs/a_rule")
    with job(again):
        write_text(KERNELS, "made again")
    assert verify().damaged == {}
    run(TABLE, benchmark)
    assert verify().n_whole == 3
