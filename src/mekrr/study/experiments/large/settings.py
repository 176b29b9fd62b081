"""From the features of all shards to settings, and to what is to be learnt of each frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mekrr.features.store import read_gnn_energy, shard_frames
from mekrr.models.problem import Problem
from mekrr.models.sparse.sample import Sample
from mekrr.models.sparse.settings import settings_of, write_settings
from mekrr.progress import progress_bar
from mekrr.study.experiments.baselines import by_baseline
from mekrr.study.experiments.kinds.sparse import METRIC, WAY, options_of
from mekrr.study.experiments.large.learnt import Learnt
from mekrr.study.experiments.large.shards import Features, read_split
from mekrr.study.recipes import recipes_from


def run(step) -> None:
    """Write coordinates and inducing atoms of every setting, and what is to be learnt.

    All methods have one atom kernel and one α.
    """
    given, w, params = step.input, step.wildcards, step.params
    methods = recipes_from(params.methods)
    ((kernel, alpha),) = {(method.kernel, method.alpha) for method in methods}
    assert alpha is not None
    split = read_split(given.split, w.size, int(w.seed))
    rule, name = params.reference_energy, w.dataset
    problem = Problem.of(pd.read_csv(given.table), split, rule, name)
    options = options_of(**params.sparse, alpha=alpha)
    layers = sorted({layer for view in options.views for layer in view})
    paths = list(given.features)
    shards = Features(paths, layers)
    known = by_baseline(problem, _network_energy(paths), rule, name)
    baselines = dict.fromkeys(m.baseline for m in methods if m.baseline in known)
    selected = np.concatenate([next(iter(shard.values())).n_atoms for shard in shards])
    learnt = Learnt.of({baseline: known[baseline] for baseline in baselines}, selected)
    train = [np.flatnonzero(split[r.start : r.stop] == "train") for r in _ranges(split, paths)]
    settings = []
    with progress_bar(options.n_settings, "choose inducing atoms", "settings") as bar:
        for setting in settings_of(Sample.of(shards, train), kernel, METRIC, WAY, options):
            settings.append(setting)
            bar.update()
    learnt.write(step.output.learnt)
    write_settings(step.output.settings, settings, kernel)


def _ranges(split: np.ndarray, paths: Sequence[str]) -> list[range]:
    return [shard_frames(len(split), k, len(paths)) for k in range(len(paths))]


def _network_energy(paths: Sequence[str]) -> np.ndarray | None:
    """Return the network's own energies (n_frames,) in eV; None if it has none."""
    energies = [read_gnn_energy(path) for path in paths]
    found = [energy for energy in energies if energy is not None]
    return np.concatenate(found) if len(found) == len(energies) else None
