"""Neware .nda and .ndax, read by the library fastnda (extra `cyclers`)."""

from __future__ import annotations

import numpy as np

from ionics.fitting.files.source import Source
from ionics.fitting.files.table import Table
from ionics.fitting.spectrum import DataError

NAMES = {  # fastnda -> the names of the cycling vocabulary
    "total_time_s": "total_time_s",
    "voltage_V": "voltage_V",
    "current_mA": "current_mA",
    "cycle_count": "cycle_count",
    "step_count": "step_count",
}


def is_neware(source: Source) -> bool:
    return source.content.startswith(b"NEWARE") or any(name.endswith(".ndc") for name in source.archive)


def neware_table(source: Source) -> Table:
    """The record of a Neware cycler: total time, voltage, current, cycle, step."""
    try:
        import fastnda
    except ImportError:
        raise DataError(
            f"{source.path}: a Neware record needs the library fastnda: pip install 'ionics-toolkit[cyclers]', "
            "or export it as csv"
        ) from None
    try:
        frame = fastnda.read(str(source.path))
    except Exception as error:  # whatever a damaged file does to the library
        raise DataError(f"{source.path}: fastnda cannot read it ({error}); export it as csv") from error
    arrays = [np.asarray(frame[name].to_numpy(), dtype=float) for name in NAMES]
    return Table(
        str(source.path),
        list(NAMES.values()),
        lines=list(range(1, len(frame) + 1)),
        place="point",
        arrays=arrays,
        metadata={"instrument": "Neware"},
    )
