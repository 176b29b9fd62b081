"""The paper's two tables: methods against data sets, ours over seeds, the published beside.

A place is where methods are tested: a data set (Table 1) or a pair of data sets, source and
target (Table 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mekrr.study.methods import ORDER, STRATEGY_LABELS, label
from mekrr.study.tables.printing.grid import FEWER, Cell, Grid, Row
from mekrr.study.tables.printing.numbers import best, digits

METRICS = {"rmse": "RMSE", "mae": "MAE"}  # columns of both tables; any of `metrics.metrics`
SHIFTED = {"rmse_shifted": "RMSE", "mae_shifted": "MAE"}
FIT = ["strategy", "method", "backbone"]


@dataclass(frozen=True)
class Place:
    """One group of columns.

    Attributes
    ----------
    title : as printed.
    published : the paper's name of it, None if the paper has nothing like it.
    same : whether it is the paper's data and not a stand-in.
    """

    title: str
    published: str | None
    same: bool


def dataset_places(datasets: Mapping[str, Mapping]) -> dict[str, Place]:
    """Columns of Table 1 from the registry's entries."""
    return {
        name: Place(entry.get("title", name), _published_name(entry), "published_as" in entry)
        for name, entry in datasets.items()
    }


def transfer_places(
    pairs: Sequence[Sequence[str]], datasets: Mapping[str, Mapping]
) -> dict[str, Place]:
    """Columns of Table 2 from pairs of source and target."""
    single = dataset_places(datasets)
    places = {}
    for source, target in pairs:
        ends = (single[source], single[target])
        names = [end.published for end in ends]
        places[place_of_pair(source, target)] = Place(
            _arrow(*(end.title for end in ends)),
            place_of_pair(*names) if all(names) else None,
            all(end.same for end in ends),
        )
    return places


def place_of_pair(source, target):
    """Name of a pair, or of each of two series, in tables and paths."""
    return source + "-to-" + target


def _published_name(entry: Mapping) -> str | None:
    return entry.get("published_as") or entry.get("surrogate_for")


def read_published(path: str) -> pd.DataFrame:
    """The paper's numbers: method, published (its name of the place), rmse, mae in meV/atom.

    The numbers are texts, with the digits of the paper.
    """
    table = pd.read_csv(path, dtype=str).rename(
        columns={"rmse_mev_per_atom": "rmse", "mae_mev_per_atom": "mae", "dataset": "published"}
    )
    if "source" in table:
        table["published"] = [
            place_of_pair(*pair) for pair in zip(table["source"], table["target"], strict=True)
        ]
    return table[["method", "published", "rmse", "mae"]]


def summary(metrics: pd.DataFrame) -> pd.DataFrame:
    """Test errors over seeds of each place, strategy, method and backbone.

    Parameters
    ----------
    metrics : one row per place, strategy, seed, method and backbone: errors as those of
        `mekrr.metrics.metrics` with alpha, regularisation and layer.

    Returns
    -------
    DataFrame in the order of the methods. Of rmse, mae, rmse_shifted and mae_shifted the
    mean over seeds, the standard deviation (``_std``, ddof 1), ``_median``, ``_min`` and
    ``_max``; of shift and the ends of intervals the mean; the largest error of all; and
    rmse_seeds, alphas, regularisations, layers, seed by seed.
    """
    rows = []
    for key, group in metrics.sort_values("seed").groupby(["place", *FIT], sort=False):
        row = dict(zip(["place", *FIT], key, strict=True))
        row["n_seeds"] = len(group)
        for metric in (*METRICS, *SHIFTED):
            row[metric] = group[metric].mean()
            row[f"{metric}_std"] = group[metric].std(ddof=1)
            row[f"{metric}_median"] = group[metric].median()
            row[f"{metric}_min"] = group[metric].min()
            row[f"{metric}_max"] = group[metric].max()
        for end in ("rmse_low", "rmse_high", "mae_low", "mae_high", "shift"):
            row[end] = group[end].mean()
        row["largest"] = group["largest"].max()
        row["rmse_seeds"] = _listing(group["rmse"], "{:.2f}")
        row["alphas"] = _alphas(group)
        row["regularisations"] = _listing(group["regularisation"], "{:.0e}")
        row["layers"] = _layers(group)
        rows.append(row)
    return pd.DataFrame(rows).sort_values(
        ["place", *FIT],
        key=lambda column: column.map(ORDER.index) if column.name == "method" else column,
        ignore_index=True,
    )


