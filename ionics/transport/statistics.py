"""How a carrier fills its sites: the relation of the unknown u, the occupancy and the chemical potential.

u is the ideal part f(theta) of mu = mu0 + RT (f(theta) + excess): log(theta) for dilute carriers, log(theta / empty)
on a lattice, the reduced Fermi level of degenerate electrons. No value of u leaves the physical range, and 1e-20 of a
site is as well resolved as a full lattice. Everything here is elementwise in u.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS
from ionics.laws import Curve, array
from ionics.transport.fermi import fermi_dirac, inverse_fermi_dirac

Values = Float[Array, "..."]


class Filling(eqx.Module):
    """How full the sites of a carrier are, and what that costs."""

    occupancy: Values  # theta = c / sites, 1
    log_occupancy: Values  # with its digits when theta is tiny
    vacancy: Values  # share of empty sites, 1; one where sites do not run out
    ratio: Values  # ln(theta / vacancy)
    chemical: Values  # (mu - mu0) / RT

    @property
    def log_vacancy(self) -> Values:
        """ln(vacancy), with its digits when the sites are nearly full."""
        return self.log_occupancy - self.ratio

    def __getitem__(self, where) -> Filling:
        return jax.tree.map(lambda values: values[where], self)


class Statistics(eqx.Module):
    """Filling as a function of u."""

    @abc.abstractmethod
    def filling(self, u: Values, temperature: Values | float, others: Values | float = 0.0) -> Filling:
        """`others`: ln(1 + sum exp(u)) over the other carriers on the same sites."""

    @abc.abstractmethod
    def unknown(self, occupancy: Values, others: Values | float = 0.0) -> Values:
        """u of an occupancy; `others`: the summed occupancy of the other carriers on the same sites."""


class Dilute(Statistics):
    """Boltzmann: mu = mu0 + RT ln(theta)."""

    def filling(self, u, temperature, others=0.0):
        return Filling(jnp.exp(u), u, jnp.ones_like(u), u, u)

    def unknown(self, occupancy, others=0.0):
        return jnp.log(occupancy)


class FermiDirac(Statistics):
    """Degenerate electrons or holes: theta = F_1/2((mu - mu0) / RT), sites the effective density of states.

    Sze and Ng, Physics of Semiconductor Devices (2006), section 1.4.
    """

    def filling(self, u, temperature, others=0.0):
        occupancy, log = fermi_dirac(u)
        return Filling(occupancy, log, jnp.ones_like(u), log, u)

    def unknown(self, occupancy, others=0.0):
        return inverse_fermi_dirac(occupancy)


class Lattice(Statistics):
    """Each site holds one: mu = mu0 + RT ln(theta / empty); empty = 1 - sum theta over the carriers that share it."""

    def filling(self, u, temperature, others=0.0):
        return _on_sites(u, others, u + self.excess(jax.nn.sigmoid(u - others), u, temperature))

    def excess(self, theta: Values, u: Values, temperature: Values | float) -> Values:
        """(mu - mu0)/RT beyond the ideal lattice gas."""
        return jnp.zeros_like(u)

    def unknown(self, occupancy, others=0.0):
        return jnp.log(occupancy) - jnp.log1p(-occupancy - others)


class RegularSolution(Lattice):
    """A lattice whose carriers interact: mu = mu0 + RT ln(theta / (1 - theta)) + W (1 - 2 theta).

    W > 0 is attraction; above 2 RT the lattice separates into two phases, which have no interface energy here.
    Bazant, Acc. Chem. Res. 46 (2013) 1144. The Frumkin parameter g of E = E0 - RT/F [... + g (x - 1/2)] is -2 W / RT.
    """

    interaction: Float[Array, ""] = array()  # W, J mol-1

    def excess(self, theta, u, temperature):
        return self.interaction / (GAS * temperature) * (1 - 2 * theta)

    def spinodal(self, temperature: Values | float) -> Values:
        """The lower occupancy between which and its mirror image mu falls; NaN above the critical temperature."""
        return 0.5 * (1 - jnp.sqrt(1 - 2 * GAS * temperature / self.interaction))

    def binodal(self, temperature: Values | float) -> Values:
        """The lower of the two occupancies that coexist, 1/2 above the critical temperature."""
        strength = self.interaction / (GAS * temperature)
        order = jnp.ones(())  # 1 - 2 theta = tanh(strength (1 - 2 theta) / 2)
        for _ in range(60):
            push = jnp.tanh(0.5 * strength * order)
            slope = 1 - 0.5 * strength * (1 - push**2)
            order = jnp.where(strength > 2, order - (order - push) / slope, 0.0)
        return 0.5 * (1 - order)

    def hysteresis(self, temperature: Values | float) -> Values:
        """Voltage between filling and emptying a particle that stays uniform up to its spinodals [V]."""
        u = self.unknown(self.spinodal(temperature))
        return 2 * GAS * temperature / FARADAY * self.filling(u, temperature).chemical

    def phase_boundary(
        self, sites: Values | float, gradient: Values | float, temperature: Values | float
    ) -> tuple[Values, Values]:
        """Energy [J m-2] and width [m] of the boundary between the two phases.

        sites [mol m-3]; gradient: energy coefficient kappa [J m-1] of kappa/2 |grad theta|^2.
        Cahn and Hilliard, J. Chem. Phys. 28 (1958) 258. The width is that of the straight line of the steepest slope.
        """
        low = self.binodal(temperature)
        angle = jnp.linspace(0, jnp.pi, 401)  # theta = 1/2 - (1/2 - low) cos: the integrand then ends smoothly
        theta = 0.5 - (0.5 - low) * jnp.cos(angle)
        rest = GAS * temperature * sites
        root = jnp.sqrt(
            2 * gradient * rest * jnp.maximum(self._mixing(theta, temperature) - self._mixing(low, temperature), 0)
        )
        energy = jnp.sum(root * (0.5 - low) * jnp.sin(angle)) * (angle[1] - angle[0])
        height = self._mixing(jnp.asarray(0.5), temperature) - self._mixing(low, temperature)
        return energy, (1 - 2 * low) / jnp.sqrt(2 * rest * height / gradient)

    def _mixing(self, theta, temperature):
        """Free energy of mixing [RT]; both phases at its minima."""
        entropy = theta * jnp.log(theta) + (1 - theta) * jnp.log1p(-theta)
        return entropy + self.interaction / (GAS * temperature) * theta * (1 - theta)


class Measured(Lattice):
    """An electrode whose lithium has a measured open-circuit curve: mu = -F U(theta), the whole of mu.

    Between the knots the monotone cubic of Fritsch and Carlson (SIAM J. Numer. Anal. 17 (1980) 238); beyond the
    first and last knot U continues in logit(theta) with the slope it had there but never less than the
    ideal RT/F, so that it stays monotone and finite at every filling.
    """

    curve: Curve  # V against Li/Li+, decreasing with the occupancy

    def __init__(self, occupancy, potential):
        self.curve = Curve(occupancy, potential)

    def excess(self, theta, u, temperature):
        return -FARADAY / (GAS * temperature) * self.open_circuit(u, temperature) - u

    def open_circuit(self, u: Values, temperature: Values | float) -> Values:
        """U [V] against Li/Li+."""
        theta = jax.nn.sigmoid(u)
        thermal = GAS * temperature / FARADAY
        low, high = self._tail(u, 0, thermal), self._tail(u, -1, thermal)
        knots = self.curve.knots
        return jnp.where(theta < knots[0], low, jnp.where(theta > knots[-1], high, self.curve(theta)))

    def _tail(self, u, end, thermal):
        theta = self.curve.knots[end]
        slope = jnp.minimum(self.curve.slopes[end] * theta * (1 - theta), -thermal)
        return self.curve.values[end] + slope * (u - self.unknown(theta))


def _on_sites(u: Values, others: Values | float, chemical: Values) -> Filling:
    alone = u - others
    vacancy = jax.nn.sigmoid(-alone) * jnp.exp(-jnp.asarray(others))
    return Filling(jax.nn.sigmoid(alone), jax.nn.log_sigmoid(alone), vacancy, u, chemical)
