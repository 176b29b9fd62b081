"""Raw trajectory to checked frames and their table."""

import logging

from mekrr.data.frames import frame_table, read_frames, verify_checksum, write_frames
from mekrr.files import write_csv
from mekrr.job import job

with job(snakemake.log[0], snakemake.threads):
    source = snakemake.input.trajectory
    if snakemake.params.sha256:
        verify_checksum(source, snakemake.params.sha256)
    frames = read_frames(source)
    logging.info("%s: %d frames checked", source, len(frames))
    write_frames(snakemake.output.frames, frames)
    write_csv(snakemake.output.table, frame_table(frames))
