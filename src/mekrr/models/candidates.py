"""Layers as candidates, each with its kernels; α, λ and the layer chosen among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mekrr.choices import BY_SPECIES
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, RADIAL
from mekrr.kernels.gram import Gram
from mekrr.kernels.lengthscale import find_lengthscale
from mekrr.kernels.training import Normalisation, training_gram
from mekrr.models.problem import Problem
from mekrr.models.select import (
    LEAVE_ONE_OUT,
    ROBUST,
    VALIDATION,
    Choice,
    Search,
    alpha_grid,
    regularisation_grid,
    select,
)

Layers = Mapping[int | None, FrameFeatures]  # None where features were given

# What config/config.yaml has.
ALPHAS = alpha_grid(smallest=1e-4, count=21)
REGULARISATIONS = regularisation_grid(smallest=1e-11, largest=1e-3, count=9)


@dataclass(frozen=True)
class Candidate:
    """Kernels of all frames with the T training frames on one layer, and what made them."""

    layer: int | None
    gram: Gram
    features: FrameFeatures | None
    normalisation: Normalisation | None


@dataclass(frozen=True)
class Best(Candidate):
    """The candidate that was chosen, and how.

    Attributes
    ----------
    choice : α and λ.
    sweep : all that was chosen from, see `mekrr.models.select.sweep`; None if nothing was open.
    criterion : what decided, in words; None if nothing was open.
    """

    choice: Choice
    sweep: pd.DataFrame | None
    criterion: str | None


def candidates_of(
    layers: Layers,
    train: np.ndarray,
    kernel: str,
    lengthscale: float | str,
    extensive: bool,
    threads: int,
) -> Iterator[Candidate]:
    """Yield the kernels of all frames with the training frames, layer after layer.

    Parameters
    ----------
    layers : features of all frames by layer.
    train : indices of the training frames.
    kernel : name of the atom kernel, see `mekrr.kernels.atom.KERNELS`.
    lengthscale : how σ is found, see `find_lengthscale`; of no meaning to a kernel without.
    extensive : whether the kernels are for energies per atom.
    """
    for layer, features in layers.items():
        sigma = np.nan
        if kernel in RADIAL:
            sigma = find_lengthscale(features, train, lengthscale, threads=threads)
        gram, normalisation = training_gram(
            features,
            train,
            KERNELS[kernel](sigma),
            extensive=extensive,
            own=False,
            threads=threads,
            title="kernel" if layer is None else f"kernel, layer {layer}",
        )
        yield Candidate(layer, gram, features.select(train), normalisation)


def choose_best(
    candidates: Iterable[Candidate],
    n_candidates: int,
    problem: Problem,
    alpha: float | str | None,
    regularisation: float | None,
    extensive: bool,
    threads: int,
) -> Best:
    """Choose what is left open: on validation frames if there are some, else by leave-one-out.

    Parameters
    ----------
    alpha : α, "by-species", or None for the best of `ALPHAS`.
    regularisation : λ, or None for the best of `REGULARISATIONS`.
    extensive : whether energies per atom are learnt. As published, squared errors decide; of
        energies per atom it is mean absolute ones by leave-one-out, see `Search`.
    """
    by_species = alpha == BY_SPECIES
    alphas = ALPHAS if alpha is None or by_species else np.array([alpha], dtype=np.float64)
    lambdas = REGULARISATIONS
    if regularisation is not None:
        lambdas = np.array([regularisation], dtype=np.float64)
    if n_candidates * len(alphas) * len(lambdas) == 1:
        (only,) = candidates
        fixed = Choice(float(alphas[0]), float(lambdas[0]))
        return Best(**vars(only), choice=fixed, sweep=None, criterion=None)
    n_validation = len(problem.members("val"))
    criterion, words = VALIDATION, f"{n_validation} validation frames"
    if not n_validation:
        criterion, words = LEAVE_ONE_OUT, "leave-one-out errors"
        if extensive:  # training frames of many sizes and strains
            criterion, words = ROBUST, "mean leave-one-out errors"
    search = Search(problem, alphas, criterion, by_species)
    tables = []

    def choices() -> Iterator[tuple[Candidate, Choice]]:
        for candidate in candidates:
            (choice,), (table,) = select(candidate.gram, [search], lambdas, threads)
            tables.append(table.assign(layer=candidate.layer))
            yield candidate, choice

    best, choice = min(choices(), key=lambda found: found[1].error(criterion))
    sweep = pd.concat(tables, ignore_index=True)
    return Best(**vars(best), choice=choice, sweep=sweep, criterion=words)
