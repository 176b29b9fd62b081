"""Does MEKRR beat fine-tuning? One answer for each data set and way of splitting.

Which fit speaks for the untouched network, for fine-tuning and for MEKRR is decided seed by seed by
the error on validation frames, as by a user who has that split alone; test frames choose nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from mekrr.choices import ALL
from mekrr.data.closeness import NEAR_REPEAT
from mekrr.data.copies import COPY
from mekrr.files import write_csv
from mekrr.metrics import LEVEL
from mekrr.study.experiments.calibration import SHARES
from mekrr.study.experiments.large.errors import EVERYTHING
from mekrr.study.job import Step
from mekrr.study.methods import METHODS, NETWORKS, STRATEGY_LABELS, TRAINED, label, methods_of
from mekrr.study.tables.comparison import backbone_title
from mekrr.study.tables.printing.escapes import for_spreadsheet
from mekrr.study.tables.printing.grid import MISSING, Cell, shown
from mekrr.study.tables.printing.numbers import digits
from mekrr.study.tables.printing.write import write_listing
from mekrr.study.tables.tidy import FIT, read_tables

PLACE = ["dataset", "strategy"]
ONE = [*PLACE, "seed"]
ERRORS = ["rmse", "mae"]
ENDS = ["rmse_low", "rmse_high"]
JOINED = "; "  # of the names of several seeds
_TUNED = [name for name in NETWORKS if METHODS[name].baseline == "delta"]

# Who may speak for a side. The second is asked where no fit is of the first: models that learn
# forces are compared with each other, where nothing learns energies alone.
SIDES: dict[str, tuple[Sequence[str], ...]] = {
    "untouched": (["untouched GNN"],),
    "fine_tuned": (
        [name for name in _TUNED if not METHODS[name].forces],
        [name for name in _TUNED if METHODS[name].forces],
    ),
    "mekrr": (["MEKRR-alpha", "Delta-MEKRR"], [method.name for method in methods_of("sparse")]),
}
OPPONENTS = ("fine_tuned", "untouched")

BETTER, SAME, WORSE = "better", "no clear difference", "worse"
LOWER, EQUAL, HIGHER = "lower on one split", "equal on one split", "higher on one split"

TITLE = "Does MEKRR beat fine-tuning?"
NOTES = (
    "Test RMSE of energies in meV/atom: mean ± standard deviation over seeds; of one seed with the "
    "95 % interval over test frames. MEKRR is MEKRR-α or Δ-MEKRR (of large data sets one of the "
    "sparse models), on the backbone and in the form that has the lower error on the validation "
    "frames of each seed; the fine-tuned and the untouched network are chosen likewise. Test "
    "frames choose nothing.",
    "MEKRR − fine-tuned: the difference on the same test frames, seed by seed; its mean ± standard "
    f"deviation. “{BETTER}” and “{WORSE}”: the 95 % interval of the mean difference leaves out "
    f"zero; “{SAME}”: it does not, which does not show that the two are equal. The interval is "
    "Student's, wider by the correction of Nadeau and Bengio (2003), as the seeds divide the same "
    "frames and are not independent. With three seeds only large and steady differences pass.",
    "Best by validation: the fit of all methods of Table 1 with the least RMSE on validation "
    "frames, mean over seeds, and its test error. The least of many errors on validation frames "
    "is a lucky one, so its test error is often higher; picked on test frames it would be "
    "flattered itself.",
    f"Near duplicates: share of test frames with a training frame within {NEAR_REPEAT:g} Å (RMSD "
    "of the positions) or with a copy of themselves in training; the errors of such frames flatter "
    "every method. Within 1 σ and 2 σ: share of the test frames whose error is below one and two "
    "of MEKRR's predicted standard deviations; 68 % and 95 % would be right, less means that it "
    "is too sure.",
)


@dataclass(frozen=True)
class Difference:
    """Errors less those of an opponent on the same seeds.

    Attributes
    ----------
    mean, std : over seeds (ddof 1); std is NaN of one.
    low, high : ends of the interval of the mean, NaN of one seed.
    lower : on how many seeds the error is lower.
    verdict : in words.
    """

    mean: float = np.nan
    std: float = np.nan
    low: float = np.nan
    high: float = np.nan
    lower: int | None = None
    verdict: str = ""


def write(step: Step) -> None:
    """Write the verdicts as CSV, and as a table to read."""
    given, params = step.input, step.params
    parts = [fits_of(pd.read_csv(path)) for path in given.metrics]
    if given.large:
        parts.append(large_fits(pd.read_csv(given.large), _choices(given.choices, params.large)))
    calibration = pd.read_csv(given.calibration) if given.calibration else None
    titles = {name: entry.get("title", name) for name, entry in params.datasets.items()}
    table = verdicts(
        pd.concat(parts, ignore_index=True),
        leak_shares(read_tables(given.leaks)),
        calibration,
        titles,
    )
    write_csv(step.output.csv, table.assign(title=table["title"].map(for_spreadsheet)))
    write_listing(step.output, readable(table, params.backbones), TITLE, NOTES)


def fits_of(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return a row per fit from the table of all errors, each on the layer that it chose.

    Columns: `FIT`; rmse and mae on test frames with rmse_low and rmse_high, the ends of its
    interval; validation, the RMSE on validation frames; n_test and n_train, numbers of frames.
    """
    chosen = metrics[metrics["chosen"]].set_index(FIT)
    test, val, train = (chosen[chosen["split"] == part] for part in ("test", "val", "train"))
    columns = {
        "validation": val["rmse"],
        "n_test": test["n_frames"],
        "n_train": train["n_frames"],
    }
    return test[[*ERRORS, *ENDS]].assign(**columns).reset_index()


