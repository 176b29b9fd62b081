"""Errors and warnings of the package.

Every message is one line that names the file, frame or key at fault and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class MekrrError(Exception):
    """Base of all errors that a user can cause and mend."""


class ConfigError(MekrrError):
    """The configuration names something unknown or has a value of the wrong type."""


class DataError(MekrrError):
    """A data file, a frame of it or a split cannot be used."""


class OtherRunError(DataError):
    """A checkpoint is not of the run that was to go on from it."""


class ModelFileError(DataError):
    """A file is no fitted model, or not one as it was written."""


class InputError(DataError, ValueError):
    """What the estimator was given cannot be used; a ValueError, as scikit-learn has it."""


class OutputError(MekrrError):
    """A file cannot be written where, or in the format that, it was asked for."""


class BackboneError(MekrrError):
    """A backbone is unknown or does not apply to the frames given."""


class SolveError(MekrrError):
    """A kernel system cannot be solved."""


class TrainingError(MekrrError):
    """The training of a network failed."""


class UncertaintyError(MekrrError):
    """A potential is less certain of an energy than it was asked to be; see `stop_above`."""


def first_line(error: Exception) -> str:
    """An error's message cut to one line; its repr if it has none."""
    return printable((str(error).strip().splitlines() or [repr(error)])[0])


def first_fault(error: ValidationError) -> str:
    """The first field that pydantic refused, and why."""
    fault = error.errors(include_url=False, include_input=False)[0]
    within = fault.get("ctx", {}).get("key", "")  # of a rule on a whole mapping
    field = ".".join(str(key)[:80] for key in (*fault["loc"], within) if key != "")
    why = fault["msg"].removeprefix("Value error, ")
    return printable(": ".join(filter(None, [field, why]))[:300])


def one_line(text: object) -> str:
    """A message as one line that no terminal takes for orders."""
    return printable(" ".join(str(text).split()))


def printable(text: str) -> str:
    """A text of others with what could steer a terminal escaped: ESC as \\x1b."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class JitterWarning(UserWarning):
    """A kernel matrix needed a diagonal shift before it could be factorised."""


class MekrrWarning(UserWarning):
    """Base of the warnings that bear on results: a job shows them on the terminal too."""


class DataWarning(MekrrWarning):
    """Data can be used, but may not be whole or not mean what they seem to."""


class CompositionWarning(MekrrWarning):
    """Training frames do not decide the energies of a frame's composition, or number of atoms."""


class IsolatedAtomWarning(MekrrWarning):
    """Isolated atoms among the frames are not used."""


class ConstantTargetWarning(MekrrWarning):
    """All that was to be learnt is the same number: nothing was learnt."""


class UncertaintyWarning(MekrrWarning):
    """A potential is less certain of an energy than its training leads one to expect."""
