"""Sums of atom kernels over training atoms, and their gradients in closed form.

A kernel model is a sum over the atoms i of a frame and the training atoms j,

    Σ_i f_i,    f_i = Σ_j (p a_j + p_s b_j δ_(s_i s_j)) k(h_i, h_j),

with weights a, b that the fit made, and p, p_s of the frame: 1 where energies add up; where the
kernel averages over the atoms of a frame, 1/n, and 1/n_s for each species. With x = -|h - h'|²/2σ²
and u the features in lengthscales σ,

    ∂f_i/∂h_i = 1/σ Σ_j (p a_j + p_s b_j δ_(s_i s_j)) dk/dx (u_j - u_i).

Products are float32 (or ``dtype``) over a few training atoms, sums over these float64.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import AtomKernel, Radial
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.gram import Gram, mean_features
from mekrr.kernels.weights import Shares, Weights

COLUMNS = 2048  # training atoms at once: their kernels with a frame's atoms stay in the cache


@dataclass(frozen=True)
class Sum:
    """The sum for the atoms of a frame.

    Attributes
    ----------
    atoms : (n,) f_i, float64.
    gradient : (n, d) ∂f_i/∂h_i, float64.
    gram : kernels (1, T) of the frame with the training frames; None where not asked for.
    """

    atoms: np.ndarray
    gradient: np.ndarray
    gram: Gram | None


class Expansion(abc.ABC):
    """The sum over training atoms, for one frame after the other."""

    @abc.abstractmethod
    def at(
        self, features: np.ndarray, species: np.ndarray, shares: Shares, *, gram: bool = False
    ) -> Sum:
        """Return the sum for the atoms of a frame, of species that training frames have.

        Parameters
        ----------
        features : (n, d). species : (n,) atomic numbers.
        shares : what each of these atoms counts.
        gram : whether kernels with the training frames are wanted too.
        """


def expansion_of(
    training: FrameFeatures,
    kernel: AtomKernel,
    weights: Weights,
    *,
    dtype: type = np.float32,
    device: torch.device | str = "cpu",
) -> Expansion:
    """Return the sum over the atoms of training frames.

    Parameters
    ----------
    dtype : of the products.
    device : that computes them.
    """
    if isinstance(kernel, Radial):
        return RadialExpansion(training, kernel, weights, dtype, device)
    return LinearExpansion(training, weights)


class LinearExpansion(Expansion):
    """The sum for k(h, h') = h · h': the product of features with a vector for each species."""

    def __init__(self, training: FrameFeatures, weights: Weights):
        self._species = np.unique(training.species)
        self._means, self._means_by_species = mean_features(training, self._species)
        h = training.features.astype(np.float64)
        self._every = weights.every @ h
        owners = {int(s): training.species == s for s in self._species}
        self._same = {s: weights.same[own] @ h[own] for s, own in owners.items()}

    def at(
        self, features: np.ndarray, species: np.ndarray, shares: Shares, *, gram: bool = False
    ) -> Sum:
        of_species = {
            s: shares.every * self._every + share * self._same[s]
            for s, share in shares.same.items()
        }
        gradient = np.stack([of_species[s] for s in species.tolist()])
        atoms = np.einsum("id,id->i", features.astype(np.float64), gradient)
        return Sum(atoms, gradient, self._gram(features, species) if gram else None)

    def _gram(self, features: np.ndarray, species: np.ndarray) -> Gram:
        frame = FrameFeatures(features, species, np.array([0, len(species)]))
        mean, by_species = mean_features(frame, self._species)
        pairs = zip(self._species.tolist(), by_species, self._means_by_species, strict=True)
        return Gram(mean @ self._means.T, {s: left @ right.T for s, left, right in pairs})


class RadialExpansion(Expansion):
    """The sum for a kernel of the distance."""

    def __init__(
        self,
        training: FrameFeatures,
        kernel: Radial,
        weights: Weights,
        dtype: type,
        device: torch.device | str,
    ):
        self._kernel, self._dtype, self._device = kernel, dtype, device
        self._coordinates = Coordinates.of([training], kernel.lengthscale, dtype)
        species = self._coordinates.species
        frame = np.repeat(np.arange(len(training)), training.n_atoms)
        kind = np.searchsorted(species, training.species)
        order = np.lexsort((frame, kind))
        rows, squares = self._coordinates.prepared(training, order, dtype)
        right = np.hstack([rows, np.eye(len(species))[kind[order]], -squares]).T
        self._every = self._tensor(weights.every[order])
        self._same = self._tensor(weights.same[order])
        self._mixed = bool(np.any(weights.every))
        bounds = np.searchsorted(kind[order], np.arange(len(species) + 1))
        self._blocks = []  # of one species each
        for s, (begin, end) in enumerate(pairwise(bounds.tolist())):
            for start in range(begin, end, COLUMNS):
                block = slice(start, min(start + COLUMNS, end))
                self._blocks.append((s, block, self._tensor(right[:, block])))
        segment = kind[order] * len(training) + frame[order]
        self._starts = np.flatnonzero(np.diff(segment, prepend=-1))
        self._place = segment[self._starts]
        self._counts = np.bincount(segment, minlength=len(species) * len(training)).reshape(
            len(species), len(training)
        )

    def at(
        self, features: np.ndarray, species: np.ndarray, shares: Shares, *, gram: bool = False
    ) -> Sum:
        coordinates = self._coordinates
        known, width = coordinates.species, coordinates.width
        order = np.argsort(species, kind="stable")
        frame = FrameFeatures(features[order], species[order], np.array([0, len(species)]))
        kind = np.searchsorted(known, frame.species)
        one_hot = np.eye(len(known))[kind]
        rows, squares = coordinates.prepared(frame, slice(None), self._dtype)
        left = self._tensor(np.hstack([rows, -squares, one_hot]))
        bounds = np.searchsorted(kind, np.arange(len(known) + 1)).tolist()
        atoms = left.new_zeros(len(species), dtype=torch.float64)
        pulls = left.new_zeros(  # sums of w_j, and of 1 by species
            len(species), width + len(known), dtype=torch.float64
        )
        kernels = []  # sums over atoms of each species
        hot = self._tensor(one_hot.T)
        for s, block, right in self._blocks:
            own = slice(bounds[s], bounds[s + 1])
            # Kernels with atoms of other species matter to a mixed sum alone.
            part = slice(None) if self._mixed else own
            found = left[slice(None) if gram else part] @ right
            values, slopes = self._kernel.with_slope(found, torch)
            matrices = [values] if values is slopes else [values, slopes]
            if gram:
                kernels.append((hot @ values).cpu().numpy())
                matrices = [matrix[part] for matrix in matrices]
            same = shares.same.get(int(known[s]), 0.0) * self._same[block]
            weights = [(slice(None), same)]
            if self._mixed:
                every = shares.every * self._every[block]
                others = slice(own.start), slice(own.stop, None)
                weights = [(own, every + same), *((other, every) for other in others)]
            for matrix in matrices:
                for some, weight in weights:
                    matrix[some] *= weight
            atoms[part] += matrices[0].sum(dim=1)
            pulls[part] += matrices[-1] @ right[: pulls.shape[1]].T
        back = np.argsort(order)
        return Sum(
            atoms.cpu().numpy()[back],
            self._gradient(frame, kind, pulls.cpu().numpy())[back],
            self._gram(np.hstack(kernels), bounds) if gram else None,
        )

    def _gradient(self, frame: FrameFeatures, kind: np.ndarray, pulls: np.ndarray) -> np.ndarray:
        """Turn sums over training atoms into the gradient (n, d)."""
        coordinates = self._coordinates
        along, by_species = np.split(pulls, [coordinates.width], axis=1)
        if coordinates.basis is not None:
            along = along @ coordinates.basis.T.astype(np.float64)
        origins = coordinates.origins.astype(np.float64) / coordinates.lengthscale
        u = coordinates.shifted(frame, slice(None), np.float64) + origins[kind]
        total = by_species.sum(axis=1)[:, None]
        return (along + by_species @ origins - total * u) / coordinates.lengthscale

    def _gram(self, kernels: np.ndarray, bounds: list[int]) -> Gram:
        """Turn sums (S, M) over a frame's atoms of each species into kernels (1, T)."""
        n_species, n_frames = self._counts.shape
        dense = np.zeros((n_species, n_species * n_frames))
        dense[:, self._place] = np.add.reduceat(kernels, self._starts, axis=1)
        sums = dense.reshape(n_species, n_species, n_frames)
        counts = np.diff(bounds)
        k0 = sums.sum(axis=(0, 1)) / (counts.sum() * self._counts.sum(axis=0))
        pairs = np.maximum(counts[:, None] * self._counts, 1)
        shares = np.einsum("sst->st", sums) / pairs
        species = self._coordinates.species.tolist()
        return Gram(k0[None], dict(zip(species, shares[:, None], strict=True)))

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(self._dtype)).to(self._device)
