"""Kernel models between whole frames as potentials: the kernel's gradient in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.data.references import References
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import AtomKernel
from mekrr.kernels.expansion import Expansion, expansion_of
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import Normalisation, new_gram
from mekrr.kernels.weights import Shares
from mekrr.models.inputs import size_doubt
from mekrr.models.kernel import KernelModel
from mekrr.models.potentials.force_std import ForceVariance
from mekrr.models.potentials.on_features import Learnt, OnFeatures


@dataclass
class KernelPotential(OnFeatures):
    """A kernel model on one layer of a backbone.

    Attributes
    ----------
    backbone : the network; where it computes in float64, so do the kernels.
    layer : whose features enter.
    model : the fit.
    training : features of the training frames.
    kernel : the atom kernel.
    normalisation : that of the kernels, see `mekrr.kernels.training`.
    extensive : whether energies per atom were learnt.
    delta, references, atoms, device : see `OnFeatures`.
    """

    backbone: Backbone
    layer: int
    model: KernelModel
    training: FrameFeatures
    kernel: AtomKernel
    normalisation: Normalisation | None
    extensive: bool
    delta: bool
    references: References
    atoms: str | Mapping = "all"
    device: torch.device | str = "cpu"
    dtype: type = np.float32
    _expansion: Expansion = field(init=False)

    def __post_init__(self) -> None:
        weights, self._constant = self.model.over_atoms(
            self.training, self.normalisation, self.extensive
        )
        self._expansion = expansion_of(
            self.training, self.kernel, weights, dtype=self.dtype, device=self.device
        )
        self.backbone.to(self.device)

    @property
    def layers(self) -> list[int]:
        return [self.layer]

    @property
    def species(self) -> np.ndarray:
        return self.training.species

    def learnt(self, features: np.ndarray, numbers: np.ndarray, atoms: Atoms, std: bool) -> Learnt:
        shares = Shares.of(numbers, self.extensive)
        found = self._expansion.at(features, numbers, shares, gram=std)
        size = len(numbers) if self.extensive else 1
        of_energy = None
        if std:
            assert found.gram is not None
            of_energy = self._std(features, numbers, atoms, found.gram, size)
        return Learnt(found.atoms, found.gradient, size * self._constant, of_energy)

    def force_variances(
        self, features: np.ndarray, numbers: np.ndarray, derivatives: Iterable[np.ndarray]
    ) -> np.ndarray:
        at = self._force_variance.at(features, numbers)
        return np.array([at.variance(along) for along in derivatives])

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        of_size = None
        if not self.extensive:
            n_atoms = [self._selected(atoms).sum() for atoms in frames]
            of_size = size_doubt(np.array(n_atoms), self.training.n_atoms)
        return of_size or super().doubt(frames)

    def expected_std(self) -> float:
        std = self.model.ridge_.leave_one_out_std()
        return float(std.max() if self.extensive else (std / self.training.n_atoms).max())

    @cached_property
    def _force_variance(self) -> ForceVariance:
        return ForceVariance(
            self.training, self.kernel, self.model, self.normalisation, self.extensive
        )

    def _std(
        self, features: np.ndarray, numbers: np.ndarray, atoms: Atoms, raw: Gram, size: int
    ) -> float:
        one = FrameFeatures(features, numbers, np.array([0, len(numbers)]))
        gram = new_gram(
            one, self.training, self.kernel, self.normalisation, raw=raw, extensive=self.extensive
        )
        assert gram.self_kernel is not None
        alpha, ridge = self.model.alpha, self.model.ridge_
        (std,) = ridge.std(gram.at(alpha), gram.self_kernel.at(alpha))
        (undetermined,) = self.references.undetermined(
            [atoms.get_chemical_formula()], self.extensive
        )
        return float(np.hypot(std * size, undetermined))
