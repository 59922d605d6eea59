"""Records of cyclers in SI, the current positive on discharge, whatever instrument wrote them."""

import sys

import numpy as np
import pytest

from ionics.fitting.files.cycling import Cycling, read_cycling
from ionics.fitting.files.rates import read_rate_table
from ionics.fitting.spectrum import DataError

TIME = np.arange(12.0)
VOLTAGE = 4.0 - 0.01 * TIME
RECORD = {  # name -> heading, a function of (time, voltage) to the row, separator
    "pybamm": ("Time [s],Voltage [V],Current [A]", lambda t, v: f"{t},{v},0.002", "positive on discharge"),
    "battery data format": ("Test Time / s,Voltage / V,Current / A", lambda t, v: f"{t},{v},-0.002", "on charge"),
    "Arbin": (
        "Data_Point,Test_Time(s),Step_Time(s),Current(A),Voltage(V),Cycle_Index,Step_Index",
        lambda t, v: f"1,{t},0,-0.002,{v},1,2",
        "on charge",
    ),
    "Maccor": (
        "Rec#\tCyc#\tStep\tTestTime\tStepTime\tAmp-hr\tAmps\tVolts\tState",
        lambda t, v: f"1\t1\t2\t  0d 00:00:{t:05.2f}\t0\t0\t0.002\t{v}\tD",
        "the column of states",
    ),
    "milli and minutes": ("time/min;Ewe/mV;I/mA", lambda t, v: f"{t / 60!r};{1e3 * v!r};-2", "on charge"),
    "Neware": (
        "DataPoint,Cycle Index,Step Index,Time,Total Time,Current(µA),Voltage(mV)",
        lambda t, v: f"1,1,2,00:00:00.0,00:00:{t:04.1f},-2000,{1e3 * v!r}",
        "on charge",
    ),
}


@pytest.mark.parametrize("name", RECORD)
def test_every_dialect_of_a_discharge_is_the_same_record(tmp_path, name):
    heading, row, said = RECORD[name]
    path = tmp_path / "cell.csv"
    rows = (row(t, v) for t, v in zip(TIME.tolist(), VOLTAGE.tolist(), strict=True))
    path.write_text("\n".join([heading, *rows]), encoding="utf-8")
    record = read_cycling(path)
    np.testing.assert_allclose(record.time, TIME, atol=1e-12)
    np.testing.assert_allclose(record.voltage, VOLTAGE)
    np.testing.assert_allclose(record.current, 0.002)
    np.testing.assert_allclose(record.capacity, 0.002 * TIME, atol=1e-15)  # the integral of a constant
    assert any(said in note for note in record.notes)
    if name in ("Arbin", "Maccor", "Neware"):
        assert (record.cycle[0], record.step[0]) == (1.0, 2.0)


def test_the_sign_that_is_asked_for_wins_and_a_contradiction_is_said(tmp_path):
    path = tmp_path / "cell.csv"
    path.write_text("Time [s],Voltage [V],Current [A]\n" + "".join(f"{t},{4 - 0.01 * t},2\n" for t in range(12)))
    assert read_cycling(path, sign=1).current[0] == 2.0
    turned = read_cycling(path, sign=-1)
    assert turned.current[0] == -2.0
    assert "the voltage moves against the sign that was asked for: check it" in turned.notes


def test_a_record_without_current_takes_the_one_that_is_known(laboratory):
    path = laboratory / "pybamm/Enertech_1C_discharge_U.txt"
    bare = read_cycling(path)
    assert (len(bare), bare.voltage[0], bool(np.isnan(bare.current).all())) == (3615, 4.181100464, True)
    assert any("say current=... [A]" in note for note in bare.notes)
    known = read_cycling(path, current=2.28)
    assert known.capacity[-1] / 3600 == pytest.approx(2.28 * 3614 / 3600)  # Ah: SOURCES.md says 2.289


def test_binary_and_text_of_one_record_agree(laboratory):
    for name in ("v1150_GCPL", "bio_logic2"):
        binary, text = (read_cycling(laboratory / f"galvani/{name}{end}") for end in (".mpr", ".mpt"))
        np.testing.assert_allclose(binary.time, text.time, rtol=1e-7)
        np.testing.assert_allclose(binary.voltage, text.voltage, rtol=6e-8)
        np.testing.assert_allclose(binary.capacity, text.capacity, rtol=1e-6, atol=1e-12)
        # The binary file holds no current: its slope of charge is what the program itself exports.
        np.testing.assert_allclose(binary.current[1:], text.current[1:], rtol=1e-3, atol=2e-9)


