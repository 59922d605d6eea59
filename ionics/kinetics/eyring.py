"""Exchange currents from atomistics: a barrier, an attempt frequency, a number of sites."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import BOLTZMANN, FARADAY, GAS, PLANCK
from ionics.laws import Law, array


class Eyring(Law):
    """i00 = F n (kB T / h) exp(-barrier / RT) [A m-2], the exchange current density of a hop.

    n: sites per area from which one jumps; barrier: Gibbs energy of activation of the hop at equal standard potentials,
    the entropy of activation included. The `exchange_current` of an activated, occupancy dependent law; that of one
    charge per hop. Eyring, J. Chem. Phys. 3 (1935) 107, doi:10.1063/1.1749604.
    """

    site_density: Float[Array, ""] = array()  # mol m-2
    barrier: Float[Array, ""] = array()  # J mol-1

    def __call__(self, temperature):
        attempts = BOLTZMANN * temperature / PLANCK
        return FARADAY * self.site_density * attempts * jnp.exp(-self.barrier / (GAS * temperature))
