"""Atom features to the kernels between all frames and the training frames, as one job."""

import numpy as np
import pandas as pd

from mekrr.kernels.blocks import write_gram
from mekrr.kernels.prepared import Prepared
from mekrr.study.job import job

with job(snakemake):
    features, threads = snakemake.input.features, snakemake.threads
    train = np.flatnonzero(pd.read_csv(snakemake.input.split)["split"] == "train")
    prepared = Prepared.of(features, **snakemake.params.kernels, train=train, threads=threads)
    write_gram(snakemake.output.kernels, features, prepared, threads=threads)
