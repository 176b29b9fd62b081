"""Every adapter on a GPU gives what it gives on the CPU."""

import logging
from functools import partial

import numpy as np
import pytest
import tolerances as tol
import torch
from adapters import ADAPTERS, load_adapter
from derivatives import assert_close, projections

from mekrr.features.extract import choose_device, extract

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    return partial(load_adapter, folder=tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module", params=ADAPTERS)
def backbone(request, load):
    return load(request.param)


def everything(backbone, frames, device, size=2):
    """Features of each layer, and energies or None."""
    batches = list(extract(backbone, frames, {"cpu": 2, "cuda": size}, torch.device(device)))
    layers = {k: np.concatenate([b.layers[k] for b in batches]) for k in backbone.layers}
    energies = np.concatenate([b.energy for b in batches]) if backbone.has_energy else None
    return layers, energies


def assert_near(layers, expected, tolerance):
    for layer, features in expected.items():
        atol = tolerance * np.abs(features).max()
        np.testing.assert_allclose(layers[layer], features, rtol=0, atol=atol)


@pytest.mark.parametrize("size", [1, 2, "auto"])
def test_features_and_energies(backbone, size, surface, caplog):
    caplog.set_level(logging.INFO)
    device = choose_device()
    assert device.type == "cuda"
    expected, expected_energies = everything(backbone, surface, "cpu")
    layers, energies = everything(backbone, surface, device, size)
    assert ("has no GPU path" in caplog.text) == (not backbone.runs_on_gpu)
    assert_near(layers, expected, tol.GPU)
    if backbone.has_energy:
        per_atom = np.abs(energies - expected_energies) / [len(atoms) for atoms in surface]
        assert per_atom.max() < tol.OWN_ENERGY
    again, _ = everything(backbone, surface, "cpu")
    assert_near(again, expected, tol.BATCH)


def test_forces_and_virials(backbone, surface, rng):
    if not backbone.runs_on_gpu:
        pytest.skip("has no GPU path")
    for one in projections(backbone, ADAPTERS[backbone.name].widths, rng):
        expected, found = (
            one.derivatives(backbone.to(device), surface, device) for device in ("cpu", "cuda")
        )
        assert_close(found, expected, tol.GPU_GRADIENT)


def test_a_batch_that_does_not_fit_is_halved(load, surface, caplog):
    backbone, frames = load("sevennet-0"), surface * 64
    expected, _ = everything(backbone, frames[:6], "cpu")
    torch.cuda.empty_cache()
    allowed = torch.cuda.memory_reserved() + 4e8
    torch.cuda.set_per_process_memory_fraction(
        allowed / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        layers, _ = everything(backbone, frames, "cuda", size=len(frames))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "out of memory on cuda: batches of 96 frames from here" in caplog.text
    n_atoms = sum(map(len, frames[:6]))
    assert_near({k: h[:n_atoms] for k, h in layers.items()}, expected, tol.GPU)
