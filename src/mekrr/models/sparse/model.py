"""A fitted sparse model: energies, their parts by atom, and what it does not know of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from mekrr.errors import JitterWarning
from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, Radial
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.metric import Scale
from mekrr.models.sparse.solve import prior_root

BATCH = 32  # frames whose rows are held at once


def batches(frames: np.ndarray) -> list[np.ndarray]:
    """Return the frames, few at a time."""
    return np.array_split(frames, -(-len(frames) // BATCH)) if len(frames) else []


@dataclass(frozen=True)
class SparseModel:
    """A sum over inducing atoms.

    Attributes
    ----------
    basis : the kernels with these.
    coefficients : (M,) a, eV.
    triangle : (M, M) R, upper, with RᵀR the inverse covariance of a.
    prior : (M, M) Lᵀ, see `mekrr.models.sparse.solve.prior_root`.
    regularisation : λ.
    sigma_energy : eV/atom, expected errors of energies. sigma_force : eV/Å, of derivatives along
        unit vectors.
    constant : eV, that each selected atom has beside.
    calibration : factors of the standard deviations of energies, and of forces.
    """

    basis: Basis
    coefficients: np.ndarray
    triangle: np.ndarray
    prior: np.ndarray
    regularisation: float
    sigma_energy: float
    sigma_force: float
    constant: float
    calibration: tuple[float, float] = (1.0, 1.0)

    def record(self) -> dict[str, object]:
        """Return the numbers of a fit, for a model file; `tensors` has the arrays."""
        return {
            "alpha": self.basis.alpha,
            "lengthscale": self.basis.kernel.lengthscale,
            "regularisation": self.regularisation,
            "sigma_energy": self.sigma_energy,
            "sigma_force": self.sigma_force,
            "constant": self.constant,
            "calibration": list(self.calibration),
            "known": list(self.basis.own),
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the arrays of a fit by name, for a model file; not what follows from others."""
        scales = [*self.basis.own.values(), self.basis.shared]
        return {
            "inducing": self.basis.features,
            "species": self.basis.species.astype(np.int64),
            "coefficients": self.coefficients,
            "triangle": self.triangle[np.triu_indices(len(self.basis))],
            "origins": np.stack([scale.origin for scale in scales]),
            "along": np.stack([scale.along for scale in scales]),
        }

    @classmethod
    def recalled(
        cls, kernel: str, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
    ) -> SparseModel:
        """Return the fit of a `record` and `tensors`; ``kernel`` is the name of its kernel.

        Raises a SolveError if kernels between its inducing atoms cannot be factorised.
        """
        pairs = zip(tensors["origins"], tensors["along"], strict=True)
        *own, shared = [Scale(origin, along) for origin, along in pairs]
        of_kernel = KERNELS[kernel](record["lengthscale"])
        assert isinstance(of_kernel, Radial)
        basis = Basis(
            of_kernel,
            record["alpha"],
            dict(zip(record["known"], own, strict=True)),
            shared,
            tensors["species"],
            tensors["inducing"],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JitterWarning)  # of which the fit told
            prior = prior_root(basis.gram())
        triangle = np.zeros((len(basis),) * 2)
        triangle[np.triu_indices(len(basis))] = tensors["triangle"]
        return cls(
            basis,
            tensors["coefficients"],
            triangle,
            prior,
            record["regularisation"],
            record["sigma_energy"],
            record["sigma_force"],
            record["constant"],
            (record["calibration"][0], record["calibration"][1]),
        )

    def energies(self, frames: FrameFeatures) -> np.ndarray:
        """Return residual energies (n_frames,) in eV."""
        parts = [
            self.basis.rows(frames.select(some), None)[0] @ self.coefficients
            for some in batches(np.arange(len(frames)))
        ]
        return np.concatenate(parts) + self.constant * frames.n_atoms

    def energy_variances(self, frames: FrameFeatures, n_atoms: np.ndarray) -> np.ndarray:
        """Return variances (n_frames,) of the energies in eV², see `variances`."""
        return np.concatenate(
            [
                self.variances(frames.select(some), None, n_atoms[some])[0]
                for some in batches(np.arange(len(frames)))
            ]
        )

    def variances(
        self, frames: FrameFeatures, directions: FrameDirections | None, n_atoms: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return variances of frames' energies (n_frames,) in eV² and of derivatives (Σ q,).

        The latter, in (eV/Å)², are of the energies along ``directions`` of the same frames.
        Expected errors are included. Of many frames this takes memory, see `batches`.

        Parameters
        ----------
        n_atoms : (n_frames,) of each frame, selected or not.
        """
        if directions is None:
            directions = FrameDirections.none(frames)
        energies, slopes = self.basis.exact.rows(frames, directions)
        priors = []
        for t in range(len(frames)):
            one = slice(frames.pointer[t], frames.pointer[t + 1])
            along = directions.of(t) if directions.counts[t] else None
            priors.append(self.basis.prior(frames.features[one], frames.species[one], along))
        of_frames, along_directions = zip(*priors, strict=True)
        prior = np.concatenate([np.array(of_frames), *along_directions])
        found = self._variances(np.vstack([energies, slopes]), prior)
        expected = np.concatenate(
            [(n_atoms * self.sigma_energy) ** 2, np.full(len(slopes), self.sigma_force**2)]
        )
        of_energies, of_slopes = np.split(expected + found, [len(energies)])
        return self.calibration[0] ** 2 * of_energies, self.calibration[1] ** 2 * of_slopes

    def energy_variance(self, features: np.ndarray, species: np.ndarray, n_atoms: int) -> float:
        """Return the variance of the energy of a frame in eV², expected error included.

        Parameters
        ----------
        features : (n, d). species : (n,). n_atoms : of the frame, n or more.
        """
        one = FrameFeatures(features, species, np.array([0, len(species)]))
        (variance,), _ = self.variances(one, None, np.array([n_atoms]))
        return float(variance)

    def slope_variances(
        self, features: np.ndarray, species: np.ndarray, along: np.ndarray
    ) -> np.ndarray:
        """Return variances (q,) of derivatives of the energy of a frame, (eV/Å)².

        Parameters
        ----------
        along : (q, n, d), derivatives of the features.
        """
        one = FrameFeatures(features, species, np.array([0, len(species)]))
        n, counts = np.array([len(species)]), np.array([len(along)])
        directions = FrameDirections(along.reshape(-1, along.shape[-1]), counts, n, None)
        return self.variances(one, directions, n)[1]

    def _variances(self, rows: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the variances (n,) of sums φᵀa, and of what inducing atoms do not tell of.

        With the prior variance k/λ of a sum, k its kernel with itself,

            |R⁻ᵀ φ|² + (k - |L⁻¹ φ|²)/λ,

        a difference of which float32 would leave nothing.

        Parameters
        ----------
        rows : (n, M), φ. prior : (n,), k.
        """
        known = solve_triangular(self.triangle, rows.T, trans="T", check_finite=False)
        told = solve_triangular(self.prior, rows.T, trans="T", check_finite=False)
        left = np.maximum(prior - np.einsum("mn,mn->n", told, told), 0.0)
        return np.einsum("mn,mn->n", known, known) + left / self.regularisation
