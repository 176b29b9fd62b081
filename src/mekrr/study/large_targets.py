"""Which files the shards of large data sets become on the way to fits: a map and a reduction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from mekrr.backbones.families import families
from mekrr.choices import ALL
from mekrr.models.sparse.merging import fan_in, levels
from mekrr.models.sparse.sample import evenly
from mekrr.models.sparse.select import LENGTHSCALES, numbers_to_try
from mekrr.study.methods import methods_of
from mekrr.study.targets import Targets

LARGE = "results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}"
SCORED = 16  # shards whose validation frames calibrate


class LargeFit(NamedTuple):
    """A file of a fit on a large data set, and the fit: dataset, strategy, seed and backbone."""

    path: str
    fit: dict[str, Any]


@dataclass(frozen=True)
class LargeTargets:
    """The files between shards and fits. Methods that take wildcards are input functions."""

    targets: Targets

    def shards(self, folder: str, suffix: str) -> Callable[[Any], list[str]]:
        """Return what lists the file of each shard in a folder, which may have wildcards."""

        def files(wildcards: Any) -> list[str]:
            n = self.targets.feature_parts(wildcards.dataset)
            place = folder.format(**wildcards)
            return [f"{place}/{k}-of-{n}.{suffix}" for k in range(n)]

        return files

    def first_shard(self, wildcards: Any) -> str:
        """Return the features of the first shard."""
        return self.shards("results/features/{dataset}/{backbone}", "safetensors")(wildcards)[0]

    def scored(self, wildcards: Any) -> list[str]:
        """Return the scores of some shards, evenly spread, which calibrate."""
        files = self.shards(f"{LARGE}/scores", "csv")(wildcards)
        return [files[k] for k in evenly(len(files), SCORED)]

    def merged(self, wildcards: Any) -> list[str]:
        """Return the triangles that one is made of: those of shards, or of the level below."""
        w = wildcards
        level, number = int(w.level), int(w.number)
        if level == 1:
            below = self.shards(f"{LARGE}/rows", "safetensors")(w)
        else:
            folder = f"{LARGE}/merged".format(**w)
            n = self._levels(w.dataset)[level - 2]
            below = [f"{folder}/{w.setting}/{level - 1}-{k}.safetensors" for k in range(n)]
        several = fan_in(self._inducing)
        return below[number * several : (number + 1) * several]

    def all_rows(self, wildcards: Any) -> list[str]:
        """Return the triangles of all rows, of each setting."""
        level = len(self._levels(wildcards.dataset))
        folder = f"{LARGE}/merged".format(**wildcards)
        config = self.targets.config
        views = config.sparse.views(config.backbones[wildcards.backbone].layers)
        n = len(LENGTHSCALES) * len(views)
        return [f"{folder}/{k}/{level}-0.safetensors" for k in range(n)]

    def models(self, folder: str) -> Callable[[Any], list[str]]:
        """Return what lists the model of each method that a backbone serves, in a folder."""

        def files(wildcards: Any) -> list[str]:
            place = f"{LARGE}/{folder}".format(**wildcards)
            return [f"{place}/{name}.safetensors" for name in self._methods(wildcards.backbone)]

        return files

    def choices(self) -> list[LargeFit]:
        """Return the choices of every fit to all training frames."""
        targets = self.targets
        fits = [
            {"dataset": dataset, "strategy": split, "seed": seed, "backbone": backbone}
            for dataset in targets.large
            for split in targets.config.study.splits
            for seed in targets.seeds(split)
            for backbone in targets.sparse_backbones
        ]
        return [
            LargeFit(f"{LARGE}/fits/{name}.choices.csv".format(size=ALL, **fit), fit)
            for fit in fits
            for name in self._methods(fit["backbone"])
        ]

    def _methods(self, backbone: str) -> list[str]:
        """Return the names of the sparse models that a backbone serves."""
        family = families()[self.targets.config.backbones[backbone].family]
        methods = methods_of("sparse")
        return [m.name for m in methods if family.energy or m.baseline != "delta"]

    @property
    def _inducing(self) -> int:
        return max(numbers_to_try(self.targets.config.sparse.inducing))

    def _levels(self, dataset: str) -> list[int]:
        """Return the number of triangles of each level above the shards."""
        return levels(self.targets.feature_parts(dataset), self._inducing)
