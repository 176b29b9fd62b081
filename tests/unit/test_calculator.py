"""Potentials as ASE calculators: derivatives, caches, copies, doubts, and what ASE does with them.

The oracles are differences of energies, pairs found anew, and sums over the parts.
"""

import copy
import multiprocessing
import pickle
import resource
import subprocess
import sys

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB
from ase.optimize import BFGS
from samples import labelled
from tolerances import FORCE, SUMMED

from mekrr import MEKRR, Calculator
from mekrr.backbones.graph import search_pairs
from mekrr.calculator.save import append_frame
from mekrr.calculator.skin import Skin
from mekrr.errors import (
    CompositionWarning,
    ConfigError,
    DataError,
    InputError,
    OutputError,
    UncertaintyError,
    UncertaintyWarning,
)
from mekrr.models.potentials.base import Evaluation, Potential


def copper(seed, cells=1, gold=False):
    """Rattled copper with EMT's labels."""
    atoms = bulk("Cu", cubic=True) * (1, 1, cells)
    if gold:
        atoms.numbers[0] = 79
    atoms.rattle(0.08, seed=seed)
    emt = EMT()
    energy, forces = emt.get_potential_energy(atoms), emt.get_forces(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def heat(atoms, temperature):
    """Give atoms momenta of a temperature in K."""
    scale = np.sqrt(atoms.get_masses() * units.kB * temperature)[:, None]
    atoms.set_momenta(np.random.default_rng(1).normal(size=(len(atoms), 3)) * scale)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "backbones.yaml"
    entries = {"analytic": {"family": "analytic", "layers": [1, 2]}}
    path.write_text(yaml.safe_dump({"backbones": entries}))
    return path


@pytest.fixture(scope="module")
def training():
    return [copper(k, 1 + k % 2, gold=k % 3 == 0) for k in range(16)]


def fitted(backbone, registry, training, **options):
    options = {"layer": 1, "regularisation": 1e-6} | options
    return MEKRR(backbone, registry=registry, **options).fit(training)


@pytest.fixture(scope="module")
def model(registry, training):
    return fitted("analytic", registry, training)


@pytest.fixture(scope="module")
def sevennet(registry, training):
    return fitted("sevennet-0", registry, training, target="delta", alpha=0.3)


@pytest.fixture
def atoms():
    return copper(100, gold=True).copy()


class Counted(Potential):
    """A potential that counts what it is asked for."""

    has_std = True

    def __init__(self, potential, energy_std=None):
        self.potential, self.energy_std, self.calls = potential, energy_std, 0

    def evaluate(self, atoms, *, std=False, search=search_pairs):
        self.calls += 1
        found = self.potential.evaluate(atoms, std=std, search=search)
        if self.energy_std is None:
            return found
        values = vars(found) | {"energy_std": self.energy_std}
        return Evaluation(**values)

    def force_std(self, atoms, search=search_pairs):
        return self.potential.force_std(atoms, search)


class Springs(Potential):
    """A potential without standard deviations, parts or pairs."""

    def evaluate(self, atoms, *, std=False, search=search_pairs):
        energy = 0.5 * np.square(atoms.positions).sum()
        return Evaluation(float(energy), -atoms.positions, None)


# Pairs


def once(pairs):
    """Pairs as a sorted list, each from the end that comes first."""
    i, j, images = pairs
    ends = np.column_stack([i, j, images]).tolist(), np.column_stack([j, i, -images]).tolist()
    return sorted(map(min, *ends))


FRAMES = [
    bulk("Cu"),
    bulk("Cu", cubic=True),
    molecule("CH3CH2OH"),
    bulk("Cu", cubic=True) * (2, 1, 1),
    Atoms("H"),
]
FRAMES[3].pbc = [True, True, False]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: str(frame.symbols))
def test_a_skin_finds_the_pairs_that_a_search_finds(rng, frame, half):
    """Along a walk of atoms, out of the cell too."""
    skin, fresh, frame = Skin(0.5), Skin(0.0), frame.copy()
    frame.positions += 7.0
    for _ in range(40):
        frame.positions += 0.03 * rng.normal(size=(len(frame), 3))
        found = skin(frame, 4.0, half)
        assert once(found) == once(search_pairs(frame, 4.0, half))
        for ours, theirs in zip(found, fresh(frame, 4.0, half), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert fresh.searches == 40
    assert skin.searches < 20


def test_a_skin_serves_until_something_changes():
    frame, skin = bulk("Cu", cubic=True), Skin(0.5)

    def searches(change):
        change()
        found = once(skin(frame, 4.0, False))
        assert found == once(search_pairs(frame, 4.0, False))
        return skin.searches

    def move(length):
        frame.positions[0, 0] += length

    assert searches(lambda: None) == 1
    assert searches(lambda: move(0.24)) == 1
    assert searches(lambda: move(0.02)) == 2
    assert searches(lambda: frame.set_cell(frame.cell * 1.01)) == 3
    assert searches(lambda: frame.set_pbc([True, True, False])) == 4
    assert searches(lambda: frame.numbers.__setitem__(0, 79)) == 5
    frame.append("Cu")
    frame.positions[-1] = [1.0, 1.0, 1.0]
    assert searches(lambda: None) == 6
    skin(frame, 3.0, False)  # another cutoff has its own
    assert searches(lambda: None) == 7


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_a_skin_is_a_length(skin):
    with pytest.raises(ConfigError, match="give a length in Å"):
        Skin(skin)


def test_energies_do_not_depend_on_when_pairs_were_found(model, sevennet, atoms):
    """Not in their last bit, during a run."""
    for each in (model, sevennet):
        potential = each.potential()
        atoms.calc = Calculator(potential)
        heat(atoms, 600.0)
        dynamics = VelocityVerlet(atoms, 4 * units.fs)
        for _ in range(8):
            dynamics.run(1)
            fresh = potential.evaluate(atoms, search=Skin(0.0))
            assert atoms.get_potential_energy() == fresh.energy
            np.testing.assert_array_equal(atoms.get_forces(), fresh.forces)


# Results


@pytest.mark.parametrize("name", ["model", "sevennet"])
def test_forces_and_stress_are_differences_of_energies(request, name, atoms):
    """By ASE, in float64."""
    atoms.calc = Calculator(request.getfixturevalue(name), dtype="float64", std=False)
    forces, stress = atoms.get_forces(), atoms.get_stress()
    numerical = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 2])
    np.testing.assert_allclose(forces[[0, 2]], numerical, atol=FORCE * abs(forces).max())
    numerical = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(stress, numerical, atol=FORCE * abs(stress).max())


