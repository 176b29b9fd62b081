"""Findings on data sets that were made to have them."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic
from scipy.optimize import linear_sum_assignment

from mekrr.data import nearest
from mekrr.data.checks import check_dataset
from mekrr.data.closeness import Closeness
from mekrr.data.copies import COPY, Copies, _assigned, _bound, leaks
from mekrr.data.frames import frame_table

STIFFNESS = 3.0  # eV/Å²


def harmonic_run(n_frames, rng, force_sign=1.0, step=0.02):
    """A walk of three atoms in springs to their sites: forces and energies agree exactly."""
    sites = np.array([[1.0, 1.0, 1.0], [4.0, 1.0, 1.0], [1.0, 4.0, 4.0]])
    shift, frames = np.zeros((3, 3)), []
    for k in range(n_frames):
        shift = shift + step * rng.normal(size=(3, 3))
        atoms = Atoms("Cu2O", positions=sites + shift, cell=[8.0] * 3, pbc=True)
        atoms.info = {"frame": k, "run": 0}
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=-50.0 + 0.5 * STIFFNESS * np.sum(shift**2),
            forces=-force_sign * STIFFNESS * shift,
        )
        frames.append(atoms)
    return frames


NO_SPLITS = pd.DataFrame({"split": [], "rmsd": [], "copy": []})


def findings(frames, splits=None, **registry):
    table = frame_table(frames)
    far = leaks(frames, table["frame"], splits) if splits else NO_SPLITS
    return {f.check: f for f in check_dataset(frames, table, far, splits or {}, **registry)}


def test_rmsd_is_that_of_minimum_images(rng):
    frames = harmonic_run(6, rng)
    frames[2].positions += rng.integers(-1, 2, size=(3, 3)) * 8.0  # images of the same frame
    everything = np.arange(6)
    ours = Closeness(frames).nearest(everything, everything)
    for k in range(6):
        rmsds = [
            np.sqrt(
                np.mean(
                    find_mic(frames[j].positions - frames[k].positions, 8.0 * np.eye(3))[1] ** 2
                )
            )
            for j in range(6)
            if j != k
        ]
        assert ours[k] == pytest.approx(min(rmsds), rel=1e-3)


def test_frames_of_other_atoms_are_never_close(rng):
    frames = harmonic_run(2, rng)
    frames[1].symbols = "CuOCu"
    assert np.isinf(Closeness(frames).nearest(np.arange(2), np.arange(2))).all()


def test_clean_run(rng):
    found = findings(harmonic_run(40, rng, step=0.01))
    assert found["forces"].status == "ok"
    assert "39 close neighbours" in found["forces"].result
    assert "are 1.000 ×" in found["forces"].result
    assert found["exact repeats"].status == "ok"
    assert found["frame numbers"].status == "ok"


def test_forces_of_the_wrong_sign(rng):
    found = findings(harmonic_run(40, rng, force_sign=-1.0))
    assert found["forces"].status == "warning"
    assert "are -1.000 ×" in found["forces"].result
    assert "as if forces were gradients (change their sign)" in found["forces"].result
    # Of frames too far apart for the slope.
    found = findings(harmonic_run(40, rng, force_sign=-1.0, step=0.1))
    assert found["forces"].status == "warning"
    assert found["forces"].result.startswith("only 0 close neighbours in time to judge by; ")


def test_forces_missing(rng):
    frames = harmonic_run(40, rng)
    frames[7].calc = SinglePointCalculator(frames[7], energy=-50.0)
    found = findings(frames)["forces"]
    assert found.status == "note"
    assert found.result.endswith("no forces in 1 of 40 frames, which count for energies only: 7")
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, energy=-50.0)
    assert findings(frames)["forces"].result == "not in the file"


def test_exact_repeat_is_named(rng):
    frames = harmonic_run(12, rng, step=0.5)
    frames[9].positions = frames[4].positions
    frames[9].calc = SinglePointCalculator(frames[9], energy=-50.0)
    found = findings(frames)["exact repeats"]
    assert found.status == "note"
    assert found.result.endswith("2 frames with another within 0.0001 Å RMSD: frames 4, 9")


def test_energy_outlier_is_named(rng):
    frames = harmonic_run(30, rng)
    frames[11].calc = SinglePointCalculator(frames[11], energy=-10.0)
    found = findings(frames)["energies"]
    assert found.status == "warning"
    assert "frames 11" in found.result


def test_frame_numbers_out_of_order(rng):
    frames = harmonic_run(12, rng)
    frames[3].info["frame"] = 100
    assert findings(frames)["frame numbers"].status == "warning"


def test_no_time_order_by_the_registry(rng):
    found = findings(harmonic_run(12, rng), time_ordered=False)["frame numbers"]
    assert (found.status, found.result) == ("note", "no time order, by the registry")


def test_energies_per_atom(rng):
    frames = harmonic_run(12, rng)
    assert findings(frames, energy_range=(-20, -10))["energy unit"].status == "ok"
    found = findings(frames, energy_range=(-60, -40))["energy unit"]
    assert found.status == "warning"
    assert "per atom" in found.result


def crystal(n_frames, rng, step):
    """A walk of a small slab with an adsorbate about its sites, ``step`` Å RMSD at a time."""
    slab = fcc111("Cu", (2, 2, 3), vacuum=6.0)
    slab += Atoms("CHO", positions=slab.positions[-1] + [[0, 0, 2], [0.9, 0, 2.6], [-1, 0, 2.7]])
    frames = []
    for _ in range(n_frames):
        moved = slab.copy()
        moved.positions += step * rng.normal(size=slab.positions.shape) / np.sqrt(6.0)
        frames.append(moved)
    return frames


def copies_of(atoms, rng):
    """One copy of each kind that coordinates do not show."""
    permuted = atoms[rng.permutation(len(atoms))]
    shifted, rotated, doubled = atoms.copy(), atoms.copy(), atoms.repeat((2, 1, 1))
    shifted.positions += [1.3, -0.7, 0.4]
    rotated.rotate(rng.uniform(20, 160), rng.normal(size=3), rotate_cell=True)
    return [permuted, shifted, rotated, doubled]


@pytest.mark.parametrize("noise", [0.0, 0.045])  # Å RMSD
def test_copies_of_every_kind_are_found(rng, noise):
    frames = crystal(30, rng, 0.2)
    copies = [copy for atoms in frames[:6] for copy in copies_of(atoms, rng)]
    for atoms in copies:
        atoms.positions += noise * rng.normal(size=atoms.positions.shape) / np.sqrt(3.0)
    every = frames + copies
    found = Copies(every).nearest(np.arange(30, 54), np.arange(30))
    assert (found < COPY).all()
    if noise == 0.0:
        assert found.max() < 1e-3
    # Their originals are found, and no other frame.
    back = Copies(every).nearest(np.arange(30), np.arange(30, 54))
    np.testing.assert_array_equal(np.flatnonzero(back < COPY), np.arange(6))


def test_frames_of_a_run_are_no_copies(rng):
    frames = crystal(60, rng, 0.25)
    everything = np.arange(60)
    rmsd = Closeness(frames).nearest(everything, everything)
    assert 0.15 < rmsd.min() < 0.2
    # Neither by coordinates nor with these out of the way, all atoms being in another order.
    other = [atoms[rng.permutation(len(atoms))] for atoms in crystal(60, rng, 0.25)]
    every = frames + other
    assert np.isinf(Copies(every).nearest(np.arange(120), np.arange(120))).all()


def test_thermal_frames_of_small_cells_are_no_copies(rng):
    """But for symmetry and chance few of their distances differ; exact copies are found."""
    for cell in (
        bulk("Cu", cubic=True),
        bulk("Cu") * (2, 2, 2),
        Atoms("OH2", np.eye(3), cell=[9.0] * 3),
    ):
        frames = []
        for _ in range(40):
            atoms = cell.copy()
            atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
            frames.append(atoms)
        copies = [copy for atoms in frames[:2] for copy in copies_of(atoms, rng)]
        every = frames + copies
        found = Copies(every).nearest(np.arange(len(every)), np.arange(40))
        assert np.isinf(found[:40]).all()
        assert (found[40:] < 1e-3).all()


def test_a_tree_finds_what_all_pairs_do(rng, monkeypatch):
    """Trajectories, exact repeats, copies, small cells, frames alone in their group."""
    frames = crystal(60, rng, 0.1)
    frames += [frames[7].copy(), *copies_of(frames[3], rng), *copies_of(frames[40], rng)]
    frames += [Atoms("OH2", 0.1 * rng.normal(size=(3, 3)) + np.eye(3)) for _ in range(30)]
    frames += [frames[-1][[0, 2, 1]], Atoms("H"), Atoms("Cu2", np.eye(3)[:2], cell=[5.0] * 3)]
    parts = rng.choice(["train", "val", "test"], size=len(frames), p=[0.5, 0.2, 0.3])
    every = np.arange(len(frames))

    def found():
        copies = Copies(frames)
        both = copies.closeness.neighbours(every, every), copies.nearest(every, every)
        return both, leaks(frames, every, {"a": parts})

    ((closest, rmsd), copy), far = found()
    monkeypatch.setattr(nearest, "ALL_PAIRS", 0)
    monkeypatch.setattr(nearest, "PROPOSED", (4, 16))
    ((other_closest, other_rmsd), other_copy), other_far = found()
    np.testing.assert_array_equal(closest[rmsd > 1e-4], other_closest[rmsd > 1e-4])
    np.testing.assert_allclose(rmsd, other_rmsd, atol=1e-7)
    np.testing.assert_array_equal(copy, other_copy)
    np.testing.assert_allclose(far["rmsd"], other_far["rmsd"], atol=1e-7)
    np.testing.assert_array_equal(far["copy"], other_far["copy"])
    assert np.isfinite(copy).sum() >= 9
    assert np.isinf(rmsd).sum() == 6  # rotated, of another cell or composition


@pytest.mark.parametrize("shape", [(1, 4), (3, 3), (4, 12), (6, 4), (5, 7), (1, 1)])
@pytest.mark.parametrize("scale", [0.0, 1e-12, 1.0])
def test_atoms_are_assigned_as_if_repeated(rng, shape, scale):
    squared = scale * rng.random(shape) ** 4
    whole = squared
    for axis, length in enumerate(shape):
        whole = np.repeat(whole, np.lcm(*shape) // length, axis=axis)
    expected = whole[linear_sum_assignment(whole)].mean()
    assert _assigned(squared) == pytest.approx(expected, rel=1e-6, abs=1e-18)
    assert squared.min(axis=0).mean() <= _bound(squared) <= expected * (1 + 1e-9)


def test_copies_of_a_smaller_cell(rng):
    """Of 16 and 24 atoms neither is a multiple of the other: only exact ones count."""
    small = bulk("W", cubic=True) * (2, 1, 1)
    small.positions += 0.1 * rng.normal(size=small.positions.shape)
    frames = [small * (2, 2, 1), small * (3, 2, 1), small * (2, 2, 1)]
    frames[2].positions += 0.005 * rng.normal(size=frames[2].positions.shape)
    every = np.arange(2)
    assert (Copies(frames).nearest(every, every) < 1e-6).all()
    assert Copies(frames).nearest(every[:1], np.array([2])) == np.inf  # it is seen
    assert Copies(frames).nearest(every[1:], np.array([2])) == np.inf
    frames[0] = frames[0][rng.permutation(16)]
    assert 1e-3 < Copies(frames).nearest(every[:1], np.array([2])) < COPY


def test_environments_that_are_dropped_are_made_again(rng, monkeypatch):
    frames = crystal(12, rng, 0.2)
    frames += [atoms[rng.permutation(len(atoms))] for atoms in frames]
    for atoms in frames:
        atoms.positions += 0.01 * rng.normal(size=atoms.positions.shape)
    every = np.arange(24)
    expected = Copies(frames).nearest(every, every)
    monkeypatch.setattr("mekrr.data.copies.KEPT", 1)
    np.testing.assert_array_equal(Copies(frames).nearest(every, every), expected)
    assert ((expected > 1e-3) & (expected < COPY)).all()


def test_orders_of_one_lattice_are_no_copies(rng):
    """Which species is where decides, not the sites alone."""
    frames = []
    for sites in ([0, 1, 2, 3], [0, 1, 6, 7]):
        atoms = bulk("Cu", cubic=True) * (2, 2, 2)
        atoms.symbols[sites] = "Ni"
        frames.append(atoms)
    assert np.isinf(Copies(frames).nearest(np.arange(2), np.arange(2))).all()


def test_copies_are_a_finding_and_a_leak(rng):
    frames = harmonic_run(20, rng, step=0.5)
    for k, original in zip(range(10, 15), range(5), strict=True):
        energy = frames[original].get_potential_energy()
        frames[k] = frames[original][[2, 0, 1]]
        frames[k].positions += 0.3
        frames[k].info = {"frame": k, "run": 0}
        frames[k].calc = SinglePointCalculator(frames[k], energy=energy)
    parts = np.array(["train"] * 10 + ["test"] * 10)
    found = findings(frames, {"half": parts})
    assert found["copies"].status == "note"
    assert found["copies"].result.startswith("10 frames that another repeats")
    assert found["leak, split half"].status == "warning"
    assert "and 50 % more one that is a copy" in found["leak, split half"].result


def test_constant_energies(rng):
    frames = harmonic_run(12, rng)
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, energy=-50.0)
    found = findings(frames)["constant energies"]
    assert (found.status, found.result[:8]) == ("warning", "the same")


def test_references_that_training_frames_leave_undetermined(rng):
    frames = harmonic_run(12, rng)
    for k in (10, 11):
        atoms = frames[k][:2]
        atoms.calc = SinglePointCalculator(atoms, energy=-40.0)
        frames[k] = atoms
    seen = np.array(["train", "test"] * 6)
    unseen = np.array(["train"] * 8 + ["test"] * 4)
    target = pd.DataFrame({"formula": ["Cu7O"] * 3, "frame": [0, 1, 2]})
    found = findings(frames, {"a": seen, "b": unseen}, targets={"other": target})
    assert found["reference energies"].status == "warning"
    assert found["reference energies"].result.startswith(
        "1 of 2 splits; split b: frames 10, 11 of Cu2: in the training frames Cu and O cannot be "
    )
    assert found["reference energies, other"].result.startswith("1 of 2 splits; split b: frames 0")
    known = findings(frames, {"a": seen}, targets={"other": target})
    assert {known[f"reference energies{to}"].status for to in ("", ", other")} == {"ok"}


def test_leak_of_a_split(rng):
    frames = harmonic_run(20, rng, step=0.01)
    alternate = np.array(["train", "test"] * 10)
    apart = np.array(["train"] * 5 + ["val"] * 10 + ["test"] * 5)
    for atoms in frames[15:]:
        atoms.positions[0] += 2.0
        atoms.calc = SinglePointCalculator(atoms, energy=-40.0)
    found = findings(frames, {"alternate": alternate, "apart": apart})
    assert found["leak, split alternate"].status == "warning"
    assert found["leak, split alternate"].result.startswith("100 %")
    assert found["leak, split apart"].status == "ok"


def test_table_has_one_row_per_finding(rng):
    frames = harmonic_run(12, rng)
    table = pd.DataFrame(check_dataset(frames, frame_table(frames), NO_SPLITS, {}))
    assert list(table) == ["check", "status", "result"]
    assert table["check"].is_unique
