"""A protocol done to a stack or a cell, step by step; what was done is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ionics.config import plans
from ionics.config.errors import ConfigError
from ionics.config.plans import IMPASSABLE, ROWS, Device, Planned, alike, plan
from ionics.config.schema import Config
from ionics.quantity import duration
from ionics.timeline import Act, Course, Measured, digest
from ionics.transport import impedance, losses, transient
from ionics.transport.newton import OK
from ionics.transport.protocol import Step, Table, current_of_rate
from ionics.transport.stack import Stack

__all__ = ["Device", "Engine", "Planned", "StackEngine", "follow", "plan", "refuse_impossible", "stack_device"]

PER_PERIOD = 60  # time steps of one period of a sine
PER_POINT = 20  # and between two points of a profile
MOMENTS, LEAST, MOST = 160, 2, 15  # profiles kept of a run, and of each step


def stack_device(config: Config, stack: Stack) -> Device:
    """What a plan must know of a stack."""
    conducts, capacity = losses.path(stack) is not None, config.study.capacity
    if not capacity:
        return Device(float(stack.temperature), conducts)
    ((layer, carriers),) = capacity.items()
    ((carrier, window),) = carriers.items()
    one_c = float(current_of_rate(stack, layer, carrier, 1.0, window))
    return Device(float(stack.temperature), conducts, one_c)


def refuse_impossible(config: Config, stack: Stack) -> None:
    """Raises ConfigError where the stack cannot do what the study asks, before anything is solved."""
    if config.study is None:
        return
    if config.study.protocol:
        plan(config, stack_device(config, stack))
    point = config.study.operating_point
    if point != "equilibrium" and point.current and losses.path(stack) is None:
        raise config.error(
            ("study", "operating_point", "current"), IMPASSABLE, "a voltage, 0 A/m^2, or another contact"
        )


def follow(config: Config, engine: Engine, start: Any, tell: Callable[[str], None]) -> Course:
    """Do what the protocol says, as far as it goes. What was done before an interruption or a failure is kept.

    Raises ConfigError or NotConverged where not even the first step can be begun.
    """
    planned = plan(config, engine.device(config))
    walk, out = Walk(config, engine, planned, start), set()
    most = "at most " if any(one.leg.part is not None and one.leg.part.closes for one in planned) else ""
    for n, one in enumerate(planned):
        if n in out:
            continue
        try:
            tell(f"step {n + 1} of {most}{len(planned)}: {one.leg.name}")
            event = walk.do(n) if one.step is not None else -1
            if event is None:
                break
            out |= plans.left_out(planned, n, event)
            if one.frequency is not None:
                tell(f"step {n + 1} of {most}{len(planned)}: impedance")
                walk.measure(one)
        except KeyboardInterrupt:
            walk.stop(-1, KeyboardInterrupt(f"interrupted in step {n + 1} of {len(planned)}"))
            break
    return walk.course(sum(one.step is not None for k, one in enumerate(planned) if k not in out))


class Engine(Protocol):
    """What a protocol is done to, and what does it. Instants and runs are the engine's own."""

    def device(self, config: Config) -> Device:
        """What a plan must know."""
        ...

    def begin(self, start: Any) -> Any:
        """The instant from which a run starts."""
        ...

    def simulate(self, step: Step, instant: Any, rtol: float, most: int) -> Any:
        """A run of one step, whatever its result."""
        ...

    def untouched(self, run: Any, instant: Any, voltage: float) -> Any:
        """A run of a step that could not be begun: one row of what was there before."""
        ...

    def act(self, run: Any, name: str, key: str, kind: str, ended: str, moments: int) -> Act:
        """What is kept of a run."""
        ...

    def settled(self, end: Any) -> Any:
        """The instant at the end of a run as the beginning of the next."""
        ...

    def terminals(self, instant: Any) -> tuple[float, float]:
        """Voltage [V] and current [A m-2]."""
        ...

    def impedance(self, instant: Any, temperature: float, frequency: Any) -> impedance.Impedance:
        """About an instant."""
        ...


class StackEngine:
    """The resolved stack."""

    def __init__(self, stack: Stack):
        self.stack, self.along = stack, losses.path(stack)

    def device(self, config: Config) -> Device:
        return stack_device(config, self.stack)

    def begin(self, start):
        return transient.begin(self.stack, start)

    def simulate(self, step, instant, rtol, most):
        order = 3 if isinstance(step.signal, Table) else 4  # no stage of order 3 looks beyond the next corner
        return transient.simulate(self.stack, step, instant, rtol=rtol, order=order, steps=most, throw=False)

    def untouched(self, run, instant, voltage):
        state, one = instant.state, jnp.ones(1)
        rows = jax.tree.map(lambda a: a[None], state)
        own = (instant.time * one, rows, voltage * one, 0 * one, instant.charge * one)
        return eqx.tree_at(
            lambda r: (r.t, r.state, r.voltage, r.current, r.charge, r.temperature), run, (*own, run.temperature[:1])
        )

    def act(self, run, name, key, kind, ended, moments):
        return digest(self.stack, self.along, run, name, key, kind, ended, moments)

    def settled(self, end):
        """With the amounts of the state.

        Those carried along differ by what Newton's method left over; a jump would put that, as charge, on the smallest
        capacitance and show it as a voltage.
        """
        own = transient.begin(self.stack, end.state)
        return transient.Instant(end.time, own.state, own.stored, end.charge)

    def terminals(self, instant):
        state = instant.state
        return float(state.voltage - self.stack.series_resistance * state.current), float(state.current)

    def impedance(self, instant, temperature, frequency):
        return impedance.impedance(self.stack.at(temperature), instant.state, jnp.asarray(frequency))


