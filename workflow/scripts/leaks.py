"""Distance of every test frame to the nearest training frame, for every split."""

import pandas as pd

from mekrr.data.copies import leaks
from mekrr.data.written import WrittenFrames
from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.preparation import read_splits

with job(snakemake):
    known = pd.read_csv(snakemake.input.table)
    table = leaks(
        WrittenFrames(snakemake.input.frames, known["offset"]),
        known["frame"],
        read_splits(snakemake.input.splits),
    )
    table.insert(0, "dataset", snakemake.wildcards.dataset)
    write_csv(snakemake.output.leaks, table)
