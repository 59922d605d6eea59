"""Experiments of a battery laboratory in one line each: charging, rate tests, titrations, voltammetry, pulses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from ionics.config.controls import Duration, Hold
from ionics.config.model import Mapping, wrong
from ionics.config.parts import Flow, Part, Steps, Taper, held, resting
from ionics.config.pulse_power import PulsePower
from ionics.config.quantities import CurrentDensity, Ratio, Temperature, Voltage
from ionics.config.steps import Warming
from ionics.config.titrations import CyclicVoltammetry, GalvanostaticTitration, PotentiostaticTitration


class ConstantCurrentConstantVoltage(Flow):
    """A current until a voltage, which is then held."""

    voltage: Voltage = Field(description="Until which the current flows, and then held.", examples=["4.2 V"])
    until: Taper = Field(description="What ends the held voltage.", examples=["{c_rate: 0.05}"])

    def parts(self) -> Iterator[Part]:
        """The current, which a full cell does not need, and the voltage."""
        reached = {("until",): ("voltage",), ("until", "voltage"): ("voltage",)}
        yield Part(held(self.hold, voltage=self.voltage), self.keys | reached, "under current")
        voltage = Hold.model_construct(voltage=self.voltage)
        keys: dict[Steps, Steps] = {("hold", "voltage"): ("voltage",), ("until",): ("until",)}
        yield Part(held(voltage, **self.until.ends), keys, "always")


class RateTest(Mapping):
    """Discharges to one voltage at several rates, each from the same charge."""

    rates: list[Ratio] | None = Field(None, description="C-rates; need study.capacity.", examples=["[0.1, 1, 5]"])
    currents: list[CurrentDensity] | None = Field(None, examples=["[0.1 mA/cm^2, 1 mA/cm^2]"])
    cutoff: Voltage = Field(description="That ends each discharge.", examples=["3 V"])
    charge: ConstantCurrentConstantVoltage | None = Field(
        None, description="Between two discharges.",
        examples=["{c_rate: -0.5, voltage: 4.2 V, until: {c_rate: 0.05}}"],
    )  # fmt: skip
    rest: Duration | None = Field(None, description="After each discharge and each charge.", examples=["10 min"])

    @model_validator(mode="after")
    def _complete(self):
        if (self.rates is None) == (self.currents is None):
            raise wrong("one list of rates is needed", "rates: [0.1, 1, 5], or currents: [0.1 mA/cm^2, ...]")
        if not self.flows or min(self.flows) <= 0:
            raise wrong("these are discharges", "numbers that are positive, at least one", self.what)
        if self.charge is None and len(self.flows) > 1:
            raise wrong("required key missing: between two discharges", "write charge: {c_rate: -0.5, ...}", "charge")
        if self.charge is not None and self.charge.value > 0:
            raise wrong("discharge counts positive", f"{self.charge.what}: a negative number", "charge")
        if self.charge is not None and self.charge.voltage <= self.cutoff:
            raise wrong("not below the voltage of the charge", "a lower voltage", "cutoff")
        return self

    @property
    def what(self) -> Literal["rates", "currents"]:
        """The key that is written."""
        return "currents" if self.rates is None else "rates"

    @property
    def flows(self) -> list[float]:
        """Of the discharges: C-rates, or A m-2."""
        return getattr(self, self.what)

    def parts(self) -> Iterator[Part]:
        """Discharge, rest, charge, rest, ..., discharge. A rate that the cell cannot do has no capacity."""
        key = "c_rate" if self.what == "rates" else "current"
        rest = [Part(resting(self.rest), {("rest",): ("rest",)})] if self.rest else []
        charge = [part.inside("charge", skips="always") for part in self.charge.parts()] if self.charge else []
        for k, flow in enumerate(self.flows):
            keys: dict[Steps, Steps] = {
                ("hold", key): (self.what, k),
                ("until",): ("cutoff",),
                ("until", "voltage"): ("cutoff",),
            }
            if k:
                yield from [*rest, *charge, *rest]
            yield Part(held(Hold.model_construct(**{key: flow}), voltage=self.cutoff), keys, "always", tolerant=True)


class Experiment(Mapping):
    """Steps that are usual in a laboratory, in one line."""

    cccv: ConstantCurrentConstantVoltage | None = Field(
        None, description="A current to a voltage, which is then held.",
        examples=["{c_rate: -0.5, voltage: 4.2 V, until: {c_rate: 0.05}}"],
    )  # fmt: skip
    rate_test: RateTest | None = Field(
        None, description="Discharges at several rates.",
        examples=["{rates: [0.1, 1, 5], cutoff: 3 V, charge: {c_rate: -0.5, voltage: 4.2 V, until: {c_rate: 0.05}}}"],
    )  # fmt: skip
    gitt: GalvanostaticTitration | None = Field(
        None,
        description="Pulses and rests.",
        examples=["{c_rate: 0.1, pulse: 30 min, rest: 2 h, until: {voltage: 3 V}}"],
    )
    pitt: PotentiostaticTitration | None = Field(
        None, description="Voltages held one after another.",
        examples=["{from: 4.1 V, to: 3.5 V, step: 50 mV, until: {time: 2 h}}"],
    )  # fmt: skip
    cyclic_voltammetry: CyclicVoltammetry | None = Field(
        None, description="A voltage that runs round.", examples=["{voltage: [3 V, 4.2 V], rate: 1 mV/s, cycles: 3}"]
    )
    hppc: PulsePower | None = Field(
        None, description="Pulses at states of charge.",
        examples=["{discharge: {c_rate: 1}, charge: {c_rate: -0.75}, pulse: 10 s, rest: 40 s, every: {soc: 10 %}, "
        "relax: 1 h, until: {voltage: 3 V}}"],
    )  # fmt: skip
    temperature: Temperature | None = Field(None, description="From here on (default: as before).")
    name: str | None = Field(None, description="Before those of its steps.", min_length=1)

    @model_validator(mode="after")
    def _one(self):
        written = [key for key in EXPERIMENTS if getattr(self, key) is not None]
        if len(written) != 1:
            raise wrong("one experiment at a time", f"one of {', '.join(EXPERIMENTS)}")
        return self

    def parts(self) -> Iterator[Part]:
        """Its steps in the order in which they are done; places are seen from this mapping."""
        kind = next(key for key in EXPERIMENTS if getattr(self, key) is not None)
        for n, part in enumerate(getattr(self, kind).parts()):
            made = part.inside(kind, name=", ".join(filter(None, (self.name, part.name))))
            if n == 0 and self.temperature is not None:
                warmed = part.step.model_copy(update={"temperature": Warming.model_construct(to=self.temperature)})
                made = dataclasses.replace(made, step=warmed, keys=made.keys | {("temperature",): ("temperature",)})
            yield made


EXPERIMENTS = ("cccv", "rate_test", "gitt", "pitt", "cyclic_voltammetry", "hppc")
