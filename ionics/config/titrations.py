"""Experiments that go through the states of a cell step by step: titrations and cyclic voltammetry."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from pydantic import Field, model_validator

from ionics.config.controls import VOLTAGE_RATE, Duration, Hold, Sweep, of
from ionics.config.model import Mapping, wrong
from ionics.config.parts import LEVELS, MOST, ROUNDING, Flow, Part, Steps, Taper, held, resting
from ionics.config.quantities import Voltage, Written
from ionics.config.steps import Measurement, Step


class Reached(Mapping):
    """The voltage that ends it."""

    voltage: Voltage = Field(examples=["3 V"])


class GalvanostaticTitration(Flow):
    """Pulses of a current, each followed by rest."""

    pulse: Duration = Field(description="How long the current flows.", examples=["30 min"])
    rest: Duration = Field(description="After each pulse.", examples=["2 h"])
    count: int | None = Field(
        None, description=f"Pulses, at most (default {MOST} with until).", examples=["20"], ge=1, le=LEVELS
    )
    until: Reached | None = Field(
        None, description="Ends the last pulse; its rest follows.", examples=["{voltage: 3 V}"]
    )
    impedance: Measurement | None = Field(None, description="Measured after each rest.", examples=["true"])

    @model_validator(mode="after")
    def _ends(self):
        if self.count is None and self.until is None:
            raise wrong(
                "required key missing: nothing ends the pulses", "write count: 20, or until: {voltage: 3 V}", "count"
            )
        return self

    def parts(self) -> Iterator[Part]:
        """Pulse, rest, pulse, ..."""
        reached = self.until.voltage if self.until else None
        for k in range(self.count or MOST):
            keys = self.keys | {("until", "time"): ("pulse",), ("until",): ("until",)}
            pulse = held(self.hold, time=self.pulse, voltage=reached)
            yield Part(pulse, keys, "always" if k else "never", closes=True)
            yield Part(resting(self.rest, self.impedance), {("rest",): ("rest",), ("impedance",): ("impedance",)})


class PotentiostaticTitration(Mapping):
    """Voltages held one after another."""

    from_: Voltage = Field(alias="from", description="The first.", examples=["4.1 V"])
    to: Voltage = Field(description="The last.", examples=["3.5 V"])
    step: Voltage = Field(description="From one to the next, its size.", examples=["50 mV"])
    until: Taper = Field(description="What ends each.", examples=["{current: 0.1 uA/cm^2, time: 2 h}"])
    impedance: Measurement | None = Field(None, description="Measured at the end of each.", examples=["true"])

    @model_validator(mode="after")
    def _goes_somewhere(self):
        if self.step <= 0:
            raise wrong("must be positive", "a voltage that is, e.g. 50 mV", "step")
        if self.from_ == self.to:
            raise wrong("the same as `from`", "another voltage", "to")
        if abs(self.to - self.from_) / self.step > LEVELS:
            raise wrong(f"more than {LEVELS} voltages", "a larger step", "step")
        return self

    @property
    def levels(self) -> list[float]:
        """Every voltage [V]; the last step may be shorter."""
        count = math.ceil(abs(self.to - self.from_) / self.step - ROUNDING)
        stride = math.copysign(self.step, self.to - self.from_)
        return [*(self.from_ + k * stride for k in range(count)), self.to]

    def parts(self) -> Iterator[Part]:
        """One voltage after another."""
        for k, level in enumerate(self.levels):
            where = "from" if k == 0 else "to" if level == self.to else "step"
            step = held(Hold.model_construct(voltage=level), **self.until.ends)
            keys: dict[Steps, Steps] = {("hold", "voltage"): (where,), ("until",): ("until",)}
            keys |= {("impedance",): ("impedance",)}
            yield Part(step.model_copy(update={"impedance": self.impedance}), keys, "always")


class CyclicVoltammetry(Mapping):
    """A voltage that runs round and round."""

    voltage: list[Voltage] = Field(
        description="Corners, the first also the end of a cycle.", min_length=2, examples=["[3 V, 4.2 V]"]
    )
    rate: Written = Field(description="Its size.", examples=["1 mV/s"])
    cycles: int = Field(1, description="How many.", examples=["3"], ge=1, le=LEVELS)

    @model_validator(mode="after")
    def _moves(self):
        if any(one == other for one, other in pairwise(self.corners)):
            raise wrong("two corners in a row are the same", "corners that differ", "voltage")
        if of(self.rate, VOLTAGE_RATE, "rate") <= 0:
            raise wrong("must be positive", f"write {VOLTAGE_RATE.name}, e.g. {VOLTAGE_RATE.example}", "rate")
        return self

    @property
    def corners(self) -> list[float]:
        """Of one cycle [V]."""
        return [*self.voltage, self.voltage[0]]

    def parts(self) -> Iterator[Part]:
        """Each cycle is a sweep."""
        sweep = Sweep.model_construct(voltage=self.corners, rate=self.rate)
        for _ in range(self.cycles):
            yield Part(
                Step.model_construct(sweep=sweep), {("sweep", "voltage"): ("voltage",), ("sweep", "rate"): ("rate",)}
            )
