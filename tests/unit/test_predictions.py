"""Predicted frames: what is written is read back, in every format."""

import warnings

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLength, Hookean
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import labelled

from mekrr.data.predictions import format_of, write_predictions
from mekrr.errors import DataError, OutputError

NAMES = ["out", "o.xyz", "o.EXTXYZ", "o.extxyz.gz", "o.xyz.bz2", "o.extxyz.xz"]
NAMES += ["o.traj", "o.db", "o.json"]


def rows(energies, stds=None):
    """Predictions as `write_predictions` takes them."""
    if stds is None:
        return [{"energy": energy} for energy in energies]
    return [{"energy": e, "energy_std": s} for e, s in zip(energies, stds, strict=True)]


def full(n_frames=3):
    """Frames with labels, an older model's results, constraints, momenta and own entries."""
    rng = np.random.default_rng(1)
    frames = labelled(n_frames)
    for atoms in frames:
        results = dict(atoms.calc.results, stress=rng.normal(size=6), magmoms=rng.normal(size=4))
        atoms.info.update(energy_std=9.0, energy_ref=8.0, note='two\nlines, "a\\', table=[[1, 2]])
        atoms.arrays["forces_ref"] = np.full((4, 3), 7.0)
        atoms.arrays["weight"] = rng.normal(size=4)
        atoms.set_momenta(rng.normal(size=(4, 3)))
        atoms.set_constraint(FixAtoms([1, 2]))
        atoms.calc = SinglePointCalculator(atoms, **results)
    frames[1].calc = None
    return frames


def read_back(name):
    """Frames with all that was written of them in info and arrays."""
    if not name.endswith((".db", ".json")):
        form = None if name.endswith(".traj") else "extxyz"
        return ase.io.read(name, ":", format=form)
    frames = []
    for row in ase.db.connect(name).select():
        atoms = row.toatoms()
        atoms.info = row.key_value_pairs | row.data
        frames.append(atoms)
    return frames


def entry(atoms, name):
    value = atoms.arrays.get(name)
    return np.asarray(atoms.info[name] if value is None else value)


@pytest.mark.parametrize("name", NAMES)
def test_written_is_read_back(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    frames, energies, stds = full(), np.array([-1.5, -2.25, 1 / 3]), np.array([0.1, 1e-9, 3.0])
    references = [a.calc and a.calc.results["energy"] for a in frames]
    with pytest.warns(UserWarning, match=r"F: not passed on to .*energy_std \(from frame 0\)"):
        write_predictions(name, frames, rows(energies, stds), references, "F")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    written = read_back(name)
    np.testing.assert_array_equal([a.get_potential_energy() for a in written], energies)
    np.testing.assert_array_equal([entry(a, "energy_std") for a in written], stds)
    for atoms, old in zip(written, frames, strict=True):
        np.testing.assert_allclose(atoms.positions, old.positions, atol=1e-8)
        np.testing.assert_allclose(atoms.get_momenta(), old.get_momenta(), atol=1e-8)
        np.testing.assert_allclose(atoms.cell.array, old.cell.array)
        np.testing.assert_allclose(entry(atoms, "weight"), old.arrays["weight"], atol=1e-8)
        assert atoms.constraints[0].index.tolist() == [1, 2]
        assert (atoms.pbc == old.pbc).all()
        assert atoms.info["note"] == 'two\nlines, "a\\'
        assert np.array_equal(atoms.info["table"], [[1, 2]])
        assert atoms.info["run"] == old.info["run"]
        assert set(atoms.calc.results) == {"energy"}
        if old.calc is None:
            assert not {"energy_ref", "forces_ref"} & ({*atoms.info} | {*atoms.arrays})
            continue
        for label, value in old.calc.results.items():
            np.testing.assert_allclose(entry(atoms, f"{label}_ref"), value, atol=1e-8)
        assert entry(atoms, "energy_ref") == old.calc.results["energy"]


def test_same_frames_same_bytes(tmp_path):
    texts = set()
    for name in ("a.xyz.gz", "b.xyz.gz"):
        write_predictions(tmp_path / name, labelled(1), rows([1.0]), [None], "F")
        texts.add((tmp_path / name).read_bytes())
    assert len(texts) == 1


@pytest.mark.parametrize("name", ["o.cif", "o.extxyz.zip", "o.traj.gz", "OUTCAR.1", "o.gz"])
def test_unknown_suffix(name):
    with pytest.raises(OutputError, match=r"is no format to write; use \.extxyz"):
        format_of(name)


@pytest.mark.parametrize("name", ["o.xyz", "o.traj", "o.db"])
@pytest.mark.parametrize(
    ("energies", "stds", "words"),
    [
        ([1.0, np.nan], None, "frame 1: predicted energy is nan"),
        ([1.0, 1.0], [np.inf, 1.0], "frame 0: predicted standard deviation is inf"),
    ],
)
def test_no_number_nothing_written(tmp_path, name, energies, stds, words):
    (tmp_path / name).write_text("before")
    with pytest.raises(DataError, match=f"F: {words}"):
        write_predictions(tmp_path / name, labelled(2), rows(energies, stds), [None] * 2, "F")
    assert (tmp_path / name).read_text() == "before"


def test_other_constraints_are_told_of(tmp_path):
    """Extended XYZ holds fixed atoms; ASE's own formats hold them all."""
    atoms = labelled(1)[0]
    atoms.set_constraint([FixAtoms([0]), FixBondLength(1, 2), Hookean(2, 3, 1.0, 5.0)])
    with pytest.warns(UserWarning, match=r"FixBondLengths \(from frame 0\), Hookean"):
        write_predictions(tmp_path / "o.xyz", [atoms], rows([1.0]), [None], "F")
    write_predictions(tmp_path / "o.traj", [atoms], rows([1.0]), [None], "F")
    assert len(ase.io.read(tmp_path / "o.xyz").constraints) == 1
    assert len(ase.io.read(tmp_path / "o.traj").constraints) == 3


plain = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | st.text()
values = (
    st.recursive(plain, lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=5)
    | st.binary()
    | st.complex_numbers()
    | st.builds(np.array, st.lists(st.floats(width=32)))
    | st.builds(lambda x: np.array(x).reshape(-1, 2, 1), st.just([1, 2, 3, 4]))
    | st.builds(np.float32, st.floats(width=32))
)
keys = (
    st.text()
    | st.integers()
    | st.sampled_from(
        [
            "energy",
            "forces",
            "stress",
            "virial",
            "Lattice",
            "Properties",
            "pbc",
            "a.",
            "a b",
            "=",
            "_x",
        ]
    )
)
columns = st.sampled_from(
    [
        np.array(["a b"] * 4),
        np.array([""] * 4),
        np.arange(4) + 1j,
        np.array([None] * 4),
        np.ones((4, 2, 2)),
        np.ones((4, 1)),
        np.zeros((4, 0)),
        np.arange(4, dtype=np.uint8),
        np.array([True, False] * 2),
        np.array(list("abcd")),
        np.array([["a", "ü"]] * 4),
    ]
)


@pytest.mark.parametrize("name", ["o.xyz", "o.traj", "o.db"])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    info=st.dictionaries(keys, values, max_size=3),
    arrays=st.dictionaries(keys, columns, max_size=2),
)
def test_whatever_a_frame_has_the_file_can_be_read(tmp_path, name, info, arrays):
    frames = labelled(2)
    for atoms in frames:
        atoms.info = dict(info)
        atoms.arrays |= arrays
    path, energies = tmp_path / name, np.array([0.5, 1.5])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        write_predictions(path, frames, rows(energies, energies), [None, 2.5], "F")
    written = read_back(str(path))
    np.testing.assert_array_equal([a.get_potential_energy() for a in written], energies)
    np.testing.assert_array_equal([entry(a, "energy_std") for a in written], energies)
    assert entry(written[1], "energy_ref") == 2.5
    np.testing.assert_allclose(written[1].positions, frames[1].positions, atol=1e-8)
    for key in {**info, **arrays}:
        named = key in written[0].info or key in written[0].arrays
        assert named or any(f"{key} (from" in str(warning.message) for warning in told)


