"""From features and their derivatives to a fitted sparse model, with all that is open chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.data import FAR_ENERGY, FAR_SLOPE, Data, times_expected
from mekrr.models.sparse.errors import Errors, errors_of
from mekrr.models.sparse.factor import Factor
from mekrr.models.sparse.model import SparseModel, batches
from mekrr.models.sparse.sample import Sample
from mekrr.models.sparse.select import SIGMA_FORCE, Choice, Held, choose, folds
from mekrr.models.sparse.settings import Open, Setting, settings_of
from mekrr.models.sparse.solve import Rows, coefficients_of, penalised, prior_root
from mekrr.progress import progress_bar


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
    constant = constant_of(data.energy[data.train], selected[data.train])
    sample = Sample.of([data.features], [data.train])
    search = Search(options, constant, data.validated)
    with progress_bar(options.n_settings, "fit", "settings") as bar:
        for setting in settings_of(sample, kernel, metric, method, options, dtype):
            search.consider(setting, rows_of(setting.basis, setting.layers, data, constant))
            bar.update()
    against = data.parts[1:] if data.validated else data.parts
    best = search.best
    errors = Errors.joined(
        errors_of(best.fitted(one.fitted, constant), best.setting.layers, data, part)
        for one, part in zip(best.held, against, strict=True)
    )
    calibration = errors.calibration
    model = replace(search.model, calibration=calibration)
    expected = calibration[0] * errors.largest_std
    return Fitted(best.setting.layers, model, best.choice, search.table, expected)


def constant_of(energy: np.ndarray, n_atoms: np.ndarray) -> float:
    """Return the mean of residual energies (n,) over selected atoms (n,) in eV.

    Of those that are known, and not far from their median.
    """
    of_atoms = (energy / n_atoms)[np.isfinite(energy)]
    near = np.abs(of_atoms - np.median(of_atoms)) <= FAR_ENERGY if len(of_atoms) else []
    return float(np.mean(of_atoms[near])) if np.any(near) else 0.0


@dataclass(frozen=True)
class Trial:
    """One setting, and the best of what its triangles leave to choose.

    Attributes
    ----------
    setting : with all inducing atoms. held : what chose.
    """

    setting: Setting
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
        n, basis = self.choice.n, self.setting.basis
        basis = replace(basis, species=basis.species[:n], features=basis.features[:n])
        return basis, prior_root(basis.gram())


class Search:
    """The best of the settings that were considered, only one of which is held.

    Parameters
    ----------
    options : what there is to choose from.
    constant : eV, that each selected atom has beside.
    validated : whether rows are of training and validation frames; else of folds.
    """

    best: Trial

    def __init__(self, options: Open, constant: float, validated: bool):
        self._options, self._constant, self._validated = options, constant, validated
        self._tables: list[pd.DataFrame] = []

    def consider(self, setting: Setting, parts: list[Rows]) -> None:
        """Choose what the triangles of each part of the frames leave open of a setting."""
        options, basis = self._options, setting.basis
        held = [Held(*parts)] if self._validated else folds(parts)
        numbers = sorted({min(n, len(basis)) for n in options.numbers})
        grid = numbers, options.sigmas, options.regularisations
        choice, table = choose(held, prior_root(basis.gram()), *grid)
        names: dict[str, object] = {"layers": "+".join(map(str, setting.layers))}
        names |= {"lengthscale": basis.kernel.lengthscale, "alpha": basis.alpha}
        self._tables.append(table.assign(**names))
        if len(self._tables) == 1 or choice.criterion < self.best.choice.criterion:
            self.best = Trial(setting, held, choice)

    @property
    def model(self) -> SparseModel:
        """The fit to all rows that are to be fitted, its standard deviations as they come out."""
        return self.best.fitted(self.best.rows(self._validated), self._constant)

    @property
    def table(self) -> pd.DataFrame:
        """All that was tried."""
        return pd.concat(self._tables, ignore_index=True)


def rows_of(
    basis: Basis,
    layers: Sequence[int],
    data: Data,
    constant: float | np.ndarray,
    *,
    weighted: bool = True,
) -> list[Rows]:
    """Return the triangles of each part of the frames.

    Parameters
    ----------
    constant : eV, that of each selected atom; (t,) of t things that are learnt.
    weighted : whether what is far off has less weight, see `times_expected`.
    """
    far = (FAR_ENERGY, FAR_SLOPE) if weighted else (np.inf, np.inf)
    found = []
    several = data.energy.shape[1:]
    for part in data.parts:
        rows = Rows(*(Factor(len(basis), *several) for _ in range(2)))
        for some in batches(part):
            features = data.features_of(layers, some)
            energies, slopes = basis.rows(features, data.directions_of(layers, some))
            size = data.n_atoms[some]
            known = np.isfinite(data.energy[some].reshape(len(some), -1)).all(axis=1)
            of_atoms = np.multiply.outer(features.n_atoms, constant)
            target = ((data.energy[some] - of_atoms).T / size).T[known]
            _add(rows.energies, (energies / size[:, None])[known], target, far[0])
            _add(rows.directions, slopes, data.slopes_of(some), far[1])
        found.append(rows)
    return found


def _add(factor: Factor, rows: np.ndarray, targets: np.ndarray, far: float) -> None:
    """Add rows, those far off with less weight."""
    times = times_expected(targets, far)
    factor.add(rows / times[:, None], (targets.T / times).T)
