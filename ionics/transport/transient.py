"""The balance in time: d/dt storage + outflow = 0 along a protocol, with steps of controlled error.

A stiffly accurate, L-stable Runge-Kutta method (tableau.py). Its stages hold amounts, not unknowns: rows that store
satisfy  q(x_i) = q_n - h sum_j a_ij f(x_j),  the others  f(x_i) = 0.  The amounts q are carried along as the sum of what
flowed, so that what leaves one cell enters the next to the last digit.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from ionics.constants import FARADAY, VACUUM_PERMITTIVITY
from ionics.transport.balance import (
    Flows,
    State,
    Terminal,
    charge_number,
    flows,
    node_ranges,
    outflow,
    spacings,
    storage,
)
from ionics.transport.equilibrium import NotConverged
from ionics.transport.linear import Factors, Layout, Tridiagonal, coloured, factorise, substitute, with_identity
from ionics.transport.newton import LONGEST, MESSAGES, OK, Solution, newton
from ionics.transport.protocol import FOREVER, Observed, Protocol, Signal, Step, check, hold
from ionics.transport.stack import Stack
from ionics.transport.tableau import METHODS, Method

Scalar = Float[Array, ""]
Blocks = Float[Array, "block row"]
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

NEARLY_EMPTY = 1e-3  # of a carrier's mean capacity: nodes that hold less count less in the error
INSTANT = 1e-9  # of the fastest relaxation of the mesh: a time in which nothing flows
NEWTON = 8  # corrections of a stage before the step is shortened
EVENT = 1e-9  # of a cutoff's level: how well it is met


class Instant(eqx.Module):
    """Where a run stands: all it takes to go on as if it had not stopped."""

    time: Scalar  # s
    state: State
    stored: State  # what `storage` gives for the state, carried along as the sum of what flowed
    charge: Scalar  # C m-2 passed so far, positive in discharge


class Trajectory(eqx.Module):
    """A run: rows in time, where it ended and how each step of the protocol ended."""

    t: Float[Array, " row"]  # s
    state: State  # stacked: every field with a leading axis of rows
    voltage: Float[Array, " row"]  # V at the terminals
    current: Float[Array, " row"]  # A m-2, positive in discharge
    charge: Float[Array, " row"]  # C m-2 passed since the start
    temperature: Float[Array, " row"]  # K
    step: Int[Array, " row"]  # which step of the protocol a row belongs to
    valid: Bool[Array, " row"]  # False: padding, only under a transformation
    event: Int[Array, " step"]  # which cutoff ended each step, -1 if its duration did
    end: Instant
    result: Int[Array, ""]  # 0: done; words in `message`
    steps: Int[Array, ""]  # accepted
    rejected: Int[Array, ""]
    corrections: Int[Array, ""]  # of Newton's method, over all stages
    endings: tuple[tuple[str, ...], ...] = eqx.field(static=True, default=())  # names of the cutoffs of each step

    @property
    def state_at_end(self) -> State:
        """The last state."""
        return self.end.state

    def message(self) -> str:
        """The result in words."""
        return MESSAGES[int(self.result)]

    def ended_by(self) -> tuple[str, ...]:
        """How each step ended, in words."""
        return tuple(
            self.endings[n][int(k)] if int(k) >= 0 else "duration" if self.endings else ""
            for n, k in enumerate(self.event)
        )


class Task(eqx.Module):
    """One step of a protocol as arrays of a common shape, so that all steps share compiled code."""

    terminal: Terminal
    signal: Signal
    temperature: Signal
    duration: Scalar
    stops: Float[Array, " time"]  # times to save at, padded with infinity
    weights: Float[Array, "cutoff observable"]
    levels: Float[Array, " cutoff"]
    rtol: Scalar

    def drive(self, t: Scalar) -> Terminal:
        """What is held at a time [s since the step began]."""
        return eqx.tree_at(lambda d: d.value, self.terminal, self.signal(t))

    def at(self, stack: Stack, t: Scalar) -> Stack:
        """The stack at the temperature of a time."""
        return eqx.tree_at(lambda s: s.temperature, stack, self.temperature(t))


Given = tuple[Stack, Task]  # what a run may be differentiated by


def simulate(
    stack: Stack,
    protocol: Protocol | Step,
    start: Solution | State | Instant | Trajectory,
    *,
    rtol: float = 1e-4,
    order: int = 4,
    steps: int = 1000,
    mode: Mode = "forward",
    throw: bool = True,
) -> Trajectory:
    """Follow a protocol from a start: a solution, a state, or where another run ended.

    rtol: error of one time step, of the unknowns in units of RT. order: 3 or 4. steps: most time steps of one step of
    the protocol; every one of them is a row of the answer, unless steps of the protocol name times to save at: then
    those, its beginning and its end. mode: which derivatives the compiled code allows, 'forward' (jvp, jacfwd)
    or 'reverse' (grad; memory grows with the square root of `steps`). Sizes of time steps are not differentiated; the
    times at which cutoffs are met are.
    Raises NotConverged in words (unless throw=False) where a step of the protocol cannot be finished.
    """
    protocol = Protocol((protocol,)) if isinstance(protocol, Step) else protocol
    check(stack, protocol)
    if order not in METHODS:
        raise ValueError(f"the order is 3 or 4, not {order}")
    looks = any(cutoff.species is not None for step in protocol.steps for cutoff in step.cutoffs)
    saving = any(step.save is not None for step in protocol.steps)
    instant = begin(stack, start)
    result, counts, parts = jnp.zeros((), int), [], []
    for task in tasks(stack, protocol, rtol):
        part = _segment(stack, task, instant, result, order, None if saving else steps, steps, looks, mode)
        instant, result = part.end, part.result
        counts.append(part.counts)
        parts.append(part)
        if not isinstance(result, Tracer) and np.ndim(result) == 0 and int(result) != OK:
            break
    rows = [_trimmed(part) for part in parts]
    number = [jnp.full(row.t.shape, n) for n, row in enumerate(rows)]
    joined = jax.tree.map(lambda *parts: _joined(parts), *rows)
    accepted, rejected, corrections = sum(counts[1:], counts[0])
    trajectory = Trajectory(
        t=joined.t,
        state=joined.state,
        voltage=joined.voltage,
        current=joined.current,
        charge=joined.charge,
        temperature=joined.temperature,
        step=_joined(number),
        valid=joined.valid,
        event=jnp.stack([part.event for part in parts]),
        end=instant,
        result=result,
        steps=accepted,
        rejected=rejected,
        corrections=corrections,
        endings=tuple(tuple(cutoff.name for cutoff in step.cutoffs) for step in protocol.steps),
    )
    if throw and not isinstance(result, Tracer) and int(result) != OK:
        where = f"step {len(parts)} of the protocol, after {float(instant.time):g} s"
        raise NotConverged(f"{trajectory.message()} ({where})")
    return trajectory


def begin(stack: Stack, start: Solution | State | Instant | Trajectory) -> Instant:
    """The instant a run starts from."""
    if isinstance(start, Trajectory):
        return start.end
    if isinstance(start, Instant):
        return start
    state = start.state if isinstance(start, Solution) else start
    return Instant(jnp.zeros(()), state, _stored(stack, state), jnp.zeros(()))


_stored = eqx.filter_jit(storage)


def tasks(stack: Stack, protocol: Protocol, rtol: Scalar | float) -> list[Task]:
    """Every step of a protocol in the same shape."""
    species = [s.name for s in stack.species]
    most = max(len(step.cutoffs) for step in protocol.steps)
    times = max((0 if step.save is None else step.save.shape[0]) for step in protocol.steps)
    found = []
    for step in protocol.steps:
        stops = jnp.full(times, jnp.inf)
        if step.save is not None:
            stops = stops.at[: step.save.shape[0]].set(jnp.where(step.save > 0, step.save, jnp.inf))
            stops = jnp.sort(stops)
        weights = np.zeros((most, 5 + 2 * len(species)))
        levels = [jnp.ones(())] * most
        for n, cutoff in enumerate(step.cutoffs):
            weights[n] = cutoff.weights(species)
            levels[n] = cutoff.sign * cutoff.level
        temperature = hold(stack.temperature) if step.temperature is None else step.temperature
        limits = jnp.stack(levels) if levels else jnp.zeros(0)
        found.append(
            Task(
                step.terminal,
                step.signal,
                temperature,
                step.duration,
                stops,
                jnp.asarray(weights),
                limits,
                jnp.asarray(rtol, float),
            )
        )
    return found


def terminal_current(stack: Stack, state: State, slope: Scalar | float, flowing: Flows | None = None) -> Scalar:
    """Current [A m-2] while the voltage between the metals changes by `slope` [V s-1].

    The sum of conduction and displacement current is the same at every x; weighing both with the elastance of
    each face, the displacement currents add up to the change of the voltage (Shockley, J. Appl. Phys. 9 (1938) 635;
    Ramo, Proc. IRE 27 (1939) 584):  I sum(1/C) = sum(F z J / C) - dV/dt.  No charge is differenced.
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


