"""AdamW by torch's functions: its class loads torch's compiler, more than a second for each job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.optim.adamw import adamw

from mekrr.models.network.settings import Settings

BETAS, EPSILON = (0.9, 0.999), 1e-8  # torch's own defaults


class AdamW:
    """AdamW on some weights (Loshchilov and Hutter, arXiv 1711.05101), or its variant AMSGrad.

    Attributes
    ----------
    lr : learning rate of the next step.
    name : of the form of its state.
    """

    name = "adamw"

    def __init__(self, weights: Sequence[torch.Tensor], settings: Settings):
        self.lr = settings.lr
        self._weights, self._settings = weights, settings
        self._moments = {
            name: [torch.zeros_like(w, memory_format=torch.preserve_format) for w in weights]
            for name in ("exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs")
            if settings.amsgrad or name != "max_exp_avg_sqs"
        }
        self._steps = [torch.zeros((), device=w.device) for w in weights]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for weight in self._weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights against their gradients; those without one stay as they are."""
        given = {k: w.grad for k, w in enumerate(self._weights) if w.grad is not None}
        moments = {name: [each[k] for k in given] for name, each in self._moments.items()}
        adamw(
            [self._weights[k] for k in given],
            list(given.values()),
            moments["exp_avgs"],
            moments["exp_avg_sqs"],
            moments.get("max_exp_avg_sqs", []),
            [self._steps[k] for k in given],
            fused=True,
            amsgrad=self._settings.amsgrad,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.lr,
            weight_decay=self._settings.weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        """All that steps change beside the weights."""
        return {"steps": self._steps, **self._moments}

    def load_state_dict(self, state: Mapping[str, Sequence[torch.Tensor]]) -> None:
        """Take up what `state_dict` gave."""
        for name, own in self.state_dict().items():
            for tensor, value in zip(own, state[name], strict=True):
                tensor.copy_(value)
