"""The stretch of a trajectory behind a heatmap."""

import numpy as np
import pandas as pd
import pytest

from mekrr.errors import DataError
from mekrr.stretch import choose_stretch, two_clusters

FRAMES = pd.DataFrame({"run": [0] * 5 + [1] * 200})


def test_longest_run_by_default():
    assert choose_stretch(FRAMES, "d").tolist() == list(range(5, 125))


def test_part_of_a_run():
    assert choose_stretch(FRAMES, "d", run=1, first=10, count=3).tolist() == [15, 16, 17]


def test_unknown_run_is_named():
    with pytest.raises(DataError, match=r"d: stretch: run 7 .*runs: 0, 1"):
        choose_stretch(FRAMES, "d", run=7)


def test_clusters_of_two_blocks():
    kernel = np.full((7, 7), 0.05)
    kernel[:3, :3] = kernel[3:, 3:] = 1.0
    assert two_clusters(kernel, 0).tolist() == [0] * 3 + [1] * 4
