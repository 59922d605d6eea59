"""What a measurement at each frequency would tell: weighted derivatives of the impedance by all parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ionics.fitting.model import AbstractModel, Parameter

Scatter = float | Callable[[Float[np.ndarray, " frequency"]], Float[np.ndarray, " frequency"]]


@dataclass(frozen=True)
class Condition:
    """A condition under which the sample could be measured: a temperature, a state of charge.

    error: standard deviation of the real and of the imaginary part, as a share of |Z|, or as a function of the
    frequency [Hz] in ohm. Parameters of the same name are the same unknown under all conditions.
    """

    label: str
    model: AbstractModel
    frequency: Float[np.ndarray, " frequency"]  # Hz, the candidates
    error: Scatter = 0.01


@dataclass(frozen=True)
class Unknowns:
    """The parameters of all conditions together, at the values the design is made for."""

    parameters: tuple[Parameter, ...]
    values: Float[np.ndarray, " parameter"]

    @property
    def spread(self) -> Float[np.ndarray, " parameter"]:
        """The change of an unknown that counts as knowing nothing: 1 of a logarithm, or the allowed range."""
        return np.array([1.0 if p.scale == "log" else p.upper - p.lower for p in self.parameters])

    @property
    def slope(self) -> Float[np.ndarray, " parameter"]:
        """Change of the value along an unknown in units of its spread."""
        return self.spread * np.array(
            [v if p.scale == "log" else 1.0 for p, v in zip(self.parameters, self.values, strict=True)]
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)


def unknowns(conditions: Sequence[Condition], values: Mapping[str, float] | None = None) -> Unknowns:
    """All parameters of the conditions; values: name -> value instead of where the model starts.

    Raises ValueError for a name that no model has and for values that a log scale cannot hold.
    """
    found: dict[str, Parameter] = {}
    for condition in conditions:
        for parameter in condition.model.parameters:
            found.setdefault(parameter.name, parameter)
    given = dict(values or {})
    if unknown := set(given) - set(found):
        raise ValueError(f"no parameter {', '.join(sorted(unknown))}; the models have {', '.join(found)}")
    numbers = np.array([given.get(name, parameter.start) for name, parameter in found.items()], float)
    for parameter, number in zip(found.values(), numbers, strict=True):
        if parameter.scale == "log" and not number > 0:
            raise ValueError(f"{parameter.name} = {number:g}; valid: > 0 on a log scale")
    return Unknowns(tuple(found.values()), numbers)


def rows(
    condition: Condition, known: Unknowns, frequency: Float[np.ndarray, " frequency"]
) -> Float[np.ndarray, "frequency 2 parameter"]:
    """Derivatives of Re Z and Im Z over their error, by every unknown in units of its spread.

    Raises ValueError where impedance, derivative or error is not finite, or an error is not above zero.
    """
    names = [parameter.name for parameter in condition.model.parameters]
    where = [known.names.index(name) for name in names]
    z, slope = _derivatives(condition.model, jnp.asarray(known.values[where]), jnp.asarray(frequency, float))
    sigma = condition.error(frequency) if callable(condition.error) else condition.error * np.abs(z)
    sigma = np.broadcast_to(np.asarray(sigma, float), frequency.shape)
    found = np.zeros((len(frequency), 2, len(known.names)))
    both = np.stack([np.real(slope), np.imag(slope)], axis=1) / sigma[:, None, None]
    found[:, :, where] = both * known.slope[where]
    if not (np.all(np.isfinite(found)) and np.all(sigma > 0)):
        raise ValueError(
            f"condition '{condition.label}': impedance, its derivatives or the error are not finite numbers"
        )
    return found


@eqx.filter_jit
def _derivatives(
    model: AbstractModel, values: Float[Array, " parameter"], frequency: Float[Array, " frequency"]
) -> tuple[Complex[Array, " frequency"], Complex[Array, "frequency parameter"]]:
    def parts(values):
        z = model.impedance(values, frequency)
        return jnp.stack([z.real, z.imag]), z

    slope, z = jax.jacfwd(parts, has_aux=True)(values)
    return z, slope[0] + 1j * slope[1]
