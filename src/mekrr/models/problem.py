"""What is to be learnt: energies of frames, those to learn from, and what is known beforehand.

The energy of a frame is its baseline energy, which is known, plus its residual energy, which is
learnt. References by species make a baseline, as do a network's own energies; of Δ-learning both.

A model learns the residual energy of a frame; or, if energies are to add up over atoms, that energy
per atom: in general the residual energy over the frame's size.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mekrr.data.references import ALONE, References, Rule, isolated_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """Frames of one data set under one split.

    Attributes
    ----------
    frames : table of the frames in file order: formula, n_atoms, energy (eV).
    split : (n_frames,) of "train", "val", "test"; others have no part.
    baseline : (n_frames,) eV, not for a model to learn.
    undetermined : (n_frames,) standard deviations of the baseline in eV, beyond 0 where the
        training compositions leave it undetermined; see `References.undetermined`.
    references : those in the baseline; None without.
    size : (n_frames,) atoms, if energies per atom are learnt; else 1.
    """

    frames: pd.DataFrame
    split: np.ndarray
    baseline: np.ndarray
    undetermined: np.ndarray | float = 0.0
    references: References | None = None
    size: np.ndarray | float = 1.0

    @classmethod
    def of(
        cls, frames: pd.DataFrame, split: np.ndarray, reference_energy: Rule | None, source: str
    ) -> Problem:
        """State the problem that the references of a rule, fitted to training frames, leave.

        Logs of which other frames these leave the references undetermined; the check of the
        data set warns of them, once for all fits.

        Parameters
        ----------
        reference_energy : rule of `References.fit`; None: nothing is fitted, the energies are
            those of the table.
        source : name of the data set, for messages.
        """
        problem = cls(frames, split, np.zeros(len(frames)))
        if reference_energy is None:
            return problem
        return problem.with_references(reference_energy, source)

    @classmethod
    def read(cls, frames: str, split: str, reference_energy: Rule | None, source: str) -> Problem:
        """State it as `of` does, from the files of the table of frames and of one split."""
        parts = pd.read_csv(split)["split"].to_numpy()
        return cls.of(pd.read_csv(frames), parts, reference_energy, source)

    def with_references(self, rule: Rule, source: str) -> Problem:
        """State what is left once references of what is to be learnt are known too."""
        references = self._fitted(rule, source)
        left = self._beyond(references, source)
        known = self.frames[np.isin(self.split, ("val", "test"))]
        numbers = known.get("frame", known.index)
        if doubt := references.doubt(known["formula"].tolist(), numbers.tolist()):
            log.info("%s: %s", source, doubt)
        return left

    def beyond_network(self, energy: np.ndarray) -> Problem:
        """State what a network's own energies (n_frames,) in eV leave, without references."""
        return replace(
            self,
            baseline=np.asarray(energy, dtype=np.float64),
            undetermined=0.0,
            references=None,
        )

    def beyond(self, energy: np.ndarray, rule: Rule, source: str) -> Problem:
        """State the problem of Δ-learning: what a network's own energies (n_frames,) in eV leave.

        They have another zero than the data. The references of what they leave follow
        ``rule``, as those of the energy do; but energies given for each species, and those of
        isolated atoms, are those of the data alone, and least squares stand in for them.
        """
        given = isinstance(rule, Mapping) or rule == ALONE
        known = self.beyond_network(energy)
        references = known._fitted("least-squares" if given else rule, source, isolated={})
        return known._beyond(references, source)

    def per_atom(self, size: np.ndarray | None = None) -> Problem:
        """State the problem of learning energies per atom, of ``size`` (n_frames,) atoms if given.

        Otherwise all atoms of a frame count.
        """
        undetermined = self.undetermined
        if self.references is not None:
            formulas = self.frames["formula"].tolist()
            undetermined = self.references.undetermined(formulas, extensive=True)
        size = self.n_atoms if size is None else size
        return replace(self, size=size, undetermined=undetermined)

    def _fitted(
        self, rule: Rule, source: str, isolated: Mapping[str, float] | None = None
    ) -> References:
        """References of what is to be learnt, by the training frames."""
        train = self.members("train")
        frames = self.frames.iloc[train]
        isolated = isolated_of(frames) if isolated is None else isolated
        formulas = frames["formula"].tolist()
        return References.fit(formulas, self.residual[train], rule, source, isolated)

    def _beyond(self, references: References, source: str) -> Problem:
        formulas = self.frames["formula"].tolist()
        return replace(
            self,
            baseline=self.baseline + references.of(formulas, source),
            undetermined=references.undetermined(formulas),
            references=references,
        )

    def members(self, part: str) -> np.ndarray:
        """Return the indices of the frames of one part."""
        return np.flatnonzero(self.split == part)

    def part(self, *parts: str) -> Problem:
        """Return the problem of the frames of some parts alone."""
        members = np.flatnonzero(np.isin(self.split, parts))
        return replace(
            self,
            frames=self.frames.iloc[members],
            split=self.split[members],
            baseline=self.baseline[members],
            undetermined=np.broadcast_to(self.undetermined, len(self.split))[members],
            size=np.broadcast_to(self.size, len(self.split))[members],
        )

    @property
    def energy(self) -> np.ndarray:
        """(n_frames,) energies in eV."""
        return self.frames["energy"].to_numpy(dtype=float)

    @property
    def residual(self) -> np.ndarray:
        """(n_frames,) energies less their baseline in eV."""
        return self.energy - self.baseline

    @property
    def target(self) -> np.ndarray:
        """(n_frames,) what is learnt: residual energies over the frames' sizes, in eV."""
        return self.residual / self.size

    def errors(self, predicted: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Return the errors in meV/atom of predicted targets (…, n) of some frames."""
        size = np.broadcast_to(self.size, len(self.frames))[frames]
        return 1000.0 * (predicted - self.target[frames]) * size / self.n_atoms[frames]

    @property
    def n_atoms(self) -> np.ndarray:
        """(n_frames,) atoms of each frame."""
        return self.frames["n_atoms"].to_numpy()

    def std(self, of_residual: np.ndarray) -> np.ndarray:
        """Return standard deviations (n_frames,) of energies in eV, from those of residuals."""
        return np.hypot(of_residual, self.undetermined)
