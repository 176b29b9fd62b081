"""What the estimator is given: frames, features, kernels, energies; taken as meant, or refused.

Each refusal is one line, raised before anything is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
from ase import Atoms
from ase.symbols import Symbols
from scipy.sparse import issparse

from mekrr.data.labels import (
    check_energy,
    check_forces,
    energy_fault,
    energy_of,
    missing_forces,
    stress_of,
)
from mekrr.data.references import is_isolated, separate_isolated
from mekrr.data.structure import HEAVIEST, check_structure
from mekrr.errors import DataError, DataWarning, InputError, first_line
from mekrr.features.store import FrameFeatures

ASYMMETRY = 1e-5  # of the largest entry: float32 leaves less in a kernel
EXPECTED = (
    "frames must be a list of ase.Atoms, and features a FrameFeatures; a kernel needs "
    "kernel='precomputed'"
)

Given = list[Atoms] | FrameFeatures | np.ndarray


def take(X: object, kernel: str) -> tuple[str, Given]:
    """What X is, "frames", "features" or a "kernel", and X itself, checked.

    Any iterable of frames is one of these, and is consumed; of features too. ``kernel`` is the
    estimator's parameter. Raises an InputError, or a DataError for an unusable frame.
    """
    if kernel == "precomputed":
        matrix = real_array(X, "kernel", n_axes=2)
        return "kernel", matrix.astype(np.float64, copy=False)
    if isinstance(X, FrameFeatures):
        return "features", _checked_features(X)
    if isinstance(X, Atoms | str | bytes | Mapping) or not _is_iterable(X):
        raise InputError(f"X is a {type(X).__name__}: {EXPECTED}")
    items = list(X)
    if not items:
        raise InputError("no frames; give at least one")
    if all(isinstance(item, FrameFeatures) for item in items):
        return "features", _joined([_checked_features(part) for part in items])
    for index, item in enumerate(items):
        if not isinstance(item, Atoms):
            raise InputError(f"frame {index} is a {type(item).__name__}: {EXPECTED}")
        check_structure(item, f"frame {index}")
    return "frames", items


def take_energies(kind: str, X: Given, y: object) -> np.ndarray:
    """Energies (n,) in eV: those given or, without any, those that the frames come with."""
    if y is not None:
        energies = _one_each(y, len(X), "y", "energy")
        for index in np.flatnonzero(~np.isfinite(energies)):
            raise InputError(
                f"frame {index}: energy is {energies[index]}; remove or recompute the frame"
            )
        return energies
    if not isinstance(X, list):
        raise InputError(f"{kind} without energies; give them as y, in eV")
    return np.array([check_energy(atoms, f"frame {k}") for k, atoms in enumerate(X)])


def take_forces(frames: Sequence[Atoms]) -> list[np.ndarray | None]:
    """Forces (n, 3), eV/Å, of each frame that comes with such; warns if only some do.

    Raises a DataError for forces that are there but cannot be used, and an InputError if no frame
    has any.
    """
    forces = [check_forces(atoms, f"frame {k}") for k, atoms in enumerate(frames)]
    if all(own is None for own in forces):
        raise InputError(
            "no frame has forces; give frames with forces in eV/Å, or forces=0 and no force_atoms "
            "to fit to energies alone"
        )
    if note := missing_forces([atoms for atoms in frames if not is_isolated(atoms)]):
        warnings.warn(note, DataWarning, stacklevel=5)
    return forces


def take_stress(frames: Sequence[Atoms]) -> list[np.ndarray | None]:
    """Stress (6,), eV/Å³, of each frame that comes with a usable one; warns if only some do.

    Raises an InputError if no frame has any.
    """
    stress = [stress_of(atoms) for atoms in frames]
    without = [k for k, own in enumerate(stress) if own is None]
    if len(without) == len(frames):
        raise InputError(
            "no frame has a cell and a stress of six numbers; give such in eV/Å³, or stress=False"
        )
    if without:
        warnings.warn(
            f"{len(without)} of {len(frames)} frames have no usable stress (the first of them is "
            f"frame {without[0]})",
            DataWarning,
            stacklevel=5,
        )
    return stress


def take_energies_beside(
    frames: list[Atoms], y: object, forces: Sequence[np.ndarray | None]
) -> np.ndarray:
    """`take_energies`, but NaN for a frame that has none, yet forces; warns of such.

    An isolated atom needs its energy.
    """
    if y is not None:
        return take_energies("frames", frames, y)
    energies = np.full(len(frames), np.nan)
    for k, (atoms, own) in enumerate(zip(frames, forces, strict=True)):
        absent = energy_of(atoms) is None and energy_fault(atoms) is None
        if own is None or is_isolated(atoms) or not absent:
            energies[k] = check_energy(atoms, f"frame {k}")
    missing = np.flatnonzero(np.isnan(energies))
    if 0 < len(missing) < len(frames):
        warnings.warn(
            f"{len(missing)} of {len(frames)} frames have no energy (the first of them is frame "
            f"{missing[0]}); they count for forces only",
            DataWarning,
            stacklevel=5,
        )
    return energies


def take_weights(values: object, n: int, name: str) -> np.ndarray:
    """``values`` as (n,) numbers from 0, such as weights or a kernel's diagonal."""
    weights = _one_each(values, n, name, "number")
    for index in np.flatnonzero(~((weights >= 0) & np.isfinite(weights))):
        raise InputError(f"{name}[{index}] is {weights[index]}; give finite numbers from 0")
    return weights


