"""A protocol as the steps of an engine. What it is done to is seen only through `Device`: a stack, or another cell."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ionics.config import profiles
from ionics.config.controls import CM2
from ionics.config.document import Path_
from ionics.config.errors import ConfigError, Problem
from ionics.config.profiles import Lines, ProfileError
from ionics.config.protocol import Leg, legs
from ionics.config.schema import Config
from ionics.quantity import duration, quantity
from ionics.transport.balance import Current, Drive, Load, Power, Voltage
from ionics.transport.protocol import AnySignal, Cutoff, Signal, Step, Table, hold, ramp, sine

IMPASSABLE = "no direct current can pass this stack: no carrier connects the two contacts"
ROWS = 1000  # time steps of one step
FEW = 2  # cutoffs: steps with fewer are given some that are never met
POINTS = 64  # of a table, at least
HOUR = 3600.0  # s
NEVER = 1e30  # C m-2
BEYOND = 1e13  # s, after the longest step
SAME = 1e-6  # of a level: how well an engine meets a cutoff

DRIVES: dict[str, type[Drive]] = {
    "current": Current, "c_rate": Current, "voltage": Voltage, "power": Power, "load": Load,
}  # fmt: skip


@dataclass(frozen=True)
class Device:
    """What a plan must know of what it is done to."""

    temperature: float  # K, before the first step
    conducts: bool = True  # whether a direct current can pass
    one_c: float | None = None  # A m-2, what passes the capacity in an hour; None: no capacity is stated


@dataclass(frozen=True)
class Ending:
    """A cutoff, where it stands in the file and what it says."""

    cutoff: Cutoff
    key: str
    words: str


@dataclass(frozen=True)
class Planned:
    """A leg as an engine takes it."""

    leg: Leg
    step: Step | None  # None: it takes no time
    endings: tuple[Ending, ...] = ()
    frequency: Float[np.ndarray, " frequency"] | None = None  # Hz, of the impedance at its end


def plan(config: Config, device: Device) -> list[Planned]:
    """Every leg of the protocol. Raises ConfigError where the device cannot do what is asked."""
    temperature, found = device.temperature, []
    lines = functools.cache(functools.partial(_lines, config))
    for leg in legs(config.study.protocol):
        frequency = _frequency(config, leg)
        if leg.step.what == "impedance":
            found.append(Planned(leg, None, (), frequency))
            continue
        if not device.conducts:
            _refuse_charging_without_end(config, leg)
        signal, temperature, warming = _temperature(config, leg, temperature)
        endings = tuple(_endings(leg, device))
        followed = lines(leg.step.profile, leg.place("profile")) if leg.step.profile else None
        drive, course, own = _drive(leg, device, followed)
        until = leg.step.until.time if leg.step.until else None
        length = next((t for t in (own, warming, until) if t is not None), None)
        cutoffs = [ending.cutoff for ending in endings]
        step = Step(drive, length, signal=course, cutoffs=cutoffs, temperature=signal, save=_times(config, leg, length))
        found.append(Planned(leg, step, endings, frequency))
    return found


def _frequency(config: Config, leg: Leg):
    """Of the impedance at the end of a leg [Hz]."""
    asked = leg.step.impedance
    if asked is None or (leg.step.sweep is not None and leg.side < len(leg.step.sweep.corners) - 2):
        return None
    return (config.study.impedance if asked is True else asked).frequency


def _temperature(config: Config, leg: Leg, before: float) -> tuple[Signal, float, float | None]:
    """Temperature of a leg, where it ends, and how long the change takes."""
    asked = leg.step.temperature
    if asked is None or leg.side:
        return hold(before), before, None
    if asked.rate is None:
        return hold(asked.to), asked.to, None
    if math.isclose(asked.to, before):
        problem = f"the step has no duration: it begins at {before:g} K"
        valid = "another temperature, or until: {time: 1 h} and no rate"
        raise config.error(leg.place("temperature"), problem, valid)
    rate = math.copysign(asked.rate, asked.to - before)
    return ramp(before, rate), asked.to, (asked.to - before) / rate


def _lines(config: Config, profile, place: Path_) -> Lines:
    """The file of a profile."""
    try:
        return profiles.read(profile, Path(config.document.name).parent, config.area)
    except ProfileError as error:
        raise config.error((*place, error.key), error.problem, error.valid) from None


def _drive(leg: Leg, device: Device, lines: Lines | None) -> tuple[Drive, AnySignal | None, float | None]:
    """What is held, how it changes, and how long that takes."""
    step = leg.step
    if step.rest is not None:
        return Current(0.0), None, step.rest
    if step.sweep is not None:
        (begin, end), speed = leg.ends, step.sweep.speed
        return DRIVES[step.what](begin), ramp(begin, math.copysign(speed, end - begin)), abs(end - begin) / speed
    if step.sine is not None:
        own = step.sine
        return DRIVES[step.what](own.mean), sine(own.mean, own.size, own.frequency), own.periods / own.frequency
    unit = device.one_c if step.what == "c_rate" else 1.0
    if lines is not None:
        return DRIVES[step.what](float(lines.values[0] * unit)), _table(lines, unit), float(lines.times[-1])
    return DRIVES[step.what](step.hold.value * unit), None, None


def _table(lines: Lines, unit: float) -> Table:
    """With points after its end, to a power of two, so that files of other lengths share compiled code."""
    end, count = float(lines.times[-1]), len(lines.times)
    more = np.arange(1, max(POINTS, 2 ** math.ceil(math.log2(count))) - count + 1)
    values = np.append(lines.values, np.full(len(more), lines.values[-1]))
    return Table(np.append(lines.times, end * (1 + more)), unit * values)


def _endings(leg: Leg, device: Device) -> Iterator[Ending]:
    """The cutoffs of a leg."""
    until = leg.step.until
    if until is None:
        return
    if until.voltage is not None:
        side = "below" if leg.step.hold.value > 0 else "above"
        yield Ending(Cutoff.voltage(until.voltage, side), "voltage", f"voltage {until.voltage:g} V")
    if until.voltage_outside is not None:
        for level, side in zip(until.voltage_outside, ("below", "above"), strict=True):
            yield Ending(Cutoff.voltage(level, side), "voltage_outside", f"voltage {side} {level:g} V")
    for key, unit in (("current", 1.0), ("c_rate", device.one_c)):
        if (size := getattr(until, key)) is not None:
            side = "below" if leg.step.hold is not None else "above"
            words = f"current {side} {quantity(size * unit * CM2, 'A/cm²')}"
            yield Ending(Cutoff.current(size * unit, side), key, words)
    for key, unit in (("charge", 1.0), ("soc", (device.one_c or 0.0) * HOUR)):
        if (size := getattr(until, key)) is not None:
            words = f"charge {quantity(size * unit / HOUR * CM2, 'Ah/cm²')}"
            yield Ending(Cutoff.charge(size * unit), key, words)


def _times(config: Config, leg: Leg, length: float | None):
    """Where rows are kept within a leg: multiples of `every`, nowhere but at the points of a profile, or None."""
    every = leg.step.every
    if every is None:
        return np.zeros(0) if leg.step.profile else None
    if length is None or not every < length:
        where = leg.place("every")
        raise config.error(where, "longer than the step", f"a time below {duration(length or 0)}")
    if length / every > ROWS:
        where, least = leg.place("every"), duration(length / ROWS)
        raise config.error(where, f"more than {ROWS} rows in one step", f"{least} or more")
    times = np.arange(1, math.ceil(length / every)) * every
    return times[times < length * (1 - 1e-9)]


def _refuse_charging_without_end(config: Config, leg: Leg) -> None:
    """A current through a device that carries none would raise the voltage for ever."""
    step, until = leg.step, leg.step.until
    ends = until is not None and (until.voltage is not None or until.voltage_outside is not None)
    if ends or step.hold is None or step.what not in ("current", "c_rate", "power") or step.hold.value == 0:
        return
    problem = f"{IMPASSABLE}, so the voltage only grows"
    raise config.error(leg.place("hold", step.what), problem, "add until: {voltage: ...}, or another contact")


# ------------------------------------------------------------------------------------------------- while it is done


def alike(steps: Sequence[Step]) -> list[Step]:
    """The same steps, all with as many cutoffs and times to save at, so that they share compiled code.

    Steps that follow a table are a kind of their own.
    """
    cutoffs = max((len(step.cutoffs) for step in steps), default=0)
    cutoffs = max(FEW, cutoffs)
    saves = [step.save for step in steps if step.save is not None and not isinstance(step.signal, Table)]
    times, found = max(map(len, saves), default=0), []
    for step in steps:
        never = [Cutoff.charge(NEVER)] * (cutoffs - len(step.cutoffs))
        save = step.save
        if save is not None and not isinstance(step.signal, Table):
            save = np.append(save, BEYOND * (1 + np.arange(times - len(save))))
        options = {"signal": step.signal, "temperature": step.temperature, "save": save}
        found.append(Step(step.terminal, step.duration, cutoffs=(*step.cutoffs, *never), **options))
    return found


def ended(one: Planned, event: int, skipped: bool) -> str:
    """What ended a leg, in words; event: which of its cutoffs, -1: its duration."""
    words = one.endings[event].words if event >= 0 else "time"
    return f"skipped: {words} already met" if skipped else words


def may_skip(one: Planned, event: int, before: float) -> bool:
    """Whether a leg may be left undone because a cutoff is met as it begins; before: the voltage until then [V]."""
    skips = "never" if one.leg.part is None else one.leg.part.skips
    if one.leg.turn or skips == "always":
        return True
    cutoff = one.endings[event].cutoff
    beyond = cutoff.sign * (before - float(cutoff.level))
    return skips == "under current" and beyond <= SAME * abs(float(cutoff.level))


def left_out(planned: Sequence[Planned], n: int, event: int) -> set[int]:
    """Legs that are not done any more when leg n ended: the rest of an experiment that its voltage ends.

    A rest that follows at once is still done.
    """
    part = planned[n].leg.part
    if part is None or not part.closes or event < 0 or not planned[n].endings[event].key.startswith("voltage"):
        return set()
    block, found = planned[n].leg.block, set()
    for k in range(n + 1, len(planned)):
        if planned[k].leg.block != block:
            break
        if k > n + 1 or planned[k].leg.step.rest is None:
            found.add(k)
    return found


def already_met(config: Config, one: Planned, event: int, voltage: float, current: float) -> Problem:
    """What to say of a leg that ends before it has begun; voltage [V] and current [A m-2] at that moment."""
    ending = one.endings[event]
    size = quantity(abs(current) * CM2, "A/cm²")
    values = {"voltage": f"the voltage is {voltage:.4g} V", "current": f"the current is {size}"}
    here = values.get({"voltage_outside": "voltage", "c_rate": "current"}.get(ending.key, ending.key), "")
    valid = f"a level that is not, or without this step ({one.leg.name}); discharge counts positive, charge negative"
    place = one.leg.place("until", ending.key)
    return config.document.problem(place, f"already met when the step begins: {here}", valid)


def never_met(config: Config, one: Planned) -> ConfigError:
    """What to say of a leg whose cutoffs are not reached in any time."""
    return config.error(one.leg.place("until"), "never met", "another level, or also a time")


def place_in_words(config: Config, one: Planned) -> str:
    """File, line and key of a leg."""
    path = one.leg.path
    return f"{config.document.where(path)}: {config.document.dotted(path)}"
