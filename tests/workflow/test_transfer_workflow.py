"""Transfer between data sets through the workflow."""

import ase.io
import pandas as pd
from ase.calculators.singlepoint import SinglePointCalculator


def test_transfer_to_twice_as_many_atoms(pair):
    result = pair.run("transfers")
    assert result.returncode == 0, result.stdout + result.stderr
    results = pair.folder / "results"
    folder = results / "transfer/mine-to-large/random"
    split = pd.read_csv(results / "data/large/splits/random-0.csv")
    test = split.loc[split["split"] == "test", "index"].tolist()
    table = pd.read_csv(folder / "toy.predictions.csv")
    assert set(table["method"]) == {
        *("linear ridge", "species ridge"),
        *("MEKRR", "MEKRR-alpha", "MEKRR-alpha-loo", "MEKRR-species", "MEKRR-extensive"),
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
    assert not (results / "transfer/mine-to-large/run").exists()  # the first split serves
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


def test_pairs_of_other_studies_are_left_alone(pair):
    pair.config["study"]["transfer"].append(["mine", "d4-surrogate"])
    assert pair.planned("transfers")["transfer"] == 2  # the training mean and kernels


def test_names_of_pairs_are_checked(pair):
    pair.config["study"]["transfer"] = [["mine", "d4-surogate"]]
    result = pair.run("--dry-run")
    assert result.returncode != 0
    assert (
        "mekrr: error: config: study.transfer: 'd4-surogate' is not in the registry `datasets`, "
        "did you mean 'd4-surrogate'?" in result.stderr
    )
