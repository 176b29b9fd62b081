"""Facts of a surrogate's dynamics, frame by frame and run by run."""

from mekrr.data.frames import read_unlabelled
from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.surrogates.physics import observe, summarise

with job(snakemake):
    frames = read_unlabelled(snakemake.input.trajectories[0])
    bond = snakemake.params.variables[0]
    facts = observe(frames, snakemake.params.recipe, bond)
    write_csv(snakemake.output.facts, facts)
    summary = summarise(facts, snakemake.params.recipe)
    summary.insert(0, "data set", snakemake.wildcards.dataset)
    write_csv(snakemake.output.summary, summary)
