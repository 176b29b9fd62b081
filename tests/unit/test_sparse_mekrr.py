"""The sparse estimator from frames to potentials: derivatives, files, and what it is given."""

import pickle
import warnings
from copy import deepcopy
from dataclasses import replace

import ase.io
import numpy as np
import pytest
import tolerances as tol
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import voigt_6_to_full_3x3_stress
from derivatives import slopes
from model_files import record_of, seal, tensors_of
from repulsive import SPECIES_ENERGY, energies, pulled
from sklearn.base import clone

from mekrr import MEKRR, Calculator, SparseMEKRR, load_model
from mekrr.choices import METRICS
from mekrr.errors import (
    BackboneError,
    ConfigError,
    DataError,
    DataWarning,
    InputError,
    MekrrError,
    ModelFileError,
    UncertaintyError,
)
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import RADIAL
from mekrr.models import sparse_mekrr as estimator
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.metric import Scale
from mekrr.models.sparse.model import SparseModel

# A fit that chooses nothing.
GIVEN = {"layers": [1], "regularisation": 1.0, "sigma_energy": 1.0, "lengthscale": 2.0}
VIEWS = ([1], [2], [1, 2])
ALPHAS = (0.0, 0.5, 1.0)
# Every kernel with every α; every metric, view and target with each of both.
EVERY = [
    (RADIAL[i], ALPHAS[j], METRICS[(i + j) % 3], VIEWS[(i - j) % 3], ("energy", "delta")[k])
    for i in range(3)
    for j in range(3)
    for k in [(i * 3 + j) % 2]
]


@pytest.fixture
def frames(rng):
    return [pulled(rng, symbols) for symbols in ["Cu4", "Cu3O"] * 9]


@pytest.fixture
def sparse(registry):
    """A model, unfitted, of other parameters than those given."""

    def make(**parameters):
        given = GIVEN | {"backbone": "repulsive", "registry": registry}
        return SparseMEKRR(**given | parameters)

    return make


def force_error(model, frames):
    """RMSE of the components, eV/Å."""
    potential = model.potential()
    errors = [potential.evaluate(atoms).forces - atoms.get_forces() for atoms in frames]
    return np.sqrt(np.mean(np.square(errors)))


def unlabelled(atoms, *names):
    """A frame without some of its results."""
    results = {k: v for k, v in atoms.calc.results.items() if k not in names}
    other = atoms.copy()
    other.calc = SinglePointCalculator(other, **results)
    return other


def refused(error, message, call):
    """Raised in one line of our types."""
    with pytest.raises(error, match=message) as raised:
        call()
    assert str(raised.value).isprintable()


# As a potential


@pytest.mark.parametrize(("kernel", "alpha", "metric", "layers", "target"), EVERY)
def test_forces_and_stress_are_the_energy_s_derivatives(
    sparse, frames, kernel, alpha, metric, layers, target, rng
):
    """In float64."""
    model = sparse(kernel=kernel, alpha=alpha, metric=metric, layers=layers, target=target)
    potential = model.fit(frames[:12]).potential("float64")
    atoms = frames[13]
    direction, strain = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    strain += strain.T
    found = potential.evaluate(atoms)
    moved, strained = slopes(potential, atoms, direction, strain)
    assert -(found.forces * direction).sum() == pytest.approx(moved, rel=tol.FORCE, abs=1e-6)
    virial = voigt_6_to_full_3x3_stress(found.stress) * atoms.get_volume()
    assert (virial * strain).sum() == pytest.approx(strained, rel=tol.FORCE, abs=1e-6)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize(("kernel", "alpha", "metric", "layers", "target"), EVERY[1::3])
def test_one_pass_tells_what_predict_does(sparse, frames, kernel, alpha, metric, layers, target):
    model = sparse(kernel=kernel, alpha=alpha, metric=metric, layers=layers, target=target)
    model.fit(frames[:12])
    energy, std = model.predict(frames[12:], return_std=True)
    np.testing.assert_array_equal(model.predict(frames[12:]), energy)
    potential = model.potential()
    found = [potential.evaluate(atoms, std=True) for atoms in frames[12:]]
    np.testing.assert_allclose([e.energy for e in found], energy, atol=4 * tol.OWN_ENERGY)
    np.testing.assert_allclose([e.energy_std for e in found], std, rtol=1e-3)
    for each in found:
        assert each.energies.sum() == pytest.approx(each.energy, abs=4 * tol.ATOMIC_ENERGY)
    assert model.score(frames[12:]) == model.score(frames[12:], energies(frames[12:]))


