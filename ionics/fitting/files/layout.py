"""Where in a text file the table stands: exports of BioLogic, Gamry and VersaStudio, and tables with a header."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ionics.fitting.files.columns import Vocabulary
from ionics.fitting.files.headers import described
from ionics.fitting.files.source import Source
from ionics.fitting.files.table import Table, fill, find_delimiter, is_number, split
from ionics.fitting.spectrum import DataError, Unrecognised

HEADER_LINES = 500  # how far down a line of column names is looked for


def text_tables(
    source: Source, vocabulary: Vocabulary, delimiter: str | None, columns: Sequence[int | str] | None
) -> list[Table]:
    """The tables of a text file that hold what the vocabulary needs; at least one."""
    lines = source.lines
    if lines[0].startswith(("EC-Lab ASCII FILE", "BT-Lab ASCII FILE")):
        return [_biologic(source.path, lines, columns)]
    if lines[0].strip() == "EXPLAIN":
        return _chosen(source.path, "Gamry", _gamry(source.path, lines), vocabulary)
    if lines[0].startswith("<Application>"):
        return _chosen(source.path, "VersaStudio", _versastudio(source.path, lines), vocabulary)
    return [lines_table(str(source.path), lines, vocabulary, delimiter or find_delimiter(lines), columns)]


def lines_table(
    path: str,
    lines: list[str],
    vocabulary: Vocabulary,
    delimiter: str,
    columns: Sequence[int | str] | None = None,
    place: str = "line",
) -> Table:
    """The table under the first line of names that the vocabulary knows, or nameless rows of numbers."""
    head = header_line(lines, delimiter, vocabulary)
    if head is None:
        return _headless(path, lines, vocabulary, delimiter, columns, place)
    table = Table(path, _names(lines[head], delimiter), delimiter=delimiter, place=place)
    return _filled(table, lines, head)


def header_line(lines: list[str], delimiter: str, vocabulary: Vocabulary) -> int | None:
    """The first line whose names are complete."""
    return next((k for k, line in enumerate(lines[:HEADER_LINES]) if vocabulary.holds(_names(line, delimiter))), None)


def _filled(table, lines, head):
    table.metadata |= described(lines[:head])
    fill(table, lines, head + 1)
    if not table.rows:
        raise DataError(f"{table.path}: no data after the header on {table.place} {head + 1}")
    return table


def _names(line, delimiter):
    line = line.lstrip("# ")
    names = split(re.sub("\t+", "\t", line.strip()) if delimiter == "\t" else line, delimiter)
    if len(names) == 1 and delimiter != " ":  # ZView: one quoted line of names above rows with another delimiter
        return re.split(r"\s{2,}", names[0].strip())
    return names


def _headless(path, lines, vocabulary, delimiter, columns, place):
    """No names that mean anything: rows of numbers, in the order given or in the order f, Re, Im."""
    numeric = (k for k, line in enumerate(lines) if sum(map(is_number, split(line, delimiter))) >= 2)
    first = next(numeric, None)
    if first is None:
        single = next((k for k, line in enumerate(lines) if is_number(line.strip())), None)
        what = (
            f"no {place} of numbers was found"
            if single is None
            else f"one column of numbers from {place} {single + 1} on"
        )
        raise Unrecognised(f"{path}: {what}; expected {vocabulary.needed}")
    above = _names_above(lines[:first], delimiter, len(split(lines[first], delimiter)))
    same = bool(above)
    if same and columns is None:
        raise Unrecognised(
            f"{path}, {place} {first}: columns {_listed(above)} are not known; known: {vocabulary.known}; "
            "or say columns=(0, 1, 2)"
        )
    table = Table(path, above if same else None, delimiter=delimiter, place=place)
    table.metadata |= described(lines[:first])
    try:
        fill(table, lines, first)
    except DataError as refusal:
        raise Unrecognised(f"{refusal}; is it a table of {vocabulary.needed}?") from None
    if not table.rows:
        raise Unrecognised(f"{path}: every {place} of numbers is a comment; expected {vocabulary.needed}")
    return table


def _names_above(lines, delimiter, width):
    """The nearest line of as many words as there are columns; only the last where blanks part words."""
    for line in reversed(lines[-1:] if delimiter == " " else lines):
        above = split(line.lstrip("# "), delimiter)
        if len(above) == width >= 2 and not any(is_number(cell) for cell in above):
            return above
    return []


def _listed(names):
    return ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")


# ---- instruments


def _biologic(path, lines, columns):
    """EC-Lab text: the second line says on which line the column names stand."""
    match = re.search(r"(\d+)", lines[1]) if len(lines) > 1 and "header lines" in lines[1] else None
    head = int(match[1]) - 1 if match else -1
    if not 1 < head < len(lines) or "\t" not in lines[head]:
        raise DataError(f"{path}, line 2: expected 'Nb header lines : N' with the column names on line N")
    names = [name for name in split(lines[head], "\t") if name]
    width = len(split(lines[head + 1], "\t")) if head + 1 < len(lines) and lines[head + 1].strip() else len(names)
    if width == len(names) + 1:
        if columns is None:
            raise DataError(
                f"{path}, line {head + 1}: {len(names)} names stand above {width} columns, so one name is missing; "
                "repair the line or say columns=(frequency, real, imaginary) by position, e.g. (0, 1, 2)"
            )
        names = None
    return _filled(Table(str(path), names, delimiter="\t"), lines, head)


def _gamry(path, lines):
    """Gamry: tables that begin with `NAME TABLE`, a line of names and one of units, and end at the margin."""
    aborted = any(line.startswith("EXPERIMENTABORTED\tTOGGLE\tT") for line in lines)
    starts = [k for k, line in enumerate(lines) if re.match(r"\w+\tTABLE\b", line)]
    for start in starts:
        if start + 2 >= len(lines) or not lines[start + 1].startswith("\t"):
            raise DataError(f"{path}, line {start + 1}: the file ends inside the table; copy it again")
        names, units = (line.strip("\t ").split("\t") for line in lines[start + 1 : start + 3])
        named = [f"{name}/{unit}" for name, unit in zip(names, units, strict=False)]
        table = Table(str(path), named, delimiter="\t", title=lines[start].split("\t")[0])
        table.metadata |= described(lines[: starts[0]])
        for k, line in enumerate(lines[start + 3 :], start=start + 3):
            if not line[:1].isspace() or not line.strip():
                break
            cells = line.split()
            if len(cells) != len(named) and k + 1 < len(lines):
                raise DataError(f"{path}, line {k + 1}: {len(cells)} values where {len(named)} are expected")
            if len(cells) == len(named):
                table.rows.append(cells)
                table.lines.append(k + 1)
            else:
                aborted = True  # the last line was cut while it was written
        if aborted:
            table.notes.append(f"the measurement was aborted: {len(table.rows)} points were measured until then")
        yield table


def _versastudio(path, lines):
    """VersaStudio: segments whose `Definition=` line names the columns."""
    for start in (k for k, line in enumerate(lines) if re.match(r"<Segment\d+>", line)):
        end = next((k for k in range(start, len(lines)) if lines[k].startswith("</Segment")), None)
        head = next((k for k in range(start, end or 0) if lines[k].startswith("Definition=")), None)
        if end is None or head is None:
            raise DataError(f"{path}, line {start + 1}: the segment has no columns or no end; copy the file again")
        names = split(lines[head].removeprefix("Definition=").removesuffix(", 0"), ",")
        table = Table(str(path), names, delimiter=",", title=lines[start].strip("<>"))
        table.metadata |= described(lines[:start])
        yield fill(table, lines[:end], head + 1)


def _chosen(path, program, tables, vocabulary):
    tables = list(tables)
    fitting = [table for table in tables if table.rows and vocabulary.holds(table.names)]
    if fitting:
        return fitting
    found = ", ".join(f"{table.title} ({_listed(table.names)})" for table in tables) or "none"
    raise Unrecognised(f"{path}: a {program} file without {vocabulary.what}; its tables: {found}")
