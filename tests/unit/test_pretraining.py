"""The set on which a SchNet is pre-trained: its systems, moves, labels and parts."""

import numpy as np
import pandas as pd
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from samples import ROOT

from mekrr.errors import ConfigError, DataError
from mekrr.study.config.pretraining import read_pretraining
from mekrr.study.pretraining import moves
from mekrr.study.pretraining.labels import Limits, fault, too_close
from mekrr.study.pretraining.parts import parts_of
from mekrr.study.pretraining.runs import Recipe, sample_run
from mekrr.study.pretraining.summary import counts
from mekrr.study.pretraining.systems import FACETS, LARGEST, adsorbate, build
from mekrr.study.surrogates.systems import build as build_surrogate

CONFIG = yaml.safe_load((ROOT / "config/pretraining.yaml").read_text())
METALS = {"Cu": ("fcc", 3.61), "Fe": ("bcc", 2.87), "Ru": ("hcp", 2.70)}
ADSORBATES = CONFIG["pretraining"]["adsorbates"]
LIMITS = Limits(force=25.0, closest=0.55, repulsive=0.7)
RECIPE = Recipe(
    seed=3,
    metals={"Cu": ("fcc", 3.61), "Pt": ("fcc", 3.92)},
    adsorbates=["H", "CO", "N2"],
    excluded=[],
    kinds={"adsorbate": 0.5, "slab": 0.2, "bulk": 0.2, "gas": 0.1},
    limits=LIMITS,
)


def labelled(atoms, forces, energy=0.0):
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.array(forces, dtype=float))
    return atoms


# --- systems


@pytest.mark.parametrize("kind", ["adsorbate", "slab", "bulk", "gas"])
def test_systems_of_a_kind(kind):
    """None is too large, none has atoms on top of each other, all is known of each."""
    for seed in range(12):
        system = build(kind, METALS, ADSORBATES, [], np.random.default_rng(seed))
        atoms = system.atoms
        assert 10 <= len(atoms) <= LARGEST
        assert atoms.pbc.all()
        assert not too_close(atoms, LIMITS)
        assert bool(system.metal) == (kind != "gas")
        assert bool(system.facet) == (kind in ("adsorbate", "slab"))
        assert bool(system.molecules) == bool(system.adsorbates) == (kind in ("adsorbate", "gas"))
        names = system.adsorbates.split("+") if system.adsorbates else []
        parts = [atoms[members].get_chemical_formula() for members in system.molecules]
        assert sorted(parts) == sorted(adsorbate(n).get_chemical_formula() for n in names)


def test_every_facet_can_be_built():
    for structure, facets in FACETS.items():
        metals = {s: m for s, m in METALS.items() if m[0] == structure}
        found = {
            build("slab", metals, ADSORBATES, [], np.random.default_rng(k)).facet for k in range(40)
        }
        assert found == set(facets)


def test_adsorbates_touch_the_surface():
    for seed in range(8):
        system = build("adsorbate", METALS, ["CO"], [], np.random.default_rng(seed))
        numbers = system.atoms.numbers
        first, second, distance = neighbor_list("ijd", system.atoms, 4.0)
        between = (numbers[first] < 10) & (numbers[second] > 10)
        reach = covalent_radii[numbers[first]] + covalent_radii[numbers[second]]
        assert 0.7 < (distance / reach)[between].min() < 1.35


def test_excluded_formulas_are_drawn_again():
    first = build("bulk", METALS, ADSORBATES, [], np.random.default_rng(0))
    formula = first.atoms.get_chemical_formula()
    again = build("bulk", METALS, ADSORBATES, [formula], np.random.default_rng(0))
    assert again.atoms.get_chemical_formula() != formula


@pytest.mark.parametrize("name", ADSORBATES)
def test_adsorbates(name):
    atoms = adsorbate(name)
    assert len(atoms) >= 1
    assert not atoms.pbc.any()
    assert atoms.calc is None
    if name == "HCOO":
        assert sorted(atoms.symbols) == ["C", "H", "O", "O"]
        assert atoms.get_all_distances()[atoms.numbers == 1][:, atoms.numbers == 6] < 1.2