def test_a_doubled_cell_has_twice_the_energy_and_the_same_forces(sparse, frames):
    potential = sparse(layers=[1, 2], alpha=0.5).fit(frames).potential("float64")
    atoms = frames[13]
    double = atoms.repeat((2, 1, 1))
    one, two = potential.evaluate(atoms, std=True), potential.evaluate(double, std=True)
    assert two.energy == pytest.approx(2 * one.energy, abs=1e-6 * len(double))
    np.testing.assert_allclose(two.forces, np.tile(one.forces, (2, 1)), atol=1e-7)
    np.testing.assert_allclose(two.stress, one.stress, atol=1e-9)
    np.testing.assert_allclose(two.energies, np.tile(one.energies, 2), atol=1e-6)


def test_of_some_atoms_the_energies_add_up_and_all_feel_forces(sparse, frames, rng):
    """Also with a constant beside the kernels."""
    oxides = [atoms for atoms in frames if "O" in atoms.symbols]
    y = energies(oxides) + 3.0
    model = sparse(atoms={"species": ["O"]}, reference_energy="none").fit(oxides, y)
    energy = model.predict(oxides)
    assert np.abs(energy - y).max() < 0.02
    potential = model.potential("float64")
    found = potential.evaluate(oxides[0])
    assert found.energy == pytest.approx(energy[0], abs=1e-4)
    assert found.energies.sum() == pytest.approx(found.energy, abs=1e-6)
    direction = rng.normal(size=(4, 3))
    moved, _ = slopes(potential, oxides[0], direction, np.zeros((3, 3)))
    assert -(found.forces * direction).sum() == pytest.approx(moved, rel=tol.FORCE, abs=1e-6)


def test_sevennet(rng, tmp_path):
    """A real network, to whose energy the model adds: derivatives, and the file."""
    frames = [pulled(rng, "Cu3O") for _ in range(3)]
    model = SparseMEKRR(**GIVEN | {"layers": [1, 2]}, forces=2, target="delta").fit(frames)
    potential = model.potential("float64")
    direction, strain = rng.normal(size=(4, 3)), np.diag([1.0, 2.0, -1.0])
    found = potential.evaluate(frames[0])
    moved, strained = slopes(potential, frames[0], direction, strain)
    assert -(found.forces * direction).sum() == pytest.approx(moved, rel=tol.GRADIENT)
    virial = voigt_6_to_full_3x3_stress(found.stress) * frames[0].get_volume()
    assert (virial * strain).sum() == pytest.approx(strained, rel=tol.GRADIENT)
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m").predict(frames, return_std=True)
    np.testing.assert_array_equal(again, model.predict(frames, return_std=True))


