"""Which parameters, and which combinations of them, a fit has determined; said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ionics.fitting.bounds import WITHIN, Held, hold
from ionics.fitting.model import Parameter

NOTHING = 1e-10  # singular values below this share of the largest are rounding
PART = 0.2  # components below this share of the largest are left out of a sentence,
LOST = 1e-4  # of a combination that changes nothing at all below this one


@dataclass(frozen=True)
class Identified:
    """Covariance of the unknowns (log or linear) and sentences about what is not determined, or lies on a bound."""

    covariance: Float[np.ndarray, "parameter parameter"]
    correlation: Float[np.ndarray, "parameter parameter"]
    sentences: tuple[str, ...]
    named: frozenset[int]  # parameters of which these sentences speak
    limits: tuple[str, ...]
    information: Information


@dataclass(frozen=True)
class Information:
    """The spectrum of the Fisher matrix: independent combinations of the parameters, best known first.

    A combination is a unit vector over all parameters, measured in units of what counts as knowing nothing (a factor
    e on a log scale, the allowed range on a linear one); its error is infinite where the data say nothing about it.
    """

    error: Float[np.ndarray, " combination"]
    direction: Float[np.ndarray, "combination parameter"]


def identify(
    parameters: Sequence[Parameter],
    values: Float[np.ndarray, " parameter"],
    jacobian: Float[np.ndarray, "residual parameter"],
    spread: Float[np.ndarray, " parameter"],
    side: Int[np.ndarray, " parameter"],
    gradient: Float[np.ndarray, " parameter"],
    scale: float,
) -> Identified:
    """Error analysis of the weighted Jacobian by the unknowns at the optimum.

    spread: the change of an unknown that counts as knowing nothing (1 in log, the allowed range if linear);
    side: -1 and 1 for parameters on their lower and upper bound, 0 for free ones; gradient: of half of chi-squared;
    scale: variance of a weighted residual. The eigenvectors of the Fisher matrix, in units of spread, with a standard
    error above 1 span what the data leave open; parameters with a share in a direction of no information at all have
    infinite variance. Parameters on a bound have none, but those that could leave it take others along: as far as
    chi-squared lets them is added to the variances of these.
    """
    free = side == 0
    basis, singular, directions = np.linalg.svd(jacobian[:, free] * spread[free], full_matrices=False)
    known = singular > NOTHING * max(singular.max(initial=0.0), 1e-300)
    inverse = np.where(known, 1.0 / np.where(known, singular, 1.0), 0.0)
    covariance = scale * (directions.T * inverse**2) @ directions
    lost = np.any(np.abs(directions[~known]) > 1e-6, axis=0)
    solved = basis[:, known], inverse[known, None] * directions[known]
    held = [
        hold(parameters[j], float(values[j]), bool(side[j] > 0), jacobian[:, j], float(gradient[j]), solved, scale)
        for j in np.flatnonzero(side)
    ]
    for one in held:
        if np.isfinite(one.error):
            covariance += np.outer(one.follow, one.follow) * (one.reach() / WITHIN) ** 2
        else:
            lost |= _moved(one.follow)
    error = np.where(lost, np.inf, np.sqrt(np.diag(covariance)))
    deviation = np.sqrt(np.diag(covariance))
    safe = np.where(deviation > 0, deviation, 1.0)
    full = np.full((len(free), len(free)), np.nan)
    correlation = full.copy()
    inner = np.ix_(free, free)
    covariance[np.diag_indices_from(covariance)] = error**2
    full[inner] = covariance * np.outer(spread[free], spread[free])
    correlation[inner] = covariance / np.outer(safe, safe)
    correlation[np.diag_indices_from(correlation)] = 1.0
    lost_rows, weak = _reduced(directions[~known]), _reduced(directions[known & (np.sqrt(scale) * inverse > 1.0)])
    open_ = [(row, LOST) for row in lost_rows] + [(row, PART) for row in weak]
    chosen = [parameter for parameter, keep in zip(parameters, free, strict=True) if keep]
    direction = np.zeros((len(directions), len(free)))
    direction[:, free] = directions
    information = Information(np.where(known, np.sqrt(scale) * inverse, np.inf), direction)
    spoken = set()
    told = [*_sentences(chosen, values[free], error, open_, held, spoken), *_alone_on_bounds(held)]
    named = {int(np.flatnonzero(free)[j]) for j in spoken}
    named.update(int(j) for j, one in zip(np.flatnonzero(side), held, strict=True) if one.is_open)
    limits = tuple(one.sentence for one in held if not one.is_open)
    return Identified(full, correlation, tuple(told), frozenset(named), limits, information)


def _reduced(rows):
    """Reduced echelon form with pivoting: the same space, spanned by rows with as few entries as possible."""
    rows = rows.copy()
    for k in range(len(rows)):
        i, j = np.unravel_index(np.argmax(np.abs(rows[k:])), rows[k:].shape)
        rows[[k, k + i]] = rows[[k + i, k]]
        rows[k] /= rows[k, j]
        for other in range(len(rows)):
            if other != k:
                rows[other] -= rows[other, j] * rows[k]
    return rows


def _moved(follow):
    """Which unknowns go along with one on its bound."""
    return np.abs(follow) > LOST * np.max(np.abs(follow), initial=1e-300)


def _tied(held: Held) -> bool:
    """Whether others make up for any change of it."""
    return not np.isfinite(held.error) and bool(np.any(held.follow))


def _alone_on_bounds(held):
    return (one.sentence for one in held if one.is_open and not _tied(one))


def _sentences(parameters, values, error, open_, held, spoken: set[int]):
    """Sentences; the indices of those they speak of are put into `spoken`."""
    for one in filter(_tied, held):
        members = np.flatnonzero(_moved(one.follow))
        spoken.update(int(j) for j in members)
        if len(members) == 1:
            b = members[0]
            yield _pair_on_bound(one, parameters[b], values[b], one.follow[b])
        else:
            yield _together([one.parameter.name, *(parameters[j].name for j in members)])
    for row, part in open_:
        members = np.flatnonzero(np.abs(row) > part * np.max(np.abs(row)))
        spoken.update(int(j) for j in members)
        if len(members) == 1:
            yield _alone(parameters[members[0]], error[members[0]])
        elif len(members) == 2:
            yield _pair([parameters[j] for j in members], values[members], row[members])
        else:
            yield _together([parameters[j].name for j in members])
    for j, (parameter, size) in enumerate(zip(parameters, error, strict=True)):
        if size > 1.0 and j not in spoken:
            spoken.add(j)
            yield _alone(parameter, size)


def _alone(parameter, error):
    if not np.isfinite(error):
        return f"{parameter.name} is not determined by these data: nothing that is computed depends on it"
    against = "its value" if parameter.scale == "log" else "its allowed range"
    return f"{parameter.name} is not determined by these data: its standard error is {error:.2g} times {against}"


def _together(names):
    return _separately(names) + "they can change together and leave all that is computed as it is"


def _separately(names):
    return f"{', '.join(names[:-1])} and {names[-1]} are not determined separately by these data: "


def _pair_on_bound(held, b, value, follow):
    """Of a parameter that is as good as zero or as infinite, and the one that makes up for it."""
    a, start = held.parameter, _separately([held.parameter.name, b.name])
    if "linear" not in (a.scale, b.scale) and a.unit == b.unit:
        if not held.upper and np.isclose(follow * value, -1.0, rtol=0.05):
            return start + f"only their sum {a.name} + {b.name} is"
        if held.upper and np.isclose(follow / value, 1.0, rtol=0.05):
            return start + f"only 1/{a.name} + 1/{b.name} is"
    return _together([a.name, b.name])


def _pair(parameters, values, row):
    a, b = parameters
    start = _separately([a.name, b.name])
    if "linear" in (a.scale, b.scale):
        return _together([a.name, b.name])
    power = -row[0] / row[1]  # log a + power log b does not change along the open direction
    ratio = values[1] / values[0]
    if a.unit == b.unit and np.isclose(power, ratio, rtol=0.05):
        return start + f"only their sum {a.name} + {b.name} is"
    if a.unit == b.unit and np.isclose(power, 1 / ratio, rtol=0.05):
        return start + f"only 1/{a.name} + 1/{b.name} is"
    if np.isclose(abs(power), 1.0, rtol=0.05):
        return start + f"only {a.name} {'*' if power > 0 else '/'} {b.name} is"
    return start + f"only {a.name} * {b.name}^{power:.2g} is"
