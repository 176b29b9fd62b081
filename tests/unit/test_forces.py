"""Errors of forces: which frames, sums against all components, and how tables show them."""

import numpy as np
import pandas as pd
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from samples import Named, labelled

from mekrr.data.frames import frame_table
from mekrr.metrics import force_errors
from mekrr.models.potentials.base import Evaluation
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.forces import drawn_frames, errors_of_fits, force_sums, with_labels
from mekrr.study.experiments.learning import with_whole_set
from mekrr.study.tables.comparison import Place, summary
from mekrr.study.tables.forces import force_comparisons, read_force_errors, with_forces

SPLIT = np.repeat(["train", "val", "test"], [6, 2, 4])
TEST = [8, 9, 10, 11]
PLACES = {"mine": Place("My data", None, False), "other": Place("Others", None, False)}


class Noisy:
    """Forces that are off by what a generator of numbers says, kept frame by frame."""

    def __init__(self):
        self.rng, self.errors = np.random.default_rng(1), {}

    def evaluate(self, atoms):
        error = self.rng.normal(size=(len(atoms), 3)) * 1 + atoms.numbers[:, None] / 10
        self.errors[atoms.info["frame"]] = error
        return Evaluation(0.0, atoms.get_forces() + error, None)


@pytest.fixture
def frames():
    """Cu4 and, every other one, Cu3O."""
    frames = labelled(12)
    for k, atoms in enumerate(frames):
        forces, energy = atoms.get_forces(), atoms.get_potential_energy()
        if k % 2:
            atoms.symbols[2] = "O"
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        atoms.info["frame"] = 100 + k
    return frames


@pytest.fixture
def problem(frames):
    return Problem.of(frame_table(frames), SPLIT, None, "mine")


def test_frames_are_drawn_among_test_frames_with_forces(problem, frames):
    assert drawn_frames(problem, frames, "all", 0) == TEST
    assert drawn_frames(problem, frames, 40, 0) == TEST
    assert drawn_frames(problem, frames, 0, 0) == []
    drawn = [drawn_frames(problem, frames, 2, seed) for seed in range(20)]
    assert drawn == [drawn_frames(problem, frames, 2, seed) for seed in range(20)]
    assert all(len(set(two)) == 2 and set(two) < set(TEST) for two in drawn)
    assert {k for two in drawn for k in two} == set(TEST)
    frames[9].calc = SinglePointCalculator(frames[9], energy=-1.0)
    assert drawn_frames(problem, frames, "all", 0) == [8, 10, 11]


def test_drawn_frames_count_in_the_problem_not_in_the_file(problem, frames):
    later = Problem.of(problem.frames.iloc[6:], SPLIT[6:], None, "mine")
    assert drawn_frames(later, frames, "all", 0) == [2, 3, 4, 5]
    noisy = Noisy()
    sums = force_sums([("noisy", noisy)], later, frames, [2, 3])
    assert list(noisy.errors) == [108, 109]
    assert sums["index"].unique().tolist() == [8, 9]
    assert sums["frame"].unique().tolist() == [108, 109]


def test_errors_are_those_of_all_components(problem, frames):
    noisy = Noisy()
    sums = force_sums([("noisy", noisy)], problem, frames, TEST)
    (row,) = force_errors(sums, ["method"]).to_dict("records")
    errors = np.concatenate(list(noisy.errors.values()))
    species = np.concatenate([np.array(frames[k].symbols) for k in TEST])
    assert row["method"] == "noisy"
    assert row["force_frames"] == 4
    assert row["force_mae"] == pytest.approx(1000 * np.abs(errors).mean())
    assert row["force_rmse"] == pytest.approx(1000 * np.sqrt(np.square(errors).mean()))
    assert (species == "O").sum() == 2
    of_species = [errors[species == s] for s in ("Cu", "O")]
    maes = [1000 * np.abs(e).mean() for e in of_species]
    rmses = [1000 * np.sqrt(np.square(e).mean()) for e in of_species]
    assert [row["force_mae_Cu"], row["force_mae_O"]] == pytest.approx(maes)
    assert [row["force_rmse_Cu"], row["force_rmse_O"]] == pytest.approx(rmses)
    assert row["force_mae_species"] == pytest.approx(np.mean(maes))
    assert row["force_rmse_species"] == pytest.approx(np.mean(rmses))
    assert abs(row["force_mae_species"] - row["force_mae"]) > 10, "not the same by chance"


def test_groups_have_errors_of_their_own(problem, frames):
    sums = force_sums([("a", Noisy()), ("b", Noisy())], problem, frames, TEST)
    together = force_errors(sums, ["method", "frame"])
    assert together["force_frames"].tolist() == [1] * 8
    first = together[together["frame"] == 108]
    assert first["force_mae_O"].isna().all(), "frame 108 has no O"
    np.testing.assert_allclose(first["force_mae_species"], first["force_mae_Cu"])


def test_without_frames_nothing_is_fitted_or_written(problem, frames):
    def never():
        raise AssertionError("made a potential")
        yield

    sums = force_sums(never(), problem, frames, [])
    labels = {"dataset": "mine", "strategy": "random", "seed": "0", "backbone": "net"}
    choices = pd.DataFrame({"method": ["noisy"], "backbone": ["net"]})
    assert list(with_labels(sums, choices, labels)) == [
        *("dataset", "strategy", "seed", "method", "backbone", "index", "frame", "species"),
        *("components", "absolute", "square"),
    ]
    step = Named(params=Named(n_frames=0), wildcards=Named(seed="0"))
    assert errors_of_fits(step, None, problem, frames) is None


