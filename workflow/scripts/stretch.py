"""Kernels, clusters and collective variable of a stretch of one trajectory."""

import numpy as np
import pandas as pd

from mekrr.features.store import read_layer
from mekrr.files import write_csv
from mekrr.job import job
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import own_gram, species_gram
from mekrr.kernels.lengthscale import find_lengthscale
from mekrr.kernels.store import LayerKernel, write_kernels
from mekrr.stretch import choose_stretch, two_clusters

with job(snakemake.log[0], snakemake.threads):
    entry, layer = snakemake.params.dataset, snakemake.params.layer
    name = snakemake.wildcards.dataset
    frames = pd.read_csv(snakemake.input.table)
    stretch = choose_stretch(frames, name, **entry.get("stretch", {}))
    split = pd.read_csv(snakemake.input.split)["split"].to_numpy()
    features = read_layer(snakemake.input.features, layer)
    train = np.flatnonzero(split == "train")
    sigma = find_lengthscale(features, train, snakemake.params.lengthscale)
    kernel, chosen = Gaussian(sigma), features.select(stretch)
    gram = species_gram(chosen, None, kernel, threads=snakemake.threads)

    series = pd.read_csv(snakemake.input.variables).loc[stretch]
    for alpha in (0, 1):
        series[f"cluster_{alpha}"] = two_clusters(gram.at(alpha), snakemake.params.heatmap["seed"])
    kernels = {layer: LayerKernel(gram, own_gram(chosen, kernel), sigma)}
    write_kernels(snakemake.output.kernels, kernels, stretch)
    write_csv(snakemake.output.series, series)
