"""One time step of the balance by a diagonally implicit Runge-Kutta method (tableau.py).

Its stages hold amounts, not unknowns: rows that store satisfy q(x_i) = q_n - h sum_j a_ij f_j with f_j = f(x_j), all
others f(x_i) = 0. What leaves a cell is not taken from the fluxes, which magnify whatever error x_j has left by h/tau
where a cell relaxes in a short time tau, but from that equation itself (Hosea and Shampine, Appl. Numer. Math. 20
(1996) 21). The amount of a carrier in a layer, in return, is the sum of what crossed its two junctions, and the amounts
in its cells are scaled to that sum: what leaves one layer enters the next to the last digit.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ionics.transport import linear
from ionics.transport.balance import flows, outflow, spacings, storage
from ionics.transport.linear import Factors, Layout, Tridiagonal, coloured, eliminated, substituted, with_identity
from ionics.transport.newton import LONGEST
from ionics.transport.protocol import Task
from ionics.transport.stack import Stack
from ionics.transport.tableau import Method

Scalar = Float[Array, ""]
Blocks = Float[Array, "block row"]
Given = tuple[Stack, Task]  # what a run may be differentiated by

NEARLY_EMPTY = 1e-3  # of a carrier's mean capacity: nodes that hold less count less in an error
CORRECTIONS = 8  # of a stage before the step is shortened
ROUNDING = 20.0  # last digits by which an amount may be wrong: those of exp(u) and of sums over the stages
FARTHEST = 30.0  # weight beyond which a guess is not extrapolated


class Point(NamedTuple):
    """Where a time step begins or ends."""

    t: Scalar  # s since the step of the protocol began
    x: Blocks  # the state
    held: Blocks  # the amounts it stores
    leaving: Blocks  # what leaves them per time
    charge: Scalar  # C m-2 since the step of the protocol began


class Past(NamedTuple):
    """Two earlier states, for guesses."""

    t: Float[Array, " 2"]
    x: Float[Array, "2 block row"]


def no_past(x: Blocks) -> Past:
    """Nothing to guess from."""
    return Past(jnp.full(2, jnp.nan), jnp.zeros((2, *x.shape)))


class Known(NamedTuple):
    """What the balance says of a state, as blocks."""

    leaving: Blocks
    held: Blocks


def balance(given: Given, layout: Layout, t: Scalar, x: Blocks) -> Known:
    """Outflow and storage at a time [s since the step of the protocol began]."""
    stack, task = given
    stack, state = task.at(stack, t), layout.unflatten(x)
    flowing = flows(stack, state)
    leaving = outflow(stack, state, task.drive(t), flowing)
    return Known(layout.flatten(leaving), layout.flatten(storage(stack, state, flowing)))


def defect(given: Given, layout: Layout, t: Scalar, rate: Scalar, target: Blocks, x: Blocks) -> Blocks:
    """rate (q(x) - target) + f(x, t) in rows that store, f(x, t) in the others."""
    known = balance(given, layout, t, x)
    return jnp.where(storing(given[0], layout), rate * (known.held - target), 0.0) + known.leaving


def leaves(given: Given, layout: Layout, t: Scalar, x: Blocks) -> Blocks:
    """What leaves the rows that store; zero in the others."""
    return jnp.where(storing(given[0], layout), balance(given, layout, t, x).leaving, 0.0)


def crossing(stack: Stack, layout: Layout, x: Blocks) -> Float[Array, "species layer"]:
    """What leaves each layer through its two junctions, less what enters [mol m-2 s-1]."""
    rates = layout.unflatten(x).rate
    lost = [[jnp.zeros(())] * len(stack.layers) for _ in stack.species]
    for j, junction in enumerate(stack.junctions):
        for m, reaction in enumerate(junction.reactions):
            for layer, terms, sign in ((j - 1, reaction.left, 1), (j, reaction.right, -1)):
                for name, nu in terms if 0 <= layer < len(stack.layers) else ():
                    if any(name == species.name for species in stack.species):
                        lost[stack.index(name)][layer] += sign * nu * rates[m, j]
    return jnp.array(lost).reshape(len(stack.species), len(stack.layers))


def conserved(
    stack: Stack, layout: Layout, held: Blocks, before: Blocks, lost: Float[Array, "species layer"]
) -> Blocks:
    """Amounts scaled, layer by layer, to those before less what was lost; not of carriers that react in the bulk."""
    for i, (layer, (a, b)) in enumerate(zip(stack.layers, layout.nodes, strict=True)):
        reacting = {name for r in layer.material.reactions for name, _ in (*r.consumed, *r.produced)}
        for carrier in layer.material.carriers:
            k = stack.index(carrier.species.name)
            if carrier.species.name not in reacting:
                wanted = jnp.sum(before[a:b, k]) - lost[k, i]
                held = held.at[a:b, k].multiply(wanted / jnp.sum(held[a:b, k]))
    return held


def storing(stack: Stack, layout: Layout) -> np.ndarray:
    """Rows that store: carriers where they live, slots of junctions, the right metal."""
    rows = np.zeros((layout.blocks, layout.width), bool)
    for layer, (a, b) in zip(stack.layers, layout.nodes, strict=True):
        for carrier in layer.material.carriers:
            rows[a:b, stack.index(carrier.species.name)] = True
    for j, junction in zip(layout.junction, stack.junctions, strict=True):
        rows[j, layout.reactions : layout.reactions + junction.slots] = True
    rows[layout.metal, -1] = True
    return rows


class Local(NamedTuple):
    """The balance linearised at the beginning of a time step."""

    still: Tridiagonal
    moving: Tridiagonal
    weights: Blocks  # of the unknowns in the norm of an error


def linearised(given: Given, layout: Layout, point: Point) -> Local:
    """Taken as it is: nothing is differentiated through it."""
    given, point = jax.lax.stop_gradient((given, point))
    _, along = jax.linearize(lambda x: tuple(balance(given, layout, point.t, x)), point.x)
    still, moving = coloured(along, *point.x.shape)
    capacity = jnp.diagonal(moving.diagonal[..., 0], axis1=1, axis2=2)
    return Local(with_identity(still, layout.padding()), moving, weights(given[0], layout, capacity))


def weights(stack: Stack, layout: Layout, capacity: Blocks) -> Blocks:
    """One per RT for potentials, one for logs and logits of occupancies, less where a carrier is nearly absent.

    capacity: change of what each row stores with its own unknown. Rates, displacements and the current follow from
    the rest and do not count.
    """
    capacity, thermal = jnp.abs(capacity), stack.thermal_voltage
    rows = jnp.zeros((layout.blocks, layout.width))
    for layer, (a, b) in zip(stack.layers, layout.nodes, strict=True):
        _, volume = spacings(layer)
        own = capacity[a:b, : layout.carriers]
        density, least = own / volume[:, None], NEARLY_EMPTY * jnp.sum(own, axis=0) / layer.thickness
        rows = rows.at[a:b, : layout.carriers].set(density / jnp.where(least > 0, density + least, 1.0))
        rows = rows.at[a:b, -1].set(1 / thermal)
    for j, junction in zip(layout.junction, stack.junctions, strict=True):
        rows = rows.at[j, layout.reactions : layout.reactions + junction.slots].set(1.0)
    return rows.at[layout.metal, -1].set(1 / thermal)


def norm(x: Blocks, weights: Blocks) -> Scalar:
    """Root mean square over the unknowns that count."""
    return jnp.sqrt(jnp.sum((x * weights) ** 2) / jnp.sum(weights > 0))


class Chord(NamedTuple):
    """What Newton's method works with. Nothing is differentiated by it."""

    factors: Factors
    weights: Blocks
    aim: Scalar  # error at which to stop
    tolerance: Scalar  # error at which the stage counts as solved
    guess: Blocks
    speed: Scalar  # ratio of successive corrections seen before


