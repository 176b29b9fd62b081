"""The registry's word against the frames that were read."""

import pandas as pd
import pytest
from samples import labelled

from mekrr.data.expectations import energy_doubt, meet
from mekrr.errors import DataError


@pytest.fixture
def frames():
    found = labelled()
    for number, atoms in enumerate(found):
        atoms.info["frame"] = number
    return found


def test_runs_by_their_first_frames(frames):
    meet(frames, {"runs": [0, 3, 10]}, "d")
    assert [atoms.info["run"] for atoms in frames] == [0] * 3 + [1] * 7 + [2] * 2
    for starts in ([0, 12], [1, 4], [0, 5, 5]):
        with pytest.raises(DataError, match=r"^d: runs .*12 frames; correct `runs`"):
            meet(frames, {"runs": starts}, "d")


def test_number_of_frames(frames):
    meet(frames, {"frames": 12}, "d")
    with pytest.raises(DataError, match=r"^d: 12 frames, expected 13"):
        meet(frames, {"frames": 13}, "d")


def test_number_of_atoms(frames):
    n_atoms = len(frames[0])
    meet(frames, {"atoms": n_atoms}, "d")
    frames[5] = frames[5][:-1]
    frames[5].info["frame"] = 5
    with pytest.raises(DataError, match=rf"^d: frame 5: {n_atoms - 1} atoms, expected {n_atoms}"):
        meet(frames, {"atoms": n_atoms}, "d")


def test_unit_of_the_energies():
    table = pd.DataFrame({"n_atoms": [50, 50, 48], "energy": [-420.0, -421.0, -404.0]})
    assert energy_doubt(table, None) is None
    assert energy_doubt(table, (-9.0, -8.0)) is None
    table["energy"] /= table["n_atoms"]
    assert "give energies per atom; write total energies" in energy_doubt(table, (-9.0, -8.0))
    table["energy"] *= table["n_atoms"] / 27.211
    assert "another unit than eV" in energy_doubt(table, (-9.0, -8.0))
