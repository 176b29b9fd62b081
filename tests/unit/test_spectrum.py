"""Eigenvalues and principal components of the training kernel; errors along the reaction."""

import numpy as np
import pandas as pd
from sklearn.decomposition import KernelPCA
from tolerances import PEER

from mekrr.kernels.gram import Gram
from mekrr.study.experiments.reaction import BINS, errors_along
from mekrr.study.experiments.spectrum import components, eigenvalues, principal_components


def kernel_of(rng, n, train):
    """A positive definite kernel of n frames with some of them."""
    points = rng.normal(size=(n, 5))
    return np.exp(-((points[:, None] - points[train]) ** 2).sum(axis=-1) / 4)


def test_components_are_those_of_a_peer():
    rng = np.random.default_rng(0)
    train = np.array([7, 1, 4, 12, 0, 9, 15, 3])
    kernel = kernel_of(rng, 20, train)
    peer = KernelPCA(2, kernel="precomputed").fit(kernel[train])
    found, shares = principal_components(kernel, train)
    np.testing.assert_allclose(np.abs(found), np.abs(peer.transform(kernel)), atol=PEER)
    every = KernelPCA(None, kernel="precomputed").fit(kernel[train]).eigenvalues_
    np.testing.assert_allclose(shares, every[:2] / every.sum(), rtol=PEER)
    assert (np.sign(found[np.abs(found).argmax(axis=0), [0, 1]]) == 1).all()


def test_eigenvalues_are_those_of_the_training_kernel():
    rng = np.random.default_rng(1)
    train = np.array([2, 0, 5, 4])
    gram = Gram(kernel_of(rng, 8, train), {1: kernel_of(rng, 8, train)})
    table = eigenvalues(gram, train)
    for alpha, whole in ((0.0, gram.k0), (1.0, gram.k1)):
        found = table.loc[table["alpha"] == alpha, "eigenvalue"].to_numpy()
        np.testing.assert_allclose(found.sum(), np.trace(whole[train]), rtol=PEER)
        assert (np.diff(found) <= 0).all()
    assert len(components(gram, train)) == 2 * 8


def test_errors_along_the_reaction_by_brute_force():
    variable = np.linspace(1.0, 3.0, 50)
    rng = np.random.default_rng(2)
    index = rng.permutation(50)[:30]
    table = pd.DataFrame(
        {
            "dataset": "d",
            "strategy": "run",
            "seed": 0,
            "method": "MEKRR",
            "backbone": "b",
            "index": index,
            "n_atoms": 4,
            "energy_ref": 0.0,
            "energy_pred": rng.normal(size=30),
        }
    )
    found = errors_along(table, variable)
    assert found["n_frames"].sum() == 30
    width = 2.0 / BINS
    for row in found.itertuples():
        inside = [
            abs(1000 * e / 4)
            for k, e in zip(table["index"], table["energy_pred"], strict=True)
            if row.variable - width / 2 <= variable[k] < row.variable + width / 2
            or (k == 49 and row.variable > 3.0 - width)
        ]
        assert row.n_frames == len(inside)
        np.testing.assert_allclose(row.mae, np.mean(inside), rtol=PEER)
