"""Potentials of a backbone's features: their gradient by these, then back through the backbone."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

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
from mekrr.models.potentials.base import Evaluation, Potential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.force_std import feature_derivatives
from mekrr.torch_settings import own_torch_settings


class Learnt(NamedTuple):
    """What a model has learnt of the atoms of a frame.

    Attributes
    ----------
    atoms : (n,) eV, whose sum comes to the energy. gradient : (n, d) by the atoms' features.
    constant : eV, that comes to the energy of the frame; of it each atom has the same.
    std : standard deviation of the energy in eV; None where not asked for.
    """

    atoms: np.ndarray
    gradient: np.ndarray
    constant: float
    std: float | None


class OnFeatures(Potential):
    """A potential of the features of one layer of a backbone, or of several side by side.

    Attributes
    ----------
    backbone : the network.
    layers : whose features enter, side by side in this order.
    species : atomic numbers of the atoms that the model knows.
    extensive : whether energies add up over atoms.
    delta : whether the network's own energy is part of the baseline.
    references : those in the baseline.
    atoms : rule of which atoms enter the model, see `mekrr.features.atoms`.
    device : that computes.
    """

    backbone: Backbone
    extensive: bool
    delta: bool
    references: References
    atoms: str | Mapping
    device: torch.device | str

    has_std = True

    @property
    @abc.abstractmethod
    def layers(self) -> Sequence[int]:
        """See the class."""

    @property
    @abc.abstractmethod
    def species(self) -> np.ndarray:
        """See the class."""

    @abc.abstractmethod
    def learnt(self, features: np.ndarray, numbers: np.ndarray, atoms: Atoms, std: bool) -> Learnt:
        """Return what is learnt of the selected atoms of a frame.

        Parameters
        ----------
        features : (n, d). numbers : (n,) their atomic numbers.
        atoms : the frame. std : whether the standard deviation is wanted.
        """

    @abc.abstractmethod
    def force_variances(
        self, features: np.ndarray, numbers: np.ndarray, derivatives: Iterable[np.ndarray]
    ) -> np.ndarray:
        """Return variances (n, 3) of the forces on the atoms of a frame.

        Parameters
        ----------
        derivatives : for each atom (3, n, d), of features of the selected atoms by its position.
        """

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        mask = self._selected(atoms)
        with own_torch_settings():
            graph = self.backbone.graph([atoms], search).to(self.device).differentiable()
            output = self.backbone.forward(graph, self.layers, energy=self.delta)
            h = [output.layers[layer] for layer in self.layers]
            features = np.hstack([part.detach().cpu().numpy()[mask] for part in h])
            found = self.learnt(features, atoms.numbers[mask], atoms, std)
            gradient = np.zeros((len(atoms), features.shape[1]))
            gradient[mask] = found.gradient
            ends = np.cumsum([part.shape[1] for part in h])
            outputs = list(h)
            gradients = [torch.from_numpy(part) for part in np.split(gradient, ends[:-1], axis=1)]
            if self.delta:
                assert output.energy is not None
                outputs.append(output.energy)
                gradients.append(torch.ones(1))
            forces, (virial,) = forces_and_virial(graph, outputs, gradients)
        energy = float(self.references.of([atoms.get_chemical_formula()], "frame")[0])
        energy += found.constant + float(found.atoms.sum())
        if output.energy is not None:
            energy += output.energy.item()
        return Evaluation(
            energy,
            forces,
            stress_of(atoms, virial),
            self._energies(atoms, mask, found, output.atomic_energy),
            found.std,
        )

    def force_std(self, atoms: Atoms, search: Search = search_pairs) -> np.ndarray:
        mask = self._selected(atoms)

        def features(frames: list[Atoms]) -> np.ndarray:
            graph = self.backbone.graph(frames, search).to(self.device)
            output = self.backbone.forward(graph, self.layers, energy=False)
            h = np.hstack([output.layers[layer].cpu().numpy() for layer in self.layers])
            return h.reshape(len(frames), len(atoms), -1)[:, mask]

        with own_torch_settings(), torch.no_grad():
            (here,) = features([atoms])
            derivatives = feature_derivatives(features, atoms)
            return np.sqrt(self.force_variances(here, atoms.numbers[mask], derivatives))

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        formulas = [atoms.get_chemical_formula() for atoms in frames]
        return self.references.doubt(formulas, range(len(frames)), self.extensive)

    def _selected(self, atoms: Atoms) -> np.ndarray:
        """Return the mask (n,) of atoms that enter the model; refuse what it does not know."""
        mask = selected(atoms, self.atoms, "potential")
        unknown = set(atoms.symbols) - set(self.references.per_species)
        unknown |= set(Symbols(np.setdiff1d(atoms.numbers[mask], self.species)))
        if unknown:
            raise DataError(
                f"no training frame has {', '.join(sorted(unknown))}; fit with frames that do, or "
                "leave it out"
            )
        return mask

    def _energies(
        self, atoms: Atoms, mask: np.ndarray, found: Learnt, own: torch.Tensor | None
    ) -> np.ndarray | None:
        """Return the energies of the atoms (n,), if the energy is made of such."""
        if not self.extensive or (self.delta and own is None):
            return None
        energies = Baseline(self.references).energies(atoms)
        energies[mask] += found.constant / len(found.atoms) + found.atoms
        if self.delta:
            assert own is not None
            energies += own.detach().double().cpu().numpy()
        return energies
