"""Fitting the methods on one data set, split and seed; everything comes out as tidy tables.

Tables
------
predictions : method, backbone, layer, index, frame, split, n_atoms, energy_ref, energy_pred,
    energy_std (eV; empty for methods without)
choices : method, backbone, layer, alpha, alphas_by_species, regularisation, lengthscale,
    validation_rmse, leave_one_out_rmse (meV/atom), chosen
sweep : backbone, layer, alpha, regularisation, rmse, mae (validation) and, where a method
    asks for them, leave_one_out_rmse, leave_one_out_mae (meV/atom)

Each starts with dataset, strategy, seed once written. ``chosen`` marks, per method, the
layer with the least error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from ase.data import atomic_numbers, chemical_symbols

from mekrr.data.references import ALONE, References, Rule, isolated_of
from mekrr.files import write_csv
from mekrr.kernels.gram import SpeciesGram
from mekrr.kernels.store import LayerKernel
from mekrr.models.ridge import KernelRidge
from mekrr.models.select import Choice, choose, descend, mixture, sweeps

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """Result of one or several methods: the tables described in the module."""

    predictions: pd.DataFrame
    choices: pd.DataFrame
    sweep: pd.DataFrame


@dataclass(frozen=True)
class Problem:
    """One data set under one split.

    Attributes
    ----------
    frames : the table of frames, in file order.
    split : (n_frames,) of "train", "val", "test".
    reference : (n_frames,) reference energies in eV, not for the methods to learn.
    undetermined : (n_frames,) their standard deviations in eV, beyond 0 where the training
        compositions leave them undetermined; see `References.undetermined`.
    """

    frames: pd.DataFrame
    split: np.ndarray
    reference: np.ndarray
    undetermined: np.ndarray | float = 0.0

    @classmethod
    def of(
        cls, frames: pd.DataFrame, split: np.ndarray, reference_energy: Rule | None, source: str
    ) -> Problem:
        """With the references of a rule, fitted on the training frames.

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
        references = problem._fitted(reference_energy, source)
        known = frames[np.isin(split, ("val", "test"))]
        if doubt := references.doubt(known["formula"].tolist(), known["frame"].tolist()):
            log.info("%s: %s", source, doubt)
        return problem._beyond(references, source)

    @classmethod
    def read(cls, frames: str, split: str, reference_energy: Rule | None, source: str) -> Problem:
        """As `of`, from the files of the table of frames and of one split."""
        parts = pd.read_csv(split)["split"].to_numpy()
        return cls.of(pd.read_csv(frames), parts, reference_energy, source)

    def with_references(self, rule: Rule, source: str) -> Problem:
        """The problem that is left once references of what is to be learnt are known too."""
        return self._beyond(self._fitted(rule, source), source)

    def beyond(self, gnn_energy: np.ndarray, rule: Rule, source: str) -> Problem:
        """The problem of Δ-learning: what a network's own energies (n_frames,) in eV leave.

        They have another zero than the data. The references of what they leave follow
        ``rule``, as those of the energy do; but energies given for each species, and those of
        isolated atoms, are those of the data alone, and least squares stand in for them.
        """
        given = isinstance(rule, Mapping) or rule == ALONE
        known = replace(self, reference=np.asarray(gnn_energy, dtype=np.float64))
        references = known._fitted("least-squares" if given else rule, source, isolated={})
        return known._beyond(references, source)

    def _fitted(
        self, rule: Rule, source: str, isolated: Mapping[str, float] | None = None
    ) -> References:
        """References of what is to be learnt, by the training frames."""
        train = self.members("train")
        frames = self.frames.iloc[train]
        isolated = isolated_of(frames) if isolated is None else isolated
        formulas = frames["formula"].tolist()
        return References.fit(formulas, self.target[train], rule, source, isolated)

    def _beyond(self, references: References, source: str) -> Problem:
        formulas = self.frames["formula"].tolist()
        reference = self.reference + references.of(formulas, source)
        undetermined = references.undetermined(formulas)
        return replace(self, reference=reference, undetermined=undetermined)

    def members(self, part: str) -> np.ndarray:
        """Indices of the frames of one part."""
        return np.flatnonzero(self.split == part)

    @property
    def energy(self) -> np.ndarray:
        """(n_frames,) reference energies in eV."""
        return self.frames["energy"].to_numpy(dtype=float)

    @property
    def target(self) -> np.ndarray:
        """(n_frames,) energies less their references in eV: what is learnt."""
        return self.energy - self.reference

    @property
    def n_atoms(self) -> np.ndarray:
        """(n_frames,) atoms of each frame."""
        return self.frames["n_atoms"].to_numpy()

    def predictions(
        self,
        method: str,
        backbone: str,
        layer: int | None,
        energy: np.ndarray,
        std: np.ndarray | float = np.nan,
    ) -> pd.DataFrame:
        """Tidy table of one method's predicted energies and standard deviations (eV)."""
        return pd.DataFrame(
            {
                "method": method,
                "backbone": backbone,
                "layer": layer,
                "index": self.frames["index"],
                "frame": self.frames["frame"],
                "split": self.split,
                "n_atoms": self.n_atoms,
                "energy_ref": self.energy,
                "energy_pred": energy,
                "energy_std": std,
            }
        )

    def unfitted(self, method: str, backbone: str, energy: np.ndarray) -> Fit:
        """The result of a method without layers or hyper-parameters."""
        return Fit(
            self.predictions(method, backbone, None, energy),
            pd.DataFrame([{"method": method, "backbone": backbone, "chosen": True}]),
            pd.DataFrame(),
        )


