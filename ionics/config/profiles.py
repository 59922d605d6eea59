"""Drive profiles: a table of times and values in a file, as straight lines in SI.

The header names the columns with their units: `time [s]`, `current (mA/cm^2)`, `power/W`. Currents and powers of a
whole cell (A, W) need its area.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ionics.config import units
from ionics.config.controls import POWER_DENSITY, TIME, DriveProfile
from ionics.config.errors import choices
from ionics.config.units import CURRENT_DENSITY, RATIO, VOLTAGE, Dimension, UnitError
from ionics.fitting.files.table import Table, fill, find_delimiter, is_number, read_text, split
from ionics.fitting.spectrum import DataError

Points = Float[np.ndarray, " point"]

MOST = 50_000  # rows
JUMP = 1e-3  # of the shortest time between two rows: how long a held value takes to become the next
NAMED = re.compile(r"\s*(?P<name>[^\[(/]+?)\s*(?:\[(?P<square>.*)\]|\((?P<round>.*)\)|/\s*(?P<slash>.+))?\s*")
TOTALS = {"current": Dimension("a current", "A", "1 mA"), "power": Dimension("a power", "W", "1 mW")}
DIMENSIONS = {"current": CURRENT_DENSITY, "power": POWER_DENSITY, "voltage": VOLTAGE}


class ProfileError(ValueError):
    """What is wrong with a profile, and what would be valid."""

    def __init__(self, problem: str, valid: str = "", key: str = "file"):
        super().__init__("; ".join(filter(None, (problem, valid))))
        self.problem, self.valid, self.key = problem, valid, key


@dataclass(frozen=True)
class Lines:
    """Straight lines from point to point; the last ends it."""

    times: Points  # s, from zero
    values: Points  # SI, or C-rates


@dataclass(frozen=True)
class Column:
    """A column by its header."""

    name: str
    unit: str
    position: int


def read(profile: DriveProfile, folder: Path, area: float | None) -> Lines:
    """The profile of a file that is seen from a folder; area of the cell [m2]. Raises ProfileError."""
    path = folder / profile.file
    try:
        found = _table(path)
        time, value = _columns(profile, found)
        t = found.column(time.position) * _factor(time, TIME)
        values = found.column(value.position) * profile.scale * _value_factor(profile.what, value, area)
    except DataError as error:
        raise ProfileError(str(error)) from None
    if len(t) < 2 or len(t) > MOST:
        raise ProfileError(f"{path} has {len(t)} rows", f"2 to {MOST} rows of numbers")
    back = np.flatnonzero(np.diff(t) <= 0)
    if len(back):
        raise ProfileError(f"{found.where(int(back[0]) + 1, time.position)}: the time does not increase")
    t = t - t[0]
    return _held(t, values) if profile.interpolation == "hold" else Lines(t, values)


def _held(t: Points, values: Points) -> Lines:
    """Each value until the next row; the charge of both sides of a jump is that of the rows."""
    half = 0.5 * JUMP * np.diff(t).min()
    times, heights = [t[0]], [values[0]]
    for k in range(1, len(t) - 1):
        before, after = values[k - 1], values[k]
        times += [t[k]] if before == after else [t[k] - half, t[k] + half]
        heights += [after] if before == after else [before, after]
    return Lines(np.array([*times, t[-1]]), np.array([*heights, values[-2]]))


def _table(path: Path) -> Table:
    """The columns of a text file under its header."""
    try:
        lines = read_text(path, path.read_bytes())
    except FileNotFoundError:
        near = sorted(one.name for one in path.parent.iterdir() if one.is_file()) if path.parent.is_dir() else []
        raise ProfileError("no such file, seen from this one", choices(path.name, near, "files there")) from None
    except OSError as error:
        raise ProfileError(error.strerror or str(error), "a table of times and values") from None
    delimiter = find_delimiter(lines)
    head = next((k for k, line in enumerate(lines) if _is_header(line, delimiter)), None)
    if head is None:
        raise ProfileError(f"{path}: no line names the columns", "a first line like: time [s], current [mA/cm^2]")
    return fill(Table(str(path), split(lines[head].lstrip("# "), delimiter), delimiter=delimiter), lines, head + 1)


def _is_header(line: str, delimiter: str) -> bool:
    cells = split(line.lstrip("# "), delimiter)
    return len(cells) > 1 and not any(is_number(cell) for cell in cells)


def _columns(profile: DriveProfile, table: Table) -> tuple[Column, Column]:
    """Those of time and of the values: as said, by their names, or the only two."""
    matches = [NAMED.fullmatch(name) for name in table.names or []]
    found = [
        Column(m["name"].strip(), (m["square"] or m["round"] or m["slash"] or "").strip(), k)
        for k, m in enumerate(matches) if m
    ]  # fmt: skip
    if not table.rows:
        raise ProfileError(f"{table.path}: no numbers under the header", "rows of numbers")
    if profile.columns is None and len(found) == 2:
        return found[0], found[1]
    wanted = profile.columns or ("time", profile.what)
    return _named(wanted[0], found), _named(wanted[1], found)


def _named(name: str, columns: list[Column]) -> Column:
    for column in columns:
        if _plain(name) == _plain(column.name):
            return column
    known = choices(name, [column.name for column in columns], "columns")
    raise ProfileError(f"the file has no column {name}", f"{known}; or say columns: [time, value]")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _value_factor(what: str, column: Column, area: float | None) -> float:
    """From the unit of the column to SI; C-rates have none."""
    if what == "c_rate":
        return 1.0 if column.unit in ("", "C", "1/h") else _factor(column, RATIO)
    total = TOTALS.get(what)
    if total is not None and _is(column, total):
        if area is None:
            per_area = f"a header with {DIMENSIONS[what].example.split(' ')[1]}"
            raise ProfileError(f"'{column.unit}' is {total.name}, which needs an area", f"area: 1 cm^2, or {per_area}")
        return _factor(column, total) / area
    return _factor(column, DIMENSIONS[what])


def _is(column: Column, dimension: Dimension) -> bool:
    try:
        return bool(column.unit) and bool(units.parse(f"1 {column.unit}", dimension))
    except UnitError:
        return False


def _factor(column: Column, dimension: Dimension) -> float:
    """From the unit of a column to SI."""
    try:
        return units.parse(f"1 {column.unit}", dimension)
    except UnitError as error:
        unit = dimension.example.split(" ")[-1]
        raise ProfileError(f"column '{column.name}': {error.problem}", f"name it e.g. {column.name} [{unit}]") from None
