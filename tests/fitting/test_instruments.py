"""Every file of the laboratory collection is read as its instrument meant it, and binaries as their text exports."""

import json
import struct
import zipfile

import numpy as np
import pytest

from ionics.fitting.files.readers import read_spectra, read_spectrum
from ionics.fitting.spectrum import DataError

MEASURED = {  # file -> spectra, points in the first, highest frequency, first impedance
    "hybrid-drt/PEIS_SSB.mpr": (1, 89, 7.0000185e6, 49.00869 - 16.16077j),
    "hybrid-drt/EISGALV_EISTest3.DTA": (1, 71, 1.000078e6, 0.04711733 + 0.1695821j),
    "ssb-eis-ml/Cell001_Form_20uA_25T_30RH_Cycle1to10_01_GEIS_CA1.mpr": (10, 36, 10001.0, 20.116896 - 672.40619j),
    "ssb-eis-ml/EISdata1_SoC0_Cyc1to100.csv": (148, 36, 10001.0, 20.1169 - 672.406j),
    "impedance.py/exampleDataAutolab.txt": (1, 41, 1e4, 0.01378586 + 0.00719195j),
    "impedance.py/exampleDataGamry.DTA": (1, 72, 200015.6, 825.8584 - 1367.239j),
    "impedance.py/exampleDataParstat.txt": (1, 31, 1e4, -0.00049816 + 0.01751435j),
    "impedance.py/exampleDataVersaStudio.par": (1, 61, 1e5, 55.31571 + 4.575431j),
    "impedance.py/exampleDataZPlot.z": (1, 21, 3e5, 147.77 - 11.335j),
    "impedance.py/exampleDataZPlot_noComments.z": (1, 31, 3e5, 642.62 - 85.821j),
    "impedance.py/Circuit1_EIS_1.z": (1, 48, 5e4, 29.036 + 0.63662j),
    "impedance.py/Circuit2_EIS_1.z": (1, 56, 3e5, 147.77 - 11.335j),
    "impedance.py/Circuit3_EIS_1.z": (1, 53, 1.5e5, 1493.7 + 10.377j),
    "gamry-parser/eispot_data.dta": (1, 10, 1e4, 224.6075 - 3.767681j),
    "nleis/Z1s_30a.txt": (3, 66, 1e4, 0.01577217 + 0.0101571j),
    "zahner/li-ion-battery.ism": (1, 128, 5e3, 0.02742235 + 0.0238547j),
    "zahner/rc-data.ism": (1, 55, 1e5, 165.6071 - 10868.178j),
}  # fmt: skip


@pytest.mark.parametrize("name", MEASURED)
def test_a_file_of_an_instrument_gives_its_spectra(laboratory, name):
    count, points, highest, impedance = MEASURED[name]
    spectra = read_spectra(laboratory / name)
    assert (len(spectra), len(spectra[0])) == (count, points)
    assert spectra[0].frequency[0] == pytest.approx(highest)
    assert spectra[0].impedance[0] == pytest.approx(impedance, rel=1e-5)


