"""Records of cells as arrays: cut, thinned, weighed; states after a charge; curves with free knots."""

import dataclasses
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

import ionics
from ionics.config.errors import ConfigError
from ionics.constants import FARADAY
from ionics.fitting.cells.cycled import discharges, parts, titration
from ionics.fitting.cells.groups import determination, rescaled
from ionics.fitting.cells.knots import knots, monotone_slopes
from ionics.fitting.cells.packing import pack, voltage_errors
from ionics.fitting.cells.records import Discharge, Impedance, Rates, Titration
from ionics.fitting.cells.states import Specimen, after
from ionics.fitting.files.cycling import Cycling
from ionics.fitting.spectrum import DataError, Spectrum
from ionics.laws import Curve
from tests.fitting.half_cells import SITES, half_cell

AREA = 1e-3


def cycler(currents, durations, step=10.0):
    """A record with a row every `step` seconds; voltages fall with the charge and the current."""
    time = np.arange(step, sum(durations) + step / 2, step)
    current = np.concatenate([np.full(round(d / step), i) for i, d in zip(currents, durations, strict=True)])
    time, current = np.append(0.0, time), np.append(0.0, current)
    capacity = np.concatenate([[0.0], np.cumsum(np.diff(time) * current[1:])])
    return Cycling(time, 4.0 - 1e-3 * capacity - 0.1 * current, current, capacity, label="made")


def test_a_record_is_cut_where_the_current_changes_and_keeps_its_charge():
    record = cycler([0.0, 1.0, 0.0, -0.5, 2.0], [100.0, 300.0, 50.0, 600.0, 200.0])
    found = parts(record)
    assert [part.current for part in found] == pytest.approx([0.0, 1.0, 0.0, -0.5, 2.0], abs=1e-12)
    assert [part.ended - part.begun for part in found[1:]] == pytest.approx([300.0, 50.0, 600.0, 200.0])
    slow, fast = discharges(record, AREA, temperature=310.0)
    assert slow.current == pytest.approx(1 / AREA)
    assert fast.current == pytest.approx(2 / AREA)
    assert fast.capacity == pytest.approx(400.0 / AREA)
    assert fast.cutoff == pytest.approx(fast.voltage[-1])
    assert slow.temperature == 310.0
    assert slow.time[0] == pytest.approx(10.0)  # a row after the current began


def test_pulses_and_rests_become_a_titration():
    record = cycler([1.0, 0.0, 1.0, 0.0], [100.0, 400.0, 100.0, 400.0])
    found = titration(record, AREA)
    assert found.current == pytest.approx(np.array([1.0, 0.0, 1.0, 0.0]) / AREA)
    assert found.duration == pytest.approx([100.0, 400.0, 100.0, 400.0])
    steps = found.steps(5)
    assert all(3 <= len(time) <= 5 for time, _ in steps)
    for (time, voltage), begun in zip(steps, (0.0, 100.0, 500.0, 600.0), strict=True):
        assert voltage == pytest.approx(np.interp(begun + time, record.time, record.voltage))
        assert time[0] == pytest.approx(10.0)


def test_a_record_without_current_is_refused():
    record = cycler([1.0], [100.0])
    with pytest.raises(DataError, match=r"current=\.\.\."):
        parts(dataclasses.replace(record, current=np.full(len(record), np.nan)))


def test_thinning_keeps_both_ends_and_the_places_where_the_voltage_is_steep():
    charge = np.linspace(0.001, 1, 5000)
    voltage = 4 - 0.3 * charge - 0.5 * np.exp(-charge / 0.01) - 0.8 * np.exp((charge - 1) / 0.005)
    noisy = voltage + 1e-3 * np.random.default_rng(0).standard_normal(len(charge))
    kept = Discharge(1.0, charge, noisy).thinned(60)
    assert len(kept.time) <= 60
    assert kept.time[0] == charge[0]
    assert kept.time[-1] == charge[-1]
    assert np.sum(kept.time > 0.98) > 10  # where half of the voltage falls
    assert np.max(np.diff(kept.time)) < 0.06  # and none of the charge is forgotten
    assert set(kept.voltage) <= set(noisy)


