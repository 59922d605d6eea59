"""What is done to a cell in time: steps, each holding a signal at the terminals until it ends."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from ionics.constants import FARADAY
from ionics.kinetics.compact import ConstantPhase
from ionics.laws import array
from ionics.transport.balance import Current, Drive, Terminal, Voltage
from ionics.transport.stack import Stack

Number = Float[Array, ""] | float
SAME = 1e-12  # of a time: two times that close are one
Device = TypeVar("Device", bound=eqx.Module)
FOREVER = 1e12  # s; a step without a duration that has not met a cutoff by then never will


class Signal(eqx.Module):
    """offset + slope t + amplitude sin(omega t + phase), t [s] since the step began."""

    offset: Float[Array, ""] = array()
    slope: Float[Array, ""] = array()  # 1/s
    amplitude: Float[Array, ""] = array()
    omega: Float[Array, ""] = array()  # rad s-1
    phase: Float[Array, ""] = array()  # rad

    def __call__(self, t: Number) -> Float[Array, ""]:
        return self.offset + self.slope * t + self.amplitude * jnp.sin(self.omega * t + self.phase)

    def rate(self, t: Number) -> Float[Array, ""]:
        """Change per second."""
        return self.slope + self.amplitude * self.omega * jnp.cos(self.omega * t + self.phase)

    def longest(self) -> Float[Array, ""]:
        """Longest time step that sees the oscillation [s]: an eighth of its period."""
        return jnp.where(self.omega == 0, jnp.inf, 0.25 * jnp.pi / jnp.where(self.omega == 0, 1.0, jnp.abs(self.omega)))

    @property
    def corners(self) -> Float[Array, " point"]:
        """Times at which a time step has to end [s]."""
        return jnp.zeros(0)


class Table(eqx.Module):
    """Straight lines between points in time, constant beyond them; times [s] since the step began, increasing.

    Time steps end at every point, which is a row of the answer. Simulate it with order=3, of which no stage looks
    beyond the end of a time step. A jump is a line as short as one likes.
    """

    times: Float[Array, " point"] = array()
    values: Float[Array, " point"] = array()

    def __check_init__(self):
        if self.times.ndim != 1 or self.times.shape != self.values.shape or self.times.size < 2:
            raise ValueError(f"a table has times and as many values, got {self.times.shape} and {self.values.shape}")
        if not isinstance(self.times, Tracer) and not np.all(np.diff(self.times) > 0):
            raise ValueError("the times of a table must increase")

    def __call__(self, t: Number) -> Float[Array, ""]:
        return jnp.interp(t, self.times, self.values)

    def rate(self, t: Number) -> Float[Array, ""]:
        """Change per second; at a point that of the line that ends there."""
        n = jnp.clip(jnp.searchsorted(self.times, t), 1, self.times.size - 1)
        slope = (self.values[n] - self.values[n - 1]) / (self.times[n] - self.times[n - 1])
        return jnp.where((t < self.times[0]) | (t > self.times[-1]), 0.0, slope)

    def longest(self) -> Float[Array, ""]:
        """No time step is too long: each ends at the next point."""
        return jnp.asarray(jnp.inf)

    @property
    def corners(self) -> Float[Array, " point"]:
        """Times at which a time step has to end [s]."""
        return self.times


AnySignal = Signal | Table


def hold(value: Number) -> Signal:
    """The same value throughout."""
    return Signal(value, 0.0, 0.0, 0.0, 0.0)


def ramp(start: Number, rate: Number) -> Signal:
    """start + rate t."""
    return Signal(start, rate, 0.0, 0.0, 0.0)


def sine(mean: Number, amplitude: Number, frequency: Number, phase: Number = 0.0) -> Signal:
    """mean + amplitude sin(2 pi frequency t + phase); frequency [Hz]."""
    return Signal(mean, 0.0, amplitude, 2 * jnp.pi * jnp.asarray(frequency, float), phase)


class Observed(eqx.Module):
    """What a cutoff may look at."""

    voltage: Float[Array, ""]  # V at the terminals
    current: Float[Array, ""]  # A m-2
    charge: Float[Array, ""]  # C m-2 since the step began
    occupancy: Float[Array, "species extreme"]  # smallest and largest of each species anywhere, 1

    def values(self) -> Float[Array, " observable"]:
        """In the order of a cutoff's weights."""
        plain = [self.voltage, self.current, jnp.abs(self.current), self.charge, jnp.abs(self.charge)]
        return jnp.concatenate([jnp.stack(plain), self.occupancy.ravel()])


