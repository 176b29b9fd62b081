"""The final fit of a kernel model, its parameters chosen."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from mekrr.errors import ConstantTargetWarning, DataError
from mekrr.features.store import FrameFeatures
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import Normalisation
from mekrr.kernels.weights import Weights
from mekrr.models.file import read_model, write_model
from mekrr.models.problem import Problem
from mekrr.models.record import KernelRecord
from mekrr.models.ridge import KernelRidge, is_constant

SAME_KERNEL = 1e-7  # relative; closer than its rounding, float32, a kernel tells nothing apart


@dataclass
class KernelModel:
    """Kernel ridge regression of residual energies, K_α given for all frames.

    With T training frames, (K_α + λ T I) c = ỹ, ỹ their standardised residual energies, each
    over the size of its frame, see `Problem.target`; the kernel is one for those.

    Attributes
    ----------
    alpha : α, or that of each species (atomic number), see `Gram.at`.
    regularisation : λ.
    ridge_ : the fit.
    """

    alpha: float | Mapping[int, float]
    regularisation: float
    ridge_: KernelRidge = field(init=False)

    def fit(self, problem: Problem, inputs: Gram) -> KernelModel:
        """Fit to the training frames of a problem.

        Parameters
        ----------
        inputs : kernels (n_frames, T) of all its frames with these.

        Raises
        ------
        DataError
            If the kernel tells no two training frames apart. If all their residual energies
            are the same, a ConstantTargetWarning says so.
        SolveError
            If the kernel matrix cannot be factorised.
        """
        train = problem.members("train")
        kernel, target = inputs.rows(train).at(self.alpha), problem.target[train]
        _require_learnable(kernel, target)
        self.ridge_ = KernelRidge(self.regularisation).fit(kernel, target)
        return self

    def predict(self, problem: Problem, inputs: Gram) -> tuple[np.ndarray, np.ndarray]:
        """Return residual energies and their standard deviations (n_frames,) in eV.

        Parameters
        ----------
        inputs : kernels (n_frames, T) of the frames of a problem with the training frames, and
            with themselves.
        """
        assert inputs.self_kernel is not None
        kernel, own = inputs.at(self.alpha), inputs.self_kernel.at(self.alpha)
        size = problem.size
        return self.ridge_.predict(kernel) * size, self.ridge_.std(kernel, own) * size

    def over_atoms(
        self, training: FrameFeatures, normalisation: Normalisation | None, extensive: bool
    ) -> tuple[Weights, float]:
        """Return the fit as a sum over training atoms, and the constant that comes to it.

        The target of a frame is the constant plus the sum of an `Expansion` over the frame's
        atoms, which for energies per atom is to be divided by their number.

        Parameters
        ----------
        training : features of the training frames.
        normalisation : that of their kernels, see `training_gram`.
        extensive : whether energies per atom were learnt.
        """
        coefficients = self.ridge_.coefficients_
        species = np.unique(training.species).tolist()
        alpha: Mapping[int, float]
        if isinstance(self.alpha, Mapping):
            alpha, mean = self.alpha, float(np.mean(list(self.alpha.values())))
        else:
            alpha, mean = dict.fromkeys(species, self.alpha), self.alpha
        every = (1.0 - mean) * coefficients
        same, constant = {s: alpha.get(s, 0.0) * coefficients for s in species}, 0.0
        if normalisation is not None:
            every, same, constant = normalisation.unfold(every, same)
        frame = np.repeat(np.arange(len(training)), training.n_atoms)
        own = np.zeros(len(frame))
        for s, of_frame in same.items():
            atoms = training.species == s
            counts = np.bincount(frame[atoms], minlength=len(training))
            own[atoms] = (
                of_frame[frame[atoms]]
                / (training.n_atoms if extensive else np.maximum(counts, 1))[frame[atoms]]
            )
        scale = self.ridge_.scale_
        weights = Weights(scale * (every / training.n_atoms)[frame], scale * own)
        return weights, self.ridge_.mean_ + scale * constant

    def save(self, path: str | os.PathLike) -> None:
        """Write the fit to a model file; who predicts by it has to know the training frames."""
        alpha: object = self.alpha
        if isinstance(self.alpha, Mapping):
            alpha = {chemical_symbols[species]: value for species, value in self.alpha.items()}
        record = {"alpha": alpha, "regularisation": self.regularisation}
        record["ridge"] = self.ridge_.record()
        write_model(path, self.ridge_.tensors(), record, KernelRecord)

    @classmethod
    def load(cls, path: str | os.PathLike) -> KernelModel:
        """Read a fit from its model file; raises a ModelFileError if that is damaged."""
        tensors, record = read_model(path, KernelRecord)
        alpha: float | Mapping[int, float]
        if isinstance(record.alpha, dict):
            alpha = {atomic_numbers[symbol]: value for symbol, value in record.alpha.items()}
        else:
            alpha = record.alpha
        model = cls(alpha, record.regularisation)
        model.ridge_ = KernelRidge.recalled(
            record.regularisation, record.ridge.model_dump(), tensors
        )
        return model


def _require_learnable(kernel: np.ndarray, target: np.ndarray) -> None:
    """Raise a DataError if a kernel (T, T) tells no two training frames apart.

    Warns if all targets (T,) are the same.
    """
    if np.ptp(kernel) <= SAME_KERNEL * np.abs(kernel).max():
        what = f"all {len(target)} training frames are alike"
        if len(target) == 1:
            what = "one training frame"
        raise DataError(f"{what}: nothing can be learnt; give at least two that differ")
    if is_constant(target):
        warnings.warn(
            f"all {len(target)} training energies are the same beyond their references: nothing "
            "was learnt, errors of 0 mean nothing, and standard deviations are infinite; check "
            "the energies",
            ConstantTargetWarning,
            stacklevel=5,
        )
