"""Time steps of many cells side by side, each with its own lengths, until a duration or a cutoff ends each.

The sizes of steps are found without derivatives; forward derivatives follow them, and the time at which a cutoff is
met. A step of a protocol begins with Newton's corrections of all that follows at once: the first stages of steps of no
length, so that they need no code of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ionics.cells import linear, rodas
from ionics.cells.balance import flatten, mass, rows, scales, unflatten
from ionics.cells.cell import Cell
from ionics.cells.control import MEASURED, Attempt, Walk, first, judged, length, observed
from ionics.cells.endings import SURFACE, narrowest
from ionics.transport.march import STEP_TOO_SMALL, TOO_MANY_STEPS
from ionics.transport.protocol import Task

Scalar = Float[Array, ""]
Vector = Float[Array, " unknown"]

NO_LENGTH = 1e-40 / rodas.GAMMA  # s; of a step in which nothing moves that takes time


class Row(NamedTuple):
    """A time step; its end is where it stands unless a derivative of the end is asked for."""

    length: Scalar  # s
    accepted: Bool[Array, ""]
    start: Float[Array, " 3"]  # charge, current, voltage where it began
    end: Float[Array, " 3"]
    bend: Float[Array, "3 3"]  # of the dense output
    x: Vector  # all unknowns where it began; none where nobody asks


class Manner(NamedTuple):
    """How steps are followed: what is compiled depends on it."""

    most: int = 500  # time steps
    keep: bool = False  # the unknowns of every row; steps then end at the times to save at
    warming: bool = True  # False: the temperature stays as it is


def march(
    own: Cell, shared: Cell, tasks: Task, x: Float[Array, "cell unknown"], result: Int[Array, " cell"],
    lengths: Float[Array, " cell"], rtol: Scalar, manner: Manner,
) -> tuple[Walk, Row]:  # fmt: skip
    """All time steps of cells side by side. Rows have a first axis of steps.

    own: of the leaves of the cells those that have a first axis of cells; shared: the others; lengths: first steps [s].
    """

    def side_by_side(function: Callable) -> Callable:
        return jax.vmap(lambda own, task, walk: function(eqx.combine(own, shared), task, walk))

    walk = jax.vmap(first)(x, result, lengths)
    written = jnp.zeros((manner.most, len(x)))
    rows = Row(
        written,
        written > 0,
        *(jnp.zeros((*written.shape, MEASURED)) for _ in range(2)),
        jnp.zeros((*written.shape, 3, MEASURED)),
        jnp.zeros((*written.shape, x.shape[1] if manner.keep else 0)),
    )

    def body(carry):
        walk, rows, n = carry
        begun = jnp.any(walk.begun & ~walk.finished)
        stages = jnp.where(begun, rodas.STAGES, 1)
        tried = side_by_side(lambda *own: _tried(*own, stages, manner))(own, tasks, walk)
        following = jax.vmap(lambda *own: judged(*own, rtol))(tasks, walk, tried)
        row = Row(
            tried.h,
            following.counts[:, 0] > walk.counts[:, 0],
            walk.x[:, -MEASURED:],
            tried.y[:, -MEASURED:],
            tried.bend,
            walk.x if manner.keep else walk.x[:, :0],
        )
        return following, jax.tree.map(lambda many, one: many.at[n].set(one), rows, row), n + begun

    def going(carry):
        walk, _, n = carry
        return ~jnp.all(walk.finished) & (n < manner.most)

    walk, rows, _ = jax.lax.while_loop(going, body, (walk, rows, jnp.zeros((), int)))
    walk = walk._replace(result=jnp.where(walk.finished, walk.result, TOO_MANY_STEPS))
    walk = walk._replace(result=side_by_side(_told)(own, tasks, walk))
    return jax.vmap(_landed)(tasks, walk), rows


def _tried(cell: Cell, task: Task, walk: Walk, stages: Scalar, manner: Manner) -> Attempt:
    """A time step, or before the first one a correction of what follows at once."""
    end, h, last = length(task, walk, manner.keep)
    h = jnp.where(walk.begun, h, NO_LENGTH)
    state, rate = unflatten(cell, walk.x), 1 / (h * rodas.GAMMA)
    weights, constant = mass(cell, state), cell if manner.warming else task.at(cell, 0.0)

    def f(t, state):
        warm = task.at(cell, t) if manner.warming else constant
        return rows(warm, state, task.drive(t))

    def by_time(t):
        if manner.warming:
            return flatten(jax.jvp(lambda t: f(t, state), (t,), (jnp.ones_like(t),))[1])
        held = jax.jvp(lambda t: task.drive(t).residual(state.voltage, state.current), (t,), (jnp.ones_like(t),))[1]
        return jnp.zeros_like(walk.x).at[-1].set(held)

    def matrix(change):
        slope = jax.jvp(lambda state: f(walk.t, state), (state,), (change,))[1]
        return jax.tree.map(lambda own, dx, by: own * rate * dx - by, weights, change, slope)

    # derivatives of solutions follow from those of the matrix: the factors are not differentiated
    warm, drive, about, step = jax.lax.stop_gradient((task.at(cell, walk.t), task.drive(walk.t), state, rate))
    factors = linear.factorise(warm, linear.linearise(warm, about, drive), step)

    def answer(t, x, more):
        rhs = jax.tree.map(jnp.add, f(t, unflatten(cell, x)), unflatten(cell, more))
        return flatten(jax.lax.custom_linear_solve(matrix, rhs, lambda _, b: linear.solve(warm, factors, b)))

    taken = rodas.advance(answer, flatten(weights), walk.t, walk.x, h, by_time(walk.t), stages)
    wrong = jnp.max(jnp.abs(jnp.where(walk.begun, taken.error, taken.stages[0])) / scales(cell, state))
    if linear.separates(cell):
        damped = (linear.growing(warm, factors) > 0) | _damped(cell, task, end, taken.y, rate)
        wrong = jnp.where(walk.begun & (damped | ~linear.possible(cell, unflatten(cell, taken.y))), jnp.nan, wrong)
    return Attempt(
        t=end,
        h=h,
        last=last,
        y=taken.y,
        wrong=wrong,
        bend=rodas.bend(taken.stages[:, -MEASURED:]),
        slope=rodas.ending(taken, walk.x, h),
        turn=taken.stages[0],
    )


def _damped(cell: Cell, task: Task, t: Scalar, x: Vector, rate: Scalar) -> Bool[Array, ""]:
    """Whether something grows faster there than steps of 1 / rate see: they damp it, and stay where nothing can."""
    warm, drive, x, rate = jax.lax.stop_gradient((task.at(cell, t), task.drive(t), x, rate))
    factors = linear.factorise(warm, linear.linearise(warm, unflatten(warm, x), drive), rate)
    return linear.growing(warm, factors) > 0


def _told(cell: Cell, task: Task, walk: Walk) -> Int[Array, ""]:
    """The result, with the surface that has run full or empty where that is why there was no way on."""
    member, full = narrowest(cell, unflatten(cell, walk.x))
    ran_out = ((walk.result == STEP_TOO_SMALL) | (walk.result == TOO_MANY_STEPS)) & (member >= 0)
    return jnp.where(ran_out, SURFACE + 2 * member + full, walk.result)


def _landed(task: Task, walk: Walk) -> Walk:
    """The end with the derivative of the time at which a cutoff is met."""
    if not task.levels.size:
        return walk

    def exceeded(x):
        return jnp.append(task.exceeded(observed(x)), 0.0)[walk.event]

    missed, speed = jax.jvp(exceeded, (walk.x,), (walk.slope,))
    fixed = jax.lax.stop_gradient((missed, speed))
    later = jnp.where(walk.event >= 0, -(missed - fixed[0]) / jnp.where(fixed[1] == 0, 1.0, fixed[1]), 0.0)
    return walk._replace(t=walk.t + later, x=walk.x + walk.slope * later)


@eqx.filter_jit
def marched(own: Cell, shared: Cell, tasks: Task, x, result, lengths, rtol, manner: Manner) -> tuple[Walk, Row]:
    """`march`, compiled."""
    return march(own, shared, tasks, x, result, lengths, rtol, manner)
