"""Whatever the caller has set in torch: the same numbers, and the settings stay as they were."""

from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from ase import Atoms
from checkpoints import schnet_checkpoint

from mekrr.backbones.load import load_backbone
from mekrr.cli.backbones import widths_of
from mekrr.features.extract import extract
from mekrr.torch_settings import PRODUCTS, own_torch_settings


@contextmanager
def default_type():
    """As mace-torch's calculator leaves it."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def few_digits():
    """As set_float32_matmul_precision("medium"), then the newer way of saying so."""
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.conv.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = "ieee"  # from here on the older way only raises
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.mkldnn.conv.fp32_precision = "none"


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


CALLERS = {
    "float64": default_type,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "few digits": few_digits,
    "deterministic": deterministic,
}


def settings():
    """What a caller can see of torch's settings."""
    return {
        "type": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "digits": [product.fp32_precision for product, _ in PRODUCTS],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
    }


@contextmanager
def all_of_them():
    with ExitStack() as stack:
        for caller in CALLERS.values():
            stack.enter_context(caller())
        yield


@pytest.fixture(scope="module")
def schnet(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "schnet.pt"
    schnet_checkpoint(path, cutoff=4.0, interactions=1)
    return path


def output(family, weights=None):
    """Features and energies of a family's backbone, opened anew."""
    backbone = load_backbone(family, family, None, weights)
    positions = [[0.0, 0, 0], [0, 0, 1.3], [1.1, 0.2, 0.4]]
    frame = Atoms("CuOH", positions=positions, cell=[4.0, 4.2, 5.0], pbc=True)
    (batch,) = extract(backbone, [frame], {"cpu": "auto"}, torch.device("cpu"))
    return [*batch.layers.values(), *([batch.energy] if backbone.has_energy else [])]


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_the_callers_settings_change_no_number_and_stay(schnet, caller):
    require_same(caller, "analytic")
    require_same(caller, "schnet", schnet)


def test_nor_do_all_of_them_for_sevennet():
    require_same(all_of_them, "sevennet")


def require_same(caller, family, weights=None):
    expected = output(family, weights)
    with caller():
        before = settings()
        found = output(family, weights)
        assert settings() == before
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_opened_in_inference_mode_a_network_has_gradients(schnet):
    with torch.inference_mode():
        backbone = load_backbone("s", "schnet", None, schnet)
    graph = backbone.graph([Atoms("CuO", positions=[[0, 0, 0], [0, 0, 1.5]])])
    graph.positions.requires_grad_()
    backbone.forward(graph).energy.sum().backward()
    assert graph.positions.grad.abs().max() > 0


def test_widths_are_told_in_any_process():
    with default_type(), torch.device("meta"):
        assert set(widths_of(load_backbone("a", "analytic"))) == {1, 2}


def test_products_are_in_full_precision():
    with few_digits(), own_torch_settings():
        assert {product.fp32_precision for product, _ in PRODUCTS} == {"ieee"}


def test_threads_are_the_callers_again():
    before = torch.get_num_threads()
    with own_torch_settings(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
