"""Several spectra in one file: where one ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex, Float, Int

from ionics.fitting.files.table import Table
from ionics.fitting.spectrum import DataError


def separate(
    frequency: Float[np.ndarray, " row"], number: Float[np.ndarray, " row"] | None
) -> list[Int[np.ndarray, " point"]]:
    """Index arrays, one a spectrum: by the loop column, or where the frequencies start again."""
    everything = np.arange(len(frequency))
    if number is not None and len(np.unique(number)) > 1:
        return np.split(everything, np.flatnonzero(np.diff(number)) + 1)
    steps = np.sign(np.diff(frequency))
    direction = 1 if np.sum(steps > 0) > np.sum(steps < 0) else -1
    runs = np.split(everything, np.flatnonzero(steps == -direction) + 1)
    first = frequency[runs[0]]
    same = [len(run) <= len(first) and np.allclose(frequency[run], first[: len(run)], rtol=1e-2) for run in runs]
    return runs if len(first) >= 3 and all(same) else [everything]


def check_once(table: Table, frequency: Float[np.ndarray, " row"], part: Int[np.ndarray, " point"]) -> None:
    """Refuse a frequency that was measured twice in one spectrum."""
    seen = {}
    for k in part:
        line = table.lines[k]
        if frequency[k] in seen:
            raise DataError(
                f"{table.path}, {table.place}s {seen[frequency[k]]} and {line}: frequency {frequency[k]:g} Hz twice "
                "in one spectrum; keep one of the rows"
            )
        seen[frequency[k]] = line


def remarks(
    frequency: Float[np.ndarray, " point"], impedance: Complex[np.ndarray, " point"], loop: int, loops: int
) -> Iterator[str]:
    """What a reader of the spectrum should know about its points."""
    if loops > 1:
        yield f"loop {loop} of {loops} in the file"
    steps = np.diff(frequency)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        yield "the frequencies were not in order and were sorted"
    if np.any(np.real(impedance) < 0):
        yield f"{np.sum(np.real(impedance) < 0)} points have a negative real part"
    jump = _jump(frequency, np.real(impedance))
    if jump:
        yield jump


def _jump(frequency, real):
    """A real part that changes tenfold within half a decade changes faster than any network of R, C and Q lets it."""
    order = np.argsort(frequency)
    frequency, real = frequency[order], real[order]
    near = frequency[1:] < 3 * frequency[:-1]
    size = np.abs(real)
    apart = (size[1:] > 10 * size[:-1]) | (size[:-1] > 10 * size[1:])
    doubtful = np.flatnonzero(near & apart & (np.sign(real[1:]) == np.sign(real[:-1])))
    if not len(doubtful):
        return ""
    k = doubtful[0]
    return (
        f"the real part jumps from {real[k]:.4g} to {real[k + 1]:.4g} ohm between {frequency[k]:.4g} and "
        f"{frequency[k + 1]:.4g} Hz"
        + (f", and at {len(doubtful) - 1} more places" if len(doubtful) > 1 else "")
        + ": a point may be bad"
    )