# --- moves


def test_torn_is_a_bond_that_is_longer(rng):
    """One side of the molecule moves along the bond, nothing else moves."""
    slab = fcc111("Cu", (2, 2, 2), vacuum=6.0, periodic=True)
    atoms = slab + Atoms("CO", positions=[[0, 0, 10.0], [0, 0, 11.15]])
    for _ in range(30):
        torn = moves.torn(atoms, [np.array([8, 9])], rng)
        moved = np.linalg.norm(torn.positions - atoms.positions, axis=1)
        if moved[:8].max() > 0:  # rattled besides
            continue
        assert moved[8] == 0
        assert np.allclose(torn.positions[9, :2], 0)
        assert 1.0 <= torn.get_distance(8, 9) <= 1.15 + 2.2
    assert moves.torn(slab, [], rng) is None
    ring = Atoms("C3", positions=[[0, 0, 0], [1.4, 0, 0], [0.7, 1.21, 0]], cell=[9] * 3, pbc=True)
    assert moves.torn(ring, [np.arange(3)], rng) is None


def test_rattled_and_strained(rng):
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    moved = moves.rattled(atoms, rng)
    assert 0 < np.abs(moved.positions - atoms.positions).max() < 2.0
    assert np.array_equal(moved.cell, atoms.cell)
    strain = np.linalg.solve(atoms.cell.array, moves.strained(atoms, rng).cell.array) - np.eye(3)
    assert np.allclose(strain, strain.T)
    assert 0 < np.abs(strain).max() <= moves.STRAIN


# --- labels


def test_labels_that_are_not_to_be_believed():
    def pair(distance, force, symbols="N2"):
        atoms = Atoms(symbols, positions=[[0, 0, 0], [distance, 0, 0]], cell=[10] * 3, pbc=True)
        return labelled(atoms, [[-force, 0, 0], [force, 0, 0]])

    reach = 2 * covalent_radii[7]
    assert fault(pair(1.1, 2.0), LIMITS) == ""
    assert fault(pair(1.1, 30.0), LIMITS) == "force"
    assert fault(pair(1.1, np.nan), LIMITS) == "force"
    assert fault(pair(0.5 * reach, 20.0), LIMITS) == "close"
    assert fault(pair(0.65 * reach, 20.0), LIMITS) == ""
    assert fault(pair(0.65 * reach, -1.0), LIMITS) == "attraction"
    across = Atoms("N2", positions=[[0.1, 0, 0], [9.2, 0, 0]], cell=[10] * 3, pbc=True)
    assert fault(labelled(across, [[-1.0, 0, 0], [1.0, 0, 0]]), LIMITS) == "attraction"
    assert fault(labelled(across, [[1.0, 0, 0], [-1.0, 0, 0]]), LIMITS) == ""


# --- runs


def test_a_run_is_the_same_whatever_others_there_are():
    alone = sample_run(RECIPE, 4, EMT())
    sample_run(RECIPE, 3, EMT())
    again = sample_run(RECIPE, 4, EMT())
    assert len(alone.frames) == len(again.frames) > 5
    for one, other in zip(alone.frames, again.frames, strict=True):
        assert np.array_equal(one.positions, other.positions)
        assert one.info == other.info
        assert one.get_potential_energy() == other.get_potential_energy()


def test_frames_of_runs_have_their_labels():
    moved, kinds = set(), set()
    for number in range(10):
        for atoms in sample_run(RECIPE, number, EMT()).frames:
            moved.add(atoms.info["move"])
            kinds.add(atoms.info["kind"])
            assert fault(atoms, LIMITS) == ""
            assert atoms.info["run"] == number
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
            atoms.calc = EMT()
            assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
            assert np.allclose(forces, atoms.get_forces(), atol=1e-9)
    assert moved == {"relaxation", "rattled", "strained", "torn", "heated"}
    assert kinds == set(RECIPE.kinds)


