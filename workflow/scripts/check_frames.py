"""Raw trajectory to checked frames and their table."""

from mekrr.data.frames import write_frames
from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.preparation import checked_frames

with job(snakemake):
    files, params = list(snakemake.input.trajectories), snakemake.params
    frames, table = checked_frames(
        files, params.dataset, params.reading, params.every, params.sha256
    )
    table["offset"] = write_frames(snakemake.output.frames, frames)
    write_csv(snakemake.output.table, table)
