"""The registry's word against the frames that were read."""

import numpy as np
import pandas as pd
import pytest

from mekrr.data.expectations import energy_doubt, meet
from mekrr.errors import DataError


@pytest.fixture
def rows():
    return pd.DataFrame({"frame": range(100, 112), "run": 0, "n_atoms": 4})


def test_runs_by_their_first_frames(rows):
    runs = meet(rows, [], {"runs": [0, 3, 10]}, "d")["run"]
    assert runs.tolist() == [0] * 3 + [1] * 7 + [2] * 2
    for starts in ([0, 12], [1, 4], [0, 5, 5]):
        with pytest.raises(DataError, match=r"^d: runs .*12 frames; correct `runs`"):
            meet(rows, [], {"runs": starts}, "d")


def test_number_of_frames(rows):
    assert meet(rows, [], {"frames": 12}, "d").equals(rows)
    with pytest.raises(DataError, match=r"^d: 12 frames, expected 13"):
        meet(rows, [], {"frames": 13}, "d")


def test_number_of_atoms(rows):
    meet(rows, [], {"atoms": 4}, "d")
    rows.loc[5, "n_atoms"] = 1
    meet(rows, [5], {"atoms": 4}, "d")  # an isolated atom
    with pytest.raises(DataError, match=r"^d: frame 105: 1 atoms, expected 4; the file is another"):
        meet(rows, [], {"atoms": 4}, "d")


def test_mean_number_of_atoms(rows):
    rows["n_atoms"] = 3 + np.arange(12)
    meet(rows, [], {"mean_atoms": 8}, "d")
    with pytest.raises(DataError, match=r"^d: 8.5 atoms in a frame on average, expected 4"):
        meet(rows, [], {"mean_atoms": 4}, "d")


def test_unit_of_the_energies():
    table = pd.DataFrame({"n_atoms": [50, 50, 48], "energy": [-420.0, -421.0, -404.0]})
    assert energy_doubt(table, None) is None
    assert energy_doubt(table, (-9.0, -8.0)) is None
    table["energy"] /= table["n_atoms"]
    assert "give energies per atom; write total energies" in energy_doubt(table, (-9.0, -8.0))
    table["energy"] *= table["n_atoms"] / 27.211
    assert "another unit than eV" in energy_doubt(table, (-9.0, -8.0))