class Known(NamedTuple):
    """What a balance says at one time, as blocks."""

    leaving: Blocks
    held: Blocks


def _balance(given: Given, layout: Layout, t: Scalar, x: Blocks) -> Known:
    stack, task = given
    stack, state = task.at(stack, t), layout.unflatten(x)
    flowing = flows(stack, state)
    leaving = outflow(stack, state, task.drive(t), flowing)
    return Known(layout.flatten(leaving), layout.flatten(storage(stack, state, flowing)))


def _observed(given: Given, layout: Layout, t: Scalar, x: Blocks, charge: Scalar, looks: bool) -> Observed:
    """charge: since the step began."""
    stack, task = given
    stack, state = task.at(stack, t), layout.unflatten(x)
    flowing = flows(stack, state)
    drive = task.drive(t)
    # Where the drive holds the voltage of the metal itself, the current is not in it.
    loose = drive.of_voltage * stack.series_resistance == drive.of_current
    loose = loose & (drive.of_power == 0)
    slope = task.signal.rate(t) / jnp.where(loose, drive.of_voltage, 1.0)
    current = jnp.where(loose, terminal_current(stack, state, slope, flowing), state.current)
    occupancy = _extremes(stack, flowing) if looks else jnp.zeros((len(stack.species), 2))
    return Observed(state.voltage - stack.series_resistance * current, current, charge, occupancy)


