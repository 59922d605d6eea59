"""Profile likelihood: how chi-squared rises as one parameter is held away from its best value and all others follow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.fitting.levenberg import Box
from ionics.fitting.problem import linearised
from ionics.fitting.result import Estimates
from ionics.fitting.search import search

POINTS = 8  # to each side
FIRST = 3.0  # standard errors that they reach at first
WIDER = 4  # times that reach is doubled where chi-squared has not risen enough
FINER = 2  # times the points are made denser where chi-squared passes ENOUGH in one leap
LEAP = 1.5  # of the root of its rise, between two points
ENOUGH = 9.0  # rise of chi-squared, in units of the noise


@dataclass(frozen=True)
class Profile:
    """Of one parameter: values in its unit and the least chi-squared above the minimum, in units of the noise."""

    name: str
    unit: str
    best: float
    value: Float[np.ndarray, " point"]
    rise: Float[np.ndarray, " point"]
    bounds: tuple[float, float]
    log: bool  # whether it is searched by its logarithm
    dof: int | None  # None where the size of the errors is given

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Where chi-squared rises by less than chance would have it at this level; an open end is its bound.

        The limit is the quantile of chi-squared with one degree of freedom, of F(1, dof) where the size of the errors
        is estimated from the misfit (Bates and Watts, Nonlinear Regression Analysis, 1988, section 6.1).
        """
        from scipy.stats import chi2, f

        limit = float(chi2.ppf(level, 1) if self.dof is None else f.ppf(level, 1, self.dof))
        inner = np.log(self.value) if self.log else self.value
        centre = np.log(self.best) if self.log else self.best
        height = np.sign(inner - centre) * np.sqrt(np.maximum(self.rise, 0.0))
        ends = []
        for side, bound in ((-1.0, self.bounds[0]), (1.0, self.bounds[1])):
            own = np.flatnonzero(side * (inner - centre) >= 0)
            own = own[np.argsort(side * inner[own])]
            up = np.maximum.accumulate(side * height[own])
            if up[-1] < np.sqrt(limit):
                ends.append(bound)
                continue
            end = float(np.interp(np.sqrt(limit), up, inner[own]))
            ends.append(float(np.exp(end)) if self.log else end)
        return ends[0], ends[1]

    def closed(self, level: float = 0.95) -> tuple[bool, bool]:
        """Whether the data limit the parameter from below and from above."""
        low, high = self.interval(level)
        return low > self.bounds[0], high < self.bounds[1]

    def sentence(self, level: float = 0.95) -> str:
        """The interval in words."""
        (low, high), (below, above) = self.interval(level), self.closed(level)
        unit = f" {self.unit}" if self.unit not in ("", "1") else ""
        share = f"({100 * level:g} %)"
        if below and above:
            return f"{self.name} lies between {low:.4g} and {high:.4g}{unit} {share}"
        if above:
            return f"{self.name} is below {high:.4g}{unit} {share}; the data set no lower limit"
        if below:
            return f"{self.name} is above {low:.4g}{unit} {share}; the data set no upper limit"
        return f"{self.name} is not limited by the data within its bounds {low:.4g} to {high:.4g}{unit}"


