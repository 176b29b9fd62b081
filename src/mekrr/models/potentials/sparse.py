"""Sparse models as potentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.data.references import References
from mekrr.models.potentials.on_features import Learnt, OnFeatures
from mekrr.models.sparse.model import SparseModel


@dataclass
class SparsePotential(OnFeatures):
    """A sparse model on some layers of a backbone.

    Attributes
    ----------
    backbone : the network.
    side_by_side : layers whose features enter.
    model : the fit.
    expected : what `expected_std` returns, eV/atom.
    delta, references, atoms, device : see `OnFeatures`.
    """

    backbone: Backbone
    side_by_side: tuple[int, ...]
    model: SparseModel
    expected: float
    delta: bool
    references: References
    atoms: str | Mapping = "all"
    device: torch.device | str = "cpu"

    extensive = True

    def __post_init__(self) -> None:
        self.backbone.to(self.device)

    @property
    def layers(self) -> tuple[int, ...]:
        return self.side_by_side

    @property
    def species(self) -> np.ndarray:
        return np.array(list(self.model.basis.own))

    def learnt(self, features: np.ndarray, numbers: np.ndarray, atoms: Atoms, std: bool) -> Learnt:
        found, gradient = self.model.basis.at(features, numbers, self.model.coefficients)
        of_energy = None
        if std:
            variance = self.model.energy_variance(features, numbers, len(atoms))
            (undetermined,) = self.references.undetermined(
                [atoms.get_chemical_formula()], extensive=True
            )
            of_energy = float(np.hypot(np.sqrt(variance), undetermined))
        return Learnt(found, gradient, self.model.constant * len(numbers), of_energy)

    def force_variances(
        self, features: np.ndarray, numbers: np.ndarray, derivatives: Iterable[np.ndarray]
    ) -> np.ndarray:
        return np.array(
            [self.model.slope_variances(features, numbers, along) for along in derivatives]
        )

    def expected_std(self) -> float:
        return self.expected
