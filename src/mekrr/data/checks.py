"""What a data set is like: repeats, leaks, outliers, whether forces fit the energies.

Nothing here refuses a frame (`frames.check_frame` does); these are facts that decide how
far the errors measured on a data set can be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms
from ase.geometry import find_mic

EXACT_REPEAT = 1e-4  # Å
NEAR_REPEAT = 0.05  # Å
TOLERATED_LEAK = 0.1  # share of test frames
OUTLIER_MAD = 8.0
MIN_FORCE_PAIRS = 20
BLOCK = 512
SHOWN = 6  # frames named in a row of the table


@dataclass(frozen=True)
class Finding:
    """One row of the table: what was looked at, whether it is fine, and the figures."""

    check: str
    status: str  # "ok", "note" or "warning"
    result: str


def check_dataset(
    frames: Sequence[Atoms], table: pd.DataFrame, splits: Mapping[str, np.ndarray]
) -> list[Finding]:
    """All findings on a data set.

    Parameters
    ----------
    frames, table : checked frames and their table, in file order.
    splits : name of a split to the part ("train", "val", "test") of each frame.
    """
    closeness = Closeness(frames)
    findings = [
        _contents(closeness, table),
        _frame_numbers(table),
        _energy_outliers(table),
        *_repeats(closeness, table),
        _forces(frames, table),
    ]
    return findings + [_leak(name, closeness, parts) for name, parts in splits.items()]


class Closeness:
    """Distances between frames, the frames prepared once for all questions.

    A distance is the root of the mean square displacement of the atoms in the order
    given, periodic images taken into account: a coordinate x along a periodic vector of
    length L enters as a point on a circle of circumference L, which is exact for small
    displacements in an orthogonal cell. Frames with other atoms or in another cell are
    infinitely far.

    Attributes
    ----------
    n_groups : number of groups of frames with the same atoms, in one order, in one cell.
    """

    def __init__(self, frames: Sequence[Atoms]):
        groups: dict[tuple, list[int]] = {}
        for k, atoms in enumerate(frames):
            cell = atoms.cell.array.round(3)
            key = (atoms.numbers.tobytes(), cell.tobytes(), atoms.pbc.tobytes())
            groups.setdefault(key, []).append(k)
        self.n_groups = len(groups)
        self._group, self._row = np.empty((2, len(frames)), dtype=int)
        self._points = []
        for number, members in enumerate(groups.values()):
            self._group[members] = number
            self._row[members] = np.arange(len(members))
            points = np.stack([_circles(frames[k]) for k in members])
            self._points.append(points / np.sqrt(len(frames[members[0]])))

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> np.ndarray:
        """RMSD (Å) of each query frame to the closest of the others, itself excepted."""
        best = np.full(len(queries), np.inf)
        for number, points in enumerate(self._points):
            asked = np.flatnonzero(self._group[queries] == number)
            columns = others[self._group[others] == number]
            if not len(columns):
                continue
            right = points[self._row[columns]]
            for start in range(0, len(asked), BLOCK):
                block = asked[start : start + BLOCK]
                squared = _squared_distances(points[self._row[queries[block]]], right)
                squared[queries[block][:, None] == columns[None, :]] = np.inf
                best[block] = np.sqrt(squared.min(axis=1))
        return best


def _circles(atoms: Atoms) -> np.ndarray:
    """Positions as points whose Euclidean distance is the periodic displacement (Å)."""
    cell = atoms.cell.complete().array
    lengths = np.linalg.norm(cell, axis=1)
    fractions = atoms.positions @ np.linalg.inv(cell)
    parts = []
    for k, periodic in enumerate(atoms.pbc):
        if periodic:
            angle, radius = 2 * np.pi * fractions[:, k], lengths[k] / (2 * np.pi)
            parts += [radius * np.cos(angle), radius * np.sin(angle)]
        else:
            parts.append(lengths[k] * fractions[:, k])
    return np.concatenate(parts)


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    origin = right.mean(axis=0)
    left, right = left - origin, right - origin
    norms = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    return np.maximum(norms - 2.0 * (left @ right.T), 0.0)


def _contents(closeness: Closeness, table: pd.DataFrame) -> Finding:
    formulas, groups = table["formula"].nunique(), closeness.n_groups
    return Finding(
        "contents",
        "ok" if groups == formulas else "note",
        f"{len(table)} frames in {table['run'].nunique()} runs, {table['n_atoms'].min()} to "
        f"{table['n_atoms'].max()} atoms, {formulas} compositions; {groups} kinds of frame by "
        "cell, composition and order of atoms",
    )


def _frame_numbers(table: pd.DataFrame) -> Finding:
    rising = bool((table.groupby("run")["frame"].diff().dropna() > 0).all())
    text = "rise within every run" if rising else "do not rise within every run: no time order"
    return Finding("frame numbers", "ok" if rising else "warning", text)


def _energy_outliers(table: pd.DataFrame) -> Finding:
    """Energies further from the median of their composition than 8 MAD."""
    per_atom = 1000 * table["energy"] / table["n_atoms"]
    distance = (per_atom - per_atom.groupby(table["formula"]).transform("median")).abs()
    mad = distance.groupby(table["formula"]).transform("median")
    far = distance > OUTLIER_MAD * mad
    text = f"{int(far.sum())} further than {OUTLIER_MAD:g} MAD from their composition's median"
    if far.any():
        worst = distance[far].sort_values(ascending=False).index
        text += f": frames {_shown(table.loc[worst, 'frame'])}"
    return Finding("energies", "warning" if far.any() else "ok", text)


def _repeats(closeness: Closeness, table: pd.DataFrame) -> list[Finding]:
    everything = np.arange(len(table))
    nearest = closeness.nearest(everything, everything)
    findings = []
    for name, limit in (("exact repeats", EXACT_REPEAT), ("near repeats", NEAR_REPEAT)):
        close = nearest < limit
        text = f"{int(close.sum())} frames with another within {limit:g} Å RMSD"
        if close.sum() > 0 and name == "exact repeats":
            text += f": frames {_shown(table.loc[close, 'frame'])}"
        findings.append(Finding(name, "note" if close.any() else "ok", text))
    return findings


def _leak(name: str, closeness: Closeness, parts: np.ndarray) -> Finding:
    test, train = (np.flatnonzero(parts == part) for part in ("test", "train"))
    share = float(np.mean(closeness.nearest(test, train) < NEAR_REPEAT))
    return Finding(
        f"leak, split {name}",
        "warning" if share > TOLERATED_LEAK else "note" if share else "ok",
        f"{100 * share:.0f} % of test frames have a training frame within {NEAR_REPEAT:g} Å RMSD",
    )


def _forces(frames: Sequence[Atoms], table: pd.DataFrame) -> Finding:
    """Energy differences of close neighbours in time against the work of the mean force.

    dE = -½ (F_1 + F_2)·dr up to third order in dr; the slope of dE over that work is 1.
    """
    if not all("forces" in atoms.calc.results for atoms in frames):
        return Finding("forces", "note", "not in the file for all frames")
    runs, energy = table["run"].to_numpy(), table["energy"].to_numpy()
    work, difference = [], []
    for k in range(len(frames) - 1):
        one, two = frames[k], frames[k + 1]
        if runs[k] != runs[k + 1] or not np.array_equal(one.numbers, two.numbers):
            continue
        step, lengths = find_mic(two.positions - one.positions, one.cell, one.pbc)
        if not 0 < np.sqrt(np.mean(lengths**2)) < NEAR_REPEAT:
            continue
        mean_force = 0.5 * (one.calc.results["forces"] + two.calc.results["forces"])
        work.append(-np.sum(mean_force * step))
        difference.append(energy[k + 1] - energy[k])
    if len(work) < MIN_FORCE_PAIRS:
        return Finding("forces", "note", f"only {len(work)} close neighbours in time to judge by")
    work, difference = np.array(work), np.array(difference)
    slope = float(np.median(difference / work))
    text = (
        f"energy differences of {len(work)} close neighbours in time are {slope:.3f} × the work "
        "of their forces (median)"
    )
    return Finding("forces", "ok" if abs(slope - 1) < 0.1 else "warning", text)


def _shown(frames: pd.Series) -> str:
    names = ", ".join(map(str, frames[:SHOWN]))
    return names + (", …" if len(frames) > SHOWN else "")
