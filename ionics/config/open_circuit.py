"""Open-circuit curves on their way in: formulas made into tables, and tables read from files."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from ionics.config.document import Document
from ionics.config.errors import ConfigError, Problem
from ionics.config.formula import FormulaError, evaluate, poles

if TYPE_CHECKING:
    from ionics.fitting.files.table import Table

SAMPLES = 801  # of a formula to begin with, closer towards the ends,
CLOSE = 1e-6  # V, from the formula: more where the cubic between them is further away,
MOST = 20_000  # but no more than this
LOOKED = 8001  # points on which a stretch that does not fall is looked for
FAR = 20.0  # V
TOLD = 3  # stretches that a message lists
LARGEST, LONGEST = 2_000_000, 10_000  # bytes and rows of a file
TABLE = ("occupancy", "potential")
Curve = tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]


@functools.lru_cache(maxsize=64)
def tabulated(formula: str, low: float, high: float) -> Curve:
    """Occupancy and potential [V] of a formula between low and high; the cubic through them is within CLOSE of it.

    Raises FormulaError where the formula has a pole or does not fall, with the x where that is.
    """
    from scipy.interpolate import PchipInterpolator

    _fit_for_a_curve(formula, low, high)
    x = _spread(low, high, SAMPLES)
    while True:
        potential = evaluate(formula, x)
        middle = 0.5 * (x[1:] + x[:-1])
        away = np.abs(PchipInterpolator(x, potential)(middle) - evaluate(formula, middle)) > CLOSE
        if not away.any() or len(x) + away.sum() > MOST:
            return x, potential
        x = np.sort(np.concatenate([x, middle[away]]))


def _spread(low: float, high: float, points: int) -> Float[np.ndarray, " point"]:
    return low + (high - low) * 0.5 * (1 - np.cos(np.linspace(0, np.pi, points)))


def _fit_for_a_curve(formula: str, low: float, high: float) -> None:
    found = poles(formula, low, high)
    if found:
        listed = " and ".join(dict.fromkeys(f"x = {pole:.6g}" for pole in found))
        raise FormulaError(f"has a pole at {listed}", _without(low, [(pole, pole) for pole in found], high))
    x = _spread(low, high, LOOKED)
    potential = evaluate(formula, x)
    far = np.abs(potential) > FAR
    if far.any():
        problem = f"gives {potential[far][0]:.3g} V at x = {x[far][0]:.4g}, which is no potential against lithium"
        raise FormulaError(problem, _without(low, [(x[a], x[b]) for a, b in _runs(far[1:] | far[:-1])], high))
    runs = _runs(np.diff(potential) >= 0)
    if runs:
        said = "; ".join(_stretch(x[a], x[b], 1e3 * (potential[b] - potential[a])) for a, b in runs[:TOLD])
        more = f"; and {len(runs) - TOLD} more" if len(runs) > TOLD else ""
        raise FormulaError(said + more, _without(low, [(x[a], x[b]) for a, b in runs], high))


def _stretch(first: float, last: float, rise: float) -> str:
    what = f"rises by {rise:.3g} mV" if rise > 0 else "is flat"
    return f"does not decrease at x = {first:.4g} to {last:.4g} ({what})"


def _runs(bad: Bool[np.ndarray, " step"]) -> list[tuple[int, int]]:
    """(first, last) point of every stretch of bad steps."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _without(low: float, bad: list[tuple[float, float]], high: float) -> str:
    """The widest range without the bad ones, a hundredth inside it."""
    starts, ends = [low, *(last for _, last in bad)], [*(first for first, _ in bad), high]
    width, start, end = max((b - a, a, b) for a, b in zip(starts, ends, strict=True))
    if width <= 0:
        return "a potential that falls with x"
    return f"a range without it, e.g. range: [{start + 0.01 * width:.3g}, {end - 0.01 * width:.3g}]"


def read_files(document: Document) -> None:
    """Put the table of every `open_circuit: {file: ...}` in its place, each number with the line it stands on.

    The file is seen from the document. Raises ConfigError.
    """
    for path in list(_places(document)):
        entry = document.at(path)
        if isinstance(entry.get("file"), str) and not {*TABLE, "formula", "range"} & entry.keys():
            _put(document, path)


def _places(document: Document) -> Iterator[tuple[str, ...]]:
    """Paths of the open-circuit entries that name a file."""
    for name, material in _members(document.at(("materials",))):
        for carrier, entry in _members(material.get("carriers")):
            if isinstance(entry.get("open_circuit"), dict) and "file" in entry["open_circuit"]:
                yield ("materials", name, "carriers", carrier, "open_circuit")


def _members(value) -> Iterator[tuple[str, dict]]:
    return ((k, v) for k, v in value.items() if isinstance(v, dict)) if isinstance(value, dict) else iter(())


def _put(document: Document, path: tuple[str, ...]) -> None:
    entry, here = document.at(path), (*path, "file")
    name = entry["file"]
    file = Path(document.name).parent / name
    table, x, potential = _columns(document, here, file)
    order = np.arange(len(x)) if x[0] <= x[-1] else np.arange(len(x))[::-1]
    same = np.concatenate([[False], np.diff(potential[order]) == 0])
    rows = [int(row) for row in order[~same]]
    for problem in _wrong(table, x, potential, rows, document.dotted(path), name):
        raise ConfigError(problem)
    entry["occupancy"] = [float(x[row]) for row in rows]
    entry["potential"] = [f"{potential[row]:.12g} V" for row in rows]
    left = f", without {same.sum()} rows in which the potential stays as it was" if same.any() else ""
    entry.setdefault("note", f"from {name}{left}")
    del entry["file"]
    for key in TABLE:
        document.places[(*path, key)] = document.where(here)
        document.places |= {(*path, key, i): f"{file}:{table.lines[row]}" for i, row in enumerate(rows)}


