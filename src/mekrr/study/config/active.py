"""The configuration of a loop: label, fit, run, select, and label again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from mekrr.choices import SELECTIONS
from mekrr.closed import Closed, Maybe, OneOf, Several, Text, fault
from mekrr.features.rule import AtomRule
from mekrr.models.limits import LARGEST_INDUCING, MOST_DIRECTIONS
from mekrr.study.config.molecular_dynamics import Limits
from mekrr.study.config.surrogates import Restraint, Wall
from mekrr.study.config.types import CollectiveVariable, Name, Positive
from mekrr.study.config.whole import read_whole

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
CHOSEN = [name for name in SELECTIONS if name not in ("random", "stride")]


class Source(Closed):
    """Labelled frames."""

    path: Text = Field(description="file that ASE reads, with energies and forces")
    every: PositiveInt = Field(1, description="one frame in so many of it is used")


class Start(Closed):
    """The frames that there are at first."""

    path: Text = Field(description="file of labelled frames; dynamics start at one of them, too")
    frames: Annotated[int, Field(ge=2)] = Field(
        description="how many of them are known at first, drawn by the seed"
    )


class Fit(Closed):
    """The potential that is fitted in each round."""

    forces: Annotated[int, Field(ge=0, le=MOST_DIRECTIONS)] = Field(
        description="random directions along which forces are learnt"
    )
    force_atoms: AtomRule = Field(description="atoms of which all components are learnt")
    inducing: Annotated[int, Field(ge=1, le=LARGEST_INDUCING)] = Field(
        description="most inducing atoms"
    )
    target: Literal["energy", "delta", "auto"] = Field(
        "auto",
        description="what is learnt: energies, or what the network's own leave of them; `auto`, "
        "what varies less among the labelled frames, may change from round to round",
    )


class Select(Closed):
    """Which frames of a trajectory are labelled."""

    method: Annotated[str, OneOf(CHOSEN)] = Field(description="as `mekrr select --method`")
    frames: PositiveInt = Field(description="most frames in a round")
    atoms: AtomRule = Field(description="atoms that count")
    max_std: Maybe[Positive] = Field(
        None, description="eV/atom; fewer are labelled as soon as none is less certain"
    )


class Dynamics(Closed):
    """The dynamics with the potential of a round."""

    ensemble: Literal["langevin", "bussi"] = Field(description="thermostat")
    temperature: Positive = Field(description="K")
    timestep: Positive = Field(description="fs")
    friction: Maybe[Positive] = Field(None, description="1/fs, of `langevin`")
    time_constant: Maybe[Positive] = Field(None, description="fs, of `bussi`")
    steps: PositiveInt = Field(description="integration steps of a round")
    every: PositiveInt = Field(description="steps between two frames, from which one selects")
    restraints: list[Restraint] = Field(
        [], description="moving harmonic restraints, as in the recipe of a surrogate"
    )
    walls: list[Wall] = Field([], description="lower walls, as in the recipe of a surrogate")
    stop_above: Maybe[Positive] = Field(
        None, description="eV/atom of uncertainty, beyond which a run ends"
    )
    limits: Limits

    @model_validator(mode="after")
    def _of_the_thermostat(self) -> Dynamics:
        needed = {"langevin": "friction", "bussi": "time_constant"}[self.ensemble]
        if getattr(self, needed) is None:
            raise fault(f"{self.ensemble} needs it; add it", needed)
        return self


class Label(Closed):
    """What gives energies and forces."""

    calculator: Maybe[Text] = Field(
        None,
        description="`module:function` that makes a calculator of ASE, such as "
        "`ase.calculators.emt:EMT`",
    )
    options: dict[str, Any] = Field({}, description="its keyword arguments")
    command: Maybe[Text] = Field(
        None,
        description="in place of a calculator a command that reads the frames of `{input}`, "
        "extended XYZ, and writes them with energies and forces to `{output}`",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Label:
        if (self.calculator is None) == (self.command is None):
            raise fault("give `calculator` or `command`, one of them")
        if self.calculator is not None and not FUNCTION.fullmatch(self.calculator):
            raise fault(f"{self.calculator!r} is no module:function", "calculator")
        if self.command is not None and self.options:
            raise fault("goes with `calculator`; leave it out", "options")
        if self.command is not None and not all(
            word in self.command for word in ("{input}", "{output}")
        ):
            raise fault("name {input} and {output} in it", "command")
        return self


class Shown(Closed):
    """What tells frames apart in tables and figures."""

    variable: CollectiveVariable = Field(description="such as `{distance: [N, N]}`")
    beyond: float = Field(description="its value from which a frame counts as reacting")
    atoms: AtomRule = Field(description="atoms whose forces have errors of their own")


class Active(Closed):
    """A loop."""

    name: Name = Field(description="folder under `results/active`")
    title: Text = Field(description="what it is, in tables and figures")
    start: Start
    backbone: Name = Field(description="network; `mekrr backbones` lists them")
    registry: Maybe[Text] = Field(None, description="file that names more backbones")
    fit: Fit
    rounds: PositiveInt = Field(description="how often one selects, labels and fits again")
    seeds: Several[NonNegativeInt] = Field(
        description="of start frames, dynamics and what is held against them; the loop runs for "
        "each"
    )
    select: Select
    dynamics: Dynamics
    label: Label
    against: Maybe[Source] = Field(
        None,
        description="long trajectories with labels: as many frames of them at random and by "
        "stride are held against those selected",
    )
    test: Source = Field(description="labelled frames on which errors are computed")
    shown: Shown

    @property
    def ways(self) -> list[str]:
        """How frames are chosen, the loop's own way first."""
        return [self.select.method, *(["random", "stride"] if self.against else [])]


class ActiveConfig(Closed):
    """The file of a loop."""

    active: Active


def read_active(config: Mapping) -> Active:
    """Return the loop of a configuration; a ConfigError of one line for its first fault."""
    return read_whole(config, ActiveConfig).active
