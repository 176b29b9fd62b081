"""Training a network on energies, and on forces where they have a weight.

A constant per atom is not left to the weights: all frames push it the same way, far more than
they ask of anything else, and steps that follow it are noise to the rest. The loss is the
variance of the errors within a batch, blind to a constant, which after each epoch is the mean
error on the training frames.

The epoch that is kept is the best on validation frames: by the RMSE of their energies, or, where
forces are learnt, by the loss of these frames.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from mekrr.backbones.network import Network
from mekrr.data.labels import forces_of
from mekrr.errors import DataError, TrainingError
from mekrr.metrics import mae, rmse
from mekrr.models.network.checkpoint import read_checkpoint, write_checkpoint
from mekrr.models.network.memory import keep_freed_memory
from mekrr.models.network.optimiser import AdamW
from mekrr.models.network.sample import Sample
from mekrr.models.network.settings import Settings
from mekrr.progress import progress_bar
from mekrr.torch_settings import own_torch_settings

log = logging.getLogger(__name__)

SAVE_EVERY = 60.0  # s
AT_ONCE = 8  # frames of a forward pass without gradients
HISTORY = ("epoch", "train_rmse", "val_rmse", "val_mae", "lr")


@dataclass(frozen=True)
class Scale:
    """Linear map from what a network makes of a frame to its energy less its references.

    Attributes
    ----------
    shift : eV/atom, added for each atom.
    factor : eV per unit of the network's output.
    """

    shift: float
    factor: float


@dataclass(frozen=True)
class Training:
    """What came of it; the network has the weights of the best epoch.

    Attributes
    ----------
    history : per validated epoch the errors (meV/atom) on training and validation frames after
        it, and the learning rate at its end. Where forces are learnt, also val_force_rmse (meV/Å),
        of all components of validation frames that have them, and val_loss, the mean square
        errors of energies and forces in the units of the loss, added up by its weight.
    epochs : all epochs.
    scale : of the best epoch.
    best : epoch with the least val_rmse or, where forces are learnt, val_loss.
    seconds : processor time spent, interruptions not counted.
    complete : whether it came to its end, and was not cut short by its time.
    """

    history: pd.DataFrame
    epochs: int
    scale: Scale
    best: int
    seconds: float
    complete: bool = True


@own_torch_settings()
def train(
    network: Network,
    sample: Sample,
    validation: Sample,
    settings: Settings,
    *,
    seed: int,
    device: torch.device,
    checkpoint: str | os.PathLike,
    most_seconds: float = math.inf,
) -> Training:
    """Train the head of ``network`` on a sample; keep the epoch that is best on another.

    Parameters
    ----------
    seed : of the order of the frames.
    checkpoint : file that is written every minute and at the end; a training that finds it goes
        on from it, with the same result to the last bit. To be removed once the result is safe.
    most_seconds : processor time after which it ends as it stands, once it was validated; it goes
        on from there where it is called again with more.

    Raises
    ------
    TrainingError
        If the loss or a gradient is not finite; the state before that epoch is kept.
    DataError
        If the checkpoint is damaged or of other data, or no frame has forces to be learnt, or
        none to choose the epoch by.
    """
    keep_freed_memory()
    run = _Run(network, sample, validation, settings, seed, device)
    identity = run.identity()
    state = read_checkpoint(checkpoint, identity)
    if state is not None:
        run.restore(state)
        log.info("%s: goes on after epoch %d", checkpoint, run.epoch)
    state, saved = run.snapshot(), time.monotonic()
    total = settings.total_epochs(len(sample))
    with progress_bar(total, network.name, "epochs") as bar:
        bar.update(run.epoch)
        while not run.ended(total) and not (run.history and run.seconds >= most_seconds):
            try:
                run.advance(total)
            except TrainingError as error:
                write_checkpoint(checkpoint, identity, state)
                raise TrainingError(f"{error}; {checkpoint} keeps the last good epoch") from None
            state = run.snapshot()
            if time.monotonic() - saved > SAVE_EVERY:
                write_checkpoint(checkpoint, identity, state)
                saved = time.monotonic()
            if run.history:
                error_now = run.history[-1]["val_rmse"]
                bar.set_postfix_str(f"validation {error_now:.2f} meV/atom", refresh=False)
            bar.update()
    write_checkpoint(checkpoint, identity, state)
    network.module().load_state_dict(run.best["weights"])
    scale = Scale(run.best["shift"], run.factor)
    return Training(
        pd.DataFrame(run.history),
        run.epoch,
        scale,
        run.best["epoch"],
        run.seconds,
        run.ended(total),
    )


@own_torch_settings()
def outputs(network: Network, sample: Sample, scale: Scale, device: torch.device) -> np.ndarray:
    """(n,) predicted energies of a sample's frames less their references, eV."""
    with torch.no_grad():
        parts = [sample.output(network, k, device).cpu() for k in sample.batches(AT_ONCE)]
    return torch.cat(parts).numpy() * scale.factor + sample.n_atoms * scale.shift


