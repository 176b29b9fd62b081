"""Which learning rate a network of the study trains best with, by its validation frames.

`python -m benchmarks.learning_rate sevennet-ft --rates 0.001 0.003 0.012`, from the folder with the
Snakefile: the splits and seeds of the default study, on the data sets named. Each rate is a
network of its own name under results/; trainings that are done are kept. What follows `--` goes to
Snakemake.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import yaml

from mekrr import environment
from mekrr.files import write_text
from mekrr.metrics import error_per_atom, mae

OVERLAY = Path("results/benchmark-learning-rate.yaml")
DATASETS = ["d1-surrogate", "d3-surrogate", "cuformate-surrogate"]


def named(network: str, rate: float) -> str:
    """Name of a network trained with a rate."""
    return f"{network}-lr-{rate:g}"


def overlay(network: str, rate: float, datasets: Sequence[str]) -> dict:
    """The study: that network alone, trained with a rate."""
    entry = yaml.safe_load(Path("config/networks.yaml").read_text())["networks"][network]
    own = entry | {"training": entry.get("training", {}) | {"lr": rate}}
    return {
        "study": {"datasets": list(datasets), "networks": [named(network, rate)], "transfer": []},
        "networks": {named(network, rate): own},
    }


def errors(
    network: str, rates: Sequence[float], study: dict, datasets: Sequence[str]
) -> Iterator[dict]:
    """Yield errors of each training: rate, data set, split, part, MAE in meV/atom."""
    for rate in rates:
        for dataset in datasets:
            for strategy in study["splits"]:
                for seed in study["seeds"]:
                    path = fit_of(dataset, strategy, seed, named(network, rate))
                    table = pd.read_csv(path)
                    for part in ("val", "test"):
                        own = table[table["split"] == part]
                        yield {
                            "rate": rate,
                            "data set": f"{dataset}, {strategy}",
                            "part": part,
                            "error": mae(error_per_atom(own)),
                        }


def fit_of(dataset: str, strategy: str, seed: int, network: str) -> str:
    """Predictions of a training."""
    return f"results/fits/{dataset}/{strategy}-{seed}/{network}/predictions.csv"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_rate")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("network", help="of config/networks.yaml")
    parser.add_argument("--rates", type=float, nargs="+", required=True)
    parser.add_argument("--datasets", nargs="+", default=DATASETS)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, given = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    study = yaml.safe_load(Path("config/config.yaml").read_text())["study"]
    network, rates, datasets = options.network, options.rates, options.datasets
    for rate in rates:
        write_text(OVERLAY, yaml.safe_dump(overlay(network, rate, datasets)))
        fits = [
            fit_of(dataset, strategy, seed, named(network, rate))
            for dataset in datasets
            for strategy in study["splits"]
            for seed in study["seeds"]
        ]
        command = [sys.executable, "-m", "snakemake", *fits, *given]
        subprocess.run([*command, "--configfile", str(OVERLAY)], check=True)
    table = pd.DataFrame(errors(network, rates, study, datasets))
    record = environment.collect()
    print(f"{network}: MAE (meV/atom), mean over seeds {study['seeds']}; {record['cpu']}")
    for rows in (["part", "data set"], ["part"]):
        print(table.pivot_table("error", rows, "rate").round(2).to_string())


if __name__ == "__main__":
    main()
