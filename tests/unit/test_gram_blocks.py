"""A Gram matrix computed in blocks against the same matrix in one piece."""

import numpy as np
import pytest
import tolerances as tol

from mekrr.errors import DataError
from mekrr.features.store import feature_writer, read_layer
from mekrr.kernels.atom import Gaussian, Matern5
from mekrr.kernels.blocks import merge_blocks, write_block, write_gram
from mekrr.kernels.cells import pairs_of_parts
from mekrr.kernels.gram import species_gram
from mekrr.kernels.lengthscale import median_lengthscale
from mekrr.kernels.prepared import Prepared
from mekrr.kernels.store import read_kernels

LAYERS = (1, 3)
N_FRAMES = 300


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Features of frames of 3 to 75 atoms, some without hydrogen or copper; the training frames.

    Layer 1 differs in few of its directions, so that it is projected; layer 3 is narrow.
    """
    rng = np.random.default_rng(5)
    compositions = [
        [29] * int(rng.integers(0, 60)) + [6] * int(rng.integers(3, 12)) + [1] * (k % 4)
        for k in range(N_FRAMES)
    ]
    species = np.concatenate([rng.permutation(c) for c in compositions])
    pointer = np.cumsum([0, *map(len, compositions)])
    centres = {z: rng.normal(size=300) for z in (1, 6, 29)}
    wide = np.stack([centres[z] for z in species])
    wide += 0.3 * rng.normal(size=(len(species), 80)) @ rng.normal(size=(80, 300))
    path = tmp_path_factory.mktemp("study") / "features.safetensors"
    widths = {1: 300, 3: 12}
    options = {"has_energy": False, "dtype": "float32", "provenance": {"dtype": "float32"}}
    with feature_writer(path, widths, species, pointer, **options) as writer:
        for layer, width in widths.items():
            writer.append(f"layer{layer}", wide[:, :width])
    return path, np.sort(rng.choice(N_FRAMES, 180, replace=False))


@pytest.fixture(scope="module")
def prepared(study):
    """Cells so small that a part has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mekrr.kernels.cells.CELL_ATOMS", 3000)
        yield Prepared.of(study[0], LAYERS, study[1], "median", threads=1)


@pytest.fixture(scope="module")
def whole(study, prepared, tmp_path_factory):
    """The kernel file of one job."""
    path = tmp_path_factory.mktemp("whole") / "kernels.safetensors"
    write_gram(path, study[0], prepared, threads=1)
    return path


def in_parts(folder, features, prepared, n_parts, threads=1):
    """Paths of all blocks, each written by itself from the prepared on disk."""
    prepared.write(folder / "prepared.safetensors")
    blocks = []
    for first, second in pairs_of_parts(n_parts):
        blocks.append(folder / f"{first}-{second}.safetensors")
        options = {"parts": (first, second), "n_parts": n_parts, "threads": threads}
        write_block(blocks[-1], features, Prepared.read(folder / "prepared.safetensors"), **options)
    return blocks


@pytest.mark.parametrize(("n_parts", "threads"), [(1, 1), (2, 2), (7, 1)])
def test_blocks_give_the_kernels_of_one_job(tmp_path, study, prepared, whole, n_parts, threads):
    blocks = in_parts(tmp_path, study[0], prepared, n_parts, threads)
    merged = tmp_path / "kernels.safetensors"
    merge_blocks(merged, blocks, Prepared.read(tmp_path / "prepared.safetensors"))
    (found, train), (expected, expected_train) = read_kernels(merged), read_kernels(whole)
    np.testing.assert_array_equal(train, expected_train)
    assert list(found) == list(expected) == list(LAYERS)
    for layer in LAYERS:
        assert found[layer].lengthscale == expected[layer].lengthscale
        own = found[layer].self_kernel, expected[layer].self_kernel
        for ours, theirs in ((found[layer], expected[layer]), own):
            assert list(ours.shares) == list(theirs.shares) == [1, 6, 29]
            np.testing.assert_array_equal(ours.k0, theirs.k0)
            for species, share in ours.shares.items():
                np.testing.assert_array_equal(share, theirs.shares[species])


def test_kernels_are_the_double_sums(study, whole):
    """Against all frames with all frames in float64, which knows no cells."""
    features, train = study
    kernels, columns = read_kernels(whole)
    np.testing.assert_array_equal(columns, train)
    for layer, kernel in kernels.items():
        frames, atom_kernel = read_layer(features, layer), Gaussian(kernel.lengthscale)
        exact = species_gram(frames, None, atom_kernel, dtype=np.float64)
        np.testing.assert_allclose(kernel.k0, exact.k0[:, train], rtol=tol.GRAM_FLOAT32)
        for species, share in exact.shares.items():
            np.testing.assert_allclose(
                kernel.shares[species], share[:, train], rtol=tol.GRAM_FLOAT32
            )
        np.testing.assert_allclose(kernel.self_kernel.k0, np.diag(exact.k0), rtol=tol.GRAM_FLOAT64)


