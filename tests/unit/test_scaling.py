"""The cost model against what the engine writes and counts."""

import numpy as np
import pytest

from benchmarks import scaling
from mekrr.features.store import feature_writer
from mekrr.kernels.gram import Gram
from mekrr.kernels.store import write_kernels

HEADER = 0.05  # relative, of a small file


def test_bytes_of_kernels(tmp_path, rng):
    n_frames, n_train = 120, 72
    square = rng.normal(size=(n_frames, n_train))
    species = range(1, scaling.SPECIES + 1)
    own = Gram(square[:, 0], dict.fromkeys(species, square[:, 0]))
    gram = Gram(square, dict.fromkeys(species, square), own, 1.0)
    kernels = dict.fromkeys(range(scaling.LAYERS), gram)
    path = tmp_path / "kernels.safetensors"
    write_kernels(path, kernels, np.arange(n_train))
    expected = scaling.kernels_bytes(n_frames, n_train)
    assert path.stat().st_size == pytest.approx(expected, rel=HEADER)


def test_bytes_of_features(tmp_path):
    n_frames = 4
    n_atoms = n_frames * scaling.ATOMS
    widths = dict.fromkeys(range(scaling.LAYERS), scaling.WIDTH)
    path = tmp_path / "features.safetensors"
    with feature_writer(
        path,
        widths,
        np.ones(n_atoms),
        np.arange(n_frames + 1) * scaling.ATOMS,
        has_energy=False,
        dtype="float32",
        provenance={},
    ) as writer:
        for layer in widths:
            writer.append(f"layer{layer}", np.zeros((n_atoms, scaling.WIDTH)))
    assert path.stat().st_size == pytest.approx(scaling.features_bytes(n_frames), rel=HEADER)


def test_pairs_of_atoms_are_counted_once(rng):
    n_frames, n_train, n_atoms, width = 90, 60, 3, 7
    computed = np.tri(n_frames, n_train).astype(bool)
    computed[n_train:] = True  # the rest with all training frames
    pairs = n_atoms**2 * np.count_nonzero(computed)
    per_pair = scaling.PAIR[0] + scaling.PAIR[1] * width
    model = scaling.kernels_seconds(n_frames, n_train, n_atoms, width)
    assert model == pytest.approx(per_pair * pairs, rel=1 / n_train)


def test_no_row_trains_on_more_than_a_fit_can_take_but_the_share_of_the_study():
    assert list(scaling.rows([10_000])) == [(10_000, 6_000)]
    assert list(scaling.rows([100_000])) == [(100_000, 60_000), (100_000, scaling.LARGEST_FIT)]
