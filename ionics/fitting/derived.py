"""From fitted ohms to material numbers: conductivity, capacitance, activation energy, each with its error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.fitting.result import FitResult
from ionics.fitting.spectrum import DataError

EV = BOLTZMANN / ELEMENTARY_CHARGE  # eV K-1
Scalar = Float[Array, ""] | float


@dataclass(frozen=True)
class Measured:
    """A number with its standard error and its unit."""

    value: float
    error: float
    unit: str

    def __str__(self):
        return f"{self.value:.5g} +- {self.error:.2g} {self.unit}".rstrip()


def propagate(result: FitResult, function: Callable[[Mapping[str, Scalar]], Scalar], unit: str) -> Measured:
    """A function of fitted parameters, with its error from their covariance: sqrt(g^T C g), g its gradient.

    function: name -> value of every parameter (fixed ones are not among them), to a number.
    """

    def of(values):
        return function(dict(zip(result.names, values, strict=True)))

    value, gradient = jax.value_and_grad(of)(jnp.asarray(result.values))
    gradient = np.asarray(gradient)
    used = gradient != 0
    part = gradient[used]
    variance = part @ result.covariance[np.ix_(used, used)] @ part if used.any() else 0.0
    return Measured(float(value), float(np.sqrt(variance)), unit)


@dataclass(frozen=True)
class Geometry:
    """A pellet between two electrodes; relative errors of its dimensions enter the errors below."""

    thickness: float  # m
    area: float  # m2
    thickness_error: float = 0.0  # m, standard error
    area_error: float = 0.0  # m2, standard error

    def __post_init__(self):
        for name in ("thickness", "area"):
            if not getattr(self, name) > 0:
                raise ValueError(f"geometry: {name} {getattr(self, name)!r}; valid: > 0")

    @classmethod
    def pellet(cls, diameter: float, thickness: float) -> Geometry:
        """A round pellet; both lengths in m."""
        return cls(thickness, np.pi * (diameter / 2) ** 2)

    def conductivity(self, resistance: Measured) -> Measured:
        """thickness / (area R) in S/cm."""
        value = self.thickness / (self.area * resistance.value) / 100
        own = resistance.error / resistance.value
        return Measured(value, value * float(np.hypot(own, self._relative())), "S/cm")

    def specific_capacitance(self, capacitance: Measured) -> Measured:
        """C / area in F/cm2."""
        value = capacitance.value / self.area * 1e-4
        own = capacitance.error / capacitance.value
        return Measured(value, value * float(np.hypot(own, self.area_error / self.area)), "F/cm2")

    def permittivity(self, capacitance: Measured) -> Measured:
        """C thickness / area in F/m."""
        value = capacitance.value * self.thickness / self.area
        own = capacitance.error / capacitance.value
        return Measured(value, value * float(np.hypot(own, self._relative())), "F/m")

    def _relative(self):
        return np.hypot(self.thickness_error / self.thickness, self.area_error / self.area)


def hsu_mansfeld(q: Scalar, n: Scalar, resistance: Scalar) -> Scalar:
    """Effective capacitance [F] of R || CPE, time constants spread through the layer.

    C = Q^(1/n) R^((1-n)/n), the capacitor with the same peak frequency (Hsu and Mansfeld, Corrosion 57
    (2001) 747).
    """
    return q ** (1 / n) * resistance ** ((1 - n) / n)


def brug(q: Scalar, n: Scalar, resistance: Scalar, series: Scalar) -> Scalar:
    """Effective capacitance [F] of R || CPE behind a series resistance, spread over the surface.

    C = Q^(1/n) (1/R_series + 1/R)^((n-1)/n) (Brug et al., J. Electroanal. Chem. 176 (1984) 275).
    """
    return q ** (1 / n) * (1 / series + 1 / resistance) ** ((n - 1) / n)


@dataclass(frozen=True)
class Arrhenius:
    """sigma T = A exp(-Ea / kT), or sigma = A exp(-Ea / kT) where `times_temperature` is false."""

    activation_energy: Measured  # eV
    log_prefactor: Measured  # ln A, A in the unit of sigma times K (or of sigma)
    r_squared: float
    times_temperature: bool

    def conductivity(self, temperature: float) -> float:
        """sigma at a temperature [K], in the unit it was fitted in."""
        value = np.exp(self.log_prefactor.value - self.activation_energy.value / (EV * temperature))
        return float(value / temperature if self.times_temperature else value)


def arrhenius(
    temperature: Float[np.ndarray, " temperature"],
    conductivity: Float[np.ndarray, " temperature"],
    *,
    errors: Float[np.ndarray, " temperature"] | None = None,
    times_temperature: bool = True,
) -> Arrhenius:
    """Straight line through ln(sigma T), or ln(sigma), against 1/T [K].

    errors: standard errors of the conductivities; each point is then weighted by them, and the errors of the
    line follow from them alone. Without, all points weigh the same and the errors follow from the scatter.
    """
    temperature, conductivity = np.asarray(temperature, float), np.asarray(conductivity, float)
    if temperature.shape != conductivity.shape or len(temperature) < 3:
        raise DataError(
            f"Arrhenius line: {len(temperature)} temperatures and {len(conductivity)} conductivities; "
            "valid: the same number, at least 3"
        )
    if not (np.all(temperature > 0) and np.all(conductivity > 0)):
        raise DataError("Arrhenius line: temperatures [K] and conductivities must be > 0")
    y = np.log(conductivity * temperature if times_temperature else conductivity)
    spread = np.ones_like(y) if errors is None else np.asarray(errors, float) / conductivity
    columns = np.stack([np.ones_like(y), -1 / (EV * temperature)], axis=1) / spread[:, None]
    (intercept, energy), *_ = np.linalg.lstsq(columns, y / spread, rcond=None)
    misfit = y / spread - columns @ np.array([intercept, energy])
    scale = misfit @ misfit / (len(y) - 2) if errors is None else 1.0
    error = np.sqrt(scale * np.diag(np.linalg.inv(columns.T @ columns)))
    mean = np.average(y, weights=spread**-2)
    r_squared = 1 - misfit @ misfit / np.sum(((y - mean) / spread) ** 2)
    return Arrhenius(
        Measured(float(energy), float(error[1]), "eV"),
        Measured(float(intercept), float(error[0]), ""),
        float(r_squared),
        times_temperature,
    )
