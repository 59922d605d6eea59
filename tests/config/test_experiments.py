"""Experiments in one line: the steps they stand for, what they do, and one message for each mistake."""

import re
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np
import pytest

import ionics
from ionics import config, plots
from ionics.config import ConfigError, course, plans, profiles
from ionics.config.controls import DriveProfile
from ionics.config.plans import Device, plan
from ionics.config.profiles import ProfileError
from ionics.config.protocol import legs
from ionics.transport import transient
from ionics.transport.balance import Current
from ionics.transport.protocol import Protocol, Step, Table, tasks
from tests.cells import ANION, CATION, blocking_cell, salt
from tests.test_transient_results import CELL

from .files import line
from .files import read as read_text
from .test_protocol import HEAD
from .test_schema import violations

ROOT = Path(__file__).parents[2]
DOCS, CONFIGS = ROOT / "docs" / "protocols.md", ROOT / "configs"
SMALL = CELL.split("study:")[0].replace("nodes: 21", "nodes: 11").replace("nodes: 31", "nodes: 15")
STUDY = "study:\n  state_of_charge: {cathode: {Li: 0.3}}\n  capacity: {cathode: {Li: [0.1, 0.9]}}\n  protocol:\n"
DEVICE = Device(300.0, True, 10.0)  # 1C is 10 A m-2
CHARGE = "{c_rate: -5, voltage: 4.1 V, until: {c_rate: 0.5}}"


def planned(folder, steps, device=DEVICE):
    """The plan of a protocol: no stack is built."""
    return plan(read_text(folder, HEAD + steps), device)


def load(folder, steps, *overrides, head=SMALL + STUDY):
    (folder / "study.yaml").write_text(head + steps)
    return ionics.load(folder / "study.yaml", overrides)


def run(folder, steps, *overrides, **options):
    return load(folder, steps, *overrides, **options).run()


def held(one):
    """What is held, and until which cutoffs or time."""
    ends = [cutoff.name for cutoff in one.step.cutoffs]
    length = float(one.step.duration)
    return float(one.step.signal(0.0)), ends + ([] if np.isinf(length) else [length])


# ------------------------------------------------------------------------------------------------- what they stand for


def test_a_charge_is_a_current_to_a_voltage_that_is_then_held(tmp_path):
    text = "    - {cccv: {c_rate: -0.5, voltage: 4.1 V, until: {c_rate: 0.05, time: 1 h}}, name: formation}\n"
    text += "    - {cccv: {current: 2 A/m^2, voltage: 3.5 V, until: {current: 1 A/m^2}}, temperature: 310 K}\n"
    charge, on, discharge, off = planned(tmp_path, text)
    assert held(charge) == (-5.0, ["voltage above 4.1"])
    assert held(on) == (4.1, ["size of the current below 0.5", 3600.0])
    assert held(discharge) == (2.0, ["voltage below 3.5"])
    assert held(off) == (3.5, ["size of the current below 1"])
    assert [one.leg.name for one in (charge, discharge)] == ["formation: charge at 0.5C", "discharge at 200 µA/cm²"]
    assert [float(one.step.temperature(0.0)) for one in (on, discharge, off)] == [300.0, 310.0, 310.0]


def test_a_rate_test_charges_and_rests_between_its_discharges(tmp_path):
    text = f"    - rate_test: {{rates: [0.1, 2, 5], cutoff: 3 V, charge: {CHARGE}, rest: 10 min}}\n"
    found = planned(tmp_path, text)
    names = ["rest", "charge at 5C", "hold 4.1 V", "rest"]
    assert [one.leg.name for one in found] == [
        "discharge at 0.1C",
        *names,
        "discharge at 2C",
        *names,
        "discharge at 5C",
    ]
    assert held(found[5]) == (20.0, ["voltage below 3"])
    assert {one.leg.part.tolerant for one in found if "discharge" in one.leg.name} == {True}
    (single,) = planned(tmp_path, "    - rate_test: {currents: [1 A/m^2], cutoff: 3 V}\n")
    assert held(single) == (1.0, ["voltage below 3"])


def test_titrations_are_pulses_with_rests_and_voltages_one_after_another(tmp_path):
    found = planned(tmp_path, "    - gitt: {c_rate: 0.1, pulse: 30 min, rest: 2 h, count: 3, until: {voltage: 3 V}}\n")
    assert [held(one) for one in found] == 3 * [(1.0, ["voltage below 3", 1800.0]), (0.0, [7200.0])]
    found = planned(tmp_path, "    - pitt: {from: 4.1 V, to: 3.97 V, step: 50 mV, until: {time: 2 h}}\n")
    assert [held(one)[0] for one in found] == pytest.approx([4.1, 4.05, 4.0, 3.97])
    found = planned(tmp_path, "    - pitt: {from: 3.8 V, to: 4.1 V, step: 0.1 V, until: {time: 2 h}}\n")
    assert [held(one)[0] for one in found] == pytest.approx([3.8, 3.9, 4.0, 4.1])  # and none twice, by rounding


