"""From a table to spectra: which columns, which sign, where one spectrum ends and the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionics.fitting.files.columns import CARTESIAN, IMPEDANCE, POLAR, UNITS_OF_OHM, Column
from ionics.fitting.files.loops import check_once, remarks, separate
from ionics.fitting.files.source import Source
from ionics.fitting.files.table import Table
from ionics.fitting.spectrum import DataError, Spectrum, Unrecognised

CHOSEN = ("frequency", "real", "imaginary")


@dataclass(frozen=True)
class Options:
    """What a caller may say of a file that does not say it; see `readers.read_spectrum`."""

    columns: Sequence[int | str] | None = None
    sign: int | None = None
    delimiter: str | None = None
    temperature: float | None = None  # K
    area: float | None = None  # m^2


def spectra_of(source: Source, table: Table, options: Options) -> list[Spectrum]:
    """The spectra of one table, in the order they were measured."""
    roles = _given(table, options.columns) if options.columns is not None else _recognised(table)
    _with_area(table, roles, options.area)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then, Spectrum refuses
        data = _numbers(table, roles, options.area)
        impedance, notes = _impedance(table, roles, data, options.sign)
    frequency = data["frequency"]
    loops = separate(frequency, data.get("loop"))
    title = f"{source.path.stem} {table.title}" if table.title else source.path.stem
    spectra = []
    for k, part in enumerate(loops):
        check_once(table, frequency, part)
        started = {"time": data["time"][part[0]]} if "time" in data and len(loops) > 1 else {}
        sentences = [*table.notes, *notes, *remarks(frequency[part], impedance[part], k, len(loops))]
        spectra.append(
            Spectrum(
                frequency[part],
                impedance[part],
                temperature=options.temperature,
                label=title if len(loops) == 1 else f"{title} loop {k}",
                source=str(source.path),
                sha256=source.sha256,
                notes=tuple(sentences),
                conditions=started,
                metadata=table.metadata,
            )
        )
    return spectra


# ---- which columns


def _recognised(table):
    if table.names is None:
        return _by_position(table)
    roles = {}
    for position, name in enumerate(table.names):
        column = IMPEDANCE.understand(name)
        if column is not None and column.role not in roles:
            roles[column.role] = (position, column)
    unused = POLAR - CARTESIAN if roles.keys() >= CARTESIAN else CARTESIAN - POLAR
    return {role: _in_a_unit(table, *where) for role, where in roles.items() if role not in unused}


def _in_a_unit(table, position, column):
    if column.factor is None:
        raise DataError(
            f"{table.path}: column '{table.names[position]}': unit '{column.unit}' is not understood; "
            f"valid: {IMPEDANCE.valid.get(column.role, UNITS_OF_OHM)}"
        )
    return position, column


def _by_position(table):
    width = table.width
    if width == 3:
        table.notes.append("no header: the columns were taken as frequency [Hz], real part, imaginary part [ohm]")
        return {role: (k, Column(role)) for k, role in enumerate(CHOSEN)}
    where = f"{table.path}, {table.place} {table.lines[0]}"
    if width < 3:
        door = "; time and voltage are read with read_cycling" if width == 2 else ""
        raise Unrecognised(f"{where}: {width} columns; a spectrum needs {IMPEDANCE.needed}{door}")
    commas = table.delimiter == "," and width % 2 == 0 and not any("." in cell for cell in table.rows[0])
    hint = " (are the commas decimal commas? then separate columns by another sign)" if commas else ""
    raise Unrecognised(f"{where}: {width} columns without a header{hint}; say columns=(frequency, real, imaginary)")


def _given(table, columns):
    if len(columns) != 3:
        raise DataError(f"{table.path}: columns={tuple(columns)!r}; name three: frequency, real part, imaginary part")
    roles = {}
    for role, key in zip(CHOSEN, columns, strict=True):
        if isinstance(key, str):
            if key not in (table.names or []):
                raise DataError(f"{table.path}: no column '{key}'; there are {', '.join(table.names or ['no names'])}")
            key = table.names.index(key)
        if not 0 <= key < table.width:
            raise DataError(f"{table.path}: no column {key}; there are {table.width}, counted from 0")
        known = IMPEDANCE.understand(table.names[key]) if table.names else None
        roles[role] = _in_a_unit(table, key, known) if known and known.role == role else (key, Column(role))
    return roles


def _with_area(table, roles, area):
    """Ohm cm^2 becomes ohm by the area; without one it cannot."""
    if area is not None and not (np.isfinite(area) and area > 0):
        raise DataError(f"{table.path}: area={area}; valid: a number > 0 [m^2]")
    for position, column in roles.values():
        if column.per_area and area is None:
            raise DataError(
                f"{table.path}: column '{table.names[position]}' is in {column.unit}, not in ohm; "
                "say the area, e.g. area=1e-4 [m^2], and it is divided by it"
            )
    if area is not None:
        table.metadata["area"] = f"{area:g} m^2"
        if any(column.per_area for _, column in roles.values()):
            table.notes.append(f"the file holds ohm times area: divided by {area:g} m^2")


# ---- columns -> numbers


def _numbers(table, roles, area):
    """Role -> array in Hz, ohm, degrees, s; rows of zeros are not impedance points and are left out."""
    data = {
        role: column.factor / (area if column.per_area else 1.0) * table.column(position)
        for role, (position, column) in roles.items()
        if role != "time" or _is_seconds(column)
    }
    idle = np.all([data[role] == 0 for role in data if role not in ("loop", "time")], axis=0)
    if idle.any() and not idle.all():
        table.notes.append(f"{idle.sum()} rows without frequency and impedance were left out")
        data = {role: values[~idle] for role, values in data.items()}
        table.lines = [line for line, out in zip(table.lines, idle, strict=True) if not out]
    for k, value in enumerate(data["frequency"]):
        if value <= 0:
            raise DataError(f"{table.path}, {table.place} {table.lines[k]}: frequency {value:g} Hz; valid: > 0")
    if len(data["frequency"]) < 3:
        raise DataError(f"{table.path}: {len(data['frequency'])} points; a spectrum needs at least 3")
    return data


def _is_seconds(column):
    return column.unit.lower() in ("s", "sec")  # other clocks are left to the reader of the file


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
        raise DataError(f"{table.path}, {table.place} {table.lines[k]}: the impedance is zero; remove the row")
    return impedance, notes
