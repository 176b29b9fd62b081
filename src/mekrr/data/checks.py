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

from mekrr.data.closeness import EXACT_REPEAT, NEAR_REPEAT, Closeness
from mekrr.data.copies import COPY, ENOUGH, Copies
from mekrr.data.expectations import energy_doubt
from mekrr.data.labels import forces_of
from mekrr.data.references import References, Rule, isolated_of
from mekrr.data.units import MIN_PAIRS, force_doubt
from mekrr.data.work import in_time, work_of_forces

TOLERATED_LEAK = 0.1  # share of test frames
OUTLIER_MAD = 8.0
SAME_ENERGY = 1e-6  # meV/atom, from the median of their composition
SHOWN = 6  # frames named in a row of the table
REFERENCES = "reference energies"  # opens the name of its checks
CONSTANT = "constant energies"
GRAVE = (REFERENCES, CONSTANT)  # warnings to be seen at once, not in the table alone


@dataclass(frozen=True)
class Finding:
    """One row of the table: what was looked at, whether it is fine, and the figures."""

    check: str
    status: str  # "ok", "note" or "warning"
    result: str


def check_dataset(
    frames: Sequence[Atoms],
    table: pd.DataFrame,
    leaks: pd.DataFrame,
    splits: Mapping[str, np.ndarray],
    *,
    reference_energy: Rule = "least-squares",
    targets: Mapping[str, pd.DataFrame] | None = None,
    energy_range: Sequence[float] | None = None,
    time_ordered: bool = True,
) -> list[Finding]:
    """Find all that is to be said of a data set.

    Parameters
    ----------
    frames, table : checked frames and their table, in file order.
    leaks : of `mekrr.data.copies.leaks`, for every split of the study.
    splits : name of a split to the part ("train", "val", "test") of each frame.
    reference_energy : rule of `References.fit`.
    targets : name of a data set that fits on this one are tested on to its table of frames.
    energy_range : lowest and highest expected energy in eV/atom, if the registry says.
    time_ordered : whether frames of a run follow each other in time.
    """
    copies = Copies(frames)
    closeness = copies.closeness
    return [
        _contents(closeness, table),
        _frame_numbers(table, time_ordered),
        _energy_unit(table, energy_range),
        _energy_outliers(table),
        *_repeats(closeness, table),
        _copies(copies, table),
        _forces(frames, table, closeness),
        *(_leak(name, part) for name, part in leaks.groupby("split", sort=False)),
        *_references(table, splits, reference_energy, targets or {}),
    ]


def _contents(closeness: Closeness, table: pd.DataFrame) -> Finding:
    formulas, groups = table["formula"].nunique(), closeness.n_groups
    return Finding(
        "contents",
        "ok" if groups == formulas else "note",
        f"{len(table)} frames in {table['run'].nunique()} runs, {table['n_atoms'].min()} to "
        f"{table['n_atoms'].max()} atoms, {formulas} compositions; {groups} kinds of frame by "
        "cell, composition and order of atoms",
    )


def _frame_numbers(table: pd.DataFrame, time_ordered: bool) -> Finding:
    if not time_ordered:
        return Finding("frame numbers", "note", "no time order, by the registry")
    rising = bool((table.groupby("run")["frame"].diff().dropna() > 0).all())
    text = "rise within every run" if rising else "do not rise within every run: no time order"
    return Finding("frame numbers", "ok" if rising else "warning", text)


def _energy_unit(table: pd.DataFrame, energy_range: Sequence[float] | None) -> Finding:
    if energy_range is None:
        return Finding("energy unit", "note", "no `energy_range` in the registry to judge by")
    doubt = energy_doubt(table, energy_range)
    low, high = energy_range
    return Finding(
        "energy unit",
        "warning" if doubt else "ok",
        doubt or f"median within the expected {low:g} to {high:g} eV/atom",
    )


def _energy_outliers(table: pd.DataFrame) -> Finding:
    """Find energies further from the median of their composition than 8 MAD."""
    per_atom = 1000 * table["energy"] / table["n_atoms"]
    distance = (per_atom - per_atom.groupby(table["formula"]).transform("median")).abs()
    mad = distance.groupby(table["formula"]).transform("median")
    far = distance > OUTLIER_MAD * mad
    if len(table) > 1 and distance.max() <= SAME_ENERGY:
        text = "the same in all frames of a composition: nothing to learn, errors of 0 mean nothing"
        return Finding(CONSTANT, "warning", text)
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


