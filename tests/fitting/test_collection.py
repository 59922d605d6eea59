"""The table of docs/files.md says what is read from every file of the laboratory collection.

Write it anew with `python tests/fitting/test_collection.py FOLDER`, where FOLDER holds the collection.
"""

import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ionics.fitting.files.cycling import read_cycling
from ionics.fitting.files.rates import read_rate_table
from ionics.fitting.files.readers import read_spectra
from ionics.fitting.spectrum import DataError

PAGE = Path(__file__).parents[2] / "docs" / "files.md"
BEGIN, END = "<!-- table: written by tests/fitting/test_collection.py -->", "<!-- end of table -->"
NO_DATA = (
    "LICENSE*",
    "*.md",
    "dep5",
    "*_info.txt",
    "*eport.txt",
    "Effective_Capacitance_Values.txt",
    "fit_result.json",
)
FORMATS = {  # file -> instrument or program, format
    "*.mpr": "BioLogic EC-Lab, binary",
    "*.mpt": "BioLogic EC-Lab, text",
    "hybrid-drt/*_RelaxIS.txt": "RelaxIS 3 export",
    "hybrid-drt/PEIS*.txt": "BioLogic EC-Lab, text",
    "hybrid-drt/*.csv": "hybrid-drt, CSV",
    "*.[dD][tT][aA]": "Gamry, text",
    "*.z": "Solartron ZPlot, text",
    "*Autolab*": "Autolab, ZView text",
    "*CHInstruments*": "CH Instruments, text",
    "*Parstat*": "Parstat, text",
    "*Powersuite*": "PowerSuite, text",
    "*.par": "VersaStudio, text",
    "*.ism": "Zahner Thales, binary",
    "*.ndax": "Neware, binary (fastnda)",
    "fastnda/*.csv": "Neware, CSV",
    "eisfitpython/EIS_Data/Example-[23]*": "Novocontrol / NEISYS, text",
    "*.xls*": "Excel",
    "nleis/*": "nleis.py, text",
    "ssb-eis-ml/*.csv": "CSV, one spectrum a row",
    "*.csv": "CSV",
    "*.txt": "text",
}


def rows(collection):
    """One row of the table for each file that is a measurement, or could be taken for one."""
    for path in sorted(path for path in collection.rglob("*") if path.is_file() and path.parent != collection):
        if any(fnmatch(path.name, pattern) for pattern in NO_DATA):
            continue
        name = path.relative_to(collection).as_posix()
        form = next(form for pattern, form in FORMATS.items() if fnmatch(name, pattern) or fnmatch(path.name, pattern))
        yield f"| {name} | {form} | {' | '.join(answer(path))} |"


def answer(path):
    """What is read, its range, and a note; for what is not read the message, without the path."""
    refusals = []
    for read, told in ((read_spectra, spectra_told), (read_cycling, cycling_told), (read_rate_table, rates_told)):
        try:
            return told(read(path))
        except DataError as refusal:
            refusals.append(str(refusal).replace(f"{path}", "").lstrip(":, "))
    if path.suffix in (".xls", ".xlsx"):
        refusals = refusals[-1:]
    return "not read", "", refusals[0].split(";")[0][:150].replace("|", "\\|")


def spectra_told(spectra):
    sizes = sorted({len(spectrum) for spectrum in spectra})
    points = " or ".join(map(str, sizes))
    low, high = (pick(f for spectrum in spectra for f in spectrum.frequency) for pick in (min, max))
    plain = ("column holds", "of 4 in", "loop ", "row ")
    notes = [note for note in spectra[0].notes if not any(word in note for word in plain)]
    return (
        f"{counted(len(spectra), 'spectrum', 'spectra')} of {points} points",
        f"{low:.3g} to {high:.3g} Hz",
        first(notes),
    )


def cycling_told(record):
    hours = (record.time[-1] - record.time[0]) / 3600
    return (
        f"{len(record)} rows of cycling",
        f"{hours:.3g} h",
        first(note for note in record.notes if "no current" in note),
    )


def rates_told(curves):
    low, high = (pick(r for curve in curves for r in curve.rate) for pick in (min, max))
    return f"{len(curves)} curves of rate capability", f"{low:g} to {high:g} C", ""


def counted(number, one, many):
    return f"{number} {one if number == 1 else many}"


def first(notes):
    return next(iter(notes), "").split(";")[0].replace("|", "\\|")


def table(collection):
    head = "| file | instrument, format | read | range | note |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows(collection)) + "\n"


def test_the_page_says_what_is_read_from_every_file(laboratory):
    pytest.importorskip("fastnda", reason="the extra `cyclers` is not installed")
    written = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()
    assert written == table(laboratory).strip()


def test_no_path_of_a_machine_stands_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    assert not any(word in page for word in ("/home/", "/work/", "C:\\"))


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(Path(sys.argv[1]))}\n{END}{after}", encoding="utf-8")
