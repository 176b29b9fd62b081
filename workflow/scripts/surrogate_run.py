"""One run of a surrogate recipe: biased Langevin dynamics labelled with DIEP."""

import torch
from diep.pretrained import make_calculator

from mekrr.data.frames import write_frames
from mekrr.progress import progress_bar
from mekrr.study.job import job
from mekrr.study.surrogates.dynamics import simulate_run

with job(snakemake):
    torch.manual_seed(0)
    recipe, number = snakemake.params.recipe, int(snakemake.wildcards.number)
    n_steps = recipe["dynamics"]["equilibration"] + recipe["runs"][number]["steps"]
    with progress_bar(n_steps, f"run {number}", "steps") as bar:
        frames = simulate_run(recipe, number, make_calculator(stress=False), bar.update)
    write_frames(snakemake.output.run, frames)
