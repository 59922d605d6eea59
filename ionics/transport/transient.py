"""The balance in time along a protocol: what a cell does while something is held at its terminals."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from ionics.transport.balance import State, storage
from ionics.transport.equilibrium import NotConverged
from ionics.transport.linear import Layout
from ionics.transport.march import (
    CUTOFF_NOT_REACHED,
    NO_START,
    STEP_TOO_SMALL,
    TOO_MANY_STEPS,
    Mode,
    Plan,
    march,
    shortest,
    terminal_current,
)
from ionics.transport.newton import MESSAGES, OK, Solution, newton
from ionics.transport.protocol import Protocol, Step, Task, check, tasks
from ionics.transport.stack import Stack
from ionics.transport.tableau import METHODS
from ionics.transport.timestep import Given, Point, balance, conserved, crossing, defect

__all__ = [
    "CUTOFF_NOT_REACHED", "NO_START", "STEP_TOO_SMALL", "TOO_MANY_STEPS",
    "Instant", "Trajectory", "consistent", "simulate", "terminal_current",
]  # fmt: skip

Scalar = Float[Array, ""]


class Instant(eqx.Module):
    """Where a run stands: all it takes to go on as if it had not stopped."""

    time: Scalar  # s
    state: State
    stored: State  # what `storage` gives for the state, each layer's amounts scaled to what crossed its junctions
    charge: Scalar  # C m-2 passed so far, positive in discharge


class Trajectory(eqx.Module):
    """A run: rows in time, where it ended and how each step of the protocol ended."""

    t: Float[Array, " row"]  # s
    state: State  # every field with a leading axis of rows
    voltage: Float[Array, " row"]  # V at the terminals
    current: Float[Array, " row"]  # A m-2, positive in discharge
    charge: Float[Array, " row"]  # C m-2 passed since the start
    temperature: Float[Array, " row"]  # K
    step: Int[Array, " row"]  # which step of the protocol a row belongs to
    valid: Bool[Array, " row"]  # False: padding, under a transformation
    event: Int[Array, " step"]  # which cutoff ended each step, -1 if its duration did
    end: Instant
    result: Int[Array, ""]  # 0: done; words in `message`
    steps: Int[Array, ""]  # time steps accepted
    rejected: Int[Array, ""]
    corrections: Int[Array, ""]  # of Newton's method, over all stages
    cutoffs: tuple[tuple[str, ...], ...] = eqx.field(static=True, default=())  # their names, for each step

    @property
    def state_at_end(self) -> State:
        """The last state."""
        return self.end.state

    def message(self) -> str:
        """The result in words."""
        return MESSAGES[int(self.result)]

    def ended_by(self) -> tuple[str, ...]:
        """What ended each step, in words."""
        return tuple(self.cutoffs[n][int(k)] if int(k) >= 0 else "duration" for n, k in enumerate(self.event))


Start = Solution | State | Instant | Trajectory


def simulate(
    stack: Stack,
    protocol: Protocol | Step,
    start: Start,
    *,
    rtol: float = 1e-4,
    order: int = 4,
    steps: int = 1000,
    mode: Mode = "forward",
    throw: bool = True,
) -> Trajectory:
    """Follow a protocol from a solution, a state, or where another run ended.

    rtol: error of one time step, of the unknowns in units of RT. order: of the method, 3 or 4. steps: most time steps
    of one step of the protocol between two times to save at. Each time step is a row of the answer, unless steps of the
    protocol name times to save at: then those are, and the first and the last state of each step.
    mode: the derivatives that are allowed, 'forward' (jvp, jacfwd) or 'reverse' (vjp, grad). The sizes of time
    steps are not differentiated; the times at which cutoffs are met are.
    Raises NotConverged in words (unless throw=False) where a step of the protocol cannot be finished.
    """
    protocol = Protocol((protocol,)) if isinstance(protocol, Step) else protocol
    check(stack, protocol)
    if order not in METHODS:
        raise ValueError(f"the order of the method is 3 or 4, not {order}")
    every = all(step.save is None for step in protocol.steps)
    looks = any(cutoff.species is not None for step in protocol.steps for cutoff in step.cutoffs)
    instant, result, parts = begin(stack, start), jnp.zeros((), int), []
    for task in tasks(stack, protocol):
        parts.append(_segment(stack, task, instant, result, jnp.asarray(rtol, float), order, steps, every, looks, mode))
        instant, result = parts[-1].end, parts[-1].result
        if not isinstance(result, Tracer) and result.ndim == 0 and int(result) != OK:
            break
    trajectory = _joined(parts, tuple(tuple(cutoff.name for cutoff in step.cutoffs) for step in protocol.steps))
    if throw and not isinstance(result, Tracer) and int(result) != OK:
        raise NotConverged(
            f"{trajectory.message()} (step {len(parts)} of the protocol, {float(instant.time):g} s after the start)"
        )
    return trajectory


def begin(stack: Stack, start: Start) -> Instant:
    """The instant from which a run starts."""
    if isinstance(start, Trajectory):
        return start.end
    if isinstance(start, Instant):
        return start
    state = start.state if isinstance(start, Solution) else start
    return Instant(jnp.zeros(()), state, _storage(stack, state), jnp.zeros(()))


def consistent(stack: Stack, start: Start, step: Step) -> Instant:
    """The instant right after a step begins: amounts as before, everything that follows at once in its place.

    The limit of an implicit Euler step without duration: the charge on the metals jumps, and what passes contacts in
    equilibrium. Raises NotConverged where the drive cannot be met.
    """
    (task,), instant = tasks(stack, Protocol((step,))), begin(stack, start)
    found, result = _consistent(stack, task, instant)
    if not isinstance(result, Tracer) and int(result) != OK:
        raise NotConverged(MESSAGES[NO_START])
    return found


_storage = eqx.filter_jit(storage)


@eqx.filter_jit
def _consistent(stack: Stack, task: Task, instant: Instant) -> tuple[Instant, Int[Array, ""]]:
    layout = Layout(stack)
    point, result = _jumped((stack, task), layout, instant)
    return _instant(layout, point, instant), result


def _instant(layout: Layout, point: Point, since: Instant) -> Instant:
    state, stored = layout.unflatten(point.x), layout.unflatten(point.held)
    return Instant(since.time + point.t, state, stored, since.charge + point.charge)


def _jumped(given: Given, layout: Layout, instant: Instant) -> tuple[Point, Int[Array, ""]]:
    """One implicit Euler step too short for anything to flow."""
    rate, zero, held = 1 / shortest(given), jnp.zeros(()), layout.flatten(instant.stored)

    def rows(parameters, state, _):
        given, held, rate = parameters
        return layout.unflatten(defect(given, layout, jnp.zeros(()), rate, held, layout.flatten(state)))

    thermal = jax.lax.stop_gradient(given[1].at(given[0], zero).thermal_voltage)
    state, _, result, _, _ = newton(
        rows, lambda *_: jnp.zeros(0), layout, thermal, instant.state, jnp.zeros(0), (given, held, rate)
    )
    x = layout.flatten(state)
    stack, kept = given[0], balance(given, layout, zero, x).held
    kept = conserved(stack, layout, kept, held, crossing(stack, layout, x) / rate)
    return Point(zero, x, kept, jnp.zeros_like(x), x[layout.metal, 0] / rate), result


class Rows(eqx.Module):
    """Rows of a trajectory; the same names."""

    t: Float[Array, " row"]
    state: State
    voltage: Float[Array, " row"]
    current: Float[Array, " row"]
    charge: Float[Array, " row"]
    temperature: Float[Array, " row"]
    valid: Bool[Array, " row"]


class Part(eqx.Module):
    """What one step of a protocol leaves."""

    rows: Rows
    kept: Int[Array, ""]
    end: Instant
    event: Int[Array, ""]
    result: Int[Array, ""]
    counts: Int[Array, " 3"]


@eqx.filter_jit
def _segment(
    stack: Stack,
    task: Task,
    instant: Instant,
    result: Int[Array, ""],
    rtol: Scalar,
    order: int,
    steps: int,
    every: bool,
    looks: bool,
    mode: Mode,
) -> Part:
    """One step of a protocol; nothing is done if the one before failed."""
    layout = Layout(stack)
    point, jumped = _jumped((stack, task), layout, instant)
    result = jnp.where((result == OK) & (jumped != OK), NO_START, result)
    plan = Plan(layout, order, steps, every, looks)
    rows, end, ended = march(plan, mode, (stack, task), point, rtol, result)
    kept = Rows(
        t=instant.time + rows.t,
        state=jax.vmap(layout.unflatten)(rows.x),
        voltage=rows.voltage,
        current=rows.current,
        charge=instant.charge + rows.charge,
        temperature=jax.vmap(task.temperature)(rows.t),
        valid=jnp.arange(rows.t.shape[0]) < ended.kept,
    )
    return Part(kept, ended.kept, _instant(layout, end, instant), ended.event, ended.result, ended.counts)


def _joined(parts: list[Part], cutoffs: tuple[tuple[str, ...], ...]) -> Trajectory:
    """Parts one after another; padding is dropped where numbers are known."""
    known = not any(isinstance(part.kept, Tracer) for part in parts)
    counts = [int(part.kept) if known else part.rows.t.shape[0] for part in parts]
    rows = jax.tree.map(
        lambda *columns: _concatenated([a[:count] for a, count in zip(columns, counts, strict=True)]),
        *(jax.tree.map(lambda a: a if isinstance(a, Tracer) else np.asarray(a), part.rows) for part in parts),
    )
    accepted, rejected, corrections = jnp.sum(jnp.stack([part.counts for part in parts]), axis=0)
    return Trajectory(
        **{
            name: getattr(rows, name) for name in ("t", "state", "voltage", "current", "charge", "temperature", "valid")
        },
        step=jnp.asarray(np.repeat(np.arange(len(parts)), counts)),
        event=jnp.stack([part.event for part in parts]),
        end=parts[-1].end,
        result=parts[-1].result,
        steps=accepted,
        rejected=rejected,
        corrections=corrections,
        cutoffs=cutoffs,
    )


def _concatenated(columns) -> Array:
    traced = any(isinstance(column, Tracer) for column in columns)
    return jnp.concatenate(columns) if traced else jnp.asarray(np.concatenate(columns))
