"""A kernel model as a potential: energies that add up, and their derivatives."""

import re

import numpy as np
import pytest
import tolerances as tol
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from derivatives import slopes
from repulsive import energies, frame

from mekrr import MEKRR
from mekrr.errors import CompositionWarning, ConfigError, DataError, InputError
from mekrr.kernels.atom import KERNELS

ALPHAS = (0.0, 0.3, 1.0, "by-species")
# Every kernel with every α, with the network's energy and without in turn.
EVERY = [
    (kernel, alpha, ("energy", "delta")[(i + j) % 2])
    for i, kernel in enumerate(KERNELS)
    for j, alpha in enumerate(ALPHAS)
]
SOME = [EVERY[k] for k in (3, 5, 10, 12)]  # every kernel and every α once


@pytest.fixture(params=SOME)
def parameters(request):
    return dict(zip(["kernel", "alpha", "target"], request.param, strict=True))


@pytest.fixture
def fitted(registry, frames, parameters):
    def fit(form, **more):
        given = {"regularisation": 1e-5, "layer": 2, "form": form} | parameters | more
        y = energies(frames) + [np.sin(atoms.positions).sum() for atoms in frames]
        return MEKRR("repulsive", registry=registry, **given).fit(frames[:16], y[:16])

    return fit


@pytest.mark.parametrize("parameters", EVERY, indirect=True)
@pytest.mark.parametrize("form", ["extensive", "intensive"])
def test_forces_and_stress_are_the_energy_s_derivatives(fitted, frames, form, rng):
    """Of every kernel, α and form, with the network's energy and without, in float64."""
    potential = fitted(form).potential("float64")
    atoms = frames[17]
    direction, strain = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    strain += strain.T
    found = potential.evaluate(atoms)
    moved, strained = slopes(potential, atoms, direction, strain)
    assert -(found.forces * direction).sum() == pytest.approx(moved, rel=tol.FORCE, abs=1e-6)
    virial = voigt_6_to_full_3x3_stress(found.stress) * atoms.get_volume()
    assert (virial * strain).sum() == pytest.approx(strained, rel=tol.FORCE, abs=1e-6)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize("form", ["extensive", "intensive"])
def test_one_pass_tells_what_predict_does(fitted, frames, form):
    model = fitted(form)
    energy, std = model.predict(frames[16:20], return_std=True)
    found = [model.potential().evaluate(atoms, std=True) for atoms in frames[16:20]]
    np.testing.assert_allclose([e.energy for e in found], energy, atol=4 * tol.OWN_ENERGY)
    np.testing.assert_allclose([e.energy_std for e in found], std, rtol=1e-3)


def test_float32_forces_are_those_of_float64(fitted, frames):
    model = fitted("extensive")
    fast, precise = (
        model.potential(dtype).evaluate(frames[17]).forces for dtype in ("float32", "float64")
    )
    assert np.abs(fast - precise).max() <= tol.FORCE_FLOAT32 * np.abs(precise).max()


def test_a_doubled_cell_has_twice_the_energy_and_the_same_forces(fitted, frames):
    """Which the published form has not."""
    potential = fitted("extensive").potential("float64")
    atoms = frames[17]
    double = atoms.repeat((2, 1, 1))
    one, two = potential.evaluate(atoms, std=True), potential.evaluate(double, std=True)
    assert two.energy == pytest.approx(2 * one.energy, abs=1e-6 * len(double))
    np.testing.assert_allclose(two.forces, np.tile(one.forces, (2, 1)), atol=1e-7)
    np.testing.assert_allclose(two.stress, one.stress, atol=1e-9)
    assert two.energy_std == pytest.approx(2 * one.energy_std, rel=1e-5)  # they err alike
    assert one.energies.sum() == pytest.approx(one.energy, abs=1e-6 * len(atoms))
    np.testing.assert_allclose(two.energies, np.tile(one.energies, 2), atol=1e-6)
    intensive = fitted("intensive").potential("float64")
    assert intensive.evaluate(atoms).energies is None
    gap = intensive.evaluate(double).energy - 2 * intensive.evaluate(atoms).energy
    assert abs(gap) > 1e-3


