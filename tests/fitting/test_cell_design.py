"""Which records to make of a cell: errors that a fit then reports, choices that no other betters, and words."""

import dataclasses
import functools
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

import ionics
from ionics.config import ConfigError
from ionics.config.cell_candidates import candidates
from ionics.fitting.cells.fit import fit_cell
from ionics.fitting.cells.imagined import imagined
from ionics.fitting.cells.packing import pack
from ionics.fitting.cells.records import POINTS, Discharge, Impedance, Rates, Titration
from ionics.fitting.cells.which import which_records
from ionics.fitting.design import optimal
from ionics.fitting.design.choice import choose
from ionics.fitting.model import Prior
from ionics.fitting.spectrum import DataError, Spectrum
from tests.fitting.half_cells import (
    AREA,
    CUTOFF,
    FILLED,
    FREE,
    FREQUENCY,
    FULL,
    ONE,
    TRUTH,
    half_cell,
    pose,
    with_errors,
)

SIZES = {"sigma": 2e-3, "charge_sigma": 2e-3}
LAYER = {"C": Prior(TRUTH["C"], 0.02)}
CURRENTS = (0.2, 1.0, 4.0, 1000.0)  # of which the last cannot be
HALF = {"NMC": FILLED}
NEVER = np.zeros(0)  # read so far


def discharge(c, **changed):
    return Discharge(ONE * c, NEVER, NEVER, CUTOFF, label=f"{c:g}C", **(SIZES | changed))


def spectrum(drawn):
    one = Spectrum(FREQUENCY, np.ones(len(FREQUENCY)) + 0j)
    return Impedance(one, AREA, drawn * FULL, sigma=0.01, label=f"{100 * (1 - drawn):.0f} %")


def to_come():
    """Seven records that nobody has made."""
    table = Rates(ONE * np.array(CURRENTS), np.ones(4), CUTOFF, sigma=0.005, label="table")
    return [*(discharge(c) for c in CURRENTS), table, spectrum(0.2), spectrum(0.6)]


@functools.cache
def every():
    """All seven."""
    return which_records(half_cell(), HALF, to_come(), FREE, count=7, priors=LAYER)


def which(question, count):
    """Another question of the same records."""
    made = every()
    return choose(made.unknowns, made.settings.rows, made.label, made.held, question, count, made.share)


@pytest.fixture(scope="module")
def planned():
    """The seven records with the answers that the cell is expected to give."""
    return imagined(pose(half_cell(), HALF, to_come(), FREE, LAYER)).records


# ---- what is expected


def test_a_discharge_to_come_is_read_until_it_ends_where_it_is_steep(planned):
    slow = planned[0]
    assert 30 < len(slow.time) <= POINTS
    assert slow.time[-1] * slow.current == pytest.approx(slow.capacity, rel=1e-9)
    assert slow.voltage[-1] == pytest.approx(CUTOFF, abs=1e-3)  # between two time steps, on a steep end
    # equally far apart along the curve: half of the way is charge, half of it voltage
    way = np.diff(slow.charge) / np.ptp(slow.charge) - np.diff(slow.voltage) / np.ptp(slow.voltage)
    assert np.max(way) < 1.1 * 2 / (POINTS - 1)
    assert slow.capacity > planned[1].capacity > planned[2].capacity


def test_a_current_that_cannot_be_passed_tells_nothing(planned):
    assert planned[3].capacity == 0
    assert len(planned[3].time) == 0
    assert planned[4].capacity[-1] == 0
    assert which("D", 2).contribution[3] == 0


def test_a_discharge_is_read_from_the_first_reading_on():
    stand_in = dataclasses.replace(discharge(1.0), time=np.array([7.0]), voltage=np.array([4.0]))
    others = to_come()
    records = imagined(pose(half_cell(), HALF, [stand_in, *others[1:]], FREE, LAYER)).records
    assert records[0].time[0] == pytest.approx(7.0)


def test_a_table_to_come_says_what_the_discharges_say(planned):
    assert planned[4].capacity[:3] == pytest.approx([one.capacity for one in planned[:3]], rel=1e-6)


# ---- what comes of it


@pytest.mark.slow
def test_the_errors_are_those_that_a_fit_of_such_data_reports(planned):
    made = which(None, 3)
    fit = fit_cell(half_cell(), HALF, planned, FREE, priors=LAYER, starts=0)
    # the search ends at the values that the data were made with, up to the steps of the simulation in time
    np.testing.assert_allclose(fit.standard_errors, made.plans["all"].errors, rtol=0.02)
    np.testing.assert_allclose(fit.by_record.share, made.share, atol=0.02)
    assert fit.by_record.parts == made.label
    noisy = fit_cell(half_cell(), HALF, with_errors(planned, 1), FREE, priors=LAYER, starts=0)
    ratio = noisy.standard_errors / noisy.values / (made.plans["all"].errors / made.unknowns.values)
    # values move by their errors, of 5 % and less; the volume is told by steep ends, where the error of a voltage
    # follows from the slope of the noisy data
    np.testing.assert_allclose(ratio[:-1], 1, atol=0.05)
    assert ratio[-1] == pytest.approx(1, abs=0.3)


