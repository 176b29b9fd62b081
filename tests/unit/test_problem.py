"""Baseline and residual energies: references, a network's own energies, both, by hand."""

import numpy as np
import pandas as pd
import pytest
from toy import N_ATOMS, toy_features, toy_network_energy, toy_problem

from mekrr.data.references import References
from mekrr.models.problem import Problem

GIVEN = {"Cu": -3.0, "O": -5.0, "H": -1.0}
FORMULAS = ["Cu4", "Cu3O", "Cu2O2", "Cu4", "Cu3O"]
SPLIT = np.array(["train", "train", "train", "val", "test"])


@pytest.fixture
def frames(rng):
    return pd.DataFrame(
        {
            "index": range(5),
            "frame": range(40, 45),
            "n_atoms": 4,
            "formula": FORMULAS,
            "energy": [4 * -3.0, 3 * -3.0 - 7.0, 2 * -3.0 - 2 * 7.0, 1.0, 2.0],
        }
    )


@pytest.fixture
def problem(rng):
    return toy_problem(toy_features(rng))


def test_without_a_rule_all_is_learnt(frames):
    problem = Problem.of(frames, SPLIT, None, "mine")
    np.testing.assert_array_equal(problem.baseline, 0.0)
    np.testing.assert_array_equal(problem.residual, frames["energy"])
    assert problem.references is None


def test_references_are_those_of_the_training_frames(frames):
    problem = Problem.of(frames, SPLIT, "least-squares", "mine")
    expected = [-12.0, -16.0, -20.0, -12.0, -16.0]
    np.testing.assert_allclose(problem.baseline, expected, atol=1e-9)
    np.testing.assert_allclose(problem.residual, frames["energy"] - expected, atol=1e-9)
    later = Problem.of(frames, SPLIT, None, "mine").with_references("least-squares", "mine")
    np.testing.assert_array_equal(later.baseline, problem.baseline)
    assert later.references == problem.references


def test_given_references_are_used_as_they_are(frames):
    problem = Problem.of(frames, SPLIT, GIVEN, "mine")
    np.testing.assert_allclose(problem.baseline, [-12, -14, -16, -12, -14])


def test_a_networks_energies_are_a_baseline_without_references(frames):
    """Whatever was known before, and however sure."""
    known = Problem.of(frames, SPLIT, "mean", "mine")
    energy = np.arange(5)
    problem = known.beyond_network(energy)
    np.testing.assert_array_equal(problem.residual, frames["energy"] - energy)
    assert problem.baseline.dtype == np.float64
    assert problem.references is None
    np.testing.assert_array_equal(problem.std(np.ones(5)), 1.0)


@pytest.mark.parametrize("before", [None, "mean", "least-squares"])
def test_of_delta_learning_references_are_those_of_what_the_network_leaves(frames, before):
    energy = np.array([3.0, -1.0, 0.5, 2.0, 8.0])
    problem = Problem.of(frames, SPLIT, before, "mine").beyond(energy, "least-squares", "mine")
    left = frames["energy"].to_numpy() - energy
    references = References.fit(FORMULAS[:3], left[:3], "least-squares", "mine")
    expected = energy + references.of(FORMULAS, "mine")
    np.testing.assert_allclose(problem.baseline, expected, atol=1e-9)
    np.testing.assert_allclose(problem.residual, frames["energy"] - expected, atol=1e-9)
    np.testing.assert_allclose(
        problem.std(np.full(5, 0.3)), np.hypot(0.3, references.undetermined(FORMULAS))
    )


@pytest.mark.parametrize("rule", ["least-squares", "mean", GIVEN])
def test_the_networks_zero_of_energy_does_not_matter(problem, rng, rule):
    """As its own energies know nothing of the data's zero, another one changes nothing."""
    energy = toy_network_energy(problem, rng)
    first, second = (problem.beyond(energy + shift, rule, "mine") for shift in (0.0, 700.0))
    np.testing.assert_allclose(first.residual, second.residual, rtol=0, atol=1e-6)
    assert np.abs(first.residual).max() < 1.0 < np.abs(problem.energy - energy).min()


def test_energies_per_atom_are_residuals_over_sizes(frames):
    """Twice a training frame is new to a whole frame's energy, and nothing new per atom."""
    twice = frames.assign(
        formula=["Cu3O", "Cu3O", "Cu3O", "Cu3O", "Cu6O2"], n_atoms=[4, 4, 4, 4, 8]
    )
    whole = Problem.of(twice, SPLIT, "none", "mine")
    problem = whole.per_atom()
    np.testing.assert_array_equal(problem.target, twice["energy"] / twice["n_atoms"])
    assert whole.std(np.zeros(5))[4] > 0.0
    np.testing.assert_array_equal(problem.std(np.zeros(5)), 0.0)
    errors = problem.errors(problem.target[3:] + 0.1, np.array([3, 4]))
    np.testing.assert_allclose(errors, 100.0)
    mobile = whole.per_atom(np.array([2, 2, 2, 2, 4]))
    np.testing.assert_array_equal(mobile.target, twice["energy"] / [2, 2, 2, 2, 4])
    np.testing.assert_allclose(mobile.errors(mobile.target[3:] + 0.1, np.array([3, 4])), 50.0)


def test_a_part_is_its_frames_alone(problem, rng):
    whole = problem.beyond(toy_network_energy(problem, rng), "mean", "mine")
    part, members = whole.part("val"), problem.members("val")
    assert part.frames["index"].tolist() == members.tolist()
    assert set(part.split) == {"val"}
    for name in ("energy", "baseline", "residual", "n_atoms"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[members])
    std = np.linspace(0.1, 0.2, len(members))
    every = np.zeros(60)
    every[members] = std
    np.testing.assert_array_equal(part.std(std), whole.std(every)[members])
    assert part.n_atoms.tolist() == [N_ATOMS] * 12


def test_undetermined_references_widen_the_standard_deviations(frames, caplog):
    """Of copper alone, where all training frames are of one composition of copper and oxygen."""
    caplog.set_level("INFO")
    split = np.array(["unused", "train", "unused", "val", "test"])
    problem = Problem.of(frames, split, "least-squares", "mine")
    beyond = problem.references.undetermined(FORMULAS)
    assert beyond[3] > 0.0 == beyond[4]
    np.testing.assert_allclose(problem.std(np.full(5, 0.3)), np.hypot(0.3, beyond))
    (record,) = caplog.records
    assert record.getMessage().startswith("mine: frame 43 of Cu4")
