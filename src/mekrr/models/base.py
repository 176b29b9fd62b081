"""The contract of a model: fitted to a problem's training frames, asked for any frames."""

from __future__ import annotations

import os
from typing import Any, Protocol, Self

import numpy as np

from mekrr.models.problem import Problem


class Model(Protocol):
    """What is common to kernels, networks, GAP and the constant predictor.

    What a model learns are residual energies: a problem knows the rest, see
    `mekrr.models.problem`. ``inputs`` is what a model needs of the problem's frames: kernels with
    the training frames, states of a network's frozen layers, the frames themselves, or nothing.
    """

    def fit(self, problem: Problem, inputs: Any) -> Self:
        """Fit to the training frames of a problem; ``inputs`` are those of all its frames."""

    def predict(self, problem: Problem, inputs: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return residual energies and their standard deviations (n_frames,) in eV.

        Of all frames of a problem, which may be another than that of the fit. None stands for
        the standard deviations of a model without.
        """

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model to one file, whole or not at all."""

    @classmethod
    def load(cls, path: str | os.PathLike, *parts: Any) -> Self:
        """Read a model from its file; ``parts`` are what that does not hold, such as a network."""
