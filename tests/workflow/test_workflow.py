"""The workflow on a tiny study: complete, resumable, and rerun exactly where it must be."""

import os

import pandas as pd
import pytest

TARGETS = ["all", "features", "fits", "tables", "figures"]

# Those without an energy.
MEKRR = {"MEKRR", "MEKRR-alpha", "MEKRR-alpha-loo", "MEKRR-species", "MEKRR-extensive"}
SPARSE = {"MEKRR-sparse", "MEKRR-sparse-forces"}


@pytest.mark.parametrize("target", TARGETS)
def test_dry_run_of_each_target(project, target):
    assert "extract_features" in project.planned(target)


def test_smoke_is_one_split_of_one_data_set(project):
    planned = project.planned("smoke")
    assert planned["split"] == planned["fit_mekrr"] == planned["fit_mean"] == 1
    assert "metrics" not in planned


def test_every_second_frame(project):
    project.config["study"]["every"] = 2
    result = project.run("results/data/mine/splits/random-0.csv")
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / "results/data/mine/frames.csv")
    assert table["frame"].tolist() == list(range(0, 24, 2))


def test_no_learning_curve_of_a_data_set_to_skip(project):
    project.config["learning"] = {"skip": ["mine"]}
    planned = project.planned()
    assert not {"learning_kernels", "learning_table", "fig_learning"} & set(planned)


def test_dry_run_of_surrogates(project):
    assert project.planned("surrogates") == {"surrogate": 5, "surrogate_run": 22, "surrogates": 1}


def test_every_table_and_figure_is_there(finished):
    results = finished.folder / "results"
    for name in (
        "metrics.csv",
        "same_dataset.csv",
        "same_dataset.md",
        "same_dataset.tex",
        "same_dataset.html",
        "verdict.csv",
        "verdict.md",
        "largest_errors.csv",
        "largest_errors.md",
        "data_checks.md",
        "provenance.md",
        "calibration.csv",
        "calibration_forces.csv",
        "timing.md",
        "ablation.md",
        "learning.csv",
    ):
        assert (results / "tables" / name).stat().st_size > 0
    figures = ("method", "alpha_sweep", "spectrum", "errors", "leaks", "calibration", "learning")
    maps = ("mine/heatmap-toy", "mine/layers-toy", "mine/contributions-toy")
    points = ("mine/kernel_pca", "mine/reaction_errors", "mine/parity")
    for stem in (*figures, "calibration_forces", "errors_forces", "cost", *maps, *points):
        for suffix in ("pdf", "svg", "png"):
            assert (results / "figures" / f"{stem}.{suffix}").stat().st_size > 1000


def test_predictions_are_tidy_and_follow_the_split(finished):
    folder = finished.folder / "results"
    split = pd.read_csv(folder / "data/mine/splits/random-1.csv")
    table = pd.read_csv(folder / "fits/mine/random-1/toy/mekrr.predictions.csv")
    assert set(table["method"]) == MEKRR
    for _, fit in table.groupby(["method", "layer"]):
        assert fit["split"].tolist() == split["split"].tolist()
        assert fit["index"].tolist() == list(range(24))
        assert fit["energy_pred"].notna().all()


def test_sparse_models_are_in_all_tables(finished):
    results = finished.folder / "results"
    tables = ("metrics", "same_dataset", "calibration", "calibration_forces", "timing", "learning")
    for table in tables:
        rows = pd.read_csv(results / f"tables/{table}.csv")
        assert set(rows["method"]) >= SPARSE, table
    forces = pd.read_csv(results / "tables/same_dataset.csv").set_index(["strategy", "method"])
    assert forces.loc[[("random", method) for method in SPARSE], "force_mae"].notna().all()
    choices = pd.read_csv(results / "fits/mine/random-0/toy/sparse.choices.csv")
    assert set(choices["layers"].astype(str)) <= {"1", "2", "1+2"}
    files = (results / "directions/mine").rglob("*")
    assert [p.name for p in files if p.is_file()] == ["toy.safetensors"], "shards"


