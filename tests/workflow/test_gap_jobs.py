"""GAP-SOAP in the workflow: fits, transfer to a larger cell, what a new setting reruns."""

import ase.io
import pandas as pd
import pytest
from samples import labelled

pytest.importorskip("quippy", reason="no wheel of quippy-ase for this platform")

FIT = "results/fits/small/random-0/gap-soap/predictions.csv"
TRANSFER = "results/transfer/small-to-large/random/gap-soap.predictions.csv"


def test_fits_and_transfers(project):
    for name, repeat in (("small", 1), ("large", 2)):
        frames = []
        for atoms in labelled(24):
            cell = atoms.repeat((1, 1, repeat))
            cell.info = {}
            cell.calc = atoms.calc.__class__(cell, energy=repeat * atoms.get_potential_energy())
            frames.append(cell)
        ase.io.write(project.folder / f"{name}.extxyz", frames)
        project.config["datasets"][name] = {"path": f"{name}.extxyz"}
    project.config["study"] |= {
        "datasets": ["small", "large"],
        "splits": ["random"],
        "seeds": [0],
        "gap": True,
        "transfer": [["small", "large"]],
    }
    project.config["gap"] = {"n_max": 3, "l_max": 2, "cutoff": 4.0, "n_sparse": 20}
    result = project.run(FIT, TRANSFER)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / FIT)
    assert set(table["method"]) == {"GAP-SOAP"}
    assert table["split"].value_counts().to_dict() == {"val": 5, "test": 5}
    moved = pd.read_csv(project.folder / TRANSFER)
    assert len(moved) == 5
    assert set(zip(moved["source"], moved["target"], moved["seed"], strict=True)) == {
        ("small", "large", 0)
    }
    # Same seed, same number of frames: the same split; and twice the cell has twice the energy.
    small = table.set_index("index").loc[moved["index"], "energy_pred"]
    assert moved["energy_pred"].to_numpy() == pytest.approx(2 * small.to_numpy(), abs=1e-5)
    project.config["gap"]["forces"] = {"sigma": 0.1, "frames": "all"}  # in a fit of its own
    assert project.planned(FIT, TRANSFER) == {}
    project.config["gap"]["delta"] = 0.3
    assert project.planned(FIT, TRANSFER) == {"fit_gap": 1, "transfer": 1}
