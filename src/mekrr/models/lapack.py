"""Reduction of a symmetric matrix to a tridiagonal one, many of them at once.

numpy has no such routine, and scipy's wrappers hold Python's lock while they work, so that
threads would wait for each other. Here LAPACK is called through the functions that scipy
exports for Cython, without the lock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cython_lapack

WORKSPACE = 64  # doubles per row: LAPACK's largest block


class Tridiagonal:
    """A = Q B Qᵀ with B symmetric tridiagonal and Q orthogonal, float64, in O(n³).

    Parameters
    ----------
    matrix : (n, n) symmetric and finite; its lower triangle is read.

    Attributes
    ----------
    diagonal : (n,) of B.
    beside : (n - 1,) next to the diagonal of B.
    """

    def __init__(self, matrix: np.ndarray):
        # In Fortran's order of elements this is the transpose, its triangle the upper one.
        self._a = np.array(matrix, dtype=np.float64, order="C")
        n = len(self._a)
        # scipy's wrappers of the solvers ask for one element beside the diagonal even where n is 1.
        self.diagonal, self.beside, self._tau = np.empty(n), *np.zeros((2, max(n - 1, 1)))
        work = np.empty(WORKSPACE * n)
        b = (self.diagonal, self.beside, self._tau)
        _call("dsytrd", b"U", n, self._a, n, *b, work, len(work))

    def rotate(self, vectors: np.ndarray, *, back: bool = False) -> np.ndarray:
        """(m, n) Q v of each of m vectors (m, n); Qᵀ v if ``back``. Costs O(m n²)."""
        rotated = np.array(vectors, dtype=np.float64, order="C")
        m, n = rotated.shape
        work = np.empty(max(WORKSPACE * n, m))
        q = (n, m, self._a, n, self._tau)
        _call("dormtr", b"L", b"U", b"T" if back else b"N", *q, rotated, n, work, len(work))
        return rotated

    def columns(self) -> np.ndarray:
        """(n, n) the columns of Q, one a row. Costs O(n³)."""
        q = self._a.copy()
        work = np.empty(WORKSPACE * len(q))
        _call("dorgtr", b"U", len(q), q, len(q), self._tau, work, len(work))
        return q


def _routine(name: str, n_arguments: int) -> Callable[..., None]:
    capsule = cython_lapack.__pyx_capi__[name]
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)
    return prototype(pointer_of(capsule, name_of(capsule)))


_ROUTINES = {
    name: _routine(name, n_arguments)
    for name, n_arguments in {"dsytrd": 10, "dormtr": 13, "dorgtr": 8}.items()
}


def _call(name: str, *arguments: bytes | int | np.ndarray) -> None:
    """Call a routine by LAPACK's own list of arguments, but for the last, its status."""
    status = ctypes.c_int()
    _ROUTINES[name](*map(_pointer, arguments), ctypes.byref(status))
    if status.value:
        raise ValueError(f"{name}: argument {-status.value} is wrong")


def _pointer(argument: bytes | int | np.ndarray) -> Any:
    """What ctypes takes for a pointer to an argument."""
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    return argument.ctypes.data if isinstance(argument, np.ndarray) else argument
