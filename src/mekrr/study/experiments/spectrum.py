"""Eigenvalues of the training kernel, and frames along its principal components."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.linalg import eigh, eigvalsh

from mekrr.kernels.gram import Gram

ALPHAS = (0.0, 1.0)
COMPONENTS = 2


def eigenvalues(kernel: Gram, train: np.ndarray) -> pd.DataFrame:
    """Eigenvalues of K_0 and K_1 among training frames, largest first.

    Parameters
    ----------
    kernel : all frames with the training frames.
    train : (n_train,) the frames of the columns.

    Returns
    -------
    DataFrame with alpha, rank (from 1), eigenvalue.
    """
    return pd.concat(
        pd.DataFrame(
            {
                "alpha": alpha,
                "rank": np.arange(1, len(train) + 1),
                "eigenvalue": eigvalsh(kernel.at(alpha)[train])[::-1],
            }
        )
        for alpha in ALPHAS
    )


def principal_components(kernel: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernel principal components (Schölkopf, Smola and Müller, 1998) of training frames.

    Parameters
    ----------
    kernel : (n_frames, n_train) of all frames with the training frames ``train``.

    Returns
    -------
    (n_frames, COMPONENTS) all frames along the components, in the norm of the kernel's
    feature space, and (COMPONENTS,) each component's share of the training frames' variance.
    Of the two directions, the one in which the largest score is positive.
    """
    inner = kernel[train]
    means = inner.mean(axis=0)
    centred = inner - means - means[:, None] + means.mean()
    n = len(train)
    values, vectors = eigh(centred, subset_by_index=[n - COMPONENTS, n - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    rows = kernel - kernel.mean(axis=1, keepdims=True) - means + means.mean()
    scores = rows @ (vectors / np.sqrt(values))
    largest = np.abs(scores).argmax(axis=0)
    scores *= np.sign(scores[largest, np.arange(COMPONENTS)])
    return scores, values / np.trace(centred)


def components(kernel: Gram, train: np.ndarray) -> pd.DataFrame:
    """All frames along the components of K_0 and K_1 of one layer.

    Returns a DataFrame with index, alpha, component_1, component_2, share_1, share_2.
    """
    tables = []
    for alpha in ALPHAS:
        scores, shares = principal_components(kernel.at(alpha), train)
        columns = {"index": np.arange(len(scores)), "alpha": alpha}
        for k in range(COMPONENTS):
            columns |= {f"component_{k + 1}": scores[:, k], f"share_{k + 1}": shares[k]}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables)