def large_fits(errors: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """Return the same of fits to all training frames of large data sets, without intervals.

    Parameters
    ----------
    errors : on test frames, by group.
    choices : of these fits: `FIT` and validation_rmse.
    """
    whole = (errors["group"] == EVERYTHING) & (errors["size"].astype(str) == ALL)
    table = errors[whole].merge(choices[[*FIT, "validation_rmse"]], how="left", on=FIT)
    table = table.rename(columns={"validation_rmse": "validation", "frames": "n_test"})
    return table.reindex(columns=[*FIT, *ERRORS, *ENDS, "validation", "n_test", "n_train"])


def leak_shares(leaks: pd.DataFrame) -> pd.Series:
    """Return the share of test frames with a near duplicate in training, of each place and seed."""
    near = (leaks["rmsd"] < NEAR_REPEAT) | (leaks["copy"] < COPY)
    parts = leaks["split"].str.rpartition("-")
    keys = leaks[["dataset"]].assign(strategy=parts[0], seed=parts[2].astype(int), near=near)
    return keys.groupby(ONE, sort=False)["near"].mean()


def verdicts(
    fits: pd.DataFrame,
    leaks: pd.Series,
    calibration: pd.DataFrame | None,
    titles: Mapping[str, str],
) -> pd.DataFrame:
    """Return a row per data set and way of splitting; results/README.md explains its columns.

    Parameters
    ----------
    fits : as from `fits_of`.
    leaks : as from `leak_shares`.
    calibration : `SHARES` of each fit that states standard deviations; None of none.
    titles : of data sets, in order.
    """
    rows = []
    for place, part in _places(fits, titles):
        seeds = sorted(part["seed"].unique())
        row = dict(zip(PLACE, place, strict=True))
        counts = {name: part[name].mean() for name in ("n_train", "n_test")}
        row |= {"title": titles[row["dataset"]], "n_seeds": len(seeds)} | counts
        sides = {side: _speaking(part, pools) for side, pools in SIDES.items()}
        sides["best"] = _best(part, len(seeds))
        for side, chosen in sides.items():
            row |= _of_side(side, chosen)
        for opponent in OPPONENTS:
            found = asdict(_against(sides["mekrr"], sides[opponent]))
            row |= {f"against_{opponent}_{key}": value for key, value in found.items()}
        row["near_duplicates"] = leaks.reindex([(*place, seed) for seed in seeds]).mean()
        rows.append(row | _within(sides["mekrr"], calibration))
    whole = {f"against_{opponent}_lower": "Int64" for opponent in OPPONENTS}
    return pd.DataFrame(rows).astype(whole)


def _places(
    fits: pd.DataFrame, datasets: Iterable[str]
) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield data sets in order, each with its ways of splitting."""
    for dataset in datasets:
        of_dataset = fits[fits["dataset"] == dataset]
        for strategy, part in of_dataset.groupby("strategy", sort=False):
            yield (dataset, str(strategy)), part


def _speaking(part: pd.DataFrame, pools: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return the fit of each seed with the least validation error, of the first pool with any."""
    for pool in pools:
        among = part[part["method"].isin(pool)]
        if len(among):
            # Of large data sets nothing is known of the untouched network on validation frames.
            order = among["validation"].fillna(np.inf)
            return among.loc[order.groupby(among["seed"]).idxmin()].set_index("seed")
    return part.iloc[:0].set_index("seed")


def _best(part: pd.DataFrame, n_seeds: int) -> pd.DataFrame:
    """Return the fits of the method and backbone with the least mean validation error.

    Those that lack a seed are not compared: it may be a hard one.
    """
    known = part[part["validation"].notna()]
    groups = known.groupby(["method", "backbone"], sort=False)["validation"].agg(["mean", "size"])
    whole = groups.loc[groups["size"] == n_seeds, "mean"]
    if whole.empty:
        return part.iloc[:0].set_index("seed")
    method, backbone = whole.idxmin()
    return part[(part["method"] == method) & (part["backbone"] == backbone)].set_index("seed")


def _of_side(side: str, chosen: pd.DataFrame) -> dict[str, object]:
    """Return names, seed by seed, and errors of a side."""
    row: dict[str, object] = {
        f"{side}_{name}": JOINED.join(chosen[name]) for name in ("method", "backbone")
    }
    for error in ERRORS:
        row[f"{side}_{error}"] = chosen[error].mean()
        row[f"{side}_{error}_std"] = chosen[error].std(ddof=1)
    return row | {f"{side}_{end}": chosen[end].mean() for end in ENDS}


def _against(ours: pd.DataFrame, theirs: pd.DataFrame) -> Difference:
    """Judge MEKRR against an opponent on the seeds of both."""
    seeds = ours.index.intersection(theirs.index)
    if seeds.empty:
        return Difference()
    ours, theirs = ours.loc[seeds], theirs.loc[seeds]
    differences = ours["rmse"] - theirs["rmse"]
    return judged(differences.to_numpy(), float((ours["n_test"] / ours["n_train"]).mean()))


def judged(differences: np.ndarray, ratio: float) -> Difference:
    """Judge differences of errors on several ways of dividing the same frames.

    The interval is mean ± t √(1/n + ratio) std, with Student's t of n - 1: training sets that
    overlap make differences resemble each other, and the variance of their mean larger than that
    of independent ones (Nadeau and Bengio, Machine Learning 52, 239, 2003).

    Parameters
    ----------
    differences : (n,) of errors, MEKRR's less the opponent's, seed by seed.
    ratio : number of test frames over that of training frames.
    """
    n, mean = len(differences), float(np.mean(differences))
    lower = int(np.sum(differences < 0))
    if n == 1:
        word = LOWER if mean < 0 else HIGHER if mean > 0 else EQUAL
        return Difference(mean, lower=lower, verdict=word)
    std = float(np.std(differences, ddof=1))
    half = float(student.ppf(0.5 + LEVEL / 2, n - 1)) * np.sqrt(1 / n + ratio) * std
    low, high = mean - half, mean + half
    word = BETTER if high < 0 else WORSE if low > 0 else SAME
    return Difference(mean, std, low, high, lower, word)


def _within(chosen: pd.DataFrame, calibration: pd.DataFrame | None) -> dict[str, float]:
    """Return how many of MEKRR's errors are within one and two standard deviations."""
    if calibration is None or chosen.empty:
        return dict.fromkeys(SHARES, np.nan)
    found = chosen.reset_index()[FIT].merge(calibration, on=FIT)
    return {share: found[share].mean() for share in SHARES}


def _choices(paths: Sequence[str], fits: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return the choices of the fits on large data sets, with what their paths say."""
    return pd.concat(
        [pd.read_csv(path).assign(**fit) for path, fit in zip(paths, fits, strict=True)],
        ignore_index=True,
    )


def readable(table: pd.DataFrame, backbones: Mapping[str, str]) -> pd.DataFrame:
    """Return verdicts as texts, with all that stands beside them.

    Parameters
    ----------
    table : as from `verdicts`.
    backbones : their titles.
    """
    rows = []
    for answer, row in zip(answers(table).to_dict("records"), rows_of(table), strict=True):
        shares = [percent(row[share]) for share in SHARES]
        rows.append(
            answer
            | {
                "Lower on": of_seeds(row, "fine_tuned"),
                "Best by validation": spoken(row, "best", backbones),
                "Its error": error_of(row, "best"),
                "Near duplicates": percent(row["near_duplicates"]),
                "Within 1 σ, 2 σ": MISSING if MISSING in shares else ", ".join(shares),
            }
        )
    return pd.DataFrame(rows)


def answers(table: pd.DataFrame) -> pd.DataFrame:
    """Return one line of texts per data set and way of splitting: does MEKRR beat fine-tuning?

    Parameters
    ----------
    table : as from `verdicts`, also as read from its file.
    """
    return pd.DataFrame(
        {
            "Data set": row["title"],
            "Split": short_split(row["strategy"]),
            "Untouched network": error_of(row, "untouched"),
            "Fine-tuned network": error_of(row, "fine_tuned"),
            "MEKRR": error_of(row, "mekrr"),
            "which is": spoken(row, "mekrr"),
            "MEKRR − fine-tuned": difference_of(row, "fine_tuned"),
            "Verdict": row["against_fine_tuned_verdict"] or MISSING,
        }
        for row in rows_of(table)
    )


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `verdicts`, "" where a text is missing: read from a file it is NaN."""
    texts = [c for c in table if str(c).endswith(("_method", "_backbone", "_verdict"))]
    filled = {c: table[c].astype(object).where(table[c].notna(), "") for c in texts}
    return table.assign(**filled).to_dict("records")


def short_split(strategy: str) -> str:
    """Return a way of splitting in a word or two: of frames at random, by run."""
    return STRATEGY_LABELS[strategy].removeprefix("split ").removeprefix("of frames ")


def error_of(row: Mapping[str, Any], side: str) -> str:
    """Return the test RMSE of a side with its spread over seeds, of one seed its interval."""
    value, std = row[f"{side}_rmse"], row[f"{side}_rmse_std"]
    if pd.isna(value):
        return MISSING
    if pd.notna(std):
        return shown(Cell(digits(value, value), digits(std, value)))
    low, high = (row[f"{side}_{end}"] for end in ENDS)
    ends = None if pd.isna(low) else (digits(low, value), digits(high, value))
    return shown(Cell(digits(value, value), interval=ends))


def difference_of(row: Mapping[str, Any], opponent: str) -> str:
    """Return the difference to an opponent with its spread over seeds."""
    mean, std = (row[f"against_{opponent}_{key}"] for key in ("mean", "std"))
    if pd.isna(mean):
        return MISSING
    like = row["mekrr_rmse"]
    spread = "" if pd.isna(std) else f" ± {digits(std, like)}"
    return f"{'−' if mean < 0 else '+'}{digits(abs(mean), like)}{spread}"


def of_seeds(row: Mapping[str, Any], opponent: str) -> str:
    """Return on how many seeds MEKRR has the lower error."""
    lower = row[f"against_{opponent}_lower"]
    return MISSING if pd.isna(lower) else f"{lower} of {row['n_seeds']}"


def spoken(row: Mapping[str, Any], side: str, backbones: Mapping[str, str] | None = None) -> str:
    """Return which methods stand for a side, with how many seeds each does if they are several.

    Parameters
    ----------
    backbones : titles, to name the backbones beside; None to leave them out.
    """
    methods = row[f"{side}_method"].split(JOINED)
    used = row[f"{side}_backbone"].split(JOINED)
    names = []
    for method, backbone in zip(methods, used, strict=True):
        named = backbones is not None and method not in TRAINED
        title = backbone_title(backbone, backbones) if named and backbones else ""
        names.append(", ".join(filter(None, [label(method), title])))
    counts = Counter(names).most_common()
    if len(counts) == 1:
        return names[0] or MISSING
    return JOINED.join(f"{name} ({count}×)" for name, count in counts)


def percent(share: float) -> str:
    """Return a share as a percentage."""
    return MISSING if pd.isna(share) else f"{100 * share:.0f} %"
