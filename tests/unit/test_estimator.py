"""The estimator against explicit algebra and scikit-learn, and its file."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from model_files import as_format_1
from repulsive import SPECIES_ENERGY, Repulsive, energies, frame
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge
from sklearn.model_selection import GridSearchCV, cross_val_score

from mekrr import MEKRR
from mekrr.errors import (
    BackboneError,
    CompositionWarning,
    ConfigError,
    ConstantTargetWarning,
    DataError,
)
from mekrr.features import extract
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, Gaussian
from mekrr.kernels.gram import self_gram, species_gram
from mekrr.metrics import mae, rmse
from mekrr.models.parameters import OF_MEKRR


def test_parameters_in_the_manner_of_sklearn(analytic):
    copy = clone(analytic.set_params(alpha=None, layer=2))
    assert copy.get_params() == analytic.get_params()
    assert (copy.alpha, copy.layer) == (None, 2)
    assert "layer=2" in repr(copy)


def test_importing_the_package_stays_light():
    code = "import sys, mekrr; print({'sklearn', 'ase', 'torch'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_precomputed_kernel_equals_sklearn(rng):
    x = rng.normal(size=(20, 3))
    kernel = np.exp(-0.5 * ((x[:, None] - x) ** 2).sum(axis=2))
    y = np.sin(x).sum(axis=1)
    standard = (y - y.mean()) / y.std()
    peer = SklearnKernelRidge(alpha=1e-4 * 20, kernel="precomputed").fit(kernel, standard)
    model = MEKRR(kernel="precomputed", regularisation=1e-4).fit(kernel, y)
    theirs = y.mean() + y.std() * peer.predict(kernel[:5])
    np.testing.assert_allclose(model.predict(kernel[:5]), theirs, rtol=tol.PEER)
    assert model.score(kernel, y) > 0.99
    # Folds of a precomputed kernel are cut from its rows and columns.
    search = GridSearchCV(MEKRR(kernel="precomputed"), {"regularisation": [1e-6, 1e-2]}, cv=3)
    assert search.fit(kernel, y).best_params_ == {"regularisation": 1e-6}


def test_cross_validation_over_frames(analytic, frames):
    scores = cross_val_score(analytic.set_params(regularisation=1e-6), frames, cv=3)
    assert scores.min() > 0.99  # of total energies: the compositions make most of it


@pytest.mark.parametrize("form", OF_MEKRR.choices["form"])
def test_frames_features_and_kernel_agree(analytic, frames, form):
    """One fit by three ways; features and kernels are of the frames' own making."""
    parameters = {"alpha": 0.3, "regularisation": 1e-4, "form": form}
    size = 4 if form == "extensive" else 1
    of_frames = analytic.set_params(layer=1, **parameters).fit(frames[:16])
    expected = of_frames.predict(frames[16:], return_std=True)
    features, y = _features(of_frames, frames), energies(frames)
    some, rest = features.select(range(16)), features.select(range(16, 24))
    of_features = MEKRR(**parameters).fit(some, y[:16])
    found = of_features.predict(rest, return_std=True)
    np.testing.assert_allclose(found, expected, rtol=tol.PEER)

    def kernel(rows, columns):
        gram = species_gram(rows, columns, Gaussian(of_frames.lengthscale_))
        if form == "extensive":
            gram = gram.per_atom(rows, rows if columns is None else columns)
        return gram.at(0.3)

    reference = of_frames._reference([atoms.numbers for atoms in frames])
    of_kernel = MEKRR(kernel="precomputed", regularisation=1e-4)
    of_kernel.fit(kernel(some, None), (y - reference)[:16] / size)
    energy, std = of_kernel.predict(
        kernel(rest, some), return_std=True, self_kernel=np.diag(kernel(rest, None))
    )
    np.testing.assert_allclose(size * energy + reference[16:], expected[0], rtol=tol.PEER)
    np.testing.assert_allclose(
        size * std, expected[1], rtol=1e-3
    )  # float32 diagonal less nearly as much