def test_no_record_makes_an_error_larger():
    """Chains of choices, each with one record more."""
    chain = [which(None, count) for count in range(2, 8)]
    answers = [made.plans["suggested"].answer for made in chain]
    assert all(more <= less * (1 + 1e-9) for less, more in pairwise(answers))
    last = chain[-1]
    np.testing.assert_allclose(last.plans["suggested"].errors, last.plans["all"].errors, rtol=1e-9)
    for made in chain:
        for plan in (made.plans["already"], *made.alone):
            assert np.all(made.plans["all"].errors <= plan.errors * (1 + 1e-6))
            assert np.all(plan.errors <= made.plans["already"].errors * (1 + 1e-6))


@pytest.mark.parametrize("question", ["D", ("D", "kappa"), None, lambda v: v["D"] / v["R"] ** 2])
@pytest.mark.parametrize("count", [2, 3])
def test_no_other_choice_is_better(question, count, monkeypatch):
    made = which(question, count)
    assert made.certain
    assert made.chosen.sum() == count
    best = made.plans["suggested"].answer
    for others in combinations(range(7), count):
        assert best <= answered(made.settings, others) * (1 + 1e-6), others
    monkeypatch.setattr(optimal, "EVERY", 0)
    exchanged = which(question, count)
    assert not exchanged.certain
    assert exchanged.plans["suggested"].answer <= 1.05 * best


def answered(settings, records):
    """Relative standard error of the answer, of several the geometric mean, by the covariance, inverted here."""
    rows = settings.rows[[*records, 7]].reshape(-1, 7)  # and what was known before
    scaled = rows / np.linalg.norm(settings.rows.reshape(-1, 7), axis=0)
    if np.linalg.cond(scaled) > 1e8:
        return np.inf
    asked = settings.asked.along.T @ np.linalg.inv(rows.T @ rows) @ settings.asked.along
    return float(np.linalg.det(asked) ** (0.5 / len(asked))) / settings.asked.scale


# ---- in words


def test_the_choice_is_told_in_words():
    made = which("D", 2)
    first, second, third, *_ = made.sentences
    assert first == (
        f"measure {', '.join(made.label[k] for k in np.flatnonzero(made.chosen))}: the error of D is then "
        f"{100 * made.plans['suggested'].answer:.2g} %; all 7 bring it to {100 * made.plans['all'].answer:.2g} %"
    )
    assert second == "no other 2 of the 7 records do better"
    assert "% from what was known before" in third
    assert which("D", 1).sentences == ("no single record determines D: it takes 2 of them",)


def test_what_no_record_tells_is_said():
    """Without a double layer that is known, D, R, i0 and C can be changed together."""
    made = which_records(half_cell(), HALF, to_come(), FREE, "D", count=2)
    assert not made.possible
    first, second = made.sentences
    assert first == "all 7 records together do not determine D"
    assert second.startswith("D, R, i0 and C are not determined separately")
    assert not made.chosen.any()
    assert which_records(half_cell(), HALF, to_come(), FREE, lambda v: v["D"] / v["R"] ** 2, count=2).possible


def test_records_that_have_been_made_are_there_in_any_case(planned):
    """The best three of seven: with one of them made, the other two are best."""
    three = which(None, 3)
    first, *others = np.flatnonzero(three.chosen)
    rest = [one for k, one in enumerate(to_come()) if k != first]
    made = which_records(half_cell(), HALF, rest, FREE, None, count=2, measured=[planned[first]], priors=LAYER)
    assert made.held.tolist() == [True, *[False] * 6, True]
    assert {made.label[k] for k in np.flatnonzero(made.chosen)} == {three.label[k] for k in others}
    np.testing.assert_allclose(made.plans["suggested"].errors, three.plans["suggested"].errors, rtol=1e-3)


def test_a_design_of_records_is_kept_and_drawn(tmp_path):
    import xarray as xr
    from matplotlib.figure import Figure

    from ionics.plots.design import plot_choice
    from ionics.report import report

    made = which("D", 2)
    made.to_dataset().to_netcdf(tmp_path / "design.nc")
    again = xr.open_dataset(tmp_path / "design.nc")
    assert again.attrs["sentences"].splitlines() == list(made.sentences)
    axes = plot_choice(again, Figure(layout="constrained"))
    axes[0].figure.savefig(tmp_path / "design.png")
    text = report(again)
    assert "impedance 40 % alone" in text
    assert "what was known before" in text


