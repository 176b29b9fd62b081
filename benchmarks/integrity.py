"""What it costs that every step reads its inputs from end to end, to check them first.

`python -m benchmarks.integrity`, from the folder of a study that was run. Each input that
is still there is read as a step does, and the time compared with that of the step, start-up
included, which Snakemake measured. Files are in the system's cache, as after the step that wrote
them. Shards of features are gone after a study.
"""

from __future__ import annotations

import os
import time

import pandas as pd

from mekrr.study.experiments.timing import read_benchmark
from mekrr.study.provenance import BENCHMARKS, RECORDS, RESULTS, Input, read_record


def costs() -> pd.DataFrame:
    """Steps, their mean seconds, MB of their inputs and seconds to check these, by rule."""
    rows: dict[tuple, dict] = {}
    seconds: dict[str, float] = {}
    for place in sorted(RECORDS.rglob("*.json")):
        record = read_record(RESULTS / place.relative_to(RECORDS).with_suffix(""))
        step = (record["rule"], *record.get("wildcards", {}).items())
        inputs = [name for name in record["inputs"] if os.path.exists(name)]
        if step in rows or not inputs:
            continue
        for name in inputs:
            if name not in seconds:
                began = time.perf_counter()
                Input.read(name)
                seconds[name] = time.perf_counter() - began
        rows[step] = {
            "rule": record["rule"],
            "MB": sum(map(os.path.getsize, inputs)) / 1e6,
            "check": sum(seconds[name] for name in inputs),
        }
    by_rule = pd.DataFrame(rows.values()).groupby("rule")
    table = by_rule.mean().assign(steps=by_rule.size())
    table["step"] = [_seconds(rule) for rule in table.index]
    table["percent"] = 100 * table["check"] / table["step"]
    return table[["steps", "step", "MB", "check", "percent"]]


def _seconds(rule: str) -> float:
    """Mean time of a rule's steps; NaN if none was measured."""
    paths = [*(BENCHMARKS / rule).rglob("*.tsv"), *BENCHMARKS.glob(f"{rule}.tsv")]
    return pd.Series([read_benchmark(path)["s"] for path in paths], dtype=float).mean()


def main() -> None:
    """Print the table, dearest rules first, and the share of the whole study."""
    table = costs().sort_values("percent", ascending=False)
    print(table.to_string(float_format="{:.3f}".format))
    known = table.dropna()
    whole = (known["steps"] * known["step"]).sum()
    print(f"all: {100 * (known['steps'] * known['check']).sum() / whole:.2f} % of {whole:.0f} s")


if __name__ == "__main__":
    main()