def with_published(
    table: pd.DataFrame, published: pd.DataFrame, places: Mapping[str, Place]
) -> pd.DataFrame:
    """A summary with published_rmse and published_mae and, on the same data, differences.

    Published methods without a fit of ours get rows of their own, without strategy.
    """
    metrics = [metric for metric in METRICS if metric in published]
    numbers = published.astype(dict.fromkeys(metrics, float))
    published = numbers.rename(columns={metric: f"published_{metric}" for metric in metrics})
    parts = []
    for name, place in places.items():
        ours = table[table["place"] == name]
        theirs = published[published["published"] == place.published].drop(columns="published")
        missing = theirs[~theirs["method"].isin(ours["method"])].assign(place=name)
        joined = pd.concat([ours.merge(theirs, on="method", how="left"), missing])
        for metric in metrics if place.same else ():
            joined[f"{metric}_difference"] = joined[metric] - joined[f"published_{metric}"]
        parts.append(joined)
    return pd.concat(parts, ignore_index=True).astype({"n_seeds": "Int64"})


def comparisons(
    table: pd.DataFrame,
    published: pd.DataFrame,
    places: Mapping[str, Place],
    backbones: Mapping[str, str],
    metrics: Mapping[str, str] = METRICS,
    title: str = "",
    detail: Callable[[pd.Series], str] | None = None,
) -> list[Grid]:
    """One grid per way of splitting, the best of each column marked.

    Parameters
    ----------
    table : a `summary`; rows without strategy are left out.
    published : as from `read_published`.
    places : groups of columns, in order.
    backbones : titles of backbones, in order.
    metrics : columns of the summary in each group, and their headings.
    title : what to add to the title of each grid.
    detail : what an HTML page shows of a row of the table when a number is pointed at; None for
        errors of energies seed by seed, and what was chosen.
    """
    grids = []
    for strategy, block in table.groupby("strategy", sort=False):
        seeds = int(block["n_seeds"].max())
        over = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one fit"
        head = STRATEGY_LABELS[strategy].capitalize()
        grids.append(
            Grid(
                "; ".join(filter(None, [head, title, over])),
                ("Method", "Backbone"),
                tuple((place.title, tuple(metrics.values())) for place in places.values()),
                tuple(_rows(block, published, places, backbones, metrics, detail or _detail)),
            )
        )
    return grids


def transfer_comparisons(
    table: pd.DataFrame,
    published: pd.DataFrame,
    places: Mapping[str, Place],
    backbones: Mapping[str, str],
) -> list[Grid]:
    """Two grids per way of splitting: errors as they are, and with the mean error subtracted."""
    raw = comparisons(table, published, places, backbones)
    shifted = comparisons(
        table, published, places, backbones, SHIFTED, "mean error of the test frames subtracted"
    )
    return [grid for pair in zip(raw, shifted, strict=True) for grid in pair]


def _rows(
    block: pd.DataFrame,
    published: pd.DataFrame,
    places: Mapping[str, Place],
    backbones: Mapping[str, str],
    metrics: Mapping[str, str],
    detail: Callable[[pd.Series], str],
) -> list[Row]:
    """Of each method, a row per backbone, then the published one where there is any."""
    columns = [(place, metric) for place in places for metric in metrics]
    marked = {c: best(block[block["place"] == c[0]], c[1]) for c in columns}
    most_seeds = block["n_seeds"].max()
    rows = []
    for method in ORDER:
        of_method = block[block["method"] == method]
        found = set(of_method["backbone"])
        known = [name for name in backbones if name in found]
        for backbone in (*known, *sorted(found - set(known))):
            fits = of_method[of_method["backbone"] == backbone]
            by_place = {fit["place"]: fit for _, fit in fits.iterrows()}
            cells = [
                _cell(by_place.get(c[0]), c[1], marked[c], most_seeds, detail) for c in columns
            ]
            rows.append(Row((label(method), backbone_title(backbone, backbones)), tuple(cells)))
        theirs = published[published["method"] == method].set_index("published")
        cells = [_quoted(theirs, places[place].published, metric) for place, metric in columns]
        if cells != [Cell()] * len(cells):
            rows.append(Row((label(method), "published"), tuple(cells), quoted=True))
    return rows


def _quoted(theirs: pd.DataFrame, place: str | None, metric: str) -> Cell:
    known = place in theirs.index and metric in theirs
    return Cell(theirs.loc[place, metric]) if known else Cell()


