"""From features and their derivatives to a fitted sparse model, with all that is open chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, AtomKernel, Radial
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.factor import Factor
from mekrr.models.sparse.inducing import choose_inducing
from mekrr.models.sparse.metric import Scale, scales_of
from mekrr.models.sparse.model import SparseModel, batches
from mekrr.models.sparse.select import SIGMA_FORCE, Choice, Held, choose, folds
from mekrr.models.sparse.solve import Rows, coefficients_of, penalised, prior_root
from mekrr.progress import progress_bar


@dataclass(frozen=True)
class Data:
    """What is learnt from.

    Attributes
    ----------
    features : by layer, of all frames.
    directions : by layer, of all frames.
    energy : (n_frames,) residual energies in eV; NaN where a frame has none.
    slope : (n_directions,) residual derivatives in eV/Å along all directions.
    n_atoms : (n_frames,) all atoms of each frame.
    parts : frames of each fold, or of training and validation frames.
    validated : whether the latter.
    """

    features: Mapping[int, FrameFeatures]
    directions: Mapping[int, FrameDirections]
    energy: np.ndarray
    slope: np.ndarray
    n_atoms: np.ndarray
    parts: Sequence[np.ndarray]
    validated: bool

    @property
    def train(self) -> np.ndarray:
        """Frames that are fitted."""
        return self.parts[0] if self.validated else np.sort(np.concatenate(self.parts))

    def features_of(self, layers: Sequence[int], frames: np.ndarray) -> FrameFeatures:
        """Return features of some frames, those of layers side by side."""
        return side_by_side([self.features[layer].select(frames) for layer in layers])

    def directions_of(self, layers: Sequence[int], frames: np.ndarray) -> FrameDirections:
        """Return their derivatives. Of many frames these are large: ask for a few at a time."""
        parts = [self.directions[layer].select(frames) for layer in layers]
        if len(layers) == 1:
            return parts[0]
        return replace(parts[0], derivatives=np.hstack([part.derivatives for part in parts]))

    def slopes_of(self, frames: np.ndarray) -> np.ndarray:
        """Return their residual derivatives (Σ q,) in eV/Å."""
        return self.slope[next(iter(self.directions.values())).places(frames)]


@dataclass(frozen=True)
class Open:
    """What there is to choose from.

    Attributes
    ----------
    views : layers side by side. lengthscales : in units of the coordinates. alphas : α.
    numbers : of inducing atoms, the largest last. sigmas : eV/atom. regularisations : λ.
    """

    views: Sequence[tuple[int, ...]]
    lengthscales: Sequence[float]
    alphas: Sequence[float]
    numbers: Sequence[int]
    sigmas: Sequence[float]
    regularisations: Sequence[float]


@dataclass(frozen=True)
class Fitted:
    """A fit, and how it was chosen.

    Attributes
    ----------
    layers : side by side. model : the fit. choice : what was chosen.
    sweep : all that was tried.
    expected_std : largest standard deviation of the energy, eV/atom, of frames that chose.
    """

    layers: tuple[int, ...]
    model: SparseModel
    choice: Choice
    sweep: pd.DataFrame
    expected_std: float


def side_by_side(layers: Sequence[FrameFeatures]) -> FrameFeatures:
    """Return features of several layers side by side, in the order given."""
    if len(layers) == 1:
        return layers[0]
    return replace(layers[0], features=np.hstack([each.features for each in layers]))


def fit_sparse(
    data: Data,
    kernel: str,
    metric: str,
    method: str,
    options: Open,
    dtype: type = np.float32,
) -> Fitted:
    """Fit all that is open, and choose.

    Parameters
    ----------
    kernel : name of the atom kernel. metric, method : see `scales_of`, `choose_inducing`.
    options : what there is to choose from.
    dtype : of products.
    """
    selected = next(iter(data.features.values())).n_atoms
    of_atoms = (data.energy / selected)[data.train]
    constant = float(np.nanmean(of_atoms)) if np.isfinite(of_atoms).any() else 0.0
    tables: list[pd.DataFrame] = []
    trials = _trials(data, kernel, metric, method, options, dtype, constant, tables)
    best = min(trials, key=lambda trial: trial.choice.criterion)
    against = data.parts[1:] if data.validated else data.parts
    scores = [
        _scores(best.fitted(one.fitted, constant), best.layers, data, part)
        for one, part in zip(best.held, against, strict=True)
    ]
    energies, slopes, stds = (np.concatenate(each) for each in zip(*scores, strict=True))
    calibration = _factor_of(energies), _factor_of(slopes)
    model = replace(best.fitted(best.rows(data.validated), constant), calibration=calibration)
    expected = calibration[0] * float(stds.max())
    return Fitted(best.layers, model, best.choice, pd.concat(tables, ignore_index=True), expected)


@dataclass(frozen=True)
class _Trial:
    """One setting, and the best of what its triangles leave to choose.

    Attributes
    ----------
    layers : side by side. basis : with all inducing atoms. held : what chose.
    """

    layers: tuple[int, ...]
    basis: Basis
    held: list[Held]
    choice: Choice

    def rows(self, validated: bool) -> Rows:
        """Return all rows that are to be fitted; ``validated``: not those held against."""
        first = self.held[0]
        return first.fitted if validated else Rows.joined([first.fitted, first.against])

    def fitted(self, rows: Rows, constant: float) -> SparseModel:
        """Return the fit to rows, with what was chosen."""
        choice, (basis, root) = self.choice, self._chosen
        stacked = rows.stacked(choice.sigma_energy, SIGMA_FORCE)
        triangle = penalised(stacked, root, choice.regularisation)
        return SparseModel(
            basis,
            coefficients_of(triangle),
            np.ascontiguousarray(triangle[:-1, :-1]),  # as a loaded model has it
            root,
            choice.regularisation,
            choice.sigma_energy,
            SIGMA_FORCE,
            constant,
        )

    @cached_property
    def _chosen(self) -> tuple[Basis, np.ndarray]:
        """The inducing atoms chosen, and Lᵀ, to the last bit as a loaded model has it."""
        n, basis = self.choice.n, self.basis
        basis = replace(basis, species=basis.species[:n], features=basis.features[:n])
        return basis, prior_root(basis.gram())


def _trials(
    data: Data,
    kernel: str,
    metric: str,
    method: str,
    options: Open,
    dtype: type,
    constant: float,
    tables: list[pd.DataFrame],
) -> Iterator[_Trial]:
    """Yield settings one after the other, only one of which is held; all tried is in ``tables``."""
    settings = len(options.views) * len(options.lengthscales) * len(options.alphas)
    with progress_bar(settings, "fit", "settings") as bar:
        for layers in options.views:
            train = data.features_of(layers, data.train)
            widths = tuple(data.features[layer].features.shape[1] for layer in layers)
            own, shared = scales_of(train.features, train.species, widths, metric)
            for lengthscale, alpha in product(options.lengthscales, options.alphas):
                basis = _basis(
                    train, own, shared, KERNELS[kernel](lengthscale), alpha, method, options, dtype
                )
                parts = rows_of(basis, layers, data, constant)
                held = [Held(*parts)] if data.validated else folds(parts)
                numbers = sorted({min(n, len(basis)) for n in options.numbers})
                choice, table = choose(
                    held,
                    prior_root(basis.gram()),
                    numbers,
                    options.sigmas,
                    options.regularisations,
                )
                shown = "+".join(map(str, layers))
                tables.append(table.assign(layers=shown, lengthscale=lengthscale, alpha=alpha))
                yield _Trial(layers, basis, held, choice)
                bar.update()


def _factor_of(scores: np.ndarray) -> float:
    """Return the factor of standard deviations that errors over these, (n,), ask for."""
    return float(np.sqrt(np.mean(scores**2))) if scores.any() else 1.0


def _scores(
    model: SparseModel,
    layers: tuple[int, ...],
    data: Data,
    frames: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return errors over their standard deviations, of energies and of derivatives of frames.

    And the standard deviations of the energies in eV/atom.
    """
    energies, slopes, stds = [], [], []
    for some in batches(frames):
        features, directions = data.features_of(layers, some), data.directions_of(layers, some)
        of_energies, of_slopes = map(
            np.sqrt, model.variances(features, directions, data.n_atoms[some])
        )
        rows, along = model.basis.rows(features, directions)
        off = rows @ model.coefficients + model.constant * features.n_atoms - data.energy[some]
        stds.append(of_energies / data.n_atoms[some])
        energies.append((off / of_energies)[np.isfinite(data.energy[some])])
        slopes.append((along @ model.coefficients - data.slopes_of(some)) / of_slopes)
    return np.concatenate(energies), np.concatenate(slopes), np.concatenate(stds)


