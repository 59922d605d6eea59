"""Records in time as arrays, many side by side, and by how much a cell misses them; padding has weight zero."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.cells import rodas
from ionics.cells.cell import Cell
from ionics.cells.march import Manner, march
from ionics.cells.simulate import FIRST, Course, Instant
from ionics.fitting.cells.states import Specimen, resting
from ionics.transport.balance import Current
from ionics.transport.march import NO_START, TOO_MANY_STEPS
from ionics.transport.protocol import Cutoff, Protocol, Step, tasks

Scalar = Float[Array, ""]
Runs = Float[Array, " run"]

RTOL = 1e-5  # error of one time step, of occupancies and of potentials in RT/F; between two, some 10 microvolts
COARSE = 1e-3  # the same for derivatives alone, which are a percent off then at most, at a third of the time
STEPS = 2000  # time steps of a discharge at most, with those that are refused: up to some 600 were seen
MARGIN = 0.3  # V past its cutoff that a discharge is followed
NEVER = 1e3  # V; a cutoff that is not met
HALVINGS = 40


class Discharges(eqx.Module):
    """Constant currents side by side, each up to a voltage.

    A cell is followed MARGIN beyond the cutoff. Voltages are compared at the measured times, also those after the cell
    has met its cutoff; what it has passed until then is compared by itself. So a cell that ends earlier or later than
    the data still has a residual at every point, and one that changes smoothly; only where the data go on beyond the
    margin its voltage stays there. An error of the charge q shows as one of dV/dq in the voltage: `weight` has it
    (Orear, Am. J. Phys. 50 (1982) 912, doi:10.1119/1.12972), so that a steep end counts by where it is, not by its
    height.
    """

    current: Float[Array, " run"]  # A m-2
    drawn: Float[Array, " run"]  # C m-2
    temperature: Float[Array, " run"]  # K
    cutoff: Float[Array, " run"]  # V
    time: Float[Array, "run point"]  # s
    voltage: Float[Array, "run point"]  # V
    weight: Float[Array, "run point"]  # V-1
    capacity: Float[Array, " run"]  # C m-2
    capacity_weight: Float[Array, " run"]  # C-1 m2

    def answer(self, specimen: Specimen, rtol: Scalar) -> tuple[Float[Array, "run point"], Float[Array, " run"]]:
        """Voltage at every point [V] and charge passed at the cutoff [C m-2]."""
        x = jax.vmap(lambda *own: resting(specimen, *own)[1])(self.drawn, self.temperature)
        side = jnp.sign(self.current)
        floor = self.cutoff - side * MARGIN
        low, high = jnp.where(side > 0, floor, -NEVER), jnp.where(side > 0, NEVER, floor)
        cells = Warm(specimen.cell, self.temperature)
        courses = cells.follow(self.current, jnp.full_like(low, jnp.inf), low, high, x, rtol)
        voltage = jax.vmap(_voltages)(courses, self.time, floor)
        return voltage, jnp.abs(self.current) * jax.vmap(met)(courses, self.cutoff, side)

    def misfit(self, specimen: Specimen, rtol: Scalar) -> Float[Array, " residual"]:
        """Of voltages, run by run, then of capacities."""
        voltage, capacity = self.answer(specimen, rtol)
        parts = (voltage - self.voltage) * self.weight, (capacity - self.capacity) * self.capacity_weight
        return jnp.concatenate([part.ravel() for part in parts])


class Titrations(eqx.Module):
    """Currents one after another for known times, several titrations side by side.

    A step under current ends where the voltage leaves what was measured by more than 1 V, and the next one begins.
    """

    current: Float[Array, "run step"]  # A m-2
    duration: Float[Array, "run step"]  # s
    drawn: Float[Array, " run"]  # C m-2
    temperature: Float[Array, " run"]  # K
    floor: Float[Array, " run"]  # V
    ceiling: Float[Array, " run"]  # V
    time: Float[Array, "run step point"]  # s since the step began
    voltage: Float[Array, "run step point"]  # V
    weight: Float[Array, "run step point"]  # V-1

    def answer(self, specimen: Specimen, rtol: Scalar) -> Float[Array, "run step point"]:
        """Voltage at every point [V]."""
        x = jax.vmap(lambda *own: resting(specimen, *own)[1])(self.drawn, self.temperature)
        cells = Warm(specimen.cell, self.temperature)

        def step(x, own):
            current, duration, time = own
            loaded = current != 0
            low, high = jnp.where(loaded, self.floor, -NEVER), jnp.where(loaded, self.ceiling, NEVER)
            courses = cells.follow(current, duration, low, high, x, rtol)
            return courses.end.x, jax.vmap(_voltages)(courses, time, courses.end.x[:, -1])

        _, voltage = jax.lax.scan(step, x, (self.current.T, self.duration.T, jnp.moveaxis(self.time, 1, 0)))
        return jnp.moveaxis(voltage, 0, 1)

    def misfit(self, specimen: Specimen, rtol: Scalar) -> Float[Array, " residual"]:
        """Of voltages."""
        return ((self.answer(specimen, rtol) - self.voltage) * self.weight).ravel()


class Warm(eqx.Module):
    """A cell at several temperatures."""

    cell: Cell
    temperature: Float[Array, " run"]  # K

    def follow(
        self, current: Runs, duration: Runs, low: Runs, high: Runs, x: Float[Array, "run unknown"], rtol: Scalar
    ) -> Course:
        """A current each for a time or until the voltage leaves a range, for differentiation. First axis: runs."""

        def task(warm, current, duration, low, high):
            cutoffs = (Cutoff.voltage(low, "below"), Cutoff.voltage(high, "above"))
            cell = eqx.tree_at(lambda one: one.temperature, self.cell, warm)
            return tasks(cell, Protocol((Step(Current(current), duration, cutoffs=cutoffs),)))[0]

        many, count = jax.vmap(task)(self.temperature, current, duration, low, high), len(x)
        is_own = eqx.tree_at(lambda one: one.temperature, jax.tree.map(lambda _: False, self.cell), True)
        cells = eqx.tree_at(lambda one: one.temperature, self.cell, self.temperature)
        own, shared = eqx.partition(cells, is_own)
        manner = Manner(STEPS, keep=False, warming=False)
        walk, rows = march(
            own, shared, many, x, jnp.zeros(count, int), jnp.full(count, FIRST), jnp.asarray(rtol), manner
        )
        rows = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, 0), rows)
        return Course(rows, Instant(walk.t, walk.x, walk.x[:, -3]), walk.event, walk.result, walk.counts)


def _voltages(course: Course, time, lost):
    """At times; `lost` where the cell cannot pass the current at all, NaN where it could not be followed."""
    found = jnp.where(course.result == NO_START, lost, course.at(time)[:, -1])
    return jnp.where(course.result == TOO_MANY_STEPS, jnp.nan, found)


def met(course: Course, level: Scalar, side: Scalar) -> Scalar:
    """When the voltage first passes a level, from above where side is positive [s]; zero where it begins beyond it."""
    rows = course.rows
    lengths = jnp.where(rows.accepted, rows.length, 0.0)
    past = rows.accepted & (side * (rows.end[:, -1] - level) <= 0)
    n = jnp.argmax(past)
    start, end, bend = rows.start[n, -1], rows.end[n, -1], rows.bend[n, :, -1]

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        beyond = side * (rodas.between(start, end, bend, middle) - level) <= 0
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    ends = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.zeros(()), jnp.ones(())))
    share = jax.lax.stop_gradient(0.5 * sum(ends))
    missed, slope = jax.jvp(lambda s: rodas.between(start, end, bend, s), (share,), (jnp.ones(()),))
    slope = jax.lax.stop_gradient(slope)
    share = share - (missed - level) / jnp.where(slope == 0, 1.0, slope)  # carries the derivatives
    time = (jnp.cumsum(lengths) - lengths)[n] + share * lengths[n]
    time = jnp.where(jnp.any(past), time, course.end.time)
    possible = side * (rows.start[jnp.argmax(rows.accepted), -1] - level) > 0
    possible &= jnp.any(rows.accepted) & (course.result != NO_START)
    return jnp.where(possible, jnp.where(course.result == TOO_MANY_STEPS, jnp.nan, time), 0.0)
