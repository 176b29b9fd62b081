"""What there is to choose from, and the settings on which the rows of a fit depend."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from mekrr.kernels.atom import KERNELS, Radial
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.inducing import choose_inducing
from mekrr.models.sparse.metric import Scale, scales_of
from mekrr.models.sparse.sample import Sample
from mekrr.tensors import TensorFile, write_tensors


@dataclass(frozen=True)
class Open:
    """What there is to choose from.

    Attributes
    ----------
    views : layers side by side. lengthscales : in units of the coordinates. alphas : α.
    numbers : of inducing atoms, the largest last. sigmas : eV/atom. regularisations : λ.
    """

    views: Sequence[tuple[int, ...]]
    lengthscales: Sequence[float]
    alphas: Sequence[float]
    numbers: Sequence[int]
    sigmas: Sequence[float]
    regularisations: Sequence[float]

    @property
    def n_settings(self) -> int:
        """How many `settings_of` yields."""
        return len(self.views) * len(self.lengthscales) * len(self.alphas)


@dataclass(frozen=True)
class Setting:
    """What the rows of a fit depend on.

    Attributes
    ----------
    layers : side by side. basis : with all inducing atoms.
    """

    layers: tuple[int, ...]
    basis: Basis


def settings_of(
    sample: Sample,
    kernel: str,
    metric: str,
    method: str,
    options: Open,
    dtype: type = np.float32,
) -> Iterator[Setting]:
    """Yield all settings, with inducing atoms and coordinates of some training atoms."""
    for layers in options.views:
        features = sample.of_layers(layers)
        own, shared = scales_of(features, sample.species, sample.widths(layers), metric)
        for lengthscale, alpha in product(options.lengthscales, options.alphas):
            of_kernel = KERNELS[kernel](lengthscale)
            assert isinstance(of_kernel, Radial)
            species, rows = _inducing(features, sample, own, of_kernel, method, options)
            chosen = np.asarray(features[rows], dtype=np.float32)
            yield Setting(layers, Basis(of_kernel, alpha, own, shared, species, chosen, dtype))


def _inducing(
    features: np.ndarray,
    sample: Sample,
    own: Mapping[int, Scale],
    kernel: Radial,
    method: str,
    options: Open,
) -> tuple[np.ndarray, np.ndarray]:
    """Return species and rows of inducing atoms, as many as may be wanted."""
    rows = dict(sample.rows())
    coordinates = {s: own[s].apply(features[atoms], np.float32) for s, atoms in rows.items()}
    many = {s for s, atoms in rows.items() if sample.counts[s] > len(atoms)}
    species, chosen = choose_inducing(coordinates, kernel, max(options.numbers), method, many)
    return species, np.array([rows[s][k] for s, k in zip(species.tolist(), chosen, strict=True)])


def write_settings(path: str | os.PathLike, settings: Sequence[Setting], kernel: str) -> None:
    """Write settings, all of one atom kernel, to a file, for `read_setting`."""
    tensors: dict[str, np.ndarray] = {}
    records = []
    for k, setting in enumerate(settings):
        basis = setting.basis
        scales = [*basis.own.values(), basis.shared]
        tensors |= {
            f"{k}/origins": np.stack([scale.origin for scale in scales]),
            f"{k}/along": np.stack([scale.along for scale in scales]),
            f"{k}/species": basis.species.astype(np.int64),
            f"{k}/features": basis.features,
        }
        records.append(
            {
                "layers": list(setting.layers),
                "lengthscale": basis.kernel.lengthscale,
                "alpha": basis.alpha,
                "known": list(basis.own),
            }
        )
    record = {"kernel": kernel, "settings": records}
    write_tensors(path, tensors, {"record": json.dumps(record)})


def read_setting(path: str | os.PathLike, k: int) -> Setting:
    """Return one of the settings in a file."""
    file = TensorFile(path)
    record = json.loads(file.metadata["record"])
    one = record["settings"][k]
    pairs = zip(file.read(f"{k}/origins"), file.read(f"{k}/along"), strict=True)
    *own, shared = [Scale(np.array(origin), np.array(along)) for origin, along in pairs]
    kernel = KERNELS[record["kernel"]](one["lengthscale"])
    assert isinstance(kernel, Radial)
    species, features = (np.array(file.read(f"{k}/{name}")) for name in ("species", "features"))
    scales = dict(zip(one["known"], own, strict=True))
    basis = Basis(kernel, one["alpha"], scales, shared, species, features)
    return Setting(tuple(one["layers"]), basis)


def n_settings(path: str | os.PathLike) -> int:
    """Return how many settings a file holds."""
    return len(json.loads(TensorFile(path).metadata["record"])["settings"])
