"""A folder of spectra becomes a series that knows what was varied."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from ionics.fitting.files.folder import convert, read_series
from ionics.fitting.spectrum import DataError, Spectrum

TEXT = "freq,re,im\n1000,10.5,-1.25\n100,12,-6\n10,20,-9.5\n1,30.25,-2\n"
TEMPERATURE = r"(?P<temperature>-?\d+)deg"


@pytest.fixture
def folder(tmp_path):
    for name in ("cell_25deg_5MPa.csv", "cell_-10deg_5MPa.csv", "cell_100deg_1MPa.csv"):
        (tmp_path / name).write_text(TEXT)
    return tmp_path


def test_a_temperature_series_is_sorted_by_what_the_names_say(laboratory):
    series = read_series(
        laboratory / "eisfitpython/EIS_Data/Example-3-4",
        pattern=r"-(?P<temperature>\d+)deg",
        units={"temperature": "degC"},
    )
    np.testing.assert_allclose([s.temperature for s in series], 273.15 + np.arange(140, 201, 10))
    assert [len(s) for s in series] == [42, 42, 42, 41, 41, 41, 40]


def test_the_first_group_is_the_first_to_sort_by(folder):
    pattern = TEMPERATURE + r"_(?P<pressure>\d+)MPa"
    series = read_series(folder, pattern=pattern, units={"temperature": "degC", "pressure": "MPa"})
    assert [s.temperature for s in series] == [pytest.approx(t) for t in (263.15, 298.15, 373.15)]
    series = read_series(folder, pattern=r"(?P<pressure>\d+)MPa", units={"pressure": "MPa"})
    assert [s.conditions["pressure"] for s in series] == [1e6, 5e6, 5e6]


def test_a_glob_and_a_list_name_files_too(folder):
    assert len(read_series(str(folder / "cell_*5MPa.csv"))) == 2
    assert len(read_series(sorted(folder.iterdir())[:1])) == 1
    assert {s.label for s in read_series(folder)} == {path.stem for path in folder.iterdir()}


def test_a_table_gives_conditions_and_chooses_the_files(folder):
    table = folder / "conditions.csv"
    table.write_text(
        "file;state_of_charge[%];temperature[degC]\ncell_25deg_5MPa.csv;80;25\ncell_-10deg_5MPa.csv;20;25\n"
    )
    series = read_series(folder, table=table)
    assert [s.conditions["state_of_charge"] for s in series] == [pytest.approx(0.2), pytest.approx(0.8)]
    assert series[0].temperature == pytest.approx(298.15)


def test_files_without_a_spectrum_are_left_out_by_name_but_a_broken_spectrum_is_not(folder):
    (folder / "notes.txt").write_text("measured on Monday\n")
    first = read_series(folder)[0]
    assert "1 files of the folder hold no spectrum and were left out: notes.txt" in first.notes
    (folder / "broken_5deg.csv").write_text(TEXT + "0.1,NaN,-3\n")
    with pytest.raises(DataError, match=r"broken_5deg\.csv, line 6, column 2 \('re'\): 'NaN' is not finite"):
        read_series(folder)


def test_a_folder_of_binary_loops_is_sorted_by_time_or_cycle(laboratory):
    series = read_series(laboratory / "ssb-eis-ml")
    assert len(series) == 158
    assert "2 files of the folder hold no spectrum and were left out: LICENSE, README.md" in series[0].notes


WRONG = {
    "no such unit": (
        {"pattern": TEMPERATURE, "units": {"temperature": "C"}},
        "unit 'C' of temperature; valid: K, degC",
    ),
    "no such condition": ({"pattern": r"(?P<heat>\d+)"}, "'heat'; name groups (?P<...>) of temperature, state_of"),
    "no group": ({"pattern": r"\d+deg"}, r"has no named group; e.g. (?P<temperature>-?\d+)"),
    "unit without group": ({"pattern": TEMPERATURE, "units": {"time": "h"}}, "'time'; name groups"),
    "too cold": ({"pattern": TEMPERATURE}, "cell_-10deg_5MPa.csv: -10 K is not above absolute zero"),
    "no regular expression": ({"pattern": "("}, "pattern '(': missing )"),
    "name says nothing": ({"pattern": r"(?P<cycle>\d+)cycle"}, "its name does not give cycle by"),
    "pattern and table": ({"pattern": TEMPERATURE, "table": "t.csv"}, "not both"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_question_is_answered_with_what_would_be_valid(folder, options, message):
    with pytest.raises(DataError) as caught:
        read_series(folder, **options)
    assert message in str(caught.value)


TABLES = {
    "file;temperature[F]\na.csv;1\n": "line 1: unit 'F' of temperature; valid: K, degC, degF",
    "name;temperature[K]\na.csv;1\n": "line 1: no column 'file'; there are name, temperature",
    "file;temperature[K]\na.csv;warm\n": "line 2: 'warm' is not a number for temperature",
    "file;temperature[K]\na.csv\n": "line 2: 1 values where 2 are expected",
    "file;temperature[K]\na.csv;1\na.csv;2\n": "line 3: the file 'a.csv' stands there twice",
    "file;temperature[K]\na.csv;1\n": "a.csv: no such file",
}


@pytest.mark.parametrize(("text", "message"), TABLES.items())
def test_a_wrong_table_is_answered_by_its_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_series(tmp_path, table=tmp_path / "t.csv")
    assert message in str(caught.value)


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(DataError, match="no files there"):
        read_series(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing\n")
    with pytest.raises(DataError, match=r"no spectra there: notes\.txt: no line of numbers was found"):
        read_series(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "unit", "value"),
    [("temperature", "77", "degF", 298.15), ("temperature", "−25", "degC", 248.15), ("pressure", "2", "bar", 2e5),
     ("state_of_charge", "12,5", "%", 0.125), ("time", "1.5", "h", 5400.0), ("cycle", "7", None, 7.0)],
)  # fmt: skip
def test_conditions_are_stored_in_si(name, text, unit, value):
    assert convert(name, text, unit) == pytest.approx(value)


# ---- what a spectrum carries


def spectrum(**fields):
    return Spectrum(np.array([100.0, 1.0]), np.array([1 - 1j, 2 - 2j]), **fields)


def test_a_spectrum_becomes_a_dataset_with_units_and_conditions():
    said = {"temperature": 300.0, "conditions": {"cycle": 3.0}, "metadata": {"instrument": "X"}}
    one = spectrum(**said, label="a", source="b/c.mpt", notes=("first", "second"))
    data = one.to_xarray()
    assert data["z_real"].dims == ("frequency",)
    assert data["z_imag"].attrs == {"units": "ohm", "long_name": "imaginary part of the impedance"}
    assert (float(data["cycle"]), float(data["temperature"]), data["temperature"].attrs["units"]) == (3.0, 300.0, "K")
    assert data.attrs == {
        "instrument": "X",
        "label": "a",
        "data": "c.mpt",
        "sha256": "",
        "notes": '["first", "second"]',
    }
    assert "sigma" not in data
    assert "sigma" in dataclasses.replace(one, sigma=np.array([0.1, 0.1])).to_xarray()


def test_a_spectrum_can_be_copied_and_does_not_share_its_conditions():
    conditions = {"cycle": 1.0}
    one = spectrum(conditions=conditions)
    conditions["cycle"] = 2.0
    for other in (
        copy.deepcopy(one),
        pickle.loads(pickle.dumps(one)),
        dataclasses.replace(one),
        one.window(0.5, 200.0),
    ):
        assert other.conditions == {"cycle": 1.0}
        assert other.conditions is not one.conditions


def test_a_condition_has_a_known_name_and_a_finite_value():
    with pytest.raises(DataError, match=r"condition 'soc'; valid: state_of_charge, pressure, cycle, time"):
        spectrum(conditions={"soc": 1.0})
    with pytest.raises(DataError, match="condition pressure is inf; valid: a finite number in Pa"):
        spectrum(conditions={"pressure": np.inf})
