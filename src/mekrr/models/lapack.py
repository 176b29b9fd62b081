"""Reduction of a symmetric matrix to a tridiagonal one, and of any to a bidiagonal one.

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
from scipy.linalg.lapack import dgtsv

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


class Bidiagonal:
    """A = Q B Pᵀ with B upper bidiagonal, Q and P orthogonal, float64, in O(n³).

    Parameters
    ----------
    matrix : (n, n), finite.
    """

    def __init__(self, matrix: np.ndarray):
        self._a = np.array(matrix, dtype=np.float64, order="F")
        n = len(self._a)
        self._diagonal, self._beside = np.empty(n), np.zeros(max(n - 1, 1))
        self._tau_q, self._tau_p = np.empty((2, n))
        work = np.empty(2 * WORKSPACE * n)
        b = (self._diagonal, self._beside, self._tau_q, self._tau_p)
        _call("dgebrd", n, n, self._a, n, *b, work, len(work))

    def ridge(self, target: np.ndarray, regularisations: np.ndarray) -> np.ndarray:
        """Return the x (n_λ, n) that minimise |A x - y|² + λ |x|², for λ > 0. Costs O(n²) each.

        With c = Pᵀ x and z = Qᵀ y the residuals z - B c = √λ r obey Bᵀ r = √λ c: both are one
        tridiagonal system, whose condition is that of A, not its square.

        Parameters
        ----------
        target : (n,), y.
        """
        n, z = len(target), self._apply(b"Q", b"T", self._tau_q, target[None])[0]
        found = np.empty((len(regularisations), n))
        # In the order c_1, r_1, c_2, r_2, …
        beside = np.empty(2 * n - 1)
        beside[::2], beside[1::2] = self._diagonal, self._beside[: n - 1]
        right = np.zeros(2 * n)
        right[1::2] = z
        for k, root in enumerate(np.sqrt(regularisations)):
            diagonal = np.tile([-root, root], n)
            *_, solved, fault = dgtsv(beside, diagonal, beside, right)
            assert fault == 0
            found[k] = solved[::2]
        return self._apply(b"P", b"N", self._tau_p, found)

    def _apply(self, which: bytes, how: bytes, tau: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return Q v or P v, or with their transposes, of each of m vectors (m, n)."""
        rotated = np.array(rows, dtype=np.float64, order="C")
        m, n = rotated.shape
        work = np.empty(max(WORKSPACE * n, m))
        a = (self._a, n, tau)
        _call("dormbr", which, b"L", how, n, m, n, *a, rotated, n, work, len(work))
        return rotated


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
    for name, n_arguments in {
        "dsytrd": 10,
        "dormtr": 13,
        "dorgtr": 8,
        "dgebrd": 11,
        "dormbr": 14,
    }.items()
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
