"""The frames of a stretch of a trajectory, all of them, whatever the study leaves out."""

from mekrr.data.frames import load_frames, write_frames
from mekrr.data.variables import along
from mekrr.files import scratch_folder, write_csv
from mekrr.study.experiments.stretch import marked, stretch_and_event
from mekrr.study.job import job
from mekrr.study.preparation import write_checked

with job(snakemake):
    params, name, output = snakemake.params, snakemake.wildcards.dataset, snakemake.output
    with scratch_folder(output.frames) as folder:
        whole = folder / "whole.extxyz"
        table = write_checked(whole, params.files, params.dataset, params.reading, every=1)
        frames = load_frames(whole)
    table = table.join(along(params.variables, frames, name))
    table = marked(table, *stretch_and_event(table, name, params.stretch))
    offsets = write_frames(output.frames, (frames[k] for k in table["index"]))
    write_csv(output.table, table.assign(offset=offsets))