def test_one_atom_and_species_that_differ(tmp_path):
    frames = [Atoms("H"), Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]), Atoms("He", tags=[1])]
    for name in ("o.xyz", "o.traj", "o.db"):
        write_predictions(tmp_path / name, frames, rows(np.arange(3.0)), [None] * 3, "F")
        written = read_back(str(tmp_path / name))
        assert [str(a.symbols) for a in written] == ["H", "CO", "He"]
        assert [a.get_potential_energy() for a in written] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("name", NAMES)
def test_forces_and_stress_are_read_back(tmp_path, monkeypatch, name):
    """By ASE, as results of a calculator; those of fixed atoms, and of one atom alone, too."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    frames = [*full(2), Atoms("Cu", cell=[5.0] * 3, pbc=True)]
    for atoms in frames:
        atoms.info = {}
        atoms.arrays.pop("forces_ref", None)
    predictions = [
        {
            "energy": -float(n),
            "energy_std": 0.25,
            "forces": rng.normal(size=(n, 3)).round(6),
            "energies": -np.ones(n),
            "stress": rng.normal(size=6),
        }
        for n in (4, 4, 1)
    ]
    write_predictions(name, frames, predictions, [None] * 3, "F")
    for atoms, old, predicted in zip(read_back(name), frames, predictions, strict=True):
        assert entry(atoms, "energy_std") == predicted.pop("energy_std")
        if name.endswith((".db", ".json")):  # ASE's rows have no place for them
            np.testing.assert_array_equal(entry(atoms, "energies"), predicted.pop("energies"))
        assert set(atoms.calc.results) == set(predicted)
        for label, value in predicted.items():
            np.testing.assert_allclose(atoms.calc.results[label], value, atol=1e-8)
        if old.calc is not None:
            np.testing.assert_allclose(entry(atoms, "forces_ref"), old.calc.results["forces"])


@pytest.mark.parametrize("what", ["forces", "stress"])
def test_derivatives_that_are_no_numbers_are_refused(tmp_path, what):
    prediction = {"energy": 1.0, what: np.array([[0.0, -np.inf, np.nan]])}
    with pytest.raises(DataError, match=f"F: frame 0: predicted {what} is -inf; nothing is"):
        write_predictions(tmp_path / "o.xyz", labelled(1), [prediction], [None], "F")
    assert not (tmp_path / "o.xyz").exists()
