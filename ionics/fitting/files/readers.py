"""Read impedance spectra from files of laboratory instruments: one door for every format.

What a file is follows from its content, not from its name. Every decision that was not written in the file (order
of columns, sign of the imaginary part, loops) is stated in the notes of the spectrum. Anything that cannot be decided
is a DataError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from ionics.fitting.files.biologic import MARK, mpr_table
from ionics.fitting.files.columns import CYCLING, IMPEDANCE, Vocabulary
from ionics.fitting.files.layout import lines_table, text_tables
from ionics.fitting.files.measured import Options, spectra_of
from ionics.fitting.files.neware import is_neware, neware_table
from ionics.fitting.files.rows import spectra_in_rows
from ionics.fitting.files.sheets import as_lines, is_workbook, sheets
from ionics.fitting.files.source import Source, open_source
from ionics.fitting.files.table import Table
from ionics.fitting.files.zahner import is_ism, ism_table
from ionics.fitting.spectrum import DataError, Spectrum, Unrecognised

GROUP = "ionics.readers"  # entry points: (path, content) -> list of Spectrum, or None where the file is not theirs


def read_spectrum(
    path: str | Path,
    *,
    columns: Sequence[int | str] | None = None,
    sign: int | None = None,
    delimiter: str | None = None,
    loop: int | None = None,
    temperature: float | None = None,
    area: float | None = None,
) -> Spectrum:
    """The spectrum in a file.

    columns: positions (from 0) or names of frequency, real part, imaginary part, where the header does not
    tell; sign: +1 where the third column holds Im Z, -1 where it holds -Im Z, None to take the header's word
    or to detect it; loop: which spectrum (from 0) of a file that holds several; temperature in K; area in m^2,
    needed where the file holds ohm cm^2.
    """
    spectra = read_spectra(path, columns=columns, sign=sign, delimiter=delimiter, temperature=temperature, area=area)
    if loop is None and len(spectra) > 1:
        raise DataError(
            f"{path}: holds {len(spectra)} spectra; name one with loop=0 to {len(spectra) - 1}, or read all"
        )
    if loop is not None and not 0 <= loop < len(spectra):
        raise DataError(f"{path}: there is no loop {loop}; the file holds {len(spectra)}, counted from 0")
    return spectra[loop or 0]


def read_spectra(
    path: str | Path,
    *,
    columns: Sequence[int | str] | None = None,
    sign: int | None = None,
    delimiter: str | None = None,
    temperature: float | None = None,
    area: float | None = None,
) -> list[Spectrum]:
    """All spectra in a file, in the order they were measured; arguments as in `read_spectrum`."""
    path = Path(path)
    if sign not in (None, 1, -1):
        raise DataError(f"{path}: sign={sign!r}; valid: +1 (third column is Im Z), -1 (it is -Im Z) or None (detect)")
    source = open_source(path)
    options = Options(columns, sign, delimiter, temperature, area)
    try:
        return _spectra(source, options)
    except Unrecognised as refusal:
        return _read_elsewhere(source, refusal)


def _spectra(source: Source, options: Options) -> list[Spectrum]:
    if not source.binary:
        found = spectra_in_rows(source, source.lines, options)
        if found:
            return found
    tables = find_tables(source, IMPEDANCE, options.delimiter, options.columns)
    return [spectrum for table in tables for spectrum in spectra_of(source, table, options)]


def find_tables(
    source: Source,
    vocabulary: Vocabulary,
    delimiter: str | None = None,
    columns: Sequence[int | str] | None = None,
) -> list[Table]:
    """The tables of a file, of whatever format, that hold what the vocabulary needs; at least one.

    A file of the other kind of measurement is refused with the name of the function that reads it.
    """
    other = CYCLING if vocabulary is IMPEDANCE else IMPEDANCE
    try:
        tables = _tables(source, vocabulary, delimiter, columns)
    except Unrecognised as refusal:
        names = [] if source.binary or columns is not None else _names_by(other, source, delimiter)
        raise (_other_door(source, vocabulary, other, names) if other.holds(names) else refusal) from None
    if columns is None:
        for table in tables:
            names = _names_by(other, source, delimiter) if table.names is None else table.names
            if other.holds(names) and (other is IMPEDANCE or not vocabulary.holds(names)):
                raise _other_door(source, vocabulary, other, names)
            if table.names is not None and not vocabulary.holds(names):
                raise Unrecognised(
                    f"{source.path}: columns {', '.join(names)} do not hold {vocabulary.needed}; known names: "
                    f"{vocabulary.known}"
                )
    if len(tables) == 1:
        tables[0].title = ""  # names nothing where there is no other
    return tables


def _names_by(vocabulary, source, delimiter):
    """The names of the columns of a text file as somebody sees it who looks for another kind of measurement."""
    try:
        return text_tables(source, vocabulary, delimiter, None)[0].names or []
    except DataError:
        return []


def _other_door(source, vocabulary, other, names):
    door = "read_cycling" if other is CYCLING else "read_spectra"
    return Unrecognised(
        f"{source.path}: columns {', '.join(names)} do not hold {vocabulary.needed}: "
        f"it is {other.what}, which {door} reads"
    )


def _tables(source, vocabulary, delimiter, columns):
    what = source.is_other()
    if what:
        raise Unrecognised(f"{source.path}: {what}")
    if source.content.startswith(MARK):
        return [mpr_table(source)]
    if is_workbook(source):
        return _sheet_tables(source, vocabulary, columns)
    if is_neware(source) and vocabulary is IMPEDANCE:
        raise Unrecognised(f"{source.path}: a cycling record of Neware, which read_cycling reads")
    if is_neware(source):
        return [neware_table(source)]
    if is_ism(source):
        return [ism_table(source)]
    if source.archive:
        raise Unrecognised(f"{source.path}: a zip archive ({', '.join(sorted(source.archive)[:5])}); unpack it first")
    if source.binary:
        raise Unrecognised(
            f"{source.path}: the file is binary; export it from the instrument's program as text (.mpt, .csv, .txt)"
        )
    return text_tables(source, vocabulary, delimiter, columns)


def _sheet_tables(source, vocabulary, columns):
    found, seen = [], []
    for name, rows in sheets(source):
        seen.append(name)
        lines = as_lines(rows)
        if columns is None and not any(vocabulary.holds(row) for row in rows[:500]):
            continue
        table = lines_table(str(source.path), lines, vocabulary, "\t", columns, place=f"sheet {name}, row")
        table.title = name
        found.append(table)
    if not found:
        raise Unrecognised(
            f"{source.path}: no sheet ({', '.join(seen)}) holds {vocabulary.needed}; known names: {vocabulary.known}; "
            "tables of capacity against C-rate are read with read_rate_table"
        )
    return found


def _read_elsewhere(source: Source, refusal: DataError) -> list[Spectrum]:
    """What readers of other packages make of a file that is unknown here; the refusal where they know no better."""
    for entry in entry_points(group=GROUP):
        try:
            reader: Callable[[Path, bytes], list[Spectrum] | None] = entry.load()
            found = reader(source.path, source.content)
        except Exception as error:
            raise DataError(f"{source.path}: the reader '{entry.name}' ({entry.value}) failed: {error}") from error
        if found is not None:
            return found
    raise refusal