def _extremes(stack: Stack, flowing: Flows) -> Float[Array, "species 2"]:
    low, high = [jnp.inf] * len(stack.species), [-jnp.inf] * len(stack.species)
    for layer, flow in zip(stack.layers, flowing[0], strict=True):
        for carrier, filling in zip(layer.material.carriers, flow.filling, strict=True):
            k = stack.index(carrier.species.name)
            low[k] = jnp.minimum(low[k], jnp.min(filling.occupancy))
            high[k] = jnp.maximum(high[k], jnp.max(filling.occupancy))
    return jnp.stack([jnp.stack([jnp.asarray(a), jnp.asarray(b)]) for a, b in zip(low, high, strict=True)])


def _exceeded(task: Task, observed: Observed) -> Float[Array, " cutoff"]:
    """How far each cutoff is passed, in units of its level; negative before."""
    values = observed.values()
    values = jnp.where(jnp.any(task.weights != 0, axis=0), values, 0.0)
    scale = jax.lax.stop_gradient(jnp.where(task.levels == 0, 1.0, jnp.abs(task.levels)))
    return (task.weights @ values - task.levels) / scale


class Local(NamedTuple):
    """The balance linearised at the beginning of a time step."""

    still: Tridiagonal
    moving: Tridiagonal
    stored: Bool[Array, "block row"]  # rows that store something
    weights: Blocks  # of the unknowns in the norm of an error; zero for what only follows


def _local(given: Given, layout: Layout, t: Scalar, x: Blocks) -> Local:
    given, t, x = jax.lax.stop_gradient((given, t, x))
    _, along = jax.linearize(lambda x: tuple(_balance(given, layout, t, x)), x)
    still, moving = coloured(along, *x.shape)
    stored = sum(jnp.any(part[..., 0] != 0, axis=2) for part in moving)
    return Local(with_identity(still, layout.padding()), moving, stored > 0, _weights(given[0], layout, moving))


def _weights(stack: Stack, layout: Layout, moving: Tridiagonal) -> Blocks:
    """One per RT for potentials and for log and logit unknowns, less for these where a carrier is nearly absent."""
    thermal = stack.thermal_voltage
    capacity = jnp.abs(jnp.diagonal(moving.diagonal[..., 0], axis1=1, axis2=2))
    rows = jnp.zeros((layout.blocks, layout.width))
    for layer, (a, b) in zip(stack.layers, layout.nodes, strict=True):
        _, volume = spacings(layer)
        own = capacity[a:b, : layout.carriers]
        density = own / volume[:, None]
        least = NEARLY_EMPTY * jnp.sum(own, axis=0) / layer.thickness
        rows = rows.at[a:b, : layout.carriers].set(density / jnp.where(least > 0, density + least, 1.0))
        rows = rows.at[a:b, -1].set(1 / thermal)
    for j, junction in zip(layout.junction, stack.junctions, strict=True):
        rows = rows.at[j, layout.reactions : layout.reactions + junction.slots].set(1.0)
    return rows.at[layout.metal, -1].set(1 / thermal)


def _norm(x: Blocks, weights: Blocks) -> Scalar:
    """Root mean square over the unknowns that count."""
    return jnp.sqrt(jnp.sum((x * weights) ** 2) / jnp.sum(weights > 0))


class Chord(NamedTuple):
    """What Newton's method uses and nothing is differentiated by."""

    factors: Factors
    stored: Bool[Array, "block row"]
    weights: Blocks
    tolerance: Scalar
    guess: Blocks
    speed: Scalar  # ratio of successive corrections seen before


def _defect(given: Given, layout: Layout, t, rate, target, stored, x) -> Blocks:
    known = _balance(given, layout, t, x)
    return jnp.where(stored, rate * (known.held - target), 0.0) + known.leaving


