"""The stretch of a trajectory behind a heatmap, its clusters, and how they are scored."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from mekrr.errors import DataError
from mekrr.kernels.gram import Gram
from mekrr.study.experiments.clusters import (
    COLUMNS,
    SEEDS,
    agreement,
    clusters,
    scores,
    scores_of_cuts,
    two_clusters,
)
from mekrr.study.experiments.stretch import (
    boundaries,
    choose_stretch,
    cuts,
    kernels_of,
    marked,
    part_of,
    stretch_and_event,
    unmarked,
)
from mekrr.study.tables.clusters import grids, over_seeds

TABLE = pd.DataFrame({"frame": np.arange(205), "run": [0] * 5 + [1] * 200})
BLOCKS = np.full((7, 7), 0.05)
BLOCKS[:3, :3] = BLOCKS[3:, 3:] = 1.0


def test_longest_run_by_default():
    assert choose_stretch(TABLE, "d").tolist() == list(range(5, 125))


def test_part_of_a_run():
    assert choose_stretch(TABLE, "d", run=1, first=10, count=3).tolist() == [15, 16, 17]


def test_frames_across_runs_in_time_order():
    shuffled = TABLE.sample(frac=1.0, random_state=0).reset_index(drop=True)
    stretch = choose_stretch(shuffled, "d", frames=[3, 6])
    assert shuffled.loc[stretch, "frame"].tolist() == [3, 4, 5, 6]
    assert boundaries(shuffled.loc[stretch, "run"].to_numpy()).tolist() == [2]


def test_unknown_run_is_named():
    with pytest.raises(DataError, match=r"d: stretch: run 7 .*runs: 0, 1"):
        choose_stretch(TABLE, "d", run=7)


def test_frames_that_are_not_there_are_named():
    with pytest.raises(DataError, match=r"d: stretch: frames \[300, 400\].*frames: 0 to 204"):
        choose_stretch(TABLE, "d", frames=[300, 400])


def test_clusters_of_two_blocks():
    (found,) = two_clusters(BLOCKS, [0])
    assert found.tolist() == [0] * 3 + [1] * 4


def test_clusters_are_those_of_scikit_learn(rng):
    """Of a kernel with an overlap, where vectors are found once and where anew for each seed."""
    points = np.concatenate([rng.normal(0, 1, (30, 2)), rng.normal(2, 1, (30, 2))])
    kernel = np.exp(-np.square(points[:, None] - points[None]).sum(axis=-1))
    for seed, found in zip((0, 1, 2), two_clusters(kernel, (0, 1, 2)), strict=True):
        model = SpectralClustering(2, affinity="precomputed", random_state=seed)
        assert adjusted_rand_score(model.fit_predict(kernel), found) == 1.0
        assert found[:30].mean() < found[30:].mean()


def test_agreement_is_that_of_the_better_naming():
    truth = np.array([4, 4, 4, 9, 9, 9, 9, 9])
    found = np.array([1, 1, 0, 0, 0, 0, 0, 1])
    accuracy = (2 / 3 + 4 / 5) / 2  # right on either side, cluster 1 named 4
    for clustering in (found, 1 - found):
        score = agreement(clustering, truth)
        assert score["balanced_accuracy"] == pytest.approx(accuracy)
        assert score["adjusted_rand_index"] == pytest.approx(adjusted_rand_score(truth, found))


def test_control_of_a_stretch_within_a_run_joins_its_end_to_the_next():
    run = np.repeat([0, 1, 2], 10)
    happened = np.tile(np.arange(10) >= 8, 3)
    found = cuts(run, np.arange(10, 20), happened)
    assert found["one run"].tolist() == list(range(10, 20))
    assert found["two runs"].tolist() == [15, 16, 17, 18, 19, 20, 21, 22, 23, 24]


def test_control_of_a_stretch_across_runs_is_its_part_with_the_event():
    run = np.repeat([0, 1], 10)
    happened = np.isin(np.arange(20), [13, 14])
    stretch = np.arange(6, 16)
    found = cuts(run, stretch, happened)
    assert found["one run"].tolist() == list(range(10, 16))
    assert found["two runs"].tolist() == stretch.tolist()


def test_stretch_with_the_event_at_its_boundary_has_no_control_within_a_run():
    run = np.repeat([0, 1], 5)
    assert set(cuts(run, np.arange(10), run == 0)) == {"two runs"}


def test_perfect_clusters_score_one_under_every_seed_and_kernel():
    gram = Gram(BLOCKS, {26: BLOCKS / 2, 7: BLOCKS / 3})
    truths = {"event": np.arange(7) > 2, "run": np.zeros(7)}
    table = scores({2: gram}, "one run", truths)
    assert set(table["kernel"]) == {"K0", "K1", "Fe", "N"}
    assert len(table) == 4 * len(SEEDS)
    assert set(table["against"]) == {"event"}  # one run is no division
    assert (table[["balanced_accuracy", "adjusted_rand_index"]] == 1.0).all(axis=None)
    found = clusters({2: gram}, 0)
    assert found.groupby("kernel")["cluster"].apply(list).map(sum).eq(4).all()


def test_shares_sum_to_k1():
    gram = Gram(BLOCKS, {26: BLOCKS / 2, 7: BLOCKS / 3})
    named = dict(kernels_of(gram))
    np.testing.assert_array_equal(named["K1"], named["Fe"] + named["N"])


def test_table_has_mixtures_first_and_shares_apart():
    gram = Gram(BLOCKS, {26: BLOCKS / 2})
    table = scores({2: gram}, "one run", {"event": np.arange(7) > 2})
    table = over_seeds(table.assign(dataset="d", backbone="b"))
    (mixtures,) = grids(table, {"d": {"title": "D"}}, {"b": "B"}, ["K0", "K1"])
    (shares,) = grids(table, {"d": {"title": "D"}}, {"b": "B"})
    assert [row.stub for row in mixtures.rows] == [("B, layer 2", "K₀"), ("B, layer 2", "K₁")]
    assert [row.stub[1] for row in shares.rows] == ["Fe"]
    assert mixtures.rows[0].cells[0].value == "1.00"


NN = {"distance": ["N", "N"]}


def test_without_an_event_a_stretch_has_no_cuts():
    stretch, truths, found = stretch_and_event(TABLE, "d", {"stretch": {"run": 0}})
    assert stretch.tolist() == [0, 1, 2, 3, 4]
    assert list(truths) == ["run"]
    assert found == {}
    empty = scores_of_cuts({}, stretch, found, truths)
    assert empty.empty
    assert list(empty.columns) == COLUMNS


def test_cuts_are_scored_against_event_and_run():
    """Twelve frames, the event from the seventh on; run 1 begins with the fifth."""
    table = pd.DataFrame({"frame": range(12), "run": [0] * 4 + [1] * 8})
    table["N–N distance"] = [1.1] * 6 + [3.0] * 6
    entry = {
        "stretch": {"frames": [0, 11]},
        "collective_variables": [NN],
        "event": {"above": 2.0},
    }
    stretch, truths, found = stretch_and_event(table, "d", entry)
    assert truths["event"].tolist() == [False] * 6 + [True] * 6
    assert {cut: len(members) for cut, members in found.items()} == {"one run": 8, "two runs": 12}
    similar = np.where(truths["event"][:, None] == truths["event"], 1.0, 0.05)
    kernels = {2: Gram(similar, {7: similar}, None, 1.0)}
    table = scores_of_cuts(kernels, stretch, found, truths)
    by = table.groupby(["kernel", "cut", "against"])["adjusted_rand_index"].mean()
    assert by["K0", "one run", "event"] == by["K0", "two runs", "event"] == 1.0
    grams = part_of(kernels, found["two runs"])
    alone = scores(grams, "two runs", {name: of for name, of in truths.items()})
    assert (
        by["K0", "two runs", "run"]
        == alone[(alone["kernel"] == "K0") & (alone["against"] == "run")][
            "adjusted_rand_index"
        ].mean()
    )


def test_marked_frames_keep_their_places(rng):
    """Written and read again, the stretch, the cuts and what divides frames are the same."""
    event = np.zeros(len(TABLE), dtype=bool)
    event[60:] = True
    stretch = np.arange(20, 80)
    parts = cuts(TABLE["run"].to_numpy(), stretch, event)
    truths = {"run": TABLE["run"].to_numpy(), "event": event}
    rows = marked(TABLE.assign(index=TABLE.index), stretch, truths, parts)
    rows = pd.read_csv(StringIO(rows.to_csv(index=False)))
    found, divided, places = unmarked(rows)
    assert rows["index"].to_numpy()[found].tolist() == stretch.tolist()
    assert set(places) == set(parts)
    for name, members in parts.items():
        assert rows["index"].to_numpy()[places[name]].tolist() == members.tolist()
    for name, truth in truths.items():
        assert divided[name].tolist() == truth[rows["index"]].tolist()
