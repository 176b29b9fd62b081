"""What there is to learn of each frame of a large data set, beyond each baseline."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mekrr.models.problem import Problem
from mekrr.models.sparse.fit import constant_of
from mekrr.tensors import TensorFile, write_tensors


@dataclass(frozen=True)
class Learnt:
    """What is to be learnt, by baseline; of all frames, or of some.

    Attributes
    ----------
    baselines : their names, see `mekrr.study.recipes.Recipe`.
    residual : (n_frames, t) eV, beyond each baseline.
    undetermined : (n_frames, t) eV, standard deviations of the baselines.
    constants : (t,) eV, mean residual energies of a selected atom of training frames.
    references : (t,) records of the references of each.
    spreads : (t,) eV/atom, standard deviations of what training frames leave to learn.
    """

    baselines: tuple[str, ...]
    residual: np.ndarray
    undetermined: np.ndarray
    constants: np.ndarray
    references: Sequence[dict[str, Any]]
    spreads: np.ndarray

    @classmethod
    def of(cls, problems: dict[str, Problem], n_selected: np.ndarray) -> Learnt:
        """State it of problems by baseline; ``n_selected`` (n_frames,) are their selected atoms."""
        each = [problem.per_atom() for problem in problems.values()]
        n_frames = len(n_selected)
        train = each[0].members("train")
        residual = np.stack([one.residual for one in each], axis=1)
        return cls(
            tuple(problems),
            residual,
            np.stack([np.broadcast_to(one.undetermined, n_frames) for one in each], axis=1),
            np.array([constant_of(r, n_selected[train]) for r in residual[train].T]),
            [_record(one) for one in each],
            np.array([float(np.std(one.target[train])) for one in each]),
        )

    def some(self, frames: range) -> Learnt:
        """Return that of consecutive frames."""
        part = slice(frames.start, frames.stop)
        return Learnt(
            self.baselines,
            np.array(self.residual[part]),
            np.array(self.undetermined[part]),
            self.constants,
            self.references,
            self.spreads,
        )

    def write(self, path: str | os.PathLike) -> None:
        """Write it to a file."""
        tensors = {
            "residual": self.residual,
            "undetermined": np.ascontiguousarray(self.undetermined),
            "constants": self.constants,
            "spreads": self.spreads,
        }
        record = {"baselines": self.baselines, "references": list(self.references)}
        write_tensors(path, tensors, {"record": json.dumps(record)})

    @classmethod
    def read(cls, path: str | os.PathLike) -> Learnt:
        """Return that of a file; what is of frames as memory maps."""
        file = TensorFile(path)
        record = json.loads(file.metadata["record"])
        return cls(
            tuple(record["baselines"]),
            file.read("residual"),
            file.read("undetermined"),
            np.array(file.read("constants")),
            record["references"],
            np.array(file.read("spreads")),
        )


def _record(problem: Problem) -> dict[str, Any]:
    references = problem.references
    assert references is not None
    return {"per_species": dict(references.per_species), "record": references.record()}
