"""Atom features to the kernels between all frames and the training frames."""

import logging

import numpy as np
import pandas as pd

from mekrr.features.store import read_layer
from mekrr.job import job
from mekrr.kernels.atom import Gaussian, median_lengthscale
from mekrr.kernels.gram import own_gram, train_gram
from mekrr.kernels.store import LayerKernel, write_kernels

with job(snakemake.log[0], snakemake.threads):
    split = pd.read_csv(snakemake.input.split)["split"].to_numpy()
    train = np.flatnonzero(split == "train")
    kernels = {}
    for layer in snakemake.params.layers:
        features = read_layer(snakemake.input.features, layer)
        sigma = median_lengthscale(features.select(train).features)
        logging.info("layer %d: lengthscale %.6g", layer, sigma)
        kernel = Gaussian(sigma)
        gram = train_gram(
            features, train, kernel, threads=snakemake.threads, title=f"layer {layer}"
        )
        kernels[layer] = LayerKernel(gram, own_gram(features, kernel), sigma)
    write_kernels(snakemake.output.kernels, kernels, train)
