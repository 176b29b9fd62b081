"""Bias potentials on collective variables, for sampling rare events.

A bias acts on the forces that the integrator sees, never on the calculator's results: the
labels of the frames stay those of the potential alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms, units

from mekrr.data.variables import variable


class Restraint:
    """Moving harmonic restraint V = k/2 (s - s0(t))², then nothing.

    s0 goes linearly from ``begin`` to ``end`` within ``ramp`` fs after ``start`` and the
    restraint is off before and after. ``stiffness`` is in eV per squared unit of s.
    """

    def __init__(
        self, variable: Mapping, begin: float, end: float, start: float, ramp: float,
        stiffness: float,
    ):  # fmt: skip
        self.variables = [variable]
        self.begin, self.end, self.start, self.ramp = begin, end, start, ramp
        self.stiffness = stiffness
        self.target: float | None = None

    def advance(self, time: float, values: np.ndarray) -> None:
        progress = (time - self.start) / self.ramp
        on = 0.0 <= progress <= 1.0
        self.target = self.begin + progress * (self.end - self.begin) if on else None

    def energy(self, values: np.ndarray) -> float:
        """V (eV)."""
        if self.target is None:
            return 0.0
        return 0.5 * self.stiffness * float(values[0] - self.target) ** 2

    def slopes(self, values: np.ndarray) -> np.ndarray:
        """dV/ds."""
        if self.target is None:
            return np.zeros_like(values)
        return self.stiffness * (values - self.target)


class Wall:
    """Lower wall V = k/2 (s - below)² for s < ``below``; keeps a molecule at its surface."""

    def __init__(self, variable: Mapping, below: float, stiffness: float):
        self.variables = [variable]
        self.below, self.stiffness = below, stiffness

    def advance(self, time: float, values: np.ndarray) -> None:
        """A wall does not change with time."""

    def energy(self, values: np.ndarray) -> float:
        """V (eV)."""
        return 0.5 * self.stiffness * float(np.minimum(values[0] - self.below, 0.0)) ** 2

    def slopes(self, values: np.ndarray) -> np.ndarray:
        """dV/ds."""
        return self.stiffness * np.minimum(values - self.below, 0.0)


class Metadynamics:
    """Well-tempered metadynamics (Barducci, Bussi, Parrinello, PRL 100, 020603 (2008)).

    V(s) = Σ_i w_i exp(-½ Σ_k ((s_k - s_k,i)/σ_k)²), a hill every ``every`` fs of height
    w_i = ``height`` exp(-V(s_i) / (k_B T (``bias_factor`` - 1))) in eV. ``widths`` are the σ_k.
    """

    def __init__(
        self, variables: Sequence[Mapping], widths: Sequence[float], height: float, every: float,
        bias_factor: float, temperature: float,
    ):  # fmt: skip
        self.variables = list(variables)
        self.widths = np.asarray(widths, dtype=float)
        self.height, self.every = height, every
        self.tempering = units.kB * temperature * (bias_factor - 1)
        self.centres = np.empty((0, len(self.widths)))
        self.heights = np.empty(0)
        self.next = 0.0

    def energy(self, values: np.ndarray) -> float:
        """V (eV)."""
        return float(self._hills(values)[1].sum())

    def advance(self, time: float, values: np.ndarray) -> None:
        if time < self.next:
            return
        self.next += self.every
        height = self.height * np.exp(-self.energy(values) / self.tempering)
        self.centres = np.vstack([self.centres, values])
        self.heights = np.append(self.heights, height)

    def slopes(self, values: np.ndarray) -> np.ndarray:
        """dV/ds."""
        offsets, hills = self._hills(values)
        return -(hills @ offsets) / self.widths

    def _hills(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offsets = (values - self.centres) / self.widths
        return offsets, self.heights * np.exp(-0.5 * np.sum(offsets**2, axis=1))


class Biased:
    """ASE constraint that adds the forces of biases to those of the potential."""

    def __init__(self, biases: Sequence[Restraint | Wall | Metadynamics], atoms: Atoms):
        self.biases = [(bias, [variable(v, atoms) for v in bias.variables]) for bias in biases]

    def __repr__(self) -> str:
        return f"Biased({', '.join(repr(vars(bias)) for bias, _ in self.biases)})"

    def advance(self, time: float, atoms: Atoms) -> None:
        """Move restraints to, and add hills at, ``time`` (fs)."""
        for bias, variables in self.biases:
            bias.advance(time, np.array([v.value(atoms) for v in variables]))

    def adjust_forces(self, atoms: Atoms, forces: np.ndarray) -> None:
        for bias, variables in self.biases:
            values, gradients = zip(*(v.gradient(atoms) for v in variables), strict=True)
            for slope, gradient in zip(bias.slopes(np.array(values)), gradients, strict=True):
                forces -= slope * gradient

    def adjust_potential_energy(self, atoms: Atoms) -> float:
        """Energy of all biases (eV). That it exists makes ASE apply them in dynamics."""
        return sum(
            bias.energy(np.array([v.value(atoms) for v in variables]))
            for bias, variables in self.biases
        )

    def get_removed_dof(self, atoms: Atoms) -> int:
        return 0

    def adjust_positions(self, atoms: Atoms, new: np.ndarray) -> None:
        """A bias moves nothing by itself."""

    def adjust_momenta(self, atoms: Atoms, momenta: np.ndarray) -> None:
        """A bias removes no degree of freedom."""
