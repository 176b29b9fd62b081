"""What each method costs, from the benchmarks that Snakemake keeps of every job.

Seconds are wall time of whole jobs, start-up of the program included. Training is all that
comes before the first prediction: features and kernels of training and validation frames,
and the fit; of sparse models that learn forces, derivatives of the features too, which no
prediction needs. All methods with features and kernels in common carry these in full, and
methods that are fitted in one job carry that job in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mekrr.choices import PARTS
from mekrr.errors import DataError
from mekrr.study.methods import METHODS
from mekrr.study.tables.tidy import FIT

STEPS = {
    "extract_features": "features",
    "extract_directions": "directions",
    "trunk": "features",
    "gram": "kernels",
    "prepare_gram": "kernels",
    "gram_block": "kernels",
    "merge_gram": "kernels",
}
KEYS = ["step", "dataset", "split", "backbone"]


def read_steps(paths: Sequence[str], jobs: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Return seconds and peak memory (MB) of each step of each data set, split and backbone.

    Parameters
    ----------
    paths : benchmark files.
    jobs : rule, dataset, split ("" for none) and backbone ("none" for none) of each of them.
        The parts of one step add up.

    Raises a DataError for a file that cannot be what Snakemake wrote.
    """
    rows = []
    for path, job in zip(paths, jobs, strict=True):
        measured = read_benchmark(path)
        step = STEPS.get(job["rule"], job["rule"])
        rows.append({**job, "step": step, "seconds": measured["s"], "memory": measured["max_rss"]})
    return pd.DataFrame(rows).groupby(KEYS).agg({"seconds": "sum", "memory": "max"}).reset_index()


def read_benchmark(path: str) -> dict[str, float]:
    """Seconds and peak memory (MB; NaN if unknown) of the last line of a benchmark file.

    The seconds are there twice, the second time as hours, minutes and seconds.
    """
    try:
        row = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).iloc[-1]
        measured = {key: float(row[key].replace("NA", "nan")) for key in ("s", "max_rss")}
        fraction = measured["s"] - pd.Timedelta(row["h:m:s"]).total_seconds()
        whole = 0 <= fraction <= 1  # 1 if it was rounded up
    except (ValueError, KeyError, IndexError):  # UnicodeError and pandas' own are ValueErrors
        whole = False
    if not whole or measured["max_rss"] < 0:
        raise DataError(f"{path}: damaged benchmark; delete it and run again: its job is repeated")
    return measured


def costs(
    steps: pd.DataFrame,
    errors: pd.DataFrame,
    names: Mapping[str, str],
    predictions: pd.DataFrame,
) -> pd.DataFrame:
    """Cost of every fit whose jobs are known, beside its test error.

    Parameters
    ----------
    steps : as from `read_steps`.
    errors : the table of errors of all fits and parts.
    names : from the method of each trained network and of each GAP to its name in jobs.
    predictions : prediction_seconds of a frame beyond its features, for each fit whose job
        predicts at a cost that counts: of a network, see `mekrr.models.network.fit`, and of GAP.

    Returns
    -------
    DataFrame with the columns of a fit, training (s), prediction (s per frame; NaN where no
    job tells), memory (MB), rmse and mae (meV/atom).
    """
    of_step = steps.set_index(KEYS)[["seconds", "memory"]].to_dict("index")
    of_frame = predictions.set_index(FIT)["prediction_seconds"].to_dict()
    rows = []
    for key, parts in errors[errors["chosen"]].groupby(FIT, sort=False):
        fit = dict(zip(FIT, key, strict=True))
        if fit["method"] not in METHODS:
            continue
        parts = parts.set_index("split")
        n = parts["n_frames"].reindex(PARTS, fill_value=0)  # GAP predicts no training frames
        shared, job = METHODS[fit["method"]].steps
        split = f"{fit['strategy']}-{fit['seed']}"
        name = names.get(fit["method"], fit["backbone"])
        place = {
            "features": ("features", fit["dataset"], "", name),
            "directions": ("directions", fit["dataset"], "", name),
            "kernels": ("kernels", fit["dataset"], split, name),
            job: (job, fit["dataset"], split, name),
        }
        # Frames in whose units a step was done: the kernel of training frames among
        # themselves is symmetric.
        work = {
            "features": (n["train"] + n["val"], n.sum()),
            "directions": (n["train"] + n["val"], n.sum()),
            "kernels": (n["train"] / 2 + n["val"], n["train"] / 2 + n["val"] + n["test"]),
        }
        done = [*shared, *([job] if job else [])]
        found = {step: of_step[place[step]] for step in done}
        own = of_frame.get(key, 0.0)
        training = sum(found[name]["seconds"] * work[name][0] / work[name][1] for name in shared)
        if job:  # which predicts these frames once it is done
            training += found[job]["seconds"] - own * n.sum()
        needed = [name for name in shared if name != "directions"]
        prediction = sum(found[name]["seconds"] / work[name][1] for name in needed) + own
        rows.append(
            fit
            | {
                "training": training,
                "prediction": prediction or float("nan"),
                "memory": max(step["memory"] for step in found.values()),
                "rmse": parts.loc["test", "rmse"],
                "mae": parts.loc["test", "mae"],
            }
        )
    return pd.DataFrame(rows)