def test_calculator(sparse, frames, tmp_path):
    model = sparse().fit(frames[:12])
    atoms = frames[13].copy()
    atoms.calc = Calculator(model, save=tmp_path / "doubtful.extxyz", stop_above=1.0)
    (energy,), (std,) = model.predict([atoms], return_std=True)
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=4 * tol.SUMMED)
    assert atoms.calc.results["energy_std"] == pytest.approx(std, rel=1e-3)
    assert atoms.get_potential_energies().sum() == pytest.approx(energy, abs=4 * tol.SUMMED)
    assert atoms.calc.warn_above == 2.0 * model.expected_std_
    force_std = atoms.calc.force_std()
    assert force_std.shape == (4, 3)
    # Of no force less than the error that is expected of each, and of none a hundred times as much.
    least = model.model_.calibration[1] * model.model_.sigma_force
    assert (force_std > 0.99 * least).all()
    assert (force_std < 100.0 * least).all()
    far = frames[0].copy()
    far.set_cell(1.3 * far.cell, scale_atoms=True)
    far.calc = Calculator(
        model, warn_above=None, stop_above=std / 4.0, save=tmp_path / "doubtful.extxyz"
    )
    with pytest.raises(UncertaintyError, match=r"eV/atom, more than stop_above"):
        far.get_forces()
    assert len(ase.io.read(tmp_path / "doubtful.extxyz", ":")) == 1


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_uncertainty_of_a_force_is_that_of_the_energy_s_slope(sparse, frames, alpha):
    """By differences of kernels as an atom moves, in the equations of Bayesian regression."""
    model = sparse(alpha=alpha, layers=[1, 2], target="energy").fit(frames[:8])
    potential, atoms, step = model.potential("float64"), frames[13], 1e-3
    basis, numbers, fit = potential.model.basis, atoms.numbers, potential.model

    def moved(by):
        other = atoms.copy()
        other.positions[1, 0] += by
        found = potential.backbone.forward(potential.backbone.graph([other]))
        rows = np.hstack([found.layers[layer].numpy() for layer in (1, 2)])
        return FrameFeatures(rows, numbers, np.array([0, 4]))

    def kernel(one, other):
        inducing = replace(basis, species=numbers, features=other.features)
        return inducing.rows(one, None)[0].sum()

    up, down = moved(step), moved(-step)
    slope = (basis.rows(up, None)[0][0] - basis.rows(down, None)[0][0]) / (2 * step)
    prior = kernel(up, up) - kernel(up, down) - kernel(down, up) + kernel(down, down)
    left = prior / (4 * step**2) - slope @ np.linalg.solve(basis.gram(), slope)
    known = slope @ np.linalg.solve(fit.triangle.T @ fit.triangle, slope)
    assert left > 0.1 * prior / (4 * step**2)
    expected = fit.sigma_force**2 + known + left / fit.regularisation
    found = potential.force_std(atoms)[1, 0]
    assert found == pytest.approx(fit.calibration[1] * np.sqrt(expected), rel=5e-3)


# What forces give


def test_forces_make_forces_better(sparse, frames):
    errors = {}
    for forces in (0, 4):
        model = sparse(forces=forces, regularisation=100.0, target="energy").fit(frames[:12])
        errors[forces] = force_error(model, frames[12:])
        assert model.n_directions_ == 12 * forces
    assert errors[4] < 0.7 * errors[0]


def test_all_components_are_more_than_some(sparse, frames):
    """Every component of every atom, or of one, beside random directions or without."""
    by = {
        "random": sparse(forces=2),
        "all": sparse(forces=0, force_atoms="all"),
        "oxygen": sparse(forces=2, force_atoms={"species": ["O"]}),
        "first": sparse(forces=0, force_atoms={"index": [0]}),
    }
    for model in by.values():
        model.fit(frames[:8])
    assert {k: m.n_directions_ for k, m in by.items()} == {
        "random": 16,
        "all": 96,
        "oxygen": 16 + 3 * 4,  # half of the frames have one
        "first": 24,
    }
    assert force_error(by["all"], frames[8:]) < force_error(by["first"], frames[8:])


def test_choices_are_made_and_told(sparse, frames):
    left_open = dict.fromkeys(GIVEN)
    model = sparse(**left_open).fit(frames)
    assert model.layers_ in ((1,), (2,), (1, 2))
    assert set(model.sweep_["layers"]) == {"1", "2", "1+2"}
    assert model.criterion_ == "5 folds of the training frames"
    best = model.sweep_.loc[model.sweep_["criterion"].idxmin()]
    assert model.errors_ == pytest.approx((1000 * best["energy"], 1000 * best["force"]))
    assert (model.n_frames_, model.n_directions_, model.relative_) == (18, 18 * 8, False)
    model = sparse(**left_open).fit(frames, validation=[-1, -2, -3])
    assert model.criterion_ == "3 validation frames"
    assert model.n_frames_ == 15


def test_the_number_of_inducing_atoms_is_chosen_and_kept(sparse, frames, tmp_path):
    model = sparse(inducing=(24, 6, 12)).fit(frames)
    assert set(model.sweep_["n"]) == {6, 12, 24}
    best = model.sweep_.loc[model.sweep_["criterion"].idxmin()]
    assert len(model.model_.basis) == best["n"]
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m", registry=model.registry)
    same_model(model, again, frames[:3])
    assert again.inducing == [24, 6, 12]


def test_no_fold_is_a_stretch_of_the_file():
    """Which may be all that there is of a kind of frames; each frame is in one."""
    folds = estimator._parts(np.full(60, "train", dtype=object))
    assert len(folds) == 5
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(60))
    assert all(3 <= (fold < 30).sum() <= 9 for fold in folds)


