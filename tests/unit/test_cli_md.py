"""`mekrr md` end to end, on copper by a backbone without weights."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from mekrr import MEKRR, Calculator, SparseMEKRR, load_model
from mekrr.cli import main
from mekrr.dynamics import engine

# Warnings are lines that the command prints.
pytestmark = pytest.mark.filterwarnings("default")


def copper(seed):
    """Rattled copper with EMT's labels."""
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=seed)
    emt = EMT()
    labels = {"energy": emt.get_potential_energy(atoms), "forces": emt.get_forces(atoms)}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A registry and models of both kinds."""
    folder = tmp_path_factory.mktemp("models")
    entries = {"analytic": {"family": "analytic", "layers": [1, 2]}}
    (folder / "mine.yaml").write_text(yaml.safe_dump({"backbones": entries}))
    training = [copper(k) for k in range(20)]
    shared = {"registry": folder / "mine.yaml"}
    MEKRR("analytic", layer=1, regularisation=1e-6, **shared).fit(training).save(folder / "exact")
    sparse = {"layers": [1], "inducing": 20, "regularisation": 10.0, "sigma_energy": 1.0}
    SparseMEKRR("analytic", forces=4, **sparse, **shared).fit(training).save(folder / "sparse")
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """A folder with a file of three starts, the last one without momenta."""
    monkeypatch.chdir(tmp_path)
    frames = [copper(seed).copy() for seed in (100, 101, 102)]
    frames[0].set_constraint(FixAtoms([0, 2]))
    frames[1].set_momenta(np.random.default_rng(1).normal(size=(4, 3)))
    ase.io.write("starts.extxyz", frames)
    return tmp_path


SHORT = ("--every", "5", "--frames-every", "10", "--steps", "40")


def arguments(made, *options, start="starts.extxyz", model="exact", output="run"):
    given = ("--registry", str(made / "mine.yaml"), "--threads", "1", "-o", output)
    return ["md", str(made / model), start, *given, *SHORT, *options]


def files(prefix):
    return [Path(f"{prefix}{suffix}").read_bytes() for suffix in (".csv", ".extxyz")]


@pytest.fixture
def md(made):
    """Run the command in this process; return its exit status."""

    def call(*options, **names):
        try:
            main(arguments(made, *options, **names))
        except SystemExit as stop:
            return stop.code
        return 0

    return call


WARM = ("--temperature", "300")


@pytest.mark.parametrize("model", ["exact", "sparse"])
def test_what_is_written_is_what_the_model_says(model, md, made, folder, capsys):
    assert md(*WARM, model=model) == 0
    log = pd.read_csv("run.csv", dtype=str).astype(float).set_index("time_fs")
    assert log.index.tolist() == [5.0 * k for k in range(9)]
    frames = ase.io.read("run.extxyz", ":")
    assert [atoms.info["time_fs"] for atoms in frames] == [0.0, 10.0, 20.0, 30.0, 40.0]
    calculator = Calculator(load_model(made / model, registry=made / "mine.yaml"), warn_above=None)
    for atoms in frames:
        row, old = log.loc[atoms.info["time_fs"]], atoms.copy()
        assert atoms.get_potential_energy() == row["potential_energy"]
        assert atoms.info["energy_std"] == row["energy_std"]
        old.calc = calculator  # at places of eight decimals
        assert atoms.get_potential_energy() == pytest.approx(old.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(atoms.get_forces(), old.get_forces(), atol=1e-4)
    printed = capsys.readouterr().out
    for told in (
        "start            starts.extxyz: frame 2, 4 atoms Cu4\n",
        "dynamics         langevin, 300 K, friction 0.01/fs, steps of 1 fs\n",
        "momenta          drawn at 300 K, seed 0\n",
        "steps            40 of 40, 0.04 ps\n",
        f"temperature      {log['temperature_K'].mean():.1f} K, mean of the log\n",
        f"energy_std       at most {250 * log['energy_std'].max():.3g} meV/atom, at ",
        "ended            the steps asked for are done\n",
        "written: run.csv, run.extxyz, run.npz\n",
    ):
        assert told in printed


def test_the_same_command_goes_on(md, folder, capsys):
    assert md(*WARM, output="whole") == 0
    assert md(*WARM, "--steps", "15") == 0
    capsys.readouterr()
    assert md(*WARM) == 0
    assert "steps            40 of 40, 0.04 ps, 15 of them before\n" in capsys.readouterr().out
    assert files("run") == files("whole")
    assert md(*WARM) == 0
    assert files("run") == files("whole")


# Whoever runs the tests in the background may have them ignore SIGINT, which children inherit.
SAVING = """
from mekrr.cli import main
from mekrr.dynamics import engine
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)
engine.PAUSE = 0.0
main(sys.argv[1:])
"""


def done(path):
    """The last step that a checkpoint tells of."""
    with np.load(path) as state:
        return int(state["done"])


@pytest.mark.parametrize(("ending", "status"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_run_that_was_killed_is_the_unbroken_one(ending, status, made, md, folder):
    long = (*WARM, "--ensemble", "bussi", "--steps", "3000")
    process = subprocess.Popen(
        [sys.executable, "-c", SAVING, *arguments(made, *long)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 120
    while not os.path.exists("run.npz") or done("run.npz") < 20:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(getattr(signal, ending))
    _, told = process.communicate()
    assert process.returncode == status
    on = "mekrr: interrupted; the same command goes on from run.npz"
    assert (on in told) == (ending == "SIGINT")
    assert "Traceback" not in told
    steps = done("run.npz")
    assert 20 <= steps < 3000
    shorter = ("--steps", str(steps + 20))
    assert md(*long, *shorter) == 0
    assert md(*long, *shorter, output="whole") == 0
    assert files("run") == files("whole")


def test_ctrl_c_writes_the_checkpoint(md, folder, monkeypatch, capsys):
    calculate, count = Calculator.calculate, []

    def interrupted(*given):
        count.append(1)
        if len(count) == 18:
            raise KeyboardInterrupt
        calculate(*given)

    monkeypatch.setattr(Calculator, "calculate", interrupted)
    assert md(*WARM) == 130
    assert "the same command goes on from run.npz\n" in capsys.readouterr().err
    assert done("run.npz") == 16
    assert md(*WARM) == 0
    assert md(*WARM, output="whole") == 0
    assert files("run") == files("whole")


def test_stop_above(md, folder, capsys):
    """The frame is kept, once; the run goes on where more is allowed."""
    given, start = (*WARM, "--every", "1"), "starts.extxyz@1"
    assert md(*given, start=start, output="whole") == 0
    std = pd.read_csv("whole.csv")["energy_std"] / 4
    assert std.iloc[1:].max() > std[0]
    stop = f"{(std[0] + std.max()) / 2:.6f}"
    capsys.readouterr()
    for _ in range(2):
        assert md(*given, "--stop-above", stop, start=start) == 3
        printed = capsys.readouterr().out
        assert "ended            uncertain: Calculator: atoms Cu4: the energy is unc" in printed
        assert f"more than stop_above={float(stop):.3g}; the frame is in run.unc" in printed
        (kept,) = ase.io.read("run.uncertain.extxyz", ":")
        assert kept.info["energy_std"] / 4 > float(stop)
        assert pd.read_csv("run.csv")["energy_std"].max() / 4 <= float(stop)
    assert md(*given, "--stop-above", "1", start=start) == 0
    assert files("run") == files("whole")
    assert md(*given, "--stop-above", "0", start=start, output="none") == 3
    assert not os.path.exists("none.csv")


def test_a_run_that_leaves_the_physics_ends(md, folder, capsys):
    assert md(*WARM, "--closest", "1") == 4
    last = pd.read_csv("run.csv").iloc[-1]
    assert last.name == 1
    why = f"atoms too close ({last['closest']:.3g} of their radii, --closest 1)\n"
    assert f"ended            it left the physics: {why}" in capsys.readouterr().out
    assert md(*WARM, "--hottest", "1", output="hot") == 4
    last = pd.read_csv("hot.csv").iloc[-1]
    why = f"too hot ({last['temperature_K']:.4g} K, --hottest 1 of 300 K)\n"
    assert why in capsys.readouterr().out
    nve = ("--ensemble", "nve", "--timestep", "10", "--every", "1", "--drift", "0.001")
    assert md(*WARM, *nve, output="nve") == 4
    energy = pd.read_csv("nve.csv")["total_energy"]
    why = f"energy not conserved ({250 * (energy.iloc[-1] - energy[0]):.4g} meV/atom, --drift 0.001"
    assert why in capsys.readouterr().out


def test_momenta_and_constraints_are_those_of_the_start(md, folder, capsys):
    """Unless others are drawn; without a thermostat the energy is conserved."""
    atoms = ase.io.read("starts.extxyz", 1)
    nve = ("--ensemble", "nve", "--timestep", "0.5")
    assert md(*nve, "--hottest", "50", start="starts.extxyz@1") == 0
    printed = capsys.readouterr().out
    assert "dynamics         nve, steps of 0.5 fs\n" in printed
    assert f"momenta          those of the start, {atoms.get_temperature():.4g} K\n" in printed
    assert "meV/atom/ps by a straight line, " in printed
    log = pd.read_csv("run.csv")
    kinetic = log["total_energy"] - log["potential_energy"]
    assert kinetic[0] == pytest.approx(atoms.get_kinetic_energy())
    assert np.ptp(log["total_energy"]) < 0.02 * np.ptp(log["potential_energy"])
    assert md(*nve, *WARM, "--draw", start="starts.extxyz@1", output="drawn") == 0
    assert "momenta          drawn at 300 K, seed 0\n" in capsys.readouterr().out
    assert pd.read_csv("drawn.csv")["total_energy"][0] != log["total_energy"][0]
    assert md(*WARM, start="starts.extxyz@0", output="fixed") == 0
    frames = ase.io.read("fixed.extxyz", ":")
    start = ase.io.read("starts.extxyz", 0)
    for frame in frames:
        assert frame.constraints[0].index.tolist() == [0, 2]
        np.testing.assert_allclose(frame.positions[[0, 2]], start.positions[[0, 2]], atol=1e-8)
    assert np.abs(frames[-1].positions[[1, 3]] - start.positions[[1, 3]]).max() > 0.01


def test_without_standard_deviations_and_in_float64(md, folder):
    assert md(*WARM, output="one") == 0
    assert md(*WARM, "--no-std", "--float64", output="other") == 0
    one, other = pd.read_csv("one.csv"), pd.read_csv("other.csv")
    assert other["energy_std"].isna().all()
    np.testing.assert_allclose(one["potential_energy"], other["potential_energy"], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "--ensemble langevin needs --temperature"),
        ("--ensemble bussi", "--ensemble bussi needs --temperature"),
        ("--ensemble nve --draw", "--draw needs --temperature"),
        ("--ensemble nve", "starts.extxyz: frame 2: has no momenta; give --temperature"),
        ("--temperature 9 --time-constant 1", "--time-constant goes with --ensemble bussi"),
        ("--temperature 9 --ensemble bussi --friction 1", "--friction goes with --ensemble lang"),
        ("--temperature 9 --no-std --stop-above 1", "leave --no-std out"),
        ("--temperature 0", "argument --temperature: 0 should be from 0.001"),
        ("--temperature 9 --steps 0", "argument --steps: 0 should be from 1"),
        ("--temperature 9 -o out/", "'out/' is no beginning of files' names"),
        ("--temperature 9 -o starts", "starts.extxyz: is an input; write to another file"),
        ("--temperature 9 -o starts.extxyz", "starts.extxyz: is an input"),
        ("--temperature 9 -o mine.yaml/run", "mine.yaml/run.csv: cannot be written"),
    ],
)
def test_options_that_do_not_go_together(options, message, md, made, folder, capsys):
    (folder / "mine.yaml").write_text("")
    before = sorted(folder.iterdir())
    told = f"{md(*options.split())}{capsys.readouterr().err}"
    assert message in told
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("absent.extxyz", "absent.extxyz: no such file"),
        ("starts.extxyz@7", "starts.extxyz@7: has no frame of that index"),
        ("starts.extxyz@:2", "starts.extxyz@:2: several frames; name the one to start from"),
        ("nickel.extxyz", "nickel.extxyz: frame 0: Calculator: atoms Cu3Ni: no training frame has"),
        ("close.extxyz", "close.extxyz: frame 0: atoms 0 and 1 are at the same place"),
        ("fixed.extxyz", "fixed.extxyz: frame 0: all atoms are fixed; free some"),
    ],
)
def test_starts_that_cannot_be(start, message, md, folder):
    nickel, close, fixed = (copper(5).copy() for _ in range(3))
    nickel.symbols[0] = "Ni"
    close.positions[0] = close.positions[1]
    fixed.set_constraint(FixAtoms(range(4)))
    for name, atoms in {"nickel": nickel, "close": close, "fixed": fixed}.items():
        ase.io.write(f"{name}.extxyz", atoms)
    told = md(*WARM, start=start)
    assert told.startswith("mekrr: error: ")
    assert message in told
    assert "\n" not in told
    assert not os.path.exists("run.npz")


@pytest.mark.parametrize(
    ("options", "names", "message"),
    [
        (("--timestep", "2"), {}, "by its timestep (1.0, here 2.0); give what that run had"),
        (("--float64",), {}, "by its dtype (float32, here float64)"),
        (
            (),
            {"start": "starts.extxyz@0"},
            "by its constraints ([], here [FixAtoms",
        ),
        ((), {"model": "sparse"}, "by its model; give what"),
        (("--steps", "10"), {}, "run.npz: checkpoint of a longer run, at step 40 of 10"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(options, names, message, md, folder):
    assert md(*WARM) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = md(*WARM, *options, **names)
    assert told.startswith("mekrr: error: ")
    assert message in told
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_files_of_others_are_not_overwritten(md, folder):
    (folder / "run.extxyz").write_text("mine")
    assert "run.extxyz: is there, without a checkpoint to go on from" in md(*WARM)
    assert (folder / "run.extxyz").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["run.extxyz", "starts.extxyz"]


def test_checkpoints_come_now_and_then(md, folder, monkeypatch):
    times = []
    monkeypatch.setattr(engine, "write_state", lambda *_: times.append(1))
    assert md(*WARM) == 0
    assert len(times) == 2
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    assert md(*WARM, output="other") == 0
    assert len(times) == 2 + 43


def test_help_comes_without_the_engine():
    code = "import sys; from mekrr.cli import main; sys.argv[1:] = ['md', '--help']\n"
    code += "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "--stop-above" in shown.stdout
    loaded = shown.stderr.split()
    assert "mekrr.cli.md" in loaded
    assert not [name for name in loaded if name.startswith(("torch", "ase.md", "mekrr.dynamics"))]
