"""The compact (Helmholtz, Stern) layer of a junction: a capacitance in series with the space charge.

States the potential drop per displacement, the elastance 1/C [m2 F-1]: zero means that the potential is
continuous, so no large number stands for "no compact layer".
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ionics.laws import array


class CompactLayer(eqx.Module):
    """phi_left - phi_right + step = elastance * displacement."""

    @abc.abstractmethod
    def elastance(self) -> Float[Array, ""]:
        """At rest [m2 F-1]."""

    @abc.abstractmethod
    def dispersion(self, omega: Float[Array, " frequency"]) -> Complex[Array, " frequency"]:
        """What the elastance gains at angular frequency omega [rad s-1] over its value at rest [m2 F-1]."""


class NoCompactLayer(CompactLayer):
    """The potential is continuous (up to the dipole step)."""

    def elastance(self):
        return jnp.zeros(())

    def dispersion(self, omega):
        return jnp.zeros_like(omega, dtype=complex)


class Capacitance(CompactLayer):
    """A constant capacitance [F m-2] (Stern 1924)."""

    capacitance: Float[Array, ""] = array()

    def elastance(self):
        return 1 / self.capacitance

    def dispersion(self, omega):
        return jnp.zeros_like(omega, dtype=complex)


class ConstantPhase(CompactLayer):
    """Admittance Q (i omega)^n per area: a capacitance Q (i omega)^(n-1).

    Its elastance vanishes at rest for n < 1. It has no form in the time domain: transient questions refuse it.
    """

    q: Float[Array, ""] = array()  # S s^n m-2
    n: Float[Array, ""] = array()  # 1

    def elastance(self):
        return jnp.zeros(())

    def dispersion(self, omega):
        return (1j * omega) ** (1 - self.n) / self.q
