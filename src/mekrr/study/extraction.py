"""One job's share of a data set's frames to their features."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
from ase import Atoms

from mekrr import environment
from mekrr.backbones.base import Backbone
from mekrr.backbones.load import load_backbone
from mekrr.data.frames import load_frames
from mekrr.data.references import species_of
from mekrr.features.extract import choose_device, extract_to
from mekrr.features.store import shard_bytes


def extract_shard(
    output: str | os.PathLike,
    frames: str | os.PathLike,
    table: str | os.PathLike,
    shard: tuple[int, int],
    backbone: Mapping[str, Any],
    features: Mapping[str, Any],
    source: str,
    whole: str | os.PathLike | None = None,
) -> None:
    """Write the features of some of a data set's frames.

    Parameters
    ----------
    output : file of features.
    frames, table : the frames, and the table that tells where each begins.
    shard : which of how many.
    backbone : parameters of `load_backbone` but for the species, which are those of the table.
    features : settings of `extract_to`: atoms, batch_size, dtype.
    source : name of the data set.
    whole : table of all its frames, whose species count, if ``table`` has some of them only.

    Raises
    ------
    BackboneError
        If the backbone cannot be loaded, or does not know a species.
    """
    network, chosen = opened_shard(frames, table, shard, backbone, source, whole)
    record = {"dtype": features["dtype"], "atoms": json.dumps(features["atoms"])}
    how: dict[str, Any] = {"device": choose_device(), "source": source, **features}
    extract_to(output, network, chosen, provenance=provenance_of(network, record), **how)


def opened_shard(
    frames: str | os.PathLike,
    table: str | os.PathLike,
    shard: tuple[int, int],
    backbone: Mapping[str, Any],
    source: str,
    whole: str | os.PathLike | None = None,
) -> tuple[Backbone, list[Atoms]]:
    """Return a backbone, and the frames of a shard, whose species it knows; see `extract_shard`."""
    known = pd.read_csv(table)
    of_all = known if whole is None else pd.read_csv(whole)
    network = load_backbone(**backbone, species=species_of(of_all))
    chosen = load_frames(frames, *shard_bytes(known["offset"], *shard))
    network.check_species(chosen, source)
    return network, chosen


def provenance_of(network: Backbone, record: Mapping[str, str]) -> dict[str, str]:
    """Return what was made by a backbone is made with, with a record of the settings."""
    weights = {"backbone": network.name, "weights_sha256": network.weights_sha256}
    return environment.collect() | weights | dict(record)
