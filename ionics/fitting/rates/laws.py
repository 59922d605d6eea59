"""Laws of capacity against rate: the share of the capacity at low rates that is left, by R tau and an exponent.

Most are empirical; two are exact, for one limitation alone. What R is decides what they mean: see `measured_rate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Scalar = Float[Array, ""] | float
Points = Float[Array, " point"] | Float[np.ndarray, " point"]
HOUR = 3600.0  # s
SERIES = 0.05  # below, the share of Tian's law is summed as a series: its terms cancel
TANH = 0.522  # makes the share 1/2 at R tau = 1
SHORT = 0.3  # diffusion times up to which the sheet is half infinite with TERMS images, beyond as many waves
TERMS = np.arange(1.0, 5.0)  # of either series: the next is below rounding


@dataclass(frozen=True, eq=False)
class Law:
    """The capacity Q(R) = Q_M share(ln(R tau), n).

    share: written with the logarithm, so that neither end of it overflows; low: what the factor before it is called;
    held: parameters that the law does not have, at the value that leaves them out (SI); measured: whether it is a law
    of measured rates only.
    """

    name: str
    formula: str
    source: str
    share: Callable[[Array, Array], Array]
    low: str = "Q_M"
    held: Mapping[str, float] = field(default_factory=dict)
    measured: bool = False

    def capacity(self, low: Scalar, tau: Scalar, n: Scalar, rate: Points) -> Float[Array, " point"]:
        """Capacity in the unit of `low`, of tau [s], n [1] and rate [1/s]."""
        return low * self.share(jnp.log(rate) + jnp.log(tau), jnp.asarray(n))


def measured_rate(
    c_rate: Float[np.ndarray, " point"], capacity: Float[np.ndarray, " point"], nominal: float
) -> Float[np.ndarray, " point"]:
    """One over the time [h] that each discharge took: R = I / Q, from C-rates I / Q_nominal.

    capacity, nominal: in the same unit. Tian's R is this one. Where Q falls as R^-n, it falls as C^(-n / (1 - n)) with
    the C-rate C: diffusion (n = 1/2) as 1/C, and a resistance (n = 1) ends the capacity at one current.
    """
    return c_rate * nominal / capacity


def _tian(log_x, n):
    """1 - x^n (1 - exp(-x^-n)), with y = x^-n: falls from 1 - 1/y (slow) to y/2 (fast)."""
    y = jnp.exp(-n * log_x)
    small = y < SERIES
    low, high = jnp.where(small, y, 0.0), jnp.where(small, 1.0, y)
    series = low * (1 / 2 - low * (1 / 6 - low * (1 / 24 - low * (1 / 120 - low * (1 / 720 - low / 5040)))))
    return jnp.where(small, series, 1.0 + jnp.expm1(-high) / high)


def _rational(log_x, n):
    return jax.nn.sigmoid(-n * log_x)


def _tanh(log_x, n):
    x = jnp.exp(n * log_x) / TANH
    return jnp.tanh(x) / x


def _erfc(log_x, n):
    return jax.scipy.special.erfc(n * jnp.expm1(log_x)) / jax.scipy.special.erfc(-n)


def _power(log_x, n):
    return jnp.exp(-n * log_x)


def _diffusion(log_x, n):
    """Constant flux into a sheet of thickness L, tau = L^2/D, until its surface is full: at t = 1/(R tau).

    Share = t / surface, the filling of the surface after a unit flux for a time t (Carslaw and Jaeger, section 3.8).
    Its two forms are the same series, seen from short and from long times.
    """
    t = jnp.exp(-log_x)
    early = t < SHORT
    short, long = jnp.where(early, t, SHORT)[..., None], jnp.where(early, SHORT, t)[..., None]
    z = TERMS / jnp.sqrt(short)
    images = jnp.exp(-(z**2)) - np.sqrt(np.pi) * z * jax.scipy.special.erfc(z)  # sqrt(pi) ierfc(z)
    near = 2 * jnp.sqrt(short[..., 0] / np.pi) * (1 + 2 * jnp.sum(images, axis=-1))
    waves = jnp.sum(jnp.exp(-((np.pi * TERMS) ** 2) * long) / TERMS**2, axis=-1)
    return t / jnp.where(early, near, long[..., 0] + 1 / 3 - 2 / np.pi**2 * waves)


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(
            "tian",
            "Q_M (1 - (R tau)^n (1 - exp(-(R tau)^-n)))",
            "R. Tian et al., Nat. Commun. 10 (2019) 1933, doi 10.1038/s41467-019-09792-9",
            _tian,
        ),
        Law(
            "rational",
            "Q_M / (1 + (R tau)^n)",
            "N. N. Yazvinskaya et al., Energies 14 (2021) 5009, doi 10.3390/en14165009",
            _rational,
        ),
        Law(
            "tanh",
            "0.522 Q_M tanh((R tau)^n / 0.522) / (R tau)^n",
            "N. N. Yazvinskaya et al., Batteries 8 (2022) 118, doi 10.3390/batteries8090118",
            _tanh,
        ),
        Law(
            "erfc",
            "Q_M erfc(n (R tau - 1)) / erfc(-n)",
            "N. N. Yazvinskaya et al., Batteries 8 (2022) 118, doi 10.3390/batteries8090118",
            _erfc,
        ),
        Law(
            "peukert",
            "Q_1 R^-n, R in 1/h",
            "W. Peukert (1897), here after N. N. Yazvinskaya et al., Energies 15 (2022) 2825, doi 10.3390/en15082825",
            _power,
            low="Q_1",
            held={"tau": HOUR},
        ),
        Law(
            "diffusion",
            "Q_M / (1 + R tau (1 - S) / 3), S = 6/pi^2 sum_k exp(-k^2 pi^2 / (R tau)) / k^2, tau = L^2/D",
            "a sheet at constant current: H. S. Carslaw, J. C. Jaeger, Conduction of Heat in Solids (1959), 3.8",
            _diffusion,
            held={"n": 1.0},
            measured=True,
        ),
        Law(
            "resistance",
            "Q_M / (1 + R tau), tau = resistance x capacitance",
            "a capacitance emptied through a resistance at constant current",
            _rational,
            held={"n": 1.0},
            measured=True,
        ),
    )
}