@dataclass(frozen=True)
class Recipe:
    """What a method of kernel ridge regression learns, and how its parameters are chosen.

    Attributes
    ----------
    criterion : column of the sweep that (α, λ) and the layer minimise: "rmse" on validation
        frames, or "leave_one_out_rmse" on training frames.
    delta : whether it learns what the network's own energy leaves.
    by_species : whether each species has its own α.
    """

    criterion: str = "rmse"
    delta: bool = False
    by_species: bool = False


_MEKRR = {
    "MEKRR": Recipe(),
    "MEKRR-alpha": Recipe(),
    "MEKRR-alpha-loo": Recipe(criterion="leave_one_out_rmse"),
    "MEKRR-species": Recipe(by_species=True),
    "Delta-MEKRR": Recipe(delta=True),
}
MEKRR_METHODS = tuple(_MEKRR)
RECIPES = {"linear ridge": Recipe(), "species ridge": Recipe()} | _MEKRR


def fit_kernels(
    problem: Problem,
    kernels: Mapping[int, LayerKernel],
    methods: Mapping[str, np.ndarray],
    regularisations: np.ndarray,
    backbone: str,
    *,
    delta: Problem | None = None,
    threads: int = 1,
) -> Fit:
    """Kernel ridge regression of every method on every layer.

    Parameters
    ----------
    kernels : per layer, columns in the order of the training frames.
    methods : the values of α that each method of ``RECIPES`` may choose from.
    regularisations : the values of λ.
    delta : the problem beyond the network's own energies; without it, methods that learn
        this are left out.
    threads : values of α worked on at once.
    """
    methods = {m: a for m, a in methods.items() if delta is not None or not RECIPES[m].delta}
    predictions, choices, tables = [], [], []
    for layer, kernel in kernels.items():
        plain, beyond = _grids(problem, delta, kernel.gram, methods, regularisations, threads)
        tables.append(plain.assign(backbone=backbone, layer=layer))
        for method, alphas in methods.items():
            recipe = RECIPES[method]
            ours, grid = (delta, beyond) if recipe.delta else (problem, plain)
            choice = choose(grid[grid["alpha"].isin(alphas)], recipe.criterion)
            if recipe.by_species:
                choice = descend(
                    kernel.gram,
                    ours.target,
                    ours.n_atoms,
                    ours.members("train"),
                    ours.members("val"),
                    choice,
                    alphas,
                    regularisations,
                    threads,
                )
            energy, std = predict(ours, kernel, choice.alpha, choice.regularisation)
            predictions.append(ours.predictions(method, backbone, layer, energy, std))
            row = {"method": method, "backbone": backbone, "layer": layer}
            choices.append(row | _columns(choice, kernel.lengthscale, recipe))
    table = pd.DataFrame(choices)
    error = table["leave_one_out_rmse"].fillna(table["validation_rmse"])
    table["chosen"] = table.index.isin(error.groupby(table["method"]).idxmin())
    return Fit(
        pd.concat(predictions, ignore_index=True), table, pd.concat(tables, ignore_index=True)
    )


