"""The configuration of a pre-training: its set of frames, and the networks trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from mekrr.choices import SYMBOLS
from mekrr.closed import Closed, Maybe, Several, Text, fault, suggestion
from mekrr.study.config.networks import Architecture, Training
from mekrr.study.config.types import Name, Positive
from mekrr.study.config.whole import read_whole

Share = Annotated[float, Field(ge=0, le=1)]
ADSORBATES = (
    "H", "C", "N", "O", "H2", "N2", "O2", "CO", "NO", "OH", "H2O", "CN", "HCN", "NH", "NH2", "NH3",
    "CH", "CH2", "CH3", "CH4", "HCO", "H2CO", "CH3O", "CH3OH", "HCOO", "HCOOH", "CO2", "NO2",
)  # fmt: skip


class Metal(Closed):
    """A metal at its lattice constant."""

    structure: Literal["fcc", "bcc", "hcp"]
    a: Positive


class Kinds(Closed):
    """Shares of runs."""

    adsorbate: Share = Field(description="share of runs with adsorbates on a surface")
    slab: Share = Field(description="share of runs with a clean surface")
    bulk: Share = Field(description="share of runs with bulk metal")
    gas: Share = Field(description="share of runs with molecules alone")

    @model_validator(mode="after")
    def _all(self) -> Kinds:
        total = self.adsorbate + self.slab + self.bulk + self.gas
        if abs(total - 1.0) > 1e-9:
            raise fault(f"shares add up to {total:g}; make it 1")
        return self


class Limits(Closed):
    """Beyond which a frame is dropped."""

    force: Positive = Field(description="eV/Å; frames with a larger force are dropped")
    closest: Share = Field(
        description="share of the sum of covalent radii; frames with closer atoms are dropped"
    )
    repulsive: Share = Field(
        description="the same; frames in which atoms attract that are closer are dropped"
    )


class HeldOut(Closed):
    """What no network is trained on."""

    metals: list[str] = Field(
        description="metals whose surfaces are kept for the test; their bulk is trained on"
    )
    adsorbates: list[str] = Field(description="adsorbates whose frames are kept for the test")
    validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="share of the other runs that choose the epoch"
    )


class Trained(Closed):
    """A network, apart from its name."""

    share: Share = Field(
        description="share of the training runs that it sees; 0 leaves its weights random"
    )


class Pretraining(Closed):
    """A pre-training."""

    name: Name = Field(description="folder under `results/pretraining`")
    title: Text = Field(description="what it is, in tables and figures")
    backbone: Name = Field(description="network that labels; `mekrr backbones` lists them")
    registry: Maybe[Text] = Field(None, description="file that names more backbones")
    licence: Text = Field(description="of the weights, for the record")
    seed: NonNegativeInt = Field(description="of all that is drawn")
    shards: PositiveInt = Field(description="jobs that the sampling is cut into")
    runs: PositiveInt = Field(description="runs in each of them, each some dozen of frames")
    metals: dict[str, Metal] = Field(
        min_length=1, description="`{structure: fcc, a: 3.61}` (`bcc`, `hcp`; Å) by symbol"
    )
    adsorbates: Several[str] = Field(
        description=f'some of {", ".join(ADSORBATES)}; in YAML write "NO", since NO is false'
    )
    excluded: list[str] = Field(
        description="formulas that no frame has, in Hill's order, such as those of the study"
    )
    kinds: Kinds
    limits: Limits
    held_out: HeldOut
    architecture: Architecture = Field(
        description="`hidden_channels`, `num_filters`, `num_interactions`, `num_gaussians`, "
        "`cutoff` (Å) of the SchNet"
    )
    training: Training = Field(description="how it is trained; keys as those of the study")
    hours: Positive = Field(
        description="processor hours after which a training ends as it stands; it goes on from "
        "there where they are raised"
    )
    networks: dict[Name, Trained] = Field(
        min_length=1,
        description="`{share: 1.0}` by name: what share of the training runs each sees, 0 for one "
        "whose weights stay random",
    )

    @model_validator(mode="after")
    def _known(self) -> Pretraining:
        for symbol in self.metals:
            if symbol not in SYMBOLS:
                raise fault(f"{symbol!r} is no element", "metals")
        for name in self.adsorbates:
            if name not in ADSORBATES:
                guess = suggestion(name, ADSORBATES)
                raise fault(f"{name!r} is none that is known{guess}", "adsorbates")
        for key, own in (("metals", self.metals), ("adsorbates", self.adsorbates)):
            unknown = set(getattr(self.held_out, key)) - set(own)
            if unknown:
                raise fault(f"held_out.{key}: {sorted(unknown)[0]!r} is none of `{key}`")
        return self


class PretrainingConfig(Closed):
    """The file of a pre-training."""

    pretraining: Pretraining


def read_pretraining(config: Mapping) -> Pretraining:
    """Return the pre-training of a configuration; a one-line ConfigError for its first fault."""
    return read_whole(config, PretrainingConfig).pretraining
