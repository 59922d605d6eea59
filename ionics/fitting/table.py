"""Text files of numbers: encoding, delimiter, decimal sign, header, rows with their line numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ionics.fitting.spectrum import DataError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", " ": "blanks"}


@dataclass
class Table:
    """Rows of numbers; `lines[k]` is the line of the file that row k stood on."""

    path: str
    names: list[str] | None
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    delimiter: str = " "

    def number(self, row: int, column: int) -> float:
        """One cell as a finite float, or a DataError that names its place."""
        text = self.rows[row][column]
        name = f" ('{self.names[column]}')" if self.names else ""
        place = f"{self.path}, line {self.lines[row]}, column {column + 1}{name}"
        plain = text
        if "," in text:
            if self.delimiter == "," or "." in text or text.count(",") > 1:
                raise DataError(f"{place}: '{text}' mixes comma and point; write one decimal sign, 1234.5 or 1234,5")
            plain = text.replace(",", ".")
        if not NUMBER.fullmatch(plain):
            raise DataError(f"{place}: '{text}' is not a number")
        value = float(plain.replace("d", "e").replace("D", "e"))
        if not math.isfinite(value):
            raise DataError(f"{place}: '{text}' is not finite; remove the row or repair it")
        return value


def read_text(path: Path, content: bytes) -> list[str]:
    """The lines of a text file in UTF-8, UTF-16 with a mark, or Latin-1."""
    if not content.strip():
        raise DataError(f"{path}: the file is empty; expected lines of frequency, real part, imaginary part")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16")
    elif b"\x00" in content or sum(byte < 9 for byte in content[:4096]) > 0:
        raise DataError(
            f"{path}: the file is binary; export it from the instrument's program as text (.mpt, .csv, .txt)"
        )
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    return re.sub(r"\r\n|\r(?=\r\n)|\r", "\n", text.replace("\r\r\n", "\n")).split("\n")


def find_delimiter(lines: list[str]) -> str:
    """The sign between columns, by a vote of the last lines."""
    votes = Counter(_vote(line) for line in [line for line in lines if line.strip()][-20:])
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
        if not line.strip() or line.lstrip().startswith(("#", "%", "!")):
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
    width = len(table.names) if table.names else len(table.rows[0])
    for row, line in zip(table.rows, table.lines, strict=True):
        while len(row) > width and not row[-1]:
            row.pop()
        if len(row) == width:
            continue
        commas = table.delimiter == "," and len(row) == 2 * width and "." not in "".join(row)
        hint = "; the commas look like decimal commas: use another delimiter between columns" if commas else ""
        raise DataError(
            f"{table.path}, line {line}: {len(row)} values where {width} are expected"
            f" (columns separated by {DELIMITERS.get(table.delimiter, table.delimiter)}){hint}"
        )