class Walk:
    """Where a protocol stands, and what was done of it."""

    def __init__(self, config: Config, engine: Engine, planned: Sequence[Planned], start: Any):
        self.config, self.engine, self.planned = config, engine, planned
        real = [k for k, one in enumerate(planned) if one.step is not None]
        steps = alike([one.step for one in planned if one.step is not None])
        self.steps: dict[int, Step] = dict(zip(real, steps, strict=True))
        self.most = _most(planned)
        self.moments = min(MOST, max(LEAST, MOMENTS // max(len(real), 1)))
        self.instant = engine.begin(start)
        self.acts: list[Act] = []
        self.measured: list[Measured] = []
        self.counts = np.zeros(3, int)
        self.result, self.message = OK, ""

    def do(self, n: int) -> int | None:
        """One step: which of its cutoffs ended it (-1: its duration), or None where the protocol ends here."""
        one, step, before, rtol = self.planned[n], self.steps[n], self._voltage(), self.config.study.tolerance
        most = ROWS + PER_POINT * step.signal.times.size if isinstance(step.signal, Table) else self.most
        run = self.engine.simulate(step, self.instant, rtol, most)
        event, failed = int(run.event[0]), int(run.result) != OK
        skipped = event >= 0 and float(run.end.time) == float(self.instant.time)
        self.counts += np.array([int(run.steps), int(run.rejected), int(run.corrections)])
        if failed:
            return self._failed(one, run)
        act = self._act(one, run, plans.ended(one, event, skipped))
        if skipped and not plans.may_skip(one, event, before):
            problem = plans.already_met(self.config, one, event, float(act.voltage[0]), float(act.current[0]))
            return self.stop(-2, ConfigError(problem))
        self._go_on(act, run.end)
        return event

    def measure(self, one: Planned) -> None:
        """The impedance about the state that is reached."""
        last = self.acts[-1] if self.acts else None
        temperature = float(last.temperature[-1]) if last else self.engine.device(self.config).temperature
        found = self.engine.impedance(self.instant, temperature, one.frequency)
        self.measured.append(
            Measured(
                name=one.leg.name,
                step=len(self.acts) - 1,
                time=float(self.instant.time),
                charge=float(self.instant.charge),
                voltage=self._voltage(),
                current=float(last.current[-1]) if last else self.engine.terminals(self.instant)[1],
                temperature=temperature,
                impedance=found,
            )
        )

    def stop(self, result: int, problem: BaseException) -> None:
        """End the protocol here. Raises the problem where nothing was done."""
        if not self.acts:
            raise problem
        self.result, self.message = result, str(problem)

    def course(self, planned: int) -> Course:
        """What was done; planned: steps that would have been."""
        names = tuple(one.leg.name for one in self.planned)
        counts = (int(self.counts[0]), int(self.counts[1]), int(self.counts[2]))
        done = (tuple(self.acts), self.instant, planned, names, self.result, self.message, counts)
        return Course(*done, tuple(self.measured))

    def _voltage(self) -> float:
        """At the terminals, before the next step [V]."""
        return float(self.acts[-1].voltage[-1]) if self.acts else self.engine.terminals(self.instant)[0]

    def _act(self, one: Planned, run: Any, ended: str) -> Act:
        return self.engine.act(run, one.leg.name, one.leg.key, _kind(one), ended, self.moments)

    def _go_on(self, act: Act, end: Any) -> None:
        """From the end of a step."""
        self.acts.append(act)
        self.instant = self.engine.settled(end)

    def _failed(self, one: Planned, run: Any) -> int | None:
        """A step that cannot be finished ends the protocol, unless it is one that may fail."""
        if one.leg.part is not None and one.leg.part.tolerant:
            began = float(run.end.time) > float(self.instant.time)
            words = f"{'given up' if began else 'skipped'}: {run.message()}"
            end = run.end if began else self.instant
            kept = run if began else self.engine.untouched(run, self.instant, self._voltage())
            self._go_on(self._act(one, kept, words), end)
            return -1
        failure = self._failure(one, run)
        act = self._act(one, run, "interrupted")
        if len(act.t) > 1:
            self.acts.append(act)
        return self.stop(int(run.result), failure)

    def _failure(self, one: Planned, run: Any) -> Exception:
        """What to say when a step could not be finished."""
        if int(run.result) == transient.CUTOFF_NOT_REACHED:
            return plans.never_met(self.config, one)
        after = f"{one.leg.name}, {duration(float(run.end.time - run.t[0]))} after it began"
        return transient.NotConverged(f"{plans.place_in_words(self.config, one)}: {run.message()} ({after})")


def _kind(one: Planned) -> str:
    step = one.leg.step
    if step.profile is not None:
        return "profile"
    return "sweep" if step.sweep else step.what if step.rest is None else "rest"


def _most(planned: Sequence[Planned]) -> int:
    """Most time steps that one step may need: a whole number of thousands, so that little is compiled anew."""
    periods = max((one.leg.step.sine.periods for one in planned if one.leg.step.sine), default=0.0)
    return ROWS * max(1, math.ceil(PER_PERIOD * periods / ROWS))
