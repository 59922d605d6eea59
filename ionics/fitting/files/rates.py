"""Tables of capacity against rate, several curves side by side as people keep them in Excel, or as text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ionics.fitting.files.sheets import is_workbook, sheets
from ionics.fitting.files.source import Source, open_source
from ionics.fitting.files.table import find_delimiter, is_number, split
from ionics.fitting.spectrum import DataError

UNITS = {  # of capacity -> the SI unit, and the factor that leads to it
    "mah/g": ("C/kg", 3600.0),
    "ah/kg": ("C/kg", 3600.0),
    "mah/cm2": ("C/m^2", 3.6e4),
    "uah/cm2": ("C/m^2", 36.0),
    "mah": ("C", 3.6),
    "ah": ("C", 3600.0),
}
PAIRS = ({"rate", "capacity"}, {"capacity", "voltage"})
WORDS = {"rate": r"c[- ]?rate.*|rate \(1/h\)", "capacity": r"capacity.*\((.+)\)", "voltage": r"voltage.*\(v\)"}
SHEET = re.compile(r"([\d.]+)\s*C[_ ](charge|discharge)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class RateCurve:
    """One curve of a table of rates: capacity against rate, or voltage against capacity at one rate."""

    label: str
    rate: Float[np.ndarray, " point"]  # 1: full charges in an hour
    capacity: Float[np.ndarray, " point"]  # in `unit`
    voltage: Float[np.ndarray, " point"] | None = None  # V, where the curve is a discharge
    sheet: str = ""
    unit: str = "C/kg"  # of active material; C/m^2 of electrode, C of a cell
    source: str = ""  # path of the file


def read_rate_table(path: str | Path) -> list[RateCurve]:
    """The curves of an Excel or text file: pairs of columns `C-rate` and `Capacity (mAh/g)`, or capacity and voltage.

    Capacities may also be in Ah/kg, mAh/cm2, uAh/cm2, mAh, Ah. Lines above the headings name the curve (a paper, a
    set). A sheet of capacity and voltage says its rate in its name, e.g. `0.5C_discharge`. A curve ends with its last
    pair of numbers.
    """
    source = open_source(path)
    names, curves = [], []
    for name, rows in sheets(source) if is_workbook(source) else _text(source):
        names.append(name)
        place = f"{path}, sheet {name}" if name else f"{path}"
        curves += [
            replace(one, source=str(path), label=one.label or name or Path(path).stem)
            for one in _curves(place, name, rows)
        ]
    if not curves:
        where = f"sheet ({', '.join(names)})" if any(names) else "line"
        raise DataError(
            f"{path}: no {where} has columns 'C-rate' and 'Capacity (mAh/g)' side by side, "
            "nor 'Capacity (mAh/g)' and 'Voltage (V)' under a name like 0.5C_discharge; "
            f"units of capacity: {', '.join(UNITS)}"
        )
    return curves


def _text(source: Source):
    """The rows of a text file, all as wide as the widest."""
    if source.binary or source.is_other():
        raise DataError(f"{source.path}: {source.is_other() or 'not a text file'}; tables of rates are text or Excel")
    delimiter = find_delimiter(source.lines)
    rows = [split(line, delimiter) for line in source.lines]
    width = max(map(len, rows))
    yield "", [row + [""] * (width - len(row)) for row in rows]


def _curves(place, sheet, rows):
    heads = [[_quantity(cell) for cell in row] for row in rows[:20]]
    k = next((k for k, head in enumerate(heads) if sum(bool(quantity) for quantity in head) >= 2), None)
    if k is None:
        return []
    found, column, head = [], 0, heads[k]
    while column < len(head) - 1:
        pair = head[column : column + 2]
        if set(pair) not in PAIRS:
            column += 1
            continue
        numbers = _numbers(place, rows, k + 1, column)
        if len(numbers):
            label = ", ".join(filter(None, (_above(row, column) for row in rows[:k])))
            heading = rows[k][column + pair.index("capacity")]
            found.append(_curve(place, sheet, label, dict(zip(pair, numbers.T, strict=True)), heading))
        column += 2
    return found


def _quantity(cell):
    """rate, capacity or voltage; a capacity in another unit is none."""
    found = next((name for name, word in WORDS.items() if re.fullmatch(word, cell.strip().lower())), None)
    return None if found == "capacity" and _unit(cell) not in UNITS else found


def _unit(heading):
    match = re.fullmatch(WORDS["capacity"], heading.strip().lower())
    return re.sub(r"[\s^]", "", match[1]).translate(str.maketrans("µμ²", "uu2")) if match else ""


def _above(row, column):
    """The heading over a column: cells that were merged stand in the first of them."""
    return next((row[k] for k in range(column, -1, -1) if row[k]), "")


def _numbers(place, rows, first, column):
    pairs = []
    for number, row in enumerate(rows[first:], start=first + 1):
        left, right = row[column], row[column + 1]
        if not left and not right:
            continue
        if not (is_number(left) and is_number(right)):
            raise DataError(f"{place}, row {number}: '{left}' and '{right}' are no pair of numbers")
        pairs.append((float(left.replace(",", ".")), float(right.replace(",", "."))))
    return np.array(pairs)


def _curve(place, sheet, label, values, heading):
    unit, factor = UNITS[_unit(heading)]
    capacity = values["capacity"] * factor
    if "rate" in values:
        return RateCurve(label, values["rate"], capacity, sheet=sheet, unit=unit)
    match = SHEET.fullmatch(sheet.strip())
    if match is None:
        raise DataError(f"{place}: capacity and voltage, and the name of the sheet says no rate like 0.5C_discharge")
    return RateCurve(label, np.full(len(capacity), float(match[1])), capacity, values["voltage"], sheet, unit)