def _cell(
    row: pd.Series | None,
    metric: str,
    marked: set,
    most_seeds: int,
    detail: Callable[[pd.Series], str],
) -> Cell:
    if row is None or pd.isna(row[metric]):
        return Cell()
    value, n_seeds = row[metric], row["n_seeds"]
    low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
    interval = None if n_seeds > 1 or low is None else (digits(low, value), digits(high, value))
    spread = digits(row[f"{metric}_std"], value) if n_seeds > 1 else ""
    mark = FEWER if n_seeds < most_seeds else ""
    return Cell(digits(value, value), spread, interval, mark, row.name in marked, detail(row))


def _detail(row: pd.Series) -> str:
    parts = [
        f"RMSE of each seed {row['rmse_seeds']}",
        f"median {row['rmse_median']:.2f}",
        f"95 % of one seed {row['rmse_low']:.2f}–{row['rmse_high']:.2f}",
        f"mean error {row['shift']:+.2f}",
        f"α {row['alphas']}" if row["alphas"] and not row["method"].endswith("ridge") else "",
        f"layer {row['layers']}" if row["layers"] else "",
    ]
    return "; ".join(filter(None, parts))


def seed_by_seed(
    table: pd.DataFrame, places: Mapping[str, Place], backbones: Mapping[str, str]
) -> pd.DataFrame:
    """What the grids leave out, as texts: seeds, medians, intervals, shifts, choices."""
    rows = []
    for name, place in places.items():
        for _, row in table[(table["place"] == name) & table["strategy"].notna()].iterrows():
            rows.append(
                {
                    "Where": place.title,
                    "Split": row["strategy"],
                    "Method": label(row["method"]),
                    "Backbone": backbone_title(row["backbone"], backbones),
                    "RMSE by seed": row["rmse_seeds"],
                    "Median RMSE": _text(row["rmse_median"], "{:.2f}"),
                    "Median MAE": _text(row["mae_median"], "{:.2f}"),
                    "RMSE, 95 % of a seed": f"{row['rmse_low']:.2f}–{row['rmse_high']:.2f}",
                    "Mean error": _text(row["shift"], "{:+.2f}"),
                    "Largest": _text(row["largest"], "{:.1f}"),
                    "RMSE − published": _text(row.get("rmse_difference"), "{:+.2f}"),
                    "MAE − published": _text(row.get("mae_difference"), "{:+.2f}"),
                    "α by seed": "" if row["method"].endswith("ridge") else row["alphas"],
                    "λ by seed": row["regularisations"],
                    "Layer by seed": row["layers"],
                }
            )
    printed = pd.DataFrame(rows)
    return printed.loc[:, (printed != "").any()]


def standing_in(places: Mapping[str, Place]) -> str:
    """For a title: that surrogates stand in, "" where none does."""
    names = [p.published for p in places.values() if p.published and not p.same]
    ends = dict.fromkeys(end for name in names for end in name.split("-to-"))
    return f"; surrogates stand in for the paper's {_and(list(ends))}" if names else ""


def backbone_title(name: str, titles: Mapping[str, str]) -> str:
    """A backbone's title in tables, "" for methods without one."""
    return "" if name == "none" else titles.get(name, name)


def _arrow(source: str, target: str) -> str:
    """``source → target``; a last word that both share is given once."""
    first, _, last = source.rpartition(" ")
    return f"{first if first and target.endswith(' ' + last) else source} → {target}"


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _alphas(group: pd.DataFrame) -> str:
    """α seed by seed, or that of each species."""
    by_species = group.get("alphas_by_species", pd.Series(dtype=object))
    if len(by_species) and by_species.notna().all():
        return " | ".join(map(_shorter, by_species))
    return _listing(group["alpha"], "{:.2g}")


def _layers(group: pd.DataFrame) -> str:
    """The layer seed by seed, or those side by side."""
    side_by_side = group.get("layers", pd.Series(dtype=object))
    if len(side_by_side) and side_by_side.notna().all():
        return " ".join(str(layers).removesuffix(".0") for layers in side_by_side)
    return _listing(group["layer"], "{:.0f}")


def _shorter(alphas: str) -> str:
    """α of each species with fewer digits than the table of choices has."""
    pairs = (pair.split() for pair in alphas.split(", "))
    return ", ".join(f"{symbol} {float(alpha):.6g}" for symbol, alpha in pairs)


def _listing(values: pd.Series, form: str) -> str:
    return "" if values.isna().any() else " ".join(form.format(v) for v in values)


def _text(value: object, form: str) -> str:
    return "" if pd.isna(value) else form.format(value)
