"""Read impedance spectra from text: CSV and TXT exports, BioLogic .mpt.

Every decision that was not written in the file (order of columns, sign of the imaginary part, loops) is
stated in the notes of the spectrum. Anything that cannot be decided is a DataError.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ionics.fitting.columns import VALID, Column, understand
from ionics.fitting.loops import check_once, remarks, separate
from ionics.fitting.spectrum import DataError, Spectrum
from ionics.fitting.table import Table, fill, find_delimiter, is_number, read_text, split

NEEDED = "a frequency, and real and imaginary part (or modulus and phase)"
KNOWN = "freq, Zre or Z' or Re(Z), Zim or Z'' or -Im(Z), |Z|, Phase(Z)"


def read_spectrum(
    path: str | Path,
    *,
    columns: Sequence[int | str] | None = None,
    sign: int | None = None,
    delimiter: str | None = None,
    loop: int | None = None,
    temperature: float | None = None,
) -> Spectrum:
    """The spectrum in a file.

    columns: positions (from 0) or names of frequency, real part, imaginary part, where the header does not
    tell; sign: +1 where the third column holds Im Z, -1 where it holds -Im Z, None to take the header's word
    or to detect it; loop: which spectrum (from 0) of a file that holds several; temperature in K.
    """
    spectra = read_spectra(path, columns=columns, sign=sign, delimiter=delimiter, temperature=temperature)
    if loop is None and len(spectra) > 1:
        raise DataError(
            f"{path}: holds {len(spectra)} spectra; name one with loop=0 to {len(spectra) - 1}, or read all"
        )
    if loop is not None and not 0 <= loop < len(spectra):
        raise DataError(f"{path}: there is no loop {loop}; the file holds {len(spectra)}, counted from 0")
    return spectra[loop or 0]


def read_spectra(
    path: str | Path,
    *,
    columns: Sequence[int | str] | None = None,
    sign: int | None = None,
    delimiter: str | None = None,
    temperature: float | None = None,
) -> list[Spectrum]:
    """All spectra in a file, in the order they were measured; arguments as in `read_spectrum`."""
    path = Path(path)
    if sign not in (None, 1, -1):
        raise DataError(f"{path}: sign={sign!r}; valid: +1 (third column is Im Z), -1 (it is -Im Z) or None (detect)")
    content = _bytes(path)
    table = _table(path, read_text(path, content), delimiter, columns)
    roles = _chosen(table, columns) if columns is not None else _recognised(table)
    data = _numbers(table, roles)
    impedance, notes = _impedance(table, roles, data, sign)
    frequency = data["frequency"]
    loops = separate(frequency, data.get("loop"))
    spectra = []
    for k, part in enumerate(loops):
        check_once(table, frequency, part)
        sentences = [*table.notes, *notes, *remarks(frequency[part], impedance[part], k, len(loops))]
        spectra.append(
            Spectrum(
                frequency[part],
                impedance[part],
                temperature=temperature,
                label=path.stem if len(loops) == 1 else f"{path.stem} loop {k}",
                source=str(path),
                sha256=hashlib.sha256(content).hexdigest(),
                notes=tuple(sentences),
            )
        )
    return spectra


def _bytes(path):
    if path.is_dir():
        raise DataError(f"{path}: is a directory; give the file itself")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


# ---- lines -> table


def _table(path, lines, delimiter, columns):
    if lines[0].startswith(("EC-Lab ASCII FILE", "BT-Lab ASCII FILE")):
        return _biologic(path, lines)
    delimiter = delimiter or find_delimiter(lines)
    head = _header_line(lines, delimiter)
    if head is None:
        return _headless(path, lines, delimiter, columns)
    names = _names(lines[head], delimiter)
    table = fill(Table(str(path), names, delimiter=delimiter), lines, head + 1)
    if not table.rows:
        raise DataError(f"{path}: no data after the header on line {head + 1}")
    return table


def _biologic(path, lines):
    """EC-Lab text: the second line says on which line the column names stand."""
    match = re.search(r"(\d+)", lines[1]) if len(lines) > 1 and "header lines" in lines[1] else None
    head = int(match[1]) - 1 if match else -1
    if not 1 < head < len(lines) or "\t" not in lines[head]:
        raise DataError(f"{path}, line 2: expected 'Nb header lines : N' with the column names on line N")
    names = [name for name in split(lines[head], "\t") if name]
    table = fill(Table(str(path), names, delimiter="\t"), lines, head + 1)
    if not table.rows:
        raise DataError(f"{path}: no data after the header on line {head + 1}")
    return table


def _names(line, delimiter):
    names = split(line.lstrip("# "), delimiter)
    if len(names) == 1 and delimiter != " ":  # ZView: one quoted line of names above rows with another delimiter
        return re.split(r"\s{2,}", names[0].strip())
    return [name for name in names if name] if delimiter == "\t" else names


def _header_line(lines, delimiter):
    """The first line whose names include a frequency and an impedance."""
    for number, line in enumerate(lines[:500]):
        roles = {column.role for name in _names(line, delimiter) if (column := understand(name))}
        if "frequency" in roles and ({"real", "imaginary"} <= roles or {"modulus", "phase"} <= roles):
            return number
    return None


def _headless(path, lines, delimiter, columns):
    """No names that mean anything: rows of numbers, in the order given or in the order f, Re, Im."""
    numeric = (k for k, line in enumerate(lines) if sum(map(is_number, split(line, delimiter))) >= 2)
    first = next(numeric, None)
    if first is None:
        raise DataError(f"{path}: no line of numbers was found; expected {NEEDED}")
    above = split(lines[first - 1].lstrip("# "), delimiter) if first else []
    named = len(above) >= 2 and not any(is_number(cell) for cell in above)
    if named and columns is None and len(above) == len(split(lines[first], delimiter)):
        raise DataError(
            f"{path}, line {first}: columns {', '.join(above)} are not known; known: {KNOWN}; or say columns=(0, 1, 2)"
        )
    names = above if named and len(above) == len(split(lines[first], delimiter)) else None
    return fill(Table(str(path), names, delimiter=delimiter), lines, first)


# ---- table -> columns


def _recognised(table):
    if table.names is None:
        return _by_position(table)
    roles = {}
    for position, name in enumerate(table.names):
        column = understand(name)
        if column is not None and column.role not in roles:
            roles[column.role] = (position, column)
    polar, cartesian = {"modulus", "phase"} <= roles.keys(), {"real", "imaginary"} <= roles.keys()
    if "frequency" not in roles or not (polar or cartesian):
        raise DataError(f"{table.path}: columns {', '.join(table.names)} do not hold {NEEDED}; known names: {KNOWN}")
    unused = ("modulus", "phase") if cartesian else ("real", "imaginary")
    return {role: _measured(table, *where) for role, where in roles.items() if role not in unused}


def _measured(table, position, column):
    if column.factor is None:
        raise DataError(
            f"{table.path}: column '{table.names[position]}': unit '{column.unit}' is not understood; "
            f"valid: {VALID.get(column.role, 'ohm, mohm, kohm, Mohm')}"
        )
    return position, column


def _by_position(table):
    width = len(table.rows[0])
    if width == 3:
        table.notes.append("no header: the columns were taken as frequency [Hz], real part, imaginary part [ohm]")
        return {role: (k, Column(role)) for k, role in enumerate(("frequency", "real", "imaginary"))}
    where = f"{table.path}, line {table.lines[0]}"
    if width < 3:
        raise DataError(f"{where}: {width} columns; a spectrum needs {NEEDED}")
    commas = table.delimiter == "," and width % 2 == 0 and not any("." in cell for cell in table.rows[0])
    hint = " (are the commas decimal commas? then separate columns by another sign)" if commas else ""
    raise DataError(f"{where}: {width} columns without a header{hint}; say columns=(frequency, real, imaginary)")


def _chosen(table, columns):
    if len(columns) != 3:
        raise DataError(f"{table.path}: columns={tuple(columns)!r}; name three: frequency, real part, imaginary part")
    width = len(table.names or table.rows[0])
    roles = {}
    for role, key in zip(("frequency", "real", "imaginary"), columns, strict=True):
        if isinstance(key, str):
            if key not in (table.names or []):
                raise DataError(f"{table.path}: no column '{key}'; there are {', '.join(table.names or ['no names'])}")
            key = table.names.index(key)
        if not 0 <= key < width:
            raise DataError(f"{table.path}: no column {key}; there are {width}, counted from 0")
        known = understand(table.names[key]) if table.names else None
        roles[role] = _measured(table, key, known) if known and known.role == role else (key, Column(role))
    return roles


# ---- columns -> numbers


def _numbers(table, roles):
    """Role -> array in Hz, ohm, degrees; rows of zeros are not impedance points and are left out."""
    data = {
        role: column.factor * np.array([table.number(row, position) for row in range(len(table.rows))])
        for role, (position, column) in roles.items()
    }
    idle = np.all([data[role] == 0 for role in data if role != "loop"], axis=0)
    if idle.any() and not idle.all():
        table.notes.append(f"{idle.sum()} rows without frequency and impedance were left out")
        data = {role: values[~idle] for role, values in data.items()}
        table.lines = [line for line, out in zip(table.lines, idle, strict=True) if not out]
    for k, value in enumerate(data["frequency"]):
        if value <= 0:
            raise DataError(f"{table.path}, line {table.lines[k]}: frequency {value:g} Hz; valid: > 0")
    if len(data["frequency"]) < 3:
        raise DataError(f"{table.path}: {len(data['frequency'])} points; a spectrum needs at least 3")
    return data


def _impedance(table, roles, data, sign):
    """Z with Im Z < 0 where it is capacitive, and a sentence about how that sign was found."""
    name = "imaginary" if "imaginary" in data else "phase"
    stated = -1 if roles[name][1].negated else None
    capacitive = float(np.mean(data[name] < 0))
    found = sign or stated or (1 if capacitive >= 0.5 else -1)
    share = capacitive if found > 0 else 1 - capacitive
    holds = ("-" if found < 0 else "") + {"imaginary": "Im Z", "phase": "arg Z"}[name]
    why = "as asked" if sign else "as its name says" if stated else "detected"
    notes = [f"the {name} column holds {holds} ({why}): {100 * share:.0f} % of the points are capacitive"]
    if share < 0.5:
        notes.append("most points are inductive: check the sign of the imaginary part")
    if name == "imaginary":
        impedance = data["real"] + 1j * found * data["imaginary"]
    else:
        impedance = data["modulus"] * np.exp(1j * found * np.deg2rad(data["phase"]))
    for k in np.flatnonzero(impedance == 0):
        raise DataError(f"{table.path}, line {table.lines[k]}: the impedance is zero; remove the row")
    return impedance, notes
