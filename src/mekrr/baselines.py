"""Predictors that MEKRR must beat, each fitted on the training frames only."""

from __future__ import annotations

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.fits import Fit, Problem, fit_kernels
from mekrr.kernels.atom import Linear
from mekrr.kernels.gram import train_gram
from mekrr.kernels.store import LayerKernel


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
    features: dict[int, FrameFeatures],
    regularisations: np.ndarray,
    backbone: str,
) -> Fit:
    """Ridge regression on a frame's mean feature: MEKRR with a linear atom kernel, α = 0.

    The mean training feature is subtracted first, which stands for an intercept, and
    the kernel is divided by its mean diagonal, which gives λ the same meaning as for
    the Gaussian kernel.
    """
    train = problem.members("train")
    kernels = {}
    for layer, frames in features.items():
        k0 = _centred(train_gram(frames, train, Linear()).k0, train)
        kernels[layer] = LayerKernel(k0, k0)
    unused = dict.fromkeys(kernels, np.nan)
    return fit_kernels(
        problem, kernels, {"linear ridge": np.zeros(1)}, regularisations, unused, backbone
    )


def _centred(kernel: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Kernel of centred features from the (n_frames, n_train) kernel of features."""
    to_mean = kernel.mean(axis=1, keepdims=True)
    centred = kernel - to_mean - to_mean[train].T + kernel[train].mean()
    return centred / np.mean(np.diag(centred[train]))
