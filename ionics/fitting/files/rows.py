"""Text files that hold one spectrum a row: `Re(Z)FREQUENCY` in the header, or pairs beside a file of frequencies."""

from __future__ import annotations

import re

import numpy as np

from ionics.fitting.files.loops import remarks
from ionics.fitting.files.measured import Options
from ionics.fitting.files.source import Source, open_source
from ionics.fitting.files.table import Table, fill, find_delimiter, is_number, split
from ionics.fitting.spectrum import DataError, Spectrum

PART = re.compile(r"(-?)(Re|Im)\(Z\)[\s_@]*(\d[\d.]*(?:[eE][+-]?\d+)?)(?:\s*Hz)?")
CYCLE = re.compile(r"cycle[\s_]*(?:nr|no|number|index)?\.?", re.IGNORECASE)


def spectra_in_rows(source: Source, lines: list[str], options: Options) -> list[Spectrum]:
    """The spectra of a file that has one in each row; empty where the file is none of this kind."""
    first = next(filter(str.strip, lines))
    delimiter = options.delimiter or find_delimiter([first])
    cells = split(first, delimiter)
    if sum(bool(PART.fullmatch(cell)) for cell in cells) >= 6:
        return _named(source, lines, cells, delimiter, options)
    if len(cells) >= 8 and len(cells) % 2 == 0 and all(map(is_number, cells)) and options.columns is None:
        return _pairs(source, lines, delimiter, options)
    return []


def _named(source, lines, names, delimiter, options):
    """Frequencies in the names of the columns; other columns are conditions and metadata of the row."""
    parts = {k: match for k, name in enumerate(names) if (match := PART.fullmatch(name))}
    real, imaginary = ({match[3]: k for k, match in parts.items() if match[2] == which} for which in ("Re", "Im"))
    if len(real) + len(imaginary) != len(parts):
        raise DataError(f"{source.path}, line 1: a frequency stands twice in the names of the columns")
    if real.keys() != imaginary.keys():
        odd = sorted(real.keys() ^ imaginary.keys())
        raise DataError(f"{source.path}, line 1: real and imaginary part do not both stand for frequency {odd[0]} Hz")
    table = fill(
        Table(str(source.path), names, delimiter=delimiter), lines, lines.index(next(filter(str.strip, lines))) + 1
    )
    frequency = np.array(list(map(float, real)))
    sign = np.array([-1 if parts[imaginary[f]][1] else 1 for f in real]) if options.sign is None else options.sign
    values = np.column_stack([table.column(real[f]) + 1j * table.column(imaginary[f]) for f in real])
    impedance = values.real + 1j * sign * values.imag
    others = [k for k in range(len(names)) if k not in parts and names[k] and any(row[k] for row in table.rows)]
    spectra = []
    for row, z in enumerate(impedance):
        said = {names[k]: _value(table.rows[row][k]) for k in others if table.rows[row][k]}
        cycle = next((said.pop(name) for name in list(said) if CYCLE.fullmatch(name)), None)
        notes = [f"row {row} of {len(impedance)}; the frequencies stand in the names of the columns"]
        conditions = {"cycle": cycle} if isinstance(cycle, float) else {}
        spectra.append(_spectrum(source, row, frequency, z, notes, conditions, said, options))
    return spectra


def _pairs(source, lines, delimiter, options):
    """Rows of Re, Im, Re, Im with the frequencies in `freq_NAME` beside `Z1s_NAME` (nleis.py)."""
    kind, _, rest = source.path.name.partition("_")
    beside = source.path.with_name(f"freq_{rest}")
    if not rest or not beside.is_file() or beside == source.path:
        return []
    if kind.lower().startswith("z2"):
        raise DataError(
            f"{source.path}: the second harmonic of a nonlinear measurement [V/A^2], which no linear model describes; "
            f"the impedance is that of {source.path.with_name('Z1' + source.path.name[2:]).name}"
        )
    other = open_source(beside)
    texts = [line.strip() for line in other.lines if line.strip()]
    table = fill(Table(str(source.path), None, delimiter=delimiter), lines, 0)
    if len(texts) != table.width // 2 or not all(map(is_number, texts)):
        raise DataError(f"{source.path}: {table.width // 2} pairs a row, and {beside.name} has not as many frequencies")
    values = np.column_stack([table.column(k) for k in range(table.width)])
    sign = options.sign or 1
    note = f"pairs of real and imaginary part; the frequencies stand in {beside.name}"
    return [
        _spectrum(source, row, np.array(texts, dtype=float), z[::2] + 1j * sign * z[1::2], [note], {}, {}, options)
        for row, z in enumerate(values)
    ]


def _spectrum(source, row, frequency, impedance, notes, conditions, metadata, options):
    return Spectrum(
        frequency,
        impedance,
        temperature=options.temperature,
        label=f"{source.path.stem} row {row}",
        source=str(source.path),
        sha256=source.sha256,
        notes=(*notes, *remarks(frequency, impedance, 0, 1)),
        conditions=conditions,
        metadata=metadata,
    )


def _value(text):
    return float(text) if is_number(text) and "," not in text else text
