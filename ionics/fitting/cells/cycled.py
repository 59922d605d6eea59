"""Records of a cycler cut into what a cell is fitted to: constant currents, or pulses and rests."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ionics.fitting.cells.records import Discharge, Titration
from ionics.fitting.files.cycling import Cycling
from ionics.fitting.spectrum import DataError

STEADY = 0.02  # of the largest current: currents closer than this are one
MOSTLY = 0.95  # of the rows of a step at one current
SHORTEST = 5  # rows of a step


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a record between two changes of the current."""

    rows: slice
    current: float  # A, positive in discharge: the counted charge over the time, which averages ripple
    begun: float  # s, on the clock of the record: when the step before it ended
    ended: float  # s
    steady: bool  # whether the current stays the same


def parts(record: Cycling, steady: float = STEADY) -> list[Part]:
    """The steps of a record, rests included.

    A step ends where the cycler says so, or where the current jumps by more than `steady` of the largest in the record.
    """
    if not np.all(np.isfinite(record.current)):
        raise DataError(f"{record.label}: the record holds no current; read it with current=... [A]")
    least = steady * float(np.max(np.abs(record.current)))
    if least == 0:
        raise DataError(f"{record.label}: the current is 0 A throughout; nothing is discharged")
    jumps = np.abs(np.diff(record.current)) > least
    if record.step is not None:
        jumps |= np.diff(record.step) != 0
    edges = [0, *(np.flatnonzero(jumps) + 1), len(record)]
    return [_part(record, int(first), int(last), least) for first, last in itertools.pairwise(edges)]


def _part(record: Cycling, first: int, last: int, least: float) -> Part:
    begun, ended = float(record.time[max(first - 1, 0)]), float(record.time[last - 1])
    middle = float(np.median(record.current[first:last]))
    even = float(np.mean(np.abs(record.current[first:last] - middle) < least)) >= MOSTLY
    if last - first >= SHORTEST and ended > record.time[first]:
        middle = float((record.capacity[last - 1] - record.capacity[first]) / (ended - record.time[first]))
    return Part(slice(first, last), middle, begun, ended, even)


def discharges(
    record: Cycling,
    area: float,
    *,
    temperature: float | None = None,
    drawn: float = 0.0,
    ended_by_voltage: bool = True,
    sigma: float | None = None,
    charge_sigma: float | None = None,
) -> list[Discharge]:
    """Every discharge at constant current in a record, each from the same state.

    area: m2; temperature: K, by default the mean of the record's own, else 298.15; drawn: before each [C m-2];
    ended_by_voltage: whether the last voltage of each is the cutoff that ended it. A current begins at the row before
    its first one: instruments write a row after a change.
    """
    found = []
    least = STEADY * float(np.max(np.abs(record.current)))
    for part in parts(record):
        time = record.time[part.rows] - part.begun
        own = np.flatnonzero(np.diff(time, prepend=0.0) > 0)
        if part.current <= least or not part.steady or len(own) < SHORTEST:
            continue
        voltage = record.voltage[part.rows][own]
        found.append(
            Discharge(
                part.current / area,
                time[own],
                voltage,
                float(voltage[-1]) if ended_by_voltage else None,
                temperature=_warmth(record, part.rows, temperature),
                drawn=drawn,
                sigma=sigma,
                charge_sigma=charge_sigma,
                label=f"{record.label} {len(found) + 1}".strip(),
            )
        )
    if not found:
        raise DataError(f"{record.label}: no discharge at constant current of at least {SHORTEST} rows")
    return found


def titration(
    record: Cycling, area: float, *, temperature: float | None = None, drawn: float = 0.0, sigma: float | None = None
) -> Titration:
    """A record of pulses and rests as one titration, with the current and the time of every step. area: m2."""
    found = [part for part in parts(record) if part.ended > part.begun]
    least = STEADY * float(np.max(np.abs(record.current)))
    drifting = [part for part in found if not part.steady]
    if drifting:
        raise DataError(
            f"{record.label}: from {drifting[0].begun:g} to {drifting[0].ended:g} s the current is not constant; "
            "cut the record to its pulses and rests"
        )
    current = np.array([part.current if abs(part.current) > least else 0.0 for part in found])
    time = record.time - found[0].begun
    own = np.flatnonzero(np.diff(time, prepend=0.0) > 0)
    return Titration(
        current / area,
        np.array([part.ended - part.begun for part in found]),
        time[own],
        record.voltage[own],
        temperature=_warmth(record, slice(None), temperature),
        drawn=drawn,
        sigma=sigma,
        label=record.label,
    )


def _warmth(record: Cycling, rows, given: float | None) -> float:
    if given is not None:
        return given
    return float(np.mean(record.temperature[rows])) if record.temperature is not None else 298.15
