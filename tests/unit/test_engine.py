"""One engine: the estimator and the study fit the same methods to the same energies and choices."""

import numpy as np
import pandas as pd
import pytest
import tolerances as tol
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols
from repulsive import energies, frame
from sklearn.linear_model import Ridge

from mekrr import MEKRR
from mekrr.data.references import with_isolated
from mekrr.features.store import FrameFeatures
from mekrr.kernels import training
from mekrr.kernels.atom import Gaussian, Linear
from mekrr.kernels.lengthscale import find_lengthscale
from mekrr.kernels.training import training_gram
from mekrr.models import candidates
from mekrr.models.problem import Problem
from mekrr.models.select import alpha_grid
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels, read_alpha
from mekrr.study.methods import GRID, METHODS

KERNEL_METHODS = [name for name, method in METHODS.items() if method.kind == "kernel"]
RULES = ("least-squares", "mean", "none", "isolated-atoms", {"Cu": -1300.05, "O": -430.1})
ISOLATED = {"Cu": -1298.5, "O": -427.0}  # eV
SAME = 1e-6  # eV
ALPHAS = alpha_grid(1e-3, 9)
LAMBDAS = np.geomspace(1e-9, 1e-3, 7)


def frames_for(rule, rng):
    """Frames with an energy that is not only the network's.

    Of two compositions where a rule tells them apart: float32 kernels leave nothing exact of
    energies that differ by hundreds of eV.
    """
    first = "Cu3O" if rule in ("mean", "none") else "Cu4"
    made = [frame(rng, "Cu3O" if k % 2 else first) for k in range(40)]
    for atoms in made:
        shortest = np.sort(atoms.get_all_distances(mic=True).ravel())[len(atoms)]
        atoms.calc.results["energy"] += 0.3 * np.sin(3.0 * shortest)
    return made


def as_estimator(method, rule, registry):
    """The estimator's parameters for a method of the study."""
    alpha = "by-species" if method.by_species else method.alpha
    return MEKRR(
        "repulsive",
        kernel=method.kernel,
        alpha=alpha if method.alpha is not GRID or method.by_species else None,
        form=method.form,
        target="delta" if method.baseline == "delta" else "energy",
        reference_energy=rule,
        registry=registry,
    )


def isolated():
    """Frames of one atom each, for references alone."""
    for symbol, energy in ISOLATED.items():
        atoms = Atoms(symbol, cell=[12.0] * 3, pbc=True, info={"config_type": "IsolatedAtom"})
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        yield atoms


def table_of(frames):
    formulas = [atoms.get_chemical_formula() for atoms in frames]
    numbers = {"index": range(len(frames)), "frame": range(len(frames)), "n_atoms": 4}
    table = pd.DataFrame(numbers | {"formula": formulas, "energy": energies(frames)})
    return with_isolated(table, ISOLATED)


def study_fit(name, rule, split, frames, model):
    """The study's fit of a method, on the features that the estimator sees."""
    method, table = METHODS[name], table_of(frames)
    problem = Problem.of(table, split, rule, "frames")
    layers, network = model._features(frames, [1, 2], energy=True)
    problems = {
        "references": problem,
        "delta": problem.beyond(network, rule, "frames"),
    }
    train, grams = problem.members("train"), {}
    for layer, features in layers.items():
        kernel = Linear()
        if method.kernel != "linear":
            kernel = Gaussian(find_lengthscale(features, train, "median"))
        grams[layer], _ = training_gram(features, train, kernel)
    grid = Grid(ALPHAS, LAMBDAS)
    return fit_kernels(problems, grams, [METHODS[name]], grid, "repulsive", frames=layers[1])


def in_float64(gram):
    return lambda *frames, **options: gram(*frames, **options | {"dtype": np.float64})


