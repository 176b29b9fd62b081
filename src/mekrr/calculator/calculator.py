"""A potential as an ASE calculator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from copy import copy, deepcopy
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator as AseCalculator
from ase.calculators.calculator import PropertyNotImplementedError, all_changes
from ase.outputs import Properties, all_outputs

from mekrr.calculator.save import append_frame
from mekrr.calculator.skin import Skin
from mekrr.data.structure import check_structure
from mekrr.errors import (
    BackboneError,
    CompositionWarning,
    ConfigError,
    DataError,
    InputError,
    UncertaintyError,
    UncertaintyWarning,
    first_line,
)
from mekrr.files import check_output
from mekrr.models.load import load_model
from mekrr.models.on_backbone import OnBackbone
from mekrr.models.potentials.base import Potential

SKIN = 0.5  # Å
WARN_ABOVE = 2.0  # times the largest standard deviation that training leads one to expect
EXPECTED = "expected"


class Calculator(AseCalculator):
    """Energy, forces and stress by a fitted model, all in one pass and kept until atoms change.

    ``results`` has ``energy`` and ``free_energy``, which are the same, ``forces``; ``stress`` of
    frames with a cell; ``energies`` of the atoms where the model is extensive; ``energy_std``
    where it has one; and ``force_std``, (n, 3) standard deviations of the forces in eV/Å, after
    `force_std` was called. Units are ASE's: eV, eV/Å, eV/Å³.

    Calculators may share a model and a potential, but each set of atoms needs its own: of a band
    of images, say, ``potential = model.potential()`` and a ``Calculator(potential)`` each. Copies
    share the potential. A pickle of one made of a model or its file holds no network: it is opened
    by the first calculation.

    Each calculation raises a DataError or BackboneError in one line for atoms at the same place,
    positions that are not finite, a periodic cell without volume, no atoms at all, and elements
    that no training frame had or the network does not know. A CompositionWarning tells, once for
    each composition, what training leaves undetermined of its energy.

    Parameters
    ----------
    model : fitted `MEKRR` or `SparseMEKRR`, path of its file, or any `Potential`.
    dtype : "float32" (the default) or "float64", in which a model computes; a `Potential` has
        its own.
    registry : file that names more backbones, for a model that is read from its file.
    skin : Å, by which pairs are looked for beyond the cutoff, to be used again while no atom
        has moved by half of it.
    std : whether to compute ``energy_std``; None: if the model has one. Costs some kernels.
    warn_above : ``energy_std`` per atom, eV/atom, beyond which an UncertaintyWarning comes, once;
        None for never. By default twice the largest that a frame has which the fit was held
        against, a training frame by leave-one-out: the model knows less of this frame than it
        did of any of those.
    stop_above : the same, beyond which the frame is appended to ``save``, extended XYZ without
        labels, and an UncertaintyError is raised; None for never.
    save : path of that file.

    Raises
    ------
    ConfigError, InputError, ModelFileError, OutputError
        If an argument has no possible value, the file is no model, or ``save`` cannot be written.
    """

    implemented_properties: ClassVar[list[str]] = [  # type: ignore[misc]
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        "energy_std",
        "force_std",
    ]

    def __init__(
        self,
        model: OnBackbone | Potential | str | os.PathLike,
        *,
        dtype: str | None = None,
        registry: str | os.PathLike | None = None,
        skin: float = SKIN,
        std: bool | None = None,
        warn_above: float | str | None = EXPECTED,
        stop_above: float | None = None,
        save: str | os.PathLike = "uncertain.extxyz",
    ):
        super().__init__()
        if isinstance(model, str | os.PathLike):
            model = load_model(model, registry=registry)
        elif registry is not None:
            raise InputError("registry goes with the path of a model; open it with the model")
        if not isinstance(model, OnBackbone | Potential):
            raise InputError(
                f"model is a {type(model).__name__}; give a fitted MEKRR or SparseMEKRR, the path "
                "of its file, or a Potential"
            )
        if isinstance(model, Potential) and dtype is not None:
            raise InputError("a Potential has its own dtype; leave dtype out, or give its model")
        if dtype not in (None, "float32", "float64"):
            raise ConfigError(f"dtype={dtype!r}: give 'float32' or 'float64'")
        self._dtype = dtype or "float32"
        self._model: OnBackbone | Potential = model
        self._potential: Potential | None = self._opened()
        if isinstance(model, OnBackbone):
            self._model = copy(model)  # without its network, and no later fit changes it
        self._pairs = Skin(skin)
        given = {"warn_above": warn_above, "stop_above": stop_above}
        self.std = _with_std(self.potential, std, [n for n, v in given.items() if _is_number(v)])
        self.warn_above = _threshold("warn_above", self._expected(warn_above))
        self.stop_above = _threshold("stop_above", stop_above)
        if stop_above is not None:
            check_output(save)
        self.save = save
        self._warned = False
        self._told: set[str] = set()  # compositions

    @property
    def potential(self) -> Potential:
        """The potential that computes."""
        if self._potential is None:
            self._potential = self._opened()
        return self._potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute ``results`` for atoms; called by ASE."""
        super().calculate(atoms)
        atoms = self.atoms
        _require_possible(atoms, properties, self.std)
        if system_changes or "energy" not in self.results:
            self.results = {}
            check_structure(atoms, _where(atoms))
            self.results = self._evaluated(atoms)
        if "force_std" in properties:
            if not self.potential.has_std:
                raise PropertyNotImplementedError("force_std: the model has none")
            self.results["force_std"] = self.potential.force_std(atoms, self._pairs)
        if "energies" in properties and "energies" not in self.results:
            raise PropertyNotImplementedError(
                "energies: the energy is no sum over atoms; fit with form='extensive'"
            )

    def force_std(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return standard deviations (n, 3), eV/Å, of the components of the forces.

        Those of the Gaussian process, see `mekrr.models.potentials.force_std`. They cost six
        passes through the network for each atom.
        """
        return self.get_property("force_std", atoms)

    def export_properties(self) -> Properties:
        """Return the results of which ASE knows."""
        return Properties({k: v for k, v in self.results.items() if k in all_outputs})

    def __deepcopy__(self, memo: dict[int, Any]) -> Calculator:
        for shared in (self._model, self._potential):  # which no calculation changes
            memo[id(shared)] = shared
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        vars(other).update(deepcopy(vars(self), memo))
        return other

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | ({"_potential": None} if isinstance(self._model, OnBackbone) else {})

    def _opened(self) -> Potential:
        if isinstance(self._model, Potential):
            return self._model
        return self._model.potential(self._dtype)

    def _evaluated(self, atoms: Atoms) -> dict[str, Any]:
        """Return the results for atoms, unless they are too uncertain."""
        try:
            found = self.potential.evaluate(atoms, std=self.std, search=self._pairs)
        except (DataError, BackboneError) as error:
            raise type(error)(f"{_where(atoms)}: {error}") from error
        results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "forces": found.forces,
            "stress": found.stress,
            "energies": found.energies,
            "energy_std": found.energy_std,
        }
        self._tell_of_composition(atoms)
        if found.energy_std is not None:
            self._judge(atoms, found.energy_std)
        return {name: value for name, value in results.items() if value is not None}

    def _expected(self, warn_above: float | str | None) -> float | None:
        """Return a threshold by its name."""
        if not isinstance(warn_above, str):
            return warn_above
        if warn_above != EXPECTED:
            raise ConfigError(f"warn_above={warn_above!r}: give eV/atom, None or {EXPECTED!r}")
        expected = self.potential.expected_std() if self.std else None
        return None if expected is None else WARN_ABOVE * expected

    def _tell_of_composition(self, atoms: Atoms) -> None:
        formula = atoms.get_chemical_formula()
        if formula in self._told:
            return
        self._told.add(formula)
        if doubt := self.potential.doubt([atoms]):
            warnings.warn(doubt, CompositionWarning, stacklevel=2)

    def _judge(self, atoms: Atoms, energy_std: float) -> None:
        """Warn of a standard deviation (eV) of the energy that is too large, or stop."""
        of_atom = energy_std / len(atoms)
        if self.stop_above is not None and not of_atom <= self.stop_above:
            raise UncertaintyError(self._kept(atoms, energy_std, of_atom))
        if self.warn_above is not None and not self._warned and not of_atom <= self.warn_above:
            self._warned = True
            warnings.warn(
                f"{_where(atoms)}: the energy is uncertain by {of_atom:.3g} "
                f"eV/atom, more than warn_above={self.warn_above:.3g}: the training frames say "
                "little of such atoms; label some and fit again (this is said once)",
                UncertaintyWarning,
                stacklevel=2,
            )

    def _kept(self, atoms: Atoms, energy_std: float, of_atom: float) -> str:
        """Append atoms to the file for labelling; return the message of the stop."""
        what = (
            f"{_where(atoms)}: the energy is uncertain by {of_atom:.3g} eV/atom, "
            f"more than stop_above={self.stop_above:.3g}"
        )
        try:
            append_frame(self.save, atoms, energy_std)
        except OSError as error:
            return f"{what}; the frame could not be kept in {self.save}: {first_line(error)}"
        return f"{what}; the frame is in {self.save}: label it and fit again"


def _with_std(potential: Potential, std: bool | None, needed_by: Sequence[str]) -> bool:
    """Return whether standard deviations are computed."""
    if std is None:
        std = potential.has_std
    if std and not potential.has_std:
        raise InputError("std=True, but the model states no standard deviations; leave it out")
    if needed_by and not std:
        raise InputError(
            f"{needed_by[0]} needs standard deviations (std=True) of a model that states them"
        )
    return std


def _is_number(value: object) -> bool:
    return value is not None and not isinstance(value, str)


def _threshold(name: str, value: float | None) -> float | None:
    if value is not None and not value >= 0.0:
        raise ConfigError(f"{name}={value}: give eV/atom from 0, or None")
    return value


def _where(atoms: Atoms) -> str:
    """Return what opens a message on atoms."""
    return f"Calculator: atoms {atoms.get_chemical_formula()}".strip()


def _require_possible(atoms: Atoms, properties: Sequence[str], std: bool) -> None:
    """Refuse, before the work, what atoms cannot have."""
    if "stress" in properties and atoms.cell.rank < 3:
        raise PropertyNotImplementedError("stress: the atoms have no cell of three vectors")
    if "energy_std" in properties and not std:
        raise PropertyNotImplementedError(
            "energy_std: not computed; give std=True, if there is one"
        )