def written(folder, problem, frames):
    """Tables of two seeds, as the workflow writes them, and one of a data set without forces."""
    paths = []
    choices = pd.DataFrame({"method": ["MEKRR", "SchNet"], "backbone": ["net", "none"]})
    for seed in range(2):
        potentials = [("MEKRR", Noisy()), ("SchNet", Noisy())]
        for method, _ in zip(potentials, range(2 - seed), strict=False):
            sums = force_sums([method], problem, frames, TEST[: 2 + seed])
            labels = {"dataset": "mine", "strategy": "random", "seed": str(seed)}
            paths.append(folder / f"{method[0]}-{seed}.csv")
            with_labels(sums, choices, labels).to_csv(paths[-1], index=False)
    labels = {"dataset": "other", "strategy": "random", "seed": "0"}
    nothing = with_labels(force_sums([], problem, frames, []), choices, labels)
    nothing.to_csv(folder / "none.csv", index=False)
    return [*paths, folder / "none.csv"]


def table(*fits):
    """A summary of fits without anything to be said of them."""
    zeros = ["rmse", "mae", "rmse_shifted", "mae_shifted", "shift", "largest"]
    zeros += ["rmse_low", "rmse_high", "mae_low", "mae_high", "alpha", "regularisation", "layer"]
    rows = [
        dict.fromkeys(zeros, 1.0)
        | {"place": p, "strategy": "random", "method": m, "backbone": b, "seed": seed}
        for p, m, b in fits
        for seed in range(2)
    ]
    return summary(pd.DataFrame(rows))


@pytest.fixture
def whole():
    nets = ("mine", "MEKRR", "net"), ("other", "MEKRR", "net")
    return table(*nets, ("mine", "SchNet", "none"))


def test_table_1_gains_columns_at_its_end(problem, frames, tmp_path, whole):
    errors = read_force_errors(written(tmp_path, problem, frames))
    found = with_forces(whole, errors)
    pd.testing.assert_frame_equal(found[whole.columns], whole)
    assert list(found)[: len(whole.columns)] == list(whole)
    row = found.set_index(["place", "method"]).loc["mine", "MEKRR"]
    own = errors[errors["method"] == "MEKRR"]
    assert len(own) == 2
    assert row["force_seeds"] == 2
    assert row["force_frames"] == 2 + 3
    for column in ("force_mae", "force_rmse", "force_rmse_O", "force_mae_species"):
        assert row[column] == pytest.approx(own[column].mean())
    assert row["force_rmse_std"] == pytest.approx(own["force_rmse"].std(ddof=1))
    others = found.set_index("place").loc["other"]
    assert others[[c for c in found if c.startswith("force_")]].isna().all()


def test_forces_are_printed_where_there_are_any(problem, frames, tmp_path, whole):
    errors = read_force_errors(written(tmp_path, problem, frames))
    (grid,) = force_comparisons(with_forces(whole, errors), PLACES, {"net": "Net"})
    assert "forces, meV/Å" in grid.title
    assert "2 seeds" in grid.title
    assert grid.groups == (("My data", ("RMSE", "MAE")),)
    ours, schnet = grid.rows[1], grid.rows[0]
    assert ours.stub == ("MEKRR", "Net")
    mean = errors.loc[errors["method"] == "MEKRR", "force_rmse"].mean()
    assert ours.cells[0].value == f"{mean:.0f}"
    assert ours.cells[0].best
    assert schnet.cells[0].mark, "one seed of two"
    mean = errors.loc[errors["method"] == "MEKRR", "force_mae_O"].mean()
    assert f"O {mean:.0f}" in ours.cells[0].detail
    assert "mean of the species" in ours.cells[0].detail


def test_without_forces_tables_are_as_they_were(problem, frames, tmp_path, whole):
    nothing = read_force_errors(written(tmp_path, problem, frames)[-1:])
    assert nothing is None
    assert read_force_errors([]) is None
    assert with_forces(whole, nothing) is whole
    assert force_comparisons(whole, PLACES, {}) == []


def test_learning_curves_end_in_the_fits_forces(problem, frames, tmp_path):
    errors = read_force_errors(written(tmp_path, problem, frames))
    keys = {"dataset": "mine", "strategy": "random", "method": "MEKRR", "backbone": "net"}
    rows = [
        keys | {"seed": s, "n_train": 3, "n_val": 2, "rmse": 9.0, "mae": 8.0, "force_rmse": 7.0}
        for s in range(3)
    ]
    parts = {"train": 6, "val": 2, "test": 4}
    metrics = [
        keys | {"seed": s, "split": p, "n_frames": n, "rmse": 1.0, "mae": 0.5, "chosen": True}
        for s in range(3)
        for p, n in parts.items()
    ]
    found = with_whole_set(pd.DataFrame(rows), pd.DataFrame(metrics), errors)
    last = found[found["n_train"] == 6].set_index("seed")
    own = errors[errors["method"] == "MEKRR"].set_index("seed")
    assert last["force_rmse"].dropna().to_dict() == pytest.approx(own["force_rmse"].to_dict())
    assert np.isnan(last.loc[2, "force_rmse"]), "a seed whose forces were not compared"


def test_errors_of_fits_are_of_the_part_that_is_fitted(problem, frames, monkeypatch):
    asked = []

    def of_fit(step, kind, part, fit):
        asked.append((kind, part, fit))
        yield "noisy", Noisy()

    monkeypatch.setattr("mekrr.study.experiments.forces.of_fit", of_fit)
    step = Named(params=Named(n_frames=3), wildcards=Named(seed="5"))
    find, fit = errors_of_fits(step, "kind", problem, frames), Fit(None, None)
    errors = find(problem, fit)
    assert asked == [("kind", problem, fit)]
    assert errors[["method", "force_frames"]].to_numpy().tolist() == [["noisy", 3]]
