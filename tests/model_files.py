"""Model files taken apart, and put together again with another content and its checksum."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from samples import labelled

from mekrr import MEKRR, SparseMEKRR
from mekrr.features.store import FrameFeatures

ZEROS = "0" * 64


def record_of(path: Path) -> dict:
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["mekrr"])


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    return load_file(path)


def checksum(text: str, tensors: dict[str, np.ndarray]) -> str:
    """As the format has it: of the record, its checksum zeros, and of the tensors by name."""
    parts = [text.encode()]
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name])
        parts += [f"\n{name} {values.dtype.str} {values.shape}\n".encode(), values.tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def seal(path: Path, record: dict | str, tensors: dict[str, np.ndarray]) -> None:
    """Write any record, which may be a text that is no JSON, and tensors with their checksum."""
    text = record if isinstance(record, str) else json.dumps(record | {"sha256": ZEROS})
    text = text.replace(ZEROS, checksum(text, tensors), 1)
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, {"mekrr": text})


def as_format_1(path: Path, to: Path) -> None:
    """Write a model as mekrr did before there were checksums and records of references."""
    record = record_of(path) | {"format": 1}
    del record["sha256"]
    record["fitted"].pop("reference_record", None)
    record["parameters"]["registry"] = "/dev/zero"
    save_file(tensors_of(path), to, {"mekrr": json.dumps(record)})


def small_models(folder: Path) -> dict[str, Path]:
    """Files of a model of features and one of a kernel between frames."""
    rng = np.random.default_rng(5)
    species = np.array([29, 29, 8, 29, 8, 8, 29, 29, 8], dtype=np.int64)
    features = rng.normal(size=(9, 3)).astype(np.float32)
    frames = FrameFeatures(features, species, np.array([0, 3, 5, 7, 9]))
    models = {
        "features": MEKRR(alpha=0.3, regularisation=1e-6).fit(frames, rng.normal(size=4)),
        "kernel": MEKRR(kernel="precomputed", regularisation=1e-4).fit(
            features[:5] @ features[:5].T, rng.normal(size=5)
        ),
    }
    for name, model in models.items():
        model.save(folder / name)
    return {name: folder / name for name in models}


def small_sparse_model(folder: Path) -> Path:
    """A file of a sparse model of frames."""
    registry = folder / "sparse.yaml"
    registry.write_text("backbones: {mine: {family: analytic, layers: [1, 2]}}")
    given = {"layers": [2, 1], "forces": 2, "force_atoms": {"index": [0]}, "alpha": 0.4}
    chosen = {"regularisation": 10.0, "sigma_energy": 3.0, "lengthscale": 2.0, "inducing": 6}
    model = SparseMEKRR("mine", registry=registry, **given, **chosen)
    model.fit(labelled(5)).save(folder / "sparse")
    return folder / "sparse"


def predictions(model: MEKRR | SparseMEKRR) -> np.ndarray:
    """(2, T) energies and standard deviations (eV) where a model was fitted, or near there."""
    if isinstance(model, SparseMEKRR):
        basis = model.model_.basis
        near = FrameFeatures(basis.features + 0.1, basis.species, np.array([0, len(basis)]))
        std = model.model_.energy_variance(near.features, near.species, len(basis)) ** 0.5
        return np.array([model.model_.energies(near), [std]])
    if model.input_ == "kernel":
        rows = np.eye(len(model.leave_one_out_))
        return np.array(model.predict(rows, return_std=True, self_kernel=np.diag(rows)))
    return np.array(model.predict(model.train_, return_std=True))
