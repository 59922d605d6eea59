"""Many searches, from many starts and of many problems, through one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ionics.fitting.levenberg import CODES, CONVERGED, NONFINITE, RUNNING, Box, Search, advance, begin, judge, propose
from ionics.fitting.posed import AbstractProblem, linearised

WIDTH = 32  # searches that go on together: enough for the vectors of a processor, and none waits long for the slowest
WIDE = 1024  # the same on an accelerator
ROUND = 16  # steps after which those that ended make room


@dataclass(frozen=True)
class Ends:
    """Where searches ended; the first axis is that of the searches."""

    at: Float[np.ndarray, "search unknown"]
    cost: Float[np.ndarray, " search"]  # infinite where nothing finite was met
    code: Int[np.ndarray, " search"]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(CODES[code] for code in self.code)

    @property
    def converged(self) -> np.ndarray:
        return self.code == CONVERGED

    def of(self, chosen) -> Ends:
        """Some of them."""
        return Ends(self.at[chosen], self.cost[chosen], self.code[chosen])


def search(
    problems: Sequence[AbstractProblem],
    which: Int[np.ndarray, " search"],
    starts: Float[np.ndarray, "search unknown"],
    boxes: Box,
    iterations: int,
    tell: Callable[[float], None] | None = None,
) -> Ends:
    """Search from every start, of problem which[k], in boxes (leaves with a first axis `search`).

    The problems have the same shape. Up to WIDTH searches (WIDE on an accelerator) run as one batch; where there are
    more, those that have ended give their place to others every ROUND steps. tell(share of the searches that are
    done) is called then. Those of a model that is slow to evaluate run one after another on a processor: the function
    that evaluates it is compiled once for everything, and none waits for another.
    """
    if problems[0].slow and jax.default_backend() == "cpu":
        return _one_by_one(problems, which, starts, boxes, iterations, tell)
    together = len(problems) == 1
    merged = problems[0] if together else jax.tree.map(_stacked, *problems)
    count, most = len(starts), WIDTH if jax.default_backend() == "cpu" else WIDE
    width = min(count, most)
    steps = iterations if count <= width else ROUND
    at, cost, code = np.array(starts, float), np.full(count, np.inf), np.zeros(count, int)
    waiting, places = list(range(count)), np.full(width, -1)
    lanes, done = None, 0
    while waiting or np.any(places >= 0):
        free = np.flatnonzero(places < 0)
        fresh = free[: len(waiting)]
        places[fresh] = [waiting.pop(0) for _ in fresh]
        who = np.where(places >= 0, places, places.max())  # idle lanes repeat one; nothing reads them
        own, box = jnp.asarray(which[who]), jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[who]), boxes)
        if len(fresh):
            begun = _begin(problems[0].residuals, jnp.asarray(at[who]), box)
            is_fresh = np.isin(np.arange(width), fresh)
            lanes = begun if lanes is None else jax.tree.map(partial(_renewed, is_fresh), lanes, begun)
        lanes = _advance(merged, together, own, lanes, box, steps, iterations)
        ended = np.flatnonzero((np.asarray(lanes.code) != RUNNING) & (places >= 0))
        out = places[ended]
        at[out], cost[out], code[out] = (np.asarray(x)[ended] for x in (lanes.at, lanes.cost, lanes.code))
        places[ended] = -1
        done += len(ended)
        if tell is not None:
            tell(done / count)
    return Ends(at, np.where(code == NONFINITE, np.inf, cost), code)


def _one_by_one(problems, which, starts, boxes, iterations: int, tell) -> Ends:
    found = []
    for k, start in enumerate(starts):
        problem, box = problems[which[k]], jax.tree.map(lambda leaf: leaf[k], boxes)
        lane = _begin_one(problem.residuals, jnp.asarray(start, float), box)
        while int(lane.code) == RUNNING:
            at, held = _propose(lane, box)
            flat = int(lane.steps) > 0 and 0 <= _promised(lane, at) <= problem.rough * float(lane.cost)
            lane = _judge(lane, at, held, *linearised(problem, at), iterations)
            if flat and int(lane.code) == RUNNING:
                lane = eqx.tree_at(lambda one: one.code, lane, jnp.asarray(CONVERGED))
        found.append((np.asarray(lane.at), float(lane.cost), int(lane.code)))
        if tell is not None:
            tell((k + 1) / len(starts))
    at, cost, code = (np.array(one) for one in zip(*found, strict=True))
    return Ends(at, np.where(code == NONFINITE, np.inf, cost), code)


def _promised(lane: Search, at) -> float:
    """By how much the sum of squares falls on the way there if the residual is as straight as its Jacobian says.

    Negative where the way was cut off at a bound in some unknowns and not in others: a shorter one may go down.
    """
    change = np.asarray(lane.jacobian) @ (np.asarray(at) - np.asarray(lane.at))
    return -float((2 * np.asarray(lane.residual) + change) @ change)


_begin_one, _propose, _judge = eqx.filter_jit(begin), eqx.filter_jit(propose), eqx.filter_jit(judge)


def _stacked(*leaves):
    return jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0]


def _one(problems: AbstractProblem, together: bool, own) -> AbstractProblem:
    return problems if together else jax.tree.map(lambda leaf: leaf[own] if eqx.is_array(leaf) else leaf, problems)


@eqx.filter_jit
def _begin(residuals: int, at, boxes) -> Search:
    return jax.vmap(partial(begin, residuals))(at, boxes)


@eqx.filter_jit
def _advance(problems, together: bool, which, lanes, boxes, steps: int, iterations: int) -> Search:
    def one(own, lane, box):
        return advance(partial(linearised, _one(problems, together, own)), lane, box, steps, iterations)

    return jax.vmap(one)(which, lanes, boxes)


def _renewed(is_fresh, old, new):
    return jnp.where(is_fresh.reshape(-1, *[1] * (old.ndim - 1)), new, old)
