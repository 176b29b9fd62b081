"""Raw trajectory to checked frames and their table."""

from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.preparation import write_checked

with job(snakemake):
    params = snakemake.params
    table = write_checked(
        snakemake.output.frames,
        params.files,
        params.dataset,
        params.reading,
        params.every,
        params.sha256,
        params.large,
    )
    write_csv(snakemake.output.table, table)