def test_a_chronopotentiometry_of_a_solid_state_cell_is_read(laboratory):
    record = read_cycling(laboratory / "hybrid-drt/CP_SSB.mpr")
    assert (len(record), record.metadata["technique"]) == (30208, "CP")
    assert (record.time[0], record.time[-1]) == (pytest.approx(19.8948, rel=1e-5), pytest.approx(50.096, rel=1e-5))
    integral = np.trapezoid(record.current, record.time)
    assert record.capacity[-1] == pytest.approx(integral, rel=0.02)  # two ways of counting charge


def test_a_neware_record_is_its_csv_export(laboratory):
    pytest.importorskip("fastnda", reason="the extra `cyclers` is not installed")
    binary, text = (read_cycling(laboratory / f"fastnda/interp-test.{end}") for end in ("ndax", "csv"))
    np.testing.assert_allclose(binary.time, text.time, atol=0.1)  # the export rounds the clock
    np.testing.assert_allclose(binary.voltage, text.voltage, atol=1e-4)  # and the voltage to 0.1 mV
    np.testing.assert_array_equal(binary.cycle, text.cycle)


def test_a_neware_record_without_its_library_names_the_extra(laboratory, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastnda", None)
    with pytest.raises(DataError, match=r"pip install 'ionics-toolkit\[cyclers\]'"):
        read_cycling(laboratory / "fastnda/interp-test.ndax")


def test_a_spectrum_names_the_door_for_spectra(laboratory):
    for name in ("hybrid-drt/PEIS_SSB.mpr", "galvani/v1150_PEIS.mpt", "zahner/rc-data.ism"):
        with pytest.raises(DataError, match="it is an impedance spectrum, which read_spectra reads"):
            read_cycling(laboratory / name)


WRONG = {
    "time goes back": ("time/s,voltage/V\n0,3\n2,3\n1,3\n", "time goes back from 2 to 1 s at row 3"),
    "unknown unit": (
        "time/fortnight,voltage/V\n0,3\n1,3\n",
        "unit 'fortnight' is not understood; valid: s, ms, min, h",
    ),
    "current density": ("time/s,voltage/V,current/mA cm-2\n0,3,1\n1,3,1\n", "unit 'mA cm-2' is not understood"),
    "a word": ("time/s,voltage/V\n0,3\n1,full\n", "line 3, column 2 ('voltage/V'): 'full' is not a number"),
    "no header": ("1,2,3\n2,3,4\n", "line 1: 3 columns without a header; say columns=(time, voltage, current)"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_record_gives_one_message(tmp_path, text, message):
    path = tmp_path / "cell.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_cycling(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_positions_can_be_given(tmp_path):
    path = tmp_path / "cell.csv"
    path.write_text("3.0;0;1\n3.1;1;1\n3.2;2;1\n")
    record = read_cycling(path, columns=(1, 0, 2), sign=-1)
    np.testing.assert_array_equal(record.voltage, [3.0, 3.1, 3.2])
    np.testing.assert_array_equal(record.current, [-1.0, -1.0, -1.0])


def test_a_record_becomes_a_dataset_with_units():
    record = Cycling(TIME, VOLTAGE, 0 * TIME, 0 * TIME, label="cell", source="folder/cell.csv", metadata={"area": "1"})
    data = record.to_xarray()
    assert data["current"].attrs == {"units": "A", "long_name": "current, positive on discharge"}
    assert (data.attrs["label"], data.attrs["data"], data.attrs["area"]) == ("cell", "cell.csv", "1")
    assert "temperature" not in data


def test_capacities_against_rate_are_read_from_excel(laboratory):
    folder = laboratory / "batteryratecap"
    curves = read_rate_table(folder / "export_capacity_rate_all.xlsx")
    assert (len(curves), curves[0].label) == (12, "Paper # 14, set #8")
    assert (curves[0].rate[0], curves[0].capacity[0] / 3600) == (0.5, pytest.approx(114.7056263))  # mAh/g
    discharges = read_rate_table(folder / "input_voltage_capacity_by_c-rate.xls")
    assert (len(discharges), discharges[0].rate[0], discharges[0].sheet) == (40, 0.5, "0.5C_discharge")
    assert discharges[0].voltage[0] == pytest.approx(3.75984393)
    with pytest.raises(DataError, match=r"no sheet .* has columns 'C-rate' and 'Capacity"):
        read_rate_table(folder / "export_fitparameters.xlsx")
