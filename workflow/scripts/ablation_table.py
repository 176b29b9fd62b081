"""Ablations of all data sets and backbones in one table."""

from mekrr.ablation_table import NOTES, grids, over_seeds
from mekrr.files import write_csv
from mekrr.job import job
from mekrr.methods import STRATEGY_LABELS, label
from mekrr.printing.write import write_printed
from mekrr.tables import read_tables

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