def test_auto_takes_what_leaves_less(sparse, frames):
    """By the spread of energies per atom beyond references, as one would compute it."""
    model = sparse(target="auto").fit(frames)
    assert model.target_ == min(model.spreads_, key=model.spreads_.get)
    energy = energies(frames) - [sum(map(SPECIES_ENERGY.get, a.symbols)) for a in frames]
    counts = np.array([[list(a.symbols).count(s) for s in ("Cu", "O")] for a in frames])
    left = energy - counts @ np.linalg.lstsq(counts, energy, rcond=None)[0]
    assert model.spreads_["energy"] == pytest.approx(1000 * np.std(left / 4), rel=1e-6)
    own = MEKRR("repulsive", registry=model.registry).fit(frames).potential().backbone
    network = np.array([own.forward(own.graph([atoms])).energy.item() for atoms in frames])
    assert sparse(target="auto").fit(frames, network + 1e-4 * energy).target_ == "delta"
    plain = SparseMEKRR("analytic", registry=model.registry, **GIVEN).fit(frames)
    assert (plain.target_, set(plain.spreads_)) == ("energy", {"energy"})


# What is kept


@pytest.fixture
def saved(sparse, frames, tmp_path):
    """A fitted model, and its file."""
    model = sparse(layers=[1, 2], alpha=0.5).fit(frames[:12])
    model.save(tmp_path / "model")
    return model, tmp_path / "model"


def same_model(one, other, frames):
    for found, expected in zip(
        one.predict(frames, return_std=True), other.predict(frames, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    here, there = (model.potential().evaluate(frames[0], std=True) for model in (one, other))
    np.testing.assert_array_equal(here.forces, there.forces)
    assert (here.energy, here.energy_std) == (there.energy, there.energy_std)
    stds = (model.potential().force_std(frames[0]) for model in (one, other))
    np.testing.assert_array_equal(*stds)


def test_files_and_copies_are_the_same_model(saved, frames):
    """To the last bit, whatever was chosen."""
    model, path = saved
    again = load_model(path, registry=model.registry)
    assert isinstance(again, SparseMEKRR)
    same_model(model, again, frames[12:])
    assert again.get_params() == model.parameters_
    for name in SparseMEKRR._fitted:
        assert getattr(again, name) == getattr(model, name)
    assert again.sweep_ is None
    pickled = pickle.dumps(model)
    assert b"Repulsive" not in pickled
    for copy in (pickle.loads(pickled), deepcopy(model)):
        same_model(model, copy, frames[12:])
    again.save(path.with_suffix(".again"))
    assert path.with_suffix(".again").read_bytes() == path.read_bytes()
    fresh = clone(model)
    assert not hasattr(fresh, "model_")
    same_model(fresh.fit(frames[:12]), model, frames[12:])


def test_what_was_chosen_is_kept_too(sparse, frames, tmp_path):
    model = sparse(**dict.fromkeys(GIVEN), forces=0).fit(frames)
    model.save(tmp_path / "m")
    again = SparseMEKRR.load(tmp_path / "m", registry=model.registry)
    same_model(model, again, frames[:3])
    assert np.isnan(again.errors_[1])


def test_each_kind_of_file_has_its_class(saved, sparse, frames, tmp_path):
    model, path = saved
    MEKRR("repulsive", registry=model.registry, layer=1).fit(frames).save(tmp_path / "whole")
    assert isinstance(load_model(tmp_path / "whole"), MEKRR)
    refused(ModelFileError, "model: holds a sparse model; give .* load_model", MEKRR_load(path))
    refused(
        ModelFileError,
        "whole: holds another kind of model; give .* load_model",
        lambda: SparseMEKRR.load(tmp_path / "whole"),
    )


def MEKRR_load(path):
    return lambda: MEKRR.load(path)


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_a_file_of_a_thousand_inducing_atoms_can_be_mailed(rng, tmp_path, saved, n_layers):
    model, _ = saved
    n, width = 1000, 128 * n_layers
    known = (1, 6, 8, 29)
    scales = [Scale(np.zeros(width), np.eye(width)) for _ in range(5)]
    basis = Basis(
        model.model_.basis.kernel,
        1.0,
        dict(zip(known, scales[:4], strict=True)),
        scales[4],
        np.resize(known, n),
        rng.normal(size=(n, width)).astype(np.float32),
    )
    triangle = np.triu(rng.normal(size=(n, n))) + np.eye(n)
    model.model_ = SparseModel(
        basis, rng.normal(size=n), triangle, np.eye(n), 1.0, 0.001, 0.05, 0.0
    )
    model.references_ = {s: 0.0 for s in ("H", "C", "O", "Cu")}
    model.save(tmp_path / "large")
    assert (tmp_path / "large").stat().st_size < 20e6


def test_damaged_files_are_one_line(saved, tmp_path, rng):
    """Of header, record and tensors, some of each."""
    whole = saved[1].read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*range(0, 64, 3), *rng.integers(64, 8 * header, 20)]
    places += [*rng.integers(8 * header, 8 * len(whole), 20)]
    for place in places:
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        (tmp_path / "m").write_bytes(data)
        refused(ModelFileError, "m: ", lambda: load_model(tmp_path / "m"))
    for end in (0, 7, header, len(whole) - 1):
        (tmp_path / "m").write_bytes(whole[:end])
        refused(ModelFileError, "damaged model file", lambda: load_model(tmp_path / "m"))


def put(value, place=0):
    def change(tensor):
        tensor = tensor.copy()
        tensor.flat[place] = value
        return tensor

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("inducing", put(np.nan), "inducing has values that are not finite"),
        ("inducing", put(1e30), "inducing has values of more than 1e[+]18 lengthscales"),
        ("inducing", lambda t: t[:, 1:], "origins has shape"),
        ("inducing", lambda t: t.astype(np.float64), "inducing is float64, not float32"),
        ("species", put(6), "species has 6, which model.known lacks"),
        ("species", lambda t: t[1:], "species has shape"),
        ("coefficients", put(np.inf), "coefficients has values that are not finite"),
        ("triangle", put(0.0), "triangle has zeros on its diagonal"),
        ("triangle", put(0.0, -1), "triangle has zeros on its diagonal"),
        ("triangle", lambda t: t[1:], "triangle has .* values of .* inducing atoms"),
        ("origins", lambda t: t[1:], "along has shape"),
        ("along", lambda t: t[:, 1:], "along has shape"),
        ("prior", lambda t: np.zeros(3), "it has an unknown tensor prior"),
    ],
)
def test_tensors_that_do_not_fit(saved, tmp_path, name, change, words):
    tensors = tensors_of(saved[1])
    tensors[name] = change(tensors.get(name))
    seal(tmp_path / "m", record_of(saved[1]), tensors)
    refused(ModelFileError, f"damaged model file: .*{words}", lambda: load_model(tmp_path / "m"))


