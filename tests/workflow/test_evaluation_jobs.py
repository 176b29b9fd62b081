"""Learning curves, ablations and costs in the workflow: run when asked for, and only then."""

import shutil

LEARNING = {"learning_kernels": 2, "learning_table": 1, "fig_learning": 1}


def test_every_fit_has_its_curve_and_every_backbone_its_ablation(project):
    jobs = project.planned()
    assert LEARNING.items() <= jobs.items()
    assert jobs["ablation"] == jobs["ablation_table"] == 1
    assert jobs["timing_table"] == jobs["fig_cost"] == 1
    assert "transfer_table" not in jobs


def test_what_is_not_asked_for_is_not_run(project):
    project.config["learning"] = {"n_train": []}
    project.config["ablation"] = {"seeds": []}
    jobs = project.planned()
    assert not {*LEARNING, "ablation", "ablation_table"} & set(jobs)


def test_transfer_has_its_table(project):
    shutil.copy(project.data, project.folder / "other.extxyz")
    other = project.config["datasets"]["mine"] | {"path": "other.extxyz"}
    project.config["datasets"]["other"] = other
    project.config["study"] |= {"datasets": ["mine", "other"], "transfer": [["mine", "other"]]}
    jobs = project.planned("tables")
    assert jobs["transfer_table"] == 1
    assert jobs["transfer"] == 2  # training mean and kernels, the seeds of the first split in one


def test_other_sizes_only_repeat_the_curves(copied):
    copied.config["learning"] = {"n_train": [4]}
    assert set(copied.planned()) == {"all", "learning_sparse", *LEARNING}


def test_other_lengthscales_only_repeat_the_ablation(copied):
    copied.config["ablation"] = {"lengthscales": [4.0]}
    jobs = set(copied.planned())
    assert {"ablation", "ablation_table"} <= jobs
    assert not {"gram", "fit_mekrr", "metrics", "learning_kernels"} & jobs
