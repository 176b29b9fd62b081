"""What jobs are told of the configuration: the parts that decide what they make, no more.

Snakemake runs a job again when one of its parameters changes: a new title must compute nothing
anew. Methods that take wildcards are functions of a rule's params.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mekrr.study.config import StudyConfig
from mekrr.study.methods import GAPS, PUBLISHED, methods_of
from mekrr.study.tables.printing.escapes import for_label
from mekrr.study.targets import Targets, archived

INTEGRATED = {"NVE": "nve", "NVT": "langevin"}  # as `mekrr.dynamics` calls them


@dataclass(frozen=True)
class Entries:
    """Parts of one configuration, as plain values."""

    config: StudyConfig

    def _of_dataset(self, wildcards: Any, *keys: str) -> dict[str, Any]:
        return self.config.datasets[wildcards.dataset].given(*keys)

    def download(self, wildcards: Any) -> dict[str, Any]:
        """Return where a file comes from."""
        downloads = {(d.key, d.file): d for _, d in self.config.downloads}
        return downloads[wildcards.key, wildcards.file].given()

    def archive_member(self, wildcards: Any) -> str:
        """Return what is taken from an archive, as the archive names it."""
        _, member = archived(self.config)[wildcards.key, wildcards.member]
        return member

    def files(self, wildcards: Any) -> list[str]:
        """Return the file or folder of a data set, or those of its parts."""
        return self.config.datasets[wildcards.dataset].files

    def file_sha256(self, wildcards: Any) -> str | None:
        """Return the checksum that a data set's file must have, None if none is given."""
        return self.config.datasets[wildcards.dataset].file_sha256

    def reading(self, wildcards: Any) -> dict[str, Any]:
        """Return how a trajectory is to be read."""
        return self._of_dataset(wildcards, "format", "energy_key", "forces_key", "group_key")

    def expected(self, wildcards: Any) -> dict[str, Any]:
        """Return what a trajectory is expected to be like."""
        return self._of_dataset(wildcards, "frames", "atoms", "mean_atoms", "runs", "energy_range")

    def checked(self, wildcards: Any) -> dict[str, Any]:
        """Return what the checks of a data set need to know."""
        return self._of_dataset(wildcards, "energy_range", "time_ordered", "reference_energy")

    def variables(self, wildcards: Any) -> list[dict[str, Any]]:
        """Return the collective variables of a data set."""
        return self._of_dataset(wildcards, "collective_variables").get("collective_variables", [])

    def reference_energy(self, wildcards: Any) -> Any:
        """Return how energies of species are found, for the data set that is fitted."""
        name = getattr(wildcards, "source", None) or wildcards.dataset
        return self.config.datasets[name].reference_energy

    def seeds(self, wildcards: Any) -> list[int]:
        """Return the seeds of a way of splitting."""
        return Targets(self.config).seeds(wildcards.strategy)

    def compared_frames(self, wildcards: Any) -> int | str:
        """Return on how many test frames of a learning curve forces are compared."""
        fit = wildcards.strategy, int(wildcards.seed)
        return self.config.forces.frames if fit in Targets(self.config).of_forces else 0

    def stretch(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides the stretch of a heatmap and the event in it."""
        return self._of_dataset(wildcards, "stretch", "event", "collective_variables")

    def datasets(self) -> dict[str, dict[str, Any]]:
        """Return the entries of the study's data sets, but not where they lie."""
        registry = self.config.datasets
        entries = {name: registry[name].given() for name in self.config.study.datasets}
        return {name: {k: v for k, v in e.items() if k != "path"} for name, e in entries.items()}

    def backbone(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides a backbone's features, beside its weights."""
        return self.config.backbones[wildcards.backbone].model

    def identity(self, wildcards: Any) -> dict[str, Any]:
        """Return what tells a backbone from others in a model file, beside its weights."""
        entry = self.config.backbones[wildcards.backbone]
        return {"name": wildcards.backbone, "family": entry.family, "options": entry.options}

    def layers(self, wildcards: Any) -> list[int]:
        """Return the layers of a backbone that are fitted."""
        return self.config.backbones[wildcards.backbone].layers

    def directions(self, wildcards: Any) -> dict[str, Any]:
        """Return along what directions features are differentiated."""
        given, dataset = self.config.sparse.directions, self._of_dataset(wildcards, "reactive")
        return {
            "random": given.random,
            "moved": dataset.get("reactive") if given.reactive else None,
        }

    def derivatives(self, wildcards: Any) -> dict[str, Any]:
        """Return what of features is differentiated, and how they are computed."""
        features = {k: v for k, v in self.extraction().items() if k != "dtype"}
        return {"layers": self.layers(wildcards), **features}

    def sparse(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides a sparse model beside features and their derivatives."""
        views = self.config.sparse.views(self.layers(wildcards))
        return {"views": views, "inducing": self.config.sparse.inducing}

    def franken(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides a fit by franken."""
        options = self.config.backbones[wildcards.backbone].options
        return {
            "checkpoint": options.get("checkpoint", "7net-0"),
            "random_features": self.config.franken.random_features,
        }

    def extraction(self) -> dict[str, Any]:
        """Return how features are computed, but for the size of shards, which changes nothing."""
        features = self.config.features.given()
        return {key: value for key, value in features.items() if key != "shard_frames"}

    def gram(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides a Gram matrix beside the features."""
        kernels = self.config.kernels.given("atom", "lengthscale")
        return {"layers": self.layers(wildcards), **kernels}

    def recipes(self, job: str) -> list[dict[str, Any]]:
        """Return what decides the fits of a kind of job, see `mekrr.study.methods.methods_of`."""
        atom = self.config.kernels.atom
        recipes = [method.recipe for method in methods_of(job)]
        return [r | ({"kernel": atom} if r["kernel"] == PUBLISHED else {}) for r in recipes]

    def backbones(self) -> dict[str, str]:
        """Return titles of the study's backbones."""
        return {name: self.config.backbone_title(name) for name in self.config.study.backbones}

    def backbones_and_starts(self) -> dict[str, str]:
        """Return the same, and titles of those that networks of the study start with."""
        starts = [self.config.networks[name].start for name in self.config.study.networks]
        more = [name for name in starts if name in self.config.backbones]
        return self.backbones() | {name: self.config.backbone_title(name) for name in more}

    def network(self, wildcards: Any) -> dict[str, Any]:
        """Return what decides a network before training, beside its weights."""
        backbone = self.config.backbone_of(wildcards.network)
        return {
            "entry": self.config.networks[wildcards.network].model,
            "backbone": backbone and backbone.model,
        }

    def network_method(self, wildcards: Any) -> str:
        """Return the name in tables of what a network does."""
        return self.config.networks[wildcards.network].method

    def training(self, wildcards: Any) -> dict[str, Any]:
        """Return how a network is trained."""
        return self.config.training_of(wildcards.network).given()

    def transfer_training(self, wildcards: Any) -> dict[str, Any]:
        """Return how a network is trained anew for each target."""
        published = self.config.networks[wildcards.network].published_transfer
        return self.training(wildcards) | (published.given() if published else {})

    def gap(self, wildcards: Any) -> dict[str, Any]:
        """Return settings of a GAP, those of forces where it learns them."""
        settings = self.config.gap.given()
        if not GAPS[wildcards.gap].forces:
            settings.pop("forces", None)
        return settings

    def dynamics(self, wildcards: Any) -> dict[str, Any]:
        """Return how molecular dynamics of a surrogate run, but for the limits."""
        config = self.config.molecular_dynamics
        recipe = self.config.surrogates[wildcards.dataset]
        return {
            "ensemble": INTEGRATED[wildcards.ensemble],
            "temperature": recipe.runs[0].temperature,
            "timestep": recipe.dynamics.timestep,
            "friction": recipe.dynamics.friction,
            "steps": round(1000 * config.length / recipe.dynamics.timestep),
            "every": config.every,
            "frames_every": config.frames_every,
            "seed": int(wildcards.seed),
        }

    def networks(self) -> dict[str, str]:
        """Return the networks of the study by their names in tables."""
        registry = self.config.networks
        return {registry[name].method: name for name in self.config.study.networks}

    def names(self) -> dict[str, str]:
        """Return the names in files of networks and GAPs of the study by those in tables."""
        gaps = {GAPS[name].name: name for name in Targets(self.config).gaps}
        return self.networks() | gaps

    def effort(self) -> dict[str, Any]:
        """Return what a table of errors says of data and training."""
        study = self.config.study
        return {
            "every": study.every,
            "networks": {
                method: self.config.training_of(name).given()
                for method, name in self.networks().items()
            },
            "gap": self.config.gap.given() if study.gap else None,
            "sparse": self.config.sparse.given() if Targets(self.config).sparse else None,
            "franken": self.config.franken.given() if Targets(self.config).with_franken else None,
        }

    def labels(self, title: str, wildcards: Any) -> dict[str, str]:
        """Return the labels of a figure in the report: the same columns for all."""
        dataset, backbone = (getattr(wildcards, key, None) for key in ("dataset", "backbone"))
        shown = {
            "figure": title,
            "data set": self.config.dataset_title(dataset) if dataset else "all",
            "backbone": self.config.backbone_title(backbone) if backbone else "all",
        }
        return {column: for_label(text) for column, text in shown.items()}
