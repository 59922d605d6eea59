"""Files that are not what they seem are refused in one sentence, quickly, and nothing in them is run."""

import importlib.metadata
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionics.fitting.files import readers
from ionics.fitting.files.cycling import read_cycling
from ionics.fitting.files.readers import read_spectra, read_spectrum
from ionics.fitting.files.source import LIMIT
from ionics.fitting.spectrum import DataError, Spectrum

TEXT = "freq,re,im\n1000,10.5,-1.25\n100,12,-6\n10,20,-9.5\n1,30.25,-2\n"

NOT_MEASUREMENTS = {
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle, which is never opened since opening one runs code"),
    "numpy": (b"\x93NUMPY\x01\x00", "a NumPy array; save it as csv"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "access": (b"\x00\x01\x00\x00Standard Jet DB\x00", "a database of Microsoft Access (Arbin .res?)"),
    "pdf": (b"%PDF-1.7\n", "a PDF document"),
    "gzip": (b"\x1f\x8b\x08\x00", "compressed; unpack it first"),
    "archive cut": (b"PK\x03\x04\x00\x00", "the zip archive is damaged or cut short"),
    "old Excel cut": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "not a readable Excel file"),
    "text with zeros": (b"1,2,3\n\x00\x00\n", "the file is binary"),
    "half UTF-16": (TEXT.encode("utf-16")[:-1], "begins as UTF-16 text and is not"),
    "one long line": (b"1," * 200_000, "line 1: 400000 characters; at most 200000 are read"),
    "a long name": (b"(" * 150_000, "no line of numbers was found"),
    "Gamry without rows": (
        b"EXPLAIN\nTAG\tEISPOT\nZCURVE\tTABLE\n\tPt\tFreq\tZreal\tZimag\n\t#\tHz\tohm\tohm\n",
        "a Gamry file without an impedance spectrum; its tables: ZCURVE",
    ),
    "Gamry cut": (b"EXPLAIN\nZCURVE\tTABLE\n", "line 2: the file ends inside the table"),
    "VersaStudio cut": (b"<Application>\n<Segment1>\nDefinition=Frequency(Hz), Z Real, 0\n", "line 2: the segment"),
    "half a spectrum a row": (b"Re(Z)1,-Im(Z)1,Re(Z)2,-Im(Z)2,Re(Z)3,-Im(Z)4\n1,2,3,4,5,6\n", "for frequency 3 Hz"),
    "a frequency twice a row": (
        b"Re(Z)1,-Im(Z)1,Re(Z)1,-Im(Z)1,Re(Z)3,-Im(Z)3\n1,2,3,4,5,6\n",
        "a frequency stands twice in the names of the columns",
    ),
}  # fmt: skip


@pytest.mark.parametrize("read", [read_spectra, read_cycling])
@pytest.mark.parametrize(("content", "message"), NOT_MEASUREMENTS.values(), ids=NOT_MEASUREMENTS)
def test_what_is_no_measurement_is_named(tmp_path, content, message, read):
    path = tmp_path / "spectrum.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path)
    if read is read_spectra:
        assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_even_opened(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(20 * LIMIT)  # sparse: takes no space
    with pytest.raises(DataError, match="2000 MB; at most 100 MB are read: split the file"):
        read_spectra(path)


def test_an_archive_that_grows_when_unpacked_is_refused_before(tmp_path):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/workbook.xml", "w") as member:
        for _ in range(60):
            member.write(bytes(10_000_000))
    with pytest.raises(DataError, match="more than 500 MB when unpacked"):
        read_spectra(path)


def test_a_wrong_ending_does_not_matter(tmp_path):
    for name in ("data.mpr", "data.ism", "data.xlsx", "data", "data.DTA"):
        (tmp_path / name).write_text(TEXT)
        assert len(read_spectrum(tmp_path / name)) == 4


def test_utf_16_is_read(tmp_path):
    (tmp_path / "utf16.csv").write_bytes(TEXT.encode("utf-16"))
    assert len(read_spectrum(tmp_path / "utf16.csv")) == 4


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text("0123456789.,;-+eE \t\nfreqimRZ()/Ohm'\"#", max_size=300).map(str.encode))
def test_any_bytes_give_spectra_or_one_message(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(content)
    messages = []
    for read in (read_spectra, read_cycling):
        try:
            read(path)
        except DataError as error:
            messages.append(str(error))
    assert all(message.startswith(str(path)) and "\n" not in message for message in messages)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-4, 1e7), st.floats(-1e9, 1e9), st.floats(-1e9, -1e-9)), min_size=3, max_size=30,
             unique_by=lambda row: row[0]),
    st.sampled_from([("\t", "."), (";", ","), (";", "."), ("\t", ","), (",", ".")]),
)  # fmt: skip
def test_what_is_written_is_read_to_the_last_digit(tmp_path_factory, rows, dialect):
    delimiter, decimal = dialect
    path = tmp_path_factory.getbasetemp() / "roundtrip.txt"
    lines = [delimiter.join(repr(x).replace(".", decimal) for x in row) for row in rows]
    path.write_text("\n".join([delimiter.join(("freq/Hz", "Re(Z)/Ohm", "Im(Z)/Ohm")), *lines]))
    spectrum = read_spectrum(path, sign=1)
    expected = np.array(sorted(rows, reverse=True))
    np.testing.assert_array_equal(spectrum.frequency, expected[:, 0])
    np.testing.assert_array_equal(spectrum.impedance, expected[:, 1] + 1j * expected[:, 2])