def test_voltammetry_ends_where_it_begins(tmp_path):
    found = planned(tmp_path, "    - cyclic_voltammetry: {voltage: [3.5 V, 4 V, 3 V], rate: 1 mV/s, cycles: 2}\n")
    ends = [(float(one.step.signal(0.0)), float(one.step.signal(one.step.duration))) for one in found]
    assert ends == pytest.approx(np.array(2 * [(3.5, 4.0), (4.0, 3.0), (3.0, 3.5)]))
    assert [float(one.step.duration) for one in found] == pytest.approx(2 * [500, 1000, 500])


def test_pulse_power_goes_from_state_to_state(tmp_path):
    text = (
        "    - hppc: {discharge: {c_rate: 1}, charge: {c_rate: -0.75}, pulse: 10 s, rest: 40 s, every: {soc: 40 %}, "
        "relax: 1 h, between: {c_rate: 0.5}, until: {voltage_outside: [3 V, 4.2 V]}, "
        "impedance: {frequencies: [1 Hz]}}\n"
    )
    found = planned(tmp_path, text)
    each = [
        (10.0, ["voltage below 3", 10.0]),
        (0.0, [40.0]),
        (-7.5, ["voltage above 4.2", 10.0]),
        (0.0, [40.0]),
        (5.0, ["voltage below 3", "size of the charge above 14400"]),  # 40 % of 10 A m-2 times an hour
        (0.0, [3600.0]),
    ]
    assert [held(one) for one in found] == 3 * each  # 40 % go three times into what is left of a full cell
    assert [n for n, one in enumerate(found) if one.frequency is not None] == [5, 11, 17]
    assert found[0].leg.name == "pulse: discharge at 1C"
    by_charge = text.replace("soc: 40 %", "charge: 1 C/m^2").replace("relax", "count: 2, relax")
    assert len(planned(tmp_path, by_charge)) == 12


def test_an_experiment_may_be_repeated_and_its_keys_are_found_in_the_file(tmp_path):
    text = (
        f"    - {{repeat: 2, steps: [{{cccv: {CHARGE}}}, {{gitt: {{c_rate: 1, pulse: 1 s, rest: 1 s, count: 1}}}}]}}\n"
    )
    found = list(legs(read_text(tmp_path, HEAD + text).study.protocol))
    assert [leg.turn for leg in found] == [0, 0, 0, 0, 1, 1, 1, 1]
    base = ("study", "protocol", 0, "steps", 0, "cccv")
    assert found[0].place("hold", "c_rate") == (*base, "c_rate")
    assert found[0].place("until", "voltage") == (*base, "voltage")
    assert found[1].place("until", "c_rate") == (*base, "until", "c_rate")
    assert found[3].place("rest") == ("study", "protocol", 0, "steps", 1, "gitt", "rest")
    assert found[3].place("until") == ("study", "protocol", 0, "steps", 1)  # nothing in the file says it
    assert found[0].block != found[4].block


def test_when_a_voltage_ends_an_experiment_its_last_rest_is_done_and_what_follows_it(tmp_path):
    text = "    - gitt: {c_rate: 1, pulse: 1 s, rest: 1 s, count: 4, until: {voltage: 3 V}}\n    - {rest: 9 s}\n"
    found = planned(tmp_path, text)
    assert plans.left_out(found, 2, 0) == {4, 5, 6, 7}  # the second pulse, by its voltage
    assert plans.left_out(found, 2, -1) == set()  # by its time
    assert plans.left_out(found, 3, -1) == set()
    text = (
        "    - hppc: {discharge: {c_rate: 1}, charge: {c_rate: -1}, pulse: 1 s, rest: 1 s, every: {charge: 1 C/m^2}, "
        "relax: 1 s, count: 2, until: {voltage_outside: [3 V, 4 V]}}\n"
    )
    found = planned(tmp_path, text)
    assert plans.left_out(found, 0, 0) == set(range(2, 12))
    assert plans.left_out(found, 2, 0) == set()  # a charge that was cut short
    assert plans.left_out(found, 4, 0) == set(range(6, 12))
    assert plans.left_out(found, 4, 1) == set()  # the charge that was asked for


