"""What a file of a sparse model may hold."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from ase.data import chemical_symbols
from pydantic import Field, NonNegativeFloat

from mekrr.data.references import RULES
from mekrr.features.rule import AtomRule
from mekrr.models.file import Closed, Record, Tensors, Text
from mekrr.models.limits import LARGEST_INDUCING, MOST_DIRECTIONS, MOST_THREADS
from mekrr.models.parameters import LENGTHSCALE, OF_SPARSE
from mekrr.models.record import (
    FARTHEST,
    FLOAT,
    INTEGERS,
    Backbone,
    Energies,
    Layer,
    Layout,
    ReferenceRecord,
    Share,
    check_layout,
    one_of,
)

LAYOUT: Layout = {
    "inducing": (("float32",), ["inducing", "width"]),
    "species": (INTEGERS, ["inducing"]),
    "coefficients": (FLOAT, ["inducing"]),
    "triangle": (FLOAT, ["pairs"]),  # row after row, from the diagonal on
    "origins": (FLOAT, ["scales", "width"]),
    "along": (FLOAT, ["scales", "width", "width"]),
}
Number = Annotated[int, Field(ge=1, le=LARGEST_INDUCING)]
Layers = Annotated[list[Layer], Field(min_length=1)]
Element = Annotated[int, Field(ge=1, lt=len(chemical_symbols))]
Rmse = float | None  # none where there was nothing to compare
_, LEAST, LARGEST = LENGTHSCALE
Positive = Annotated[float, Field(ge=float(LEAST), le=float(LARGEST))]


class _Parameters(Closed):
    """Those of the estimator."""

    backbone: Text
    layers: Layers | None
    forces: Annotated[int, Field(ge=0, le=MOST_DIRECTIONS)]
    force_atoms: AtomRule | None
    stress: bool = False  # of files that do not say
    inducing: Number | Annotated[list[Number], Field(min_length=1)]
    inducing_by: Annotated[str, one_of(*OF_SPARSE.choices["inducing_by"])]
    alpha: Share
    regularisation: Positive | None
    sigma_energy: Positive | None
    lengthscale: Positive | None
    kernel: Annotated[str, one_of(*OF_SPARSE.choices["kernel"])]
    metric: Annotated[str, one_of(*OF_SPARSE.choices["metric"])]
    target: Annotated[str, one_of(*OF_SPARSE.choices["target"])]
    reference_energy: Annotated[str, one_of(*RULES)] | Energies
    atoms: AtomRule
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)]


class _Fitted(Closed):
    """The estimator's attributes of these names."""

    layers_: Layers
    target_: Literal["energy", "delta"]
    criterion_: Text
    spreads_: Annotated[dict[Literal["energy", "delta"], NonNegativeFloat], Field(min_length=1)]
    errors_: Annotated[list[Rmse], Field(min_length=2, max_length=2)]
    expected_std_: Positive
    n_frames_: Annotated[int, Field(ge=1)]
    n_directions_: Annotated[int, Field(ge=0)]
    relative_: bool
    references_: Energies
    reference_record: ReferenceRecord
    backbone_: Backbone
    provenance_: dict[Text, Text]


class _Model(Closed):
    """Attributes of `mekrr.models.sparse.model.SparseModel`."""

    alpha: Share
    lengthscale: Positive
    regularisation: Positive
    sigma_energy: Positive
    sigma_force: Positive
    constant: float
    calibration: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    known: Annotated[list[Element], Field(min_length=1)]


class SparseRecord(Record):
    """Record of a fitted `mekrr.models.sparse_mekrr.SparseMEKRR`."""

    kind: Literal["sparse"]
    parameters: _Parameters
    fitted: _Fitted
    model: _Model

    def check(self, tensors: Tensors) -> None:
        check_layout(tensors, LAYOUT)
        known = self.model.known
        if len(set(known)) < len(known) or len(tensors["origins"]) != len(known) + 1:
            raise ValueError(f"tensor origins has {len(tensors['origins'])} rows of {len(known)}")
        odd = sorted(set(np.unique(tensors["species"]).tolist()) - set(known))
        if odd:
            raise ValueError(f"tensor species has {odd[0]}, which model.known lacks")
        symbols = {chemical_symbols[z] for z in known}
        if missing := symbols - set(self.fitted.references_):
            raise ValueError(f"fitted.references_ lacks {', '.join(sorted(missing))}")
        n, triangle = len(tensors["inducing"]), tensors["triangle"]
        if len(triangle) != n * (n + 1) // 2:
            raise ValueError(f"tensor triangle has {len(triangle)} values of {n} inducing atoms")
        if not triangle[np.cumsum([0, *range(n, 1, -1)])].all():
            raise ValueError("tensor triangle has zeros on its diagonal")
        largest = FARTHEST * self.model.lengthscale / max(np.abs(tensors["along"]).max(), 1e-300)
        for name in ("inducing", "origins"):
            if not np.abs(tensors[name]).max() <= largest:
                raise ValueError(f"tensor {name} has values of more than {FARTHEST:g} lengthscales")
