"""How much of a surface touches: solids lose contact where they shrink, and gain it under pressure."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.laws import array

Values = Float[Array, "..."]


class ContactArea(eqx.Module):
    """The share f of a particle's surface that the electrolyte touches, over the occupancy at the surface.

    ln(f / (1 - f)) = ln(f0 / (1 - f0)) + swelling (theta - reference): between none and all of it, and for small
    changes df = f (1 - f) swelling dtheta. No law has been agreed on for composites under cycling; this is the
    simplest that stays between 0 and 1. Loss of contact as the cause of fading capacity: Koerver et al.,
    Chem. Mater. 29 (2017) 5574, doi:10.1021/acs.chemmater.7b00931.
    """

    share: Float[Array, ""] = array()  # f0 at the reference, 1
    swelling: Float[Array, ""] = array()  # 1; positive where the particle grows with its occupancy
    reference: Float[Array, ""] = array()  # occupancy, 1

    def __call__(self, theta: Values) -> Values:
        share = jnp.minimum(self.share, 1 - jnp.finfo(float).epsneg)
        touching = jax.nn.sigmoid(jnp.log(share) - jnp.log1p(-share) + self.swelling * (theta - self.reference))
        return jnp.where(self.share < 1, touching, 1.0)


def pressed(pressure: Values | float, stiffness: Values | float) -> Values:
    """The share of two rough surfaces that touch under a pressure: erf(sqrt(2) p / (E* g)).

    pressure [Pa]; stiffness E* g [Pa]: contact modulus times root mean square slope of the roughness.
    Persson, J. Chem. Phys. 115 (2001) 3840, doi:10.1063/1.1388626.
    """
    return jax.lax.erf(jnp.sqrt(2.0) * jnp.asarray(pressure, float) / stiffness)
