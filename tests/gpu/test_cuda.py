"""Features on a GPU equal those on the CPU."""

import numpy as np
import pytest
import tolerances as tol
import torch

from mekrr.backbones import load_backbone
from mekrr.features.extract import choose_device, extract

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize(
    ("name", "family"),
    [("analytic", "analytic"), ("chgnet-0.3.0", "chgnet"), ("sevennet-0", "sevennet")],
)
@pytest.mark.parametrize("size", [2, "auto"])
def test_features_on_the_gpu_are_those_of_the_cpu(name, family, size, surface):
    assert choose_device().type == "cuda"
    outputs = {}
    for device in ("cpu", "cuda"):
        sizes = {"cpu": 2, "cuda": size}
        batches = list(extract(load_backbone(name, family), surface, sizes, torch.device(device)))
        layers = {k: np.concatenate([b.layers[k] for b in batches]) for k in batches[0].layers}
        energies = [b.energy for b in batches]
        outputs[device] = layers, None if energies[0] is None else np.concatenate(energies)
    (cpu, cpu_energy), (gpu, gpu_energy) = outputs["cpu"], outputs["cuda"]
    for layer, features in cpu.items():
        np.testing.assert_allclose(
            gpu[layer], features, rtol=0, atol=tol.INVARIANCE * np.abs(features).max()
        )
    if cpu_energy is not None:
        per_atom = np.abs(gpu_energy - cpu_energy) / np.array([len(a) for a in surface])
        assert per_atom.max() < tol.OWN_ENERGY
