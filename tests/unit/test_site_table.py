"""What the site takes from a study: the tables' own digits, and the run that they come from."""

import pandas as pd
from test_tables import PLACES, TITLES, fit

from mekrr.study.tables.comparison import summary
from mekrr.study.tables.site import cost, described, printed, with_shifted


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


def test_cost_is_that_of_all_jobs(tmp_path):
    for name, seconds in (("a", "90.0"), ("b/c", "30.5"), ("d", "-")):
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\tcpu_time\n100.0\t{seconds}\n")
    assert cost(tmp_path) == {"jobs": "3 jobs", "core_time": "2 minutes"}


def test_the_run_is_that_of_the_fits():
    facts = {
        "git": "abc",
        "cores": "2",
        "cpu": "EPYC",
        "torch": "2.13",
        "blas": "openblas",
    }
    study = {"datasets": "d1", "every": "3", "splits": "random", "seeds": "0"}
    rows = [("fits and tables", *item) for item in facts.items()]
    rows += [("study", *item) for item in study.items()]
    run = described(pd.DataFrame(rows, columns=["what", "item", "value"]), "make figures")
    assert (run["command"], run["commit"]) == ("make figures", "abc")
    assert run["machine"] == "2 cores of EPYC, torch 2.13, openblas"
