"""Predictors that MEKRR must beat, each fitted on the training frames only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mekrr.errors import DataError
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Linear
from mekrr.kernels.gram import SpeciesGram, own_gram, train_gram
from mekrr.kernels.store import LayerKernel
from mekrr.models.fits import Fit, Problem, fit_kernels

SAME_FEATURES = 1e-12  # variance relative to the squared mean
# α of the kernel K_α that is ridge regression with a linear atom kernel.
RIDGE_ALPHAS = {"linear ridge": 0.0, "species ridge": 1.0}


def training_mean(problem: Problem) -> Fit:
    """The mean training energy per atom, times the number of atoms, beyond the references."""
    train = problem.members("train")
    per_atom = np.mean(problem.target[train] / problem.n_atoms[train])
    energy = problem.reference + problem.n_atoms * per_atom
    return problem.unfitted("training mean", "none", energy)


def untouched_gnn(problem: Problem, gnn_energy: np.ndarray, backbone: str) -> Fit:
    """The network's own energy (eV) plus the mean shift per atom on the training frames.

    The shift accounts for the different zero of energy of the network's training data.
    """
    train = problem.members("train")
    shift = np.mean((problem.energy[train] - gnn_energy[train]) / problem.n_atoms[train])
    return problem.unfitted("untouched GNN", backbone, gnn_energy + problem.n_atoms * shift)


def linear_ridge(
    problem: Problem,
    features: Mapping[int, FrameFeatures],
    regularisations: np.ndarray,
    backbone: str,
) -> Fit:
    """Ridge regression on a frame's mean feature."""
    return _ridge("linear ridge", problem, features, regularisations, backbone)


def species_ridge(
    problem: Problem,
    features: Mapping[int, FrameFeatures],
    regularisations: np.ndarray,
    backbone: str,
) -> Fit:
    """Ridge regression on the mean features of each species, side by side."""
    return _ridge("species ridge", problem, features, regularisations, backbone)


def linear_kernel(frames: FrameFeatures, train: np.ndarray, method: str) -> LayerKernel:
    """Kernel of a method of ``RIDGE_ALPHAS`` between all frames and the training frames.

    The mean training feature is subtracted first, which stands for an intercept, and
    the kernel is divided by its mean diagonal, which gives λ the same meaning as for
    the Gaussian kernel. Raises a DataError if all training frames have the same features.
    """
    alpha = RIDGE_ALPHAS[method]
    kernel = train_gram(frames, train, Linear()).at(alpha)
    own = own_gram(frames, Linear()).at(alpha)
    to_mean, overall = kernel.mean(axis=1), kernel[train].mean()
    own = own - 2.0 * to_mean + overall
    kernel = kernel - to_mean[:, None] - to_mean[train] + overall
    scale = np.mean(own[train])
    if scale <= SAME_FEATURES * overall:
        raise DataError(
            f"{method}: the features of all {len(train)} training frames are the same: nothing can "
            "be learnt; give frames that differ"
        )
    return LayerKernel(SpeciesGram(kernel / scale, {}), SpeciesGram(own / scale, {}), np.nan)


def _ridge(
    method: str,
    problem: Problem,
    features: Mapping[int, FrameFeatures],
    regularisations: np.ndarray,
    backbone: str,
) -> Fit:
    train = problem.members("train")
    kernels = {layer: linear_kernel(frames, train, method) for layer, frames in features.items()}
    return fit_kernels(problem, kernels, {method: np.zeros(1)}, regularisations, backbone)