def _copies(copies: Copies, table: pd.DataFrame) -> Finding:
    everything = np.arange(len(table))
    found = copies.nearest(everything, everything) < COPY
    text = (
        f"{int(found.sum())} frames that another repeats with its atoms permuted, shifted, rotated "
        f"or its cell multiplied, within {COPY:g} Å in the distances between atoms (exactly, of "
        f"fewer than {ENOUGH} atoms)"
    )
    if found.any():
        text += f": frames {_shown(table.loc[found, 'frame'])}"
    return Finding("copies", "note" if found.any() else "ok", text)


def _leak(name: str, nearest: pd.DataFrame) -> Finding:
    """Judge one split by its rows of the table of leaks."""
    close, copied = nearest["rmsd"] < NEAR_REPEAT, nearest["copy"] < COPY
    share, more = float(np.mean(close | copied)), float(np.mean(copied & ~close))
    text = (
        f"{100 * np.mean(close):.0f} % of test frames have a training frame within "
        f"{NEAR_REPEAT:g} Å RMSD"
    )
    if more:
        text += f", and {100 * more:.0f} % more one that is a copy (permuted, rotated, …)"
    return Finding(
        f"leak, split {name}",
        "warning" if share > TOLERATED_LEAK else "note" if share else "ok",
        text,
    )


def _references(
    table: pd.DataFrame,
    splits: Mapping[str, np.ndarray],
    rule: Rule,
    targets: Mapping[str, pd.DataFrame],
) -> list[Finding]:
    """Find what training frames leave undetermined of the reference energies of others."""
    checks = [REFERENCES, *(f"{REFERENCES}, {target}" for target in targets)]
    doubts: dict[str, list[str]] = {check: [] for check in checks}
    for name, parts in splits.items():
        train = table[parts == "train"]
        energy, isolated = train["energy"].to_numpy(dtype=float), isolated_of(train)
        fitted = References.fit(train["formula"].tolist(), energy, rule, name, isolated)
        for check, other in zip(doubts, (table, *targets.values()), strict=True):
            if doubt := fitted.doubt(other["formula"].tolist(), other["frame"].tolist()):
                doubts[check].append(f"split {name}: {doubt}")
    fine = "decided by the training frames of every split"
    return [
        Finding(
            check,
            "warning" if found else "ok",
            f"{len(found)} of {len(splits)} splits; {found[0]}" if found else fine,
        )
        for check, found in doubts.items()
    ]


def _forces(frames: Sequence[Atoms], table: pd.DataFrame, closeness: Closeness) -> Finding:
    """Compare energy differences of close neighbours in time with the work of the mean force."""
    without = np.array([forces_of(atoms) is None for atoms in frames])
    if without.all():
        return Finding("forces", "note", "not in the file")
    runs = table["run"].to_numpy()
    doubt = force_doubt(frames, runs, closeness)
    pairs = work_of_forces(frames, in_time(runs), NEAR_REPEAT)
    moved = pairs.work != 0
    if moved.sum() < MIN_PAIRS:
        status, text = "note", f"only {len(pairs)} close neighbours in time to judge by"
    else:
        slope = float(np.median(pairs.difference[moved] / pairs.work[moved]))
        status = "ok" if abs(slope - 1) < 0.1 else "warning"
        text = (
            f"energy differences of {len(pairs)} close neighbours in time are {slope:.3f} × the "
            "work of their forces (median)"
        )
    if doubt:
        status, text = "warning", f"{text}; {doubt}"
    if without.any():
        status = "note" if status == "ok" else status
        text += (
            f"; no forces in {without.sum()} of {len(frames)} frames, which count for energies "
            f"only: {_shown(table.loc[without, 'frame'])}"
        )
    return Finding("forces", status, text)


def _shown(frames: pd.Series) -> str:
    names = ", ".join(map(str, frames[:SHOWN]))
    return names + (", …" if len(frames) > SHOWN else "")
