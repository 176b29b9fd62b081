"""Kernels and clusters of a stretch of a trajectory, and how they match the event."""

import numpy as np
import pandas as pd

from mekrr.files import write_csv
from mekrr.kernels.store import write_kernels
from mekrr.study.experiments.clusters import clusters, scores_of_cuts
from mekrr.study.experiments.stretch import part_of, stretch_and_event, stretch_kernels
from mekrr.study.job import job

with job(snakemake):
    names, inputs, output = dict(snakemake.wildcards.items()), snakemake.input, snakemake.output
    table = pd.read_csv(inputs.table).drop(columns="offset")
    table = table.merge(pd.read_csv(inputs.variables), on=["index", "frame", "run"])
    stretch, truths, cuts = stretch_and_event(table, names["dataset"], snakemake.params.stretch)
    frames = np.unique(np.concatenate([stretch, *cuts.values()]))
    train = np.flatnonzero(pd.read_csv(inputs.split)["split"] == "train")
    how = snakemake.params.kernels | {"threads": snakemake.threads}
    kernels = stretch_kernels(inputs.features, frames, train, **how)
    grams = part_of(kernels, np.searchsorted(frames, stretch))
    write_kernels(output.kernels, kernels, frames)
    write_csv(output.series, table.loc[stretch])
    write_csv(output.clusters, clusters(grams, snakemake.params.seed))
    write_csv(output.scores, scores_of_cuts(kernels, frames, cuts, truths).assign(**names))
