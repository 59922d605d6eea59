"""One step of a protocol, as one writes it, and what ends it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from ionics.config.controls import (
    DriveProfile,
    Duration,
    HeatingRate,
    Hold,
    PassedCharge,
    Sine,
    Size,
    Sweep,
)
from ionics.config.impedance import Impedance
from ionics.config.model import Mapping, or_word, wrong
from ionics.config.quantities import PositiveRatio, Temperature, Voltage

KINDS = ("hold", "rest", "sweep", "sine", "profile")
SHORTHANDS = "cccv, rate_test, gitt, pitt, cyclic_voltammetry or hppc"
Measurement = or_word((True,), Impedance)


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
    c_rate: PositiveRatio | None = Field(None, description="The same as a C-rate.", examples=["0.05"])
    charge: PassedCharge | None = Field(None, description="Passed in this step, its size.", examples=["0.1 mAh/cm^2"])
    soc: PositiveRatio | None = Field(None, description="The same as a share of study.capacity.", examples=["10 %"])

    @model_validator(mode="after")
    def _something(self):
        if not self.model_fields_set:
            raise wrong("nothing ends the step", "{time: 1 h}, {voltage: 3 V}, {current: 10 uA/cm^2} or {charge: ...}")
        for key, other in (("voltage", "voltage_outside"), ("c_rate", "current"), ("soc", "charge")):
            if getattr(self, key) is not None and getattr(self, other) is not None:
                raise wrong(f"given together with {other}", "one of the two", key)
        if self.voltage_outside and self.voltage_outside[0] >= self.voltage_outside[1]:
            raise wrong("the first voltage is not below the second", "[lowest, highest]", "voltage_outside")
        return self


class Warming(Mapping):
    """A temperature that changes steadily from where it is; or one value, kept."""

    to: Temperature = Field(examples=["400 K"])
    rate: HeatingRate | None = Field(None, description="Its size.", examples=["5 K/min"])

    @classmethod
    def _prepare(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"to": data}


class Step(Mapping):
    """One thing done: held, swept, oscillating, read from a file, or nothing; an impedance alone takes no time."""

    hold: Hold | None = Field(None, examples=["{current: 0.1 mA/cm^2}"])
    rest: Duration | None = Field(None, description="Open circuit for a time.", examples=["1 h"])
    sweep: Sweep | None = Field(None, examples=["{voltage: [3 V, 4 V, 3 V], rate: 1 mV/s}"])
    sine: Sine | None = Field(None, examples=["{voltage: 3.9 V, amplitude: 10 mV, frequency: 1 Hz, periods: 5}"])
    profile: DriveProfile | None = Field(None, examples=["{file: drive.csv, what: current}"])
    until: Until | None = Field(None, description="What ends it.", examples=["{voltage: 3 V, time: 10 h}"])
    temperature: Warming | None = Field(
        None, description="From here on (default: as before): a value, or {to: 400 K, rate: 5 K/min}, which then says "
        "how long the step is.", examples=["{to: 400 K, rate: 5 K/min}"],
    )  # fmt: skip
    every: Duration | None = Field(None, description="Rows at these times only (default: those the solver needs).")
    impedance: Measurement | None = Field(
        None, description="Measured at the end of the step, or alone where it stands; true: as study.impedance says.",
        examples=["{from: 10 mHz, to: 1 MHz}"],
    )  # fmt: skip
    name: str | None = Field(None, description="In pictures and tables.", min_length=1)

    @model_validator(mode="after")
    def _complete(self):
        done = [key for key in KINDS if getattr(self, key) is not None]
        if not done and self.impedance is not None:
            return self._takes_no_time()
        if len(done) != 1:
            raise wrong("a step does one thing", f"hold, rest, sweep or sine; profile or impedance; {SHORTHANDS}")
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
        if self.every is not None and self.profile is not None:
            raise wrong("the rows of a profile are those of its file", "delete it", "every")
        self._cutoffs_make_sense()
        return self

    def _takes_no_time(self):
        for key in ("until", "temperature", "every"):
            if getattr(self, key) is not None:
                raise wrong("an impedance alone takes no time", f"a step of its own with {key}", key)
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
        falls = until.current is not None or until.c_rate is not None
        if falls and what in ("current", "c_rate", "power"):
            raise wrong(
                f"the {what.replace('c_rate', 'current')} is what the step sets", "time, voltage or charge", "until"
            )

    @property
    def what(self) -> str:
        """What is controlled: current, c_rate, voltage, power or load; or impedance."""
        controls = self.hold or self.sweep or self.sine or self.profile
        if controls is not None:
            return controls.what
        return "current" if self.rest is not None else "impedance"

    @property
    def needs_capacity(self) -> bool:
        """Whether something is said as a C-rate or as a share of the capacity."""
        until = self.until
        return self.what == "c_rate" or (until is not None and (until.c_rate is not None or until.soc is not None))
