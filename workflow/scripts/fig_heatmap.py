"""Draw the kernel along a stretch of one trajectory."""

import pandas as pd

from mekrr.job import job
from mekrr.kernels.store import read_kernels
from mekrr.plots import heatmap
from mekrr.plots.style import save

with job(snakemake.log[0], snakemake.threads):
    kernels, _ = read_kernels(snakemake.input.kernels)
    ((layer, kernel),) = kernels.items()
    entry, wildcards = snakemake.params.dataset, snakemake.wildcards
    variables = entry.get("collective_variables", [])
    figure = heatmap.draw(
        {alpha: kernel.gram.at(alpha) for alpha in (0, 1)},
        pd.read_csv(snakemake.input.series),
        variables[0] if variables else None,
        f"{entry.get('title', wildcards.dataset)}, {wildcards.backbone}, layer {layer}",
    )
    save(figure, list(snakemake.output))
