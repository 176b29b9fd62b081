"""Tables of errors: ours over seeds, the published ones beside, the frames that are worst."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import pandas as pd

from mekrr.evaluation import largest_errors, metrics
from mekrr.methods import ORDER, label

FIT = ["dataset", "strategy", "seed", "method", "backbone"]
NO_LAYER = -1  # stands for a missing layer while tables are joined


def read_tables(paths: Sequence[str]) -> pd.DataFrame:
    """Several CSV tables of one kind as one."""
    tables = [pd.read_csv(path) for path in paths]
    return pd.concat([t.dropna(axis="columns", how="all") for t in tables], ignore_index=True)


def all_metrics(predictions: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """RMSE, MAE, largest error (meV/atom) of every fit, layer and part, with its choices."""
    table = metrics(predictions.fillna({"layer": NO_LAYER}), [*FIT, "layer", "split"])
    choices = choices.fillna({"layer": NO_LAYER})
    table = table.merge(choices, on=[*FIT, "layer"], validate="many_to_one")
    layer = table["layer"].astype("Int64")
    return table.assign(layer=layer.where(layer != NO_LAYER))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Test errors of the chosen layer: mean and spread over seeds, per method.

    rmse and mae are means over seeds, *_std their standard deviation (ddof 1), *_median,
    *_min and *_max their median and range; rmse_seeds, alphas, regularisations, layers
    list seed by seed.
    """
    test = table[table["chosen"] & (table["split"] == "test")].sort_values("seed")
    rows = []
    for key, group in test.groupby(["dataset", "strategy", "method", "backbone"], sort=False):
        row = dict(zip(["dataset", "strategy", "method", "backbone"], key, strict=True))
        row["n_seeds"] = len(group)
        for metric in ("rmse", "mae"):
            row[metric] = group[metric].mean()
            row[f"{metric}_median"] = group[metric].median()
            row[f"{metric}_std"] = group[metric].std(ddof=1)
            row[f"{metric}_min"] = group[metric].min()
            row[f"{metric}_max"] = group[metric].max()
        row["largest"] = group["largest"].max()
        row["rmse_seeds"] = _listing(group["rmse"], "{:.2f}")
        row["alphas"] = _listing(group["alpha"], "{:.2g}")
        row["regularisations"] = _listing(group["regularisation"], "{:.0e}")
        row["layers"] = _listing(group["layer"], "{:.0f}")
        rows.append(row)
    return pd.DataFrame(rows).sort_values(
        ["dataset", "strategy", "method", "backbone"],
        key=lambda column: column.map(ORDER.index) if column.name == "method" else column,
        ignore_index=True,
    )


def published_name(entry: Mapping) -> str | None:
    """The paper's data set that a registry entry is, or stands in for."""
    return entry.get("published_as") or entry.get("surrogate_for")


def with_published(
    table: pd.DataFrame, published: pd.DataFrame, datasets: Mapping[str, Mapping]
) -> pd.DataFrame:
    """Add published_rmse, published_mae and, for the same data set, the differences.

    Published methods not reproduced here yet get rows of their own, without errors of
    ours. ``datasets`` are the registry's entries.
    """
    published = published.rename(
        columns={"rmse_mev_per_atom": "published_rmse", "mae_mev_per_atom": "published_mae"}
    ).drop(columns="note")
    parts = []
    for dataset, group in table.groupby("dataset", sort=False):
        theirs = published[published["dataset"] == published_name(datasets[dataset])]
        theirs = theirs.drop(columns="dataset")
        parts.append(group.merge(theirs, on="method", how="left"))
        missing = theirs[~theirs["method"].isin(group["method"])]
        parts.append(missing.assign(dataset=dataset, strategy="published", backbone="none"))
    joined = pd.concat([part for part in parts if len(part)], ignore_index=True)
    same = joined["dataset"].map(lambda name: "published_as" in datasets[name])
    for metric in ("rmse", "mae"):
        difference = joined[metric] - joined[f"published_{metric}"]
        joined[f"{metric}_difference"] = difference.where(same)
    return joined


def readable(table: pd.DataFrame, datasets: Mapping[str, Mapping]) -> pd.DataFrame:
    """The table as it is printed: strings, the best of each data set and split in ``**``."""
    rows = []
    for (dataset, strategy), block in table.groupby(["dataset", "strategy"], sort=False):
        for _, row in block.iterrows():
            rows.append(
                {
                    "Data set": datasets[dataset].get("title", dataset),
                    "Split": strategy,
                    "Method": label(row["method"]),
                    "Backbone": _backbone(row["backbone"]),
                    "RMSE": _spread(row, "rmse"),
                    "MAE": _spread(row, "mae"),
                    "Median RMSE": _best(row["rmse_median"], block["rmse_median"]),
                    "Median MAE": _best(row["mae_median"], block["mae_median"]),
                    "Published RMSE": _text(row["published_rmse"], "{:g}"),
                    "Published MAE": _text(row["published_mae"], "{:g}"),
                    "RMSE - published": _text(row["rmse_difference"], "{:+.2f}"),
                    "MAE - published": _text(row["mae_difference"], "{:+.2f}"),
                    "RMSE by seed": _text(row["rmse_seeds"]),
                    "Largest": _text(row["largest"], "{:.1f}"),
                    "α by seed": _text(row["alphas"]) if row["method"] != "linear ridge" else "",
                    "Layer by seed": _text(row["layers"]),
                }
            )
    printed = pd.DataFrame(rows)
    return printed.loc[:, (printed != "").any()]


def for_paper(printed: pd.DataFrame) -> pd.DataFrame:
    """The columns of a printed table that fit the width of a page."""
    return printed.loc[:, ~printed.columns.str.contains("by seed|Largest|-", regex=True)]


