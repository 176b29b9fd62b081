"""Raw trajectory to checked frames and their table."""

import logging

from mekrr.config import PARTS
from mekrr.data.frames import (
    check_count,
    frame_table,
    mark_runs,
    read_frames,
    verify_checksum,
    write_frames,
)
from mekrr.files import write_csv
from mekrr.job import job

with job(snakemake.log[0], snakemake.threads):
    files = list(snakemake.input.trajectories)
    if snakemake.params.sha256:
        verify_checksum(files[0], snakemake.params.sha256)
    frames = read_frames(dict(zip(PARTS, files, strict=True)) if len(files) > 1 else files[0])
    entry = snakemake.params.dataset
    if "frames" in entry:
        check_count(frames, entry["frames"], ", ".join(files))
    if "runs" in entry:
        mark_runs(frames, entry["runs"], ", ".join(files))
    logging.info("%s: %d frames checked", ", ".join(files), len(frames))
    write_frames(snakemake.output.frames, frames)
    write_csv(snakemake.output.table, frame_table(frames))
