"""Errors and warnings of the package.

Every message is one line that names the file, frame or key at fault and what to do.
"""


class MekrrError(Exception):
    """Base of all errors that a user can cause and mend."""


class ConfigError(MekrrError):
    """The configuration names something unknown or has a value of the wrong type."""


class DataError(MekrrError):
    """A data file, a frame of it or a split cannot be used."""


class BackboneError(MekrrError):
    """A backbone is unknown or does not apply to the frames given."""


class SolveError(MekrrError):
    """A kernel system cannot be solved."""


class TrainingError(MekrrError):
    """The training of a network failed."""


def first_line(error: Exception) -> str:
    """An error's message cut to one line; its repr if it has none."""
    return (str(error).strip().splitlines() or [repr(error)])[0]


class JitterWarning(UserWarning):
    """A kernel matrix needed a diagonal shift before it could be factorised."""


class MekrrWarning(UserWarning):
    """Base of the warnings that bear on results: a job shows them on the terminal too."""


class CompositionWarning(MekrrWarning):
    """Training frames leave the reference energies of a frame's composition undetermined."""


class IsolatedAtomWarning(MekrrWarning):
    """Isolated atoms among the frames are not used."""


class ConstantTargetWarning(MekrrWarning):
    """All that was to be learnt is the same number: nothing was learnt."""
