"""Choosing frames, and what other ways of choosing as many would have left unknown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd
from ase import Atoms
from ase.symbols import Symbols

from mekrr.errors import ConfigError, InputError
from mekrr.features.atoms import check_rule
from mekrr.features.store import FrameFeatures
from mekrr.models.sparse.sample import Sample
from mekrr.models.sparse_mekrr import SparseMEKRR
from mekrr.progress import PATIENCE, progress_bar
from mekrr.selection.covariance import Conditioned, Covariance
from mekrr.selection.gathering import FrameError, Gathered, gather_streamed
from mekrr.selection.pool import Pool
from mekrr.selection.space import Space
from mekrr.selection.ways import WAYS

COMPARED = ("random", "stride")  # what a choice is held against
# Of all that the first frame leaves unknown, which may be little more than a common offset: below
# this one more frame is not worth its label.
GAIN = 1e-3
ENOUGH, CERTAIN, KNOWN, NO_GAIN, NO_MORE = (
    "as many as were asked for",
    "no frame is less certain than was asked for",
    "all frames are known better than labels are expected to be exact",
    "the last tells less than a thousandth of what the first left unknown",
    "no frame is left to choose",
)


@dataclass(frozen=True)
class Selection:
    """Frames that were chosen, and what they leave unknown.

    Standard deviations are of energies per atom that counts, eV/atom, expected errors included;
    without a model relative to the spread of an atom's energy.

    Attributes
    ----------
    places : (k,) of the frames among those given, in the order of choice.
    ended : why there are no more.
    stds : (k,) of each, before any was chosen.
    stds_when_chosen : (k,) of each, those before it being known.
    of_atoms : of each the standard deviations (n,) of its atoms' own energies, eV, before any was
        chosen and without expected errors; NaN of atoms that do not count.
    candidates : (n,) places of all that could be chosen.
    before, after : (n,) of these, before any was chosen and after all.
    left : table of ``method``, ``chosen``, ``largest`` and ``mean`` standard deviation of the
        candidates after so many, by the method asked for and by others.
    relative : whether there is no model.
    """

    places: np.ndarray
    ended: str
    stds: np.ndarray
    stds_when_chosen: np.ndarray
    of_atoms: list[np.ndarray]
    candidates: np.ndarray
    before: np.ndarray
    after: np.ndarray
    left: pd.DataFrame
    relative: bool

    @property
    def energy_stds(self) -> np.ndarray:
        """(k,) of the energies of all atoms of each frame that count, eV, before any was chosen."""
        counts = [np.isfinite(atoms).sum() for atoms in self.of_atoms]
        return self.stds * np.array(counts, dtype=float)

    @property
    def table(self) -> pd.DataFrame:
        """The frames that were chosen, one in a row."""
        return pd.DataFrame(
            {
                "original_frame": self.places,
                "energy_std": self.energy_stds,
                "std_when_chosen": self.stds_when_chosen,
                "max_atomic_uncertainty": [float(np.nanmax(atoms)) for atoms in self.of_atoms],
            }
        )


def select_frames(
    frames: Iterable[Atoms],
    n: int,
    *,
    model: SparseMEKRR | None = None,
    backbone: str | None = None,
    labelled: Iterable[Atoms] = (),
    method: str = "variance",
    atoms: str | Mapping = "all",
    max_std: float | None = None,
    seed: int = 0,
    registry: str | os.PathLike | None = None,
    threads: int = 1,
) -> Selection:
    """Choose frames to label next.

    One frame after the other becomes known, and the covariance of all others is conditioned on
    it, so that of frames alike one is chosen. The cost is linear in the number of frames, which
    stream by once. The order in which they come does not matter, but for "stride".

    Parameters
    ----------
    frames : of any iterable, with labels or without. Isolated atoms are passed over.
    n : most frames to choose.
    model : fitted potential; frames are chosen of whose energies it knows the least.
    backbone : name of a network, without a model: frames are chosen that are unlike others.
    labelled : frames whose labels there are already; a model's own training frames need not be
        among them.
    method : "variance"; "fps", farthest point sampling; "random"; "stride", every so many.
    atoms : rule of `mekrr.features.atoms.selected`: the atoms that count.
    max_std : eV/atom, of a model; as soon as no frame is less certain, no more are chosen.
    seed : of "random".
    registry : file that names more backbones.
    threads : of network and kernels.

    Raises
    ------
    ConfigError, InputError
        If an argument has no possible value.
    FrameError
        If a frame cannot be used, or has an element that the model does not know.
    """
    from threadpoolctl import threadpool_limits

    from mekrr.torch_settings import own_torch_settings

    _check(n, model, backbone, method, atoms, max_std)
    rules = [atoms]
    with own_torch_settings(threads), threadpool_limits(threads, "blas"):
        if model is not None:
            potential = model.potential()
            network, layers = potential.backbone, list(potential.layers)
            rules.append(potential.atoms)
        else:
            from mekrr.backbones.registry import open_backbone

            assert backbone is not None
            network, layers, _ = open_backbone(backbone, registry)
        gathered = gather_streamed(network, layers, labelled, frames, rules)
        if not len(gathered.free):
            raise InputError("no frame to choose from; give at least one")
        if model is not None:
            _require_known(gathered, potential.species)
            space = Space.of_model(potential.model)
        else:
            sample = Sample.of([{0: gathered.features}], [gathered.ordered])
            space = Space.of_features(sample.features[0], sample.species, gathered.widths)
        return _Choice(gathered, space, seed).made(n, method, max_std)


@dataclass(frozen=True)
class _Followed:
    """What came of choosing by one method.

    Attributes
    ----------
    chosen : the frames. when : variance of each when it was chosen. ended : why there are no more.
    before, after : (n_frames,) variances. left : see `Selection`.
    """

    chosen: list[int]
    when: list[float]
    ended: str
    before: np.ndarray
    after: np.ndarray
    left: pd.DataFrame


class _Choice:
    """Choices among the same frames.

    Parameters
    ----------
    seed : of "random".
    """

    def __init__(self, gathered: Gathered, space: Space, seed: int):
        self._gathered, self._space = gathered, space
        self._covariance = Covariance(Pool(gathered.features, space.parts), space)
        self._keys = [sha256(b"%d" % seed + digest).digest() for digest in gathered.digests]

    def made(self, n: int, method: str, max_std: float | None) -> Selection:
        """Choose up to n frames, and as many by other methods."""
        least = float(self._std(0.0))
        if max_std is not None and not max_std > least:
            raise ConfigError(
                f"max_std={max_std:g} eV/atom: the model expects labels to be {least:.3g} eV/atom "
                "off however many there are; give more"
            )
        given = self._gathered
        found = self._followed(method, n, max_std)
        left = [found.left]
        left += [
            self._followed(other, len(found.chosen), None, gain=0.0).left
            for other in COMPARED
            if other != method
        ]
        return Selection(
            given.places[found.chosen],
            found.ended,
            self._std(found.before[found.chosen]),
            self._std(np.array(found.when)),
            self._of_atoms(found.chosen),
            given.places[given.free],
            self._std(found.before[given.free]),
            self._std(found.after[given.free]),
            pd.concat(left, ignore_index=True),
            self._space.triangle is None,
        )

    def _followed(
        self, method: str, n: int, max_std: float | None, gain: float = GAIN
    ) -> _Followed:
        """Choose up to n frames by a method, until one tells less than a part ``gain`` of all."""
        free, n_labelled = self._gathered.free, self._gathered.n_labelled
        most = min(n, len(free))
        way = WAYS[method](self._covariance, free, most, self._keys)
        conditioned = Conditioned(self._covariance)

        def know(frame: int) -> float:
            kernel = self._covariance.kernel(frame)
            way.know(frame, kernel)
            return conditioned.take(frame, kernel)

        with progress_bar(n_labelled, "labelled", "frames", delay=PATIENCE) as bar:
            for frame in range(n_labelled):
                know(frame)
                bar.update()
        before = conditioned.left
        chosen: list[int] = []
        when: list[float] = []
        stds = [self._std(before[free])]
        total = 0.0
        ended = ENOUGH if most == n else NO_MORE
        with progress_bar(most, method, "frames", delay=PATIENCE) as bar:
            while len(chosen) < most:
                if gain and conditioned.left[free].max() <= self._space.sigma**2:
                    ended = KNOWN
                    break
                if max_std is not None and stds[-1].max() <= max_std:
                    ended = CERTAIN
                    break
                frame = way.next(conditioned.left)
                chosen.append(frame)
                when.append(float(conditioned.left[frame]))
                told = know(frame)
                stds.append(self._std(conditioned.left[free]))
                bar.update()
                if len(chosen) == 1:
                    total = conditioned.left.sum()
                elif told < gain * total:
                    ended = NO_GAIN
                    break
        left = pd.DataFrame(
            {
                "method": method,
                "chosen": np.arange(len(stds)),
                "largest": [float(std.max()) for std in stds],
                "mean": [float(std.mean()) for std in stds],
            }
        )
        return _Followed(chosen, when, ended, before, conditioned.left, left)

    def _of_atoms(self, chosen: list[int]) -> list[np.ndarray]:
        """Return the standard deviations (n,) of the atoms of some frames; see `Selection`."""
        given, n = self._gathered, self._gathered.n_labelled
        features = given.features.select([*range(n), *chosen])
        atoms = np.arange(features.pointer[n], features.pointer[-1] + 1)  # each a frame of its own
        features = FrameFeatures(
            features.features, features.species, np.concatenate([features.pointer[:n], atoms])
        )
        conditioned = Conditioned(Covariance(Pool(features, self._space.parts), self._space))
        for frame in range(n):
            conditioned.take(frame)
        stds = iter(self._space.calibration * np.sqrt(conditioned.left[n:]))
        found = []
        for frame in chosen:
            mask = given.masks[frame]
            of_frame = np.full(len(mask), np.nan)
            of_frame[mask] = [next(stds) for _ in range(int(mask.sum()))]
            found.append(of_frame)
        return found

    def _std(self, variance: np.ndarray | float) -> np.ndarray:
        """Return standard deviations of energies per atom, expected errors included."""
        return self._space.calibration * np.sqrt(np.add(variance, self._space.sigma**2))


def _check(
    n: int,
    model: object,
    backbone: str | None,
    method: str,
    atoms: str | Mapping,
    max_std: float | None,
) -> None:
    """Raise a ConfigError or InputError for the first argument that has no possible value."""
    if n < 1:
        raise ConfigError(f"n={n}: give 1 or more")
    if (model is None) == (backbone is None):
        raise ConfigError("give a model or the name of a backbone, one of them")
    if model is not None and not isinstance(model, SparseMEKRR):
        raise InputError(
            f"model is a {type(model).__name__}; frames are chosen by a sparse model: fit one to "
            "forces, or with inducing atoms"
        )
    if method not in WAYS:
        raise ConfigError(f"method={method!r} is unknown; known: {', '.join(WAYS)}")
    check_rule(atoms)
    if max_std is not None and model is None:
        raise ConfigError("max_std is in eV/atom, which a model knows alone; give one, or leave it")


def _require_known(gathered: Gathered, species: np.ndarray) -> None:
    """Raise a FrameError for the first frame with an atom that counts of an unknown element."""
    features = gathered.features
    wrong = np.flatnonzero(~np.isin(features.species, species))
    if not len(wrong):
        return
    frame = int(np.searchsorted(features.pointer, wrong[0], side="right")) - 1
    labelled = frame < gathered.n_labelled
    raise FrameError(
        f"{'labelled frame' if labelled else 'frame'} {gathered.places[frame]}: no training frame "
        f"of the model has {Symbols([int(features.species[wrong[0]])])}; fit with frames that do, "
        "or choose by the backbone alone",
        labelled,
    )
