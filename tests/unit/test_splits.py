"""Splits: disjoint, complete, reproducible, and refused when a part would be empty."""

import numpy as np
import pandas as pd
import pytest

from mekrr.data.splits import split_frames
from mekrr.data.strategies import STRATEGIES
from mekrr.errors import ConfigError, DataError

FRACTIONS = (0.6, 0.2, 0.2)
RUNS = np.repeat(np.arange(8), [30, 10, 12, 8, 20, 5, 10, 5])
FRAMES = pd.DataFrame({"run": RUNS})
DIVIDED = FRAMES.assign(part=["train"] * 70 + ["val"] * 20 + ["test"] * 10)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_frame_in_one_part_and_reproducible(strategy):
    table = split_frames(DIVIDED, strategy, FRACTIONS, 3, "d")
    assert table["index"].tolist() == list(range(len(RUNS)))
    assert set(table["split"]) == {"train", "val", "test"}
    assert table.equals(split_frames(DIVIDED, strategy, FRACTIONS, 3, "d"))
    other = split_frames(DIVIDED, strategy, FRACTIONS, 4, "d")
    assert table.equals(other) != STRATEGIES[strategy].seeded


def test_unknown_strategy_is_named():
    with pytest.raises(ConfigError, match=r"^strategy='rnadom' is unknown; known: random, run, "):
        split_frames(FRAMES, "rnadom", FRACTIONS, 0, "d")


def test_random_shares_and_seeds():
    table = split_frames(FRAMES, "random", FRACTIONS, 0, "d")
    assert table["split"].value_counts().to_dict() == {"train": 60, "val": 20, "test": 20}
    assert not table.equals(split_frames(FRAMES, "random", FRACTIONS, 1, "d"))


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_kept_together_and_shares_are_near(seed):
    table = split_frames(FRAMES, "run", FRACTIONS, seed, "d")
    assert all(len(set(run)) == 1 for _, run in table.groupby(RUNS)["split"])
    shares = table["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.25)
    assert shares["val"] == pytest.approx(0.2, abs=0.2)


def test_sequential_is_in_time_order():
    labels = split_frames(FRAMES, "sequential", FRACTIONS, 0, "d")["split"].tolist()
    assert labels == ["train"] * 60 + ["val"] * 20 + ["test"] * 20


def test_empty_part_is_refused():
    with pytest.raises(DataError, match=r"^d: split 'run' leaves val empty .* another strategy"):
        split_frames(pd.DataFrame({"run": [0] * 50}), "run", FRACTIONS, 0, "d")
    with pytest.raises(DataError, match="leaves test empty"):
        split_frames(pd.DataFrame({"run": [0] * 10}), "random", (0.6, 0.38, 0.02), 0, "d")


def test_published_split_is_kept_as_it_is():
    table = split_frames(DIVIDED, "published", FRACTIONS, 0, "d")
    assert table["split"].tolist() == DIVIDED["part"].tolist()
    with pytest.raises(DataError, match=r"^d: split 'published' needs frames that come divided"):
        split_frames(FRAMES, "published", FRACTIONS, 0, "d")
