"""Costs from benchmark files, by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import default_config

from mekrr.errors import DataError
from mekrr.study.config import check_config
from mekrr.study.experiments.timing import costs, read_steps
from mekrr.study.tables.tidy import FIT
from mekrr.study.tables.timing import grid
from mekrr.study.targets import Targets


def benchmark(folder, name, seconds, memory="100.0"):
    path = folder / "results/benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    clock = f"0:{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t{clock}\t{memory}\t1.0\n")
    return str(path)


def of(rule, split="", backbone="none", dataset="cu-1.5"):
    """What a benchmark is of."""
    return {"rule": rule, "dataset": dataset, "split": split, "backbone": backbone}


@pytest.fixture
def steps(tmp_path):
    """Two shards of features; a Gram matrix of the training set in three blocks; the fits."""
    measured = [
        (of("extract_features", backbone="net-0"), 30.0),
        (of("extract_features", backbone="net-0"), 20.0),
        (of("extract_directions", backbone="net-0"), 400.0),
        (of("fit_sparse", "random-0", "net-0"), 7.0),
        (of("fit_franken", "random-0", "net-0"), 900.0),
        (of("prepare_gram", "random-0", "net-0"), 1.0),
        (of("gram_block", "random-0", "net-0"), 2.0),
        (of("gram_block", "random-0", "net-0"), 4.0),
        (of("gram_block", "random-0", "net-0"), 2.5),
        (of("merge_gram", "random-0", "net-0"), 0.5),
        (of("fit_mekrr", "random-0", "net-0"), 3.0),
        (of("fit_baselines", "random-0", "net-0"), 1.5),
        (of("fit_mean", "random-0"), 0.25),
        (of("trunk", backbone="net-ft"), 10.0),
        (of("train_network", "random-0", "net-ft"), 200.0),
    ]
    paths = [benchmark(tmp_path, str(k), seconds) for k, (_, seconds) in enumerate(measured)]
    paths.append(benchmark(tmp_path, "gap", 90.0, "2000.0"))
    return read_steps(paths, [*(job for job, _ in measured), of("fit_gap", "random-0")])


@pytest.fixture
def predictions():
    """Seconds of a frame in the trained layers, and with GAP."""
    cells = [("SevenNet-FT", "net-0", 0.02), ("GAP-SOAP", "none", 0.03)]
    cells += [("franken", "net-0", 0.2)]
    cells += [(method, "net-0", 0.01) for method in ("MEKRR-sparse", "MEKRR-sparse-forces")]
    rows = [("cu-1.5", "random", 0, *row) for row in cells]
    return pd.DataFrame(rows, columns=[*FIT, "prediction_seconds"])


NETWORKS = {"SevenNet-FT": "net-ft"}


@pytest.fixture
def errors():
    rows = []
    for method, backbone in (
        ("training mean", "none"),
        ("untouched GNN", "net-0"),
        ("GAP-SOAP", "none"),
        ("linear ridge", "net-0"),
        ("MEKRR", "net-0"),
        ("SevenNet-FT", "net-0"),
        ("franken", "net-0"),
        ("MEKRR-sparse", "net-0"),
        ("MEKRR-sparse-forces", "net-0"),
    ):
        for part, n_frames in (("train", 60), ("val", 20), ("test", 20)):
            rows.append(
                {
                    "dataset": "cu-1.5",
                    "strategy": "random",
                    "seed": 0,
                    "method": method,
                    "backbone": backbone,
                    "split": part,
                    "n_frames": n_frames,
                    "rmse": 2.0,
                    "mae": 1.0,
                    "chosen": True,
                }
            )
    table = pd.DataFrame(rows)
    return table[(table["method"] != "GAP-SOAP") | (table["split"] != "train")]


def test_parts_of_a_step_add_up(steps):
    steps = steps.set_index(["step", "split", "backbone"])["seconds"]
    assert steps["features", "", "net-0"] == 50.0
    assert steps["kernels", "random-0", "net-0"] == pytest.approx(10.0)
    assert steps["fit_mean", "random-0", "none"] == 0.25


def test_costs_by_hand(steps, errors, predictions):
    table = costs(steps, errors, NETWORKS, predictions).set_index("method")
    training, prediction = table["training"], table["prediction"]
    # 100 frames, 80 of them in training and validation.
    assert prediction["untouched GNN"] == pytest.approx(0.5)
    assert training["untouched GNN"] == pytest.approx(40.0)
    assert training["linear ridge"] == pytest.approx(41.5)
    # The Gram matrix is worth 30 + 20 + 20 columns of frames: half of the symmetric part.
    assert training["MEKRR"] == pytest.approx(40.0 + 10.0 * 50 / 70 + 3.0)
    assert prediction["MEKRR"] == pytest.approx(0.5 + 10.0 / 70)
    # Less the predictions that the jobs make as well: of all 100 frames, by GAP of 40.
    assert training["GAP-SOAP"] == pytest.approx(90.0 - 1.2)
    assert prediction["GAP-SOAP"] == pytest.approx(0.03)
    assert np.isnan(prediction["training mean"])
    assert table.loc["GAP-SOAP", "memory"] == 2000.0
    assert training["training mean"] == 0.25
    assert training["SevenNet-FT"] == pytest.approx(0.8 * 10.0 + 200.0 - 2.0)
    assert prediction["SevenNet-FT"] == pytest.approx(0.1 + 0.02)
    assert training["franken"] == pytest.approx(900.0 - 0.2 * 100)
    assert prediction["franken"] == 0.2
    # Derivatives are for learning alone.
    assert training["MEKRR-sparse"] == pytest.approx(40.0 + 7.0 - 1.0)
    assert training["MEKRR-sparse-forces"] == pytest.approx(40.0 + 0.8 * 400.0 + 7.0 - 1.0)
    assert prediction["MEKRR-sparse-forces"] == pytest.approx(0.5 + 0.01)


@pytest.mark.parametrize("name", ["run-2", "random-0", "0-of-1"])
def test_a_backbone_may_be_called_like_a_split_or_a_part(tmp_path, errors, name):
    config = default_config()
    config["backbones"][name] = config["backbones"]["soap"]
    config["datasets"]["cu-1.5"] = config["datasets"]["d1-surrogate"] | {"title": "Cu"}
    config["study"] |= {"backbones": [name], "datasets": ["cu-1.5"], "networks": []}
    made = Targets(check_config(config)).benchmarks()
    paths = [benchmark(tmp_path, k, 1.0 + k) for k in range(len(made))]
    measured = {tuple(job.job.values()): 1.0 + k for k, job in enumerate(made)}
    steps = read_steps(paths, [job.job for job in made])
    fitted = errors[errors["method"] == "MEKRR"].assign(backbone=name)
    none = pd.DataFrame(columns=[*FIT, "prediction_seconds"])
    (row,) = costs(steps, fitted, {}, none).to_dict("records")
    kernel, fit = (measured[rule, "cu-1.5", "random-0", name] for rule in ("gram", "fit_mekrr"))
    features = measured["extract_features", "cu-1.5", "", name]
    assert row["training"] == pytest.approx(0.8 * features + kernel * 50 / 70 + fit)
    assert row["prediction"] == pytest.approx(features / 100 + kernel / 70)


def test_unmeasured_memory_is_no_zero(tmp_path):
    steps = read_steps([benchmark(tmp_path, "one", 0.1, "NA")], [of("fit_mean")])
    assert np.isnan(steps.loc[0, "memory"])


def test_printed_costs(steps, errors, predictions):
    table = costs(steps, errors, NETWORKS, predictions)
    made = grid(table, {"cu-1.5": "Cu", "other": "Not there"}, {"net-0": "Net"})
    rows = {row.stub: [cell.value for cell in row.cells] for row in made.rows}
    assert rows["MEKRR", "Net"] == ["50.1", "643", "100", "–", "–", "–"]
    assert rows["GAP-SOAP", ""][:3] == ["88.8", "30", "2000"]


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        ("17.5", "57.5"),
        ("17.5", "1.75"),
        ("0:00:17", "0:00:37"),
        ("100.0", "1x0.0"),
        ("max_rss", "max_rsr"),
    ],
)
def test_damaged_benchmark_is_one_line(tmp_path, whole, damaged):
    path = benchmark(tmp_path, "fit_mean/d/run-1", 17.5)
    text = Path(path).read_text()
    assert text.count(whole) == 1
    assert read_steps([path], [of("fit_mean")])["seconds"].item() == 17.5
    Path(path).write_text(text.replace(whole, damaged))
    with pytest.raises(DataError, match=r"run-1.tsv: damaged benchmark; delete it"):
        read_steps([path], [of("fit_mean")])


def test_benchmark_of_days(tmp_path):
    path = benchmark(tmp_path, "fit_mean/d/run-1", 0.0)
    seconds = 2 * 86400 + 3 * 3600 + 61.25
    Path(path).write_text(f"s\th:m:s\tmax_rss\n{seconds}\t2 days, 3:01:01\t1.0\n")
    assert read_steps([path], [of("fit_mean")])["seconds"].item() == seconds
