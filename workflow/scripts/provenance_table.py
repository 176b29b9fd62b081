"""Versions, hardware and checksums behind the numbers."""

from mekrr.features.store import read_provenance
from mekrr.files import write_csv, write_text
from mekrr.study import provenance
from mekrr.study.job import job
from mekrr.study.tables.printing.escapes import for_spreadsheet
from mekrr.study.tables.tidy import to_html, to_markdown

TITLE = "Provenance"

with job(snakemake):
    table = provenance.study_table(
        snakemake.params.study,
        snakemake.params.datasets,
        dict(zip(snakemake.params.datasets, snakemake.input.frames, strict=True)),
        {path: read_provenance(path) for path in snakemake.input.features},
    )
    write_csv(snakemake.output.csv, table.map(for_spreadsheet))
    write_text(snakemake.output.markdown, to_markdown(table, TITLE, []))
    write_text(snakemake.output.html, to_html(table, TITLE, []))
