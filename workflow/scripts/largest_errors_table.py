"""The test frames that each fit gets most wrong."""

from mekrr.files import write_csv, write_text
from mekrr.study.job import job
from mekrr.study.tables.tidy import read_tables, readable_worst, to_html, to_markdown, worst_frames

TITLE = "Largest errors on test frames"
NOTES = [
    "Per fit, the test frames with the largest error of the total energy per atom. Frame is "
    "the source's own number. A kernel cannot extrapolate: a lone frame far from all training "
    "frames dominates the RMSE of its seed while the MAE hardly moves."
]

with job(snakemake):
    table = worst_frames(
        read_tables(snakemake.input.predictions),
        read_tables(snakemake.input.choices),
        snakemake.params.n_frames,
    )
    printed = readable_worst(table)
    write_csv(snakemake.output.csv, table)
    write_text(snakemake.output.markdown, to_markdown(printed, TITLE, NOTES))
    write_text(snakemake.output.html, to_html(printed, TITLE, NOTES))
