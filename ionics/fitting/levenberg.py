"""Bounded Levenberg-Marquardt that never raises, so that many searches run as one batch."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

CODES = ("running", "converged", "iteration limit", "non-finite")
RUNNING, CONVERGED, LIMIT, NONFINITE = range(4)
Linearised = Callable[[Float[Array, " unknown"]], tuple[Float[Array, " residual"], Float[Array, "residual unknown"]]]
FIRST_DAMPING = 3e-2  # before the first step, which succeeds
UNSEEN = 1e100  # stands for residuals before the start is evaluated
FLOOR = 1e-9  # of the most sensitive unknown: keeps damping on unknowns that the data hardly see


class Box(eqx.Module):
    """Where the unknowns may go, and how far in one step."""

    lower: Float[Array, "*batch unknown"]
    upper: Float[Array, "*batch unknown"]
    stride: Float[Array, "*batch unknown"]


class Search(eqx.Module):
    """A point on the way down, and how the search stands."""

    at: Float[Array, " unknown"]
    residual: Float[Array, " residual"]
    jacobian: Float[Array, "residual unknown"]
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    steps: Int[Array, ""]
    code: Int[Array, ""]

    @property
    def cost(self) -> Float[Array, "*batch"]:
        return jnp.sum(self.residual**2, axis=-1)


def begin(residuals: int, start: Float[Array, " unknown"], box: Box) -> Search:
    """A search before its first step, which evaluates the start and goes nowhere."""
    at = jnp.clip(start, box.lower, box.upper)
    return Search(
        at,
        jnp.full(residuals, UNSEEN),
        jnp.zeros((residuals, *at.shape)),
        damping=jnp.asarray(FIRST_DAMPING, dtype=at.dtype),
        growth=jnp.asarray(2.0, dtype=at.dtype),
        steps=jnp.asarray(0),
        code=jnp.asarray(RUNNING),
    )


def advance(linearised: Linearised, search: Search, box: Box, steps: int, iterations: int) -> Search:
    """Go on downhill for so many steps, or until the search ends: in a minimum of the sum of squares inside the box,
    or after `iterations` altogether; see `code`. linearised(unknowns) -> residual and its Jacobian.

    Damping after Nielsen (1999); unknowns on a bound whose gradient points outwards are held (projected
    Levenberg-Marquardt, Kanzow, Yamashita and Fukushima 2004). An unknown whose bounds coincide is held.
    """
    last = search.steps + steps

    def step(search):
        at, held = propose(search, box)
        return judge(search, at, held, *linearised(at), iterations)

    return jax.lax.while_loop(lambda one: (one.code == RUNNING) & (one.steps < last), step, search)


def propose(search: Search, box: Box) -> tuple[Float[Array, " unknown"], Bool[Array, " unknown"]]:
    """Where to look next, and which unknowns are held on a bound."""
    move, held = _step(search, box)
    move = jnp.where(search.steps == 0, 0.0, move)
    return jnp.clip(search.at + move, box.lower, box.upper), held


def judge(search: Search, at, held, residual, jacobian, iterations: int) -> Search:
    """Accept or refuse what was found there, adapt the damping, decide whether to stop."""
    moved = eqx.tree_at(lambda s: (s.at, s.residual, s.jacobian), search, (at, residual, jacobian))
    return _judge(search, moved, held, iterations)


def _finite(value, jacobian) -> Bool[Array, ""]:
    return jnp.all(jnp.isfinite(value)) & jnp.all(jnp.isfinite(jacobian))


def _step(search, box):
    """The damped Gauss-Newton step of the unknowns that are free to move."""
    gradient = search.jacobian.T @ search.residual
    held = ((search.at <= box.lower) & (gradient > 0)) | ((search.at >= box.upper) & (gradient < 0))
    normal = search.jacobian.T @ search.jacobian
    scale = jnp.diag(normal)
    scale = jnp.maximum(scale, FLOOR * jnp.max(scale)) + jnp.finfo(scale.dtype).tiny
    free = jnp.where(held, 0.0, 1.0)
    matrix = normal * jnp.outer(free, free) + jnp.diag(jnp.where(held, 1.0, search.damping * scale))
    move = -jnp.linalg.solve(matrix, free * gradient)
    return jnp.clip(move, -box.stride, box.stride), held


def _judge(search, moved, held, iterations):
    move = moved.at - search.at
    change = search.jacobian @ move
    predicted = -jnp.sum((2.0 * search.residual + change) * change)
    gained = search.cost - moved.cost
    sane = _finite(moved.residual, moved.jacobian)
    accept = sane & (gained > 0)
    ratio = jnp.where(accept, gained / jnp.maximum(predicted, gained / 2.0), 0.0)
    damping = jnp.where(
        accept,
        search.damping * jnp.maximum(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3),
        search.damping * search.growth,
    )
    still = jnp.max(jnp.abs(move) / (1.0 + jnp.abs(search.at))) < 1e-11
    flat = accept & (gained <= 1e-13 * search.cost) & (predicted <= 1e-13 * search.cost)
    first = search.steps == 0
    done = (still | flat | _stationary(search, held)) & ~first
    best = jax.tree.map(lambda new, old: jnp.where(accept, new, old), moved, search)
    steps = search.steps + 1
    code = jnp.where(done, CONVERGED, jnp.where(steps > iterations, LIMIT, RUNNING))
    code = jnp.where(first & ~sane, NONFINITE, code)
    return Search(
        best.at,
        best.residual,
        best.jacobian,
        damping=jnp.maximum(damping, 1e-12),
        growth=jnp.where(accept, 2.0, 2.0 * search.growth),
        steps=steps,
        code=code,
    )


def _stationary(search, held):
    """The residual is orthogonal to every column of the Jacobian that can still move (MINPACK's gtol)."""
    columns = jnp.linalg.norm(search.jacobian, axis=0)
    cosine = jnp.abs(search.jacobian.T @ search.residual) / (columns * jnp.sqrt(search.cost) + 1e-300)
    return jnp.max(jnp.where(held, 0.0, cosine)) < 1e-10
