"""What the frames of the set are for: training, choosing the epoch, testing on what is unseen."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mekrr.data.references import species_of
from mekrr.errors import DataError

PARTS = {
    "train": "training",
    "val": "validation",
    "metal": "surfaces of an unseen metal",
    "adsorbate": "unseen adsorbate",
    "both": "both unseen",
}


def read_facts(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table with facts of frames, in which NaN would be sodium and nitrogen."""
    return pd.read_csv(path, keep_default_na=False, dtype={"facet": str})


def parts_of(table: pd.DataFrame, held_out: Mapping, seed: int) -> np.ndarray:
    """Return the part (n,) of each frame, a key of ``PARTS``; frames of a run are in one.

    Bulk of a metal whose surfaces are held out is trained on: of an element that it never saw, a
    network knows nothing.

    Parameters
    ----------
    table : run, kind, metal, adsorbates and formula of each frame.
    held_out : metals, adsorbates and the share of the other runs for validation.

    Raises
    ------
    DataError
        If a species is in no training run: nothing could be predicted of it.
    """
    metal = (table["metal"].isin(held_out["metals"]) & (table["kind"] != "bulk")).to_numpy()
    names = [set(str(found).split("+")) for found in table["adsorbates"]]
    adsorbate = np.array([bool(found & set(held_out["adsorbates"])) for found in names])
    runs = np.unique(table["run"][~metal & ~adsorbate])
    order = np.random.default_rng([seed, 0]).permutation(runs)
    validation = order[: max(1, round(held_out["validation"] * len(runs)))]
    parts = np.select(
        [metal & adsorbate, metal, adsorbate, table["run"].isin(validation)],
        ["both", "metal", "adsorbate", "val"],
        "train",
    )
    missing = sorted(set(species_of(table)) - set(species_of(table[parts == "train"])))
    if missing:
        raise DataError(
            f"species {', '.join(missing)} in no training run; sample more `runs` or `shards`, or "
            "hold out less"
        )
    return parts
