"""What each part of the method is worth: one thing is changed, the rest stays.

The base is MEKRR as the study fits it: Gaussian atom kernel, median lengthscale, mean over
atoms, on the layer that MEKRR chooses on validation frames. α (of MEKRR-α) and λ are
chosen anew on validation frames for each change, but where λ is what is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, Gaussian, Radial
from mekrr.kernels.gram import SpeciesGram, own_gram, train_gram
from mekrr.kernels.store import LayerKernel
from mekrr.metrics import mae, rmse
from mekrr.models.baselines import linear_kernel
from mekrr.models.fits import Problem, fit_kernels
from mekrr.models.ridge import RidgePath
from mekrr.study.experiments.learning import chosen_errors

BASE = {"atom kernel": "Gaussian", "lengthscale": "median", "aggregation": "mean"}


def ablation(
    problem: Problem,
    kernels: Mapping[int, LayerKernel],
    features: Mapping[int, FrameFeatures],
    alphas: np.ndarray,
    regularisations: np.ndarray,
    lengthscales: Sequence[float],
    backbone: str,
    threads: int = 1,
) -> pd.DataFrame:
    """Errors of MEKRR and MEKRR-α under each change.

    Parameters
    ----------
    kernels : of the study, per layer.
    features : per layer.
    lengthscales : factors of the median to try beside 1.

    Returns
    -------
    DataFrame with factor, setting, method, layer, alpha, regularisation, validation_rmse,
    test_rmse and test_mae (meV/atom), NaN where the kernel matrix is indefinite.
    """
    methods = {"MEKRR": np.zeros(1), "MEKRR-alpha": alphas}

    def errors(tried: Mapping[int, LayerKernel]) -> pd.DataFrame:
        fit = fit_kernels(problem, tried, methods, regularisations, backbone, threads=threads)
        # Every layer counts as chosen, so that each has its errors.
        every = fit.choices.assign(chosen=True)
        test = chosen_errors(type(fit)(fit.predictions, every, fit.sweep))
        test = test.rename(columns={"rmse": "test_rmse", "mae": "test_mae"})
        keep = ["method", "layer", "alpha", "regularisation", "validation_rmse", "chosen"]
        return fit.choices[keep].merge(test[["method", "layer", "test_rmse", "test_mae"]])

    layers = errors(kernels)
    base = layers[layers["chosen"] & (layers["method"] == "MEKRR")]
    layer = int(base["layer"].iloc[0])
    unchanged = layers[layers["layer"] == layer]
    tables = [layers.assign(factor="layer", setting=layers["layer"].map("{}".format))]
    for factor, setting in BASE.items():
        tables.append(unchanged.assign(factor=factor, setting=setting))
    train, own = problem.members("train"), (kernels[layer], features[layer])
    for factor, setting, kernel in _changes(*own, train, lengthscales, threads):
        tables.append(errors({layer: kernel}).assign(factor=factor, setting=setting))
    for choice in unchanged.to_dict("records"):
        tables.append(_regularisations(problem, kernels[layer], choice, regularisations))
    return pd.concat(tables, ignore_index=True).drop(columns="chosen")


def _changes(
    base: LayerKernel,
    frames: FrameFeatures,
    train: np.ndarray,
    lengthscales: Sequence[float],
    threads: int,
) -> Iterator[tuple[str, str, LayerKernel]]:
    """Factor, setting and kernel of each change but the layer and λ."""
    sigma = base.lengthscale
    radial = [one for one in KERNELS.values() if issubclass(one, Radial) and one is not Gaussian]
    others = [("atom kernel", one.label, one(sigma)) for one in radial]
    others += [("lengthscale", f"{f:g} × median", Gaussian(f * sigma)) for f in lengthscales]
    for factor, setting, kernel in others:
        gram = train_gram(frames, train, kernel, threads=threads, title=setting)
        yield factor, setting, LayerKernel(gram, own_gram(frames, kernel), kernel.lengthscale)
    yield "atom kernel", "linear", _linear(frames, train)
    yield "aggregation", "sum", summed(base, frames, train)


def _linear(frames: FrameFeatures, train: np.ndarray) -> LayerKernel:
    """K_0 and K_1 of the linear atom kernel, each centred and scaled as in ridge regression."""
    whole, shares = (linear_kernel(frames, train, m) for m in ("linear ridge", "species ridge"))
    return LayerKernel(
        SpeciesGram(whole.gram.k0, {0: shares.gram.k0}),
        SpeciesGram(whole.own.k0, {0: shares.own.k0}),
        np.nan,
    )


def summed(kernel: LayerKernel, frames: FrameFeatures, train: np.ndarray) -> LayerKernel:
    """Sums over pairs of atoms in place of means, in units of the mean n² of training frames.

    n n' K_0 and, species by species, n_s n'_s times the share in K_1. Where all frames have
    as many atoms K_0 stays what it is; K_1 weighs species by their number.
    """
    counts = {None: frames.n_atoms.astype(np.float64)}
    for species in kernel.gram.shares:
        of_species = np.concatenate([[0], np.cumsum(frames.species == species)])
        counts[species] = np.diff(of_species[frames.pointer]).astype(np.float64)
    unit = np.mean(counts[None][train] ** 2)

    def scaled(gram: SpeciesGram, right: Mapping[int | None, np.ndarray]) -> SpeciesGram:
        return SpeciesGram(
            gram.k0 * right[None] / unit, {s: v * right[s] / unit for s, v in gram.shares.items()}
        )

    return LayerKernel(
        scaled(kernel.gram, {s: np.outer(n, n[train]) for s, n in counts.items()}),
        scaled(kernel.own, {s: n**2 for s, n in counts.items()}),
        kernel.lengthscale,
    )


def _regularisations(
    problem: Problem, kernel: LayerKernel, choice: Mapping, regularisations: np.ndarray
) -> pd.DataFrame:
    """Each λ in turn, with the α that was chosen."""
    full, train = kernel.gram.at(choice["alpha"]), problem.members("train")
    path = RidgePath(full[train], problem.target[train])
    errors = 1000.0 * (path.predict(full, regularisations) - problem.target) / problem.n_atoms
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
