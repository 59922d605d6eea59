"""Parameters with a small standard error that could nevertheless be anything.

Chi-squared is a parabola near its minimum; further out it may level off, as that of a resistance does that could as
well be infinite, or have another minimum that is as deep. So what is known poorly is followed out to its bounds.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.fitting.elsewhere import exchanged
from ionics.fitting.identify import Identified
from ionics.fitting.posed import AbstractPosed, linearised
from ionics.fitting.search import Ends

ENOUGH = 6.63  # rise of chi-squared, in units of the noise, that chance exceeds once in 100 times
FAR = 100.0  # times as large or small as at the optimum: no need to look further
APART = 0.3  # least difference of two values, as a logarithm or of the allowed range
SURE = 0.03  # standard error of a logarithm below which a parameter is known
FIRST, FURTHER = 3.0, 3.0  # standard errors out to the first look, and how much further out every other one is
LOOKS = 40  # evaluations of the model at each


def further(posed: AbstractPosed, ends: Ends, at, found: Identified, on_bound) -> Iterator[str]:
    """Sentences about what the standard errors call determined, and is not: by following chi-squared further out."""
    error, parameters = np.sqrt(np.diag(found.covariance)), posed.unknowns.parameters
    elsewhere = dict(as_well(posed, at, error, ends))
    for j, parameter in enumerate(parameters):
        if j in found.named or on_bound[j]:
            continue
        start = f"{parameter.name} is not determined by these data: "
        unit = f" {parameter.unit}" if parameter.unit not in ("", "1") else ""
        if j in elsewhere:
            other, here = (
                posed.unknowns.values(np.where(np.arange(len(at)) == j, v, at))[j] for v in (elsewhere[j], at[j])
            )
            yield f"{start}with {other:.3g}{unit} instead of {here:.3g}{unit} they are described as well"
        elif parameter.scale == "log" and error[j] > SURE and posed.followed:
            down, up = levels_off(posed, at, found.covariance, j)
            if down and up:
                yield f"{start}it may be far larger and far smaller"
            elif up:
                yield f"{start}it may be far larger; they set only a lower limit"
            elif down:
                yield f"{start}it may be far smaller; they set only an upper limit"


def levels_off(
    posed: AbstractPosed, at: Float[np.ndarray, " unknown"], covariance: Float[np.ndarray, "unknown unknown"], i: int
) -> tuple[bool, bool]:
    """Whether chi-squared rises too little as unknown i, a logarithm, goes from the optimum `at` far down, far up.

    Far is FAR times, or to its bound.

    covariance: of the unknowns, finite at those that are free.
    """
    residual = np.asarray(linearised(posed.problem, jnp.asarray(at))[0])
    least = float(residual @ residual)
    level = least + ENOUGH * posed.variance(least)
    box = posed.unknowns.box
    edges = max(float(box.lower[i]), at[i] - np.log(FAR)), min(float(box.upper[i]), at[i] + np.log(FAR))
    error = float(np.sqrt(covariance[i, i]))
    follow = np.nan_to_num(covariance[:, i] / covariance[i, i], posinf=0.0, neginf=0.0)
    down, up = (_stays(posed, at, follow, i, float(edge), error, level) for edge in edges)
    return down, up


def _stays(posed: AbstractPosed, at, follow, i: int, edge: float, error: float, level: float) -> bool:
    """Whether chi-squared stays below a level all the way to an edge."""
    box, here, way = posed.unknowns.box, np.array(at), FIRST * error
    while True:
        step = np.clip(at[i] + np.copysign(way, edge - at[i]), *sorted((at[i], edge))) - here[i]
        here = np.clip(here + follow * step, np.asarray(box.lower), np.asarray(box.upper))
        here, cost = _followed(posed, here, i, level)
        if not cost <= level:
            return False
        if abs(here[i] - edge) < 1e-9:
            return True
        way *= FURTHER


def _followed(posed: AbstractPosed, start, i: int, level: float) -> tuple[np.ndarray, float]:
    """Levenberg-Marquardt of the others from a start, with unknown i held, until chi-squared is below a level."""
    box = posed.unknowns.box
    lower, upper, stride = (np.asarray(edge) for edge in (box.lower, box.upper, box.stride))
    at, cost, damping = start, np.inf, 1e-2
    move, trial = np.zeros_like(start), start
    gradient = normal = np.zeros(0)
    for _ in range(LOOKS):
        residual, jacobian = (np.asarray(part) for part in linearised(posed.problem, jnp.asarray(trial)))
        new = float(residual @ residual)
        if np.isfinite(new) and np.all(np.isfinite(jacobian)) and new < cost:
            ended = cost - new < 1e-3 * (new - level)  # at this pace it does not get there
            at, cost, damping = trial, new, max(damping / 5, 1e-9)
            gradient, normal = jacobian.T @ residual, jacobian.T @ jacobian
            if cost <= level or ended:
                break
        else:
            damping *= 10
        if not len(gradient) or damping > 1e12:
            break
        free = ~(((at <= lower) & (gradient > 0)) | ((at >= upper) & (gradient < 0)))
        free[i] = False
        scale = np.maximum(np.diag(normal), 1e-9 * np.max(np.diag(normal)) + 1e-300)
        own = np.ix_(free, free)
        move = np.zeros_like(at)
        move[free] = -np.linalg.solve(normal[own] + damping * np.diag(scale[free]), gradient[free])
        trial = np.clip(at + np.clip(move, -stride, stride), lower, upper)
    return at, cost


def as_well(posed: AbstractPosed, at: Float[np.ndarray, " unknown"], error, ends: Ends) -> Iterator[tuple[int, float]]:
    """Unknowns that are elsewhere where a search ended as well as at the optimum, by this much, and where they are.

    By more than APART and three standard errors. Two arcs that are exchanged have
    only exchanged their names.
    """
    parameters, box = posed.unknowns.parameters, posed.unknowns.box
    residual = np.asarray(linearised(posed.problem, jnp.asarray(at))[0])
    least = float(residual @ residual)
    width = APART * np.where(posed.unknowns.is_log, 1.0, np.asarray(box.upper - box.lower))
    least_far = np.maximum(width, np.where(np.isfinite(error), 3 * np.where(np.isfinite(error), error, 0.0), np.inf))
    seen = set()
    for end in ends.at[ends.converged & (ends.cost < least + ENOUGH * posed.variance(least))]:
        far = np.abs(end - at) > least_far
        named = {name for pair in exchanged(parameters, at, end) for name in pair} if far.any() else set()
        if not named:
            new = [int(j) for j in np.flatnonzero(far) if j not in seen]
            seen.update(new)
            yield from ((j, float(end[j])) for j in new)
