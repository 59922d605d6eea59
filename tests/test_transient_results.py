"""Protocols from the file to the picture: what a run in time holds, says, draws, and how it goes on after it stops."""

import json
import re
import warnings

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from typer.testing import CliRunner

import ionics
from ionics import plots
from ionics.cli import app
from ionics.config.errors import ConfigError
from ionics.constants import FARADAY
from ionics.plots.style import time_unit
from ionics.quantity import duration
from ionics.report import report
from ionics.results import open_result, save
from ionics.transport import transient

FILM = """\
title: Film
source: made up
temperature: 300 K
area: 2 cm^2
materials:
  glass:
    permittivity: 10
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 1e4 mol/m^3, occupancy: 0.5, conductivity: 1e-4 S/m}
stack:
  left: {contact: reservoir, law: linear, resistance: 10 ohm cm^2, compact_layer: {capacitance: 5 uF/cm^2}}
  layers:
    - {name: film, material: glass, thickness: 1 um, nodes: 31}
  right: {contact: reservoir, law: linear, resistance: 20 ohm cm^2, compact_layer: {capacitance: 5 uF/cm^2}}
series_resistance: 5 ohm cm^2
study:
  protocol:
    - {hold: {current: 1 mA/cm^2}, until: {time: 1 s}}
    - {hold: {voltage: 0.1 V}, until: {time: 1 s}}
    - {rest: 1 s}
  impedance: {from: 1 Hz, to: 1 MHz, points: 7}
"""
CELL = """\
title: Cell
source: made up
temperature: 300 K
materials:
  glass:
    permittivity: 10
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 1e4 mol/m^3, occupancy: 0.5, conductivity: 1e-4 S/m}
  host:
    permittivity: 10
    carriers:
      Li:
        charge: 0
        statistics: measured
        sites: 2e4 mol/m^3
        diffusivity: 1e-14 m^2/s
        open_circuit: {occupancy: [0.05, 0.5, 0.9, 0.99], potential: [4.2 V, 3.9 V, 3.8 V, 3.4 V]}
      e-: {charge: -1, statistics: dilute, sites: 1e4 mol/m^3, occupancy: 1, conductivity: 1 S/m}
stack:
  left: {contact: lithium, law: butler-volmer, exchange_current: 1 mA/cm^2, compact_layer: {capacitance: 5 uF/cm^2}}
  layers:
    - {name: film, material: glass, thickness: 500 nm, nodes: 21}
    - {name: cathode, material: host, thickness: 200 nm, nodes: 31, occupancy: {Li: 0.5}}
  junctions:
    film | cathode:
      reactions: {Li+ + e- <-> Li: {law: butler-volmer, exchange_current: 1 mA/cm^2, occupancy_dependent: true}}
      compact_layer: {capacitance: 5 uF/cm^2}
  right: {contact: ohmic}
study:
  state_of_charge: {cathode: {Li: 0.3}}
  capacity: {cathode: {Li: [0.1, 0.9]}}
  protocol:
    - {hold: {c_rate: 20}, until: {voltage: 3.7 V, time: 1 h}}
    - {rest: 2 min, every: 30 s}
    - {hold: {c_rate: -5}, until: {charge: 2 uAh/cm^2, time: 1 h}, every: 1 min}
"""
CHARGE = CELL.replace(", time: 1 h}, every: 1 min", "}").replace(", every: 30 s", "")
END = "    - {hold: {voltage: 4 V}, until: {current: 1 uA/cm^2, time: 10 min}}\n"


def load(folder, text, *overrides, name="study.yaml"):
    (folder / name).write_text(text)
    return ionics.load(folder / name, overrides)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> xr.Dataset:
    return load(tmp_path_factory.mktemp("film"), FILM).run()


@pytest.fixture(scope="module")
def cell(tmp_path_factory) -> xr.Dataset:
    return load(tmp_path_factory.mktemp("cell"), CHARGE + END).run()


def rows(ds, step):
    return np.flatnonzero(ds.step_of_row.values == step)


