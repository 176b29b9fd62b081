"""Training kernel to eigenvalues and principal components."""

import pandas as pd

from mekrr.files import write_csv
from mekrr.kernels.store import read_kernels
from mekrr.study.experiments.spectrum import components, eigenvalues
from mekrr.study.job import job

with job(snakemake):
    names = {key: snakemake.wildcards[key] for key in ("dataset", "backbone")}
    choices = pd.read_csv(snakemake.input.choices)
    mekrr = choices["method"] == "MEKRR"
    layer = choices.loc[mekrr & choices["chosen"], "layer"].item()
    kernels, train = read_kernels(snakemake.input.kernels)
    fits = choices[(choices["layer"] == layer) & choices["method"].isin(["MEKRR", "MEKRR-alpha"])]
    noise = fits[["dataset", "backbone", "method"]].assign(
        noise=fits["regularisation"] * len(train)
    )
    values = eigenvalues(kernels[layer], train).assign(layer=layer, **names)
    write_csv(snakemake.output.noise, noise)
    write_csv(snakemake.output.eigenvalues, values)
    found = components(kernels[layer], train).assign(layer=layer, **names)
    write_csv(snakemake.output.components, found)