def test_results_are_whole(model, atoms):
    calculator = atoms.calc = Calculator(model)
    energy = atoms.get_potential_energy()
    names = {"energy", "free_energy", "energies", "forces", "stress", "energy_std"}
    assert set(calculator.results) == names
    assert atoms.get_potential_energy(force_consistent=True) == energy
    assert atoms.get_potential_energies().sum() == pytest.approx(energy, abs=1e-9)
    (predicted,), (std,) = model.predict([atoms], return_std=True)
    assert energy == pytest.approx(predicted, abs=SUMMED * len(atoms))
    assert calculator.get_property("energy_std", atoms) == pytest.approx(std, rel=1e-3)
    np.testing.assert_array_equal(calculator.export_properties()["forces"], atoms.get_forces())
    twice = atoms * (2, 1, 1)
    twice.calc = Calculator(model)
    assert twice.get_potential_energy() == pytest.approx(2 * energy, abs=1e-6 * len(twice))
    np.testing.assert_allclose(twice.get_forces()[:4], atoms.get_forces(), atol=1e-5)
    np.testing.assert_allclose(twice.get_stress(), atoms.get_stress(), atol=1e-6)


def test_nothing_is_computed_twice(model, atoms):
    counted = Counted(model.potential())
    calculator = atoms.calc = Calculator(counted)
    atoms.get_forces()
    atoms.get_stress()
    atoms.get_potential_energies()
    calculator.get_property("energy_std", atoms)
    assert counted.calls == 1
    calculator.force_std(atoms)
    calculator.force_std(atoms)
    assert set(calculator.results) >= {"force_std", "forces"}
    assert counted.calls == 1
    changes = [
        lambda: atoms.positions.__iadd__(0.01),
        lambda: atoms.set_cell(atoms.cell * 1.001),
        lambda: atoms.set_pbc([True, True, False]),
        lambda: atoms.numbers.__setitem__(1, 79),
    ]
    for calls, change in enumerate(changes, 2):
        change()
        atoms.get_potential_energy()
        atoms.get_forces()
        assert counted.calls == calls
        assert "force_std" not in calculator.results


