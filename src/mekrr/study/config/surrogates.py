"""Recipes of the data sets that this project makes itself."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from mekrr.choices import SYMBOLS
from mekrr.closed import Closed, Maybe, Text, fault, suggestion
from mekrr.study.config.types import CollectiveVariable, Positive

Vector = Annotated[list[float], Field(min_length=3, max_length=3)]


class System(Closed):
    """A slab with an adsorbate."""

    surface: Literal["Fe(111)", "Cu(110)"] = Field(description="metal and surface")
    size: Annotated[list[PositiveInt], Field(min_length=3, max_length=3)] = Field(
        description="cells along the surface, and layers"
    )
    lattice_constant: Positive = Field(description="Å")
    vacuum: Positive = Field(description="Å, on each side")
    fixed_layers: PositiveInt = Field(description="layers that never move")
    adsorbate: Text = Field(description="its formula")

    @field_validator("adsorbate")
    @classmethod
    def _formula(cls, formula: str) -> str:
        parts = re.findall(r"([A-Z][a-z]?)([0-9]{0,3})", formula)
        written = "".join(symbol + count for symbol, count in parts)
        if written != formula or any(symbol not in SYMBOLS for symbol, _ in parts):
            raise fault(f"{formula!r} is no formula; write it as COOH or N2")
        return formula

    @model_validator(mode="after")
    def _layers(self) -> System:
        if self.fixed_layers > self.size[2]:
            raise fault(f"the slab has {self.size[2]} only", "fixed_layers")
        return self

    @property
    def adsorbed_atoms(self) -> int:
        """Number of atoms of the adsorbate."""
        counts = re.findall(r"[A-Z][a-z]?([0-9]*)", self.adsorbate)
        return sum(int(count or 1) for count in counts)


class Stop(Closed):
    """When a run ends before its last step."""

    variable: CollectiveVariable
    above: float
    after: NonNegativeFloat


class Dynamics(Closed):
    """Langevin dynamics."""

    timestep: Positive = Field(description="fs")
    friction: Positive = Field(description="1/fs")
    equilibration: NonNegativeInt = Field(description="steps before the first frame")
    every: PositiveInt = Field(description="steps between frames")
    stop: Maybe[Stop] = Field(
        None,
        description="`{variable: …, above: …, after: …}` ends a run `after` that time once a "
        "variable is `above` a value",
    )


class Restraint(Closed):
    """A moving harmonic restraint."""

    variable: CollectiveVariable
    begin: float
    end: float
    start: NonNegativeFloat
    ramp: Positive
    stiffness: Positive


class Wall(Closed):
    """A lower wall."""

    variable: CollectiveVariable
    below: float
    stiffness: Positive


class Metadynamics(Closed):
    """Well-tempered metadynamics."""

    variables: Annotated[list[CollectiveVariable], Field(min_length=1)]
    widths: Annotated[list[Positive], Field(min_length=1)]
    height: Positive
    every: Positive
    bias_factor: Annotated[float, Field(gt=1)]

    @model_validator(mode="after")
    def _a_width_for_each(self) -> Metadynamics:
        if len(self.widths) != len(self.variables):
            raise fault("give one for each of `variables`", "widths")
        return self


class Biases(Closed):
    """Biases that act on the dynamics, not on the labels."""

    restraints: list[Restraint] = Field(
        [],
        description="moving harmonic restraints on a `variable`, of some `stiffness`: from `begin` "
        "to `end` within `ramp` after `start`, off before and after",
    )
    walls: list[Wall] = Field(
        [],
        description="lower walls on a `variable`, which hold it from going `below` a value with "
        "some `stiffness`",
    )
    metadynamics: Maybe[Metadynamics] = Field(
        None,
        description="well-tempered metadynamics: `variables`, `widths` and `height` of the hills, "
        "time between hills (`every`), `bias_factor`",
    )


class Run(Closed):
    """One trajectory."""

    seed: NonNegativeInt
    temperature: Positive = Field(description="K")
    steps: PositiveInt
    start: str = Field(description="which of the `starts`")
    biased: bool = Field(True, description="`false` for a run without biases")


class Surrogate(Closed):
    """The recipe of a data set that this project makes, apart from its name."""

    system: System
    starts: Annotated[
        dict[str, Annotated[list[Vector], Field(min_length=1)]], Field(min_length=1)
    ] = Field(description="positions of the adsorbate's atoms from the topmost metal atom, by name")
    dynamics: Dynamics
    biases: Maybe[Biases] = None
    runs: Annotated[list[Run], Field(min_length=1)] = Field(
        description="`seed`, `temperature`, `steps`, which `start`; `biased: false` for a run "
        "without biases"
    )

    @model_validator(mode="after")
    def _starts_of_the_adsorbate(self) -> Surrogate:
        n_atoms = self.system.adsorbed_atoms
        for name, positions in self.starts.items():
            if len(positions) != n_atoms:
                raise fault(
                    f"{len(positions)} positions for {self.system.adsorbate}, which has {n_atoms} "
                    "atoms; give one for each",
                    f"starts.{name}",
                )
        for number, run in enumerate(self.runs):
            if run.start not in self.starts:
                guess, known = suggestion(run.start, self.starts), ", ".join(sorted(self.starts))
                message = f"{run.start!r} is not in the registry `starts`{guess}; known: {known}"
                raise fault(message, f"runs.{number}.start")
        return self
