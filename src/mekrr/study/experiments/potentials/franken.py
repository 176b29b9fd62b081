"""What franken predicted as a potential, known at the test frames alone."""

from __future__ import annotations

from collections.abc import Iterator

from mekrr.data.frames import load_frames
from mekrr.models.potentials.base import Potential
from mekrr.models.problem import Problem
from mekrr.study.experiments.kinds.franken import Models
from mekrr.study.franken.record import KnownPotential, Predicted


def potentials(step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield the one whose predictions the fit has written."""
    frames = load_frames(step.input.frames)
    yield Models.METHOD, KnownPotential(Predicted.load(step.input.model), frames)