def _stage(layout: Layout):
    """x with rate * (q(x) - target) + f(x, t) = 0, by Newton's method with a given matrix.

    Its derivative is the implicit one, with the matrix of the solution.
    """

    @eqx.filter_custom_jvp
    def solve(given, t, rate, target, chord: Chord):
        def going(carry):
            _, size, speed, count = carry
            left = size * jnp.minimum(speed / jnp.maximum(1 - speed, 1e-3), 1e3)
            return (count == 0) | ((left > chord.tolerance) & (count < NEWTON) & (speed < 1.5) & jnp.isfinite(size))

        def correct(carry):
            x, before, speed, count = carry
            defect = _defect(given, layout, t, rate, target, chord.stored, x)
            dx = substitute(chord.factors, defect[..., None, None], layout)[..., 0, 0]
            size = _norm(dx, chord.weights)
            ratio = size / before
            speed = jnp.where(count == 0, speed, jnp.maximum(ratio, 0.3 * speed))
            return x - jnp.minimum(1.0, LONGEST / size) * dx, size, speed, count + 1

        start = (chord.guess, jnp.asarray(jnp.inf), chord.speed, jnp.zeros((), int))
        x, size, speed, count = jax.lax.while_loop(going, correct, start)
        left = size * speed / jnp.maximum(1 - speed, 1e-3)
        return x, left <= chord.tolerance, speed, count

    @solve.def_jvp
    def _(primals, tangents):
        given, t, rate, target, chord = primals
        x, converged, speed, count = solve(*primals)
        _, along = jax.linearize(lambda x: (_defect(given, layout, t, rate, target, chord.stored, x),), x)
        (matrix,) = coloured(along, *x.shape)
        factors = factorise(with_identity(matrix, layout.padding()), layout)
        _, change = eqx.filter_jvp(
            lambda given, t, rate, target: _defect(given, layout, t, rate, target, chord.stored, x),
            (given, t, rate, target),
            tuple(tangents[:4]),
        )
        change = jnp.zeros_like(x) if change is None else change
        moved = -substitute(factors, change[..., None, None], layout)[..., 0, 0]
        return (x, converged, speed, count), (moved, None, None, None)

    return solve


class Point(NamedTuple):
    """A time step begins here."""

    t: Scalar  # s since the step of the protocol began
    x: Blocks
    held: Blocks
    charge: Scalar  # C m-2 since the start of the run


class Past(NamedTuple):
    """Two earlier states, for guesses."""

    t: Float[Array, " 2"]
    x: Float[Array, "2 block row"]


class Trial(NamedTuple):
    """What one time step arrives at."""

    x: Blocks
    held: Blocks
    charge: Scalar
    error: Scalar  # in units of the tolerance
    converged: Bool[Array, ""]
    speed: Scalar
    corrections: Int[Array, ""]
    past: Past


_GUESSES = {  # for each stage three of [two earlier states, stages...], numbered in that order
    3: [(0, 1, 2), (0, 1, 2), (1, 2, 3), (2, 4, 3)],
    4: [(0, 1, 2), (0, 1, 2), (1, 2, 3), (2, 4, 3), (2, 3, 5), (2, 5, 6)],
}
_MIDDLE = {3: 2, 4: 1}  # the stage that is remembered


def _advance(
    given: Given,
    layout: Layout,
    method: Method,
    point: Point,
    past: Past,
    local: Local,
    h: Scalar,
    jump: Bool[Array, ""],
    speed: Scalar,
    tolerance: Scalar,
) -> Trial:
    """One time step. After a jump nothing is taken from its beginning but the amounts."""
    solve = _stage(layout)
    a, c, error = (
        jnp.where(jump, jnp.asarray(of_jump), jnp.asarray(of_smooth))
        for of_jump, of_smooth in (
            (method.jump_a, method.a),
            (method.jump_c, method.c),
            (method.jump_error, method.error),
        )
    )
    rate = 1 / (h * method.diagonal)
    factors = factorise(local.still, layout, local.moving, jax.lax.stop_gradient(rate))
    chosen = jnp.asarray(_GUESSES[method.order])
    times = jnp.concatenate([past.t, point.t + c * h])
    first = jnp.where(local.stored, _balance(given, layout, point.t, point.x).leaving, 0.0)
    states = jnp.zeros((method.stages, *point.x.shape)).at[0].set(point.x)
    leaving = jnp.zeros_like(states).at[0].set(first)
    currents = jnp.zeros(method.stages).at[0].set(point.x[layout.metal, 0])

    def stage(i, carry):
        states, leaving, currents, converged, speed, count = carry
        t = point.t + c[i] * h
        target = point.held - h * jnp.tensordot(a[i], leaving, 1)
        known = jax.lax.stop_gradient((jnp.concatenate([past.x, states]), times, t))
        guess = jnp.where(jump, known[0][i + 1], _extrapolated(known[0][chosen[i]], known[1][chosen[i]], known[2]))
        chord = Chord(factors, local.stored, local.weights, tolerance, guess, jnp.clip(speed, 1e-3, 0.9) ** 0.8)
        x, good, speed, more = solve(given, t, rate, target, jax.lax.stop_gradient(chord))
        out = jnp.where(local.stored, _balance(given, layout, t, x).leaving, 0.0)
        return (
            states.at[i].set(x),
            leaving.at[i].set(out),
            currents.at[i].set(x[layout.metal, 0]),
            converged & good,
            speed,
            count + more,
        )

    carry = (states, leaving, currents, jnp.asarray(True), speed, jnp.zeros((), int))
    states, leaving, currents, converged, speed, count = jax.lax.fori_loop(1, method.stages, stage, carry)
    missed = jax.lax.stop_gradient(rate * h * jnp.tensordot(error, leaving, 1))
    missed = substitute(factors, missed[..., None, None], layout)[..., 0, 0]
    middle = _MIDDLE[method.order]
    return Trial(
        x=states[-1],
        held=point.held - h * jnp.tensordot(a[-1], leaving, 1),
        charge=point.charge + h * jnp.dot(a[-1], currents),
        error=_norm(missed, local.weights) / jax.lax.stop_gradient(given[1].rtol),
        converged=converged,
        speed=speed,
        corrections=count,
        past=jax.lax.stop_gradient(
            Past(jnp.stack([point.t, point.t + c[middle] * h]), jnp.stack([point.x, states[middle]]))
        ),
    )


