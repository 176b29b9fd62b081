"""Kernel models as potentials: the kernel's gradient in closed form, then back through the GNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from ase import Atoms
from ase.symbols import Symbols

from mekrr.backbones.base import Backbone
from mekrr.backbones.gradient import forces_and_virial, stress_of
from mekrr.backbones.graph import Search, search_pairs
from mekrr.data.references import References
from mekrr.errors import DataError
from mekrr.features.atoms import selected
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import AtomKernel
from mekrr.kernels.expansion import Expansion, expansion_of
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import Normalisation, new_gram
from mekrr.kernels.weights import Shares
from mekrr.models.kernel import KernelModel
from mekrr.models.potentials.base import Evaluation, Potential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.force_std import ForceVariance, feature_derivatives
from mekrr.torch_settings import own_torch_settings


@dataclass
class KernelPotential(Potential):
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
    delta : whether the network's own energy is part of the baseline.
    references : those in the baseline.
    atoms : rule of which atoms enter the kernel, see `mekrr.features.atoms`.
    device : that computes.
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

    has_std = True

    def __post_init__(self) -> None:
        weights, self._constant = self.model.over_atoms(
            self.training, self.normalisation, self.extensive
        )
        self._expansion = expansion_of(
            self.training, self.kernel, weights, dtype=self.dtype, device=self.device
        )
        self.backbone.to(self.device)

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        mask = self._selected(atoms)
        numbers, formula = atoms.numbers[mask], [atoms.get_chemical_formula()]
        with own_torch_settings():
            graph = self.backbone.graph([atoms], search).to(self.device).differentiable()
            output = self.backbone.forward(graph, [self.layer], energy=self.delta)
            h = output.layers[self.layer]
            features = h.detach().cpu().numpy()[mask]
            found = self._expansion.at(
                features, numbers, Shares.of(numbers, self.extensive), gram=std
            )
            gradient = np.zeros(h.shape)
            gradient[mask] = found.gradient
            outputs, gradients = [h], [torch.from_numpy(gradient)]
            if self.delta:
                assert output.energy is not None
                outputs.append(output.energy)
                gradients.append(torch.ones(1))
            forces, (virial,) = forces_and_virial(graph, outputs, gradients)
        size = len(numbers) if self.extensive else 1
        energy = float(self.references.of(formula, "frame")[0] + size * self._constant)
        energy += float(found.atoms.sum())
        if output.energy is not None:
            energy += output.energy.item()
        of_energy = None
        if std:
            assert found.gram is not None
            of_energy = self._std(features, numbers, formula, found.gram, size)
        return Evaluation(
            energy,
            forces,
            stress_of(atoms, virial),
            self._energies(atoms, mask, found.atoms, output.atomic_energy),
            of_energy,
        )

    def force_std(self, atoms: Atoms, search: Search = search_pairs) -> np.ndarray:
        mask = self._selected(atoms)

        def features(frames: list[Atoms]) -> np.ndarray:
            graph = self.backbone.graph(frames, search).to(self.device)
            h = self.backbone.forward(graph, [self.layer], energy=False).layers[self.layer]
            return h.cpu().numpy().reshape(len(frames), len(atoms), -1)[:, mask]

        with own_torch_settings(), torch.no_grad():
            at = self._force_variance.at(features([atoms])[0], atoms.numbers[mask])
            variances = [at.variance(along) for along in feature_derivatives(features, atoms)]
        return np.sqrt(variances)

    def expected_std(self) -> float:
        std = self.model.ridge_.leave_one_out_std()
        return float(std.max() if self.extensive else (std / self.training.n_atoms).max())

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        formulas = [atoms.get_chemical_formula() for atoms in frames]
        return self.references.doubt(formulas, range(len(frames)), self.extensive)

    @cached_property
    def _force_variance(self) -> ForceVariance:
        return ForceVariance(
            self.training, self.kernel, self.model, self.normalisation, self.extensive
        )

    def _selected(self, atoms: Atoms) -> np.ndarray:
        """Return the mask (n,) of atoms that enter the kernel; refuse what it does not know."""
        mask = selected(atoms, self.atoms, "potential")
        unknown = set(atoms.symbols) - set(self.references.per_species)
        unknown |= set(Symbols(np.setdiff1d(atoms.numbers[mask], self.training.species)))
        if unknown:
            raise DataError(
                f"no training frame has {', '.join(sorted(unknown))}; fit with frames that do, or "
                "leave it out"
            )
        return mask

    def _energies(
        self, atoms: Atoms, mask: np.ndarray, found: np.ndarray, own: torch.Tensor | None
    ) -> np.ndarray | None:
        """Return the energies of the atoms (n,), if the energy is made of such."""
        if not self.extensive or (self.delta and own is None):
            return None
        energies = Baseline(self.references).energies(atoms)
        energies[mask] += self._constant + found
        if self.delta:
            assert own is not None
            energies += own.detach().double().cpu().numpy()
        return energies

    def _std(
        self, features: np.ndarray, numbers: np.ndarray, formula: list[str], raw: Gram, size: int
    ) -> float:
        one = FrameFeatures(features, numbers, np.array([0, len(numbers)]))
        gram = new_gram(
            one, self.training, self.kernel, self.normalisation, raw=raw, extensive=self.extensive
        )
        assert gram.self_kernel is not None
        alpha, ridge = self.model.alpha, self.model.ridge_
        (std,) = ridge.std(gram.at(alpha), gram.self_kernel.at(alpha))
        (undetermined,) = self.references.undetermined(formula, self.extensive)
        return float(np.hypot(std * size, undetermined))
