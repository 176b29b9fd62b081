"""Table of frames to one split of them."""

import pandas as pd

from mekrr.choices import PARTS
from mekrr.data.splits import split_frames
from mekrr.files import write_csv
from mekrr.study.job import job

with job(snakemake):
    frames = pd.read_csv(snakemake.input.table)
    split = split_frames(
        frames,
        snakemake.wildcards.strategy,
        tuple(snakemake.params.fractions[part] for part in PARTS),
        int(snakemake.wildcards.seed),
        snakemake.wildcards.dataset,
    )
    write_csv(snakemake.output.split, split)
