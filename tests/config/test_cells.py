"""Cells from the file to the result: what is said of mistakes, what a run holds, and how it goes on."""

import json

import numpy as np
import pytest
import xarray as xr

import ionics
from ionics import plots
from ionics.config import ConfigError
from ionics.constants import FARADAY
from ionics.report import report
from ionics.results import open_result, save

CELL = """\
title: Composite
source: made up
temperature: 25 degC
area: 2 cm^2
materials:
  oxide:
    carriers:
      Li:
        charge: 0
        statistics: measured
        sites: 5e4 mol/m^3
        diffusivity: 1e-14 m^2/s
        open_circuit: {occupancy: [0.2, 0.5, 0.9], potential: [4.2 V, 4.0 V, 3.6 V]}
  glass:
    permittivity: 10
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 1e4 mol/m^3, occupancy: 0.5, conductivity: 0.1 S/m}
cell:
  negative: {metal: Li, reaction: {law: butler-volmer, exchange_current: 10 A/m^2}}
  separator: {material: glass, thickness: 30 um}
  positive:
    thickness: 40 um
    nodes: 5
    active:
      grains:
        material: oxide
        volume_fraction: 0.5
        radius: 3 um
        nodes: 6
        occupancy: 0.3
        reaction: {law: butler-volmer, exchange_current: 2 A/m^2}
        double_layer: {capacitance: 10 uF/cm^2}
    electrolyte: {material: glass, volume_fraction: 0.3}
    electronic_conductivity: 5 S/m
study:
  capacity: {positive: {grains: [0.25, 0.9]}}
  impedance: {frequencies: [1 mHz, 1 kHz]}
  protocol:
    - {hold: {c_rate: 1}, until: {voltage: 3.5 V}}
    - {rest: 10 min}
"""

