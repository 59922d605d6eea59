"""Charged states in the plane of a junction: sites that take carriers from its sides."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import GAS
from ionics.laws import array

Values = Float[Array, "..."]


class InterfaceState(eqx.Module):
    """Sites of one energy level, each empty or holding one particle; the unknown w is the logit of their filling.

    Reactions of the junction name a state as a species on either side: e- -> trap has left=(("e-", 1),),
    right=(("trap", 1),). Its potential is that of the plane, the mean of the two sides. `charge` is that of the full
    state less that of the empty one; what empty states carry, as donors do, belongs to the junction's surface charge.
    A degeneracy g of the full state is -RT ln g in the level.
    Bardeen, Phys. Rev. 71 (1947) 717, doi:10.1103/PhysRev.71.717.
    """

    name: str = eqx.field(static=True)
    charge: int = eqx.field(static=True)  # elementary charges, full less empty
    density: Float[Array, ""] = array()  # mol m-2
    level: Float[Array, ""] = array()  # standard chemical potential, J mol-1

    def occupancy(self, w: Values) -> Values:
        """Share of full states [1]."""
        return jax.nn.sigmoid(w)

    def unknown(self, occupancy: Values) -> Values:
        """w of an occupancy."""
        return jnp.log(occupancy) - jnp.log1p(-occupancy)

    def stored(self, w: Values) -> Values:
        """Particles held [mol m-2]."""
        return self.density * self.occupancy(w)

    def chemical(self, w: Values, temperature: Values) -> Values:
        """mu = level + RT ln(theta / (1 - theta)) [J mol-1]."""
        return self.level + GAS * temperature * w
