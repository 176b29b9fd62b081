"""The same as `mekrr.study.tables.ablation`, of sparse models."""

from __future__ import annotations

import pandas as pd

from mekrr.study.experiments.ablation_sparse import TEST, VALIDATION
from mekrr.study.job import Step
from mekrr.study.methods import STRATEGY_LABELS, label, methods_of
from mekrr.study.tables.ablation import BY, Layout, over_seeds, write_ablations
from mekrr.study.tables.printing.grid import FEWER
from mekrr.study.tables.tidy import read_tables

HEADINGS = dict(zip(TEST, ("energies", "forces", "of reactive atoms"), strict=True))
NOTES = (
    "Test RMSE, mean ± standard deviation over seeds: of the total energy per atom in meV/atom; of "
    "forces in meV/Å, along the random directions that are stored of each frame; and, where these "
    "are stored, of the components of the forces on reactive atoms. The best of each column among "
    "the settings of one thing is bold, " + FEWER + " where some seed has no number.",
    "One thing is changed, the rest stays as in the study. λ, the weight of energies, the "
    "lengthscale and, where the study leaves them open, the layers are chosen anew on validation "
    "frames for each setting, by the energies and the directions that are learnt in it.",
)


def write(step: Step) -> None:
    """Write the ablations of all data sets and backbones."""
    by, errors = [*BY, "unchanged"], [*VALIDATION, *TEST]
    rows = read_tables(step.input.errors).reindex(columns=[*by, *errors])
    table = over_seeds(rows, errors, by)
    labels = {method.name: label(method.name) for method in methods_of("ablation_sparse")}
    shown = {error: name for error, name in HEADINGS.items() if table[error].notna().any()}
    layout = Layout(list(dict.fromkeys(table["factor"])), shown, _remark)
    split = STRATEGY_LABELS[step.params.split]
    title = f"Ablations of sparse models, {split}, RMSE in meV/atom and meV/Å"
    write_ablations(step, table, layout, labels, title, NOTES)


def _remark(block: pd.DataFrame, setting: str) -> str:
    """Say which setting is the study's."""
    same = block.loc[block["setting"] == setting, "unchanged"].any()
    return " (as in the study)" if same else ""
