"""Checked frames to the features of one backbone."""

import numpy as np

from mekrr import provenance
from mekrr.backbones import load_backbone
from mekrr.data.frames import load_frames
from mekrr.features.extract import choose_device, extract
from mekrr.features.store import write_features
from mekrr.job import job

with job(snakemake.log[0], snakemake.threads):
    frames = load_frames(snakemake.input.frames)
    backbone = load_backbone(snakemake.wildcards.backbone, snakemake.params.family)
    backbone.check_species(frames, snakemake.wildcards.dataset)
    device = choose_device()
    layers, energy = extract(backbone, frames, snakemake.params.batch_size[device.type], device)
    write_features(
        snakemake.output.features,
        layers,
        species=np.concatenate([atoms.numbers for atoms in frames]),
        pointer=np.cumsum([0, *map(len, frames)]),
        gnn_energy=energy,
        provenance=provenance.collect()
        | {
            "backbone": backbone.name,
            "weights_sha256": backbone.weights_sha256,
            "dtype": "float32",
            "device": provenance.device_name(device),
        },
    )
