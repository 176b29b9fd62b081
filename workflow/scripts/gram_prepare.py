"""Atom features to what all blocks of a Gram matrix share."""

import numpy as np
import pandas as pd

from mekrr.kernels.prepared import Prepared
from mekrr.study.job import job

with job(snakemake):
    train = np.flatnonzero(pd.read_csv(snakemake.input.split)["split"] == "train")
    prepared = Prepared.of(
        snakemake.input.features,
        **snakemake.params.kernels,
        train=train,
        threads=snakemake.threads,
    )
    prepared.write(snakemake.output.prepared)
