"""What is known of the energies of atoms before frames are chosen: a Gaussian process.

Energies of atoms have the covariance K_α/λ of a sparse model, see `mekrr.models.sparse.basis`. A
fitted model knows of them what its triangle R tells: with φ the kernels of a sum of atoms with the
inducing atoms and K_MM = L Lᵀ, two sums f and g have the covariance

    [k(f, g) - (L⁻¹ φ_f)·(L⁻¹ φ_g)]/λ + (R⁻ᵀ φ_f)·(R⁻ᵀ φ_g),

of which `SparseModel.variances` are the diagonal. Of a backbone alone it is k(f, g), in coordinates
that make the variance of an atom's energy 1: without a model nothing says how many eV that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mekrr.kernels.atom import Gaussian
from mekrr.models.sparse.basis import Basis, Part
from mekrr.models.sparse.metric import scales_of
from mekrr.models.sparse.model import SparseModel

# Of a backbone alone. Of a sparse model both are chosen; these are what it chooses most often.
LENGTHSCALE = 2.0  # in units of the coordinates
SIGMA = 0.01  # of an energy per atom, the spread of an atom's being 1
METRIC = "whitened"


@dataclass(frozen=True)
class Space:
    """A Gaussian process of the energies of atoms.

    Attributes
    ----------
    parts : the sums that kernels are made of, with the inducing atoms of a model.
    variance : of the energy of an atom, 1/λ in eV²; 1 without a model.
    sigma : expected error of an energy, eV/atom; relative without a model.
    triangle, root : (M, M) R and Lᵀ; None without a model.
    calibration : factor of standard deviations.
    """

    parts: Sequence[Part]
    variance: float
    sigma: float
    triangle: np.ndarray | None = None
    root: np.ndarray | None = None
    calibration: float = 1.0

    @classmethod
    def of_model(cls, model: SparseModel) -> Space:
        """Return what a sparse model knows."""
        return cls(
            model.basis.exact.parts,
            1.0 / model.regularisation,
            model.sigma_energy,
            model.triangle,
            model.prior,
            model.calibration[0],
        )

    @classmethod
    def of_features(
        cls, features: np.ndarray, species: np.ndarray, widths: tuple[int, ...]
    ) -> Space:
        """Return what is known without a model: atoms alike have energies alike.

        Parameters
        ----------
        features : (n, d) of atoms that give the coordinates, layers of some ``widths`` side by
            side. species : (n,).
        """
        own, shared = scales_of(features, species, widths, METRIC)
        none = np.zeros((0, features.shape[1]), dtype=np.float32)
        kernel = Gaussian(LENGTHSCALE)
        basis = Basis(kernel, 1.0, own, shared, np.zeros(0, dtype=int), none, np.float64)
        return cls(basis.parts, 1.0, SIGMA)

    @property
    def n_inducing(self) -> int:
        """Inducing atoms of the model; 0 without one."""
        return 0 if self.triangle is None else len(self.triangle)
