"""Damped Newton for a stack's balance bordered by a few global conditions, led to its solution where it does not find
it by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ionics.transport.balance import State
from ionics.transport.batches import in_turns
from ionics.transport.chains import multiplied_out
from ionics.transport.linear import Layout, coloured, pivoted_inverse, solve, with_identity

OK, STALLED, NOT_FINITE, NO_STEADY_STATE, BEYOND, BLOCKED, NO_EQUILIBRIUM = range(7)
MESSAGES = {
    OK: "converged",
    STALLED: "Newton's method did not converge: the last correction was still above the tolerance",
    NOT_FINITE: "the iteration left the finite numbers: a condition of the problem is singular or contradictory",
    NO_STEADY_STATE: "there is no steady state: a carrier accumulates because it cannot leave where it arrives",
    BEYOND: "the stack cannot carry that current, or hold that charge: potentials beyond 1000 V would be needed",
    BLOCKED: "no direct current can pass: no carrier connects the two contacts",
    NO_EQUILIBRIUM: "there is no equilibrium: contacts or reactions hold carriers at potentials that contradict each "
    "other, so something always flows",
}

TOLERANCE = 1e-9  # of the last correction, in units of RT
ENDED = 1e-7  # the same where rounding ends the iteration: a correction above it is no solution
CLOSE = 1e-2  # the same where a step on the way is good enough
LONGEST = 4.0  # longest step of any u, and of F phi / RT from a node to the next
STEPS = 1500  # Newton steps altogether
PATIENCE = 60  # Newton steps at one point of the way
SMALLEST = 1e-4  # of the way, before time takes over
FIRST = 1e-9  # time step, s
SHORTEST, LAST = 1e-15, 1e27  # of the first
HIGHEST = 1e3  # V
TOGETHER = 8  # members of a batch that share the cache of a processor


class Solution(eqx.Module):
    """A state, and whether to believe it."""

    state: State
    result: Int[Array, ""]  # 0: converged; words in `message`
    steps: Int[Array, ""]
    correction: Float[Array, ""]  # the last one, in units of RT
    pinned: tuple[str, ...] = eqx.field(static=True, default=())

    def message(self) -> str:
        """The result in words."""
        return MESSAGES[int(self.result)]


class _Way(NamedTuple):
    """Where the iteration is, and how it got there."""

    x: Array
    p: Array
    size: Array  # of the last correction
    steps: Array  # altogether
    tries: Array  # at this point of the way
    held: tuple[Array, Array]  # the last solution on the way
    done: Array  # share of the way to it
    stride: Array  # share of the way that is tried from there
    rate: Array  # 1/s, of the time step that is tried; 0: steady
    ended: Array


def newton(
    residual: Callable,
    conditions: Callable,
    layout: Layout,
    thermal: Float[Array, ""],
    start: State,
    constants: Float[Array, " constant"],
    parameters,
    *,
    at: Callable | None = None,
    measures: Callable | None = None,
    stored: Callable | None = None,
    first: float = FIRST,
) -> tuple[State, Float[Array, " constant"], Int[Array, ""], Int[Array, ""], Float[Array, ""]]:
    """Solve residual(parameters, state, p) = 0 and conditions(parameters, state, p) = 0 for the state and p.

    `parameters` is a pytree; the result is differentiable by it. Steps are shortened so that no u moves by more than
    LONGEST, nor F phi/RT from a node to the next.

    at(parameters, share): the parameters at a share of the way from a problem that `start` solves; by default the
    residual of the start fades instead. measures(parameters, state): what the rows and conditions are divided by, so
    that they are of order one however small what flows is. stored(parameters, state): amounts whose change in time
    leads to the solution where no shorter stride does.
    """

    def both(given, x, p):
        state = layout.unflatten(x)
        rows, missed = layout.flatten(residual(given, state, p)), conditions(given, state, p)
        if measures is None:
            return rows, missed
        of_rows, of_conditions = measures(given, state)
        return rows / jnp.where(layout.padding(), 1.0, layout.flatten(of_rows)), missed / of_conditions

    # The iteration is taken as it is; its derivative is the implicit one, compiled only where it is asked for.
    def iterate(given, thermal, x, p):
        begun = both(given if at is None else at(given, 0.0), x, p)

        def body(way: _Way) -> _Way:
            share = jnp.minimum(1.0, way.done + way.stride)
            here = given if at is None else at(given, share)
            old = 0.0 if stored is None else layout.flatten(stored(given, layout.unflatten(way.held[0])))

            def rows(x, p):
                r, g = both(here, x, p)
                r, g = r - (1 - share) * begun[0], g - (1 - share) * begun[1]
                if stored is not None:
                    r = r + way.rate * (layout.flatten(stored(here, layout.unflatten(x))) - old)
                return r, g

            dx, dp = _correction(*_slopes(rows, way.x, way.p), layout)
            size, longest = _sizes(layout.unflatten(dx), layout, thermal, at is not None)
            # a change that is not finite must not look like a small one
            size = jnp.where(jnp.all(jnp.isfinite(dx)) & jnp.all(jnp.isfinite(dp)), size, jnp.nan)
            step = jnp.minimum(1.0, LONGEST / longest)
            return _onwards(
                way, way.x + step * dx, way.p + step * dp, size, share, None if stored is None else first, thermal
            )

        zero, endless = jnp.zeros(()), jnp.asarray(jnp.inf)
        count = jnp.zeros((), int)
        way = _Way(x, p, endless, count, count, (x, p), zero, zero + 1, zero, count > 0)
        way = jax.lax.while_loop(lambda way: (way.steps < STEPS) & ~way.ended, body, way)
        return way.x, way.p, way.steps, way.size

    root = eqx.filter_custom_jvp(in_turns(iterate, TOGETHER))

    @root.def_jvp
    def _(primals, tangents):
        given, (x, p, count, size) = primals[0], root(*primals)
        values, *slopes = _slopes(lambda x, p: both(given, x, p), x, p)
        _, changes = eqx.filter_jvp(lambda given: both(given, x, p), (given,), tangents[:1])
        changes = tuple(jnp.zeros_like(v) if t is None else t for v, t in zip(values, changes, strict=True))
        _, moved = jax.jvp(lambda values: _correction(values, *slopes, layout), (values,), (changes,))
        return (x, p, count, size), (*moved, None, None)

    x, p, count, size = root(parameters, thermal, layout.flatten(start), constants)
    state = layout.unflatten(x)
    finite = jnp.all(jnp.isfinite(x)) & jnp.isfinite(size)
    result = jnp.where(finite, jnp.where(size < ENDED, OK, STALLED), NOT_FINITE)
    result = jnp.where(finite & (jnp.abs(state.voltage) > HIGHEST), BEYOND, result)
    return state, p, result, count, size


def _onwards(way: _Way, x, p, size, share, clock: float | None, thermal) -> _Way:
    """What to try after a correction: the next one, the next stride, a shorter one, or the end."""
    last = (share >= 1) & (way.rate == 0)
    stagnated = (size < ENDED) & (size > 0.5 * way.size)
    good = (size <= jnp.where(last, TOLERANCE, CLOSE)) | stagnated
    lost = ~jnp.isfinite(size) | ((way.tries >= PATIENCE) & ~good)
    finished = good & last
    # further along the way, or further in time
    stride = jnp.where(good, 2 * way.stride, jnp.where(lost, way.stride / 4, way.stride))
    quick = jnp.where(way.tries <= 4, 30.0, jnp.where(way.tries <= 10, 5.0, 1.5))
    timed, unit = clock is not None, 1 / (clock or 1.0)
    slower = jnp.where(way.rate > 0, way.rate * 30, 1e6 * unit / LAST)
    rate = jnp.where(good, way.rate / quick, jnp.where(lost, slower, way.rate))
    rate = jnp.where(rate < unit / LAST, 0.0, rate)
    waiting = (way.rate > 0) | ((way.done >= 1) & lost)  # time has taken over
    stuck = ~waiting & lost & (stride < SMALLEST)
    over = stuck & (not timed) | waiting & lost & (rate > unit / SHORTEST)
    rate = jnp.where(waiting, rate, jnp.where(stuck & timed, unit, 0.0))
    stride = jnp.where(waiting | stuck & timed, 1.0, stride)
    done = jnp.where(good, share, way.done)

    def pick(new, old):
        return jnp.where(good, new, old)

    held = pick(x, way.held[0]), pick(p, way.held[1])
    ended = finished | over | (good & (jnp.abs(x[-1, -1]) > HIGHEST))
    retreat = lost & ~over
    return _Way(
        x=jnp.where(retreat, held[0], x),
        p=jnp.where(retreat, held[1], p),
        size=jnp.where(retreat | (good & ~ended), jnp.inf, size),
        steps=way.steps + 1,
        tries=jnp.where(good | lost, 0, way.tries + 1),
        held=held,
        done=done,
        stride=stride,
        rate=rate,
        ended=ended,
    )


def _sizes(change: State, layout: Layout, thermal, driven: bool) -> tuple[Array, Array]:
    """Largest change of any u, phi [RT/F] or slot, and the part of it that is not to exceed LONGEST."""
    own = jnp.max(jnp.abs(change.u), initial=0.0)
    own = jnp.maximum(own, jnp.max(jnp.abs(change.surface), initial=0.0))
    phi = change.phi / thermal
    size = jnp.maximum(own, jnp.max(jnp.abs(phi)))
    if driven:
        ends = jnp.concatenate([jnp.zeros(1), phi, change.voltage[None] / thermal])
        own = jnp.maximum(own, jnp.max(jnp.abs(jnp.diff(ends))))
    return size, own


def _slopes(rows: Callable, x, p):
    """Values of the rows and their derivatives along the state, and by each of the constants."""
    values, along = jax.linearize(lambda x: rows(x, p), x)
    _, by = jax.linearize(lambda p: rows(x, p), p)
    return values, along, jax.vmap(by)(jnp.eye(p.size))


def _correction(values, along, by, layout: Layout):
    """Newton's correction of the state and of the constants that border it. Linear in the values."""
    (r, g), (columns, own) = values, by
    (matrix,) = coloured(lambda dx: along(dx)[:1], *r.shape)
    matrix = with_identity(matrix, layout.padding())
    right = jnp.moveaxis(jnp.concatenate([r[None], columns]), 0, -1)[..., None]
    both = jnp.moveaxis(solve(matrix, right, layout)[..., 0], -1, 0)
    if g.size == 0:
        return -both[0], g
    met = jax.lax.map(multiplied_out(lambda dx: along(dx)[1], r), both)
    dp = pivoted_inverse((own - met[1:]).T[..., None])[..., 0] @ (met[0] - g)
    return -both[0] - jnp.tensordot(dp, both[1:], 1), dp
