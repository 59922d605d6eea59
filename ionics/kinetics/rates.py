"""Rate laws: how fast a reaction at a junction runs down its affinity.

A reaction takes what its left side loses to what its right side gains; its affinity is
A = sum(nu eta)_left - sum(nu eta)_right [J mol-1], its rate r > 0 [mol m-2 s-1] runs left to right. A law
states the relation between the two as a residual that vanishes, so that laws without a finite rate
constant (equilibrium, blocked) need no large or small numbers.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS
from ionics.laws import Law, array

Scalar = Float[Array, ""]


class RateLaw(eqx.Module):
    """residual(rate, affinity, ...) = 0."""

    @abc.abstractmethod
    def residual(
        self,
        rate: Scalar,
        affinity: Scalar,
        electrons: int,
        activities: tuple[Scalar, Scalar],
        temperature: Scalar,
    ) -> Scalar:
        """The law as something that vanishes.

        rate [mol m-2 s-1]; affinity [J mol-1]; electrons: elementary charges carried per turn (1 for a
        neutral carrier); activities: products of occupancies that feed the forward and the backward
        reaction [1]; temperature [K].
        """


class Blocked(RateLaw):
    """Nothing passes."""

    def residual(self, rate, affinity, electrons, activities, temperature):
        return rate


class Equilibrium(RateLaw):
    """Infinitely fast: the affinity is zero whatever passes."""

    def residual(self, rate, affinity, electrons, activities, temperature):
        return affinity / (GAS * temperature)


class Linear(RateLaw):
    """A resistance per area: A / (n F) = n F r R."""

    resistance: Law  # Ohm m2

    def residual(self, rate, affinity, electrons, activities, temperature):
        charge = electrons * FARADAY
        return affinity / charge - charge * rate * self.resistance(temperature)


class ButlerVolmer(RateLaw):
    """i = i0 [exp(alpha A/RT) - exp(-(1 - alpha) A/RT)] with i = n F r.

    i0 is constant. For small affinities this is a resistance RT/(n F i0).
    Newman and Thomas-Alyea, Electrochemical Systems (2004), chapter 8.
    """

    exchange_current: Law  # A m-2
    alpha: Float[Array, ""] = array()  # 1

    def residual(self, rate, affinity, electrons, activities, temperature):
        current = self.exchange_current(temperature) * drive(affinity / (GAS * temperature), self.alpha)
        return electrons * FARADAY * rate - current


class OccupancyButlerVolmer(RateLaw):
    """Butler-Volmer with i0 = i00 a_forward^(1-alpha) a_backward^alpha.

    a_forward is the product of the occupancies consumed and of the empty sites filled by the forward
    reaction, a_backward that of the backward one. The forward and backward rates are then first order in
    what they consume, which is what thermodynamic consistency asks for (PHYSICS: i0 = F k0 (theta_l
    (1-theta_r))^(1-alpha) ((1-theta_l) theta_r)^alpha); Bazant, Acc. Chem. Res. 46 (2013) 1144.
    """

    exchange_current: Law  # A m-2, at unit activities
    alpha: Float[Array, ""] = array()

    def residual(self, rate, affinity, electrons, activities, temperature):
        forward, backward = activities
        scale = forward ** (1 - self.alpha) * backward**self.alpha
        current = self.exchange_current(temperature) * scale * drive(affinity / (GAS * temperature), self.alpha)
        return electrons * FARADAY * rate - current


def drive(affinity: Scalar, alpha: Scalar) -> Scalar:
    """exp(alpha a) - exp(-(1-alpha) a), with its digits near a = 0 (affinity in units of RT)."""
    return jnp.expm1(alpha * affinity) - jnp.expm1(-(1 - alpha) * affinity)
