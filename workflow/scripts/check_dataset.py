"""Findings on a data set and its splits."""

from pathlib import Path

import pandas as pd

from mekrr.data.checks import check_dataset
from mekrr.data.written import WrittenFrames
from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.preparation import read_splits, told_findings

with job(snakemake):
    inputs = snakemake.input
    known = pd.read_csv(inputs.table)
    findings = check_dataset(
        WrittenFrames(inputs.frames, known["offset"]),
        known,
        pd.read_csv(inputs.leaks),
        read_splits(inputs.splits),
        targets={Path(path).parent.name: pd.read_csv(path) for path in inputs.targets},
        **snakemake.params.dataset,
    )
    table = told_findings(snakemake.wildcards.dataset, findings)
    write_csv(snakemake.output.checks, table)
