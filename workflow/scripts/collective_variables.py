"""Collective variables of every frame."""

import pandas as pd

from mekrr.data.frames import load_frames
from mekrr.data.variables import along
from mekrr.files import write_csv
from mekrr.study.job import job

with job(snakemake):
    frames = load_frames(snakemake.input.frames)
    values = along(snakemake.params.variables, frames, snakemake.wildcards.dataset)
    table = pd.read_csv(snakemake.input.table)[["index", "frame", "run"]]
    write_csv(snakemake.output.values, table.join(values))
