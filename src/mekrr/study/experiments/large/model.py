"""Model files of the fits: what `mekrr.SparseMEKRR` loads, and people use."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mekrr import environment
from mekrr.features.store import read_provenance
from mekrr.models.file import read_model, write_model
from mekrr.models.sparse.errors import calibration_of
from mekrr.models.sparse.fit import Search
from mekrr.models.sparse.model import SparseModel
from mekrr.models.sparse.record import SparseRecord
from mekrr.study.experiments.kinds.sparse import METRIC, WAY
from mekrr.study.experiments.large.learnt import Learnt
from mekrr.study.recipes import Recipe

TARGETS = {"references": "energy", "delta": "delta"}  # by baseline, as the estimator calls them


def write_fit(
    path: str | os.PathLike,
    search: Search,
    method: Recipe,
    learnt: Learnt,
    backbone: Mapping[str, Any],
    features: str | os.PathLike,
    parameters: Mapping[str, Any],
) -> None:
    """Write what was fitted as a model file, its standard deviations as they come out.

    Parameters
    ----------
    backbone : name, family and options. features : a file of features made with it.
    parameters : of the estimator: forces, force_atoms, inducing, atoms, reference_energy.
    """
    target = learnt.baselines.index(method.baseline)
    best, model = search.best, search.model
    fitted_to, against = best.held[0].fitted, best.held[0].against
    references = learnt.references[target]
    kind = TARGETS[method.baseline]
    errors = [1000.0 * error for error in (best.choice.energy, best.choice.force)]
    given = dict(parameters)
    if not method.forces:
        given |= {"forces": 0, "force_atoms": None}
    record = {
        "kind": "sparse",
        "parameters": {
            **given,
            "backbone": backbone["name"],
            "layers": list(best.setting.layers),
            "inducing_by": WAY,
            "alpha": method.alpha,
            "regularisation": None,
            "sigma_energy": None,
            "lengthscale": None,
            "kernel": method.kernel,
            "metric": METRIC,
            "target": kind,
            "threads": 1,
        },
        "fitted": {
            "layers_": list(best.setting.layers),
            "target_": kind,
            "criterion_": f"{against.energies.n_rows} validation frames",
            "errors_": [None if error != error else error for error in errors],
            "expected_std_": model.sigma_energy,
            "spreads_": {kind: 1000.0 * float(learnt.spreads[target])},
            "n_frames_": fitted_to.energies.n_rows,
            "n_directions_": fitted_to.directions.n_rows,
            "relative_": False,
            "references_": references["per_species"],
            "reference_record": references["record"],
            "backbone_": {
                **backbone,
                "weights_sha256": read_provenance(features)["weights_sha256"],
            },
            "provenance_": environment.collect(),
        },
        "model": model.record(),
    }
    write_model(path, model.tensors(), record, SparseRecord)


def read_fit(path: str | os.PathLike) -> tuple[tuple[int, ...], SparseModel]:
    """Return layers and model of a file."""
    tensors, checked = read_model(path, SparseRecord)
    record = checked.model_dump()
    model = SparseModel.recalled(record["parameters"]["kernel"], record["model"], tensors)
    return tuple(record["fitted"]["layers_"]), model


def write_calibrated(
    path: str | os.PathLike, fit: str | os.PathLike, scores: Sequence[str | os.PathLike], name: str
) -> None:
    """Write a model file anew with standard deviations that are right on validation frames.

    Parameters
    ----------
    scores : tables of sums of scores, those of this model under its ``name``.
    """
    tensors, checked = read_model(fit, SparseRecord)
    record = checked.model_dump(exclude={"sha256", "format", "mekrr"})  # those of the new file
    table = pd.concat([pd.read_csv(file) for file in scores])
    own = table[table["method"] == name]
    energy, force = calibration_of(
        [float(own[f"{what}_square"].sum()) for what in ("energy", "slope")],
        [int(own[f"{what}_count"].sum()) for what in ("energy", "slope")],
    )
    record["model"]["calibration"] = [energy, force]
    record["fitted"]["expected_std_"] = energy * float(own["largest_std"].max())
    write_model(path, tensors, record, SparseRecord)