@pytest.mark.parametrize(
    ("part", "name", "value", "words"),
    [
        ("parameters", "metric", "round", "parameters.metric: Input should be 'plain'"),
        ("parameters", "layers", [], "parameters.layers: .* at least 1"),
        ("parameters", "forces", -1, "parameters.forces"),
        ("parameters", "force_atoms", {"index": [-1]}, "parameters.force_atoms"),
        ("parameters", "kernel", "linear", "parameters.kernel: Input should be 'gaussian'"),
        ("fitted", "errors_", [1.0], "fitted.errors_"),
        ("fitted", "spreads_", {"more": 1.0}, "fitted.spreads_"),
        ("fitted", "target_", "auto", "fitted.target_: Input should be 'energy' or 'delta'"),
        ("fitted", "references_", {"Cu": 0.0}, "fitted.references_ lacks O"),
        ("fitted", "expected_std_", 0.0, "fitted.expected_std_"),
        ("model", "lengthscale", 0.0, "model.lengthscale"),
        ("model", "regularisation", -1.0, "model.regularisation"),
        ("model", "calibration", [1.0], "model.calibration"),
        ("model", "known", [8, 8], "origins has 3 rows of 2"),
        ("model", "known", [29, 400], "model.known"),
    ],
)
def test_record_that_the_schema_refuses(saved, tmp_path, part, name, value, words):
    record = record_of(saved[1])
    record[part][name] = value
    seal(tmp_path / "m", record, tensors_of(saved[1]))
    refused(ModelFileError, f"damaged model file: .*{words}", lambda: load_model(tmp_path / "m"))