def test_every_number_has_a_long_name_and_a_unit_where_it_has_one(cell):
    plain = ("element_kind", "material", "nodes", "step_of_row", "snapshot_row", "snapshot_step", "end_state")
    for name, variable in cell.data_vars.items():
        if name not in plain and not name.startswith(("step_", "end_")) and name != "current_path":
            assert variable.attrs.get("units"), name
        if name not in plain:
            assert variable.attrs.get("long_name"), name
    assert cell.attrs["complete"] == 1
    assert cell.attrs["time_steps"] > 10
    assert json.loads(cell.attrs["versions"])["jax"]


def test_losses_of_resistors_are_resistance_times_current(film):
    last = film.isel(time=rows(film, 0)[-1])
    found = {name: float(last.overpotential.sel(loss=name)) for name in film.loss.values}
    # 1 mA/cm^2 through 5, 10, 100 and 20 ohm cm^2; the space charge of the film is 1e-4 of it
    wanted = {"series resistance": -5e-3, "left contact": -10e-3, "film": -100e-3, "right contact": -20e-3}
    assert found == pytest.approx(wanted, rel=2e-3)
    assert float(last.voltage) == pytest.approx(-0.135, rel=2e-3)
    assert float(last.open_circuit) == pytest.approx(0.0, abs=1e-9)
    assert last.affinity.values == pytest.approx([10e-3, 20e-3], rel=1e-6)
    assert last.rate.values * FARADAY == pytest.approx([10.0, -10.0], rel=1e-6)  # into one metal, out of the other


def test_a_held_voltage_drives_the_current_through_all_of_them(film):
    assert float(film.current[rows(film, 1)[-1]]) == pytest.approx(-0.1 / 135e-4, rel=2e-3)
    assert list(film.step_kind.values) == ["current", "voltage", "rest"]
    assert list(film.step_end.values) == ["time", "time", "time"]


def test_the_impedance_is_that_of_the_end(film):
    assert float(film.z_real.sel(frequency=1.0)) == pytest.approx(135.0, rel=2e-3)
    assert "The resistance at 1 Hz" in film.ionics.verdict


def test_losses_add_up_to_what_lies_between_voltage_and_open_circuit(cell):
    gap = cell.voltage - cell.open_circuit - cell.overpotential.sum("loss")
    assert np.abs(gap.values).max() < 64 * np.finfo(float).eps * 4.0
    assert str(cell.current_path.values) == "Li+ | e-"
    assert {"left contact", "film", "film | cathode", "cathode", "Li in cathode"} <= set(cell.loss.values)


def test_the_open_circuit_voltage_is_that_of_the_mean_filling(cell):
    # three hundredths of RT on the measured curve, at rest: the surface has caught up with the mean
    last = rows(cell, 1)[-1]
    assert float(cell.voltage[last]) == pytest.approx(float(cell.open_circuit[last]), abs=1e-3)
    uneven = cell.overpotential.sel(loss="Li in cathode").values
    assert np.abs(uneven[rows(cell, 0)]).max() > 5e-3


def test_lithium_that_arrives_is_the_charge_that_passed(cell):
    """int c dx of lithium over the cathode grows by charge / F."""
    own = cell.layer.values == "cathode"
    c = cell.concentration.sel(carrier="Li").values[:, own]
    held = np.trapezoid(c, cell.x.values[own], axis=1)
    charge = cell.charge.values[cell.snapshot_row.values]
    # what the double layers take, 1e-5 of it; and Newton's method
    assert FARADAY * (held - held[0]) == pytest.approx(charge, abs=1e-4 * np.abs(charge).max())


def test_charge_is_current_times_time(cell):
    own = rows(cell, 0)
    t, charge = cell.time.values[own], cell.charge.values[own]
    assert charge - charge[0] == pytest.approx(cell.current.values[own[-1]] * (t - t[0]), rel=1e-9, abs=1e-12)
    capacity = FARADAY * 2e4 * 200e-9 * 0.8  # C m-2
    assert float(cell.current[own[-1]]) == pytest.approx(20 * capacity / 3600, rel=1e-9)
    assert float(cell.step_charge[2]) == pytest.approx(-72.0, rel=1e-6)


