"""What a step of a protocol may do to the terminals: hold, sweep, oscillate, or follow a file."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    AreaResistance,
    CurrentDensity,
    Frequency,
    PositiveRatio,
    Quantity,
    Ratio,
    Voltage,
    Written,
)
from ionics.config.units import CURRENT_DENSITY, VOLTAGE, Dimension, UnitError
from ionics.quantity import quantity

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
        return of(self.rate, self._dimension, "rate")


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
        return of(self.amplitude, CURRENT_DENSITY if self.voltage is None else VOLTAGE, "amplitude")


class DriveProfile(Mapping):
    """What a file says over time: a drive cycle."""

    file: str = Field(description="Table with a header, seen from this file.", examples=["drive.csv"], min_length=1)
    what: Literal["current", "c_rate", "voltage", "power"] = Field(
        description="What is followed; also the name of its column.", examples=["current"]
    )
    scale: Ratio = Field(1.0, description="The values of the file times this.", examples=["-1"])
    interpolation: Literal["linear", "hold"] = Field(
        "linear", description="Straight lines from row to row, or each value until the next row."
    )
    columns: tuple[str, str] | None = Field(
        None, description="Names of the columns of time and of the values.", examples=["[t, I]"]
    )

    @model_validator(mode="after")
    def _something(self):
        if self.scale == 0:
            raise wrong("nothing is left of the profile", "rest: 1 h", "scale")
        return self


def short(what: str, value: float) -> str:
    """A voltage or a current density in words."""
    return f"{value:g} V" if what == "voltage" else quantity(value * CM2, "A/cm²")


def of(written: Written, dimension: Dimension, key: str) -> float:
    """A quantity whose dimension the mapping around it decides, SI."""
    try:
        return written.of(dimension)
    except UnitError as error:
        raise wrong(error.problem, error.valid, key) from None