def stage(layout: Layout):
    """Solve `defect` = 0 for x by Newton's method with a given matrix.

    Returns x, whether it is solved, the speed and the number of corrections. The derivative is the implicit one, with
    the matrix of the solution.
    """

    def remaining(size, speed):
        return size * speed / jnp.maximum(1 - speed, 1e-3)

    @eqx.filter_custom_jvp
    def solve(given, t, rate, target, chord: Chord):
        def going(carry):
            _, size, speed, count = carry
            unfinished = remaining(size, speed) > chord.aim
            return (count == 0) | (unfinished & (count < CORRECTIONS) & (speed < 1.5) & jnp.isfinite(size))

        def correct(carry):
            x, before, speed, count = carry
            rows = defect(given, layout, t, rate, target, x)
            dx = substituted(chord.factors, rows[..., None, None], layout)[..., 0, 0]
            size = norm(dx, chord.weights)
            speed = jnp.where(count == 0, speed, jnp.maximum(size / before, 0.3 * speed))
            return x - jnp.minimum(1.0, LONGEST / size) * dx, size, speed, count + 1

        start = (chord.guess, jnp.asarray(jnp.inf), chord.speed, jnp.zeros((), int))
        x, size, speed, count = jax.lax.while_loop(going, correct, start)
        return x, remaining(size, speed) <= chord.tolerance, speed, count

    @solve.def_jvp
    def _(primals, tangents):
        given, t, rate, target = primals[:4]
        x, solved, speed, count = solve(*primals)
        _, along = jax.linearize(lambda x: (defect(given, layout, t, rate, target, x),), x)
        (matrix,) = coloured(along, *x.shape)
        matrix = with_identity(matrix, layout.padding())
        _, change = eqx.filter_jvp(
            lambda given, t, rate, target: defect(given, layout, t, rate, target, x),
            (given, t, rate, target),
            tuple(tangents[:4]),
        )
        change = jnp.zeros_like(x) if change is None else change
        moved = -linear.solve(matrix, change[..., None, None], layout)[..., 0, 0]
        return (x, solved, speed, count), (moved, None, None, None)

    return solve


class Precision(NamedTuple):
    """What a time step has to keep, in units of RT."""

    rtol: Scalar  # of the step
    aim: Scalar  # at which Newton's method stops
    speed: Scalar  # of Newton's method, as last seen


