"""From shards to the triangles of their rows, and from these to those of all rows."""

from __future__ import annotations

from collections.abc import Iterator

from mekrr.models.sparse.fit import rows_of
from mekrr.models.sparse.rows_store import read_rows, write_rows
from mekrr.models.sparse.settings import n_settings, read_setting
from mekrr.models.sparse.solve import Rows
from mekrr.progress import progress_bar
from mekrr.study.experiments.large.learnt import Learnt
from mekrr.study.experiments.large.shards import Shard

PARTS = ("train", "val")  # whose rows are kept apart


def run(step) -> None:
    """Write the triangles of a shard's training and validation rows, of every setting."""
    shard, learnt = Shard.open(step), Learnt.read(step.input.learnt)
    path = step.input.settings

    def each() -> Iterator[tuple[int, list[Rows]]]:
        with progress_bar(n_settings(path), "rows", "settings") as bar:
            for k in range(n_settings(path)):
                setting = read_setting(path, k)
                data = shard.data(setting.layers, learnt, PARTS)
                yield k, rows_of(setting.basis, setting.layers, data, learnt.constants)
                bar.update()

    write_rows(step.output.rows, each())


def merge(step) -> None:
    """Write the triangles of the rows of several files, of one setting."""
    setting = int(step.wildcards.setting)
    first, *others = step.input.rows
    parts = read_rows(first, setting)
    for path in others:
        pairs = zip(parts, read_rows(path, setting), strict=True)
        parts = [Rows.joined(list(pair)) for pair in pairs]
    write_rows(step.output.rows, [(setting, parts)])
