"""Trained networks as one method among the others: tables of a fit, model files, transfer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from pydantic import ConfigDict, NonNegativeInt

from mekrr.backbones.network import Network
from mekrr.data.references import Rule
from mekrr.errors import DataError
from mekrr.features.extract import choose_device
from mekrr.models.file import Closed, Record, Tensors, Text, read_model, write_model
from mekrr.models.fits import Fit, Problem
from mekrr.models.network.loop import Scale, Training, outputs, train
from mekrr.models.network.sample import Sample
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States
from mekrr.study.experiments.learning import COLUMNS, chosen_errors, subset
from mekrr.study.experiments.transfer import transfer_problem


@dataclass(frozen=True)
class NetworkFit(Fit):
    """The tables of a fit, `mekrr.models.fits`, and two more.

    Attributes
    ----------
    history : method, backbone, epoch, train_rmse, val_rmse, val_mae (meV/atom), lr.
    costs : method, backbone, trained_weights, epochs, best_epoch, and seconds of the
        processor: trunk_seconds for all frames of the data set, training_seconds, and
        prediction_seconds for each frame beyond its trunk.
    """

    history: pd.DataFrame
    costs: pd.DataFrame


class _ScaleRecord(Closed):
    shift: float
    factor: float


class NetworkRecord(Record):
    """Record of a trained network: what `load_trained` needs, and what identifies it."""

    model_config = ConfigDict(extra="allow")

    network: Text
    scale: _ScaleRecord
    epoch: NonNegativeInt

    def check(self, tensors: Tensors) -> None:
        """Which tensors there must be, and their shapes, the network knows."""
        for name, tensor in tensors.items():
            if not np.isfinite(tensor).all():
                raise ValueError(f"tensor {name} has values that are not finite")


@dataclass(frozen=True)
class Fitted:
    """A trained network and what it was trained on.

    Attributes
    ----------
    problem : beyond what the network started with.
    """

    network: Network
    states: States
    problem: Problem
    training: Training

    def energy(self) -> np.ndarray:
        """Energies (n_frames,) in eV of all frames of the problem."""
        index = self.problem.frames["index"].to_numpy()
        sample = Sample(self.states, index, self.problem.target, self.problem.n_atoms)
        learnt = outputs(self.network, sample, self.training.scale, choose_device())
        return self.problem.reference + learnt

    def tables(self, method: str) -> NetworkFit:
        """The tables of a fit."""
        start = self.network.start
        begin = time.process_time()
        energy = self.energy()
        seconds = (time.process_time() - begin) / len(energy)
        names = {"method": method, "backbone": start}
        history = self.training.history
        choice = {"layer": None, "validation_rmse": history["val_rmse"].min(), "chosen": True}
        weights = [p for p in self.network.module().parameters() if p.requires_grad]
        costs = {
            "trained_weights": sum(w.numel() for w in weights),
            "epochs": self.training.epochs,
            "best_epoch": self.training.best,
            "trunk_seconds": self.states.seconds,
            "training_seconds": self.training.seconds,
            "prediction_seconds": seconds,
        }
        return NetworkFit(
            self.problem.predictions(method, start, None, energy),
            pd.DataFrame([names | choice]),
            pd.DataFrame(),
            history.assign(**names)[[*names, *history]],
            pd.DataFrame([names | costs]),
        )

    def save(self, path: str | os.PathLike, record: Mapping[str, object]) -> None:
        """Write the weights of the best epoch, with what predictions need beside them."""
        module = self.network.module()
        tensors = {name: w.cpu().numpy() for name, w in module.state_dict().items()}
        best = {"scale": asdict(self.training.scale), "epoch": self.training.best}
        write_model(path, tensors, {"network": self.network.name, **best, **record}, NetworkRecord)


def fit_network(
    problem: Problem,
    network: Network,
    states: States,
    settings: Settings,
    *,
    reference_energy: Rule,
    source: str,
    seed: int,
    checkpoint: str | os.PathLike,
    frames: Sequence[Atoms] | None = None,
    validation: Sample | None = None,
) -> Fitted:
    """Train a network on the training frames of a problem.

    Parameters
    ----------
    problem : all frames of a data set under a split.
    states : of these frames.
    reference_energy, source : rule of the references and name of the data set.
    seed : of the order of the frames.
    checkpoint : see `train`.
    frames : all frames, where forces are learnt.
    validation : frames that choose the epoch in place of the problem's validation frames.
    """
    problem = beyond_start(problem, network, states.start_energy, reference_energy, source)
    training = train(
        network,
        Sample.of(states, problem, "train", frames),
        validation or Sample.of(states, problem, "val"),
        settings,
        seed=seed,
        device=choose_device(),
        checkpoint=checkpoint,
    )
    return Fitted(network, states, problem, training)


def beyond_start(
    problem: Problem, network: Network, start_energy: np.ndarray, rule: Rule, source: str
) -> Problem:
    """What is left to be learnt by a network that starts with (n_frames,) energies in eV.

    For one from scratch that is the problem itself.
    """
    if network.start == "none":
        return problem
    return problem.beyond(start_energy, rule, source)


def fewer_frames(
    problem: Problem, n_train: Sequence[int], seed: int, reference_energy: Rule, source: str
) -> Iterator[tuple[int, Problem]]:
    """The problem with each of ``n_train`` training frames, where it has more than these."""
    for n in sorted(n for n in n_train if n < len(problem.members("train"))):
        split = subset(problem.split, n, seed)
        yield n, Problem.of(problem.frames, split, reference_energy, source)


def learning_curve(fits: Sequence[Fitted], method: str) -> pd.DataFrame:
    """Test errors beside the numbers of frames: a row of a learning curve for each fit."""
    rows = [pd.DataFrame(columns=COLUMNS)]
    for fitted in fits:
        counts = {f"n_{part}": len(fitted.problem.members(part)) for part in ("train", "val")}
        rows.append(chosen_errors(fitted.tables(method)).assign(**counts)[COLUMNS])
    return pd.concat(rows[1:] or rows, ignore_index=True)


def load_trained(path: str | os.PathLike, network: Network) -> Scale:
    """Fill in the weights that `Fitted.save` wrote; returns the scale of the predictions.

    Raises a DataError if the file is damaged or of another network.
    """
    tensors, record = read_model(path, NetworkRecord)
    weights = {name: torch.from_numpy(w) for name, w in tensors.items()}
    try:
        network.module().load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            f"{path}: not of network {network.name!r} as the registry has it; train it anew"
        ) from error
    return Scale(**record.scale.model_dump())


def other_frames(
    source: tuple[Problem, States],
    target: tuple[Problem, States],
    part: str,
    network: Network,
    reference_energy: Rule,
    names: tuple[str, str],
) -> tuple[Problem, Sample]:
    """Frames of one part of another data set, as a network trained on the source sees them.

    Parameters
    ----------
    source, target : each all frames of a data set with their states.
    part : of the target's frames.
    names : of source and target, for error messages.

    Returns
    -------
    The source's training frames with those of the target, which are "test", as one problem,
    and the latter as a sample.
    """
    (of_source, source_states), (of_target, target_states) = source, target
    split = np.where(of_target.split == part, "test", "unused")
    problem = transfer_problem(of_source, replace(of_target, split=split), reference_energy, names)
    index, parts = problem.frames["index"].to_numpy(), problem.split
    start = np.concatenate(
        [
            source_states.start_energy[index[parts == "train"]],
            target_states.start_energy[index[parts == "test"]],
        ]
    )
    problem = beyond_start(problem, network, start, reference_energy, names[0])
    return problem, Sample.of(target_states, problem, "test")


def transfer_predictions(
    problem: Problem, sample: Sample, network: Network, scale: Scale, method: str
) -> pd.DataFrame:
    """Predictions on another data set's frames from `other_frames`.

    Returns
    -------
    DataFrame with method, backbone, layer, index, frame, n_atoms, energy_ref, energy_pred and
    energy_std (eV; none here).
    """
    energy = problem.reference.copy()
    energy[problem.members("test")] += outputs(network, sample, scale, choose_device())
    table = problem.predictions(method, network.start, None, energy)
    return table[table["split"] == "test"].drop(columns="split")
