"""Ablations of sparse models: each change against the fit made by hand, and the table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from samples import Named

from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.files import write_csv
from mekrr.models.problem import Problem
from mekrr.models.sparse.data import Data
from mekrr.models.sparse.fit import fit_sparse
from mekrr.models.sparse.select import LENGTHSCALES, REGULARISATIONS, SIGMAS_ENERGY
from mekrr.models.sparse.settings import Open
from mekrr.study.experiments.ablation_sparse import TEST, ablation_sparse, changes
from mekrr.study.experiments.kinds.sparse import Models
from mekrr.study.methods import methods_of
from mekrr.study.recipes import recipes_from
from mekrr.study.tables.ablation_sparse import write

N, RANDOM, SINGLE, INDUCING = 24, 3, 2, 8
SPLIT = np.repeat(["train", "val", "test"], [12, 6, 6])
METHODS = [method.recipe for method in methods_of("ablation_sparse")]
SINGLES = np.tile(np.arange(RANDOM + SINGLE) >= RANDOM, N)


class Frames:
    """Frames of 3 atoms in two layers; the energies are of smooth functions of both."""

    def __init__(self):
        rng = np.random.default_rng(5)
        species, pointer = np.tile([29, 8, 29], N), 3 * np.arange(N + 1)
        counts, size = np.full(N, RANDOM + SINGLE), np.full(N, 3)
        self.features, self.directions = {}, {}
        energy, slope = np.zeros(N), np.zeros(counts.sum())
        self.network = rng.normal(size=len(slope))
        for layer in (1, 2):
            h = rng.normal(size=(3 * N, 2))
            u = rng.normal(size=(len(slope), 3, 2))
            energy += np.sin(h).sum(axis=1).reshape(N, 3).sum(axis=1)
            here = np.repeat(np.cos(h).reshape(N, 3, 2), RANDOM + SINGLE, axis=0)
            slope += (here * u).sum(axis=(1, 2))
            self.features[layer] = FrameFeatures(h.astype(np.float32), species, pointer)
            rows = u.reshape(-1, 2).astype(np.float32)
            self.directions[layer] = FrameDirections(rows, counts, size, self.network)
        self.slope = slope + self.network
        table = {"index": range(N), "frame": range(N), "n_atoms": 3, "formula": "Cu2O"}
        self.problem = Problem(pd.DataFrame(table | {"energy": energy}), SPLIT, np.zeros(N))

    def kind(self, views=((1, 2),)):
        given = recipes_from(METHODS), self.features, self.directions, np.zeros(N), self.slope
        return Models(*given, views, INDUCING, "none", ("mine", "net"))

    def by_hand(self, kept, kernel, metric, way, views, inducing, alpha):
        """Errors of the Δ-model on test frames, one prediction after the other."""
        slope = self.slope - self.network
        if kept is None:
            directions = {k: FrameDirections.none(each) for k, each in self.features.items()}
            learnt = slope[:0]
        else:
            directions, learnt = {}, slope[np.tile(kept, N)]
            for layer, each in self.directions.items():
                rows = np.concatenate([each.of(t)[kept].reshape(-1, 2) for t in range(N)])
                counts = np.full(N, kept.sum())
                directions[layer] = FrameDirections(rows, counts, each.n_atoms, None)
        energy = self.problem.residual
        parts = [np.flatnonzero(part == SPLIT) for part in ("train", "val")]
        data = Data(self.features, directions, energy, learnt, np.full(N, 3), parts, True)
        options = Open(
            views, LENGTHSCALES, [alpha], [inducing], SIGMAS_ENERGY, list(REGULARISATIONS)
        )
        fitted = fit_sparse(data, kernel, metric, way, options)
        model, errors = fitted.model, {"energy": [], False: [], True: []}
        for t in np.flatnonzero(SPLIT == "test"):
            layers = [self.features[layer].select([t]) for layer in fitted.layers]
            h = np.hstack([each.features for each in layers])
            one = replace(layers[0], features=h)
            errors["energy"].append((model.energies(one)[0] - energy[t]) / 3)
            _, gradient = model.basis.at(h, one.species, model.coefficients)
            u = np.concatenate([self.directions[layer].of(t) for layer in fitted.layers], axis=2)
            off = np.einsum("nd,qnd->q", gradient, u) - slope[t * len(u) : (t + 1) * len(u)]
            for which, own in zip(SINGLES, off, strict=False):
                errors[bool(which)].append(own)
        rmse = [1000 * np.sqrt(np.mean(np.square(each))) for each in errors.values()]
        return dict(zip(TEST, rmse, strict=True)), "+".join(map(str, fitted.layers))


@pytest.fixture(scope="module")
def frames():
    return Frames()


@pytest.fixture(scope="module")
def table(frames):
    return ablation_sparse(frames.kind(), frames.problem, SINGLES)


BASE = {
    "kept": np.ones(RANDOM + SINGLE, dtype=bool),
    "kernel": "gaussian",
    "metric": "whitened",
    "way": "cholesky",
    "views": [(1, 2)],
    "inducing": INDUCING,
    "alpha": 1.0,
}
CHANGES = [
    ("layers", "1+2", {}),
    ("layers", "2", {"views": [(2,)]}),
    ("metric", "plain", {"metric": "plain"}),
    ("atom kernel", "Matérn 5/2", {"kernel": "matern5"}),
    ("α", "0.5", {"alpha": 0.5}),
    ("directions", "none", {"kept": None}),
    ("directions", "1 + reactive", {"kept": np.array([1, 0, 0, 1, 1], dtype=bool)}),
    ("directions", "3", {"kept": np.array([1, 1, 1, 0, 0], dtype=bool)}),
    ("directions", "reactive alone", {"kept": np.array([0, 0, 0, 1, 1], dtype=bool)}),
    ("inducing atoms", "4", {"inducing": 4}),
    ("inducing atoms by", "farthest", {"way": "farthest"}),
]


@pytest.mark.parametrize(
    ("factor", "setting", "changes"), CHANGES, ids=[f"{factor} {to}" for factor, to, _ in CHANGES]
)
def test_a_change_is_the_fit_with_that_setting(table, frames, factor, setting, changes):
    rows = table[(table["factor"] == factor) & (table["setting"] == setting)]
    (row,) = rows[rows["method"].str.startswith("Delta")].to_dict("records")
    errors, layers = frames.by_hand(**BASE | changes)
    assert row["layers"] == layers
    assert row["unchanged"] == (not changes)
    assert {error: row[error] for error in TEST} == pytest.approx(errors, rel=1e-3)


def test_every_factor_has_the_study_once(table, frames):
    for (_, _), block in table.groupby(["factor", "method"]):
        assert block["unchanged"].sum() == 1
        assert block["setting"].is_unique
    base = table[table["unchanged"]]
    assert len(base[["method", *TEST]].drop_duplicates()) == len(METHODS)
    kind = frames.kind()
    fit = kind.fit(frames.problem)
    chosen = fit.choices.set_index("method")
    for row in base.to_dict("records"):
        for column in ("regularisation", "lengthscale", "inducing", "validation_rmse"):
            assert row[column] == pytest.approx(chosen.loc[row["method"], column])


def test_layers_that_the_study_chooses_are_a_setting(frames):
    kind = frames.kind([(1,), (2,), (1, 2)])
    settings = {to: one for factor, to, one in changes(kind, SINGLES) if factor == "layers"}
    assert list(settings) == ["chosen on validation", "1", "2", "1+2"]
    assert [one is kind for one in settings.values()] == [True, False, False, False]
    assert settings["2"].views == [(2,)]


def test_the_table_marks_the_study_and_leaves_out_what_is_not_stored(table, tmp_path, frames):
    labels = {"dataset": "mine", "backbone": "net"}
    for k in range(2):
        given = table.assign(seed=k, **labels, test_reactive_rmse=np.nan)
        write_csv(tmp_path / f"{k}.csv", given.assign(test_rmse=given["test_rmse"] + k))
    none = ablation_sparse(without_forces(frames), frames.problem, np.zeros(0, dtype=bool))
    write_csv(tmp_path / "2.csv", none.assign(seed=0, **labels))
    page = written(tmp_path, [0, 1, 2])
    assert "1+2 (as in the study)" in page
    assert "none (as in the study)" not in page
    assert "energies" in page
    assert "of reactive atoms" not in page.split("Test RMSE")[0]
    csv = pd.read_csv(tmp_path / "csv").query("setting == 'plain'")
    expected = table.loc[table["setting"] == "plain", "test_rmse"] + 0.5
    np.testing.assert_allclose(csv["test_rmse"], expected)
    assert "(as in the study)" not in written(tmp_path, [2]), "no rows where no frame has forces"


def without_forces(frames):
    kind = frames.kind()
    kind.directions = {k: FrameDirections.none(each) for k, each in frames.features.items()}
    kind.slope = np.zeros(0)
    return kind


def written(folder, seeds):
    outputs = {name: str(folder / name) for name in ("csv", "latex", "markdown", "html")}
    params = {"split": "random", "datasets": {"mine": {"title": "Mine"}}}
    write(
        Named(
            input=Named(errors=[folder / f"{k}.csv" for k in seeds]),
            output=Named(outputs),
            params=Named(params, backbones={"net": "Net"}),
        )
    )
    return (folder / "markdown").read_text()
