"""Molecular dynamics that ends where it leaves the physics, and goes on where it was killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mekrr.dynamics.limits import Limits
from mekrr.dynamics.settings import NVE, Settings, draw_momenta, integrator
from mekrr.dynamics.sinks import Row, Sink
from mekrr.dynamics.state import read_state, version, write_state
from mekrr.errors import MekrrError, OtherRunError, OutputError, UncertaintyError, first_line

PAUSE = 30.0  # seconds between two states on disk
UNCERTAIN = "uncertain"
FORMAT = 1  # of a checkpoint
OF_SINK = "sink_"  # before the names of its arrays in a checkpoint


@dataclass(frozen=True)
class Ending:
    """Where a run has ended.

    Attributes
    ----------
    begun : the step that it went on from, 0 of a run from its start.
    done : the last step that is done.
    left : why it ended before its time; "" if it did not.
    """

    begun: int
    done: int
    left: str

    @property
    def uncertain(self) -> bool:
        """Whether the calculator stopped it, by its ``stop_above``."""
        return self.left.startswith(UNCERTAIN)


def simulate(
    start: Atoms,
    calculator: Calculator,
    settings: Settings,
    limits: Limits,
    sink: Sink,
    checkpoint: str | os.PathLike,
    progress: Callable[[int], object] = lambda steps: None,
    origin: Mapping[str, object] | None = None,
    act: Callable[[float, Atoms], object] = lambda time_fs, atoms: None,
) -> Ending:
    """Run to the end, or until limits are passed; from the checkpoint if there is one.

    A run that goes on from its checkpoint is the unbroken one. One that came to its end goes on
    if more steps are asked for; one that was left, if the limits are others. A MekrrError of the
    calculator ends the run at the step before, but at the start it is raised.

    Parameters
    ----------
    start : its constraints and masses count, and its momenta where it has some; else these are
        drawn, the same of all runs with the same start and settings, whatever the calculator.
    calculator : its ``stop_above``, where it has one, is one of the limits.
    sink : takes the log and the frames.
    checkpoint : the file of its state, written now and then, at the end, and when interrupted.
        Whoever needs it no more removes it.
    progress : called with the number of steps just done.
    origin : what else a run must have in common with its checkpoint, such as the checksum of its
        model: names and values that JSON holds.
    act : called before each step with the time (fs) at which it begins, such as what moves a bias
        among the constraints; it must need nothing but these.

    Raises
    ------
    OtherRunError
        If the checkpoint is of another run: other settings, beyond the steps, another start, or
        another potential, whose energy of the start is another.
    DataError, OutputError
        If the checkpoint or what it tells of is damaged; if something is in the sink's way, or
        another process in the same run.
    """
    atoms = start.copy()
    atoms.calc = calculator
    rng = np.random.default_rng(settings.seed)
    if atoms.get_momenta().any():
        atoms.set_momenta(atoms.get_momenta())  # none of atoms that are fixed
    else:
        draw_momenta(atoms, settings.temperature, rng)
    dynamics = integrator(atoms, settings, rng)
    first = Row.of(0.0, atoms)
    run = {k: v for k, v in asdict(settings).items() if k != "steps"} | dict(origin or {})
    run |= {"constraints": str(atoms.constraints), "format": [FORMAT, type(sink).__name__]}
    begin = _start(atoms, first)
    ends = json.dumps(asdict(limits) | {"std": getattr(calculator, "stop_above", None)})
    done, left, known = -1, "", version(checkpoint)

    def save() -> None:
        nonlocal known
        if version(checkpoint) != known:
            raise OutputError(
                f"{checkpoint}: another process has written or deleted it meanwhile; this one "
                "stops and leaves all to that"
            )
        own = {"done": np.array(done), "left": np.array(left), "ends": np.array(ends)}
        of_sink = {f"{OF_SINK}{name}": values for name, values in sink.state().items()}
        write_state(checkpoint, run, begin | own | _place(atoms, rng) | of_sink)
        known = version(checkpoint)

    saved = read_state(checkpoint, run, begin)
    if saved is None:
        sink.begin()
        save()  # before the first row: what a sink then holds is not without a checkpoint
    else:
        done = int(saved["done"])
        if done > settings.steps:
            raise OtherRunError(
                f"{checkpoint}: checkpoint of a longer run, at step {done} of {settings.steps}; "
                "ask for no fewer steps, or delete it, or write to another place"
            )
        left = str(saved["left"]) if str(saved["ends"]) == ends else ""
        of_sink = {k: v for k, v in saved.items() if k.startswith(OF_SINK)}
        sink.resume({k.removeprefix(OF_SINK): v for k, v in of_sink.items()})
        _put(saved, atoms, rng)
    begun, written = max(done, 0), time.monotonic()
    progress(begun)
    for step in range(done + 1, 1 + (done if left else settings.steps)):
        if step:
            before = _place(atoms, rng)
            act(round((step - 1) * settings.timestep, 6), atoms)
            try:
                dynamics.run(1)
            except MekrrError as error:  # what the potential says of a frame that is none
                why = UNCERTAIN if isinstance(error, UncertaintyError) else "no energy"
                left = f"{why}: {first_line(error)}"
                _put(before, atoms, rng)
                break
            except KeyboardInterrupt:
                _put(before, atoms, rng)
                save()
                raise
        now = round(step * settings.timestep, 6)
        if step % settings.every == 0 or limits.too_hot(
            atoms.get_temperature(), settings.temperature
        ):
            row = Row.of(now, atoms)
            sink.add_row(row)
            left = _left(row, first, len(atoms), settings, limits) if step else ""
        if not left and step % settings.frames_every == 0:
            sink.add_frame(now, atoms)
        done = step
        progress(min(step, 1))
        if left:
            break
        if time.monotonic() - written > PAUSE:
            save()
            written = time.monotonic()
    save()
    return Ending(begun, done, left)


def _start(atoms: Atoms, first: Row) -> dict[str, np.ndarray]:
    """Return what tells a start from others, by the names that a message has for it."""
    return {
        "elements": atoms.numbers,
        "masses": atoms.get_masses(),
        "cell": atoms.cell.array,
        "periodicity": atoms.pbc,
        "positions of the start": atoms.get_positions(),
        "velocities of the start": atoms.get_velocities(),
        "energy of the start": np.array(first.potential_energy),
    }


def _place(atoms: Atoms, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return all that decides the next step, as arrays."""
    return {
        "positions": atoms.get_positions(),
        "momenta": atoms.get_momenta(),
        "random": np.array(json.dumps(rng.bit_generator.state)),
    }


def _put(place: Mapping[str, np.ndarray], atoms: Atoms, rng: np.random.Generator) -> None:
    """Put atoms and generator to where `_place` was asked for."""
    atoms.set_positions(place["positions"], apply_constraint=False)
    atoms.set_momenta(place["momenta"], apply_constraint=False)
    rng.bit_generator.state = json.loads(str(place["random"]))


def _left(row: Row, first: Row, n_atoms: int, settings: Settings, limits: Limits) -> str:
    """Return why a row is beyond the limits, "" if it is not."""
    drift = (row.total_energy - first.total_energy) / n_atoms
    return limits.passed(
        row.temperature_K,
        settings.temperature,
        row.closest,
        drift if settings.ensemble == NVE else None,
    )
