"""What a file of the estimator may hold: schema of its record, and which tensors fit to it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from pydantic import (
    AfterValidator,
    Field,
    GetPydanticSchema,
    JsonValue,
    NonNegativeFloat,
    PlainValidator,
    PositiveFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core.core_schema import literal_schema

from mekrr.choices import BY_SPECIES, MEDIANS
from mekrr.data.references import GIVEN, RULES
from mekrr.errors import first_fault
from mekrr.features.rule import AtomRule
from mekrr.models.file import Closed, Record, Tensors, Text
from mekrr.models.limits import LARGEST_LAYER, LARGEST_REGULARISATION, MOST_THREADS
from mekrr.models.parameters import OF_MEKRR

FORMULA = re.compile(r"(?:[A-Z][a-z]?(?:[1-9][0-9]{0,7})?)+")
NORMALISED_SINCE = 3  # the format that brought the normalisation of linear kernels
FLOAT, FLOATS, INTEGERS = ("float64",), ("float16", "float32", "float64"), ("int32", "int64")
T = TypeVar("T")
# From tensor to possible types and the names of its lengths.
Layout = dict[str, tuple[tuple[str, ...], list[str]]]
OF_FRAMES: Layout = {
    "coefficients": (FLOAT, ["frames"]),
    "factor": (FLOAT, ["frames", "frames"]),
    "leave_one_out": (FLOAT, ["frames"]),
}
OF_ATOMS: Layout = {
    "features": (FLOATS, ["atoms", "width"]),
    "species": (INTEGERS, ["atoms"]),
    "pointer": (INTEGERS, ["bounds"]),
}
# Of a linear kernel; older files hold kernels that were taken as they are.
OF_NORMALISATION: Layout = {
    "normalisation_species": (INTEGERS, ["shares"]),
    "normalisation_means": (FLOAT, ["parts", "frames"]),
    "normalisation_overall": (FLOAT, ["parts"]),
    "normalisation_scales": (FLOAT, ["kernels"]),
}
FARTHEST = 1e18  # lengthscales: kernels take squares of it, in float32
# What a model has according to that to which it was fitted; it has nothing else of them all.
FITTED = {
    "frames": ("layer_", "alpha_", "references_", "backbone_"),
    "features": ("alpha_", "references_"),
    "kernel": (),
}


def one_of(*words: str) -> GetPydanticSchema:
    """A Literal of words that are known only when the program runs."""
    return GetPydanticSchema(lambda _type, _handler: literal_schema(list(words)))


def _element(symbol: str) -> str:
    if atomic_numbers.get(symbol, 0) == 0:
        raise ValueError("is no chemical element")
    return symbol


def _formula(text: str) -> str:
    if FORMULA.fullmatch(text) is None:
        raise ValueError("is no chemical formula")
    for symbol in _species(text):
        _element(symbol)
    return text


def _species(formula: str) -> set[str]:
    return set(re.findall("[A-Z][a-z]?", formula))


Species = Annotated[str, AfterValidator(_element)]
Formula = Annotated[Text, AfterValidator(_formula)]
Energies = Annotated[dict[Species, float], Field(min_length=1)]  # in eV
Layer = Annotated[int, Field(ge=0, le=LARGEST_LAYER)]
Regularisation = Annotated[float, Field(ge=0, le=LARGEST_REGULARISATION)]
Share = Annotated[float, Field(ge=0, le=1)]
OneShare: TypeAdapter[float] = TypeAdapter(Share, config=Closed.model_config)
ShareOfSpecies: TypeAdapter[dict[str, float]] = TypeAdapter(
    Annotated[dict[Species, Share], Field(min_length=1)], config=Closed.model_config
)


def _share_or_by_species(value: object) -> float | str:
    return BY_SPECIES if value == BY_SPECIES else _validated(OneShare, value)


def _share_or_of_species(value: object) -> float | dict[str, float]:
    if isinstance(value, dict):
        return _validated(ShareOfSpecies, value)
    return _validated(OneShare, value)


def _validated(adapter: TypeAdapter[T], value: object) -> T:
    """A value, with a message of this kind alone, as pydantic has none for a union."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise ValueError(first_fault(error)) from error


Alpha = Annotated[float | dict[str, float], PlainValidator(_share_or_of_species)]


class _Parameters(Closed):
    """Those of the estimator."""

    backbone: Text
    layer: Layer | None
    alpha: Annotated[float | str, PlainValidator(_share_or_by_species)] | None
    regularisation: Regularisation | None
    lengthscale: Annotated[str, one_of(*MEDIANS)] | PositiveFloat
    kernel: Annotated[str, one_of(*OF_MEKRR.choices["kernel"])]
    form: Annotated[str, one_of(*OF_MEKRR.choices["form"])] = (
        "intensive"  # the only one before format 4
    )
    target: Annotated[str, one_of(*OF_MEKRR.choices["target"])]
    reference_energy: Annotated[str, one_of(*RULES)] | Energies
    atoms: AtomRule
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)]
    registry: Text | None = Field(None, exclude=True)  # of format 1; a path that none may open


class Backbone(Closed):
    name: Text
    family: Text
    options: dict[Text, JsonValue]
    weights_sha256: Text


class ReferenceRecord(Closed):
    """Attributes of `mekrr.data.references.References` beside the energies."""

    rule: Annotated[str, one_of(*RULES, GIVEN)]
    compositions: Annotated[list[Formula], Field(min_length=1)]
    scale: NonNegativeFloat
    anchored: bool


