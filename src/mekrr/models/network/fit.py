"""A network as a model: its head trained on the residual energies that its start leaves."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from ase import Atoms
from pydantic import ConfigDict, NonNegativeInt

from mekrr.backbones.network import Network
from mekrr.data.references import Rule
from mekrr.errors import DataError, InputError
from mekrr.features.extract import choose_device
from mekrr.models.file import Closed, Record, Tensors, Text, read_model, write_model
from mekrr.models.network.loop import Scale, Training, outputs, train
from mekrr.models.network.sample import Sample
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States
from mekrr.models.problem import Problem


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


@dataclass
class NetworkModel:
    """A network whose head is trained, see `mekrr.models.network.loop`.

    Attributes
    ----------
    network : as it starts; trained once fitted or loaded.
    settings, seed, checkpoint : see `train`; None for a model that is loaded.
    frames : all frames of the problem, where forces are learnt.
    validation : frames that choose the epoch in place of the problem's validation frames.
    record : what its file says beside the weights.
    most_seconds : see `train`.
    scale_ : of its predictions.
    training_ : how it was fitted.
    """

    network: Network
    settings: Settings | None = None
    seed: int = 0
    checkpoint: str | os.PathLike | None = None
    frames: Sequence[Atoms] | None = None
    validation: Sample | None = None
    record: Mapping[str, object] = field(default_factory=dict)
    most_seconds: float = math.inf
    scale_: Scale = field(init=False)
    training_: Training = field(init=False)

    def fit(self, problem: Problem, inputs: States) -> NetworkModel:
        """Train on the training frames of a problem; ``inputs`` are states of its data set."""
        if self.settings is None or self.checkpoint is None:
            raise InputError(
                f"network {self.network.name!r} was loaded to predict; to train one, give "
                "NetworkModel its settings and a checkpoint"
            )
        self.training_ = train(
            self.network,
            Sample.of(inputs, problem, "train", self.frames),
            self.validation or Sample.of(inputs, problem, "val", self.frames),
            self.settings,
            seed=self.seed,
            device=choose_device(),
            checkpoint=self.checkpoint,
            most_seconds=self.most_seconds,
        )
        self.scale_ = self.training_.scale
        return self

    def predict(self, problem: Problem, inputs: States) -> tuple[np.ndarray, None]:
        """Return residual energies (n_frames,) in eV of all frames of a problem."""
        sample = Sample.of(inputs, problem)
        return outputs(self.network, sample, self.scale_, choose_device()), None

    def save(self, path: str | os.PathLike) -> None:
        """Write the weights of the best epoch, with what predictions need beside them."""
        module = self.network.module()
        tensors = {name: w.cpu().numpy() for name, w in module.state_dict().items()}
        best = {"scale": asdict(self.scale_), "epoch": self.training_.best}
        record = {"network": self.network.name, **best, **self.record}
        write_model(path, tensors, record, NetworkRecord)

    @classmethod
    def load(cls, path: str | os.PathLike, network: Network) -> NetworkModel:
        """Fill in the weights that `save` wrote.

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
        model = cls(network)
        model.scale_ = Scale(**record.scale.model_dump())
        return model


def beyond_start(
    problem: Problem, network: Network, start_energy: np.ndarray, rule: Rule, source: str
) -> Problem:
    """Return what is left to be learnt by a network that starts with (n_frames,) energies in eV.

    For one from scratch that is the problem itself.
    """
    if network.start == "none":
        return problem
    return problem.beyond(start_energy, rule, source)
