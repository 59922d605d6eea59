"""How a carrier fills its sites: the relation of the unknown u, the occupancy and the chemical potential.

u is log(theta) for dilute carriers and logit(theta) on a lattice, so no value of u leaves the physical range
and 1e-20 of a site is as well resolved as a full lattice. Everything here is elementwise in u.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS
from ionics.laws import array

Values = Float[Array, "..."]


class Statistics(eqx.Module):
    """Occupancy and chemical potential as functions of u."""

    @abc.abstractmethod
    def occupancy(self, u: Values) -> Values:
        """theta = c / sites [1]."""

    @abc.abstractmethod
    def log_occupancy(self, u: Values) -> Values:
        """ln(theta), with its digits when theta is tiny."""

    @abc.abstractmethod
    def vacancy(self, u: Values) -> Values:
        """The share of empty sites [1]; one where sites do not run out."""

    @abc.abstractmethod
    def chemical(self, u: Values, temperature: Values) -> Values:
        """(mu - mu0) / RT."""

    @abc.abstractmethod
    def unknown(self, occupancy: Values) -> Values:
        """u of an occupancy."""


class Dilute(Statistics):
    """Boltzmann: mu = mu0 + RT ln(theta)."""

    def occupancy(self, u):
        return jnp.exp(u)

    def log_occupancy(self, u):
        return u

    def vacancy(self, u):
        return jnp.ones_like(u)

    def chemical(self, u, temperature):
        return u

    def unknown(self, occupancy):
        return jnp.log(occupancy)


class Lattice(Statistics):
    """Each site holds one: mu = mu0 + RT ln(theta / (1 - theta))."""

    def occupancy(self, u):
        return jax.nn.sigmoid(u)

    def log_occupancy(self, u):
        return jax.nn.log_sigmoid(u)

    def vacancy(self, u):
        return jax.nn.sigmoid(-u)

    def chemical(self, u, temperature):
        return u

    def unknown(self, occupancy):
        return jnp.log(occupancy) - jnp.log1p(-occupancy)


class Measured(Statistics):
    """An electrode whose lithium has a measured open-circuit curve: mu = -F U(theta), the whole of mu.

    Between the knots the monotone cubic of Fritsch and Carlson (SIAM J. Numer. Anal. 17 (1980) 238); beyond the
    first and last knot U continues in logit(theta) with the slope it had there but never less than the
    ideal RT/F, so that it stays monotone and finite at every filling.
    """

    knots: Float[Array, " knot"] = array()  # occupancy, increasing
    potentials: Float[Array, " knot"] = array()  # V against Li/Li+, decreasing
    slopes: Float[Array, " knot"] = array()  # V, dU/dtheta

    def __init__(self, occupancy, potential):
        from scipy.interpolate import PchipInterpolator

        curve = PchipInterpolator(occupancy, potential)
        self.knots, self.potentials = jnp.asarray(occupancy, float), jnp.asarray(potential, float)
        self.slopes = jnp.asarray(curve.derivative()(occupancy))

    def occupancy(self, u):
        return jax.nn.sigmoid(u)

    def log_occupancy(self, u):
        return jax.nn.log_sigmoid(u)

    def vacancy(self, u):
        return jax.nn.sigmoid(-u)

    def chemical(self, u, temperature):
        return -FARADAY / (GAS * temperature) * self.open_circuit(u, temperature)

    def unknown(self, occupancy):
        return jnp.log(occupancy) - jnp.log1p(-occupancy)

    def open_circuit(self, u: Values, temperature: Values) -> Values:
        """U [V] against Li/Li+."""
        first, last = self.knots[0], self.knots[-1]
        theta = jax.nn.sigmoid(u)
        inside = self._cubic(jnp.clip(theta, first, last))
        thermal = GAS * temperature / FARADAY
        low = self._tail(u, 0, thermal)
        high = self._tail(u, -1, thermal)
        return jnp.where(theta < first, low, jnp.where(theta > last, high, inside))

    def _cubic(self, theta):
        i = jnp.clip(jnp.searchsorted(self.knots, theta) - 1, 0, len(self.knots) - 2)
        left, width = self.knots[i], self.knots[i + 1] - self.knots[i]
        t = (theta - left) / width
        rise = self.potentials[i + 1] - self.potentials[i]
        a = self.slopes[i] * width - rise
        b = rise - self.slopes[i + 1] * width
        return self.potentials[i] + t * rise + t * (1 - t) * ((1 - t) * a + t * b)

    def _tail(self, u, end, thermal):
        theta = self.knots[end]
        slope = jnp.minimum(self.slopes[end] * theta * (1 - theta), -thermal)
        return self.potentials[end] + slope * (u - self.unknown(theta))
