"""The Fermi-Dirac integral of order 1/2, its logarithm and its inverse, to rounding.

F(u) = 2/sqrt(pi) int_0^inf sqrt(x) / (1 + exp(x - u)) dx: below LOW the series in exp(u), above HIGH Sommerfeld's
expansion, between them piecewise Chebyshev interpolation of ln F from quadrature that converges exponentially.
Blakemore, Solid-State Electron. 25 (1982) 1067.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gamma, zeta

Values = Float[Array, "..."]
LOW, HIGH, PIECES, DEGREE = -4.0, 40.0, 22, 19


def fermi_dirac(u: Values) -> tuple[Values, Values]:
    """F(u) and ln F(u)."""
    tail = jnp.exp(jnp.minimum(u, LOW))
    k = np.arange(2, 13)
    series = jnp.polyval(jnp.asarray(np.append(((-1.0) ** (k + 1) / k**1.5)[::-1], 0.0)), tail)
    low = u + jnp.log1p(series)
    far = jnp.maximum(u, HIGH)
    n = np.arange(1, 8)
    eta = (1 - 2.0 ** (1 - 2 * n)) * zeta(2 * n)
    sommerfeld = 2 * eta * gamma(2.5) / gamma(2.5 - 2 * n)
    high = 1.5 * jnp.log(far) - np.log(gamma(2.5)) + jnp.log1p(_even(sommerfeld, 1 / far**2))
    log = jnp.where(u < LOW, low, jnp.where(u > HIGH, high, _between(u)))
    return jnp.exp(log), log


@jax.jit
def inverse_fermi_dirac(theta: Values) -> Values:
    """u with F(u) = theta."""
    theta = jnp.asarray(theta, float)
    wanted = jnp.log(theta)
    u = jnp.where(theta < 1, wanted + 0.35 * theta, (theta * gamma(2.5)) ** (2 / 3))
    for _ in range(6):  # ln F is smooth and concave: Newton gains digits from any start
        here, ahead = fermi_dirac(u)[1], fermi_dirac(u + 1e-4)[1]
        u = u + (wanted - here) * 1e-4 / (ahead - here)
    return u


def _even(coefficients, square: Values) -> Values:
    total = jnp.zeros_like(square)
    for c in coefficients[::-1]:
        total = (total + c) * square
    return total


def _between(u: Values) -> Values:
    """Clenshaw's sum of the piece that holds u."""
    width = (HIGH - LOW) / PIECES
    place = (jnp.clip(u, LOW, HIGH) - LOW) / width
    piece = jnp.clip(jnp.floor(place).astype(int), 0, PIECES - 1)
    t = 2 * (place - piece) - 1
    table = jnp.asarray(_table())
    b, c = jnp.zeros_like(u), jnp.zeros_like(u)
    for k in range(DEGREE, 0, -1):
        b, c = table[k][piece] + 2 * t * b - c, b
    return table[0][piece] + t * b - c


@functools.cache
def _table() -> Float[np.ndarray, "order piece"]:
    """Chebyshev coefficients of ln F on each piece."""
    edges = np.linspace(LOW, HIGH, PIECES + 1)
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    u = edges[:-1, None] + 0.5 * (edges[1] - edges[0]) * (nodes + 1)
    s = np.arange(-600, 601) * 0.02  # x = s^2 makes the integrand even and entire but for poles beyond |Im s| = 0.24
    values = np.empty_like(u)
    for i in range(PIECES):
        above = s[:, None] ** 2 - u[i]
        values[i] = np.log(0.04 / np.sqrt(np.pi) * np.sum(s[:, None] ** 2 * np.exp(-np.logaddexp(0, above)), axis=0))
    return np.polynomial.chebyshev.chebfit(nodes, values.T, DEGREE)