def test_each_step_says_what_ended_it(cell):
    assert [str(end) for end in cell.step_end.values[:3]] == ["voltage 3.7 V", "time", "charge 2 µAh/cm²"]
    assert float(cell.voltage[rows(cell, 0)[-1]]) == pytest.approx(3.7, abs=1e-8)
    assert list(cell.step_key.values) == [f"study.protocol[{n}]" for n in range(4)]


def test_rows_can_be_asked_for(tmp_path):
    asked = load(tmp_path, CELL).run()
    rest = rows(asked, 1)
    assert asked.time.values[rest] - asked.time.values[rest[0]] == pytest.approx([0, 30, 60, 90, 120])


def test_a_saved_run_comes_back_and_goes_on_where_it_ended(cell, tmp_path):
    load(tmp_path, CHARGE, name="first.yaml").run().ionics.save(tmp_path / "first.nc")
    text = CHARGE.split("study:")[0] + "study:\n  start: first.nc\n  protocol:\n" + END
    again = load(tmp_path, text).run()
    own = rows(cell, 3)
    assert again.time.values == pytest.approx(cell.time.values[own], rel=1e-9)
    assert again.voltage.values == pytest.approx(cell.voltage.values[own], rel=1e-9)
    assert again.current.values[-1] == pytest.approx(cell.current.values[-1], rel=1e-6)
    assert again.charge.values == pytest.approx(cell.charge.values[own], rel=1e-9)
    save(cell, tmp_path / "whole.nc")
    xr.testing.assert_identical(open_result(tmp_path / "whole.nc"), cell)


@pytest.mark.parametrize(
    ("start", "change", "words"),
    [("nowhere", "", "no such result file"), ("film.nc", "", "it has the layers"), ("run.nc", "", "no state to go on")],
)
def test_a_start_that_does_not_fit_is_told(film, tmp_path, start, change, words):
    save(film, tmp_path / "film.nc")
    save(film.drop_vars(["end_state", "end_stored"]), tmp_path / "run.nc")
    text = CHARGE.split("study:")[0] + f"study:\n  start: {start}\n  protocol:\n" + END
    with pytest.raises(ConfigError, match=words) as caught:
        load(tmp_path, text).run()
    assert "study.start: got" in str(caught.value)


def test_what_was_done_before_an_interruption_is_kept(tmp_path):
    def tell(text):
        if text.startswith("step 2"):
            raise KeyboardInterrupt

    ds = load(tmp_path, FILM).run(tell)
    assert ds.attrs["complete"] == 0
    assert ds.attrs["message"] == "interrupted in step 2 of 3"
    assert ds.sizes["step"] == 1
    assert ds.ionics.verdict.startswith("Not finished, 1 of 3 steps: interrupted in step 2")
    assert "z_real" not in ds


def test_an_interruption_before_anything_was_done_stops(tmp_path):
    def tell(text):
        if text.startswith("step 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, FILM).run(tell)


def test_a_cutoff_that_is_already_met_is_a_mistake_in_the_first_step(tmp_path):
    text = FILM.replace("{time: 1 s}}\n    - {hold: {v", "{time: 1 s, voltage: 0 V}}\n    - {hold: {v")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text).run()
    message = str(caught.value)
    assert "study.protocol[0].until.voltage: got 0 V; already met when the step begins: the voltage is -0.0" in message