@pytest.mark.filterwarnings("ignore:frames of .* atoms are compared as wholes")
def test_what_cannot_be_had_is_refused_in_a_line(registry, training, atoms):
    intensive = fitted("analytic", registry, training, form="intensive")
    calculator = Calculator(intensive, std=False)
    atoms.calc = calculator
    with pytest.raises(PropertyNotImplementedError, match="energies: the energy is no sum"):
        atoms.get_potential_energies()
    with pytest.raises(PropertyNotImplementedError, match="energy_std: not computed; give std=T"):
        calculator.get_property("energy_std", atoms)
    molecule = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.2]], calculator=Calculator(intensive, std=False))
    with pytest.raises(PropertyNotImplementedError, match="stress: the atoms have no cell"):
        molecule.get_stress()
    assert molecule.get_forces().shape == (2, 3)
    assert "stress" not in molecule.calc.results
    springs = Calculator(Springs())
    atoms.calc = springs
    np.testing.assert_array_equal(atoms.get_forces(), -atoms.positions)
    with pytest.raises(PropertyNotImplementedError, match="force_std: the model has none"):
        springs.force_std(atoms)


def alter(atoms, **changes):
    atoms = atoms.copy()
    for name, value in changes.items():
        atoms.arrays[name][1] = value
    return atoms


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[:0], "atoms: has no atoms"),
        (lambda a: alter(a, positions=np.nan), "position of atom 1 is not finite"),
        (lambda a: alter(a, positions=a.positions[0]), "atoms 0 and 1 are at the same place"),
        (lambda a: alter(a, numbers=92), "no training frame has U; fit with frames that do"),
        (lambda a: Atoms(a, cell=[3, 3, 0]), "its cell has no volume"),
        (lambda a: Atoms(a, cell=[[3, 0, 0], [0, 3, 0], [3, 3, 1e-9]]), "no volume"),
        (lambda a: Atoms(a, cell=[3, 3, np.nan]), "cell is not finite"),
    ],
)
def test_atoms_that_are_no_structure_are_refused_in_a_line(model, atoms, change, message):
    wrong = change(atoms)
    wrong.calc = Calculator(model)
    for _ in range(2):  # nothing of the first is kept
        with pytest.raises(DataError, match=message) as caught:
            wrong.get_potential_energy()
        assert str(caught.value).startswith("Calculator: atoms")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": 3}, InputError, "model is a int; give a fitted MEKRR"),
        ({"model": Springs(), "dtype": "float64"}, InputError, "has its own dtype"),
        ({"model": Springs(), "std": True}, InputError, "states no standard deviations"),
        ({"model": Springs(), "stop_above": 1.0}, InputError, "stop_above needs standard dev"),
        ({"model": Springs(), "warn_above": 1.0}, InputError, "warn_above needs standard dev"),
        ({"dtype": "float16"}, ConfigError, "give 'float32' or 'float64'"),
        ({"registry": "mine.yaml"}, InputError, "registry goes with the path"),
        ({"stop_above": -1.0}, ConfigError, "stop_above=-1.0: give eV/atom"),
        ({"warn_above": np.nan}, ConfigError, "warn_above=nan: give eV/atom"),
        ({"warn_above": "often"}, ConfigError, "warn_above='often'"),
        ({"stop_above": 1.0, "save": "/proc/none/x.extxyz"}, OutputError, "cannot be written"),
        ({"model": "none.safetensors"}, DataError, "no such file"),
    ],
)
def test_arguments_are_checked(model, arguments, error, message):
    with pytest.raises(error, match=message):
        Calculator(**{"model": model} | arguments)


def test_a_model_of_features_has_no_forces(model):
    of_features = MEKRR(layer=None, regularisation=1e-6).fit(model.train_, model.leave_one_out_)
    with pytest.raises(InputError, match="this one was fitted to features; fit to frames"):
        Calculator(of_features)


# Copies


def ask(calculator, atoms, results):
    atoms.calc = calculator
    results.put((atoms.get_potential_energy(), atoms.get_forces()))


