"""The flux of a carrier between two nodes: functions of two ends, no grid, no stack.

The Scharfetter-Gummel flux with the excess chemical potential inside the exponent (SEDAN; Yu and Dutton 1988;
Bessemoulin-Chatard, Numer. Math. 121 (2012) 637; Farrell et al., J. Comput. Phys. 346 (2017) 497): it is zero
exactly when the electrochemical potential is flat, whatever the statistics.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.transport.statistics import Filling

Values = Float[Array, "..."]


def bernoulli(x: Values) -> Values:
    """B(x) = x / (exp(x) - 1), good to rounding in its value and in its derivative.

    Newton takes the derivative, and differentiating x / expm1(x) loses every digit near zero; hence the
    series. Both branches see safe inputs so that neither yields a NaN.
    """
    small = jnp.abs(x) < 0.2
    near = jnp.where(small, x, 0.0)
    far = jnp.where(small, 1.0, x)
    square = near * near
    series = (
        1 - near / 2 + square / 12 * (1 - square / 60 * (1 - square / 42 * (1 - square / 40 * (1 - square / 39.6))))
    )
    # exp(-|x|) never overflows: for x > 0 both numerator and denominator are multiplied by exp(-x)
    decay = jnp.exp(-jnp.abs(far))
    direct = jnp.where(far > 0, far * decay, -far) / -jnp.expm1(-jnp.abs(far))
    return jnp.where(small, series, direct)


class Mobility(eqx.Module):
    """How a carrier gets from one node to the next."""

    @abc.abstractmethod
    def flux(self, left: Filling, right: Filling, drop: Values) -> Values:
        """Occupancy flux times distance over diffusivity [1], positive from left to right.

        left, right: the filling at the two ends; drop: z F (phi_right - phi_left) / RT [1].
        """

    def one_way(self, left: Filling, right: Filling) -> Values:
        """What would pass in the easier direction without a field and without what comes back, in the same unit."""
        return jnp.maximum(left.occupancy, right.occupancy)


class Vehicle(Mobility):
    """J = -(D c / RT) grad(eta)."""

    def flux(self, left, right, drop):
        x = drop + (right.chemical - right.log_occupancy) - (left.chemical - left.log_occupancy)
        return bernoulli(x) * left.occupancy - bernoulli(-x) * right.occupancy


class Hopping(Mobility):
    """J = -(D c (1 - theta) / RT) grad(eta): a jump needs an empty site.

    An ideal lattice gas without a field then obeys Fick's law with D at every filling.
    """

    def flux(self, left, right, drop):
        x = drop + (right.chemical - right.ratio) - (left.chemical - left.ratio)
        return bernoulli(x) * left.occupancy * right.vacancy - bernoulli(-x) * right.occupancy * left.vacancy

    def one_way(self, left, right):
        return jnp.maximum(left.occupancy * right.vacancy, right.occupancy * left.vacancy)


class Chemical(Mobility):
    """J = -D grad(c) of a neutral carrier: D is the chemical diffusivity that titration and pulses measure."""

    def flux(self, left, right, drop):
        return left.occupancy - right.occupancy


class Immobile(Mobility):
    """A trap, a dopant that can be ionised: it fills and empties by reactions only."""

    def flux(self, left, right, drop):
        return jnp.zeros_like(drop)