def predict(
    problem: Problem,
    kernel: LayerKernel,
    alpha: float | Mapping[int, float],
    regularisation: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Energies of all frames from a fit on the training frames, standard deviations (eV).

    These count what is undetermined of the references. ``alpha`` is α, or that of each species:
    see `mixture`.
    """
    full, own = mixture(kernel.gram, alpha), mixture(kernel.own, alpha)
    train = problem.members("train")
    model = KernelRidge(regularisation).fit(full[train], problem.target[train])
    std = np.hypot(model.std(full, own), problem.undetermined)
    return problem.reference + model.predict(full), std


def read_alpha(choice: Mapping) -> float | dict[int, float]:
    """α of a row of the table of choices, or that of each species."""
    text = choice.get("alphas_by_species")
    if pd.isna(text):
        return float(choice["alpha"])
    pairs = (pair.split() for pair in text.split(", "))
    return {atomic_numbers[symbol]: float(alpha) for symbol, alpha in pairs}


def join(fits: list[Fit]) -> Fit:
    """Several results as one."""
    return Fit(
        *(
            pd.concat([getattr(fit, table) for fit in fits], ignore_index=True)
            for table in ("predictions", "choices", "sweep")
        )
    )


def write_fit(fit: Fit, labels: dict[str, str], paths: dict[str, str]) -> None:
    """Write the tables that ``paths`` names, each row opened by data set, strategy, seed."""
    for table, path in paths.items():
        frame = getattr(fit, table)
        for position, column in enumerate(("dataset", "strategy", "seed")):
            frame.insert(position, column, labels[column])
        write_csv(path, frame)


def _grids(
    problem: Problem,
    delta: Problem | None,
    gram: SpeciesGram,
    methods: Mapping[str, np.ndarray],
    regularisations: np.ndarray,
    threads: int,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Errors over all α that a method may choose from, of both problems."""
    tables = sweeps(
        gram.k0,
        gram.k1,
        [p.target for p in (problem, delta) if p is not None],
        problem.n_atoms,
        problem.members("train"),
        problem.members("val"),
        np.unique(np.concatenate(list(methods.values()))),
        regularisations,
        threads,
        leave_one_out=any(RECIPES[m].criterion == "leave_one_out_rmse" for m in methods),
    )
    return tables[0], tables[1] if delta is not None else None


def _columns(choice: Choice, lengthscale: float, recipe: Recipe) -> dict[str, object]:
    """The cells of the table of choices; `read_alpha` reads those of α."""
    alpha, text = choice.alpha, None
    if recipe.by_species:
        text = ", ".join(f"{chemical_symbols[s]} {a:.6g}" for s, a in alpha.items())
        alpha = np.nan
    by_validation = recipe.criterion == "rmse"
    return {
        "alpha": alpha,
        "alphas_by_species": text,
        "regularisation": choice.regularisation,
        "lengthscale": lengthscale,
        "validation_rmse": choice.validation_rmse,
        "leave_one_out_rmse": np.nan if by_validation else choice.leave_one_out_rmse,
    }
