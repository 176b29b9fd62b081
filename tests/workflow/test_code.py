"""Declared code: what jobs import is among their inputs, and makes just their rules run again."""

import json

import pytest

from mekrr.study.code import DOCSTRING, OUTSIDE


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


# A module, rules that use it, and rules that do not.
USES = [
    ("models/lapack.py", "fit_mekrr fit_baselines learning_kernels ablation", "gram split"),
    ("metrics.py", "fit_mekrr fit_baselines learning_kernels ablation metrics", "gram split"),
    ("study/methods.py", "fig_errors fig_parity same_dataset_table", "fit_mekrr gram split"),
    ("study/tables/printing/write.py", "same_dataset_table timing_table", "fig_errors fit_mekrr"),
    ("study/plots/errors.py", "fig_errors", "fig_parity metrics fig_cost"),
    ("study/tables/timing.py", "timing_table", "same_dataset_table metrics fit_mekrr"),
    ("backbones/analytic/adapter.py", "extract_features", "check_frames split"),
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
