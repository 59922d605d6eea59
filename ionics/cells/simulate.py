"""A cell along a protocol, or many cells side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from ionics.cells import rodas
from ionics.cells.balance import State, flatten, unflatten
from ionics.cells.cell import Cell
from ionics.cells.endings import message, words
from ionics.cells.march import Manner, Row, marched
from ionics.transport.equilibrium import NotConverged
from ionics.transport.newton import OK
from ionics.transport.protocol import Protocol, Signal, Step, Task, alike, tasks

Scalar = Float[Array, ""]

FIRST = 1e-3  # s; the first time step that is tried
TOLERANCE = 1e-3
TOGETHER = 16  # cells


class Instant(eqx.Module):
    """Where a run stands: all it takes to go on."""

    time: Scalar  # s
    x: Float[Array, " unknown"]
    charge: Scalar  # C m-2 passed, positive in discharge


class Run(eqx.Module):
    """Rows in time, where they end and how each step of the protocol ended."""

    t: Float[Array, " row"]  # s
    x: Float[Array, "row unknown"]  # unknowns, as `unflatten` reads them; without columns where they were not kept
    voltage: Float[Array, " row"]  # V at the terminals
    current: Float[Array, " row"]  # A m-2, positive in discharge
    charge: Float[Array, " row"]  # C m-2 passed since the start
    temperature: Float[Array, " row"]  # K
    step: Int[Array, " row"]  # which step of the protocol a row belongs to
    event: Int[Array, " step"]  # which cutoff ended each step, -1 if its duration did
    end: Instant
    result: Int[Array, ""]
    steps: Int[Array, ""]  # time steps accepted
    rejected: Int[Array, ""]
    surfaces: tuple[str, ...] = eqx.field(static=True, default=())  # words for results of full and empty ones

    corrections: ClassVar[int] = 0  # the method makes none

    def message(self) -> str:
        """The result in words."""
        return message(int(self.result), self.surfaces)


class Course(eqx.Module):
    """One step of a protocol as time steps, for differentiation: nothing is cut out, padding is told."""

    rows: Row  # with a first axis of time steps
    end: Instant
    event: Int[Array, ""]
    result: Int[Array, ""]
    counts: Int[Array, " 2"]

    def at(self, times: Float[Array, " time"]) -> Float[Array, "time 3"]:
        """Charge [C m-2], current [A m-2] and voltage [V] at times [s] since the step began.

        The last ones after its end.
        """
        lengths = jnp.where(self.rows.accepted, self.rows.length, 0.0)
        ends = jnp.cumsum(lengths)
        n = jnp.clip(jnp.searchsorted(ends, times), 0, len(ends) - 1)
        # of the entries at the same time, the accepted one comes first
        share = (times - (ends - lengths)[n]) / jnp.where(lengths[n] > 0, lengths[n], 1.0)
        share = jnp.clip(share, 0.0, 1.0)[:, None]
        bend = jnp.moveaxis(self.rows.bend[n], 1, 0)
        found = rodas.between(self.rows.start[n], self.rows.end[n], bend, share)
        return jnp.where((times < self.end.time)[:, None], found, self.end.x[-3:])


Start = Run | Instant | State


def follow(
    cell: Cell, task: Task, start: Instant, rtol: Scalar | float = TOLERANCE, most: int = 500, keep: bool = False
) -> Course:
    """One step of a protocol, differentiable forwards; its time begins at zero."""
    none, many = jax.tree.map(lambda _: None, cell), jax.tree.map(lambda a: a[None], (task, start.x))
    manner = Manner(most, keep, _warming(task))
    walk, rows = marched(none, cell, *many, jnp.zeros(1, int), jnp.full(1, FIRST), jnp.asarray(rtol, float), manner)
    walk, rows = jax.tree.map(lambda a: a[0], walk), jax.tree.map(lambda a: a[:, 0], rows)
    return Course(rows, Instant(walk.t, walk.x, walk.x[-3]), walk.event, walk.result, walk.counts)


def _warming(task: Task) -> bool:
    """Whether the temperature may change."""
    own = task.temperature
    if not isinstance(own, Signal) or any(isinstance(a, Tracer) for a in (own.slope, own.amplitude)):
        return True
    return bool(np.any(np.asarray(own.slope) != 0) or np.any(np.asarray(own.amplitude) != 0))


def begin(start: Start) -> Instant:
    """The instant from which a run starts."""
    if isinstance(start, Run):
        return start.end
    if isinstance(start, Instant):
        return start
    return Instant(jnp.zeros(()), flatten(start), jnp.zeros(()))


def simulate(
    cell: Cell, protocol: Protocol | Step, start: Start, *, rtol: float = TOLERANCE, steps: int = 500,
    throw: bool = True, keep: bool = True,
) -> Run:  # fmt: skip
    """Follow a protocol from rest (`at_rest`), or from where another run ended.

    rtol: error of one time step, of occupancies and of potentials in units of RT/F. steps: most time steps of one
    step of the protocol. keep: the unknowns of every row. Each time step is a row, unless a step of the protocol names
    times to save at. Raises NotConverged in words (unless throw=False) where a step of the protocol cannot be finished.
    """
    protocol = Protocol((protocol,)) if isinstance(protocol, Step) else protocol
    instant, parts = begin(start), []
    for number, (step, task) in enumerate(zip(protocol.steps, tasks(cell, protocol), strict=True)):
        course = follow(cell, task, instant, rtol, steps, keep)
        parts.append(_rows(course, task, instant, step.save, number))
        instant = Instant(instant.time + course.end.time, course.end.x, instant.charge + course.end.charge)
        if int(course.result) != OK:
            break
    run = _joined(parts, instant, words(cell))
    if throw and int(run.result) != OK:
        raise NotConverged(
            f"{run.message()} (step {len(parts)} of the protocol, {float(instant.time):g} s after the start)"
        )
    return run


def simulate_many(
    cells: Sequence[Cell] | Cell, steps: Sequence[Step] | Step, starts: Float[Array, "cell unknown"], *,
    rtol: float = TOLERANCE, most: int = 500, together: int = TOGETHER,
) -> Course:  # fmt: skip
    """One step for many cells side by side, whatever the result of each.

    cells: alike but for their numbers, or one for all; steps: one for each, alike in their cutoffs, or one for all;
    starts: their unknowns (`flatten(at_rest(...))`). The answer has a first axis of cells; `result`: which were done.
    On a CPU they are worked off `together` at a time, which stay in its cache, in as many threads as it has cores,
    those with the largest current first, so that what is followed together ends together.
    """
    count = len(starts)
    own, shared = _apart(cells, count)
    steps = [steps] if isinstance(steps, Step) else steps
    if len(steps) not in (1, count):
        raise ValueError(f"{len(steps)} steps for {count} cells; valid: 1 or {count}")
    task = alike(cells if isinstance(cells, Cell) else cells[0], steps)
    manner = Manner(most, False, _warming(task))
    task, x = jax.tree.map(lambda a: np.broadcast_to(a, (count, *a.shape[1:])), (task, starts))
    size = count if jax.default_backend() != "cpu" else min(together, count)
    offset = getattr(task.signal, "offset", np.zeros(count))
    order = np.argsort(-np.abs(offset), kind="stable")
    chunks = [order[k : k + size] for k in range(0, count, size)]
    nothing, lengths, tolerance = jnp.zeros(size, int), jnp.full(size, FIRST), jnp.asarray(rtol, float)

    def follow_some(chunk):
        full = np.append(chunk, np.repeat(chunk[-1:], size - len(chunk)))
        some = jax.tree.map(lambda a: a[full], (own, task, x))
        walk, rows = marched(some[0], shared, some[1], some[2], nothing, lengths, tolerance, manner)
        rows = jax.tree.map(lambda a: np.asarray(a).swapaxes(0, 1), rows)
        return jax.tree.map(lambda a: np.asarray(a)[: len(chunk)], (walk, rows))

    found = [follow_some(chunks[0])]  # compiled once
    if len(chunks) > 1:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            found += pool.map(follow_some, chunks[1:])
    place = np.argsort(order)  # in the order they were given
    walk, rows = jax.tree.map(lambda *a: jnp.asarray(np.concatenate(a)[place]), *found)
    return Course(rows, Instant(walk.t, walk.x, walk.x[:, -3]), walk.event, walk.result, walk.counts)


def _apart(cells: Sequence[Cell] | Cell, count: int) -> tuple[Cell, Cell]:
    """Leaves in which cells differ, with a first axis, and those that all of them share."""
    if isinstance(cells, Cell):
        return jax.tree.map(lambda _: None, cells), cells
    if len(cells) != count:
        raise ValueError(f"{len(cells)} cells for {count} starts")
    own, shared = [], []
    for column in zip(*(jax.tree.leaves(one) for one in cells), strict=True):
        many = None if all(a is column[0] for a in column) else np.stack(column)
        differ = many is not None and bool(np.any(many != many[0]))
        own.append(many if differ else None)
        shared.append(None if differ else column[0])
    tree = jax.tree.structure(cells[0])
    return jax.tree.unflatten(tree, own), jax.tree.unflatten(tree, shared)


def _rows(course: Course, task: Task, since: Instant, save, number: int):
    """Of one step, as columns."""
    accepted = np.asarray(course.rows.accepted)
    lengths = np.asarray(course.rows.length)[accepted]
    ends = np.cumsum(lengths)
    if len(ends):
        ends[-1] = float(course.end.time)
    t = np.concatenate([[0.0], ends])
    first = np.asarray(course.rows.start)[:1] if len(ends) else np.asarray(course.end.x[-3:])[None]
    seen = np.concatenate([first, np.asarray(course.rows.end)[accepted]])
    x = np.asarray(course.rows.x)[accepted]
    x = np.concatenate([x, np.asarray(course.end.x)[None, : x.shape[1]]])
    if len(ends):
        seen[-1] = np.asarray(course.end.x[-3:])
    if save is not None:
        wanted = np.asarray(save)
        wanted = wanted[(wanted > 0) & (wanted < t[-1])]
        some = np.asarray(course.at(jnp.asarray(wanted))) if len(wanted) else seen[:0]
        near = np.argmin(np.abs(t[:, None] - wanted), axis=0)  # where unknowns are kept, steps end at these times
        t, seen = np.concatenate([t[:1], wanted, t[-1:]]), np.concatenate([seen[:1], some, seen[-1:]])
        x = np.concatenate([x[:1], x[near], x[-1:]])
    warm = np.asarray(jax.vmap(task.temperature)(jnp.asarray(t)))
    columns = {
        "t": float(since.time) + t, "x": x, "voltage": seen[:, 2], "current": seen[:, 1],
        "charge": float(since.charge) + seen[:, 0], "temperature": warm, "step": np.full(len(t), number),
    }  # fmt: skip
    return columns, course


def _joined(parts, end: Instant, surfaces: tuple[str, ...]) -> Run:
    columns = {key: jnp.asarray(np.concatenate([own[key] for own, _ in parts])) for key in parts[0][0]}
    courses = [course for _, course in parts]
    counts = sum((course.counts for course in courses), jnp.zeros(2, int))
    return Run(
        **columns,
        event=jnp.stack([course.event for course in courses]),
        end=end,
        result=courses[-1].result,
        steps=counts[0],
        rejected=counts[1],
        surfaces=surfaces,
    )


def states(cell: Cell, x: Float[Array, "row unknown"]) -> State:
    """Rows of unknowns as states with a first axis of rows."""
    return jax.vmap(lambda own: unflatten(cell, own))(x)
