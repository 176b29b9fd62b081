"""Standard deviations of forces: those of the derivatives of the Gaussian process of energies.

Given its training frames X, the process of the energies has the covariance

    cov(x, x') = s² (k(x, x') - k(x, X) A⁻¹ k(X, x')),    A = K + λ T 1,

see `mekrr.models.ridge.KernelRidge.std`; references and a network's own energy are known. The
derivative of a process is a process again, whose covariance is the derivative of the covariance
in both arguments. For the force F_a along a coordinate R_a of the frame x therefore

    var(F_a) = s² (∂_a ∂'_a k(x, x')|_(x' = x) - g_aᵀ A⁻¹ g_a),    g_a = ∂_a k(X, x).

It has no noise λ T, which is one of energies observed. With pairs of atoms weighted by w_ij, k is
Σ_ij w_ij k(h_i, h'_j); with u_i = ∂h_i/∂R_a, x = -|h - h'|²/2σ², φ' and φ'' the derivatives
of the atom kernel by x, and δ = h_i - h_j,

    g_a[t] = Σ_i u_i · Σ_(j of t) w_ij φ'_ij (h_j - h_i)/σ²
    ∂_a ∂'_a k = Σ_ij w_ij [φ'_ij u_i·u_j/σ² - φ''_ij (u_i·δ)(δ·u_j)/σ⁴].

For a linear kernel these are Σ_i u_i · Σ_j w_ij h_j, less its mean over the training frames, which
centres it, and Σ_ij w_ij u_i·u_j. In the extensive form w_ij makes k that of energies, not of
energies per atom. All is float64; the derivatives u_i are central differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ase import Atoms
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import AtomKernel, Radial
from mekrr.kernels.training import Normalisation
from mekrr.kernels.weights import Shares, Weights
from mekrr.models.kernel import KernelModel
from mekrr.models.ridge import KernelRidge

STEP = 0.005  # Å


def feature_derivatives(
    features: Callable[[list[Atoms]], np.ndarray], atoms: Atoms
) -> Iterator[np.ndarray]:
    """Yield for each atom of a frame the derivatives (3, n, d), 1/Å, of the features of all.

    Parameters
    ----------
    features : returns those (n_frames, n, d) of frames that only differ in positions.
    """
    for moved in range(len(atoms)):
        frames = []
        for axis in range(3):
            for sign in (1.0, -1.0):
                frame = atoms.copy()
                frame.positions[moved, axis] += sign * STEP
                frames.append(frame)
        h = features(frames).astype(np.float64)
        yield (h[::2] - h[1::2]) / (2.0 * STEP)


class ForceVariance:
    """Variances of forces by a kernel model."""

    def __init__(
        self,
        training: FrameFeatures,
        kernel: AtomKernel,
        model: KernelModel,
        normalisation: Normalisation | None,
        extensive: bool,
    ):
        self._training, self._kernel, self._ridge = training, kernel, model.ridge_
        self._extensive, self._centred = extensive, normalisation is not None
        species = np.unique(training.species).tolist()
        alpha = model.alpha
        if not isinstance(alpha, Mapping):
            alpha = dict.fromkeys(species, alpha)
        scales = (1.0, 1.0) if normalisation is None else normalisation.scales
        self._every = (1.0 - np.mean(list(alpha.values()))) / scales[0]
        self._same = {s: alpha.get(s, 0.0) / scales[1] for s in species}
        n_atoms = training.n_atoms
        frame = np.repeat(np.arange(len(training)), n_atoms)
        own = np.zeros(len(frame))
        for s in species:
            atoms = training.species == s
            counts = np.bincount(frame[atoms], minlength=len(training))
            own[atoms] = 1.0 / (n_atoms if extensive else counts)[frame[atoms]]
        self._shares = Weights((1.0 / n_atoms)[frame], own)

    def at(self, features: np.ndarray, species: np.ndarray) -> _At:
        """Return what they depend on at a frame with features (n, d) of atoms of these species."""
        h, training = features.astype(np.float64), self._training
        shares = Shares.of(species, self._extensive)
        own = np.array([shares.same[s] for s in species.tolist()])
        mine = Weights(np.full(len(h), shares.every), own)
        pairs = self._pairs(mine, species, mine, species)
        weights = self._pairs(mine, species, self._shares, training.species)
        curvature = None
        if isinstance(self._kernel, Radial):
            square = self._kernel.lengthscale**2
            within = cdist(h, h, "sqeuclidean") / (-2.0 * square)
            curvature = pairs * self._kernel.curvature(within.copy(), np) / square**2
            pairs *= self._kernel.with_slope(within, np)[1] / square
            others = training.features.astype(np.float64)
            beyond = cdist(h, others, "sqeuclidean") / (-2.0 * square)
            weights *= self._kernel.with_slope(beyond, np)[1] / square
        slopes = np.empty((len(training), *h.shape))
        for t, (begin, end) in enumerate(pairwise(training.pointer.tolist())):
            part = weights[:, begin:end]
            slopes[t] = part @ training.features[begin:end].astype(np.float64)
            if curvature is not None:
                slopes[t] -= part.sum(axis=1)[:, None] * h
        if self._centred:
            slopes -= slopes.mean(axis=0)
        return _At(self._ridge, h, slopes.reshape(len(training), -1), pairs, curvature)

    def _pairs(
        self, left: Weights, species: np.ndarray, right: Weights, others: np.ndarray
    ) -> np.ndarray:
        """Return the weights of pairs of atoms, of these species."""
        of_species = np.array([self._same[s] for s in species.tolist()])
        same = np.outer(of_species * left.same, right.same) * (species[:, None] == others)
        return self._every * np.outer(left.every, right.every) + same


@dataclass(frozen=True)
class _At:
    """What the variances depend on at one frame.

    Attributes
    ----------
    ridge : the fit.
    features : (n, d).
    slopes : (T, n d) derivatives of the kernels with training frames by these.
    pairs : (n, n) w φ'/σ², or w.
    curvature : (n, n) w φ''/σ⁴; None for a linear kernel.
    """

    ridge: KernelRidge
    features: np.ndarray
    slopes: np.ndarray
    pairs: np.ndarray
    curvature: np.ndarray | None

    def variance(self, along: np.ndarray) -> np.ndarray:
        """Return the variance (b,) of the force along coordinates, (eV/Å)².

        Parameters
        ----------
        along : (b, n, d) derivatives of the features by these.
        """
        if self.ridge.variance_ == 0.0:  # as of energies: nothing says how far they may be
            return np.full(len(along), np.inf)
        g = self.slopes @ along.reshape(len(along), -1).T
        half = solve_triangular(self.ridge.factor_, g, lower=True, check_finite=False)
        prior = np.einsum("bid,bid->b", self.pairs @ along, along)
        if self.curvature is not None:
            onto = along @ self.features.T
            apart = np.einsum("bii->bi", onto)[:, :, None] - onto  # u_i · (h_i - h_j)
            prior += np.einsum("ij,bij,bji->b", self.curvature, apart, apart)
        function = np.maximum(prior - np.einsum("tb,tb->b", half, half), 0.0)
        return self.ridge.scale_**2 * self.ridge.variance_ * function
