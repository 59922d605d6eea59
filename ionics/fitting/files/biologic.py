"""BioLogic .mpr: the binary file of EC-Lab, as a table whose columns have the names of the .mpt export.

A file is a mark, then modules: the word MODULE, a short name (10 bytes), a long name (25), the length of the data,
a version, a date (8 bytes), the data. Since EC-Lab 11.50 eight more bytes surround length and version. The module
'VMP data' holds the number of points and columns, the numbers that say what each column is, and from a fixed
position that depends on the version the rows, packed, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ionics.fitting.files.source import Source
from ionics.fitting.files.table import Table
from ionics.fitting.spectrum import DataError

MARK = b"BIO-LOGIC MODULAR FILE\x1a"
FIRST_MODULE = 52  # bytes from the beginning
ROWS_FROM = {0: 100, 2: 405, 3: 406, 10: 1007, 11: 1007}  # version -> where the rows begin in the data
WIDE_IDS = 2  # from this version on a column number has two bytes
FLAGS = {1: ("mode", 0x03), 2: ("ox/red", 0x04), 3: ("error", 0x08), 21: ("control changes", 0x10)}
FLAGS |= {31: ("Ns changes", 0x20), 65: ("counter inc.", 0x80)}  # all six share the first byte of a row
TECHNIQUES = {4: "GCPL", 6: "CV", 11: "OCV", 24: "CA", 25: "CP", 29: "PEIS", 30: "GEIS"}
LONG = {4: "time/s", 7: "dq/mA.h", 11: "<I>/mA", 13: "(Q-Qo)/mA.h", 23: "dQ/mA.h", 24: "cycle number"}
LONG |= {74: "Energy/W.h", 123: "Energy charge/W.h", 124: "Energy discharge/W.h", 125: "Capacitance charge/µF"}
LONG |= {126: "Capacitance discharge/µF", 182: "step time/s", 211: "Q charge/discharge/mA.h"}
LONG |= {438: "step time/s", 467: "Q charge/discharge/mA.h"}
SHORT = {5: "control/V/mA", 6: "Ewe/V", 8: "I/mA", 9: "Ece/V", 16: "Analog IN 1/V", 17: "Analog IN 2/V"}
SHORT |= {19: "control/V", 20: "control/mA", 26: "Rapp/Ohm", 27: "Ewe-Ece/V", 32: "freq/Hz", 33: "|Ewe|/V"}
SHORT |= {34: "|I|/A", 35: "Phase(Z)/deg", 36: "|Z|/Ohm", 37: "Re(Z)/Ohm", 38: "-Im(Z)/Ohm", 69: "R/Ohm", 70: "P/W"}
SHORT |= {75: "Analog OUT/V", 76: "<I>/mA", 77: "<Ewe>/V", 78: "Cs-2/µF-2", 96: "|Ece|/V", 98: "Phase(Zce)/deg"}
SHORT |= {99: "|Zce|/Ohm", 100: "Re(Zce)/Ohm", 101: "-Im(Zce)/Ohm", 168: "Rcmp/Ohm", 169: "Cs/µF", 172: "Cp/µF"}
SHORT |= {173: "Cp-2/µF-2", 174: "<Ewe>/V", 178: "(Q-Qo)/C", 179: "dQ/C", 185: "<Ece>/V", 434: "(Q-Qo)/C", 435: "dQ/C"}
SHORT |= {462: "Temperature/°C", 473: "THD Ewe/%", 474: "THD I/%", 476: "NSD Ewe/%", 477: "NSD I/%"}
SHORT |= {479: "NSR Ewe/%", 480: "NSR I/%"}
SHORT |= {485 + k: f"|Ewe h{k + 1}|/V" for k in range(1, 7)} | {491 + k: f"|I h{k + 1}|/A" for k in range(1, 7)}
KINDS = {key: (name, "<f8") for key, name in LONG.items()} | {key: (name, "<f4") for key, name in SHORT.items()}
KINDS |= {39: ("I Range", "<u2"), 131: ("Ns", "<u2")}
KINDS |= {212: ("half cycle", "<u4"), 213: ("z cycle", "<u4"), 468: ("half cycle", "<u4"), 469: ("z cycle", "<u4")}


@dataclass(frozen=True)
class Module:
    """A part of the file: its name, version, date and data."""

    name: str
    version: int
    date: str
    data: bytes


def mpr_table(source: Source) -> Table:
    """The columns of a .mpr file. Raises DataError where the file is cut short or of an unknown version."""
    try:
        return _table(source)
    except struct.error:
        raise DataError(f"{source.path}: a module is shorter than its own header; the file is damaged") from None


def _table(source):
    modules = {module.name: module for module in _modules(source)}
    if "VMP data" not in modules:
        raise DataError(
            f"{source.path}: a BioLogic file without data ({', '.join(modules) or 'no module'}); export .mpt"
        )
    module = modules["VMP data"]
    table = _rows(source, module)
    table.metadata |= {"instrument": "BioLogic", "date": module.date}
    settings = modules.get("VMP Set")
    if settings and settings.data and settings.data[0] in TECHNIQUES:
        table.metadata["technique"] = TECHNIQUES[settings.data[0]]
    if "VMP loop" in modules:
        _add_loops(table, modules["VMP loop"].data)
    return table


def _modules(source) -> Iterator[Module]:
    content, at = source.content, FIRST_MODULE
    while at < len(content):
        if content[at : at + 6] != b"MODULE" or at + 65 > len(content):
            raise DataError(f"{source.path}: byte {at}: a module should begin here; the file is cut short or damaged")
        name = content[at + 6 : at + 16].decode("latin-1").strip()
        at += 41
        if content[at : at + 4] == b"\xff\xff\xff\xff":  # since 11.50
            length, version, start = *struct.unpack_from("<4xI4xI", content, at), at + 24
        else:
            length, version, start = *struct.unpack_from("<II", content, at), at + 16
        data = content[start : start + length]
        if len(data) < length:
            raise DataError(
                f"{source.path}: module '{name}' should have {length} bytes and {len(data)} are there: "
                "the file is cut short; copy it again"
            )
        yield Module(name, version, content[start - 8 : start].decode("latin-1"), data)
        at = start + length


def _rows(source, module):
    data, begin = module.data, ROWS_FROM.get(module.version)
    if begin is None:
        raise DataError(
            f"{source.path}: data of version {module.version}; known: {', '.join(map(str, ROWS_FROM))}; "
            "export the file as .mpt with EC-Lab"
        )
    points, ids = _header(data, module.version)
    stride, rest = divmod(len(data) - begin, points) if points else (0, 0)
    if not points:
        raise DataError(f"{source.path}: no points; the measurement had not begun")
    layout, unknown = _layout(ids)
    if rest or stride < layout["itemsize"] or (not unknown and stride != layout["itemsize"]):
        raise DataError(
            f"{source.path}: {len(data) - begin} bytes are no {points} rows of columns {', '.join(map(str, ids))}; "
            "export the file as .mpt with EC-Lab"
        )
    rows = np.frombuffer(data, np.dtype({**layout, "itemsize": stride}), points, begin)
    flags = [(name, np.bitwise_and(rows["flags"], bits)) for key, (name, bits) in FLAGS.items() if key in ids]
    columns = flags + [(KINDS[key][0], rows[str(key)]) for key in ids if str(key) in layout["names"]]
    table = Table(str(source.path), [name for name, _ in columns], arrays=[values for _, values in columns])
    table.lines, table.place = list(range(1, points + 1)), "point"
    if unknown:
        table.notes.append(f"the columns from number {unknown} on are of an unknown kind and were left out")
    return table


def _header(data, version):
    """Number of points, and what the columns are."""
    points, columns = struct.unpack_from("<IB", data)
    if version >= 10:  # the number of columns has two bytes too
        return points, struct.unpack_from(f"<{columns}H", data, 6)
    return points, struct.unpack_from(f"<{columns}{'H' if version >= WIDE_IDS else 'B'}", data, 5)


def _layout(ids):
    """How a row is packed, up to the first column whose size is not known (its number, or None)."""
    names, formats, offsets, at = [], [], [], 0
    for key in ids:
        name, kind = ("flags", "u1") if key in FLAGS else (str(key), KINDS.get(key, ("", ""))[1])
        if not kind:
            return {"names": names, "formats": formats, "offsets": offsets, "itemsize": at}, key
        if name not in names:
            names.append(name)
            formats.append(kind)
            offsets.append(at)
            at += np.dtype(kind).itemsize
    return {"names": names, "formats": formats, "offsets": offsets, "itemsize": at}, None


def _add_loops(table, data):
    """The module of loops: their number, and the points at which they end."""
    count = struct.unpack_from("<I", data)[0]
    if not 0 < 4 * count <= len(data) - 4:
        return
    ends = np.array(struct.unpack_from(f"<{count}I", data, 4))
    table.names.insert(0, "loop index")
    table.arrays.insert(0, np.searchsorted(ends[1:], np.arange(len(table)), side="right"))
