"""Potentials of what the study fits: forces and stress by central differences, sums, bad frames."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.emt import EMT
from small_gap import GAP, without_gap
from small_network import scratch
from tolerances import GAP_GRADIENT, POTENTIAL_GRADIENT

from mekrr.backbones.analytic.adapter import AnalyticBackbone
from mekrr.backbones.base import BackboneOutput
from mekrr.backbones.graph import build_graph, search_pairs
from mekrr.data.references import References
from mekrr.errors import MekrrError
from mekrr.models.gap import GapFile, fit_gap
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.constant import ConstantPotential
from mekrr.models.potentials.gap import GapPotential
from mekrr.models.potentials.network import NetworkPotential

REFERENCES = References("given", {"Cu": -3.0, "O": -5.0, "H": -1.0}, ["Cu3O"], 0.0)
BASELINE = Baseline(REFERENCES, per_atom=0.25)
STEP = 1e-4  # Å, and of the strain


def rattled(atoms):
    atoms.positions += np.random.default_rng(len(atoms)).normal(size=(len(atoms), 3)) * 0.05
    return atoms


def crystal():
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    atoms.symbols[1] = "O"
    return rattled(atoms)


def slab():
    atoms = fcc111("Cu", (2, 2, 2), a=3.6, vacuum=4.0)
    atoms.symbols[0] = "O"
    return rattled(atoms)


def water():
    return rattled(molecule("H2O"))


def alone():
    return Atoms("Cu", cell=[8.0, 8.0, 8.0], pbc=True)


FRAMES = [crystal, slab, water, alone]


def constant(folder):
    return ConstantPotential(BASELINE), POTENTIAL_GRADIENT


class Smooth(AnalyticBackbone):
    """The analytic backbone with energies of atoms: half of Σ (1 - r/6)³ over neighbours, in eV."""

    has_energy = True

    def graph(self, frames, search=search_pairs):
        return build_graph(frames, 6.0, search=search)

    def forward(self, graph, layers=None, energy=True):
        pair = 0.5 * (1 - graph.edge_vectors().norm(dim=1) / 6.0) ** 3
        atomic = pair.new_zeros(len(graph.species)).index_add(0, graph.centre, pair)
        total = pair.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame, atomic)
        return BackboneOutput({}, total, atomic)


def backbone(folder):
    return BackbonePotential(Smooth("smooth"), BASELINE), POTENTIAL_GRADIENT


def network(folder):
    network = scratch()
    network.module().double()
    return NetworkPotential(network, 2.5, BASELINE), POTENTIAL_GRADIENT


def gap(folder):
    frames = [make() for make in FRAMES for _ in range(3)]
    rng = np.random.default_rng(0)
    for atoms in frames:
        atoms.positions += 0.1 * rng.normal(size=(len(atoms), 3))
    energy = np.array([EMT().get_potential_energy(atoms) for atoms in frames])
    file = folder / "gap.tar.gz"
    fit_gap(file, frames, energy, GAP, seed=0, log=folder / "log")
    return GapPotential(GapFile(file), BASELINE), GAP_GRADIENT


POTENTIALS = [constant, backbone, network, pytest.param(gap, marks=without_gap)]


@pytest.fixture(scope="module", params=POTENTIALS)
def case(request, tmp_path_factory):
    """A potential, and how near its forces are to central differences, relative."""
    return request.param(tmp_path_factory.mktemp("potential"))


@pytest.fixture(params=FRAMES)
def frame(request):
    return request.param()


def moved(atoms, atom, axis, by):
    atoms = atoms.copy()
    atoms.positions[atom, axis] += by
    return atoms


def strained(atoms, i, j, by):
    strain = np.eye(3)
    strain[i, j] += by / 2
    strain[j, i] += by / 2
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    return atoms


def difference(potential, plus, minus):
    return (potential.evaluate(plus).energy - potential.evaluate(minus).energy) / (2 * STEP)


def test_forces_are_differences_of_the_energy(case, frame):
    potential, tolerance = case
    forces = potential.evaluate(frame).forces
    assert forces.shape == (len(frame), 3)
    expected = np.array(
        [
            [
                -difference(potential, *(moved(frame, k, c, s * STEP) for s in (1, -1)))
                for c in range(3)
            ]
            for k in range(min(len(frame), 3))
        ]
    )
    scale = np.abs(expected).max() or 1.0
    np.testing.assert_allclose(forces[:3], expected, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=tolerance * scale)


def test_stress_is_a_difference_of_the_energy(case, frame):
    """In the sign and order of ASE: xx, yy, zz, yz, xz, xy, positive if it pulls inwards."""
    potential, tolerance = case
    stress = potential.evaluate(frame).stress
    if frame.cell.rank < 3:
        assert stress is None
        return
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    expected = [
        difference(potential, *(strained(frame, i, j, s * STEP) for s in (1, -1))) for i, j in pairs
    ]
    expected = np.array(expected) / frame.get_volume()
    scale = np.abs(expected).max() or 1.0
    np.testing.assert_allclose(stress, expected, rtol=0, atol=tolerance * scale)


def test_energies_of_atoms_add_up(case, frame):
    potential, _ = case
    found = potential.evaluate(frame)
    if found.energies is not None:
        assert found.energies.shape == (len(frame),)
        assert found.energies.sum() == pytest.approx(found.energy, abs=1e-9)


def test_the_baseline_is_part_of_the_energy(case, frame):
    potential, _ = case
    energy = potential.evaluate(frame).energy
    potential.baseline, before = Baseline(), potential.baseline
    bare = potential.evaluate(frame).energy
    potential.baseline = before
    known = sum(REFERENCES.per_species[s] + 0.25 for s in frame.symbols)
    assert energy - bare == pytest.approx(known, abs=1e-9)


def test_a_supercell_has_twice_the_energy(case):
    potential, _ = case
    once, twice = (potential.evaluate(a) for a in (crystal(), crystal().repeat((2, 1, 1))))
    assert twice.energy == pytest.approx(2 * once.energy, abs=1e-6)
    np.testing.assert_allclose(twice.forces, np.tile(once.forces, (2, 1)), atol=1e-6)
    np.testing.assert_allclose(twice.stress, once.stress, atol=1e-6)


def test_unknown_species_are_one_line(case):
    potential, _ = case
    with pytest.raises(MekrrError, match="Pu") as caught:
        potential.evaluate(Atoms("CuPu", [[0, 0, 0], [0, 0, 2.0]]))
    assert "\n" not in str(caught.value)


def test_what_the_references_leave_open_is_said(case):
    potential, _ = case
    assert potential.doubt([crystal()]) is None
    fitted = References.fit(["CuO"] * 2, np.array([-8.0, -8.1]), "least-squares", "mine")
    open_ = ConstantPotential(Baseline(fitted))
    assert "Cu" in open_.doubt([Atoms("Cu")])
    assert ConstantPotential(Baseline()).doubt([Atoms("Cu")]) is None
