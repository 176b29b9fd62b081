"""The kinds of models that the study fits, each from what it needs of a data set.

A job opens a kind on its input files. The kind fits its methods to a problem, all frames of the
data set or fewer for training, and predicts the frames of a transfer's destination; neither the
experiments nor the rules know more of it.
"""

from __future__ import annotations

import abc
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from mekrr.data.frames import load_frames
from mekrr.data.references import Rule
from mekrr.data.units import unit_doubt
from mekrr.features.store import FrameFeatures, join_frames, read_gnn_energy, read_layer
from mekrr.kernels.atom import Gaussian, Linear
from mekrr.kernels.gram import Gram
from mekrr.kernels.store import read_kernels
from mekrr.kernels.training import training_gram
from mekrr.models.base import Model
from mekrr.models.constant import Constant
from mekrr.models.kernel import KernelModel
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import (
    Fit,
    Grid,
    fit_kernels,
    join,
    predictions,
    read_alpha,
    unchosen,
)
from mekrr.study.experiments.transfer import Transfer, tested
from mekrr.study.job import TERMINAL
from mekrr.study.methods import METHODS


class Kind(abc.ABC):
    """Methods of one kind on one data set.

    Attributes
    ----------
    model : the one fitted last, where a kind has one method whose model has a file.
    """

    model: Model | None = None

    @classmethod
    @abc.abstractmethod
    def open(cls, step) -> Kind:
        """Open the input files of a step, as Snakemake describes it to its script."""

    @abc.abstractmethod
    def fit(self, problem: Problem) -> Fit:
        """Fit all methods to the training frames of a problem of the data set."""

    @classmethod
    @abc.abstractmethod
    def transfer(cls, step, transfer: Transfer) -> pd.DataFrame:
        """Return the predictions on the destination's test frames, by fits on the origin."""

    def close(self) -> None:
        """Remove what an interrupted step would have gone on from: all is written."""
        return


class Constants(Kind):
    """The training mean."""

    METHOD: ClassVar = "training mean"

    @classmethod
    def open(cls, step) -> Constants:
        return cls()

    def fit(self, problem: Problem) -> Fit:
        self.model = Constant().fit(problem)
        return unchosen(problem, self.METHOD, "none", self.model.predict(problem)[0])

    @classmethod
    def transfer(cls, step, transfer: Transfer) -> pd.DataFrame:
        return tested(cls().fit(transfer.problem()).predictions)


class Potentials(Kind):
    """GAP-SOAP, fitted to the frames themselves."""

    METHOD: ClassVar = "GAP-SOAP"

    def __init__(self, frames: Sequence, model: Model):
        self._frames, self.model = frames, model

    @classmethod
    def open(cls, step) -> Potentials:
        from mekrr.models.gap import Gap

        settings, seed = step.params.settings, int(step.wildcards.seed)
        model = Gap(settings, seed, step.log.gap_fit, step.threads)
        return cls(load_frames(step.input.frames), model)

    def fit(self, problem: Problem) -> Fit:
        self.model.fit(problem, self._frames)
        begin = time.process_time()
        residual, _ = self.model.predict(problem, self._frames)
        seconds = (time.process_time() - begin) / len(self._frames)
        fit = unchosen(problem, self.METHOD, "none", residual)
        cost = {"method": self.METHOD, "backbone": "none", "prediction_seconds": seconds}
        return Fit(fit.predictions, fit.choices, costs=pd.DataFrame([cost]))

    @classmethod
    def transfer(cls, step, transfer: Transfer) -> pd.DataFrame:
        from mekrr.models.gap import Gap

        frames, problem = load_frames(step.input.frames), transfer.problem().part("test")
        own = [frames[index] for index in problem.frames["index"]]
        residual, _ = Gap.load(step.input.model).predict(problem, own)
        return tested(predictions(problem, cls.METHOD, "none", None, residual))