def test_a_fit_that_fails_leaves_the_model_before(sparse, frames, monkeypatch):
    model = sparse().fit(frames[:12])
    before = deepcopy(model)

    def failing(*_arguments, **_options):
        raise DataError("no luck")

    for place in ("take_forces", "fit_sparse"):
        with monkeypatch.context() as patch:
            patch.setattr(estimator, place, failing)
            with pytest.raises(DataError, match="no luck"):
                model.set_params(layers=[2]).fit(frames[:6])
        same_model(model, before, frames[12:])
    assert model.parameters_["layers"] == [1]


def test_threads_change_rounding_alone(sparse, frames):
    one, two = (
        sparse(threads=threads, forces=2, inducing=12).fit(frames[:4]).predict(frames[12:])
        for threads in (1, 2)
    )
    np.testing.assert_allclose(two, one, rtol=0, atol=4 * tol.SPARSE_THREADS)


def test_directions_are_those_of_a_frame_wherever_it_stands(sparse, frames, monkeypatch):
    found = []

    def gathered(_backbone, given, directions, *_layers, **_how):
        pairs = zip(given, directions, strict=True)
        found.append({atoms.positions.tobytes(): v for atoms, v in pairs})
        raise DataError("enough")

    monkeypatch.setattr("mekrr.features.directions.gather_directions", gathered)
    for given in (frames, frames[::-1], frames[3:5]):
        with pytest.raises(DataError, match="enough"):
            sparse(force_atoms={"species": ["O"]}).fit(given)
    for others in found[1:]:
        for frame, directions in others.items():
            np.testing.assert_array_equal(directions, found[0][frame])
    counts = [len(found[0][atoms.positions.tobytes()]) for atoms in frames]
    assert counts == [8, 11] * 9


# What it is given


def test_forces_of_some_frames_count(sparse, frames):
    some = [unlabelled(a, "forces") if k % 3 else a for k, a in enumerate(frames[:12])]
    message = r"8 of 12 frames have no forces .*for energies only"
    with pytest.warns(DataWarning, match=message) as warned:
        model = sparse().fit(some)
    assert warned[0].filename == __file__
    assert (model.n_frames_, model.n_directions_) == (12, 4 * 8)
    none = [unlabelled(a, "forces") for a in frames]
    for parameters in ({}, {"forces": 0, "force_atoms": "all"}):
        fit = sparse(**parameters).fit
        refused(InputError, "no frame has forces; .* or forces=0", lambda fit=fit: fit(none))
    assert sparse(forces=0).fit(none).n_directions_ == 0


def test_without_energies_they_are_relative(sparse, frames):
    """And right up to a constant for each composition; the forces are as good."""
    none = [unlabelled(atoms, "energy") for atoms in frames]
    message = "no frame to be fitted has an energy: .*relative"
    with pytest.warns(DataWarning, match=message) as warned:
        model = sparse(target="auto").fit(none[:14])
    assert warned[0].filename == __file__
    assert model.relative_
    assert np.isnan(model.errors_[0])
    off = model.predict(none[14:]) - energies(frames[14:])
    coppers = np.array(["O" not in atoms.symbols for atoms in none[14:]])
    for alike in (coppers, ~coppers):
        assert np.ptp(off[alike]) < 0.1 * np.abs(off[alike]).min()
    assert force_error(model, frames[14:]) < 1.5 * force_error(
        sparse().fit(frames[:14]), frames[14:]
    )
    fit = sparse(forces=0).fit
    refused(DataError, "frame 0: has no energy", lambda: fit(none))
    refused(DataError, "frame 2: has no energy", lambda: fit([*frames[:2], none[2]]))
    bare = [unlabelled(frames[0], "energy", "forces"), *frames]
    with pytest.warns(DataWarning, match="1 of 19 frames have no forces"):
        refused(DataError, "frame 0: has no energy", lambda: sparse().fit(bare))


def test_energies_of_some_frames_count(sparse, frames):
    some = [unlabelled(a, "energy") if k % 3 else a for k, a in enumerate(frames[:12])]
    with pytest.warns(DataWarning, match=r"8 of 12 frames have no energy .*for forces only"):
        model = sparse().fit(some)
    assert not model.relative_
    assert model.n_directions_ == 12 * 8
    off = model.predict(frames[12:]) - energies(frames[12:])
    assert np.abs(off).max() < 0.1
    refused(InputError, "y of shape", lambda: sparse().fit(some, np.zeros(3)))


