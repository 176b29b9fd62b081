"""Kernels and clusters of a stretch of a trajectory, and how they match the event."""

import numpy as np
import pandas as pd

from mekrr.files import write_csv
from mekrr.kernels.store import write_kernels
from mekrr.study.experiments.clusters import clusters, scores_of_cuts
from mekrr.study.experiments.stretch import part_of, stretch_kernels, unmarked
from mekrr.study.job import job

with job(snakemake):
    names, inputs, output = dict(snakemake.wildcards.items()), snakemake.input, snakemake.output
    table = pd.read_csv(inputs.table)
    stretch, truths, cuts = unmarked(table)
    train = np.flatnonzero(pd.read_csv(inputs.split)["split"] == "train")
    how = snakemake.params.kernels | {"threads": snakemake.threads}
    kernels = stretch_kernels(inputs.features, inputs.fitted, train, **how)
    grams = part_of(kernels, stretch)
    write_kernels(output.kernels, kernels, table["index"])
    write_csv(output.series, table.iloc[stretch].drop(columns="offset"))
    write_csv(output.clusters, clusters(grams, snakemake.params.seed))
    frames = np.arange(len(table))
    write_csv(output.scores, scores_of_cuts(kernels, frames, cuts, truths).assign(**names))