def test_copies_say_the_same(model, sevennet, registry, atoms, tmp_path):
    for each in (model, sevennet):
        each.save(tmp_path / "model")
        calculator = Calculator(each)
        atoms.calc = calculator
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        copies = {
            "file": Calculator(tmp_path / "model", registry=registry),
            "pickle": pickle.loads(pickle.dumps(calculator)),
            "deep copy": copy.deepcopy(calculator),
            "pickled potential": pickle.loads(pickle.dumps(Calculator(each.potential()))),
        }
        assert copies["deep copy"].potential is calculator.potential
        for calculator in copies.values():
            calculator.reset()
            atoms.calc = calculator
            assert atoms.get_potential_energy() == energy
            np.testing.assert_array_equal(atoms.get_forces(), forces)


def test_a_copy_goes_its_own_way(model, atoms):
    atoms.calc = Calculator(model)
    energy = atoms.get_potential_energy()
    other = copy.deepcopy(atoms)
    other.positions[0] += 0.1
    assert other.get_potential_energy() != energy
    assert atoms.calc.results["energy"] == energy


def test_a_later_fit_changes_no_calculator(registry, training, atoms):
    model = fitted("analytic", registry, training)
    atoms.calc = Calculator(model)
    energy = atoms.get_potential_energy()
    model.fit(training[:6])
    atoms.calc = pickle.loads(pickle.dumps(atoms.calc))
    atoms.calc.reset()
    assert atoms.get_potential_energy() == energy


def test_a_spawned_process_has_it(model, atoms):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=ask, args=(Calculator(model), atoms.copy(), results))
    process.start()
    energy, forces = results.get(timeout=120)
    process.join()
    atoms.calc = Calculator(model)
    assert atoms.get_potential_energy() == energy
    np.testing.assert_array_equal(atoms.get_forces(), forces)


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    code = "import sys, mekrr; print(sorted({'torch', 'ase', 'sklearn'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout.strip() == "[]"


# Doubts


@pytest.mark.filterwarnings("ignore:frames of .* atoms are compared as wholes")
def test_expected_std_is_what_the_other_frames_leave(model, registry, training):
    """Of a training frame by the rest, with the same scale of the process; eV/atom."""
    for form in ("extensive", "intensive"):
        ridge = (each := fitted("analytic", registry, training, form=form)).ridge_
        kernel = ridge.factor_ @ ridge.factor_.T  # with the noise
        stds = []
        for t in range(len(kernel)):
            rest = np.delete(np.arange(len(kernel)), t)
            k = kernel[t, rest]
            left = kernel[t, t] - k @ np.linalg.solve(kernel[np.ix_(rest, rest)], k)
            stds.append(ridge.scale_ * np.sqrt(ridge.variance_ * left))
        if form == "intensive":
            stds = stds / each.train_.n_atoms
        assert each.potential().expected_std() == pytest.approx(max(stds), rel=1e-4)
        assert Calculator(each).warn_above == pytest.approx(2 * max(stds), rel=1e-4)


def far(atoms):
    """Atoms like none of the training frames."""
    other = atoms.copy()
    other.set_cell(1.5 * other.cell, scale_atoms=True)
    return other


def test_a_warning_comes_once(model, atoms, recwarn):
    atoms.calc = Calculator(model)
    atoms.get_potential_energy()
    assert not recwarn.list
    other = far(atoms)
    other.calc = atoms.calc
    with pytest.warns(UncertaintyWarning, match=r"uncertain by 0\.\d+ eV/atom, more than warn_a"):
        other.get_potential_energy()
    other.positions[0] += 0.1
    other.get_potential_energy()
    assert not recwarn.list
    quiet = far(atoms)
    quiet.calc = Calculator(model, warn_above=None)
    quiet.get_potential_energy()
    assert not recwarn.list


def test_a_stop_keeps_the_frame(model, atoms, tmp_path):
    potential = Counted(model.potential(), energy_std=0.4)
    path = tmp_path / "doubtful.extxyz"
    frames = [atoms, Atoms("Cu2", [[0, 0, 0], [0, 0, 2.2]])]
    for number, frame in enumerate(frames, 1):
        frame.calc = Calculator(potential, stop_above=0.05, warn_above=None, save=path)
        with pytest.raises(UncertaintyError) as caught:
            frame.get_forces()
        assert f"by {0.4 / len(frame):.3g} eV/atom, more than stop_above=0.05" in str(caught.value)
        assert f"the frame is in {path}" in str(caught.value)
        assert not frame.calc.results
        kept = ase.io.read(path, ":")
        assert len(kept) == number
        assert kept[-1].info == {"energy_std": 0.4}
        assert kept[-1].calc is None
        np.testing.assert_allclose(kept[-1].positions, frame.positions, atol=1e-8)
        np.testing.assert_allclose(kept[-1].cell.array, frame.cell.array)
    sure = atoms.copy()
    sure.calc = Calculator(potential, stop_above=0.11, warn_above=None, save=path)
    sure.get_forces()
    assert len(ase.io.read(path, ":")) == 2