class Networks(Kind):
    """A network that is trained, from states of its frozen layers."""

    def __init__(self, step, states: str | os.PathLike, frames: str | os.PathLike | None):
        from mekrr.models.network.states import States

        self._step, self._states = step, States(states)
        self._frames = None if frames is None else load_frames(frames)
        self._checkpoints: list[Path] = []

    @classmethod
    def open(cls, step) -> Networks:
        return cls(step, step.input.states, next(iter(step.input.frames), None))

    def fit(self, problem: Problem) -> Fit:
        params, wildcards = self._step.params, self._step.wildcards
        checkpoint = params.checkpoint
        if "n_train" in params.keys():  # noqa: SIM118, as Snakemake's params are no dict
            checkpoint = f"{checkpoint}-{len(problem.members('train'))}"
        problem = self.train(problem, checkpoint, params.reference_energy, wildcards.dataset)
        return self._tables(problem, params.method)

    def train(
        self,
        problem: Problem,
        checkpoint: str,
        rule: Rule,
        source: str,
        validation: object = None,
    ) -> Problem:
        """Train a network as it starts; return the problem beyond that start."""
        from mekrr.models.network.fit import NetworkModel, beyond_start
        from mekrr.models.network.settings import Settings

        seed, model = int(self._step.wildcards.seed), dict(self._step.params.model)
        network = _network(self._step, seed)
        problem = beyond_start(problem, network, self._states.start_energy, rule, source)
        self._checkpoints.append(Path(f"{checkpoint}.pt"))
        self.model = NetworkModel(
            network,
            Settings(**self._step.params.training),
            seed,
            self._checkpoints[-1],
            self._frames,
            validation,
            dict(self._step.wildcards.items()) | model,
        )
        self.model.fit(problem, self._states)
        return problem

    @classmethod
    def transfer(cls, step, transfer: Transfer) -> pd.DataFrame:
        from mekrr.models.network.fit import NetworkModel

        network = _network(step)
        problem, states = cls._destination(step, transfer, network, "test")
        residual, _ = NetworkModel.load(step.input.model, network).predict(problem, states)
        method = step.params.method
        return tested(predictions(problem, method, network.start, None, residual))

    @classmethod
    def train_for(cls, step, transfer: Transfer) -> Networks:
        """Train on the origin, the epoch chosen on validation frames of the destination."""
        from mekrr.models.network.sample import Sample

        kind = cls(step, step.input.states[0], next(iter(step.input.frames), None))
        problem, states = cls._destination(step, transfer, _network(step), "val")
        source, rule = transfer.names[0], transfer.rule
        kind.train(
            transfer.origin.with_references(rule, source),
            step.params.checkpoint,
            rule,
            source,
            Sample.of(states, problem),
        )
        return kind

    def close(self) -> None:
        for checkpoint in self._checkpoints:
            checkpoint.unlink(missing_ok=True)

    @staticmethod
    def _destination(step, transfer: Transfer, network, part: str):
        """The destination's frames of one part as the origin leaves them to learn, their states."""
        from mekrr.models.network.fit import beyond_start
        from mekrr.models.network.states import States

        states = [States(path) for path in step.input.states]
        start = transfer.of_both(*(each.start_energy for each in states), part)
        problem = beyond_start(
            transfer.problem(part), network, start, transfer.rule, transfer.names[0]
        )
        return problem.part("test"), states[1]

    def _tables(self, problem: Problem, method: str) -> Fit:
        model, start = self.model, self.model.network.start
        begin = time.process_time()
        residual, _ = model.predict(problem, self._states)
        seconds = (time.process_time() - begin) / len(residual)
        names = {"method": method, "backbone": start}
        history = model.training_.history
        choice = {"layer": None, "validation_rmse": history["val_rmse"].min(), "chosen": True}
        weights = [p for p in model.network.module().parameters() if p.requires_grad]
        costs = {
            "trained_weights": sum(w.numel() for w in weights),
            "epochs": model.training_.epochs,
            "best_epoch": model.training_.best,
            "trunk_seconds": self._states.seconds,
            "training_seconds": model.training_.seconds,
            "prediction_seconds": seconds,
        }
        return Fit(
            predictions(problem, method, start, None, residual),
            pd.DataFrame([names | choice]),
            history=history.assign(**names)[[*names, *history]],
            costs=pd.DataFrame([names | costs]),
        )


def _network(step, seed: int = 0):
    from mekrr.backbones.networks import load_network

    weights = next(iter(step.input.weights), None)
    name = step.wildcards.get("network", step.wildcards.get("model"))
    return load_network(name, weights=weights, seed=seed, **step.params.model)