def _extrapolated(x: Float[Array, "3 block row"], t: Float[Array, " 3"], when: Scalar) -> Blocks:
    """The parabola through three states; too far away, the last of them."""
    a, b, c = t
    weights = jnp.stack(
        [
            (when - b) * (when - c) / ((a - b) * (a - c)),
            (when - a) * (when - c) / ((b - a) * (b - c)),
            (when - a) * (when - b) / ((c - a) * (c - b)),
        ]
    )
    near = jnp.max(jnp.abs(weights)) < 30.0  # False for NaN
    return jnp.tensordot(jnp.where(near, weights, jnp.array([0.0, 0.0, 1.0])), x, 1)


class Search(NamedTuple):
    """Bracket of the step that meets a cutoff."""

    on: Bool[Array, ""]
    low: Scalar  # step
    high: Scalar
    below: Scalar  # largest of what is exceeded
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
        again = self.side == side
        return Search(
            self.on,
            jnp.where(over, self.low, h),
            jnp.where(over, h, self.high),
            jnp.where(over, jnp.where(again, 0.5, 1.0) * self.below, exceeded),
            jnp.where(over, exceeded, jnp.where(again, 0.5, 1.0) * self.above),
            side,
        )


class Rows(eqx.Module):
    """What is kept of a run."""

    t: Float[Array, " row"]
    x: Float[Array, "row block slot"]
    voltage: Float[Array, " row"]
    current: Float[Array, " row"]
    charge: Float[Array, " row"]


class Walk(eqx.Module):
    """Where the loop over time steps stands."""

    point: Point
    past: Past
    before: Point  # where the last time step began, and
    length: Scalar  # its size
    jump: Bool[Array, ""]
    after_jump: Bool[Array, ""]  # whether the last time step was the first
    h: Scalar  # next time step wanted
    error: Scalar  # of the last accepted
    speed: Scalar
    exceeded: Scalar
    search: Search
    turn: Int[Array, ""]  # next of the times to save at
    kept: Int[Array, ""]
    counts: Int[Array, " 3"]  # accepted, rejected, corrections
    event: Int[Array, ""]
    result: Int[Array, ""]
    finished: Bool[Array, ""]
    rows: Rows


class Kept(eqx.Module):
    """Rows of a trajectory."""

    t: Float[Array, " row"]
    state: State
    voltage: Float[Array, " row"]
    current: Float[Array, " row"]
    charge: Float[Array, " row"]
    temperature: Float[Array, " row"]
    valid: Bool[Array, " row"]


class Part(eqx.Module):
    """What one step of a protocol leaves."""

    kept: Kept
    count: Int[Array, ""]
    end: Instant
    event: Int[Array, ""]
    result: Int[Array, ""]
    counts: Int[Array, " 3"]


def consistent(stack: Stack, instant: Instant | State | Solution, step: Step) -> Instant:
    """The state right after a step begins: amounts as before, everything that follows at once in its place.

    The limit of one implicit Euler step without duration: charge on the metals jumps, and what passes contacts in
    equilibrium. Result codes are not looked at.
    """
    instant = begin(stack, instant)
    (task,) = tasks(stack, Protocol((step,)), 1e-4)
    layout = Layout(stack)
    point, _ = _jumped((stack, task), layout, _pointed(layout, instant))
    return _instant(layout, point, instant.time)


def _pointed(layout: Layout, instant: Instant) -> Point:
    return Point(jnp.zeros(()), layout.flatten(instant.state), layout.flatten(instant.stored), instant.charge)


