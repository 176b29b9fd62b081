"""Entries of the registry of data sets."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from mekrr.backbones.entry import Sha256
from mekrr.choices import REFERENCES
from mekrr.closed import Chosen, Closed, Maybe, OneOf, Symbol, Text, fault, validator
from mekrr.features.rule import AtomRule
from mekrr.study.config.types import (
    CollectiveVariable,
    DataDownload,
    Files,
    Parts,
    Published,
    in_parts,
)

_energies = validator(Annotated[dict[Symbol, float], Field(min_length=1)])
ReferenceEnergy = Annotated[
    Annotated[str, OneOf(REFERENCES)] | dict[Symbol, float],
    Chosen(
        lambda value: _energies if isinstance(value, dict) else None,
        "none, mean, least-squares, isolated-atoms, or an energy in eV per species as "
        "{Fe: -8.31, N: -8.95}",
    ),
]


class StretchOfRun(Closed):
    """Frames of one run."""

    run: NonNegativeInt
    first: Maybe[NonNegativeInt] = None
    count: Maybe[Annotated[int, Field(ge=10)]] = None


class StretchOfFrames(Closed):
    """Frames by the numbers of the first and the last."""

    frames: Annotated[list[NonNegativeInt], Field(min_length=2, max_length=2)]

    @field_validator("frames")
    @classmethod
    def _rising(cls, frames: list[int]) -> list[int]:
        return rising(frames)


def _kind_of_stretch(value: object) -> object:
    if not isinstance(value, dict):
        return None
    return (StretchOfFrames if "frames" in value else StretchOfRun).model_validate


Stretch = Annotated[
    StretchOfRun | StretchOfFrames,
    Chosen(_kind_of_stretch, "{run: 1, first: 20, count: 100}, or {frames: [2000, 2111]}"),
]


class Event(Closed):
    """What happens in the stretch of a heatmap."""

    above: float = Field(
        description="the event that the stretch shows, as a threshold of the first of the "
        "`collective_variables`, e.g. `{above: 2.0}` for N–N > 2 Å. With it, "
        "`results/tables/clusters.*` tells how well clusters match the event, within one run and, "
        "as a control, with two runs joined"
    )


class Dataset(Closed):
    """A data set, apart from its name."""

    path: Maybe[Files] = Field(
        None,
        description="the trajectory; this or `download`. A relative path counts from the "
        "folder in which Snakemake runs. A data set that comes divided: `{train: …, val: …, test: "
        "…}`",
    )
    download: Maybe[DataDownload] = None
    format: Maybe[Text] = Field(
        None,
        description="ASE's name of the trajectory's format (`extxyz`, `vasp-out`, …; `ase info "
        "--formats` lists them), if it is not recognised",
    )
    energy_key: Maybe[Text] = Field(
        None,
        description="key of the total energy (eV) in the file, e.g. `REF_energy`, if it is not "
        "what ASE takes for it",
    )
    forces_key: Maybe[Text] = Field(
        None,
        description="the same of the forces (eV/Å), e.g. `REF_forces`. Frames without forces count "
        "for energies only",
    )
    group_key: Maybe[Text] = Field(
        None,
        description="key of the group that each frame belongs to, e.g. `config_type`, by which the "
        "errors of a large data set are told apart; without it they are by run",
    )
    sha256: Maybe[Sha256] = Field(
        None, description="checksum of that file; if given, another file is refused"
    )
    title: Maybe[Text] = Field(
        None,
        description="name in tables and figures, of any printable characters; figures cut it to 48",
    )
    theory: Maybe[Text] = Field(None, description="for the record")
    licence: Maybe[Text] = Field(None, description="for the record")
    citation: Maybe[Text] = Field(None, description="for the record")
    system: Maybe[Text] = Field(None, description="composition and surface, for the record")
    frames: Maybe[Annotated[int, Field(ge=10)]] = Field(
        None,
        description="number of frames that the file must have, before `study.every` takes some",
    )
    atoms: Maybe[PositiveInt] = Field(None, description="number of atoms in each frame")
    mean_atoms: Maybe[PositiveInt] = Field(
        None,
        description="the same on average, where frames differ in size; what jobs ask for follows "
        "from either",
    )
    energy_range: Maybe[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        None,
        description="lowest and highest energy to expect, eV/atom, e.g. `[-9.2, -8.4]`. Energies "
        "outside draw a warning; energies that were given per atom instead of for the whole frame "
        "are recognised",
    )
    time_ordered: bool = Field(
        True,
        description="`false` if the frames of a run do not follow each other in time; the split "
        "`sequential` is then refused",
    )
    runs: Maybe[Annotated[list[NonNegativeInt], Field(min_length=1)]] = Field(
        None,
        description="first frame of each run, e.g. `[0, 2058]`, for a file whose frames do not "
        "state their run",
    )
    published_as: Maybe[Published] = Field(
        None,
        description="if it is that data set of the paper: its published errors then stand beside "
        "ours, with the difference",
    )
    surrogate_for: Maybe[Published] = Field(
        None,
        description="if it stands in for that data set: published errors are shown, marked as no "
        "target",
    )
    reference_energy: ReferenceEnergy = Field(
        "least-squares",
        description="what is subtracted from total energies before a fit and added after: "
        "`least-squares` (an energy per species, fitted on training frames), `mean` (the mean "
        "energy per atom), `none`, `isolated-atoms`, or an energy in eV per species, e.g. "
        "`{Fe: -8.31, N: -8.95}`. It matters where frames differ in composition. Frames with "
        "`config_type=IsolatedAtom` are never fitted or tested on: `isolated-atoms` takes the "
        "references from them, and `least-squares`, if there is one of every species, what the "
        "training compositions leave undetermined. What stays undetermined, of test frames or of "
        "the target of a transfer, widens the standard deviations; the check of the data set warns "
        "of it and says which species cannot be told apart",
    )
    collective_variables: Maybe[Annotated[list[CollectiveVariable], Field(min_length=1)]] = Field(
        None,
        description="list of `{distance: [C, H]}` (shortest between two species), `{distance: "
        "[0, 3]}` (two atoms by index from 0) or `{coordination: [N, Fe], radius: 2.5}` "
        "(Σ 1/(1 + (r/radius)⁶) over the pairs). Computed for every frame; the first is drawn "
        "below the heatmaps, and errors are drawn along it",
    )
    stretch: Maybe[Stretch] = Field(
        None,
        description="the frames of the heatmaps: `{run: 1, first: 20, count: 100}`, so many frames "
        "(default 120) of one run from its frame `first` (default 0) on; or `{frames: [2000, "
        "2111]}`, by the numbers of the first and the last, which may join runs as the paper's "
        "stretch of D2 does. Default: the start of the longest run. Each of them counts, whatever "
        "`study.every` leaves out",
    )
    event: Maybe[Event] = None
    reactive: Maybe[AtomRule] = Field(
        None,
        description="atoms of which, with `sparse.directions.reactive`, all components of the "
        "forces are learnt, such as those of the adsorbate",
    )

    @field_validator("energy_range", "runs")
    @classmethod
    def _rising(cls, numbers: list) -> list:
        return rising(numbers)

    @field_validator("runs")
    @classmethod
    def _from_the_start(cls, runs: list[int]) -> list[int]:
        if runs[0] != 0:
            raise fault("the first run begins with frame 0; add it")
        return runs

    @model_validator(mode="after")
    def _one_source(self) -> Dataset:
        if (self.path is None) == (self.download is None):
            raise fault("give either `path` or `download`")
        if self.sha256 and isinstance(self.path, Parts):
            raise fault("checks one file, `path` names several", "sha256")
        for key, files in (("path", self.path), ("download.member", self._member)):
            if len(set(in_parts(files))) < len(in_parts(files)):
                raise fault("two parts are the same file; name one for each", key)
        if self.surrogate_for and self.published_as:
            raise fault("give either surrogate_for or published_as, not both")
        if self.atoms and self.mean_atoms:
            raise fault("give either atoms, of every frame, or mean_atoms, not both")
        if self.event and not self.collective_variables:
            raise fault("key `collective_variables` is missing, which `event` needs; add it")
        return self

    @property
    def _member(self) -> str | Parts | None:
        return self.download.member if self.download else None

    @property
    def files(self) -> list[str]:
        """Its file, or the three of its parts: local, or where they will be once downloaded."""
        return self.download.files if self.download else in_parts(self.path)

    @property
    def file_sha256(self) -> str | None:
        """Checksum that its file must have, None if the registry gives none."""
        known = None if self.download is None or self.download.member else self.download.sha256
        return self.sha256 or known

    @property
    def is_divided(self) -> bool:
        """Whether it comes as train, val and test."""
        return isinstance(self.path, Parts) or isinstance(self._member, Parts)


def rising(numbers: list) -> list:
    """Refuse numbers that do not rise."""
    if any(first >= second for first, second in pairwise(numbers)):
        raise fault(f"{numbers}: must rise; put them in order, each once")
    return numbers