def test_whole_frames_of_another_size_are_warned_of(registry, frames):
    """By the published form alone, which compares what is not alike: in fits and predictions."""
    double = frames[17].repeat((2, 1, 1))
    y = energies(frames[:8])
    words = "frames of 4 to 8 atoms are compared as wholes .* fit with form='extensive'"
    options = {"registry": registry, "layer": 1, "regularisation": 1e-3}
    model = MEKRR("analytic", **options).fit(frames[:8], y)
    model.predict([double])  # no warning, which would be an error
    model.set_params(form="intensive").fit(frames[:8], y).predict(frames[8:10])
    with pytest.warns(CompositionWarning, match=words) as caught:
        model.predict([frames[17], double])
    assert caught[0].filename == __file__
    assert re.match(words, model.potential().doubt([double]))
    assert "as wholes" not in str(model.potential().doubt([frames[17]]))
    with pytest.warns(CompositionWarning, match=words) as caught:
        model.fit([*frames[:8], double], [*y, 0.0])
    assert caught[0].filename == __file__


def test_of_one_composition_both_forms_are_one_model_at_alpha_0(registry, rng):
    same = [frame(rng, "Cu3O") for _ in range(20)]
    y = energies(same) + [np.sin(atoms.positions).sum() for atoms in same]
    published, per_atom = (
        MEKRR("analytic", registry=registry, layer=2, regularisation=1e-6, form=form)
        .fit(same[:16], y[:16])
        .predict(same[16:], return_std=True)
        for form in ("intensive", "extensive")
    )
    np.testing.assert_allclose(per_atom, published, rtol=tol.PEER)


def test_atoms_left_out_of_the_kernel_feel_it_all_the_same(registry, frames, rng):
    """The kernel of oxygen alone pulls at the copper that its features see."""
    atoms = [a for a in frames if "O" in a.symbols]
    y = energies(atoms) + [np.sin(a.positions).sum() for a in atoms]
    model = MEKRR("analytic", registry=registry, regularisation=1e-5, atoms={"species": ["O"]})
    potential = model.fit(atoms[:9], y[:9]).potential("float64")
    direction = rng.normal(size=(4, 3))
    found = potential.evaluate(atoms[10])
    moved, _ = slopes(potential, atoms[10], direction, np.zeros((3, 3)))
    assert -(found.forces * direction).sum() == pytest.approx(moved, rel=tol.FORCE, abs=1e-6)
    assert np.abs(found.forces).min() > 0.0
    assert found.energies.sum() == pytest.approx(found.energy, abs=1e-6)


def test_a_molecule_without_cell_has_no_stress(registry, frames):
    potential = MEKRR("repulsive", registry=registry).fit(frames).potential()
    molecule = Atoms("CuO", positions=[[0, 0, 0], [0, 0.4, 1.7]])
    found = potential.evaluate(molecule)
    assert found.stress is None
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-6)
    torque = np.cross(molecule.positions, found.forces).sum(axis=0)
    np.testing.assert_allclose(torque, 0.0, atol=1e-5)


def test_an_atom_alone_has_no_force(registry, frames):
    potential = MEKRR("repulsive", registry=registry).fit(frames).potential()
    found = potential.evaluate(Atoms("O", cell=[20] * 3, pbc=True))
    np.testing.assert_array_equal(found.forces, np.zeros((1, 3)))
    np.testing.assert_array_equal(found.stress, np.zeros(6))


def test_what_has_no_forces_says_so(registry, frames, rng):
    model = MEKRR(kernel="precomputed", regularisation=1e-3)
    kernel = np.eye(5) + 0.1
    with pytest.raises(InputError, match="forces need a model of frames, but this one was fitted"):
        model.fit(kernel, rng.normal(size=5)).potential()
    potential = MEKRR("analytic", registry=registry).fit(frames).potential()
    with pytest.raises(ConfigError, match="dtype='float16' is unknown; known: float32, float64"):
        MEKRR("analytic", registry=registry).fit(frames).potential("float16")
    with pytest.raises(DataError, match="no training frame has Au; fit with frames that do"):
        potential.evaluate(Atoms("CuAu", positions=[[0, 0, 0], [0, 0, 2.5]]))