def _instant(layout: Layout, point: Point, origin: Scalar) -> Instant:
    return Instant(origin + point.t, layout.unflatten(point.x), layout.unflatten(point.held), point.charge)


def _jumped(given: Given, layout: Layout, point: Point) -> tuple[Point, Int[Array, ""]]:
    rate = 1 / jax.lax.stop_gradient(_shortest(*given))
    zero, stored = jnp.zeros(()), _stores(given[0], layout)

    def rows(parameters, state, p):
        given, held, rate = parameters
        return layout.unflatten(_defect(given, layout, jnp.zeros(()), rate, held, stored, layout.flatten(state)))

    thermal = jax.lax.stop_gradient(given[1].at(given[0], zero).thermal_voltage)
    start = layout.unflatten(point.x)
    state, _, result, _, _ = newton(
        rows, lambda *_: jnp.zeros(0), layout, thermal, start, jnp.zeros(0), (given, point.held, rate)
    )
    x = layout.flatten(state)
    passed = jnp.where(stored, _balance(given, layout, zero, x).leaving, 0.0) / rate
    return Point(zero, x, point.held - passed, point.charge + x[layout.metal, 0] / rate), result


def _stores(stack: Stack, layout: Layout) -> np.ndarray:
    """Rows that store: carriers where they live, slots of junctions, the right metal."""
    rows = np.zeros((layout.blocks, layout.width), bool)
    for layer, (a, b) in zip(stack.layers, layout.nodes, strict=True):
        for carrier in layer.material.carriers:
            rows[a:b, stack.index(carrier.species.name)] = True
    for j, junction in zip(layout.junction, stack.junctions, strict=True):
        rows[j, layout.reactions : layout.reactions + junction.slots] = True
    rows[layout.metal, -1] = True
    return rows


def _shortest(stack: Stack, task: Task) -> Scalar:
    """A time [s] in which nothing diffuses from node to node and no space charge relaxes."""
    stack = task.at(stack, jnp.zeros(()))
    fastest = jnp.zeros(())
    for layer in stack.layers:
        h, _ = spacings(layer)
        for carrier in layer.material.carriers:
            fastest = jnp.maximum(fastest, carrier.diffusivity(stack.temperature) / jnp.min(h) ** 2)
    return INSTANT / jnp.where(fastest > 0, fastest, 1.0)


