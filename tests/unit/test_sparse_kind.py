"""Sparse models of the study: the estimator's numbers, from files."""

import inspect

import numpy as np
import pandas as pd
import pytest
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from samples import Named, labelled

from mekrr import SparseMEKRR
from mekrr.data.frames import frame_table, load_frames, write_frames
from mekrr.models.problem import Problem
from mekrr.models.sparse.select import LENGTHSCALES, REGULARISATIONS, SIGMAS_ENERGY
from mekrr.study.directions import extract_directions_shard
from mekrr.study.experiments.kinds import sparse
from mekrr.study.experiments.kinds.sparse import Models
from mekrr.study.experiments.transfer import Transfer
from mekrr.study.extraction import extract_shard
from mekrr.study.methods import METHODS, methods_of

SPLIT = np.random.default_rng(3).permutation(np.repeat(["train", "val", "test"], [14, 5, 5]))
RANDOM, INDUCING = 3, 12
SAME = 1e-6  # eV: float32 products, summed in blocks of other frames
SETTINGS = {"atoms": "all", "batch_size": {"cpu": 4}}


@pytest.fixture
def small(tmp_path, registry):
    """Cu3O and Cu2O2 with energies and forces by EMT; two frames have no forces."""
    return written(tmp_path / "small", labelled(24))


@pytest.fixture
def large(tmp_path, registry):
    return written(tmp_path / "large", [atoms.repeat((2, 1, 1)) for atoms in labelled(24, seed=1)])


def written(folder, frames):
    """Write all that a fit reads of a data set; return its folder."""
    folder.mkdir()
    for k, atoms in enumerate(frames):
        atoms.symbols[2:4] = "O2" if k % 2 else "OCu"
        atoms.info["frame"], atoms.info["run"] = k, 0
        atoms.calc = EMT()
        labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        if k in (1, 20):
            del labels["forces"]
        atoms.calc = SinglePointCalculator(atoms, **labels)
    offsets = write_frames(folder / "frames", frames)
    frame_table(frames).assign(offset=offsets).to_csv(folder / "table", index=False)
    pd.DataFrame({"split": SPLIT}).to_csv(folder / "split", index=False)
    shard = (folder / "frames", folder / "table", (0, 1))
    backbone = {"name": "repulsive", "family": "repulsive"}
    features = SETTINGS | {"dtype": "float32"}
    extract_shard(folder / "features", *shard, backbone, features, "mine")
    layers, rule = SETTINGS | {"layers": [1, 2]}, {"random": RANDOM, "moved": {"species": ["O"]}}
    frames = load_frames(folder / "frames")
    extract_directions_shard(folder / "directions", *shard, backbone, layers, rule, "mine")
    return folder


def step_of(folder, methods, **inputs):
    names = ("features", "directions", "frames")
    settings = {"views": [[1], [2], [1, 2]], "inducing": INDUCING}
    return Named(
        input=Named({name: folder / name for name in names} | inputs),
        params=Named(
            methods=[METHODS[name].recipe for name in methods],
            sparse=settings,
            reference_energy="least-squares",
        ),
        wildcards=Named(dataset="mine", strategy="random", seed="0", backbone="repulsive"),
    )


def problem_of(folder):
    return Problem.read(folder / "table", folder / "split", "least-squares", "mine")


def estimator(method, registry):
    """The estimator with the settings of a method of the study."""
    recipe = METHODS[method]
    forces = (
        {"forces": RANDOM, "force_atoms": {"species": ["O"]}} if recipe.forces else {"forces": 0}
    )
    return SparseMEKRR(
        "repulsive",
        inducing=INDUCING,
        alpha=recipe.alpha,
        kernel=recipe.kernel,
        target="delta" if recipe.baseline == "delta" else "energy",
        registry=registry,
        **forces,
    )


def frames_of(folder, *parts):
    """Frames of some parts, and which of them are for validation."""
    frames = load_frames(folder / "frames")
    split = [part for part in SPLIT if part in parts]
    chosen = [frames[k] for k in np.flatnonzero(np.isin(SPLIT, parts))]
    return chosen, np.array(split) == "val"