def _features(model, frames):
    """Features of the model's layer; all frames have four atoms."""
    pointer = np.arange(0, 4 * len(frames) + 1, 4)
    parts = [
        model._backbone.forward(model._backbone.graph([atoms])).layers[model.layer_]
        for atoms in frames
    ]
    species = np.concatenate([atoms.numbers for atoms in frames])
    return FrameFeatures(torch.cat(parts).float().numpy(), species, pointer)


@pytest.mark.parametrize(
    ("form", "column", "summary", "words"),
    [
        ("intensive", "leave_one_out_rmse", rmse, "leave-one-out errors"),
        ("extensive", "leave_one_out_mae", mae, "mean leave-one-out errors"),
    ],
)
def test_choice_by_leave_one_out(analytic, frames, form, column, summary, words):
    """The errors reported are those of explicit refits, and none of the grid is smaller."""
    model = analytic.set_params(alpha=None, form=form).fit(frames)
    sweep = model.sweep_
    assert len(sweep) == 2 * 21 * 9
    best = sweep.loc[sweep[column].idxmin()]
    chosen = (model.layer_, model.alpha_, model.regularisation_)
    assert chosen == tuple(best[["layer", "alpha", "regularisation"]])
    assert model.criterion_ == words
    assert summary(model.leave_one_out_) == pytest.approx(best[column])

    gram = species_gram(model.train_, None, Gaussian(model.lengthscale_))
    if form == "extensive":
        gram = gram.per_atom(model.train_, model.train_)
    kernel = gram.at(model.alpha_)
    target = energies(frames) - model._reference([atoms.numbers for atoms in frames])
    standard = (target - target.mean()) / target.std()
    for i in (0, 7):
        others = np.arange(len(frames)) != i
        shift = model.regularisation_ * len(frames) * np.eye(len(frames) - 1)
        c = np.linalg.solve(kernel[np.ix_(others, others)] + shift, standard[others])
        error = target.std() * (kernel[i, others] @ c - standard[i])
        assert model.leave_one_out_[i] == pytest.approx(1000 * error / 4, abs=1e-4)


def test_choice_on_validation_frames(analytic, frames):
    validation = [1, 5, 20]
    model = analytic.fit(frames, validation=validation)
    assert model.criterion_ == "3 validation frames"
    assert len(model.train_) == len(frames) - 3
    left_out = [frames[index] for index in validation]
    errors = 1000 * (model.predict(left_out) - energies(left_out)) / 4
    assert rmse(errors) == pytest.approx(model.sweep_["rmse"].min(), rel=1e-4)


def test_learns(analytic, rng):
    frames = [frame(rng, "Cu4") for _ in range(40)]
    model = analytic.set_params(alpha=None).fit(frames[:30])
    predicted, std = model.predict(frames[30:], return_std=True)
    errors = predicted - energies(frames[30:])
    assert rmse(errors) < 0.2 * np.std(energies(frames))
    assert np.abs(errors / std).max() < 4


def test_std_grows_away_from_training(analytic, frames, rng):
    model = analytic.fit(frames)
    near, far = frame(rng, "Cu4", 0.1), frame(rng, "Cu4", 0.4)
    _, std = model.predict([near, far], return_std=True)
    assert std[1] > 3 * std[0]


def test_new_composition_has_its_reference(analytic, frames, rng):
    model = analytic.fit(frames)
    new = frame(rng, "Cu2O2")
    assert model.references_ == pytest.approx(SPECIES_ENERGY, abs=5.0)
    assert model.predict([new])[0] == pytest.approx(energies([new])[0], abs=10.0)


def slabs(rng, symbols="Cu3O", n=8):
    return [frame(rng, symbols) for _ in range(n)]