def _basis(
    train: FrameFeatures,
    own: dict[int, Scale],
    shared: Scale,
    kernel: AtomKernel,
    alpha: float,
    method: str,
    options: Open,
    dtype: type,
) -> Basis:
    """Return kernels with inducing atoms of the training frames, as many as may be wanted."""
    assert isinstance(kernel, Radial)
    rows = {s: np.flatnonzero(train.species == s) for s in own}
    coordinates = {s: own[s].apply(train.features[atoms], np.float32) for s, atoms in rows.items()}
    species, chosen = choose_inducing(coordinates, kernel, max(options.numbers), method)
    places = np.array([rows[s][row] for s, row in zip(species.tolist(), chosen, strict=True)])
    features = np.asarray(train.features[places], dtype=np.float32)
    return Basis(kernel, alpha, own, shared, species, features, dtype)


def rows_of(basis: Basis, layers: tuple[int, ...], data: Data, constant: float) -> list[Rows]:
    """Return the triangles of each part of the frames."""
    found = []
    for part in data.parts:
        rows = Rows(Factor(len(basis)), Factor(len(basis)))
        for some in batches(part):
            features = data.features_of(layers, some)
            energies, slopes = basis.rows(features, data.directions_of(layers, some))
            size = data.n_atoms[some]
            known = np.isfinite(data.energy[some])
            target = (data.energy[some] - constant * features.n_atoms) / size
            rows.energies.add((energies / size[:, None])[known], target[known])
            rows.directions.add(slopes, data.slopes_of(some))
        found.append(rows)
    return found