@eqx.filter_jit
def _segment(
    stack: Stack,
    task: Task,
    instant: Instant,
    result: Int[Array, ""],
    order: int,
    rows: int | None,
    most: int,
    looks: bool,
    mode: Mode,
) -> Part:
    """One step of a protocol. rows: how many time steps to keep; None: only the times asked for."""
    layout, method, given = Layout(stack), METHODS[order], (stack, task)
    everything = rows is not None
    count = (rows + 1) if everything else task.stops.shape[0] + 2
    point, jumped = _jumped(given, layout, _pointed(layout, instant))
    origin = instant.charge
    result = jnp.where((result == OK) & (jumped != OK), NO_START, result)
    end = jnp.where(jnp.isinf(task.duration), FOREVER, task.duration)
    stops = jnp.append(task.stops, jnp.inf)
    longest = jax.lax.stop_gradient(jnp.minimum(task.signal.longest(), task.temperature.longest()))
    shortest = jax.lax.stop_gradient(_shortest(*given))
    fixed = jax.lax.stop_gradient(given)

    def look(point):
        x, charge = point.x, point.charge - origin
        return _observed(given, layout, point.t, x, charge, looks)

    def passed(point):
        seen = look(jax.lax.stop_gradient(point))
        exceeded = jnp.append(_exceeded(fixed[1], seen), -jnp.inf)
        return jax.lax.stop_gradient((jnp.max(exceeded), jnp.argmax(exceeded)))

    exceeded, which = passed(point)
    done = (exceeded >= 0) | (result != OK)
    seen = look(point)
    zero, nothing = jnp.zeros(()), jnp.zeros((), int)
    first = _first_step(given, layout, point, shortest, jnp.minimum(longest, end), order)
    walk = Walk(
        point=point,
        past=Past(jnp.full(2, jnp.nan), jnp.zeros((2, *point.x.shape))),
        before=point,
        length=zero,
        jump=jnp.asarray(True),
        after_jump=jnp.asarray(True),
        h=first,
        error=jnp.ones(()),
        speed=jnp.asarray(0.3),
        exceeded=exceeded,
        search=Search(jnp.asarray(False), zero, zero, zero, zero, nothing),
        turn=nothing,
        kept=nothing + 1,
        counts=jnp.zeros(3, int),
        event=jnp.where(exceeded >= 0, which, -1),
        result=result,
        finished=done,
        rows=Rows(
            jnp.zeros(count).at[0].set(point.t),
            jnp.zeros((count, *point.x.shape)).at[0].set(point.x),
            jnp.zeros(count).at[0].set(seen.voltage),
            jnp.zeros(count).at[0].set(seen.current),
            jnp.zeros(count).at[0].set(point.charge),
        ),
    )

    def step(walk: Walk) -> Walk:
        point, search = walk.point, walk.search
        local = _local(given, layout, point.t, point.x)
        stop = jnp.minimum(stops[walk.turn], end)
        room = jax.lax.stop_gradient(stop - point.t)
        wanted = jnp.minimum(walk.h, longest)
        reaches = ~search.on & (wanted >= 0.999 * room)
        h = jnp.where(wanted > 0.5 * room, 0.5 * room, wanted)
        h = jnp.where(search.on, search.next(), h)
        h = jnp.where(reaches, stop - point.t, jax.lax.stop_gradient(h))
        size = jax.lax.stop_gradient(h)
        tolerance = jnp.where(search.on, 1e-10, 0.02 * fixed[1].rtol)
        trial = _advance(given, layout, method, point, walk.past, local, h, walk.jump, walk.speed, tolerance)
        after = Point(jnp.where(reaches, stop, point.t + h), trial.x, trial.held, trial.charge)
        good = trial.converged & (trial.error <= 1.0)
        exceeded, which = passed(after)
        crossed = good & (exceeded >= 0)
        met = search.on & good & (jnp.abs(exceeded) <= EVENT)
        met = met | (search.on & good & (search.high - search.low <= 1e-14 * (point.t + h)))
        accepted = good & (met | (~search.on & ~crossed))
        opened = Search(crossed, zero, size, walk.exceeded, exceeded, nothing)
        searched = jax.tree.map(lambda a, b: jnp.where(search.on, a, b), search.narrowed(size, exceeded), opened)
        searching = good & ~accepted
        searched = searched._replace(on=searching)
        fail = ~jnp.isfinite(trial.error) | ~trial.converged
        error = jnp.where(fail, 1.0, jnp.maximum(trial.error, 1e-12))
        power = 1.0 / method.order
        growth = 0.9 * error ** (-0.7 * power) * jnp.maximum(walk.error, 0.1) ** (0.4 * power)
        shrink = jnp.where(fail, 0.25, 0.9 * error**-power)
        factor = jnp.where(accepted, jnp.clip(growth, 0.3, 8.0), jnp.clip(shrink, 0.1, 0.9))
        clipped = accepted & (size < walk.h)
        proposal = jnp.where(clipped, jnp.maximum(size * factor, jnp.minimum(walk.h, longest)), size * factor)
        proposal = jnp.where(searching, walk.h, proposal)
        hits = accepted & reaches
        over = accepted & (met | (hits & (stop >= end)))
        saved = hits & (stops[walk.turn] <= end)
        keep = accepted & (everything | saved | over)
        kept = walk.kept + keep
        seen = look(after)
        at = jnp.minimum(walk.kept, count - 1)
        rows = Rows(
            *(
                eqxi.buffer_at_set(old, at, new, pred=keep)
                for old, new in zip(
                    (walk.rows.t, walk.rows.x, walk.rows.voltage, walk.rows.current, walk.rows.charge),
                    (after.t, after.x, seen.voltage, seen.current, after.charge),
                    strict=True,
                )
            )
        )
        small = ~accepted & ~searching & (proposal < jnp.maximum(1e-3 * shortest, 1e-15 * point.t))
        full = accepted & (walk.counts[0] + 1 >= most) & ~over
        never = over & ~met & jnp.isinf(task.duration)
        result = jnp.where(small, STEP_TOO_SMALL, walk.result)
        result = jnp.where(full, TOO_MANY_STEPS, result)
        result = jnp.where(never, CUTOFF_NOT_REACHED, result)

        def chosen(new, old):
            return jax.tree.map(lambda a, b: jnp.where(accepted, a, b), new, old)

        return Walk(
            point=chosen(after, point),
            past=chosen(trial.past, walk.past),
            before=chosen(point, walk.before),
            length=chosen(size, walk.length),
            jump=walk.jump & ~accepted,
            after_jump=chosen(walk.jump, walk.after_jump),
            h=proposal,
            error=chosen(error, walk.error),
            speed=jnp.where(jnp.isfinite(trial.speed), trial.speed, 0.3),
            exceeded=chosen(exceeded, walk.exceeded),
            search=searched,
            turn=walk.turn + saved,
            kept=kept,
            counts=walk.counts + jnp.stack([accepted, ~accepted, trial.corrections]).astype(int),
            event=jnp.where(accepted & met, which, walk.event),
            result=result,
            finished=over | small | full,
            rows=rows,
        )

    walk = eqxi.while_loop(
        lambda walk: ~walk.finished,
        step,
        walk,
        max_steps=4 * most,
        buffers=lambda walk: (walk.rows.t, walk.rows.x, walk.rows.voltage, walk.rows.current, walk.rows.charge),
        kind="lax" if mode == "forward" else "checkpointed",
    )
    result = jnp.where((walk.result == OK) & ~walk.finished, TOO_MANY_STEPS, walk.result)
    last = _Last(walk.before, walk.length, walk.after_jump, walk.event, origin, shortest)
    point = _landing(layout, method, looks)(given, walk.point, jax.lax.stop_gradient(last))
    seen, last_row = look(point), walk.kept - 1
    rows = Rows(
        walk.rows.t.at[last_row].set(point.t),
        walk.rows.x.at[last_row].set(point.x),
        walk.rows.voltage.at[last_row].set(seen.voltage),
        walk.rows.current.at[last_row].set(seen.current),
        walk.rows.charge.at[last_row].set(point.charge),
    )
    number = jnp.arange(count)
    return Part(
        Kept(
            t=instant.time + rows.t,
            state=jax.vmap(layout.unflatten)(rows.x),
            voltage=rows.voltage,
            current=rows.current,
            charge=rows.charge,
            temperature=jax.vmap(task.temperature)(rows.t),
            valid=number < walk.kept,
        ),
        walk.kept,
        _instant(layout, point, instant.time),
        walk.event,
        result,
        walk.counts,
    )