def same_dataset_notes(datasets: Mapping[str, Mapping]) -> list[str]:
    """What a reader of the table must know."""
    notes = [
        "RMSE and MAE of the total energy per atom on test frames, mean ± standard deviation "
        "over seeds, and the median of the seeds, best of each split in bold: a seed that puts a "
        "lone frame into the test set (see the largest errors) carries the mean away. Largest "
        "is the largest single error of all seeds. α, λ and the layer are chosen on validation "
        "frames, seed by seed. Rows with split `published` are methods of the paper that are not "
        "reproduced yet; differences are of means and stand only where the data set is the "
        "paper's.",
        "Frames of one trajectory resemble each other: a split at random leaks between train "
        "and test, the split by run does not.",
    ]
    for name, entry in datasets.items():
        if "surrogate_for" in entry:
            notes.append(
                f"{entry.get('title', name)} is a surrogate made by this project, not the paper's "
                f"data. The published numbers beside it are for the paper's "
                f"{entry['surrogate_for']} and are no target for it."
            )
    return notes


def chosen_test_predictions(predictions: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """Predictions on test frames by each fit's chosen layer."""
    chosen = choices.loc[choices["chosen"], [*FIT, "layer"]].fillna({"layer": NO_LAYER})
    test = predictions[predictions["split"] == "test"].fillna({"layer": NO_LAYER})
    return test.merge(chosen, on=[*FIT, "layer"])


def worst_frames(predictions: pd.DataFrame, choices: pd.DataFrame, count: int) -> pd.DataFrame:
    """The ``count`` worst test frames of each fitted method, on the layer it chose."""
    table = chosen_test_predictions(predictions, choices)
    table = table[table["layer"] != NO_LAYER]
    table = largest_errors(table, FIT, count).astype({"layer": int})
    return table[[*FIT, "layer", "index", "frame", "n_atoms", "energy_ref", "energy_pred", "error"]]


def readable_worst(table: pd.DataFrame) -> pd.DataFrame:
    """One line per fit: its worst frames and their signed errors."""
    rows = []
    for key, group in table.groupby(FIT, sort=False):
        dataset, strategy, seed, method, backbone = key
        rows.append(
            {
                "Data set": dataset,
                "Split": strategy,
                "Seed": str(seed),
                "Method": label(method),
                "Backbone": _backbone(backbone),
                "Frame (error in meV/atom)": ", ".join(
                    f"{f} ({e:+.1f})" for f, e in zip(group["frame"], group["error"], strict=True)
                ),
            }
        )
    return pd.DataFrame(rows)


def to_markdown(table: pd.DataFrame, title: str, notes: Sequence[str]) -> str:
    """A heading, the table, and its notes."""
    body = table.to_markdown(index=False, disable_numparse=True)
    return "\n\n".join([f"# {title}", body, *notes]) + "\n"


def to_latex(table: pd.DataFrame, title: str, notes: Sequence[str]) -> str:
    """A booktabs table; the notes join the title in its caption."""
    caption = " ".join([f"{title}.", *notes])
    escaped = table.map(_latex).rename(columns=_latex)
    return escaped.to_latex(index=False, escape=False, caption=_latex(caption), position="tbp")


def to_html(table: pd.DataFrame, title: str, notes: Sequence[str]) -> str:
    """A page of its own that loads nothing from elsewhere."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_html(cell)}</td>" for cell in row) + "</tr>"
        for row in table.itertuples(index=False)
    )
    paragraphs = "\n".join(f"<p>{_html(note)}</p>" for note in notes)
    return _PAGE.format(title=html.escape(title), head=head, body=body, notes=paragraphs)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: #222; }}
table {{ border-collapse: collapse; border-top: 2px solid #222; border-bottom: 2px solid #222; }}
th {{ border-bottom: 1px solid #222; }}
th, td {{ padding: 0.25em 0.7em; text-align: left; white-space: nowrap; }}
tr:nth-child(even) td {{ background: #f5f5f5; }}
p {{ max-width: 60em; }}
</style></head><body>
<h1>{title}</h1>
<div style="overflow-x: auto"><table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></div>
{notes}
</body></html>
"""


def _html(text: str) -> str:
    text = str(text)
    if text.startswith("**"):
        return f"<b>{html.escape(text.strip('*'))}</b>"
    return html.escape(text)


def _latex(text: str) -> str:
    text = str(text)
    bold = text.startswith("**")
    for plain, command in (
        ("\\", r"\textbackslash "),
        ("&", r"\&"),
        ("%", r"\%"),
        ("#", r"\#"),
        ("_", r"\_"),
        ("`", ""),
        ("α", r"$\alpha$"),
        ("λ", r"$\lambda$"),
        ("±", r"$\pm$"),
    ):
        text = text.replace(plain, command)
    return rf"\textbf{{{text.strip('*')}}}" if bold else text


def _backbone(name: str) -> str:
    return "" if name == "none" else name


def _listing(values: pd.Series, form: str) -> str:
    return "" if values.isna().any() else " ".join(form.format(v) for v in values)


def _spread(row: pd.Series, metric: str) -> str:
    if pd.isna(row[metric]):
        return ""
    spread = row[f"{metric}_std"]
    return f"{row[metric]:.2f}" + (f" ± {spread:.2f}" if pd.notna(spread) else "")


def _best(value: float, column: pd.Series) -> str:
    text = _text(value, "{:.2f}")
    return f"**{text}**" if text and value == column.min() else text


def _text(value: object, form: str = "{}") -> str:
    return "" if pd.isna(value) else form.format(value)
