"""A record of a cycler: voltage and current against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ionics.fitting.files.columns import CYCLING
from ionics.fitting.files.readers import find_tables
from ionics.fitting.files.source import open_source
from ionics.fitting.spectrum import DataError, attributes_of

if TYPE_CHECKING:
    import xarray as xr

UNITS = {"voltage": "V", "current": "A", "capacity": "C", "cycle": "1", "step": "1", "temperature": "K"}
LONG_NAMES = {
    "voltage": "voltage",
    "current": "current, positive on discharge",
    "capacity": "charge drawn since the first row, positive on discharge",
}


@dataclass(frozen=True, eq=False)
class Cycling:
    """What a cycler recorded, row by row. Where it recorded no current, current and capacity are NaN."""

    time: Float[np.ndarray, " row"]  # s, never falling
    voltage: Float[np.ndarray, " row"]  # V
    current: Float[np.ndarray, " row"]  # A, positive on discharge
    capacity: Float[np.ndarray, " row"]  # C = A s, drawn since the first row: falls on charge
    cycle: Float[np.ndarray, " row"] | None = None
    step: Float[np.ndarray, " row"] | None = None
    temperature: Float[np.ndarray, " row"] | None = None  # K
    label: str = ""
    source: str = ""  # path of the file
    sha256: str = ""  # of the file's bytes
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self):
        name = self.label or self.source or "cycling record"
        for key in ("time", *UNITS):
            values = getattr(self, key)
            if values is None:
                continue
            if np.ndim(values) != 1 or len(values) != len(self.time) or not len(values):
                raise DataError(f"{name}: {key} has shape {np.shape(values)}; valid: one number for each time")
            object.__setattr__(self, key, np.asarray(values, dtype=float))
        if not np.all(np.isfinite(self.time) & np.isfinite(self.voltage)):
            raise DataError(f"{name}: time and voltage must be finite")
        back = np.flatnonzero(np.diff(self.time) < 0)
        if len(back):
            k = back[0] + 1
            raise DataError(
                f"{name}: time goes back from {self.time[k - 1]:g} to {self.time[k]:g} s at row {k + 1}; "
                "give the time since the beginning of the test, not of the step"
            )
        object.__setattr__(self, "metadata", dict(self.metadata))

    def __len__(self) -> int:
        return len(self.time)

    def to_xarray(self) -> xr.Dataset:
        """Variables over time [s], with units; label, file name, digest, notes and metadata as attributes."""
        import xarray as xr

        data = {
            key: ("time", values, {"units": unit, "long_name": LONG_NAMES.get(key, key)})
            for key, unit in UNITS.items()
            if (values := getattr(self, key)) is not None
        }
        time = {"time": ("time", self.time, {"units": "s", "long_name": "time"})}
        return xr.Dataset(data, time, attributes_of(self))


def read_cycling(
    path: str | Path,
    *,
    columns: Sequence[int | str] | None = None,
    current: float | None = None,
    sign: int | None = None,
    delimiter: str | None = None,
) -> Cycling:
    """The record in a file: BioLogic .mpr and .mpt, Neware .nda and .ndax, Gamry, Arbin, Maccor, CSV, Excel.

    columns: positions (from 0) of time, voltage and, where there is one, current in a file without header;
    current: the constant current in A, positive on discharge, where the file does not hold it; sign: +1 where the
    column of the file is positive on discharge, -1 where it is positive on charge, None for what instruments do
    (charge is positive), checked against the course of the voltage.
    """
    from ionics.fitting.files.recorded import recorded

    if sign not in (None, 1, -1):
        raise DataError(f"{path}: sign={sign!r}; valid: +1 (positive on discharge), -1 (positive on charge) or None")
    source = open_source(path)
    tables = find_tables(source, CYCLING, delimiter, columns)
    table = tables[0]
    if len(tables) > 1:
        names = ", ".join(one.title for one in tables)
        table.notes.append(f"the file holds {len(tables)} records ({names}): this is {table.title}")
    return Cycling(
        **recorded(table, columns, current, sign),
        label=source.path.stem,
        source=str(source.path),
        sha256=source.sha256,
        notes=tuple(table.notes),
        metadata=table.metadata,
    )
