"""Readers take what instruments write, say what they decided, and refuse the rest in one sentence."""

import subprocess
import sys

import numpy as np
import pytest

from ionics.fitting.files.readers import read_spectra, read_spectrum
from ionics.fitting.spectrum import DataError, Spectrum

FREQUENCY = [1000.0, 100.0, 10.0, 1.0]
IMPEDANCE = [10.5 - 1.25j, 12.0 - 6.0j, 20.0 - 9.5j, 30.25 - 2.0j]

# name -> a text that holds FREQUENCY and IMPEDANCE
GOOD = {
    "comma without header": "1000,10.5,-1.25\n100,12,-6\n10,20,-9.5\n1,30.25,-2\n",
    "blanks": "1000 10.5 -1.25\n100 12 -6\n10 20 -9.5\n1 30.25 -2\n",
    "low to high": "1,30.25,-2\n10,20,-9.5\n100,12,-6\n1000,10.5,-1.25\n",
    "semicolon, decimal comma": "f/Hz;Re(Z)/Ohm;Im(Z)/Ohm\n1000;10,5;-1,25\n100;12,0;-6\n10;20;-9,5\n1;30,25;-2\n",
    "tab, decimal comma": "1,0E+3\t10,5\t-1,25\n1E2\t12,0\t-6\n1E1\t20\t-9,5\n1\t30,25\t-2\n",
    "blanks, decimal comma": "1000,0 10,5 -1,25\n100,0 12,0 -6,0\n10,0 20,0 -9,5\n1,0 30,25 -2,0\n",
    "negated by name": "freq,Zre,-Zim\n1000,10.5,1.25\n100,12,6\n10,20,9.5\n1,30.25,2\n",
    "negated without a word": "Frequency (Hz),Z' (Ohm),Z'' (Ohm)\n1000,10.5,1.25\n100,12,6\n10,20,9.5\n1,30.25,2\n",
    "kilo": "freq/kHz\tRe(Z)/kOhm\t-Im(Z)/kOhm\n"
    "1\t0.0105\t0.00125\n0.1\t0.012\t0.006\n0.01\t0.02\t0.0095\n0.001\t0.03025\t0.002\n",
    "other columns": "time/s,freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm\n0,1000,10.5,1.25\n1,100,12,6\n2,10,20,9.5\n3,1,30.25,2\n",
    "comments": "# a pellet\n# Freq.[Hz]\tZs'[ohm]\tZs''[ohm]\n"
    "1000\t10.5\t-1.25\n# pause\n100\t12\t-6\n10\t20\t-9.5\n\n1\t30.25\t-2\n",
    "byte order mark, CRLF": "\ufefffreq;re;im\r\n1000;10.5;-1.25\r\n100;12;-6\r\n10;20;-9.5\r\n1;30.25;-2\r\n",
    "shuffled": "100,12,-6\n1,30.25,-2\n1000,10.5,-1.25\n10,20,-9.5\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_the_same_spectrum_is_read_from_every_dialect(tmp_path, text):
    path = tmp_path / "pellet.txt"
    path.write_bytes(text.encode())
    spectrum = read_spectrum(path)
    np.testing.assert_allclose(spectrum.frequency, FREQUENCY)
    np.testing.assert_allclose(spectrum.impedance, IMPEDANCE)
    assert any("imaginary column holds" in note for note in spectrum.notes)
    assert len(spectrum.sha256) == 64


def test_modulus_and_phase_give_the_same_impedance_as_real_and_imaginary_parts(tmp_path):
    rows = (f"{f},{abs(z)!r},{np.angle(z, deg=True)}" for f, z in zip(FREQUENCY, IMPEDANCE, strict=True))
    path = tmp_path / "polar.csv"
    path.write_text("freq/Hz,|Z|/Ohm,Phase(Z)/deg\n" + "\n".join(rows))
    np.testing.assert_allclose(read_spectrum(path).impedance, IMPEDANCE)


def test_a_capacitive_arc_drawn_upwards_is_turned_and_the_turn_is_stated(tmp_path):
    path = tmp_path / "up.csv"
    path.write_text("1000,10.5,1.25\n100,12,6\n10,20,9.5\n1,30.25,2\n")
    spectrum = read_spectrum(path)
    np.testing.assert_allclose(spectrum.impedance, IMPEDANCE)
    assert "the imaginary column holds -Im Z (detected): 100 % of the points are capacitive" in spectrum.notes
    inductive = read_spectrum(path, sign=+1)
    np.testing.assert_allclose(inductive.impedance, np.conj(IMPEDANCE))
    assert any("most points are inductive" in note for note in inductive.notes)


def test_columns_can_be_named_by_position_or_by_name(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("nu;imaginary part;real part\n1000;-1.25;10.5\n100;-6;12\n10;-9.5;20\n1;-2;30.25\n")
    for columns in ((0, 2, 1), ("nu", "real part", "imaginary part")):
        np.testing.assert_allclose(read_spectrum(path, columns=columns).impedance, IMPEDANCE)


def test_repeated_sweeps_in_one_file_are_separate_spectra(tmp_path):
    path = tmp_path / "loops.csv"
    path.write_text(GOOD["comma without header"] * 3)
    spectra = read_spectra(path)
    assert len(spectra) == 3
    for spectrum in spectra:
        np.testing.assert_allclose(spectrum.impedance, IMPEDANCE)
    with pytest.raises(DataError, match="holds 3 spectra; name one with loop=0 to 2"):
        read_spectrum(path)
    assert read_spectrum(path, loop=2).label == "loops loop 2"


def test_rows_of_an_instrument_that_measured_no_impedance_are_left_out_and_counted(tmp_path):
    path = tmp_path / "dc.csv"
    path.write_text("freq,re,im\n0,0,0\n1000,10.5,-1.25\n100,12,-6\n10,20,-9.5\n1,30.25,-2\n")
    spectrum = read_spectrum(path)
    assert len(spectrum) == 4
    assert "1 rows without frequency and impedance were left out" in spectrum.notes


# name -> (bytes, what the message must say)
BROKEN = {
    "empty": (b"", "the file is empty"),
    "only blanks": (b" \n\n", "the file is empty"),
    "binary": (b"BIO-LOGIC\x1a\x00\x00\x01", "the file is binary"),
    "prose": (b"measured on Monday\nby the window\n", "no line of numbers was found"),
    "header only": (b"freq,re,im\n", "no data after the header on line 1"),
    "two columns": (b"1000,10\n100,20\n", "line 1: 2 columns; a spectrum needs a frequency"),
    "four nameless columns": (b"1,2,3,4.5\n2,3,4,5\n", "4 columns without a header; say columns="),
    "not a number": (b"freq,re,im\n1000,10,-1\n100,n.a.,-2\n", "line 3, column 2 ('re'): 'n.a.' is not a number"),
    "NaN": (b"freq,re,im\n1000,10,-1\n100,NaN,-2\n", "line 3, column 2 ('re'): 'NaN' is not finite"),
    "infinite": (b"freq,re,im\n1000,10,-1\n100,12,-inf\n", "line 3, column 3 ('im'): '-inf' is not finite"),
    "a short row": (b"freq,re,im\n1000,10,-1\n100,12\n", "line 3: 2 values where 3 are expected"),
    "a long row": (b"1000,10,-1\n100,12,-2\n10,1,2,3\n", "line 3: 4 values where 3 are expected"),
    "a hole": (b"freq;re;im\n1000;10;-1\n100;;-2\n", "line 3, column 2 ('re'): '' is not a number"),
    "negative frequency": (b"1000,10,-1\n-100,12,-2\n10,20,-3\n", "line 2: frequency -100 Hz; valid: > 0"),
    "zero frequency": (b"1000,10,-1\n100,12,-2\n0,20,-3\n", "line 3: frequency 0 Hz; valid: > 0"),
    "zero impedance": (b"1000,10,-1\n100,0,0\n10,20,-3\n", "line 2: the impedance is zero"),
    "a frequency twice": (b"f,re,im\n1000,10,-1\n100,12,-2\n100,2,-2\n10,9,-1\n",
        "lines 3 and 4: frequency 100 Hz twice"),
    "unknown columns": (b"apples,pears,plums\n1,2,3\n2,3,4\n", "columns apples, pears, plums are not known"),
    "no frequency": (b"Z',Z'',|Z|\n1,2,3\n2,3,4\n", "columns Z', Z'', |Z| are not known"),
    "unknown unit": (b"freq/Hz,Re(Z)/furlong,Im(Z)/Ohm\n1,2,-3\n2,3,-4\n4,5,-6\n", "unit 'furlong' is not understood"),
    "comma twice over": (b"freq,re,im\n1000,0,10,5,-1,2\n100,0,12,5,-2,5\n", "the commas look like decimal commas"),
    "comma or decimal": (b"1000,0,10,5,-1,2\n100,0,12,5,-2,5\n", "are the commas decimal commas?"),
    "comma and point": (b"1.000,5;10,5;-1,2\n100,0;12,5;-2,5\n", "'1.000,5' mixes comma and point"),
    "two points": (b"1000,10,-1\n100,12,-2\n", "2 points; a spectrum needs at least 3"),
    "mpt without header count": (b"EC-Lab ASCII FILE\nfreq/Hz\tRe(Z)/Ohm\n", "line 2: expected 'Nb header lines : N'"),
    "mpt of another technique": (
        b"EC-Lab ASCII FILE\nNb header lines : 4\n\ntime/s\tEwe/V\n0\t3.1\n1\t3.2\n",
        "columns time/s, Ewe/V do not hold a frequency",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_gives_one_message_that_names_the_file_and_the_fault(tmp_path, content, message):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_spectrum(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.csv: no such file"):
        read_spectrum(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="is a directory"):
        read_spectrum(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sign": 2}, "sign=2; valid: +1"),
        ({"columns": (0, 1)}, "name three"),
        ({"columns": (0, 1, 7)}, "no column 7; there are 3"),
        ({"columns": ("freq", "re", "wrong")}, "no column 'wrong'; there are freq, re, im"),
        ({"loop": 4}, "there is no loop 4; the file holds 1"),
    ],
)
def test_a_wrong_argument_is_answered_with_what_would_be_valid(tmp_path, options, message):
    path = tmp_path / "good.csv"
    path.write_text("freq,re,im\n" + GOOD["comma without header"])
    with pytest.raises(DataError) as caught:
        read_spectrum(path, **options)
    assert message in str(caught.value)


def test_a_window_keeps_what_lies_inside_and_says_so():
    spectrum = Spectrum(np.array(FREQUENCY), np.array(IMPEDANCE), label="pellet")
    inner = spectrum.window(5.0, 500.0)
    np.testing.assert_allclose(inner.frequency, [100.0, 10.0])
    assert inner.notes == ("2 of 4 points kept between 5 and 500 Hz",)
    with pytest.raises(DataError, match="the spectrum runs from 1 to 1000 Hz"):
        spectrum.window(fmin=1e6)


def test_a_spectrum_made_by_hand_is_checked_too():
    with pytest.raises(DataError, match=r"frequency must be finite and > 0; point 2 has -1.0 Hz"):
        Spectrum(np.array([1.0, -1.0]), np.array([1.0 + 0j, 1.0 + 0j]))


def test_reading_needs_no_heavy_library():
    heavy = ("jax", "scipy", "xarray", "pandas", "polars", "fastnda", "python_calamine")
    code = "import sys, ionics.fitting.files.cycling, ionics.fitting.files.folder, ionics.fitting.files.rates; "
    code += f"print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


LABORATORY = {  # file -> spectra, points in the first, highest frequency, first impedance
    "eisfitpython/EIS_Data/Example-3-4/s04147-140deg.txt": (1, 42, 1e6, 2.21423e4 - 5.43115e4j),
    "eisfitpython/EIS_Data/Example_header.txt": (1, 50, 1e7, 3.032358e4 + 3.829188e4j),
    "eisfitpython/EIS_Data/Example_noheader.txt": (1, 42, 1e6, 1.73627e4 - 6.88145e4j),
    "eisfitpython/EIS_Data/CSV_Example.csv": (1, 50, 1e6, 2.3697656e3 - 6.7376167e3j),
    "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.txt": (1, 79, 7.0000185e6, 359.24146 - 290.92038j),
    "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C_RelaxIS.txt": (1, 79, 7.0000185e6, 359.24146 - 290.92038j),
    "hybrid-drt/webinar_SSB_Sample2_PEIS_AtRest.csv": (10, 89, 7.0000185e6, 47.457395 - 17.989452j),
    "impedance.py/exampleData.csv": (1, 66, 1e4, 0.01577148 + 0.01015747j),
    "impedance.py/exampleDataBioLogic.mpt": (1, 43, 1.0003201e3, 65.470886 - 0.38998979j),
    "impedance.py/exampleDataCHInstruments.txt": (1, 73, 9.961e4, 98.91 - 2.748j),
    "impedance.py/exampleDataPowersuite.txt": (1, 30, 2e6, -470.54113 - 1397.7358j),
    "galvani/EIS_latin1.mpt": (56, 42, 1.0000186e6, 551.95654 - 464.74277j),
    "galvani/v1150_PEIS.mpt": (4, 21, 1.9999814e5, 12.753284 - 0.96167845j),
    "galvani/v1150_GEIS.mpt": (4, 21, 1.9999814e5, 10.078821 + 2.1745603j),
}  # fmt: skip


@pytest.mark.parametrize("name", LABORATORY)
def test_a_laboratory_file_is_read_as_its_instrument_meant_it(laboratory, name):
    count, points, highest, impedance = LABORATORY[name]
    spectra = read_spectra(laboratory / name)
    assert (len(spectra), len(spectra[0])) == (count, points)
    assert spectra[0].frequency[0] == pytest.approx(highest)
    assert spectra[0].impedance[0] == pytest.approx(impedance, rel=1e-6)
    assert np.mean(spectra[0].impedance.imag < 0) > 0.8  # batteries and pellets are mostly capacitive


def test_two_exports_of_one_measurement_agree(laboratory):
    folder = laboratory / "hybrid-drt"
    one = read_spectrum(folder / "PEIS_LPSCl_IonBlocking_-25C.txt")
    other = read_spectrum(folder / "PEIS_LPSCl_IonBlocking_-25C_RelaxIS.txt")
    np.testing.assert_allclose(one.impedance, other.impedance, rtol=1e-6)  # eight digits in the first