class _Run:
    """The state of a training, which `snapshot` and `restore` take and give in full.

    There is no random state: the order of an epoch follows from the seed and its number.
    """

    def __init__(
        self,
        network: Network,
        sample: Sample,
        validation: Sample,
        settings: Settings,
        seed: int,
        device: torch.device,
    ):
        self._network, self._sample, self._validation = network.to(device), sample, validation
        self._settings, self._seed, self._device = settings, seed, device
        per_atom = sample.target / sample.n_atoms
        self._spread = float(np.std(per_atom)) or 1.0
        self.factor = 1.0 if network.start != "none" else self._spread
        self._module = network.module()
        self._trained: list[torch.Tensor] = [
            p for p in self._module.parameters() if p.requires_grad
        ]
        self._optimiser = AdamW(self._trained, settings)
        self._average = _copied(self._trained)
        if settings.force_weight:
            self._force_scale = rmse(_known_forces(sample, "training", "to be learnt"))
            _known_forces(validation, "validation", "to choose the epoch by")
        self.epoch, self._steps, self.seconds = 0, 0, 0.0
        self.history: list[dict[str, float]] = []
        self.best: dict = {}

    def identity(self) -> dict[str, str]:
        """Checksums of the data, and of the network with all that decides its training."""
        network = {
            "settings": asdict(self._settings),
            "seed": self._seed,
            "weights": self._network.weights_sha256,
            "optimiser": self._optimiser.name,
            "shapes": {n: list(w.shape) for n, w in self._module.state_dict().items()},
        }
        data = self._sample.checksum() + self._validation.checksum()
        return {
            "data": hashlib.sha256(data.encode()).hexdigest(),
            "network": hashlib.sha256(json.dumps(network, sort_keys=True).encode()).hexdigest(),
        }

    def snapshot(self) -> dict:
        """A copy of all that changes."""
        return _copied(
            {
                "epoch": self.epoch,
                "steps": self._steps,
                "seconds": self.seconds,
                "history": self.history,
                "weights": self._module.state_dict(),
                "average": self._average,
                "best": self.best,
                "optimiser": self._optimiser.state_dict(),
            }
        )

    def restore(self, state: Mapping) -> None:
        """Take up a snapshot."""
        self.epoch, self._steps = state["epoch"], state["steps"]
        self.seconds, self.history = state["seconds"], state["history"]
        self._module.load_state_dict(state["weights"])
        self._average = [a.to(self._device) for a in state["average"]]
        self.best = state["best"]
        self._optimiser.load_state_dict(state["optimiser"])

    def ended(self, total: int) -> bool:
        """Whether all epochs are done, or the validation error has not fallen for too long."""
        if self.epoch >= total:
            return True
        if not self.history:
            return False
        return self.history[-1]["epoch"] - self.best["epoch"] >= self._settings.patience

    def advance(self, total: int) -> None:
        """One epoch of ``total``, then validation if it is due."""
        start = time.process_time()
        n, size = len(self._sample), self._settings.batch_size
        order = np.arange(n)
        if self._settings.shuffle:
            order = np.random.default_rng([self._seed, self.epoch]).permutation(n)
        batches = np.array_split(order, -(-n // size))
        for members in batches:
            self._step(members, total * len(batches))
        if (self.epoch + 1) % self._settings.validate_every == 0 or self.epoch + 1 == total:
            self._validate()
        self.epoch += 1
        self.seconds += time.process_time() - start

    def _validate(self) -> None:
        """Errors of the running mean of the weights, which is kept if it is the best so far."""
        with self._averaged():
            errors = self._errors(self._sample)
            shift = -float(np.mean(errors))
            validation = self._errors(self._validation) + shift
            self._require_finite(shift + validation.sum(), "an energy")
            values = (
                self.epoch,
                1000.0 * rmse(errors + shift),
                1000.0 * rmse(validation),
                1000.0 * mae(validation),
                self._optimiser.lr,
            )
            row = dict(zip(HISTORY, values, strict=True))
            if self._settings.force_weight:
                row |= self._force_validation(rmse(validation))
            self.history.append(row)
            if not self.best or _criterion(row) < _criterion(self.best):
                weights = _copied(self._module.state_dict())
                self.best = row | {"shift": shift, "weights": weights}

    def _force_validation(self, energy_rmse: float) -> dict[str, float]:
        """Force error of the validation frames, and their loss with that of the energies."""
        parts = [
            self._with_forces(self._validation, members, training=False)[1].cpu()
            for members in self._validation.batches(AT_ONCE)
        ]
        force_rmse = rmse(torch.cat(parts).numpy())
        self._require_finite(force_rmse, "a force")
        loss = (energy_rmse / self._spread) ** 2 + self._settings.force_weight * force_rmse**2
        return {"val_force_rmse": 1000.0 * force_rmse * self._force_scale, "val_loss": loss}

    def _errors(self, sample: Sample) -> np.ndarray:
        """Errors of the energies without any shift, eV/atom."""
        learnt = outputs(self._network, sample, Scale(0.0, self.factor), self._device)
        return (learnt - sample.target) / sample.n_atoms

    def _step(self, members: np.ndarray, total: int) -> None:
        """One step of ``total`` on some frames."""
        self._steps += 1
        self._optimiser.lr = self._settings.rate(self._steps / total)
        self._optimiser.zero_grad()
        loss = self._loss(members)
        self._require_finite(loss.item(), "loss")
        loss.backward(inputs=self._trained)  # and not in positions
        norm = torch.nn.utils.clip_grad_norm_(self._trained, self._settings.clip)
        self._require_finite(norm.item(), "gradient")
        self._optimiser.step()
        # Early on, when weights change fast, over fewer steps.
        decay = min(self._settings.average, self._steps / (self._steps + 9))
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._trained, 1.0 - decay)

    def _loss(self, members: np.ndarray) -> torch.Tensor:
        sample, weight = self._sample, self._settings.force_weight
        misfit: torch.Tensor | float = 0.0
        if weight:
            output, force_errors = self._with_forces(sample, members, training=True)
            misfit = force_errors.square().sum() / max(force_errors.numel(), 1)
        else:
            output = sample.output(self._network, members, self._device)
        target, n_atoms = (
            torch.from_numpy(values[members]).to(self._device)
            for values in (sample.target, sample.n_atoms)
        )
        errors = (output * self.factor - target) / (n_atoms * self._spread)
        variance = (errors - errors.mean()).square().sum() / max(len(members) - 1, 1)
        return variance + weight * misfit

    def _with_forces(
        self, sample: Sample, members: np.ndarray, *, training: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Sample.output`, and the errors of the force components in units of their RMS.

        Frames that have none are left out of it. In ``training`` both can be differentiated.
        """
        frames = [sample.frames[k] for k in members]
        graph = self._network.graph(frames).to(self._device)
        positions = graph.positions.requires_grad_()
        energy = self._network.energy_to_learn(graph).double()
        (slope,) = torch.autograd.grad(energy.sum(), positions, create_graph=training)
        expected = torch.from_numpy(np.concatenate([_forces(f) for f in frames]))
        known = ~expected.isnan().any(dim=1).to(slope.device)
        errors = (-slope * self.factor - expected.to(slope))[known]
        start = sample.start(self._network, members).to(energy)
        return energy - start, errors / self._force_scale

    def _require_finite(self, value: float, what: str) -> None:
        if not np.isfinite(value):
            name = self._network.name
            raise TrainingError(
                f"{name}: {what} is {value} in epoch {self.epoch}; lower the learning rate, lr"
            )

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The running mean in place of the weights."""
        weights = _copied(self._trained)
        self._fill(self._average)
        yield
        self._fill(weights)

    def _fill(self, values: list[torch.Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._trained, values)


def _copied(value: Any) -> Any:
    """Copy what holds tensors, as `copy.deepcopy` does, which takes far longer."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {name: _copied(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value


def _forces(atoms: Atoms) -> np.ndarray:
    """Return forces (n_atoms, 3) in eV/Å, NaN of a frame without."""
    forces = forces_of(atoms)
    return np.full((len(atoms), 3), np.nan) if forces is None else forces


def _known_forces(sample: Sample, part: str, purpose: str) -> np.ndarray:
    """Return forces (n_atoms, 3) in eV/Å of all atoms of the frames that have them."""
    forces = [found for atoms in sample.frames if (found := forces_of(atoms)) is not None]
    if not forces:
        raise DataError(f"no {part} frame has forces {purpose}; set force_weight to 0")
    return np.concatenate(forces)


def _criterion(row: Mapping[str, float]) -> float:
    """Return what chooses the epoch, of its row of the history."""
    return row.get("val_loss", row["val_rmse"])