def test_metrics_hold_every_fit(finished):
    table = pd.read_csv(finished.folder / "results/tables/metrics.csv")
    methods = MEKRR | SPARSE | {"training mean", "linear ridge", "species ridge"}
    assert set(table["method"]) == methods
    chosen = table[table["chosen"] & (table["split"] == "test")]
    assert len(chosen) == len(methods) * 2 * 2  # splits × seeds
    assert (chosen["mae"] <= chosen["rmse"] + 1e-12).all()


def test_verdicts_are_of_the_fits_that_validation_chooses(finished):
    """No network here: MEKRR-α alone speaks for MEKRR, and nothing is held against it."""
    tables = finished.folder / "results/tables"
    table = pd.read_csv(tables / "verdict.csv").set_index(["dataset", "strategy"])
    errors = pd.read_csv(tables / "same_dataset.csv").set_index(["dataset", "strategy", "method"])
    assert list(table.index) == [("mine", "random"), ("mine", "run")]
    for place, row in table.iterrows():
        told = errors.loc[(*place, "MEKRR-alpha")]
        assert row["mekrr_method"] == "MEKRR-alpha; MEKRR-alpha"
        for column in ("rmse", "rmse_std", "mae", "mae_std", "rmse_low", "rmse_high"):
            assert row[f"mekrr_{column}"] == pytest.approx(told[column])
        assert 0 <= row["near_duplicates"] <= 1
        assert 0 <= row["within_1_std"] <= row["within_2_std"] <= 1
    assert table["against_fine_tuned_verdict"].isna().all()


def test_provenance_names_versions_seeds_and_checksums(finished):
    table = pd.read_csv(finished.folder / "results/tables/provenance.csv")
    values = table.set_index(["what", "item"])["value"]
    assert values["study", "seeds"] == "0, 1"
    assert len(values["data set mine", "sha256"]) == 64
    feature_file = "results/features/mine/toy.safetensors"
    assert values[feature_file, "device"] in ("cpu", "cuda")
    assert values[feature_file, "weights_sha256"] == "none"


def test_second_run_has_nothing_to_do(copied):
    assert copied.planned() == {}


def test_a_new_grid_refits_but_computes_no_kernel(copied):
    copied.config["grid"]["alpha"]["count"] = 4
    jobs = copied.planned()
    assert {"fit_mekrr", "fit_baselines"} < set(jobs)
    assert not {"check_frames", "split", "extract_features", "gram", "fit_mean"} & set(jobs)


def test_a_new_seed_adds_only_its_fits(copied):
    copied.config["study"]["seeds"] = [0, 1, 2]
    jobs = copied.planned()
    assert jobs["gram"] == jobs["split"] == 2
    assert "extract_features" not in jobs


def test_changed_plot_style_only_redraws(copied):
    style = copied.folder / "src/mekrr/study/plots/style.py"
    style.write_text(style.read_text().replace("COLUMN = 3.3", "COLUMN = 3.4"))
    assert set(copied.planned()) == {
        "all",
        "fig_alpha_sweep",
        "fig_calibration",
        "fig_calibration_forces",
        "fig_cost",
        "fig_errors",
        "fig_errors_forces",
        "fig_heatmap",
        "fig_kernel_pca",
        "fig_leaks",
        "fig_learning",
        "fig_method",
        "fig_parity",
        "fig_reaction",
        "fig_spectrum",
    }


def test_changed_solver_refits(copied):
    module = copied.folder / "src/mekrr/models/ridge.py"
    os.utime(module)
    module.write_text(module.read_text() + "\n# changed\n")
    jobs = set(copied.planned())
    assert {"fit_mekrr", "fit_baselines"} < jobs
    assert not {"gram", "extract_features"} & jobs


def test_same_numbers_with_one_core(finished, project):
    """And without sparse models, which change no other row."""
    name = "results/tables/metrics.csv"
    result = project.run("--cores", "1", name)
    assert result.returncode == 0, result.stderr
    ours, theirs = (pd.read_csv(p.folder / name) for p in (project, finished))
    theirs = theirs[~theirs["method"].isin(SPARSE)][ours.columns]
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-6)
