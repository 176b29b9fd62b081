"""Ablations of all data sets and backbones in one table."""

from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.methods import STRATEGY_LABELS, label
from mekrr.study.tables.ablation import NOTES, grids, over_seeds
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    params = snakemake.params
    table = over_seeds(read_tables(snakemake.input.errors))
    titles = {name: entry.get("title", name) for name, entry in params.datasets.items()}
    labels = {method: label(method) for method in ("MEKRR", "MEKRR-alpha")}
    write_csv(snakemake.output.csv, table)
    write_printed(
        snakemake.output,
        "",
        f"Ablations, {STRATEGY_LABELS[params.split]}, RMSE in meV/atom",
        grids(table, titles, params.backbones, labels),
        [],
        NOTES,
    )