STACK = """\
stack:
  left: {contact: blocking}
  layers: [{name: a, material: glass, thickness: 1 um}]
  right: {contact: blocking}
"""
MISTAKES = {
    "two devices": (
        "study:\n",
        STACK + "study:\n",
        "cell", "one device"),
    "an unknown key": ("        radius: 3 um", "        radios: 3 um",
        "cell.positive.active.grains.radios", "did you mean radius?"),
    "a missing unit": ("thickness: 40 um", "thickness: 40", "cell.positive.thickness", "the unit is missing"),
    "an unknown material": (
        "material: oxide", "material: oxid", "cell.positive.active.grains.material", "did you mean oxide?"),
    "an electrolyte as active material": (
        "material: oxide", "material: glass", "cell.positive.active.grains.material", "one neutral carrier"),
    "an electrode as separator": (
        "{material: glass, thickness: 30 um}", "{material: oxide, thickness: 30 um}", "cell.separator.material",
        "one positive carrier that moves"),
    "too much in one electrode": (
        "volume_fraction: 0.5", "volume_fraction: 0.8", "cell.positive.active", "add up to 1.1"),
    "no way for electrons": (
        "    electronic_conductivity: 5 S/m\n", "", 
        "cell.positive.electronic_conductivity", "electrons need one conductivity"),
    "grains that do not touch": (
        "electronic_conductivity: 5 S/m", "percolation: {conductivity: 1 S/m, volume_fraction: 0.1, threshold: 0.2}",
        "cell.positive.percolation.volume_fraction", "nothing conducts"),
    "no composition": ("        occupancy: 0.3\n", "", "cell.positive.active.grains.occupancy", "how full of Li"),
    "an unknown electrode": ("capacity: {positive:", "capacity: {cathode:", 
        "study.capacity.cathode", "no such electrode"),
    "unknown particles": (
        "capacity: {positive: {grains:", "capacity: {positive: {grain:", 
        "study.capacity.positive.grain", "did you mean grains?"),
    "a C-rate without a capacity": (
        "  capacity: {positive: {grains: [0.25, 0.9]}}\n", "", "study.capacity", "a C-rate needs it"),
    "two metals": (
        CELL[CELL.index("  positive:"):CELL.index("study:")], "  positive: {metal: Li, reaction: {law: equilibrium}}\n",
        "cell.positive", "two metals"),
    "an alloy without a potential": (
        "metal: Li,", "metal: In-Li,", "cell.negative.potential", "In-Li is not lithium"),
    "a metal with an unknown law": (
        "law: butler-volmer, exchange_current: 10 A", "law: butlervolmer, exchange_current: 10 A", 
        "cell.negative.reaction", "butlervolmer"),
    "a coating that is half a layer": (
        "        occupancy: 0.3", "        occupancy: 0.3\n        coating: {thickness: 5 nm}",
        "cell.positive.active.grains.coating.conductivity", "conductivity: 1e-8 S/cm"),
    "a contact without pressure": (
        "        occupancy: 0.3", "        occupancy: 0.3\n        contact: {pressure: 5 MPa}",
        "cell.positive.active.grains.contact.stiffness", "go together"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_line_with_its_place_and_what_would_be_valid(tmp_path, name):
    before, after, key, words = MISTAKES[name]
    assert before in CELL
    with pytest.raises(ConfigError) as error:
        ionics.load(_written(tmp_path, CELL.replace(before, after, 1))).run()
    said = str(error.value)
    assert key in said
    assert words in said
    assert "cell.yaml:" in said


def _written(folder, text):
    path = folder / "cell.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ionics.load(_written(tmp_path_factory.mktemp("cell"), CELL))


@pytest.fixture(scope="module")
def result(study):
    return study.run()


def test_the_table_says_capacity_resistances_and_times(study):
    found = study.check()
    assert found.voltage == pytest.approx(4.13, abs=0.02)  # of the monotone cubic between 4.2 and 4.0 V
    amount = FARADAY * 5e4 * 0.5 * 40e-6
    assert found.one_c == pytest.approx(0.65 * amount / 3600)
    text = str(found)
    assert f"{amount / 36000:.3g} mAh/cm²" in text
    assert "3 ohm cm²" in text.replace("Ω", "ohm")  # 30 um of 0.1 S/m
    assert "15 min" in text  # (3 um)^2 / 1e-14 m2/s


def test_lithium_arrives_as_charge_passes_and_losses_add_up(result):
    filled = result.mean_filling.sel(member="grains").values
    passed = (result.charge.values - result.charge.values[0]) / (FARADAY * 5e4 * 0.5 * 40e-6)
    np.testing.assert_allclose(filled - filled[0], passed, atol=3e-5)  # 0.6 V on 20 m2/m2 of 0.1 F/m2 are 1.2e-5 of it
    told = result.open_circuit.values + result.overpotential.sum("loss").values
    np.testing.assert_allclose(told, result.voltage.values, atol=1e-9)
    assert result.step_end.values[0] == "voltage 3.5 V"


def test_everything_has_a_name_and_a_unit_and_survives_the_file(result, tmp_path):
    for name, variable in result.variables.items():
        assert "long_name" in variable.attrs or variable.dtype.kind in "UO" or name == "step", name
    again = open_result(save(result, tmp_path / "result.nc"))
    xr.testing.assert_allclose(again.drop_attrs(), result.drop_attrs())


def test_a_run_goes_on_where_it_ended(study, result, tmp_path):
    save(result, tmp_path / "result.nc")
    text = CELL.replace(
        "  protocol:\n    - {hold: {c_rate: 1}, until: {voltage: 3.5 V}}\n", "  start: result.nc\n  protocol:\n"
    )
    later = ionics.load(_written(tmp_path, text)).run()
    assert later.voltage.values[0] == pytest.approx(result.voltage.values[-1], abs=1e-9)
    assert later.time.values[0] == result.time.values[-1]
    with pytest.raises(ConfigError, match="no run of this cell"):
        ionics.load(_written(tmp_path, text.replace("nodes: 5", "nodes: 7"))).run()


def test_pictures_and_report_are_drawn(result):
    drawn = plots.figures(result)
    assert {"voltage", "losses", "protocol", "electrodes", "nyquist"} <= set(drawn)
    page = report(result)
    assert "Who eats the voltage" in page
    assert "positive: grains" in page


def test_a_rate_the_cell_cannot_deliver_gives_no_capacity_and_a_reason(tmp_path):
    charge = "{c_rate: -0.5, voltage: 4.1 V, until: {current: 1 uA/cm^2}}"
    protocol = f"  protocol:\n    - rate_test: {{rates: [1, 1000], cutoff: 3.5 V, charge: {charge}}}\n"
    done = ionics.load(_written(tmp_path, CELL[: CELL.index("  protocol:")] + protocol)).run()
    ends = dict(
        zip(done.step_name.values, zip(done.step_end.values, done.step_charge.values, strict=True), strict=True)
    )
    name = next(n for n in ends if "1000" in n)
    assert ends[name][1] == 0
    assert "skipped" in ends[name][0]
    assert done.attrs["complete"] == 1


def test_the_resolved_file_stands_alone(result, tmp_path):
    again = ionics.load(_written(tmp_path, result.attrs["config"]))
    assert json.loads(result.attrs["parts"]) == [list(row) for row in again.check().rows]
