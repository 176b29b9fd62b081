"""Energies of the training frames to a GAP-SOAP potential and its predictions."""

from mekrr.data.frames import load_frames
from mekrr.models.fits import Problem, write_fit
from mekrr.models.gap import fit_gap, gap_soap
from mekrr.study.job import job

with job(snakemake):
    problem = Problem.read(
        snakemake.input.frames,
        snakemake.input.split,
        snakemake.params.reference_energy,
        snakemake.wildcards.dataset,
    )
    frames, train = load_frames(snakemake.input.trajectory), problem.members("train")
    tables = dict(snakemake.output.items())
    model = tables.pop("model")
    fit_gap(
        model,
        [frames[index] for index in train],
        problem.target[train],
        snakemake.params.settings,
        seed=int(snakemake.wildcards.seed),
        log=snakemake.log.gap_fit,
        threads=snakemake.threads,
    )
    write_fit(gap_soap(problem, frames, model), dict(snakemake.wildcards.items()), tables)
