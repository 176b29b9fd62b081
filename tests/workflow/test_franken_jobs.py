"""franken in the workflow: left out without its environment; fit and forces with a stand-in."""

import sys

import numpy as np
import pandas as pd
from fake_franken import STIFFNESS
from samples import ROOT

from mekrr.data.frames import load_frames
from mekrr.study.franken.environment import PYTHON

FIT = "results/fits/mine/random-0/sevennet-0/franken.predictions.csv"
FORCES = "results/forces/mine/random-0/sevennet-0/franken.csv"


def test_franken_in_its_environment_and_without(project):
    project.config["study"] |= {"backbones": ["sevennet-0"], "splits": ["random"], "seeds": [0]}
    project.config |= {"franken": {"backbones": ["sevennet-0"]}, "forces": {"frames": "all"}}
    missing = project.run("fits", "--dry-run", "--quiet", "rules")
    assert missing.returncode == 0, missing.stderr
    assert "mekrr: warning: franken is left out, as it is not installed" in missing.stderr
    assert "fit_franken" not in missing.stdout + missing.stderr
    python = project.folder / PYTHON
    python.parent.mkdir(parents=True)
    stand_in = ROOT / "tests/fake_franken.py"
    command = f'exec {sys.executable} {stand_in} "$last"'
    python.write_text(f"#!/bin/sh\nfor last; do :; done\n{command}\n")
    python.chmod(0o755)
    result = project.run(FIT, FORCES)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / FIT)
    assert table["split"].value_counts().to_dict() == {"train": 14, "val": 5, "test": 5}
    assert np.ptp(table["energy_pred"]) == 0, "the mean, of frames of one size"
    sums = pd.read_csv(project.folder / FORCES).set_index("index")
    frames = load_frames(project.folder / "results/data/mine/frames.extxyz")
    assert set(sums.index) == set(table["index"][table["split"] == "test"])
    for index, row in sums.iterrows():
        error = STIFFNESS * frames[index].positions - frames[index].get_forces()
        assert abs(row["square"] - np.square(error).sum()) < 1e-9
