"""i-PI: by a socket with the calculator, and with a file of metatomic in its own process."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import ase.io
import numpy as np
import pytest
from ase.calculators.socketio import SocketClient
from tolerances import DRIFT, ENGINE, IPI

pytest.importorskip("ipi")

STEPS, BEADS = 20, 4
INPUT = """
<simulation verbosity='low' threading='false'>
  <output prefix='run'>
    <properties stride='1' filename='out'>
      [ step, conserved{{electronvolt}}, potential{{electronvolt}}, virial_md{{ev/ang3}} ]
    </properties>
    <trajectory stride='1' filename='positions' format='ase'> positions </trajectory>
    <trajectory stride='1' filename='forces' format='ase'> forces </trajectory>
  </output>
  <total_steps> {steps} </total_steps>
  <prng><seed> 7 </seed></prng>
  {field}
  <system>
    <initialize nbeads='{beads}'>
      <file mode='ase'> start.extxyz </file>
      <velocities mode='thermal' units='kelvin'> 300 </velocities>
    </initialize>
    <forces><force forcefield='mekrr'/></forces>
    <ensemble><temperature units='kelvin'> 300 </temperature></ensemble>
    <motion mode='dynamics'>
      <dynamics mode='{mode}'>
        {thermostat}
        <timestep units='femtosecond'> 1.0 </timestep>
      </dynamics>
    </motion>
  </system>
</simulation>
"""
SOCKET = "<ffsocket name='mekrr' mode='unix' pbc='false'><address> {name} </address></ffsocket>"
DIRECT = """<ffdirect name='mekrr' pbc='false'>
    <pes> metatomic </pes>
    <parameters> {{ template: start.extxyz, model: {path}, device: cpu }} </parameters>
  </ffdirect>"""
"""By i-PI's own metatomic driver, without a socket."""
KINDS = {
    "nve": {"mode": "nve", "beads": 1, "steps": STEPS, "thermostat": ""},
    "pimd": {
        "mode": "nvt",
        "beads": BEADS,
        "steps": 5,
        "thermostat": "<thermostat mode='pile_g'><tau units='femtosecond'> 50 </tau></thermostat>",
    },
}


@pytest.fixture
def folder(tmp_path, monkeypatch, start):
    monkeypatch.chdir(tmp_path)
    ase.io.write("start.extxyz", start, columns=["symbols", "positions"])
    return tmp_path


@contextmanager
def started(kind, field):
    """Start i-PI in this folder; hold that it ends well."""
    Path("input.xml").write_text(INPUT.format(field=field, **KINDS[kind]))
    program = Path(sys.executable).with_name("i-pi")
    with open("log", "w") as log:
        run = subprocess.Popen([program, "input.xml"], stdout=log, stderr=subprocess.STDOUT)
        try:
            yield run
            assert run.wait(timeout=100) == 0, Path("log").read_text()
        finally:
            run.kill()
            run.wait()


def by_socket(kind, calculator, start):
    name = f"mekrr-{uuid4().hex[:8]}"
    atoms = start.copy()
    atoms.calc = calculator
    with started(kind, SOCKET.format(name=name)) as run:
        while not Path(f"/tmp/ipi_{name}").exists():
            assert run.poll() is None, Path("log").read_text()
        SocketClient(unixsocket=name).run(atoms, use_stress=True)


def in_process(kind, path):
    with started(kind, DIRECT.format(path=path)):
        pass


def compare(kind, calculator, tolerance):
    """Ask the calculator what it makes of the frames; return conserved energies (steps,) in eV."""
    settings, rows = KINDS[kind], np.loadtxt("run.out")
    assert len(rows) == settings["steps"] + 1
    energies, virials = [], []
    for bead in range(settings["beads"]):
        name = f"{bead:0{len(str(settings['beads'] - 1))}d}"
        frames = ase.io.read(f"run.positions_{name}.extxyz", ":")
        forces = ase.io.read(f"run.forces_{name}.extxyz", ":")
        assert len(frames) == settings["steps"] + 1
        own = [calculator.get_property("energy", atoms) for atoms in frames]
        for atoms, found in zip(frames, forces, strict=True):
            expected = calculator.get_property("forces", atoms)
            np.testing.assert_allclose(found.get_forces(), expected, rtol=0, atol=tolerance)
        energies.append(own)
        virials.append([-calculator.get_property("stress", atoms) for atoms in frames])
    order = [0, 1, 2, 5, 4, 3]
    np.testing.assert_allclose(rows[:, 2], np.mean(energies, axis=0), rtol=0, atol=tolerance)
    np.testing.assert_allclose(
        rows[:, 3:], np.sum(virials, axis=0)[:, order], rtol=0, atol=tolerance
    )
    return rows[:, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_by_socket_with_the_calculator(kind, folder, calculator, start):
    by_socket(kind, calculator, start)
    conserved = compare(kind, calculator, ENGINE)
    if kind == "nve":
        assert np.ptp(conserved) / len(start) < DRIFT


@pytest.mark.parametrize("kind", KINDS)
def test_by_a_file_of_metatomic(kind, folder, exported, calculator, start):
    in_process(kind, exported)
    conserved = compare(kind, calculator, IPI)
    if kind == "nve":
        assert np.ptp(conserved) / len(start) < DRIFT
