"""Errors of forces in the workflow: of the fits that are asked for, in the tables."""

import pandas as pd

LEARNING = {"learning_kernels": 1, "learning_sparse": 1, "learning_table": 1, "fig_learning": 1}
FORCES = {"forces_mean": 1, "forces_kernels": 1, "forces_sparse": 1}


def test_forces_of_a_study_are_in_its_tables(finished):
    results = finished.folder / "results"
    sums = pd.read_csv(results / "forces/mine/random-0/toy.csv")
    split = pd.read_csv(results / "data/mine/splits/random-0.csv")["split"]
    assert set(sums["index"]) == set(split.index[split == "test"]), "fewer than are asked for"
    assert (sums["components"] == 12).all()
    assert not (results / "forces/mine/random-1").exists(), "one seed is asked for"
    table = pd.read_csv(results / "tables/same_dataset.csv")
    compared = table[table["strategy"] == "random"].set_index("method")
    own = sums[sums["method"] == "MEKRR"]
    mae = 1000 * own["absolute"].sum() / own["components"].sum()
    assert abs(compared.loc["MEKRR", "force_mae"] - mae) < 1e-6
    assert compared.loc["MEKRR", "force_mae_species"] == compared.loc["MEKRR", "force_mae"]
    assert compared.loc["training mean", "force_seeds"] == 1
    assert table.loc[table["strategy"] == "run", "force_mae"].isna().all()
    assert "errors of forces, meV/Å" in (results / "tables/same_dataset.md").read_text()
    curves = pd.read_csv(results / "tables/learning.csv")
    assert curves.loc[curves["seed"] == 0, "force_rmse"].notna().all()
    assert curves.loc[curves["seed"] == 1, "force_rmse"].isna().all()


def test_more_frames_repeat_what_compares_forces(copied):
    copied.config["forces"]["frames"] = "all"
    pages = ("same_dataset_table", "calibration_forces_table", "all")
    figures = ("fig_errors_forces", "fig_calibration_forces")
    expected = FORCES | LEARNING | dict.fromkeys((*pages, *figures), 1)
    assert copied.planned() == expected


def test_no_forces_no_jobs(project):
    assert project.config["forces"] == {"seeds": 0}
    jobs = project.planned()
    assert not {*FORCES} & set(jobs)
    assert jobs["same_dataset_table"] == 1
