"""Runs of the set: a system, relaxed for a few steps, and moves from where that ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.errors import DataError
from mekrr.study.pretraining import moves
from mekrr.study.pretraining.labels import Limits, fault, too_close
from mekrr.study.pretraining.systems import System, build

RELAXATION = (0, 2, 5, 10)  # steps after which a frame is taken, some of them in each run
HEATING, EVERY = 20, 5  # steps, and from frame to frame
RATTLED, STRAINED, TORN = 3, 2, 4  # frames in each run


@dataclass(frozen=True)
class Recipe:
    """What the runs of a set have in common.

    Attributes
    ----------
    seed : of all that is drawn; each run has a generator of its own.
    metals : see `systems.build`.
    adsorbates, excluded : the same.
    kinds : share of each kind of system.
    limits : beyond which frames are dropped.
    """

    seed: int
    metals: Mapping[str, tuple[str, float]]
    adsorbates: list[str]
    excluded: list[str]
    kinds: Mapping[str, float]
    limits: Limits


@dataclass
class Sampled:
    """Frames with labels, and how many were dropped by reason."""

    frames: list[Atoms] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def sample_run(recipe: Recipe, number: int, calculator: Calculator) -> Sampled:
    """Return the frames of a run; the same whatever other runs there are.

    Each has ``run``, ``kind``, ``metal``, ``facet``, ``adsorbates`` and ``move`` in its info.
    """
    rng = np.random.default_rng([recipe.seed, number])
    kinds = list(recipe.kinds)
    kind = kinds[rng.choice(len(kinds), p=np.array(list(recipe.kinds.values())))]
    system = build(kind, recipe.metals, recipe.adsorbates, recipe.excluded, rng)
    found = Sampled()
    for move, atoms in _moved(system, calculator, rng):
        frame = None if too_close(atoms, recipe.limits) else _labelled(atoms, calculator)
        reason = "close" if frame is None else fault(frame, recipe.limits)
        if frame is None or reason:
            found.dropped[reason] += 1
            continue
        frame.info = {
            "run": number,
            "kind": kind,
            "metal": system.metal,
            "facet": system.facet,
            "adsorbates": system.adsorbates,
            "move": move,
        }
        found.frames.append(frame)
    return found


def _moved(
    system: System, calculator: Calculator, rng: np.random.Generator
) -> Iterator[tuple[str, Atoms]]:
    """Yield the frames of a run without labels, each with the name of its move.

    A run ends where the calculator refuses atoms, which then are at the same place.
    """
    # A perfect lattice has no forces.
    atoms = system.atoms.copy() if system.molecules else moves.rattled(system.atoms, rng)
    atoms.calc = calculator
    last = int(rng.integers(2, len(RELAXATION) + 1))
    try:
        for frame in moves.relaxed(atoms, RELAXATION[:last]):
            yield "relaxation", frame
    except DataError:
        return
    base = atoms.copy()
    for _ in range(RATTLED):
        yield "rattled", moves.rattled(base, rng)
    for _ in range(STRAINED):
        yield "strained", moves.strained(base, rng)
    for _ in range(TORN):
        torn = moves.torn(base, system.molecules, rng)
        if torn is not None:
            yield "torn", torn
    hot = base.copy()
    hot.calc = calculator
    try:
        for frame in moves.heated(hot, HEATING, EVERY, rng):
            yield "heated", frame
    except DataError:
        return


def _labelled(atoms: Atoms, calculator: Calculator) -> Atoms | None:
    """A copy with energy and forces; None where the calculator refuses atoms as at the same place.

    Of hydrogen its limit is wider than one by covalent radii.
    """
    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame.calc = calculator
    try:
        energy, forces = frame.get_potential_energy(), frame.get_forces()
    except DataError:
        return None
    frame.calc = SinglePointCalculator(frame, energy=float(energy), forces=np.array(forces))
    return frame
