"""Excel workbooks (.xlsx, .xls): every sheet as lines of text, so that one way of finding tables serves all."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from ionics.fitting.files.source import Source
from ionics.fitting.spectrum import DataError

MOST_CELLS = 1_000_000  # of a sheet
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how .xls and other old Office files begin


def is_workbook(source: Source) -> bool:
    return source.content.startswith(OLE) or "xl/workbook.xml" in source.archive


def sheets(source: Source) -> Iterator[tuple[str, list[list[str]]]]:
    """The name of each sheet and its rows of cells, as text; numbers keep every digit."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise DataError(f"{source.path}: an Excel file needs python-calamine: pip install python-calamine") from None
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(source.content))
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height * sheet.total_width > MOST_CELLS:
                raise DataError(
                    f"{source.path}, sheet {name}: more than {MOST_CELLS:,} cells; save what is needed as csv"
                )
            yield name, [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
    except (CalamineError, ValueError) as error:
        raise error if isinstance(error, DataError) else _damaged(source, error) from None
    except BaseException as error:  # the library stops like this at some damaged files
        raise _damaged(source, error) if type(error).__name__ == "PanicException" else error from None


def _damaged(source, error):
    reason = " ".join(str(error).split())
    return DataError(f"{source.path}: not a readable Excel file ({reason}); save it again or as csv")


def as_lines(rows: list[list[str]]) -> list[str]:
    """Rows as lines with tabs; quotes stand in empty cells, so that every column keeps its number."""
    return ["\t".join(cell or '""' for cell in row) if any(row) else "" for row in rows]


def _text(cell):
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return " ".join(str(cell).split())
