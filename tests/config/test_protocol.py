"""Protocols in a file: what good ones become, and one message for each mistake."""

import numpy as np
import pytest

from ionics import config
from ionics.config import ConfigError, course
from ionics.config.protocol import legs

from .files import CELL, CERAMIC, line, read

PLAIN = CELL.replace(
    "        constant_phase:\n          Q: 1e-6 S s^0.9/cm^2\n          n: 0.9\n", "        capacitance: 5.3 mF/m^2\n"
).split("study:")[0]
HEAD = PLAIN + "study:\n  state_of_charge: {cathode: {Li: 0.8}}\n  capacity: {cathode: {Li: [0.5, 0.9]}}\n  protocol:\n"
GOOD = """\
    - {hold: {c_rate: 2}, until: {voltage: 3.5 V, time: 10 h}}
    - {rest: 1 h, every: 10 min}
    - repeat: 2
      steps:
        - {hold: {current: -0.1 mA/cm^2}, until: {voltage: 4 V, charge: 0.1 mAh/cm^2}}
        - {hold: {voltage: 4 V}, until: {current: 10 uA/cm^2}}
    - {sweep: {voltage: [4 V, 3.5 V, 4 V], rate: 1 mV/s}, until: {current: 1 mA/cm^2}}
    - {sine: {current: 0 A/m^2, amplitude: 10 uA/cm^2, frequency: 10 Hz, periods: 4}}
    - {hold: {power: 1 mW/cm^2}, until: {voltage_outside: [3 V, 4.3 V]}}
    - {hold: {load: 1 kohm cm^2}, until: {time: 1 min}, name: on a resistor}
    - {hold: {voltage: 3.9 V}, temperature: {to: 303.15 K, rate: 2 K/min}}
    - {rest: 1 s}
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    checked = read(tmp_path_factory.mktemp("cell"), HEAD + GOOD)
    return course.plan(checked, course.stack_device(checked, config.build(checked)))


def test_steps_are_done_in_order_and_a_sweep_has_a_leg_for_each_side(planned):
    assert [one.leg.name for one in planned] == [
        "discharge at 2C",
        "rest",
        *2 * ["charge at 100 µA/cm²", "hold 4 V"],
        "sweep 4 V → 3.5 V",
        "sweep 3.5 V → 4 V",
        "sine of 10 Hz",
        "discharge with 1 mW/cm²",
        "on a resistor",
        "hold 3.9 V",
        "rest",
    ]
    assert planned[4].leg.key == "study.protocol[2].steps[0]"
    assert [one.leg.turn for one in planned[2:6]] == [0, 0, 1, 1]


def test_every_step_is_in_si(planned):
    held = [(float(one.step.terminal.of_voltage), float(one.step.terminal.of_current)) for one in planned]
    assert held[2:4] == [(0, 1), (1, 0)]
    start = [float(one.step.signal(0.0)) for one in planned]
    capacity = 96485.33212 * 32200 * 8.08e-6 * 0.4  # C m-2
    assert start[0] == pytest.approx(2 * capacity / 3600, rel=1e-9)
    assert start[1:4] == [0.0, -1.0, 4.0]
    assert float(planned[6].step.signal(250.0)) == pytest.approx(3.75)
    assert float(planned[7].step.signal(250.0)) == pytest.approx(3.75)
    assert float(planned[8].step.signal(1 / 40)) == pytest.approx(0.1)
    assert float(planned[9].step.terminal.of_power) == 1.0
    assert start[9] == pytest.approx(10.0)
    assert held[10] == (1.0, pytest.approx(-0.1))  # V = R I
    lengths = [float(one.step.duration) for one in planned]
    assert lengths == pytest.approx([36e3, 3600, *4 * [np.inf], 500, 500, 0.4, np.inf, 60, 300, 1])


def test_cutoffs_act_from_the_side_on_which_a_step_starts(planned):
    assert [ending.words for one in planned[:4] for ending in one.endings] == [
        "voltage 3.5 V",
        "voltage 4 V",
        "charge 100 µAh/cm²",
        "current below 10 µA/cm²",
    ]
    names = [[ending.cutoff.name for ending in one.endings] for one in planned]
    assert names[0] == ["voltage below 3.5"]
    assert names[2] == ["voltage above 4", "size of the charge above 3600"]
    assert names[3] == ["size of the current below 0.1"]
    assert names[6] == ["size of the current above 10"]
    assert names[9] == ["voltage below 3", "voltage above 4.3"]


def test_a_temperature_stays_until_another_is_stated(planned):
    kelvin = [(float(one.step.temperature(0.0)), float(one.step.temperature(300.0))) for one in planned]
    assert kelvin[0] == (293.15, 293.15)
    assert kelvin[11] == pytest.approx((293.15, 303.15))
    assert kelvin[12] == (303.15, 303.15)


def test_times_to_save_at_are_multiples_inside_the_step(planned):
    assert np.asarray(planned[1].step.save) == pytest.approx(600.0 * np.arange(1, 6))


def test_steps_share_their_shapes(planned):
    alike = course.alike([one.step for one in planned])
    assert {len(step.cutoffs) for step in alike} == {2}
    assert {len(step.save) for step in alike if step.save is not None} == {5}


MISTAKES = {
    "an unknown kind of step": ("- {hod: {current: 1 A/m^2}}", ".hod", ["unknown key", "did you mean hold?"]),
    "nothing to do": ("- {until: {time: 1 h}}", "", ["a step does one thing", "hold, rest, sweep or sine"]),
    "two things at once": ("- {rest: 1 h, hold: {voltage: 4 V}}", "", ["a step does one thing"]),
    "two things held": ("- {hold: {voltage: 4 V, current: 1 A/m^2}}", ".hold", ["one thing is held"]),
    "no end": ("- {hold: {current: 1 A/m^2}}", ".until", ["nothing ends the step", "until: {time: 1 h}"]),
    "an empty end": ("- {hold: {current: 1 A/m^2}, until: {}}", ".until", ["nothing ends the step"]),
    "no duration": ("- {rest: 0 s}", ".rest", ["must be positive", "a time that is, e.g. 1 h"]),
    "no duration of something held": (
        "- {hold: {voltage: 4 V}, until: {time: 0 s}}",
        ".until.time",
        ["must be positive", "a time that is"],
    ),
    "a sweep to where it begins": (
        "- {sweep: {voltage: [3 V, 3 V], rate: 1 mV/s}}",
        ".sweep.voltage",
        ["two corners in a row are the same", "corners that differ"],
    ),
    "a sine without a period": (
        "- {sine: {voltage: 4 V, amplitude: 1 mV, frequency: 1 Hz, periods: 0}}",
        ".sine.periods",
        ["must be positive"],
    ),
    "a negative duration": (
        "- {hold: {voltage: 4 V}, until: {time: -1 h}}",
        ".until.time",
        ["must be positive", "a time that is"],
    ),
    "a time without a unit": ("- {rest: 10}", ".rest", ["the unit is missing"]),
    "a current instead of a current density": (
        "- {hold: {current: 1 mA}, until: {time: 1 h}}",
        ".hold.current",
        ["not a current density"],
    ),
    "a cutoff on what is held": (
        "- {hold: {voltage: 4 V}, until: {voltage: 3 V}}",
        ".until",
        ["the voltage is what the step sets"],
    ),
    "a cutoff on the current that is held": (
        "- {hold: {c_rate: 1}, until: {current: 1 A/m^2}}",
        ".until",
        ["the current is what the step sets"],
    ),
    "a cutoff from an unknown side": (
        "- {hold: {current: 0 A/m^2}, until: {voltage: 3 V}}",
        ".until",
        ["from which side is not clear", "voltage_outside"],
    ),
    "a window upside down": (
        "- {hold: {current: 1 A/m^2}, until: {voltage_outside: [4 V, 3 V]}}",
        ".until.voltage_outside",
        ["not below the second"],
    ),
    "two durations": (
        "- {sweep: {voltage: [3 V, 4 V], rate: 1 mV/s}, until: {time: 1 h}}",
        ".until",
        ["sweep says how long"],
    ),
    "a rest with cutoffs": ("- {rest: 1 h, until: {voltage: 3 V}}", ".until", ["rest says how long"]),
    "a sweep without a speed": ("- {sweep: {voltage: [3 V, 4 V]}}", ".sweep.rate", ["required key missing"]),
    "a speed of another dimension": (
        "- {sweep: {voltage: [3 V, 4 V], rate: 1 A/m^2/s}}",
        ".sweep.rate",
        ["not a rate of voltage"],
    ),
    "a sweep that stands still": (
        "- {sweep: {voltage: [3 V, 3 V], rate: 1 mV/s}}",
        ".sweep.voltage",
        ["two corners in a row are the same"],
    ),
    "a sine of nothing": (
        "- {sine: {voltage: 3 V, amplitude: 0 V, frequency: 1 Hz, periods: 2}}",
        ".sine.amplitude",
        ["must be positive"],
    ),
    "two speeds at once": (
        "- {sweep: {voltage: [3 V, 4 V], rate: 1 mV/s}, temperature: {to: 320 K, rate: 1 K/s}}",
        ".temperature",
        ["says how long"],
    ),
    "rows of a step without a length": (
        "- {hold: {current: 1 A/m^2}, until: {voltage: 3 V}, every: 1 s}",
        ".every",
        ["how long the step may last"],
    ),
    "nothing repeated": ("- {repeat: 2, steps: []}", ".steps", ["at least 1"]),
    "repeated no times": ("- {repeat: 0, steps: [{rest: 1 s}]}", ".repeat", ["at least 1"]),
    "a mistake in what is repeated": (
        "- {repeat: 2, steps: [{rest: 1 s}, {rest: -1 s}]}",
        ".steps[1].rest",
        ["must be positive"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_message_names_the_place_and_the_way_out(name, tmp_path):
    step, key, words = MISTAKES[name]
    text = HEAD + f"    {step}\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'study.yaml'}:{line(text, step)}"
    assert problem.key == "study.protocol[0]" + key
    for word in words:
        assert word in str(problem), str(problem)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (HEAD.replace("[0.5, 0.9]", "[0.5, 0.5]") + "    - {rest: 1 s}\n", "study.capacity", ["two occupancies"]),
        (
            HEAD.replace("  capacity: {cathode: {Li: [0.5, 0.9]}}\n", "")
            + "    - {hold: {c_rate: 1}, until: {time: 1 h}}\n",
            "study.capacity",
            ["a C-rate needs it"],
        ),
        (
            HEAD.replace("capacity: {cathode", "capacity: {catode") + "    - {rest: 1 s}\n",
            "study.capacity.catode",
            ["no such layer", "did you mean cathode?"],
        ),
        (
            HEAD.replace("capacity: {cathode: {Li:", "capacity: {cathode: {Na:") + "    - {rest: 1 s}\n",
            "study.capacity.cathode.Na",
            ["cathode has no carrier Na"],
        ),
        (
            HEAD.replace("  protocol", "  operating_point: {voltage: 4 V}\n  protocol") + "    - {rest: 1 s}\n",
            "study.operating_point",
            ["a protocol starts from equilibrium"],
        ),
        (
            HEAD.replace("  protocol", "  start: before\n  protocol") + "    - {rest: 1 s}\n",
            "study.state_of_charge",
            ["where an earlier result ended"],
        ),
        (
            CELL.replace("  operating_point: {current: 0.1 mA/cm^2}\n", "  protocol: [{rest: 1 s}]\n"),
            "stack.junctions.electrolyte | cathode.compact_layer.constant_phase",
            ["has no form in time", "capacitance"],
        ),
        (
            CERAMIC + "study: {protocol: [{rest: 1 s}]}\n",
            "stack.layers.ceramic.repeat",
            ["a repeated unit is meshed once"],
        ),
        (PLAIN + "study: {start: before}\n", "study.start", ["only a protocol"]),
        (PLAIN + "study: {tolerance: 1e-5}\n", "study.tolerance", ["only a protocol"]),
    ],
)
def test_what_does_not_go_with_a_protocol_is_told(text, key, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.key == key
    for word in words:
        assert word in str(problem), str(problem)


@pytest.mark.parametrize(
    ("step", "key", "words"),
    [
        ("{hold: {current: 1 A/m^2}, until: {time: 1 h}}", ".hold.current", ["no direct current can pass", "voltage"]),
        ("{rest: 1 s, every: 2 s}", ".every", ["longer than the step"]),
        ("{rest: 1 h, every: 1 ms}", ".every", ["more than 1000 rows"]),
        (
            "{hold: {voltage: 4 V}, temperature: {to: 20 degC, rate: 1 K/min}}",
            ".temperature",
            ["the step has no duration", "293.15 K", "another temperature, or until: {time: 1 h}"],
        ),
        (
            "{hold: {c_rate: 1}, until: {charge: 1 mAh/cm^2}}",
            ".hold.c_rate",
            ["no direct current can pass", "add until: {voltage: ...}, or another contact"],
        ),
    ],
)
def test_what_the_stack_cannot_do_is_refused_before_anything_is_solved(step, key, words, tmp_path):
    blocked = HEAD.replace("right: {contact: ohmic}", "right: {contact: blocking}")
    checked = read(tmp_path, f"{blocked}    - {step}\n")
    with pytest.raises(ConfigError) as caught:
        config.table.check(checked)
    (problem,) = caught.value.problems
    assert problem.key == "study.protocol[0]" + key
    for word in words:
        assert word in str(problem), str(problem)


def test_a_steady_current_through_a_blocked_stack_is_refused(tmp_path):
    text = CELL.replace("right: {contact: ohmic}", "right: {contact: blocking}")
    with pytest.raises(ConfigError) as caught:
        config.table.check(read(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.key == "study.operating_point.current"
    assert problem.where.endswith(f"study.yaml:{line(text, 'operating_point')}")
    assert "got 0.1 mA/cm^2; no direct current can pass this stack" in str(problem)
    assert "a voltage, 0 A/m^2, or another contact" in str(problem)
    config.table.check(read(tmp_path, text, "study.operating_point.current=0 A/m^2"))


def test_steps_go_by_their_number_in_messages_and_overrides(tmp_path):
    text = HEAD + "    - {name: 1.6C, rest: 1 s}\n    - {name: again, rest: 2 s}\n    - {name: again, rest: 0 s}\n"
    with pytest.raises(ConfigError, match=r"study\.protocol\[2\]\.rest: got 0 s"):
        read(tmp_path, text)
    changed = read(tmp_path, text, "study.protocol[2].rest=5 s", "study.protocol[0].rest=3 s")
    assert [step.rest for step in changed.study.protocol] == [3, 2, 5]


def test_repeats_may_stand_in_repeats(tmp_path):
    checked = read(tmp_path, HEAD + "    - {repeat: 2, steps: [{repeat: 3, steps: [{rest: 1 s}]}, {rest: 2 s}]}\n")
    found = list(legs(checked.study.protocol))
    assert [leg.step.rest for leg in found] == 2 * [1, 1, 1, 2]
    assert [leg.turn for leg in found] == [0, 1, 2, 0, 3, 4, 5, 1]
