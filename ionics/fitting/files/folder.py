"""A series of spectra: a folder of files, with what was varied taken from their names or from a table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ionics.fitting.files.readers import read_spectra
from ionics.fitting.files.source import open_source
from ionics.fitting.files.table import find_delimiter, split
from ionics.fitting.spectrum import CONDITIONS, DataError, Spectrum, Unrecognised

UNITS = {  # condition -> unit -> (offset, factor): SI is (value + offset) * factor
    "temperature": {"K": (0.0, 1.0), "degC": (273.15, 1.0), "degF": (459.67, 1 / 1.8)},
    "state_of_charge": {"1": (0.0, 1.0), "%": (0.0, 0.01)},
    "pressure": {"Pa": (0.0, 1.0), "kPa": (0.0, 1e3), "MPa": (0.0, 1e6), "bar": (0.0, 1e5)},
    "cycle": {"1": (0.0, 1.0)},
    "time": {"s": (0.0, 1.0), "min": (0.0, 60.0), "h": (0.0, 3600.0)},
}


def read_series(
    where: str | Path | Iterable[str | Path],
    *,
    pattern: str | None = None,
    units: Mapping[str, str] | None = None,
    table: str | Path | None = None,
    **options: Any,
) -> list[Spectrum]:
    """The spectra of a folder, of the files a glob such as 'data/*.mpt' finds, or of a list of files.

    pattern: a regular expression whose named groups (temperature, state_of_charge, pressure, cycle, time) are found
    in the name of each file, with `units` group -> unit, e.g. pattern=r"(?P<temperature>-?\\d+)deg",
    units={"temperature": "degC"}; table: a CSV with the columns `file` and e.g. `temperature[degC]`, instead.
    Units: K, degC, degF; 1, %; Pa, kPa, MPa, bar; s, min, h; SI where none is said. Further options go to
    `read_spectra`. A file with several spectra gives them all.

    The spectra are sorted by what varies, in the order of the groups or columns. Files of a folder that hold no
    spectrum are named in a note of the first spectrum; a spectrum that cannot be read, or whose conditions are
    missing, is a DataError.
    """
    if pattern is not None and table is not None:
        raise DataError(f"{where}: give a pattern for the names of the files or a table of them, not both")
    wanted = _compiled(pattern, units or {}) if pattern is not None else {}
    listed, order = _from_table(Path(table), where) if table is not None else (None, list(wanted.get("order", [])))
    spectra, left_out = [], []
    for path in _files(where, listed):
        try:
            found = read_spectra(path, **options)
        except Unrecognised as refusal:
            if listed is not None or not isinstance(where, str | Path) or Path(where).is_file():
                raise
            left_out.append((path, refusal))
            continue
        given = listed[path] if listed is not None else _from_name(path, wanted)
        spectra += [_with(spectrum, given) for spectrum in found]
    if not spectra:
        reasons = "; ".join(str(refusal).replace(str(path), path.name) for path, refusal in left_out[:3])
        raise DataError(f"{where}: no spectra there" + (f": {reasons}" if reasons else ""))
    spectra = _sorted(_told_apart(spectra), order)
    if left_out:
        names = ", ".join(path.name for path, _ in left_out)
        note = f"{len(left_out)} files of the folder hold no spectrum and were left out: {names}"
        spectra[0] = dataclasses.replace(spectra[0], notes=(*spectra[0].notes, note))
    return spectra


def convert(name: str, text: str, unit: str | None = None) -> float:
    """A condition in SI. Raises ValueError with what would be valid."""
    if name not in UNITS:
        raise ValueError(f"'{name}' is no condition; valid: {', '.join(UNITS)}")
    unit = unit or next(iter(UNITS[name]))
    if unit not in UNITS[name]:
        raise ValueError(f"unit '{unit}' of {name}; valid: {', '.join(UNITS[name])}")
    try:
        number = float(text.strip().replace(",", ".").replace("−", "-"))
    except ValueError:
        raise ValueError(f"'{text}' is not a number for {name}") from None
    offset, factor = UNITS[name][unit]
    value = (number + offset) * factor
    if name == "temperature" and value <= 0:
        raise ValueError(f"{text} {unit} is not above absolute zero")
    return value


# ---- which files


def _files(where, listed):
    if listed is not None:
        return list(listed)
    if not isinstance(where, str | Path):
        return [Path(path) for path in where]
    path = Path(where)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.is_file()]
    elif any(sign in path.name for sign in "*?["):
        found = [p for p in path.parent.glob(path.name) if p.is_file()]
    else:
        return [path]
    found = sorted((p for p in found if not p.name.startswith(".")), key=_natural)
    if not found:
        raise DataError(f"{where}: no files there")
    return found


def _natural(path):
    """file2 before file10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", path.name)]