PAIRS = {  # .mpr -> .mpt
    "galvani/v1150_PEIS.mpr": "galvani/v1150_PEIS.mpt",
    "galvani/v1150_GEIS.mpr": "galvani/v1150_GEIS.mpt",
    "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.mpr": "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.txt",
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_binary_file_of_biologic_holds_what_its_text_export_holds(laboratory, name):
    binary, text = read_spectra(laboratory / name), read_spectra(laboratory / PAIRS[name])
    assert len(binary) == len(text)
    for one, other in zip(binary, text, strict=True):
        np.testing.assert_allclose(one.frequency, other.frequency, rtol=6e-8)  # eight digits in the text
        np.testing.assert_allclose(one.impedance, other.impedance, rtol=6e-8)
        assert one.conditions.get("time") == pytest.approx(other.conditions.get("time"))


def test_the_loops_of_a_binary_file_are_those_of_its_instrument(laboratory):
    spectra = read_spectra(laboratory / "ssb-eis-ml/Cell001_Form_20uA_25T_30RH_Cycle1to10_01_GEIS_CA1.mpr")
    assert spectra[0].metadata == {"instrument": "BioLogic", "date": "05.20.22", "technique": "GEIS"}
    started = [spectrum.conditions["time"] for spectrum in spectra]
    assert started == sorted(started)


def test_raw_file_and_table_of_a_ceramic_cell_agree_and_the_bad_point_is_flagged(laboratory):
    raw = read_spectra(laboratory / "ssb-eis-ml/Cell001_Form_20uA_25T_30RH_Cycle1to10_01_GEIS_CA1.mpr")[0]
    table = read_spectra(laboratory / "ssb-eis-ml/EISdata1_SoC0_Cyc1to100.csv")
    np.testing.assert_allclose(table[0].impedance, raw.impedance, rtol=1e-5)  # six digits in the table
    assert [s.conditions["cycle"] for s in table[:3]] == [1.0, 2.0, 3.0]
    assert table[0].metadata == {"I(uA)": 20.0, "Q_relative": 1.08}
    for spectrum in (raw, table[0]):
        assert any("jumps from 576.1 to 20.12 ohm between 6740 and 1e+04 Hz" in note for note in spectrum.notes)
    assert not any("jumps" in note for note in table[1].notes)


def test_an_aborted_measurement_gives_what_was_measured_and_says_so(laboratory):
    short = read_spectrum(laboratory / "gamry-parser/eispot_data_curveaborted.dta")
    assert "the measurement was aborted: 5 points were measured until then" in short.notes
    whole = read_spectrum(laboratory / "gamry-parser/eispot_data.dta")
    np.testing.assert_array_equal(short.impedance, whole.impedance[:5])
    assert len(read_spectrum(laboratory / "impedance.py/exampleDataGamryABORT.DTA")) == 72


def test_a_zahner_file_spans_what_its_own_program_fitted(laboratory):
    oracle = json.loads((laboratory / "zahner/fit_result.json").read_text())
    spectrum = read_spectrum(laboratory / "zahner/li-ion-battery.ism")
    resistance = oracle["model"]["R0"]["R"]["value"] + oracle["model"]["R1"]["R"]["value"]
    assert spectrum.impedance.real.min() < resistance < spectrum.impedance.real.max()
    assert (spectrum.frequency[-1], spectrum.metadata["date"]) == (pytest.approx(5e-4), "2009-05-25")
    turned = read_spectrum(laboratory / "zahner/rc-data.ism")
    assert "20 points before the turn of the sweep were left out: they are measured again after" in turned.notes


def test_headers_say_instrument_technique_date_amplitude_and_area(laboratory):
    gamry = read_spectrum(laboratory / "impedance.py/exampleDataGamry.DTA").metadata
    assert gamry == {
        "technique": "Potentiostatic EIS",
        "instrument": "REF3000-34128",
        "date": "4/23/2018",
        "amplitude": "1.00000E+001 mV rms",
        "area": "1.00000E+000 cm^2",
    }
    chi = read_spectrum(laboratory / "impedance.py/exampleDataCHInstruments.txt").metadata
    assert (chi["instrument"], chi["amplitude"]) == ("CHI660E", "0.025 V")
    pellet = read_spectrum(laboratory / "eisfitpython/EIS_Data/Example-2/Example2a.txt").metadata
    assert (pellet["diameter"], pellet["thickness"]) == ("1.300e+01 mm", "7.500e-01 mm")
    biologic = read_spectrum(laboratory / "impedance.py/exampleDataBioLogic.mpt").metadata
    assert biologic["technique"] == "Potentio Electrochemical Impedance Spectroscopy"


def test_a_missing_column_name_is_seen_and_positions_help(laboratory):
    path = laboratory / "impedance.py/exampleDataBioLogic_MissingFreq.mpt"
    with pytest.raises(DataError, match="line 61: 17 names stand above 18 columns, so one name is missing"):
        read_spectrum(path)
    whole = read_spectrum(laboratory / "impedance.py/exampleDataBioLogic.mpt")
    np.testing.assert_array_equal(read_spectrum(path, columns=(0, 1, 2)).impedance, whole.impedance)


REFUSED = {  # file -> what the message must say
    "galvani/v1150_GCPL.mpr": "it is a cycling record, which read_cycling reads",
    "galvani/bio_logic2.mpt": "it is a cycling record, which read_cycling reads",
    "hybrid-drt/CP_SSB.mpr": "it is a cycling record, which read_cycling reads",
    "fastnda/21_10_7_85.ndax": "a cycling record of Neware, which read_cycling reads",
    "fastnda/interp-test.csv": "it is a cycling record, which read_cycling reads",
    "gamry-parser/chronoa_data.dta": "it is a cycling record, which read_cycling reads",
    "gamry-parser/ocvcurve_data.dta": "it is a cycling record, which read_cycling reads",
    "pybamm/Enertech_1C_discharge_U.txt": "time and voltage are read with read_cycling",
    "pybamm/lico2_ocp_Ai2020.csv": "columns stoichiometry, OCP [V] are not known",
    "pybamm/graphite_ocp_Enertech_Ai2020.csv": "columns sto, ocp [V] are not known",
    "batteryratecap/export_capacity_rate_all.xlsx": "tables of capacity against C-rate are read with read_rate_table",
    "nleis/freq_30a.txt": "one column of numbers from line 1 on",
    "nleis/Z2s_30a.txt": "the second harmonic of a nonlinear measurement [V/A^2]",
    "hybrid-drt/sample_info.txt": "line 2: 3 values where 33 are expected",
    "obelix/processed.csv": "columns ID, Composition",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_spectrum_is_answered_with_what_it_is(laboratory, name):
    with pytest.raises(DataError) as caught:
        read_spectra(laboratory / name)
    assert REFUSED[name] in str(caught.value)
    assert str(caught.value).startswith(str(laboratory / name))
    assert "\n" not in str(caught.value)


def mpr(version, ids, rows, *, new=False, cut=0):
    """A .mpr file of one module, from the facts of the format."""
    begin = {2: 405, 3: 406, 11: 1007}[version]
    width = "<IH" if new else "<IB"
    data = struct.pack(width, len(rows), len(ids)) + struct.pack(f"<{len(ids)}H", *ids)
    data = data.ljust(begin, b"\0") + b"".join(rows)
    size = (b"\xff" * 4 + struct.pack("<I4xI4x", len(data), version)) if new else struct.pack("<II", len(data), version)
    file = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48, b" ") + b"\0" * 4
    file += b"MODULE" + b"VMP data".ljust(10) + b"VMP data".ljust(25) + size[: 20 if new else 8] + b"05.20.22" + data
    return file[: len(file) - cut]


ROWS = [struct.pack("<fff", 10.0**k, 5.0 + k, 2.0) for k in range(4)]
IDS = (32, 37, 38)


def test_a_binary_file_is_read_from_the_facts_of_its_format(tmp_path):
    path = tmp_path / "cell.mpr"
    for version, new in ((2, False), (3, False)):
        path.write_bytes(mpr(version, IDS, ROWS, new=new))
        spectrum = read_spectrum(path)
        np.testing.assert_allclose(spectrum.frequency, [1000.0, 100.0, 10.0, 1.0])
        np.testing.assert_allclose(spectrum.impedance, [8 - 2j, 7 - 2j, 6 - 2j, 5 - 2j])


def test_columns_of_an_unknown_kind_are_left_out_where_they_come_last(tmp_path):
    path = tmp_path / "cell.mpr"
    path.write_bytes(mpr(3, (*IDS, 999), [row + b"\1\2\3" for row in ROWS]))
    assert "the columns from number 999 on are of an unknown kind and were left out" in read_spectrum(path).notes
    path.write_bytes(mpr(3, (999, *IDS), ROWS))
    with pytest.raises(DataError, match="do not hold a frequency"):
        read_spectrum(path)


DAMAGED = {
    "cut": (
        mpr(3, IDS, ROWS, cut=7),
        "module 'VMP data' should have 454 bytes and 447 are there: the file is cut short",
    ),
    "head only": (mpr(3, IDS, ROWS)[:40], "a BioLogic file without data (no module)"),
    "inside a module's head": (mpr(3, IDS, ROWS)[:70], "byte 52: a module should begin here"),
    "no points": (mpr(3, IDS, []), "no points; the measurement had not begun"),
    "odd rows": (mpr(3, IDS, [*ROWS, b"\0"]), "are no 5 rows of columns 32, 37, 38; export the file as .mpt"),
    "not a number": (
        mpr(3, IDS, [*ROWS, struct.pack("<fff", 1e4, np.nan, 1.0)]),
        "point 5, column 2 ('Re(Z)/Ohm'): 'nan' is not finite",
    ),
    "ism": (
        bytes.fromhex("0000fffffffe") + (9).to_bytes(6, "big") + b"\0" * 100,
        "a Zahner file of 10 points needs 352 bytes and has 112: it is cut short",
    ),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_binary_file_gives_one_message(tmp_path, content, message):
    path = tmp_path / "damaged.mpr"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_spectra(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def workbook(path, **sheets):
    """An .xlsx of rows of cells: words as inline strings, numbers as numbers."""
    names = "".join(f'<sheet name="{name}" sheetId="{k}" r:id="r{k}"/>' for k, name in enumerate(sheets, 1))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_rels/.rels", _relations({"r1": ("officeDocument", "xl/workbook.xml")}))
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>'
        )
        links = {f"r{k}": ("worksheet", f"worksheets/s{k}.xml") for k in range(1, len(sheets) + 1)}
        archive.writestr("xl/_rels/workbook.xml.rels", _relations(links))
        for k, rows in enumerate(sheets.values(), 1):
            data = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
            archive.writestr(f"xl/worksheets/s{k}.xml", sheet)


def _relations(links):
    told = (f'<Relationship Id="{k}" Type="{OFFICE}/{kind}" Target="{to}"/>' for k, (kind, to) in links.items())
    return f'<Relationships xmlns="{PACKAGE}">{"".join(told)}</Relationships>'


def _cell(value):
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value!r}</v></c>"


HEAD = [["a pellet"], [None, "freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", "remark"]]
CELLS = [[None, 100.0, 10.25, 1.5, "first"], [None, 10.0, 11.0, 2.0, None], [None, 1.0, 12.0, 3.0, None]]


def test_every_sheet_of_a_workbook_that_holds_a_spectrum_is_read(tmp_path):
    path = tmp_path / "pellet.xlsx"
    workbook(path, notes=[["nothing"]], cold=HEAD + CELLS, warm=HEAD + CELLS)
    cold, warm = read_spectra(path)
    assert (cold.label, warm.label) == ("pellet cold", "pellet warm")
    np.testing.assert_array_equal(cold.impedance, [10.25 - 1.5j, 11 - 2j, 12 - 3j])
    workbook(path, cold=[*HEAD, *CELLS, [None, 0.1, "bad", 3.0, None]])
    with pytest.raises(DataError, match=r"sheet cold, row 6, column 3 \('Re\(Z\)/Ohm'\): 'bad' is not a number"):
        read_spectra(path)
    workbook(path, notes=[["nothing"]])
    with pytest.raises(DataError, match=r"no sheet \(notes\) holds a frequency"):
        read_spectra(path)
