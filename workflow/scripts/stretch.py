"""Kernels and clusters of a stretch of a trajectory, and how they match the event."""

import numpy as np
import pandas as pd

from mekrr.data.variables import label
from mekrr.files import write_csv
from mekrr.kernels.store import write_kernels
from mekrr.study.experiments.clusters import COLUMNS, clusters, scores
from mekrr.study.experiments.stretch import choose_stretch, cuts, part_of, stretch_kernels
from mekrr.study.job import job

with job(snakemake):
    given, output = snakemake.params.stretch, snakemake.output
    table = pd.read_csv(snakemake.input.table).drop(columns="offset")
    table = table.merge(pd.read_csv(snakemake.input.variables), on=["index", "frame", "run"])
    stretch = choose_stretch(table, snakemake.wildcards.dataset, **given.get("stretch", {}))
    truths, found = {"run": table["run"].to_numpy()}, {}
    if "event" in given:
        variable = table[label(given["collective_variables"][0])].to_numpy()
        truths["event"] = variable > given["event"]["above"]
        found = cuts(truths["run"], stretch, truths["event"])
    frames = np.unique(np.concatenate([stretch, *found.values()]))
    train = np.flatnonzero(pd.read_csv(snakemake.input.split)["split"] == "train")
    kernels = stretch_kernels(
        snakemake.input.features, frames, train, snakemake.params.lengthscale, snakemake.threads
    )
    tables = [pd.DataFrame(columns=COLUMNS)]
    for cut, members in found.items():
        grams = part_of(kernels, np.searchsorted(frames, members))
        tables.append(scores(grams, cut, {name: of[members] for name, of in truths.items()}))
    grams = part_of(kernels, np.searchsorted(frames, stretch))
    write_kernels(output.kernels, kernels, frames)
    write_csv(output.series, table.loc[stretch])
    write_csv(output.clusters, clusters(grams, snakemake.params.seed))
    scored = pd.concat([t for t in tables if len(t)] or tables)
    names = {key: snakemake.wildcards[key] for key in ("dataset", "backbone")}
    write_csv(output.scores, scored.assign(**names))
