"""The final fit of a kernel model, its parameters chosen."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from mekrr.errors import ConstantTargetWarning, DataError
from mekrr.kernels.gram import Gram
from mekrr.models.file import read_model, write_model
from mekrr.models.problem import Problem
from mekrr.models.record import KernelRecord
from mekrr.models.ridge import KernelRidge, is_constant

SAME_KERNEL = 1e-7  # relative; closer than its rounding, float32, a kernel tells nothing apart


@dataclass
class KernelModel:
    """Kernel ridge regression of residual energies, K_α given for all frames.

    With T training frames, (K_α + λ T I) c = ỹ, ỹ their standardised residual energies.

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
        kernel, residual = inputs.rows(train).at(self.alpha), problem.residual[train]
        _require_learnable(kernel, residual)
        self.ridge_ = KernelRidge(self.regularisation).fit(kernel, residual)
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
        return self.ridge_.predict(kernel), self.ridge_.std(kernel, own)

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


def _require_learnable(kernel: np.ndarray, residual: np.ndarray) -> None:
    """Raise a DataError if a kernel (T, T) tells no two training frames apart.

    Warns if all residuals (T,) are the same.
    """
    if np.ptp(kernel) <= SAME_KERNEL * np.abs(kernel).max():
        what = f"all {len(residual)} training frames are alike"
        if len(residual) == 1:
            what = "one training frame"
        raise DataError(f"{what}: nothing can be learnt; give at least two that differ")
    if is_constant(residual):
        warnings.warn(
            f"all {len(residual)} training energies are the same beyond their references: nothing "
            "was learnt, errors of 0 mean nothing, and standard deviations are infinite; check "
            "the energies",
            ConstantTargetWarning,
            stacklevel=5,
        )