# ---- what was varied


def _compiled(pattern, units):
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise DataError(f"pattern '{pattern}': {error}") from None
    groups = sorted(expression.groupindex, key=lambda name: expression.groupindex[name])
    for name in [*groups, *units]:
        if name not in UNITS or name not in groups:
            raise DataError(f"pattern '{pattern}': '{name}'; name groups (?P<...>) of {', '.join(UNITS)}")
    if not groups:
        raise DataError(f"pattern '{pattern}' has no named group; e.g. (?P<temperature>-?\\d+)")
    return {"pattern": expression, "units": units, "order": groups}


def _from_name(path, wanted):
    if not wanted:
        return {}
    expression = wanted["pattern"]
    match = expression.search(path.name)
    if match is None:
        raise DataError(
            f"{path}: its name does not give {', '.join(wanted['order'])} by '{expression.pattern}'; "
            "change the pattern or move the file"
        )
    try:
        return {
            name: convert(name, text, wanted["units"].get(name))
            for name in wanted["order"]
            if (text := match[name]) is not None
        }
    except ValueError as error:
        raise DataError(f"{path}: {error}; change the pattern or the units") from None


def _from_table(path, where) -> tuple[dict[Path, dict[str, float]], list[str]]:
    """File -> its conditions, from a CSV with a column `file`; and the order of the columns."""
    source = open_source(path)
    lines = [(k, line) for k, line in enumerate(source.lines, 1) if line.strip()]
    delimiter = find_delimiter([lines[0][1]])
    head = [_heading(path, cell) for cell in split(lines[0][1], delimiter)]
    if not any(name == "file" for name, _ in head):
        raise DataError(f"{path}, line 1: no column 'file'; there are {', '.join(name for name, _ in head)}")
    folder = Path(where) if isinstance(where, str | Path) and Path(where).is_dir() else path.parent
    listed = {}
    for number, line in lines[1:]:
        cells = split(line, delimiter)
        if len(cells) != len(head):
            raise DataError(f"{path}, line {number}: {len(cells)} values where {len(head)} are expected")
        row = dict(zip(head, cells, strict=True))
        name = next(cell for (key, _), cell in row.items() if key == "file")
        try:
            given = {key: convert(key, cell, unit) for (key, unit), cell in row.items() if key in UNITS and cell}
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from None
        if folder / name in listed:
            raise DataError(f"{path}, line {number}: the file '{name}' stands there twice")
        listed[folder / name] = given
    return listed, [name for name, _ in head if name in UNITS]


def _heading(path, cell):
    """`temperature[degC]` -> the condition and its unit."""
    match = re.fullmatch(r"(\w+)\s*(?:[\[(/]\s*([^\])]+)[\])]?)?", cell)
    name, unit = (match[1], match[2]) if match else (cell, None)
    if name in UNITS and (unit or next(iter(UNITS[name]))) not in UNITS[name]:
        raise DataError(f"{path}, line 1: unit '{unit}' of {name}; valid: {', '.join(UNITS[name])}")
    return name, unit


def _with(spectrum, given):
    kelvin = given.get("temperature", spectrum.temperature)
    others = {name: value for name, value in given.items() if name in CONDITIONS}
    return dataclasses.replace(spectrum, temperature=kelvin, conditions={**spectrum.conditions, **others})


# ---- in what order


def _sorted(spectra: Sequence[Spectrum], order: Sequence[str]) -> list[Spectrum]:
    """By what was asked for, then by what else differs; what a spectrum does not have comes first."""
    names = [*order, *(name for name in UNITS if name not in order)]
    return sorted(spectra, key=lambda one: [_value(one, name) for name in names])


def _value(spectrum, name):
    value = spectrum.temperature if name == "temperature" else spectrum.conditions.get(name)
    return float("-inf") if value is None else value


def _told_apart(spectra):
    """Labels that are unique: the folder's name before those that are not."""
    labels = [spectrum.label for spectrum in spectra]
    return [
        dataclasses.replace(one, label=f"{Path(one.source).parent.name}/{one.label}")
        if labels.count(one.label) > 1
        else one
        for one in spectra
    ]
