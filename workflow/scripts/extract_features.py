"""Checked frames of one shard to the features of one backbone."""

import json

import pandas as pd

from mekrr import environment
from mekrr.backbones.load import load_backbone
from mekrr.data.frames import load_frames
from mekrr.data.references import species_of
from mekrr.features.extract import choose_device, extract_to
from mekrr.features.store import shard_bytes
from mekrr.study.job import job

with job(snakemake):
    wildcards, features = snakemake.wildcards, snakemake.params.features
    table = pd.read_csv(snakemake.input.table)
    backbone = load_backbone(
        wildcards.backbone,
        **snakemake.params.backbone,
        weights=next(iter(snakemake.input.weights), None),
        species=species_of(table),
    )
    part = shard_bytes(table["offset"], int(wildcards.shard), int(wildcards.n_shards))
    frames = load_frames(snakemake.input.frames, *part)
    backbone.check_species(frames, wildcards.dataset)
    extract_to(
        snakemake.output.shard,
        backbone,
        frames,
        device=choose_device(),
        source=wildcards.dataset,
        **features,
        provenance=environment.collect()
        | {
            "backbone": backbone.name,
            "weights_sha256": backbone.weights_sha256,
            "dtype": features["dtype"],
            "atoms": json.dumps(features["atoms"]),
        },
    )