PLAIN = ("voltage", "current", "size of the current", "charge", "size of the charge")


class Cutoff(eqx.Module):
    """Ends a step when sign * (quantity - level) reaches zero from below."""

    sign: int = eqx.field(static=True)  # 1: when it rises to the level, -1: when it falls to it
    quantity: str = eqx.field(static=True)  # one of PLAIN, or 'smallest' or 'largest' occupancy
    level: Float[Array, ""] = array()
    species: str | None = eqx.field(static=True, default=None)

    @property
    def name(self) -> str:
        """In words."""
        what = self.quantity if self.species is None else f"{self.quantity} occupancy of {self.species}"
        level = "" if isinstance(self.level, Tracer) else f" {float(self.level):g}"
        return f"{what} {'above' if self.sign > 0 else 'below'}{level}"

    @staticmethod
    def voltage(level: Number, side: str) -> Cutoff:
        """side: 'above' or 'below' [V]."""
        return Cutoff(_sign(side), "voltage", level)

    @staticmethod
    def current(level: Number, side: str, signed: bool = False) -> Cutoff:
        """Its size, or with `signed` the current itself [A m-2]."""
        return Cutoff(_sign(side), "current" if signed else "size of the current", level)

    @staticmethod
    def charge(level: Number, side: str = "above", signed: bool = False) -> Cutoff:
        """Passed since the step began, its size or with `signed` itself [C m-2]."""
        return Cutoff(_sign(side), "charge" if signed else "size of the charge", level)

    @staticmethod
    def occupancy(species: str, level: Number, side: str) -> Cutoff:
        """Smallest occupancy of a species anywhere falls 'below' a level, or its largest rises 'above' one."""
        return Cutoff(_sign(side), "largest" if _sign(side) > 0 else "smallest", level, species)

    def weights(self, species: Sequence[str]) -> Float[np.ndarray, " observable"]:
        """Of the values of `Observed`."""
        names = [(name, None) for name in PLAIN]
        names += [(extreme, one) for one in species for extreme in ("smallest", "largest")]
        if (self.quantity, self.species) not in names:
            raise ValueError(f"no cutoff on the {self.quantity} of {self.species}; the stack has {', '.join(species)}")
        found = np.zeros(len(names))
        found[names.index((self.quantity, self.species))] = self.sign
        return found


def _sign(side: str) -> int:
    if side not in ("above", "below"):
        raise ValueError(f"a cutoff acts 'above' or 'below' its level, not {side!r}")
    return 1 if side == "above" else -1


class Step(eqx.Module):
    """One drive held until a duration has passed or a cutoff is met, whichever is first."""

    terminal: Terminal  # weights; its value is replaced by the signal
    signal: AnySignal
    duration: Float[Array, ""] = array()  # s, infinite if only a cutoff ends the step
    cutoffs: tuple[Cutoff, ...] = ()
    temperature: AnySignal | None = None  # K; None: the stack's own
    save: Float[Array, " time"] | None = None  # s since the step began, increasing

    def __init__(
        self,
        drive: Drive,
        duration: Number | None = None,
        *,
        signal: AnySignal | None = None,
        cutoffs: Sequence[Cutoff] = (),
        temperature: AnySignal | None = None,
        save: Float[Array, " time"] | Float[np.ndarray, " time"] | Sequence[float] | None = None,
    ):
        """drive: its value is held, unless a `signal` replaces it."""
        if duration is None and not cutoffs:
            raise ValueError("a step needs a duration or a cutoff to end it")
        if duration is not None and not isinstance(duration, Tracer) and not np.all(np.asarray(duration) > 0):
            raise ValueError(f"the duration of a step must be positive, got {duration} s")
        self.terminal = drive.terminal()
        self.signal = hold(self.terminal.value) if signal is None else signal
        self.duration = jnp.asarray(jnp.inf if duration is None else duration, float)
        self.cutoffs, self.temperature = tuple(cutoffs), temperature
        self.save = None if save is None else jnp.asarray(save, float)
        if self.save is not None and not isinstance(self.save, Tracer) and not np.all(np.diff(self.save) > 0):
            raise ValueError("the times to save at must increase")


