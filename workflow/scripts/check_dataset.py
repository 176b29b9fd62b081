"""Findings on a data set and its splits."""

from pathlib import Path

import pandas as pd

from mekrr.data.checks import GRAVE, check_dataset
from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.study.job import TERMINAL, job

with job(snakemake):
    findings = check_dataset(
        load_frames(snakemake.input.frames),
        pd.read_csv(snakemake.input.table),
        pd.read_csv(snakemake.input.leaks),
        {Path(p).stem: pd.read_csv(p)["split"].to_numpy() for p in snakemake.input.splits},
        targets={Path(p).parent.name: pd.read_csv(p) for p in snakemake.input.targets},
        **snakemake.params.dataset,
    )
    for finding in findings:
        if finding.check.startswith(GRAVE) and finding.status == "warning":
            name = snakemake.wildcards.dataset
            TERMINAL.warning("%s: %s: %s", name, finding.check, finding.result)
    table = pd.DataFrame(findings)
    table.insert(0, "dataset", snakemake.wildcards.dataset)
    write_csv(snakemake.output.checks, table)
