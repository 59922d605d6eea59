"""Parameters that a fit leaves on a bound: what the data still say of them, and how they widen the errors of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ionics.fitting.model import Parameter

WITHIN = 2.0  # standard deviations within which a parameter may move away from its bound
HARD = 3.0  # standard deviations beyond the bound where the data would rather have it: the bound stands in their way
ROUNDING = 1e-10  # what others make up for to this share is made up for exactly


@dataclass(frozen=True)
class Held:
    """A parameter on a bound, seen along u, which is 0 there and grows inwards.

    On a log scale a lower bound is as good as zero and an upper one as good as infinity: u is what the value, or its
    reciprocal, has more than there. On a linear scale u is the distance. Chi-squared is a parabola of u about -beyond.
    """

    parameter: Parameter
    value: float
    upper: bool
    error: float  # standard deviation of u, were there no bound; infinite where the others make up for it
    beyond: float  # how far outside the data would have it
    follow: Float[np.ndarray, " free"]  # how the other unknowns follow, by u

    def reach(self, deviations: float = WITHIN) -> float:
        """How large u can be before chi-squared has risen by this many standard deviations, squared."""
        if not np.isfinite(self.error):
            return np.inf
        wide = deviations * self.error
        return float(wide**2 / (np.hypot(self.beyond, wide) + self.beyond)) if wide else 0.0

    def limit(self, deviations: float = WITHIN) -> float:
        """The value at that reach."""
        reach, at = self.reach(deviations), self.value
        if self.parameter.scale == "linear":
            return at - reach if self.upper else at + reach
        return 1 / (1 / at + reach) if self.upper else at + reach

    @property
    def is_open(self) -> bool:
        """Whether the data leave it undetermined: by more than a factor e, or than its allowed range."""
        if self.parameter.scale == "linear":
            return self.error > self.parameter.upper - self.parameter.lower
        return self.error * (self.value if self.upper else 1 / self.value) > 1.0

    @property
    def sentence(self) -> str:
        """In words."""
        p, side = self.parameter, "upper" if self.upper else "lower"
        unit = f" {p.unit}" if p.unit not in ("", "1") else ""
        bound, limit = f"{p.upper if self.upper else p.lower:.4g}{unit}", self.limit()
        inside = p.lower < limit < p.upper
        least = f"{'at least' if self.upper else 'at most'} {limit:.3g}{unit} (95 %)"
        if self.is_open:
            rest = f"they say only that it is {least}" if inside else "it may be anything within its bounds"
            return f"{p.name} is not determined by these data: it lies on its {side} bound {bound}, and {rest}"
        if p.scale == "linear" and p.unit in ("", "1") and float(bound) in (0.0, 1.0):
            return f"{p.name} lies on its natural limit {bound}" + (f"; it is {least}" if inside else "")
        if self.beyond > HARD * self.error:
            return f"{p.name} lies on its {side} bound {bound}, and the data would have it beyond"
        return f"{p.name} lies on its {side} bound {bound}" + (f"; it is {least}" if inside else "")


def hold(
    parameter: Parameter,
    value: float,
    upper: bool,
    column: Float[np.ndarray, " residual"],
    slope: float,
    known: tuple[Float[np.ndarray, "residual rank"], Float[np.ndarray, "rank free"]],
    scale: float,
) -> Held:
    """What is known of a parameter on a bound.

    column, slope: derivatives of the residual and of half of chi-squared by what is searched; known: an orthonormal
    basis of what the free unknowns can do to the residual, and the unknowns that do it; scale: variance of a residual.
    """
    size = 1.0 if parameter.scale == "linear" else value if upper else 1 / value
    inwards = -size if upper else size
    column, slope = column * inwards, slope * inwards
    basis, unknowns = known
    share = basis.T @ column
    own = float(np.linalg.norm(column - basis @ share))
    follow = -share @ unknowns
    if own <= ROUNDING * float(np.linalg.norm(column)):
        return Held(parameter, value, upper, np.inf, 0.0, follow)
    return Held(parameter, value, upper, float(np.sqrt(scale)) / own, max(slope / own**2, 0.0), follow)
