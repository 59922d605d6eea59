"""A protocol, followed step by step: the steps of the file become those of the engine, and what was done is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ionics.config.document import Path_
from ionics.config.errors import ConfigError, Problem
from ionics.config.protocol import Leg, legs
from ionics.config.schema import Config
from ionics.quantity import duration, quantity
from ionics.timeline import Act, Course, digest
from ionics.transport import losses, transient
from ionics.transport.balance import Current, Drive, Load, Power, Voltage
from ionics.transport.newton import OK, Solution
from ionics.transport.protocol import Cutoff, Signal, Step, current_of_rate, hold, ramp, sine
from ionics.transport.stack import Stack

CM2 = 1e-4  # m2
NEVER = 1e30  # C m-2
BEYOND = 1e13  # s, after the longest step
IMPASSABLE = "no direct current can pass this stack: no carrier connects the two contacts"
ROWS = 1000  # time steps of one step
PER_PERIOD = 60  # and of one period of a sine
MOMENTS, LEAST, MOST = 160, 2, 15  # profiles kept of a run, and of each step

DRIVES: dict[str, type[Drive]] = {
    "current": Current, "c_rate": Current, "voltage": Voltage, "power": Power, "load": Load,
}  # fmt: skip


@dataclass(frozen=True)
class Ending:
    """A cutoff, where it stands in the file and what it says."""

    cutoff: Cutoff
    key: str
    words: str


@dataclass(frozen=True)
class Planned:
    """A leg as the engine takes it."""

    leg: Leg
    step: Step
    endings: tuple[Ending, ...]


def refuse_impossible(config: Config, stack: Stack) -> None:
    """Raises ConfigError where the stack cannot do what the study asks, before anything is solved."""
    if config.study is None:
        return
    if config.study.protocol:
        plan(config, stack)
    point = config.study.operating_point
    if point != "equilibrium" and point.current and losses.path(stack) is None:
        raise config.error(
            ("study", "operating_point", "current"), IMPASSABLE, "a voltage, 0 A/m^2, or another contact"
        )


def plan(config: Config, stack: Stack) -> list[Planned]:
    """Every leg of the protocol. Raises ConfigError where the stack cannot do what is asked."""
    blocked = losses.path(stack) is None
    temperature, found = float(stack.temperature), []
    for leg in legs(config.study.protocol):
        if blocked:
            _refuse_charging_without_end(config, leg)
        signal, temperature, warming = _temperature(config, leg, temperature)
        endings = tuple(_endings(leg))
        drive, course, own = _drive(config, leg, stack)
        until = leg.step.until.time if leg.step.until else None
        length = next((t for t in (own, warming, until) if t is not None), None)
        save = None if leg.step.every is None else _times(config, leg, length)
        cutoffs = [ending.cutoff for ending in endings]
        step = Step(drive, length, signal=course, cutoffs=cutoffs, temperature=signal, save=save)
        found.append(Planned(leg, step, endings))
    return found


def follow(config: Config, stack: Stack, start: Solution | transient.Instant, tell: Callable[[str], None]) -> Course:
    """Do what the protocol says, as far as it goes. What was done before an interruption or a failure is kept.

    Raises ConfigError or NotConverged where not even the first step can be begun.
    """
    planned = plan(config, stack)
    alike, along = _alike([one.step for one in planned]), losses.path(stack)
    most = _rows(planned)
    moments = min(MOST, max(LEAST, MOMENTS // len(planned)))
    instant, acts = transient.begin(stack, start), []
    counts = np.zeros(3, int)

    def done(result: int = OK, message: str = "") -> Course:
        names = [one.leg.name for one in planned]
        return Course(tuple(acts), instant, len(planned), tuple(names), result, message, tuple(map(int, counts)))

    for n, (one, step) in enumerate(zip(planned, alike, strict=True)):
        try:
            tell(f"step {n + 1} of {len(planned)}: {one.leg.name}")
            run = transient.simulate(stack, step, instant, rtol=config.study.tolerance, steps=most, throw=False)
            skipped = int(run.event[0]) >= 0 and float(run.end.time) == float(instant.time)
            ended = "interrupted" if int(run.result) != OK else _ended(one, int(run.event[0]), skipped)
            act = digest(stack, along, run, one.leg.name, one.leg.key, _kind(one.leg), ended, moments)
        except KeyboardInterrupt:
            if not acts:
                raise
            return done(-1, f"interrupted in step {n + 1} of {len(planned)}")
        if skipped and one.leg.turn == 0:
            problem = _already_met(config, one, act)
            if not acts:
                raise ConfigError(problem)
            return done(-2, str(problem))
        counts += np.array([int(run.steps), int(run.rejected), int(run.corrections)])
        if int(run.result) != OK:
            failure = _failure(config, one, run)
            if len(act.t) > 1:
                acts.append(act)
            if not acts:
                raise failure
            return done(int(run.result), str(failure))
        acts.append(act)
        instant = _settled(stack, run.end)
    return done()


def _settled(stack: Stack, end: transient.Instant) -> transient.Instant:
    """The end of a step with the amounts of its state.

    Those carried along differ by what Newton's method left over; a jump would put that, as charge, on the smallest
    capacitance and show it as a voltage.
    """
    own = transient.begin(stack, end.state)
    return transient.Instant(end.time, own.state, own.stored, end.charge)


def _kind(leg: Leg) -> str:
    return "sweep" if leg.step.sweep else leg.step.what if leg.step.rest is None else "rest"


def _rows(planned: Sequence[Planned]) -> int:
    """Most time steps that one step may need: a whole number of thousands, so that little is compiled anew."""
    periods = max((one.leg.step.sine.periods for one in planned if one.leg.step.sine), default=0.0)
    return ROWS * max(1, math.ceil(PER_PERIOD * periods / ROWS))


def _temperature(config: Config, leg: Leg, before: float) -> tuple[Signal, float, float | None]:
    """Temperature of a leg, where it ends, and how long the change takes."""
    asked = leg.step.temperature
    if asked is None or leg.side:
        return hold(before), before, None
    if asked.rate is None:
        return hold(asked.to), asked.to, None
    if math.isclose(asked.to, before):
        problem = f"the step has no duration: it begins at {before:g} K"
        raise config.error(
            (*leg.path, "temperature"), problem, "another temperature, or until: {time: 1 h} and no rate"
        )
    rate = math.copysign(asked.rate, asked.to - before)
    return ramp(before, rate), asked.to, (asked.to - before) / rate


def _drive(config: Config, leg: Leg, stack: Stack) -> tuple[Drive, Signal | None, float | None]:
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
    if step.what == "c_rate":
        ((layer, carriers),) = config.study.capacity.items()
        ((carrier, window),) = carriers.items()
        return Current(current_of_rate(stack, layer, carrier, step.hold.value, window)), None, None
    return DRIVES[step.what](step.hold.value), None, None


def _endings(leg: Leg):
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
    if until.current is not None:
        side = "below" if leg.step.hold is not None else "above"
        words = f"current {side} {quantity(until.current * CM2, 'A/cm²')}"
        yield Ending(Cutoff.current(until.current, side), "current", words)
    if until.charge is not None:
        yield Ending(
            Cutoff.charge(until.charge), "charge", f"charge {quantity(until.charge / 3.6 * CM2 / 1e3, 'Ah/cm²')}"
        )


def _times(config: Config, leg: Leg, length: float | None):
    """Multiples of `every` within a leg."""
    every = leg.step.every
    if length is None or not every < length:
        where = (*leg.path, "every")
        raise config.error(where, "longer than the step", f"a time below {duration(length or 0)}")
    if length / every > ROWS:
        where, least = (*leg.path, "every"), duration(length / ROWS)
        raise config.error(where, f"more than {ROWS} rows in one step", f"{least} or more")
    times = np.arange(1, math.ceil(length / every)) * every
    return times[times < length * (1 - 1e-9)]


def _alike(steps: Sequence[Step]) -> list[Step]:
    """The same steps, all with as many cutoffs and times to save at, so that they share compiled code."""
    cutoffs = max(len(step.cutoffs) for step in steps)
    times = max((0 if step.save is None else len(step.save)) for step in steps)
    found = []
    for step in steps:
        never = [Cutoff.charge(NEVER)] * (cutoffs - len(step.cutoffs))
        save = step.save
        if save is not None:
            save = np.append(save, BEYOND * (1 + np.arange(times - len(save))))
        options = {"signal": step.signal, "temperature": step.temperature, "save": save}
        found.append(Step(step.terminal, step.duration, cutoffs=(*step.cutoffs, *never), **options))
    return found


def _ended(one: Planned, event: int, skipped: bool) -> str:
    words = one.endings[event].words if event >= 0 else "time"
    return f"skipped: {words} already met" if skipped else words


def _already_met(config: Config, one: Planned, act: Act) -> Problem:
    ending = next(e for e in one.endings if e.words in act.ended)
    values = {
        "voltage": f"the voltage is {act.voltage[0]:.4g} V",
        "voltage_outside": f"the voltage is {act.voltage[0]:.4g} V",
    }
    values["current"] = f"the current is {quantity(abs(act.current[0]) * CM2, 'A/cm²')}"
    here = values.get(ending.key, "")
    problem = f"already met when the step begins: {here}"
    valid = f"a level that is not, or without this step ({one.leg.name})"
    return config.document.problem((*one.leg.path, "until", ending.key), problem, valid)


def _failure(config: Config, one: Planned, run: transient.Trajectory) -> Exception:
    """What to say when a step could not be finished."""
    after = f"{one.leg.name}, {duration(float(run.end.time - run.t[0]))} after it began"
    if int(run.result) == transient.CUTOFF_NOT_REACHED:
        path: Path_ = (*one.leg.path, "until")
        return config.error(path, "never met", "another level, or also a time")
    key, where = config.document.dotted(one.leg.path), config.document.where(one.leg.path)
    return transient.NotConverged(f"{where}: {key}: {run.message()} ({after})")


def _refuse_charging_without_end(config: Config, leg: Leg) -> None:
    """A current through a stack that carries none would raise the voltage for ever."""
    step, until = leg.step, leg.step.until
    ends = until is not None and (until.voltage is not None or until.voltage_outside is not None)
    if ends or step.hold is None or step.what not in ("current", "c_rate", "power") or step.hold.value == 0:
        return
    problem = f"{IMPASSABLE}, so the voltage only grows"
    raise config.error((*leg.path, "hold", step.what), problem, "add until: {voltage: ...}, or another contact")
