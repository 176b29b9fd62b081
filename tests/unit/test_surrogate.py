"""The embedded surrogates are what their descriptions say, and their generator works."""

import numpy as np
import pytest
import tolerances as tol
import yaml
from ase import Atoms
from ase.calculators.lj import LennardJones
from samples import ROOT

from mekrr.data.frames import read_frames, verify_checksum
from mekrr.study.surrogates.biases import Biased, Metadynamics, Restraint, Wall
from mekrr.study.surrogates.dynamics import simulate, simulate_run
from mekrr.study.surrogates.systems import DEUTERIUM, build

DATASETS = yaml.safe_load((ROOT / "config/datasets.yaml").read_text())["datasets"]
RECIPES = yaml.safe_load((ROOT / "config/surrogates.yaml").read_text())["surrogates"]
NN = {"distance": ["N", "N"]}
AROUND = {"coordination": ["N", "Fe"], "radius": 2.5}


@pytest.fixture(scope="module", params=list(RECIPES))
def surrogate(request):
    """Recipe, registry entry and frames of each embedded surrogate."""
    entry = DATASETS[request.param]
    return RECIPES[request.param], entry, read_frames(ROOT / entry["path"])


def lengths(frames, entry):
    """The reacting bond (Å) in each frame: the first collective variable."""
    one, other = entry["collective_variables"][0]["distance"]
    pair = [k for k, s in enumerate(frames[0].symbols) if s in (one, other)]
    return np.array([atoms.get_distance(*pair, mic=True) for atoms in frames])


def test_file_is_the_registered_one(surrogate):
    _, entry, _ = surrogate
    verify_checksum(ROOT / entry["path"], entry["sha256"])


def test_all_surrogates_together_are_small():
    assert sum((ROOT / DATASETS[name]["path"]).stat().st_size for name in RECIPES) < 6e6


