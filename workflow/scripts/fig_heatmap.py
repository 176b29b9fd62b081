"""Draw kernels along a stretch of one trajectory: of one layer, of all, by species."""

import numpy as np
import pandas as pd

from mekrr.kernels.store import read_kernels
from mekrr.study.experiments.stretch import part_of
from mekrr.study.job import job
from mekrr.study.plots import heatmap
from mekrr.study.plots.panels import MIXTURES, by_layer, of_layer, shares
from mekrr.study.plots.style import cut, save, title_of

with job(snakemake):
    inputs, entry = snakemake.input, snakemake.params.dataset
    series, *tables = map(pd.read_csv, (inputs.series, inputs.clusters, inputs.scores))
    kernels, frames = read_kernels(inputs.kernels)
    grams = part_of(kernels, np.searchsorted(frames, series["index"]))
    layer = snakemake.params.layer
    about = (series, entry.get("collective_variables", [None])[0], entry.get("event"))
    dataset = snakemake.wildcards.dataset
    title = f"{title_of({dataset: entry}, dataset)}, {cut(snakemake.params.backbone)}"
    for name, rows, what in (
        ("heatmap", [of_layer(grams, *tables, layer, MIXTURES)], f", layer {layer}"),
        ("layers", by_layer(grams, *tables), ""),
        ("contributions", [of_layer(grams, *tables, layer, shares(grams))], f", layer {layer}"),
    ):
        save(heatmap.draw(rows, *about, title + what), snakemake.output[name])
