"""Kernels on disk."""

import numpy as np

from mekrr.kernels.gram import Gram
from mekrr.kernels.store import read_kernels, write_kernels


def test_kernels_survive_the_disk(tmp_path, rng):
    own = Gram(rng.normal(size=4), {1: rng.normal(size=4), 29: rng.normal(size=4)})
    gram = Gram(rng.normal(size=(4, 3)), {s: rng.normal(size=(4, 3)) for s in (1, 29)}, own, 1.5)
    path = tmp_path / "k.safetensors"
    write_kernels(path, {2: gram}, np.arange(3))
    loaded, train = read_kernels(path)
    assert list(loaded) == [2]
    for found, expected in ((loaded[2], gram), (loaded[2].self_kernel, own)):
        np.testing.assert_array_equal(found.k0, expected.k0)
        assert list(found.shares) == [1, 29]
        for species, share in expected.shares.items():
            np.testing.assert_array_equal(found.shares[species], share)
    np.testing.assert_array_equal(train, np.arange(3))
    assert loaded[2].lengthscale == 1.5