def test_and_ends_a_run_later_but_is_skipped_when_steps_repeat(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held = "{hold: {voltage: 0.1 V}, until: {current: 0.8 mA/cm^2, time: 1 s}}"
    text = FILM.replace("    - {hold: {voltage: 0.1 V}, until: {time: 1 s}}\n", f"    - {held}\n    - {held}\n")
    (tmp_path / "study.yaml").write_text(text)
    answer = CliRunner().invoke(app, ["run", "study.yaml", "--out", "out"])
    assert answer.exit_code == 1, answer.output
    assert "Not finished, 2 of 4 steps" in answer.stdout
    assert "study.protocol[2].until.current: got 0.8 mA/cm^2; already met when the step begins" in answer.stdout
    assert (tmp_path / "out" / "protocol.png").is_file()
    again = load(
        tmp_path, text.replace(f"    - {held}\n    - {held}\n", f"    - {{repeat: 2, steps: [{held}]}}\n")
    ).run()
    assert again.attrs["complete"] == 1
    assert str(again.step_end.values[2]).startswith("skipped: current below 800 µA/cm² already met")
    assert float(again.step_duration[2]) == 0.0


def test_a_failure_of_the_solver_is_told_with_its_place(tmp_path, monkeypatch):
    def few(*given, steps, **options):
        return simulate(*given, steps=4, **options)

    simulate = transient.simulate
    monkeypatch.setattr(transient, "simulate", few)
    ds = load(tmp_path, FILM).run()
    assert ds.attrs["complete"] == 0
    assert re.search(r"study\.yaml:\d+: study\.protocol\[0\]: .* more time steps", ds.attrs["message"])
    assert str(ds.step_end.values[-1]) == "interrupted"


def test_a_cutoff_that_is_never_reached_is_told_with_its_place(tmp_path):
    text = FILM.replace("until: {time: 1 s}}\n    - {hold: {v", "until: {voltage: -90 V}}\n    - {hold: {v")
    ds = load(tmp_path, text).run()
    assert ds.attrs["complete"] == 0
    number = 1 + text.splitlines().index("    - {hold: {current: 1 mA/cm^2}, until: {voltage: -90 V}}")
    place = f"study.yaml:{number}: study.protocol[0].until: got {{voltage: -90 V}}"
    assert f"{place}; never met; another level, or also a time" in ds.attrs["message"]


@pytest.fixture(scope="module")
def drawn(film, cell):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {name: plots.figures(ds) for name, ds in (("film", film), ("cell", cell))}


def test_every_run_has_its_pictures(drawn):
    assert set(drawn["film"]) == {"protocol", "voltage", "losses", "moments", "nyquist", "bode", "parts"}
    assert set(drawn["cell"]) == {"protocol", "voltage", "losses", "moments"}
    for figure in drawn["cell"].values():
        for ax in figure.axes:
            assert ax.get_xlabel() or ax.get_ylabel()


def test_the_stacked_losses_reach_the_line_that_is_their_sum(cell):
    figure = Figure(layout="constrained")
    _, lower = plots.plot_losses(cell, figure.subplots(2, 1))
    total = 1e3 * (cell.voltage - cell.open_circuit).values
    line = next(line for line in lower.lines if line.get_label() == "voltage − open circuit")
    assert line.get_ydata() == pytest.approx(total, abs=1e-9)
    areas = [c for c in lower.collections if len(c.get_paths())]
    lowest = min(path.vertices[:, 1].min() for area in areas for path in area.get_paths())
    assert lowest == pytest.approx(min(total.min(), 0.0), rel=0.02)


def test_voltage_over_charge_begins_each_step_at_zero(cell):
    ax = plots.plot_voltage(cell, Figure().add_subplot())
    assert ax.get_xlabel() == "charge passed (µAh/cm²)"
    assert [line.get_xdata()[0] for line in ax.lines] == [0.0, 0.0]
    assert ax.lines[1].get_xdata()[-1] == pytest.approx(2.0, rel=1e-6)


def test_the_report_has_the_steps_and_who_eats_the_voltage(cell):
    page = report(cell)
    assert "What was done" in page
    assert "Who eats the voltage" in page
    assert "voltage 3.7 V" in page
    assert "film (mV)" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1e-5, "10 µs"), (1.5, "1.5 s"), (119.0, "119 s"), (120.0, "2 min"), (9000.0, "2.5 h"), (1e6, "11.6 d")],
)
def test_times_read_like_those_of_a_lab_book(seconds, words):
    assert duration(seconds) == words
    factor, unit = time_unit(seconds)
    assert words.split()[1] in (unit, "s", "µs")
    assert seconds * factor > 0
