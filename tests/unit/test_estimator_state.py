"""What a fitted estimator keeps: through new parameters, fits that fail, copies and forks."""

import pickle
import subprocess
import sys
import warnings
from copy import deepcopy

import numpy as np
import pytest
import torch
from repulsive import SPECIES_ENERGY, energies
from sklearn.base import clone

from mekrr import MEKRR
from mekrr.cli.printing import summary
from mekrr.data.units import HARTREE
from mekrr.errors import ConfigError, DataError, DataWarning
from mekrr.models import mekrr as estimator

OTHERS = {
    "backbone": "analytic",
    "layer": 2,
    "alpha": 0.9,
    "regularisation": 1.0,
    "lengthscale": 3.0,
    "kernel": "precomputed",
    "target": "energy",
    "reference_energy": "none",
    "atoms": {"species": ["Cu"]},
    "threads": 2,
}


@pytest.fixture
def delta(registry):
    """A model of what a network with an energy of its own leaves."""
    return MEKRR("repulsive", layer=1, regularisation=1e-6, target="delta", registry=registry)


@pytest.fixture
def y(frames, rng):
    """Energies with noise, which no network explains."""
    return energies(frames) + 0.001 * rng.normal(size=len(frames))


def same_model(one, other, frames):
    for a, b in zip(
        one.predict(frames, return_std=True), other.predict(frames, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_predictions_and_files_go_by_the_fit(delta, frames, y, tmp_path):
    model, untouched = delta.fit(frames, y), deepcopy(delta)
    untouched.save(tmp_path / "expected")
    same_model(model.set_params(**OTHERS), untouched, frames[:5])
    assert model.score(frames[:5]) == untouched.score(frames[:5])
    model.save(tmp_path / "found")
    assert (tmp_path / "found").read_bytes() == (tmp_path / "expected").read_bytes()
    assert summary(model) == summary(untouched)
    with pytest.raises(ConfigError, match="threads=0"):
        model.set_params(threads=0).predict(frames)


def test_a_parameter_changed_in_place_changes_no_fit(analytic, frames):
    given = dict(SPECIES_ENERGY)
    model = analytic.set_params(layer=1, regularisation=1e-6, reference_energy=given).fit(frames)
    before = model.predict(frames)
    given["Cu"] = 0.0
    np.testing.assert_array_equal(model.predict(frames), before)
    assert model.parameters_["reference_energy"] == SPECIES_ENERGY


@pytest.mark.parametrize("place", ["take", "candidates_of", "RidgePath"])
def test_a_fit_that_fails_leaves_the_model_before(analytic, frames, monkeypatch, place):
    model = analytic.set_params(layer=1, regularisation=1e-6).fit(frames)
    before, attributes = deepcopy(model), dict(vars(model))

    def failing(*_arguments, **_options):
        raise DataError("no luck")

    model.set_params(backbone="repulsive", layer=2)
    with monkeypatch.context() as patch:
        patch.setattr(estimator, place, failing)
        with pytest.raises(DataError, match="no luck"):
            model.fit(frames[:6])
    assert vars(model) == attributes | {"backbone": "repulsive", "layer": 2}
    same_model(model, before, frames)


def test_a_new_fit_keeps_nothing_of_the_one_before(analytic, frames, ragged):
    y = np.arange(6.0)
    parameters = {"layer": 1, "regularisation": 1e-6, "lengthscale": 1.0}
    model = analytic.set_params(**parameters).fit(frames)
    assert not hasattr(model, "n_features_in_")
    fresh = clone(model).fit(ragged, y)
    same_model(model.fit(ragged, y), fresh, ragged)
    assert model.n_features_in_ == 12
    assert model.backbone_ is None
    kernel = np.diag(np.arange(1.0, 4.0))
    model.set_params(kernel="precomputed").fit(kernel, np.arange(3.0))
    assert (model.n_features_in_, model.train_, model.references_) == (3, None, None)


def test_copies_open_the_backbone_anew(delta, frames, y):
    model = delta.fit(frames, y)
    pickled = pickle.dumps(model)
    assert b"Repulsive" not in pickled
    for copy in (pickle.loads(pickled), deepcopy(model)):
        assert copy.get_params() == model.get_params()
        same_model(copy, model, frames)


def test_the_callers_settings_of_torch(analytic, frames):
    """See test_torch_settings for each of them."""
    expected = clone(analytic).fit(frames).predict(frames)
    before = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
            found = analytic.fit(frames).predict(frames)
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_num_threads() == before
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("target", ["energy", "delta"])
def test_energies_in_another_unit_are_doubted(delta, frames, y, target):
    model = delta.set_params(target=target)
    with pytest.warns(DataWarning, match=r"as if they were in Hartree, not eV; .* by 27\.2114"):
        model.fit(frames, y / HARTREE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        model.fit(frames, y)


FORK = """
import os, sys
import numpy as np
import yaml
from ase.build import bulk
from mekrr import MEKRR

def child_agrees(model, X):
    expected = model.predict(X)
    if (pid := os.fork()) == 0:
        os._exit(0 if np.array_equal(model.predict(X), expected) else 3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

frames = [bulk("Cu", cubic=True).repeat(4) for _ in range(2)]
for seed, atoms in enumerate(frames):
    atoms.rattle(0.1, seed=seed)
model = MEKRR("analytic", layer=1, regularisation=1e-6, registry=sys.argv[1], threads=2)
model.fit(frames, np.arange(2.0))
features = MEKRR(regularisation=1e-6, threads=2).fit(model.train_, np.arange(2.0))
print(child_agrees(model, frames), child_agrees(features, model.train_))
"""


def test_a_fork_after_a_fit_predicts(registry):
    """Where torch has had two threads: a child with as many would wait for one without end."""
    registry.write_text("backbones: {analytic: {family: analytic, layers: [1, 2]}}")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, registry],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.stdout.split() == ["0", "0"], run.stderr
