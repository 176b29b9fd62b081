"""Forces along stored directions of test frames, and the standard deviations stated of them.

Along a unit vector v of a frame's coordinates the derivative of its energy is -F·v, and where
sparse models are fitted the derivatives of the features along some v are stored. With them the
derivative and its variance cost no pass through the backbone, whereas the variances of all
components of a frame of n atoms cost 6n. Random directions tell of all components alike.

Tables
------
slopes : dataset, strategy, seed, method, backbone, index, frame, direction (its number in the
    frame), slope_ref, slope_pred, slope_std (eV/Å)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.data.labels import forces_of, slopes_along
from mekrr.features.directions_store import read_directions, read_vectors
from mekrr.features.store import read_layer
from mekrr.models.problem import Problem

if TYPE_CHECKING:
    from mekrr.models.potentials.on_features import OnFeatures

COLUMNS = ["method", "index", "frame", "direction", "slope_ref", "slope_pred", "slope_std"]


def slopes_of(
    potentials: Iterable[tuple[str, OnFeatures]],
    problem: Problem,
    frames: Sequence[Atoms],
    features: str | os.PathLike,
    directions: str | os.PathLike | Sequence[str],
) -> pd.DataFrame:
    """Return the derivatives of test frames' energies, with what potentials say of them.

    Parameters
    ----------
    potentials : with their methods, on one backbone; those without uncertainties are left out.
    frames : those of the data set, which the problem's table numbers as ``index``.
    features, directions : files of all frames of the problem; of directions an empty list if none
        are stored.

    Returns
    -------
    DataFrame with ``COLUMNS``.
    """
    tables = []
    for method, potential in potentials:
        if not (directions and potential.has_std):
            continue
        vectors = read_vectors(directions)
        layers = [read_layer(features, layer) for layer in potential.layers]
        derivatives = [read_directions(directions, layer) for layer in potential.layers]
        for t in problem.members("test").tolist():
            frame = problem.frames.iloc[t]
            atoms = frames[frame["index"]]
            reference = slopes_along([vectors[t]], [forces_of(atoms)])
            if not len(reference):
                continue
            ours = [layer.select([t]) for layer in layers]
            along = [layer.select([t]) for layer in derivatives]
            h, u = (
                np.concatenate(parts, axis=-1)
                for parts in ([f.features for f in ours], [d.of(0) for d in along])
            )
            found = potential.learnt(h, ours[0].species, atoms, std=False)
            predicted = np.einsum("nd,qnd->q", found.gradient, u)
            if potential.delta:
                predicted += along[0].network
            (variances,) = potential.force_variances(h, ours[0].species, [u])
            told = (range(len(reference)), reference, predicted, np.sqrt(variances))
            values = dict(zip(COLUMNS[3:], told, strict=True))
            names = {"method": method, "index": frame["index"], "frame": frame["frame"]}
            tables.append(pd.DataFrame(names | values))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
