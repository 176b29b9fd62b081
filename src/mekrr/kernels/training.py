"""Kernels with training frames, as models take them: built in one way, for any atom kernel.

The linear kernel, which is ridge regression on mean features, is centred and scaled by the
training frames. With x̄ the mean over these,

    k'(x, x') = (k(x, x') - k(x, x̄) - k(x̄, x') + k(x̄, x̄)) / mean_t k'(x_t, x_t)

The centre stands for an intercept, and the scale gives λ the same meaning as for kernels that
are 1 between equal atoms. K_0 and K_1 have a scale each, so that α weighs them alike.

A sum Σ_t c_t k'(x, x_t) is then one of the raw kernels with c - mean(c) in place of c, over the
scale, and a constant (`Normalisation.unfold`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from mekrr.errors import DataError
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import AtomKernel
from mekrr.kernels.gram import Gram, self_gram, species_gram, train_gram

PREFIX = "normalisation_"
NEVER = np.finfo(np.float64).max  # a scale that leaves nothing of a kernel that is constant
SAME_FEATURES = 1e-12  # variance relative to the squared mean


@dataclass(frozen=True)
class Normalisation:
    """What centres and scales a kernel with T training frames.

    Attributes
    ----------
    species : (S,) atomic numbers of the shares.
    means : (1 + S, T) mean kernel of each training frame with all of them, K_0 first.
    overall : (1 + S,) their means.
    scales : (2,) of K_0, and of K_1 with its shares.
    """

    species: np.ndarray
    means: np.ndarray
    overall: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, gram: Gram) -> Normalisation:
        """Find it from the kernels (T, T) of the training frames among themselves.

        Raises a DataError if they are all the same. If only those of K_0 or of K_1 are, nothing is
        left of these.
        """
        kernels = [gram.k0, *gram.shares.values()]
        species = np.array(list(gram.shares), dtype=np.int64)
        means = np.array([kernel.mean(axis=1) for kernel in kernels])
        overall = np.array([kernel.mean() for kernel in kernels])
        own = cls(species, means, overall, np.ones(2)).apply(gram).self_kernel
        assert own is not None  # as those of `gram`
        scales = np.array([own.k0.mean(), own.k1.mean()])
        same = scales <= SAME_FEATURES * np.array([overall[0], overall[1:].sum()])
        if same.all():
            raise DataError(
                f"linear kernel: the features of all {len(gram.k0)} training frames are the same: "
                "nothing can be learnt; give frames that differ"
            )
        return cls(species, means, overall, np.where(same, NEVER, scales))

    def apply(self, gram: Gram) -> Gram:
        """Return the kernels (n, T) of any frames with the training frames, normalised."""
        kernels, own = self._parts(gram), gram.self_kernel
        to_mean = [kernel.mean(axis=1) for kernel in kernels]
        for part, kernel in enumerate(kernels):
            kernels[part] = kernel - to_mean[part][:, None] - self.means[part] + self.overall[part]
        if own is not None:
            diagonals = self._parts(own)
            for part, diagonal in enumerate(diagonals):
                diagonals[part] = diagonal - 2.0 * to_mean[part] + self.overall[part]
            own = self._scaled(diagonals)
        return replace(self._scaled(kernels), self_kernel=own, lengthscale=gram.lengthscale)

    def unfold(
        self, every: np.ndarray, same: Mapping[int, np.ndarray]
    ) -> tuple[np.ndarray, dict[int, np.ndarray], float]:
        """Return coefficients for kernels as they are, and the constant that comes to the sum.

        Parameters
        ----------
        every, same : coefficients (T,) of K_0, and of the share of each species.
        """
        constant, parts = 0.0, [every, *(same[s] for s in self.species.tolist())]
        for part, coefficients in enumerate(parts):
            scale = self.scales[min(part, 1)]
            constant += float(coefficients @ (self.overall[part] - self.means[part])) / scale
            parts[part] = (coefficients - coefficients.mean()) / scale
        return parts[0], dict(zip(self.species.tolist(), parts[1:], strict=True)), constant

    def tensors(self) -> dict[str, np.ndarray]:
        """Return it as arrays by name, for a model file."""
        return {f"{PREFIX}{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Normalisation | None:
        """Return what `tensors` gave; None if they hold none."""
        names = [f"{PREFIX}{field.name}" for field in fields(cls)]
        return cls(*(tensors[name] for name in names)) if names[0] in tensors else None

    def _parts(self, gram: Gram) -> list[np.ndarray]:
        """K_0 and the share of each species, 0 where no frame has it."""
        none = np.zeros(gram.k0.shape)
        return [gram.k0, *(gram.shares.get(species, none) for species in self.species.tolist())]

    def _scaled(self, parts: list[np.ndarray]) -> Gram:
        k0, *shares = parts
        shares = [share / self.scales[1] for share in shares]
        return Gram(k0 / self.scales[0], dict(zip(self.species.tolist(), shares, strict=True)))


def training_gram(
    frames: FrameFeatures,
    train: np.ndarray,
    kernel: AtomKernel,
    *,
    extensive: bool = False,
    own: bool = True,
    dtype: type = np.float32,
    threads: int = 1,
    title: str = "kernel",
) -> tuple[Gram, Normalisation | None]:
    """Return the kernels (n, T) of all frames with the training frames.

    Parameters
    ----------
    train : (T,) indices of the training frames, in the order of the columns.
    extensive : whether they are for energies per atom, see `Gram.per_atom`.
    own : whether the kernels of each frame with itself are wanted too.
    dtype : of the products.

    Returns
    -------
    The kernels, and what normalised them; None for an atom kernel that is taken as it is.
    """
    raw = train_gram(frames, train, kernel, dtype=dtype, threads=threads, title=title)
    gram = replace(raw, lengthscale=kernel.lengthscale)
    if own or kernel.centred:
        gram = replace(gram, self_kernel=self_gram(frames, kernel))
    if extensive:
        gram = gram.per_atom(frames, frames.select(train))
    if not kernel.centred:
        return gram, None
    normalisation = Normalisation.of(gram.rows(train))
    return normalisation.apply(gram), normalisation


def new_gram(
    frames: FrameFeatures,
    training: FrameFeatures,
    kernel: AtomKernel,
    normalisation: Normalisation | None,
    *,
    raw: Gram | None = None,
    extensive: bool = False,
    own: bool = True,
    threads: int = 1,
) -> Gram:
    """Return the kernels (n, T) of new frames with training frames; ``own``: and with themselves.

    ``normalisation`` is that of the training frames, see `training_gram`. ``raw`` are the kernels
    with training frames, if they are known already, as an `Expansion` finds them.
    """
    gram = species_gram(frames, training, kernel, threads=threads) if raw is None else raw
    if own:
        gram = replace(gram, self_kernel=self_gram(frames, kernel))
    if extensive:
        gram = gram.per_atom(frames, training)
    return gram if normalisation is None else normalisation.apply(gram)
