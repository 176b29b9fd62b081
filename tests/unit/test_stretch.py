"""The stretch of a trajectory behind a heatmap."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from mekrr.errors import DataError
from mekrr.stretch import choose_stretch, shortest_distance, two_clusters

FRAMES = pd.DataFrame({"run": [0] * 5 + [1] * 200})


def test_longest_run_by_default():
    assert choose_stretch(FRAMES, "d").tolist() == list(range(5, 125))


def test_part_of_a_run():
    assert choose_stretch(FRAMES, "d", run=1, first=10, count=3).tolist() == [15, 16, 17]


def test_unknown_run_is_named():
    with pytest.raises(DataError, match=r"d: stretch: run 7 .*runs: 0, 1"):
        choose_stretch(FRAMES, "d", run=7)


def test_shortest_distance_is_periodic_and_never_to_itself():
    atoms = Atoms("N2H", positions=[[0.1, 0, 0], [9.3, 0, 0], [5, 0, 0]], cell=[10] * 3, pbc=True)
    assert shortest_distance(atoms, ("N", "N"), "d") == pytest.approx(0.8)
    assert shortest_distance(atoms, ("H", "N"), "d") == pytest.approx(4.3)


def test_missing_pair_is_named():
    atoms = Atoms("NH", positions=[[0, 0, 0], [1, 0, 0]], info={"frame": 3})
    for species in (("N", "N"), ("C", "H")):
        with pytest.raises(DataError, match=r"d: frame 3: no pair of .*collective_variable"):
            shortest_distance(atoms, species, "d")


def test_clusters_of_two_blocks():
    kernel = np.full((7, 7), 0.05)
    kernel[:3, :3] = kernel[3:, 3:] = 1.0
    assert two_clusters(kernel, 0).tolist() == [0] * 3 + [1] * 4
