"""The backbone of a step."""

from __future__ import annotations

from mekrr.backbones.base import Backbone
from mekrr.backbones.load import load_backbone
from mekrr.data.references import species_of
from mekrr.models.problem import Problem


def backbone_of(step, problem: Problem) -> Backbone:
    """Load the backbone of a step, as Snakemake describes it, for the species of a problem."""
    return load_backbone(
        step.wildcards.backbone,
        **step.params.backbone,
        weights=next(iter(step.input.weights), None),
        species=species_of(problem.frames),
    )