class Wary(EMT):
    """Refuses each third frame, as `mekrr.Calculator` does atoms at the same place."""

    asked = 0

    def calculate(self, *arguments):
        self.asked += 1
        if self.asked % 3 == 0:
            raise DataError("atoms 0 and 1 are at the same place")
        super().calculate(*arguments)


def test_frames_that_the_calculator_refuses_are_dropped(monkeypatch):
    monkeypatch.setattr(moves, "relaxed", lambda atoms, steps: iter([atoms]))
    monkeypatch.setattr(moves, "heated", lambda *arguments: iter([]))
    found = sample_run(RECIPE, 4, Wary())
    assert found.dropped["close"] > 0
    assert len(found.frames) > 2


# --- parts


def test_what_is_held_out_is_in_no_training_run():
    rows = [
        {"run": k, "kind": kind, "metal": metal, "adsorbates": names, "formula": metal or "Cu"}
        for k, (kind, metal, names) in enumerate(
            [
                ("adsorbate", "Cu", "CO"),
                ("adsorbate", "Rh", "CO"),
                ("slab", "Rh", ""),
                ("bulk", "Rh", ""),
                ("adsorbate", "Cu", "CO+H2CO"),
                ("adsorbate", "Rh", "H2CO"),
                ("gas", "", "H2+H2CO"),
                ("gas", "", "H2"),
            ]
            + [("slab", "Cu", "")] * 12
        )
        for _ in range(2)
    ]
    table = pd.DataFrame(rows)
    held_out = {"metals": ["Rh"], "adsorbates": ["H2CO"], "validation": 0.2}
    parts = parts_of(table, held_out, seed=0)
    assert parts[::2].tolist() == parts[1::2].tolist()
    by_run = dict(zip(table["run"], parts, strict=True))
    seen = [by_run[k] for k in (0, 3, 7)]
    assert set(seen) <= {"train", "val"}
    assert [by_run[k] for k in (1, 2, 4, 5, 6)] == [
        "metal",
        "metal",
        "adsorbate",
        "both",
        "adsorbate",
    ]
    assert sum(part == "val" for part in by_run.values()) == 3
    assert parts_of(table, held_out, seed=0).tolist() == parts.tolist()
    without = table[table["kind"] != "bulk"]
    with pytest.raises(DataError, match="species Rh in no training run; sample more"):
        parts_of(without, held_out, seed=0)
    counted = counts(table.assign(part=parts)).set_index("")
    assert counted.loc["H2CO", "frames"] == 6
    assert counted.loc["Rh", "surfaces of an unseen metal"] == 4
    assert counted.loc["Rh", "bulk"] == 2
    assert counted[counted["by"] == "metal"]["frames"].sum() == len(table)


# --- configuration


def test_no_frame_has_the_composition_of_a_surrogate():
    surrogates = yaml.safe_load((ROOT / "config/surrogates.yaml").read_text())["surrogates"]
    excluded = read_pretraining(CONFIG).excluded
    for recipe in surrogates.values():
        start = next(iter(recipe["starts"].values()))
        atoms = build_surrogate(**recipe["system"], offsets=start)
        assert atoms.get_chemical_formula() in excluded


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["metals"].update(Xx={"structure": "fcc", "a": 4.0}), "Xx"),
        (lambda p: p["kinds"].update(gas=0.5), "kinds.*add up to 1.42"),
        (lambda p: p["held_out"].update(metals=["Os"]), "held_out.metals.*Os"),
        (lambda p: p["held_out"].update(adsorbates=["CH3OH"]), "held_out.adsorbates.*CH3OH"),
        (lambda p: p["adsorbates"].append("C60"), "adsorbates.*C60"),
        (lambda p: p.update(shards=0), "shards"),
        (lambda p: p.update(extra=1), "extra"),
        (lambda p: p["networks"].update(other={"share": 1.5}), "share"),
    ],
)
def test_faults_of_the_configuration(change, message):
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    change(config["pretraining"])
    with pytest.raises(ConfigError, match=message) as caught:
        read_pretraining(config)
    assert "\n" not in str(caught.value)
