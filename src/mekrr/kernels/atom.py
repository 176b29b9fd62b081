"""Kernels between two atoms' features."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Gaussian:
    """k(h, h') = exp(-|h - h'|² / (2 σ²)), σ = ``lengthscale`` > 0."""

    lengthscale: float

    def apply(self, exponent: object, xp: ModuleType) -> None:
        """Turn -|h - h'|²/2σ² into kernel values, in place, by ``xp``: numpy or torch."""
        xp.exp(exponent, out=exponent)


@dataclass(frozen=True)
class Matern:
    """Matérn kernel of r = |h - h'|/σ (Rasmussen and Williams, eq. 4.17).

    ``order`` 3: (1 + √3 r) exp(-√3 r); 5: (1 + √5 r + 5 r²/3) exp(-√5 r).
    """

    lengthscale: float
    order: int = 5

    def apply(self, exponent: object, xp: ModuleType) -> None:
        """Turn -|h - h'|²/2σ² into kernel values, in place, by ``xp``: numpy or torch."""
        exponent *= exponent < 0.0  # rounding may leave it above
        exponent *= -2.0 * self.order
        xp.sqrt(exponent, out=exponent)
        polynomial = 1.0 + exponent
        if self.order == 5:
            polynomial += exponent**2 / 3.0
        xp.negative(exponent, out=exponent)
        xp.exp(exponent, out=exponent)
        exponent *= polynomial


@dataclass(frozen=True)
class Linear:
    """k(h, h') = h · h'."""


AtomKernel = Gaussian | Matern | Linear
