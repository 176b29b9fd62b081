"""The step that samples: the frames of some runs, labelled."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.backbones.registry import open_backbone
from mekrr.calculator.calculator import Calculator
from mekrr.data.frames import write_frames
from mekrr.features.extract import choose_device
from mekrr.files import write_csv
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.baseline import Baseline
from mekrr.progress import progress_bar
from mekrr.study.job import Step
from mekrr.study.pretraining.labels import Limits
from mekrr.study.pretraining.runs import Recipe, sample_run

FACTS = ("run", "kind", "metal", "facet", "adsorbates", "move")


def write(step: Step) -> None:
    """Write the frames of the runs of a shard, and how many were dropped by reason."""
    params = step.params
    recipe = Recipe(**params.recipe | {"limits": Limits(**params.recipe["limits"])})
    backbone, _, _ = open_backbone(params.backbone, params.registry)
    calculator = Calculator(
        BackbonePotential(backbone, Baseline(), choose_device()), std=False, warn_above=None
    )
    frames, dropped = [], Counter[str]()
    first = int(step.wildcards.shard) * params.runs
    with progress_bar(params.runs, f"shard {step.wildcards.shard}", "runs") as bar:
        for number in range(first, first + params.runs):
            found = sample_run(recipe, number, calculator)
            frames += found.frames
            dropped += found.dropped
            bar.update()
    write_csv(step.output.facts, pd.DataFrame([facts_of(atoms) for atoms in frames]))
    for atoms in frames:
        atoms.info = {}
    write_frames(step.output.frames, frames)
    rows = [{"reason": reason, "frames": n} for reason, n in sorted(dropped.items())]
    write_csv(step.output.dropped, pd.DataFrame(rows, columns=["reason", "frames"]))


def facts_of(atoms: Atoms) -> dict[str, object]:
    """Return what is known of a frame beside its atoms, and its energy (eV) and force (eV/Å)."""
    return {
        **{name: atoms.info[name] for name in FACTS},
        "formula": atoms.get_chemical_formula(),
        "n_atoms": len(atoms),
        "energy": atoms.get_potential_energy(),
        "largest_force": np.linalg.norm(atoms.get_forces(), axis=1).max(),
    }