@typing.runtime_checkable
class Driven(typing.Protocol):
    """What a protocol is done to: a stack or a cell."""

    @property
    def species(self) -> tuple[Any, ...]:
        """Whose occupancies a cutoff may look at."""
        ...

    @property
    def temperature(self) -> Any:
        """K."""
        ...


class Protocol(eqx.Module):
    """Steps, one after another."""

    steps: tuple[Step, ...] = eqx.field(converter=tuple)

    def __add__(self, other: Protocol) -> Protocol:
        return Protocol(self.steps + other.steps)

    def __mul__(self, count: int) -> Protocol:
        return Protocol(self.steps * count)


class Task(eqx.Module):
    """One step of a protocol as arrays of a common shape, so that all steps share compiled code."""

    terminal: Terminal
    signal: AnySignal
    temperature: AnySignal
    duration: Float[Array, ""]
    stops: Float[Array, " time"]  # times to save at and corners of the signals, padded with infinity
    weights: Float[Array, "cutoff observable"]
    levels: Float[Array, " cutoff"]

    def drive(self, t: Number) -> Terminal:
        """What is held at a time [s since the step began]."""
        return eqx.tree_at(lambda d: d.value, self.terminal, self.signal(t))

    def at(self, stack: Device, t: Number) -> Device:
        """The stack, or the cell, at the temperature of a time."""
        return eqx.tree_at(lambda s: s.temperature, stack, self.temperature(t))

    def longest(self) -> Float[Array, ""]:
        """Longest time step that sees every oscillation [s]."""
        return jnp.minimum(self.signal.longest(), self.temperature.longest())

    def exceeded(self, seen: Observed) -> Float[Array, " cutoff"]:
        """How far each cutoff is passed, in units of its level; negative before."""
        values = jnp.where(jnp.any(self.weights != 0, axis=0), seen.values(), 0.0)
        scale = jax.lax.stop_gradient(jnp.where(self.levels == 0, 1.0, jnp.abs(self.levels)))
        return (self.weights @ values - self.levels) / scale


def tasks(stack: Driven, protocol: Protocol) -> list[Task]:
    """Every step of a protocol in the same shape."""
    species = [s.name for s in stack.species]
    most = max(len(step.cutoffs) for step in protocol.steps)
    times = max(_wanted(step).shape[0] for step in protocol.steps)
    return [_task(stack, step, species, most, times) for step in protocol.steps]


def alike(stack: Driven, steps: Sequence[Step]) -> Task:
    """Steps that differ in nothing but their numbers, as one task with a first axis.

    Raises ValueError where they differ in what they hold, in their cutoffs or in how many times they save at.
    """
    first, leaves = steps[0], [jax.tree.flatten(step) for step in steps]
    columns = list(zip(*(own for own, _ in leaves), strict=False))
    if any(tree != leaves[0][1] for _, tree in leaves) or any(len({np.shape(a) for a in one}) > 1 for one in columns):
        raise ValueError("steps side by side must hold the same, and be alike in their cutoffs and times to save at")
    many = jax.tree.unflatten(leaves[0][1], [np.stack(column) for column in columns])
    species, count = [s.name for s in stack.species], _wanted(first).shape[0]
    return jax.vmap(lambda step: _task(stack, step, species, len(first.cutoffs), count))(many)


def _wanted(step: Step) -> Float[Array, " time"]:
    """Times at which a time step has to end: those to save at, and corners."""
    signals = [step.signal] if step.temperature is None else [step.signal, step.temperature]
    save = [] if step.save is None else [step.save]
    return jnp.concatenate([*save, *(signal.corners for signal in signals)])


def _stops(step: Step, count: int) -> Float[Array, " time"]:
    """The same in order and each once, padded with infinity."""
    wanted = _wanted(step)
    stops = jnp.full(count, jnp.inf).at[: wanted.shape[0]].set(jnp.where(wanted > 0, wanted, jnp.inf))
    stops = jnp.sort(stops)
    again = jnp.append(jnp.asarray([False]), stops[1:] - stops[:-1] <= SAME * stops[1:])[:count]
    return jnp.sort(jnp.where(again, jnp.inf, stops))


