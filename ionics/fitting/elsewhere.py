"""Other optima that searches ended in, said in words: two arcs exchanged, or what fits nearly as well."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from ionics.fitting.posed import AbstractPosed, linearised
from ionics.fitting.search import Ends

NEARLY = 25.0  # in chi-squared, measured by the noise: five standard deviations
APART = 0.05  # of a step's longest stride: ends closer than this are one
MOST = 3  # sentences
TRIED = 12  # ends that are looked at
WAY = (0.5, 0.25, 0.75, 0.1, 0.9, 0.375, 0.625)  # places between two ends


def elsewhere(posed: AbstractPosed, at: np.ndarray, cost: float, ends: Ends) -> Iterator[str]:
    """Sentences about optima apart from `at`, the best, whose cost is less than NEARLY above its own."""
    noise = cost / posed.dof
    near = np.flatnonzero(ends.converged & (ends.cost < cost + NEARLY * noise))
    stride, ordered = np.asarray(posed.unknowns.box.stride), near[np.argsort(ends.cost[near], kind="stable")]
    found, seen = [], [at]
    for k in ordered:
        if len(found) == MOST or len(seen) > TRIED:
            break
        if all(np.max(np.abs(ends.at[k] - other) / stride) > APART for other in seen):
            seen.append(ends.at[k])
            level = max(cost, ends.cost[k]) + noise
            if all(_ridge(posed, other, ends.at[k], level) for other in (at, *(ends.at[j] for j in found))):
                found.append(k)
    for k in found:
        same = near[np.max(np.abs(ends.at[near] - ends.at[k]) / stride, axis=1) < APART]
        yield _sentence(posed, at, ends.at[k], ends.cost[k] / cost - 1, len(same))


def _ridge(posed: AbstractPosed, at, other, level: float) -> bool:
    """Whether something worse lies between two ends: else they are one valley, along what is not determined."""
    for share in WAY:
        residual = np.asarray(linearised(posed.problem, jnp.asarray(at + share * (other - at)))[0])
        if not float(residual @ residual) <= level:
            return True
    return False


def _sentence(posed: AbstractPosed, at, other, more: float, count: int) -> str:
    size = "the same chi-squared" if more < 1e-6 else f"a chi-squared {100 * more:.2g} % larger"
    starts = f"({count} start{'s' if count > 1 else ''})"
    parameters = posed.unknowns.parameters
    pairs = list(dict.fromkeys(exchanged(parameters, at, other)))
    if pairs:
        told = [f"{a} and {b}" for a, b in pairs]
        more_pairs = [] if len(told) < 6 else [f"{len(told) - 4} more pairs"]
        return f"{', '.join([*told[: 4 if more_pairs else None], *more_pairs])} exchanged give {size} {starts}"
    values, best = posed.unknowns.values(other), posed.unknowns.values(at)
    moved = np.argsort(-np.abs(other - at) / np.asarray(posed.unknowns.box.stride))[:4]
    told = ", ".join(f"{parameters[j].name} = {values[j]:.3g} (here {best[j]:.3g})" for j in moved)
    return f"{told} gives {size} {starts}"


def exchanged(parameters, at, other) -> Iterator[tuple[str, str]]:
    """Pairs of parameters of one kind that stand where the other one stood, named as in the model."""
    for i, a in enumerate(parameters):
        for j in range(i + 1, len(parameters)):
            b, gap = parameters[j], abs(at[i] - at[j])
            (first, _, where), (second, _, there) = a.name.partition(" ("), b.name.partition(" (")
            if (a.unit, a.scale, where) != (b.unit, b.scale, there) or first == second or gap < 1e-3:
                continue
            if abs(other[i] - at[j]) < gap / 2 and abs(other[j] - at[i]) < gap / 2:
                yield first, second
