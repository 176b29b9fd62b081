"""One run of a surrogate recipe: biased Langevin dynamics labelled with DIEP."""

import torch
from diep.pretrained import make_calculator

from mekrr.data.frames import write_frames
from mekrr.progress import progress_bar
from mekrr.study.job import job
from mekrr.study.surrogates.dynamics import biases, simulate
from mekrr.study.surrogates.systems import build

with job(snakemake):
    torch.manual_seed(0)
    recipe, number = snakemake.params.recipe, int(snakemake.wildcards.number)
    run = {**recipe["dynamics"], **recipe["runs"][number]}
    start = recipe["starts"][run.pop("start")]
    biased = run.pop("biased", True)
    with progress_bar(run["equilibration"] + run["steps"], f"run {number}", "steps") as bar:
        frames = simulate(
            build(**recipe["system"], offsets=start),
            make_calculator(stress=False),
            biases(recipe.get("biases", {}) if biased else {}, run["temperature"]),
            **run,
            progress=bar.update,
        )
    for frame in frames:
        frame.info["run"] = number
    write_frames(snakemake.output.run, frames)
