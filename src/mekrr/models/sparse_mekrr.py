"""Sparse MEKRR: a potential of few inducing atoms, trained on energies and forces."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from ase import Atoms
from ase.symbols import Symbols
from sklearn.utils.validation import check_is_fitted

from mekrr import environment
from mekrr.data.labels import slopes_along
from mekrr.data.references import Rule, is_isolated, require_usable
from mekrr.errors import ConfigError, DataWarning, InputError, ModelFileError, SolveError
from mekrr.models.file import read_model, write_model
from mekrr.models.inputs import (
    numbers_of,
    require_known,
    take,
    take_energies,
    take_energies_beside,
    take_forces,
    take_stress,
    take_validation,
    without_isolated,
)
from mekrr.models.on_backbone import DTYPES, OnBackbone, warn_of_unit
from mekrr.models.parameters import OF_SPARSE, check_layers
from mekrr.models.problem import Problem
from mekrr.models.sparse.data import Data, side_by_side
from mekrr.models.sparse.fit import fit_sparse
from mekrr.models.sparse.model import SparseModel
from mekrr.models.sparse.record import SparseRecord
from mekrr.models.sparse.select import (
    LENGTHSCALES,
    N_FOLDS,
    REGULARISATIONS,
    SIGMAS_ENERGY,
    numbers_to_try,
)
from mekrr.models.sparse.settings import Open

if TYPE_CHECKING:
    from mekrr.features.directions_store import FrameDirections
    from mekrr.features.store import FrameFeatures
    from mekrr.models.potentials.sparse import SparsePotential

UNLIKE = 10.0  # times; a stress so much larger or smaller than a network's has another unit


class SparseMEKRR(OnBackbone):
    """A sum over inducing atoms, trained on energies and on derivatives along few directions.

    With reference energies e of species s, and inducing atoms m among the training atoms,

        E = Σ_i e_(s_i) [+ E_GNN] + Σ_i Σ_m a_m [(1 - α) k(h_i, h_m) + α δ_(s_i s_m) k(h_i, h_m)],

    E_GNN being the network's own energy. See `mekrr.models.sparse` for coordinates, rows, and
    how it is solved.

    Parameters
    ----------
    backbone : name of the network; see `mekrr.backbones.registry`.
    layers : layers of the network whose features enter side by side; None: chosen among single
        ones that the registry names, and all of them side by side.
    forces : random directions along which each frame's forces are learnt; 0 for energies alone.
    force_atoms : rule of `mekrr.features.atoms.selected`: atoms of which all components of the
        forces are learnt too, such as those that react; None for none.
    stress : whether the stress is learnt of frames that come with it, along six strains.
    inducing : most inducing atoms; several numbers, of ``inducing_by="cholesky"``: chosen.
    inducing_by : "cholesky", "k-means" or "farthest", see `choose_inducing`.
    alpha : α, 0 to 1.
    regularisation : λ > 0; None: chosen.
    sigma_energy : expected error of energies in meV/atom, beside 50 meV/Å of forces; None: chosen.
    lengthscale : σ of the atom kernel in units of the coordinates; None: chosen.
    kernel : atom kernel, one of `mekrr.kernels.atom.RADIAL`.
    metric : coordinates, see `mekrr.models.sparse.metric`.
    target : "energy"; "delta", what the untouched network leaves; or "auto", the one that varies
        less among the training frames.
    reference_energy, atoms, registry, threads : see `mekrr.MEKRR`.

    Attributes
    ----------
    model_ : the fit, with all that was chosen.
    layers_, target_ : as fitted.
    criterion_ : on what the parameters left None were chosen, in words.
    spreads_ : by target that was considered, how much of it there is to learn: the standard
        deviation of energies in meV/atom or, where there are none, the root mean square of
        derivatives in meV/Å, of the training frames.
    errors_ : RMSE there of energies (meV/atom), and of derivatives along directions (meV/Å), of
        random ones on average that of a component of the forces; NaN without any.
    expected_std_ : largest standard deviation of the energy of a frame there, eV/atom.
    n_frames_, n_directions_ : frames that were fitted, and derivatives of their energies.
    relative_ : whether no training frame had an energy, so that energies are relative.
    sweep_ : DataFrame of all that was tried; None of a loaded model.
    references_, backbone_, provenance_, parameters_ : see `mekrr.MEKRR`.
    """

    _mark = "model_"
    model_: SparseModel
    layers_: tuple[int, ...]
    target_: str
    criterion_: str
    errors_: tuple[float, float]
    expected_std_: float
    spreads_: dict[str, float]
    n_frames_: int
    n_directions_: int
    relative_: bool
    sweep_: pd.DataFrame | None
    provenance_: dict[str, str]

    _fitted = (
        "layers_",
        "target_",
        "criterion_",
        "errors_",
        "expected_std_",
        "spreads_",
        "n_frames_",
        "n_directions_",
        "relative_",
        "references_",
        "backbone_",
        "provenance_",
    )

    def __init__(
        self,
        backbone: str = "sevennet-0",
        *,
        layers: Sequence[int] | None = None,
        forces: int = 8,
        force_atoms: str | Mapping | None = None,
        stress: bool = False,
        inducing: int | Sequence[int] = 1000,
        inducing_by: str = "cholesky",
        alpha: float = 1.0,
        regularisation: float | None = None,
        sigma_energy: float | None = None,
        lengthscale: float | None = None,
        kernel: str = "gaussian",
        metric: str = "whitened",
        target: str = "auto",
        reference_energy: Rule = "least-squares",
        atoms: str | Mapping = "all",
        registry: str | os.PathLike | None = None,
        threads: int = 1,
    ):
        self.backbone = backbone
        self.layers = layers
        self.forces = forces
        self.force_atoms = force_atoms
        self.stress = stress
        self.inducing = inducing
        self.inducing_by = inducing_by
        self.alpha = alpha
        self.regularisation = regularisation
        self.sigma_energy = sigma_energy
        self.lengthscale = lengthscale
        self.kernel = kernel
        self.metric = metric
        self.target = target
        self.reference_energy = reference_energy
        self.atoms = atoms
        self.registry = registry
        self.threads = threads

    @staticmethod
    def _check(parameters: Mapping[str, Any]) -> None:
        OF_SPARSE.check(parameters)
        check_layers(parameters["layers"])
        several = numbers_to_try(parameters["inducing"])
        if len(several) > 1 and parameters["inducing_by"] != "cholesky":
            raise ConfigError(
                f"inducing={several} with inducing_by={parameters['inducing_by']!r}: only with "
                "cholesky are fewer atoms the first of more; give one number"
            )

    def fit(
        self,
        X: Iterable[Atoms],
        y: np.ndarray | None = None,
        validation: Iterable[int] | Iterable[bool] | None = None,
    ) -> SparseMEKRR:
        """Fit to energies and forces, and choose the parameters left None.

        Parameters
        ----------
        X : frames, of any iterable. Those without forces count for energies only, those without
            an energy for forces only, which a DataWarning tells, as of those without a stress; if
            none of them has an energy, those predicted are relative.
        y : (n,) total energies in eV; by default those that the frames come with.
        validation : frames that are not fitted, but on which the parameters left None are
            chosen: a mask (n,) or indices, those below 0 from the end. By default they are
            chosen by the errors of each fifth of the frames, at random but always the same,
            as the others predict it.

        Raises
        ------
        ConfigError
            If a parameter has no possible value.
        BackboneError
            If the backbone is unknown or does not apply to the frames.
        DataError
            If frames, energies and forces cannot be used; mostly an InputError.
        SolveError
            If kernels between inducing atoms cannot be factorised.
        """
        return self._fit_anew(X, y, validation)

    def _fit(self, X: object, y: object, validation: object) -> None:
        self.input_, given = "frames", self._take_frames(X)
        forces: list[np.ndarray | None] = [None for _ in given]
        if self.forces or self.force_atoms is not None:
            forces = take_forces(given)
            energy = take_energies_beside(given, y, forces)
        else:
            energy = take_energies(self.input_, given, y)
        chosen = take_validation(validation, len(given))
        frames, energy, chosen, isolated = without_isolated(given, energy, chosen)
        pairs = zip(given, forces, strict=True)
        forces = [own for atoms, own in pairs if not is_isolated(atoms)]
        stress: list[np.ndarray | None] = [None for _ in frames]
        if self.stress:
            stress = take_stress(frames)
        split = np.full(len(frames), "train", dtype=object)
        split[[] if chosen is None else chosen] = "val"
        parts = _parts(split)
        species = Symbols(np.unique(np.concatenate(numbers_of(frames))))
        needed = [] if self.target == "delta" else list(species)
        require_usable(self.reference_energy, needed, "frames", isolated)
        self.relative_ = bool(np.isnan(energy[split == "train"]).all())
        if self.relative_:
            energy = np.full(len(frames), np.nan)
            warnings.warn(
                "no frame to be fitted has an energy: the fit is to forces alone, and energies are "
                "relative, up to a constant for each composition",
                DataWarning,
                stacklevel=4,
            )
        from mekrr.backbones.registry import open_backbone

        self._references = None
        self._backbone, layers, self.backbone_ = open_backbone(self.backbone, self.registry)
        views: list[tuple[int, ...]] = [(layer,) for layer in layers]
        if len(layers) > 1:
            views.append(tuple(layers))
        if self.layers is not None:
            views = [tuple(int(layer) for layer in self.layers)]
            layers = list(views[0])
        with self._own_settings():
            features, directions, network, slope = self._gathered(frames, forces, stress, layers)
            warn_of_unit(frames, energy, network)
            one = directions[layers[0]]
            if one.network is not None:
                warn_of_stress(one, slope, stress)
            slopes = {"energy": slope}
            if one.network is not None:
                slopes["delta"] = slope - one.network
            train = one.places(np.flatnonzero(split == "train"))
            to_fit = {target: each[train] for target, each in slopes.items()}
            problem = self._chosen_problem(frames, energy, split, network, isolated, to_fit)
            data = Data(
                features,
                directions,
                np.where(np.isfinite(energy), problem.residual, np.nan),
                slopes[self.target_],
                problem.n_atoms,
                parts,
                chosen is not None,
            )
            fitted = fit_sparse(data, self.kernel, self.metric, self.inducing_by, self._open(views))
        self.layers_, self.model_, self.sweep_ = fitted.layers, fitted.model, fitted.sweep
        self.errors_ = (1000.0 * fitted.choice.energy, 1000.0 * fitted.choice.force)
        self.criterion_ = f"{len(parts)} folds of the training frames"
        if chosen is not None:
            self.criterion_ = f"{len(chosen)} validation frames"
        self.n_frames_ = len(data.train)
        self.n_directions_ = len(train)
        self.expected_std_ = fitted.expected_std
        self.provenance_ = environment.collect()

    def predict(
        self, X: Iterable[Atoms], return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Total energies (n,) in eV, and on demand their standard deviations.

        These are calibrated on the frames that chose, and contain what the training frames leave
        undetermined of the references; of that a CompositionWarning tells in any case.

        Raises
        ------
        BackboneError
            If the backbone's weights are not those of the fit.
        DataError
            If a frame cannot be used or has an element that no training frame had.
        """
        return self._as_fitted()._predict(X, return_std)

    def _predict(self, X: object, return_std: bool) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        frames = self._take_frames(X)
        numbers = numbers_of(frames)
        with self._own_settings():
            energy = self._reference(numbers)
            undetermined = self._undetermined(numbers)
            features, network = self._features_of(frames)
            require_known(numbers_of(features), Symbols(list(self.model_.basis.own)))
            if self.target_ == "delta":
                assert network is not None
                energy = energy + network
            energy = energy + self.model_.energies(features)
            if not return_std:
                return energy
            sizes = np.array([len(atoms) for atoms in frames])
            variances = self.model_.energy_variances(features, sizes)
        return energy, np.hypot(np.sqrt(variances), undetermined)

    def potential(self, dtype: str = "float32") -> SparsePotential:
        """Return the fitted model as a potential: energy, forces and stress of a frame.

        Parameters
        ----------
        dtype : "float32", or "float64" for the network and the kernels.
        """
        return self._as_fitted()._potential(dtype)

    def _potential(self, dtype: str) -> SparsePotential:
        from mekrr.features.extract import choose_device, device_for
        from mekrr.models.potentials.sparse import SparsePotential

        backbone = self._in_precision(dtype)
        model = replace(self.model_, basis=replace(self.model_.basis, dtype=DTYPES[dtype]))
        return SparsePotential(
            backbone,
            self.layers_,
            model,
            self.expected_std_,
            self.target_ == "delta",
            self._known_references(),
            self.atoms,
            device_for(backbone, choose_device()),
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model to one file, see `mekrr.models.file`."""
        check_is_fitted(self, self._mark)
        fitted = {name: getattr(self, name) for name in self._fitted}
        fitted["layers_"] = list(self.layers_)
        fitted["errors_"] = [None if np.isnan(error) else error for error in self.errors_]
        assert self._references is not None
        fitted["reference_record"] = self._references.record()
        parameters = {k: v for k, v in self.parameters_.items() if k != "registry"}
        if parameters["layers"] is not None:
            parameters["layers"] = list(parameters["layers"])
        if isinstance(parameters["inducing"], Sequence):
            parameters["inducing"] = list(parameters["inducing"])
        record = {
            "kind": "sparse",
            "parameters": parameters,
            "fitted": fitted,
            "model": self.model_.record(),
        }
        write_model(path, self.model_.tensors(), record, SparseRecord)

    @classmethod
    def load(cls, path: str | os.PathLike, registry: str | os.PathLike | None = None) -> Self:
        """A model from its file, as `mekrr.MEKRR.load` does."""
        tensors, checked = read_model(path, SparseRecord)
        record = checked.model_dump()
        model = cls(**record["parameters"], registry=registry)
        model.threads = min(model.threads, len(os.sched_getaffinity(0)))
        for name in cls._fitted:
            setattr(model, name, record["fitted"][name])
        model.layers_ = tuple(model.layers_)
        energy, force = (np.nan if error is None else error for error in model.errors_)
        model.errors_ = energy, force
        model.input_ = "frames"
        kernel = record["parameters"]["kernel"]
        try:
            model.model_ = SparseModel.recalled(kernel, record["model"], tensors)
        except SolveError as error:
            raise ModelFileError(f"{path}: damaged model file: {error}; fit again") from error
        model.sweep_ = None
        model._recall_references(record["fitted"]["reference_record"])
        model.parameters_ = model.get_params(deep=False)
        return model

    @property
    def _extensive(self) -> bool:
        return True

    def _take_frames(self, X: object) -> list[Atoms]:
        kind, frames = take(X, self.kernel)
        if not isinstance(frames, list):
            raise InputError(f"SparseMEKRR needs frames, not {kind}; give frames")
        return frames

    def _features_of(self, frames: list[Atoms]) -> tuple[FrameFeatures, np.ndarray | None]:
        """Return features of the layers side by side, and the network's energies (n,) in eV."""
        from mekrr.features.extract import gather

        backbone = self._require_layers(self.layers_, frames)
        energy = self.target_ == "delta"
        features, network = gather(
            backbone, frames, self.layers_, energy=energy, **self._gathering()
        )
        return side_by_side([features[layer] for layer in self.layers_]), network

    def _gathered(
        self,
        frames: list[Atoms],
        forces: list[np.ndarray | None],
        stress: list[np.ndarray | None],
        layers: list[int],
    ) -> tuple[dict[int, FrameFeatures], dict[int, FrameDirections], np.ndarray | None, np.ndarray]:
        """Return features and their derivatives by layer, the network's own energies (n,) in eV,
        and the derivatives (Σ q,) of the energy by forces and stress in eV/Å.
        """
        from mekrr.features.directions import gather_directions, strain_slopes, with_strains
        from mekrr.features.extract import gather

        backbone = self._require_layers(layers, frames)
        directions, how = self._directions(frames, forces), self._gathering()
        slopes = []
        for k, (atoms, own, tensor) in enumerate(zip(frames, forces, stress, strict=True)):
            slopes.append(slopes_along([directions[k]], [own]))
            if tensor is not None:
                directions[k] = with_strains(directions[k], atoms)
                slopes.append(strain_slopes(atoms, tensor))
        features, network = gather(backbone, frames, layers, **how)
        derivatives = gather_directions(backbone, frames, directions, layers, **how)
        return features, derivatives, network, np.concatenate(slopes)

    def _directions(self, frames: list[Atoms], forces: list[np.ndarray | None]) -> list[np.ndarray]:
        """Return the directions (q, n, 3) along which the forces of each frame are learnt."""
        from mekrr.features.atoms import selected_if_any
        from mekrr.features.directions import directions_of_labelled

        labelled = [own is not None for own in forces]
        rule = self.force_atoms
        if rule is not None and not any(
            selected_if_any(atoms, rule).any()
            for atoms, known in zip(frames, labelled, strict=True)
            if known
        ):
            raise InputError(
                f"force_atoms={rule!r} selects no atom of any frame with forces; choose others"
            )
        return directions_of_labelled(frames, labelled, self.forces, rule)

    def _chosen_problem(
        self,
        frames: list[Atoms],
        energy: np.ndarray,
        split: np.ndarray,
        network: np.ndarray | None,
        isolated: Mapping[str, float],
        slopes: Mapping[str, np.ndarray],
    ) -> Problem:
        """Return what is learnt of energies (n,) in eV, NaN where unknown; set ``target_``.

        Parameters
        ----------
        slopes : derivatives of training frames in eV/Å that each target leaves to learn.
        """
        numbers, known = numbers_of(frames), np.isfinite(energy)

        def problem(target: str) -> Problem:
            if self.relative_:
                zero = np.zeros(len(frames))
                if target == "delta":
                    assert network is not None
                    zero = network
                return self._problem(numbers, zero, split, network, {}, target, "none")
            labelled = np.where(known, split, "without energy")
            rule = self.reference_energy
            return self._problem(numbers, energy, labelled, network, isolated, target, rule)

        def left(target: str) -> float:
            if self.relative_:
                return float(np.sqrt(np.mean(np.square(slopes[target]))))
            return float(np.std(problem(target).per_atom().target[known & (split == "train")]))

        targets = [self.target]
        if self.target == "auto":
            targets = ["energy"] if network is None else ["energy", "delta"]
        self.spreads_ = {target: 1000.0 * left(target) for target in targets}
        self.target_ = min(targets, key=self.spreads_.__getitem__)
        chosen = problem(self.target_)
        self._take_references(chosen, numbers, isolated, self.target_)
        return chosen.per_atom()

    def _open(self, views: list[tuple[int, ...]]) -> Open:
        def given(value: float | None, otherwise: Iterable[float]) -> list[float]:
            return list(otherwise) if value is None else [float(value)]

        sigma = None if self.sigma_energy is None else 0.001 * self.sigma_energy
        return Open(
            views,
            given(self.lengthscale, LENGTHSCALES),
            [self.alpha],
            numbers_to_try(self.inducing),
            given(sigma, SIGMAS_ENERGY),
            given(self.regularisation, REGULARISATIONS),
        )


def warn_of_stress(
    directions: FrameDirections, slope: np.ndarray, stress: Sequence[np.ndarray | None]
) -> None:
    """Warn if the stress of frames is of another sign or size than the network's.

    Parameters
    ----------
    directions : of all frames, the last of those with a stress being strains.
    slope : (Σ q,) the derivatives of the energy along them in eV/Å.
    """
    known = np.flatnonzero([tensor is not None for tensor in stress])
    if not len(known):
        return
    ends = (directions.begins + directions.counts)[known]
    places = (ends[:, None] - np.arange(1, 7)).ravel()
    assert directions.network is not None
    given, own = slope[places], directions.network[places]
    product, size = float(given @ own), float(np.linalg.norm(given) * np.linalg.norm(own))
    times = float(np.linalg.norm(given) / max(np.linalg.norm(own), np.finfo(float).tiny))
    if product < -0.5 * size or not 1 / UNLIKE < times < UNLIKE:
        sign = "-" if product < 0 else ""
        warnings.warn(
            f"stress is about {sign}{times:.2g} times the network's; give it in eV/Å³, positive "
            "where the frame is under tension (ASE's sign), or leave `stress` out",
            DataWarning,
            stacklevel=5,
        )


def _parts(split: np.ndarray) -> list[np.ndarray]:
    """Return training and validation frames, or folds of the former without the latter."""
    train, validation = np.flatnonzero(split == "train"), np.flatnonzero(split == "val")
    if not len(train):
        raise InputError("no frame is left to be fitted; name fewer for validation")
    if len(validation):
        return [train, validation]
    if len(train) == 1:
        raise InputError(
            "one frame, and none that it could be held against; give two or more, or name frames "
            "for validation"
        )
    # At random, as a stretch of the file may be all that there is of a kind of frames.
    order = np.random.default_rng(0).permutation(len(train))
    folds = np.array_split(order, min(N_FOLDS, len(train)))
    return [train[np.sort(fold)] for fold in folds]
