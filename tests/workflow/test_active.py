"""The loop of selecting, labelling, fitting and running, on copper with ASE's EMT for DFT."""

import os
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from samples import ROOT
from studies import Project

from mekrr import SparseMEKRR
from mekrr.errors import ConfigError, DataError
from mekrr.models.load import load_model
from mekrr.selection import select_frames
from mekrr.study.active.labels import calculator_of, labelled
from mekrr.study.config.active import read_active

COMMAND = f"{sys.executable} label.py {{input}} {{output}}"
LABELLER = """
import sys
import ase.io
from ase.calculators.emt import EMT
frames = ase.io.read(sys.argv[1], ":")
for atoms in frames:
    atoms.calc = EMT()
    atoms.get_forces()
ase.io.write(sys.argv[2], frames)
"""

WITHOUT_FORCES = """
    from ase.calculators.singlepoint import SinglePointCalculator
    atoms.calc = SinglePointCalculator(atoms, energy=atoms.get_potential_energy())
"""


def copper(n, spread, seed):
    """Rattled frames with labels."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True) * (2, 2, 2)
        atoms.positions += spread * rng.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    return frames


LOOP = {
    "name": "copper",
    "title": "Copper & EMT",
    "start": {"path": "start.extxyz", "frames": 6},
    "backbone": "toy",
    "registry": "registry.yaml",
    "fit": {"forces": 2, "force_atoms": {"index": [0]}, "inducing": 30},
    "rounds": 1,
    "seeds": [1],
    "select": {"method": "variance", "frames": 3, "atoms": "all"},
    "dynamics": {
        "ensemble": "langevin",
        "temperature": 600.0,
        "timestep": 2.0,
        "friction": 0.02,
        "steps": 40,
        "every": 4,
        "restraints": [
            {
                "variable": {"distance": [0, 1]}, "begin": 2.6, "end": 3.2,
                "start": 0.0, "ramp": 80.0, "stiffness": 40.0,
            }
        ],
        "walls": [],
        "limits": {"hottest": 10.0, "closest": 0.3, "drift": 100.0},
    },
    "label": {"calculator": "ase.calculators.emt:EMT"},
    "against": {"path": "long.extxyz"},
    "test": {"path": "test.extxyz", "every": 2},
    "shown": {"variable": {"distance": [0, 1]}, "beyond": 2.6, "atoms": {"index": [0, 1]}},
}  # fmt: skip


def active(project, *arguments):
    """Run the loop in a copy of the project."""
    (project.folder / "loop.yaml").write_text(yaml.safe_dump({"active": LOOP}))
    return subprocess.run(
        [
            sys.executable, "-m", "snakemake", "--snakefile", "workflow/active.smk",
            "--configfile", "loop.yaml", "--cores", "2", *arguments,
        ],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(project.folder / "src")},
        capture_output=True,
        text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """A finished loop."""
    project = Project(tmp_path_factory.mktemp("loop") / "project")
    for name, n, spread in (("start", 12, 0.05), ("long", 20, 0.15), ("test", 12, 0.15)):
        ase.io.write(project.folder / f"{name}.extxyz", copper(n, spread, seed=n))
    registry = {"backbones": {"toy": {"family": "analytic", "layers": [1, 2]}}}
    (project.folder / "registry.yaml").write_text(yaml.safe_dump(registry))
    result = active(project)
    assert result.returncode == 0, result.stdout + result.stderr
    return project


def check_a_round_is_what_the_library_does(loop):
    """Selected with the model of the round before, labelled by EMT, added to what was known."""
    root = loop.folder / "results/active/copper"
    last, now = root / "start-1/round-0", root / "variance-1/round-1"
    trajectory = ase.io.read(now / "trajectory.extxyz", ":")
    assert len(trajectory) == 11
    model = load_model(last / "model.safetensors", registry=loop.folder / "registry.yaml")
    found = select_frames(trajectory, 3, model=model)
    chosen = pd.read_csv(now / "selected.csv")
    assert chosen["original_frame"].tolist() == found.places.tolist()
    frames = ase.io.read(now / "labelled.extxyz", ":")
    known = ase.io.read(last / "labelled.extxyz", ":")
    assert len(frames) == len(known) + len(chosen)
    for atoms, place in zip(frames[len(known) :], found.places, strict=True):
        np.testing.assert_allclose(atoms.positions, trajectory[place].positions, atol=1e-7)
        true = atoms.copy()
        true.calc = EMT()
        assert atoms.get_potential_energy() == pytest.approx(true.get_potential_energy())
        np.testing.assert_allclose(atoms.get_forces(), true.get_forces(), atol=1e-6)


def check_the_restraint_pulls(loop):
    """The atoms that are drawn apart move apart."""
    root = loop.folder / "results/active/copper"
    first, last = [], []
    for path in root.glob("variance-*/round-*/trajectory.extxyz"):
        frames = ase.io.read(path, ":")
        first.append(frames[0].get_distance(0, 1))
        last.append(frames[-1].get_distance(0, 1))
    assert len(first) == 1
    assert np.mean(last) > np.mean(first) + 0.2


def check_errors_are_those_of_the_models(loop):
    root = loop.folder / "results/active/copper"
    table = pd.read_csv(root / "errors.csv").set_index(["way", "seed", "round", "where"])
    assert len(table) == 3 * (1 + 3)
    test = ase.io.read(loop.folder / "test.extxyz", ":")[::2]
    far = np.array([atoms.get_distance(0, 1) for atoms in test]) >= 2.6
    for way in ("variance", "random", "stride"):
        place = root / f"{way}-1/round-1"
        model = SparseMEKRR.load(place / "model.safetensors", loop.folder / "registry.yaml")
        errors = 1000.0 * (model.predict(test) - [a.get_potential_energy() for a in test]) / 32
        for where, part in {"all": errors, "below": errors[~far], "beyond": errors[far]}.items():
            told = table.loc[way, 1, 1, where]
            assert told["energy_rmse"] == pytest.approx(np.sqrt(np.mean(part**2)), rel=1e-3)
            assert told["frames"] == len(part)
        assert told["n_train"] == len(ase.io.read(place / "labelled.extxyz", ":")) == 9


def check_what_it_is_held_against_has_as_many_frames_of_long_runs(loop):
    root = loop.folder / "results/active/copper"
    pool = [atoms.positions for atoms in ase.io.read(loop.folder / "long.extxyz", ":")]
    for way in ("random", "stride"):
        added = ase.io.read(root / f"{way}-1/round-1/labelled.extxyz", "6:")
        places = [
            int(np.argmin([np.abs(atoms.positions - own).max() for own in pool])) for atoms in added
        ]
        assert len(set(places)) == 3
        if way == "stride":
            assert places == [3, 10, 16]


def check_page_and_figures(loop):
    root = loop.folder / "results/active/copper"
    text = (root / "errors.html").read_text()
    assert "Copper &amp; EMT" in text
    for name in ("errors", "trajectories"):
        assert (root / f"{name}.png").stat().st_size > 10_000
    assert active(loop, "--dry-run").stdout.count("Nothing to be done") == 1


def test_a_loop(loop):
    """All of it in one test: another worker would run the loop once more."""
    check_a_round_is_what_the_library_does(loop)
    check_the_restraint_pulls(loop)
    check_errors_are_those_of_the_models(loop)
    check_what_it_is_held_against_has_as_many_frames_of_long_runs(loop)
    check_page_and_figures(loop)


# Labels


def test_a_command_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("label.py").write_text(LABELLER)
    frames = copper(3, 0.1, seed=0)
    bare = [atoms.copy() for atoms in frames]
    for found, true in zip(labelled(bare, {"command": COMMAND}, Path("x")), frames, strict=True):
        assert found.get_potential_energy() == pytest.approx(true.get_potential_energy())
        np.testing.assert_allclose(found.get_forces(), true.get_forces(), atol=1e-6)
    assert [path.name for path in Path().iterdir()] == ["label.py"]


@pytest.mark.parametrize(
    ("labeller", "message"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("pass", "wrote no {output}"),
        (LABELLER.replace('":")', '":-1")'), "gave 2 frames for 3"),
        (LABELLER.replace("EMT()\n", "EMT()\n    atoms.rattle(0.1)\n"), "frame 0 came back with"),
        (LABELLER.replace("atoms.get_forces()", WITHOUT_FORCES), "came back without forces"),
    ],
)
def test_a_command_that_fails(tmp_path, monkeypatch, labeller, message):
    monkeypatch.chdir(tmp_path)
    Path("label.py").write_text(labeller)
    bare = [atoms.copy() for atoms in copper(3, 0.1, seed=0)]
    with pytest.raises(DataError, match=message) as raised:
        labelled(bare, {"command": COMMAND}, Path("x"))
    assert str(raised.value).startswith("active.label.command")


@pytest.mark.parametrize("name", ["no.such:thing", "ase.calculators.emt:No", "ase:Atoms"])
def test_a_calculator_that_cannot_be_made(name):
    with pytest.raises(ConfigError, match=f"active.label.calculator: {name}: "):
        calculator_of(name, {"no": 1})


# Configuration


def test_the_loop_that_ships_is_valid():
    config = yaml.safe_load((ROOT / "config/active.yaml").read_text())
    assert read_active(config).ways == ["variance", "random", "stride"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"round": 2}, "active.round: unknown key, did you mean 'rounds'"),
        ({"seeds": []}, "active.seeds"),
        ({"select": LOOP["select"] | {"method": "random"}}, "active.select.method"),
        ({"label": {}}, "active.label: give `calculator` or `command`"),
        ({"label": {"calculator": "EMT"}}, "active.label.calculator: 'EMT' is no module:function"),
        ({"label": {"command": "x {input}"}}, "active.label.command: name {input} and {output}"),
        (
            {"dynamics": LOOP["dynamics"] | {"ensemble": "bussi"}},
            "active.dynamics.time_constant: bussi needs it",
        ),
    ],
)
def test_faults_name_their_key(change, message):
    with pytest.raises(ConfigError, match=message) as raised:
        read_active({"active": LOOP | change})
    assert str(raised.value).isprintable()
