"""Draw the diagram of the method from a frame and kernels of the study."""

import pandas as pd

from mekrr.data.frames import load_frames
from mekrr.kernels.store import read_kernels
from mekrr.study.job import job
from mekrr.study.plots import method
from mekrr.study.plots.style import save

with job(snakemake):
    offsets = pd.read_csv(snakemake.input.table)["offset"]
    (atoms,) = load_frames(snakemake.input.frames, 0, offsets[1])
    kernels, _ = read_kernels(snakemake.input.kernels)
    gram = kernels[snakemake.params.layer].gram
    save(method.draw(atoms, gram.k0, gram.k1), list(snakemake.output))
