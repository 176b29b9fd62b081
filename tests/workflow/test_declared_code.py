"""Declared code: what jobs import is among their inputs, and makes just their rules run again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bytecode import imported
from samples import ROOT
from studies import default_config

from mekrr.backbones.families import FROM_SCRATCH, families, module_of
from mekrr.study.code import DOCSTRING, OUTSIDE
from mekrr.study.franken.environment import PYTHON
from mekrr.study.methods import modules_of

SITE = "results/site/default_study.yaml"
KINDS = "mekrr.study.experiments.kinds"
POTENTIALS = "mekrr.study.experiments.potentials"
RUNNING = ("forces", "learning", "molecular_dynamics")  # scripts that need fits as potentials


def files_of(names, root):
    """Files of modules, relative to the folder of the study; not of packages without code."""
    paths = [root / "src" / name.replace(".", "/") for name in names]
    files = [
        p.with_suffix(".py") if p.with_suffix(".py").exists() else p / "__init__.py" for p in paths
    ]
    return {str(f.relative_to(root)) for f in files if not DOCSTRING.fullmatch(f.read_text())}


def test_every_job_declares_what_it_imported(finished):
    """Families say in their folders what they are, and all of them are looked at."""
    lines = (finished.folder / "imports.jsonl").read_text().splitlines()
    jobs = [json.loads(line) for line in lines]
    assert len({job["rule"] for job in jobs}) > 30
    families = {path.parent for path in finished.folder.glob("src/mekrr/backbones/*/__init__.py")}
    looked_at = {str((path / "__init__.py").relative_to(finished.folder)) for path in families}
    missing = {
        (job["rule"], path)
        for job in jobs
        for path in files_of(set(job["loaded"]) - OUTSIDE, finished.folder) - set(job["declared"])
        if path not in looked_at
    }
    assert missing == set()


@pytest.fixture
def everything(project):
    """A study in which every rule has a job: blocks, downloads, networks trained anew, …"""
    address = {"url": "https://example.org/a.tgz", "file": "a.tgz"}
    project.config = {
        "study": {
            "datasets": ["d2-surrogate", "d3-surrogate", "theirs", "vast"],
            "networks": ["schnet", "sevennet-ft", "chgnet-ft"],
            "splits": ["random"],
            "seeds": [0],
            "transfer": [["d2-surrogate", "d3-surrogate"]],
        },
        "datasets": {
            "theirs": {"download": address | {"member": "in/a.xyz"}},
            "vast": {"path": project.data.name, "frames": 60_000},
        },
        "networks": {"schnet": {"published_transfer": {"epochs": 4}}},
        "kernels": {"block_frames": 100},
        "features": {"shard_frames": 10_000},
        "learning": {"skip": ["d3-surrogate", "theirs"]},
        "sparse": {"skip": ["d3-surrogate", "theirs"]},
        "ablation": {"sparse": ["d2-surrogate"]},
        "franken": {"backbones": ["sevennet-0"], "skip": ["d3-surrogate", "theirs"]},
        "molecular_dynamics": {
            "datasets": ["d2-surrogate"],
            "methods": ["GAP-SOAP", "SchNet", "MEKRR", "MEKRR-sparse"],
        },
    }
    python = project.folder / PYTHON
    python.parent.mkdir(parents=True)
    python.touch()
    return project


def named_modules(job, config):
    """What its script imports by a name that depends on the job."""
    if job["script"] == "figure":
        return [f"mekrr.study.plots.{job['rule'].removeprefix('fig_')}"]
    if job["script"] == "table":
        return [f"mekrr.study.tables.{job['rule'].removesuffix('_table')}"]
    if job["script"] == "large":
        return [f"mekrr.study.experiments.large.{job['step'].partition('.')[0]}"]
    if job["script"] in ("extract_features", "extract_directions"):
        family = config["backbones"][job["wildcards"]["backbone"]]["family"]
        return [module_of(families()[family].adapter)]
    room = POTENTIALS if job["script"] in RUNNING else KINDS
    named = [f"{room}.{job['kind']}", *modules_of(job["kind"])] if job["kind"] else []
    if room == POTENTIALS and job["kind"] in ("kernel", "sparse"):
        family = config["backbones"][job["wildcards"]["backbone"]]["family"]
        named.append(module_of(families()[family].adapter))
    if "network" in job["wildcards"]:
        start = config["networks"][job["wildcards"]["network"]]["start"]
        backbone = config["backbones"].get(start)
        network = families()[backbone["family"]].network if backbone else FROM_SCRATCH
        named.append(module_of(network))
    return named


def test_every_rule_declares_what_its_script_imports(everything):
    folder = everything.folder
    (folder / "overlay.yaml").write_text(yaml.safe_dump(everything.config))
    script = Path(__file__).with_name("jobs.py")
    made = subprocess.run(
        [sys.executable, script, "overlay.yaml", "all", "report", "surrogates", SITE],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    jobs = [json.loads(line) for line in made.stdout.splitlines() if line.startswith("{")]
    texts = [path.read_text() for path in folder.glob("workflow/rules/*.smk")]
    rules = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", "\n".join(texts), re.MULTILINE))
    without = {rule for rule in rules if rule not in {job["rule"] for job in jobs}}
    assert without == {"smoke", "fig1", "fig2", "fig3", "fig4", "table1", "table2"} | {
        "features",
        "fits",
        "transfers",
        "tables",
        "figures",
    }
    known = {}
    for job in jobs:
        if job["script"]:
            script, names = job["script"], named_modules(job, default_config())
            if script == "list_code":
                script, names = job["wildcards"]["script"], [job["wildcards"]["module"]]
            key = (f"workflow/scripts/{script}.py", *names)
            if key not in known:
                known[key] = set(imported(ROOT / key[0], *key[1:]))
            assert known[key] == {path for path in job["input"] if path.endswith(".py")}, job


# A module, rules that use it, and rules that do not.
USES = [
    ("models/lapack.py", "fit_mekrr fit_baselines learning_kernels ablation", "gram split"),
    ("metrics.py", "fit_mekrr fit_baselines learning_kernels ablation metrics", "gram split"),
    (
        "study/methods.py",
        "fig_errors fig_parity same_dataset_table",
        "gram split fit_mekrr fit_mean",
    ),
    ("models/sparse/solve.py", "fit_sparse learning_sparse", "fit_mekrr extract_directions"),
    ("study/tables/printing/write.py", "same_dataset_table timing_table", "fig_errors fit_mekrr"),
    ("study/plots/errors.py", "fig_errors", "fig_parity metrics fig_cost"),
    ("study/tables/timing.py", "timing_table", "same_dataset_table metrics fit_mekrr"),
    ("backbones/analytic/adapter.py", "extract_features extract_directions", "check_frames split"),
    ("backbones/sevennet/adapter.py", "", "extract_features"),
    ("errors.py", "", "fit_mekrr metrics check_frames"),
]


@pytest.mark.parametrize(("module", "users", "others"), USES, ids=[use[0] for use in USES])
def test_a_changed_module_runs_its_rules_again(copied, module, users, others):
    path = copied.folder / "src/mekrr" / module
    path.write_text(path.read_text() + "\n# changed\n")
    jobs = set(copied.planned())
    assert set(users.split()) <= jobs
    assert not set(others.split()) & jobs
