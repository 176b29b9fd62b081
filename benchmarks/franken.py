"""What a training frame costs franken and a sparse model, and how well both then predict.

Same frames, same split, one thread, seconds of the processor. franken: the rows of all 3n
components, in its own environment (`make franken`). Sparse: features, derivatives along the
directions, rows and their QR. `python -m benchmarks.franken --help`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import ase.io
import numpy as np
import pandas as pd
import torch
from ase import Atoms
from threadpoolctl import threadpool_limits

from benchmarks import franken_rows
from mekrr import SparseMEKRR, environment
from mekrr.backbones.registry import open_backbone
from mekrr.data.labels import forces_of, slopes_along
from mekrr.features.directions import directions_of, gather_directions
from mekrr.features.extract import gather
from mekrr.models.sparse.data import Data
from mekrr.models.sparse.fit import rows_of
from mekrr.study.franken.environment import needed_interpreter
from mekrr.study.franken.fit import Program

BACKBONE, CHECKPOINT = "sevennet-0", "7net-0"
FRAMES = Path(__file__).parents[1] / "workflow/resources/surrogates/cuformate.extxyz.gz"
T = TypeVar("T")


def clocked(work: Callable[[], T]) -> tuple[T, float]:
    """Do some work; return what it gives and its seconds of the processor."""
    begin = time.process_time()
    found = work()
    return found, time.process_time() - begin


def errors(
    energy: np.ndarray, forces: Sequence[np.ndarray], frames: Sequence[Atoms]
) -> dict[str, float]:
    """Return RMSE of energies (meV/atom) and forces (meV/Å), and the forces' MAE by species."""
    sizes = np.array([len(atoms) for atoms in frames])
    off = (energy - [atoms.get_potential_energy() for atoms in frames]) / sizes
    wrong = np.concatenate(forces) - np.concatenate([forces_of(atoms) for atoms in frames])
    symbols = np.concatenate([atoms.symbols for atoms in frames])
    maes = [np.abs(wrong[symbols == one]).mean() for one in np.unique(symbols)]
    values = (np.sqrt(np.mean(off**2)), np.sqrt(np.mean(wrong**2)), np.mean(maes))
    names = ("energy_rmse", "force_rmse", "force_mae_species")
    return {name: 1000.0 * float(value) for name, value in zip(names, values, strict=True)}


def by_franken(train, val, test, features: int) -> dict[str, float]:
    """Fit by franken, predict the test frames."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = Path(folder) / "seconds.json"
        command = [needed_interpreter(), "-P", str(franken_rows.__file__), str(seconds)]
        settings = {"checkpoint": CHECKPOINT, "random_features": features}
        program = Program(settings, Path(folder) / "franken.log", 1, command)
        fitted = program.fit(train, val, test, test)
        rows = np.median(json.loads(seconds.read_text()))
    cost = {"frame": float(rows), "fit": fitted.found["training"]}
    return cost | errors(fitted.energy, fitted.forces, test)


def by_sparse(train, val, test, random: int, moved: Sequence[str], n_timed: int) -> dict:
    """Fit a sparse model, predict the test frames; then time the rows of some training frames."""
    rule = {"species": list(moved)}
    model = SparseMEKRR(BACKBONE, forces=random, force_atoms=rule)
    held = np.arange(len(train), len(train) + len(val))
    _, fit = clocked(lambda: model.fit([*train, *val], validation=held))
    potential = model.potential()
    found = [potential.evaluate(atoms) for atoms in test]
    of_test = errors(np.array([e.energy for e in found]), [e.forces for e in found], test)

    backbone, _, _ = open_backbone(BACKBONE, None)
    frames, layers = train[:n_timed], list(model.layers_)
    how = {"batch_size": {"cpu": "auto", "cuda": "auto"}, "device": torch.device("cpu")}
    how |= {"atoms": "all", "source": "frames"}
    along = [directions_of(atoms, random, rule) for atoms in frames]
    (features, _), forward = clocked(lambda: gather(backbone, frames, layers, **how))
    derivatives, moving = clocked(lambda: gather_directions(backbone, frames, along, layers, **how))
    energy = np.array([atoms.get_potential_energy() for atoms in frames])
    slope = slopes_along(along, [forces_of(atoms) for atoms in frames])
    sizes = np.array([len(atoms) for atoms in frames])
    data = Data(features, derivatives, energy, slope, sizes, [np.arange(len(frames))], False)

    def decomposed() -> list:
        parts = rows_of(model.model_.basis, model.layers_, data, 0.0)
        return [(rows.energies.triangle, rows.directions.triangle) for rows in parts]

    _, solving = clocked(decomposed)
    print(
        f"layers {model.layers_}, {len(model.model_.basis)} inducing atoms, {len(along[0])} "
        f"directions of a frame: features {forward / len(frames):.2f} s, derivatives "
        f"{moving / len(frames):.2f} s, rows and QR {solving / len(frames):.2f} s a frame"
    )
    return {"frame": (forward + moving + solving) / len(frames), "fit": fit} | of_test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", default=str(FRAMES), help="a file with energies and forces")
    parser.add_argument("--train", type=int, default=20)
    parser.add_argument("--val", type=int, default=10)
    parser.add_argument("--test", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="draws the frames")
    parser.add_argument("--features", type=int, default=1024, help="random features of franken")
    parser.add_argument("--random", type=int, default=8, help="random directions of a frame")
    parser.add_argument("--species", nargs="+", default=["C", "O", "H"], help="moved one by one")
    parser.add_argument("--timed", type=int, default=5, help="frames by which ours is timed")
    given = parser.parse_args()
    frames = ase.io.read(given.frames, ":")
    n_all = given.train + given.val + given.test
    drawn = np.random.default_rng(given.seed).permutation(len(frames))[:n_all]
    parts = np.split(drawn, np.cumsum([given.train, given.val]))
    train, val, test = ([frames[k] for k in part] for part in parts)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        ours = by_sparse(train, val, test, given.random, given.species, given.timed)
        theirs = by_franken(train, val, test, given.features)
    table = pd.DataFrame({"MEKRR sparse": ours, "franken": theirs}).T
    print(environment.collect())
    print(table.round(3).to_string())
    print(f"a training frame: franken takes {theirs['frame'] / ours['frame']:.1f} times as long")


if __name__ == "__main__":
    main()
