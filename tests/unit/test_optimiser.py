"""The optimiser against torch's class of the same name, and what it does not load."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from test_training import SETTINGS

from mekrr.models.network.optimiser import AdamW


def weights():
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 2), (4,), (2,)]
    return [torch.randn(s, generator=generator).requires_grad_() for s in shapes]


def steps(optimiser, parameters, rates, first=0):
    for k, rate in enumerate(rates, start=first):
        if isinstance(optimiser, AdamW):
            optimiser.lr = rate
        else:
            optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        # The last of the weights has no gradient.
        sum((w - k).pow(2).sum() for w in parameters[:-1]).backward()
        optimiser.step()
    return [w.detach().clone() for w in parameters]


@pytest.mark.parametrize("amsgrad", [True, False])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_as_the_class(amsgrad, decay):
    settings = dataclasses.replace(SETTINGS, amsgrad=amsgrad, weight_decay=decay)
    own, theirs = weights(), weights()
    peer = torch.optim.AdamW(theirs, amsgrad=amsgrad, weight_decay=decay, fused=True)
    rates = [0.1, 0.2, 0.05]
    found = steps(AdamW(own, settings), own, rates)
    for mine, other in zip(found, steps(peer, theirs, rates), strict=True):
        assert torch.equal(mine, other)


def test_goes_on_from_its_state():
    settings = dataclasses.replace(SETTINGS, amsgrad=True)
    whole, parts = weights(), weights()
    expected = steps(AdamW(whole, settings), whole, [0.1, 0.2])
    first = AdamW(parts, settings)
    steps(first, parts, [0.1])
    second = AdamW(parts, settings)
    second.load_state_dict(first.state_dict())
    for mine, other in zip(steps(second, parts, [0.2], first=1), expected, strict=True):
        assert torch.equal(mine, other)


NO_COMPILER = """
import sys, torch
from mekrr.models.network.optimiser import AdamW
from mekrr.backbones.load import load_network
from mekrr.models.network.settings import Settings
entry, backbone = {"start": "b", "frozen": 4}, {"family": "sevennet"}
network = load_network("n", entry, backbone)
weights = [p for p in network.module().parameters() if p.requires_grad]
settings = Settings(1, 1, 1, 1, 1, 0.1, "constant", False, 0.0, 0.0, 1.0, True, 0.0)
optimiser = AdamW(weights, settings)
for weight in weights:
    weight.grad = torch.ones_like(weight)
optimiser.step()
assert "torch._dynamo" not in sys.modules
assert "ase.io" not in sys.modules
"""


def test_a_training_loads_neither_the_compiler_nor_readers_of_files():
    """Each would cost every training job a second or a half."""
    subprocess.run([sys.executable, "-c", NO_COMPILER], check=True)
