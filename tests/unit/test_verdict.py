"""Verdicts: who speaks for a side, differences by hand, and what is missing."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from mekrr.study.overview import overview
from mekrr.study.tables.verdict import (
    BETTER,
    EQUAL,
    HIGHER,
    LOWER,
    SAME,
    WORSE,
    answers,
    fits_of,
    judged,
    large_fits,
    leak_shares,
    readable,
    spoken,
    verdicts,
)

HOSTILE = "</script><img src=x onerror=f()> a|b $x_1$ {} ' \" `c` &amp;"
TITLES = {"d1": "D1", "cu": "Cu/formate"}
BACKBONES = {"net": "Net 1", "soap": "SOAP"}


def fit(method, rmse, seed=0, validation=1.0, dataset="d1", strategy="random", backbone="net"):
    """One row as `fits_of` makes it."""
    return {
        "dataset": dataset,
        "strategy": strategy,
        "seed": seed,
        "method": method,
        "backbone": backbone,
        "rmse": rmse,
        "mae": 0.8 * rmse,
        "rmse_low": 0.9 * rmse,
        "rmse_high": 1.1 * rmse,
        "validation": validation,
        "n_test": 20,
        "n_train": 60,
    }


def judge(fits, leaks=None, calibration=None, titles=TITLES):
    leaks = pd.Series(dtype=float) if leaks is None else leaks
    return verdicts(pd.DataFrame(fits), leaks, calibration, titles)


def three_seeds(ours, theirs):
    """MEKRR-α and a fine-tuned network on three seeds."""
    fits = [fit("MEKRR-alpha", rmse, seed) for seed, rmse in enumerate(ours)]
    fits += [fit("SevenNet-FT", rmse, seed) for seed, rmse in enumerate(theirs)]
    return fits + [fit("untouched GNN", 9.0, seed) for seed in range(3)]


@pytest.mark.parametrize(
    ("differences", "word"),
    [
        ([-1.0, -1.1, -0.9], BETTER),
        ([1.0, 1.1, 0.9], WORSE),
        ([-1.0, -2.0, -3.0], SAME),  # lower each time, but by how much is chance
        ([-1.0, 1.0, 0.5], SAME),
        ([-1.0], LOWER),
        ([1.0], HIGHER),
        ([0.0], EQUAL),
        ([0.0, 0.0, 0.0], SAME),
    ],
)
def test_words_of_differences(differences, word):
    assert judged(np.array(differences), 1 / 3).verdict == word


def test_interval_is_that_of_the_t_test_if_splits_were_independent():
    differences = np.array([-0.3, -1.2, 0.4, -0.9])
    found = judged(differences, 0.0)
    low, high = ttest_1samp(differences, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_interval_is_wider_by_the_correction_for_overlap():
    """By hand: 1, 2, 3 have mean 2 and standard deviation 1, 20 test and 60 training frames."""
    found = judged(np.array([1.0, 2.0, 3.0]), 20 / 60)
    half = student.ppf(0.975, 2) * np.sqrt(1 / 3 + 1 / 3)
    assert (found.mean, found.std) == pytest.approx((2.0, 1.0))
    assert (found.low, found.high) == pytest.approx((2.0 - half, 2.0 + half))
    assert found.lower == 0


def test_differences_are_taken_seed_by_seed():
    """Errors vary much from seed to seed, their difference does not."""
    (row,) = judge(three_seeds([1.0, 5.0, 9.0], [1.5, 5.6, 9.4])).to_dict("records")
    assert row["against_fine_tuned_mean"] == pytest.approx(-0.5)
    assert row["against_fine_tuned_std"] == pytest.approx(0.1)
    assert row["against_fine_tuned_lower"] == row["n_seeds"] == 3
    assert row["against_fine_tuned_verdict"] == BETTER
    assert row["mekrr_rmse"] == pytest.approx(5.0)
    assert row["mekrr_rmse_std"] == pytest.approx(4.0)


def test_validation_frames_choose_and_test_frames_do_not():
    fits = [
        fit("MEKRR-alpha", 1.0, seed=0, validation=3.0),
        fit("Delta-MEKRR", 2.0, seed=0, validation=2.0),
        fit("MEKRR-alpha", 4.0, seed=1, validation=1.0),
        fit("Delta-MEKRR", 3.0, seed=1, validation=2.0),
        fit("MEKRR-alpha", 0.1, seed=1, validation=1.5, backbone="soap"),
        fit("MEKRR-species", 0.1, seed=0, validation=0.1),  # no one would know to take it
    ]
    (row,) = judge(fits).to_dict("records")
    assert row["mekrr_method"] == "Delta-MEKRR; MEKRR-alpha"
    assert row["mekrr_backbone"] == "net; net"
    assert row["mekrr_rmse"] == pytest.approx(3.0)
    assert spoken(row, "mekrr") == "Δ-MEKRR (1×); MEKRR-α (1×)"
    assert spoken(row, "mekrr", BACKBONES) == "Δ-MEKRR, Net 1 (1×); MEKRR-α, Net 1 (1×)"


def test_the_best_is_best_on_validation_frames_over_all_seeds():
    fits = three_seeds([2.0] * 3, [3.0] * 3)
    fits += [fit("linear ridge", 2.5, seed, validation=0.5) for seed in range(3)]
    fits += [fit("species ridge", 0.1, seed, validation=0.1) for seed in range(2)]
    fits += [fit("GAP-SOAP", 0.1, seed, validation=2.0, backbone="none") for seed in range(3)]
    (row,) = judge(fits).to_dict("records")
    assert set(row["best_method"].split("; ")) == {"linear ridge"}
    assert row["best_rmse"] == pytest.approx(2.5)


def test_like_is_compared_with_like():
    """Networks that learn forces speak only where none learns energies alone."""
    forces = fit("SevenNet-FT-forces", 0.5, validation=0.1)
    (row,) = judge([fit("MEKRR-alpha", 1.0), forces, fit("SevenNet-FT", 2.0)]).to_dict("records")
    assert row["fine_tuned_method"] == "SevenNet-FT"
    (row,) = judge([fit("MEKRR-alpha", 1.0), forces]).to_dict("records")
    assert row["fine_tuned_method"] == "SevenNet-FT-forces"
    (row,) = judge([fit("MEKRR-sparse-forces", 1.0), forces]).to_dict("records")
    assert row["mekrr_method"] == "MEKRR-sparse-forces"


def test_a_scratch_network_is_not_a_fine_tuned_one():
    (row,) = judge([fit("MEKRR-alpha", 1.0), fit("SchNet", 2.0)]).to_dict("records")
    assert row["fine_tuned_method"] == row["against_fine_tuned_verdict"] == ""
    assert np.isnan(row["against_fine_tuned_mean"])


def test_rows_go_by_data_set_in_the_order_of_the_study():
    fits = [
        fit("MEKRR-alpha", 1.0, dataset=dataset, strategy=strategy)
        for strategy in ("random", "run")
        for dataset in ("cu", "d1")
    ]
    table = judge(fits)
    rows = [("d1", "random"), ("d1", "run"), ("cu", "random"), ("cu", "run")]
    assert list(zip(table["dataset"], table["strategy"], strict=True)) == rows


def test_answers_read_from_a_file_are_the_same(tmp_path):
    """Also where no network was fine-tuned, and no text is in some columns."""
    for fits in (three_seeds([1.0, 1.2, 0.9], [1.5, 1.6, 1.4]), [fit("MEKRR-alpha", 1.0)]):
        table = judge(fits)
        table.to_csv(tmp_path / "verdict.csv", index=False)
        again = pd.read_csv(tmp_path / "verdict.csv")
        pd.testing.assert_frame_equal(answers(again), answers(table))
        pd.testing.assert_frame_equal(readable(again, BACKBONES), readable(table, BACKBONES))


def test_answers_as_texts():
    (row,) = answers(judge(three_seeds([1.0, 1.2, 0.9], [1.5, 1.75, 1.4]))).to_dict("records")
    assert row == {
        "Data set": "D1",
        "Split": "at random",
        "Untouched network": "9.00 ± 0.00",
        "Fine-tuned network": "1.55 ± 0.18",
        "MEKRR": "1.03 ± 0.15",
        "which is": "MEKRR-α",
        "MEKRR − fine-tuned": "−0.52 ± 0.03",
        "Verdict": BETTER,
    }


def test_one_seed_has_an_interval_and_no_verdict():
    (row,) = answers(judge([fit("MEKRR-alpha", 1.0), fit("SevenNet-FT", 2.0)])).to_dict("records")
    assert row["MEKRR"] == "1.00 (0.90–1.10)"
    assert row["MEKRR − fine-tuned"] == "−1.00"
    assert row["Verdict"] == LOWER
    assert row["Untouched network"] == "–"


def test_leaks_are_near_repeats_and_copies():
    leaks = pd.DataFrame(
        {
            "dataset": "d1",
            "split": ["random-0"] * 4 + ["run-12"],
            "rmsd": [0.01, 0.2, np.inf, 0.3, 0.2],
            "copy": [np.inf, 0.001, np.inf, 0.2, np.inf],
        }
    )
    assert leak_shares(leaks).to_dict() == {("d1", "random", 0): 0.5, ("d1", "run", 12): 0.0}
    table = judge([fit("MEKRR-alpha", 1.0)], leak_shares(leaks))
    assert readable(table, BACKBONES)["Near duplicates"].tolist() == ["50 %"]


def test_calibration_is_that_of_what_speaks_for_mekrr():
    fits = [fit("MEKRR-alpha", 1.0, seed, validation=seed) for seed in (0, 2)]
    fits += [fit("Delta-MEKRR", 1.0, seed, validation=1.0) for seed in (0, 2)]
    keys = ["dataset", "strategy", "seed", "method", "backbone"]
    calibration = pd.DataFrame(fits)[keys].assign(
        within_1_std=[0.5, 0.1, 0.1, 0.7], within_2_std=[0.8, 0.1, 0.1, 1.0]
    )
    table = judge(fits, calibration=calibration)
    assert readable(table, BACKBONES)["Within 1 σ, 2 σ"].tolist() == ["60 %, 90 %"]


def test_fits_from_the_table_of_all_errors():
    keys = {k: v for k, v in fit("MEKRR", 0.0).items() if k in ("dataset", "strategy", "seed")}
    rows = [
        keys
        | {"method": "MEKRR", "backbone": "net", "split": part, "chosen": chosen}
        | {"rmse": rmse, "mae": 0.5, "rmse_low": 0.4, "rmse_high": 0.6, "n_frames": n}
        for chosen in (True, False)
        for part, rmse, n in (("train", 0.1, 60), ("val", 0.2, 21), ("test", 0.3, 20))
    ]
    (row,) = fits_of(pd.DataFrame(rows)).to_dict("records")
    assert (row["rmse"], row["validation"], row["n_test"], row["n_train"]) == (0.3, 0.2, 20, 60)


def large_study():
    """Errors of a large data set by group and size, and choices of two methods."""
    keys = {"dataset": "d1", "strategy": "random", "seed": 0, "backbone": "net"}
    methods = {"untouched GNN": 5.0, "MEKRR-sparse": 2.0, "MEKRR-sparse-forces": 1.0}
    errors = [
        keys
        | {"method": method, "size": size, "group": group, "n_train": 300, "frames": 100}
        | {"rmse": rmse + (group != "all") + (size != "all"), "mae": 1.0}
        for method, rmse in methods.items()
        for size in (100, "all")
        for group in ("all", "a", "b")
    ]
    choices = [
        keys | {"method": method, "validation_rmse": error}
        for method, error in (("MEKRR-sparse", 1.0), ("MEKRR-sparse-forces", 3.0))
    ]
    return large_fits(pd.DataFrame(errors), pd.DataFrame(choices))


def test_sparse_models_alone_speak_for_large_data_sets():
    fits = large_study()
    assert len(fits) == 3
    (row,) = judge(fits).to_dict("records")
    assert row["mekrr_method"] == row["best_method"] == "MEKRR-sparse"
    assert (row["mekrr_rmse"], row["untouched_rmse"]) == (2.0, 5.0)
    assert row["against_untouched_verdict"] == LOWER
    (told,) = answers(judge(fits)).to_dict("records")
    assert told["MEKRR"] == "2.00"


CONFIG = {
    "study": {
        "datasets": ["d1", "cu"],
        "backbones": ["net"],
        "networks": ["ft"],
        "splits": ["random"],
        "seeds": [0, 1, 2],
        "every": 2,
    },
    "datasets": {"d1": {"title": "D1", "surrogate_for": "D1"}, "cu": {"title": HOSTILE}},
    "backbones": {"net": {"title": HOSTILE}},
    "networks": {"ft": {"method": "SevenNet-FT"}},
}
MADE = {"mekrr": "1.2", "git": "abc", "cpu": "a processor"}


def test_overview_counts_and_says_what_was_run():
    fits = three_seeds([1.0, 1.2, 0.9], [1.5, 1.75, 1.4])
    fits += [one | {"dataset": "cu"} for one in three_seeds([1.0, 2.0, 3.0], [1.5, 1.6, 1.4])]
    page = overview(judge(fits), CONFIG, MADE)
    assert "better than the fine‑tuned network, on 1 there is no clear difference" in page
    assert "On 1 of 2 combinations of data set and split" in page
    assert "lower one 4 times out of 6" in page
    assert "2 data sets, one frame in 2; surrogates of this project stand in for the paper" in page
    assert "mekrr 1.2, commit abc, on a processor" in page
    assert "<img" not in page
    assert "<script" not in page
    assert page.count("<tr>") == 1 + 2


@pytest.mark.parametrize(
    ("fits", "said"),
    [
        ([], "No model was fitted in this study."),
        ([fit("MEKRR-alpha", 1.0)], "There is nothing to hold MEKRR against."),
        (
            [fit("MEKRR-alpha", 1.0), fit("untouched GNN", 2.0)],
            "Of 1 divided once, 1 has a lower error with MEKRR than with the untouched network",
        ),
        ([fit("SevenNet-FT", 1.0)], "There is nothing to hold MEKRR against."),
    ],
)
def test_overview_of_what_is_missing(fits, said):
    table = judge(fits) if fits else pd.DataFrame()
    assert said in overview(table, CONFIG, {})


def test_overview_of_errors_of_nothing():
    """Where energies are constant no share of an error can be drawn."""
    page = overview(judge(three_seeds([0.0] * 3, [0.0] * 3)), CONFIG, MADE)
    assert "<svg" not in page
    assert SAME in page
