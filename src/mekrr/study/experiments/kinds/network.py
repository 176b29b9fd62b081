"""Networks that are trained, from states of their frozen layers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mekrr.backbones.load import load_network
from mekrr.backbones.network import Network
from mekrr.data.frames import load_frames
from mekrr.data.references import Rule
from mekrr.errors import TrainingError
from mekrr.models.network.fit import NetworkModel, beyond_start
from mekrr.models.network.sample import Sample
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit, predictions
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer, on_destination


class Models(Kind):
    """A network that is trained, from states of its frozen layers."""

    def __init__(self, step, states: str | os.PathLike, frames: str | os.PathLike | None):
        self._step, self._states = step, States(states)
        self._frames = None if frames is None else load_frames(frames)
        self._checkpoints: list[Path] = []

    @classmethod
    def open(cls, step) -> Models:
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
        validation: Sample | None = None,
    ) -> Problem:
        """Train a network as it starts; return the problem beyond that start."""

        seed, model = int(self._step.wildcards.seed), dict(self._step.params.model)
        network = network_of(self._step, seed)
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
        try:
            self.model.fit(problem, self._states)
        except TrainingError as error:
            key = f"networks.{network.name}.training.lr"
            raise TrainingError(f"{error} ({key} of the configuration)") from error
        return problem

    @classmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        network, method = network_of(step), step.params.method
        for transfer, model in zip(transfers, step.input.models, strict=True):
            problem, states = cls._destination(step, transfer, network, "test")
            residual, _ = NetworkModel.load(model, network).predict(problem, states)
            yield on_destination(predictions(problem, method, network.start, None, residual))

    @classmethod
    def train_for(cls, step, transfer: Transfer) -> Models:
        """Train on the origin, the epoch chosen on validation frames of the destination."""
        kind = cls(step, step.input.states[0], next(iter(step.input.frames), None))
        problem, states = cls._destination(step, transfer, network_of(step), "val")
        source, rule = transfer.names[0], transfer.rule
        own = load_frames(step.input.frames[1]) if step.input.frames else None
        kind.train(
            transfer.origin.with_references(rule, source),
            step.params.checkpoint,
            rule,
            source,
            Sample.of(states, problem, frames=own),
        )
        return kind

    def beyond_start(self, problem: Problem) -> Problem:
        """Return what of a problem of the data set the network that was trained had to learn."""
        rule, source = self._step.params.reference_energy, self._step.wildcards.dataset
        return beyond_start(problem, self.model.network, self._states.start_energy, rule, source)

    def close(self) -> None:
        for checkpoint in self._checkpoints:
            checkpoint.unlink(missing_ok=True)

    @staticmethod
    def _destination(
        step, transfer: Transfer, network: Network, part: str
    ) -> tuple[Problem, States]:
        """The destination's frames of one part as the origin leaves them to learn, their states."""
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
        best = history.set_index("epoch").loc[model.training_.best, "val_rmse"]
        choice = {"layer": None, "validation_rmse": best, "chosen": True}
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


def network_of(step, seed: int = 0) -> Network:
    weights = next(iter(step.input.weights), None)
    return load_network(step.wildcards.network, weights=weights, seed=seed, **step.params.model)
