"""The paper's tables: numbers over seeds by hand, the published beside, three printed forms."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from samples import ROOT

from mekrr.study.methods import ORDER, label
from mekrr.study.tables.comparison import (
    SHIFTED,
    comparisons,
    dataset_places,
    read_published,
    seed_by_seed,
    standing_in,
    summary,
    transfer_comparisons,
    transfer_places,
    with_published,
)
from mekrr.study.tables.data_checks import with_facts
from mekrr.study.tables.notes import effort, same_dataset_notes, transfer_notes
from mekrr.study.tables.printing.escapes import for_latex
from mekrr.study.tables.printing.grid import FEWER, MISSING, Cell, Grid, Row, flat
from mekrr.study.tables.printing.latex import latex
from mekrr.study.tables.printing.markdown import markdown
from mekrr.study.tables.printing.page import page
from mekrr.study.tables.tidy import all_metrics, transfer_metrics

PUBLISHED = ROOT / "workflow/resources/published"
DATASETS = {
    "d2": {"title": "D2 surrogate", "surrogate_for": "D2"},
    "cu": {"title": "Cu/formate", "published_as": "Cu/formate"},
    "mine": {"title": "100 % own & new_data"},
}
TITLES = {"net": "Net 1", "other": "Other"}
WHOLE = {"every": 1, "networks": {}, "gap": None, "sparse": None, "franken": None}
PLACES = dataset_places(DATASETS)


def test_registered_methods_have_distinct_labels():
    assert len(set(map(label, ORDER))) == len(ORDER)


def fit(place, method, backbone, rmse, seed=0, strategy="random", **columns):
    """One row of a table of errors whose other errors follow from the RMSE."""
    return {
        "place": place,
        "strategy": strategy,
        "seed": seed,
        "method": method,
        "backbone": backbone,
        "rmse": rmse,
        "mae": 0.8 * rmse,
        "rmse_shifted": 0.5 * rmse,
        "mae_shifted": 0.4 * rmse,
        "shift": 0.1,
        "largest": 3 * rmse,
        "rmse_low": 0.9 * rmse,
        "rmse_high": 1.1 * rmse,
        "mae_low": 0.7 * rmse,
        "mae_high": 0.9 * rmse,
        "alpha": 0.01,
        "regularisation": 1e-7,
        "layer": 2,
        **columns,
    }


@pytest.fixture
def errors():
    """MEKRR on two networks and a mean, three seeds; one fit of `other` is missing."""
    rows = [fit("d2", "MEKRR", "net", rmse, seed) for seed, rmse in enumerate((1.0, 2.0, 3.0))]
    rows += [fit("d2", "MEKRR", "other", 5.0, seed) for seed in (0, 2)]
    rows += [fit("cu", "MEKRR", "net", 4.0, seed) for seed in range(3)]
    rows += [fit("cu", "MEKRR", "other", 1.2, seed) for seed in range(3)]
    rows += [
        fit("mine", "training mean", "none", 123.4, seed, alpha=np.nan, layer=np.nan)
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def published():
    return read_published(PUBLISHED / "same_dataset.csv")


def cells(grid):
    """Printed values by (method, backbone) and (group, heading), with their bold and rows."""
    heads = [(name, head) for name, group in grid.groups for head in group]
    return {row.stub: dict(zip(heads, row.cells, strict=True)) for row in grid.rows}


def test_summary_over_seeds_by_hand(errors):
    row = summary(errors).set_index(["place", "backbone"]).loc["d2", "net"]
    assert row["n_seeds"] == 3
    assert row["rmse"] == pytest.approx(2.0)
    assert row["rmse_std"] == pytest.approx(1.0)  # of 1, 2, 3 with ddof 1
    assert row["mae"] == pytest.approx(1.6)
    assert (row["rmse_median"], row["rmse_min"], row["rmse_max"]) == (2.0, 1.0, 3.0)
    assert row["largest"] == 9.0
    assert row["rmse_low"] == pytest.approx(1.8)
    assert row["rmse_seeds"] == "1.00 2.00 3.00"
    assert row["layers"] == "2 2 2"


def test_layers_side_by_side_seed_by_seed(errors):
    rows = [
        fit("d2", "MEKRR-sparse", "net", 1.0, seed, layer=np.nan, layers=layers)
        for seed, layers in enumerate(("1+2", 2.0))  # as CSV files of several fits give them
    ]
    table = summary(pd.concat([errors, pd.DataFrame(rows)])).set_index("method")
    assert table.loc["MEKRR-sparse", "layers"] == "1+2 2"
    assert set(table.loc["training mean", ["layers"]]) == {""}


def test_grid_holds_means_spreads_and_the_published(errors, published):
    (grid,) = comparisons(summary(errors), published, PLACES, TITLES)
    assert [name for name, _ in grid.groups] == [place.title for place in PLACES.values()]
    found = cells(grid)
    ours = found["MEKRR", "Net 1"]
    assert ours["D2 surrogate", "RMSE"].value == "2.00"
    assert ours["D2 surrogate", "RMSE"].spread == "1.00"
    assert ours["D2 surrogate", "MAE"].value == "1.60"
    assert found["training mean", ""]["100 % own & new_data", "RMSE"].value == "123"
    theirs = found["MEKRR", "published"]
    assert theirs["D2 surrogate", "RMSE"].value == "1.5"
    assert theirs["Cu/formate", "MAE"].value == "0.9"
    assert theirs["100 % own & new_data", "RMSE"] == Cell()
    assert found["SchNet", "published"]["Cu/formate", "RMSE"].value == "6.0", "digits as printed"
    assert "3 seeds" in grid.title


def test_the_best_is_ours_and_only_of_what_ran(errors, published):
    """The published 1.5 of D2 is below our 2.00 and must not take the bold from it."""
    (grid,) = comparisons(summary(errors), published, PLACES, TITLES)
    best = {
        (row.stub, head)
        for row in grid.rows
        for head, cell in zip(range(6), row.cells, strict=True)
        if cell.best
    }
    assert best == {
        (("MEKRR", "Net 1"), 0),
        (("MEKRR", "Net 1"), 1),
        (("MEKRR", "Other"), 2),
        (("MEKRR", "Other"), 3),
        (("training mean", ""), 4),
        (("training mean", ""), 5),
    }
    assert not any(cell.best for row in grid.rows if row.quoted for cell in row.cells)


def test_numbers_that_print_alike_are_both_best(published):
    rows = [fit("cu", "MEKRR", "net", 1.001), fit("cu", "MEKRR", "other", 1.004)]
    (grid,) = comparisons(summary(pd.DataFrame(rows)), published, PLACES, TITLES)
    found = cells(grid)
    for backbone in ("Net 1", "Other"):
        assert found["MEKRR", backbone]["Cu/formate", "RMSE"].best


def test_an_error_of_nothing_is_not_the_best(published):
    """Energies are constant there, or test frames repeat others."""
    rows = [fit("cu", "MEKRR", "net", 0.002), fit("cu", "MEKRR", "other", 1.0)]
    (grid,) = comparisons(summary(pd.DataFrame(rows)), published, PLACES, TITLES)
    best = [name for name, row in cells(grid).items() if row["Cu/formate", "RMSE"].best]
    assert best == [("MEKRR", "Other")]


def test_what_did_not_run_is_a_dash(errors, published):
    (grid,) = comparisons(summary(errors), published, PLACES, TITLES)
    row = cells(grid)["training mean", ""]
    assert row["D2 surrogate", "RMSE"].value == MISSING
    assert not row["D2 surrogate", "RMSE"].best


def test_fewer_seeds_are_marked(errors, published):
    (grid,) = comparisons(summary(errors), published, PLACES, TITLES)
    found = cells(grid)
    assert found["MEKRR", "Other"]["D2 surrogate", "RMSE"].mark == FEWER
    assert found["MEKRR", "Other"]["Cu/formate", "RMSE"].mark == ""


def test_a_mean_over_fewer_seeds_is_not_the_best(published):
    """It may lack the hard seeds; where all have as few, they are compared."""
    rows = [fit("cu", "MEKRR", "net", 2.0, seed=seed) for seed in range(3)]
    rows += [fit("cu", "MEKRR", "other", 1.0, seed=0)]
    rows += [fit("d2", "MEKRR", name, 2.0, seed=0) for name in ("net", "other")]
    (grid,) = comparisons(summary(pd.DataFrame(rows)), published, PLACES, TITLES)
    found = cells(grid)
    assert found["MEKRR", "Net 1"]["Cu/formate", "RMSE"].best
    assert not found["MEKRR", "Other"]["Cu/formate", "RMSE"].best
    assert found["MEKRR", "Other"]["D2 surrogate", "RMSE"].best


def test_one_seed_has_an_interval_instead_of_a_spread(published):
    table = summary(pd.DataFrame([fit("cu", "MEKRR", "net", 20.0)]))
    (grid,) = comparisons(table, published, PLACES, TITLES)
    cell = cells(grid)["MEKRR", "Net 1"]["Cu/formate", "RMSE"]
    assert cell.interval == ("18.0", "22.0")
    assert cell.spread == ""
    (grid,) = comparisons(table, published, PLACES, TITLES, SHIFTED)
    assert cells(grid)["MEKRR", "Net 1"]["Cu/formate", "RMSE"].interval is None


def test_every_way_of_splitting_has_its_grid(errors, published):
    both = pd.concat([errors, errors.assign(strategy="run")])
    grids = comparisons(summary(both), published, PLACES, TITLES)
    assert [grid.title.split(";")[0] for grid in grids] == [
        "Split of frames at random",
        "Split by run",
    ]


def test_rows_follow_the_order_of_the_methods(published):
    rows = [fit("cu", method, "net", 1.0) for method in reversed(ORDER)]
    (grid,) = comparisons(summary(pd.DataFrame(rows)), published, PLACES, TITLES)
    ours = [row.stub[0] for row in grid.rows if not row.quoted]
    assert ours == [label(method) for method in ORDER]


def test_differences_only_on_the_papers_own_data(errors, published):
    table = with_published(summary(errors), published, PLACES)
    rows = table[table["method"] == "MEKRR"].set_index(["place", "backbone"])
    assert rows.loc[("cu", "net"), "published_rmse"] == 1.7
    assert rows.loc[("cu", "net"), "rmse_difference"] == pytest.approx(4.0 - 1.7)
    assert rows.loc[("d2", "net"), "published_mae"] == 1.2
    assert np.isnan(rows.loc[("d2", "net"), "rmse_difference"])
    missing = table[table["strategy"].isna()]
    assert set(missing["method"]) == {"SchNet", "GAP-SOAP", "SchNet-FT", "MEKRR-alpha"}
    assert missing["rmse"].isna().all()
    assert not (table["place"].eq("mine") & table["published_rmse"].notna()).any()


def test_notes_say_what_was_cut_short():
    trained = {"epochs": 20, "least_steps": 500, "batch_size": 8}
    settings = {
        "every": 2,
        "networks": {
            "SchNet": trained | {"force_weight": 0.0},
            "SevenNet-FT-forces": trained | {"force_weight": 2.5},
        },
        "gap": {
            "n_max": 8,
            "l_max": 4,
            "n_sparse": 200,
            "forces": {"sigma": 0.05, "frames": 60},
        },
        "sparse": {"inducing": 50, "directions": {"random": 3, "reactive": True}},
        "franken": {"random_features": 512},
    }
    frames, schnet, sevennet, gap, of_gap, sparse, franken = effort(settings)
    assert frames == "One frame in 2 of each data set is used."
    assert "20 epochs, at least 500 steps, of 8 frames each" in schnet
    assert "800 epochs" in schnet
    assert "forces" not in schnet
    assert "paper" not in sevennet
    assert sevennet.endswith("; forces learnt with weight 2.5.")
    assert "n_max 8, l_max 4, 200 representative atoms" in gap
    assert "those of 60 training frames, taken to have an error of 0.05 eV/Å" in of_gap
    assert "50 inducing atoms at most; with forces: 3 random directions of each frame and" in sparse
    assert "512 random features, all components of forces" in franken
    assert effort(WHOLE) == []


def test_title_says_where_surrogates_stand_in():
    assert standing_in(PLACES) == "; surrogates stand in for the paper's D2"
    assert standing_in({"cu": PLACES["cu"], "mine": PLACES["mine"]}) == ""
    assert any("D2 surrogate" in note for note in same_dataset_notes(PLACES, WHOLE))


def test_transfer_pairs_find_their_published_numbers():
    places = transfer_places(
        [("d2", "d4"), ("d2", "mine")],
        DATASETS | {"d4": {"title": "D4 surrogate", "surrogate_for": "D4"}},
    )
    assert places["d2-to-d4"].title == "D2 → D4 surrogate"
    assert places["d2-to-mine"].published is None
    assert standing_in(places) == "; surrogates stand in for the paper's D2 and D4"
    rows = [fit("d2-to-d4", "GAP-SOAP", "none", 831.0, seed) for seed in range(2)]
    published = read_published(PUBLISHED / "transfer.csv")
    raw, shifted = transfer_comparisons(summary(pd.DataFrame(rows)), published, places, {})
    assert cells(raw)["GAP-SOAP", "published"]["D2 → D4 surrogate", "RMSE"].value == "830"
    assert cells(raw)["GAP-SOAP", ""]["D2 → D4 surrogate", "RMSE"].value == "831"
    assert cells(shifted)["GAP-SOAP", ""]["D2 → D4 surrogate", "RMSE"].value == "416"
    assert not any(row.quoted for row in shifted.rows), "the paper has no shifted errors"
    assert any("mean signed error" in note for note in transfer_notes(places, WHOLE))


def predictions(method, layer, error, **columns):
    return pd.DataFrame(
        {
            "strategy": "random",
            "seed": 0,
            "method": method,
            "backbone": "net",
            "layer": layer,
            "frame": range(3),
            "n_atoms": 10,
            "energy_ref": 0.0,
            "energy_pred": error * 0.01,
            **columns,
        }
    )


def choices(method, layer, chosen=True):
    return {
        "dataset": "d2",
        "strategy": "random",
        "seed": 0,
        "method": method,
        "backbone": "net",
        "layer": layer,
        "alpha": np.nan,
        "chosen": chosen,
    }


def test_metrics_join_choices_also_without_layers():
    table = pd.concat(
        [
            predictions("MEKRR", 1, 2.0, dataset="d2", split="test"),
            predictions("MEKRR", 2, 3.0, dataset="d2", split="test"),
            predictions("SchNet", np.nan, 4.0, dataset="d2", split="test"),
        ]
    )
    made = pd.DataFrame(
        [choices("MEKRR", 1, False), choices("MEKRR", 2), choices("SchNet", np.nan)]
    )
    found = all_metrics(table, made).set_index(["method", "layer"])["rmse"]
    assert found["MEKRR", 1] == pytest.approx(2.0)
    assert len(found) == 3


def test_transfer_keeps_the_layer_chosen_on_the_source():
    table = pd.concat(
        [
            predictions("MEKRR", 1, 2.0, source="d2", target="d4"),
            predictions("MEKRR", 2, 3.0, source="d2", target="d4"),
            predictions("SchNet", np.nan, 4.0, source="d2", target="d4"),
        ]
    )
    made = pd.DataFrame(
        [choices("MEKRR", 1, False), choices("MEKRR", 2), choices("SchNet", np.nan)]
    )
    found = transfer_metrics(table, made).set_index("method")["rmse"]
    assert found.to_dict() == pytest.approx({"MEKRR": 3.0, "SchNet": 4.0})


NASTY = "50 % of A_1 & B#2 {x} ~ ^ $ \\ α→Δ ≥ ½"


def grid_of(text, best=True):
    cell = Cell("1.5", "0.2", None, FEWER, best)
    rows = (Row((text, "net"), (cell, Cell())), Row((text, text), (Cell("1"), cell), quoted=True))
    return Grid(text, (text, "Backbone"), ((text, ("RMSE", "MAE")),), rows)


def test_latex_escapes_what_tex_would_read():
    assert for_latex("a_b & 5 % $x {y} #1 ~ ^ \\") == (
        r"a\_b \& 5 \% \$x \{y\} \#1 \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    text = latex(NASTY, [grid_of(NASTY)], [NASTY], "t")
    assert text.isascii()
    assert r"\textbf{1.5} & $_{\pm0.2}$\textsuperscript{\dag}" in text


def test_latex_rows_have_one_field_per_column(errors, published):
    grids = comparisons(summary(errors), published, PLACES, TITLES)
    text = latex("T", grids, same_dataset_notes(PLACES, WHOLE), "t")
    spec = re.search(r"\\begin{tabular}{@{}(.*)@{}}\n", text).group(1)
    columns = len(re.findall("[lr]", spec))
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(lines) == len(grids[0].rows)
    for line in lines:
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
    for environment in ("table", "tabular"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles(tmp_path, errors, published):
    grids = [*comparisons(summary(errors), published, PLACES, TITLES), grid_of(NASTY)]
    (tmp_path / "table.tex").write_text(latex(NASTY, grids, [NASTY], "t"))
    (tmp_path / "page.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx}"
        r"\begin{document}\input{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout.decode(errors="replace")[-1500:]


def test_markdown_has_one_field_per_column(errors, published):
    grids = comparisons(summary(errors), published, PLACES, TITLES)
    text = markdown("T", grids, ["A note."])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "**2.00** ± 1.00" in text
    assert "*1.5*" in text
    assert text.startswith("# T\n")
    assert text.endswith("A note.\n")


class Reader(HTMLParser):
    """Collects the width of each row, the bold texts, and every address."""

    def __init__(self):
        super().__init__()
        self.widths, self.bold, self.addresses, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [v for k, v in attrs.items() if k in ("href", "src", "action")]
        if tag == "tr":
            self.widths.append(0)
        if tag in ("td", "th"):
            self.widths[-1] += int(attrs.get("colspan", 1))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "b" in self.open:
            self.bold.append(data)


def test_page_is_whole_and_loads_nothing(errors, published):
    grids = comparisons(summary(errors), published, PLACES, TITLES)
    details = flat(seed_by_seed(with_published(summary(errors), published, PLACES), PLACES, TITLES))
    text = page("A & B", [*grids, details], same_dataset_notes(PLACES, WHOLE))
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert reader.addresses == []
    assert not re.search(r"https?:|url\(|@import|<script", text)
    assert "A &amp; B" in text
    assert "100 % own &amp; new_data" in text
    assert set(reader.bold) == {"2.00", "1.60", "1.20", "0.96", "123", "98.7"}
    # The second row of headings leaves out the two leading columns, which span both.
    rows = len(grids[0].rows)
    assert reader.widths[: rows + 2] == [8, 6, *[8] * rows]


def test_details_leave_out_columns_that_say_nothing(errors, published):
    table = with_published(summary(errors), published, PLACES)
    printed = seed_by_seed(table, PLACES, TITLES)
    assert "RMSE − published" in printed
    assert len(printed) == 5, "rows of ours alone"
    only = table[table["place"] == "d2"]
    assert "RMSE − published" not in seed_by_seed(only, {"d2": PLACES["d2"]}, TITLES)


def test_facts_of_the_registry_stand_above_the_findings():
    rows = [("one", "leaks", "ok", "none"), ("two", "leaks", "warning", "many")]
    checks = pd.DataFrame(rows, columns=["dataset", "check", "status", "result"])
    table = with_facts(checks, {"one": {}, "two": {"licence": "MIT", "frames": 3}})
    assert table.to_numpy().tolist() == [
        ["one", "leaks", "ok", "none"],
        ["two", "licence", "", "MIT"],
        ["two", "leaks", "warning", "many"],
    ]
