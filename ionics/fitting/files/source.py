"""The bytes of a file, read once, and what kind of file they are."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from ionics.fitting.files.table import read_text
from ionics.fitting.spectrum import DataError

LIMIT = 100_000_000  # bytes; text takes about twenty times its size of memory while it is read
UNPACKED = 5 * LIMIT  # bytes of a compressed file when it is unpacked

OTHERS = {  # how files begin that are not measurements -> what they are and what to do
    rb"\x80[\x02-\x05]": "a Python pickle, which is never opened since opening one runs code; save it as csv",
    rb"\x93NUMPY": "a NumPy array; save it as csv with a line of column names",
    rb"\x89HDF": "an HDF5 file; save the columns of frequency, real and imaginary part as csv",
    rb"\x00\x01\x00\x00Standard (Jet|ACE)": "a database of Microsoft Access (Arbin .res?); export it as csv or xlsx",
    rb"%PDF": "a PDF document; the numbers are needed as text",
    rb"\x89PNG|\xff\xd8\xff|GIF8": "a picture; the numbers are needed as text",
    rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!": "compressed; unpack it first",
    rb"SQLite format 3": "an SQLite database; export the table as csv",
    rb"PAR1": "a Parquet file; save it as csv",
}


@dataclass(frozen=True)
class Source:
    """One file: its path and its content."""

    path: Path
    content: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def lines(self) -> list[str]:
        return read_text(self.path, self.content)

    @cached_property
    def archive(self) -> frozenset[str]:
        """The names inside a zip archive (.xlsx, .ndax); empty for anything else."""
        if not self.content.startswith(b"PK\x03\x04"):
            return frozenset()
        try:
            with zipfile.ZipFile(BytesIO(self.content)) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
            raise DataError(f"{self.path}: the zip archive is damaged or cut short; copy the file again") from None
        if sum(member.file_size for member in members) > UNPACKED:
            raise DataError(
                f"{self.path}: more than {UNPACKED // 10**6} MB when unpacked; export what is needed as csv"
            )
        return frozenset(member.filename for member in members)

    @property
    def binary(self) -> bool:
        if self.content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return False  # UTF-16
        return b"\x00" in self.content[:65536] or sum(byte < 9 for byte in self.content[:4096]) > 0

    def is_other(self) -> str | None:
        """What the file is and what to do, where it is known not to be a measurement."""
        for beginning, what in OTHERS.items():
            if re.match(beginning, self.content):
                return what
        return None


def open_source(path: str | Path) -> Source:
    """Read a file of at most LIMIT bytes. Raises DataError for what is absent, a folder, too large or empty."""
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: is a directory; give the file itself, or the folder to read_series")
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is not a plain file")
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise DataError(
                f"{path}: {size / 1e6:.0f} MB; at most {LIMIT // 10**6} MB are read: split the file, "
                "or export fewer columns or loops"
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not content.strip():
        raise DataError(f"{path}: the file is empty; expected columns of numbers")
    return Source(path, content)