def take_validation(validation: object, n: int) -> np.ndarray | None:
    """Indices of validation frames among n, each once, from a mask (n,) or from indices.

    As numpy's, indices below 0 count from the end. None stays None.
    """
    if validation is None:
        return None
    if isinstance(validation, str | bytes | Mapping) or not _is_iterable(validation):
        raise InputError(f"validation={validation!r} is neither a mask nor indices of frames")
    items: Any = validation if hasattr(validation, "__array__") else list(validation)
    if len(items) == 0:
        raise InputError("validation names no frame; leave it out to choose by leave-one-out")
    array = _as_array(items, "validation")
    if array.ndim != 1:
        raise InputError(f"validation of shape {array.shape} should be one-dimensional")
    if array.dtype == bool:
        if len(array) != n:
            raise InputError(f"validation is a mask of {len(array)} frames, but there are {n}")
        if not array.any():
            raise InputError("validation names no frame; leave it out to choose by leave-one-out")
        return np.flatnonzero(array)
    # Between integers, numpy takes True for 1.
    if array.dtype.kind not in "iu" or any(isinstance(item, bool | np.bool_) for item in items):
        raise InputError(
            "validation should be a mask of True and False, or indices of frames, which are "
            f"integers; it holds {_contents(array)}"
        )
    for index in array[(array < -n) | (array >= n)]:
        raise InputError(f"validation names frame {index}, but there are {n}, from 0 to {n - 1}")
    # In the order given, which is the order of sums over them.
    return np.array(list(dict.fromkeys((array.astype(np.int64) % n).tolist())))


def check_square(kernel: np.ndarray) -> None:
    """Raise an InputError unless a kernel is one between frames, the same in rows and columns."""
    n = len(kernel)
    if kernel.shape != (n, n):
        raise InputError(f"a kernel of shape {kernel.shape} is not between {n} frames")
    difference = np.abs(kernel - kernel.T)
    i, j = np.unravel_index(difference.argmax(), kernel.shape)
    if difference[i, j] > ASYMMETRY * np.abs(kernel).max():
        raise InputError(
            f"kernel is not symmetric: {kernel[i, j]:g} in row {i}, column {j}, but "
            f"{kernel[j, i]:g} in row {j}, column {i}"
        )


def numbers_of(X: list[Atoms] | FrameFeatures) -> list[np.ndarray]:
    """Return the atomic numbers of each frame."""
    if isinstance(X, FrameFeatures):
        return np.split(X.species, X.pointer[1:-1])
    return [atoms.numbers for atoms in X]


def require_known(numbers: list[np.ndarray], species: Iterable[str]) -> None:
    """Raise a DataError for the first frame with an element that no training frame has."""
    for index, frame in enumerate(numbers):
        unknown = set(Symbols(frame)) - set(species)
        if unknown:
            raise DataError(
                f"frame {index}: no training frame has {', '.join(sorted(unknown))}; fit with "
                "frames that do, or leave it out"
            )


def size_doubt(n_atoms: np.ndarray, training: np.ndarray) -> str | None:
    """Return why energies of whole frames (n,) are not to be compared; None if they may be.

    Parameters
    ----------
    n_atoms, training : atoms, of these frames and of the training frames, that enter the kernel.
    """
    sizes = np.unique(np.concatenate([n_atoms, training]))
    if len(sizes) == 1:
        return None
    return (
        f"frames of {sizes[0]} to {sizes[-1]} atoms are compared as wholes by form='intensive', "
        "which is for frames of as many atoms: energies are wrong; fit with form='extensive'"
    )


def formulas_of(numbers: list[np.ndarray]) -> list[str]:
    """Return the chemical formula of each frame, from its atomic numbers."""
    return [Symbols(frame).get_chemical_formula() for frame in numbers]


