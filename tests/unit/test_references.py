"""Reference energies: exact where the energies are those of the composition."""

import numpy as np
import pytest
import tolerances as tol

from mekrr.data.references import References
from mekrr.errors import DataError

FORMULAS = ["Fe45N2", "Fe72N2", "Fe45", "Fe45N", "Fe45N2H"]
PER_SPECIES = {"Fe": -8.314159, "N": -9.271828, "H": -1.141421}
COUNTS = np.array([[45, 2, 0], [72, 2, 0], [45, 0, 0], [45, 1, 0], [45, 2, 1]])
ENERGY = COUNTS @ np.array(list(PER_SPECIES.values()))
ALL = np.arange(5)


def reference_energies(formulas, energy, train, rule, source):
    """Of all frames, fitted on some."""
    of_training = [formulas[index] for index in train]
    references = References.fit(of_training, energy[train], rule, source)
    return references.of(formulas, source)


def test_least_squares_recovers_composition_energies():
    train = np.array([0, 1, 2, 4])  # the fourth frame is predicted
    reference = reference_energies(FORMULAS, ENERGY, train, "least-squares", "d")
    np.testing.assert_allclose(reference, ENERGY, rtol=0, atol=tol.REFERENCE)


def test_given_energies_are_used_as_they_are():
    reference = reference_energies(FORMULAS, np.zeros(5), ALL, PER_SPECIES, "d")
    np.testing.assert_allclose(reference, ENERGY, rtol=0, atol=tol.REFERENCE)


def test_one_composition_gives_the_mean(rng):
    energy = -600.0 + rng.normal(size=8)
    train = np.arange(5)
    for rule in ("least-squares", "mean"):
        reference = reference_energies(["Fe45N2"] * 8, energy, train, rule, "d")
        np.testing.assert_allclose(reference, energy[:5].mean(), rtol=0, atol=tol.REFERENCE)


def test_none_is_zero():
    assert not reference_energies(FORMULAS, ENERGY, ALL, "none", "d").any()


def test_only_training_energies_count():
    spoiled = ENERGY.copy()
    spoiled[3] = 1e6
    train = np.array([0, 1, 2, 4])
    for rule in ("least-squares", "mean"):
        np.testing.assert_array_equal(
            reference_energies(FORMULAS, spoiled, train, rule, "d"),
            reference_energies(FORMULAS, ENERGY, train, rule, "d"),
        )


def test_species_without_reference_is_named():
    with pytest.raises(DataError, match=r"^d: species H in no training frame; set `ref"):
        reference_energies(FORMULAS, ENERGY, np.arange(4), "least-squares", "d")
    with pytest.raises(DataError, match=r"^d: species H, N without energy in `ref"):
        reference_energies(FORMULAS, ENERGY, ALL, {"Fe": -8.0}, "d")
