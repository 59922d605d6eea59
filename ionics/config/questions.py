"""What `ionics run` is asked: a study of the stack."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ionics.config.impedance import Impedance
from ionics.config.model import Mapping, or_word, wrong
from ionics.config.protocol import Entry, legs
from ionics.config.quantities import CurrentDensity, OpenFraction, Quantity, Share, Voltage
from ionics.config.units import RATIO

FEWEST = 8  # draws that make an interval
Tolerance = Annotated[float, Quantity(replace(RATIO, example="1e-4"), least=1e-9, most=0.1)]


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


class Uncertainty(Mapping):
    """How a run follows the numbers of the file that are uncertain."""

    samples: int = Field(
        64, description="Draws of all of them, 0: none (default 64).", examples=["64"], ge=0, le=100_000
    )
    seed: int = Field(1, description="Of the draws; the same seed draws the same (default 1).", examples=["1"], ge=0)

    @model_validator(mode="after")
    def _enough(self):
        if 0 < self.samples < FEWEST:
            raise wrong("too few draws for an interval", f"0, or at least {FEWEST}", "samples")
        return self


class Study(Mapping):
    """What `ionics run` computes."""

    state_of_charge: dict[str, dict[str, OpenFraction]] = Field(
        {}, description="Mean occupancy held at equilibrium: layer -> carrier -> share."
    )
    operating_point: or_word(("equilibrium",), OperatingPoint) = Field("equilibrium", description="Where it is asked.")
    impedance: Impedance | None = Field(None, description="Also compute the impedance there.")
    uncertainty: Uncertainty = Field(
        Uncertainty(), description="Intervals of what follows from uncertain numbers.",
        examples=["{samples: 64, seed: 1}"],
    )  # fmt: skip
    capacity: dict[str, dict[str, tuple[Share, Share]]] = Field(
        {}, description="What 1C passes in an hour: layer -> carrier -> [one end, other end] of its mean occupancy.",
        examples=["{cathode: {Li: [0.5, 1]}}"], max_length=1,
    )  # fmt: skip
    space_charge: Literal["resolved", "lumped"] = Field(
        "resolved",
        description="lumped: of a thin-film stack, as resistances and exchange currents that give the same at rest.",
    )
    start: str | None = Field(None, description="Begin where an earlier result ended: its folder or result.nc.")
    tolerance: Tolerance = Field(1e-4, description="Error of one time step, of potentials in units of RT/F.")
    protocol: list[Entry] = Field(
        [], description="What is done in time, step by step; the impedance is then that of the end.",
        examples=["[{hold: {current: 0.1 mA/cm^2}, until: {voltage: 3 V}}, {rest: 1 h}]"],
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_time(self):
        if self.protocol and self.operating_point != "equilibrium":
            raise wrong("a protocol starts from equilibrium", "make it a step: hold: {...}", "operating_point")
        if self.start is not None and self.state_of_charge:
            raise wrong("the start is where an earlier result ended", "start, or state_of_charge", "state_of_charge")
        if self.space_charge == "lumped" and not self.protocol:
            raise wrong(
                "space charges are lumped for a protocol only", "add protocol, or leave it resolved", "space_charge"
            )
        if "tolerance" in self.model_fields_set and not self.protocol:
            raise wrong("only a protocol takes time steps", "delete it", "tolerance")
        if self.start is not None and not self.protocol:
            raise wrong("only a protocol begins where another ended", "add protocol", "start")
        steps = [leg.step for leg in legs(self.protocol)]
        if any(step.needs_capacity for step in steps) and not self.capacity:
            raise wrong(
                "required key missing: a C-rate needs it", "write e.g. capacity: {cathode: {Li: [0.5, 1]}}", "capacity"
            )
        if steps and all(step.what == "impedance" for step in steps):
            raise wrong("nothing in it takes time", "impedance: {...} beside protocol, or a step before it", "protocol")
        if any(step.impedance is True for step in steps) and self.impedance is None:
            problem = "required key missing: a step is measured as it says"
            raise wrong(problem, "write e.g. impedance: {from: 10 mHz, to: 1 MHz}", "impedance")
        for layer, own in self.capacity.items():
            for carrier, (one, other) in own.items():
                if one == other or len(own) > 1:
                    raise wrong(
                        "one carrier between two occupancies", f"{{{layer}: {{{carrier}: [0.5, 1]}}}}", "capacity"
                    )
        return self