def test_runs_follow_the_recipe(surrogate):
    recipe, _, frames = surrogate
    assert 300 <= len(frames) <= 600
    runs = np.array([atoms.info["run"] for atoms in frames])
    assert (np.diff(runs) >= 0).all()
    every, equilibrated = (recipe["dynamics"][key] for key in ("every", "equilibration"))
    for number, run in enumerate(recipe["runs"]):
        expected = -(-run["steps"] // every) - (equilibrated == 0)
        if "stop" in recipe["dynamics"]:
            assert 0 < np.sum(runs == number) <= expected
        else:
            assert np.sum(runs == number) == expected
    offsets = recipe["starts"][recipe["runs"][0]["start"]]
    formula = build(**recipe["system"], offsets=offsets).get_chemical_formula()
    assert {atoms.get_chemical_formula() for atoms in frames} == {formula}


def test_reaction(surrogate):
    """D1 does not react; in the others a bond breaks within one continuous run."""
    _, entry, frames = surrogate
    bond, runs = lengths(frames, entry), np.array([atoms.info["run"] for atoms in frames])
    if entry["surrogate_for"] == "D1":
        assert bond.max() < 1.5
        return
    intact, broken = (1.3, 2.0) if entry["surrogate_for"] != "Cu/formate" else (1.4, 2.0)
    events = [r for r in set(runs) if bond[runs == r][0] < intact and bond[runs == r][-1] > broken]
    assert events
    for run in events:
        part = bond[runs == run]
        assert (part < intact).any()
        assert (part > broken).any()
        assert np.abs(np.diff(part)).max() < 1.2, "no jump from one run to another"


def test_lowest_layers_never_move(surrogate):
    recipe, _, frames = surrogate
    system = build(**recipe["system"], offsets=next(iter(recipe["starts"].values())))
    fixed = system.constraints[0].index
    layers = recipe["system"]["size"][2]
    assert len(fixed) == 9 * recipe["system"]["fixed_layers"] or layers == 4
    for atoms in frames[::20]:
        np.testing.assert_allclose(atoms.positions[fixed], system.positions[fixed], atol=1e-6)


def test_labels_are_unbiased_diep_energies(surrogate):
    from diep.pretrained import make_calculator

    _, _, frames = surrogate
    calculator = make_calculator(stress=False)
    for k in (0, len(frames) // 2, len(frames) - 1):
        fresh = calculator.get_potential_energy(frames[k])
        assert frames[k].get_potential_energy() == pytest.approx(fresh, abs=tol.RELABEL)
        forces = calculator.get_forces(frames[k])
        ours = frames[k].get_forces(apply_constraint=False)
        np.testing.assert_allclose(ours, forces, atol=5 * tol.RELABEL)


def restraint():
    return Restraint(NN, begin=1.2, end=2.0, start=0.0, ramp=100.0, stiffness=30.0)


def hills():
    return Metadynamics([NN, AROUND], [0.1, 0.5], 0.2, every=10.0, bias_factor=10, temperature=700)


@pytest.mark.parametrize(
    "bias",
    [restraint(), Wall(AROUND, below=9.0, stiffness=2.0), hills()],
    ids=["restraint", "wall", "hills"],
)
def test_forces_of_a_bias_are_the_derivative_of_its_energy(bias, rng):
    atoms = Atoms("Fe4N2", positions=rng.uniform(0, 4, size=(6, 3)), cell=[9.0] * 3, pbc=True)
    biased = Biased([bias], atoms)
    for time in (0.0, 10.0, 20.0):
        biased.advance(time, atoms)
        atoms.positions += 0.05 * rng.normal(size=(6, 3))
    forces = np.zeros((6, 3))
    biased.adjust_forces(atoms, forces)
    assert np.abs(forces).max() > 0.01
    step = 1e-5
    for k in np.ndindex(6, 3):
        ahead, behind = atoms.copy(), atoms.copy()
        ahead.positions[k] += step
        behind.positions[k] -= step
        energies = [biased.adjust_potential_energy(a) for a in (ahead, behind)]
        slope = (energies[0] - energies[1]) / (2 * step)
        assert forces[k] == pytest.approx(-slope, abs=tol.GRADIENT)


def test_restraint_moves_and_lets_go():
    bias, value = restraint(), np.array([1.5])
    bias.advance(50.0, value)
    assert bias.target == pytest.approx(1.6)
    bias.advance(101.0, value)
    assert bias.target is None
    assert bias.energy(value) == 0.0


def test_hills_are_tempered():
    bias, here = hills(), np.array([1.2, 5.0])
    bias.advance(0.0, here)
    bias.advance(5.0, here)
    assert bias.heights.tolist() == [0.2], "one hill every 10 fs"
    bias.advance(10.0, here)
    from ase.units import kB

    assert bias.heights[1] == pytest.approx(0.2 * np.exp(-0.2 / (kB * 700 * 9)))
    assert bias.energy(here) == pytest.approx(bias.heights.sum())


SETTINGS = {
    "temperature": 300.0,
    "timestep": 1.0,
    "friction": 0.02,
    "equilibration": 2,
    "steps": 40,
    "every": 4,
    "seed": 3,
}


def molecule():
    slab = {"surface": "Fe(111)", "size": [1, 1, 5], "lattice_constant": 2.864, "vacuum": 6.0}
    return build(**slab, fixed_layers=2, adsorbate="N2", offsets=[[0.0, 0.0, 2.0], [0.0, 0.0, 3.1]])


def run(*biases, **changes):
    calculator = LennardJones(sigma=1.0, epsilon=0.01, rc=3.0)
    return simulate(molecule(), calculator, biases, **(SETTINGS | changes))


def test_simulation_is_reproducible_and_labels_leave_the_bias_out():
    first, second = run(restraint()), run(restraint())
    assert [atoms.info["time_fs"] for atoms in first][:3] == [0.0, 4.0, 8.0]
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.positions, two.positions)
        fresh = one.copy()
        fresh.calc = LennardJones(sigma=1.0, epsilon=0.01, rc=3.0)
        assert one.get_potential_energy() == pytest.approx(fresh.get_potential_energy())


def test_a_bias_acts_on_the_dynamics():
    """ASE applies it only because it has an energy: without one, it is ignored in silence."""
    free, pulled = run(), run(restraint())
    ends = [frames[-1].get_distance(-2, -1, mic=True) for frames in (free, pulled)]
    assert ends[1] > ends[0] + 0.05


def test_run_stops_after_the_event():
    stop = {"variable": NN, "above": 1.3, "after": 8.0}
    frames = run(restraint(), stop=stop)
    bond = np.array([atoms.get_distance(-2, -1, mic=True) for atoms in frames])
    assert len(frames) < SETTINGS["steps"] / SETTINGS["every"]
    assert bond[-1] > 1.3
    assert (bond[:-4] < 1.3).all()


def test_hydrogen_is_heavy():
    atoms = build("Cu(110)", [1, 1, 2], 3.575, 6.0, 1, "OH", [[0, 0, 1.9], [0, 0, 2.9]])
    assert atoms.get_masses()[-1] == DEUTERIUM
    assert atoms.get_masses()[-2] == pytest.approx(15.999)


def test_a_run_of_a_recipe_has_its_number_start_and_biases():
    changed = ("steps", "temperature", "seed")
    recipe = {
        "system": {
            "surface": "Fe(111)",
            "size": [1, 1, 5],
            "lattice_constant": 2.864,
            "vacuum": 6.0,
            "fixed_layers": 2,
            "adsorbate": "N2",
        },
        "starts": {"up": [[0.0, 0.0, 2.0], [0.0, 0.0, 3.1]], "far": [[0, 0, 2.0], [0, 0, 4.0]]},
        "dynamics": {k: v for k, v in SETTINGS.items() if k not in changed},
        "biases": {
            "restraints": [
                {
                    "variable": NN,
                    "begin": 1.2,
                    "end": 2.0,
                    "start": 0.0,
                    "ramp": 100.0,
                    "stiffness": 30,
                }
            ]
        },
        "runs": [
            {"start": "far", "biased": False, **{key: SETTINGS[key] for key in changed}},
            {"start": "up", **{key: SETTINGS[key] for key in changed}},
        ],
    }
    calculator, done = LennardJones(sigma=1.0, epsilon=0.01, rc=3.0), []
    frames = simulate_run(recipe, 1, calculator, done.append)
    assert {atoms.info["run"] for atoms in frames} == {1}
    assert sum(done) == SETTINGS["steps"] + SETTINGS["equilibration"]
    for ours, theirs in zip(frames, run(restraint()), strict=True):
        np.testing.assert_array_equal(ours.positions, theirs.positions)
    assert recipe["runs"][0]["start"] == "far"
    unbiased = simulate_run(recipe, 0, calculator, done.append)
    assert unbiased[0].get_distance(-2, -1, mic=True) > 1.7