class Kernels(Kind):
    """Kernel ridge regression on features of one backbone, and its own energies.

    Parameters
    ----------
    methods : names of those to be fitted.
    features : per layer, of all frames.
    energy : (n_frames,) the backbone's own energies in eV; None if it has none.
    stored : per layer, Gaussian kernels of all frames with all training frames of the split.
    """

    def __init__(
        self,
        methods: Sequence[str],
        features: Mapping[int, FrameFeatures],
        energy: np.ndarray | None,
        stored: Mapping[int, Gram],
        columns: np.ndarray | None,
        grid: Grid,
        rule: Rule,
        names: tuple[str, str],
        threads: int = 1,
    ):
        self._methods, self._features, self._energy = methods, features, energy
        self._stored, self._columns, self._grid = stored, columns, grid
        self._rule, (self._dataset, self._backbone) = rule, names
        self._threads = threads

    @classmethod
    def open(cls, step) -> Kernels:
        params = step.params
        stored, columns = {}, None
        if "kernels" in step.input.keys():  # noqa: SIM118, as Snakemake's inputs are no dict
            stored, columns = read_kernels(step.input.kernels)
        return cls(
            params.methods,
            {layer: read_layer(step.input.features, layer) for layer in params.layers},
            read_gnn_energy(step.input.features),
            stored,
            columns,
            Grid.of(**params.grid),
            params.reference_energy,
            (step.wildcards.dataset, _backbone(step)),
            step.threads,
        )

    def fit(self, problem: Problem) -> Fit:
        problems = {"references": problem}
        if self._energy is not None:
            problems["network"] = problem.beyond_network(self._energy)
            problems["delta"] = problem.beyond(self._energy, self._rule, self._dataset)
        methods = [METHODS[name] for name in self._methods]
        linear = [method.name for method in methods if method.kernel == "linear"]
        others = [method.name for method in methods if method.kernel == "gaussian"]
        train, fits = problem.members("train"), []
        if linear:
            grams = {k: training_gram(f, train, Linear())[0] for k, f in self._features.items()}
        for name in linear:  # one after another: their order in the tables
            fits.append(self._fit(problems, grams, [name]))
        for method in methods:
            if method.kind == "constant" and method.baseline in problems:
                own = problems[method.baseline]
                residual, _ = Constant().fit(own).predict(own)
                fits.append(unchosen(own, method.name, self._backbone, residual))
        if others:
            fits.append(self._fit(problems, self._gaussian(train), others))
        return join(fits)

    def warn_of_unit(self, problem: Problem) -> None:
        """Tell the user if the energies seem to have another unit than the backbone's."""
        if self._energy is None:
            return
        doubt = unit_doubt(problem.energy, self._energy, problem.frames["formula"])
        if doubt:
            TERMINAL.warning("%s: %s: %s", self._dataset, self._backbone, doubt)

    @classmethod
    def transfer(cls, step, transfer: Transfer) -> pd.DataFrame:
        """Fit anew with the origin's choices, kernels being those among frames of both."""
        choices = pd.concat([pd.read_csv(path) for path in step.input.choices], ignore_index=True)
        problem, rule = transfer.problem(), transfer.rule
        files = step.input.features
        layers = choices.loc[choices["chosen"], "layer"].dropna().astype(int).unique()
        train, test = transfer.origin.members("train"), transfer.destination.members("test")
        features = {
            layer: join_frames(
                read_layer(files[0], layer).select(train), read_layer(files[1], layer).select(test)
            )
            for layer in layers
        }
        energies, problems = [read_gnn_energy(file) for file in files], {"references": problem}
        if energies[0] is not None:
            energy = transfer.of_both(*energies)
            problems["network"] = problem.beyond_network(energy)
            problems["delta"] = problem.beyond(energy, rule, transfer.names[0])
        return tested(fit_again(problems, choices, features, step.threads))

    def _fit(
        self, problems: Mapping[str, Problem], grams: Mapping[int, Gram], methods: Sequence[str]
    ) -> Fit:
        return fit_kernels(problems, grams, methods, self._grid, self._backbone, self._threads)

    def _gaussian(self, train: np.ndarray) -> dict[int, Gram]:
        """The stored kernels, with some of the training frames."""
        kept = np.flatnonzero(np.isin(self._columns, train))
        if len(kept) == len(self._columns):
            return self._stored
        return {layer: gram.columns(kept) for layer, gram in self._stored.items()}


def fit_again(
    problems: Mapping[str, Problem],
    choices: pd.DataFrame,
    features: Mapping[int, FrameFeatures],
    threads: int = 1,
) -> pd.DataFrame:
    """Return the predictions of methods on frozen features that are fitted with given choices.

    Parameters
    ----------
    problems : by baseline, see `mekrr.study.methods.Method`.
    choices : table of choices, `mekrr.study.experiments.fits`; those chosen count.
    features : of the problems' frames, by layer.
    """
    train, grams, tables = problems["references"].members("train"), {}, []
    for choice in choices[choices["chosen"]].to_dict("records"):
        method, backbone = METHODS[choice["method"]], choice["backbone"]
        problem = problems[method.baseline]
        if method.kind == "constant":
            values, layer = Constant().fit(problem).predict(problem)[:1], None
        else:
            layer = int(choice["layer"])
            if (layer, method.kernel) not in grams:
                sigma = choice["lengthscale"]
                kernel = Linear() if method.kernel == "linear" else Gaussian(sigma)
                gram, _ = training_gram(features[layer], train, kernel, threads=threads)
                grams[layer, method.kernel] = gram
            gram = grams[layer, method.kernel]
            model = KernelModel(read_alpha(choice), choice["regularisation"]).fit(problem, gram)
            values = model.predict(problem, gram)
        tables.append(predictions(problem, method.name, backbone, layer, *values))
    return pd.concat(tables, ignore_index=True)


def _backbone(step) -> str:
    return step.wildcards.get("backbone", step.wildcards.get("model"))


KINDS = {
    "constant": Constants,
    "potential": Potentials,
    "network": Networks,
    "kernel": Kernels,
}
