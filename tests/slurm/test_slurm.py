"""The study on a real Slurm, by its profile: the same numbers as without."""

import pandas as pd
import pytest
from studies import Project, as_large
from tolerances import SLURM

TABLES = ("metrics.csv", "same_dataset.csv", "calibration.csv", "learning.csv", "ablation.csv")


@pytest.fixture(scope="module")
def on_slurm(cluster, studies):
    project = studies("on-slurm")
    return project, cluster.run(project)


@pytest.fixture(scope="module")
def here(studies):
    project = studies("here")
    result = project.run()
    assert result.returncode == 0, result.stdout + result.stderr
    return project


@pytest.mark.parametrize("name", TABLES)
def test_same_numbers_as_without_slurm(on_slurm, here, name):
    project, _ = on_slurm
    path = f"results/tables/{name}"
    ours, theirs = (pd.read_csv(p.folder / path) for p in (project, here))
    assert len(ours) > 0
    pd.testing.assert_frame_equal(ours, theirs, rtol=SLURM, atol=0.0)


def test_everything_ran_as_jobs_of_slurm(on_slurm):
    project, jobs = on_slurm
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    on_gpu = [job for job in jobs if job.get("TresPerJob") == "gres:gpu:1"]
    assert len(on_gpu) == 3, "one job for each shard, with a GPU"
    assert {job["Partition"] for job in on_gpu} == {"gpu"}
    # Shards, their merge, the preparation of blocks, blocks, ablation; data, fits, pages.
    assert len(jobs) == 3 + 1 + 1 + 3 + 1 + 3
    ran = list((project.folder / "results/benchmarks").rglob("*.tsv"))
    assert len(ran) > 3 * len(jobs), "short jobs are not grouped"


def test_nothing_is_left_to_do(on_slurm):
    project, _ = on_slurm
    assert project.planned() == {}


def test_job_out_of_memory_is_sent_again_with_more(on_slurm, cluster):
    project, _ = on_slurm
    (project.folder / "results/ablation/mine/toy.csv").unlink()
    too_little = ["--set-resources", "ablation:mem_mb=200*attempt"]
    first, *more = cluster.run(project, "results/ablation/mine/toy.csv", *too_little)
    assert first["JobState"] != "COMPLETED"
    assert [job["JobState"] for job in more][-1] == "COMPLETED"
    assert "mem=200M" in first["TRES"]
    assert "mem=400M" in more[0]["TRES"]


def test_large_data_set_is_the_same(cluster, tmp_path):
    """Byte for byte: fits shard by shard, of whatever job of Slurm's they are."""
    errors = "results/large/mine/random-0/all/toy/errors.csv"
    ours, theirs = (as_large(Project(tmp_path / name)) for name in ("on-slurm", "here"))
    jobs = cluster.run(ours, errors)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert len([job for job in jobs if job.get("TresPerJob") == "gres:gpu:1"]) == 4
    # Two each of features, derivatives, rows, fits; data, settings, merges, scores, models, tests,
    # errors. Lists of code are written where Snakemake runs.
    assert len(jobs) == 4 * 2 + 7
    result = theirs.run(errors)
    assert result.returncode == 0, result.stderr
    assert (ours.folder / errors).read_bytes() == (theirs.folder / errors).read_bytes()