NAMES = [method.name for method in methods_of("sparse")]


@pytest.mark.filterwarnings("ignore:. of .. frames have no forces")
@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_the_estimator(name, small, large, registry):
    """Choices, energies and standard deviations, of the data set and of another."""
    known, validation = frames_of(small, "train", "val")
    model = estimator(name, registry).fit(known, validation=validation)
    kind = Models.open(step_of(small, [name]))
    fit = kind.fit(problem_of(small))
    (choice,) = fit.choices.to_dict("records")
    assert choice["layers"] == "+".join(map(str, model.layers_))
    assert choice["inducing"] == len(model.model_.basis)
    assert choice["regularisation"] == model.model_.regularisation
    assert choice["sigma_energy"] == pytest.approx(1000 * model.model_.sigma_energy)
    assert choice["lengthscale"] == model.model_.basis.kernel.lengthscale
    errors = choice["validation_rmse"], choice["validation_force_rmse"]
    np.testing.assert_allclose(errors, model.errors_, rtol=1e-4)
    assert (
        len(fit.sweep)
        == len(model.sweep_)
        == (3 * len(LENGTHSCALES) * len(SIGMAS_ENERGY) * len(REGULARISATIONS))
    )
    assert fit.sweep["rmse"].min() > 0

    def compare(rows, frames):
        energy, std = model.predict(frames, return_std=True)
        np.testing.assert_allclose(rows["energy_pred"], energy, rtol=0, atol=SAME)
        np.testing.assert_allclose(rows["energy_std"], std, rtol=1e-3)

    compare(fit.predictions[SPLIT == "test"], frames_of(small, "test")[0])
    fit.choices.to_csv(small / "choices", index=False)
    features = [folder / "features" for folder in (small, large)]
    step = step_of(small, [name], features=features, choices=[small / "choices"])
    tables = [[folder / kind for folder in (small, large)] for kind in ("table", "split")]
    transfer = Transfer.read(*tables, "least-squares", ("mine", "large"))
    (found,) = Models.transfer(step, [transfer])
    compare(found, frames_of(large, "test")[0])


def test_nothing_is_learnt_from_test_frames(small):
    step = step_of(small, NAMES)
    before = Models.open(step).fit(problem_of(small))
    frames = load_frames(small / "frames")
    for atoms, part in zip(frames, SPLIT, strict=True):
        if part == "test":
            forces = None if "forces" not in atoms.calc.results else 9.0 - atoms.get_forces()
            labels = {} if forces is None else {"forces": forces}
            energy = 7.0 + 2.0 * atoms.get_potential_energy()
            atoms.calc = SinglePointCalculator(atoms, energy=energy, **labels)
    write_frames(small / "frames", frames)
    table = pd.read_csv(small / "table")
    table["energy"] = frame_table(frames)["energy"]
    table.to_csv(small / "table", index=False)
    after = Models.open(step).fit(problem_of(small))
    pd.testing.assert_frame_equal(after.choices, before.choices)
    columns = ["method", "energy_pred", "energy_std"]
    pd.testing.assert_frame_equal(after.predictions[columns], before.predictions[columns])


def test_without_forces_or_an_energy_of_the_network_there_are_fewer_rows(small):
    kind = Models.open(step_of(small, NAMES))
    problem = problem_of(small)
    frames = load_frames(small / "frames")
    split = np.where([k in (1, 20) for k in range(len(frames))], "train", "val")
    kind._energy = None
    fit = kind.fit(Problem.of(problem.frames, split.astype(object), "least-squares", "mine"))
    assert set(fit.choices["method"]) == set(fit.predictions["method"]) == {"MEKRR-sparse"}


def test_what_the_study_does_not_say_is_as_the_estimator_has_it():
    given = inspect.signature(SparseMEKRR).parameters
    assert (given["metric"].default, given["inducing_by"].default) == (sparse.METRIC, sparse.WAY)
