"""A GAP-SOAP potential of one data set to predictions on the test frames of another."""

from mekrr.data.frames import load_frames
from mekrr.models.fits import Problem
from mekrr.models.gap import transfer_gap
from mekrr.study.experiments.transfer import transfer_problem, write_transfer
from mekrr.study.job import job

with job(snakemake):
    given, wildcards = snakemake.input, snakemake.wildcards
    names = wildcards.source, wildcards.target
    source = Problem.read(given.source_frames, given.source_split, None, names[0])
    target = Problem.read(given.target_frames, given.target_split, None, names[1])
    problem = transfer_problem(source, target, snakemake.params.reference_energy, names)
    frames = load_frames(given.target_trajectory)
    test = [frames[index] for index in target.members("test")]
    table = transfer_gap(problem, test, given.model)
    write_transfer(snakemake.output.predictions, table, dict(wildcards.items()))
