"""What happens to machines: kills, limits, full disks, damage. The next run ends with the same
tables, computes nothing anew that was whole, and leaves nothing half-written."""

import os
import re
import shutil
import subprocess
import sys
import time

import ase.io
import pytest
from faulty import (
    errors,
    fill_up,
    results_on_a_small_disk,
    run_with,
    temporary_files,
    with_faults,
)
from samples import labelled
from studies import tiny_network

FEATURES = "results/features/mine/toy.safetensors"
KERNELS = "results/kernels/mine/random-0/toy.safetensors"
PREDICTIONS = "results/fits/mine/random-0/toy/mekrr.predictions.csv"
METRICS = "results/tables/metrics.csv"
TIMING = "results/tables/timing.csv"
REST = {"gram": 1, "fit_mekrr": 1, "metrics": 1}  # what is to be done after `undo`


def undo(project):
    """Remove the kernels of a split and what comes after them, up to the table of errors."""
    for path in (KERNELS, PREDICTIONS, METRICS):
        (project.folder / path).unlink()


def assert_ends_like(finished, project, target):
    """The next run computes the target, byte for byte as without the fault."""
    result = project.run(target)
    assert result.returncode == 0, result.stderr
    assert project.planned(target) == {}
    assert (project.folder / target).read_bytes() == (finished.folder / target).read_bytes()
    assert temporary_files(project) == []


@pytest.mark.faults
@pytest.mark.parametrize("killed", ["leader", "group"])
def test_snakemake_is_killed(finished, copied, killed):
    """Alone, so that its step ends by itself, or with its step, as by a power cut."""
    undo(copied)
    result = run_with(copied, f"gram toy.safetensors 1 {killed}", METRICS)
    assert result.returncode == -9
    assert len(temporary_files(copied)) == (1 if killed == "group" else 0)
    refused = copied.run(METRICS)
    assert refused.returncode != 0
    assert "removed with the --unlock argument" in refused.stderr
    assert copied.run("--unlock").returncode == 0
    assert copied.planned(METRICS) == {"gram": 1, "fit_mekrr": 1, "metrics": 1}
    assert_ends_like(finished, copied, METRICS)


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        (FEATURES, "extract_features 0-of-1.safetensors 1 kill"),
        pytest.param(KERNELS, "gram toy.safetensors 1 kill", marks=pytest.mark.faults),
        pytest.param(PREDICTIONS, "fit mekrr.predictions.csv 1 term", marks=pytest.mark.faults),
    ],
    ids=["features-killed", "kernels-killed", "fit-at-its-time-limit"],
)
def test_a_step_is_stopped(finished, copied, target, fault):
    (copied.folder / target).unlink()
    jobs = copied.planned(target)
    result = run_with(copied, fault, target)
    assert result.returncode == 1
    assert not (copied.folder / target).exists()
    if fault.endswith("kill"):
        assert len(temporary_files(copied)) == 1
    else:
        assert temporary_files(copied) == []
        (line,) = errors(result)
        assert "fit_mekrr: ended by SIGTERM, as at a time limit" in line
    assert copied.planned(target) == jobs
    assert_ends_like(finished, copied, target)


@pytest.mark.faults
def test_a_step_ends_without_a_word(copied):
    """Killed, crashed, ended by a library or before it begins: one line says which and how."""
    undo(copied)
    for fault, how in [
        ("gram toy.safetensors 1 exit", "exit status 1"),
        ("gram toy.safetensors 1 kill", "SIGKILL"),
        ("gram toy.safetensors 1 segv", "SIGSEGV"),
        ("gram mekrr.study.job 0 import", "exit status 3"),
    ]:
        result = run_with(copied, fault, METRICS)
        assert result.returncode == 1
        (line,) = errors(result)
        step = "gram (dataset=mine, strategy=random, seed=0, backbone=toy)"
        assert line.startswith(f"mekrr: error: {step}: ended without a message ({how}); it asked ")
        used, limit = map(int, re.findall(r"(\d+) MB", line)[1:])
        assert 10 < used < limit
        assert "results/logs/gram/mine/random-0/toy.log and the lines above" in line


