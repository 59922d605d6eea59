"""From a table to the arrays of a cycling record: which columns, which clock, which sign of the current."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ionics.fitting.files.columns import CYCLING, Column
from ionics.fitting.files.table import Table
from ionics.fitting.spectrum import DataError, Unrecognised

CLOCK = re.compile(r"(?:(\d+)(?:d| days?,)?\s+)?(\d+):(\d\d):(\d\d(?:[.,]\d*)?)")  # days, hours, minutes, seconds
POSITIONS = ("time", "voltage", "current")
DISCHARGING = ("d", "dchg", "discharge", "discharging")  # where a column of states says the direction


def recorded(
    table: Table, columns: Sequence[int | str] | None, current: float | None, sign: int | None
) -> dict[str, np.ndarray | None]:
    """time, voltage, current, capacity, cycle, step, temperature; what was decided is added to the table's notes."""
    roles = _given(table, columns) if columns is not None else _recognised(table)
    data = {role: _values(table, *where) for role, where in roles.items() if role != "state"}
    time, charged = data["time"], _counted(data)
    if current is not None and "current" in data:
        raise DataError(f"{table.path}: current={current} was given and the file holds one; leave one out")
    sense = _sense(table, data, sign) if "current" in data else sign or -1
    if current is not None:
        drawn = np.full(len(time), float(current))
        table.notes.append(f"the current is {current:g} A throughout, as given")
    elif "current" in data:
        drawn = _by_state(table, roles, data["current"]) if sign is None else None
        drawn = sense * data["current"] + 0.0 if drawn is None else drawn
    elif charged is not None:
        steps = np.diff(time)
        rate = np.divide(np.diff(charged), steps, out=np.zeros(len(steps)), where=steps > 0)
        drawn = sense * np.concatenate([rate[:1], rate]) + 0.0
        table.notes.append("the file holds no current: it is the slope of the counted charge between two rows")
    else:
        drawn = np.full(len(time), np.nan)
        table.notes.append("the file holds no current; say current=... [A], positive on discharge, where it is known")
    if charged is not None and current is None:
        capacity = sense * (charged - charged[0]) + 0.0
        table.notes.append("capacity is the instrument's count of charge")
    else:
        capacity = np.concatenate([[0.0], np.cumsum(np.diff(time) * (drawn[1:] + drawn[:-1]) / 2)])
        table.notes.append("capacity is the integral of the current over time")
    optional = {key: data.get(key) for key in ("cycle", "step", "temperature")}
    return {"time": time, "voltage": data["voltage"], "current": drawn, "capacity": capacity, **optional}


def _recognised(table):
    """Role -> position and column; of several columns for a role the one named first in the vocabulary."""
    if table.names is None:
        if table.width == 2:
            table.notes.append("no header: the columns were taken as time [s] and voltage [V]")
            return {role: (k, Column(role)) for k, role in enumerate(POSITIONS[:2])}
        raise Unrecognised(
            f"{table.path}, {table.place} {table.lines[0]}: {table.width} columns without a header; "
            "say columns=(time, voltage, current) by position"
        )
    found = {}
    for position, name in enumerate(table.names):
        column = CYCLING.understand(name)
        if column is None or (column.factor is None and column.role not in ("time", "voltage", "current")):
            continue
        if column.role not in found or _rank(table, column, position) < _rank(table, *reversed(found[column.role])):
            found[column.role] = (position, column)
    for position, column in found.values():
        if column.factor is None:
            raise DataError(
                f"{table.path}: column '{table.names[position]}': unit '{column.unit}' is not understood; "
                f"valid: {CYCLING.valid[column.role]}"
            )
    return found


def _rank(table, column, position):
    """Where the spelling of a column stands in the vocabulary; columns of a known unit come first."""
    bare = re.sub(r"[\s._:#]", "", table.names[position]).lower()
    spellings = CYCLING.spellings[column.role].split()
    starts = [k for k, spelling in enumerate(spellings) if bare.startswith(spelling)]
    return column.factor is None, min(starts, key=lambda k: -len(spellings[k]), default=len(spellings))


def _given(table, columns):
    if len(columns) not in (2, 3):
        raise DataError(f"{table.path}: columns={tuple(columns)!r}; name time, voltage and, if there is one, current")
    roles = {}
    for role, key in zip(POSITIONS, columns, strict=False):
        if isinstance(key, str):
            if key not in (table.names or []):
                raise DataError(f"{table.path}: no column '{key}'; there are {', '.join(table.names or ['no names'])}")
            key = table.names.index(key)
        if not 0 <= key < table.width:
            raise DataError(f"{table.path}: no column {key}; there are {table.width}, counted from 0")
        known = CYCLING.understand(table.names[key]) if table.names else None
        roles[role] = (key, known if known and known.role == role and known.factor else Column(role))
    return roles


def _values(table, position, column):
    """One column in SI; a clock such as 00:01:30.5 in seconds."""
    if column.role == "time" and table.arrays is None and CLOCK.fullmatch(table.rows[0][position]):
        matches = [CLOCK.fullmatch(row[position]) for row in table.rows]
        for k, match in enumerate(matches):
            if match is None:
                raise DataError(f"{table.where(k, position)}: '{table.rows[k][position]}' is no time like 00:01:30.5")
        weights = np.array([86400.0, 3600.0, 60.0, 1.0])
        parts = [[float((part or "0").replace(",", ".")) for part in match.groups()] for match in matches]
        return np.array(parts) @ weights
    sign = -1.0 if column.negated else 1.0
    return sign * column.factor * (table.column(position) + column.offset)


def _counted(data):
    """The charge counted since some beginning [C], with the sign of the file; None where there is no counter."""
    if "counter" in data:
        return data["counter"]
    return np.cumsum(data["increment"]) if "increment" in data else None


def _by_state(table, roles, current):
    """A current without sign, turned by the column that says charge or discharge; None where there is none."""
    if "state" not in roles or np.any(current < 0):
        return None
    discharging = np.isin([row[roles["state"][0]].strip().lower() for row in table.rows], DISCHARGING)
    if not discharging.any():
        return None
    table.notes[-1] = "the current has no sign: it is a discharge where the column of states says so"
    return np.where(discharging, current, 0.0 - current)


def _sense(table, data, sign):
    """1 where the file's current is positive on discharge, -1 where it is on charge; a note says why."""
    falls = _positive_on_discharge(data)
    if sign is not None:
        against = falls is not None and falls != (sign == 1)
        table.notes.append(
            "the voltage moves against the sign that was asked for: check it" if against else "the sign is as asked for"
        )
        return sign
    if falls is None or "instrument" in table.metadata:
        table.notes.append("the file's current was taken as positive on charge, as instruments write it")
        return -1
    how, course = ("discharge", "falls") if falls else ("charge", "rises")
    table.notes.append(f"the file's current is positive on {how}: the voltage {course} with it")
    return 1 if falls else -1


def _positive_on_discharge(data):
    """Whether the voltage falls where the current is positive; None where the record does not tell."""
    change, current = np.diff(data["voltage"]), data["current"][1:]
    steady = np.abs(np.diff(data["current"])) < 0.05 * np.max(np.abs(data["current"]), initial=0.0)
    together = change * np.sign(current) * steady
    total, all_of_it = float(np.sum(together)), float(np.sum(np.abs(together)))
    return None if np.count_nonzero(together) < 10 or abs(total) < 0.5 * all_of_it else total < 0