def _wrong(table: Table, x, potential, rows: list[int], dotted: str, name: str) -> Iterator[Problem]:
    """What keeps the rows, in the order of rising occupancy, from being a curve."""
    if len(rows) < 3:
        yield Problem(f"{table.path}", dotted, name, f"{len(rows)} points are not a curve", "at least 3 points")
    for before, row in zip([None, *rows], rows, strict=False):
        where = f"{table.path}:{table.lines[row]}"
        if not 0 < x[row] < 1:
            state = "empty" if x[row] == 0 else "full" if x[row] == 1 else "no filling"
            way = (
                "leave the row out: beyond its ends the curve goes on by itself" if 0 <= x[row] <= 1 else "0.5 or 50 %"
            )
            yield Problem(where, dotted, f"{x[row]:g}", f"a lattice that is {state} has no potential", way)
        elif before is not None and x[row] <= x[before]:
            order = "the rows go neither up nor down in occupancy"
            yield Problem(where, dotted, f"{x[row]:g}", order, "one row per occupancy, all rising or all falling")
        elif before is not None and potential[row] >= potential[before]:
            got, at = f"{potential[row]:g} V", f"line {table.lines[before]}"
            problem = f"does not fall with the occupancy: {potential[before]:g} V in {at}"
            yield Problem(where, dotted, got, problem, "a smoothed curve, or fewer rows")


def _columns(document: Document, here: tuple[str, ...], file: Path):
    """The table of a file, its occupancies and its potentials [V]."""
    from ionics.fitting.spectrum import DataError

    try:
        content = file.read_bytes() if file.stat().st_size <= LARGEST else None
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror or error)
        raise ConfigError(document.problem(here, problem, f"a CSV seen from {document.name}")) from None
    if content is None:
        raise ConfigError(document.problem(here, f"larger than {LARGEST} bytes", f"at most {LONGEST} rows"))
    try:
        return _read(file, content)
    except DataError as error:
        raise ConfigError(document.problem(here, str(error))) from None


def _read(file: Path, content: bytes):
    from ionics.fitting.files.table import Table, fill, find_delimiter, is_number, read_text, split
    from ionics.fitting.spectrum import DataError

    lines = read_text(file, content)
    delimiter = find_delimiter(lines)
    first = next((i for i, line in enumerate(lines) if all(map(is_number, split(line, delimiter) or [""]))), None)
    if first is None:
        raise DataError(f"{file}: no row of numbers; write an occupancy and a potential per line")
    names, roles = _header(file, lines[:first], delimiter)
    table = fill(Table(str(file), names, delimiter=delimiter), lines, first)
    if len(table) > LONGEST:
        raise DataError(f"{file}: {len(table)} rows; at most {LONGEST}")
    return table, *(factor * table.column(position) for position, factor in roles)


def _header(file: Path, lines: list[str], delimiter: str):
    """Names of the columns, and (position, factor to SI) of occupancy and potential."""
    from ionics.fitting.files.columns import Vocabulary
    from ionics.fitting.files.table import split
    from ionics.fitting.spectrum import DataError

    words = Vocabulary(
        what="an open-circuit curve",
        needed="an occupancy and a potential",
        known="occupancy or stoichiometry or sto or x; potential or voltage or ocp or ocv or U",
        complete=(frozenset({"occupancy", "potential"}),),
        spellings={
            "occupancy": "occupancy filling stoichiometry stoich sto lithiation x theta",
            "potential": "potential voltage opencircuitpotential opencircuitvoltage ocp ocv u e uocp "
            "uvsli/li+ evsli/li+ potentialvsli/li+ voltagevsli/li+",
        },
        units={"occupancy": {"": 1.0, "1": 1.0, "-": 1.0, "%": 0.01}, "potential": r"V(?:\s*vs\.?\s*Li.*)?"},
        valid={"occupancy": "1, %", "potential": "V, mV"},
    )
    for number, line in reversed(list(enumerate(lines, 1))):
        names = split(line.lstrip("#%! \t"), delimiter)
        if not words.holds(names):
            continue
        found = [words.understand(name) for name in names]
        roles = []
        for role, example in (("occupancy", "occupancy"), ("potential", "potential [V]")):
            positions = [i for i, column in enumerate(found) if column and column.role == role]
            column = found[positions[0]]
            said = f"{file}, line {number}, column {positions[0] + 1} ('{names[positions[0]]}')"
            if len(positions) > 1:
                raise DataError(f"{said}: {len(positions)} columns are {role}; keep one")
            if column.factor is None or (role == "potential" and not column.unit):
                problem = f"unknown unit '{column.unit}'" if column.unit else "the unit is missing"
                raise DataError(f"{said}: {problem}; write it in the header like {example} ({words.valid[role]})")
            roles.append((positions[0], -column.factor if column.negated else column.factor))
        return names, roles
    raise DataError(f"{file}: no header names {words.needed} ({words.known}); write e.g. occupancy, potential [V]")
