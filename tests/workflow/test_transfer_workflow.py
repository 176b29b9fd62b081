"""Transfer between data sets through the workflow."""

import ase.io
import pandas as pd
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled


@pytest.fixture
def pair(project):
    """The tiny study and a second data set of twice as many atoms, to be transferred to."""
    frames = []
    for small in labelled(24, seed=1):
        atoms = small.repeat((2, 1, 1))
        atoms.calc = SinglePointCalculator(atoms, energy=2 * small.get_potential_energy())
        atoms.info["run"] = small.info["run"]
        frames.append(atoms)
    ase.io.write(project.folder / "large.extxyz", frames, format="extxyz")
    project.config["study"] |= {
        "datasets": ["mine", "large"],
        "seeds": [0],
        "transfer": [["mine", "large"]],
    }
    project.config["datasets"]["large"] = {"path": "large.extxyz"}
    return project


def test_transfer_to_twice_as_many_atoms(pair):
    result = pair.run("transfers")
    assert result.returncode == 0, result.stdout + result.stderr
    results = pair.folder / "results"
    for strategy in ("random-0", "run-0"):
        folder = results / "transfer" / "mine-to-large" / strategy
        split = pd.read_csv(results / f"data/large/splits/{strategy}.csv")
        test = split.loc[split["split"] == "test", "index"].tolist()
        table = pd.read_csv(folder / "toy.predictions.csv")
        assert set(table["method"]) == {
            *("linear ridge", "species ridge"),
            *("MEKRR", "MEKRR-alpha", "MEKRR-alpha-loo", "MEKRR-species"),
        }
        for _, rows in table.groupby("method"):
            assert rows["index"].tolist() == test
            assert rows["n_atoms"].eq(8).all()
            assert rows[["energy_pred", "energy_std"]].notna().all(axis=None)
        mean = pd.read_csv(folder / "training-mean.predictions.csv")
        assert mean["index"].tolist() == test
        assert mean["backbone"].eq("none").all()
        error = (mean["energy_pred"] - mean["energy_ref"]).abs() / 8
        assert error.max() < 1.0  # eV/atom: of -25, since references follow the atoms
    assert pair.planned("transfers") == {}


def test_species_unknown_to_the_source(pair):
    frames = ase.io.read(pair.folder / "large.extxyz", ":")
    for atoms in frames:
        atoms.symbols[0] = "Ni"
        atoms.calc = SinglePointCalculator(atoms, energy=-200.0)
    ase.io.write(pair.folder / "large.extxyz", frames, format="extxyz")
    result = pair.run("transfers")
    lines = {line for line in result.stderr.splitlines() if line.startswith("mekrr: ")}
    assert lines == {
        "mekrr: error: mine to large: no training frame of mine has Ni; take the pair out of "
        "study.transfer"
    }
    assert not list((pair.folder / "results").glob("transfer/*/*/*.csv"))


def test_pairs_must_be_of_the_study(pair):
    pair.config["study"]["transfer"] = [["mine", "d4-surrogate"]]
    result = pair.run("--dry-run")
    assert result.returncode != 0
    assert (
        "mekrr: error: config: study.transfer: 'd4-surrogate' of [mine, d4-surrogate] is not in "
        "study.datasets; add it there" in result.stderr
    )
