"""Features and their derivatives to errors with one part of sparse models changed at a time."""

import numpy as np
import pandas as pd

from mekrr.features.directions_store import read_vectors
from mekrr.files import write_csv
from mekrr.models.problem import Problem
from mekrr.study.experiments.ablation_sparse import ablation_sparse
from mekrr.study.experiments.kinds.sparse import Models
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    dataset, kind = wildcards.dataset, Models.open(snakemake)
    of_frames = [np.count_nonzero(v, axis=(1, 2)) for v in read_vectors(given.directions)]
    single, tables = np.concatenate(of_frames) == 1, []
    for seed, split in zip(params.seeds, given.splits, strict=True):
        problem = Problem.read(given.table, split, params.reference_energy, dataset)
        table = ablation_sparse(kind, problem, single)
        labels = {"dataset": dataset, "backbone": wildcards.backbone, "seed": seed}
        tables.append(pd.DataFrame([labels]).merge(table, how="cross"))
    write_csv(snakemake.output.errors, pd.concat(tables, ignore_index=True))