def test_unseen_composition_widens_and_warns(analytic, rng, tmp_path):
    """Also after loading, of a file before there was a record of compositions too."""
    model = analytic.set_params(layer=1, alpha=0.1).fit(slabs(rng, "Cu2O2"))
    known, new = frame(rng, "Cu2O2"), frame(rng, "Cu4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict([known])
    model.save(tmp_path / "new")
    as_format_1(tmp_path / "new", tmp_path / "old")
    loaded = (MEKRR.load(tmp_path / name, analytic.registry) for name in ("new", "old"))
    for one in (model, *loaded):
        with pytest.warns(CompositionWarning, match=r"^frame 1 of Cu4: .* Cu and O cannot be told"):
            energy, std = one.predict([known, new], return_std=True)
        error = np.abs(energy - energies([known, new]))
        assert std[0] < 50.0
        assert 0.1 < error[1] / std[1] < 5.0
        assert error[1] > 100.0


def alone(symbol):
    atoms = Atoms(symbol, cell=[20.0] * 3, pbc=True, info={"config_type": "IsolatedAtom"})
    atoms.calc = SinglePointCalculator(atoms, energy=SPECIES_ENERGY[symbol])
    return atoms


def test_isolated_atoms_are_references_and_not_fitted(analytic, rng):
    known, new = slabs(rng), frame(rng, "Cu4")
    model = clone(analytic).fit([alone("Cu"), *known, alone("O")], validation=[1, 2])
    plain = clone(analytic).fit(known, validation=[0, 1])
    assert model.train_.pointer.tolist() == plain.train_.pointer.tolist()
    assert model.criterion_ == "2 validation frames"
    np.testing.assert_allclose(model.predict(known), plain.predict(known), rtol=0, atol=1e-6)
    with pytest.warns(CompositionWarning):
        energy, std = model.predict([new], return_std=True)
    assert abs(energy[0] - energies([new])[0]) < 2.0
    assert std[0] < 10.0
    given = clone(analytic).set_params(reference_energy="isolated-atoms")
    given.fit([alone("Cu"), *known, alone("O")])
    assert given.references_ == SPECIES_ENERGY


def test_one_frame_is_refused_and_constant_energies_are_told(analytic, rng):
    known = slabs(rng)
    with pytest.raises(DataError, match="one training frame: nothing can be learnt"):
        analytic.fit(known[:1])
    with pytest.raises(DataError, match="all 4 training frames are alike"):
        analytic.fit(known[:1] * 4)
    with pytest.warns(ConstantTargetWarning, match="all 8 training energies are the same"):
        analytic.fit(known, np.full(8, -4000.0))
    energy, std = analytic.predict(known, return_std=True)
    np.testing.assert_allclose(energy, -4000.0)
    assert np.isinf(std).all()


@pytest.mark.filterwarnings("ignore::mekrr.errors.ConstantTargetWarning")  # nothing is left
def test_delta_learns_what_the_network_leaves(analytic, frames, rng):
    """Here the network leaves nothing but the species' energies, even far from training."""
    far = [frame(rng, "Cu3O", 0.4) for _ in range(4)]
    model = analytic.set_params(backbone="repulsive", target="delta").fit(frames)
    assert model.references_ == pytest.approx(SPECIES_ENERGY, abs=1e-5)
    np.testing.assert_allclose(model.predict(far), energies(far), rtol=0, atol=1e-4)
    plain = analytic.set_params(target="energy").fit(frames)
    assert np.abs(plain.predict(far) - energies(far)).max() > 0.1


@pytest.mark.parametrize("kernel", [kernel(2.0) for kernel in KERNELS.values()])
def test_self_kernel_is_the_diagonal(ragged, kernel):
    gram = species_gram(ragged, None, kernel, dtype=np.float64)
    for alpha in (0.0, 0.4, 1.0):
        expected = np.diag(gram.at(alpha))
        found = self_gram(ragged, kernel).at(alpha)
        np.testing.assert_allclose(found, expected, rtol=1e-7)  # Matérn: √ of rounding


@pytest.mark.filterwarnings("ignore::mekrr.errors.ConstantTargetWarning")  # nothing is left
@pytest.mark.parametrize("kernel", ["gaussian", "matern3", "matern5", "linear"])
@pytest.mark.parametrize("target", ["energy", "delta"])
def test_saved_model_predicts_the_same(analytic, frames, tmp_path, kernel, target):
    path = tmp_path / "model.safetensors"
    analytic.set_params(backbone="repulsive", layer=1, kernel=kernel, target=target, alpha=0.1)
    model = analytic.fit(frames[:12])
    model.save(path)
    again = MEKRR.load(path, registry=model.registry)
    new = [atoms.copy() for atoms in frames[12:]]  # without energies
    for one, other in zip(
        model.predict(new, return_std=True), again.predict(new, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.leave_one_out_, model.leave_one_out_)
    assert again.references_ == model.references_
    assert again.get_params() == model.get_params()


def test_saved_model_with_alpha_by_species(ragged, tmp_path, rng):
    model = MEKRR(alpha="by-species", regularisation=1e-3)
    model.fit(ragged, rng.normal(size=len(ragged))).save(tmp_path / "m")
    again = MEKRR.load(tmp_path / "m")
    assert again.alpha_ == model.alpha_
    np.testing.assert_array_equal(again.predict(ragged), model.predict(ragged))


@pytest.mark.parametrize("regularisation", [1e-3, None])
def test_a_precomputed_kernel_has_no_alpha(regularisation, rng):
    x, y = rng.normal(size=(10, 12)), rng.normal(size=10)
    model = MEKRR(kernel="precomputed", regularisation=regularisation)
    expected = model.fit(x @ x.T, y).predict(x @ x.T)
    found = model.set_params(alpha="by-species").fit(x @ x.T, y)
    assert found.alpha_ is None
    np.testing.assert_array_equal(found.predict(x @ x.T), expected)


def test_saved_model_of_a_kernel(tmp_path, rng):
    x = rng.normal(size=(10, 12))
    model = MEKRR(kernel="precomputed").fit(x @ x.T, x[:, 0])
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(
        MEKRR.load(tmp_path / "m").predict(x @ x.T), model.predict(x @ x.T)
    )


@pytest.fixture
def saved(analytic, frames, tmp_path):
    path = tmp_path / "model.safetensors"
    analytic.set_params(backbone="repulsive", layer=1, regularisation=1e-6).fit(frames).save(path)
    return path


def test_other_weights_are_refused(saved, frames, registry, monkeypatch):
    monkeypatch.setattr(Repulsive, "weights_sha256", "another")
    with pytest.raises(BackboneError, match=r"weights_sha256 is another, .* fitted with one"):
        MEKRR.load(saved, registry=registry).predict(frames)


def test_registry_is_the_callers_alone(saved, frames, registry, tmp_path):
    """The path of that of the fit is not even kept."""
    with pytest.raises(BackboneError, match=r"'repulsive' is none of .*; give that of the fit"):
        MEKRR.load(saved).predict(frames)
    assert str(registry).encode() not in saved.read_bytes()
    with pytest.raises(ConfigError, match=r"moved\.yaml: cannot be read"):
        MEKRR.load(saved, registry=tmp_path / "moved.yaml").predict(frames)
    assert len(MEKRR.load(saved, registry=registry).predict(frames)) == len(frames)


def test_only_selected_atoms_enter_the_kernel(analytic, frames):
    model = analytic.set_params(atoms={"species": ["Cu"]}).fit(frames)
    assert set(model.train_.species) == {29}
    assert len(model.predict(frames)) == len(frames)


@pytest.mark.filterwarnings("ignore::mekrr.errors.ConstantTargetWarning")  # nothing is left
def test_threads_reach_the_network(analytic, frames, monkeypatch):
    seen = []
    monkeypatch.setattr(
        extract, "selected", lambda *_: seen.append(torch.get_num_threads()) or np.ones(4, bool)
    )
    analytic.set_params(threads=2).fit(frames[:2])
    assert seen == [2, 2]
