"""The constant predictor: what a model must beat to be of any use."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from mekrr.models.file import Record, Tensors, read_model, write_model
from mekrr.models.problem import Problem


class _ConstantRecord(Record):
    per_atom: float

    def check(self, tensors: Tensors) -> None:
        if tensors:
            raise ValueError(f"it has an unknown tensor {min(tensors)}")


@dataclass
class Constant:
    """The same residual energy for every atom: the mean over the training frames.

    Beyond reference energies it is their mean training energy; beyond a network's own energies
    it accounts for the different zero of the network's training data.

    Attributes
    ----------
    per_atom_ : eV/atom.
    """

    per_atom_: float = np.nan

    def fit(self, problem: Problem, inputs: None = None) -> Constant:
        """Take the mean over the training frames of a problem."""
        train = problem.members("train")
        self.per_atom_ = float(np.mean(problem.residual[train] / problem.n_atoms[train]))
        return self

    def predict(self, problem: Problem, inputs: None = None) -> tuple[np.ndarray, None]:
        """Return the residual energies (n_frames,) in eV of all frames of a problem."""
        return problem.n_atoms * self.per_atom_, None

    def save(self, path: str | os.PathLike) -> None:
        """Write it to a model file."""
        write_model(path, {}, {"per_atom": self.per_atom_}, _ConstantRecord)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Constant:
        """Read it from a model file; raises a ModelFileError if that is damaged."""
        _, record = read_model(path, _ConstantRecord)
        return cls(record.per_atom)
