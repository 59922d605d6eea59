"""What is done to the stack in time: the steps of `study: protocol`, as one writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    AreaResistance,
    CurrentDensity,
    Frequency,
    PositiveRatio,
    Quantity,
    Ratio,
    Temperature,
    Voltage,
    Written,
)
from ionics.config.units import CURRENT_DENSITY, VOLTAGE, Dimension, UnitError
from ionics.quantity import quantity

Steps = tuple[str | int, ...]

TIME = Dimension("a time", "s", "1 h")
POWER_DENSITY = Dimension("a power density", "W/m^2", "1 mW/cm^2")
VOLTAGE_RATE = Dimension("a rate of voltage", "V/s", "1 mV/s")
CURRENT_RATE = Dimension("a rate of current density", "A/m^2/s", "1 uA/cm^2/s")
HEATING_RATE = Dimension("a rate of temperature", "K/s", "5 K/min")
CHARGE = Dimension("a charge per area", "C/m^2", "0.1 mAh/cm^2")
SIZE = Dimension("the size of a current density", "A/m^2", "10 uA/cm^2")

Duration = Annotated[float, Quantity(TIME, above=0)]
Power = Annotated[float, Quantity(POWER_DENSITY)]
HeatingRate = Annotated[float, Quantity(HEATING_RATE, above=0)]
PassedCharge = Annotated[float, Quantity(CHARGE, above=0)]
Size = Annotated[float, Quantity(SIZE, above=0)]

ROWS = 5000  # most that `every` may ask of one step
CM2 = 1e-4  # m2


class Hold(Mapping):
    """One thing at the terminals, kept as it is. Discharge counts positive: charging is a negative current."""

    current: CurrentDensity | None = Field(None, examples=["0.1 mA/cm^2"])
    c_rate: Ratio | None = Field(None, description="Needs study.capacity; negative: charge.", examples=["0.5"])
    voltage: Voltage | None = Field(None, examples=["4.2 V"])
    power: Power | None = Field(None, description="Positive: delivered by the cell.", examples=["1 mW/cm^2"])
    load: AreaResistance | None = Field(None, description="Between the terminals.", examples=["1 kohm cm^2"])

    @model_validator(mode="after")
    def _one(self):
        if len(self.model_fields_set) != 1:
            raise wrong("one thing is held", "{current: 0.1 mA/cm^2}, {c_rate: 1}, {voltage: 4.2 V}, {power: ...}")
        if self.c_rate == 0:
            raise wrong("nothing flows at a rate of zero", "rest: 1 h", "c_rate")
        return self

    @property
    def what(self) -> str:
        """The key that is written."""
        return next(iter(self.model_fields_set))

    @property
    def value(self) -> float:
        """Its value, SI."""
        return getattr(self, self.what)

    @property
    def name(self) -> str:
        """In words."""
        way = "discharge" if self.value > 0 else "charge"
        if self.what == "current":
            return f"{way} at {quantity(abs(self.value) * CM2, 'A/cm²')}" if self.value else "open circuit"
        if self.what == "c_rate":
            return f"{way} at {abs(self.value):g}C"
        if self.what == "power":
            return f"{way} with {quantity(abs(self.value) * CM2, 'W/cm²')}"
        if self.what == "load":
            return f"load of {quantity(self.value / CM2, 'Ω cm²')}"
        return f"hold {self.value:g} V"


class Until(Mapping):
    """What ends a step, whichever comes first."""

    time: Duration | None = Field(None, description="Since the step began.", examples=["10 h"])
    voltage: Voltage | None = Field(None, description="Reached from the side the step starts on.", examples=["3 V"])
    voltage_outside: tuple[Voltage, Voltage] | None = Field(
        None, description="Below the first or above the second.", examples=["[2.5 V, 4.3 V]"]
    )
    current: Size | None = Field(
        None, description="Its size: falls to it under a held voltage or a load, rises to it in a sweep.",
        examples=["10 uA/cm^2"],
    )  # fmt: skip
    charge: PassedCharge | None = Field(None, description="Passed in this step, its size.", examples=["0.1 mAh/cm^2"])

    @model_validator(mode="after")
    def _something(self):
        if not self.model_fields_set:
            raise wrong("nothing ends the step", "{time: 1 h}, {voltage: 3 V}, {current: 10 uA/cm^2} or {charge: ...}")
        if self.voltage is not None and self.voltage_outside is not None:
            raise wrong("given together with voltage_outside", "one of the two", "voltage")
        if self.voltage_outside and self.voltage_outside[0] >= self.voltage_outside[1]:
            raise wrong("the first voltage is not below the second", "[lowest, highest]", "voltage_outside")
        return self


class Sweep(Mapping):
    """A voltage, or a current, that runs from corner to corner at one speed: a ramp, a triangle, cyclic voltammetry."""

    voltage: list[Voltage] | None = Field(None, min_length=2, examples=["[3 V, 4 V, 3 V]"])
    current: list[CurrentDensity] | None = Field(None, min_length=2, examples=["[0 A/m^2, 1 A/m^2]"])
    rate: Written = Field(description="Its size.", examples=["1 mV/s"])

    @model_validator(mode="after")
    def _one(self):
        if (self.voltage is None) == (self.current is None):
            raise wrong("one thing is swept", "voltage: [3 V, 4 V] or current: [0 A/m^2, 1 A/m^2]")
        for one, other in pairwise(self.corners):
            if one == other:
                raise wrong("two corners in a row are the same", "corners that differ", self.what)
        if self.speed <= 0:
            raise wrong("must be positive", f"write {self._dimension.name}, e.g. {self._dimension.example}", "rate")
        return self

    @property
    def what(self) -> str:
        """The key that is written."""
        return "current" if self.voltage is None else "voltage"

    @property
    def corners(self) -> list[float]:
        """SI."""
        return (self.current if self.voltage is None else self.voltage) or []

    @property
    def _dimension(self) -> Dimension:
        return CURRENT_RATE if self.voltage is None else VOLTAGE_RATE

    @property
    def speed(self) -> float:
        """SI, per second."""
        return _of(self.rate, self._dimension, "rate")


class Sine(Mapping):
    """A mean voltage or current with a sine on it."""

    voltage: Voltage | None = Field(None, description="The mean.", examples=["3.9 V"])
    current: CurrentDensity | None = Field(None, description="The mean.", examples=["0 A/m^2"])
    amplitude: Written = Field(description="Of the sine.", examples=["10 mV"])
    frequency: Frequency = Field(examples=["1 Hz"])
    periods: PositiveRatio = Field(description="How long.", examples=["5"])

    @model_validator(mode="after")
    def _one(self):
        if (self.voltage is None) == (self.current is None):
            raise wrong("one thing oscillates", "voltage: 3.9 V or current: 0 A/m^2, its mean")
        if self.size <= 0:
            raise wrong("must be positive", "e.g. 10 mV", "amplitude")
        return self

    @property
    def what(self) -> str:
        """The key that is written."""
        return "current" if self.voltage is None else "voltage"

    @property
    def mean(self) -> float:
        """SI."""
        return float(getattr(self, self.what))

    @property
    def size(self) -> float:
        """The amplitude, SI."""
        return _of(self.amplitude, CURRENT_DENSITY if self.voltage is None else VOLTAGE, "amplitude")


class Warming(Mapping):
    """A temperature that changes steadily from where it is; or one value, kept."""

    to: Temperature = Field(examples=["400 K"])
    rate: HeatingRate | None = Field(None, description="Its size.", examples=["5 K/min"])

    @classmethod
    def _prepare(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"to": data}


class Step(Mapping):
    """One thing done: held, swept, oscillating, or nothing (rest)."""

    hold: Hold | None = Field(None, examples=["{current: 0.1 mA/cm^2}"])
    rest: Duration | None = Field(None, description="Open circuit for a time.", examples=["1 h"])
    sweep: Sweep | None = Field(None, examples=["{voltage: [3 V, 4 V, 3 V], rate: 1 mV/s}"])
    sine: Sine | None = Field(None, examples=["{voltage: 3.9 V, amplitude: 10 mV, frequency: 1 Hz, periods: 5}"])
    until: Until | None = Field(None, description="What ends it.", examples=["{voltage: 3 V, time: 10 h}"])
    temperature: Warming | None = Field(
        None, description="From here on (default: as before): a value, or {to: 400 K, rate: 5 K/min}, which then says "
        "how long the step is.", examples=["{to: 400 K, rate: 5 K/min}"],
    )  # fmt: skip
    every: Duration | None = Field(None, description="Rows at these times only (default: those the solver needs).")
    name: str | None = Field(None, description="In pictures and tables.", min_length=1)

    @model_validator(mode="after")
    def _complete(self):
        done = [key for key in ("hold", "rest", "sweep", "sine") if getattr(self, key) is not None]
        if len(done) != 1:
            raise wrong("a step does one thing", "hold, rest, sweep or sine")
        own = [f"{done[0]} says how long"] if done[0] != "hold" else []
        if self.temperature is not None and self.temperature.rate is not None:
            own.append("the change of temperature says how long")
        timed = self.until is not None and self.until.time is not None
        if own and timed:
            raise wrong(f"{own[0]}", "until without time", "until")
        if len(own) > 1:
            raise wrong(f"{own[0]}, and {own[1]}", "one of the two", "temperature")
        if self.rest is not None and self.until is not None:
            raise wrong("rest says how long", "hold: {current: 0 A/m^2} with until", "until")
        if not own and self.until is None:
            raise wrong("required key missing: nothing ends the step", "write e.g. until: {time: 1 h}", "until")
        if self.every is not None and not own and not timed:
            raise wrong("how long the step may last is not said", "until: {time: 1 h, ...}", "every")
        self._cutoffs_make_sense()
        return self

    def _cutoffs_make_sense(self):
        until, what = self.until, self.what
        if until is None:
            return
        if until.voltage is not None:
            if what == "voltage":
                raise wrong("the voltage is what the step sets", "time, current or charge", "until")
            if self.hold is None or (what in ("current", "power") and self.hold.value == 0):
                raise wrong("from which side is not clear", "voltage_outside: [lowest, highest]", "until")
        if until.voltage_outside is not None and what == "voltage":
            raise wrong("the voltage is what the step sets", "time, current or charge", "until")
        if until.current is not None and what in ("current", "c_rate", "power"):
            raise wrong(
                f"the {what.replace('c_rate', 'current')} is what the step sets", "time, voltage or charge", "until"
            )

    @property
    def what(self) -> str:
        """What is controlled: current, c_rate, voltage, power or load."""
        return "current" if self.rest is not None else (self.hold or self.sweep or self.sine).what


class Repeat(Mapping):
    """Steps done several times in a row."""

    repeat: int = Field(description="How many times.", examples=["10"], ge=1, le=10_000)
    steps: list[StepOrRepeat] = Field(description="What is repeated.", min_length=1)


def _kind(data: Any) -> str:
    return "several steps" if isinstance(data, dict) and ("repeat" in data or "steps" in data) else "one step"


StepOrRepeat = Annotated[
    Annotated[Step, Tag("one step")] | Annotated[Repeat, Tag("several steps")], Discriminator(_kind)
]
Repeat.model_rebuild()


@dataclass(frozen=True)
class Leg:
    """One thing done without a corner: a step, or one side of the triangle of a sweep."""

    path: Steps  # of the step in the file
    step: Step
    turn: int  # how often these lines were done before
    side: int = 0  # of a sweep

    @property
    def name(self) -> str:
        """In words."""
        step = self.step
        if step.name:
            return step.name
        if step.rest is not None:
            return "rest"
        if step.hold is not None:
            return step.hold.name
        if step.sine is not None:
            return f"sine of {quantity(step.sine.frequency, 'Hz')}"
        begin, end = (_short(step.what, corner) for corner in self.ends)
        return f"sweep {begin} → {end}"

    @property
    def key(self) -> str:
        """Where it stands: study.protocol[2].steps[0]."""
        words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path]
        return "".join(words).removeprefix(".")

    @property
    def ends(self) -> tuple[float, float]:
        """Where a sweep begins and ends, SI."""
        return self.step.sweep.corners[self.side], self.step.sweep.corners[self.side + 1]


def legs(protocol: list[Step | Repeat], path: Steps = ("study", "protocol"), turn: int = 0) -> Iterator[Leg]:
    """Everything in the order in which it is done."""
    for i, entry in enumerate(protocol):
        if isinstance(entry, Repeat):
            for n in range(entry.repeat):
                yield from legs(entry.steps, (*path, i, "steps"), turn * entry.repeat + n)
        else:
            sides = len(entry.sweep.corners) - 1 if entry.sweep else 1
            yield from (Leg((*path, i), entry, turn, side) for side in range(sides))


def _short(what: str, value: float) -> str:
    return f"{value:g} V" if what == "voltage" else quantity(value * CM2, "A/cm²")


def _of(written: Written, dimension: Dimension, key: str) -> float:
    try:
        return written.of(dimension)
    except UnitError as error:
        raise wrong(error.problem, error.valid, key) from None
