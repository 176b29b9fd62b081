"""One run of a surrogate recipe: Langevin dynamics labelled with DIEP."""

import torch
from diep.pretrained import make_calculator

from mekrr.data.frames import write_frames
from mekrr.job import job
from mekrr.progress import progress_bar
from mekrr.surrogates.fe_n2 import Steering, add_n2, build_slab, simulate

with job(snakemake.log[0], snakemake.threads):
    torch.manual_seed(0)
    recipe, number = snakemake.params.recipe, int(snakemake.wildcards.number)
    run, dynamics = recipe["runs"][number], recipe["dynamics"]
    slab = build_slab(**recipe["slab"])
    total = dynamics["equilibration"] + dynamics["steps"]
    with progress_bar(total, f"run {number}", "steps") as bar:
        frames = simulate(
            add_n2(slab, run["n2"]),
            make_calculator(stress=False),
            **dynamics,
            seed=run["seed"],
            steering=Steering(**recipe["steering"]) if run["steered"] else None,
            progress=bar.update,
        )
    for frame in frames:
        frame.info["run"] = number
    write_frames(snakemake.output.run, frames)
