"""From the triangles of all rows to the fit of one method."""

from __future__ import annotations

import pandas as pd

from mekrr.files import write_csv
from mekrr.models.sparse.fit import Search
from mekrr.models.sparse.rows_store import read_rows
from mekrr.models.sparse.settings import read_setting
from mekrr.progress import progress_bar
from mekrr.study.experiments.kinds.sparse import choice_columns, options_of, sweep_table
from mekrr.study.experiments.large.learnt import Learnt
from mekrr.study.experiments.large.model import write_fit
from mekrr.study.recipes import recipes_from


def run(step) -> None:
    """Fit one method: choose on validation rows what is open, from the triangles of all rows."""
    given, params, w = step.input, step.params, step.wildcards
    (method,) = [m for m in recipes_from(params.methods) if m.name == w.method]
    learnt = Learnt.read(given.learnt)
    target = learnt.baselines.index(method.baseline)
    assert method.alpha is not None
    options = options_of(**params.sparse, alpha=method.alpha)
    search = Search(options, float(learnt.constants[target]), True)
    with progress_bar(len(given.rows), "fit", "settings") as bar:
        for k, path in enumerate(given.rows):
            parts = [part.of(target, forces=method.forces) for part in read_rows(path, k)]
            search.consider(read_setting(given.settings, k), parts)
            bar.update()
    parameters = {
        "forces": params.directions["random"],
        "force_atoms": params.directions["moved"],
        "inducing": params.sparse["inducing"],
        "atoms": params.atoms,
        "reference_energy": params.reference_energy,
    }
    write_fit(step.output.fit, search, method, learnt, params.backbone, given.features, parameters)
    names = {"method": method.name, "backbone": w.backbone}
    write_csv(step.output.sweep, sweep_table(search.table).assign(**names))
    best = search.best
    table = choice_columns(best.setting.layers, best.setting.basis, best.choice)
    write_csv(step.output.choices, pd.DataFrame([names | table]))