WRITTEN_OUT = {
    "discharge_rates": (
        "    - rate_test:\n"
        "        currents: [16 uA/cm^2, 32 uA/cm^2, 64 uA/cm^2, 128 uA/cm^2, 256 uA/cm^2, 512 uA/cm^2]\n"
        "        cutoff: 3 V\n"
        "        charge: {current: -16 uA/cm^2, voltage: 4.195 V, until: {current: 0.2 uA/cm^2}}\n"
    ),
    "titration": "    - gitt: {c_rate: 0.1, pulse: 30 min, rest: 2 h, count: 18, until: {voltage: 3 V}}\n",
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_a_protocol_that_is_written_out_is_the_same_in_one_line(name, tmp_path):
    path = CONFIGS / f"{name}.yaml"
    head, _, _ = path.read_text(encoding="utf-8").partition("  protocol:")
    short = read_text(tmp_path, f"{head}  protocol:\n{WRITTEN_OUT[name]}")
    assert [held(one) for one in plan(short, DEVICE)] == [held(one) for one in plan(config.read(path), DEVICE)]


MISTAKES = {
    "a misspelt experiment": ("- {git: {c_rate: 1}}", ".git", ["unknown key", "did you mean gitt?"]),
    "two experiments": (
        "- {rate_test: {rates: [1], cutoff: 3 V}, cyclic_voltammetry: {voltage: [1 V, 2 V], rate: 1 V/s}}",
        "",
        ["one experiment at a time"],
    ),
    "a charge without an end": ("- cccv: {c_rate: -1, voltage: 4 V}", ".cccv.until", ["required key missing"]),
    "a charge that ends on its voltage": (
        "- cccv: {c_rate: -1, voltage: 4 V, until: {voltage: 4 V}}",
        ".cccv.until.voltage",
        ["unknown key", "current, c_rate, time"],
    ),
    "no current": ("- cccv: {voltage: 4 V, until: {time: 1 h}}", ".cccv", ["one thing flows", "current: 0.1 mA/cm^2"]),
    "a current of nothing": (
        "- cccv: {c_rate: 0, voltage: 4 V, until: {time: 1 h}}",
        ".cccv.c_rate",
        ["nothing flows"],
    ),
    "a voltage in amperes": (
        "- cccv: {c_rate: -1, voltage: 4 A, until: {time: 1 h}}",
        ".cccv.voltage",
        ["'A' is not a voltage"],
    ),
    "two ends of a held voltage": (
        "- cccv: {c_rate: -1, voltage: 4 V, until: {c_rate: 0.1, current: 1 A/m^2}}",
        ".cccv.until.c_rate",
        ["given together with current"],
    ),
    "rates that charge": (
        "- rate_test: {rates: [1, -2], cutoff: 3 V, charge: {c_rate: -1, voltage: 4 V, until: {time: 1 h}}}",
        ".rate_test.rates",
        ["these are discharges", "positive"],
    ),
    "no rates": ("- rate_test: {cutoff: 3 V}", ".rate_test", ["one list of rates", "rates: [0.1, 1, 5]"]),
    "nothing between the rates": (
        "- rate_test: {rates: [1, 2], cutoff: 3 V}",
        ".rate_test.charge",
        ["required key missing", "c_rate: -0.5"],
    ),
    "a charge that discharges": (
        "- rate_test: {rates: [1, 2], cutoff: 3 V, charge: {c_rate: 1, voltage: 4 V, until: {time: 1 h}}}",
        ".rate_test.charge",
        ["discharge counts positive", "c_rate: a negative number"],
    ),
    "a cutoff above the charge": (
        "- rate_test: {rates: [1, 2], cutoff: 4 V, charge: {c_rate: -1, voltage: 3 V, until: {time: 1 h}}}",
        ".rate_test.cutoff",
        ["not below the voltage of the charge"],
    ),
    "pulses without an end": (
        "- gitt: {c_rate: 1, pulse: 1 s, rest: 1 s}",
        ".gitt.count",
        ["nothing ends the pulses", "count: 20, or until: {voltage: 3 V}"],
    ),
    "a pulse without a unit": (
        "- gitt: {c_rate: 1, pulse: 10, rest: 1 s, count: 1}",
        ".gitt.pulse",
        ["the unit is missing"],
    ),
    "a titration that goes nowhere": (
        "- pitt: {from: 3 V, to: 3 V, step: 1 mV, until: {time: 1 s}}",
        ".pitt.to",
        ["the same as `from`"],
    ),
    "a titration with a negative step": (
        "- pitt: {from: 4 V, to: 3 V, step: -50 mV, until: {time: 1 s}}",
        ".pitt.step",
        ["must be positive"],
    ),
    "a titration in too many steps": (
        "- pitt: {from: 4 V, to: 3 V, step: 1 uV, until: {time: 1 s}}",
        ".pitt.step",
        ["more than 10000 voltages"],
    ),
    "a cycle that stands": (
        "- cyclic_voltammetry: {voltage: [3 V, 3 V], rate: 1 mV/s}",
        ".cyclic_voltammetry.voltage",
        ["corners that differ"],
    ),
    "a cycle whose speed is a voltage": (
        "- cyclic_voltammetry: {voltage: [3 V, 4 V], rate: 1 mV}",
        ".cyclic_voltammetry.rate",
        ["not a rate of voltage"],
    ),
    "pulses that charge twice": (
        "- hppc: {discharge: {c_rate: -1}, pulse: 1 s, rest: 1 s, every: {soc: 10 %}, relax: 1 s}",
        ".hppc.discharge",
        ["discharge counts positive"],
    ),
    "states without an end": (
        "- hppc: {discharge: {c_rate: 1}, pulse: 1 s, rest: 1 s, every: {charge: 1 C/m^2}, relax: 1 s}",
        ".hppc.until",
        ["nothing ends the test"],
    ),
    "states by charge and by share": (
        "- hppc: {discharge: {c_rate: 1}, pulse: 1 s, rest: 1 s, every: {soc: 1 %, charge: 1 C/m^2}, relax: 1 s}",
        ".hppc.every",
        ["one step is needed"],
    ),
    "a profile of nothing": ("- profile: {file: a, what: current, scale: 0}", ".profile.scale", ["nothing is left"]),
    "a profile of something else": ("- profile: {file: a.csv, what: speed}", ".profile.what", ["unknown choice"]),
    "a profile with a length": ("- {profile: {file: a, what: power}, until: {time: 1 s}}", ".until", ["says how long"]),
    "a profile that ends on one side": (
        "- {profile: {file: a.csv, what: power}, until: {voltage: 3 V}}",
        ".until",
        ["from which side is not clear"],
    ),
    "rows of a profile": ("- {profile: {file: a.csv, what: power}, every: 1 s}", ".every", ["those of its file"]),
    "an impedance that takes time": (
        "- {impedance: {from: 1 Hz, to: 1 kHz}, until: {time: 1 s}}",
        ".until",
        ["an impedance alone takes no time"],
    ),
    "a share and a charge": (
        "- {hold: {c_rate: 1}, until: {soc: 10 %, charge: 1 C/m^2}}",
        ".until.soc",
        ["given together with charge"],
    ),
    "a rate where a rate is held": (
        "- {hold: {c_rate: 1}, until: {c_rate: 0.1}}",
        ".until",
        ["the current is what the step sets"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_message_names_the_place_and_the_way_out(name, tmp_path):
    step, key, words = MISTAKES[name]
    text = HEAD + f"    {step}\n"
    with pytest.raises(ConfigError) as caught:
        read_text(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'study.yaml'}:{line(text, step)}"
    assert problem.key == "study.protocol[0]" + key
    for word in words:
        assert word in str(problem), str(problem)


@pytest.mark.parametrize(
    ("steps", "change", "key", "words"),
    [
        (
            "    - gitt: {c_rate: 1, pulse: 1 s, rest: 1 s, count: 1}\n",
            "capacity",
            "study.capacity",
            ["a C-rate needs it"],
        ),
        ("    - {hold: {voltage: 4 V}, until: {soc: 1 %}}\n", "capacity", "study.capacity", ["a C-rate needs it"]),
        (
            "    - {rest: 1 s, impedance: true}\n",
            "",
            "study.impedance",
            ["a step is measured as it says", "from: 10 mHz"],
        ),
        ("    - impedance: {from: 1 Hz, to: 1 kHz}\n", "", "study.protocol", ["nothing in it takes time"]),
    ],
)
def test_what_an_experiment_needs_beside_it_is_told(steps, change, key, words, tmp_path):
    head = re.sub(rf"  {change}: .*\n", "", HEAD) if change else HEAD
    with pytest.raises(ConfigError) as caught:
        read_text(tmp_path, head + steps)
    (problem,) = caught.value.problems
    assert problem.key == key
    for word in words:
        assert word in str(problem), str(problem)


# ------------------------------------------------------------------------------------------------- files of profiles


def lines(folder, text, area=None, **keys):
    (folder / "drive.csv").write_text(text)
    return profiles.read(DriveProfile(file="drive.csv", **{"what": "current"} | keys), folder, area)


@pytest.mark.parametrize(
    ("text", "keys", "times", "values"),
    [
        ("time [s],current [mA/cm^2]\n0,0.1\n2,0.3\n", {}, [0, 2], [1, 3]),
        ("t (min);I (A/m^2)\n1;5\n2;-7\n", {"scale": -2}, [0, 60], [-10, 14]),
        ("# time/h\tcurrent/uA/cm^2\n0\t1\n1\t2\n", {}, [0, 3600], [0.01, 0.02]),
        ("step,time [s],power [mW/cm^2],current [A/m^2]\n1,0,2,5\n1,1,3,6\n", {"what": "power"}, [0, 1], [20, 30]),
        ("time/s c-rate\n0 1\n1 -2\n", {"what": "c_rate"}, [0, 1], [1, -2]),
        ("a [s],b [mV],U [V]\n0,1,4\n1,2,3\n", {"what": "voltage", "columns": ("a", "U")}, [0, 1], [4, 3]),
        ("time [s],current [mA]\n0,1\n1,2\n", {"area": 2e-4}, [0, 1], [5, 10]),  # on 2 cm^2
    ],
)
def test_a_profile_is_read_in_the_units_of_its_header(text, keys, times, values, tmp_path):
    found = lines(tmp_path, text, **keys)
    assert found.times == pytest.approx(np.array(times, float))
    assert found.values == pytest.approx(np.array(values, float), rel=1e-12)


def test_values_that_are_held_pass_the_charge_of_their_rows(tmp_path):
    t, current = np.array([0.0, 1.0, 3.0, 3.5, 6.0]), np.array([1.0, 1.0, -2.0, 4.0, 9.0])
    text = "time [s],current [A/m^2]\n" + "".join(f"{a},{b}\n" for a, b in zip(t, current, strict=True))
    found = lines(tmp_path, text, interpolation="hold")
    assert np.trapezoid(found.values, found.times) == pytest.approx(np.sum(current[:-1] * np.diff(t)), rel=1e-14)
    middle = 0.5 * (t[1:] + t[:-1])
    assert np.interp(middle, found.times, found.values) == pytest.approx(current[:-1])
    assert len(found.times) == 2 + 1 + 2 * 2  # both ends, a row without a jump, two jumps


@pytest.mark.parametrize(
    ("text", "keys", "words"),
    [
        ("time [s],current [mA/cm^2]\n0,1\n0,2\n", {}, ["line 3", "the time does not increase"]),
        ("time [s],current [mA/cm^2]\n0,1\n1,x\n", {}, ["line 3", "'x' is not a number"]),
        ("time [s],current\n0,1\n1,2\n", {}, ["column 'current'", "unit is missing", "current [mA/cm^2]"]),
        ("time [s],current [V]\n0,1\n1,2\n", {}, ["'V' is not a current density"]),
        ("time [s],current [mA]\n0,1\n1,2\n", {}, ["'mA' is a current, which needs an area", "area: 1 cm^2"]),
        ("time [s],a [V],b [V]\n0,1,1\n1,2,2\n", {"what": "voltage"}, ["no column voltage", "columns: time, a, b"]),
        ("0,1\n1,2\n", {}, ["no line names the columns", "time [s], current [mA/cm^2]"]),
        ("time [s],current [mA/cm^2]\n0,1\n", {}, ["has 1 rows", "2 to 50000"]),
        ("time [s],current [mA/cm^2]\n", {}, ["no numbers under the header"]),
    ],
)
def test_what_is_wrong_with_a_profile_is_told(text, keys, words, tmp_path):
    with pytest.raises(ProfileError) as caught:
        lines(tmp_path, text, **keys)
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_a_profile_that_is_not_there_is_named_with_the_line_that_asks_for_it(tmp_path):
    (tmp_path / "drive.csv").write_text("time [s],current [A/m^2]\n0,1\n1,2\n")
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, "    - profile: {file: drve.csv, what: current}\n")
    (problem,) = caught.value.problems
    assert problem.key == "study.protocol[0].profile.file"
    assert "no such file, seen from this one; did you mean drive.csv?" in str(problem)


TIMES, VALUES = np.array([0.0, 1.0, 1.5, 4.0]), np.array([1.0, 3.0, -2.0, 0.0])


def test_a_table_is_straight_lines_between_points_and_constant_after_them():
    table, t = Table(TIMES, VALUES), np.array([0.2, 1.2, 3.0, 5.0])
    assert np.asarray(jax.vmap(table)(t)) == pytest.approx(np.interp(t, TIMES, VALUES))
    assert np.asarray(jax.vmap(table.rate)(t)) == pytest.approx([2.0, -10.0, 0.8, 0.0])
    assert np.asarray(jax.vmap(jax.grad(table))(t)) == pytest.approx([2.0, -10.0, 0.8, 0.0])
    assert float(table.rate(1.0)) == 2.0  # of the line that ends there
    with pytest.raises(ValueError, match="must increase"):
        Table([0.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="as many values"):
        Table([0.0, 1.0], [1.0, 2.0, 3.0])


def test_time_steps_end_at_the_points_of_a_table_and_at_no_time_twice():
    step = Step(Current(1.0), 4.0, signal=Table(TIMES, VALUES), save=[0.5, 1.0, 2.0])
    other = Step(Current(1.0), 4.0, save=[0.5])
    one, two = tasks(blocking_cell(salt(1.0), 1e-6, [CATION, ANION], 11), Protocol((step, other)))
    assert np.asarray(one.stops) == pytest.approx([0.5, 1.0, 1.5, 2.0, 4.0, np.inf, np.inf])
    assert np.asarray(two.stops) == pytest.approx([0.5, *6 * [np.inf]])


# ------------------------------------------------------------------------------------------------- what they do


def ends(ds):
    return [str(end) for end in ds.step_end.values]


def test_an_impossible_rate_has_no_capacity_and_leaves_the_cell_as_it_was(tmp_path):
    text = f"    - rate_test: {{rates: [5, 5000, 5, 5000], cutoff: 3.6 V, charge: {CHARGE}, rest: 1 min}}\n"
    ds = run(tmp_path, text, "series_resistance=20 ohm cm^2")  # 0.86 V at 5000C
    assert ds.attrs["complete"] == 1
    assert ds.sizes["step"] == 16
    first, lost, again, last = (
        int(n) for n in np.flatnonzero([str(n).startswith("disch") for n in ds.step_name.values])
    )
    for n in (lost, last):
        assert ends(ds)[n] == "skipped: voltage 3.6 V already met"
        assert float(ds.step_charge[n]) == 0.0
        assert float(ds.step_duration[n]) == 0.0
    assert ends(ds)[again] == "voltage 3.6 V"
    # the first begins at 0.3 of the sites, the third from the charge to 4.1 V
    assert float(ds.step_charge[again]) > float(ds.step_charge[first]) > 200.0
    # nothing was drawn, so that the charge between the second and the third has but to make up for its own relaxation
    between = ds.step_charge.values[lost + 1 : again]
    assert abs(between).sum() < 0.02 * float(ds.step_charge[again])


def test_a_first_rate_that_is_impossible_is_no_mistake(tmp_path):
    ds = run(
        tmp_path,
        "    - rate_test: {rates: [5000], cutoff: 3.6 V}\n    - {rest: 1 s}\n",
        "series_resistance=10 ohm cm^2",
    )
    assert ends(ds) == ["skipped: voltage 3.6 V already met", "time"]
    assert "skipped" in ds.ionics.verdict


@pytest.mark.slow
def test_a_rate_at_which_the_solver_fails_is_given_up_and_the_next_is_done(tmp_path, monkeypatch):
    def failing(stack, step, instant, steps, **options):
        few = 4 if float(step.signal(0.0)) > 5 else steps  # 100C are 8.6 A m-2
        return simulate(stack, step, instant, steps=few, **options)

    simulate = transient.simulate
    monkeypatch.setattr(transient, "simulate", failing)
    charge = CHARGE.replace("-5", "-4")
    ds = run(tmp_path, f"    - rate_test: {{rates: [100, 5], cutoff: 3.6 V, charge: {charge}}}\n")
    assert ds.attrs["complete"] == 1
    assert ends(ds)[0] == "given up: a step of the protocol took more time steps than allowed"
    assert 0 < float(ds.step_charge[0]) < 1e-3
    assert ends(ds)[-1] == "voltage 3.6 V"


def test_a_rate_that_cannot_be_begun_is_skipped_with_its_reason(tmp_path, monkeypatch):
    import equinox as eqx
    import jax.numpy as jnp

    def failing(stack, step, instant, **options):
        found = simulate(stack, step, instant, **options)
        if float(step.signal(0.0)) < 5:
            return found
        nothing = (jnp.asarray(transient.NO_START), jnp.nan * found.voltage, instant)
        return eqx.tree_at(lambda r: (r.result, r.voltage, r.end), found, nothing)

    simulate = transient.simulate
    monkeypatch.setattr(transient, "simulate", failing)
    ds = run(tmp_path, f"    - rate_test: {{rates: [100, 5], cutoff: 3.6 V, charge: {CHARGE}}}\n")
    assert ds.attrs["complete"] == 1
    assert ends(ds)[0].startswith("skipped: no state right after the beginning of a step was found")
    assert float(ds.step_charge[0]) == 0.0
    assert np.isfinite(ds.voltage.values).all()
    assert float(ds.voltage[0]) == pytest.approx(float(ds.open_circuit[0]), abs=1e-6)  # it still rests


def test_a_full_cell_needs_no_charge_and_a_wrong_sign_is_told(tmp_path):
    ds = run(tmp_path, f"    - cccv: {CHARGE}\n    - cccv: {CHARGE}\n")
    assert ends(ds)[:2] == ["voltage 4.1 V", "current below 4.29 µA/cm²"]
    assert [end.split(":")[0] for end in ends(ds)[2:]] == ["skipped", "skipped"]
    text = "    - cccv: {c_rate: 5, voltage: 4.1 V, until: {c_rate: 0.5}}\n"
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.key == "study.protocol[0].cccv.voltage"
    assert "already met when the step begins" in str(problem)
    assert "discharge counts positive, charge negative" in str(problem)


def test_pulses_go_on_to_the_voltage_and_rest_once_more(tmp_path):
    ds = run(
        tmp_path, "    - gitt: {c_rate: 5, pulse: 2 min, rest: 5 min, until: {voltage: 3.8 V}}\n    - {rest: 1 min}\n"
    )
    pulses, rests = ends(ds)[:-1:2], ends(ds)[1:-1:2]
    assert pulses == [*(len(pulses) - 1) * ["time"], "voltage 3.8 V"]
    assert set(rests) == {"time"}
    assert ds.attrs["complete"] == 1
    assert ds.attrs["steps_planned"] == ds.sizes["step"] == 2 * len(pulses) + 1
    whole = 5 * 96485.33212 * 2e4 * 200e-9 * 0.8 / 3600 * 120  # C m-2 in a whole pulse
    assert ds.step_charge.values[: 2 * len(pulses) - 2 : 2] == pytest.approx(whole, rel=1e-6)
    assert 0 < float(ds.step_charge[2 * len(pulses) - 2]) < whole


SPECTRUM = "{from: 10 mHz, to: 1 MHz, points: 5}"


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    steps = f"    - impedance: {SPECTRUM}\n    - {{hold: {{c_rate: 5}}, until: {{time: 2 min}}, impedance: true}}\n"
    steps += "    - {rest: 5 min, temperature: 310 K, impedance: {frequencies: [1 Hz, 1 kHz]}}\n"
    return load(tmp_path_factory.mktemp("spectra"), steps, f"study.impedance={SPECTRUM}").run()


def test_a_spectrum_on_the_way_is_that_of_a_run_that_ends_there(spectra, tmp_path):
    short = run(tmp_path, f"    - {{hold: {{c_rate: 5}}, until: {{time: 2 min}}}}\n  impedance: {SPECTRUM}\n")
    own = spectra.isel(measured=1).dropna("measured_frequency")
    assert own.measured_frequency.values == pytest.approx(short.frequency.values)
    assert own.measured_z_real.values == pytest.approx(short.z_real.values, rel=1e-9)  # the same state
    assert own.measured_z_imag.values == pytest.approx(short.z_imag.values, rel=1e-9)
    assert float(own.measured_current) == pytest.approx(5 * 96485.33212 * 2e4 * 200e-9 * 0.8 / 3600, rel=1e-9)


def test_every_spectrum_says_when_and_where_it_was_measured(spectra):
    assert list(spectra.measured_step.values) == [-1, 0, 1]
    assert list(spectra.measured_name.values) == ["impedance", "discharge at 5C", "rest"]
    assert spectra.measured_time.values == pytest.approx([0.0, 120.0, 420.0])
    assert list(spectra.measured_temperature.values) == [300.0, 300.0, 310.0]
    charge = float(spectra.step_charge[0])
    assert spectra.measured_charge.values == pytest.approx([0.0, charge, charge], rel=1e-9)
    assert spectra.sizes["step"] == 2
    assert "frequency" in spectra.z_real.dims  # that of the end stays what it is
    shares = spectra.measured_z_part_real.sum("element", skipna=False)
    np.testing.assert_allclose(shares.values, spectra.measured_z_real.values, rtol=1e-9)


def test_at_rest_before_anything_is_done_it_is_the_impedance_at_equilibrium(spectra, tmp_path):
    head = SMALL + STUDY.replace("  protocol:\n", "")
    rest = run(tmp_path, f"  impedance: {SPECTRUM}\n", head=head)
    first = spectra.isel(measured=0).dropna("measured_frequency")
    assert first.measured_z_real.values == pytest.approx(rest.z_real.values, rel=1e-6)  # one mesh follows the flow


def test_the_spectra_are_drawn_and_saved(spectra, tmp_path):
    figure = plots.figures(spectra)["spectra"]
    nyquist, beside = figure.axes[:2]
    assert nyquist.get_ylabel().startswith("−Im Z")
    assert len([one for one in nyquist.lines if len(one.get_xdata()) > 2 or one.get_linewidth() == 1.5]) >= 3
    assert "cathode" in [text.get_text() for text in beside.get_legend().get_texts()]
    spectra.ionics.save(tmp_path / "result.nc")
    assert ionics.open_result(tmp_path / "result.nc").sizes["measured"] == 3


ROWS = [(0, 0), (1, 5), (2, 12), (4, -6), (5, -6), (8, 0)]  # s, A m-2
DRIVE = "time [s],current [A/m^2]\n" + "".join(f"{t},{i}\n" for t, i in ROWS)


def test_a_profile_passes_its_charge_and_has_its_rows(tmp_path):
    (tmp_path / "drive.csv").write_text(DRIVE)
    steps = "    - profile: {file: drive.csv, what: current}\n"
    ds = run(tmp_path, steps + "    - {rest: 1 s}\n")
    t, current = np.array(ROWS, float).T
    own = ds.step_of_row.values == 0
    assert ds.time.values[own] == pytest.approx(t)
    assert ds.current.values[own] == pytest.approx(current, abs=1e-9)
    # a method of order 3 is exact for straight lines, as long as no stage looks beyond a corner
    assert float(ds.step_charge[0]) == pytest.approx(np.trapezoid(current, t), rel=1e-9)
    assert str(ds.step_kind.values[0]) == "profile"
    assert str(ds.step_name.values[0]) == "current of drive.csv"
    until = "      until: {voltage_outside: [3.6 V, 4.3 V]}\n"
    cut = run(tmp_path, steps.replace("current}", "current, scale: 3}") + until)
    assert ends(cut) == ["voltage below 3.6 V"]
    assert 1 < float(cut.step_duration[0]) < 3


def test_held_values_do_what_steps_of_the_same_current_do(tmp_path):
    (tmp_path / "drive.csv").write_text(DRIVE)
    held_ = run(tmp_path, "    - profile: {file: drive.csv, what: current, interpolation: hold}\n")
    steps = [
        f"    - {{hold: {{current: {i} A/m^2}}, until: {{time: {b - a} s}}}}\n" for (a, i), (b, _) in pairwise(ROWS)
    ]
    plain = run(tmp_path, "".join(steps))
    last = np.flatnonzero(np.diff(plain.step_of_row.values, append=99))  # the last row of each step
    seen = np.interp(plain.time.values[last] - 1e-3, held_.time.values, held_.voltage.values)
    # half a millisecond before a jump begins, at slopes of up to 0.1 V/s; where none is, the row is met
    assert seen == pytest.approx(plain.voltage.values[last], abs=2e-4)
    assert float(held_.step_charge[0]) == pytest.approx(float(plain.charge[-1]), rel=1e-9)


def test_power_and_rate_follow_a_file(tmp_path):
    (tmp_path / "power.csv").write_text("time [s],power [mW/cm^2]\n0,0\n1,2\n2,2\n3,-1\n")
    (tmp_path / "rate.csv").write_text("time [s],c_rate\n0,0\n1,3\n2,3\n3,-1\n")
    ds = run(tmp_path, "    - profile: {file: power.csv, what: power}\n    - profile: {file: rate.csv, what: c_rate}\n")
    first, second = (ds.step_of_row.values == n for n in (0, 1))
    assert (ds.voltage * ds.current).values[first] == pytest.approx([0, 20, 20, -10], abs=1e-6)
    one_c = 96485.33212 * 2e4 * 200e-9 * 0.8 / 3600
    assert ds.current.values[second] == pytest.approx(one_c * np.array([0, 3, 3, -1]), abs=1e-9)


# ------------------------------------------------------------------------------------------------- the page


def examples():
    """The protocols of the page, and the file they read."""
    page = DOCS.read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(- .*?)^```", page, re.M | re.S)
    (drive,) = re.findall(r"^```csv\n(.*?)^```", page, re.M | re.S)
    return blocks, drive


@pytest.mark.parametrize("n", range(len(examples()[0])))
def test_every_example_of_the_page_runs(n, tmp_path):
    blocks, drive = examples()
    (tmp_path / "drive.csv").write_text(drive)
    ds = run(tmp_path, "".join(f"    {row}\n" for row in blocks[n].splitlines()))
    assert ds.attrs["complete"] == 1, ds.attrs["message"]
    assert np.isfinite(ds.voltage.values).all()
    assert np.ptp(ds.charge.values) > 0


@pytest.mark.parametrize("n", range(len(examples()[0])))
def test_an_editor_accepts_every_example_and_sees_a_missing_unit(n):
    text = SMALL + STUDY + "".join(f"    {row}\n" for row in examples()[0][n].splitlines())
    assert violations(text) == []
    bare = re.sub(r"(\d) (V|Hz|mHz|MHz|min)\b", r"\1", text.partition("protocol:")[2])
    assert violations(text.partition("protocol:")[0] + "protocol:" + bare)


def test_the_page_shows_every_experiment():
    shown = "".join(examples()[0])
    for key in (*config.experiments.EXPERIMENTS, "profile", "impedance"):
        assert f"- {key}:" in shown or f"{{{key}:" in shown, key
    assert course.plan is plan