def test_a_stop_is_told_of_even_if_the_frame_cannot_be_kept(model, atoms, tmp_path):
    potential = Counted(model.potential(), energy_std=np.inf)
    path = tmp_path / "gone" / "doubtful.extxyz"
    path.parent.mkdir()
    atoms.calc = Calculator(potential, stop_above=1.0, warn_above=None, save=path)
    path.parent.rmdir()
    with pytest.raises(UncertaintyError, match=r"the frame could not be kept in .*No such file"):
        atoms.get_forces()


def test_a_frame_is_kept_whole_or_not_at_all(atoms, tmp_path):
    """Where the disk is full before it, or in the middle of it."""
    with pytest.raises(OSError, match="No space left"):
        append_frame("/dev/full", atoms, 1.0)
    path = tmp_path / "doubtful.extxyz"
    append_frame(path, atoms, 1.0)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            append_frame(path, atoms, 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


def test_a_composition_in_doubt_is_told_of_once(registry, atoms):
    pure = fitted("analytic", registry, [copper(k, gold=True) for k in range(8)])
    calculator = Calculator(pure, warn_above=None)
    other = alter(atoms, numbers=79)
    other.calc = calculator
    with pytest.warns(CompositionWarning, match="of Au2 Cu2: in the training frames Au and Cu"):
        other.get_potential_energy()
    other.positions[0] += 0.01
    other.get_potential_energy()  # pytest takes a warning for an error
    third = alter(other, numbers=79)
    third.numbers[2] = 79
    third.calc = calculator
    with pytest.warns(CompositionWarning, match="of Au3 Cu1"):
        third.get_potential_energy()


# What ASE does with them


def test_energy_is_conserved(model, atoms):
    atoms = atoms.copy()
    atoms.calc = Calculator(model, dtype="float64", std=False)
    heat(atoms, 300.0)
    dynamics, totals, kinetic = VelocityVerlet(atoms, 1.0 * units.fs), [], []
    for _ in range(100):
        dynamics.run(1)
        totals.append(atoms.get_total_energy())
        kinetic.append(atoms.get_kinetic_energy())
    assert np.ptp(kinetic) > 0.02
    assert np.ptp(totals) < 0.02 * np.ptp(kinetic)
    assert atoms.calc._pairs.searches < 20


def test_relaxations_a_thermostat_and_a_band(model, atoms, tmp_path):
    potential = model.potential()
    atoms.calc = Calculator(potential, std=False)
    before = atoms.get_potential_energy()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=30)
    assert atoms.get_potential_energy() < before
    assert abs(atoms.get_forces()).max() < abs(copper(100, gold=True).get_forces()).max()
    options = {"temperature_K": 300, "friction": 0.01, "fixcm": False}
    Langevin(atoms, 2 * units.fs, rng=np.random.default_rng(0), **options).run(5)
    images = [atoms.copy() for _ in range(4)]
    images[-1].positions[1] += [0.3, 0.0, 0.0]
    for image in images:
        image.calc = Calculator(potential, std=False)
    band = NEB(images, method="improvedtangent")
    band.interpolate()
    BFGS(band, logfile=None).run(steps=2)
    ase.io.write(tmp_path / "band.extxyz", images)
    read = ase.io.read(tmp_path / "band.extxyz", ":")
    energies = [image.get_potential_energy() for image in images]
    np.testing.assert_allclose([a.get_potential_energy() for a in read], energies, atol=1e-8)


def test_labelled_frames_of_users_are_fine(registry):
    """Random energies: the uncertain model still adds up."""
    frames = labelled(12)
    calculator = Calculator(fitted("analytic", registry, frames))
    frames[0].calc = calculator
    energy = frames[0].get_potential_energy()
    assert calculator.results["energies"].sum() == pytest.approx(energy, abs=1e-6)
