"""Predictors that MEKRR must beat, each fitted on the training frames only."""

from __future__ import annotations

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.fits import Fit, Problem, fit_kernels
from mekrr.kernels.atom import Linear
from mekrr.kernels.gram import SpeciesGram, own_gram, train_gram
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
        k0 = train_gram(frames, train, Linear()).k0
        own = own_gram(frames, Linear()).k0
        kernels[layer] = _centred(k0, own, train)
    return fit_kernels(problem, kernels, {"linear ridge": np.zeros(1)}, regularisations, backbone)


def _centred(k0: np.ndarray, own: np.ndarray, train: np.ndarray) -> LayerKernel:
    """Kernels of centred features from the (n_frames, n_train) kernel of features.

    ``own`` is the kernel of each frame with itself, (n_frames,).
    """
    to_mean = k0.mean(axis=1)
    own = own - 2.0 * to_mean + k0[train].mean()
    k0 = k0 - to_mean[:, None] - to_mean[train] + k0[train].mean()
    scale = np.mean(own[train])
    return LayerKernel(SpeciesGram(k0 / scale, {}), SpeciesGram(own / scale, {}), np.nan)
