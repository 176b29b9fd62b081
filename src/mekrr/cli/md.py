"""`mekrr md`: molecular dynamics by a fitted model."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mekrr.cli.arguments import Commands, integer, number, registry, threads
from mekrr.cli.md_summary import told
from mekrr.cli.printing import line
from mekrr.errors import BackboneError, ConfigError, DataError, UncertaintyError
from mekrr.files import check_output, sha256

if TYPE_CHECKING:
    from ase import Atoms

    from mekrr.calculator.calculator import Calculator
    from mekrr.dynamics.engine import Ending
    from mekrr.dynamics.limits import Limits
    from mekrr.dynamics.settings import Settings

ENSEMBLES = ("nve", "langevin", "bussi")
OF_ONE = {"friction": ("langevin", 0.01), "time_constant": ("bussi", 100.0)}  # and its default
STOPPED, LEFT = 3, 4  # exit status
FRAMES = ".extxyz"
MOST = 1e9


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "md",
        parents=[registry(), threads()],
        help="run molecular dynamics",
        description="Run molecular dynamics by a fitted model. The same command again goes on "
        "where it was ended, killed or interrupted; more --steps go on from a run that came to its "
        "end.",
        epilog=f"Exit status: 0 at the end, {STOPPED} where --stop-above stopped it, {LEFT} where "
        "it left the physics, 130 after Ctrl-C, else 1 or 2.",
    )
    command.set_defaults(command=run)
    command.add_argument("model", metavar="MODEL", help="file that `mekrr fit` wrote")
    command.add_argument(
        "start",
        metavar="START",
        help="file that ASE reads, whose last frame is the start; FILE@10 for another one. Its "
        "constraints count, and its momenta where it has some",
    )
    command.add_argument(
        "--format", metavar="FMT", help="ASE's name of the file's format (default: by content)"
    )
    command.add_argument(
        "-o",
        "--output",
        required=True,
        type=_prefix,
        metavar="PREFIX",
        help="where to write: PREFIX.csv is the log, PREFIX.extxyz the frames, PREFIX.npz the "
        "checkpoint, PREFIX.uncertain.extxyz what --stop-above stopped at",
    )
    command.add_argument(
        "--steps", type=integer(1), required=True, metavar="N", help="steps, from the start"
    )
    command.add_argument(
        "--ensemble",
        choices=ENSEMBLES,
        default="langevin",
        help="nve: energy conserved, velocity Verlet; temperature kept: langevin, or bussi, "
        "stochastic velocity rescaling (default: %(default)s)",
    )
    command.add_argument(
        "--temperature",
        type=number(1e-3, 1e6),
        metavar="K",
        help="of the thermostat, of momenta that are drawn (where START has none, or with --draw), "
        "and what --hottest multiplies (default, of nve alone: that of START)",
    )
    command.add_argument("--draw", action="store_true", help="draw momenta, even if START has some")
    command.add_argument(
        "--timestep",
        type=number(1e-6, 1e3),
        default=1.0,
        metavar="FS",
        help="fs (default: %(default)s)",
    )
    command.add_argument(
        "--friction",
        type=number(0, MOST),
        metavar="G",
        help=f"of langevin, 1/fs (default: {OF_ONE['friction'][1]})",
    )
    command.add_argument(
        "--time-constant",
        type=number(1e-6, MOST),
        metavar="FS",
        help=f"of bussi, fs (default: {OF_ONE['time_constant'][1]})",
    )
    command.add_argument(
        "--seed",
        type=integer(0),
        default=0,
        metavar="N",
        help="of drawn momenta and of the thermostat (default: %(default)s)",
    )
    command.add_argument(
        "--every",
        type=integer(1),
        default=10,
        metavar="N",
        help="steps between two rows of the log (default: %(default)s)",
    )
    command.add_argument(
        "--frames-every",
        type=integer(1),
        default=100,
        metavar="N",
        help="steps between two frames (default: %(default)s)",
    )
    command.add_argument(
        "--stop-above",
        type=number(0, MOST),
        metavar="E",
        help="stop where the standard deviation of the energy exceeds E, eV/atom",
    )
    command.add_argument("--no-std", action="store_true", help="compute no standard deviations")
    command.add_argument(
        "--float64", action="store_true", help="compute in float64, several times slower"
    )
    limits = command.add_argument_group("limits", "where a run has left the physics, and ends")
    limits.add_argument(
        "--hottest",
        type=number(1, MOST),
        default=5.0,
        metavar="X",
        help="temperature, as a multiple of --temperature (default: %(default)s)",
    )
    limits.add_argument(
        "--closest",
        type=number(0, 1),
        default=0.5,
        metavar="X",
        help="distance of two atoms, as a share of the sum of their covalent radii (default: "
        "%(default)s)",
    )
    limits.add_argument(
        "--drift",
        type=number(0, MOST),
        default=50.0,
        metavar="E",
        help="of nve: total energy, from that of the start, meV/atom (default: %(default)s)",
    )


@dataclass(frozen=True)
class Outputs:
    """The files of a run, by its prefix."""

    prefix: str

    @property
    def log(self) -> str:
        """The log, CSV."""
        return f"{self.prefix}.csv"

    @property
    def frames(self) -> str:
        """The trajectory."""
        return f"{self.prefix}{FRAMES}"

    @property
    def checkpoint(self) -> str:
        """The state of the run."""
        return f"{self.prefix}.npz"

    @property
    def uncertain(self) -> str:
        """The frames at which runs were stopped."""
        return f"{self.prefix}.uncertain{FRAMES}"

    def check(self, *inputs: str | None) -> None:
        """Raise an OutputError, before any work, if one cannot be written or is an input."""
        given = [path for path in inputs if path is not None]
        for path in (self.log, self.frames, self.checkpoint, self.uncertain):
            check_output(path, given)


def run(options: argparse.Namespace) -> None:
    """Run, or go on with a run, and tell what it was like."""
    import pandas as pd
    from threadpoolctl import threadpool_limits

    from mekrr.calculator.calculator import Calculator
    from mekrr.data.reading import split_index
    from mekrr.dynamics.limits import Limits
    from mekrr.models.load import load_model
    from mekrr.torch_settings import own_torch_settings

    _require_consistent(options)
    output = Outputs(options.output)
    output.check(options.model, split_index(options.start)[0], options.registry)
    where, start = _start(options.start, options.format)
    drawn = options.draw or not start.get_momenta().any()
    if drawn:
        start.set_momenta(None)
    settings = _settings(options, start, where, drawn)
    limits = Limits(options.hottest, options.closest, options.drift)
    dtype = "float64" if options.float64 else "float32"
    model = load_model(options.model, registry=options.registry)
    model.set_params(threads=options.threads)
    print(line("start", f"{where}, {len(start)} atoms {start.get_chemical_formula()}"))
    print(line("dynamics", _described(settings)))
    own = f"drawn at {settings.temperature:g} K, seed {settings.seed}"
    print(line("momenta", own if drawn else f"those of the start, {start.get_temperature():.4g} K"))
    with own_torch_settings(options.threads), threadpool_limits(options.threads, "blas"):
        calculator = Calculator(
            model,
            dtype=dtype,
            std=False if options.no_std else None,
            stop_above=options.stop_above,
            save=output.uncertain,
        )
        origin = {
            "model": sha256(options.model),
            "dtype": dtype,
            "standard deviations": calculator.std,
        }
        begun = time.monotonic()
        try:
            _require_energy(start, where, calculator)
            ending = _simulated(start, calculator, settings, limits, output, origin)
        except UncertaintyError as error:  # of the start itself
            print(line("ended", error))
            sys.exit(STOPPED)
    seconds = time.monotonic() - begun
    log = pd.read_csv(output.log)
    print(*told(ending, settings, limits, log, len(start), seconds), sep="\n")
    print(f"written: {output.log}, {output.frames}, {output.checkpoint}")
    if ending.left:
        sys.exit(STOPPED if ending.uncertain else LEFT)


def _require_consistent(options: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    for name, (ensemble, _) in OF_ONE.items():
        if options.ensemble != ensemble and getattr(options, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')} goes with --ensemble {ensemble}")
    if options.temperature is None and (options.draw or options.ensemble != "nve"):
        why = "--draw" if options.draw else f"--ensemble {options.ensemble}"
        raise ConfigError(f"{why} needs --temperature")
    if options.no_std and options.stop_above is not None:
        raise ConfigError("--stop-above needs standard deviations: leave --no-std out")


def _start(source: str, form: str | None) -> tuple[str, Atoms]:
    """Return the frame that is meant, and its place."""
    from mekrr.data.reading import iter_frames, split_index
    from mekrr.data.structure import check_structure

    frames = deque(iter_frames(source, form), maxlen=2)
    if isinstance(split_index(source)[1], slice) and len(frames) > 1:
        raise DataError(f"{source}: several frames; name the one to start from, as FILE@10")
    where, atoms = frames[-1]
    check_structure(atoms, where)
    try:
        free = atoms.get_number_of_degrees_of_freedom()
    except NotImplementedError:
        kinds = ", ".join(sorted({type(c).__name__ for c in atoms.constraints}))
        raise DataError(
            f"{where}: ASE counts no degrees of freedom of constraints such as {kinds}; remove them"
        ) from None
    if free < 1:
        raise DataError(f"{where}: all atoms are fixed; free some")
    atoms.set_momenta(atoms.get_momenta())  # none of atoms that are fixed
    return where, atoms


def _settings(options: argparse.Namespace, start: Atoms, where: str, drawn: bool) -> Settings:
    from mekrr.dynamics.settings import Settings

    temperature = options.temperature
    if temperature is None:
        if drawn:
            raise DataError(f"{where}: has no momenta; give --temperature to draw some")
        temperature = start.get_temperature()
    names = ("ensemble", "timestep", "steps", "every", "frames_every", "seed")
    given = {name: getattr(options, name) for name in names}
    for name, (ensemble, default) in OF_ONE.items():
        if options.ensemble == ensemble:
            value = getattr(options, name)
            given[name] = default if value is None else value
    return Settings(temperature=temperature, **given)


def _described(settings: Settings) -> str:
    """Tell how a run is made."""
    parts = [settings.ensemble]
    if settings.ensemble != "nve":
        parts.append(f"{settings.temperature:g} K")
    if settings.friction is not None:
        parts.append(f"friction {settings.friction:g}/fs")
    if settings.time_constant is not None:
        parts.append(f"time constant {settings.time_constant:g} fs")
    return ", ".join([*parts, f"steps of {settings.timestep:g} fs"])


def _require_energy(start: Atoms, where: str, calculator: Calculator) -> None:
    """Compute the energy of the start, which is kept; an error names the frame."""
    try:
        calculator.get_potential_energy(start)
    except (DataError, BackboneError) as error:
        raise type(error)(f"{where}: {error}") from error


def _simulated(
    start: Atoms,
    calculator: Calculator,
    settings: Settings,
    limits: Limits,
    output: Outputs,
    origin: Mapping[str, object],
) -> Ending:
    """Run with a progress bar; tell whoever interrupts it how to go on."""
    from mekrr.dynamics.engine import simulate
    from mekrr.dynamics.sinks import Files
    from mekrr.progress import progress_bar

    how = start, calculator, settings, limits, Files(output.log, output.frames), output.checkpoint
    try:
        with progress_bar(settings.steps, "dynamics", "steps") as bar:
            return simulate(*how, bar.update, origin)
    except KeyboardInterrupt:
        print(
            f"mekrr: interrupted; the same command goes on from {output.checkpoint}",
            file=sys.stderr,
        )
        raise


def _prefix(text: str) -> str:
    """Return a prefix of files' names; one that is a trajectory's name is its prefix."""
    prefix = text.removesuffix(FRAMES)
    if not os.path.basename(prefix) or prefix == "-":
        raise argparse.ArgumentTypeError(f"{text!r} is no beginning of files' names, as run/one")
    return prefix
