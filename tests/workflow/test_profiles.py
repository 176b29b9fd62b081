"""The Slurm profile, what jobs ask for, and how long planning takes."""

import re
import resource

import pytest
import yaml
from samples import ROOT
from studies import as_large

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
JOBS = re.DOTALL | re.MULTILINE
PLANNING = 30.0  # s of one core


@pytest.fixture(scope="module")
def rules():
    """Text of each rule; what it inherits stands with another."""
    found = {}
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for text in re.split(r"^(?:use )?rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            name = re.match(r"(?:\w+ as )?(\w+)", text)[1]
            found[name] = text
    return found


def asked(project, *arguments):
    """By rule, the largest MB and minutes that its jobs ask for."""
    result = project.run("--dry-run", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    found = {}
    for rule, resources in re.findall(r"^rule (\w+):.*?resources: ([^\n]*)", result.stdout, JOBS):
        values = tuple(re.search(rf"{key}=(\d+)", resources) for key in ("mem_mb", "runtime"))
        if None not in values:
            pair = tuple(int(value[1]) for value in values)
            found[rule] = max(found.get(rule, (0, 0)), pair)
    return found


def test_every_group_is_of_rules_that_exist(rules):
    profile = yaml.safe_load(PROFILE.read_text())
    grouped = dict(item.split("=") for item in profile["groups"])
    assert set(grouped) <= set(rules)
    components = {item.split("=")[0] for item in profile["group-components"]}
    assert components <= set(grouped.values())


@pytest.mark.parametrize("change", [lambda project: project, as_large], ids=["small", "large"])
def test_no_group_waits_for_itself(project, change):
    """Through a job that is in another; Snakemake says so when it plans."""
    result = change(project).run("--workflow-profile", "profiles/slurm", "--dry-run", "--quiet")
    assert result.returncode == 0, result.stderr


def test_drawing_and_tabulating_is_one_job(rules):
    profile = yaml.safe_load(PROFILE.read_text())
    pages = {item.split("=")[0] for item in profile["groups"] if item.endswith("=pages")}
    drawn = {name for name in rules if name.startswith("fig_") or name.endswith("_table")}
    assert drawn <= pages


def test_every_gpu_rule_is_offered_a_partition(rules):
    on_gpu = {name for name, text in rules.items() if "gpu=1" in text}
    assert on_gpu == set(re.findall(r"# +(\w+): \{slurm_partition: gpu\}", PROFILE.read_text()))


def test_partitions_are_named_in_the_profile_alone():
    for path in (ROOT / "workflow").rglob("*.smk"):
        assert "slurm" not in path.read_text()


@pytest.fixture(scope="module")
def local_rules():
    texts = [path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    texts.append((ROOT / "Snakefile").read_text())
    blocks = re.findall(r"^localrules:\n((?:    \w+,\n)+)", "\n".join(texts), flags=re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(blocks)))


def test_downloads_need_no_compute_node(rules, local_rules):
    assert {name for name, text in rules.items() if "/downloads/" in text} <= local_rules


def test_every_job_names_memory_and_run_time(rules, local_rules):
    for name, text in rules.items():
        if "script:" in text and name not in local_rules:
            assert "mem_mb=" in text, name
            assert "runtime=" in text, name


def test_jobs_ask_for_more_the_larger_the_data(project):
    entry = project.config["datasets"]["mine"]
    entry |= {"frames": 1000, "atoms": 50}
    small = asked(project)
    entry["frames"] = 3900
    large = asked(project)
    grown = {rule for rule, (memory, minutes) in small.items() if large[rule] > (memory, minutes)}
    assert all(large[rule] >= small[rule] for rule in small)
    heavy = {
        "extract_features",
        "gram",
        "fit_mekrr",
        "fit_baselines",
        "learning_kernels",
        "ablation",
    }
    assert grown >= heavy | {"check_frames", "leaks", "check_dataset"}


def test_second_attempt_asks_for_twice_as_much(project):
    first, second = (
        asked(project, "features", *arguments)["extract_features"]
        for arguments in ((), ("--attempt", "2"))
    )
    assert second == tuple(2 * value for value in first)


def test_hundreds_of_shards_are_planned_within_seconds(project):
    project.config["datasets"]["mine"]["frames"] = 20_000
    project.config["features"] = {"shard_frames": 100}
    project.config["ablation"] = {"seeds": []}
    project.config["large"] = {"above": 100_000}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = project.planned()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert jobs["extract_features"] == 200
    assert jobs["gram_block"] == 4 * 15  # 5 parts in pairs, two splits with two seeds
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < PLANNING
