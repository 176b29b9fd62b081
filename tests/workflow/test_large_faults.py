"""What happens to machines while a large data set is fitted shard by shard: at most the shards at
work are lost, the others go on, and the next run ends with the same table, byte for byte."""

import shutil

import pytest
from faulty import errors, fill_up, results_on_a_small_disk, run_with, temporary_files

pytestmark = pytest.mark.faults

ERRORS = "results/large/mine/random-0/all/toy/errors.csv"

# The step, the file that it is about to write, and its rule.
MOMENTS = {
    "extract_large_directions": "extract_directions 1-of-2.safetensors",
    "large_rows": "large 1-of-2.safetensors",
    "large_scores": "large 1-of-2.csv",
}


@pytest.fixture
def begun(copied_large):
    """The study with features and no more."""
    for folder in ("results/directions", "results/large"):
        shutil.rmtree(copied_large.folder / folder)
    return copied_large


def assert_ends_alike(finished, project):
    """The next run computes what is missing, byte for byte as without the fault."""
    result = project.run(ERRORS)
    assert result.returncode == 0, result.stderr
    assert project.planned(ERRORS) == {}
    assert (project.folder / ERRORS).read_bytes() == (finished.folder / ERRORS).read_bytes()
    assert temporary_files(project) == []


@pytest.mark.parametrize(("rule", "moment"), MOMENTS.items(), ids=list(MOMENTS))
def test_a_shard_is_killed(finished_large, begun, rule, moment):
    """Twice: a line says which, the other is computed, and only this one is computed again."""
    for _ in range(2):
        result = run_with(begun, f"{moment} 1 kill", ERRORS)
        assert result.returncode == 1
        (line,) = errors(result)
        assert line.startswith(f"mekrr: error: {rule} (dataset=mine, ")
        assert "shard=1" in line
        assert "SIGKILL" in line
        assert begun.planned(ERRORS)[rule] == 1
    assert_ends_alike(finished_large, begun)


@pytest.mark.parametrize(("rule", "moment"), MOMENTS.items(), ids=list(MOMENTS))
def test_the_machine_loses_power(finished_large, begun, rule, moment):
    """What the cores were at is computed again, and nothing that was finished."""
    result = run_with(begun, f"{moment} 1 group", ERRORS)
    assert result.returncode == -9
    assert 1 <= len(temporary_files(begun)) <= 2
    done = {
        path: path.stat().st_mtime_ns
        for path in (begun.folder / "results" / "directions").rglob("[!.]*-of-2.safetensors")
    }
    assert done or rule == "extract_large_directions"
    assert begun.run("--unlock").returncode == 0
    assert 1 <= begun.planned(ERRORS)[rule] <= 2
    assert_ends_alike(finished_large, begun)
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_the_disk_is_full(finished_large, begun):
    with results_on_a_small_disk(begun):
        filler = fill_up(begun)
        result = begun.run(ERRORS)
        assert result.returncode == 1
        assert errors(result)
        assert all("No space left on device; make room" in line for line in errors(result))
        filler.unlink()
        assert_ends_alike(finished_large, begun)