class Trial(NamedTuple):
    """What one time step arrives at."""

    point: Point
    past: Past
    error: Scalar  # in units of the tolerance
    solved: Bool[Array, ""]
    speed: Scalar
    corrections: Int[Array, ""]


# For each stage three of [two earlier states, stages...] numbered in that order, and the stage that is remembered.
_GUESSES = {
    3: ([(0, 1, 2), (0, 1, 2), (1, 2, 3), (2, 4, 3)], 2),
    4: ([(0, 1, 2), (0, 1, 2), (1, 2, 3), (2, 4, 3), (2, 3, 5), (2, 5, 6)], 1),
}


def advance(
    given: Given,
    layout: Layout,
    method: Method,
    point: Point,
    past: Past,
    local: Local,
    h: Scalar,
    jump: Bool[Array, ""],
    precision: Precision,
) -> Trial:
    """One time step. After a jump nothing is taken from where it begins but the amounts."""
    solve, (picks, middle) = stage(layout), _GUESSES[method.order]
    a, c, error = (
        jnp.where(jump, jnp.asarray(one), jnp.asarray(other))
        for one, other in zip(
            (method.jump_a, method.jump_c, method.jump_error), (method.a, method.c, method.error), strict=True
        )
    )
    rate = 1 / (h * method.diagonal)
    factors = eliminated(local.still, layout, local.moving, rate)
    picks = jnp.asarray(picks)
    times = jnp.concatenate([past.t, point.t + c * h])
    states = jnp.zeros((method.stages, *point.x.shape)).at[0].set(point.x)
    leaving = jnp.zeros_like(states).at[0].set(point.leaving)
    stack, stores = given[0], storing(given[0], layout)

    def one(i, carry):
        states, leaving, solved, speed, count = carry
        t = point.t + c[i] * h
        target = point.held - h * jnp.tensordot(a[i], leaving, 1)
        before = jnp.concatenate([past.x, states])
        guess = jnp.where(jump, before[i + 1], extrapolated(before[picks[i]], times[picks[i]], t))
        speed = jnp.clip(speed, 1e-3, 0.9) ** 0.8
        chord = Chord(factors, local.weights, precision.aim, 0.02 * precision.rtol, guess, speed)
        x, good, speed, more = solve(given, t, rate, target, jax.lax.stop_gradient(chord))
        out = jnp.where(stores, rate * (target - balance(given, layout, t, x).held), 0.0)
        return states.at[i].set(x), leaving.at[i].set(out), solved & good, speed, count + more

    carry = (states, leaving, jnp.asarray(True), precision.speed, jnp.zeros((), int))
    states, leaving, solved, speed, count = jax.lax.fori_loop(1, method.stages, one, carry)
    held = point.held - h * jnp.tensordot(a[-1], leaving, 1)
    lost = h * jnp.tensordot(a[-1], jax.vmap(lambda x: crossing(stack, layout, x))(states), 1)
    missed = _missed(factors, layout, jax.lax.stop_gradient((rate, h * jnp.tensordot(error, leaving, 1), held)))
    remembered = Past(jnp.stack([point.t, point.t + c[middle] * h]), jnp.stack([point.x, states[middle]]))
    return Trial(
        Point(
            t=point.t + h,
            x=states[-1],
            held=conserved(stack, layout, held, point.held, lost),
            leaving=leaving[-1],
            charge=point.charge + h * jnp.dot(a[-1], states[:, layout.metal, 0]),
        ),
        past=jax.lax.stop_gradient(remembered),
        error=jnp.maximum(norm(missed[0], local.weights) - norm(missed[1], local.weights), 0.0) / precision.rtol,
        solved=solved,
        speed=speed,
        corrections=count,
    )


def _missed(factors: Factors, layout: Layout, amounts) -> tuple[Blocks, Blocks]:
    """Errors of the unknowns from those of the amounts, and what is due to rounding.

    A last digit of large amounts of opposite charge is seen as a potential in steps too short for it to relax: no
    shorter step would help.
    """
    rate, missed, held = amounts
    sign = np.random.default_rng(0).choice([-1.0, 1.0], size=held.shape)
    rounding = ROUNDING * jnp.finfo(held.dtype).eps * sign * held
    both = substituted(factors, rate * jnp.stack([missed, rounding], axis=2)[..., None], layout)
    return both[:, :, 0, 0], both[:, :, 1, 0]


def extrapolated(x: Float[Array, "3 block row"], t: Float[Array, " 3"], when: Scalar) -> Blocks:
    """The parabola through three states; too far away, the last of them."""
    a, b, c = t
    weights = jnp.stack(
        [
            (when - b) * (when - c) / ((a - b) * (a - c)),
            (when - a) * (when - c) / ((b - a) * (b - c)),
            (when - a) * (when - b) / ((c - a) * (c - b)),
        ]
    )
    near = jnp.max(jnp.abs(weights)) < FARTHEST  # False for NaN
    return jnp.tensordot(jnp.where(near, weights, jnp.array([0.0, 0.0, 1.0])), x, 1)
