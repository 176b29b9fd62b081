"""Test error against the number of training frames, by kernels that are already there.

The subsets are nested and drawn by the seed of the split, among training frames at random.
Validation frames cost labels too: their number falls with that of the training frames, in
the proportion of the split, but not below ``LEAST_VALIDATION``. Test frames stay the same.
The last point, all training frames, is the fit of the study itself.
References, α, λ and the layer follow from the subset alone; the lengthscale, which needs no
energy, stays that of all training frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mekrr.data.references import Rule
from mekrr.features.store import FrameFeatures
from mekrr.kernels.gram import SpeciesGram
from mekrr.kernels.store import LayerKernel
from mekrr.metrics import metrics
from mekrr.models.baselines import linear_ridge, untouched_gnn
from mekrr.models.fits import Fit, Problem, fit_kernels, join
from mekrr.study.tables.tidy import FIT, NO_LAYER

LEAST_VALIDATION = 10
COLUMNS = ["method", "backbone", "n_train", "n_val", "rmse", "mae"]
METHODS = ("untouched GNN", "linear ridge", "MEKRR", "MEKRR-alpha", "Delta-MEKRR")


def subset(split: np.ndarray, n_train: int, seed: int) -> np.ndarray:
    """A split with fewer training and validation frames, the others "unused".

    Parameters
    ----------
    split : (n_frames,) of "train", "val", "test".
    n_train : training frames to keep, at most all.
    """
    counts = {part: int(np.count_nonzero(split == part)) for part in ("train", "val")}
    n_train = min(n_train, counts["train"])
    in_proportion = -(-n_train * counts["val"] // counts["train"])
    keep = {"train": n_train, "val": max(in_proportion, LEAST_VALIDATION)}
    smaller = split.astype(object)
    for part in ("train", "val"):
        order = np.random.default_rng(seed).permutation(np.flatnonzero(split == part))
        smaller[order[keep[part] :]] = "unused"
    return smaller


def frame_means(frames: FrameFeatures) -> FrameFeatures:
    """One atom per frame, the mean of its atoms: for a linear atom kernel, K_0 is the same."""
    sums = np.add.reduceat(frames.features, frames.pointer[:-1], axis=0, dtype=np.float64)
    n_frames = len(frames)
    return FrameFeatures(
        sums / frames.n_atoms[:, None], np.zeros(n_frames, dtype=int), np.arange(n_frames + 1)
    )


def learning_curve(
    problem: Problem,
    reference_energy: Rule,
    source: str,
    n_train: Sequence[int],
    seed: int,
    kernels: Mapping[int, LayerKernel],
    features: Mapping[int, FrameFeatures],
    gnn_energy: np.ndarray | None,
    alphas: np.ndarray,
    regularisations: np.ndarray,
    backbone: str,
    threads: int = 1,
) -> pd.DataFrame:
    """Test errors of ``METHODS`` on nested subsets of the training frames.

    Parameters
    ----------
    problem : all frames under their split; its references are not used.
    reference_energy, source : rule of the references and name of the data set.
    n_train : numbers of training frames; those that are not below all are left out.
    seed : of the subsets.
    kernels : per layer, all frames with all training frames.
    features : per layer, as from `frame_means`.
    gnn_energy : (n_frames,) eV, the network's own; None if it has none.
    alphas, regularisations : grids of MEKRR-α and Δ-MEKRR, and of all.

    Returns
    -------
    DataFrame with ``COLUMNS``, errors in meV/atom.
    """
    train = problem.members("train")
    methods = {"MEKRR": np.zeros(1), "MEKRR-alpha": alphas, "Delta-MEKRR": alphas}
    tables = [pd.DataFrame(columns=COLUMNS)]
    for size in sorted(n for n in n_train if n < len(train)):
        part = Problem.of(
            problem.frames, subset(problem.split, size, seed), reference_energy, source
        )
        columns = np.flatnonzero(part.split[train] == "train")
        fits = [linear_ridge(part, features, regularisations, backbone)]
        delta = None
        if gnn_energy is not None:
            fits.append(untouched_gnn(part, gnn_energy, backbone))
            delta = part.beyond(gnn_energy, reference_energy, source)
        fits.append(
            fit_kernels(
                part,
                {layer: _columns(kernel, columns) for layer, kernel in kernels.items()},
                methods,
                regularisations,
                backbone,
                delta=delta,
                threads=threads,
            )
        )
        counts = {"n_train": size, "n_val": len(part.members("val"))}
        tables.append(chosen_errors(join(fits)).assign(**counts)[COLUMNS])
    return pd.concat([t for t in tables if len(t)] or tables, ignore_index=True)


def chosen_errors(fit: Fit) -> pd.DataFrame:
    """Errors (meV/atom) of each method on test frames, on the layer it chose."""
    by = ["method", "backbone", "layer"]
    test = fit.predictions[fit.predictions["split"] == "test"]
    chosen = fit.choices.loc[fit.choices["chosen"], by]
    return metrics(test.fillna({"layer": NO_LAYER}), by).merge(chosen.fillna({"layer": NO_LAYER}))


def with_whole_set(table: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Learning curves that end in the fits of the study, on all training frames.

    Parameters
    ----------
    table : errors on subsets: dataset, strategy, seed and ``COLUMNS``.
    errors : the table of errors of all fits and parts.
    """
    parts = errors[errors["chosen"]].set_index(["split", *FIT]).sort_index()
    whole = parts.loc["test", ["rmse", "mae"]].assign(
        n_train=parts.loc["train", "n_frames"], n_val=parts.loc["val", "n_frames"]
    )
    curves = table[FIT].drop_duplicates()
    return pd.concat([table, curves.merge(whole.reset_index(), on=FIT)], ignore_index=True)


def _columns(kernel: LayerKernel, which: np.ndarray) -> LayerKernel:
    """The kernel with some of the training frames only."""
    gram = SpeciesGram(
        kernel.gram.k0[:, which], {s: share[:, which] for s, share in kernel.gram.shares.items()}
    )
    return LayerKernel(gram, kernel.own, kernel.lengthscale)
