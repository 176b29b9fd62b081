"""Rows and triangles of sparse models on a GPU, against numpy's."""

import numpy as np
import pytest
import torch
from toy import toy_features

from mekrr.features.directions_store import FrameDirections
from mekrr.kernels.atom import Gaussian
from mekrr.models.sparse.arithmetic import Arithmetic, arithmetic
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.factor import Factor
from mekrr.models.sparse.metric import scales_of

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def test_rows_and_their_triangles(rng, monkeypatch):
    features = toy_features(rng)
    counts = np.full(len(features), 3)
    along = rng.normal(size=(int(counts @ features.n_atoms), 3)).astype(np.float32)
    directions = FrameDirections(along, counts, features.n_atoms, None)
    own, shared = scales_of(features.features, features.species, (3,), "whitened")
    species, inducing = features.species[::3][:20], features.features[::3][:20]
    basis = Basis(Gaussian(1.5), 0.4, own, shared, species, inducing)
    a = rng.normal(size=20)

    def found():
        energies, slopes = basis.rows(features, directions)
        factor = Factor(20)
        factor.add(slopes, np.ones(len(slopes)))
        return energies, slopes, factor.squares(a[None])

    assert arithmetic().device.type == "cuda"
    on_gpu = found()
    for module in ("basis", "factor"):
        monkeypatch.setattr(f"mekrr.models.sparse.{module}.arithmetic", Arithmetic)
    for ours, theirs in zip(on_gpu, found(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
