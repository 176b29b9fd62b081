"""Reference energies: the part of a total energy that the composition alone decides.

Total energies of frames of different composition differ by far more than the interactions
that a kernel is to learn. A reference Σ_s n_s e_s, n_s atoms of species s, is subtracted
before a fit and added to its predictions.

Training frames need not determine it. With c the numbers of atoms of a frame by species and P
the projector onto the span of those of the training frames, least squares of least norm say
nothing of (1 - P) c: they are the posterior mean of a prior e ~ N(0, τ² 1), of which they leave
the variance τ² |(1 - P) c|². `References.undetermined` is its root.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.formula import Formula

from mekrr.choices import REFERENCES as RULES
from mekrr.errors import ConfigError, DataError, IsolatedAtomWarning

Rule = str | Mapping[str, float]

ALONE = "isolated-atoms"
GIVEN = "given"  # stands for an energy per species
# Relative to the largest singular value of the compositions, and to the length of one.
# Compositions are integers: what is independent at all is so by far more.
FAR = 5.0  # eV/atom
ROUNDS = 20  # of least squares with weights by what the last left
RANK_TOLERANCE = 1e-10
SPAN_TOLERANCE = 1e-8
SAME_ENERGY = 1e-3  # eV, of an isolated atom given twice
SHOWN = 3  # compositions and frames named in a message
REMEDY = "add frames of other compositions"
MORE_REMEDIES = (
    " or of isolated atoms (config_type=IsolatedAtom), or give the species' energies ({})"
)


COLUMN = "isolated_"  # opens the columns of a table of frames that hold energies of isolated atoms


def species_of(table: pd.DataFrame) -> list[str]:
    """Return the symbols of all species in a table of frames, from its formulae."""
    return _composition(table["formula"])[1]


def is_isolated(atoms: Atoms) -> bool:
    """Tell whether a frame is an isolated atom by its ``config_type``, as GAP and MACE do."""
    kind = atoms.info.get("config_type")
    return isinstance(kind, str) and re.sub(r"[\W_]", "", kind).lower() == "isolatedatom"


def separate_isolated(
    frames: Sequence[Atoms], energies: Sequence[float], source: str
) -> tuple[np.ndarray, dict[str, float]]:
    """Part isolated atoms, of which nothing is to be learnt but their energies, from the rest.

    Parameters
    ----------
    energies : (n_frames,) eV. source : name of the frames, for error messages.

    Returns
    -------
    (n,) indices of the frames that are none, and the energy in eV of each species' atom.

    Raises
    ------
    DataError
        If a frame that says it is an isolated atom has several, two of one species disagree by
        more than ``SAME_ENERGY``, or no other frame is left.
    """
    alone = np.array([is_isolated(atoms) for atoms in frames], dtype=bool)
    found: dict[str, float] = {}
    for index in np.flatnonzero(alone).tolist():
        if len(frames[index]) != 1:
            raise DataError(
                f"{source}: frame {index}: config_type is {frames[index].info['config_type']}, but "
                f"it has {len(frames[index])} atoms; correct its config_type"
            )
        (symbol,), energy = frames[index].symbols, float(energies[index])
        if abs(found.setdefault(symbol, energy) - energy) > SAME_ENERGY:
            raise DataError(
                f"{source}: frame {index}: isolated atom {symbol} has {energy:g} eV, an earlier "
                f"one {found[symbol]:g} eV; keep one of them"
            )
    if alone.all():
        raise DataError(f"{source}: all frames are isolated atoms; add frames to be learnt")
    return np.flatnonzero(~alone), found


def warn_of_isolated(
    isolated: Mapping[str, float], species: Sequence[str], rule: Rule, delta: bool
) -> None:
    """Warn that isolated atoms are put to no use, where that is so.

    Parameters
    ----------
    isolated : energies of isolated atoms by species. species : those of the other frames.
    delta : whether what a network leaves is learnt, which has another zero than they have.
    """
    missing = [s for s in species if s not in isolated]
    used_by = f"reference_energy least-squares or {ALONE}, with an atom of every species, uses them"
    if not isolated:
        return
    if delta:
        why, used_by = "what a network leaves has another zero", "target='energy' uses them"
    elif rule == ALONE or (rule == "least-squares" and not missing):
        return
    elif rule == "least-squares":
        why = f"there is none of {', '.join(missing)}"
    else:
        why = f"reference_energy is {rule if isinstance(rule, str) else 'given for each species'}"
    warnings.warn(
        f"isolated atoms ({', '.join(isolated)}) are left out and not used, since {why}; {used_by}",
        IsolatedAtomWarning,
        stacklevel=3,
    )


def with_isolated(table: pd.DataFrame, isolated: Mapping[str, float]) -> pd.DataFrame:
    """Return a table of frames that keeps energies of isolated atoms (eV), a column for each."""
    return table.assign(**{f"{COLUMN}{symbol}": energy for symbol, energy in isolated.items()})


def isolated_of(table: pd.DataFrame) -> dict[str, float]:
    """Return the energies of isolated atoms in eV by species that a table of frames keeps."""
    kept = [column for column in table if column.startswith(COLUMN)]
    first = table[kept].iloc[0].dropna() if kept else {}
    return {column.removeprefix(COLUMN): float(energy) for column, energy in first.items()}


@dataclass(frozen=True)
class References:
    """Reference energies by a rule, and what the training frames leave undetermined of them.

    Attributes
    ----------
    rule : one of ``RULES``, or ``GIVEN``.
    per_species : energy of each species in eV.
    compositions : the distinct formulae of the training frames.
    scale : τ in eV: how far an energy of a species that nothing determines may be from what
        is taken for it. Of maximum likelihood: the root mean square, over the directions that
        the training compositions span, of what least squares find there.
    anchored : whether energies of isolated atoms, or given ones, are part of them.
    """

    rule: str
    per_species: Mapping[str, float]
    compositions: Sequence[str]
    scale: float
    anchored: bool = False

    @classmethod
    def fit(
        cls,
        formulas: Sequence[str],
        energy: np.ndarray,
        rule: Rule,
        source: str,
        isolated: Mapping[str, float] | None = None,
    ) -> References:
        """Fit the references of a rule to training frames.

        Parameters
        ----------
        formulas : chemical formula of each training frame.
        energy : (T,) their total energies in eV.
        rule : "none" (zero), "mean" (the mean training energy per atom for every atom),
            "least-squares" (an energy per species, fitted to the training energies; where the
            compositions leave it undetermined, the one of least norm or, if there is an
            isolated atom of every species, the one closest to their energies and the mean
            binding energy per atom), "isolated-atoms" (their energies), or an energy in eV per
            species, e.g. of bulk.
        source : name of the data set, for error messages.
        isolated : energies of isolated atoms in eV by species, see `separate_isolated`.

        Raises
        ------
        ConfigError, DataError
            As `require_usable` does.
        """
        counts, species = _composition(formulas)
        require_usable(rule, species, source, isolated)
        n_atoms = counts.sum(axis=1)
        name, given = (rule, isolated or {}) if isinstance(rule, str) else (GIVEN, rule)
        if name in ("none", "mean") or not set(species) <= set(given):
            given = {}
        known = np.array([given.get(s, 0.0) for s in species])
        rest = energy - counts @ known if given else energy
        values, rank = _least_squares(counts, rest)
        scale = float(np.linalg.norm(values) / np.sqrt(rank))
        if name == "none":
            values = np.zeros(len(species))
        elif name == "mean":
            values = np.full(len(species), np.mean(energy / n_atoms))
        elif name == "least-squares" and given:
            binding = np.mean(rest / n_atoms)
            values, _ = _least_squares(counts, rest - n_atoms * binding)
            values = known + binding + values
        per_species = dict(zip(species, values.tolist(), strict=True))
        if name in (ALONE, GIVEN):
            per_species = {s: float(e) for s, e in given.items()}
        return cls(name, per_species, tuple(dict.fromkeys(formulas)), scale, bool(given))

    @classmethod
    def recalled(
        cls,
        per_species: Mapping[str, float],
        record: Mapping[str, Any] | None,
        rule: Rule,
        compositions: Sequence[str],
    ) -> References:
        """Return those of a model file: what its `record` keeps or, of an older file, what follows.

        Parameters
        ----------
        rule, compositions : those of the fit, in place of a record.
        """
        if record is not None:
            return cls(per_species=per_species, **record)
        counts, species = _composition(compositions)
        values = np.array([per_species[s] for s in species])
        span = np.eye(len(species)) - _beyond(counts)
        scale = np.linalg.norm(span @ values) / np.sqrt(np.trace(span))
        name = rule if isinstance(rule, str) else GIVEN
        return cls(name, per_species, tuple(compositions), float(scale))

    def record(self) -> dict[str, object]:
        """Return what a model file keeps beside the energies, in JSON's types."""
        compositions = list(self.compositions)
        return {
            "rule": self.rule,
            "compositions": compositions,
            "scale": self.scale,
            "anchored": self.anchored,
        }

    def of(self, formulas: Sequence[str], source: str) -> np.ndarray:
        """Return the reference energy (n_frames,) in eV of each frame.

        Raises a DataError, opened by ``source``, if a species has none.
        """
        counts, species = _composition(formulas)
        if self.rule == "none":
            return np.zeros(len(counts))
        if self.rule == "mean":
            return counts.sum(axis=1) * next(iter(self.per_species.values()))
        _require(species, self.per_species, source, self.rule)
        return counts @ np.array([self.per_species[s] for s in species])

    def undetermined(self, formulas: Sequence[str], extensive: bool = False) -> np.ndarray:
        """Return the standard deviation (n_frames,) in eV of the references; 0 where decided.

        Of "least-squares" and "mean" it is τ |(1 - P) c|. Other rules leave a part that goes
        with the composition to the fit, which takes it for the same in all frames: there it
        is τ |c - c'|, c' the closest composition of the training frames, and τ that of what
        the rule leaves; or, of an ``extensive`` fit, the closest multiple of one.
        """
        known, species = _composition(self.compositions)
        distinct = list(dict.fromkeys(formulas))
        counts, more = _composition(distinct)
        every = sorted({*species, *more})
        counts = _columns(counts, more, every)
        if extensive or self.rule in ("least-squares", "mean"):
            away = np.linalg.norm(counts @ self.beyond(every), axis=2).min(axis=0)
        else:
            apart = counts[:, None] - _columns(known, species, every)
            away = np.linalg.norm(apart, axis=2).min(axis=1)
        away[away < SPAN_TOLERANCE * np.linalg.norm(counts, axis=1)] = 0.0
        of_formula = dict(zip(distinct, self.scale * away, strict=True))
        return np.array([of_formula[f] for f in formulas])

    def beyond(self, species: Sequence[str]) -> np.ndarray:
        """Return the projectors (k, n_species, n_species) onto what the references do not decide.

        Of an extensive fit: with c the numbers of atoms of a frame by ``species``, it is the least
        |P c| of these P that `undetermined` states τ times.
        """
        known, own = _composition(self.compositions)
        known = _columns(known, own, species)
        if self.rule in ("least-squares", "mean"):
            return _beyond(known)[None]
        known /= np.linalg.norm(known, axis=1, keepdims=True)
        return np.eye(len(species)) - known[:, :, None] * known[:, None, :]

    def doubt(
        self, formulas: Sequence[str], frames: Sequence[object], extensive: bool = False
    ) -> str | None:
        """Return what is undetermined of some frames, and what to do; None if nothing is.

        Parameters
        ----------
        formulas, frames : formula of each frame, and its number for the message.
        extensive : of the fit.
        """
        std = self.undetermined(formulas, extensive)
        which = np.flatnonzero(std).tolist()
        if not which:
            return None
        compositions = list(dict.fromkeys(_spelt(formulas[k]) for k in which))
        numbers = _listing([str(frames[k]) for k in which])
        example = ", ".join(f"{s}=…" for s in _composition(self.compositions)[1])
        more = "" if self.anchored else MORE_REMEDIES.format(example)
        return (
            f"{'frame' if len(which) == 1 else 'frames'} {numbers} of {_listing(compositions)}: "
            f"{self._reason()}, so that energies may be off by {std[which].max():.2g} eV; "
            f"{REMEDY}{more}"
        )

    def _reason(self) -> str:
        if self.rule not in ("least-squares", "mean"):
            taken = "with no reference energies" if self.rule == "none" else "beyond the references"
            return (
                f"no training frame has this composition, and {taken} the fit takes energies "
                "for the same in all"
            )
        known, species = _composition(self.compositions)
        ties = []
        for block in _tied(_beyond(known)):
            together = dict.fromkeys(
                " ".join(f"{species[s]}{n:.0f}" for s, n in zip(block, row, strict=True) if n)
                for row in map(_reduced, known[:, block])
                if row.any()
            )
            names = _and([species[s] for s in block])
            ties.append(f"{names} cannot be told apart (only as {_listing(list(together))})")
        new = "no training frame has one of its species"
        return "in the training frames " + " and ".join(ties) if ties else new


