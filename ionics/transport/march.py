"""Many time steps: their sizes, the times to save at, the cutoff that ends them, and the derivatives of all of it.

The sizes are found once, without derivatives. A derivative then follows the recorded steps, forwards or backwards: one
compiled time step and one state per step in memory, however long the run.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ionics.constants import FARADAY, VACUUM_PERMITTIVITY
from ionics.transport.balance import Flows, State, charge_number, flows, spacings
from ionics.transport.batches import in_turns
from ionics.transport.linear import Layout
from ionics.transport.newton import MESSAGES, OK, TOGETHER
from ionics.transport.protocol import FOREVER, Observed, Task
from ionics.transport.stack import Stack
from ionics.transport.tableau import METHODS
from ionics.transport.timestep import (
    Given,
    Past,
    Point,
    Precision,
    advance,
    balance,
    leaves,
    linearised,
    no_past,
    norm,
    weights,
)

Scalar = Float[Array, ""]
Mode = Literal["forward", "reverse"]

TOO_MANY_STEPS, STEP_TOO_SMALL, CUTOFF_NOT_REACHED, NO_START = 10, 11, 12, 13
MESSAGES.update(
    {
        TOO_MANY_STEPS: "a step of the protocol took more time steps than allowed",
        STEP_TOO_SMALL: "the time step became too small: the problem has no solution beyond this time",
        CUTOFF_NOT_REACHED: "a step without a duration never met its cutoff",
        NO_START: "no state right after the beginning of a step was found: its drive contradicts the stack",
    }
)
INSTANT = 1e-9  # of the fastest diffusion from node to node: a time in which nothing flows
EVENT = 1e-9  # of a cutoff's level: how well it is met
ALREADY = 1e-6  # the same where a step begins: it may begin where the one before it has met the same cutoff
EXACT = 1e-11  # where Newton's method is to stop when a derivative follows or a cutoff is sought


class Row(NamedTuple):
    """What a run shows at one time, or with a leading axis at all of them."""

    t: Scalar  # s since the step of the protocol began
    x: Float[Array, "block row"]
    voltage: Scalar  # V at the terminals
    current: Scalar  # A m-2
    charge: Scalar  # C m-2 since the step of the protocol began


class Tape(NamedTuple):
    """The time steps that were taken; entry n is what step n began from."""

    row: Row
    held: Float[Array, "entry block row"]
    leaving: Float[Array, "entry block row"]
    h: Float[Array, " entry"]
    reached: Int[Array, " entry"]  # which of the times to save at, the last of them the end; -1: none


class Ended(NamedTuple):
    """How a march ended; nothing of it has a derivative."""

    before: Point  # where the last time step began
    length: Scalar
    only: Bool[Array, ""]  # whether it was the first
    event: Int[Array, ""]  # which cutoff, or -1
    kept: Int[Array, ""]  # rows
    result: Int[Array, ""]
    counts: Int[Array, " 3"]  # time steps accepted and rejected, corrections of Newton's method


class Plan(NamedTuple):
    """What is fixed before anything runs."""

    layout: Layout
    order: int
    most: int  # time steps
    every: bool  # keep every time step, or only the times asked for
    looks: bool  # whether a cutoff looks at occupancies

    def entries(self, task: Task) -> int:
        """Most time steps and the beginning."""
        return self.most + task.stops.shape[0] + 1

    def rows(self, task: Task) -> int:
        """Rows of the answer."""
        return self.entries(task) if self.every else task.stops.shape[0] + 2


def march(
    plan: Plan, mode: Mode, given: Given, point: Point, rtol: Scalar, result: Int[Array, ""]
) -> tuple[Row, Point, Ended]:
    """Rows, the last point and how it ended. Both modes give the same; they differ in the derivative they allow."""
    run = _forward(plan) if mode == "forward" else _reverse(plan)
    rows, end, ended = run((given, point), rtol, result)
    ended = jax.lax.stop_gradient(ended)
    end = _landing(plan)(given, end, ended)
    seen, last = look(plan, given, end), ended.kept - 1
    rows = jax.tree.map(lambda many, one: many.at[last].set(one), rows, seen)
    return rows, end, ended


def look(plan: Plan, given: Given, point: Point) -> Row:
    """A point as a row of the answer."""
    seen = observed(plan, given, point)
    return Row(point.t, point.x, seen.voltage, seen.current, point.charge)


def observed(plan: Plan, given: Given, point: Point) -> Observed:
    """What cutoffs look at."""
    stack, task = given
    stack, state = task.at(stack, point.t), plan.layout.unflatten(point.x)
    flowing, drive = flows(stack, state), task.drive(point.t)
    # Where the drive holds the voltage between the metals itself, it does not contain the current.
    loose = (drive.of_voltage * stack.series_resistance == drive.of_current) & (drive.of_power == 0)
    slope = task.signal.rate(point.t) / jnp.where(loose, drive.of_voltage, 1.0)
    current = jnp.where(loose, terminal_current(stack, state, slope, flowing), state.current)
    occupancy = _extremes(stack, flowing) if plan.looks else jnp.zeros((len(stack.species), 2))
    return Observed(state.voltage - stack.series_resistance * current, current, point.charge, occupancy)


def terminal_current(stack: Stack, state: State, slope: Scalar | float, flowing: Flows | None = None) -> Scalar:
    """Current [A m-2] while the voltage between the metals changes by `slope` [V s-1].

    The sum of conduction and displacement current is the same at every x; weighing both with the elastance of
    each face, the displacement currents add up to the change of the voltage (Shockley, J. Appl. Phys. 9 (1938) 635;
    Ramo, Proc. IRE 27 (1939) 584): I sum(1/C) = sum(F z J / C) - dV/dt. No charge is differenced.
    """
    layers, junctions = flows(stack, state) if flowing is None else flowing
    total = moved = jnp.zeros(())
    for layer, flow in zip(stack.layers, layers, strict=True):
        h, _ = spacings(layer)
        elastance = h / (VACUUM_PERMITTIVITY * layer.material.permittivity)
        total = total + jnp.sum(elastance)
        for carrier, flux in zip(layer.material.carriers, flow.flux, strict=True):
            moved = moved + carrier.species.charge * jnp.sum(flux * elastance)
    for junction, flow in zip(stack.junctions, junctions, strict=True):
        elastance = junction.compact.elastance()
        total = total + elastance
        for reaction, rate in zip(junction.reactions, flow.rate, strict=True):
            both = charge_number(stack, reaction) + charge_number(stack, reaction, "right")
            moved = moved + 0.5 * both * rate * elastance
    return (FARADAY * moved - slope) / total


def _extremes(stack: Stack, flowing: Flows) -> Float[Array, "species 2"]:
    low, high = ([jnp.asarray(bound)] * len(stack.species) for bound in (jnp.inf, -jnp.inf))
    for layer, flow in zip(stack.layers, flowing[0], strict=True):
        for carrier, filling in zip(layer.material.carriers, flow.filling, strict=True):
            k = stack.index(carrier.species.name)
            low[k] = jnp.minimum(low[k], jnp.min(filling.occupancy))
            high[k] = jnp.maximum(high[k], jnp.max(filling.occupancy))
    return jnp.stack([jnp.stack(low), jnp.stack(high)], axis=1)


def shortest(given: Given) -> Scalar:
    """A time [s] in which nothing diffuses from node to node."""
    stack = given[1].at(given[0], jnp.zeros(()))
    fastest = jnp.zeros(())
    for layer in stack.layers:
        h, _ = spacings(layer)
        for carrier in layer.material.carriers:
            fastest = jnp.maximum(fastest, carrier.diffusivity(stack.temperature) / jnp.min(h) ** 2)
    return jax.lax.stop_gradient(INSTANT / jnp.where(fastest > 0, fastest, 1.0))


def _stops(task: Task) -> Float[Array, " stop"]:
    """Times to save at, then the end."""
    return jnp.append(task.stops, jnp.where(jnp.isinf(task.duration), FOREVER, task.duration))


class Search(NamedTuple):
    """Bracket of the time step that meets a cutoff."""

    on: Bool[Array, ""]
    low: Scalar  # s
    high: Scalar
    below: Scalar  # what the worst cutoff is exceeded by there
    above: Scalar
    side: Int[Array, ""]  # end that moved last

    def next(self) -> Scalar:
        """Regula falsi in the Illinois form; Dowell and Jarratt, BIT 11 (1971) 168."""
        width = self.high - self.low
        step = self.high - self.above * width / (self.above - self.below)
        return jnp.clip(step, self.low + 1e-3 * width, self.high - 1e-3 * width)

    def narrowed(self, h: Scalar, exceeded: Scalar) -> Search:
        """With one more step tried."""
        over = exceeded >= 0
        side = jnp.where(over, 1, -1)
        kept = jnp.where(self.side == side, 0.5, 1.0)
        return Search(
            self.on,
            low=jnp.where(over, self.low, h),
            high=jnp.where(over, h, self.high),
            below=jnp.where(over, kept * self.below, exceeded),
            above=jnp.where(over, exceeded, kept * self.above),
            side=side,
        )


class Walk(eqx.Module):
    """Where the loop over time steps stands."""

    point: Point
    past: Past
    before: Point  # where the last time step began
    length: Scalar
    h: Scalar  # next time step wanted
    error: Scalar  # of the last time step
    speed: Scalar  # of Newton's method
    exceeded: Scalar
    search: Search
    turn: Int[Array, ""]  # next of the times to stop at
    kept: Int[Array, ""]
    counts: Int[Array, " 3"]
    event: Int[Array, ""]
    result: Int[Array, ""]
    finished: Bool[Array, ""]
    rows: Any  # Row, or Tape where the steps are followed again
    where: Any  # Int[Array, " row"], time step of each row; inside the loop a buffer of it


def _noted(buffers, slot, values, write: Bool[Array, ""] | bool = True):
    """Values written into buffers, which count as leaves."""

    def one(buffer, value):
        return eqxi.buffer_at_set(buffer, jnp.minimum(slot, buffer.shape[0] - 1), value, pred=write)

    return jax.tree.map(one, buffers, values, is_leaf=lambda a: not isinstance(a, tuple))


def _buffers(walk: Walk):
    return jax.tree.leaves((walk.rows, walk.where))


def _walk(plan: Plan, given: Given, point: Point, rtol: Scalar, result: Int[Array, ""], taping: bool) -> Walk:
    """Time steps of controlled error until the end, a cutoff or a failure. No derivatives."""
    given, point, rtol = jax.lax.stop_gradient((given, point, rtol))
    layout, method, task = plan.layout, METHODS[plan.order], given[1]
    stops, longest, least = _stops(task), task.longest(), shortest(given)
    last = stops.shape[0] - 1

    def passed(point):
        exceeded = jnp.append(task.exceeded(observed(plan, given, point)), -jnp.inf)
        return jnp.max(exceeded), jnp.argmax(exceeded)

    def first() -> Walk:
        zero, nothing, (exceeded, which) = jnp.zeros(()), jnp.zeros((), int), passed(point)
        met = exceeded >= -ALREADY
        seen = look(plan, given, point)
        if taping:
            seen = Tape(seen, point.held, point.leaving, zero, nothing - 1)
        count = plan.entries(task) if taping else plan.rows(task)
        return Walk(
            point=point,
            past=no_past(point.x),
            before=point,
            length=zero,
            h=_first_step(plan, given, point, rtol, least, jnp.minimum(longest, stops[-1])),
            error=jnp.ones(()),
            speed=jnp.asarray(0.3),
            exceeded=exceeded,
            search=Search(jnp.asarray(False), zero, zero, zero, zero, nothing),
            turn=nothing,
            kept=nothing + 1,
            counts=jnp.zeros(3, int),
            event=jnp.where(met, which, -1),
            result=result,
            finished=met | (result != OK),
            rows=jax.tree.map(lambda a: jnp.zeros((count, *a.shape), a.dtype).at[0].set(a), seen),
            where=jnp.zeros(plan.rows(task), int),
        )

    def step(walk: Walk) -> Walk:
        search, taken = walk.search, walk.counts[0]
        turn = jnp.where(stops[walk.turn] < stops[-1], walk.turn, last)
        stop = stops[turn]
        room, wanted = stop - walk.point.t, jnp.minimum(walk.h, longest)
        reaches = ~search.on & (wanted >= 0.999 * room)
        h = jnp.where(reaches, room, jnp.where(wanted > 0.5 * room, 0.5 * room, wanted))
        h = jnp.where(search.on, search.next(), h)
        local = linearised(given, layout, walk.point)
        precision = Precision(rtol, jnp.where(search.on, EXACT, 0.02 * rtol), walk.speed)
        trial = advance(given, layout, method, walk.point, walk.past, local, h, taken == 0, precision)
        point = trial.point._replace(t=jnp.where(reaches, stop, trial.point.t))

        failed = ~trial.solved | ~jnp.isfinite(trial.error)
        good = ~failed & (trial.error <= 1.0)
        exceeded, which = passed(point)
        met = search.on & good & (jnp.abs(exceeded) <= EVENT)
        met = met | (search.on & good & (search.high - search.low <= 1e-14 * point.t))
        accepted = good & (met | (~search.on & (exceeded < 0)))
        searching = good & ~accepted
        opened = Search(searching, jnp.zeros(()), h, walk.exceeded, exceeded, jnp.zeros((), int))
        narrowed = search.narrowed(h, exceeded)._replace(on=searching)

        error = jnp.where(failed, 1.0, jnp.maximum(trial.error, 1e-12))
        change = _change(error, walk.error, failed, accepted, method.order)
        proposal = jnp.where(accepted & (h < walk.h), jnp.maximum(h * change, wanted), h * change)
        proposal = jnp.where(searching, walk.h, proposal)

        reached = accepted & reaches
        over = accepted & (met | (reached & (turn == last)))
        saved = reached & (turn < last)
        small = ~accepted & ~searching & (proposal < jnp.maximum(1e-3 * least, 1e-15 * walk.point.t))
        full = accepted & (taken + 2 >= plan.entries(task)) & ~over
        never = over & ~met & jnp.isinf(task.duration)
        result = walk.result
        for wrong, code in ((small, STEP_TOO_SMALL), (full, TOO_MANY_STEPS), (never, CUTOFF_NOT_REACHED)):
            result = jnp.where(wrong, code, result)

        seen, keep = look(plan, given, point), accepted & (plan.every | saved | over)
        rows, write, slot = walk.rows, keep, walk.kept
        if isinstance(rows, Tape):
            seen = Tape(seen, point.held, point.leaving, h, jnp.where(reached, turn, -1))
            write, slot = accepted, taken + 1

        def chosen(which, new, old):
            return jax.tree.map(lambda a, b: jnp.where(which, a, b), new, old)

        return Walk(
            point=chosen(accepted, point, walk.point),
            past=chosen(accepted, trial.past, walk.past),
            before=chosen(accepted, walk.point, walk.before),
            length=jnp.where(accepted, h, walk.length),
            h=proposal,
            error=jnp.where(accepted, error, walk.error),
            speed=jnp.where(jnp.isfinite(trial.speed), trial.speed, 0.3),
            exceeded=jnp.where(accepted, exceeded, walk.exceeded),
            search=chosen(search.on, narrowed, opened),
            turn=walk.turn + saved,
            kept=walk.kept + keep,
            counts=walk.counts + jnp.stack([accepted, ~accepted, trial.corrections]).astype(int),
            event=jnp.where(met & accepted, which, walk.event),
            result=result,
            finished=over | small | full,
            rows=_noted(rows, slot, seen, write),
            where=_noted(walk.where, walk.kept, taken + 1, keep),
        )

    walk = eqxi.while_loop(
        lambda walk: ~walk.finished,
        step,
        first(),
        max_steps=4 * plan.entries(task),
        buffers=_buffers,
        kind="lax",
    )
    return eqx.tree_at(
        lambda walk: walk.result,
        walk,
        jnp.where((walk.result == OK) & ~walk.finished, TOO_MANY_STEPS, walk.result),
    )


def _change(error, before, failed, accepted, order: int) -> Scalar:
    """Factor of the next time step: proportional and integral control of the logarithm of the error.

    Gustafsson, ACM Trans. Math. Softw. 17 (1991) 533; Soderlind, Numer. Algorithms 31 (2002) 281.
    """
    power = 1 / order
    smooth = 0.9 * error ** (-0.7 * power) * jnp.maximum(before, 0.1) ** (0.4 * power)
    again = jnp.where(failed, 0.25, 0.9 * error**-power)
    return jnp.where(accepted, jnp.clip(smooth, 0.3, 8.0), jnp.clip(again, 0.1, 0.9))


together = in_turns(_walk, TOGETHER)


def _first_step(plan: Plan, given: Given, point: Point, rtol, least, longest) -> Scalar:
    """A time step [s] over which what is stored changes the unknowns by little."""
    layout = plan.layout
    _, capacity = jax.jvp(lambda x: balance(given, layout, point.t, x).held, (point.x,), (jnp.ones_like(point.x),))
    capacity = jnp.where(capacity == 0, 1.0, capacity)
    change = leaves(given, layout, point.t, point.x) / capacity
    speed = norm(change.at[layout.metal].set(0.0), weights(given[0], layout, capacity))
    first = 0.1 * rtol ** (1 / plan.order) / jnp.where(speed > 0, speed, 1.0)
    first = jnp.where((speed > 0) & jnp.isfinite(speed), first, jnp.inf)
    return jnp.clip(first, least, jnp.maximum(1e-2 * longest, least))


def _ended(walk: Walk) -> Ended:
    only = walk.counts[0] == 1
    return Ended(walk.before, walk.length, only, walk.event, walk.kept, walk.result, walk.counts)


def _again(plan: Plan, tape: Tape, rtol: Scalar):
    """One recorded time step once more: from what it began with to where it ended and what is seen there."""

    def step(given: Given, point: Point, n: Int[Array, ""]) -> tuple[Point, Row]:
        reached = tape.reached[n + 1]
        stop = _stops(given[1])[reached]
        h = jnp.where(reached >= 0, stop - point.t, tape.h[n + 1])
        precision = Precision(rtol, jnp.asarray(EXACT), jnp.asarray(0.3))
        local, past = linearised(given, plan.layout, point), no_past(point.x)
        end = advance(given, plan.layout, METHODS[plan.order], point, past, local, h, n == 0, precision).point
        end = end._replace(t=jnp.where(reached >= 0, stop, end.t))
        return end, look(plan, given, end)

    return step


def _point(tape: Tape, n: Int[Array, ""]) -> Point:
    row = tape.row
    return Point(row.t[n], row.x[n], tape.held[n], tape.leaving[n], row.charge[n])


def _picked(plan: Plan, walk: Walk) -> Row:
    """The rows of the answer from the tape."""
    row = walk.rows.row
    return row if plan.every else jax.tree.map(lambda a: a[walk.where], row)


def _filled(values, tangents):
    """Zeros where there is no tangent."""
    return jax.tree.map(
        lambda v, t: jnp.zeros_like(v) if t is None else t, values, tangents, is_leaf=lambda a: a is None
    )


def _nothing(values):
    return jax.tree.map(lambda _: None, values)


def _forward(plan: Plan):
    @eqx.filter_custom_jvp
    def run(differentiable, rtol, result):
        walk = together(plan, *differentiable, rtol, result, False)
        return walk.rows, walk.point, _ended(walk)

    @run.def_jvp
    def _(primals, tangents):
        (given, start), rtol, result = primals
        changes, moving = tangents[0][0], _filled(start, tangents[0][1])
        walk = together(plan, given, start, rtol, result, True)
        step = _again(plan, walk.rows, rtol)

        def follow(carry):
            n, moving, rows = carry
            here = (given, _point(walk.rows, n))
            _, (moving, row) = eqx.filter_jvp(lambda given, point: step(given, point, n), here, (changes, moving))
            return n + 1, moving, _noted(rows, n + 1, row)

        _, row = eqx.filter_jvp(lambda given, point: look(plan, given, point), (given, start), (changes, moving))
        rows = jax.tree.map(lambda many, one: jnp.zeros_like(many).at[0].set(one), walk.rows.row, row)
        _, moving, rows = eqxi.while_loop(
            lambda carry: carry[0] < walk.counts[0],
            follow,
            (jnp.zeros((), int), moving, rows),
            buffers=lambda carry: jax.tree.leaves(carry[2]),
            kind="lax",
        )
        if not plan.every:
            rows = jax.tree.map(lambda a: a[walk.where], rows)
        ended = _ended(walk)
        return (_picked(plan, walk), walk.point, ended), (rows, moving, _nothing(ended))

    return run


def _reverse(plan: Plan):
    @eqx.filter_custom_vjp
    def run(differentiable, rtol, result):
        walk = together(plan, *differentiable, rtol, result, False)
        return walk.rows, walk.point, _ended(walk)

    @run.def_fwd
    def _(perturbed, differentiable, rtol, result):
        walk = together(plan, *differentiable, rtol, result, True)
        out = (_picked(plan, walk), walk.point, _ended(walk))
        return out, (walk.rows, walk.where, walk.kept, walk.counts[0])

    @run.def_bwd
    def _(residuals, pulls, perturbed, differentiable, rtol, result):
        tape, where, kept, count = residuals
        given, start = differentiable
        step = _again(plan, tape, rtol)
        along = tape.row if plan.every else jax.tree.map(lambda a: a[where], tape.row)
        pulled = _filled(along, pulls[0])
        shown = jnp.arange(where.shape[0]) < kept

        def onto(many, values):
            values = jnp.where(shown.reshape(-1, *[1] * (values.ndim - 1)), values, 0.0)
            return jnp.zeros_like(many).at[where].add(values)

        pulled = jax.tree.map(onto, tape.row, pulled)

        def follow(carry):
            n, of_point, of_given = carry
            _, pull = eqx.filter_vjp(lambda given, point: step(given, point, n), given, _point(tape, n))
            more, of_point = pull((of_point, jax.tree.map(lambda a: a[n + 1], pulled)))
            return n - 1, of_point, jax.tree.map(jnp.add, of_given, more)

        nothing = jax.tree.map(jnp.zeros_like, eqx.filter(given, eqx.is_inexact_array))
        end = _filled(start, pulls[1])
        _, of_point, of_given = jax.lax.while_loop(lambda carry: carry[0] >= 0, follow, (count - 1, end, nothing))
        _, pull = eqx.filter_vjp(lambda given, point: look(plan, given, point), given, start)
        more = pull(jax.tree.map(lambda a: a[0], pulled))
        found = jax.tree.map(jnp.add, (of_given, of_point), more)
        return jax.tree.map(lambda used, a: a if used else None, perturbed, found, is_leaf=lambda a: a is None)

    return run


def _landing(plan: Plan):
    """The last point as it is; where a cutoff ended the march, its derivative follows the time at which that is met.

    The end x(h) obeys g(x(h)) = 0, so that dh = -dg / (dg/dh) with the derivative of the last time step by its size.
    """

    @eqx.filter_custom_jvp
    def land(given, end, ended):
        return end

    @land.def_jvp
    def _(primals, tangents):
        given, end, ended = primals
        met = (ended.event >= 0) & (ended.length > 0)
        h = jnp.where(met, ended.length, shortest(given))
        local, past = linearised(given, plan.layout, ended.before), no_past(end.x)
        precision = Precision(jnp.ones(()), jnp.asarray(EXACT), jnp.asarray(0.3))

        def arrived(h):
            begin = (ended.before, past, local)
            return advance(given, plan.layout, METHODS[plan.order], *begin, h, ended.only, precision).point

        def exceeded(given, point):
            return jnp.append(given[1].exceeded(observed(plan, given, point)), 0.0)[ended.event]

        _, along = jax.jvp(arrived, (h,), (jnp.ones(()),))
        moving = _filled(end, tangents[1])
        _, change = eqx.filter_jvp(exceeded, (given, end), (tangents[0], moving))
        _, slope = jax.jvp(lambda point: exceeded(given, point), (end,), (along,))
        dh = -jnp.where(met, 1 / jnp.where(met, slope, 1.0), 0.0) * change
        return end, jax.tree.map(lambda a, b: a + b * dh, moving, along)

    return land
