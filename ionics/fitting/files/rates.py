"""Tables of capacity against rate, several curves side by side as people keep them in Excel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ionics.fitting.files.sheets import is_workbook, sheets
from ionics.fitting.files.source import open_source
from ionics.fitting.files.table import is_number
from ionics.fitting.spectrum import DataError

COULOMB_PER_KG = 3600.0  # of one mAh/g
PAIRS = ({"rate", "capacity"}, {"capacity", "voltage"})
WORDS = {"rate": r"c[- ]?rate.*", "capacity": r"capacity.*\(mah/g\)", "voltage": r"voltage.*\(v\)"}
SHEET = re.compile(r"([\d.]+)\s*C[_ ](charge|discharge)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class RateCurve:
    """One curve of a table of rates: capacity against rate, or voltage against capacity at one rate."""

    label: str
    rate: Float[np.ndarray, " point"]  # 1: full charges in an hour
    capacity: Float[np.ndarray, " point"]  # C/kg of active material
    voltage: Float[np.ndarray, " point"] | None = None  # V, where the curve is a discharge
    sheet: str = ""


def read_rate_table(path: str | Path) -> list[RateCurve]:
    """The curves of an Excel file: pairs of columns headed `C-rate` and `Capacity (mAh/g)`, or capacity and voltage.

    Lines above the headings name the curve (a paper, a set). A sheet of capacity and voltage says its rate in its
    name, e.g. `0.5C_discharge`. A curve ends with its last pair of numbers.
    """
    source = open_source(path)
    if not is_workbook(source):
        raise DataError(f"{path}: not an Excel file; tables of rates are read from .xlsx and .xls")
    names, curves = [], []
    for name, rows in sheets(source):
        names.append(name)
        curves += _curves(f"{path}, sheet {name}", name, rows)
    if not curves:
        raise DataError(
            f"{path}: no sheet ({', '.join(names)}) has columns 'C-rate' and 'Capacity (mAh/g)' side by side, "
            "nor 'Capacity (mAh/g)' and 'Voltage (V)' under a name like 0.5C_discharge"
        )
    return curves


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
            found.append(_curve(place, sheet, label, dict(zip(pair, numbers.T, strict=True))))
        column += 2
    return found


def _quantity(cell):
    return next((name for name, word in WORDS.items() if re.fullmatch(word, cell.strip().lower())), None)


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
        pairs.append((float(left), float(right)))
    return np.array(pairs)


def _curve(place, sheet, label, values):
    capacity = values["capacity"] * COULOMB_PER_KG
    if "rate" in values:
        return RateCurve(label, values["rate"], capacity, sheet=sheet)
    match = SHEET.fullmatch(sheet.strip())
    if match is None:
        raise DataError(f"{place}: capacity and voltage, and the name of the sheet says no rate like 0.5C_discharge")
    return RateCurve(label, np.full(len(capacity), float(match[1])), capacity, values["voltage"], sheet)
