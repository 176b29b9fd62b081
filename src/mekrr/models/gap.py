"""GAP-SOAP: Gaussian approximation potentials on SOAP, fitted by gap_fit, evaluated by quippy.

A GAP is a sparse Gaussian process for energies of atoms. With unit SOAP vectors p, the energy
of an atom i of species s is

    e_i = e_0 + δ² Σ_m α_m (p_i · p_m)^ζ

over representative atoms m of the same species; only the sums over the atoms of a frame are
observed, and, where asked, their slopes, the forces. Equations: Bartók, Kondor and Csányi, Phys.
Rev. B 87, 184115 (2013); Bartók and Csányi, Int. J. Quantum Chem. 115, 1051 (2015).
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from mekrr.data.labels import forces_of
from mekrr.errors import DataError, MekrrError, first_line
from mekrr.files import atomic_path
from mekrr.models.problem import Problem
from mekrr.packages import install_extra
from mekrr.progress import progress_bar

METHOD = "GAP-SOAP"
POTENTIAL = "gap.xml"
UNUSED_SIGMA = 1.0  # of what is not fitted, virials and Hessians: 0 stops gap_fit
OWN = ("default_sigma", "forces")  # settings that are none of the descriptor


class GapError(MekrrError):
    """gap_fit or quippy failed."""


class GapMissing(GapError):
    """gap_fit or quippy is not installed."""


def fit_gap(
    model: str | os.PathLike,
    frames: Sequence[Atoms],
    energy: np.ndarray,
    settings: Mapping[str, Any],
    *,
    seed: int,
    log: str | os.PathLike,
    threads: int = 1,
) -> None:
    """Fit to energies, and forces where asked; write the potential, whole or not at all.

    The file is a tar archive of what gap_fit writes, under names that do not depend on time
    or place: the same fit gives the same bytes.

    Parameters
    ----------
    model : file to write.
    frames : the training frames.
    energy : (n_frames,) eV, references subtracted. Their mean per atom becomes the e_0 of
        every species (gap_fit's e0_method average).
    settings : options of gap_fit by its own names: ``default_sigma`` (eV/atom, the
        error that energies are taken to have) and those of the SOAP descriptor: ``n_max``,
        ``l_max``, ``cutoff`` and ``cutoff_transition_width`` (Å), ``atom_sigma`` (Å), ``zeta``,
        ``delta`` (eV), ``n_sparse`` (representative atoms per species, at most all that there
        are) and ``sparse_method``, how these are chosen. Where forces are learnt, ``forces``:
        ``sigma`` (eV/Å, the error that components are taken to have) and ``frames``, how many
        frames' forces, or "all": memory holds the slopes of their SOAP vectors.
    seed : of these choices.
    log : file for gap_fit's output.

    Raises
    ------
    GapError
        If gap_fit is missing or fails, with its own last message; or if it would need more memory
        for the forces than there is.
    DataError
        If forces are asked for and no frame has any.
    """
    program = _gap_fit()
    with tempfile.TemporaryDirectory(prefix="gap_fit-") as folder:
        cutoff = float(settings["cutoff"])
        copies = [_in_a_cell(atoms, cutoff) for atoms in frames]
        for copy, value in zip(copies, energy, strict=True):
            copy.info = {"target": float(value)}
        forces = settings.get("forces")
        force_sigma = forces["sigma"] if forces else UNUSED_SIGMA
        if forces:
            for k, own in _drawn_forces(frames, forces["frames"], seed):
                copies[k].arrays["target_force"] = own
        ase.io.write(Path(folder) / "train.xyz", copies, format="extxyz")
        options = {
            "atoms_filename": "train.xyz",
            "gap_file": POTENTIAL,
            "gap": _descriptors(frames, settings),
            "default_sigma": f"{{{settings['default_sigma']} {force_sigma} "
            f"{UNUSED_SIGMA} {UNUSED_SIGMA}}}",
            "e0_method": "average",
            "energy_parameter_name": "target",
            "do_copy_atoms_file": "F",
            "rnd_seed": seed + 1,  # it refuses 0
        }
        if forces:
            options["force_parameter_name"] = "target_force"
        command = [program, *(f"{key}={value}" for key, value in options.items())]
        if forces:
            _require_room(command, folder, Path(log))
        _run(command, folder, Path(log), threads)
        _pack(Path(folder), model)


class GapFile:
    """A file of `fit_gap`, opened by quippy: energies of frames, references subtracted.

    Raises
    ------
    GapError
        If quippy is missing, or the file cannot be read.
    """

    def __init__(self, path: str | os.PathLike):
        self._path = path
        with _unpacked(path) as potential:
            text = potential.read_text()
            # Imported here, since not every platform has it.
            try:
                from quippy.potential import Potential
            except ImportError as error:
                raise GapMissing(
                    f"quippy cannot be imported ({first_line(error)}); {install_extra('gap')}"
                ) from error
            self._species = {int(z) for z in _stated(r"species_Z=\{([\d ]+)\}", text, path).split()}
            self._cutoff = float(_stated(r"cutoff=([\d.]+)", text, path))
            self._calculator = Potential(param_filename=str(potential))
        self._calculator.set_default_properties(["energy"])  # and not forces

    def energy(self, atoms: Atoms, index: int = 0) -> float:
        """Return the energy of a frame in eV; ``index`` is its number in messages.

        Raises
        ------
        DataError
            If it has a species that no training frame had.
        GapError
            If the energy is not finite.
        """
        return self._calculated(atoms, index, ["energy"])["energy"]

    def evaluate(self, atoms: Atoms) -> Derivatives:
        """Return energy, forces and virial of a frame; raises the errors of `energy`."""
        found = self._calculated(atoms, 0, ["energy", "energies", "forces", "stress"])
        volume = self._calculator.atoms.get_volume()
        return Derivatives(
            found["energy"], found["energies"], found["forces"], -found["stress"] * volume
        )

    def _calculated(self, atoms: Atoms, index: int, properties: list[str]) -> dict:
        unknown = sorted(set(atoms.numbers.tolist()) - self._species)
        if unknown:
            raise DataError(
                f"frame {index}: the potential was fitted without "
                f"{', '.join(chemical_symbols[z] for z in unknown)}; leave the frame out, or "
                "fit to frames that have it"
            )
        self._calculator.calculate(_in_a_cell(atoms, self._cutoff), properties)
        if not np.isfinite(self._calculator.results["energy"]):
            raise GapError(
                f"{self._path}: energy of frame {index} is not finite; fit with a larger "
                "default_sigma"
            )
        return self._calculator.results


@dataclass(frozen=True)
class Derivatives:
    """Energy of a frame and its derivatives.

    Attributes
    ----------
    energy : eV. energies : (n,) those of the atoms.
    forces : (n, 3) eV/Å.
    virial : (6,) eV, -∂E/∂ε in Voigt order.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


def predict_gap(model: str | os.PathLike, frames: Sequence[Atoms]) -> np.ndarray:
    """Return energies (n_frames,) in eV of frames, by a file of `fit_gap`.

    Raises the errors of `GapFile` and of its `energy`.
    """
    file, energy = GapFile(model), np.empty(len(frames))
    with progress_bar(len(frames), METHOD, "frame") as bar:
        for index, atoms in enumerate(frames):
            energy[index] = file.energy(atoms, index)
            bar.update()
    return energy


@dataclass
class Gap:
    """A GAP-SOAP potential of residual energies, and of forces where settings ask for them.

    Parameters
    ----------
    settings, seed, threads : see `fit_gap`.
    log : file for gap_fit's output.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    log: str | os.PathLike = "gap_fit.log"
    threads: int = 1
    _archive: bytes | Path = field(init=False, repr=False)  # once fitted, once loaded

    def fit(self, problem: Problem, inputs: Sequence[Atoms]) -> Gap:
        """Fit by gap_fit; ``inputs`` are all frames of the problem. Raises a GapError."""
        train = problem.members("train")
        with tempfile.TemporaryDirectory(prefix="gap-") as folder:
            file = Path(folder) / "model.tar.gz"
            fit_gap(
                file,
                [inputs[index] for index in train],
                problem.residual[train],
                self.settings,
                seed=self.seed,
                log=self.log,
                threads=self.threads,
            )
            self._archive = file.read_bytes()
        return self

    def predict(self, problem: Problem, inputs: Sequence[Atoms]) -> tuple[np.ndarray, None]:
        """Return residual energies (n_frames,) in eV; raises the errors of `predict_gap`."""
        with self._file() as file:
            return predict_gap(file, inputs), None

    def save(self, path: str | os.PathLike) -> None:
        """Write the archive of `fit_gap`."""
        with self._file() as file, atomic_path(path) as temporary:
            shutil.copyfile(file, temporary)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Gap:
        """Take a potential from its file, which the first prediction opens."""
        model = cls()
        model._archive = Path(path)
        return model

    @contextmanager
    def _file(self) -> Iterator[Path]:
        if isinstance(self._archive, Path):
            yield self._archive
            return
        with tempfile.TemporaryDirectory(prefix="gap-") as folder:
            file = Path(folder) / "model.tar.gz"
            file.write_bytes(self._archive)
            yield file


def _gap_fit() -> str:
    """Path of the program: quippy's own, else one on PATH."""
    package = importlib.util.find_spec("quippy")
    folders = package.submodule_search_locations if package else None
    path = os.pathsep.join([*(folders or []), os.environ.get("PATH", "")])
    program = shutil.which("gap_fit", path=path)
    if program is None:
        raise GapMissing(f"gap_fit not found; {install_extra('gap')}")
    return program


def _drawn_forces(
    frames: Sequence[Atoms], count: int | str, seed: int
) -> list[tuple[int, np.ndarray]]:
    """Positions of frames that have forces, all or some of them, and these forces in eV/Å."""
    forces = [(k, own) for k, atoms in enumerate(frames) if (own := forces_of(atoms)) is not None]
    if not forces:
        raise DataError("no training frame has forces to be learnt; fit to energies alone")
    if count == "all":
        return forces
    drawn = np.random.default_rng(seed).permutation(len(forces))[: int(count)]
    return [forces[k] for k in drawn]


def _require_room(command: Sequence[str], folder: str, log: Path) -> None:
    """Refuse a fit for which this machine has too little memory, by gap_fit's own estimate."""
    _run([*command, "dryrun=T"], folder, log, 1, dry=True)
    told = log.read_text(encoding="utf-8")
    needed, there = (_size(name, told, log) for name in ("PEAK", "Total system memory"))
    if needed > there:
        raise GapError(
            f"gap_fit would need {needed / 1e3:.0f} GB to learn these forces, and there are "
            f"{there / 1e3:.0f}; learn those of fewer frames, or lower n_max or l_max"
        )


def _size(name: str, told: str, log: Path) -> float:
    """A size in gap_fit's estimate of its memory, in MB."""
    found = re.search(rf"{name}\s+(\d+) ([KMG])B", told)
    if found is None:
        raise GapError(f"{log}: gap_fit does not tell its {name}; {install_extra('gap')}")
    return int(found[1]) * {"K": 1e-3, "M": 1.0, "G": 1e3}[found[2]]


def _descriptors(frames: Sequence[Atoms], settings: Mapping[str, Any]) -> str:
    """One SOAP descriptor for each species as the centre, all species as neighbours."""
    counts = Counter(z for atoms in frames for z in atoms.numbers.tolist())
    neighbours = " ".join(map(str, sorted(counts)))
    shared = {key: value for key, value in settings.items() if key not in OWN}
    descriptors = []
    for species, count in sorted(counts.items()):
        options = shared | {
            "n_sparse": min(settings["n_sparse"], count),
            "covariance_type": "dot_product",
            "add_species": "F",
            "n_Z": 1,
            "Z": species,
            "n_species": len(counts),
            "species_Z": f"{{{{{neighbours}}}}}",
        }
        descriptors.append("soap " + " ".join(f"{key}={value}" for key, value in options.items()))
    return f"{{{' : '.join(descriptors)}}}"


def _in_a_cell(atoms: Atoms, cutoff: float) -> Atoms:
    """Positions and cell alone; a cell that holds all atoms where a frame is not periodic.

    Without a cell gap_fit finds no neighbours.
    """
    copy = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if not copy.pbc.all():
        copy.center(vacuum=cutoff, axis=tuple(np.flatnonzero(~copy.pbc)))
    return copy


def _run(
    command: Sequence[str], folder: str, log: Path, threads: int, *, dry: bool = False
) -> None:
    """Run gap_fit; in a ``dry`` run it writes no potential."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with open(log, "w", encoding="utf-8", errors="replace") as stream:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        stream.write(done.stderr)
    if done.returncode < 0:
        raise GapError(
            f"gap_fit was ended by signal {-done.returncode}, as if memory ran out; see {log}, "
            "and lower n_sparse or n_max"
        )
    if done.returncode or not (dry or (Path(folder) / POTENTIAL).is_file()):
        raise GapError(f"gap_fit failed: {_last_message(done.stderr, log)}; see {log}")


def _last_message(stderr: str, log: Path) -> str:
    """What gap_fit said last: on stderr, where it aborts, else in its log."""
    for text in (stderr, log.read_text(encoding="utf-8")):
        said = [line.strip() for line in text.splitlines()]
        said = [line for line in said if line and not line.startswith("STOP")]
        if said:
            return said[-1].removeprefix("SYSTEM ABORT:").strip()
    return "without a message"


def _pack(folder: Path, model: str | os.PathLike) -> None:
    """The potential and its representative atoms, the time of the fit taken out of all names."""
    text = (folder / POTENTIAL).read_text()
    stamp = _stated(r'<Potential label="([^"]+)"', text, model)
    (folder / POTENTIAL).write_text(text.replace(stamp, "GAP_SOAP_"))
    # gzip's and tar's own headers would state times and owners.
    with (
        atomic_path(model) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in sorted(folder.glob(f"{POTENTIAL}*")):
            member = tarfile.TarInfo(path.name.replace(stamp, "GAP_SOAP_"))
            member.size = path.stat().st_size
            with open(path, "rb") as stream:
                archive.addfile(member, stream)


def _stated(pattern: str, text: str, model: str | os.PathLike) -> str:
    """What the text of a potential has in the group of a pattern."""
    found = re.search(pattern, text)
    if found is None:
        raise GapError(f"{model}: {POTENTIAL} has no {pattern}; fit it anew")
    return found[1]


@contextmanager
def _unpacked(model: str | os.PathLike) -> Iterator[Path]:
    """Path of the potential, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="gap-") as folder:
        try:
            with tarfile.open(model, "r:gz") as archive:
                archive.extractall(folder, filter="data")
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise GapError(f"{model}: cannot be read ({first_line(error)}); fit it anew") from error
        potential = Path(folder) / POTENTIAL
        if not potential.is_file():
            raise GapError(f"{model}: holds no {POTENTIAL}; fit it anew")
        yield potential
