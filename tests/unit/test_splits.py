"""Splits: disjoint, complete, reproducible, and refused when a part would be empty."""

import numpy as np
import pytest

from mekrr.data.splits import split_frames
from mekrr.errors import DataError

FRACTIONS = (0.6, 0.2, 0.2)
RUNS = np.repeat(np.arange(8), [30, 10, 12, 8, 20, 5, 10, 5])


@pytest.mark.parametrize("strategy", ["random", "run", "sequential"])
def test_every_frame_in_one_part_and_reproducible(strategy):
    table = split_frames(RUNS, strategy, FRACTIONS, 3, "d")
    assert table["index"].tolist() == list(range(len(RUNS)))
    assert set(table["split"]) == {"train", "val", "test"}
    assert table.equals(split_frames(RUNS, strategy, FRACTIONS, 3, "d"))


def test_random_shares_and_seeds():
    table = split_frames(RUNS, "random", FRACTIONS, 0, "d")
    assert table["split"].value_counts().to_dict() == {"train": 60, "val": 20, "test": 20}
    assert not table.equals(split_frames(RUNS, "random", FRACTIONS, 1, "d"))


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_kept_together_and_shares_are_near(seed):
    table = split_frames(RUNS, "run", FRACTIONS, seed, "d")
    assert (table.groupby(RUNS)["split"].nunique() == 1).all()
    shares = table["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.25)
    assert shares["val"] == pytest.approx(0.2, abs=0.2)


def test_sequential_is_in_time_order():
    labels = split_frames(RUNS, "sequential", FRACTIONS, 0, "d")["split"].tolist()
    assert labels == ["train"] * 60 + ["val"] * 20 + ["test"] * 20


def test_empty_part_is_refused():
    with pytest.raises(DataError, match=r"^d: split 'run' leaves val empty .* another strategy in"):
        split_frames(np.zeros(50, dtype=int), "run", FRACTIONS, 0, "d")
    with pytest.raises(DataError, match="leaves test empty"):
        split_frames(np.zeros(10, dtype=int), "random", (0.6, 0.38, 0.02), 0, "d")
