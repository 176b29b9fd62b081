"""Scores of the clusters of all stretches in one table."""

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.tables.clusters import MIXTURES, NOTES, grids, over_seeds
from mekrr.study.tables.printing.write import write_printed

with job(snakemake):
    params = snakemake.params
    table = over_seeds(pd.concat(map(pd.read_csv, snakemake.input.scores)))
    write_csv(snakemake.output.csv, table)
    write_printed(
        snakemake.output,
        "",
        "Clusters along the reaction against the event",
        grids(table, params.datasets, params.backbones, list(MIXTURES)),
        grids(table, params.datasets, params.backbones),
        NOTES,
    )
