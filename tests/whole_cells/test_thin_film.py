"""Lithium | conductor | film electrode: everything about it is known in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ionics.cells import losses
from ionics.cells.balance import at_rest
from ionics.cells.control import _crossing
from ionics.cells.impedance import impedance
from ionics.cells.inward import Modes
from ionics.cells.simulate import begin, follow, simulate, simulate_many, states
from ionics.constants import FARADAY
from ionics.transport.balance import Current
from ionics.transport.protocol import Cutoff, Protocol, Step, Table, tasks
from tests.whole_cells.build import (
    ANODE,
    CATHODE,
    COATING,
    FILM,
    IN_SERIES,
    THERMAL,
    even,
    thin_film,
    with_voids,
)

CAPACITY = FARADAY * FILM["sites"] * FILM["thickness"]  # C m-2
VOLTAGE = Cutoff.voltage(3.2, "below")


def potential(theta):
    """Of an ideal lattice [V]."""
    return FILM["potential"] + THERMAL * np.log((1 - theta) / theta)


def kinetic(i, exchange):
    """Of a symmetric reaction [V]."""
    return 2 * THERMAL * np.arcsinh(i / (2 * exchange))


def discharged(cell, current, duration=None, cutoff=VOLTAGE, theta=0.5, voids=0.0, rtol=1e-6):
    """All of one compiled shape."""
    start = at_rest(cell, {"film": theta, "lithium": voids})
    return simulate(cell, Step(Current(current), duration, cutoffs=(cutoff,)), start, rtol=rtol)


FAST = {"diffusivity": 2e-11, "separator": 2e-2, "anode": 8e3, "cathode": 3e3, "coating": 1e-5}
RATE = CAPACITY / 0.36  # A m-2, ten thousand times C
START = 0.02


def with_leaves(cell, given):
    """Diffusivity [m2 s-1], conductivity of the separator [S m-1], exchange currents [A m-2] and coating [Ohm m2]."""
    film = lambda c: c.positive.members[0]  # noqa: E731
    leaves = {
        "diffusivity": lambda c: film(c).carrier.diffusivity.value,
        "separator": lambda c: c.between[0].conductivity.value,
        "anode": lambda c: c.negative.members[0].surface.law.exchange_current.value,
        "cathode": lambda c: film(c).surface.law.exchange_current.value,
        "coating": lambda c: film(c).surface.film.area_resistance.value,
    }
    for name, value in given.items():
        cell = eqx.tree_at(leaves[name], cell, jnp.asarray(value, float))
    return cell


def exact_voltage(t, given):
    """Of the film with its own shells at a constant current from START, without any error in time [V]."""
    modes = Modes(1, even(21))  # those of the film
    decay = np.asarray(modes.decay) * given["diffusivity"] / FILM["thickness"] ** 2
    grown = np.where(decay > 0, -np.expm1(-decay * t) / np.where(decay > 0, decay, 1.0), t)
    theta = START + RATE / CAPACITY * np.asarray(modes.shapes[-1]) ** 2 @ grown
    ohmic = IN_SERIES * 1e-4 / given["separator"] + given["coating"]
    return potential(theta) - RATE * ohmic - kinetic(RATE, given["anode"]) - kinetic(RATE, given["cathode"])


def exact_end(given, level):
    """When the voltage has fallen to a level [s]."""
    return brentq(lambda t: exact_voltage(t, given) - level, 0.01, 0.347, xtol=1e-15, rtol=1e-15)


def test_a_cutoff_after_a_third_of_a_second_is_met_within_a_microsecond():
    """At ten thousand times C and at every tolerance; what is left is how well the level is met (1e-10 of it)."""
    cell, level = with_leaves(thin_film(), FAST), 3.74
    exact = exact_end(FAST, level)
    assert 0.3 < exact < 0.36
    for rtol in (1e-3, 1e-6):
        run = discharged(cell, RATE, cutoff=Cutoff.voltage(level, "below"), theta=START, rtol=rtol)
        assert abs(float(run.t[-1]) - exact) < 1e-8
        assert float(run.voltage[-1]) == pytest.approx(level, rel=2e-10)
        assert int(run.event[0]) == 0
        assert float(run.charge[-1]) == pytest.approx(RATE * exact, rel=1e-8)


def test_end_and_voltage_follow_every_parameter_as_the_closed_form_does():
    """Forward derivatives through steps, events and start against differences of the exact answer."""
    level, when = 3.74, 0.2
    step = Step(Current(RATE), None, cutoffs=(Cutoff.voltage(level, "below"),))
    plain = thin_film()
    task, start = tasks(plain, Protocol((step,)))[0], begin(at_rest(plain, {"film": START, "lithium": 0.0}))

    @eqx.filter_jit
    def answer(logs):
        own = {name: FAST[name] * jnp.exp(log) for name, log in zip(FAST, logs, strict=True)}
        course = follow(with_leaves(plain, own), task, start, 1e-7, keep=True)
        return jnp.stack([course.end.time, course.at(jnp.asarray([when]))[0, 2]])

    found = np.asarray(jax.jacfwd(answer)(jnp.zeros(len(FAST))))
    for n, name in enumerate(FAST):
        h = 1e-4
        up, down = (FAST | {name: FAST[name] * np.exp(sign * h)} for sign in (1, -1))
        expected = [
            (exact_end(up, level) - exact_end(down, level)) / (2 * h),
            (exact_voltage(when, up) - exact_voltage(when, down)) / (2 * h),
        ]
        # each step errs by 1e-7 RT/F, and its dense output is of one order less
        np.testing.assert_allclose(found[:, n], expected, rtol=3e-4, atol=1e-6 * THERMAL)


def test_at_a_hundredth_of_c_only_ohm_kinetics_and_a_little_diffusion_are_left():
    """The single-particle limit: the film is even but for i L / (3 F c D) at its surface."""
    i = CAPACITY / 3600 / 100
    run = discharged(thin_film(), i, duration=25 * 3600.0)
    mean = 0.5 + np.asarray(run.charge) / CAPACITY
    plain = potential(mean) - i * (IN_SERIES + COATING) - kinetic(i, ANODE) - kinetic(i, CATHODE)
    rise = i * FILM["thickness"] / (3 * FARADAY * FILM["sites"] * FILM["diffusivity"])
    late = np.asarray(run.t) > FILM["thickness"] ** 2 / FILM["diffusivity"]
    off = (np.asarray(run.voltage) - plain)[late]
    expected = potential(mean + rise)[late] - potential(mean)[late]
    assert np.max(abs(off)) < 1e-5  # V
    # second order in 20 shells: 1 / (2 20^2) of the rise; the rest is the tolerance of a step
    np.testing.assert_allclose(off, expected, rtol=2e-3, atol=1e-6 * THERMAL)
    assert float(run.charge[-1]) == pytest.approx(i * 25 * 3600, rel=1e-12)


def test_a_current_meets_the_ohmic_resistance_and_the_kinetics_at_once():
    i = 40.0
    for cell, reactions in (
        (thin_film(), kinetic(i, ANODE) + kinetic(i, CATHODE)),
        (with_leaves(thin_film(), {"anode": 1e12, "cathode": 1e12}), 0.0),  # nothing but resistances
    ):
        start = float(discharged(cell, i, duration=1e-3).voltage[0])
        assert start == pytest.approx(potential(0.5) - i * (IN_SERIES + COATING) - reactions, abs=1e-11)


def test_lithium_loses_contact_until_healing_keeps_up():
    """v = v_end (1 - exp(-t (i / depth + 1 / healing))); the reaction then runs on what still touches."""
    i, depth, healing = 5.0, 100.0, 10.0
    cell = with_voids(thin_film(diffusivity=1e-10), depth, healing)
    run = discharged(cell, i, duration=25.0, rtol=1e-8)
    steady = i * healing / (depth + i * healing)
    exact = steady * -np.expm1(-np.asarray(run.t) * (i / depth + 1 / healing))
    voids = np.asarray(states(cell, run.x).negative.filling[0])[:, 0, 0, 0]
    np.testing.assert_allclose(voids, exact, atol=1e-7)
    assert voids[-1] == pytest.approx(steady, rel=0.03)
    taken = losses.history(cell, run.x, run.temperature).losses[:, losses.names(cell).index("anode, charge transfer")]
    np.testing.assert_allclose(taken, -kinetic(i / (1 - exact), ANODE), atol=1e-7)


def test_losses_are_those_of_the_closed_form():
    i, cell = 10.0, thin_film(diffusivity=1e-14)
    run = discharged(cell, i, duration=25.0)
    found = losses.history(cell, run.x, run.temperature)
    taken = dict(zip(losses.names(cell), found.losses.T, strict=True))
    mean = 0.5 + np.asarray(run.charge) / CAPACITY
    np.testing.assert_allclose(found.open_circuit, potential(mean), atol=1e-12)
    np.testing.assert_allclose(found.open_circuit + sum(taken.values()), run.voltage, atol=1e-13)
    exact = {
        "anode, charge transfer": -kinetic(i, ANODE),
        "cathode, charge transfer": -kinetic(i, CATHODE),
        "cathode, coating film": -i * COATING,
        "separator": -i * IN_SERIES,
        "series resistance": 0.0,
    }
    assert set(taken) == {*exact, "cathode, diffusion"}
    for name, expected in exact.items():
        # the law of a reaction holds to the tolerance of a step, resistances to rounding
        np.testing.assert_allclose(taken[name], expected, atol=1e-7 if "transfer" in name else 1e-9)
    assert taken["cathode, diffusion"][0] == pytest.approx(0, abs=1e-12)
    assert np.all(np.diff(taken["cathode, diffusion"]) < 0)


@pytest.mark.parametrize(
    ("step", "given"),
    [("separator", {"separator": 1e-6}), ("cathode, charge transfer", {"cathode": 1e-3}), ("cathode, diffusion", {})],
)
def test_the_step_that_limits_is_named_for_discharge_and_charge(step, given):
    slow = {} if given else {"diffusivity": 2e-16}
    cell = with_leaves(thin_film(), given | slow)
    for i in (3.0, -3.0):
        cutoff = Cutoff.voltage(0.5, "below") if i > 0 else Cutoff.voltage(8.0, "above")
        run = discharged(cell, i, duration=20.0, cutoff=cutoff)
        found = losses.history(cell, run.x, run.temperature)
        name, average = losses.limiting(losses.names(cell), found.losses, np.asarray(run.charge))
        assert name == step
        assert average < -0.02


def test_impedance_of_a_film_is_that_of_reference_a10(reference):
    """Reflecting diffusion, of second order in the shells; resistances of reactions and conductors to rounding."""
    known = reference["A10"]["reference"]
    frequency, errors = [1e-4, 1e-2], []
    exact = np.array([complex(*known[f"Z_reflecting({name} Hz)"]) for name in ("1e-4", "1e-2")])
    for nodes in (21, 41):
        cell = thin_film(nodes)
        found = impedance(cell, at_rest(cell, {"film": 0.6}), frequency)
        shares = dict(zip(*found.pieces(), strict=True))
        errors.append(np.max(abs(np.asarray(shares["cathode, diffusion"]) - exact) / abs(exact)))
        np.testing.assert_allclose(shares["anode, charge transfer"], THERMAL / ANODE, rtol=1e-11)
        np.testing.assert_allclose(shares["cathode, charge transfer"], THERMAL / CATHODE, rtol=1e-11)
        np.testing.assert_allclose(shares["cathode, coating film"], COATING, rtol=1e-11)
        np.testing.assert_allclose(shares["separator"], IN_SERIES, rtol=1e-13)
        np.testing.assert_allclose(found.parts.sum(0), found.z, rtol=1e-13)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.02)
    assert errors[1] < 4e-4  # 40 shells


@pytest.mark.parametrize(
    ("current", "word", "way"), [(CAPACITY / 3600, "full", "falls"), (-CAPACITY / 3600, "empty", "rises")]
)
def test_a_surface_that_runs_out_is_named(current, word, way):
    """No cutoff stops it: the voltage follows the logarithm without end."""
    cell = thin_film()
    step = Step(
        Current(current),
        1e5,
        cutoffs=(Cutoff.voltage(-50.0 if word == "full" else 50.0, "below" if word == "full" else "above"),),
    )
    run = simulate(cell, step, at_rest(cell, {"film": 0.5, "lithium": 0.0}), throw=False)
    assert run.message() == f"the surface of film is {word}: the voltage {way} without end"
    ahead = FILM["thickness"] ** 2 / (3 * FILM["diffusivity"])  # s: by so much the surface is ahead of the mean
    assert float(run.end.time) == pytest.approx(1800.0 - ahead, rel=1e-5)


def test_steps_side_by_side_must_be_alike():
    cell = thin_film()
    steps = [Step(Current(1.0), 1.0), Step(Current(1.0), 1.0, cutoffs=(VOLTAGE,))]
    starts = jnp.stack([begin(at_rest(cell, {"film": 0.5, "lithium": 0.0})).x] * 2)
    with pytest.raises(ValueError, match="alike in their cutoffs"):
        simulate_many(cell, steps, starts)
    with pytest.raises(ValueError, match="3 steps for 2 cells; valid: 1 or 2"):
        simulate_many(cell, steps[:1] * 3, starts)


def test_a_profile_of_current_is_met_at_each_of_its_points():
    """Straight lines: the charge is their integral."""
    cell, scale = thin_film(), CAPACITY / 3600
    times, currents = np.array([0.0, 10.0, 11.0, 40.0, 40.5, 90.0]), scale * np.array([0.0, 1.0, -2.0, -2.0, 3.0, 0.5])
    step = Step(Current(0.0), 90.0, signal=Table(times, currents))
    run = simulate(cell, step, at_rest(cell, {"film": 0.5, "lithium": 0.0}), rtol=1e-6)
    rows = np.searchsorted(np.asarray(run.t), times)
    np.testing.assert_allclose(np.asarray(run.t)[rows], times, rtol=1e-14)
    np.testing.assert_allclose(np.asarray(run.current)[rows], currents, atol=1e-12 * scale)
    passed = np.append(0.0, np.cumsum(0.5 * np.diff(times) * (currents[1:] + currents[:-1])))
    np.testing.assert_allclose(np.asarray(run.charge)[rows], passed, atol=1e-11 * CAPACITY)


def test_a_crossing_is_sought_only_where_an_attempt_has_one():
    """Else two attempts, each with a dense output that crosses beyond the other, are repeated for ever."""
    cell = thin_film()
    (task,) = tasks(cell, Protocol((Step(Current(1.0), cutoffs=(Cutoff.voltage(3.0, "below"),)),)))
    start, end = jnp.asarray([0.0, 1.0, 4.0]), jnp.asarray([1.0, 1.0, 2.0])  # a straight line: 3 V half way
    crossing = jax.jit(lambda ends: _crossing(task, start, end, jnp.zeros((3, 3)), ends, 0))
    assert float(crossing((0.0, 1.0, 0.9))) == pytest.approx(0.5, abs=1e-12)
    assert float(crossing((0.6, 0.7, 0.65))) == 0.65
    assert float(crossing((0.3, 0.4, 0.35))) == 0.35