def profiles(
    estimates: Estimates, names: Sequence[str] | None = None, iterations: int = 100
) -> tuple[list[Profile], str]:
    """Profiles of some parameters (all by default), as one batch, and what to be careful about in a sentence.

    Raises KeyError for a name that the fit has not.
    """
    posed, at = estimates.posed, estimates.posed.unknowns.inner(estimates.values)
    known = [estimates.names.index(name) if name in estimates.names else -1 for name in names or estimates.names]
    if -1 in known:
        raise KeyError(f"no parameter '{list(names or ())[known.index(-1)]}'; there are {', '.join(estimates.names)}")
    residual, jacobian = (np.asarray(part) for part in linearised(posed.problem, jnp.asarray(at)))
    least = float(residual @ residual)
    noise = posed.variance(least)
    box = posed.unknowns.box
    lower, upper = np.asarray(box.lower), np.asarray(box.upper)
    # the covariance of what is searched; where the data say nothing, as much as the bounds allow
    matrix = jacobian.T @ jacobian / noise + np.diag((upper - lower) ** -2.0)
    covariance = np.linalg.inv(matrix)
    error = np.sqrt(np.diag(covariance))
    kept = {i: [(at[i], 0.0)] for i in known}
    begun: dict[int, list[np.ndarray]] = {i: [at] for i in known}
    every = sides = [(i, side) for i in known for side in (-1.0, 1.0)]
    reach = FIRST
    for turn in range(WIDER + FINER):
        if turn < WIDER:
            steps = reach * np.linspace(0 if turn == 0 else 0.5, 1, POINTS + 1)[1:]
            held = [
                (i, float(np.clip(at[i] + side * step * error[i], lower[i], upper[i])))
                for i, side in sides
                for step in steps
            ]
        else:
            gaps = [_gap(kept[i], at[i], side) for i, side in every]
            held = [
                (i, float(value))
                for (i, _), gap in zip(every, gaps, strict=True)
                if gap is not None
                for value in np.linspace(*gap, POINTS + 2)[1:-1]
            ]
        if not held:
            continue
        starts = np.stack([_beside(at, covariance, i, value, begun[i]) for i, value in held])
        low, high = np.tile(lower, (len(held), 1)), np.tile(upper, (len(held), 1))
        for row, (i, value) in enumerate(held):
            low[row, i] = high[row, i] = value
        boxes = Box(jnp.asarray(low), jnp.asarray(high), jnp.tile(box.stride, (len(held), 1)))
        ends = search([posed.problem], np.zeros(len(held), int), starts, boxes, iterations)
        for (i, value), end, cost in zip(held, ends.at, ends.cost, strict=True):
            kept[i].append((value, (cost - least) / noise))
            begun[i].append(end)
        sides = [(i, side) for i, side in sides if not _risen(kept[i], at[i], side, lower[i], upper[i])]
        reach *= 2.5
    dof = None if posed.weighting == "sigma" else posed.dof
    found = [_profile(estimates, i, kept[i], dof) for i in known]
    worst = min(float(one.rise.min()) for one in found)
    warning = (
        f"a profile found a chi-squared lower by {-worst:.2g}: the fit is not the best one" if worst < -0.1 else ""
    )
    return found, warning


def _beside(at, covariance, i: int, value: float, ends) -> np.ndarray:
    """Where to start with parameter i held: the nearest end so far, moved as the covariance says."""
    nearest = min(ends, key=lambda end: abs(end[i] - value))
    moved = nearest + covariance[:, i] / covariance[i, i] * (value - nearest[i])
    return np.where(np.arange(len(at)) == i, value, moved)


def _risen(points, best: float, side: float, lower: float, upper: float) -> bool:
    own = [(value, rise) for value, rise in points if side * (value - best) >= 0]
    furthest = max(own, key=lambda point: side * point[0])
    return bool(furthest[1] > ENOUGH or furthest[0] in (lower, upper))


def _gap(points, best: float, side: float) -> tuple[float, float] | None:
    """Two neighbours between which chi-squared rises past what counts in one leap, if there are such."""
    own = sorted(((value, rise) for value, rise in points if side * (value - best) >= 0), key=lambda p: side * p[0])
    for (near, low), (far, high) in itertools.pairwise(own):
        if np.sqrt(max(high, 0.0)) - np.sqrt(max(low, 0.0)) > LEAP and low < ENOUGH:
            return near, far
    return None


def _profile(estimates: Estimates, i: int, points, dof: int | None) -> Profile:
    parameter = estimates.parameters[i]
    log = parameter.scale == "log"
    inner, rise = np.array(sorted(points)).T
    return Profile(
        parameter.name,
        parameter.unit,
        float(estimates.values[i]),
        np.exp(inner) if log else inner,
        rise,
        (parameter.lower, parameter.upper),
        log,
        dof,
    )
