"""The section of molecular dynamics with what was fitted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from mekrr.closed import Closed, OneOf, Unique, fault
from mekrr.study.config.types import Name, Positive
from mekrr.study.methods import METHODS


class Limits(Closed):
    """Where a run of molecular dynamics has left the physics, and ends."""

    hottest: Annotated[float, Field(gt=1)] = Field(
        description="a run ends where its temperature is more than so many times the one that was "
        "set"
    )
    closest: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="a run ends where two atoms are closer than this share of the sum of their "
        "covalent radii"
    )
    drift: Positive = Field(
        description="an NVE run ends where its total energy is farther than this (meV/atom) from "
        "that of its start"
    )


class MolecularDynamics(Closed):
    """Dynamics with what was fitted, held against the potential that made the data."""

    datasets: Unique[Name] = Field(
        description="surrogates, whose true potential can be asked, and whose recipe says "
        "temperature (of its first run), time step and friction; those that are not in the study "
        "are left alone. The fits are those under the first of `study.splits` and of "
        "`study.seeds`, and all runs start at its first test frame with the same velocities. "
        "`[]`: no dynamics"
    )
    ensembles: Unique[Literal["NVE", "NVT"]] = Field(
        description="energy conserved (velocity Verlet), or temperature kept (Langevin)"
    )
    methods: Unique[Annotated[str, OneOf(METHODS)]] = Field(
        description="what runs, by its name in the CSV tables; what the study does not fit is "
        "left alone"
    )
    backbones: Unique[Name] = Field(
        description="backbones whose methods run, of those in the study; they need gradients"
    )
    length: Positive = Field(description="length of a run, ps")
    every: PositiveInt = Field(description="steps between two rows of the log")
    frames_every: PositiveInt = Field(
        description="steps between two frames that are kept, and held against the true potential; "
        "a multiple of `every`"
    )
    tolerance: Positive = Field(
        description="a run counts as true until its energy is this far (meV/atom) from the true "
        "one's, the difference at the start taken off"
    )
    limits: Limits

    @model_validator(mode="after")
    def _frames_in_rows(self) -> MolecularDynamics:
        if self.frames_every % self.every:
            message = f"{self.frames_every} is no multiple of `every`, {self.every}; make it one"
            raise fault(message, "frames_every")
        return self
