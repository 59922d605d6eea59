"""Parameters as functions: of temperature, and curves through points."""

from __future__ import annotations

import abc
import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ionics.constants import GAS

Temperature = Float[Array, ""] | float  # K
Values = Float[Array, "..."]


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


def interval(knots: Float[Array, " knot"], x: Values) -> Int[Array, ...]:
    """The knot below x, the last but one at most: by the first of every so many knots, then among those that follow it.

    Without a loop, and with far fewer comparisons than one with every knot.
    """
    many = math.ceil(math.sqrt(len(knots)))
    ahead = jnp.full(-len(knots) % many, jnp.inf)
    groups = jnp.concatenate([knots, ahead]).reshape(-1, many)
    group = _passed(groups[1:, 0].reshape(-1, *(1,) * jnp.ndim(x)), x)
    below = group * many + _passed(jnp.moveaxis(groups[group], -1, 0), x) - 1
    return jnp.clip(below, 0, len(knots) - 2)


def _passed(knots: Values, x: Values) -> Int[Array, ...]:
    """How many knots lie at x or below, first axis."""
    return jnp.sum(knots <= x, axis=0)


class Curve(eqx.Module):
    """The monotone cubic of Fritsch and Carlson (SIAM J. Numer. Anal. 17 (1980) 238); constant beyond its knots."""

    knots: Float[Array, " knot"] = array()  # increasing
    values: Float[Array, " knot"] = array()
    slopes: Float[Array, " knot"] = array()

    def __init__(self, knots, values):
        from scipy.interpolate import PchipInterpolator

        self.knots, self.values = jnp.asarray(knots, float), jnp.asarray(values, float)
        self.slopes = jnp.asarray(PchipInterpolator(knots, values).derivative()(knots))

    def __call__(self, x: Values) -> Values:
        x = jnp.clip(x, self.knots[0], self.knots[-1])
        i = interval(self.knots, x)
        width, rise = self.knots[i + 1] - self.knots[i], self.values[i + 1] - self.values[i]
        t = (x - self.knots[i]) / width
        a, b = self.slopes[i] * width - rise, rise - self.slopes[i + 1] * width
        return self.values[i] + t * rise + t * (1 - t) * ((1 - t) * a + t * b)
