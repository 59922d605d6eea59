"""A number with its uncertainty and where both come from: what atomistics hands to the continuum."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with one standard uncertainty, both in `unit`.

    `factor` instead of `uncertainty`: the logarithm is normal, 68 % lie between value/factor and value*factor.
    """

    value: float
    unit: str  # as written in a YAML file: eV, m^2/s, 1/m^2; empty for a ratio
    source: str  # of the atoms and the model: phase, citation, potential with its version
    method: str  # how it was obtained, and what the uncertainty is: an ensemble spread, a fit error, a published error
    uncertainty: float | None = None
    factor: float | None = None

    def __post_init__(self):
        if (self.uncertainty is None) == (self.factor is None):
            raise ValueError("an estimate has an uncertainty or a factor, one of the two")
        if self.uncertainty is not None and not self.uncertainty >= 0:
            raise ValueError(f"the uncertainty {self.uncertainty} {self.unit} is negative")
        if self.factor is not None and not (self.factor >= 1 and self.value > 0):
            raise ValueError(f"a factor is at least 1 and of a positive value, not {self.factor} of {self.value}")

    def entry(self) -> dict[str, str]:
        """As a mapping of a YAML file: value, uncertainty, source, method."""
        spread = f"factor {self.factor:.4g}" if self.factor is not None else self._text(self.uncertainty)
        return {"value": self._text(self.value), "uncertainty": spread, "source": self.source, "method": self.method}

    def _text(self, value: float) -> str:
        return f"{value:.6g} {self.unit}".rstrip()
