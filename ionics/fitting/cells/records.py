"""What was measured of a cell, per area of it. Every record begins from rest and says how much was drawn before.

A standard deviation that is not given (None) is estimated from the misfit, see `groups`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from ionics.fitting.spectrum import DataError, Spectrum

POINTS = 60  # of a discharge that are kept
MOMENTS = 12  # of a step of a titration that are kept


@dataclass(frozen=True, eq=False)
class Discharge:
    """One constant current, up to a voltage. A charge has a negative current."""

    current: float  # A m-2, positive in discharge
    time: Float[np.ndarray, " point"]  # s since the current began
    voltage: Float[np.ndarray, " point"]  # V
    cutoff: float | None = None  # V at which it was ended; None: it was ended otherwise
    capacity: float | None = None  # C m-2 passed up to the cutoff; by default up to the last time
    temperature: float = 298.15  # K
    drawn: float = 0.0  # C m-2 drawn from the cell since it was filled as the fit says
    sigma: float | None = None  # standard deviation of a voltage, V
    charge_sigma: float | None = None  # of the charge, as a share of it
    label: str = ""

    def __post_init__(self):
        time, voltage = _row(self.time), _row(self.voltage)
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "voltage", voltage)
        _check(self.current != 0, self, f"current {self.current:g}; valid: not 0 A m-2")
        _same(self, time, voltage)
        _check(len(time) > 0 or self.cutoff is not None, self, "no points and no cutoff: nothing was measured")
        if self.cutoff is not None and self.capacity is None:
            object.__setattr__(self, "capacity", abs(self.current) * float(time[-1]) if len(time) else 0.0)
        _check(self.capacity is None or self.capacity >= 0, self, f"capacity {self.capacity}; valid: 0 or more C m-2")
        _conditions(self)
        _sizes(self, "sigma", "charge_sigma")

    @property
    def charge(self) -> Float[np.ndarray, " point"]:
        """Passed, in either direction [C m-2]."""
        return abs(self.current) * self.time

    def thinned(self, most: int = POINTS) -> Discharge:
        """At most so many of its points, as far apart in charge and voltage as they can be.

        Equally far apart along the curve, each axis measured by its range and the voltage by its largest change so far:
        dense where it is steep, at the beginning and at the end. Points are measured ones, not means: a mean would be
        off where the curve bends, and the error of one point is what `sigma` says.
        """
        if len(self.time) <= most:
            return self
        kept = along(self.charge, self.voltage, most)
        return replace(self, time=self.time[kept], voltage=self.voltage[kept])


@dataclass(frozen=True, eq=False)
class Rates:
    """Capacity against rate: what was passed up to a voltage, at each of several currents from the same state."""

    current: Float[np.ndarray, " point"]  # A m-2, positive in discharge
    capacity: Float[np.ndarray, " point"]  # C m-2; 0 where the voltage was met at once
    cutoff: float  # V
    temperature: float = 298.15  # K
    drawn: float = 0.0  # C m-2
    sigma: float | None = None  # standard deviation of a capacity, as a share of the largest
    label: str = ""

    def __post_init__(self):
        current, capacity = _row(self.current), _row(self.capacity)
        object.__setattr__(self, "current", current)
        object.__setattr__(self, "capacity", capacity)
        _check(len(current) == len(capacity) > 0, self, f"{len(current)} currents and {len(capacity)} capacities")
        _check(
            bool(np.all(current != 0) and np.all(capacity >= 0)), self, "currents are not 0, capacities not negative"
        )
        _check(bool(capacity.max() > 0), self, "every capacity is 0")
        _conditions(self)
        _sizes(self, "sigma")


@dataclass(frozen=True, eq=False)
class Titration:
    """Steps of a current, pulses and rests, each for a known time: GITT, relaxation, a drive cycle of steps."""

    current: Float[np.ndarray, " step"]  # A m-2, positive in discharge; 0: rest
    duration: Float[np.ndarray, " step"]  # s
    time: Float[np.ndarray, " point"]  # s since the first step began
    voltage: Float[np.ndarray, " point"]  # V
    temperature: float = 298.15  # K
    drawn: float = 0.0  # C m-2
    sigma: float | None = None  # standard deviation of a voltage, V
    label: str = ""

    def __post_init__(self):
        for name in ("current", "duration", "time", "voltage"):
            object.__setattr__(self, name, _row(getattr(self, name)))
        _check(len(self.current) == len(self.duration) > 0, self, "as many currents as durations, and at least one")
        _check(bool(np.all(self.duration > 0)), self, "durations above 0 s")
        _same(self, self.time, self.voltage)
        _check(len(self.time) > 0, self, "no points")
        last, whole = float(self.time[-1]), float(self.duration.sum())
        _check(
            last <= whole * (1 + 1e-9), self, f"a point at {last:g} s after the last step, which ends at {whole:g} s"
        )
        _conditions(self)
        _sizes(self, "sigma")

    def steps(self, most: int = MOMENTS) -> list[tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]]:
        """Of every step, times since it began and voltages: at most so many, evenly over the logarithm of time."""
        ends = np.cumsum(self.duration)
        found = []
        for end, duration in zip(ends, self.duration, strict=True):
            own = (self.time > end - duration) & (self.time <= end * (1 + 1e-12))
            time, voltage = np.minimum(self.time[own] - (end - duration), duration), self.voltage[own]
            if len(time) > most:
                wanted = np.geomspace(time[0], time[-1], most)
                kept = np.unique(np.clip(np.searchsorted(time, wanted * (1 - 1e-12)), 0, len(time) - 1))
                time, voltage = time[kept], voltage[kept]
            found.append((time, voltage))
        return found


@dataclass(frozen=True, eq=False)
class Impedance:
    """A spectrum at rest, with a charge drawn before: (1 - state of charge) times the capacity."""

    spectrum: Spectrum  # ohm, of a cell of this area
    area: float  # m2
    drawn: float = 0.0  # C m-2
    temperature: float | None = None  # K; by default that of the spectrum, else 298.15
    sigma: float | None = None  # standard deviation of either part, as a share of |Z|, unless the spectrum has its own
    label: str = ""

    def __post_init__(self):
        if self.temperature is None:
            object.__setattr__(self, "temperature", self.spectrum.temperature or 298.15)
        if not self.label:
            object.__setattr__(self, "label", self.spectrum.label)
        _check(self.area > 0, self, f"area {self.area:g}; valid: above 0 m2")
        _conditions(self)
        _sizes(self, "sigma")

    @property
    def impedance(self):
        """Ohm m2."""
        return self.spectrum.impedance * self.area


Record = Discharge | Rates | Titration | Impedance


def along(x: Float[np.ndarray, " point"], y: Float[np.ndarray, " point"], most: int) -> np.ndarray:
    """Positions of points that are equally far apart along a curve; y rises or falls, but for its noise."""
    falling = y[-1] < y[0]
    envelope = np.minimum.accumulate(y) if falling else np.maximum.accumulate(y)
    way = (x - x[0]) / max(float(np.ptp(x)), 1e-300) + np.abs(envelope - y[0]) / max(float(np.ptp(envelope)), 1e-300)
    return np.unique(np.clip(np.searchsorted(way, np.linspace(0, way[-1], most)), 0, len(x) - 1))


def _row(values) -> np.ndarray:
    return np.atleast_1d(np.asarray(values, float))


def _name(record) -> str:
    return f"{type(record).__name__.lower()} {record.label}".strip()


def _check(good: bool, record, problem: str) -> None:
    if not good:
        raise DataError(f"{_name(record)}: {problem}")


def _same(record, time, voltage) -> None:
    _check(len(time) == len(voltage), record, f"{len(time)} times and {len(voltage)} voltages; valid: as many")
    _check(bool(np.all(np.isfinite(time) & np.isfinite(voltage))), record, "times and voltages must be finite")
    rising = np.diff(time, prepend=0.0) > 0
    if not rising.all():
        k = int(np.argmin(rising))
        _check(False, record, f"time {time[k]:g} s at point {k + 1}; valid: above 0 s and rising from point to point")


def _conditions(record) -> None:
    _check(record.temperature > 0, record, f"temperature {record.temperature:g}; valid: above 0 K")
    _check(bool(np.isfinite(record.drawn)), record, f"drawn {record.drawn}; valid: a charge in C m-2")


def _sizes(record, *names: str) -> None:
    for name in names:
        size = getattr(record, name)
        _check(size is None or size > 0, record, f"{name} {size}; valid: above 0, or None to have it estimated")