def test_kernels_are_those_of_the_atom_kernel_named(tmp_path, study):
    features, train = study
    prepared = Prepared.of(features, [3], train, 2.0, atom="matern5", threads=1)
    prepared.write(tmp_path / "prepared.safetensors")
    again = Prepared.read(tmp_path / "prepared.safetensors")
    write_gram(tmp_path / "kernels.safetensors", features, again, threads=1)
    kernels, _ = read_kernels(tmp_path / "kernels.safetensors")
    exact = species_gram(read_layer(features, 3), None, Matern5(2.0), dtype=np.float64)
    np.testing.assert_allclose(kernels[3].k0, exact.k0[:, train], rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        kernels[3].self_kernel.k0, np.diag(exact.k0), rtol=1e-7
    )  # √ of rounding


@pytest.mark.parametrize("n_parts", [1, 2, 7, 50])
def test_every_entry_comes_from_one_pair_of_cells(prepared, n_parts):
    cells, train = prepared.cells(n_parts), prepared.train
    np.testing.assert_array_equal(np.concatenate(cells.frames["train"]), train)
    covered = np.zeros((N_FRAMES, len(train)), dtype=int)
    for parts in pairs_of_parts(n_parts):
        for pair in cells.block(*parts):
            rows, columns = cells.frames[pair.kind][pair.row], cells.frames["train"][pair.column]
            assert cells.shape(pair) == (len(rows), len(columns))
            covered[np.ix_(rows, np.searchsorted(train, columns))] += 1
            if pair.mirrored:
                covered[np.ix_(columns, np.searchsorted(train, rows))] += 1
    assert (covered == 1).all()


def test_truncated_block_is_refused(tmp_path, study, prepared):
    blocks = in_parts(tmp_path, study[0], prepared, 2)
    blocks[1].write_bytes(blocks[1].read_bytes()[:-8])
    with pytest.raises(DataError, match=r"0-1\.safetensors: damaged"):
        merge_blocks(tmp_path / "kernels.safetensors", blocks, prepared)
    assert not (tmp_path / "kernels.safetensors").exists()


def test_blocks_that_do_not_belong_together_are_refused(tmp_path, study, prepared):
    blocks = in_parts(tmp_path, study[0], prepared, 2)
    merged = tmp_path / "kernels.safetensors"
    with pytest.raises(DataError, match=r"\(1, 1\).* missing"):
        merge_blocks(merged, blocks[:2], prepared)
    other = Prepared.of(study[0], LAYERS, prepared.train[:50], "median", threads=1)
    with pytest.raises(DataError, match=r"0-0\.safetensors: made with other features"):
        merge_blocks(merged, blocks, other)


def test_lengthscale_follows_the_rule(monkeypatch, study, prepared):
    features, train = study
    monkeypatch.setattr("mekrr.kernels.lengthscale.SAMPLE_ATOMS", 1000)
    sampled = Prepared.of(features, LAYERS, train, "sampled-median", threads=1)
    for layer, sigma in sampled.lengthscales.items():
        atoms = read_layer(features, layer).select(train).features
        assert sigma == median_lengthscale(atoms, sampled=True)
        assert sigma == pytest.approx(prepared.lengthscales[layer], rel=0.05)
        assert sigma != prepared.lengthscales[layer]
    given = Prepared.of(features, LAYERS, train, 2.5, threads=1)
    assert set(given.lengthscales.values()) == {2.5}


def test_truncated_preparation_and_kernels_are_refused(tmp_path, prepared, whole):
    prepared.write(tmp_path / "prepared.safetensors")
    for whole_file, reader in (
        (tmp_path / "prepared.safetensors", Prepared.read),
        (whole, read_kernels),
    ):
        cut = tmp_path / f"cut {whole_file.name}"
        cut.write_bytes(whole_file.read_bytes()[:-8])
        with pytest.raises(DataError, match="damaged"):
            reader(cut)


def test_layers_are_mapped_when_asked_for(whole):
    kernels, _ = read_kernels(whole)
    assert 2 not in kernels
    k0 = kernels[1].k0
    assert isinstance(k0, np.memmap)
    assert kernels[1].k0 is not k0, "nothing is kept"
