"""The contract of a model, kept by each: fitted, asked, saved and loaded, it says the same."""

import importlib.util

import numpy as np
import pytest
import torch
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled
from small_network import SETTINGS, scratch

from mekrr.data.frames import frame_table
from mekrr.errors import ModelFileError
from mekrr.models.constant import Constant
from mekrr.models.gap import Gap
from mekrr.models.network.fit import NetworkModel
from mekrr.models.network.states import States, write_states
from mekrr.models.problem import Problem

SPLIT = np.repeat(["train", "val", "test"], [6, 3, 3])
GAP = {
    "n_max": 3,
    "l_max": 2,
    "cutoff": 4.0,
    "cutoff_transition_width": 1.0,
    "atom_sigma": 0.5,
    "zeta": 2,
    "delta": 0.2,
    "n_sparse": 10,
    "sparse_method": "random",
    "default_sigma": 0.001,
}
without_gap = pytest.mark.skipif(
    importlib.util.find_spec("quippy") is None, reason="no wheel of quippy-ase for this platform"
)


@pytest.fixture
def frames():
    frames = labelled(12)
    for k, atoms in enumerate(frames):
        atoms.calc = SinglePointCalculator(atoms, energy=EMT().get_potential_energy(atoms) - 10)
        atoms.info |= {"frame": k}
    return frames


@pytest.fixture
def problem(frames):
    return Problem.of(frame_table(frames), SPLIT, "mean", "mine")


def constant(frames, folder):
    return Constant(), None, Constant.load


def gap(frames, folder):
    return Gap(GAP, 0, folder / "log"), frames, Gap.load


def network(frames, folder):
    write_states(folder / "states", scratch(), frames, torch.device("cpu"), {})
    model = NetworkModel(scratch(), SETTINGS, 0, folder / "checkpoint")
    return model, States(folder / "states"), lambda path: NetworkModel.load(path, scratch(seed=5))


MODELS = [constant, pytest.param(gap, marks=without_gap), network]


@pytest.fixture(params=MODELS)
def case(request, frames, tmp_path):
    """A model before its fit, what it needs of the frames, and what reads its file."""
    return request.param(frames, tmp_path)


def test_loaded_model_says_what_the_fitted_one_says(case, problem, tmp_path):
    model, inputs, load = case
    assert model.fit(problem, inputs) is model
    fitted = model.predict(problem, inputs)
    assert isinstance(fitted, tuple)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model").predict(problem, inputs)
    for ours, theirs in zip(loaded, fitted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert fitted[0].shape == problem.residual.shape


def test_residuals_of_training_frames_come_out_on_average(case, problem):
    """Residual energies, not energies: their mean over training frames is 0 by the references."""
    model, inputs, _ = case
    residual, _ = model.fit(problem, inputs).predict(problem, inputs)
    train = problem.members("train")
    assert abs(problem.energy[train].mean()) > 5.0
    assert residual[train].mean() == pytest.approx(problem.residual[train].mean(), abs=1e-2)


def test_test_frames_play_no_part_in_the_fit(case, problem, frames, tmp_path):
    model, inputs, _ = case
    spoiled = problem.frames.copy()
    spoiled.loc[problem.members("test"), "energy"] += 1000.0
    other = Problem.of(spoiled, SPLIT, "mean", "mine")
    first, _ = model.fit(problem, inputs).predict(problem, inputs)
    (tmp_path / "again").mkdir()
    again = {Constant: constant, Gap: gap, NetworkModel: network}[type(model)]
    model, inputs, _ = again(frames, tmp_path / "again")
    second, _ = model.fit(other, inputs).predict(other, inputs)
    np.testing.assert_array_equal(first, second)


def test_constant_of_a_damaged_file(problem, tmp_path):
    Constant().fit(problem).save(tmp_path / "model")
    data = bytearray((tmp_path / "model").read_bytes())
    data[-3] ^= 1
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ModelFileError, match="model: "):
        Constant.load(tmp_path / "model")
