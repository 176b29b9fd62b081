"""The contract of a model, kept by each: fitted, asked, saved and loaded, it says the same."""

import numpy as np
import pytest
import torch
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled
from small_gap import GAP, without_gap
from small_network import SETTINGS, scratch

from mekrr.data.frames import frame_table
from mekrr.errors import ModelFileError
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.training import training_gram
from mekrr.models.constant import Constant
from mekrr.models.gap import Gap
from mekrr.models.kernel import KernelModel
from mekrr.models.network.fit import NetworkModel
from mekrr.models.network.states import States, write_states
from mekrr.models.problem import Problem

SPLIT = np.repeat(["train", "val", "test"], [6, 3, 3])


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


def features_of(frames):
    """Distances of each atom from the three others, sorted."""
    rows = [np.sort(atoms.get_all_distances(mic=True), axis=1)[:, 1:] for atoms in frames]
    species = np.concatenate([atoms.numbers for atoms in frames])
    return FrameFeatures(np.concatenate(rows), species, 4 * np.arange(len(frames) + 1))


def kernel(frames, folder, alpha=0.3):
    train = np.flatnonzero(SPLIT == "train")
    gram, _ = training_gram(features_of(frames), train, Gaussian(1.0))
    return KernelModel(alpha, 1e-6), gram, KernelModel.load


def kernel_by_species(frames, folder):
    return kernel(frames, folder, {29: 1 / 3, 8: 0.1})


def gap(frames, folder):
    return Gap(GAP, 0, folder / "log"), frames, Gap.load


def network(frames, folder):
    write_states(folder / "states", scratch(), frames, torch.device("cpu"), {})
    model = NetworkModel(scratch(), SETTINGS, 0, folder / "checkpoint")
    return model, States(folder / "states"), lambda path: NetworkModel.load(path, scratch(seed=5))


MODELS = [constant, kernel, kernel_by_species, pytest.param(gap, marks=without_gap), network]


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
        assert ours is None or np.isfinite(ours).all()
    assert fitted[0].shape == problem.residual.shape


def test_residuals_of_training_frames_come_out_on_average(case, problem):
    """Residual energies, not energies: their mean over training frames is 0 by the references."""
    model, inputs, _ = case
    residual, _ = model.fit(problem, inputs).predict(problem, inputs)
    train = problem.members("train")
    assert abs(problem.energy[train].mean()) > 5.0
    assert residual[train].mean() == pytest.approx(problem.residual[train].mean(), abs=1e-2)


@pytest.mark.parametrize("make", MODELS)
def test_test_frames_play_no_part_in_the_fit(make, problem, frames, tmp_path):
    spoiled = problem.frames.copy()
    spoiled.loc[problem.members("test"), "energy"] += 1000.0
    other = Problem.of(spoiled, SPLIT, "mean", "mine")
    found = []
    for name, each in (("first", problem), ("second", other)):
        (tmp_path / name).mkdir()
        model, inputs, _ = make(frames, tmp_path / name)
        found.append(model.fit(each, inputs).predict(each, inputs)[0])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("make", [constant, kernel, kernel_by_species])
def test_damaged_file(make, problem, frames, tmp_path):
    model, inputs, load = make(frames, tmp_path)
    model.fit(problem, inputs).save(tmp_path / "model")
    data = bytearray((tmp_path / "model").read_bytes())
    data[-3] ^= 1
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ModelFileError, match="model: "):
        load(tmp_path / "model")
