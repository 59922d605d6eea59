"""What is fitted to what, checked at the door: one law, one curve of capacity against rate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from ionics.fitting.levenberg import Box
from ionics.fitting.model import Parameter
from ionics.fitting.problem import Weighting
from ionics.fitting.rates.fitted import Rates
from ionics.fitting.rates.laws import HOUR, LAWS, Law
from ionics.fitting.rates.search import Curve, box, curve
from ionics.fitting.spectrum import DataError

Numbers = np.ndarray | Sequence[float]
LARGEST = 1e3  # capacity at low rates, over the largest one measured, and the inverse of the least
BEYOND = 1e6  # how far past the rates of the data a time constant may lie
STEEPNESS = 0.02, 20.0  # exponents: flatter and steeper than any curve
REACH = (0.8, 3.0), (0.1, 10.0), (0.2, 5.0)  # random starts: of the largest capacity, past the rates, exponents
ROUNDING = 1e-10  # a misfit below this share of the data is no misfit


@dataclass(frozen=True, eq=False)
class PosedCurve:
    """What is to be fitted to what."""

    law: Law
    rate: Float[np.ndarray, " point"]  # 1/h
    capacity: Float[np.ndarray, " point"]
    weight: Float[np.ndarray, " point"]
    sigma: Float[np.ndarray, " point"] | None
    weighting: Weighting
    parameters: tuple[Parameter, ...]  # capacity, time constant, exponent
    held: Mapping[str, float]  # those that are not fitted

    @property
    def fitted(self) -> dict[int, Parameter]:
        """Index -> parameter."""
        return {i: one for i, one in enumerate(self.parameters) if one.name not in self.held}

    @property
    def dof(self) -> int:
        return len(self.rate) - len(self.fitted)

    @property
    def rounding(self) -> float:
        """A sum of squares that is none."""
        return ROUNDING**2 * float(np.sum((self.capacity * self.weight) ** 2))

    @cached_property
    def data(self) -> Curve:
        return curve(self.rate / HOUR, self.capacity, self.weight)

    @cached_property
    def bounds(self) -> Box:
        lower, upper = (
            np.log([self.held.get(one.name, getattr(one, edge)) for one in self.parameters])
            for edge in ("lower", "upper")
        )
        return box(lower, upper)

    def starts(self, count: int, seed: int) -> Float[np.ndarray, "start unknown"]:
        """A Latin hypercube over the logarithms of what the curve can resolve."""
        (less, more), (short, long), steepness = REACH
        largest, slow, fast = _extent(self.rate, self.capacity)
        edges = np.log([(less * largest, more * largest), (short * fast, long * slow), steepness])
        rng = np.random.default_rng(seed)
        rank = rng.permuted(np.tile(np.arange(max(count, 1)), (3, 1)), axis=1).T
        cube = (rank + rng.random(rank.shape)) / len(rank)
        return edges[:, 0] + cube * (edges[:, 1] - edges[:, 0])

    @property
    def sha256(self) -> str:
        """Of the numbers, so that only fits of the same ones are compared."""
        rows = [self.rate, self.capacity, *([] if self.sigma is None else [self.sigma])]
        return hashlib.sha256(np.stack(rows).tobytes()).hexdigest()


def pose(
    law: str,
    rate: Numbers,
    capacity: Numbers,
    sigma: Numbers | float | None,
    weighting: Weighting | None,
    fixed: Mapping[str, float],
    rates: Rates,
    unit: str,
    label: str,
) -> PosedCurve:
    """See `capacity_rate.fit_capacity_rate`. Raises DataError for what cannot be fitted."""
    known = _law(law, rates)
    rate, capacity = np.asarray(rate, float), np.asarray(capacity, float)
    weight = _weight(rate, capacity, sigma, weighting, label)
    parameters = _parameters(known, rate, capacity, unit)
    _check_fixed(parameters, fixed, known)
    weighting = weighting or ("unit" if sigma is None else "sigma")
    size = None if sigma is None else 1 / weight
    posed = PosedCurve(known, rate, capacity, weight, size, weighting, parameters, {**known.held, **fixed})
    count = len(posed.fitted)
    if posed.dof < 1 or not count:
        raise DataError(
            f"{label}: {len(rate)} points cannot determine {count} parameters of the law '{law}'; "
            f"valid: more than {count} points, at least one free parameter"
        )
    return posed


def _law(name: str, rates: Rates) -> Law:
    valid = laws_of(rates)
    if name not in LAWS:
        raise DataError(f"law '{name}'; valid: {', '.join(valid)}")
    if name not in valid:
        raise DataError(f"law '{name}' is one of measured rates, not of C-rates; valid: {', '.join(valid)}")
    return LAWS[name]


def laws_of(rates: Rates) -> tuple[str, ...]:
    """The laws that such rates can be fitted with."""
    return tuple(name for name, law in LAWS.items() if rates == "measured" or not law.measured)


def _weight(rate, capacity, sigma, weighting, label) -> Float[np.ndarray, " point"]:
    """One over the unit of capacity. Raises DataError for what is no curve."""
    if rate.ndim != 1 or rate.shape != capacity.shape or not np.any(capacity):
        raise DataError(f"{label}: {rate.size} rates and {capacity.size} capacities; valid: as many, not all zero")
    for name, values in (("rate", rate), ("capacity", capacity)):
        bad = ~np.isfinite(values) | (values <= 0 if name == "rate" else values < 0)
        if bad.any():
            k = int(np.argmax(bad))
            raise DataError(
                f"{label}, point {k + 1}: {name} {values[k]:g}; valid: finite, {'>' if name == 'rate' else '>='} 0"
            )
    if (weighting == "sigma") != (sigma is not None) and weighting is not None:
        raise DataError(f"{label}: weighting '{weighting}' and sigma {'is not' if sigma is None else 'is'} given")
    if sigma is not None:
        size = np.asarray(sigma, float)
        if size.shape not in ((), rate.shape) or not np.all((size > 0) & np.isfinite(size)):
            raise DataError(f"{label}: sigma; valid: one number, or one a point, finite, > 0")
        return np.broadcast_to(1 / size, rate.shape)
    if weighting == "modulus":
        if not np.all(capacity):
            raise DataError(f"{label}: a capacity of 0 has no weight 1/capacity; valid: weighting 'unit', or sigma")
        return 1 / capacity
    return np.ones(len(rate))


def _extent(rate, capacity) -> tuple[float, float, float]:
    """The largest capacity, and the longest and shortest time [s] for a full charge."""
    return float(capacity.max()), HOUR / float(rate.min()), HOUR / float(rate.max())


def _parameters(law: Law, rate, capacity, unit) -> tuple[Parameter, ...]:
    """As wide as curves can be."""
    largest, slow, fast = _extent(rate, capacity)
    return (
        Parameter(law.low, largest, largest / LARGEST, largest * LARGEST, unit=unit),
        Parameter("tau", (slow * fast) ** 0.5, fast / BEYOND, slow * BEYOND, unit="s"),
        Parameter("n", 1.0, *STEEPNESS, unit="1"),
    )


def _check_fixed(parameters: Sequence[Parameter], fixed: Mapping[str, float], law: Law) -> None:
    valid = {one.name: one for one in parameters if one.name not in law.held}
    for name, value in fixed.items():
        if name not in valid:
            raise DataError(f"fixed: no parameter '{name}' of the law '{law.name}'; valid: {', '.join(valid)}")
        if not valid[name].lower <= value <= valid[name].upper:
            low, high, unit = valid[name].lower, valid[name].upper, valid[name].unit
            raise DataError(f"fixed: {name} {value:g}; valid: {low:.3g} to {high:.3g} {unit}")
