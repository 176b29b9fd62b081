"""What jobs ask for: minutes, MB and threads, from the size of their data.

Rates are those measured on one core of an AMD EPYC (two for kernels and fits), each with the
safety that its method states. A profile that sends failed jobs again makes ``attempt`` count up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mekrr.models.sparse.cost import Size
from mekrr.models.sparse.select import LENGTHSCALES, numbers_to_try
from mekrr.study.methods import GAPS, methods_of
from mekrr.study.targets import Targets

USUAL_ATOMS = 100  # of a frame, where the registry is silent
REACTIVE_ATOMS = 10  # of a frame, where all components of their forces are learnt
WIDTH = 1024  # of all features side by side
DENSE = 0.085  # atoms per Å³ around an atom, as in copper: in a slab there are fewer


@dataclass(frozen=True)
class JobResources:
    """Needs of the jobs of one study, each a function of a rule's resources or threads."""

    targets: Targets

    def data_size(self, wildcards: Any) -> tuple[int, int]:
        """Return frames of a job's data sets and atoms of a frame, generous if unknown."""
        config = self.targets.config
        places = (getattr(wildcards, key, None) for key in ("dataset", "source", "target"))
        names = [name for name in places if name is not None]
        datasets = [config.datasets[name] for name in names]
        most = config.kernels.block_frames
        return (
            max(self.targets.frames_used(name, most) for name in names),
            max(data.atoms or data.mean_atoms or USUAL_ATOMS for data in datasets),
        )

    def _train_frames(self, wildcards: Any) -> float:
        return self.data_size(wildcards)[0] * self.targets.config.split.fractions.train

    def _n_layers(self, wildcards: Any) -> int:
        name = getattr(wildcards, "backbone", None) or wildcards.model
        return len(self.targets.config.backbones[name].layers)

    def frames_memory(self, wildcards: Any, attempt: int) -> int:
        """All frames in memory at once: 1 kB an atom measured, four times as much asked for."""
        n_frames, n_atoms = self.data_size(wildcards)
        return attempt * (1000 + round(4e-3 * n_frames * n_atoms))

    def frames_minutes(self, wildcards: Any, attempt: int) -> int:
        """A pass over frames: 2.5 ms each and 0.15 ms an atom measured; four times that.

        Where all pairs of 10⁵ frames have to be looked at, five minutes.
        """
        n_frames, n_atoms = self.data_size(wildcards)
        seconds = n_frames * (0.01 + 6e-4 * n_atoms) + min(3e-8 * n_frames**2, 300)
        return attempt * (5 + round(seconds / 60))

    def checking_memory(self, wildcards: Any, attempt: int) -> int:
        """Positions and moments of frames in memory, and few frames: 0.7 GB measured.

        48 bytes an atom, 96 a frame for each pair of four species.
        """
        n_frames, n_atoms = self.data_size(wildcards)
        return attempt * (1000 + round(n_frames * (2e-3 + 7e-5 * n_atoms)))

    def features_memory(self, wildcards: Any, attempt: int) -> int:
        """Batches and the network: 0.5 GB measured with frames of 50 atoms, eight times that."""
        _, n_atoms = self.data_size(wildcards)
        return attempt * (4000 + 4 * n_atoms)

    def features_minutes(self, wildcards: Any, attempt: int) -> int:
        """A shard on one core: 1.6 ms an atom with SevenNet-0, for larger networks ten times."""
        n_frames, n_atoms = self.data_size(wildcards)
        n_shard = min(n_frames, self.targets.config.features.shard_frames)
        return attempt * (10 + round(0.016 * n_shard * n_atoms / 60))

    def _directions(self) -> int:
        """Directions of a frame."""
        given = self.targets.config.sparse.directions
        return given.random + (3 * REACTIVE_ATOMS if given.reactive else 0)

    def directions_minutes(self, wildcards: Any, attempt: int) -> int:
        """As features, for each direction twice."""
        return 2 * self._directions() * self.features_minutes(wildcards, attempt)

    def sparse_memory(self, wildcards: Any, attempt: int) -> int:
        """Derivatives of features side by side, and 30 matrices between inducing atoms."""
        n_frames, n_atoms = self.data_size(wildcards)
        derivatives = 4e-6 * WIDTH * self._directions() * n_frames * n_atoms
        matrices = 30 * 8e-6 * max(numbers_to_try(self.targets.config.sparse.inducing)) ** 2
        return attempt * (2000 + round(derivatives + matrices))

    def sparse_minutes(self, wildcards: Any, attempt: int) -> int:
        """Rows of kernels, and their decomposition, for each method, lengthscale and view.

        1e10 operations a second, three times that.
        """
        n_frames, n_atoms = self.data_size(wildcards)
        config = self.targets.config.sparse
        rows = n_frames * (1 + self._directions())
        n = max(numbers_to_try(config.inducing))
        per_row = 2 * n_atoms * n * WIDTH + 2 * n**2
        fits = len(methods_of("sparse")) * self._n_settings(wildcards)
        return attempt * (10 + round(fits * rows * per_row / 3e9 / 60))

    def _n_settings(self, wildcards: Any) -> int:
        """Lengthscales and views of the layers of a sparse model."""
        layers = range(self._n_layers(wildcards))
        return len(LENGTHSCALES) * len(self.targets.config.sparse.views(layers))

    def sparse_forces_minutes(self, wildcards: Any, attempt: int) -> int:
        """A fit, and what the forces of other methods take."""
        return self.sparse_minutes(wildcards, attempt) + self.forces_minutes(wildcards, attempt)

    def sparse_curve_minutes(self, wildcards: Any, attempt: int) -> int:
        """The same for each number of frames, none longer than that on all."""
        each = self.sparse_forces_minutes(wildcards, attempt)
        return max(1, len(self.targets.config.learning.n_train)) * each

    def _large(self, wildcards: Any) -> Size:
        """Return how large the fit of sparse models to a large data set is."""
        config = self.targets.config
        n_frames, n_atoms = self.data_size(wildcards)
        return Size(
            n_frames,
            n_atoms,
            1,
            self._directions(),
            WIDTH,
            max(numbers_to_try(config.sparse.inducing)),
            self._n_settings(wildcards),
            len(methods_of("sparse")),
            config.features.shard_frames,
        )

    def large_memory(self, wildcards: Any, attempt: int) -> int:
        """The most that a step on shards takes, twice, and 1 GB for the table of the frames."""
        steps = self._large(wildcards).steps()
        most = max(step.memory for step in steps if step.name != "settings")
        return attempt * (1000 + round(2000 * most))

    def large_settings_memory(self, wildcards: Any, attempt: int) -> int:
        """The same, and the species of all atoms."""
        size = self._large(wildcards)
        (step,) = (step for step in size.steps() if step.name == "settings")
        return attempt * (1000 + round(2000 * step.memory + 2e-5 * size.frames * size.atoms))

    def _minutes_of(self, wildcards: Any, attempt: int, name: str) -> int:
        """A job of a step, five times what the law has, beside 5 minutes."""
        (step,) = (step for step in self._large(wildcards).steps() if step.name == name)
        return attempt * (5 + round(5 * step.seconds / step.jobs / 60))

    def large_settings_minutes(self, wildcards: Any, attempt: int) -> int:
        """Pivots of each setting, and all shards opened."""
        return 10 * attempt + self._minutes_of(wildcards, attempt, "settings")

    def large_rows_minutes(self, wildcards: Any, attempt: int) -> int:
        """Rows of a shard, of all settings."""
        return self._minutes_of(wildcards, attempt, "rows")

    def large_merge_minutes(self, wildcards: Any, attempt: int) -> int:
        """Merges of several triangles."""
        return self._minutes_of(wildcards, attempt, "merge")

    def large_fit_minutes(self, wildcards: Any, attempt: int) -> int:
        """A method, all settings."""
        return self._minutes_of(wildcards, attempt, "fit")

    def large_test_minutes(self, wildcards: Any, attempt: int) -> int:
        """Test frames of a shard, all methods."""
        return self._minutes_of(wildcards, attempt, "test")

    def trunk_minutes(self, wildcards: Any, attempt: int) -> int:
        """As features, but of all frames."""
        n_frames, n_atoms = self.data_size(wildcards)
        return attempt * (10 + round(0.016 * n_frames * n_atoms / 60))

    def gram_threads(self, wildcards: Any) -> int:
        """Two for kernels that take minutes.

        Shorter jobs come in numbers, and two of one thread each end before one of two threads
        and then the other.
        """
        n_frames, n_atoms = self.data_size(wildcards)
        return 1 if self._n_layers(wildcards) * (n_frames * n_atoms) ** 2 < 1e11 else 2

    def fit_threads(self, wildcards: Any) -> int:
        """The same for fits."""
        return 1 if self._n_layers(wildcards) * self._train_frames(wildcards) ** 3 < 1e10 else 2

    def gram_minutes(self, wildcards: Any, attempt: int) -> int:
        """All kernels, or one block: 8e7 atom pairs a second at width 1024, 2.6 times that."""
        n_frames, n_atoms = self.data_size(wildcards)
        part = n_frames / self.targets.gram_parts(wildcards.dataset) * n_atoms
        return attempt * (10 + round(self._n_layers(wildcards) * part**2 / 3e7 / 60))

    def lengthscale_minutes(self, wildcards: Any, attempt: int) -> int:
        """The median distance costs as much as the kernels between training frames."""
        n_atoms = self._train_frames(wildcards) * self.data_size(wildcards)[1]
        pairs = n_atoms**2 if self.targets.config.kernels.lengthscale == "median" else 0
        return attempt * (10 + round(self._n_layers(wildcards) * pairs / 3e7 / 60))

    def merge_minutes(self, wildcards: Any, attempt: int) -> int:
        """Reading and writing all kernels, of up to five species: 100 MB a second, thrice that."""
        n_bytes = 8 * 6 * self.data_size(wildcards)[0] * self._train_frames(wildcards)
        return attempt * (10 + round(self._n_layers(wildcards) * n_bytes / 3.3e7 / 60))

    def fit_memory(self, wildcards: Any, attempt: int) -> int:
        """Kernels of all frames with the T training frames, and of these alone.

        Of the first eight to twelve are measured, of two and four species whose shares are weighed
        anew for energies per atom, and twelve asked for; of the second (T²) six and eight.
        """
        n_frames, n_train = self.data_size(wildcards)[0], self._train_frames(wildcards)
        return attempt * (2000 + round(8e-6 * n_train * (12 * n_frames + 8 * n_train)))

    def fit_minutes(self, wildcards: Any, attempt: int) -> int:
        """A reduction for each form, and as much as one for leave-one-out, per layer and α.

        4 T³ operations, 1.5e10 of which take a second; five times that, also for the α of each
        species.
        """
        reductions = self._n_layers(wildcards) * self.targets.config.grid.alpha.count
        n_train = self._train_frames(wildcards)
        return attempt * (10 + round(reductions * 4 * n_train**3 / 3e9 / 60))

    def baselines_memory(self, wildcards: Any, attempt: int) -> int:
        """Features of a layer in float64, at a width of 1024, twice, beside what fits take."""
        n_frames, n_atoms = self.data_size(wildcards)
        features = attempt * round(16e-6 * 1024 * n_frames * n_atoms)
        return self.fit_memory(wildcards, attempt) + features

    def ablation_minutes(self, wildcards: Any, attempt: int) -> int:
        """For each seed, kernels of one layer six times over, and as many fits of every layer."""
        n_frames, n_atoms = self.data_size(wildcards)
        kernels = 6 * (n_frames * n_atoms) ** 2 / 3e7 / 60
        per_seed = round(kernels) + 3 * self.fit_minutes(wildcards, 1)
        return attempt * max(1, len(self.targets.config.ablation.seeds)) * per_seed

    def ablation_sparse_memory(self, wildcards: Any, attempt: int) -> int:
        """Derivatives of features three times: as they are, and some of them."""
        return 3 * self.sparse_memory(wildcards, attempt)

    def ablation_sparse_minutes(self, wildcards: Any, attempt: int) -> int:
        """For each seed some 22 changes, each with half the fits of a split."""
        return (
            11
            * max(1, len(self.targets.config.ablation.seeds))
            * self.sparse_minutes(wildcards, attempt)
        )

    def training_memory(self, wildcards: Any, attempt: int) -> int:
        """All frames, beside network and optimiser: 0.8 GB measured on a CPU; CUDA takes 3 GB.

        Where forces are learnt, all layers of a batch: 9 MB an atom measured with CHGNet.
        """
        training = self.targets.config.training_of(wildcards.network)
        n_atoms = training.batch_size * self.data_size(wildcards)[1] if training.force_weight else 0
        return self.frames_memory(wildcards, attempt) + attempt * (4000 + 10 * n_atoms)

    def training_minutes(self, wildcards: Any, attempt: int) -> int:
        """Steps of 0.1 s for eight frames of 50 atoms measured on one core; four times that.

        Where forces are learnt 2.8 s, with SevenNet-0 and CHGNet.
        """
        _, n_atoms = self.data_size(wildcards)
        training = self.targets.config.training_of(wildcards.network)
        epoch = self._train_frames(wildcards) / training.batch_size
        steps = max(training.epochs * epoch, training.least_steps)
        per_step = (
            4 * (2.8 if training.force_weight else 0.1) * training.batch_size / 8 * n_atoms / 50
        )
        return attempt * (30 + round(steps * per_step / 60))

    def learning_minutes(self, wildcards: Any, attempt: int) -> int:
        """A training for each number of frames, none longer than that on all, and its forces."""
        each = self.training_minutes(wildcards, attempt) + self.forces_minutes(wildcards, attempt)
        return len(self.targets.config.learning.n_train) * each

    def curve_minutes(self, wildcards: Any, attempt: int) -> int:
        """Fits on frozen features, and the forces for each number of frames."""
        n_curves = len(self.targets.config.learning.n_train)
        forces = n_curves * self.forces_minutes(wildcards, attempt)
        return self.fit_minutes(wildcards, attempt) + forces

    def _soap_width(self) -> int:
        """Numbers in a SOAP vector of GAP with four species; what a fifth costs, a retry covers."""
        gap = self.targets.config.gap
        functions = 4 * gap.n_max
        return functions * (functions + 1) // 2 * (gap.l_max + 1) + 1

    def gap_memory(self, wildcards: Any, attempt: int) -> int:
        """SOAP vectors of all training atoms in float64: 3 times these measured, with 250 MB."""
        atoms = self._train_frames(wildcards) * self.data_size(wildcards)[1]
        return attempt * (1000 + round(3 * 8e-6 * self._soap_width() * atoms))

    def gap_minutes(self, wildcards: Any, attempt: int) -> int:
        """Fit and predictions: four times what was measured.

        Per atom 1 ms, and 5 ns for each number of each representative atom.
        """
        n_frames, n_atoms = self.data_size(wildcards)
        seconds = 0.004 + 2e-8 * self._soap_width() * self.targets.config.gap.n_sparse
        return attempt * (30 + round(seconds * n_frames * n_atoms / 60))

    def franken_memory(self, wildcards: Any, attempt: int) -> int:
        """Derivatives of messages, all of a frame at once: 8 GB measured with 52 atoms, twice that.

        They grow as the square of the atoms. And four matrices between random features.
        """
        _, n_atoms = self.data_size(wildcards)
        matrices = 4 * 8e-6 * self.targets.config.franken.random_features**2
        return attempt * (2000 + round(16_000 * (n_atoms / 52) ** 2 + matrices))

    def franken_minutes(self, wildcards: Any, attempt: int) -> int:
        """A training frame of 52 atoms 50 s, which grow as the square of these; three times that.

        A validation frame, on which 60 models are differentiated, as much.
        """
        n_frames, n_atoms = self.data_size(wildcards)
        share = self.targets.config.split.fractions
        seconds = 150 * (n_atoms / 52) ** 2 * n_frames * (share.train + share.val)
        return attempt * (30 + round(seconds / 60))

    def _gap_slopes(self, wildcards: Any) -> float:
        """Numbers in all slopes of SOAP vectors: of each atom with three for each neighbour."""
        gap = self.targets.config.gap
        if gap.forces is None or not GAPS[wildcards.gap].forces:
            return 0.0
        n_frames, n_atoms = self._train_frames(wildcards), self.data_size(wildcards)[1]
        if gap.forces.frames != "all":
            n_frames = min(n_frames, gap.forces.frames)
        neighbours = DENSE * 4.0 / 3.0 * math.pi * gap.cutoff**3
        return n_frames * n_atoms * 3.0 * neighbours * self._soap_width()

    def gap_fit_memory(self, wildcards: Any, attempt: int) -> int:
        """With forces, their slopes in float64 once, as gap_fit's own estimate has them."""
        slopes = round(8e-6 * self._gap_slopes(wildcards))
        return self.gap_memory(wildcards, attempt) + attempt * slopes

    def gap_fit_minutes(self, wildcards: Any, attempt: int) -> int:
        """1.1 ns for each slope and representative atom, twice that."""
        seconds = 2.2e-9 * self._gap_slopes(wildcards) * self.targets.config.gap.n_sparse
        return self.gap_minutes(wildcards, attempt) + attempt * round(seconds / 60)

    def forces_minutes(self, wildcards: Any, attempt: int) -> int:
        """3 ms an atom with SevenNet-0 for each method; five times that, and a fit."""
        n_frames, n_atoms = self.data_size(wildcards)
        config = self.targets.config
        tested = n_frames * config.split.fractions.test
        if config.forces.frames != "all":
            tested = min(tested, config.forces.frames)
        n_methods = len(methods_of("frozen"))
        return attempt * (20 + round(n_methods * 0.015 * n_atoms * tested / 60))

    def transfer_memory(self, wildcards: Any, attempt: int) -> int:
        """What the fit takes, of a model of the same kind."""
        of_kind = {
            "constant": self.frames_memory,
            "potential": self.gap_memory,
            "kernel": self.baselines_memory,
        }
        return of_kind[self.targets.transfer_kind(wildcards)](wildcards, attempt)

    def transfer_minutes(self, wildcards: Any, attempt: int) -> int:
        """As much for each seed."""
        of_kind = {
            "constant": self.frames_minutes,
            "potential": self.gap_minutes,
            "kernel": self.fit_minutes,
        }
        minutes = of_kind[self.targets.transfer_kind(wildcards)]
        return self._n_seeds(wildcards) * minutes(wildcards, attempt)

    def sparse_transfer_minutes(self, wildcards: Any, attempt: int) -> int:
        """As long as the fit, for each seed."""
        return self._n_seeds(wildcards) * self.sparse_minutes(wildcards, attempt)

    def network_transfer_minutes(self, wildcards: Any, attempt: int) -> int:
        """As long as the trunk, for each seed."""
        return self._n_seeds(wildcards) * self.trunk_minutes(wildcards, attempt)

    def _n_seeds(self, wildcards: Any) -> int:
        return len(self.targets.seeds(wildcards.strategy))

    def dynamics_minutes(self, wildcards: Any, attempt: int) -> int:
        """Steps of 3 ms an atom with SevenNet-0, for each method of a job; five times that."""
        config = self.targets.config
        entry = config.molecular_dynamics
        steps = 1000 * entry.length / config.surrogates[wildcards.dataset].dynamics.timestep
        _, n_atoms = self.data_size(wildcards)
        return attempt * (10 + round(len(entry.methods) * 0.015 * n_atoms * steps / 60))
