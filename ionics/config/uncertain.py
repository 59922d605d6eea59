"""A quantity with one standard uncertainty: its central value, and how others may lie about it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from statistics import NormalDist

from ionics.config import units
from ionics.config.units import Dimension, UnitError

KEYS = ("value", "uncertainty", "source", "method")
FACTOR = re.compile(r"\s*factor\s+(.*?)\s*", re.I)
OUTSIDE = 0.025  # most of a distribution that may lie beyond the limits of its quantity
NORMAL = NormalDist()
EVERY = r"^\s*([Ff]actor\s+)?[\d.]+([eE][+-]?\d+)?\s*([^0-9.\s].*)?$"  # what an uncertainty looks like


class Drawn(float):
    """A number in SI that was drawn from the distribution of a quantity, within its limits."""

    unit: str = ""

    def __new__(cls, value: float, unit: str = ""):
        self = super().__new__(cls, value)
        self.unit = unit
        return self


@dataclass(frozen=True)
class Spread:
    """How a quantity is distributed within its limits (SI)."""

    error: float  # one standard deviation: of the quantity, or of its natural logarithm
    logarithmic: bool
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""  # SI
    written: str = ""  # as in the file: 0.34 eV ± 0.05 eV


class Uncertain(float):
    """The central value of a quantity that is not known exactly."""

    spread: Spread

    def __new__(cls, value: float, spread: Spread | None = None):
        self = super().__new__(cls, value)
        self.spread = spread or Spread(0.0, False)
        return self

    def draw(self, share: float) -> Drawn:
        """The value below which this share of the distribution lies; what is beyond the limits is left out."""
        spread, (low, high) = self.spread, self._shares()
        z = NORMAL.inv_cdf(min(max(low + share * (high - low), 1e-300), 1 - 1e-16))
        value = float(self) * math.exp(z * spread.error) if spread.logarithmic else float(self) + z * spread.error
        return Drawn(value, spread.unit)

    @property
    def outside(self) -> float:
        """The share of the distribution beyond the limits of the quantity."""
        low, high = self._shares()
        return low + (1 - high)

    def _shares(self) -> tuple[float, float]:
        """Shares of the distribution below the lower and below the upper limit."""
        return self._below(self.spread.low), self._below(self.spread.high)

    def _below(self, limit: float) -> float:
        if not math.isfinite(limit):
            return 0.0 if limit < 0 else 1.0
        if not self.spread.logarithmic:
            return NORMAL.cdf((limit - self) / self.spread.error)
        return NORMAL.cdf(math.log(limit / self) / self.spread.error) if limit > 0 else 0.0


def uncertain(value: float, written: object, raw: object, dimension: Dimension, limits: tuple[float, float]) -> float:
    """The value with its uncertainty; a plain number where that is zero. UnitError if it is no uncertainty.

    value: SI; written: as in the file; raw: the uncertainty as in the file: a quantity, so many percent of the value,
    or 'factor 3', by which 68 % lie between a third and three times the value. limits: of the quantity.
    """
    error, logarithmic = _size(value, raw, dimension)
    text = f"{written}, {str(raw).strip()}" if logarithmic else f"{written} ± {str(raw).strip()}"
    if error == 0:
        return value
    found = Uncertain(value, Spread(error, logarithmic, *limits, dimension.unit, text))
    if found.outside > OUTSIDE:
        raise UnitError(*_too_wide(found, dimension))
    return found


def _size(value: float, raw: object, dimension: Dimension) -> tuple[float, bool]:
    """One standard deviation, and whether it is that of the logarithm."""
    also = f"an uncertainty like {_like(dimension)}, 20 % or factor 2"
    factor = FACTOR.fullmatch(raw) if isinstance(raw, str) else None
    if factor:
        return _of_factor(value, factor[1], also), True
    try:
        number, unit = units.split(raw, dimension)
        relative = unit in ("%", "percent")
        error = number / 100 * abs(value) if relative else units.difference(raw, dimension)
    except UnitError as problem:
        raise UnitError(problem.problem, f"{problem.valid}; {also}") from None
    if error < 0:
        raise UnitError("an uncertainty is not negative", f"{also}; one standard deviation")
    if relative and number > 0 and value == 0:
        raise UnitError("a share of a value that is zero", f"an uncertainty like {_like(dimension)}")
    return error, False


def _of_factor(value: float, text: str, also: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        raise UnitError("the factor is not a number", also) from None
    if not (1 <= factor < math.inf):
        raise UnitError("a factor is at least 1", f"68 % lie between value/factor and value*factor; {also}")
    if value <= 0:
        raise UnitError("a factor is one of a positive value", also.replace(" or factor 2", ""))
    return math.log(factor)


def _too_wide(found: Uncertain, dimension: Dimension) -> tuple[str, str]:
    """Problem and remedy of a distribution that lies beyond the limits of its quantity."""
    low, high = found._shares()
    if low > 1 - high:
        limit = f"{'not positive' if found.spread.low == 0 else f'below {found.spread.low:g}'}"
    else:
        limit = f"above {found.spread.high:g}"
    problem = f"so wide that {100 * found.outside:.2g} % of the values it allows are {limit}"
    factor = f"factor {math.exp(found.spread.error / found):.2g}, or " if low > 1 - high and found > 0 else ""
    return f"{problem} {dimension.unit}".rstrip(), f"{factor}a smaller uncertainty"


def _like(dimension: Dimension) -> str:
    """An example of an uncertainty with the unit of a dimension."""
    return f"0.1 {dimension.example.split(' ', 1)[1]}" if " " in dimension.example else "0.1"