def test_few_atoms(sparse, rng, frames):
    """A species with a single atom; one frame; more inducing atoms than there are atoms."""
    copper = [pulled(rng, "Cu4") for _ in range(5)]
    model = sparse(inducing=10_000).fit([*copper, pulled(rng, "Cu3O")])
    assert len(model.model_.basis) <= 24
    assert (model.model_.basis.species == 8).sum() == 1
    energy, std = model.predict([pulled(rng, "Cu3O"), copper[0]], return_std=True)
    assert np.isfinite(energy).all()
    assert std[0] > 2.0 * std[1]
    refused(
        InputError, "one frame, and none that it could be held", lambda: sparse().fit(copper[:1])
    )
    refused(InputError, "no frame is left", lambda: sparse().fit(copper[:1], validation=[0]))
    assert sparse().fit(copper[:2], validation=[1]).n_frames_ == 1
    assert sparse().fit(copper[:2]).criterion_ == "2 folds of the training frames"


def test_frames_all_the_same(sparse, rng):
    """What there is to know of them is known."""
    one = pulled(rng, "Cu3O")
    model = sparse().fit([one] * 5)
    energy, std = model.predict([one], return_std=True)
    assert energy == pytest.approx(energies([one]), abs=1e-3)
    assert np.isfinite(std).all()
    assert force_error(model, [one]) < np.sqrt(np.mean(np.square(one.get_forces())))


def test_contradictory_duplicates_are_fitted_between(sparse, frames):
    """And their errors, and the uncertainty, tell of it."""
    other = [unlabelled(atoms) for atoms in frames]
    for atoms in other:
        atoms.calc.results["energy"] += 0.4
    alike = sparse(target="energy").fit([*frames, *frames])
    model = sparse(target="energy").fit([*frames, *other])
    off = model.predict(frames) - energies(frames)
    assert off == pytest.approx(np.full(18, 0.2), abs=0.05)
    assert model.errors_[0] > 30.0 > alike.errors_[0]
    assert np.isfinite(model.model_.coefficients).all()
    std = [m.predict(frames[:1], return_std=True)[1][0] for m in (alike, model)]
    assert std[1] > 3.0 * std[0]


def test_isolated_atoms_are_references(sparse, frames):
    alone = [Atoms(s, cell=[12.0] * 3, pbc=True) for s in SPECIES_ENERGY]
    for atoms, energy in zip(alone, SPECIES_ENERGY.values(), strict=True):
        atoms.info["config_type"] = "IsolatedAtom"
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = sparse(target="energy", reference_energy="isolated-atoms")
        model.fit([alone[0], *frames[:8], alone[1], *frames[8:]])
    assert model.references_ == SPECIES_ENERGY
    assert model.n_frames_ == 18
    bare = unlabelled(alone[0], "energy")
    bare.info = alone[0].info
    refused(DataError, "frame 0: has no energy", lambda: sparse().fit([bare, *frames]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.__setitem__((1, 2), np.nan), r"frame 3: forces .*atom 1 is \(.*nan\)"),
        (lambda f: f.__setitem__((0, 0), np.inf), r"frame 3: forces .*atom 0 is \(inf"),
    ],
)
def test_forces_that_are_no_numbers(sparse, frames, change, message):
    frames[3] = unlabelled(frames[3])
    change(frames[3].calc.results["forces"])
    refused(DataError, message, lambda: sparse().fit(frames))


def test_forces_of_odd_shape(sparse, frames):
    frames[3] = unlabelled(frames[3])
    frames[3].calc.results["forces"] = np.zeros((3, 3))
    refused(DataError, r"frame 3: forces .*shape is \(3, 3\)", lambda: sparse().fit(frames))


