"""Kernel models as potentials, and the energy of the untouched network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from mekrr.backbones.base import Backbone
from mekrr.choices import EXTENSIVE
from mekrr.features.extract import choose_device, device_for
from mekrr.features.store import FrameFeatures, read_gnn_energy, read_layer
from mekrr.kernels.atom import KERNELS
from mekrr.kernels.training import training_gram
from mekrr.models.constant import Constant
from mekrr.models.kernel import KernelModel
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.base import Potential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.kernel import KernelPotential
from mekrr.models.problem import Problem
from mekrr.study.experiments.baselines import by_baseline
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.kernel_fits import read_alpha
from mekrr.study.experiments.kinds.kernel import Models
from mekrr.study.experiments.potentials.backbones import backbone_of
from mekrr.study.recipes import Recipe, recipes_from


def potentials(step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield them, fitted anew with the choices of the fits."""
    params, file = step.params, step.input.features
    choices = pd.concat([pd.read_csv(path) for path in step.input.choices], ignore_index=True)
    layers = choices.loc[choices["chosen"], "layer"].dropna().astype(int).unique()
    energy, dataset = read_gnn_energy(file), step.wildcards.dataset
    return with_choices(
        by_baseline(problem, energy, params.reference_energy, dataset),
        choices,
        {layer: read_layer(file, layer) for layer in layers},
        recipes_from(params.methods),
        backbone_of(step, problem),
        params.atoms,
        step.threads,
    )


def of_fit(step, kind: Models, problem: Problem, fit: Fit) -> Iterator[tuple[str, Potential]]:
    """Yield the same of a fit in memory."""
    return with_choices(
        kind.by_baseline(problem),
        fit.choices,
        kind.features,
        kind.methods,
        backbone_of(step, problem),
        step.params.atoms,
        step.threads,
    )


def with_choices(
    problems: Mapping[str, Problem],
    choices: pd.DataFrame,
    features: Mapping[int, FrameFeatures],
    methods: Sequence[Recipe],
    backbone: Backbone,
    atoms: str | Mapping = "all",
    threads: int = 1,
) -> Iterator[tuple[str, Potential]]:
    """Yield methods on frozen features, fitted with given choices.

    The parameters are those of `mekrr.study.experiments.kinds.kernel.fit_again`, the backbone of
    the features, and the rule of which atoms enter these.
    """
    recipes = {method.name: method for method in methods}
    device = device_for(backbone, choose_device())
    train, grams = problems["references"].members("train"), {}
    for choice in choices[choices["chosen"]].to_dict("records"):
        method = recipes[choice["method"]]
        problem = problems[method.baseline].part("train")
        if method.kind == "constant":
            baseline = Baseline(problem.references, Constant().fit(problem).per_atom_)
            yield method.name, BackbonePotential(backbone, baseline, device)
            continue
        layer, kernel = int(choice["layer"]), KERNELS[method.kernel](choice["lengthscale"])
        training, extensive = features[layer].select(train), method.form == EXTENSIVE
        if extensive:
            problem = problem.per_atom(training.n_atoms)
        key = layer, method.kernel, extensive
        if key not in grams:
            every, options = np.arange(len(train)), {"extensive": extensive, "threads": threads}
            grams[key] = training_gram(training, every, kernel, **options)
        gram, normalisation = grams[key]
        model = KernelModel(read_alpha(choice), choice["regularisation"]).fit(problem, gram)
        assert problem.references is not None
        potential = KernelPotential(
            backbone,
            layer,
            model,
            training,
            kernel,
            normalisation,
            extensive=extensive,
            delta=method.baseline == "delta",
            references=problem.references,
            atoms=atoms,
            device=device,
        )
        yield method.name, potential
