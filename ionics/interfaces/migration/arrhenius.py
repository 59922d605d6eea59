"""Arrhenius lines with their errors: D = D0 exp(-E / kT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate

KELVIN = BOLTZMANN / ELEMENTARY_CHARGE  # eV/K


@dataclass(frozen=True)
class Arrhenius:
    """A line through ln D against 1/kT; its two numbers belong together, see `correlation`."""

    energy: Estimate  # eV
    prefactor: Estimate  # m^2/s, with a factor
    covariance: np.ndarray  # of ln D0 and E [eV], shape (2, 2)
    chi2: float  # per degree of freedom; nan where two temperatures fix the line exactly

    @property
    def correlation(self) -> float:
        """Of ln D0 with E: close to 1, so that D at a temperature is known far better than D0."""
        return float(self.covariance[0, 1] / np.sqrt(self.covariance[0, 0] * self.covariance[1, 1]))

    def at(self, temperature: float) -> Estimate:
        """D [m^2/s] at a temperature [K], with the factor that both errors and their correlation leave."""
        slope = np.array([1.0, -1.0 / (KELVIN * temperature)])
        value = self.prefactor.value * np.exp(slope[1] * self.energy.value)
        factor = float(np.exp(np.sqrt(slope @ self.covariance @ slope)))
        return Estimate(
            float(value), "m^2/s", self.energy.source, f"{self.energy.method}, at {temperature:g} K", None, factor
        )


def arrhenius(
    temperature: Sequence[float] | np.ndarray,
    diffusivity: Sequence[float] | np.ndarray,
    error: Sequence[float] | np.ndarray,
    source: str,
) -> Arrhenius:
    """Weighted least squares of ln D; arrays of shape (temperatures,) in K and m^2/s, `error` one standard error of D.

    Where the points scatter more than their errors say (chi2 > 1) the errors of the line grow by its root.
    """
    temperature, diffusivity, error = (np.asarray(x, dtype=float) for x in (temperature, diffusivity, error))
    _check(temperature, diffusivity, error)
    matrix = np.stack([np.ones_like(temperature), -1.0 / (KELVIN * temperature)], axis=1)
    weight = diffusivity / error  # of ln D
    weighted = matrix * weight[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    solution = covariance @ weighted.T @ (weight * np.log(diffusivity))
    free = len(temperature) - 2
    left = weight * (np.log(diffusivity) - matrix @ solution)
    chi2 = float(left @ left / free) if free else np.nan
    covariance = covariance * max(1.0, chi2) if free else covariance
    span = f"{temperature.min():g} to {temperature.max():g} K"
    method = f"Arrhenius fit over {len(temperature)} temperatures, {span}; fit error"
    energy = Estimate(float(solution[1]), "eV", source, method, float(np.sqrt(covariance[1, 1])))
    factor = float(np.exp(np.sqrt(covariance[0, 0])))
    prefactor = Estimate(float(np.exp(solution[0])), "m^2/s", source, method, None, factor)
    return Arrhenius(energy, prefactor, covariance, chi2)


def _check(temperature: np.ndarray, diffusivity: np.ndarray, error: np.ndarray):
    if not temperature.shape == diffusivity.shape == error.shape or temperature.ndim != 1:
        raise AtomsError(
            f"{temperature.shape} temperatures, {diffusivity.shape} diffusivities and {error.shape} errors",
            "three lists of one length",
        )
    if len(np.unique(temperature)) < 2:
        raise AtomsError(
            "an Arrhenius line needs two different temperatures", "three or more show whether it is a line"
        )
    for name, values in (("temperature", temperature), ("diffusivity", diffusivity), ("error", error)):
        if not np.all(np.isfinite(values) & (values > 0)):
            raise AtomsError(
                f"the {name} {values[~(np.isfinite(values) & (values > 0))][0]} is not a positive number",
                "leave out temperatures at which nothing moved, or run longer there",
            )
