"""One job's share of a data set's frames to derivatives of their features along directions."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from mekrr.data.labels import forces_of
from mekrr.features.directions import STEP, directions_of_labelled, extract_directions_to
from mekrr.features.extract import choose_device
from mekrr.study.extraction import opened_shard, provenance_of


def extract_directions_shard(
    output: str | os.PathLike,
    frames: str | os.PathLike,
    table: str | os.PathLike,
    shard: tuple[int, int],
    backbone: Mapping[str, Any],
    features: Mapping[str, Any],
    directions: Mapping[str, Any],
    source: str,
) -> None:
    """Write derivatives of the same features along directions of the frames that have forces.

    Parameters
    ----------
    features : settings of `extract_directions_to`: atoms, batch_size, layers.
    directions : parameters of `directions_of`: random, moved.
    others : as for `extract_shard`.
    """
    network, chosen = opened_shard(frames, table, shard, backbone, source)
    labelled = [forces_of(atoms) is not None for atoms in chosen]
    along = directions_of_labelled(chosen, labelled, **directions)
    record = {
        "atoms": json.dumps(features["atoms"]),
        "directions": json.dumps({**directions, "step": STEP}),
    }
    how: dict[str, Any] = {"device": choose_device(), "source": source, **features}
    extract_directions_to(
        output, network, chosen, along, provenance=provenance_of(network, record), **how
    )
