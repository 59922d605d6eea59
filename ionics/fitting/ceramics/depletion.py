"""Resistance of a space-charge layer beyond that of the neutral grain: closed forms and their inverses.

u = z F (phi_core - phi_grain) / RT, positive where the carrier is depleted. All functions give the excess of one layer
in Debye lengths: integral of (c_grain / c - 1) dx / L, with L = sqrt(eps RT / (F^2 sum z^2 c)) of the grain.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import dawsn, lambertw

HIGHEST = 600.0  # RT; exp(u) is a number up to there


def depletion(u: float) -> float:
    """A dilute carrier between immobile dopants, nothing left out: integral of (e^v - 1) / sqrt(2 (e^-v + v - 1)) dv.

    The first integral of Poisson's equation, by quadrature; negative for u < 0 (accumulation). Mott-Schottky is its
    limit for high barriers.
    """
    top = max(u, 0.0)

    def integrand(v):
        if abs(v) < 1e-4:  # both are differences of nearly equal numbers there
            return np.exp(-top) * (1 + 2 * v / 3)
        return (np.exp(v - top) - np.exp(-top)) / np.copysign(np.sqrt(2 * (np.expm1(-v) + v)), v)

    near = [v for v in (u - 1, u - 5, u - 20) if 0 < v < u]  # where the integrand is large
    return float(np.exp(top) * quad(integrand, 0.0, u, epsabs=0, epsrel=1e-10, limit=200, points=near or None)[0])


def parabola(u: float) -> float:
    """The depletion approximation: integral of exp(u (1 - x/lambda*)^2) over lambda* = L sqrt(2 u).

    It is sqrt(2) e^u D(sqrt u), D Dawson's integral. The neutral grain's own sqrt(2 u) is not subtracted.
    """
    return float(np.sqrt(2.0) * np.exp(u) * dawsn(np.sqrt(u)))


def mott_schottky(u: float) -> float:
    """exp(u) / sqrt(2 u): the form in use, `parabola` for high barriers (Fleig, Rodewald, Maier 2000).

    It lacks a share of 1/(2 u) of `parabola` and of 1/u of `depletion`.
    """
    return float(np.exp(u) / np.sqrt(2 * u))


def gouy_chapman(u: float) -> float:
    """Carrier and dopant of opposite charge both in equilibrium: 2 (exp(u/2) - 1), exactly.

    Since (e^v - 1) / (2 sinh(v/2)) = e^(v/2). L counts both of them.
    """
    return float(2 * np.expm1(u / 2))


def barrier_of_times(ratio: float) -> float:
    """u with exp(u) / (2 u) = ratio of the time constants; NaN below e/2, which no barrier has."""
    return _upper(2 * ratio)


def barrier_of_excess(excess: float) -> float:
    """u with `mott_schottky(u)` = excess; NaN below sqrt(e), which no barrier has."""
    return 0.5 * _upper(excess**2)


def barrier_of_gouy_chapman(excess: float) -> float:
    """u with `gouy_chapman(u)` = excess; of any sign."""
    return 2 * float(np.log1p(excess / 2)) if excess > -2 else np.nan


def barrier_of_depletion(excess: float) -> float:
    """u with `depletion(u)` = excess, by bracketing; of any sign. NaN where |u| would exceed 600."""
    if not np.isfinite(excess):
        return np.nan
    high = 4 + np.log1p(max(excess, 0.0)) * 1.5
    low = -1.0
    while depletion(low) > excess:
        low *= 2
        if low < -HIGHEST:
            return np.nan
    return float(brentq(lambda u: depletion(u) - excess, low, min(high, HIGHEST), xtol=1e-12, rtol=1e-13))


def _upper(y):
    """v > 1 with e^v / v = y: the lower branch of Lambert's function."""
    return -float(lambertw(-1 / y, -1).real) if y >= np.e else np.nan
