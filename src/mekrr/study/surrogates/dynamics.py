"""Biased Langevin dynamics whose frames carry unbiased labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE

from mekrr.data.variables import variable
from mekrr.study.surrogates.biases import Biased, Metadynamics, Restraint, Wall
from mekrr.study.surrogates.systems import build


def simulate_run(
    recipe: Mapping, number: int, calculator, progress: Callable[[int], None]
) -> list[Atoms]:
    """Return the frames of one run of a recipe, with its number; see `simulate`."""
    run = {**recipe["dynamics"], **recipe["runs"][number]}
    start = recipe["starts"][run.pop("start")]
    acting = recipe.get("biases", {}) if run.pop("biased", True) else {}
    frames = simulate(
        build(**recipe["system"], offsets=start),
        calculator,
        biases(acting, run["temperature"]),
        **run,
        progress=progress,
    )
    for frame in frames:
        frame.info["run"] = number
    return frames


def biases(recipe: Mapping, temperature: float) -> list[Restraint | Wall | Metadynamics]:
    """The biases of a recipe, new ones for every run. ``temperature`` is in K."""
    found: list[Restraint | Wall | Metadynamics] = []
    found += [Restraint(**settings) for settings in recipe.get("restraints", [])]
    found += [Wall(**settings) for settings in recipe.get("walls", [])]
    if "metadynamics" in recipe:
        found.append(Metadynamics(**recipe["metadynamics"], temperature=temperature))
    return found


def simulate(
    atoms: Atoms,
    calculator,
    biases: Sequence[Restraint | Wall | Metadynamics] = (),
    *,
    temperature: float,
    timestep: float,
    friction: float,
    equilibration: int,
    steps: int,
    every: int,
    seed: int,
    stop: Mapping | None = None,
    progress: Callable[[int], None] = lambda steps: None,
) -> list[Atoms]:
    """Relax, equilibrate (only walls act), then run; returns every ``every``-th frame.

    Parameters
    ----------
    atoms : the system.
    calculator : ASE calculator that gives the labels.
    biases : act on the dynamics, with a clock that starts after equilibration.
    temperature : K. timestep : fs. friction : 1/fs.
    equilibration, steps : integration steps, discarded and recorded (at most).
    seed : seeds velocities and thermostat.
    stop : ``variable``, ``above`` and ``after`` (fs): the run ends that long after the
        variable first exceeds that value.
    progress : called with the number of steps just done.

    Returns
    -------
    list of Atoms with energy (eV) and forces (eV/Å) of the calculator alone,
    ``info['time_fs']`` and ``info['temperature_K']`` (of the atoms that move) set.
    """
    atoms = atoms.copy()
    atoms.calc = calculator
    FIRE(atoms, logfile=None).run(fmax=0.05, steps=150)
    rng = np.random.default_rng(seed)
    thermalize_momenta(atoms, temperature, rng=rng)
    dynamics = Langevin(
        atoms,
        timestep * units.fs,
        temperature_K=temperature,
        friction=friction / units.fs,
        fixcm=False,
        rng=rng,
    )
    biased = Biased(biases, atoms)
    atoms.set_constraint([*atoms.constraints, biased])
    dynamics.run(equilibration)  # before the first hill and the first restraint
    progress(equilibration)

    watched = variable(stop["variable"], atoms) if stop else None
    end = steps
    frames = []
    for step in range(steps):
        if step >= end:
            break
        if step % every == 0 and (step or equilibration):  # all runs relax to one start
            frames.append(_labelled(atoms, step * timestep))
            progress(every)
        if watched and end == steps and watched.value(atoms) > stop["above"]:
            end = min(steps, step + round(stop["after"] / timestep))
        biased.advance(step * timestep, atoms)
        dynamics.run(1)
    return frames


def _labelled(atoms: Atoms, time: float) -> Atoms:
    frame = atoms.copy()
    frame.set_constraint([c for c in atoms.constraints if isinstance(c, FixAtoms)])
    frame.info["time_fs"] = round(time, 6)
    frame.info["temperature_K"] = round(atoms.get_temperature(), 1)
    for name in ("momenta", "masses"):
        frame.arrays.pop(name, None)
    frame.calc = SinglePointCalculator(
        frame,
        energy=float(atoms.calc.results["energy"]),
        forces=np.array(atoms.calc.results["forces"]),
    )
    return frame
