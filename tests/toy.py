"""A small problem whose energy is linear in the mean feature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, Gaussian
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import training_gram
from mekrr.models.problem import Problem
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.metric import scales_of

N_ATOMS = 6
SPLIT = np.repeat(["train", "val", "test"], [36, 12, 12])
SPECIES = (1, 8, 29)
ATOMS = np.tile([29, 29, 29, 29, 8, 1], 60)  # atomic numbers


def toy_features(rng: np.random.Generator) -> FrameFeatures:
    """60 frames of 4 + 2 atoms."""
    return FrameFeatures(rng.normal(size=(360, 3)), ATOMS, np.arange(61) * N_ATOMS)


def basis_of(
    features: FrameFeatures,
    alpha: float = 1.0,
    kernel: str = "gaussian",
    metric: str = "whitened",
    n: int = 20,
    sigma: float = 1.5,
) -> Basis:
    """A third of the atoms as inducing ones, in float64."""
    own, shared = scales_of(features.features, features.species, (3,), metric)
    chosen = np.arange(len(features.species))[::3][:n]
    return Basis(
        KERNELS[kernel](sigma),
        alpha,
        own,
        shared,
        features.species[chosen],
        features.features[chosen],
        np.float64,
    )


def of_atoms(features: FrameFeatures) -> np.ndarray:
    """(60, 6, 3)."""
    return features.features.reshape(60, N_ATOMS, 3)


def toy_problem(features: FrameFeatures) -> Problem:
    """Without references."""
    frames = pd.DataFrame(
        {
            "index": range(60),
            "frame": range(100, 160),
            "run": 0,
            "n_atoms": N_ATOMS,
            "formula": "Cu4OH",
            "energy": -500.0 + of_atoms(features).mean(axis=1) @ [1.0, -2.0, 0.5],
        }
    )
    return Problem(frames, SPLIT, np.zeros(60))


def with_energy(problem: Problem, energy: np.ndarray) -> Problem:
    """The same frames with other energies, without references."""
    return Problem(problem.frames.assign(energy=energy), problem.split, np.zeros(60))


def toy_gram(features: FrameFeatures, sigma: float = 1.5) -> Gram:
    """With float64 products, so that brute force in float64 is an oracle."""
    train = np.flatnonzero(SPLIT == "train")
    return training_gram(features, train, Gaussian(sigma), dtype=np.float64)[0]


def toy_network_energy(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Of a network that is right up to a small rest, but for its zero of energy."""
    return problem.energy + 0.05 * rng.normal(size=60) - N_ATOMS * 3.25


def problems_of(problem: Problem, network_energy: np.ndarray) -> Mapping[str, Problem]:
    """By baseline, as the study states them."""
    return {
        "references": problem,
        "network": problem.beyond_network(network_energy),
        "delta": problem.beyond(network_energy, "least-squares", "mine"),
    }
