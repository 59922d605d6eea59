"""The smooth distribution behind one spectrum together with the end of its cell: which end, by evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float

from ionics.fitting.relaxation.tikhonov import STRENGTHS, evidence, optimum, whiten

REFINEMENTS = 2  # of the prior's scale
BLUR = 3.0  # points of the grid, of what a distribution says about its own scale
FLOOR = 1e-3  # of |Z|: a scale is never below it
OUTSIDE = 1e-6  # of the scale, where a blocking end leaves no room for a distribution
NEAR = 4  # exponents to either side that are tried again
DECADE = 4  # steps of STRENGTHS


@dataclass(frozen=True, eq=False)
class Problem:
    """One spectrum, weighted, and what is known about its distribution before it is seen."""

    a: np.ndarray
    b: np.ndarray
    weight: np.ndarray
    size: np.ndarray  # ohm: gamma is of the order of |Z| at omega = 1 / tau
    within: np.ndarray  # where a cell that blocks may have a distribution: not beyond the lowest frequency
    rough: np.ndarray
    known: bool


def solve(
    problem: Problem, ends: Sequence[Complex[np.ndarray, "frequency 3"]], present: Sequence[Bool[np.ndarray, " 3"]]
) -> Solution:
    """The smooth solution, then twice one that is smooth on the scale of the one before; its end by evidence."""
    best = _best(problem, problem.size, ends, present, range(len(ends)))
    for _ in range(REFINEMENTS):
        scale = _envelope(best.unknowns[:-3] * best.scale) + FLOOR * problem.size
        near = [k for k in range(len(ends)) if abs(k - best.pick) <= NEAR or not present[k][2]]
        best = _best(problem, scale, ends, present, near)
    return best


@dataclass(frozen=True, eq=False)
class Solution:
    """Stacked rows of data and prior, what they are to be, and the non-negative unknowns that do it best."""

    value: float  # log evidence
    pick: int
    stacked: np.ndarray
    target: np.ndarray
    unknowns: np.ndarray
    scale: np.ndarray
    strength: float
    noise: float


def _best(problem, scale, ends, present, near):
    """The end with the largest evidence, the misfit being that of the non-negative solution.

    Without the bounds the misfit is smaller and the evidence larger: ends are tried in the order of that, until
    none can win.
    """
    scales = {True: scale * np.where(problem.within, 1.0, OUTSIDE), False: scale}
    blocks = {k: bool(present[k][2]) for k in near}
    white = {case: whiten((problem.a * scales[case])[None], problem.rough) for case in set(blocks.values())}
    rows = {k: weighted(ends[k], problem.weight[None]) for k in near}
    free = {k: evidence(white[blocks[k]], problem.b[None], rows[k][..., present[k]], problem.known) for k in near}

    def at(k, strength):
        """The non-negative solution with end k and the strength of that index."""
        own, used = free[k], scales[blocks[k]]
        size = float(white[blocks[k]].strengths[0, strength])
        stacked = _stack(problem.a * used, rows[k][0], present[k], np.sqrt(size) * problem.rough)
        target = np.pad(problem.b, (0, len(stacked) - len(problem.b)))
        unknowns = optimum(stacked, target)
        spare, variance = len(problem.b) - present[k].sum(), own[1][0, strength]
        found = max(float(np.sum((stacked @ unknowns - target) ** 2)) / spare, variance)
        more = 0.5 * (spare * (found - variance) if problem.known else len(problem.b) * np.log(found / variance))
        noise = 1.0 if problem.known else float(np.sqrt(found))
        return Solution(float(own[0][0, strength] - more), k, stacked, target, unknowns, used, size, noise)

    top = {k: int(np.argmax(free[k][0])) for k in near}
    best, index = None, 0
    for k in sorted(near, key=lambda k: -free[k][0][0, top[k]]):
        if best is not None and free[k][0][0, top[k]] <= best.value:
            break
        tried = at(k, top[k])
        if best is None or tried.value > best.value:
            best, index = tried, top[k]
    assert best is not None  # there is always one to try
    for step in (-DECADE, DECADE):  # the bounds ask for another smoothness than the free solution
        while 0 <= index + step < len(STRENGTHS) and (tried := at(best.pick, index + step)).value > best.value:
            best, index = tried, index + step
    return best


def _envelope(gamma):
    """gamma, blurred."""
    x = np.arange(len(gamma))
    blur = np.exp(-abs(x[:, None] - x) / BLUR)
    return blur @ gamma / blur.sum(axis=1)


def _stack(a, extra, present, rough):
    """Data above prior; columns that are absent are held at zero by a row of their own."""
    data = np.hstack([a, extra * present])
    prior = np.hstack([rough, np.zeros((len(rough), 3))])
    held = np.hstack([np.zeros((3, a.shape[1])), np.diag((~present).astype(float))])
    return np.vstack([data, prior, held])


def end(omega: Float[np.ndarray, " frequency"], exponent: float) -> Complex[np.ndarray, "frequency 3"]:
    """Columns of R_inf, L and 1 / Q."""
    s = 1j * omega
    return np.column_stack([np.ones_like(s), s, s**-exponent])


def weighted(
    columns: Complex[np.ndarray, "frequency column"], weight: Float[np.ndarray, "spectrum frequency"]
) -> Float[np.ndarray, "spectrum row column"]:
    """Weighted real above imaginary rows of complex columns, for every spectrum."""
    return np.concatenate([np.real(columns) * weight[..., None], np.imag(columns) * weight[..., None]], axis=-2)
