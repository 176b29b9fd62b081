"""What the site takes from a study: the tables' own digits, and the run that they come from."""

import numpy as np
import pandas as pd
import yaml
from samples import ROOT, Named
from studies import default_config
from test_tables import PLACES, TITLES, fit

from mekrr.study.config import check_config
from mekrr.study.tables import site
from mekrr.study.tables.comparison import summary
from mekrr.study.tables.provenance import RAN, STUDY
from mekrr.study.tables.site import alphas, clustered, cost, described, printed, with_shifted
from mekrr.study.targets import Targets

MADE = {"git": "abc", "cores": "2", "cpu": "EPYC", "torch": "2.13", "blas": "openblas"}
FACTS = pd.DataFrame(
    [(RAN, *item) for item in MADE.items()]
    + [(STUDY, item, "x") for item in ("datasets", "every", "splits", "seeds")],
    columns=["what", "item", "value"],
)


def test_errors_are_printed_as_in_the_tables():
    errors = [fit("d2", "MEKRR", "net", rmse, seed) for seed, rmse in enumerate((1.0, 2.0, 3.0))]
    table = printed(summary(pd.DataFrame(errors)), PLACES, TITLES, "rmse")
    assert table.columns.tolist() == ["Method", "Backbone", "D2 surrogate"]
    assert table.iloc[0].tolist() == ["MEKRR", "Net 1", "2.00 ± 1.00"]


def test_errors_with_the_mean_taken_off_stand_in_brackets():
    heads = ["Method", "Backbone", "D1 → D2", "D1 → D3"]
    raw = pd.DataFrame([["MEKRR", "SOAP", "11.5 ± 0.2", "–"]], columns=heads)
    shifted = pd.DataFrame([["MEKRR", "SOAP", "8.31 ± 0.10", "–"]], columns=heads)
    assert with_shifted(raw, shifted).iloc[0].tolist() == ["MEKRR", "SOAP", "11.5 (8.31)", "–"]


def test_alphas_seed_by_seed():
    errors = [
        fit("d2", "MEKRR-alpha", "net", 1.0, seed, alpha=alpha)
        for seed, alpha in enumerate((0.0, 0.25))
    ]
    errors += [fit("d2", "MEKRR", "other", 1.0, alpha=1.0)]
    table = alphas(summary(pd.DataFrame(errors)), "random", PLACES, TITLES)
    assert table.columns.tolist() == ["Data set", "Net 1", "Other"]
    assert ["D2 surrogate", "0, 0.25", "–"] in table.to_numpy().tolist()


def test_clusters_as_in_their_table():
    row = {"dataset": "d2", "backbone": "net", "layer": 2, "n_frames": 9, "against": "event"}
    score = {"balanced_accuracy": 0.75, "adjusted_rand_index": 0.5, "n_seeds": 2}
    spread = {"balanced_accuracy_std": 0.1, "adjusted_rand_index_std": 0.1}
    kernels = [row | score | spread | {"kernel": k, "cut": "one run"} for k in ("K0", "K1", "N")]
    table = clustered(pd.DataFrame(kernels), {"d2": {"title": "D2"}}, TITLES)
    digits = ["0.75", "0.50"]
    rows = [["D2", "Net 1, layer 2", kernel, *digits] for kernel in ("K₀", "K₁")]
    assert table.to_numpy().tolist() == rows
    assert table.columns[3:].tolist() == ["Event, one run: accuracy", "Event, one run: Rand index"]


def test_cost_is_that_of_all_jobs(tmp_path):
    for name, seconds in (("a", "90.0"), ("b/c", "30.5"), ("d", "-")):
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\tcpu_time\n100.0\t{seconds}\n")
    assert cost(tmp_path) == {"jobs": "3 jobs", "core_time": "2 minutes"}


def test_the_run_is_that_of_the_fits():
    run = described(FACTS, "make figures")
    assert (run["command"], run["commit"]) == ("make figures", "abc")
    assert run["machine"] == "2 cores of EPYC, torch 2.13, openblas"


def test_all_that_is_written_is_declared(tmp_path, monkeypatch):
    """Nothing else; and of a way of splitting without errors, such as of forces, an empty table."""
    errors = [fit("d2", "MEKRR", "net", rmse, seed) for seed, rmse in enumerate((1.0, 2.0, 3.0))]
    table = summary(pd.DataFrame(errors))
    tables = {
        "same_dataset": table.rename(columns={"place": "dataset"}).assign(force_seeds=np.nan),
        "transfer": table.rename(columns={"place": "transfer"}).iloc[:0],
        "verdict": pd.DataFrame({"a": [1]}),
        "provenance": FACTS,
    }
    monkeypatch.setattr(site, "clustered", lambda *_: pd.DataFrame({"a": [1]}))
    for name, content in tables.items():
        content.to_csv(tmp_path / f"{name}.csv", index=False)
    verdict = pd.DataFrame([["MEKRR", "1.0", "x"]], columns=["a", "Untouched network", "which is"])
    monkeypatch.setattr(site, "answers", lambda _: verdict)
    monkeypatch.setattr(site, "dataset_places", lambda _: PLACES)
    monkeypatch.setattr(site, "cost", lambda _: {"jobs": "3 jobs"})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    kinds = [f"{kind}.random" for kind in ("same_dataset", "forces", "transfer", "alphas")]
    output = Named(
        record="site/run.yaml",
        tables=[f"site/run.{kind}.csv" for kind in kinds],
        verdict=["site/run.verdict.csv", "site/run.verdict.md"],
        clusters=["site/run.clusters.csv"],
    )
    params = Named(datasets={}, pairs=[], backbones=TITLES, command="make", benchmarks="b")
    given = Named({name: f"{name}.csv" for name in tables} | {"clusters": ["verdict.csv"]})
    site.write(Named(input=given, output=output, params=params))
    declared = {output.record, *output.tables, *output.verdict, *output.clusters}
    assert {str(path) for path in (tmp_path / "site").iterdir()} == {
        str(tmp_path / path) for path in declared
    }
    first, *empty, _ = (pd.read_csv(path) for path in output.tables)
    assert first["D2 surrogate"].tolist() == ["2.00 ± 1.00"]
    assert [list(table.columns) for table in empty] == [["Method", "Backbone"]] * 2
    assert yaml.safe_load((tmp_path / output.record).read_text())["run"]["commit"] == "abc"


def test_what_the_default_study_declares_is_what_the_site_has():
    tables = Targets(check_config(default_config())).site_tables("docs/_generated/default_study")
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "docs/_generated").glob("*.*.*.csv")}
    assert set(tables) == found
    rule = (ROOT / "workflow/rules/tables.smk").read_text().split("as site_table with:")[1]
    names = ("record", "tables", "verdict", "clusters")
    assert all(f"{name}=" in rule.split("log:")[0] for name in names)