@pytest.mark.parametrize(
    "name",
    [
        "galvani/v1150_PEIS.mpr",
        "ssb-eis-ml/Cell001_Form_20uA_25T_30RH_Cycle1to10_01_GEIS_CA1.mpr",
        "zahner/rc-data.ism",
        "impedance.py/exampleDataGamryABORT.DTA",
        "impedance.py/exampleDataVersaStudio.par",
        "galvani/bio_logic2.mpt",
    ],
)
def test_a_laboratory_file_that_was_damaged_gives_spectra_or_one_message(laboratory, tmp_path, name):
    content, path = (laboratory / name).read_bytes(), tmp_path / "damaged"
    random = np.random.default_rng(len(content))
    messages = []
    for _ in range(25):
        at, damaged = int(random.integers(len(content))), bytearray(content)
        damaged[at] = random.integers(256)
        for changed in (content[:at], content[:at] + content[at + 1 :], bytes(damaged)):
            path.write_bytes(changed)
            try:
                read_spectra(path)
            except DataError as error:
                messages.append(str(error))
    assert messages
    assert all(message.startswith(str(path)) and "\n" not in message for message in messages)


# ---- ohm times area


@pytest.mark.parametrize("unit", ["Ohm cm2", "ohm.cm^2", "Ω·cm²", "ohm*cm2", "Ohm-cm2"])
def test_ohm_times_area_needs_the_area_and_is_divided_by_it(tmp_path, unit):
    path = tmp_path / "areal.csv"
    path.write_text(f"freq/Hz;Re(Z)/{unit};Im(Z)/{unit}\n" + TEXT.split("\n", 1)[1].replace(",", ";"))
    with pytest.raises(DataError) as caught:
        read_spectrum(path)
    assert f"column 'Re(Z)/{unit}' is in {unit}, not in ohm; say the area, e.g. area=1e-4 [m^2]" in str(caught.value)
    spectrum = read_spectrum(path, area=0.5e-4)
    assert spectrum.impedance[0] == pytest.approx((10.5 - 1.25j) / 0.5)
    assert "the file holds ohm times area: divided by 5e-05 m^2" in spectrum.notes
    with pytest.raises(DataError, match=r"area=0.0; valid: a number > 0 \[m\^2\]"):
        read_spectrum(path, area=0.0)


# ---- readers of other packages


class Entry:
    name, value = "acme", "acme.readers:read"

    def __init__(self, reader):
        self.reader = reader

    def load(self):
        return self.reader


def test_a_reader_of_another_package_is_asked_where_nothing_here_knows_the_file(tmp_path, monkeypatch):
    path = tmp_path / "cell.acme"
    path.write_bytes(b"ACME\x00\x01")
    mine = Spectrum(np.array([2.0, 1.0, 0.5]), np.array([1 - 1j, 2 - 1j, 3 - 1j]), label="acme")
    asked = []

    def read(path, content):
        asked.append(path)
        return [mine] if content.startswith(b"ACME") else None

    monkeypatch.setattr(readers, "entry_points", lambda group: [Entry(read)] if group == "ionics.readers" else [])
    assert read_spectrum(path) is mine
    (tmp_path / "known.csv").write_text(TEXT)
    read_spectrum(tmp_path / "known.csv")
    assert asked == [path]
    path.write_bytes(b"other\x00")
    with pytest.raises(DataError, match="the file is binary"):
        read_spectrum(path)
    monkeypatch.setattr(readers, "entry_points", lambda group: [Entry(lambda path, content: 1 / 0)])
    with pytest.raises(DataError, match=r"the reader 'acme' \(acme\.readers:read\) failed: division by zero"):
        read_spectrum(path)


def test_entry_points_are_looked_up_by_the_group_that_is_documented():
    assert readers.entry_points is importlib.metadata.entry_points
    assert readers.GROUP == "ionics.readers"
