"""What `ionics fit` is asked: which spectra, which model, what is free, and what is to be said about it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ionics.config.cell_records import Record_
from ionics.config.model import Mapping, or_word, wrong
from ionics.config.quantities import (
    Area,
    Concentration,
    Frequency,
    Inductance,
    Length,
    Permittivity,
    PositiveRatio,
    Pressure,
    Resistance,
    Share,
    Temperature,
    Time,
    Written,
)

WEIGHTINGS = ("modulus", "fitted", "repeated")


class Weighting(Mapping):
    """Errors of the data."""

    sigma: Resistance | None = Field(None, description="The same for every point.", examples=["0.5 ohm"])
    relative: PositiveRatio | None = Field(None, description="A share of |Z|.", examples=["1 %"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.sigma is None) == (self.relative is None):
            raise wrong("one kind of weighting", "modulus, fitted, repeated, {sigma: 0.5 ohm} or {relative: 1 %}")
        return self

    @classmethod
    def _prepare(cls, data):
        if isinstance(data, str):
            raise wrong("unknown weighting", "write modulus, fitted, repeated, {sigma: 0.5 ohm} or {relative: 1 %}")
        return data


class Geometry(Mapping):
    """Of the sample: ohm -> S/cm, F/cm^2."""

    area: Area = Field(description="Of one electrode.", examples=["0.5 cm^2"])
    thickness: Length = Field(description="Between the electrodes.", examples=["0.75 mm"])


class Prior(Mapping):
    """What is known of a parameter before the data: a normal distribution of it, or of its logarithm."""

    value: Written = Field(description="The most likely one.", examples=["10 ohm"])
    error: Written | None = Field(None, description="One standard deviation, on a linear scale.", examples=["2 ohm"])
    factor: float | None = Field(None, description="One standard deviation, on a log scale.", gt=1, examples=[1.5])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.error is None) == (self.factor is None):
            raise wrong("one kind of spread", "{value: 10 ohm, factor: 1.5} (log scale) or {value: 0.9, error: 0.05}")
        return self


class Arrhenius(Mapping):
    """ln value = ln value_ref -+ Ea/k (1/T - 1/T_ref)."""

    reference: Temperature | None = Field(None, description="Where the value is stated; by default amid the series.")
    times_temperature: bool = Field(False, description="The line is that of value times T, as for conductivities.")


class Along(Mapping):
    """Straight between knots of one condition."""

    state_of_charge: list[Share] | None = Field(None, examples=["[0, 0.5, 1]"])
    pressure: list[Pressure] | None = Field(None, examples=["[10 MPa, 50 MPa]"])
    temperature: list[Temperature] | None = Field(None, examples=["[250 K, 300 K]"])
    cycle: list[float] | None = Field(None, examples=["[1, 50, 100]"])
    time: list[Time] | None = Field(None, examples=["[0 s, 1 h]"])

    @model_validator(mode="after")
    def _one_of_them(self):
        if len(self.model_fields_set) != 1:
            raise wrong("knots of one condition", "e.g. {state_of_charge: [0, 0.5, 1]}")
        return self


def _across(data: Any) -> str:
    if isinstance(data, str):
        return "word"
    return "arrhenius" if isinstance(data, dict) and not set(data) - set(Arrhenius.model_fields) else "along"


Across = Annotated[
    Annotated[Literal["shared", "each", "arrhenius"], Tag("word")]
    | Annotated[Arrhenius, Tag("arrhenius")]
    | Annotated[Along, Tag("along")],
    Discriminator(_across),
]


class FreeParameter(Mapping):
    """Where a parameter starts, how far it may go, what is known of it, and how it runs through a series."""

    start: Written | None = Field(None, examples=["10 ohm"])
    bounds: tuple[Written, Written] | None = Field(None, examples=["[1 ohm, 1e4 ohm]"])
    scale: Literal["log", "linear"] | None = Field(None, description="On which it is searched; log, except exponents.")
    fixed: Written | None = Field(None, description="Held at this value instead.", examples=["10 ohm"])
    prior: Prior | None = Field(None, description="What is known of it already.")
    tied: list[str] = Field([], description="Other paths of the stack that take the same value.")
    across: Across | None = Field(
        None, description="In a series: shared, each, arrhenius, or knots of a condition; spectra are fitted together.",
        examples=["arrhenius", "{state_of_charge: [0, 0.5, 1]}"],
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self):
        if self.fixed is not None and self.model_fields_set - {"fixed"}:
            raise wrong("a parameter that is held has nothing else", "delete fixed, or all others", "fixed")
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
    """What differs between the spectra: from the names of the files, from a table, or from the files themselves."""

    temperature: str | None = Field(
        None, description="Regular expression for the file name, one group.", examples=["-(\\d+)deg"]
    )
    unit: Literal["K", "degC", "degF"] = Field("K", description="Of that number.")
    pattern: str | None = Field(
        None, description="Regular expression with named groups: temperature, state_of_charge, pressure, cycle, time.",
        examples=["SoC(?P<state_of_charge>\\d+)_(?P<temperature>-?\\d+)degC"],
    )  # fmt: skip
    units: dict[str, str] = Field({}, description="Of the groups.", examples=["{temperature: degC}"])
    table: str | None = Field(None, description="CSV with the columns file, temperature[degC], ...")

    @model_validator(mode="after")
    def _one_way(self):
        if len([way for way in (self.temperature, self.pattern, self.table) if way is not None]) > 1:
            raise wrong("two ways to name the conditions", "temperature, pattern or table", "pattern")
        for key, text in (("temperature", self.temperature), ("pattern", self.pattern)):
            if text is None:
                continue
            try:
                found = re.compile(text)
            except re.error as error:
                raise wrong(f"not a regular expression: {error}", "e.g. -(\\d+)deg", key) from None
            if key == "temperature" and found.groups != 1:
                raise wrong(f"{found.groups} groups; the number needs one", "e.g. -(\\d+)deg", key)
        return self

    @property
    def groups(self) -> tuple[str | None, dict[str, str]]:
        """The pattern with named groups, and their units."""
        if self.temperature is None:
            return self.pattern, self.units
        at = re.search(r"(?<!\\)\((?!\?)", self.temperature)
        named = "(?P<temperature>" if at else ""
        start = at.start() if at else 0
        return self.temperature[:start] + named + self.temperature[start + 1 :], {"temperature": self.unit}


class Posterior(Mapping):
    """How the posterior is sampled; needs the extra `bayes`."""

    draws: int = Field(1000, description="Of each chain.", ge=10, le=1_000_000)
    warmup: int = Field(500, ge=10, le=1_000_000)
    chains: int = Field(4, ge=1, le=1000)


class Corrections(Mapping):
    """What is taken off the measured impedance."""

    inductance: Inductance | Literal["estimated"] | None = Field(
        None, description="Of cables, in series; `estimated`: from the high frequencies.", examples=["1 uH"]
    )
    resistance: Resistance | None = Field(None, description="Of cables, in series.", examples=["0.2 ohm"])


class Ceramic(Mapping):
    """Two arcs of the circuit are grains and grain boundaries."""

    bulk: tuple[str, str] = Field(("R1", "CPE1"), description="Resistor and C or CPE of the grains.")
    boundary: tuple[str, str] = Field(("R2", "CPE2"), description="Those of the boundaries.")
    charge: int = Field(1, description="Charge number of the carrier.", examples=[1])
    grain: Length | None = Field(None, description="Grain size.", examples=["1 um"])
    permittivity: Permittivity | None = Field(None, description="Of the grains, for their Debye length.")
    concentration: Concentration | None = Field(None, description="Of the carrier in the grains.")
    law: Literal["mott-schottky", "gouy-chapman"] = Field("mott-schottky", description="Whether dopants stay.")
    stack: bool = Field(False, description="Also by the full stack, which needs grain, permittivity, concentration.")
    by: Literal["times", "resistances"] = Field("times", description="The ratio that gives the full stack's barrier.")
    also: Literal["permittivity", "grain"] | None = Field(None, description="Found from the other ratio.")

    @model_validator(mode="after")
    def _enough(self):
        if self.charge == 0:
            raise wrong("a carrier has a charge", "e.g. 1 or -2", "charge")
        missing = [key for key in ("grain", "permittivity", "concentration") if getattr(self, key) is None]
        if self.stack and missing:
            raise wrong(f"the full stack needs {', '.join(missing)} too", "add them, or stack: false", missing[0])
        if self.also is not None and not self.stack:
            raise wrong("only the full stack finds it", "add stack: true", "also")
        return self


class CapacityRate(Mapping):
    """Which curve of a table of rates, and which law."""

    curve: str | None = Field(None, description="Its label; needed where the table has several.", examples=["cell A"])
    sheet: str | None = Field(None, description="Where labels repeat.", examples=["CapacityRate"])
    law: str = Field("tian", description="tian, rational, tanh, erfc, peukert, diffusion or resistance.")
    rates: Literal["c-rate", "measured"] = Field("c-rate", description="measured: one over the time of the discharge.")
    weighting: Literal["unit", "modulus"] = Field("unit", description="How much each point counts.")


class Fit(Mapping):
    """What `ionics fit` does with measured spectra."""

    data: str | None = Field(None, description="A file, a folder or a pattern; or --data.")
    columns: list[str] | None = Field(None, description="Names of the columns.", examples=["[f, zre, zim]"])
    frequency_range: tuple[Frequency, Frequency] | None = Field(None, examples=["[0.1 Hz, 1 MHz]"])
    geometry: Geometry | None = None
    model: Literal["circuit", "stack", "cell", "capacity-rate"] = Field("circuit", examples=["circuit"])
    records: list[Record_] = Field(
        [], description="Of a cell: discharges, capacities against rate, titrations, impedances.",
        examples=["[{discharge: {file: 1C.csv, current: 1 mA/cm^2, cutoff: 3 V}}]"],
    )  # fmt: skip
    capacity_rate: CapacityRate | None = Field(
        None, description="With model capacity-rate.", examples=["{curve: cell A, law: tian}"]
    )
    circuit: str | None = Field(None, description="E.g. R0-p(R1,CPE1)-CPE2.", examples=["R0-p(R1,CPE1)-CPE2"])
    weighting: or_word(WEIGHTINGS, Weighting) = Field(
        "modulus",
        description="How much each point counts: by 1/|Z|, by an error model fitted to what Kramers-Kronig leaves, "
        "by repeated sweeps, or as given.",
    )
    starts: int = Field(64, description="Random starts.", ge=1, le=100_000)
    free: dict[str, FreeParameter] = Field({}, description="Circuit parameters, or dotted paths into the stack.")
    robust: bool = Field(False, description="Points far from the model count less.")
    series: Series | None = Field(None, description="For a folder of files.")
    together: bool = Field(
        False, description="One fit of all spectra; parameters are shared unless `across` says else."
    )
    corrections: Corrections | None = Field(None, description="Of cables.")
    consistency: bool = Field(True, description="Test each spectrum by Kramers and Kronig.")
    ceramic: Ceramic | None = Field(None, description="Read two arcs as grains and boundaries with a barrier.")
    relaxation_times: bool = Field(False, description="Also their distribution, which needs no model.")
    profiles: bool | list[str] = Field(False, description="Profile likelihoods: intervals that need no symmetry.")
    posterior: Posterior | None = Field(None, description="Sample it, by Hamiltonian Monte Carlo.")
    arrhenius: list[str] = Field([], description="Activation energies of these are reported.", examples=["[R1]"])

    @model_validator(mode="after")
    def _complete(self):
        if self.frequency_range and self.frequency_range[0] >= self.frequency_range[1]:
            raise wrong("the first frequency is not below the second", "[lowest, highest]", "frequency_range")
        if self.model == "circuit" and self.circuit is None:
            raise wrong("required key missing", "write e.g. circuit: R0-p(R1,CPE1)-CPE2", "circuit")
        if self.model != "circuit" and self.circuit is not None:
            raise wrong(f"not used by model {self.model}", "delete it, or model: circuit", "circuit")
        if self.capacity_rate is not None and self.model != "capacity-rate":
            raise wrong("only with model capacity-rate", "model: capacity-rate", "capacity_rate")
        if self.model in ("stack", "cell") and not self.free:
            paths = {"stack": "stack.layers.NAME.carriers.Li+.conductivity", "cell": "cell.separator.conductivity"}
            example = f"write e.g. free: {{{paths[self.model]}: {{bounds: [1e-6 S/m, 1 S/m]}}}}"
            raise wrong("required key missing: nothing to fit", example, "free")
        self._of_a_cell()
        if self.ceramic is not None and self.model == "stack":
            raise wrong("arcs are those of a circuit", "delete it, or model: circuit", "ceramic")
        if self.arrhenius and self.series is None:
            raise wrong("activation energies need a series of temperatures", "add series", "arrhenius")
        if self.joint and self.series is None:
            raise wrong("only a series has parameters across spectra", "add series", "together")
        return self

    def _of_a_cell(self) -> None:
        if self.model != "cell":
            if self.records:
                raise wrong("records are fitted by a cell", "model: cell, or data: FILE", "records")
            return
        if not self.records:
            example = "write e.g. records: [{discharge: {file: 1C.csv, current: 1 mA/cm^2, cutoff: 3 V}}]"
            raise wrong("required key missing: nothing to fit it to", example, "records")
        spectra = {"data", "columns", "frequency_range", "geometry", "weighting", "robust", "series", "together",
                   "corrections", "consistency", "ceramic", "relaxation_times", "arrhenius"}  # fmt: skip
        for key in sorted(spectra & self.model_fields_set):
            raise wrong("not used by model cell", "records hold what is fitted, each with its sigma", key)

    @property
    def joint(self) -> bool:
        """Whether all spectra are fitted at once."""
        return self.together or any(free.across is not None for free in self.free.values())