class _Last(NamedTuple):
    """The last time step of a walk."""

    before: Point
    length: Scalar
    jump: Bool[Array, ""]
    event: Int[Array, ""]
    origin: Scalar  # charge when the step of the protocol began
    shortest: Scalar


def _landing(layout: Layout, method: Method, looks: bool):
    """The end of a walk as it is; where a cutoff ended it, its derivative follows the time at which that is met.

    The end x(h) obeys g(x(h)) = 0, so that dh = -dg / (dg/dh), with the derivative of the last time step by its size.
    """

    @eqx.filter_custom_jvp
    def land(given, point, last):
        return point

    @land.def_jvp
    def _(primals, tangents):
        given, point, last = primals
        met = (last.event >= 0) & (last.length > 0)
        h = jnp.where(met, last.length, last.shortest)
        local = _local(given, layout, last.before.t, last.before.x)
        past = Past(jnp.full(2, jnp.nan), jnp.zeros((2, *point.x.shape)))
        few = jnp.asarray(0.3), jnp.asarray(1e-10)

        def arrived(h):
            trial = _advance(given, layout, method, last.before, past, local, h, last.jump, *few)
            return Point(last.before.t + h, trial.x, trial.held, trial.charge)

        def exceeded(given, point):
            seen = _observed(given, layout, point.t, point.x, point.charge - last.origin, looks)
            return jnp.append(_exceeded(given[1], seen), 0.0)[last.event]

        _, along = jax.jvp(arrived, (h,), (jnp.ones(()),))
        moved = _filled(point, tangents[1])
        _, change = eqx.filter_jvp(exceeded, (given, point), (tangents[0], moved))
        _, slope = jax.jvp(lambda point: exceeded(given, point), (point,), (along,))
        dh = -jnp.where(met, 1 / jnp.where(met, slope, 1.0), 0.0) * change
        return point, jax.tree.map(lambda a, b: a + b * dh, moved, along)

    return land


def _filled(values, tangents):
    """Zeros where there is no tangent."""
    return jax.tree.map(
        lambda v, t: jnp.zeros_like(v) if t is None else t, values, tangents, is_leaf=lambda a: a is None
    )


def _first_step(given: Given, layout: Layout, point: Point, shortest, longest, order: int) -> Scalar:
    """A first time step over which the unknowns change by about the tolerance's root."""
    given, point = jax.lax.stop_gradient((given, point))
    local = _local(given, layout, point.t, point.x)
    leaving = jnp.where(local.stored, _balance(given, layout, point.t, point.x).leaving, 0.0)
    factors = factorise(local.still, layout, local.moving, 1 / shortest)
    change = substitute(factors, leaving[..., None, None], layout)[..., 0, 0]
    speed = _norm(change, local.weights) / shortest
    first = given[1].rtol ** (1 / order) / jnp.where(speed > 0, speed, 1.0)
    first = jnp.where((speed > 0) & jnp.isfinite(speed), 0.1 * first, jnp.inf)
    return jnp.clip(first, shortest, jnp.maximum(1e-2 * longest, shortest))


def _trimmed(part: Part) -> Kept:
    if isinstance(part.count, Tracer) or np.ndim(part.count):
        return part.kept
    count = int(part.count)
    return jax.tree.map(lambda a: (a if isinstance(a, Tracer) else np.asarray(a))[:count], part.kept)


def _joined(parts: tuple[Any, ...]) -> Array:
    if any(isinstance(p, Tracer) for p in parts):
        return jnp.concatenate(parts)
    return jnp.asarray(np.concatenate(parts))