def test_force_atoms_that_are_nowhere(sparse, frames):
    """In some frames none is no matter; in all it is."""
    coppers = [atoms for atoms in frames if "O" not in atoms.symbols]
    for rule in ({"species": ["O"]}, {"index": [4, 5]}, "mobile", {"within": 2.0, "of": ["O"]}):
        fit = sparse(force_atoms=rule).fit
        message = "force_atoms=.* selects no atom of any frame with forces"
        refused(InputError, message, lambda fit=fit: fit(coppers))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"layers": [1, 7]}, BackboneError, "has no layer 7; it has 1, 2"),
        ({"layers": [1, 1]}, ConfigError, r"layers=\[1, 1\] should be numbers of layers"),
        ({"layers": []}, ConfigError, "should be numbers of layers"),
        ({"layers": 1}, ConfigError, "should be numbers of layers"),
        ({"layers": "12"}, ConfigError, "should be numbers of layers"),
        ({"layers": [1.0]}, ConfigError, "should be numbers of layers"),
        ({"layers": [True]}, ConfigError, "should be numbers of layers"),
        ({"layers": [10**6]}, ConfigError, "from 0 to 1000"),
        ({"forces": -1}, ConfigError, "forces=-1 should be an integer from 0"),
        ({"forces": 1.5}, ConfigError, "forces=1.5 should be an integer"),
        ({"force_atoms": "surface"}, ConfigError, "force_atoms='surface' is no rule: all, mobile"),
        ({"force_atoms": {"index": [0, 0]}}, ConfigError, "is no rule"),
        ({"force_atoms": {"index": [-1]}}, ConfigError, "is no rule"),
        ({"atoms": None}, ConfigError, "atoms=None is no rule"),
        ({"inducing": 0}, ConfigError, "inducing=0 should be an integer from 1"),
        ({"inducing": []}, ConfigError, "should be an integer from 1"),
        ({"inducing": [20, 0]}, ConfigError, r"inducing=\[20, 0\] should be an integer from 1"),
        (
            {"inducing": [20, 9], "inducing_by": "k-means"},
            ConfigError,
            r"inducing=\[9, 20\] with inducing_by='k-means': only with cholesky",
        ),
        ({"inducing_by": "luck"}, ConfigError, "inducing_by='luck' is unknown; known: cholesky"),
        ({"alpha": None}, ConfigError, "alpha=None should be a number from 0 to 1"),
        ({"regularisation": 0.0}, ConfigError, "regularisation=0.0 should be a number from"),
        ({"sigma_energy": -1.0}, ConfigError, "sigma_energy=-1.0 should be"),
        ({"lengthscale": "median"}, ConfigError, "lengthscale='median' should be"),
        ({"kernel": "linear"}, ConfigError, "kernel='linear' is unknown; known: gaussian"),
        ({"metric": "round"}, ConfigError, "metric='round' is unknown; known: plain"),
        ({"target": "both"}, ConfigError, "target='both' is unknown; known: auto"),
        ({"reference_energy": {"Cu": 0.0}, "target": "auto"}, DataError, "species O without"),
        ({"reference_energy": "best", "target": "delta"}, ConfigError, "none of least-squares"),
        ({"backbone": "analytic", "target": "delta"}, DataError, "has no energy of its own"),
    ],
)
def test_impossible_parameters(sparse, frames, parameters, error, message):
    refused(error, message, lambda: sparse(**parameters).fit(frames))


def test_impossible_frames(sparse, frames):
    model = sparse().fit(frames[:12])
    new = frames[13].copy()
    new.symbols[0] = "Ni"
    refused(DataError, "frame 0: no training frame has Ni", lambda: model.predict([new]))
    refused(DataError, "no training frame has Ni", lambda: model.potential().evaluate(new))
    refused(InputError, "no frames", lambda: model.predict([]))
    features = FrameFeatures(np.ones((4, 3)), np.full(4, 29), np.array([0, 4]))
    for call in (model.predict, model.fit):
        refused(InputError, "needs frames, not features", lambda call=call: call(features))
    refused(ConfigError, "dtype='float16' is unknown", lambda: model.potential("float16"))
    oxides = [atoms for atoms in frames if "O" in atoms.symbols]
    oxygen = sparse(atoms={"within": 1.5, "of": ["O"]}).fit(oxides)
    assert list(oxygen.model_.basis.own) == [8]
    near = oxides[0].copy()
    near.positions[0] = near.positions[list(near.symbols).index("O")] + [1.4, 0.0, 0.0]
    for call in (oxygen.potential().evaluate, lambda atoms: oxygen.predict([atoms])):
        with pytest.raises(MekrrError, match="no training frame has Cu"):
            call(near)