@pytest.fixture
def training(copied):
    """A network to be trained, its checkpoint written after every epoch."""
    copied.config["study"] |= {"networks": ["tiny"]}
    copied.config["networks"] = tiny_network()
    loop = copied.folder / "src/mekrr/models/network/loop.py"
    text = loop.read_text()
    assert "SAVE_EVERY = 60.0" in text
    loop.write_text(text.replace("SAVE_EVERY = 60.0", "SAVE_EVERY = 0.0"))
    return copied


@pytest.mark.faults
def test_training_is_killed(training):
    """It goes on after the last epoch that was saved, with the same numbers."""
    target = "results/fits/mine/random-0/tiny/predictions.csv"
    checkpoint = training.folder / "results/training/mine/random-0/tiny.pt"
    log = training.folder / "results/logs/train_network/mine/random-0/tiny.log"
    assert run_with(training, "fit tiny.pt 2 kill", target).returncode == 1
    assert checkpoint.is_file()
    result = training.run(target)
    assert result.returncode == 0, result.stderr
    assert "goes on after epoch 1" in log.read_text()
    assert not list((training.folder / "results/training").rglob("*.*"))
    resumed = (training.folder / target).read_bytes()
    assert training.run("--force", target).returncode == 0
    assert "goes on" not in log.read_text()
    assert (training.folder / target).read_bytes() == resumed


@pytest.mark.faults
def test_out_of_memory(project):
    """Batches are halved, and if that is not enough it is one line that says so."""
    project.config["features"] = {"batch_size": {"cpu": 24}}
    result = run_with(project, "extract_features frames.extxyz 0 memory", FEATURES)
    assert result.returncode == 1
    log = project.folder / "results/logs/extract_features/mine/toy/0-of-1.log"
    assert "out of memory on cpu: batches of" in log.read_text()
    (line,) = errors(result)
    assert "memory" in line
    assert "Traceback" not in result.stderr
    assert temporary_files(project) == []
    assert project.planned(FEATURES) == {"extract_features": 1, "merge_features": 1}
    result = project.run(FEATURES)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def small_disk(copied):
    with results_on_a_small_disk(copied):
        yield copied


def remount(project, mode):
    results = str(project.folder / "results")
    subprocess.run(["mount", "-o", f"remount,{mode}", results], check=True)


@pytest.mark.faults
def test_disk_is_full_then_read_only(finished, small_disk):
    undo(small_disk)
    filler = fill_up(small_disk)
    result = small_disk.run(METRICS)
    assert result.returncode == 1
    (line,) = errors(result)
    assert "No space left on device; make room and run again" in line
    assert "Traceback" not in result.stderr
    filler.unlink()
    remount(small_disk, "ro")
    result = small_disk.run(METRICS)
    assert result.returncode == 1
    assert "Write-protected output files for rule" in result.stderr
    remount(small_disk, "rw")
    assert small_disk.planned(METRICS) == REST
    assert_ends_like(finished, small_disk, METRICS)


@pytest.mark.faults
def test_two_runs_at_once(finished, copied):
    undo(copied)
    go = copied.folder / "go"
    fault = {"MEKRR_FAULT": "gram toy.safetensors 1 wait", "MEKRR_GO": str(go)}
    first = copied.start(METRICS, PYTHONPATH=with_faults(copied), **fault)
    while not temporary_files(copied):
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)
    second = copied.run(METRICS)
    assert second.returncode != 0
    assert "make sure that no other Snakemake process" in second.stderr
    go.touch()
    _, text = first.communicate()
    assert first.returncode == 0, text
    assert copied.planned(METRICS) == {}
    assert (copied.folder / METRICS).read_bytes() == (finished.folder / METRICS).read_bytes()


