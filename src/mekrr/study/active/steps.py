"""The steps of a loop, each a job: what the rules of workflow/active.smk run."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.calculator.calculator import Calculator
from mekrr.data.frames import load_frames, read_frames, write_frames
from mekrr.data.variables import variable
from mekrr.dynamics.engine import Ending, simulate
from mekrr.dynamics.limits import Limits
from mekrr.dynamics.settings import Settings
from mekrr.dynamics.sinks import Files
from mekrr.errors import OtherRunError
from mekrr.features.atoms import selected
from mekrr.files import atomic_path, sha256, write_csv
from mekrr.models.load import load_model
from mekrr.models.potentials.frames import evaluate_frames
from mekrr.models.sparse_mekrr import SparseMEKRR
from mekrr.progress import progress_bar
from mekrr.selection import select_frames
from mekrr.selection.ways import strided
from mekrr.study.active.labels import labelled, rewritten
from mekrr.study.job import Step
from mekrr.study.surrogates.biases import Biased
from mekrr.study.surrogates.dynamics import biases

log = logging.getLogger(__name__)


def start(step: Step) -> None:
    """Draw the frames that are known at first."""
    frames = read_frames(step.input.frames, least=step.params.frames)
    rng = np.random.default_rng(int(step.wildcards.seed))
    places = np.sort(rng.permutation(len(frames))[: step.params.frames])
    rewritten(step.output.labelled, [frames[k] for k in places])


def draw(step: Step) -> None:
    """Add frames of long trajectories at random or by stride, as many as the loop would have."""
    known = read_frames(step.input.labelled)
    pool = read_frames(step.input.pool)[:: step.params.every]
    n = min(step.params.frames * int(step.wildcards.round), len(pool))
    if step.wildcards.way == "stride":
        places = strided(len(pool), n)
    else:
        rng = np.random.default_rng([1, int(step.wildcards.seed)])
        places = rng.permutation(len(pool))[:n]
    rewritten(step.output.labelled, [*known, *(pool[k] for k in places)])


def fit(step: Step) -> None:
    """Fit a potential to all frames that are known."""
    params = step.params
    model = SparseMEKRR(
        params.backbone, registry=params.registry, threads=step.threads, **params.fit
    )
    model.fit(read_frames(step.input.labelled))
    model.save(step.output.model)


def dynamics(step: Step) -> None:
    """Run the potential of the round before, from one of the first frames."""
    params, seed = step.params, [int(step.wildcards.seed), int(step.wildcards.round)]
    how = dict(params.dynamics)
    acting = {name: how.pop(name, []) for name in ("restraints", "walls")}
    limits, stop_above = Limits(**how.pop("limits")), how.pop("stop_above", None)
    frames = read_frames(step.input.start, least=1)
    rng = np.random.default_rng([2, *seed])
    begin = frames[int(rng.integers(len(frames)))]
    begin.info, begin.calc = {}, None
    settings = Settings(
        **{k: v for k, v in how.items() if k != "every"},
        every=how["every"],
        frames_every=how["every"],
        seed=int(rng.integers(2**31)),
    )
    biased = Biased(biases(acting, settings.temperature), begin)
    begin.set_constraint([*begin.constraints, biased])
    calculator = Calculator(
        load_model(step.input.model, registry=params.registry),
        warn_above=None,
        stop_above=stop_above,
        save=f"{step.output.frames}.uncertain.extxyz",
    )
    # Beside the outputs, which are removed if a job ends before its time.
    folder = Path(step.output.frames).with_suffix(".run")
    origin = {"model": sha256(step.input.model)}

    def run(update: Callable[[int], object]) -> Ending:
        folder.mkdir(parents=True, exist_ok=True)
        sink, checkpoint = Files(folder / "log.csv", folder / "frames.extxyz"), folder / "state.npz"
        how = settings, limits, sink, checkpoint, update, origin
        return simulate(begin, calculator, *how, act=_advance)

    with progress_bar(settings.steps, settings.ensemble, "steps") as bar:
        try:
            ending = run(bar.update)
        except OtherRunError as error:
            log.warning("%s: it begins anew", error)
            shutil.rmtree(folder)
            ending = run(bar.update)
    write_csv(step.output.log, pd.read_csv(folder / "log.csv").assign(left=ending.left))
    with atomic_path(step.output.frames) as temporary:
        shutil.copyfile(folder / "frames.extxyz", temporary)
    shutil.rmtree(folder)


def _advance(time_fs: float, atoms: Atoms) -> None:
    """Move the restraints, which are among the constraints of the atoms that move."""
    for constraint in atoms.constraints:
        if isinstance(constraint, Biased):
            constraint.advance(time_fs, atoms)


def select(step: Step) -> None:
    """Choose the frames of a trajectory that are to be labelled."""
    params = step.params
    trajectory = load_frames(step.input.frames)
    found = select_frames(
        trajectory,
        params.select["frames"],
        model=load_model(step.input.model, registry=params.registry),
        method=params.select["method"],
        atoms=params.select["atoms"],
        max_std=params.select.get("max_std"),
        registry=params.registry,
        threads=step.threads,
    )
    chosen = [trajectory[k] for k in found.places.tolist()]
    times = [atoms.info["time_fs"] for atoms in chosen]
    for atoms, std in zip(chosen, found.energy_stds.tolist(), strict=True):
        atoms.calc = None  # energies of the potential are no labels
        atoms.info |= {"energy_std": std}
    write_frames(step.output.chosen, chosen)
    write_csv(step.output.table, found.table.assign(time_fs=times, ended=found.ended))
    write_csv(step.output.left, found.left)


def label(step: Step) -> None:
    """Label the chosen frames, and add them to those that are known."""
    known = read_frames(step.input.labelled)
    chosen = load_frames(step.input.chosen)
    output = Path(step.output.labelled)
    rewritten(output, [*known, *labelled(chosen, step.params.label, output)])


def test(step: Step) -> None:
    """Write the errors of a potential, frame by frame."""
    params = step.params
    frames = read_frames(step.input.test)[:: params.every]
    model = load_model(step.input.model, registry=params.registry)
    found = evaluate_frames(model.potential(), frames, std=True, threads=step.threads)
    rows = []
    for atoms, predicted in zip(frames, found, strict=True):
        squares = (predicted.forces - atoms.get_forces(apply_constraint=False)) ** 2
        mask = selected(atoms, params.shown["atoms"], "test")
        error = 1000.0 * (predicted.energy - atoms.get_potential_energy()) / len(atoms)
        rows.append(
            {
                "frame": atoms.info["frame"],
                "variable": value_of(params.shown["variable"], atoms),
                "energy_error": error,
                "energy_std": 1000.0 * predicted.energy_std / len(atoms),
                "force_mse": 1e6 * squares.mean(),
                "force_mse_shown": 1e6 * squares[mask].mean(),
            }
        )
    n_known = len(read_frames(step.input.labelled))
    write_csv(step.output.errors, pd.DataFrame(rows).assign(n_train=n_known))


def value_of(spec: dict, atoms: Atoms) -> float:
    """Return a collective variable of a frame."""
    return float(variable(spec, atoms).value(atoms))


def trajectory_values(path: str, spec: dict) -> pd.DataFrame:
    """Return time (fs), uncertainty (meV/atom) and a variable of the frames of a trajectory."""
    rows = [
        {
            "time_fs": atoms.info["time_fs"],
            "energy_std": 1000.0 * atoms.info["energy_std"] / len(atoms),
            "variable": value_of(spec, atoms),
        }
        for atoms in load_frames(path)
    ]
    return pd.DataFrame(rows)