def _least_squares(counts: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, int]:
    """Return energies (n_species,) that fit those of frames (n_frames,) best, and the rank.

    Where some frames are left further off than ``FAR`` an atom, such as those on which a network
    fails, they count as if they were that far: else a few decide for all.
    """
    values, _, rank, _ = np.linalg.lstsq(counts, energy, rcond=None)
    n_atoms = counts.sum(axis=1)
    if np.abs(energy - counts @ values).max() <= FAR * n_atoms.min():
        return values, int(rank)
    off = energy / n_atoms - np.median(energy / n_atoms)
    for _ in range(ROUNDS):
        weights = 1.0 / np.maximum(1.0, np.abs(off) / FAR)
        values, *_ = np.linalg.lstsq(weights[:, None] * counts, weights * energy, rcond=None)
        off = (energy - counts @ values) / n_atoms
    return values, int(rank)


def _beyond(known: np.ndarray) -> np.ndarray:
    """Return 1 - P (n_species, n_species), P onto the span of compositions (n, n_species)."""
    _, values, rows = np.linalg.svd(known, full_matrices=False)
    span = rows[values > RANK_TOLERANCE * values.max()]
    return np.eye(known.shape[1]) - span.T @ span


def _tied(beyond: np.ndarray) -> list[np.ndarray]:
    """Return groups of species, by position, whose energies only depend on each other."""
    from scipy.sparse.csgraph import connected_components

    links = np.abs(beyond) > SPAN_TOLERANCE
    n_groups, group = connected_components(links, directed=False)
    groups = [np.flatnonzero(group == k) for k in range(n_groups)]
    return [g for g in groups if len(g) > 1 and links[g[0], g[0]]]


