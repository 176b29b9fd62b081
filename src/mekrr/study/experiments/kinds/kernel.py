"""Kernel ridge regression on features of a frozen backbone, and its own energies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from mekrr.choices import EXTENSIVE
from mekrr.data.references import Rule
from mekrr.data.units import unit_doubt
from mekrr.features.store import FrameFeatures, join_frames, read_gnn_energy, read_layer
from mekrr.kernels.atom import KERNELS
from mekrr.kernels.gram import Gram
from mekrr.kernels.store import read_kernels
from mekrr.kernels.training import training_gram
from mekrr.models.constant import Constant
from mekrr.models.kernel import KernelModel
from mekrr.models.problem import Problem
from mekrr.study.experiments.baselines import by_baseline
from mekrr.study.experiments.fits import Fit, join, predictions, unchosen
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels, read_alpha
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer, on_destination
from mekrr.study.job import TERMINAL
from mekrr.study.recipes import Recipe, recipes_from


class Models(Kind):
    """Kernel ridge regression on features of one backbone, and its own energies.

    Parameters
    ----------
    methods : those to be fitted.
    features : per layer, of all frames.
    energy : (n_frames,) the backbone's own energies in eV; None if it has none.
    stored : per layer, kernels between atoms of all frames with all training frames of the split.
    """

    def __init__(
        self,
        methods: Sequence[Recipe],
        features: Mapping[int, FrameFeatures],
        energy: np.ndarray | None,
        stored: Mapping[int, Gram],
        columns: np.ndarray | None,
        grid: Grid,
        rule: Rule,
        names: tuple[str, str],
        threads: int = 1,
    ):
        self.methods, self.features, self._energy = methods, features, energy
        self._stored, self._columns, self._grid = stored, columns, grid
        self._rule, (self._dataset, self._backbone) = rule, names
        self._threads = threads

    @classmethod
    def open(cls, step) -> Models:
        params = step.params
        stored, columns = {}, None
        if "kernels" in step.input.keys():  # noqa: SIM118, as Snakemake's inputs are no dict
            stored, columns = read_kernels(step.input.kernels)
        return cls(
            recipes_from(params.methods),
            {layer: read_layer(step.input.features, layer) for layer in params.layers},
            read_gnn_energy(step.input.features),
            stored,
            columns,
            Grid.of(**params.grid),
            params.reference_energy,
            (step.wildcards.dataset, step.wildcards.backbone),
            step.threads,
        )

    def fit(self, problem: Problem) -> Fit:
        problems = self.by_baseline(problem)
        of_kernel = [method for method in self.methods if method.kind == "kernel"]
        linear = [method for method in of_kernel if KERNELS[method.kernel].centred]
        others = [method for method in of_kernel if method not in linear]
        train, fits = problem.members("train"), []
        if linear:
            grams = {
                k: training_gram(f, train, KERNELS["linear"]())[0] for k, f in self.features.items()
            }
        for method in linear:  # one after another: their order in the tables
            fits.append(self._fit(problems, grams, [method]))
        for method in self.methods:
            if method.kind == "constant" and method.baseline in problems:
                if not self._stored:  # once for all fits of a split
                    self._warn_of_unit(problem)
                own = problems[method.baseline]
                residual, _ = Constant().fit(own).predict(own)
                fits.append(unchosen(own, method.name, self._backbone, residual))
        if others:
            fits.append(self._fit(problems, self._between_atoms(train), others))
        return join(fits)

    def by_baseline(self, problem: Problem) -> dict[str, Problem]:
        """Return a problem of the data set beyond each baseline."""
        return by_baseline(problem, self._energy, self._rule, self._dataset)

    def _warn_of_unit(self, problem: Problem) -> None:
        """Tell the user if the energies seem to have another unit than the backbone's."""
        if self._energy is None:
            return
        doubt = unit_doubt(problem.energy, self._energy, problem.frames["formula"])
        if doubt:
            TERMINAL.warning("%s: %s: %s", self._dataset, self._backbone, doubt)

    @classmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        """Fit anew with the origin's choices, kernels being those among frames of both."""
        given = step.input
        for transfer, *paths in zip(transfers, given.baselines, given.mekrr, strict=True):
            choices = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
            yield on_destination(cls._fitted_again(step, transfer, choices))

    @classmethod
    def _fitted_again(cls, step, transfer: Transfer, choices: pd.DataFrame) -> pd.DataFrame:
        files = step.input.features
        layers = choices.loc[choices["chosen"], "layer"].dropna().astype(int).unique()
        train, test = transfer.origin.members("train"), transfer.destination.members("test")
        features = {
            layer: join_frames(
                read_layer(files[0], layer).select(train), read_layer(files[1], layer).select(test)
            )
            for layer in layers
        }
        energies = [read_gnn_energy(file) for file in files]
        energy = None if energies[0] is None else transfer.of_both(*energies)
        problems = by_baseline(transfer.problem(), energy, transfer.rule, transfer.names[0])
        methods = recipes_from(step.params.methods)
        return fit_again(problems, choices, features, methods, step.threads)

    def _fit(
        self, problems: Mapping[str, Problem], grams: Mapping[int, Gram], methods: Sequence[Recipe]
    ) -> Fit:
        frames = next(iter(self.features.values()))
        given = self._grid, self._backbone, self._threads
        return fit_kernels(problems, grams, methods, *given, frames=frames)

    def _between_atoms(self, train: np.ndarray) -> dict[int, Gram]:
        """The stored kernels, with some of the training frames."""
        kept = np.flatnonzero(np.isin(self._columns, train))
        if len(kept) == len(self._columns):
            return self._stored
        return {layer: gram.columns(kept) for layer, gram in self._stored.items()}


def fit_again(
    problems: Mapping[str, Problem],
    choices: pd.DataFrame,
    features: Mapping[int, FrameFeatures],
    methods: Sequence[Recipe],
    threads: int = 1,
) -> pd.DataFrame:
    """Return the predictions of methods on frozen features that are fitted with given choices.

    Parameters
    ----------
    problems : by baseline, see `mekrr.study.recipes.Recipe`.
    choices : table of choices, `mekrr.study.experiments.fits`; those chosen count.
    features : of the problems' frames, by layer.
    methods : at least those of the choices.
    """
    recipes = {method.name: method for method in methods}
    train, grams, tables = problems["references"].members("train"), {}, []
    for choice in choices[choices["chosen"]].to_dict("records"):
        method, backbone = recipes[choice["method"]], choice["backbone"]
        problem = problems[method.baseline]
        if method.kind == "constant":
            values, layer = Constant().fit(problem).predict(problem)[:1], None
        else:
            layer = int(choice["layer"])
            extensive = method.form == EXTENSIVE
            if extensive:
                problem = problem.per_atom(features[layer].n_atoms)
            key = layer, method.kernel, method.form
            if key not in grams:
                kernel = KERNELS[method.kernel](choice["lengthscale"])
                options = {"extensive": extensive, "threads": threads}
                grams[key], _ = training_gram(features[layer], train, kernel, **options)
            gram = grams[key]
            model = KernelModel(read_alpha(choice), choice["regularisation"]).fit(problem, gram)
            values = model.predict(problem, gram)
        tables.append(predictions(problem, method.name, backbone, layer, *values))
    return pd.concat(tables, ignore_index=True)
