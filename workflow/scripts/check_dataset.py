"""Findings on a data set and its splits."""

import pandas as pd

from mekrr.data.checks import check_dataset
from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.job import job

with job(snakemake):
    findings = check_dataset(
        load_frames(snakemake.input.frames),
        pd.read_csv(snakemake.input.table),
        pd.read_csv(snakemake.input.leaks),
        **snakemake.params.dataset,
    )
    table = pd.DataFrame(findings)
    table.insert(0, "dataset", snakemake.wildcards.dataset)
    write_csv(snakemake.output.checks, table)