def _task(stack: Driven, step: Step, species: list[str], most: int, times: int) -> Task:
    weights = np.zeros((most, len(PLAIN) + 2 * len(species)))
    levels = [jnp.ones(())] * most
    for n, cutoff in enumerate(step.cutoffs):
        weights[n] = cutoff.weights(species)
        levels[n] = cutoff.sign * cutoff.level
    return Task(
        terminal=step.terminal,
        signal=step.signal,
        temperature=hold(stack.temperature) if step.temperature is None else step.temperature,
        duration=step.duration,
        stops=_stops(step, times),
        weights=jnp.asarray(weights),
        levels=jnp.stack(levels) if levels else jnp.zeros(0),
    )


def check(stack: Stack, protocol: Protocol) -> None:
    """Raise ValueError where a stack or a protocol has no answer in the time domain."""
    if not protocol.steps:
        raise ValueError("a protocol needs at least one step")
    if stack.units:
        raise ValueError("repeated units have no form in the time domain: build every layer of the stack")
    for junction in stack.junctions:
        if isinstance(junction.compact, ConstantPhase):
            raise ValueError(
                f"the constant-phase element of {junction.name} has no form in the time domain; "
                "give that junction a capacitance"
            )


def rest(duration: Number | None = None, **options) -> Step:
    """Open circuit."""
    return Step(Current(0.0), duration, **options)


def constant_current_constant_voltage(
    current: Number, voltage: Number, final_current: Number, longest: Number | None = None
) -> Protocol:
    """A current [A m-2] until the voltage [V] is met, which is then held until the current falls to a size.

    Discharge counts positive: a negative current charges, up to the voltage. longest: of either step [s].
    """
    if isinstance(current, Tracer):
        raise ValueError("charge or discharge is decided by the sign of the current: give it as a number")
    side = "below" if float(current) > 0 else "above"
    return Protocol(
        (
            Step(Current(current), longest, cutoffs=(Cutoff.voltage(voltage, side),)),
            Step(Voltage(voltage), longest, cutoffs=(Cutoff.current(final_current, "below"),)),
        )
    )


def intermittent_titration(
    current: Number, pulse: Number, relaxation: Number, count: int, cutoffs: Sequence[Cutoff] = ()
) -> Protocol:
    """`count` pulses of a current [A m-2] for a time [s], each followed by rest.

    Weppner and Huggins, J. Electrochem. Soc. 124 (1977) 1569.
    """
    return Protocol((Step(Current(current), pulse, cutoffs=cutoffs), rest(relaxation))) * count


def cyclic_sweep(start: Number, first: Number, second: Number, rate: Number, cycles: int = 1) -> Protocol:
    """Triangles of the voltage [V]: start -> first -> second -> start, at a rate [V s-1]."""
    steps = []
    corners = (start, first, second, start)
    for begin, end in itertools.pairwise(corners):
        if not isinstance(begin, Tracer) and not isinstance(end, Tracer) and float(begin) == float(end):
            continue
        begin, end = jnp.asarray(begin, float), jnp.asarray(end, float)
        duration, slope = jnp.abs(end - begin) / rate, jnp.sign(end - begin) * rate
        steps.append(Step(Voltage(begin), duration, signal=ramp(begin, slope)))
    return Protocol(tuple(steps)) * cycles


def pulses(drive: Drive, duration: Number, pause: Number, count: int) -> Protocol:
    """`count` times a drive for a time, then rest [s]."""
    return Protocol((Step(drive, duration), rest(pause))) * count


def current_of_rate(stack: Stack, layer: str, species: str, rate: Number, window: tuple[float, float]) -> Number:
    """Current [A m-2] that passes the charge between two mean occupancies of a carrier in 1/rate hours (C-rate)."""
    one = stack.layer(layer)
    carrier = next(c for c in one.material.carriers if c.species.name == species)
    charge = max(abs(carrier.species.charge), 1) * FARADAY * carrier.sites * one.thickness
    return rate * charge * abs(window[1] - window[0]) / 3600.0
