"""What was measured of a cell, as a file says it: discharges, capacities against rate, titrations, impedances.

A record that states what is done to the cell, but no data, is one to come: a candidate of a design.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from ionics.config.controls import CHARGE
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import CurrentDensity, Frequency, PositiveRatio, Quantity, Temperature, Time, Voltage

if TYPE_CHECKING:
    from ionics.config.schema import Config
    from ionics.fitting.cells.records import Record

Drawn = Annotated[float, Quantity(CHARGE)]
Passed = Annotated[float, Quantity(CHARGE, least=0)]
SAME = 0.05  # how far a stated current may be from that of its file
STEADY = 0.02  # of the largest current: a change above it begins another step of a titration
Steps = tuple[str | int, ...]


class Under(Mapping):
    """The conditions of a record."""

    name: str | None = Field(None, description="Goes with the results.", examples=["1C"])
    temperature: Temperature | None = Field(None, description="That of the cell by default.", examples=["298.15 K"])
    drawn: Drawn = Field(
        0.0, description="Charge drawn since the cell was filled as the file says.", examples=["0.5 mAh/cm^2"]
    )


class DischargeRecord(Under):
    """One constant current, up to a voltage; a charge has a negative one. From a file, or charge and voltage here."""

    file: str | None = Field(None, description="Of a cycler, seen from this file.", examples=["1C.csv"])
    current: CurrentDensity = Field(description="Positive in discharge.", examples=["0.5 mA/cm^2"])
    cutoff: Voltage | None = Field(None, description="That ended it.", examples=["3 V"])
    charge: list[Passed] | None = Field(None, description="Passed, rising.", examples=["[0.1 mAh/cm^2, 0.2 mAh/cm^2]"])
    voltage: list[Voltage] | None = Field(None, description="There.", examples=["[4.1 V, 4.0 V]"])
    capacity: Passed | None = Field(
        None, description="Up to the cutoff (default: the last charge).", examples=["1 mAh/cm^2"]
    )
    sigma: Voltage | None = Field(
        None, description="Standard deviation of a voltage (default: estimated).", examples=["2 mV"]
    )
    charge_sigma: PositiveRatio | None = Field(None, description="Of the charge, as a share of it.", examples=["0.5 %"])
    first: Time | None = Field(
        None, description="First reading of one to come (default: a thousandth of all).", examples=["1 s"]
    )

    @property
    def to_come(self) -> bool:
        """Whether it says what will be done, without data."""
        return self.file is None and self.charge is None and self.capacity is None

    @model_validator(mode="after")
    def _one_of_two(self):
        here = self.charge is not None or self.voltage is not None
        if self.file is not None and here:
            raise wrong(
                "given together with a file", "a file, or charge and voltage", "charge" if self.charge else "voltage"
            )
        if here and len(self.charge or ()) != len(self.voltage or ()):
            raise wrong(
                f"{len(self.charge or ())} charges and {len(self.voltage or ())} voltages", "one for each", "voltage"
            )
        if self.file is None and not here and self.cutoff is None:
            raise wrong("nothing was measured", "file, or charge and voltage, or cutoff and capacity", "file")
        if self.first is not None and not self.to_come:
            raise wrong("only one to come has it", "delete it; the data say when they were read", "first")
        if self.current == 0:
            raise wrong("nothing flows", "e.g. 0.5 mA/cm^2", "current")
        return self


class RatesRecord(Under):
    """Capacity against rate, each from the same state."""

    current: list[CurrentDensity] = Field(
        description="Positive in discharge.", min_length=1, examples=["[0.1 mA/cm^2]"]
    )
    capacity: list[Passed] | None = Field(
        None, description="Up to the cutoff.", min_length=1, examples=["[1.1 mAh/cm^2]"]
    )
    cutoff: Voltage = Field(description="That ended each.", examples=["3 V"])
    sigma: PositiveRatio | None = Field(
        None, description="Standard deviation, as a share of the largest.", examples=["1 %"]
    )

    @property
    def to_come(self) -> bool:
        """Whether it says what will be done, without data."""
        return self.capacity is None

    @model_validator(mode="after")
    def _as_many(self):
        if not self.to_come and len(self.capacity) != len(self.current):
            raise wrong(f"{len(self.capacity)} capacities for {len(self.current)} currents", "one for each", "capacity")
        return self


class TitrationRecord(Under):
    """Pulses and rests as a cycler recorded them, or as they will be."""

    file: str | None = Field(None, description="Of a cycler, seen from this file.", examples=["gitt.csv"])
    sigma: Voltage | None = Field(
        None, description="Standard deviation of a voltage (default: estimated).", examples=["1 mV"]
    )
    current: CurrentDensity | None = Field(None, description="Of the pulses to come.", examples=["0.1 mA/cm^2"])
    pulse: Time | None = Field(None, description="How long each takes.", examples=["10 min"])
    rest: Time | None = Field(None, description="After each.", examples=["1 h"])
    count: int = Field(1, description="Pulses to come.", ge=1, le=1000)
    first: Time = Field(1.0, description="First reading after each change.", examples=["1 s"])

    @property
    def to_come(self) -> bool:
        """Whether it says what will be done, without data."""
        return self.file is None

    @model_validator(mode="after")
    def _file_or_pulses(self):
        _either(
            self, {"current", "pulse", "rest"}, {"count", "first"}, "{current: 0.1 mA/cm^2, pulse: 10 min, rest: 1 h}"
        )
        if self.to_come and self.current == 0:
            raise wrong("nothing flows", "e.g. 0.1 mA/cm^2", "current")
        if self.to_come and self.first >= min(self.pulse, self.rest):
            raise wrong("after the end of a pulse or rest", "less than both", "first")
        return self


class ImpedanceRecord(Under):
    """A spectrum at rest, measured or to come."""

    file: str | None = Field(None, description="Seen from this file.", examples=["eis.csv"])
    sigma: PositiveRatio | None = Field(None, description="Standard deviation, as a share of |Z|.", examples=["1 %"])
    from_: Frequency | None = Field(
        None, alias="from", description="Lowest frequency of one to come.", examples=["10 mHz"]
    )
    to: Frequency | None = Field(None, description="Highest.", examples=["100 kHz"])
    points: int = Field(40, description="Evenly spaced in the logarithm.", ge=2, le=1000)

    @property
    def to_come(self) -> bool:
        """Whether it says what will be done, without data."""
        return self.file is None

    @model_validator(mode="after")
    def _file_or_frequencies(self):
        _either(self, {"from_", "to"}, {"points"}, "{from: 10 mHz, to: 100 kHz}")
        if self.to_come and self.to <= self.from_:
            raise wrong("must be above `from`", "from the lowest to the highest frequency", "to")
        return self


def _either(record, needed: set[str], more: set[str], example: str) -> None:
    """A file, or all that says what will be done."""
    given = sorted(record.model_fields_set & (needed | more))
    missing = sorted(needed - record.model_fields_set)
    if record.file is not None and given:
        raise wrong("given together with a file", "a file, or what will be measured", given[0].rstrip("_"))
    if record.file is None and missing:
        key = missing[0].rstrip("_") if given else "file"
        raise wrong("required key missing", f"write a file, or what will be measured, e.g. {example}", key)


class Record_(Mapping):
    """One record: one of these."""

    discharge: DischargeRecord | None = Field(None, examples=["{file: 1C.csv, current: 1 mA/cm^2, cutoff: 3 V}"])
    rates: RatesRecord | None = Field(None, examples=["{current: [...], capacity: [...], cutoff: 3 V}"])
    titration: TitrationRecord | None = Field(None, examples=["{file: gitt.csv}"])
    impedance: ImpedanceRecord | None = Field(None, examples=["{file: eis.csv}"])

    @model_validator(mode="after")
    def _one(self):
        if len(self.model_fields_set) != 1:
            raise wrong("a record is one thing", "discharge, rates, titration or impedance")
        return self


def records(config: Config) -> list[Record]:
    """The records of a fit of a cell, read. Raises ConfigError, DataError."""
    for place, _, own in stated(config):
        if own.to_come:
            raise config.error(place, "nothing was measured", "its data; `ionics design` takes records to come")
    return read(config)


def stated(config: Config) -> list[tuple[Steps, str, Any]]:
    """Where each record stands, its kind, and what it says."""
    found = []
    for k, one in enumerate(config.fit.records):
        (kind,) = one.model_fields_set
        found.append((("fit", "records", k, kind), kind, getattr(one, kind)))
    return found


def read(config: Config) -> list[Record]:
    """Those that were measured. Raises ConfigError, DataError."""
    return [READ[kind](config, place, own) for place, kind, own in stated(config) if not own.to_come]


def _discharge(config: Config, place: Steps, own: DischargeRecord):
    from ionics.fitting.cells.records import Discharge

    sizes = {"sigma": own.sigma, "charge_sigma": own.charge_sigma, "cutoff": own.cutoff, "capacity": own.capacity}
    label = own.name or f"{own.current * 0.1:.4g} mA/cm²"
    if own.file is None:
        time = np.asarray(own.charge or (), float) / abs(own.current)
        voltage = np.asarray(own.voltage or (), float)
        late = time > 0
        _runs_down(config, place, own, voltage)
        return Discharge(own.current, time[late], voltage[late], label=label, **under(config, own), **sizes)
    measured = _cycling(config, place, own.file)
    time = measured.time - measured.time[0]
    kept = np.flatnonzero(np.diff(time, prepend=0.0) > 0)
    _runs_down(config, place, own, measured.voltage)
    if config.area is not None and np.isfinite(measured.current).any():
        there = float(np.nanmedian(np.abs(measured.current))) / config.area
        if abs(abs(own.current) - there) > SAME * there:
            raise config.error(
                (*place, "current"), f"{Path(own.file).name} holds {0.1 * there:.4g} mA/cm^2",
                "the current of the file over the area of the cell, or another area",
            )  # fmt: skip
    whole = Discharge(own.current, time[kept], measured.voltage[kept], label=label, **under(config, own), **sizes)
    return whole.thinned()


def _runs_down(config: Config, place: Steps, own: DischargeRecord, voltage: np.ndarray) -> None:
    """Raise ConfigError where the voltage goes the other way than the current says."""
    if len(voltage) > 1 and (voltage[-1] - voltage[0]) * own.current > 0:
        way = (
            ("falls", "a positive current, which discharges")
            if own.current < 0
            else ("rises", "a negative current, which charges")
        )
        raise config.error((*place, "current"), f"the voltage {way[0]}", way[1])


def _rates(config: Config, place: Steps, own: RatesRecord):
    from ionics.fitting.cells.records import Rates

    current, capacity = np.asarray(own.current), np.asarray(own.capacity)
    return Rates(current, capacity, own.cutoff, sigma=own.sigma, label=own.name or "", **under(config, own))


def _titration(config: Config, place: Steps, own: TitrationRecord):
    from ionics.fitting.cells.records import Titration

    measured, area = _cycling(config, place, own.file), _area(config, place)
    if not np.isfinite(measured.current).all():
        raise config.error(
            (*place, "file"), "holds no current", "a record with current, or discharge for constant ones"
        )
    time, current = measured.time - measured.time[0], measured.current / area
    jumps = np.abs(np.diff(current)) > STEADY * np.abs(current).max()
    parts = np.split(np.arange(len(time)), np.flatnonzero(jumps) + 1)
    ends = np.array([time[part[-1]] for part in parts])
    long = np.diff(ends, prepend=0.0) > 0
    kept = np.flatnonzero(np.diff(time, prepend=0.0) > 0)
    held = np.array([float(np.median(current[part])) for part in parts])[long]
    duration = np.diff(ends[long], prepend=0.0)
    voltage = measured.voltage[kept]
    return Titration(held, duration, time[kept], voltage, sigma=own.sigma, label=own.name or "", **under(config, own))


def _impedance(config: Config, place: Steps, own: ImpedanceRecord):
    from ionics.fitting.cells.records import Impedance
    from ionics.fitting.files.readers import read_spectrum

    spectrum = read_spectrum(_path(config, place, own.file))
    spectrum = dataclasses.replace(spectrum, temperature=own.temperature or spectrum.temperature or config.temperature)
    return Impedance(spectrum, _area(config, place), drawn=own.drawn, sigma=own.sigma, label=own.name or "")


READ = {"discharge": _discharge, "rates": _rates, "titration": _titration, "impedance": _impedance}


def under(config: Config, own: Under) -> dict[str, Any]:
    return {"temperature": own.temperature or config.temperature, "drawn": own.drawn}


def _cycling(config: Config, place: Steps, name: str):
    from ionics.fitting.files.cycling import read_cycling

    return read_cycling(_path(config, place, name))


def _path(config: Config, place: Steps, name: str) -> Path:
    path = Path(config.document.name).parent / name
    if not path.is_file():
        raise config.error((*place, "file"), "no such file", "a file, seen from this one")
    return path


def _area(config: Config, place: Steps) -> float:
    if config.area is None:
        raise config.error(place, "a record in A or ohm needs the area of the cell", "add e.g. area: 1 cm^2")
    return config.area