def verified(project):
    return subprocess.run(
        [sys.executable, "-m", "mekrr.study.verify"],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(project.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.faults
def test_files_are_cut_short_and_changed(finished, copied):
    """Verify names them, with the command that makes them again and nothing else."""
    table = "results/tables/data_checks.md"
    result = verified(copied)
    assert result.returncode == 0, result.stdout
    os.truncate(copied.folder / FEATURES, (copied.folder / FEATURES).stat().st_size // 2)
    text = (copied.folder / table).read_text()
    (copied.folder / table).write_text(text.replace("24", "25", 1))
    result = verified(copied)
    assert result.returncode == 1
    assert f"{FEATURES}: cut short" in result.stdout
    assert f"{table}: changed" in result.stdout
    (command,) = re.findall(r"snakemake (.*) \(before", result.stdout)
    result = copied.run(*command.split())
    assert result.returncode == 0, result.stderr
    assert verified(copied).returncode == 0
    for path in (FEATURES, table):
        assert (copied.folder / path).read_bytes() == (finished.folder / path).read_bytes()
    # The kernels are older than the features now, but these have the bytes that they had.
    assert set(copied.planned()) == {"timing_table", "fig_cost", "all"}


def test_a_run_does_not_read_a_file_that_was_cut_short(copied):
    (copied.folder / METRICS).unlink()
    table = copied.folder / PREDICTIONS
    text = table.read_text().splitlines(keepends=True)
    table.write_text("".join(text[:-1]))
    (line,) = errors(copied.run(METRICS))
    assert f"{PREDICTIONS}: has {table.stat().st_size} bytes" in line
    assert "delete it and run again" in line


def test_other_times_of_files_make_nothing_anew(copied):
    """As after a clone or a copy of the results, of which Snakemake knows nothing."""
    shutil.rmtree(copied.folder / ".snakemake")
    now = time.time()
    for k, path in enumerate(sorted(copied.folder.rglob("*"), key=lambda p: str(p)[::-1])):
        os.utime(path, (now - k, now - k))
    assert copied.planned() != {}
    assert copied.run("--touch").returncode == 0
    assert copied.planned() == {}


def test_damaged_notes_of_snakemake(copied):
    """A power cut may damage what it notes of each file."""
    notes = [p for p in (copied.folder / ".snakemake" / "metadata").rglob("*") if p.is_file()]
    assert notes
    for note in notes[::5]:
        os.truncate(note, 20)
    assert copied.planned() == {}


def flip_a_bit(path, rng):
    """Change one bit of a file at random, and nothing of what the system says of it."""
    found, data = path.stat(), bytearray(path.read_bytes())
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize(
    ("flipped", "gone"),
    [
        (FEATURES, KERNELS),
        (f"results/provenance/{KERNELS.removeprefix('results/')}.json", PREDICTIONS),
        ("results/benchmarks/fit_mekrr/mine/random-0/toy.tsv", TIMING),
    ],
    ids=["features", "record", "benchmark"],
)
def test_a_bit_is_flipped(finished, copied, flipped, gone, rng):
    """Verify names the file, and so does the next job that reads it, with what to delete."""
    flip_a_bit(copied.folder / flipped, rng)
    damaged = KERNELS if "provenance" in flipped else flipped
    (line,) = [line for line in verified(copied).stdout.splitlines() if line.startswith(damaged)]
    assert "changed" in line or "damaged record" in line
    (copied.folder / gone).unlink()
    (line,) = errors(copied.run(gone))
    assert damaged in line
    assert "delete it and run again" in line or f"delete {damaged} and run again" in line
    assert not (copied.folder / gone).exists()
    (copied.folder / damaged).unlink()
    assert copied.run(gone).returncode == 0
    if gone != TIMING:  # times of a job that is run again are others
        assert (copied.folder / gone).read_bytes() == (finished.folder / gone).read_bytes()
    assert verified(copied).returncode == 0


@pytest.mark.faults
def test_trajectory_is_replaced_while_it_is_checked(project):
    """The step refuses, so that neither Snakemake nor verify takes the frames for current."""
    target = "results/data/mine/frames.csv"
    go = project.folder / "go"
    fault = {"MEKRR_FAULT": "check_frames frames.csv 1 wait", "MEKRR_GO": str(go)}
    first = project.start(target, PYTHONPATH=with_faults(project), **fault)
    while not [name for name in temporary_files(project) if name.endswith("frames.csv")]:
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)
    ase.io.write(project.data, labelled(25), format="extxyz")
    go.touch()
    _, text = first.communicate()
    assert first.returncode == 1
    (line,) = {line for line in text.splitlines() if line.startswith("mekrr: error: ")}
    assert line == f"mekrr: error: {project.data.name}: was changed while it was read; run again"
    assert project.planned(target) == {"check_frames": 1}
    assert project.run(target).returncode == 0
    assert len((project.folder / target).read_text().splitlines()) == 26
    assert "as it was before" not in verified(project).stdout