def test_an_error_of_the_charge_counts_where_the_voltage_is_steep_and_not_at_the_beginning():
    charge = np.linspace(0.01, 1, 50)
    flat, steep = (Discharge(1.0, charge, 4 - s * charge, sigma=1e-3, charge_sigma=1e-2) for s in (0.0, 2.0))
    assert voltage_errors(flat) == pytest.approx(np.full(50, 1e-3))
    assert voltage_errors(steep) == pytest.approx(np.hypot(1e-3, 2.0 * 1e-2 * charge))


def test_every_residual_belongs_to_a_record_and_a_group_and_padding_to_none():
    spectrum = Spectrum(np.geomspace(1, 1e3, 7), np.ones(7) + 0j)
    records = (
        Discharge(1.0, np.arange(1.0, 31.0), np.linspace(4, 3, 30), 3.0, label="slow"),
        Titration(np.array([1.0, 0.0]), np.array([10.0, 10.0]), np.array([5.0, 9.0, 15.0]), np.array([4.0, 3.9, 4.0])),
        Impedance(spectrum, AREA),
        Rates(np.array([1.0, 2.0]), np.array([5.0, 4.0]), 3.0, sigma=0.01),
    )
    packed = pack(records)
    counts = [int(np.sum(packed.record == k)) for k in range(4)]
    assert counts == [31, 3, 14, 2]
    assert [group.stated for group in packed.groups] == [False, False, False, True, False]
    assert [group.name for group in packed.groups][-1] == "capacities"
    weights = [packed.discharges.weight, packed.discharges.capacity_weight, packed.titrations.weight]
    there = np.concatenate([np.asarray(w).ravel() > 0 for w in weights])
    assert np.array_equal(packed.record[: len(there)] >= 0, there)
    twice = pack(records, np.full(5, 2.0))
    assert np.asarray(twice.spectra.weight) == pytest.approx(np.asarray(packed.spectra.weight) / 2)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"current": 0.0}, "current 0; valid: not 0"),
        ({"time": np.array([2.0, 1.0])}, "time 1 s at point 2; valid: above 0 s and rising"),
        ({"sigma": 0.0}, "sigma 0.0; valid: above 0"),
        ({"temperature": -1.0}, "temperature -1; valid: above 0 K"),
    ],
)
def test_impossible_records_are_refused_in_words(changed, problem):
    good = {"current": 1.0, "time": np.array([1.0, 2.0]), "voltage": np.array([4.0, 3.9]), "label": "one"}
    with pytest.raises(DataError, match=f"discharge one: {problem}"):
        Discharge(**(good | changed))


def blend():
    """A positive electrode of two materials with different open-circuit curves."""
    cell = half_cell()
    one = cell.positive.members[0]
    shifted = eqx.tree_at(
        lambda p: (p.carrier.statistics.curve.values, p.volume), one,
        (one.carrier.statistics.curve.values + 0.1, one.volume * 0.5),
    )  # fmt: skip
    other = dataclasses.replace(shifted, name="other")
    return dataclasses.replace(cell.positive, members=(one, other))


def test_members_share_a_charge_at_one_potential_and_keep_all_of_it():
    electrode, warm = blend(), jnp.asarray(298.15)
    begin = {"NMC": jnp.asarray(0.3), "other": jnp.asarray(0.4)}
    room = {one.name: FARADAY * SITES * float(one.volume[0]) for one in electrode.members}

    @jax.jit
    def taken(charge):
        return after(electrode, begin, charge, warm)

    found = taken(jnp.asarray(1e4))
    held = sum(room[name] * (float(found[name]) - float(begin[name])) for name in room)
    assert held == pytest.approx(1e4, rel=1e-9)
    first, second = (float(one.open_circuit(found[one.name], warm)) for one in electrode.members)
    assert first == pytest.approx(second, abs=1e-9)
    slope = jax.jit(jax.jacfwd(lambda q: taken(q)["NMC"]))(jnp.asarray(1e4))
    up, down = (float(taken(jnp.asarray(1e4 + d))["NMC"]) for d in (1.0, -1.0))
    assert float(slope) == pytest.approx((up - down) / 2, rel=1e-5)


