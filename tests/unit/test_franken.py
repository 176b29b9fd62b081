"""franken: tables of a stand-in's predictions, and a small fit by itself in its environment.

Its environment is envs/franken.yaml; elsewhere the stand-in does, which needs none.
"""

import importlib.util
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from fake_franken import STIFFNESS
from samples import ROOT, Named, labelled

from mekrr.data.frames import frame_table, load_frames, write_frames
from mekrr.errors import DataError
from mekrr.models.problem import Problem
from mekrr.study.experiments.forces import force_sums
from mekrr.study.experiments.kinds.franken import Models
from mekrr.study.experiments.potentials.franken import potentials
from mekrr.study.franken.environment import FrankenError
from mekrr.study.franken.fit import Program

needs_franken = pytest.mark.skipif(
    importlib.util.find_spec("franken") is None,
    reason="franken is not installed (envs/franken.yaml)",
)

SETTINGS = {"checkpoint": "7net-0", "random_features": 48}
SPLIT = np.array(["test", *["train", "val", "test"] * 4, "train"])
TESTED = np.flatnonzero(SPLIT == "test").tolist()


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Frames of 4 and 3 atoms, as a file holds them."""
    frames = labelled(len(SPLIT))
    for k in (0, 4):
        atoms = frames[k]
        forces, energy = atoms.get_forces()[:3], atoms.get_potential_energy()
        del atoms[3]
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    path = tmp_path_factory.mktemp("frames") / "frames.extxyz"
    for k, atoms in enumerate(frames):
        atoms.info = {"frame": k, "run": 0}
    write_frames(path, frames)
    return load_frames(path)


def stand_in(folder, *faults):
    command = [sys.executable, str(ROOT / "tests/fake_franken.py"), *faults]
    return Program(SETTINGS, folder / "logs/franken.log", 1, command)


def problem_of(frames):
    return Problem.of(frame_table(frames), SPLIT, "mean", "mine")


@pytest.fixture(scope="module")
def fitted(frames, tmp_path_factory):
    """The folder of a stand-in's fit, what it was fitted to, the kind, and the tables."""
    folder, problem = tmp_path_factory.mktemp("franken"), problem_of(frames)
    kind = Models(frames, stand_in(folder), "net")
    return folder, problem, kind, kind.fit(problem)


def test_tables_are_of_what_was_predicted(fitted, frames):
    folder, problem, _, fit = fitted
    train = problem.members("train")
    mean = np.mean([frames[k].get_potential_energy() / len(frames[k]) for k in train])
    table = fit.predictions
    assert table["index"].tolist() == list(range(len(frames)))
    assert table["split"].tolist() == SPLIT.tolist()
    assert table["energy_pred"].to_numpy() == pytest.approx(mean * problem.n_atoms)
    assert table["energy_ref"].tolist() == [atoms.get_potential_energy() for atoms in frames]
    assert table["energy_std"].isna().all()
    (choice,) = fit.choices.to_dict("records")
    validated = table[table["split"] == "val"]
    off = 1000 * (validated["energy_pred"] - validated["energy_ref"]) / validated["n_atoms"]
    assert choice.pop("validation_rmse") == pytest.approx(np.sqrt(np.mean(off**2)))
    assert choice == {
        "method": "franken",
        "backbone": "net",
        "random_features": 48,
        "version": "0",
        "l2_penalty": 1e-8,
        "force_weight": 0.5,
        "chosen": True,
    }
    (cost,) = fit.costs.to_dict("records")
    assert (cost["training_seconds"], cost["prediction_seconds"]) == (3.0, 1.0)
    assert (folder / "logs/franken.log").read_text() == "a fit of 5 frames\n"


def test_forces_are_those_that_the_fit_has_written(fitted, frames):
    folder, problem, kind, _ = fitted
    write_frames(folder / "frames.extxyz", frames)
    step = Named(input=Named(frames=folder / "frames.extxyz", model=folder / "m.safetensors"))
    kind.model.save(step.input.model)
    sums = force_sums(potentials(step, problem), problem, frames, TESTED[1:4])
    errors = [STIFFNESS * frames[k].positions - frames[k].get_forces() for k in TESTED[1:4]]
    assert sums["index"].tolist() == TESTED[1:4]
    assert sums["absolute"].to_numpy() == pytest.approx([np.abs(e).sum() for e in errors])
    assert sums["square"].to_numpy() == pytest.approx([np.square(e).sum() for e in errors])
    ((_, potential),) = potentials(step, problem)
    assert potential.evaluate(frames[0]).energy == kind.model.energy[0]
    with pytest.raises(DataError, match="franken predicted test frames of its data set alone"):
        potential.evaluate(frames[1])


def test_faults_are_told_in_one_line(tmp_path, frames, monkeypatch):
    problem = problem_of(frames)
    with pytest.raises(FrankenError, match=r"franken failed: no such thing; see .*franken\.log"):
        Models(frames, stand_in(tmp_path, "fails"), "net").fit(problem)
    with pytest.raises(FrankenError, match="predicts what is not finite"):
        Models(frames, stand_in(tmp_path, "breaks"), "net").fit(problem)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "franken", None)
    with pytest.raises(FrankenError, match=r"not installed; `make franken` makes its environment"):
        Models(frames, Program(SETTINGS, tmp_path / "log"), "net").fit(problem)
    frames = [atoms.copy() for atoms in frames]  # which have no labels
    with pytest.raises(DataError, match=r"training frame 0 has no forces, .*\(franken.skip\)"):
        Models(frames, stand_in(tmp_path), "net").fit(problem)


def copper(seed, displaced=0.0):
    """A cell of copper, one component of which can be moved (Å), and its labels by EMT."""
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.rattle(0.1, seed=seed)
    atoms.positions[1, 2] += displaced
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


@needs_franken
def test_franken_itself(tmp_path):
    """It learns, and its forces are the slope of its energies."""
    step = 0.02
    moved = [copper(0, displaced) for displaced in (-step, step)]
    frames = [copper(seed) for seed in range(len(SPLIT))]
    for k, atoms in enumerate(frames):
        atoms.info = {"frame": k, "run": 0}
    problem = problem_of(frames)
    program = Program(SETTINGS, tmp_path / "log")
    parts = [[frames[k] for k in problem.members(part)] for part in ("train", "val")]
    fitted = program.fit(*parts, [*frames, *moved], [frames[k] for k in TESTED])
    errors = fitted.energy[:-2] - problem.energy
    spread = problem.energy.std()
    assert np.sqrt(np.mean(errors[TESTED] ** 2)) < 0.1 * spread
    known = np.concatenate([frames[k].get_forces() for k in TESTED])
    off = np.concatenate(fitted.forces) - known
    assert np.sqrt(np.mean(off**2)) < 0.1 * known.std()
    slope = np.diff(fitted.energy[-2:])[0] / (2 * step)
    assert fitted.forces[0][1, 2] == pytest.approx(-slope, abs=0.01)
    assert fitted.found["version"] == "0.7.0"
    assert min(fitted.found[name] for name in ("training", "prediction")) > 0
