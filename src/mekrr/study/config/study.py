"""The whole configuration: the study, and the registries whose entries it names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from mekrr.backbones.entry import BackboneEntry, Download, Weights
from mekrr.choices import MEDIANS
from mekrr.closed import Chosen, Closed, Maybe, OneOf, Several, Unique, fault
from mekrr.features.rule import AtomRule
from mekrr.kernels.atom import RADIAL
from mekrr.study.config.datasets import Dataset
from mekrr.study.config.franken import Franken
from mekrr.study.config.large import Large
from mekrr.study.config.molecular_dynamics import MolecularDynamics
from mekrr.study.config.networks import Network, Training
from mekrr.study.config.sparse import Sparse
from mekrr.study.config.surrogates import Surrogate
from mekrr.study.config.types import Count, Name, Positive, Strategy

REGISTRIES = ("datasets", "backbones", "surrogates", "networks")
Share = Annotated[float, Field(gt=0, lt=1)]
Batch = Annotated[
    Literal["auto"] | PositiveInt, Chosen(lambda value: None, "auto, or an integer of at least 1")
]


Some = Annotated[
    Literal["all"] | PositiveInt, Chosen(lambda value: None, "all, or an integer of at least 1")
]


class Study(Closed):
    """What is run."""

    datasets: Several[Name] = Field(description="data sets to run, each an entry of the registry")
    every: PositiveInt = Field(
        description="one frame in so many of each data set is used; 1 for all"
    )
    backbones: Several[Name] = Field(description="backbones to run, each an entry of the registry")
    networks: Unique[Name] = Field(description="networks to train, each an entry of the registry")
    splits: Several[Strategy] = Field(
        description="frames at random; whole runs at random; consecutive stretches of the file; "
        "the division that a data set comes with"
    )
    seeds: Several[NonNegativeInt] = Field(
        description="one fit per seed, which seeds the splits; `sequential` and `published` use "
        "the first only"
    )
    gap: bool = Field(description="whether GAP-SOAP is fitted too, see below")
    transfer: Unique[Annotated[Unique[Name], Field(min_length=2, max_length=2)]] = Field(
        description="`[source, target]`, data sets of the study: every fit on the source is tested "
        "on the target's test frames, nothing chosen on the target, under the first of "
        "`study.splits`. Reference energies are the source's. Pairs of data sets that are not in "
        "the study are left alone"
    )


class Fractions(Closed):
    """Shares of the frames, which sum to 1."""

    train: Share = Field(description="share of the frames that are trained on")
    val: Share = Field(description="share of the frames that parameters are chosen on")
    test: Share = Field(
        description="share of the frames that are only tested on; the three sum to 1"
    )

    @model_validator(mode="after")
    def _whole(self) -> Fractions:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-9:
            raise fault(f"train + val + test = {total:g}; they must sum to 1")
        return self


class Split(Closed):
    """How frames are divided."""

    fractions: Fractions


class BatchSize(Closed):
    """Frames per forward pass."""

    cpu: Batch = Field(
        description="frames per forward pass on a CPU; `auto`, what costs the least per frame, is "
        "each backbone's own number (single frames, which stay in the cache; 4 for SOAP, 8 for "
        "SchNet), and of small frames as many as have 48 atoms together"
    )
    cuda: Batch = Field(
        description="the same on a GPU; `auto` is what fits into the free memory. A batch that "
        "does not fit is halved"
    )


class Features(Closed):
    """How features are computed and kept."""

    batch_size: BatchSize
    shard_frames: PositiveInt = Field(
        description="frames per job of a data set whose `frames` the registry gives; others are "
        "one job"
    )
    atoms: AtomRule = Field(
        description="atoms that enter the kernel: all; those that the file does not mark as fixed "
        "(extxyz: `move_mask`); by species; within a distance (Å) of a species"
    )
    dtype: Literal["float32", "float16"] = Field(
        description="how features are stored; `float16` is half the disk for three digits"
    )


class Kernels(Closed):
    """How kernels are computed."""

    atom: Annotated[str, OneOf(RADIAL)] = Field(
        description="kernel between atoms of all methods but ridge regression; the paper's is "
        "`gaussian`"
    )
    lengthscale: Annotated[
        Annotated[str, OneOf(MEDIANS)] | Positive,
        Chosen(lambda value: None, "median, sampled-median, or a number above 0"),
    ] = Field(
        description="σ of the atom kernel: the median distance between training atoms (the "
        "paper's; costs about as much as the kernels between training frames), the same over 4,000 "
        "atoms drawn at random, or a number for every layer"
    )
    block_frames: PositiveInt = Field(
        description="frames per part of a data set whose `frames` the registry gives: kernels "
        "between each two parts are a job. Others, and smaller ones, are one job; the result is "
        "the same"
    )


class AlphaGrid(Closed):
    """Values of α."""

    smallest: Share = Field(description="the smallest α but 0")
    count: Annotated[int, Field(ge=3, le=1000)] = Field(
        description="number of α: 0 and `count - 1` geometric steps from `smallest` to 1"
    )


class RegularisationGrid(Closed):
    """Values of λ."""

    smallest: Positive = Field(description="the smallest λ in (K + λ T I) c = y")
    largest: Positive = Field(description="the largest λ")
    count: Annotated[int, Field(ge=1, le=1000)] = Field(description="number of geometric steps")

    @model_validator(mode="after")
    def _rising(self) -> RegularisationGrid:
        if self.smallest > self.largest:
            raise fault("smallest is above largest; exchange them")
        return self


class Grid(Closed):
    """Values from which validation chooses."""

    alpha: AlphaGrid
    regularisation: RegularisationGrid


class GapForces(Closed):
    """How GAP-SOAP learns forces."""

    sigma: Positive = Field(
        description="where given, a GAP is fitted to energies and forces too, as GAP-SOAP-forces; "
        "the error that components of forces are taken to have, eV/Å"
    )
    frames: Some = Field(
        description="training frames, drawn at random by the seed of the split, whose forces are "
        "learnt; `all`: each of them. All slopes of their SOAP vectors are in memory at once; "
        "a fit for which there is too little is refused"
    )


class Gap(Closed):
    """Settings of GAP-SOAP."""

    n_max: Annotated[int, Field(ge=1, le=100)] = Field(
        description="radial functions of the SOAP vectors. As published: 12"
    )
    l_max: Annotated[int, Field(ge=0, le=50)] = Field(
        description="angular momenta of the SOAP vectors. As published: 6"
    )
    cutoff: Annotated[float, Field(gt=0, le=100)] = Field(
        description="radius of the SOAP vectors, Å"
    )
    cutoff_transition_width: Positive = Field(description="width of the edge of that radius, Å")
    atom_sigma: Positive = Field(description="width of an atom's density, Å")
    zeta: PositiveInt = Field(description="exponent of the kernel")
    delta: Positive = Field(description="scale of the energies that the kernel is to explain, eV")
    n_sparse: PositiveInt = Field(
        description="representative atoms per species (1,000 as published)"
    )
    sparse_method: Literal["random", "kmeans", "covariance", "cur_points"] = Field(
        description="how representative atoms are chosen"
    )
    default_sigma: Positive = Field(description="error that energies are taken to have, eV/atom")
    forces: Maybe[GapForces] = None


class Tables(Closed):
    """What tables show."""

    largest_errors: PositiveInt = Field(description="frames per fit in the table of largest errors")


class Forces(Closed):
    """Errors of forces."""

    frames: Count = Field(
        description="test frames with forces, drawn at random by the seed of the split, on which "
        "every fit's forces are compared with those of the data; `all`: each of them. In Table 1 "
        "and, where a learning curve's split and seed are among these, along it"
    )
    splits: Count = Field(description="of so many of `study.splits`, from the first")
    seeds: Count = Field(
        description="of so many of `study.seeds`, from the first; 0: no errors of forces"
    )


class Learning(Closed):
    """Learning curves."""

    n_train: Unique[Annotated[int, Field(ge=2)]] = Field(
        description="numbers of training frames in the learning curves; those that the split does "
        "not have are left out, all training frames are the fit of the study. `[]`: no curves. "
        "Under the first of `study.splits`"
    )
    skip: Unique[Name] = Field(description="data sets without learning curves")


class Ablation(Closed):
    """Errors with one part of the method changed."""

    split: Strategy = Field(
        description="split on which one part of the method is changed at a time"
    )
    seeds: Unique[NonNegativeInt] = Field(description="its seeds; `[]`: no ablations")
    skip: Unique[Name] = Field(description="data sets without ablations")
    lengthscales: Unique[Positive] = Field(
        description="factors of the median lengthscale to try beside 1"
    )
    sparse: Unique[Name] = Field(
        description="data sets on which sparse models are changed too, under the same splits, if "
        "they are fitted there; `[]`: on none"
    )


class Heatmap(Closed):
    """Kernels along a stretch of frames."""

    split: Strategy = Field(
        description="the split whose training atoms set the lengthscale of the heatmaps, and whose "
        "kernel the spectrum and the principal components are of"
    )
    seed: NonNegativeInt = Field(description="its seed, which seeds the clusters drawn, too")
    skip: Unique[Name] = Field(description="data sets without kernels along a stretch")


class Backbone(BackboneEntry):
    """A backbone, apart from its name: what the library needs and what the study draws."""

    heatmap_layer: NonNegativeInt = Field(
        description="the layer of the heatmaps of K_0, K_1 and single species; those of all layers "
        "are drawn as well"
    )

    @model_validator(mode="after")
    def _a_layer_of_the_heatmap(self) -> Backbone:
        if self.heatmap_layer not in self.layers:
            message = f"{self.heatmap_layer} is none of `layers`; choose one of them"
            raise fault(message, "heatmap_layer")
        return self


class StudyConfig(Closed):
    """The configuration with its registries."""

    study: Study
    split: Split
    features: Features
    kernels: Kernels
    grid: Grid
    training: Training = Field(
        description="how networks are trained unless their entry says otherwise, see below"
    )
    gap: Gap = Field(description="settings of GAP-SOAP, see below")
    sparse: Sparse
    franken: Franken
    tables: Tables
    forces: Forces
    learning: Learning
    large: Large
    ablation: Ablation
    heatmap: Heatmap
    molecular_dynamics: MolecularDynamics
    datasets: dict[Name, Dataset] = Field(description="entries by name")
    backbones: dict[Name, Backbone] = Field(description="entries by name")
    networks: dict[Name, Network] = Field(description="entries by name")
    surrogates: dict[Name, Surrogate] = Field(description="entries by name")

    def without_franken(self) -> StudyConfig:
        """Return the same without fits by franken."""
        none = self.franken.model_copy(update={"backbones": []})
        return self.model_copy(update={"franken": none})

    def dataset_title(self, name: str) -> str:
        """Return how tables and figures call a data set."""
        return self.datasets[name].title or name

    def backbone_title(self, name: str) -> str:
        """Return how tables and figures call a backbone."""
        return self.backbones[name].title or name

    def backbone_of(self, network: str) -> Backbone | None:
        """Return the backbone whose weights a network begins with, None if it has none."""
        return self.backbones.get(self.networks[network].start)

    def training_of(self, network: str) -> Training:
        """Return how a network is trained: as all are, but for what its entry says otherwise."""
        own = self.networks[network].training
        return self.training.model_copy(update=own.given() if own else {})

    @property
    def downloads(self) -> list[tuple[str, Download]]:
        """All downloads that registries name, with their keys."""
        sources: dict[str, Dataset | Weights] = {
            f"datasets.{name}": entry for name, entry in self.datasets.items()
        }
        for name, entry in self.backbones.items():
            if entry.weights:
                sources[f"backbones.{name}.weights"] = entry.weights
        return [(f"{key}.download", s.download) for key, s in sources.items() if s.download]
