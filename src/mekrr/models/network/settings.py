"""How a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

WARM_UP = 0.05  # of all steps


@dataclass(frozen=True)
class Settings:
    """The keys of `training` in the registry of networks.

    Attributes
    ----------
    epochs : passes over the training frames; more where ``least_steps`` asks for them.
    least_steps : steps of the optimiser at least, so that few frames are learnt as well.
    validate_every : epochs from one validation to the next; the last epoch is always validated.
    patience : epochs without a better validation error, see `Training`, after which training ends.
    batch_size : frames per step.
    lr : learning rate after warming up.
    schedule : "cosine", down to 0 at the last step, or "constant".
    amsgrad : variant of AdamW.
    weight_decay : of AdamW; the published protocol leaves it at 0.01.
    average : decay, per step, of the running mean of the weights that is validated and kept;
        0 to keep the weights themselves.
    clip : largest norm of the gradient of the loss.
    shuffle : whether each epoch draws a new order; the published protocol does not.
    force_weight : weight of the force components' mean square error, in units of their own
        mean square, beside that of the energies per atom, in units of their variance.
    """

    epochs: int
    least_steps: int
    validate_every: int
    patience: int
    batch_size: int
    lr: float
    schedule: str
    amsgrad: bool
    weight_decay: float
    average: float
    clip: float
    shuffle: bool
    force_weight: float

    def total_epochs(self, n_train: int) -> int:
        """Epochs on ``n_train`` frames."""
        steps = math.ceil(n_train / self.batch_size)
        return max(self.epochs, math.ceil(self.least_steps / steps))

    def rate(self, done: float) -> float:
        """Learning rate when a share ``done`` of all steps is done."""
        warm = min(1.0, done / WARM_UP)
        fall = (math.cos(math.pi * done) + 1.0) / 2.0 if self.schedule == "cosine" else 1.0
        return self.lr * warm * fall
