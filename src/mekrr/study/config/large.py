"""The section of large data sets."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from mekrr.closed import Closed, Unique


class Large(Closed):
    """Data sets too large for anything but sparse models."""

    above: PositiveInt = Field(
        description="number of frames used of a data set, by its `frames` in the registry, above "
        "which it is large: kernels between frames, networks and GAP are left out, and sparse "
        "models are fitted shard by shard, see `features.shard_frames`"
    )
    n_train: Unique[PositiveInt] = Field(
        description="numbers of training frames of their learning curves, beside all"
    )
