"""What is asked: a study of the stack, a fit of measured spectra."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Discriminator, Field, Tag, model_validator

from ionics.config.model import Mapping, wrong
from ionics.config.protocol import StepOrRepeat, legs
from ionics.config.quantities import (
    Area,
    CurrentDensity,
    Frequency,
    Length,
    OpenFraction,
    PositiveRatio,
    Quantity,
    Resistance,
    Voltage,
    Written,
)
from ionics.config.units import RATIO

Share = Annotated[float, Quantity(RATIO, least=0, most=1)]
Tolerance = Annotated[float, Quantity(replace(RATIO, example="1e-4"), least=1e-9, most=0.1)]


def _or_word(word: str, model: type[Mapping]) -> Any:
    """Either one word, or a mapping; anything else is judged as the mapping, whose message names both."""
    options = Annotated[Literal[word], Tag("word")] | Annotated[model, Tag("mapping")]
    return Annotated[options, Discriminator(lambda data: "word" if data == word else "mapping")]


class Impedance(Mapping):
    """At which frequencies."""

    from_: Frequency | None = Field(None, alias="from", description="Lowest.", examples=["1 mHz"])
    to: Frequency | None = Field(None, description="Highest.", examples=["1 MHz"])
    points: int = Field(60, description="Evenly spaced in the logarithm.", ge=2, le=100_000)
    frequencies: list[Frequency] | None = Field(None, description="Instead of a range.", min_length=1)

    @model_validator(mode="after")
    def _one_of_two(self):
        ends = [key for key in ("from_", "to", "points") if key in self.model_fields_set]
        if self.frequencies is not None and ends:
            raise wrong("given together with frequencies", "from, to, points; or frequencies", ends[0].rstrip("_"))
        if self.frequencies is None and self.from_ is None:
            raise wrong("required key missing", "write e.g. from: 1 mHz", "from")
        if self.frequencies is None and self.to is None:
            raise wrong("required key missing", "write e.g. to: 1 MHz", "to")
        if self.frequencies is None and self.to <= self.from_:
            raise wrong("must be above `from`", "from the lowest to the highest frequency", "to")
        return self

    @property
    def frequency(self) -> Float[np.ndarray, " frequency"]:
        """Hz."""
        if self.frequencies is not None:
            return np.asarray(self.frequencies, float)
        return np.geomspace(self.from_, self.to, self.points)


class OperatingPoint(Mapping):
    """Held voltage, or held current (discharge positive)."""

    voltage: Voltage | None = Field(None, examples=["0.1 V"])
    current: CurrentDensity | None = Field(None, examples=["0.1 mA/cm^2"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.voltage is None) == (self.current is None):
            raise wrong("one thing is held", "equilibrium, {voltage: 0.1 V} or {current: 0.1 mA/cm^2}")
        return self

    @classmethod
    def _prepare(cls, data):
        if isinstance(data, str):
            raise wrong("unknown operating point", "write equilibrium, {voltage: 0.1 V} or {current: 0.1 mA/cm^2}")
        return data


class Study(Mapping):
    """What `ionics run` computes."""

    state_of_charge: dict[str, dict[str, OpenFraction]] = Field(
        {}, description="Mean occupancy held at equilibrium: layer -> carrier -> share."
    )
    operating_point: _or_word("equilibrium", OperatingPoint) = Field("equilibrium", description="Where it is asked.")
    impedance: Impedance | None = Field(None, description="Also compute the impedance there.")
    capacity: dict[str, dict[str, tuple[Share, Share]]] = Field(
        {}, description="What 1C passes in an hour: layer -> carrier -> [one end, other end] of its mean occupancy.",
        examples=["{cathode: {Li: [0.5, 1]}}"], max_length=1,
    )  # fmt: skip
    start: str | None = Field(None, description="Begin where an earlier result ended: its folder or result.nc.")
    tolerance: Tolerance = Field(1e-4, description="Error of one time step, of potentials in units of RT/F.")
    protocol: list[StepOrRepeat] = Field(
        [], description="What is done in time, step by step; the impedance is then that of the end.",
        examples=["[{hold: {current: 0.1 mA/cm^2}, until: {voltage: 3 V}}, {rest: 1 h}]"],
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_time(self):
        if self.protocol and self.operating_point != "equilibrium":
            raise wrong("a protocol starts from equilibrium", "make it a step: hold: {...}", "operating_point")
        if self.start is not None and self.state_of_charge:
            raise wrong("the start is where an earlier result ended", "start, or state_of_charge", "state_of_charge")
        if "tolerance" in self.model_fields_set and not self.protocol:
            raise wrong("only a protocol takes time steps", "delete it", "tolerance")
        if self.start is not None and not self.protocol:
            raise wrong("only a protocol begins where another ended", "add protocol", "start")
        by_rate = any(leg.step.what == "c_rate" for leg in legs(self.protocol))
        if by_rate and not self.capacity:
            raise wrong(
                "required key missing: a C-rate needs it", "write e.g. capacity: {cathode: {Li: [0.5, 1]}}", "capacity"
            )
        for layer, own in self.capacity.items():
            for carrier, (one, other) in own.items():
                if one == other or len(own) > 1:
                    raise wrong(
                        "one carrier between two occupancies", f"{{{layer}: {{{carrier}: [0.5, 1]}}}}", "capacity"
                    )
        return self


class Weighting(Mapping):
    """Errors of the data."""

    sigma: Resistance | None = Field(None, description="The same for every point.", examples=["0.5 ohm"])
    relative: PositiveRatio | None = Field(None, description="A share of |Z|.", examples=["1 %"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.sigma is None) == (self.relative is None):
            raise wrong("one kind of weighting", "modulus, {sigma: 0.5 ohm} or {relative: 1 %}")
        return self

    @classmethod
    def _prepare(cls, data):
        if isinstance(data, str):
            raise wrong("unknown weighting", "write modulus, {sigma: 0.5 ohm} or {relative: 1 %}")
        return data


class Geometry(Mapping):
    """Of the sample: ohm -> S/cm, F/cm^2."""

    area: Area = Field(description="Of one electrode.", examples=["0.5 cm^2"])
    thickness: Length = Field(description="Between the electrodes.", examples=["0.75 mm"])


class FreeParameter(Mapping):
    """Where a parameter starts and how far it may go."""

    start: Written | None = Field(None, examples=["10 ohm"])
    bounds: tuple[Written, Written] | None = Field(None, examples=["[1 ohm, 1e4 ohm]"])
    scale: Literal["log", "linear"] = Field("log", description="On which it is searched.")
    tied: list[str] = Field([], description="Other paths of the stack that take the same value.")

    @model_validator(mode="after")
    def _in_order(self):
        if self.bounds is None:
            return self
        low, high = self.bounds
        if low.unit != high.unit or (self.start and self.start.unit != low.unit):
            raise wrong("start and bounds have different dimensions", "the same unit for all", "bounds")
        if low.value >= high.value:
            raise wrong("the lower bound is not below the upper", "[lower, upper]", "bounds")
        if self.scale == "log" and low.value <= 0:
            raise wrong("a logarithmic scale needs positive bounds", "positive bounds, or scale: linear", "bounds")
        if self.start and not low.value <= self.start.value <= high.value:
            raise wrong("outside its bounds", f"between {low.text} and {high.text}", "start")
        return self


class Series(Mapping):
    """A folder of files: the temperature stands in the file name."""

    temperature: str = Field(description="Regular expression with one group.", examples=["-(\\d+)deg"])
    unit: Literal["K", "degC", "degF"] = Field("K", description="Of the number in the name.")

    @model_validator(mode="after")
    def _one_group(self):
        try:
            groups = re.compile(self.temperature).groups
        except re.error as error:
            raise wrong(f"not a regular expression: {error}", "e.g. -(\\d+)deg", "temperature") from None
        if groups != 1:
            raise wrong(f"{groups} groups; the number needs one", "e.g. -(\\d+)deg", "temperature")
        return self


class Fit(Mapping):
    """What `ionics fit` does with measured spectra."""

    data: str | None = Field(None, description="A file, a folder or a pattern; or --data.")
    columns: list[str] | None = Field(None, description="Names of the columns.", examples=["[f, zre, zim]"])
    frequency_range: tuple[Frequency, Frequency] | None = Field(None, examples=["[0.1 Hz, 1 MHz]"])
    geometry: Geometry | None = None
    model: Literal["circuit", "stack"] = Field("circuit", examples=["circuit"])
    circuit: str | None = Field(None, description="E.g. R0-p(R1,CPE1)-CPE2.", examples=["R0-p(R1,CPE1)-CPE2"])
    weighting: _or_word("modulus", Weighting) = Field("modulus", description="How much each point counts.")
    starts: int = Field(64, description="Random starts.", ge=1, le=100_000)
    free: dict[str, FreeParameter] = Field({}, description="Circuit parameters, or dotted paths into the stack.")
    series: Series | None = Field(None, description="For a folder of files.")
    arrhenius: list[str] = Field([], description="Activation energies of these are reported.", examples=["[R1]"])

    @model_validator(mode="after")
    def _complete(self):
        if self.frequency_range and self.frequency_range[0] >= self.frequency_range[1]:
            raise wrong("the first frequency is not below the second", "[lowest, highest]", "frequency_range")
        if self.model == "circuit" and self.circuit is None:
            raise wrong("required key missing", "write e.g. circuit: R0-p(R1,CPE1)-CPE2", "circuit")
        if self.model == "stack" and self.circuit is not None:
            raise wrong("not used by model stack", "delete it, or model: circuit", "circuit")
        if self.model == "stack" and not self.free:
            raise wrong(
                "required key missing: nothing to fit",
                "write e.g. free: {stack.layers.NAME.carriers.Li+.conductivity: {bounds: [1e-6 S/m, 1 S/m]}}",
                "free",
            )
        if self.arrhenius and self.series is None:
            raise wrong("activation energies need a series of temperatures", "add series", "arrhenius")
        return self
