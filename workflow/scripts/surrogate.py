"""The runs of a surrogate, one after another, in one gzip file without a time stamp."""

import gzip
import logging
from pathlib import Path

from mekrr.files import atomic_path, sha256
from mekrr.study.job import job

with job(snakemake):
    runs = b"".join(Path(run).read_bytes() for run in snakemake.input.runs)
    with atomic_path(snakemake.output.frames) as temporary:
        temporary.write_bytes(gzip.compress(runs, 9, mtime=0))
    logging.info("sha256 %s", sha256(snakemake.output.frames))
