"""How a parameter runs through a series of spectra: the same in all, its own in each, or along a law.

Every law is a straight line in what is searched (logarithms, on a log scale): parameter of spectrum k =
level[k] + rows[k] @ unknowns. So a series is fitted with the Jacobians of its spectra times these rows.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.fitting.model import Parameter
from ionics.fitting.spectrum import DataError, Spectrum

EV = BOLTZMANN / ELEMENTARY_CHARGE  # eV K-1
FALLING = ("ohm", "s", "H")  # a thermally activated process has less of these when hot


@dataclass(frozen=True)
class Spread:
    """The unknowns that one parameter becomes, and how they make its value in each spectrum."""

    unknowns: tuple[Parameter, ...]
    rows: Float[np.ndarray, "spectrum unknown"]
    level: Float[np.ndarray, " spectrum"]


class Across(abc.ABC):
    """A parameter across a series."""

    @abc.abstractmethod
    def spread(self, parameter: Parameter, spectra: Sequence[Spectrum]) -> Spread:
        """The parameter as unknowns of the whole series. Raises DataError where a condition is not known."""


@dataclass(frozen=True)
class Shared(Across):
    """One value for all spectra."""

    def spread(self, parameter, spectra):
        return Spread((parameter,), np.ones((len(spectra), 1)), np.zeros(len(spectra)))


@dataclass(frozen=True)
class Each(Across):
    """A value of its own in every spectrum."""

    def spread(self, parameter, spectra):
        unknowns = tuple(replace(parameter, name=f"{parameter.name} ({tag})") for tag in tags(spectra))
        return Spread(unknowns, np.eye(len(spectra)), np.zeros(len(spectra)))


@dataclass(frozen=True)
class Arrhenius(Across):
    """ln value = ln value_ref - Ea/k (1/T - 1/T_ref), or + for what falls when hot (ohm, s).

    reference: T_ref [K]; by default the harmonic mean of the series, where value and Ea are least correlated.
    times_temperature: the line is that of T/value (of value T), as for conductivities sigma T.
    """

    reference: float | None = None
    times_temperature: bool = False
    bounds: tuple[float, float] = (-1.0, 4.0)  # eV

    def spread(self, parameter, spectra):
        if parameter.scale != "log":
            raise DataError(f"parameter {parameter.name}: an Arrhenius law needs a log scale")
        kelvin = conditions(spectra, "temperature", f"parameter {parameter.name}: an Arrhenius law")
        if np.ptp(kelvin) == 0:
            raise DataError(f"parameter {parameter.name}: an Arrhenius law needs more than one temperature")
        reference = self.reference or float(1 / np.mean(1 / kelvin))
        sign = 1.0 if parameter.unit.split(" ")[0].split("/")[0] in FALLING else -1.0
        level = sign * np.log(kelvin / reference) if self.times_temperature else np.zeros(len(kelvin))
        energy = Parameter(f"{parameter.name}.activation_energy", 0.4, *self.bounds, scale="linear", unit="eV")
        rows = np.stack([np.ones_like(kelvin), sign / EV * (1 / kelvin - 1 / reference)], axis=1)
        return Spread((replace(parameter, name=f"{parameter.name} ({reference:.4g} K)"), energy), rows, level)


@dataclass(frozen=True)
class Curve(Across):
    """Straight between values at knots of a condition: state_of_charge, pressure, cycle, time, temperature."""

    condition: str
    knots: tuple[float, ...]

    def spread(self, parameter, spectra):
        x = conditions(spectra, self.condition, f"parameter {parameter.name}: a curve")
        knots = np.asarray(self.knots, float)
        if len(knots) < 2 or np.any(np.diff(knots) <= 0):
            raise DataError(f"parameter {parameter.name}: knots {self.knots}; valid: at least two, increasing")
        if x.min() < knots[0] or x.max() > knots[-1]:
            raise DataError(
                f"parameter {parameter.name}: knots from {knots[0]:g} to {knots[-1]:g}, "
                f"but {self.condition} runs from {x.min():g} to {x.max():g}"
            )
        rows = np.stack([np.interp(x, knots, unit) for unit in np.eye(len(knots))], axis=1)
        if len(seen := np.flatnonzero(~rows.any(axis=0))):
            raise DataError(f"parameter {parameter.name}: no spectrum lies beside the knot at {knots[seen[0]]:g}")
        unknowns = tuple(replace(parameter, name=f"{parameter.name} ({self.condition} {knot:g})") for knot in knots)
        return Spread(unknowns, rows, np.zeros(len(x)))


def conditions(spectra: Sequence[Spectrum], name: str, who: str) -> Float[np.ndarray, " spectrum"]:
    """A condition of every spectrum, temperatures in K. Raises DataError, which names who asked."""
    found = [condition(one, name) for one in spectra]
    for one, value in zip(spectra, found, strict=True):
        if value is None:
            raise DataError(f"{who} needs the {name.replace('_', ' ')} of every spectrum; {one.label} has none")
    return np.array(found, float)


def condition(spectrum: Spectrum, name: str) -> float | None:
    """A condition of one spectrum, None where it is not known."""
    return spectrum.temperature if name == "temperature" else spectrum.conditions.get(name)


def tags(spectra: Sequence[Spectrum]) -> list[str]:
    """A short name of each spectrum within its series: its temperature if these tell them apart, else its label."""
    kelvin = [one.temperature for one in spectra]
    if None not in kelvin and len({f"{value:.4g}" for value in kelvin}) == len(kelvin):
        return [f"{value:.4g} K" for value in kelvin]
    labels = [one.label for one in spectra]
    return labels if len(set(labels)) == len(labels) else [f"spectrum {k + 1}" for k in range(len(spectra))]
