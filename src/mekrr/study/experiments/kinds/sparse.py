"""Sparse models on features of a frozen backbone, learnt from energies, and from forces.

What `mekrr.SparseMEKRR` leaves open is chosen on validation frames, as there.

Tables
------
As in `mekrr.study.experiments.fits`, but for

choices : method, backbone, layers (side by side, as "1+2"), alpha, regularisation, lengthscale,
    inducing (atoms), sigma_energy (meV/atom), validation_rmse (meV/atom), validation_force_rmse
    (of derivatives along directions, meV/Å), chosen
sweep : method, backbone, layers, lengthscale, alpha, inducing, sigma_energy, regularisation, rmse
    (validation, meV/atom), force_rmse (meV/Å), criterion
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from mekrr.data.frames import load_frames
from mekrr.data.labels import forces_of, slopes_along
from mekrr.data.references import Rule
from mekrr.features.directions_store import FrameDirections, read_directions, read_vectors
from mekrr.features.store import FrameFeatures, read_gnn_energy, read_layer
from mekrr.models.problem import Problem
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.data import Data, side_by_side
from mekrr.models.sparse.fit import Fitted, fit_sparse
from mekrr.models.sparse.model import batches
from mekrr.models.sparse.select import (
    LENGTHSCALES,
    REGULARISATIONS,
    SIGMAS_ENERGY,
    Choice,
    numbers_to_try,
)
from mekrr.models.sparse.settings import Open
from mekrr.study.experiments.baselines import by_baseline
from mekrr.study.experiments.fits import Fit, join, predictions
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer, on_destination
from mekrr.study.recipes import Recipe, recipes_from

METRIC, WAY = "whitened", "cholesky"  # as `mekrr.SparseMEKRR` has them
SWEEP = {"n": "inducing", "energy": "rmse", "force": "force_rmse"}  # names in the table
MILLI = ("sigma_energy", "rmse", "force_rmse")  # in meV there


class Models(Kind):
    """Sparse models on features of one backbone.

    Parameters
    ----------
    methods : those to be fitted.
    features, directions : per layer, of all frames.
    energy : (n_frames,) the backbone's own energies in eV; None if it has none.
    slope : (n_directions,) derivatives of the energy by the frames' forces, eV/Å.
    views : layers that may stand side by side. inducing : most inducing atoms,
        or several numbers of them.
    rule : of references. names : data set and backbone.

    Attributes
    ----------
    metric, way : see `mekrr.models.sparse.fit.fit_sparse`.
    fitted : by method, what was fitted last, and to what.
    """

    def __init__(
        self,
        methods: Sequence[Recipe],
        features: Mapping[int, FrameFeatures],
        directions: Mapping[int, FrameDirections],
        energy: np.ndarray | None,
        slope: np.ndarray,
        views: Sequence[Sequence[int]],
        inducing: int | Sequence[int],
        rule: Rule,
        names: tuple[str, str],
    ):
        self.methods, self._features, self.directions = methods, features, directions
        self._energy, self.slope = energy, slope
        self.views, self.inducing = [tuple(view) for view in views], inducing
        self.metric, self.way = METRIC, WAY
        self._rule, (self._dataset, self._backbone) = rule, names
        self.fitted: dict[str, tuple[Problem, Fitted]] = {}

    @classmethod
    def open(cls, step) -> Models:
        return cls._opened(step, step.input.features, step.wildcards.dataset)

    @classmethod
    def _opened(cls, step, features: str | os.PathLike, dataset: str) -> Models:
        params, directions = step.params, step.input.directions
        layers = sorted({layer for view in params.sparse["views"] for layer in view})
        forces = [forces_of(atoms) for atoms in load_frames(step.input.frames)]
        return cls(
            recipes_from(params.methods),
            {layer: read_layer(features, layer) for layer in layers},
            {layer: read_directions(directions, layer) for layer in layers},
            read_gnn_energy(features),
            slopes_along(read_vectors(directions), forces),
            **params.sparse,
            rule=params.reference_energy,
            names=(dataset, step.wildcards.backbone),
        )

    def fit(self, problem: Problem) -> Fit:
        self.choose(problem)
        return join([self._tables(name, *fitted) for name, fitted in self.fitted.items()])

    def choose(self, problem: Problem) -> None:
        """Fit, and choose what is open; what is fitted is in ``fitted``."""
        self.fitted = {}
        for method, own in self._problems(problem):
            assert method.alpha is not None  # that of a sparse model is given
            options = options_of(self.views, self.inducing, method.alpha)
            self.fitted[method.name] = own, self._fit(own, method, options)

    def fit_again(self, problem: Problem, choices: pd.DataFrame) -> None:
        """Fit with choices that were made, a table of them; what is fitted is in ``fitted``."""
        rows = choices.set_index("method").to_dict("index")
        self.fitted = {
            method.name: (own, self._fit(own, method, _chosen(rows[method.name])))
            for method, own in self._problems(problem)
        }

    def _problems(self, problem: Problem) -> Iterator[tuple[Recipe, Problem]]:
        """Yield what each method learns; those whose baseline or forces lack are left out."""
        known = by_baseline(problem, self._energy, self._rule, self._dataset)
        counts = next(iter(self.directions.values())).counts
        has_forces = counts[problem.members("train")].any()
        for method in self.methods:
            if method.baseline in known and (has_forces or not method.forces):
                yield method, known[method.baseline].per_atom()

    def _fit(self, problem: Problem, method: Recipe, options: Open) -> Fitted:
        data = self.data(problem, method, [problem.members("train"), problem.members("val")])
        return fit_sparse(data, method.kernel, self.metric, self.way, options)

    def data(self, problem: Problem, method: Recipe, parts: Sequence[np.ndarray]) -> Data:
        """Return what a method learns of parts of a problem, which is that beyond its baseline."""
        directions, slope = self.directions, self.slope
        if not method.forces:
            directions = {k: FrameDirections.none(each) for k, each in self._features.items()}
            slope = slope[:0]
        elif method.baseline == "delta":
            network = next(iter(directions.values())).network
            assert network is not None  # as its energy is known
            slope = slope - network
        n_atoms, residual = problem.n_atoms, problem.residual
        return Data(self._features, directions, residual, slope, n_atoms, parts, True)

    def _tables(self, method: str, problem: Problem, fitted: Fitted) -> Fit:
        names = {"method": method, "backbone": self._backbone}
        frames = np.arange(len(problem.split))
        begin = time.process_time()
        residual = _energies(fitted, self._features, frames)
        seconds = (time.process_time() - begin) / len(frames)
        std = _stds(fitted, self._features, problem.n_atoms)
        sweep = sweep_table(fitted.sweep).assign(**names)
        opening = [*names, "layers", "lengthscale", "alpha", "inducing", "sigma_energy"]
        return Fit(
            predictions(problem, method, self._backbone, None, residual, std),
            pd.DataFrame(
                [names | choice_columns(fitted.layers, fitted.model.basis, fitted.choice)]
            ),
            sweep[[*opening, "regularisation", "rmse", "force_rmse", "criterion"]],
            costs=pd.DataFrame([names | {"prediction_seconds": seconds}]),
        )

    @classmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        """Fit anew on the origin with its choices, and predict."""
        files = step.input.features
        kind = cls._opened(step, files[0], transfers[0].names[0])
        for transfer, path in zip(transfers, step.input.choices, strict=True):
            problem = transfer.origin.with_references(transfer.rule, transfer.names[0])
            kind.fit_again(problem, pd.read_csv(path))
            yield on_destination(kind._on_destination(transfer, files))

    def _on_destination(self, transfer: Transfer, files: Sequence[str]) -> pd.DataFrame:
        """Predictions by what is fitted; ``files`` hold features of origin and destination."""
        energies = [read_gnn_energy(file) for file in files]
        energy = None if energies[0] is None else transfer.of_both(*energies)
        known = by_baseline(transfer.problem(), energy, transfer.rule, transfer.names[0])
        test, tables = transfer.destination.members("test"), []
        for method in self.methods:
            if method.name not in self.fitted:
                continue
            _, fitted = self.fitted[method.name]
            problem = known[method.baseline].per_atom().part("test")
            features = {layer: read_layer(files[1], layer).select(test) for layer in fitted.layers}
            residual = _energies(fitted, features, np.arange(len(test)))
            std = _stds(fitted, features, problem.n_atoms)
            own = predictions(problem, method.name, self._backbone, None, residual, std)
            tables.append(own)
        return pd.concat(tables, ignore_index=True)


def options_of(views: Sequence[Sequence[int]], inducing: int | Sequence[int], alpha: float) -> Open:
    """Return what there is to choose from."""
    return Open(
        [tuple(view) for view in views],
        LENGTHSCALES,
        [alpha],
        numbers_to_try(inducing),
        SIGMAS_ENERGY,
        list(REGULARISATIONS),
    )


def _energies(
    fitted: Fitted, features: Mapping[int, FrameFeatures], frames: np.ndarray
) -> np.ndarray:
    """Return residual energies (n,) in eV of some frames, a few of which are in memory at once."""
    return np.concatenate(
        [fitted.model.energies(_view(fitted, features, block)) for block in batches(frames)]
    )


def _stds(fitted: Fitted, features: Mapping[int, FrameFeatures], n_atoms: np.ndarray) -> np.ndarray:
    """Return standard deviations (n_frames,) of the energies in eV."""
    variances = [
        fitted.model.energy_variances(_view(fitted, features, block), n_atoms[block])
        for block in batches(np.arange(len(n_atoms)))
    ]
    return np.sqrt(np.concatenate(variances))


def _view(
    fitted: Fitted, features: Mapping[int, FrameFeatures], frames: Sequence[int] | np.ndarray
) -> FrameFeatures:
    return side_by_side([features[layer].select(frames) for layer in fitted.layers])


def sweep_table(sweep: pd.DataFrame) -> pd.DataFrame:
    """Return what was tried under the names and in the units of the tables."""
    sweep = sweep.rename(columns=SWEEP)
    sweep[[*MILLI]] *= 1000.0
    return sweep


def choice_columns(layers: Sequence[int], basis: Basis, choice: Choice) -> dict[str, object]:
    """Return the cells of the table of choices; `_chosen` reads them."""
    return {
        "layers": "+".join(map(str, layers)),
        "alpha": basis.alpha,
        "regularisation": choice.regularisation,
        "lengthscale": basis.kernel.lengthscale,
        "inducing": choice.n,
        "sigma_energy": 1000.0 * choice.sigma_energy,
        "validation_rmse": 1000.0 * choice.energy,
        "validation_force_rmse": 1000.0 * choice.force,
        "chosen": True,
    }


def _chosen(row: Mapping) -> Open:
    """Return what a row of the table of choices leaves open: one value of each."""
    return Open(
        [tuple(map(int, str(row["layers"]).split("+")))],
        [float(row["lengthscale"])],
        [float(row["alpha"])],
        [int(row["inducing"])],
        [float(row["sigma_energy"]) / 1000.0],
        [float(row["regularisation"])],
    )