class _Fitted(Closed):
    """The estimator's attributes of these names."""

    input_: Literal["frames", "features", "kernel"]
    layer_: Layer | None
    alpha_: Alpha | None
    regularisation_: Regularisation
    lengthscale_: PositiveFloat | None
    criterion_: Text | None
    references_: Energies | None
    reference_record: ReferenceRecord | None = None  # none in older files
    backbone_: Backbone | None
    provenance_: dict[Text, Text]


class RidgeRecord(Closed):
    """Attributes of `mekrr.models.ridge.KernelRidge`."""

    mean_: float
    scale_: PositiveFloat
    variance_: NonNegativeFloat


class ModelRecord(Record):
    """Record of a fitted `mekrr.models.mekrr.MEKRR`."""

    parameters: _Parameters
    fitted: _Fitted
    ridge: RidgeRecord

    @model_validator(mode="after")
    def _one_kind_of_model(self) -> ModelRecord:
        fitted, kernel = self.fitted, self.parameters.kernel
        if (kernel == "precomputed") != (fitted.input_ == "kernel"):
            raise ValueError(f"parameters.kernel {kernel} does not fit fitted.input_")
        if self.parameters.target == "delta" and fitted.input_ != "frames":
            raise ValueError("parameters.target delta does not fit fitted.input_")
        expected = FITTED[fitted.input_]
        if kernel not in ("linear", "precomputed"):
            expected += ("lengthscale_",)
        for name in (*FITTED["frames"], "lengthscale_"):
            if (getattr(fitted, name) is not None) != (name in expected):
                what = "missing" if name in expected else "not null"
                raise ValueError(f"fitted.{name} is {what} in a model of {fitted.input_}, {kernel}")
        if fitted.reference_record is not None:
            known = set().union(*map(_species, fitted.reference_record.compositions))
            _require_references(known, fitted.references_)
        return self

    def check(self, tensors: Tensors) -> None:
        """Types and shapes first, on which the checks of values rely."""
        has_atoms = self.fitted.input_ != "kernel"
        layout = OF_FRAMES | OF_ATOMS if has_atoms else OF_FRAMES
        if self.parameters.kernel == "linear" and self.format >= NORMALISED_SINCE:
            layout = layout | OF_NORMALISATION
        check_layout(tensors, layout)
        errors = tensors["leave_one_out"]  # all NaN where rounding hid them from the fit
        if not np.isfinite(errors).all() and not np.isnan(errors).all():
            raise ValueError("tensor leave_one_out has values that are not finite")
        if np.diag(tensors["factor"]).min() <= 0.0:
            raise ValueError("tensor factor has a diagonal that is not positive")
        if has_atoms:
            self._check_atoms(tensors)
        if "normalisation_species" in tensors:
            _check_normalisation(tensors)

    def _check_atoms(self, tensors: Tensors) -> None:
        species, pointer = tensors["species"], tensors["pointer"]
        n_frames, n_atoms = len(tensors["coefficients"]), len(species)
        if len(pointer) != n_frames + 1:
            raise ValueError(f"tensor pointer has {len(pointer)} bounds of {n_frames} frames")
        if pointer[0] != 0 or pointer[-1] != n_atoms or (pointer[1:] <= pointer[:-1]).any():
            raise ValueError(f"tensor pointer does not rise from 0 to {n_atoms}, its atoms")
        if species.min() < 1 or species.max() >= len(chemical_symbols):
            raise ValueError("tensor species has numbers that are no element's")
        features, sigma = tensors["features"], self.fitted.lengthscale_
        if sigma is not None and max(features.max(), -features.min()) > FARTHEST * sigma:
            raise ValueError(f"tensor features has values of more than {FARTHEST:g} lengthscales")
        symbols = {chemical_symbols[z] for z in np.unique(species)}
        _require_references(symbols, self.fitted.references_)


def _check_normalisation(tensors: Tensors) -> None:
    n_shares, n_parts = (len(tensors[f"normalisation_{name}"]) for name in ("species", "overall"))
    if n_parts != n_shares + 1:
        raise ValueError(f"tensor normalisation_overall has {n_parts} values of {n_shares} shares")
    scales = tensors["normalisation_scales"]
    if len(scales) != 2 or scales.min() <= 0.0:
        raise ValueError("tensor normalisation_scales is not two positive numbers")


def _require_references(symbols: set[str], references: dict[str, float] | None) -> None:
    unknown = symbols - set(references or {})
    if unknown:
        raise ValueError(f"fitted.references_ lacks {', '.join(sorted(unknown))}")


class KernelRecord(Record):
    """Record of a `mekrr.models.kernel.KernelModel`."""

    alpha: Alpha
    regularisation: Regularisation
    ridge: RidgeRecord

    def check(self, tensors: Tensors) -> None:
        check_layout(tensors, {name: OF_FRAMES[name] for name in ("coefficients", "factor")})


def check_layout(tensors: Tensors, layout: Layout) -> None:
    """Raise a ValueError unless there are these tensors alone, of one size and finite."""
    odd = sorted(set(tensors) ^ set(layout))
    if odd:
        what = "lacks" if odd[0] in layout else "has an unknown"
        raise ValueError(f"it {what} tensor {odd[0]}")
    lengths: dict[str, int] = {}
    for name, (kinds, sides) in layout.items():
        tensor = tensors[name]
        if tensor.dtype.name not in kinds:
            raise ValueError(f"tensor {name} is {tensor.dtype}, not {' or '.join(kinds)}")
        if tensor.ndim != len(sides) or any(
            n == 0 or lengths.setdefault(side, n) != n
            for side, n in zip(sides, tensor.shape, strict=True)
        ):
            raise ValueError(f"tensor {name} has shape {tensor.shape}, not ({', '.join(sides)})")
        if name != "leave_one_out" and not np.isfinite(tensor).all():
            raise ValueError(f"tensor {name} has values that are not finite")
