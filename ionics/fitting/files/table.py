"""Text files of numbers: encoding, delimiter, decimal sign, header, rows with their line numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ionics.fitting.spectrum import DataError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
LONGEST_LINE = 200_000  # characters
DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", " ": "blanks"}


@dataclass
class Table:
    """Columns of numbers with their names: as text cells in rows, or as arrays where the file is binary.

    `lines[k]` is the line of the file that row k stood on, or the number of the row where there are no lines.
    """

    path: str
    names: list[str] | None
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    delimiter: str = " "
    place: str = "line"  # what `lines` count: lines of text, rows of a sheet, points
    title: str = ""  # of a sheet or segment
    metadata: dict[str, str | float] = field(default_factory=dict)
    arrays: list[np.ndarray] | None = None

    @property
    def width(self) -> int:
        return len(self.names or self.rows[0])

    def column(self, position: int) -> Float[np.ndarray, " row"]:
        """The finite numbers of one column, or a DataError that names the place of the first that is none."""
        if self.arrays is not None:
            values = np.asarray(self.arrays[position], dtype=float)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                place = self.where(int(bad[0]), position)
                raise DataError(f"{place}: '{values[bad[0]]}' is not finite; export without this point")
            return values
        cells = [row[position] for row in self.rows]
        try:
            values = np.array(cells, dtype=float)
        except ValueError:
            values = np.array([np.nan])
        if np.all(np.isfinite(values)) and not any("_" in cell for cell in cells):
            return values
        return np.array([self.number(row, position) for row in range(len(self.rows))])

    def where(self, row: int, position: int) -> str:
        name = f" ('{self.names[position]}')" if self.names else ""
        return f"{self.path}, {self.place} {self.lines[row]}, column {position + 1}{name}"

    def number(self, row: int, position: int) -> float:
        """One cell as a finite float, or a DataError that names its place."""
        text = self.rows[row][position]
        place, plain = self.where(row, position), text
        if "," in text:
            if self.delimiter == "," or "." in text or text.count(",") > 1:
                raise DataError(f"{place}: '{text}' mixes comma and point; write one decimal sign, 1234.5 or 1234,5")
            plain = text.replace(",", ".")
        if not NUMBER.fullmatch(plain):
            raise DataError(f"{place}: '{text}' is not a number")
        value = float(re.sub("[dD]", "e", plain))
        if not math.isfinite(value):
            raise DataError(f"{place}: '{text}' is not finite; remove the row or repair it")
        return value

    def __len__(self) -> int:
        return len(self.lines)


def read_text(path: Path, content: bytes) -> list[str]:
    """The lines of a text file in UTF-8, UTF-16 with a mark, or Latin-1."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError:
            raise DataError(f"{path}: begins as UTF-16 text and is not; save it as UTF-8") from None
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    lines = re.sub(r"\r\n|\r(?=\r\n)|\r", "\n", text.replace("\r\r\n", "\n")).split("\n")
    if not any(map(str.strip, lines)):
        raise DataError(f"{path}: the file is empty; expected columns of numbers")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise DataError(f"{path}, line {number}: {len(line)} characters; at most {LONGEST_LINE} are read")
    return lines


def find_delimiter(lines: list[str]) -> str:
    """The sign between columns, by a vote of the last lines."""
    votes = Counter(map(_vote, islice((line for line in reversed(lines) if line.strip()), 20)))
    return votes.most_common(1)[0][0]


def _vote(line):
    line = line.strip("\n\r ")
    if "\t" in line:
        return "\t"
    if ";" in line:
        return ";"
    words = line.split()
    if "," not in line or (len(words) >= 3 and not any(word.strip('"').endswith(",") for word in words[:-1])):
        return " "
    return ","


def split(line: str, delimiter: str) -> list[str]:
    """The cells of one line; an empty last cell is the delimiter some programs put at the end of a line."""
    line = line.strip("\n\r").rstrip()
    cells = line.split() if delimiter == " " else [cell.strip() for cell in line.split(delimiter)]
    return [_unquoted(cell) for cell in cells]


def _unquoted(cell):
    return cell[1:-1].strip() if len(cell) >= 2 and cell[0] == cell[-1] == '"' else cell


def is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell.replace(",", ".", 1)))


def fill(table: Table, lines: list[str], first: int) -> Table:
    """Append the data rows that start at line index `first`; every row must be as wide as the first."""
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip() or line.lstrip().startswith(("#", "%", "!", "End Comments")):
            continue
        cells = split(line, table.delimiter)
        if not table.rows and not any(is_number(cell) for cell in cells):
            table.notes.append(f"line {number} under the header holds no number and was skipped: '{line.strip()[:60]}'")
            continue
        table.rows.append(cells)
        table.lines.append(number)
    _same_width(table)
    return table


def _same_width(table):
    if not table.rows:
        return
    width = table.width
    for row, line in zip(table.rows, table.lines, strict=True):
        while len(row) > width and not row[-1]:
            row.pop()
        if len(row) == width:
            continue
        commas = table.delimiter == "," and len(row) == 2 * width and "." not in "".join(row)
        hint = "; the commas look like decimal commas: use another delimiter between columns" if commas else ""
        raise DataError(
            f"{table.path}, {table.place} {line}: {len(row)} values where {width} are expected"
            f" (columns separated by {DELIMITERS.get(table.delimiter, table.delimiter)}){hint}"
        )
