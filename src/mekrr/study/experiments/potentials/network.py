"""Trained networks as potentials."""

from __future__ import annotations

from collections.abc import Iterator

from mekrr.features.extract import choose_device
from mekrr.models.network.fit import NetworkModel, beyond_start
from mekrr.models.network.states import States
from mekrr.models.potentials.base import Potential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.network import NetworkPotential
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.kinds.network import Models, network_of


def potentials(step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield the one that was trained."""
    model = NetworkModel.load(step.input.model, network_of(step))
    start, rule = States(step.input.states).start_energy, step.params.reference_energy
    beyond = beyond_start(problem, model.network, start, rule, step.wildcards.dataset)
    yield step.params.method, _potential(model, beyond)


def of_fit(step, kind: Models, problem: Problem, fit: Fit) -> Iterator[tuple[str, Potential]]:
    """Yield the one that a kind has just trained, for as long as it trains no other."""
    yield step.params.method, _potential(kind.model, kind.beyond_start(problem))


def _potential(model: NetworkModel, problem: Problem) -> NetworkPotential:
    """Return a network that was trained on what its start has left of a problem."""
    baseline = Baseline(problem.references, model.scale_.shift)
    return NetworkPotential(model.network, model.scale_.factor, baseline, choose_device())
