"""What each part of the method is worth: one thing is changed, the rest stays.

The base is MEKRR as the study fits it: its atom kernel, median lengthscale, mean over
atoms, on the layer that MEKRR chooses on validation frames. α (of MEKRR-α) and λ are
chosen anew on validation frames for each change, but where λ is what is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, AtomKernel
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import training_gram
from mekrr.metrics import mae, rmse
from mekrr.models.problem import Problem
from mekrr.models.ridge import RidgePath
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels
from mekrr.study.experiments.learning import chosen_errors
from mekrr.study.recipes import Recipe

BASE = {"lengthscale": "median", "aggregation": "mean"}


def ablation(
    problem: Problem,
    kernels: Mapping[int, Gram],
    features: Mapping[int, FrameFeatures],
    methods: Sequence[Recipe],
    grid: Grid,
    lengthscales: Sequence[float],
    backbone: str,
    threads: int = 1,
) -> pd.DataFrame:
    """Return the errors of MEKRR and MEKRR-α under each change.

    Parameters
    ----------
    kernels : of the study, per layer.
    features : per layer.
    methods : both, on the atom kernel of the study.
    lengthscales : factors of the median to try beside 1.

    Returns
    -------
    DataFrame with factor, setting, method, layer, alpha, regularisation, validation_rmse,
    test_rmse and test_mae (meV/atom), NaN where the kernel matrix is indefinite.
    """

    def errors(tried: Mapping[int, Gram]) -> pd.DataFrame:
        fit = fit_kernels({"references": problem}, tried, methods, grid, backbone, threads)
        # Every layer counts as chosen, so that each has its errors.
        test = chosen_errors(replace(fit, choices=fit.choices.assign(chosen=True)))
        test = test.rename(columns={"rmse": "test_rmse", "mae": "test_mae"})
        keep = ["method", "layer", "alpha", "regularisation", "validation_rmse", "chosen"]
        return fit.choices[keep].merge(test[["method", "layer", "test_rmse", "test_mae"]])

    layers = errors(kernels)
    base = layers[layers["chosen"] & (layers["method"] == "MEKRR")]
    layer = int(base["layer"].iloc[0])
    unchanged = layers[layers["layer"] == layer]
    tables = [layers.assign(factor="layer", setting=layers["layer"].map("{}".format))]
    atom = KERNELS[methods[0].kernel]
    for factor, setting in {"atom kernel": atom.label, **BASE}.items():
        tables.append(unchanged.assign(factor=factor, setting=setting))
    train, own = problem.members("train"), (kernels[layer], features[layer])
    for factor, setting, kernel in _changes(atom, *own, train, lengthscales, threads):
        tables.append(errors({layer: kernel}).assign(factor=factor, setting=setting))
    for choice in unchanged.to_dict("records"):
        tables.append(_regularisations(problem, kernels[layer], choice, grid.regularisations))
    return pd.concat(tables, ignore_index=True).drop(columns="chosen")


def _changes(
    atom: type[AtomKernel],
    base: Gram,
    frames: FrameFeatures,
    train: np.ndarray,
    lengthscales: Sequence[float],
    threads: int,
) -> Iterator[tuple[str, str, Gram]]:
    """Factor, setting and kernel of each change but the layer and λ."""
    sigma = base.lengthscale
    own = [one for one in KERNELS.values() if one is not atom]
    others = [("atom kernel", one.label, one(sigma)) for one in own if not one.centred]
    others += [("lengthscale", f"{f:g} × median", atom(f * sigma)) for f in lengthscales]
    others += [("atom kernel", one.label, one()) for one in own if one.centred]
    for factor, setting, kernel in others:
        gram, _ = training_gram(frames, train, kernel, threads=threads, title=setting)
        yield factor, setting, gram
    yield "aggregation", "sum", summed(base, frames, train)


def summed(kernel: Gram, frames: FrameFeatures, train: np.ndarray) -> Gram:
    """Sums over pairs of atoms in place of means, in units of the mean n² of training frames.

    n n' K_0 and, species by species, n_s n'_s times the share in K_1. Where all frames have
    as many atoms K_0 stays what it is; K_1 weighs species by their number.
    """
    counts = {None: frames.n_atoms.astype(np.float64)}
    for species in kernel.shares:
        of_species = np.concatenate([[0], np.cumsum(frames.species == species)])
        counts[species] = np.diff(of_species[frames.pointer]).astype(np.float64)
    unit = np.mean(counts[None][train] ** 2)

    def scaled(gram: Gram, right: Mapping[int | None, np.ndarray]) -> Gram:
        shares = {s: share * right[s] / unit for s, share in gram.shares.items()}
        return replace(gram, k0=gram.k0 * right[None] / unit, shares=shares)

    own = scaled(kernel.self_kernel, {s: n**2 for s, n in counts.items()})
    right = {s: np.outer(n, n[train]) for s, n in counts.items()}
    return replace(scaled(kernel, right), self_kernel=own)


def _regularisations(
    problem: Problem, kernel: Gram, choice: Mapping, regularisations: np.ndarray
) -> pd.DataFrame:
    """Each λ in turn, with the α that was chosen."""
    full, train = kernel.at(choice["alpha"]), problem.members("train")
    path = RidgePath(full[train], problem.residual[train])
    errors = 1000.0 * (path.predict(full, regularisations) - problem.residual) / problem.n_atoms
    val, test = errors[:, problem.members("val")], errors[:, problem.members("test")]
    return pd.DataFrame(
        {
            "factor": "λ",
            "setting": [f"{value:.0e}" for value in regularisations],
            "method": choice["method"],
            "layer": choice["layer"],
            "alpha": choice["alpha"],
            "regularisation": regularisations,
            "validation_rmse": [rmse(e) for e in val],
            "test_rmse": [rmse(e) for e in test],
            "test_mae": [mae(e) for e in test],
        }
    )
