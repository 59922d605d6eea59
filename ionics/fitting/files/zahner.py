"""Zahner Thales .ism: one spectrum in binary, big-endian.

Six bytes of version, six of the number of points less one, then for each quantity all points as 8-byte numbers:
frequency [Hz], modulus [ohm], phase [rad], time [s since 1980]. Two bytes of significance a point follow, and texts,
each after its length in two bytes; the first is the date as DDMMYY.
"""

from __future__ import annotations

import numpy as np

from ionics.fitting.files.source import Source
from ionics.fitting.files.table import Table
from ionics.fitting.spectrum import DataError

HEAD = 12  # bytes before the first number
POINT = 4 * 8 + 2  # bytes a point
MOST_POINTS = 100_000


def is_ism(source: Source) -> bool:
    """Whether the first bytes can be those of a .ism file: a number of points, and a known version or frequencies."""
    points = _points(source)
    if not 1 < points < MOST_POINTS:
        return False
    if source.content.startswith(b"\x00\x00\xff\xff"):
        return True
    if len(source.content) < HEAD + POINT * points:
        return False
    frequency = np.frombuffer(source.content, ">f8", points, HEAD)
    return bool(np.all((frequency > 1e-9) & (frequency < 1e9)))


def ism_table(source: Source) -> Table:
    """Frequency, modulus and phase from the highest frequency to the lowest.

    Thales begins in the middle, goes up, turns, and goes down; the way up is left out: its frequencies come again.
    """
    points = _points(source)
    if len(source.content) < HEAD + POINT * points:
        raise DataError(
            f"{source.path}: a Zahner file of {points} points needs {HEAD + POINT * points} bytes and has "
            f"{len(source.content)}: it is cut short; copy it again"
        )
    values = np.frombuffer(source.content, ">f8", 4 * points, HEAD).reshape(4, points).astype(float)
    first, last = sorted((int(np.argmin(values[0])), int(np.argmax(values[0]))))
    kept = values[:, first : last + 1]
    table = Table(
        str(source.path),
        ["freq/Hz", "|Z|/Ohm", "Phase(Z)/rad", "time/s"],
        lines=list(range(first + 1, last + 2)),
        place="point",
        arrays=list(kept),
        metadata={"instrument": "Zahner"} | _date(source.content, HEAD + POINT * points),
    )
    left_out = points - kept.shape[1]
    if left_out:
        table.notes.append(
            f"{left_out} points before the turn of the sweep were left out: they are measured again after"
        )
    return table


def _points(source):
    return int.from_bytes(source.content[6:12], "big", signed=True) + 1


def _date(content, at):
    length = int.from_bytes(content[at : at + 2], "big")
    text = content[at + 2 : at + 2 + length].decode("latin-1")[:6]
    return {"date": f"20{text[4:]}-{text[2:4]}-{text[:2]}"} if len(text) == 6 and text.isdigit() else {}