def without_isolated(
    frames: list[Atoms], energy: np.ndarray, validation: np.ndarray | None
) -> tuple[list[Atoms], np.ndarray, np.ndarray | None, dict[str, float]]:
    """Return frames, energies (n,) in eV and validation indices without isolated atoms.

    And the energies of these by species, see `separate_isolated`.
    """
    kept, isolated = separate_isolated(frames, energy.tolist(), "frames")
    if not isolated:
        return frames, energy, validation, isolated
    if validation is not None:
        validation = np.flatnonzero(np.isin(kept, validation))
        if len(validation) == 0:
            raise InputError("validation names isolated atoms only; name other frames")
    return [frames[index] for index in kept], energy[kept], validation, isolated


def real_array(values: object, name: str, n_axes: int) -> np.ndarray:
    """``values`` as an array of finite real numbers, float64 unless it is float already."""
    array = _real(values, name)
    if array.ndim != n_axes:
        raise InputError(f"{name} of shape {array.shape}: Reshape your data to {n_axes} axes")
    if array.size == 0:
        axis = 0 if len(array) == 0 else 1
        what = ("sample(s)", "feature(s)")[axis]
        raise InputError(
            f"{name}: 0 {what} (shape={array.shape}) while a minimum of 1 is required."
        )
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0].tolist())
        what = "NaN" if np.isnan(array[place]) else "infinity"
        raise InputError(f"{name} contains {what}, first at {place}; compute it anew")
    return array


def _checked_features(given: FrameFeatures) -> FrameFeatures:
    """Features that fit together, as arrays."""
    rows = real_array(given.features, "features", n_axes=2)
    species = _integers(given.species, "species of features")
    pointer = _integers(given.pointer, "pointer of features")
    if len(species) != len(rows):
        raise InputError(f"features of {len(rows)} atoms, but species of {len(species)}")
    if ((species < 1) | (species > HEAVIEST)).any():
        raise InputError(f"species of features are atomic numbers from 1 to {HEAVIEST}")
    if len(pointer) < 2 or pointer[0] != 0 or pointer[-1] != len(rows):
        raise InputError(
            f"pointer of features should begin with 0 and end with their {len(rows)} atoms"
        )
    for frame in np.flatnonzero(np.diff(pointer) <= 0):
        raise InputError(f"frame {frame}: has no atoms; remove it from features")
    return FrameFeatures(rows, species, pointer)


def _joined(parts: Sequence[FrameFeatures]) -> FrameFeatures:
    """The frames of all ``parts`` one after the other."""
    widths = sorted({part.features.shape[1] for part in parts})
    if len(widths) > 1:
        raise InputError(f"features have widths {', '.join(map(str, widths))}; give those of one")
    n_atoms = np.concatenate([part.n_atoms for part in parts])
    return FrameFeatures(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.species for part in parts]),
        np.concatenate([[0], np.cumsum(n_atoms)]),
    )


def _integers(values: object, name: str) -> np.ndarray:
    array = _as_array(values, name)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{name} should be one-dimensional, of integers")
    return array


def _one_each(values: object, n: int, name: str, what: str) -> np.ndarray:
    array = _real(values, name)
    if array.shape != (n,):
        raise InputError(f"{n} frames, but {name} of shape {array.shape}; give one {what} each")
    return array.astype(np.float64, copy=False)


def _real(values: object, name: str) -> np.ndarray:
    """As an array of real numbers; text and truth values are none, though numpy converts them."""
    if isinstance(values, Atoms | FrameFeatures):
        raise InputError(f"{name} is a {type(values).__name__}; give real numbers")
    array = _as_array(values, name)
    if array.dtype == object and all(
        isinstance(value, Real) and not isinstance(value, bool) for value in array.flat
    ):
        array = array.astype(np.float64)
    if array.dtype.kind == "c":
        raise InputError(f"{name}: Complex data not supported; give real numbers")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} holds {_contents(array)}; give real numbers")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _as_array(values: object, name: str) -> np.ndarray:
    if issparse(values):
        raise InputError(f"{name} is sparse; give a dense array (its toarray())")
    if np.ma.is_masked(values):
        raise InputError(f"{name} has masked entries; remove them")
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # of ragged lists, tensors on a GPU
        raise InputError(f"{name} is no array of numbers: {first_line(error)}") from error


def _contents(array: np.ndarray) -> str:
    """What an array holds, in a few words."""
    if array.dtype != object:
        return array.dtype.name
    return " and ".join(sorted({type(value).__name__ for value in array.flat}))


def _is_iterable(value: object) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, Iterable) and not (isinstance(value, np.ndarray) and value.ndim == 0)
