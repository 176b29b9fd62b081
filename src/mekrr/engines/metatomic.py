"""Sparse models as files of metatomic, which ASE, i-PI, LAMMPS and torch-sim load.

Whatever the network computes in, positions come in float64 and energies go in float64, as
`mekrr.Calculator` has it: a total energy in float32 would have few digits left.
"""

# TorchScript reads annotations, and metatomic wants those of `forward` to be of `typing`.
import os
from collections.abc import Mapping
from typing import Dict, List, Optional

import torch
from ase.data import atomic_numbers, chemical_symbols
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

import mekrr
from mekrr.data.references import SPAN_TOLERANCE
from mekrr.engines.sums import SparseSum
from mekrr.files import atomic_path
from mekrr.models.potentials.sparse import SparsePotential
from mekrr.torch_settings import own_torch_settings

ENERGY, UNCERTAINTY = "energy", "energy_uncertainty"
DEVICES = ["cuda", "cpu"]


class SparseInterface(torch.nn.Module):
    """A sparse potential as metatomic calls it.

    Parameters
    ----------
    potential : on a backbone that can be compiled.
    species : atomic numbers of the atoms that it takes.
    std : whether it tells standard deviations.
    """

    selected: torch.Tensor
    baseline: torch.Tensor
    place: torch.Tensor
    beyond: torch.Tensor

    def __init__(self, potential: SparsePotential, species: list[int], std: bool):
        super().__init__()
        model, references = potential.model, potential.references
        self.network = potential.backbone.scripted(potential.layers, potential.delta)
        self.sums = SparseSum(model, std)
        self.pairs = NeighborListOptions(
            cutoff=self.network.cutoff, full_list=True, strict=True, requestor="mekrr"
        )
        self.delta = potential.delta
        numbers = torch.tensor(species)
        symbols = [chemical_symbols[z] for z in species]
        selected = torch.zeros(len(chemical_symbols), dtype=torch.bool)
        selected[numbers] = torch.tensor([_is_selected(potential.atoms, s) for s in symbols])
        baseline = torch.zeros(len(chemical_symbols), dtype=torch.float64)
        baseline[numbers] = torch.from_numpy(references.of(symbols, "export"))
        baseline[selected] += model.constant
        place = torch.zeros(len(chemical_symbols), dtype=torch.int64)
        place[numbers] = torch.arange(len(numbers))
        self.register_buffer("selected", selected)
        self.register_buffer("baseline", baseline)
        self.register_buffer("place", place)
        self.register_buffer("beyond", torch.from_numpy(references.beyond(symbols)))
        self.scale, self.tolerance = float(references.scale), SPAN_TOLERANCE

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        """Tell which pairs the engine is to find."""
        return [self.pairs]

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels],
    ) -> Dict[str, TensorMap]:
        """Return the outputs asked for, of the frames or of their atoms.

        Parameters
        ----------
        systems : frames, positions in Å. outputs : what is asked for, and of what.
        selected_atoms : those that count; all of them are neighbours.
        """
        results: dict[str, TensorMap] = {}
        if len(systems) == 0 or len(outputs) == 0:
            return results
        device = systems[0].device
        species: list[torch.Tensor] = []
        centres: list[torch.Tensor] = []
        neighbours: list[torch.Tensor] = []
        vectors: list[torch.Tensor] = []
        samples: list[torch.Tensor] = []
        begins: list[int] = []
        begin = 0
        for k, system in enumerate(systems):
            pairs = system.get_neighbor_list(self.pairs)
            ends = pairs.samples.values.to(torch.int64) + begin
            centres.append(ends[:, 0])
            neighbours.append(ends[:, 1])
            vectors.append(pairs.values.reshape(-1, 3))
            species.append(system.types.to(torch.int64))
            atoms = torch.arange(len(system), device=device)
            samples.append(torch.stack([torch.full_like(atoms, k), atoms], dim=1))
            begins.append(begin)
            begin += len(system)
        z = torch.cat(species)
        features, own = self.network(
            z, torch.cat(centres), torch.cat(neighbours), torch.cat(vectors)
        )
        of_atoms = torch.cat(samples)
        chosen = torch.arange(len(z), device=device)
        groups = torch.arange(len(systems), device=device)
        if selected_atoms is not None:
            of_atoms = selected_atoms.values.to(torch.int64)
            chosen = torch.tensor(begins, device=device)[of_atoms[:, 0]] + of_atoms[:, 1]
            groups = torch.unique(of_atoms[:, 0])
        for name, output in outputs.items():
            per_atom = output.sample_kind == "atom"
            if name == "energy":
                energies = self.energies(features, own, z)[chosen]
                if not per_atom:
                    group = torch.searchsorted(groups, of_atoms[:, 0].contiguous())
                    energies = torch.zeros(
                        len(groups), dtype=torch.float64, device=device
                    ).index_add(0, group, energies)
                values = energies
            else:
                values = self.uncertainties(features, z, of_atoms, chosen, groups, per_atom)
            labels = Labels(["system"], groups[:, None])
            if per_atom:
                labels = Labels(["system", "atom"], of_atoms)
            results[name] = TensorMap(
                keys=Labels(["_"], torch.zeros(1, 1, dtype=torch.int64, device=device)),
                blocks=[
                    TensorBlock(
                        values=values[:, None],
                        samples=labels,
                        components=torch.jit.annotate(List[Labels], []),
                        properties=Labels(
                            ["energy"], torch.zeros(1, 1, dtype=torch.int64, device=device)
                        ),
                    )
                ],
            )
        return results

    def energies(self, features: torch.Tensor, own: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return the energies (n,) of atoms in eV.

        Parameters
        ----------
        features : (n, d). own : (n,) energies by the network, or none. z : (n,) atomic numbers.
        """
        taken = torch.nonzero(self.selected[z])[:, 0]
        learnt = self.sums(features[taken], z[taken])
        energies = self.baseline[z].index_add(0, taken, learnt)
        if self.delta:
            energies = energies + own.to(torch.float64)
        return energies

    def uncertainties(
        self,
        features: torch.Tensor,
        z: torch.Tensor,
        of_atoms: torch.Tensor,
        chosen: torch.Tensor,
        groups: torch.Tensor,
        per_atom: bool,
    ) -> torch.Tensor:
        """Return standard deviations in eV: of chosen atoms, or of the frames ``groups``.

        That of an atom is that of a frame of it alone, among the neighbours that it has; what the
        composition of a frame leaves undetermined is no matter of one atom.
        """
        if per_atom:
            group = torch.arange(len(chosen), device=z.device)
            n_groups = len(chosen)
        else:
            group = torch.searchsorted(groups, of_atoms[:, 0].contiguous())
            order = torch.argsort(group, stable=True)
            group, chosen = group[order], chosen[order]
            n_groups = len(groups)
        species = z[chosen]
        ones = torch.ones(len(chosen), dtype=torch.float64, device=z.device)
        n_atoms = torch.zeros(n_groups, dtype=torch.float64, device=z.device)
        n_atoms = n_atoms.index_add(0, group, ones)
        known = self.selected[species]
        variances = self.sums.variances(
            features[chosen[known]], species[known], group[known], n_atoms
        )
        if not per_atom:
            n_species = self.beyond.shape[-1]
            counts = torch.zeros(n_groups * n_species, dtype=torch.float64, device=z.device)
            counts = counts.index_add(0, group * n_species + self.place[species], ones)
            counts = counts.reshape(n_groups, n_species)
            away = torch.linalg.vector_norm(counts @ self.beyond, dim=2).amin(dim=0)
            least = self.tolerance * torch.linalg.vector_norm(counts, dim=1)
            away = torch.where(away < least, torch.zeros_like(away), away)
            variances = variances + (self.scale * away).square()
        return variances.sqrt()


def write(potential: SparsePotential, path: str | os.PathLike, *, std: bool = True) -> str:
    """Write a sparse potential to a file of metatomic, whole or not at all; return what it is.

    Parameters
    ----------
    std : whether it tells standard deviations, which engines may ask for in every step.
    """
    species = _species_of(potential)
    with own_torch_settings():
        interface = SparseInterface(potential, species, std).eval()
        atoms = ModelOutput(unit="eV", sample_kind="atom")
        names = [ENERGY, UNCERTAINTY] if std else [ENERGY]
        capabilities = ModelCapabilities(
            outputs=dict.fromkeys(names, atoms),
            atomic_types=species,
            interaction_range=interface.network.reach,
            length_unit="angstrom",
            supported_devices=DEVICES,
            dtype="float64",
        )
        metadata = ModelMetadata(
            name=f"mekrr on {potential.backbone.name}",
            description=f"A sparse kernel potential fitted by mekrr {mekrr.__version__}.",
        )
        model = AtomisticModel(interface, metadata, capabilities)
        with atomic_path(path) as temporary:
            model.save(temporary)
    symbols = ", ".join(chemical_symbols[z] for z in species)
    return (
        f"{', '.join(names)} of atoms of {symbols}; pairs up to {interface.network.cutoff:g} Å, "
        f"neighbours up to {interface.network.reach:g} Å"
    )


def _species_of(potential: SparsePotential) -> list[int]:
    """Return the atomic numbers of the atoms that a potential takes."""
    symbols = set(potential.references.per_species)
    known = {chemical_symbols[z] for z in potential.species}
    taken = [s for s in symbols if s in known or not _is_selected(potential.atoms, s)]
    return sorted({atomic_numbers[s] for s in taken} & potential.backbone.species)


def _is_selected(rule: str | Mapping, symbol: str) -> bool:
    """Tell whether atoms of a species enter the kernels, by a rule that asks for no more."""
    return isinstance(rule, str) or symbol in rule["species"]
