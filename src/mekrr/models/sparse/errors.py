"""Errors of a sparse model on frames, and the standard deviations it states of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from mekrr.models.sparse.data import FAR_ENERGY, FAR_SLOPE, Data, times_expected
from mekrr.models.sparse.model import SparseModel, batches


@dataclass(frozen=True)
class Errors:
    """What predictions of frames are off.

    Attributes
    ----------
    energy : (n_frames,) eV; NaN of frames without an energy. energy_std : (n_frames,) eV.
    n_atoms : (n_frames,) of each frame.
    slope : (n_directions,) of derivatives, eV/Å. slope_std : (n_directions,) eV/Å.
    usual : (n_frames,) bool, usual_slope : (n_directions,) bool, whether what is learnt is not far
        off, see `mekrr.models.sparse.data.times_expected`; calibration counts no others.
    """

    energy: np.ndarray
    energy_std: np.ndarray
    n_atoms: np.ndarray
    slope: np.ndarray
    slope_std: np.ndarray
    usual: np.ndarray
    usual_slope: np.ndarray

    @classmethod
    def joined(cls, parts: Iterable[Errors]) -> Errors:
        """Return those of the frames of all parts."""
        parts = list(parts)
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @property
    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Usual errors over their standard deviations, of known energies and of derivatives."""
        known = self.usual & np.isfinite(self.energy)
        slope = (self.slope / self.slope_std)[self.usual_slope]
        return (self.energy / self.energy_std)[known], slope

    @property
    def calibration(self) -> tuple[float, float]:
        """Factors of the standard deviations, of energies and forces, that these ask for."""
        squares = [float(np.sum(scores**2)) for scores in self.scores]
        counts = [len(scores) for scores in self.scores]
        return calibration_of(squares, counts)

    @property
    def largest_std(self) -> float:
        """Largest standard deviation of an energy, eV/atom."""
        return float((self.energy_std / self.n_atoms).max())


NO_FRAMES = Errors(*5 * [np.zeros(0)], *2 * [np.zeros(0, dtype=bool)])


def calibration_of(squares: Sequence[float], counts: Sequence[int]) -> tuple[float, float]:
    """Return roots of mean squares of scores, of energies and forces; 1 where there are none."""
    energy, force = (
        float(np.sqrt(square / count)) if square else 1.0
        for square, count in zip(squares, counts, strict=True)
    )
    return energy, force


def errors_of(model: SparseModel, layers: Sequence[int], data: Data, frames: np.ndarray) -> Errors:
    """Return the errors of a model on some frames, few of which are in memory at once."""
    parts = []
    for some in batches(frames):
        features, directions = data.features_of(layers, some), data.directions_of(layers, some)
        stds = map(np.sqrt, model.variances(features, directions, data.n_atoms[some]))
        of_energies, of_slopes = stds
        rows, along = model.basis.rows(features, directions)
        found = rows @ model.coefficients + model.constant * features.n_atoms
        energy, slope = data.energy[some], data.slopes_of(some)
        off, size = along @ model.coefficients - slope, data.n_atoms[some]
        target = np.nan_to_num(energy - model.constant * features.n_atoms) / size
        usual = times_expected(target, FAR_ENERGY), times_expected(slope, FAR_SLOPE)
        of_each = (each == 1.0 for each in usual)
        parts.append(Errors(found - energy, of_energies, size, off, of_slopes, *of_each))
    return Errors.joined([NO_FRAMES, *parts])
