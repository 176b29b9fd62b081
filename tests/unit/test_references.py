"""Reference energies: exact where the energies are those of the composition."""

import argparse
from itertools import product

import numpy as np
import pandas as pd
import pytest
import tolerances as tol
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.calculators.emt import EMT

from mekrr.cli.arguments import reference_rule
from mekrr.data.references import (
    References,
    isolated_of,
    separate_isolated,
    warn_of_isolated,
    with_isolated,
)
from mekrr.errors import ConfigError, DataError, IsolatedAtomWarning

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


def emt(atoms):
    atoms = atoms.copy()
    atoms.calc = EMT()
    return atoms.get_potential_energy()


ATOMS = {s: emt(Atoms(s, cell=[20.0] * 3, pbc=True)) for s in ("Cu", "Ni", "C", "H", "O")}
TOTAL = {"Cu": -1305.0, "Ni": -1540.0, "C": -155.0, "H": -13.6, "O": -432.0}  # as of DFT, eV
ZEROS = {"isolated atoms": dict.fromkeys(ATOMS, 0.0), "total": TOTAL}


def energy(atoms, zero):
    """Of EMT, counted from another energy of isolated atoms."""
    return emt(atoms) + sum(zero[s] - ATOMS[s] for s in atoms.symbols)


def alloy(nickel):
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.symbols[:nickel] = "Ni"
    return atoms


def formate():
    """A slab with formate, the slab alone, and formate alone."""
    alone = molecule("HCOOH")
    del alone[[atom.index for atom in alone if atom.symbol == "H"][1:]]
    slab = fcc111("Cu", (4, 4, 3), vacuum=8.0)
    both = slab.copy()
    add_adsorbate(both, alone, 2.0, position=(3, 3))
    alone.set_cell([15.0] * 3)
    return both, slab, alone


def vacancy(atoms):
    return atoms[[k for k in range(len(atoms)) if k != 5]]


BOTH, SLAB, ALONE = formate()
UNSEEN = {
    "vacancy": (BOTH, vacancy(BOTH)),
    "clean slab": (BOTH, SLAB),
    "molecule": (BOTH, ALONE),
    "more nickel": (alloy(8), alloy(16)),
    "copper": (alloy(8), alloy(0)),
}


@pytest.mark.parametrize("zero", ZEROS.values(), ids=ZEROS)
@pytest.mark.parametrize(
    ("rule", "with_atoms"),
    [*product(["least-squares", "mean", "none"], [True, False]), ("isolated-atoms", True)],
)
def test_undetermined_compositions_against_the_truth(zero, rule, with_atoms, rng):
    """Errors of one composition's fit elsewhere are of the size that is stated."""
    ratios = []
    for known, new in UNSEEN.values():
        energies = []
        for _ in range(3):
            moved = known.copy()
            moved.positions += 0.03 * rng.normal(size=moved.positions.shape)
            energies.append(energy(moved, zero))
        formulas = [known.get_chemical_formula()] * 3
        isolated = zero if with_atoms else None
        references = References.fit(formulas, np.array(energies), rule, "d", isolated)
        rest = np.mean(energies - references.of(formulas, "d"))  # what a fit adds for all frames
        unseen = [new.get_chemical_formula()]
        error = references.of(unseen, "d")[0] + rest - energy(new, zero)
        ratios.append(error / references.undetermined(unseen)[0])
        assert not references.undetermined(formulas).any()
    assert 0.2 < np.sqrt(np.mean(np.square(ratios))) < 3.0
    assert np.abs(ratios).max() < 5.0


@pytest.mark.parametrize("case", UNSEEN)
def test_isolated_atoms_mend_least_squares(case):
    known, new = UNSEEN[case]
    formulas, unseen = [known.get_chemical_formula()], [new.get_chemical_formula()]
    wrong = []
    for isolated in (None, TOTAL):
        given = np.array([energy(known, TOTAL)])
        references = References.fit(formulas, given, "least-squares", "d", isolated)
        assert references.of(formulas, "d")[0] == pytest.approx(given[0], abs=1e-8)
        wrong.append(abs(references.of(unseen, "d")[0] - energy(new, TOTAL)))
    assert wrong[1] < 0.05 * wrong[0]


def test_multiples_and_mixtures_of_known_compositions_are_determined():
    references = References.fit(["CuNi3", "Cu3Ni"], np.array([-10.0, -9.0]), "least-squares", "d")
    assert not references.undetermined(["CuNi3", "Cu2Ni6", "Cu40", "Ni", "Cu5Ni7"]).any()
    assert references.doubt(["Cu40"], [0]) is None
    one = References.fit(["Fe45N2"], np.array([-400.0]), "least-squares", "d")
    assert not one.undetermined(["Fe90N4"]).any()


def test_undetermined_of_one_composition_by_hand():
    """Least norm is E c / |c|²; τ = |E| / |c|, and (72, 2) is 1.2 beyond the line of (45, 2)."""
    references = References.fit(["Fe45N2"], np.array([-400.0]), "least-squares", "d")
    beyond = abs(72 * 2 - 2 * 45) / np.hypot(45, 2)
    expected = 400.0 / np.hypot(45, 2) * beyond
    assert references.undetermined(["Fe72N2"])[0] == pytest.approx(expected, rel=1e-9)


