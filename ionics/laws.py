"""A parameter as a function of temperature."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import GAS

Temperature = Float[Array, ""] | float  # K


def array():
    """A leaf: always a float64 array, so that it can be traced, batched and differentiated."""
    return eqx.field(converter=lambda x: jnp.asarray(x, dtype=float))


class Law(eqx.Module):
    """A parameter that may depend on temperature [K]."""

    @abc.abstractmethod
    def __call__(self, temperature: Temperature) -> Float[Array, ""]: ...


class Constant(Law):
    """The same at every temperature."""

    value: Float[Array, ""] = array()

    def __call__(self, temperature: Temperature) -> Float[Array, ""]:
        return self.value


class Arrhenius(Law):
    """value exp(-Ea/R (1/T - 1/T_ref)): `value` is what was measured at `reference`."""

    value: Float[Array, ""] = array()
    activation_energy: Float[Array, ""] = array()  # J mol-1
    reference: Float[Array, ""] = array()  # K

    def __call__(self, temperature: Temperature) -> Float[Array, ""]:
        return self.value * jnp.exp(-self.activation_energy / GAS * (1 / temperature - 1 / self.reference))


class Table(Law):
    """Linear between tabulated temperatures [K], constant beyond them."""

    temperatures: Float[Array, " entry"] = array()
    values: Float[Array, " entry"] = array()

    def __call__(self, temperature: Temperature) -> Float[Array, ""]:
        return jnp.interp(temperature, self.temperatures, self.values)