@pytest.mark.filterwarnings("ignore::mekrr.errors.IsolatedAtomWarning")
@pytest.mark.parametrize("rule", RULES, ids=["least-squares", "mean", "none", "isolated", "given"])
@pytest.mark.parametrize("name", KERNEL_METHODS)
def test_estimator_and_study_agree(name, rule, rng, registry, monkeypatch):
    monkeypatch.setattr(candidates, "ALPHAS", ALPHAS)
    monkeypatch.setattr(candidates, "REGULARISATIONS", LAMBDAS)
    for function in ("train_gram", "species_gram"):  # rounding in float32 is heard at small λ
        monkeypatch.setattr(training, function, in_float64(getattr(training, function)))
    method, frames = METHODS[name], frames_for(rule, rng)
    split = np.repeat(["train", "val", "test"], [24, 8, 8]).astype(object)
    known, test = frames[:32], frames[32:]
    model = as_estimator(method, rule, registry)
    if method.criterion == "leave-one-out":
        model.fit([*frames[:24], *isolated()])
    else:
        model.fit([*known, *isolated()], validation=range(24, 32))
    fit = study_fit(name, rule, split, frames, model)
    choice = fit.choices.query("chosen").iloc[0]
    assert model.layer_ == choice["layer"]
    assert model.regularisation_ == choice["regularisation"]
    alpha = read_alpha(choice)
    if method.by_species:
        alpha = {chemical_symbols[z]: value for z, value in alpha.items()}
        assert model.alpha_ == alpha
    else:
        assert model.alpha_ == alpha
    rows = fit.predictions
    rows = rows[(rows["split"] == "test") & (rows["layer"] == choice["layer"])]
    energy, std = model.predict(test, return_std=True)
    np.testing.assert_allclose(energy, rows["energy_pred"], rtol=0, atol=SAME)
    np.testing.assert_allclose(std, rows["energy_std"], rtol=1e-3, atol=SAME)


def test_linear_kernel_is_ridge_regression_with_an_intercept(rng):
    """On mean features, λ in units of their mean variance; scikit-learn's is the oracle."""
    features = rng.normal(size=(160, 3)) + 5.0
    frames = FrameFeatures(features, np.tile([29, 29, 8, 1], 40), np.arange(41) * 4)
    means = features.reshape(40, 4, 3).mean(axis=1)
    energy = means @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=40)
    parameters = {"kernel": "linear", "regularisation": 1e-2, "reference_energy": "none"}
    model = MEKRR(**parameters).fit([frames], energy)
    spread = np.mean(np.sum((means - means.mean(axis=0)) ** 2, axis=1))
    peer = Ridge(alpha=1e-2 * 40 * spread).fit(means, energy)
    np.testing.assert_allclose(model.predict(frames), peer.predict(means), rtol=tol.PEER)


def test_ridge_by_species_is_that_of_their_means_side_by_side(rng):
    features = rng.normal(size=(160, 3)) + 5.0
    frames = FrameFeatures(features, np.tile([29, 29, 8, 1], 40), np.arange(41) * 4)
    atoms = features.reshape(40, 4, 3)
    means = np.concatenate([atoms[:, :2].mean(axis=1), atoms[:, 2], atoms[:, 3]], axis=1)
    energy = means @ rng.normal(size=9)
    parameters = {"kernel": "linear", "alpha": 1.0, "regularisation": 1e-3, "form": "intensive"}
    model = MEKRR(**parameters, reference_energy="none").fit([frames], energy)
    spread = np.mean(np.sum((means - means.mean(axis=0)) ** 2, axis=1))
    peer = Ridge(alpha=1e-3 * 40 * spread).fit(means, energy)
    np.testing.assert_allclose(model.predict(frames), peer.predict(means), rtol=tol.PEER)


def test_given_energies_are_not_those_of_what_a_network_leaves(rng, registry):
    """They have the data's zero: least squares stand in for them."""
    frames = frames_for("least-squares", rng)
    parameters = {"target": "delta", "registry": registry, "regularisation": 1e-6, "layer": 1}
    given = MEKRR("repulsive", reference_energy={"Cu": -3.5, "O": -4.9}, **parameters).fit(frames)
    fitted = MEKRR("repulsive", **parameters).fit(frames)
    np.testing.assert_allclose(given.predict(frames), fitted.predict(frames), rtol=0, atol=1e-9)
    assert given.references_ == fitted.references_
