"""Pulses of discharge and charge at one state after another: hybrid pulse power characterisation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from ionics.config.controls import Duration, PassedCharge
from ionics.config.model import Mapping, wrong
from ionics.config.parts import LEVELS, MOST, ROUNDING, Flow, Part, Skips, Steps, held, resting
from ionics.config.quantities import PositiveRatio, Voltage
from ionics.config.steps import Measurement


class Interval(Mapping):
    """How much charge passes from one state to the next."""

    charge: PassedCharge | None = Field(None, examples=["0.1 mAh/cm^2"])
    soc: PositiveRatio | None = Field(None, description="The same as a share of study.capacity.", examples=["10 %"])

    @model_validator(mode="after")
    def _one(self):
        if (self.charge is None) == (self.soc is None):
            raise wrong("one step is needed", "{soc: 10 %}, or {charge: 0.1 mAh/cm^2}")
        return self


class Window(Mapping):
    """Voltages that end it."""

    voltage: Voltage | None = Field(None, description="Lowest.", examples=["3 V"])
    voltage_outside: tuple[Voltage, Voltage] | None = Field(
        None, description="Lowest, and where pulses of charge stop.", examples=["[2.5 V, 4.3 V]"]
    )

    @model_validator(mode="after")
    def _one(self):
        if (self.voltage is None) == (self.voltage_outside is None):
            raise wrong("one end is needed", "{voltage: 3 V}, or {voltage_outside: [2.5 V, 4.3 V]}")
        if self.voltage_outside and self.voltage_outside[0] >= self.voltage_outside[1]:
            raise wrong("the first voltage is not below the second", "[lowest, highest]", "voltage_outside")
        return self

    @property
    def lowest(self) -> float | None:
        """V."""
        return self.voltage_outside[0] if self.voltage_outside else self.voltage

    @property
    def highest(self) -> float | None:
        """V."""
        return self.voltage_outside[1] if self.voltage_outside else None


class PulsePower(Mapping):
    """Pulses of discharge and charge at states of charge that fall (hybrid pulse power characterisation)."""

    discharge: Flow = Field(description="Its pulse.", examples=["{c_rate: 1}"])
    charge: Flow | None = Field(None, description="Its pulse, negative.", examples=["{c_rate: -0.75}"])
    pulse: Duration = Field(description="How long each flows.", examples=["10 s"])
    rest: Duration = Field(description="After each pulse.", examples=["40 s"])
    every: Interval = Field(description="What is discharged between two states.", examples=["{soc: 10 %}"])
    between: Flow | None = Field(None, description="How fast (default: as the pulse).", examples=["{c_rate: 0.33}"])
    relax: Duration = Field(description="Rest after that.", examples=["1 h"])
    until: Window | None = Field(None, description="Ends the test.", examples=["{voltage: 3 V}"])
    count: int | None = Field(
        None, description=f"States, at most (default: as many as soc allows, or {MOST}).",
        examples=["9"], ge=1, le=LEVELS,
    )  # fmt: skip
    impedance: Measurement | None = Field(None, description="Measured after each relaxation.", examples=["true"])

    @model_validator(mode="after")
    def _complete(self):
        for key in ("discharge", "between"):
            flow = getattr(self, key)
            if flow is not None and flow.value < 0:
                raise wrong("discharge counts positive", f"{flow.what}: a positive number", key)
        if self.charge is not None and self.charge.value > 0:
            raise wrong("discharge counts positive", f"{self.charge.what}: a negative number", "charge")
        if self.until is None and self.count is None and self.every.soc is None:
            raise wrong(
                "required key missing: nothing ends the test", "write until: {voltage: 3 V}, or count: 9", "until"
            )
        return self

    @property
    def states(self) -> int:
        """At most."""
        return self.count or (math.ceil(1 / self.every.soc - ROUNDING) if self.every.soc else MOST)

    def parts(self) -> Iterator[Part]:
        """At each state the pulses, then on to the next."""
        lowest = self.until.lowest if self.until else None
        highest = self.until.highest if self.until else None
        between, where = (self.between, "between") if self.between else (self.discharge, "discharge")
        for k in range(self.states):
            skips: Skips = "always" if k else "never"
            yield self._pulse("discharge", self.discharge, lowest, skips, closes=True)
            yield self._rest("rest")
            if self.charge is not None:
                yield self._pulse("charge", self.charge, highest, skips)
                yield self._rest("rest")
            onward = held(between.hold, charge=self.every.charge, soc=self.every.soc, voltage=lowest)
            yield self._placed(Part(onward, between.keys, skips, closes=True), where, ("every",))
            yield self._rest("relax", self.impedance)

    def _pulse(self, key: str, flow: Flow, limit: float | None, skips: Skips, closes: bool = False) -> Part:
        step = held(flow.hold, time=self.pulse, voltage=limit)
        return self._placed(Part(step, flow.keys, skips, closes=closes, name="pulse"), key, ("pulse",))

    def _placed(self, part: Part, key: str, end: Steps) -> Part:
        """With the keys of what ends it, which stand beside those of the flow."""
        part = part.inside(key)
        reached: dict[Steps, Steps] = {("until", "voltage"): ("until",), ("until",): end}
        return dataclasses.replace(part, keys=part.keys | reached)

    def _rest(self, key: Literal["rest", "relax"], measurement: Measurement | None = None) -> Part:
        keys: dict[Steps, Steps] = {("rest",): (key,), ("impedance",): ("impedance",)}
        return Part(resting(getattr(self, key), measurement), keys)
