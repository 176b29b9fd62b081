"""Zero-shot transfer: fitted on one data set, tested on another.

Everything is the source's: training frames, layer, α, λ, σ and reference energies. The
target's energies play no part but as what the predictions are compared with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mekrr.data.references import Rule, species_of
from mekrr.errors import DataError
from mekrr.features.store import FrameFeatures
from mekrr.files import write_csv
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import own_gram, train_gram
from mekrr.kernels.store import LayerKernel
from mekrr.models.baselines import RIDGE_ALPHAS, linear_kernel, training_mean, untouched_gnn
from mekrr.models.fits import RECIPES, Problem, predict, read_alpha


def transfer_problem(
    source: Problem, target: Problem, rule: Rule | None, names: tuple[str, str]
) -> Problem:
    """The source's training frames, then the target's test frames, as one problem.

    Parameters
    ----------
    rule : how references follow from the source's training frames, see `Problem.of`.
    names : of source and target, for error messages.

    Raises
    ------
    DataError
        If the target has a species that no training frame of the source has.
    """
    train, test = (
        problem.frames.iloc[problem.members(part)]
        for problem, part in ((source, "train"), (target, "test"))
    )
    unknown = set(species_of(test)) - set(species_of(train))
    if unknown:
        raise DataError(
            f"{names[0]} to {names[1]}: no training frame of {names[0]} has "
            f"{', '.join(sorted(unknown))}; take the pair out of study.transfer"
        )
    split = np.repeat(["train", "test"], [len(train), len(test)])
    frames = pd.concat([train, test], ignore_index=True)
    return Problem.of(frames, split, rule, " to ".join(names))


def transfer(
    problem: Problem,
    choices: pd.DataFrame,
    features: Mapping[int, FrameFeatures],
    *,
    delta: Problem | None = None,
    gnn_energy: np.ndarray | None = None,
    threads: int = 1,
) -> pd.DataFrame:
    """Predictions on the target's test frames by every method fitted on the source.

    Parameters
    ----------
    problem : as from `transfer_problem`.
    choices : table of choices of the fits on the source, `mekrr.models.fits`.
    features : of the problem's frames, by layer.
    delta : the problem beyond the network's own energies.
    gnn_energy : (n_frames,) these, in eV; None if the network has none.

    Returns
    -------
    DataFrame with method, backbone, layer, index, frame, n_atoms, energy_ref, energy_pred and
    energy_std (eV).
    """
    train, kernels, parts = problem.members("train"), {}, []
    for choice in choices[choices["chosen"]].to_dict("records"):
        method, backbone = choice["method"], choice["backbone"]
        if method == "training mean":
            parts.append(training_mean(problem).predictions)
        elif method == "untouched GNN":
            parts.append(untouched_gnn(problem, gnn_energy, backbone).predictions)
        else:
            layer, ours = int(choice["layer"]), delta if RECIPES[method].delta else problem
            key = layer, method if method in RIDGE_ALPHAS else "Gaussian"
            if key not in kernels:
                sigma = choice["lengthscale"]
                kernels[key] = _kernel(features[layer], train, method, sigma, threads)
            alpha, regularisation = read_alpha(choice), choice["regularisation"]
            energy, std = predict(ours, kernels[key], alpha, regularisation)
            parts.append(ours.predictions(method, backbone, layer, energy, std))
    table = pd.concat(parts, ignore_index=True)
    return table[table["split"] == "test"].drop(columns="split")


def join_frames(source: FrameFeatures, target: FrameFeatures) -> FrameFeatures:
    """Features of the frames of both, source first.

    Raises a DataError if they are not of the same width.
    """
    widths = source.features.shape[1], target.features.shape[1]
    if widths[0] != widths[1]:
        raise DataError(
            f"features of source and target are {widths[0]} and {widths[1]} wide; list the species "
            "of both in the backbone's options"
        )
    return FrameFeatures(
        np.concatenate([source.features, target.features]),
        np.concatenate([source.species, target.species]),
        np.concatenate([source.pointer, source.pointer[-1] + target.pointer[1:]]),
    )


def write_transfer(
    path: str | os.PathLike, predictions: pd.DataFrame, labels: Mapping[str, str]
) -> None:
    """Write the predictions, each row opened by source, target, strategy and seed."""
    opening = {name: labels[name] for name in ("source", "target", "strategy", "seed")}
    write_csv(path, pd.concat([pd.DataFrame(opening, predictions.index), predictions], axis=1))


def _kernel(
    frames: FrameFeatures, train: np.ndarray, method: str, lengthscale: float, threads: int
) -> LayerKernel:
    if method in RIDGE_ALPHAS:
        return linear_kernel(frames, train, method)
    atom_kernel = Gaussian(lengthscale)
    gram = train_gram(frames, train, atom_kernel, threads=threads)
    return LayerKernel(gram, own_gram(frames, atom_kernel), lengthscale)
