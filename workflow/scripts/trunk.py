"""Checked frames to the output of a network's frozen layers."""

import json

from mekrr.backbones.load import load_network
from mekrr.data.frames import load_frames
from mekrr.features.extract import choose_device
from mekrr.files import sha256
from mekrr.models.network.states import write_states
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, model = snakemake.input, snakemake.wildcards, snakemake.params.model
    network = load_network(wildcards.network, weights=next(iter(given.weights), None), **model)
    frames = load_frames(given.frames)
    network.check_species(frames, wildcards.dataset)
    identity = {
        "frames": sha256(given.frames),
        "model": json.dumps(model, sort_keys=True),
        "weights": network.weights_sha256,
    }
    write_states(snakemake.output.states, network, frames, choose_device(), identity)
