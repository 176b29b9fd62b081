"""Sparse models as torch compiles them: what `mekrr.models.sparse` computes by numpy.

Its classes say the equations. Here autograd differentiates energies, so that kernels are written
as functions of which torch knows the derivative. All buffers are float64; products are computed in
the features' own precision, sums over inducing atoms and all that variances need in float64.
"""

# TorchScript reads annotations: no `from __future__ import annotations` here.
from typing import TYPE_CHECKING, Any

import torch

from mekrr.kernels.atom import KERNELS
from mekrr.models.sparse.basis import Part
from mekrr.models.sparse.model import SparseModel

LEAST = 1e-30  # of the square of a distance, where that of Matérn's has no derivative
NAMES = {kernel: name for name, kernel in KERNELS.items()}


class PartOfSum(torch.nn.Module):
    """Kernels with some inducing atoms, in one set of coordinates; see `Part`."""

    origin: torch.Tensor
    along: torch.Tensor
    inducing: torch.Tensor
    columns: torch.Tensor

    def __init__(self, part: Part):
        super().__init__()
        self.kernel = NAMES[type(part.kernel)]
        self.inverse = float(1.0 / part.kernel.lengthscale**2)
        self.weight, self.least = float(part.weight), LEAST
        self.species = -1 if part.species is None else int(part.species)
        self.register_buffer("origin", torch.from_numpy(part.scale.origin))
        self.register_buffer("along", torch.from_numpy(part.scale.along))
        self.register_buffer("inducing", torch.from_numpy(part.inducing))
        self.register_buffer("columns", torch.from_numpy(part.columns))

    def atoms(self, species: torch.Tensor) -> torch.Tensor:
        """Return the places of the atoms among those of species (n,)."""
        if self.species < 0:
            return torch.arange(len(species), device=species.device)
        return torch.nonzero(species == self.species)[:, 0]

    def coordinates(self, features: torch.Tensor) -> torch.Tensor:
        """Return coordinates (n, d) of features (n, d)."""
        return (features - self.origin.to(features.dtype)) @ self.along.to(features.dtype)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return weighted kernels (n, m) of atoms of features (n, d)."""
        return self.between(self.coordinates(features), self.inducing.to(features.dtype))

    def between(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return weighted kernels (n, m) between coordinates (n, d) and (m, d)."""
        halves = 0.5 * left.square().sum(dim=1)[:, None] + 0.5 * right.square().sum(dim=1)
        exponent = self.inverse * (left @ right.T - halves)
        if self.kernel == "gaussian":
            return self.weight * exponent.clamp(max=0.0).exp()
        order = 3.0 if self.kernel == "matern3" else 5.0
        z = (-2.0 * order * exponent).clamp(min=self.least).sqrt()
        polynomial = 1.0 + z
        if self.kernel == "matern5":
            polynomial = polynomial + z.square() / 3.0
        return self.weight * polynomial * (-z).exp()


class SparseSum(torch.nn.Module):
    """The energies of atoms by a sparse model, without its constant, and variances of their sums.

    Parameters
    ----------
    model : the fit. std : whether variances are wanted.
    """

    if TYPE_CHECKING:
        parts: Any  # modules, of whose methods nothing is known; TorchScript wants no word of it
    coefficients: torch.Tensor
    triangle: torch.Tensor
    prior: torch.Tensor

    def __init__(self, model: SparseModel, std: bool):
        super().__init__()
        self.parts = torch.nn.ModuleList([PartOfSum(part) for part in model.basis.exact.parts])
        self.regularisation = float(model.regularisation)
        self.sigma_energy = float(model.sigma_energy)
        self.calibration = float(model.calibration[0])
        triangle, prior = (model.triangle, model.prior) if std else (model.triangle[:0, :0],) * 2
        self.register_buffer("coefficients", torch.from_numpy(model.coefficients))
        self.register_buffer("triangle", torch.from_numpy(triangle.copy()))
        self.register_buffer("prior", torch.from_numpy(prior.copy()))

    def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
        """Return the energies (n,) of atoms in eV, float64.

        Parameters
        ----------
        features : (n, d). species : (n,) atomic numbers.
        """
        energies = torch.zeros(len(species), dtype=torch.float64, device=features.device)
        for part in self.parts:
            atoms = part.atoms(species)
            kernels = part(features[atoms]).to(torch.float64)
            energies = energies.index_add(0, atoms, kernels @ self.coefficients[part.columns])
        return energies

    @torch.jit.export
    def variances(
        self,
        features: torch.Tensor,
        species: torch.Tensor,
        group: torch.Tensor,
        n_atoms: torch.Tensor,
    ) -> torch.Tensor:
        """Return the variances of the energies of groups of atoms in eV², float64.

        Parameters
        ----------
        features : (n, d). species : (n,) atomic numbers.
        group : (n,) that each atom belongs to, in order.
        n_atoms : (n_groups,) float64, of each, those that enter no kernel included.
        """
        features = features.to(torch.float64)
        n_groups = len(n_atoms)
        rows = torch.zeros(
            n_groups, len(self.coefficients), dtype=torch.float64, device=features.device
        )
        prior = torch.zeros_like(n_atoms)
        for part in self.parts:
            atoms = part.atoms(species)
            g, own = part.coordinates(features[atoms]), group[atoms]
            kernels = part.between(g, part.inducing)
            sums = torch.zeros(n_groups, len(part.columns), dtype=g.dtype, device=g.device)
            rows = rows.index_add(1, part.columns, sums.index_add(0, own, kernels))
            n_own = torch.zeros_like(n_atoms).index_add(0, own, torch.ones_like(g[:, 0]))
            if bool((n_own <= 1.0).all()):  # the kernel of an atom with itself is 1
                prior = prior + part.weight * n_own
            else:
                ends = torch.searchsorted(own, torch.arange(n_groups + 1, device=own.device))
                for k in range(n_groups):
                    some = g[int(ends[k]) : int(ends[k + 1])]
                    prior[k] = prior[k] + part.between(some, some).sum()
        known = torch.linalg.solve_triangular(self.triangle.T, rows.T, upper=False)
        told = torch.linalg.solve_triangular(self.prior.T, rows.T, upper=False)
        left = (prior - told.square().sum(dim=0)).clamp(min=0.0)
        variances = known.square().sum(dim=0) + left / self.regularisation
        expected = (self.sigma_energy * n_atoms).square()
        return self.calibration**2 * (expected + variances)