def _reduced(row: np.ndarray) -> np.ndarray:
    """Return numbers of atoms without their common factor."""
    return row // max(reduce(np.gcd, row.astype(int)), 1)


def _spelt(formula: str) -> str:
    return " ".join(f"{s}{n}" for s, n in Formula(formula).count().items())


def _listing(items: Sequence[str]) -> str:
    return ", ".join(items[:SHOWN]) + (", …" if len(items) > SHOWN else "")


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _columns(counts: np.ndarray, species: Sequence[str], every: Sequence[str]) -> np.ndarray:
    """Return numbers of atoms in the order of more species."""
    wider = np.zeros((len(counts), len(every)))
    wider[:, [every.index(s) for s in species]] = counts
    return wider


def _composition(formulas: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return (n_frames, n_species) float64 numbers of atoms, and the species."""
    counted = {formula: Formula(formula).count() for formula in set(formulas)}
    species = sorted(set().union(*counted.values()))
    rows = {f: [count.get(s, 0) for s in species] for f, count in counted.items()}
    return np.array([rows[f] for f in formulas], dtype=np.float64), species


def require_usable(
    rule: Rule, species: Sequence[str], source: str, isolated: Mapping[str, float] | None = None
) -> None:
    """Refuse a rule that cannot be fitted to frames of some species; see `References.fit`.

    Raises
    ------
    ConfigError
        If there is no such rule, or an energy of it is no finite number.
    DataError
        If it lacks one of the species.
    """
    _check_rule(rule)
    if rule == ALONE:
        _require(species, isolated or {}, source, ALONE)
    elif isinstance(rule, Mapping):
        _require(species, rule, source, GIVEN)


def _check_rule(rule: object) -> None:
    if isinstance(rule, Mapping):
        wrong = {s: e for s, e in rule.items() if not _is_energy(e)}
        if not wrong:
            return
        rule = ", ".join(f"{s}: {e!r}" for s, e in wrong.items())
    elif rule in RULES:
        return
    raise ConfigError(
        f"reference_energy: {rule!r} is none of {', '.join(RULES)}, nor an energy in eV for each "
        "species"
    )


def _is_energy(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _require(species: Sequence[str], known: Mapping[str, float], source: str, rule: str) -> None:
    missing = [s for s in species if s not in known]
    if not missing:
        return
    fault = {
        GIVEN: "without energy in `reference_energy`",
        ALONE: "without a frame of the isolated atom (config_type=IsolatedAtom)",
    }.get(rule, "in no training frame")
    raise DataError(
        f"{source}: species {', '.join(missing)} {fault}; set `reference_energy` to "
        "an energy in eV for every species, or to mean"
    )