def test_rules_that_leave_nothing_to_the_composition():
    """Given energies that are right leave the fit the same for all compositions."""
    references = References.fit(FORMULAS, ENERGY, PER_SPECIES, "d")
    assert references.undetermined(["Fe200N9H7"])[0] < 1e-9


def test_doubt_names_frames_species_and_remedies():
    formulas = ["CCu48HO2", "CCu48HO2"]
    references = References.fit(formulas, np.array([-9.0, -9.1]), "least-squares", "d")
    text = references.doubt(["CCu48HO2", "Cu48", "CCu47HO2"], [10, 11, 12])
    assert text.startswith("frames 11, 12 of Cu48, C1 Cu47 H1 O2: ")
    assert "C, Cu, H and O cannot be told apart (only as C1 Cu48 H1 O2)" in text
    assert "isolated atoms" in text
    assert "C=…, Cu=…, H=…, O=…" in text
    assert "\n" not in text
    more = References.fit(["CCu48HO2", "Cu48"], np.array([-9.0, -5.0]), "least-squares", "d")
    assert "C, H and O cannot be told apart (only as C1 H1 O2)" in more.doubt(["CO"], [0])
    given = dict.fromkeys(["C", "Cu", "H", "O"], -1.0)
    for rule, atoms in (("least-squares", given), ("isolated-atoms", given), (given, None)):
        anchored = References.fit(formulas, np.array([-9.0, -9.1]), rule, "d", atoms)
        assert anchored.doubt(["CO"], [0]).endswith("eV; add frames of other compositions")


@pytest.mark.parametrize("rule", ["foo", {"Cu": "x"}, {"Cu": np.nan}, {"Cu": True}, 3])
def test_unusable_rule(rule):
    with pytest.raises(ConfigError, match=r"^reference_energy: "):
        References.fit(["Cu"], np.array([1.0]), rule, "d")


def isolated(symbol, energy, kind="IsolatedAtom"):
    return Atoms(symbol, cell=[20.0] * 3, info={"config_type": kind}), energy


def separated(*pairs):
    return separate_isolated([atoms for atoms, _ in pairs], [e for _, e in pairs], "f")


def test_isolated_atoms_are_taken_out():
    pairs = [
        isolated("Cu", -1.0),
        (Atoms("Cu2"), -9.0),
        isolated("O", -2.0, "isolated_atom"),
        (Atoms("Cu"), -3.0),  # one atom, but not said to be isolated
    ]
    kept, found = separated(*pairs)
    assert (kept.tolist(), found) == ([1, 3], {"Cu": -1.0, "O": -2.0})


def test_unusable_isolated_atoms():
    frame = (Atoms("Cu2"), -9.0)
    with pytest.raises(DataError, match=r"^f: frame 1: config_type is IsolatedAtom, but it has 2"):
        separated(frame, isolated("Cu2", 1.0))
    with pytest.raises(DataError, match=r"^f: frame 2: isolated atom Cu has 2 eV, an earlier"):
        separated(frame, isolated("Cu", 1.0), isolated("Cu", 2.0))
    with pytest.raises(DataError, match=r"^f: all frames are isolated atoms"):
        separated(isolated("Cu", 1.0))
    with pytest.raises(DataError, match=r"^d: species O without a frame of the isolated atom"):
        References.fit(["CuO"], np.array([1.0]), "isolated-atoms", "d", {"Cu": 1.0})


@pytest.mark.filterwarnings("error")
def test_isolated_atoms_of_no_use():
    for rule, why in (("mean", "is mean"), ("least-squares", "none of O"), ({"Cu": 1.0}, "given")):
        with pytest.warns(IsolatedAtomWarning, match=why):
            warn_of_isolated({"Cu": 1.0}, ["Cu", "O"], rule, delta=False)
    for rule in ("least-squares", "isolated-atoms"):
        with pytest.warns(IsolatedAtomWarning, match="a network leaves has another zero"):
            warn_of_isolated({"Cu": 1.0}, ["Cu"], rule, delta=True)
        warn_of_isolated({"Cu": 1.0}, ["Cu"], rule, delta=False)  # an error if it warned


def test_isolated_atoms_stay_with_the_table():
    table = pd.DataFrame({"frame": [0, 1]})
    assert isolated_of(table) == {}
    kept = pd.concat([with_isolated(table, {"Cu": -1.5, "O": -2.0}), table], ignore_index=True)
    assert isolated_of(kept) == {"Cu": -1.5, "O": -2.0}


def test_rule_on_the_command_line():
    assert reference_rule("Cu=-3.7, O=-1.9") == {"Cu": -3.7, "O": -1.9}
    assert reference_rule("mean") == "mean"
    for text in ("Cu=x", "Cu=1,Cu=2", "Cu=1=2", "Cu=1,O", "foo", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="Cu="):
            reference_rule(text)
