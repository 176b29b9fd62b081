"""MEKRR as an estimator in scikit-learn's manner: frames in, energies with uncertainties out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from ase.symbols import Symbols
from sklearn.utils.validation import check_is_fitted

from mekrr import environment
from mekrr.data.references import (
    Rule,
    require_usable,
)
from mekrr.errors import CompositionWarning, InputError
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, AtomKernel
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import Normalisation, new_gram
from mekrr.models.candidates import Best, Candidate, Layers, candidates_of, choose_best
from mekrr.models.file import read_model, write_model
from mekrr.models.inputs import (
    Given,
    check_square,
    numbers_of,
    size_doubt,
    take,
    take_energies,
    take_validation,
    take_weights,
    without_isolated,
)
from mekrr.models.kernel import KernelModel
from mekrr.models.on_backbone import DTYPES, OnBackbone, warn_of_unit
from mekrr.models.parameters import OF_MEKRR
from mekrr.models.problem import Problem
from mekrr.models.record import ModelRecord
from mekrr.models.ridge import KernelRidge, RidgePath

if TYPE_CHECKING:  # torch is loaded for frames only
    from mekrr.models.potentials.kernel import KernelPotential


class MEKRR(OnBackbone):
    """Kernel ridge regression with mean-embedding kernels on the features of a frozen GNN.

    The kernel between frames is K_α = (1 - α) K_0 + α K_1, see `mekrr.kernels.gram`; with T
    training frames the coefficients solve (K_α + λ T I) c = ỹ in float64, ỹ the target less
    the reference energies of its species, standardised. Falk et al., NeurIPS 2023.

    By default ỹ is the energy per atom, and K_α one for energies per atom: then an energy is a
    sum over atoms, that of a doubled cell twice as large, whatever the sizes of the training
    frames. As published ỹ is the energy of the frame, see ``form``.

    Predictions, files and summaries go by the parameters of the last fit that ended, whatever is
    set later; but ``threads`` and ``registry``, which change no prediction, count as they are. In
    a forked process torch has one thread; on a GPU start processes by "spawn" instead.

    Parameters left None are chosen in `fit`: those with the least RMSE in meV/atom on validation
    frames; or, without these, with the least mean absolute leave-one-out error, in closed form
    (of the published form the least root mean square). See `mekrr.models.select.Search`.

    Parameters
    ----------
    backbone : name of the network; see `mekrr.backbones.registry`.
    layer : layer of the network whose features enter; None: chosen among those that the
        registry names.
    alpha : α, 0 to 1; None: chosen among 0 and 20 values from 1e-4 to 1; "by-species": each
        species has its own, chosen among the same.
    regularisation : λ ≥ 0; None: chosen among nine values from 1e-11 to 1e-3.
    lengthscale : σ of the atom kernel, or "median" for the median distance of training atoms,
        or "sampled-median" for that of some drawn at random.
    kernel : atom kernel, one of `mekrr.kernels.atom.KERNELS`; "linear", which has no σ, is ridge
        regression on mean features, those of each species side by side if α is 1. Or
        "precomputed", if kernels between frames are given in place of frames. These have no
        backbone, layer, α, σ or reference energies; as for the criterion, a frame counts as
        one atom.
    form : "extensive", energies that add up over atoms; or "intensive", as published: only for
        frames of as many atoms as the training frames; a CompositionWarning tells of others. Of
        frames with one composition both are the same model if α is 0; else its terms by species
        have other weights.
    target : "energy", or "delta": what the untouched network leaves, E - E_GNN. Far from all
        training frames the prediction then falls back to the network's own.
    reference_energy : rule of `mekrr.data.references.References.fit`; of the energy, or of what
        the network leaves, see `mekrr.models.problem.Problem.beyond`. Frames with
        ``info["config_type"]`` IsolatedAtom serve as references and are not fitted.
    atoms : rule of `mekrr.features.atoms.selected`: which atoms enter the kernel.
    registry : file that names more backbones, see `mekrr.backbones.registry`.
    threads : threads of the network, the kernel and linear algebra.

    Attributes
    ----------
    layer_, alpha_, regularisation_, lengthscale_ : as fitted; None where they do not apply.
        α by species is a dict.
    criterion_ : what chose those left None: "mean leave-one-out errors", "leave-one-out errors"
        or "n validation frames".
    sweep_ : DataFrame of layer, alpha, regularisation and errors (meV/atom) of all that was
        chosen from, see `mekrr.models.select.sweep`; None if nothing was, or the model was loaded.
    leave_one_out_ : (T,) signed leave-one-out errors of the training frames in meV/atom, of
        the fitted parameters; see `RidgePath.leave_one_out`. Frames of one trajectory
        resemble each other, which flatters them.
    references_ : reference energy of each species in eV.
    ridge_ : the fitted `KernelRidge`.
    train_ : features of the training frames; None for a precomputed kernel.
    backbone_ : name, family, options and weights' checksum; None if no frames were given.
    provenance_ : versions and hardware of the fit.
    parameters_ : the parameters of the fit.
    n_features_in_ : width of features, or columns of a precomputed kernel; not of frames.
    """

    _mark = "ridge_"
    _check = staticmethod(OF_MEKRR.check)

    layer_: int | None
    alpha_: float | dict[str, float] | None
    regularisation_: float
    lengthscale_: float | None
    criterion_: str | None
    sweep_: pd.DataFrame | None
    leave_one_out_: np.ndarray
    ridge_: KernelRidge
    provenance_: dict[str, str]
    _normalisation: Normalisation | None

    _fitted = (
        "input_",
        "layer_",
        "alpha_",
        "regularisation_",
        "lengthscale_",
        "criterion_",
        "references_",
        "backbone_",
        "provenance_",
    )

    def __init__(
        self,
        backbone: str = "sevennet-0",
        *,
        layer: int | None = None,
        alpha: float | str | None = 0.0,
        regularisation: float | None = None,
        lengthscale: float | str = "median",
        kernel: str = "gaussian",
        form: str = "extensive",
        target: str = "energy",
        reference_energy: Rule = "least-squares",
        atoms: str | Mapping = "all",
        registry: str | os.PathLike | None = None,
        threads: int = 1,
    ):
        self.backbone = backbone
        self.layer = layer
        self.alpha = alpha
        self.regularisation = regularisation
        self.lengthscale = lengthscale
        self.kernel = kernel
        self.form = form
        self.target = target
        self.reference_energy = reference_energy
        self.atoms = atoms
        self.registry = registry
        self.threads = threads

    def fit(
        self,
        X: Iterable[Atoms] | FrameFeatures | np.ndarray,
        y: np.ndarray | None = None,
        validation: Iterable[int] | Iterable[bool] | None = None,
    ) -> MEKRR:
        """Fit, and choose the parameters left None.

        Parameters
        ----------
        X : frames, of any iterable; features of their atoms; or, if ``kernel`` is
            "precomputed", the kernel (n, n) between frames.
        y : (n,) total energies in eV; by default those that the frames come with, which
            features and kernels do not. For features of some of the atoms only, and for a
            kernel, any target in eV.
        validation : frames that are not fitted, but on which the parameters left None are
            chosen: a mask (n,) or indices, those below 0 from the end. By default they are
            chosen by leave-one-out errors.

        Raises
        ------
        ConfigError
            If a parameter has no possible value.
        BackboneError
            If the backbone is unknown or does not apply to the frames.
        DataError
            If frames, features and energies do not fit together; mostly an InputError, which is
            a ValueError too.
        SolveError
            If the kernel matrix cannot be factorised.
        """
        return self._fit_anew(X, y, validation)

    def _fit(self, X: object, y: object, validation: object) -> None:
        self.input_, X = take(X, self.kernel)
        if self.target == "delta" and self.input_ != "frames":
            raise InputError(
                f"target='delta' needs frames, not {self.input_}; subtract the energies of the "
                "network from y yourself"
            )
        y = take_energies(self.input_, X, y)
        if isinstance(X, np.ndarray):
            check_square(X)
        validation = take_validation(validation, len(y))
        isolated: dict[str, float] = {}
        if isinstance(X, list):
            X, y, validation, isolated = without_isolated(X, y, validation)
            species = Symbols(np.unique(np.concatenate(numbers_of(X))))
            needed = [] if self.target == "delta" else list(species)
            require_usable(self.reference_energy, needed, "frames", isolated)
        split = np.full(len(y), "train", dtype=object)
        split[[] if validation is None else validation] = "val"
        train = np.flatnonzero(split == "train")
        if len(train) == 0:
            raise InputError("no frame is left to be fitted; name fewer for validation")

        layers: list[int] = []
        self.backbone_ = self.references_ = None
        self._backbone = self._references = self._normalisation = None
        with self._own_settings():
            if self.input_ == "frames":
                from mekrr.backbones.registry import open_backbone

                self._backbone, layers, self.backbone_ = open_backbone(self.backbone, self.registry)
                if self.layer is not None:
                    layers = [self.layer]
            candidates: Iterable[Candidate]
            alpha = self.alpha
            if isinstance(X, np.ndarray):
                table = pd.DataFrame({"formula": "", "n_atoms": 1, "energy": y})
                problem, alpha = Problem(table, split, np.zeros(len(y))), 0.0
                candidates = [Candidate(None, Gram(X[:, train], {}), None, None)]
            else:
                features, network = self._features(X, layers, energy=True)
                if isinstance(X, list):
                    warn_of_unit(X, y, network)
                numbers, rule = numbers_of(X), self.reference_energy
                problem = self._problem(numbers, y, split, network, isolated, self.target, rule)
                self._take_references(problem, numbers, isolated, self.target)
                n_atoms = next(iter(features.values())).n_atoms
                if self._extensive:
                    problem = problem.per_atom(n_atoms)
                elif doubt := size_doubt(n_atoms, n_atoms):
                    warnings.warn(doubt, CompositionWarning, stacklevel=4)
                candidates = candidates_of(
                    features, train, self.kernel, self.lengthscale, self._extensive, self.threads
                )
            n_layers = max(len(layers), 1)
            best = choose_best(
                candidates,
                n_layers,
                problem,
                alpha,
                self.regularisation,
                self._extensive,
                self.threads,
            )
            self._take_choice(best)
            model = KernelModel(self._alpha(), self.regularisation_).fit(problem, best.gram)
            self.ridge_ = model.ridge_
            path = RidgePath(best.gram.rows(train).at(model.alpha), problem.target[train])
        predicted = path.leave_one_out(np.array([self.regularisation_]))[0]
        self.leave_one_out_ = problem.errors(predicted, train)
        self.provenance_ = environment.collect()

    def predict(
        self,
        X: Iterable[Atoms] | FrameFeatures | np.ndarray,
        return_std: bool = False,
        self_kernel: np.ndarray | None = None,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Total energies in eV, and on demand their standard deviations.

        Parameters
        ----------
        X : as in `fit`; of a precomputed kernel the rows (n, T), between the frames and the
            training frames.
        return_std : also return the predictive standard deviation of the corresponding
            Gaussian process, noise included, see `KernelRidge.std`, and what the training
            frames leave undetermined of the references, see `References.undetermined`. Of
            that a CompositionWarning tells in any case.
        self_kernel : (n,) k(x, x) of each frame, needed for it if the kernel is precomputed.

        Returns
        -------
        (n,) eV, or two of them.

        Raises
        ------
        BackboneError
            If the backbone's weights are not those of the fit.
        DataError
            If a frame cannot be used or has an element that no training frame had.
        """
        return self._as_fitted()._predict(X, return_std, self_kernel)

    def _predict(
        self, X: object, return_std: bool, self_kernel: object
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        X, self_kernel = self._take_new(X, return_std, self_kernel)
        with self._own_settings():
            known: np.ndarray | float = 0.0
            undetermined: np.ndarray | float = 0.0
            size: np.ndarray | float = 1.0
            if isinstance(X, np.ndarray):
                gram = Gram(X, {}, None if self_kernel is None else Gram(self_kernel, {}))
            else:
                numbers = numbers_of(X)
                known = self._reference(numbers)
                undetermined = self._undetermined(numbers)
                layers, network = self._features(
                    X, [] if self.layer_ is None else [self.layer_], energy=self.target == "delta"
                )
                if self.target == "delta":
                    assert network is not None
                    known = network + known
                (features,) = layers.values()
                assert self.train_ is not None
                if self._extensive:
                    size = features.n_atoms
                elif doubt := size_doubt(features.n_atoms, self.train_.n_atoms):
                    warnings.warn(doubt, CompositionWarning, stacklevel=3)
                gram = new_gram(
                    features,
                    self.train_,
                    self._atom_kernel(self.lengthscale_),
                    self._normalisation,
                    extensive=self._extensive,
                    own=return_std,
                    threads=self.threads,
                )
            kernel = gram.at(self._alpha())
            energy = known + size * self.ridge_.predict(kernel)
            if not return_std:
                return energy
            assert gram.self_kernel is not None
            std = self.ridge_.std(kernel, gram.self_kernel.at(self._alpha()))
            return energy, np.hypot(size * std, undetermined)

    def potential(self, dtype: str = "float32") -> KernelPotential:
        """Return the fitted model as a potential: energy, forces and stress of a frame.

        Parameters
        ----------
        dtype : "float32", or "float64" for the network and the kernels.

        Raises
        ------
        InputError
            If the model was fitted to features or a kernel, not to frames.
        """
        return self._as_fitted()._potential(dtype)

    def _potential(self, dtype: str) -> KernelPotential:
        if self.input_ != "frames":
            raise InputError(
                f"forces need a model of frames, but this one was fitted to {self.input_}; fit to "
                "frames"
            )
        from mekrr.features.extract import choose_device, device_for
        from mekrr.models.potentials.kernel import KernelPotential

        backbone = self._in_precision(dtype)
        assert self.layer_ is not None
        assert self.train_ is not None
        model = KernelModel(self._alpha(), self.regularisation_)
        model.ridge_ = self.ridge_
        return KernelPotential(
            backbone,
            self.layer_,
            model,
            self.train_,
            self._atom_kernel(self.lengthscale_),
            self._normalisation,
            self._extensive,
            self.target == "delta",
            self._known_references(),
            self.atoms,
            device_for(backbone, choose_device()),
            DTYPES[dtype],
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model to one file, see `mekrr.models.file`."""
        check_is_fitted(self, "ridge_")
        tensors = self.ridge_.tensors() | {"leave_one_out": self.leave_one_out_}
        if self.train_ is not None:
            tensors |= {"features": self.train_.features} | {
                name: getattr(self.train_, name).astype(np.int64) for name in ("species", "pointer")
            }
        if self._normalisation is not None:
            tensors |= self._normalisation.tensors()
        fitted = {name: getattr(self, name) for name in self._fitted}
        if self._references is not None:
            fitted["reference_record"] = self._references.record()
        parameters = {k: v for k, v in self.parameters_.items() if k != "registry"}
        record = {"parameters": parameters, "fitted": fitted, "ridge": self.ridge_.record()}
        write_model(path, tensors, record, ModelRecord)

    @classmethod
    def load(cls, path: str | os.PathLike, registry: str | os.PathLike | None = None) -> MEKRR:
        """A model from its file, of which nothing is used that was not checked.

        ``registry`` is that of the backbone, if it is none of the package's: the one of the
        fit is not looked for. The backbone is opened, and compared with that of the fit, by
        the first prediction from frames.

        Raises a ModelFileError if the file is damaged, no model, or of a newer format.
        """
        tensors, checked = read_model(path, ModelRecord)
        record = checked.model_dump()
        model = cls(**record["parameters"], registry=registry)
        model.threads = min(model.threads, len(os.sched_getaffinity(0)))
        for name in cls._fitted:
            setattr(model, name, record["fitted"][name])
        model.ridge_ = KernelRidge.recalled(model.regularisation_, record["ridge"], tensors)
        model.leave_one_out_ = tensors["leave_one_out"]
        model.sweep_ = model.train_ = None
        if model.input_ != "kernel":
            names = ("features", "species", "pointer")
            model.train_ = FrameFeatures(*(tensors[name] for name in names))
        model._normalisation = Normalisation.of_tensors(tensors)
        model._recall_references(record["fitted"]["reference_record"])
        model.parameters_ = model.get_params(deep=False)
        return model

    @property
    def n_features_in_(self) -> int:
        check_is_fitted(self, "ridge_")
        if self.input_ == "frames":
            raise AttributeError("frames have no number of features")
        rows = self.ridge_.factor_ if self.train_ is None else self.train_.features
        return rows.shape[1]

    def __sklearn_tags__(self) -> Any:  # sklearn.utils.Tags, which has no types
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"  # folds cut rows and columns
        return tags

    def _take_new(
        self, X: object, return_std: bool, self_kernel: object
    ) -> tuple[Given, np.ndarray | None]:
        """What predictions are made from, of the kind and width of what was fitted."""
        kind, X = take(X, self.kernel)
        if kind != self.input_:
            raise InputError(
                f"the model was fitted to {self.input_}, not {kind}; give {self.input_}"
            )
        if not isinstance(X, list):
            width = (X if isinstance(X, np.ndarray) else X.features).shape[1]
            if width != self.n_features_in_:
                raise InputError(
                    f"X has {width} features, but MEKRR is expecting {self.n_features_in_} "
                    f"features as input; give a {kind} as in the fit"
                )
        if self_kernel is not None:
            if kind != "kernel":
                raise InputError(f"self_kernel goes with a precomputed kernel, not with {kind}")
            self_kernel = take_weights(self_kernel, len(X), "self_kernel")
        elif kind == "kernel" and return_std:
            raise InputError("a precomputed kernel needs `self_kernel` for standard deviations")
        return X, self_kernel

    def _features(
        self, X: list[Atoms] | FrameFeatures, layers: list[int], *, energy: bool
    ) -> tuple[Layers, np.ndarray | None]:
        """Features by layer, and on demand the network's own energies (n,) in eV, if it has any."""
        if isinstance(X, FrameFeatures):
            return {None: X}, None
        from mekrr.features.extract import gather

        backbone = self._require_layers(layers, X)
        features, own = gather(backbone, X, layers, energy=energy, **self._gathering())
        return dict(features.items()), own

    def _take_choice(self, best: Best) -> None:
        """Set what was fitted to what was chosen."""
        self.sweep_, self.criterion_ = best.sweep, best.criterion
        self.layer_, self.train_ = best.layer, best.features
        self._normalisation = best.normalisation
        sigma, alpha = best.gram.lengthscale, best.choice.alpha
        self.lengthscale_ = None if np.isnan(sigma) else sigma
        self.regularisation_ = best.choice.regularisation
        if isinstance(alpha, Mapping):
            self.alpha_ = {chemical_symbols[z]: value for z, value in alpha.items()}
        else:
            self.alpha_ = None if self.input_ == "kernel" else alpha

    def _alpha(self) -> float | dict[int, float]:
        """α as kernels take it: 0 if there is none, by atomic number if each species has one."""
        if isinstance(self.alpha_, Mapping):
            return {atomic_numbers[symbol]: alpha for symbol, alpha in self.alpha_.items()}
        return self.alpha_ or 0.0

    @property
    def _extensive(self) -> bool:
        """Whether energies per atom are learnt; a precomputed kernel is taken as it is."""
        return self.form == "extensive" and self.input_ != "kernel"

    def _atom_kernel(self, lengthscale: float | None) -> AtomKernel:
        return KERNELS[self.kernel](np.nan if lengthscale is None else lengthscale)
