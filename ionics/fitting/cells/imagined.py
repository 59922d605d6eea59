"""Records that nobody has made yet, with what the cell is expected to answer: when it is read, and what it then shows.

A record stands in for one to come: only what is done to the cell counts, its data do not.
"""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np

from ionics.fitting.cells.packing import title
from ionics.fitting.cells.problem import CellPosed
from ionics.fitting.cells.records import POINTS, Discharge, Impedance, Rates, Record, Titration, along
from ionics.fitting.cells.result import Fitted, fitted
from ionics.fitting.posed import linearised
from ionics.fitting.spectrum import DataError, Spectrum

FIRST = 1e-3  # of the time to the cutoff: when a discharge is first read, where its stand-in has no time
ENDS = 20  # of POINTS, spread over the logarithm of time since the beginning, and until the end, where curves are steep
NEAR = 1e-4  # of the time to the cutoff: the nearest to the end
PASSES = 2  # of moving them to where a curve turned out to be steep
FINE = 2000  # readings that are thinned as those of a cycler are
FAR = 1e3  # V; no step of a titration ends because of what stands in for its voltages


def imagined(posed: CellPosed, measured: int = 0) -> CellPosed:
    """The same with the answers of the cell as data, at the values where its unknowns start.

    measured: so many of the records, the first ones, have been made and stay as they are. A discharge is read from the
    first time of its stand-in on, up to its cutoff, at the points that a fit would keep. Raises DataError for a
    discharge without a cutoff and for a record through which the cell cannot be followed.
    """
    made, stand_in = posed.records[:measured], posed.records[measured:]

    def answered(records):
        return _answers(dataclasses.replace(posed, records=(*made, *records)))[measured:]

    # the same shapes every time, those of the derivatives as well: compiled once
    records = [_blank(one, title(one, posed.records)) for one in stand_in]
    records = [_timed(one, own) for one, own in zip(stand_in, answered(records), strict=True)]
    for _ in range(PASSES):
        records = [_thinned(one, own) for one, own in zip(records, answered(records), strict=True)]
    records = [_filled(one, own) for one, own in zip(records, answered(records), strict=True)]
    return dataclasses.replace(posed, records=(*made, *records))


def _answers(posed: CellPosed) -> tuple[Fitted, ...]:
    missed = np.asarray(linearised(posed.problem, jnp.asarray(posed.unknowns.start))[0])
    names = tuple(title(one, posed.records) for one in posed.records)
    found = fitted(names, posed.records, posed.packed, missed[: len(posed.packed.record)])
    for one in found:
        if not (np.all(np.isfinite(one.model)) and np.isfinite(one.capacity or 0.0)):
            raise DataError(f"{one.name}: the cell cannot be followed through it with the values expected")
    return found


def _blank(one: Record, name: str) -> Record:
    """With data of the right size."""
    if isinstance(one, Discharge):
        if one.cutoff is None:
            raise DataError(f"{name}: a discharge to come needs a cutoff")
        time = np.linspace(0, 1, POINTS + 1)[1:]
        return dataclasses.replace(one, time=time, voltage=np.full(POINTS, one.cutoff), capacity=1.0)
    if isinstance(one, Rates):
        return dataclasses.replace(one, capacity=np.ones(len(one.current)))
    if isinstance(one, Titration):
        if len(one.time) < 2:
            raise DataError(f"{name}: {len(one.time)} reading; valid: 2 or more")
        return dataclasses.replace(one, voltage=FAR * (-1.0) ** np.arange(len(one.time)))
    return dataclasses.replace(one, spectrum=_spectrum(one, np.ones(len(one.spectrum), complex)))


def _timed(stand_in: Record, own: Fitted) -> Record:
    """A discharge read until it ends."""
    one = own.record
    if not isinstance(one, Discharge) or not isinstance(stand_in, Discharge) or own.capacity is None:
        return one
    end = own.capacity / abs(one.current)
    first = float(stand_in.time[0]) if len(stand_in.time) else FIRST * end
    if not first < end:  # over before it is read
        return dataclasses.replace(one, time=np.zeros(0), voltage=np.zeros(0), capacity=own.capacity)
    early, late = np.geomspace(first, end, ENDS + 1)[:-1], end - np.geomspace(NEAR * end, end - first, ENDS + 1)[:-1]
    between = np.linspace(first, end, POINTS - 2 * ENDS + 1)[1:]
    time = np.unique(np.concatenate([early, between, late[late > first]]))
    return dataclasses.replace(one, time=time, voltage=np.full(len(time), one.cutoff), capacity=own.capacity)


def _thinned(one: Record, own: Fitted) -> Record:
    """Read where a fit would keep the readings."""
    if not isinstance(one, Discharge) or not len(one.time):
        return one
    places = np.arange(len(one.time))
    time = np.interp(np.linspace(0, len(places) - 1, FINE), places, one.time)
    voltage = np.interp(time, one.time, own.model)
    kept = along(abs(one.current) * time, voltage, POINTS)
    return dataclasses.replace(one, time=time[kept], voltage=voltage[kept])


def _filled(one: Record, own: Fitted) -> Record:
    """With the answers as data."""
    if isinstance(one, Rates):
        if not own.model.max() > 0:
            raise DataError(f"{own.name}: the cell passes none of these currents")
        return dataclasses.replace(one, capacity=np.maximum(own.model, 0.0))
    if isinstance(one, Impedance):
        return dataclasses.replace(one, spectrum=_spectrum(one, own.model / one.area))
    return dataclasses.replace(one, voltage=np.asarray(own.model))


def _spectrum(one: Impedance, z) -> Spectrum:
    return dataclasses.replace(one.spectrum, impedance=z)