# ---- what cannot be


def test_records_that_cannot_be_are_refused_in_words():
    def one(record, question=None, count=1):
        return which_records(half_cell(), HALF, [record], FREE, question, count=count)

    with pytest.raises(DataError, match=r"discharge 1C: no sigma; valid: every error of a design is stated"):
        one(discharge(1.0, sigma=None))
    with pytest.raises(DataError, match="capacities: no charge_sigma"):
        one(discharge(1.0, charge_sigma=None))
    with pytest.raises(DataError, match="discharge endless: a discharge to come needs a cutoff"):
        one(Discharge(ONE, np.array([1.0]), np.array([4.0]), label="endless", **SIZES))
    with pytest.raises(DataError, match="titration: 1 reading; valid: 2 or more"):
        one(Titration(*(np.array([x]) for x in (ONE, 10.0, 5.0, 4.0)), sigma=1e-3))
    with pytest.raises(ValueError, match="no parameter 'E'"):
        which("E", 1)
    with pytest.raises(ValueError, match="count 8 of 7 candidates; valid: 1 to 7"):
        which("D", 8)


def test_a_discharge_that_ends_at_once_can_be_a_record():
    packed = pack([Discharge(ONE, NEVER, NEVER, CUTOFF, **SIZES)])
    assert float(packed.discharges.cutoff[0]) == CUTOFF
    assert float(packed.discharges.capacity[0]) == 0


# ---- from a file

DOCS = Path(__file__).parents[2] / "docs" / "cell_fits.md"


@pytest.fixture
def file(tmp_path):
    """The example of the documentation."""
    section = DOCS.read_text(encoding="utf-8").split("## Which records?")[1]
    path = tmp_path / "which.yaml"
    path.write_text(section.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    return path


def test_the_example_of_the_documentation_states_records_to_come(file):
    found = candidates(ionics.load(file).config)
    assert [type(one).__name__ for one in found] == ["Discharge", "Discharge", "Titration", "Impedance", "Impedance"]
    titration = found[2]
    assert [len(time) for time, _ in titration.steps()] == [12] * len(titration.current)
    assert found[4].temperature == pytest.approx(333.15)
    assert found[4].spectrum.frequency.min() == pytest.approx(1e-3)


def spectra_only(file):
    """Without what is followed in time."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(one for one in lines if "- discharge" not in one and "- titration" not in one))
    return file


def test_a_design_of_records_is_asked_for_in_the_file(file, tmp_path):
    ds = ionics.load(spectra_only(file), ["design.count=1"]).design()
    assert ds.attrs["asked"] == "cell.positive.film.diffusivity"  # of which the end was given
    assert int(ds.chosen.sum()) == 1
    assert ds.sizes == {"record": 2, "parameter": 4, "plan": 2}
    ionics.write_result(ds, tmp_path / "out")
    assert {"choice.png", "report.html", "result.nc"} <= {path.name for path in (tmp_path / "out").iterdir()}


BROKEN = {
    "no sigma": (", sigma: 1 %}", "}", r"fit.records\[.*\]\.impedance.*a design needs sigma.*e.g. sigma: 1 %"),
    "no error of the charge": (", charge_sigma: 0.5 %", "", "a design needs charge_sigma.*e.g. charge_sigma: 0.5 %"),
    "too many": ("count: 2", "count: 9", "design.count.*5 records are to come; 1 to 5"),
    "nobody says how many": (", count: 2", "", "design.*how many records to make.*count: 2"),
    "frequencies of a spectrum": ("count: 2", "count: 2, to: 1 Hz", "to is not used by model cell"),
    "what is not free": ("question: diffusivity", "question: sites", "'sites' is not free; free are cell.separator"),
    "no lowest frequency": ("from: 1 mHz, ", "", r"impedance.from.*required key missing.*from: 10 mHz"),
    "no pulse": ("pulse: 10 min, ", "", r"titration.pulse.*required key missing.*pulse: 10 min"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mistakes_are_named_with_their_place(file, name):
    good, bad, told = BROKEN[name]
    text = file.read_text(encoding="utf-8")
    assert good in text
    file.write_text(text.replace(good, bad, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        ionics.load(file).design()


def test_a_fit_refuses_records_to_come(file):
    with pytest.raises(
        ConfigError, match=r"fit.records.*nothing was measured; .*`ionics design` takes records to come"
    ):
        ionics.load(file).fit()
