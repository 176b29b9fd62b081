"""What a fit of sparse models to many frames costs, step by step, by laws whose rates are measured.

The steps are those of shards, `mekrr.study.experiments.large`. Rates are of one core of an AMD EPYC
(`python -m benchmarks.sparse_rows`, `python -m benchmarks.features`); on a GPU none was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mekrr.models.sparse.merging import levels

PASS = 1.6e-3  # s, a forward pass of SevenNet-0, for each atom
SINGLE, DOUBLE = 3.0e10, 1.2e10  # operations a second, of float32 rows and float64 triangles
CANDIDATES = 4096  # of a species, at least; else twice the inducing atoms
SIGMAS = 3  # weights of energies that are tried
FITTED, TESTED = 0.8, 0.2  # shares of the frames: for training and validation, for the test
GB = 1e9
MINIMUM = 0.4  # GB, an interpreter with its libraries


@dataclass(frozen=True)
class Step:
    """One step of a fit.

    Attributes
    ----------
    name : of its rule. jobs : how many, which can run at once.
    seconds : of a core, of all jobs together. memory : GB, of one job.
    disk : GB that stay. passing : GB that later steps remove.
    """

    name: str
    jobs: int
    seconds: float
    memory: float
    disk: float = 0.0
    passing: float = 0.0


@dataclass(frozen=True)
class Size:
    """How large a fit is.

    Attributes
    ----------
    frames, atoms : how many frames, of how many atoms on average. species : of atoms.
    directions : along which forces of a frame are learnt. width : features of an atom, of all
        layers side by side.
    inducing : atoms. settings : lengthscales and sets of layers that are tried.
    methods : that are fitted. shard_frames : frames of a shard.
    """

    frames: int
    atoms: int
    species: int
    directions: int
    width: int
    inducing: int
    settings: int
    methods: int
    shard_frames: int

    @property
    def shards(self) -> int:
        """How many shards."""
        return -(-self.frames // self.shard_frames)

    @property
    def row(self) -> float:
        """Operations of the kernels of one row of a frame, those of its own species."""
        return 2.0 * self.atoms * self.inducing / self.species * self.width

    @property
    def rows_seconds(self) -> float:
        """Seconds that the rows of a frame, and their triangle, take of one setting."""
        rows = 1 + self.directions
        return rows * (self.row / SINGLE + 2.0 * self.inducing**2 / DOUBLE)

    @property
    def merge_seconds(self) -> float:
        """Seconds that two triangles of each of four kinds of rows take to become one."""
        return 4.0 * 2.0 / 3.0 * self.inducing**3 / DOUBLE

    def steps(self) -> Iterator[Step]:
        """Yield the steps, from features of frames to errors."""
        shards, m, q = self.shards, self.inducing, self.directions
        matrix, features = 8e-9 * m**2, 4e-9 * self.frames * self.atoms * self.width
        forward = PASS * self.frames * self.atoms
        yield Step("features", shards, forward, MINIMUM + 0.2, features)
        vectors = 24e-9 * self.frames * self.atoms * q
        yield Step("directions", shards, 2 * q * forward, MINIMUM + 0.2, q * features + vectors)
        pivots = self.settings * m**2 * max(CANDIDATES, 2 * m) / SINGLE
        sample = 4e-9 * 65_536 * self.species * self.width
        yield Step("settings", 1, pivots, MINIMUM + 3 * sample + matrix)
        rows = FITTED * self.frames * self.settings * self.rows_seconds
        triangles = shards * self.settings * 4 * matrix / 2
        memory = MINIMUM + (self.settings * 2 + 4) * matrix
        yield Step("rows", shards, rows, memory, passing=triangles)
        merges = sum(levels(shards, m)) * self.settings
        seconds = self.settings * (shards - 1) * self.merge_seconds
        yield Step("merge", merges, seconds, MINIMUM + 10 * matrix)
        per_fit = SIGMAS * 5.0 * m**3 / DOUBLE
        fits = self.methods * self.settings * per_fit
        yield Step("fit", self.methods, fits, MINIMUM + 14 * matrix, self.methods * matrix / 2)
        exact = (1 + q) * (4.0 * self.row / SINGLE + 4.0 * m**2 / DOUBLE)
        tested = TESTED * self.frames * self.methods * exact
        yield Step("test", shards, tested, MINIMUM + 4 * matrix)
