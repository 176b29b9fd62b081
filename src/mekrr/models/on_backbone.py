"""What estimators on the features of a backbone share: its opening, references, settings."""

from __future__ import annotations

import abc
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from ase.symbols import Symbols
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from mekrr.data.references import (
    GIVEN,
    References,
    Rule,
    warn_of_isolated,
    with_isolated,
)
from mekrr.data.units import unit_doubt
from mekrr.errors import (
    BackboneError,
    CompositionWarning,
    ConfigError,
    DataError,
    DataWarning,
    InputError,
    printable,
)
from mekrr.models.inputs import (
    formulas_of,
    numbers_of,
    require_known,
    take,
    take_energies,
    take_weights,
)
from mekrr.models.problem import Problem

if TYPE_CHECKING:  # torch is loaded for frames only
    from ase import Atoms

    from mekrr.backbones.base import Backbone
    from mekrr.features.store import FrameFeatures
    from mekrr.models.potentials.base import Potential


BATCH_SIZE = {"cpu": "auto", "cuda": "auto"}
DTYPES = {"float32": np.float32, "float64": np.float64}  # of potentials


class OnBackbone(RegressorMixin, BaseEstimator):
    """An estimator of energies from the features of a backbone.

    Attributes
    ----------
    _mark : name of an attribute that a fit sets.
    """

    _mark: ClassVar[str]
    _fit: Callable[..., None]  # fits this model, whose parameters have been checked
    input_: str
    references_: dict[str, float] | None
    train_: FrameFeatures | None
    backbone_: dict[str, Any] | None
    parameters_: dict[str, Any]
    _backbone: Backbone | None
    _references: References | None
    # Parameters that a subclass takes.
    atoms: str | Mapping
    kernel: str
    reference_energy: Rule
    registry: str | os.PathLike | None
    target: str
    threads: int

    @abc.abstractmethod
    def potential(self, dtype: str = "float32") -> Potential:
        """Return the fitted model as a potential: energy, forces and stress of a frame.

        Parameters
        ----------
        dtype : "float32", or "float64" for the network and the kernels.
        """

    def score(
        self,
        X: Iterable[Atoms] | FrameFeatures | np.ndarray,
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> float:
        """Coefficient of determination R² of the total energies (not per atom).

        ``y`` in eV, by default the energies that the frames come with.
        """
        model = self._as_fitted()
        kind, X = take(X, model.kernel)
        y = take_energies(kind, X, y)
        if sample_weight is not None:
            sample_weight = take_weights(sample_weight, len(y), "sample_weight")
            if not sample_weight.any():
                raise InputError("sample_weight is 0 for all frames; leave it out")
        return super().score(X, y, sample_weight)

    @property
    @abc.abstractmethod
    def _extensive(self) -> bool:
        """Whether energies per atom are learnt."""

    @staticmethod
    @abc.abstractmethod
    def _check(parameters: Mapping[str, Any]) -> None:
        """Raise a ConfigError for the first parameter that has no possible value."""

    def _fit_anew(self, *given: object) -> Self:
        """Fit, and take over what came of it all at once: a fit that fails leaves the last one."""
        parameters = self.get_params(deep=False)
        self._check(parameters)
        fitted = clone(self)
        fitted.parameters_ = fitted.get_params(deep=False)
        fitted._fit(*given)
        self.__dict__.update({k: v for k, v in vars(fitted).items() if k not in parameters})
        return self

    def __getstate__(self) -> dict:
        """Without the opened backbone, as in a file: the first prediction opens it again."""
        return {name: value for name, value in vars(self).items() if name != "_backbone"}

    def _as_fitted(self) -> Self:
        """This model with the parameters of its fit, but for those that change no prediction."""
        check_is_fitted(self, self._mark)
        present = {name: getattr(self, name) for name in ("registry", "threads")}
        parameters = self.parameters_ | present
        self._check(parameters)
        if self.backbone_ is not None:
            self._require_backbone(self.backbone_)
        model = type(self)(**parameters)
        model.__dict__.update({k: v for k, v in vars(self).items() if k not in parameters})
        return model

    @contextmanager
    def _own_settings(self) -> Iterator[None]:
        """As many threads as the model may use, and torch, where networks need it, set for them."""
        threads = int(self.threads)  # numpy's integers are none to the libraries
        with ExitStack() as stack:
            if self.input_ == "frames":
                from mekrr.torch_settings import own_torch_settings

                stack.enter_context(own_torch_settings(threads))
            # Not of OpenMP, which is torch's.
            stack.enter_context(threadpool_limits(threads, "blas"))
            yield

    def _require_layers(self, layers: Iterable[int], frames: list[Atoms]) -> Backbone:
        """Return the opened backbone; a BackboneError if it lacks a layer or an element."""
        backbone = self._backbone
        assert backbone is not None  # of frames it has been opened
        for layer in layers:
            if layer not in backbone.layers:
                raise BackboneError(
                    f"backbone {backbone.name!r} has no layer {layer}; it has "
                    f"{', '.join(map(str, backbone.layers))}"
                )
        if self.target == "delta" and not backbone.has_energy:
            raise DataError(
                f"backbone {backbone.name!r} has no energy of its own; use target='energy' or "
                "another backbone"
            )
        backbone.check_species(frames, "frames")
        return backbone

    def _gathering(self) -> dict[str, Any]:
        """Return how features of frames are gathered; see `mekrr.features.extract.gather`."""
        from mekrr.features.extract import choose_device

        return {
            "batch_size": BATCH_SIZE,
            "device": choose_device(),
            "atoms": self.atoms,
            "source": "frames",
        }

    def _in_precision(self, dtype: str) -> Backbone:
        """Return the backbone for a potential of a ``dtype``."""
        if dtype not in DTYPES:
            raise ConfigError(f"dtype={dtype!r} is unknown; known: {', '.join(DTYPES)}")
        backbone = self._backbone
        assert backbone is not None
        if dtype == "float32":
            return backbone
        from mekrr.backbones.registry import open_backbone

        # One of its own: `predict` stays as it was.
        return open_backbone(backbone.name, self.registry)[0].double()

    def _known_references(self) -> References:
        """Return what is known of the references, which older models do not keep whole."""
        assert self.references_ is not None
        return self._references or References(GIVEN, self.references_, (), 0.0)

    def _require_backbone(self, expected: Mapping[str, Any]) -> None:
        """Open the backbone of a loaded model; a BackboneError if it is another one."""
        if getattr(self, "_backbone", None) is not None:
            return
        from mekrr.backbones.registry import open_backbone, registered

        name = expected["name"]
        if name not in registered(self.registry):
            raise BackboneError(
                f"the model's backbone {name!r} is none of the package's and in no registry "
                "given; give that of the fit as `registry`"
            )
        backbone, _, found = open_backbone(name, self.registry)
        for key, value in expected.items():
            if found[key] != value:
                raise BackboneError(
                    f"backbone {name!r}: {key} is {found[key]}, but the model was fitted with "
                    f"{printable(str(value))}; use the weights and settings of the fit"
                )
        self._backbone = backbone

    def _problem(
        self,
        numbers: list[np.ndarray],
        energy: np.ndarray,
        split: np.ndarray,
        network: np.ndarray | None,
        isolated: Mapping[str, float],
        target: str,
        rule: Rule,
    ) -> Problem:
        """Return what is learnt of energies (n,) in eV by a ``target``, references by a rule."""
        species = _species_of(numbers, split)
        require_known(numbers, species)
        table = pd.DataFrame(
            {
                "formula": formulas_of(numbers),
                "n_atoms": [len(frame) for frame in numbers],
                "energy": energy,
            }
        )
        problem = Problem(with_isolated(table, isolated), split, np.zeros(len(table)))
        if target == "delta":
            assert network is not None
            return problem.beyond(network, rule, "training frames")
        return problem.with_references(rule, "training frames")

    def _take_references(
        self,
        problem: Problem,
        numbers: list[np.ndarray],
        isolated: Mapping[str, float],
        target: str,
    ) -> None:
        """Set ``references_`` to those of what is learnt; warn of isolated atoms left out."""
        species = _species_of(numbers, problem.split)
        warn_of_isolated(isolated, species, self.reference_energy, target == "delta")
        assert problem.references is not None
        self._references = problem.references
        self.references_ = {s: problem.references.per_species[s] for s in species}

    def _recall_references(self, record: Mapping[str, object] | None) -> None:
        """Set what a loaded model knows of its references beside ``references_``."""
        self._references = None
        if self.references_ is None:
            return
        if record is None and self.atoms != "all":
            warnings.warn(
                "this model of an older mekrr does not say which compositions it was fitted to: "
                "standard deviations of other compositions are too small; fit it again",
                CompositionWarning,
                stacklevel=3,
            )
            return
        compositions = []
        if record is None:
            assert self.train_ is not None
            compositions = formulas_of(numbers_of(self.train_))
        self._references = References.recalled(
            self.references_, record, self.reference_energy, compositions
        )

    def _reference(self, numbers: list[np.ndarray]) -> np.ndarray:
        """(n,) reference energies in eV; a DataError for an element without."""
        assert self.references_ is not None
        require_known(numbers, self.references_)
        known = References(GIVEN, self.references_, (), 0.0)
        return known.of(formulas_of(numbers), "frames")

    def _undetermined(self, numbers: list[np.ndarray]) -> np.ndarray | float:
        """(n,) eV, see `References.undetermined`; warns where it is not 0."""
        if self._references is None:
            return 0.0
        formulas = formulas_of(numbers)
        std = self._references.undetermined(formulas, self._extensive)
        frames = range(len(formulas))
        if std.any() and (doubt := self._references.doubt(formulas, frames, self._extensive)):
            warnings.warn(doubt, CompositionWarning, stacklevel=4)
        return std


def _species_of(numbers: list[np.ndarray], split: np.ndarray) -> list[str]:
    """Return the symbols of the species of training frames."""
    train = np.flatnonzero(split == "train")
    return list(Symbols(np.unique(np.concatenate([numbers[index] for index in train]))))


def warn_of_unit(frames: list[Atoms], energy: np.ndarray, network: np.ndarray | None) -> None:
    """Warn if energies (n,), of those known, vary by a known factor from a network's."""
    known = np.flatnonzero(np.isfinite(energy))
    if network is None or not len(known):
        return
    formulas = [frames[k].get_chemical_formula() for k in known]
    if doubt := unit_doubt(energy[known], network[known], formulas):
        warnings.warn(doubt, DataWarning, stacklevel=5)
