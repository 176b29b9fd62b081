"""Isolated atoms, and compositions never seen in training, through the workflow."""

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled

ALONE = {"Cu": -24.0, "O": -26.0}  # eV
BINDING = -0.5  # eV/atom


def oxide(seed, vacancy):
    """Frames of Cu3O, or of Cu2O with an atom taken out, and energies that go with them."""
    frames, rng = [], np.random.default_rng(seed)
    for k, copper in enumerate(labelled(24, seed)):
        atoms = copper[vacancy:]
        atoms.symbols[-1] = "O"
        energy = sum(ALONE[s] + BINDING for s in atoms.symbols) + 0.1 * rng.normal()
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        atoms.info = {"run": k // 4}
        frames.append(atoms)
    return frames


def isolated(symbol):
    atoms = Atoms(symbol, cell=[12.0] * 3, pbc=True, info={"config_type": "IsolatedAtom"})
    atoms.calc = SinglePointCalculator(atoms, energy=ALONE[symbol])
    return atoms


def test_isolated_atoms_and_an_unseen_composition(project):
    frames = [isolated("O"), *oxide(0, vacancy=0), isolated("Cu")]
    ase.io.write(project.data, frames, format="extxyz")
    ase.io.write(project.folder / "vacancies.extxyz", oxide(1, vacancy=1), format="extxyz")
    project.config["datasets"] |= {"vacancies": {"path": "vacancies.extxyz"}}
    project.config["study"] |= {
        "datasets": ["mine", "vacancies"],
        "splits": ["random"],
        "seeds": [0],
        "transfer": [["mine", "vacancies"]],
    }
    checks = "results/data/mine/checks.csv"
    predictions = "results/transfer/mine-to-vacancies/random/toy.predictions.csv"
    result = project.run(checks, predictions)
    assert result.returncode == 0, result.stderr

    table = pd.read_csv(project.folder / "results/data/mine/frames.csv")
    assert table["formula"].eq("Cu3O").all()
    assert table["frame"].tolist() == list(range(1, 25))
    assert table["isolated_Cu"].eq(-24.0).all()
    (warning,) = (line for line in result.stderr.splitlines() if "mekrr: warning" in line)
    assert warning.startswith(
        "mekrr: warning: mine: reference energies, vacancies: 1 of 1 splits; split random-0: frames"
    )
    assert "Cu and O cannot be told apart (only as Cu3 O1)" in warning
    findings = pd.read_csv(project.folder / checks).set_index("check")["status"]
    assert findings["reference energies"] == "ok"
    assert findings["reference energies, vacancies"] == "warning"

    made = pd.read_csv(project.folder / predictions)
    made = made[made["method"].str.startswith("MEKRR")]
    error = (made["energy_pred"] - made["energy_ref"]).abs()
    assert error.max() < 3.0  # eV; of -74, by references of isolated atoms
    assert (error < 5.0 * made["energy_std"]).all()
