"""Distance of every test frame to the nearest training frame, for every split."""

import pandas as pd

from mekrr.data.copies import leaks
from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.preparation import read_splits

with job(snakemake):
    table = leaks(
        load_frames(snakemake.input.frames),
        pd.read_csv(snakemake.input.table)["frame"],
        read_splits(snakemake.input.splits),
    )
    table.insert(0, "dataset", snakemake.wildcards.dataset)
    write_csv(snakemake.output.leaks, table)