def test_a_name_that_is_not_in_the_cell_cannot_be_filled():
    with pytest.raises(ValueError, match="no 'LFP' to fill; it has Li, NMC"):
        Specimen(half_cell(), {"LFP": 0.1})


def test_slopes_at_knots_are_those_of_the_curve():
    rng = np.random.default_rng(0)
    for count in (2, 3, 8):
        x = np.sort(rng.random(count))
        y = rng.normal(size=count)
        exact = PchipInterpolator(x, y).derivative()(x)
        assert np.asarray(monotone_slopes(jnp.asarray(x), jnp.asarray(y))) == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_a_knot_moves_its_value_and_the_curve_stays_monotone_there():
    curve = Curve(np.array([0.2, 0.5, 0.8]), np.log([1.0, 2.0, 4.0]))
    low, middle, high = knots("D", lambda tree: tree, curve, 1e-3, 1e3, times=10.0)
    assert [one.name for one in (low, middle, high)] == ["D (0.2)", "D (0.5)", "D (0.8)"]
    assert [one.start(curve) for one in (low, middle, high)] == pytest.approx([10.0, 20.0, 40.0])
    moved = middle.put(curve, jnp.asarray(30.0))
    expected = Curve(np.array([0.2, 0.5, 0.8]), np.log([1.0, 3.0, 4.0]))
    at = jnp.linspace(0.1, 0.9, 30)
    assert np.asarray(moved(at)) == pytest.approx(np.asarray(expected(at)))


def test_sizes_of_errors_come_from_what_is_left_after_the_parameters():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], [400, 30])
    jacobian = rng.normal(size=(432, 2))
    noise = np.append(rng.normal(size=430) * np.where(group == 0, 3.0, 0.5), [0.0, 0.0])
    jacobian[430:] = 0
    left = noise - jacobian @ np.linalg.lstsq(jacobian, noise, rcond=None)[0]
    found = rescaled(left, jacobian, group, np.array([0.0, 0.0]))
    assert found[0] == pytest.approx(3.0, rel=4 / np.sqrt(800))
    assert found[1] == pytest.approx(0.5, rel=4 / np.sqrt(60))
    assert rescaled(left, jacobian, group, np.array([1.0, 0.0]))[0] == 1


def test_what_one_part_alone_determines_is_its_share():
    jacobian = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    found = determination(jacobian, np.array([0, 1, 2]), ("a", "b", "c"), np.ones(2))
    assert found.parts == ("a", "b", "c")
    assert found.share == pytest.approx(np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]))
    assert found.without[0, 0] == np.inf
    assert found.without[1, 1] == pytest.approx(1.0)
    assert found.alone[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("current", "problem"),
    [
        (
            "-1 mA/cm^2",
            r"study.yaml:\d+: fit.records\[0\].discharge.current: got -1 mA/cm\^2; the voltage falls; a positive",
        ),
        (
            "0.1 mA/cm^2",
            r"study.yaml:\d+: fit.records\[0\].discharge.current: got 0.1 mA/cm\^2; 1C.csv holds 1 mA/cm\^2",
        ),
    ],
)
def test_a_current_that_is_not_that_of_the_file_is_refused(tmp_path, current, problem):
    rows = [f"{60 * k},{3.6 - 0.02 * k},0.0005" for k in range(20)]
    (tmp_path / "1C.csv").write_text("\n".join(["time/s,Ewe/V,I/A", *rows]) + "\n")
    configs = Path(__file__).parents[2] / "configs" / "fit_thin_film_rates.yaml"
    text = configs.read_text().replace("area: 1 cm^2", "area: 0.5 cm^2")
    head, tail = text[: text.index("    - discharge:")], text[text.index("  free:") :]
    record = f"    - discharge: {{file: 1C.csv, current: {current}, cutoff: 3 V}}\n"
    (tmp_path / "study.yaml").write_text(head + record + tail)
    with pytest.raises(ConfigError, match=problem):
        ionics.load(tmp_path / "study.yaml").fit()
