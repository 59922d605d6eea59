"""Laws of reactions inside a layer: pair generation, recombination, trapping, dissociation.

A reaction turns what it consumes into what it produces at one place; its affinity is A = sum(nu eta)_consumed -
sum(nu eta)_produced. A law gives the net rate [mol m-3 s-1], positive forwards, elementwise over the nodes.
"""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.kinetics.rates import net
from ionics.laws import Law, array

Values = Float[Array, "..."]


class BulkLaw(eqx.Module):
    """The net rate of a reaction."""

    detailed_balance: ClassVar[bool] = True  # it vanishes where the affinity does, and equilibrium asks for that

    @abc.abstractmethod
    def rate(
        self,
        affinity: Values,
        log_forward: Values,
        log_backward: Values,
        concentrations: dict[str, Values],
        temperature: Values,
    ) -> Values:
        """Net rate [mol m-3 s-1].

        affinity: A/RT; log_forward, log_backward: logarithms of the products of occupancies consumed and of empty sites
        filled by the forward and by the backward reaction; concentrations [mol m-3] by species; temperature [K].
        """


class MassAction(BulkLaw):
    """k f (1 - exp(-A/RT)): what is consumed, f, times a constant, less the reverse that detailed balance asks for.

    Frenkel pairs, trapping, radiative recombination. At ideal statistics this is k f - k_b b with k/k_b the equilibrium
    constant; Groot and Mazur, Non-Equilibrium Thermodynamics (1962), chapter 10.
    """

    rate_constant: Law  # mol m-3 s-1, at unit occupancies

    def rate(self, affinity, log_forward, log_backward, concentrations, temperature):
        return self.rate_constant(temperature) * net(log_forward, affinity)


class Generation(BulkLaw):
    """A rate imposed from outside, as by light: it does not vanish in equilibrium."""

    detailed_balance: ClassVar[bool] = False
    value: Law  # mol m-3 s-1

    def rate(self, affinity, log_forward, log_backward, concentrations, temperature):
        return self.value(temperature) * jnp.ones_like(affinity)


class ShockleyReadHall(BulkLaw):
    """(n p - ni^2) / (tau_p (n + n1) + tau_n (p + p1)): recombination of electrons and holes through a deep level.

    Of the reaction e- + h+ -> nothing, forwards. n p - ni^2 is n p (1 - exp(-A/RT)), which is it for dilute carriers
    and vanishes in equilibrium for all. n1, p1: concentrations with the Fermi level at that of the trap.
    Shockley and Read, Phys. Rev. 87 (1952) 835, doi:10.1103/PhysRev.87.835; Hall, Phys. Rev. 87 (1952) 387.
    """

    electron: str = eqx.field(static=True)  # species names
    hole: str = eqx.field(static=True)
    electron_lifetime: Law  # tau_n, s
    hole_lifetime: Law  # tau_p, s
    n1: Law  # mol m-3
    p1: Law  # mol m-3

    def rate(self, affinity, log_forward, log_backward, concentrations, temperature):
        n, p = concentrations[self.electron], concentrations[self.hole]
        resting = self.hole_lifetime(temperature) * (n + self.n1(temperature))
        resting = resting + self.electron_lifetime(temperature) * (p + self.p1(temperature))
        return net(jnp.log(n) + jnp.log(p), affinity) / resting


class WeakElectrolyte(BulkLaw):
    """k_d (total - c) - k_r c c_n: an ion leaves its bound place and leaves a vacancy, Li0 <-> Li+ + n-.

    c: concentration of `freed`, c_n: of `left_behind`; k_d = k_r total delta^2 / (1 - delta), so that the share delta
    is free where nothing is charged. What is bound is no carrier of its own: it has no chemical potential, and the
    law knows no affinity. Danilov, Niessen, Notten, J. Electrochem. Soc. 158 (2011) A215.
    """

    detailed_balance: ClassVar[bool] = False
    freed: str = eqx.field(static=True)  # species names
    left_behind: str = eqx.field(static=True)
    recombination: Law  # k_r, m3 mol-1 s-1
    total: Float[Array, ""] = array()  # mol m-3
    dissociation: Float[Array, ""] = array()  # delta, 1

    def rate(self, affinity, log_forward, log_backward, concentrations, temperature):
        c, partner = concentrations[self.freed], concentrations[self.left_behind]
        per_bound = self.total * self.dissociation**2 / (1 - self.dissociation)
        return self.recombination(temperature) * (per_bound * (self.total - c) - c * partner)
