"""Kernels between two atoms' features. A new one is a class here and its line in `KERNELS`."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

LEAST = 1e-12  # keeps a curvature finite between equal features


@dataclass(frozen=True)
class AtomKernel:
    """A kernel k(h, h') between the features of two atoms.

    Attributes
    ----------
    label : what tables and figures call it.
    centred : whether models centre and scale it by the training frames.
    lengthscale : σ; NaN for a kernel without.
    """

    label: ClassVar[str]
    centred: ClassVar[bool] = False
    lengthscale: float


@dataclass(frozen=True)
class Radial(AtomKernel, abc.ABC):
    """A function of |h - h'|/σ, σ = ``lengthscale`` > 0, that is 1 between equal features."""

    @abc.abstractmethod
    def apply(self, exponent: Any, xp: ModuleType) -> None:
        """Turn x = -|h - h'|²/2σ² into kernel values, in place, by ``xp``: numpy or torch."""

    @abc.abstractmethod
    def with_slope(self, exponent: Any, xp: ModuleType) -> tuple[Any, Any]:
        """Return kernel values and their derivatives dk/dx, ≥ 0, for ``exponent`` x, not kept.

        The gradient is ∂k/∂h = dk/dx (h' - h)/σ².
        """

    @abc.abstractmethod
    def curvature(self, exponent: Any, xp: ModuleType) -> Any:
        """Return d²k/dx² for ``exponent`` x, not kept.

        Where it grows without bounds towards x = 0, x d²k/dx² does not.
        """


class Gaussian(Radial):
    """k(h, h') = exp(-|h - h'|² / (2 σ²))."""

    label = "Gaussian"

    def apply(self, exponent: Any, xp: ModuleType) -> None:
        xp.exp(exponent, out=exponent)

    def with_slope(self, exponent: Any, xp: ModuleType) -> tuple[Any, Any]:
        self.apply(exponent, xp)
        return exponent, exponent

    def curvature(self, exponent: Any, xp: ModuleType) -> Any:
        self.apply(exponent, xp)
        return exponent


class Matern(Radial):
    """Matérn kernel of r = |h - h'|/σ (Rasmussen and Williams, eq. 4.17)."""

    order: ClassVar[int]

    def apply(self, exponent: Any, xp: ModuleType) -> None:
        self._scale(exponent, xp)
        polynomial = 1.0 + exponent
        if self.order == 5:
            polynomial += exponent**2 / 3.0
        xp.negative(exponent, out=exponent)
        xp.exp(exponent, out=exponent)
        exponent *= polynomial

    def with_slope(self, exponent: Any, xp: ModuleType) -> tuple[Any, Any]:
        # With z = √order r: dk/dx = 3 exp(-z), and 5/3 (1 + z) exp(-z).
        self._scale(exponent, xp)
        decay = xp.exp(-exponent)
        if self.order == 3:
            return (1.0 + exponent) * decay, 3.0 * decay
        slope = (1.0 + exponent) * decay
        return slope + exponent**2 / 3.0 * decay, (5.0 / 3.0) * slope

    def curvature(self, exponent: Any, xp: ModuleType) -> Any:
        # With z as above: 9 exp(-z)/z, and 25/3 exp(-z).
        self._scale(exponent, xp)
        decay = xp.exp(-exponent)
        if self.order == 3:
            return 9.0 * decay / (exponent + LEAST)
        return (25.0 / 3.0) * decay

    def _scale(self, exponent: Any, xp: ModuleType) -> None:
        """Turn x into √order r, in place."""
        exponent *= exponent < 0.0  # rounding may leave it above
        exponent *= -2.0 * self.order
        xp.sqrt(exponent, out=exponent)


class Matern5(Matern):
    """k(h, h') = (1 + √5 r + 5 r²/3) exp(-√5 r)."""

    label = "Matérn 5/2"
    order = 5


class Matern3(Matern):
    """k(h, h') = (1 + √3 r) exp(-√3 r)."""

    label = "Matérn 3/2"
    order = 3


@dataclass(frozen=True)
class Linear(AtomKernel):
    """k(h, h') = h · h'."""

    label = "linear"
    centred = True
    lengthscale: float = math.nan


KERNELS = {  # from the smoothest to the roughest
    "gaussian": Gaussian,
    "matern5": Matern5,
    "matern3": Matern3,
    "linear": Linear,
}
RADIAL = tuple(name for name, kernel in KERNELS.items() if issubclass(kernel, Radial))
