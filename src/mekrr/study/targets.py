"""Which files the study makes: lists of targets, and inputs that depend on wildcards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, NamedTuple, TypeVar

from mekrr.backbones.entry import Download, member_file
from mekrr.choices import ALL
from mekrr.data.lmdb_file import parts_of
from mekrr.data.strategies import STRATEGIES
from mekrr.study.config import StudyConfig
from mekrr.study.config.franken import Franken
from mekrr.study.config.sparse import Sparse
from mekrr.study.config.study import Forces
from mekrr.study.methods import GAPS, METHODS, methods_of

KINDS_OF_HEATMAP = ("heatmap", "layers", "contributions")
TRUTH = "truth"  # stands for a model in the names of files: the potential that made the data


T = TypeVar("T")


class Benchmark(NamedTuple):
    """A benchmark file and the job that it is of.

    Attributes
    ----------
    path : the file.
    job : rule, dataset, split ("" for none) and backbone ("none" for none).
    """

    path: str
    job: dict[str, str]


@dataclass(frozen=True)
class Targets:
    """The files of one study. Methods that take wildcards are input functions of rules."""

    config: StudyConfig

    # Data sets of the study, by what is made of them.

    @property
    def datasets(self) -> list[str]:
        """All of them but the large ones."""
        return [name for name in self.config.study.datasets if name not in self.large]

    @cached_property
    def large(self) -> list[str]:
        """Those too large for anything but sparse models."""
        most = self.config.large.above
        return [name for name in self.config.study.datasets if self.frames_used(name) > most]

    @property
    def with_variable(self) -> list[str]:
        """Those with a collective variable."""
        return [d for d in self.datasets if self.config.datasets[d].collective_variables]

    @property
    def stretched(self) -> list[str]:
        """Those with kernels along a stretch of frames."""
        return self._without(self.config.heatmap.skip)

    @property
    def eventful(self) -> list[str]:
        """Those whose stretch shows an event."""
        return [name for name in self.stretched if self.config.datasets[name].event]

    @property
    def learning(self) -> list[str]:
        """Those with learning curves."""
        return self._without(self.config.learning.skip) if self.config.learning.n_train else []

    @property
    def ablated(self) -> list[str]:
        """Those with ablations."""
        return self._without(self.config.ablation.skip) if self.config.ablation.seeds else []

    @property
    def ablated_sparse(self) -> list[str]:
        """Those with ablations of sparse models."""
        wanted = self.config.ablation.sparse if self.config.ablation.seeds else []
        return [d for d in self.sparse if d in wanted]

    @property
    def gaps(self) -> list[str]:
        """GAPs that are fitted, as names of files."""
        config = self.config
        with_forces = config.gap.forces is not None
        return [
            n for n, gap in GAPS.items() if config.study.gap and (with_forces or not gap.forces)
        ]

    @property
    def sparse(self) -> list[str]:
        """Those with sparse models."""
        return self._with_backbones(self.config.sparse)

    @property
    def sparse_backbones(self) -> list[str]:
        """Backbones on which these are fitted."""
        return self._backbones_of(self.config.sparse)

    @property
    def with_franken(self) -> list[str]:
        """Those on which franken is fitted."""
        return self._with_backbones(self.config.franken)

    @property
    def franken_backbones(self) -> list[str]:
        """Its backbones."""
        return self._backbones_of(self.config.franken)

    def _with_backbones(self, section: Sparse | Franken) -> list[str]:
        """Return the data sets on which what a section is about is fitted."""
        return self._without(section.skip) if self._backbones_of(section) else []

    def _backbones_of(self, section: Sparse | Franken) -> list[str]:
        """Return the backbones that it names, of those in the study."""
        return [b for b in self.config.study.backbones if b in section.backbones]

    @property
    def surrogates(self) -> list[str]:
        """Those that this project made, by their recipes."""
        return [name for name in self.datasets if name in self.config.surrogates]

    @property
    def simulated(self) -> list[str]:
        """Those with molecular dynamics, if anything runs beside the true potential."""
        chosen = self.config.molecular_dynamics.datasets
        sparse = self.sparse if self.simulating_sparse else []
        return [d for d in chosen if d in (self.datasets if self.simulating[1:] else sparse)]

    @property
    def in_blocks(self) -> list[str]:
        """Those whose Gram matrices are computed in blocks."""
        return [name for name in self.datasets if self.gram_parts(name) > 1]

    @property
    def in_one_job(self) -> list[str]:
        """Those whose Gram matrices are computed by one job."""
        return [name for name in self.datasets if self.gram_parts(name) == 1]

    def told_of_large(self) -> str:
        """Return what is left out of the large data sets, in a line."""
        names, most = ", ".join(self.large), self.config.large.above
        what = "sparse models alone are fitted, shard by shard"
        if not self.sparse_backbones:
            what = "nothing is fitted, as `sparse.backbones` names none of `study.backbones`"
        return f"{names}: more than {most:,} frames (`large.above`): {what}"

    @property
    def of_method(self) -> str:
        """The one that stands for all in Figure 1: the first in which something happens."""
        return (self.eventful or self.datasets or self.large)[0]

    @cached_property
    def transfers(self) -> list[list[str]]:
        """Pairs to transfer between, less those of data sets that are not in this study."""
        return [pair for pair in self.config.study.transfer if set(pair) <= set(self.datasets)]

    def _without(self, skipped: Iterable[str]) -> list[str]:
        return [name for name in self.datasets if name not in skipped]

    # Splits.

    def splits(self, pattern: str, strategies: Sequence[str] | None = None) -> list[str]:
        """Return ``pattern`` for every split and seed; other wildcards are left as they are."""
        return [
            pattern.replace("{strategy}", strategy).replace("{seed}", str(seed))
            for strategy in (strategies or self.config.study.splits)
            for seed in self.seeds(strategy)
        ]

    def first_split(self, pattern: str) -> list[str]:
        """Return ``pattern`` for the first way of splitting and its seeds."""
        return self.splits(pattern, self.config.study.splits[:1])

    def seeds(self, strategy: str) -> list[int]:
        """Return the seeds of a way of splitting, one of those without randomness."""
        seeds = self.config.study.seeds
        return seeds if STRATEGIES[strategy].seeded else seeds[:1]

    def heatmap_split(self, pattern: str) -> str:
        """Return ``pattern`` for the split of the heatmaps."""
        choice = self.config.heatmap
        return pattern.replace("{split}", f"{choice.split}-{choice.seed}")

    def ablation_splits(self, pattern: str) -> list[str]:
        """Return ``pattern`` for each split of the ablations."""
        choice = self.config.ablation
        return [pattern.replace("{split}", f"{choice.split}-{seed}") for seed in choice.seeds]

    # Data, features, kernels.

    def dataset_files(self, wildcards: Any) -> list[str]:
        """Return the file of a data set, or those of its parts: local or downloaded.

        Of a folder of data bases it is these.
        """
        files = self.config.datasets[wildcards.dataset].files
        return [part for file in files for part in parts_of(file)]

    def backbone_weights(self, wildcards: Any) -> list[str]:
        """Return the file of a backbone's weights, none for those inside a package."""
        return self.config.backbones[wildcards.backbone].weights_files

    def network_weights(self, wildcards: Any) -> list[str]:
        """Return the file of the weights that a network starts with, none if in a package."""
        backbone = self.config.backbone_of(wildcards.network)
        return backbone.weights_files if backbone else []

    def archive_file(self, wildcards: Any) -> str:
        """Return the archive that a member is taken from."""
        download, _ = archived(self.config)[wildcards.key, wildcards.member]
        return f"{download.folder}/{download.file}"

    def surrogate_runs(self, wildcards: Any) -> list[str]:
        """Return the runs of a surrogate."""
        name = wildcards.surrogate
        n_runs = len(self.config.surrogates[name].runs)
        return [f"results/surrogates/{name}/run{number}.extxyz" for number in range(n_runs)]

    def transfer_frames(self, wildcards: Any) -> list[str]:
        """Return the tables of other frames that fits on a data set are tested on."""
        pairs = (pair for pair in self.transfers if pair[0] == wildcards.dataset)
        return [f"results/data/{target}/frames.csv" for _, target in pairs]

    def frames_used(self, dataset: str, unknown: int = 1) -> int:
        """Return the number of frames that are used, ``unknown`` where the registry is silent."""
        n_frames = self.config.datasets[dataset].frames
        return unknown if n_frames is None else -(-n_frames // self.config.study.every)

    def feature_parts(self, dataset: str) -> int:
        """Return the number of shards of a data set's features, 1 if its frames are unknown."""
        return -(-self.frames_used(dataset) // self.config.features.shard_frames)

    def gram_parts(self, dataset: str) -> int:
        """Return the number of parts whose pairs are the blocks of a Gram matrix."""
        return -(-self.frames_used(dataset) // self.config.kernels.block_frames)

    def feature_shards(self, wildcards: Any) -> list[str]:
        """Return the shards of a data set's features."""
        return self._shards("features", wildcards)

    def direction_shards(self, wildcards: Any) -> list[str]:
        """Return the shards of derivatives of these features along directions."""
        return self._shards("directions", wildcards)

    def stored_directions(self, wildcards: Any) -> str | list[str]:
        """Return the file of these derivatives; none without sparse models."""
        w = wildcards
        stored = w.dataset in self.sparse and w.backbone in self.sparse_backbones
        return f"results/directions/{w.dataset}/{w.backbone}.safetensors" if stored else []

    def _shards(self, what: str, wildcards: Any) -> list[str]:
        n_shards = self.feature_parts(wildcards.dataset)
        folder = f"results/{what}/{wildcards.dataset}/{wildcards.backbone}"
        return [f"{folder}/{k}-of-{n_shards}.safetensors" for k in range(n_shards)]

    def gram_blocks(self, wildcards: Any) -> list[str]:
        """Return the blocks of a data set's Gram matrices."""
        w = wildcards
        folder = f"results/kernels/{w.dataset}/{w.strategy}-{w.seed}/{w.backbone}"
        return [f"{folder}/{block}.safetensors" for block in self._blocks(w.dataset)]

    def _blocks(self, dataset: str) -> list[str]:
        n_parts = self.gram_parts(dataset)
        pairs = combinations_with_replacement(range(n_parts), 2)
        return [f"{first}-{second}-of-{n_parts}" for first, second in pairs]

    # Fits and what follows from them. {dataset} and {backbone} are left to be filled in.

    @property
    def fitted(self) -> list[str]:
        """What is fitted beside backbones: names of files and folders."""
        return ["training-mean", *self.gaps, *self.config.study.networks]

    def fits(self, table: str) -> list[str]:
        """Return one table of every fit on a data set; ``table`` is predictions or choices."""
        fits = [f"{name}/" for name in self.fitted]
        backbones = self.config.study.backbones
        fits += [f"{name}/{fit}." for name in backbones for fit in ("mekrr", "baselines")]
        folder = "results/fits/{dataset}/{strategy}-{seed}"
        return [path for fit in fits for path in self.splits(f"{folder}/{fit}{table}.csv")]

    def sparse_fits(self, table: str) -> list[str]:
        """Return one table of every fit of sparse models on a data set."""
        folder = "results/fits/{dataset}/{strategy}-{seed}"
        backbones = self.sparse_backbones
        return [p for b in backbones for p in self.splits(f"{folder}/{b}/sparse.{table}.csv")]

    def all_fits(self, table: str) -> list[str]:
        """Return one table of every fit of the study."""
        return [*self._fits_on(self.datasets, table), *self.franken_fits(table)]

    def franken_fits(self, table: str) -> list[str]:
        """Return one table of every fit by franken."""
        return self._of_franken(f"results/fits/{{place}}/franken.{table}.csv", self.of_franken)

    def _of_franken(self, pattern: str, splits: Iterable[tuple[str, int]]) -> list[str]:
        return [
            pattern.replace("{place}", f"{dataset}/{split}-{seed}/{backbone}")
            for dataset in self.with_franken
            for split, seed in splits
            for backbone in self.franken_backbones
        ]

    def _fits_on(self, datasets: Sequence[str], table: str) -> list[str]:
        return self._filled_in(self.fits(table), self.sparse_fits(table), datasets)

    def of_datasets(self, patterns: Iterable[str], datasets: Iterable[str]) -> list[str]:
        """Return every pattern for every data set."""
        datasets = list(datasets)
        return [pattern.replace("{dataset}", d) for pattern in patterns for d in datasets]

    def _filled_in(
        self, patterns: Iterable[str], sparse: Iterable[str], datasets: Sequence[str]
    ) -> list[str]:
        """Return every pattern for every data set, and those of sparse models where these are."""
        with_sparse = [d for d in datasets if d in self.sparse]
        return [*self.of_datasets(patterns, datasets), *self.of_datasets(sparse, with_sparse)]

    def smoke(self) -> list[str]:
        """Return predictions of every fit on the first split of the first data set."""
        study = self.config.study
        split = f"{study.splits[0]}-{study.seeds[0]}"
        paths = self._fits_on(self.datasets[:1], "predictions")
        paths += self.large_fits("errors.csv")
        return [path for path in paths if split in path.split("/")]

    def forces(self) -> list[str]:
        """Return the errors of forces of every fit whose forces are compared."""
        models = [*self.fitted, *self.config.study.backbones]
        everywhere, sparse = (
            [
                f"results/forces/{{dataset}}/{split}-{seed}/{model}.csv"
                for split, seed in self.of_forces
                for model in some
            ]
            for some in (models, self.sparse_models)
        )
        both = [split for split in self.of_franken if split in self.of_forces]
        franken = self._of_franken("results/forces/{place}/franken.csv", both)
        return [*self._filled_in(everywhere, sparse, self.datasets), *franken]

    def slopes(self) -> list[str]:
        """Return forces along directions of every fit that states their standard deviations."""
        return [
            f"results/forces/{dataset}/{split}-{seed}/{model}.slopes.csv"
            for dataset in self.sparse
            for split, seed in self.of_forces
            for model in (*self.sparse_backbones, *self.sparse_models)
        ]

    @property
    def sparse_models(self) -> list[str]:
        """Sparse models of each backbone, as names of files."""
        return [f"{backbone}/sparse" for backbone in self.sparse_backbones]

    @property
    def of_forces(self) -> list[tuple[str, int]]:
        """Splits and seeds of the fits whose forces are compared."""
        return self._first(self.config.forces)

    @property
    def of_franken(self) -> list[tuple[str, int]]:
        """Splits and seeds of the fits by franken."""
        return self._first(self.config.franken)

    def _first(self, chosen: Forces | Franken) -> list[tuple[str, int]]:
        splits = first_of(self.config.study.splits, chosen.splits)
        return [(s, seed) for s in splits for seed in first_of(self.seeds(s), chosen.seeds)]

    def site_tables(self, prefix: str) -> list[str]:
        """Return PREFIX.KIND.SPLIT.csv of all errors that the site shows."""
        splits = self.config.study.splits
        kinds = {
            "same_dataset": splits,
            "alphas": splits,
            "forces": dict.fromkeys(strategy for strategy, _ in self.of_forces),
            "transfer": splits[:1] if self.transfers else [],
        }
        return [f"{prefix}.{kind}.{split}.csv" for kind in kinds for split in kinds[kind]]

    def clusters(self, prefix: str) -> list[str]:
        """Return PREFIX.csv of the scores of clusters, where an event is known to score them."""
        return [f"{prefix}.csv"] if self.eventful else []

    def sweeps(self) -> list[str]:
        """Return the sweep over α and λ of every MEKRR fit."""
        return self.splits("results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.sweep.csv")

    def transfer_predictions(self) -> list[str]:
        """Return predictions of every fit on the test frames of every target, all seeds in one.

        Under the first way of splitting: no frame of a target is like one of its source.
        """
        study = self.config.study
        strategy = study.splits[0]
        models = [
            "training-mean",
            *study.backbones,
            *study.networks,
            *self.gaps,
        ]
        return [
            f"results/transfer/{source}-to-{target}/{strategy}/{model}.predictions.csv"
            for source, target in self.transfers
            for model in [*models, *(self.sparse_models if source in self.sparse else [])]
        ]

    def transfer_choices(self) -> list[str]:
        """Return choices of the fits on every source."""
        sources = dict.fromkeys(source for source, _ in self.transfers)
        return self._fits_on(list(sources), "choices")

    def learning_curves(self) -> list[str]:
        """Return test errors of every fit against the number of training frames.

        Under the first way of splitting.
        """
        study = self.config.study
        paths = self.first_split("results/learning/{dataset}/{strategy}-{seed}/{model}.csv")
        models = [*study.backbones, *study.networks]
        everywhere, sparse = (
            [path.replace("{model}", model) for path in paths for model in some]
            for some in (models, self.sparse_models)
        )
        return self._filled_in(everywhere, sparse, self.learning)

    def network_tables(self, table: str) -> list[str]:
        """Return one table of every training on a data set: history or costs."""
        paths = self.splits(
            f"results/fits/{{dataset}}/{{strategy}}-{{seed}}/{{network}}/{table}.csv"
        )
        networks = self.config.study.networks
        return [path.replace("{network}", name) for path in paths for name in networks]

    def costs(self) -> list[str]:
        """Return what a prediction costs with every fit whose job measures that."""
        gaps = [
            f"results/fits/{{dataset}}/{{strategy}}-{{seed}}/{name}/costs.csv" for name in self.gaps
        ]
        patterns = [*self.network_tables("costs"), *(p for gap in gaps for p in self.splits(gap))]
        costs = self._filled_in(patterns, self.sparse_fits("costs"), self.datasets)
        return [*costs, *self.franken_fits("costs")]

    def forces_file(self, wildcards: Any) -> list[str]:
        """Return the frames of the data set that is fitted, where a network learns forces.

        Then those of the data set for which it is trained, whose forces choose the epoch.
        """
        if self.config.training_of(wildcards.network).force_weight == 0:
            return []
        keys = ("dataset", "source", "target")
        names = [getattr(wildcards, key) for key in keys if hasattr(wildcards, key)]
        return [f"results/data/{name}/frames.extxyz" for name in names]

    def transfer_splits(self, wildcards: Any) -> dict[str, list[str]]:
        """Return the splits of both data sets of a transfer for each seed, by name."""
        w, split = wildcards, "splits/{strategy}-{seed}.csv"
        return {
            "origin_splits": self.splits(f"results/data/{w.source}/{split}", [w.strategy]),
            "destination_splits": self.splits(f"results/data/{w.target}/{split}", [w.strategy]),
        }

    def transferred_models(self, wildcards: Any) -> list[str]:
        """Return a network trained on the source, as published anew for each target or once.

        One for each seed.
        """
        w, split = wildcards, f"{{strategy}}-{{seed}}/{wildcards.network}"
        if self.config.networks[w.network].published_transfer:
            model = f"results/transfer/{w.source}-to-{w.target}/{split}.safetensors"
        else:
            model = f"results/fits/{w.source}/{split}/model.safetensors"
        return self.splits(model, [w.strategy])

    def sparse_choices(self, wildcards: Any) -> list[str]:
        """Return the choices of the sparse models of a transfer's source for each seed."""
        w = wildcards
        folder = f"results/fits/{w.source}/{{strategy}}-{{seed}}/{w.backbone}"
        return self.splits(f"{folder}/sparse.choices.csv", [w.strategy])

    def transfer_kind(self, wildcards: Any) -> str:
        """Return the kind of a model that is transferred, but for networks."""
        kinds = {"training-mean": "constant", **dict.fromkeys(GAPS, "potential")}
        return kinds.get(wildcards.model, "kernel")

    def transferred(self, wildcards: Any) -> str:
        """Return which methods are transferred, see `mekrr.study.methods.methods_of`."""
        of_kind = {"constant": "constants", "potential": wildcards.model}
        return of_kind.get(self.transfer_kind(wildcards), "frozen")

    def transfer_files(self, wildcards: Any) -> dict[str, Any]:
        """Return what is transferred, for each seed, and what it needs of the target's frames."""
        w, kind = wildcards, self.transfer_kind(wildcards)
        fits = f"results/fits/{w.source}/{{strategy}}-{{seed}}/{w.model}"
        if kind == "constant":
            return {}
        if kind == "potential":
            frames = f"results/data/{w.target}/frames.extxyz"
            models = self.splits(f"{fits}/model.tar.gz", [w.strategy])
            return {"models": models, "frames": frames}
        names = [f"{name}/{w.model}" for name in (w.source, w.target)]
        return {
            "features": [f"results/features/{name}.safetensors" for name in names],
            **{
                part: self.splits(f"{fits}/{part}.choices.csv", [w.strategy])
                for part in ("baselines", "mekrr")
            },
        }

    # Molecular dynamics, under the first split. {dataset} and {ensemble} are left to be filled in.

    @property
    def simulating(self) -> list[str]:
        """What runs, as names of files: the true potential, then what the study has fitted."""
        config, study = self.config.molecular_dynamics, self.config.study
        methods = [METHODS[name] for name in config.methods]
        frozen = any(method in methods_of("frozen") for method in methods)
        return [
            TRUTH,
            *(name for name in study.backbones if frozen and name in config.backbones),
            *(n for n in study.networks if self.config.networks[n].method in config.methods),
            *(name for name in self.gaps if GAPS[name] in methods),
        ]

    @property
    def simulating_sparse(self) -> list[str]:
        """What runs beside, where there are sparse models."""
        config = self.config.molecular_dynamics
        chosen = any(METHODS[name].kind == "sparse" for name in config.methods)
        backbones = [b for b in self.sparse_backbones if chosen and b in config.backbones]
        return [f"{backbone}/sparse" for backbone in backbones]

    def molecular_dynamics(self, wildcards: Any) -> dict[str, list[str]]:
        """Return the tables of all that runs on a data set in an ensemble, by name."""
        names = {"logs": "log", "errors": "errors", "bonds": "bonds"}
        return {
            name: [
                path.replace("{ensemble}", wildcards.ensemble)
                for path in self._dynamics(table, [wildcards.dataset])
            ]
            for name, table in names.items()
        }

    def all_molecular_dynamics(self, table: str) -> list[str]:
        """Return one table (log, errors, bonds) of all that runs on any data set."""
        return [
            path.replace("{ensemble}", ensemble)
            for ensemble in self.config.molecular_dynamics.ensembles
            for path in self._dynamics(table, self.simulated)
        ]

    def _dynamics(self, table: str, datasets: Sequence[str]) -> list[str]:
        (split, *_) = self.first_split("{strategy}-{seed}")
        folder = f"results/molecular_dynamics/{{dataset}}/{split}/{{ensemble}}"
        everywhere, sparse = (
            [f"{folder}/{name}.{table}.csv" for name in names]
            for names in (self.simulating, self.simulating_sparse)
        )
        return self._filled_in(everywhere, sparse, datasets)

    # Large data sets, on whose shards sparse models are fitted.

    def sizes(self, dataset: str) -> list[str]:
        """Return numbers of training frames of a large data set, and all."""
        n_train = self.frames_used(dataset) * self.config.split.fractions.train
        return [*(str(n) for n in self.config.large.n_train if n < n_train), ALL]

    def large_fits(self, file: str) -> list[str]:
        """Return one file of every fit on a large data set."""
        return [
            f"results/large/{dataset}/{split}/{size}/{backbone}/{file}"
            for dataset in self.large
            for split in self.splits("{strategy}-{seed}")
            for size in self.sizes(dataset)
            for backbone in self.sparse_backbones
        ]

    # Tables and figures.

    def tables(self) -> list[str]:
        """Return a file of each table."""
        everywhere = ["data_checks.md", "provenance.csv"]
        names = [*(self._tables() if self.datasets else everywhere)]
        names += ["large.csv"] if self.large_fits("") else []
        names += ["verdict.csv"] if self.judged else []
        return [f"results/tables/{name}" for name in names]

    @property
    def judged(self) -> bool:
        """Whether anything is fitted on which a verdict can be given."""
        return bool(self.datasets or self.large_fits(""))

    def _tables(self) -> list[str]:
        """Return the names of those of data sets that are not large."""
        return [
            "metrics.csv",
            "same_dataset.csv",
            *(["transfer.csv"] if self.transfers else []),
            *self.clusters("clusters"),
            "timing.csv",
            *(["ablation.csv"] if self.ablated else []),
            *(["ablation_sparse.csv"] if self.ablated_sparse else []),
            *(["learning.csv"] if self.learning else []),
            "largest_errors.csv",
            "data_checks.md",
            "provenance.csv",
            *(["dynamics.csv"] if self.surrogates else []),
            *(["molecular_dynamics.csv"] if self.all_molecular_dynamics("log") else []),
        ]

    def figures(self) -> list[str]:
        """Return a file of each figure."""
        names = self._figures() if self.datasets else ["leaks"]
        names += ["large"] if self.large_fits("") else []
        return [f"results/figures/{name}.svg" for name in names]

    def _figures(self) -> list[str]:
        """Return the names of those of data sets that are not large."""
        networks = self.config.study.networks
        ensembles = self.config.molecular_dynamics.ensembles
        return [
            "method",
            "alpha_sweep",
            *(name for kind in KINDS_OF_HEATMAP for name in self._heatmaps(kind)),
            *(f"{d}/kernel_pca" for d in self.stretched),
            *(f"{d}/parity" for d in self.datasets),
            *(f"{d}/reaction_errors" for d in self.with_variable),
            "spectrum",
            "leaks",
            *(f"{d}/dynamics" for d in self.surrogates),
            *(f"{d}/molecular_dynamics-{e}" for d in self.simulated for e in ensembles),
            "errors",
            *(["errors_forces"] if self.forces() else []),
            *(f"{d}/history" for d in self.datasets if networks),
            "calibration",
            *(["calibration_forces"] if self.slopes() else []),
            *(["learning", "learning_forces"] if self.learning else []),
            "cost",
        ]

    def heatmaps(self, kind: str) -> list[str]:
        """Return figures of kernels along stretches, of one of `KINDS_OF_HEATMAP`."""
        return [f"results/figures/{name}.svg" for name in self._heatmaps(kind)]

    def _heatmaps(self, kind: str) -> list[str]:
        backbones = self.config.study.backbones
        return [f"{d}/{kind}-{backbone}" for d in self.stretched for backbone in backbones]

    # Benchmarks.

    def benchmarks(self) -> list[Benchmark]:
        """Return the benchmarks of the jobs between the frames and the fits."""
        return [made for dataset in self.datasets for made in self._benchmarks_of(dataset)]

    def _benchmarks_of(self, dataset: str) -> list[Benchmark]:
        study = self.config.study
        splits = self.splits("{strategy}-{seed}")
        made = [_benchmark("fit_mean", dataset, split) for split in splits]
        made += [_benchmark("fit_gap", dataset, s, name) for s in splits for name in self.gaps]
        for backbone in study.backbones:
            n_shards = self.feature_parts(dataset)
            made += [
                _benchmark("extract_features", dataset, "", backbone, f"{k}-of-{n_shards}")
                for k in range(n_shards)
            ]
            for split in splits:
                place = (dataset, split, backbone)
                if dataset in self.in_one_job:
                    made.append(_benchmark("gram", *place))
                else:
                    made.append(_benchmark("prepare_gram", *place))
                    made += [_benchmark("gram_block", *place, b) for b in self._blocks(dataset)]
                    made.append(_benchmark("merge_gram", *place))
                made += [_benchmark(rule, *place) for rule in ("fit_baselines", "fit_mekrr")]
            if dataset in self.sparse and backbone in self.sparse_backbones:
                made += [
                    _benchmark("extract_directions", dataset, "", backbone, f"{k}-of-{n_shards}")
                    for k in range(n_shards)
                ]
                made += [_benchmark("fit_sparse", dataset, split, backbone) for split in splits]
            if dataset in self.with_franken and backbone in self.franken_backbones:
                made += [
                    _benchmark("fit_franken", dataset, f"{split}-{seed}", backbone)
                    for split, seed in self.of_franken
                ]
        for network in study.networks:
            made.append(_benchmark("trunk", dataset, "", network))
            made += [_benchmark("train_network", dataset, split, network) for split in splits]
        return made


def first_of(values: list[T], count: int | str) -> list[T]:
    """Return so many of some values, from the first, or "all"."""
    return values if count == "all" else values[: int(count)]


def archived(config: StudyConfig) -> dict[tuple[str, str], tuple[Download, str]]:
    """Return downloads and what is to be taken from them, by folder and file of the latter."""
    return {
        (download.key, member_file(member)): (download, member)
        for _, download in config.downloads
        for member in download.members
    }


def _benchmark(
    rule: str, dataset: str, split: str = "", backbone: str = "", part: str = ""
) -> Benchmark:
    path = "/".join(filter(None, (rule, dataset, split, backbone, part)))
    job = {"rule": rule, "dataset": dataset, "split": split, "backbone": backbone or "none"}
    return Benchmark(f"results/benchmarks/{path}.tsv", job)
