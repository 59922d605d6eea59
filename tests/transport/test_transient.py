"""Transients: order in time, conservation to the last digit, restarts, events, batches, derivatives, small signals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY
from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Constant
from ionics.transport.balance import Current, Voltage
from ionics.transport.equilibrium import NotConverged, equilibrium
from ionics.transport.flux import Chemical
from ionics.transport.impedance import impedance
from ionics.transport.linear import Layout
from ionics.transport.march import EVENT
from ionics.transport.protocol import Cutoff, Protocol, Step, ramp, rest, sine, tasks
from ionics.transport.stack import (
    Carrier,
    Junction,
    Material,
    Reaction,
    bulk_potential,
    neutral_charge,
    transfer,
)
from ionics.transport.statistics import Measured
from ionics.transport.tableau import METHODS
from ionics.transport.timestep import Point, Precision, advance, balance, linearised, no_past
from ionics.transport.transient import simulate
from tests.cells import ANION, CATION, ELECTRON, LITHIUM, Species, T, blocking_cell, lattice, salt, stack, uniform

NODES = 13
METAL = Species("Li", 0)
INSERTION = ((("Li+", 1),), (("Li", 1), ("e-", -1)))


@pytest.fixture(scope="module")
def cell():
    """Lithium | glass | host: what a thin-film battery is made of."""
    glass = lattice(1e4, 0.5, 1e-13, name="glass")
    falls = np.linspace(0.05, 0.95, 10)
    host = (
        Carrier(METAL, Measured(falls, 4.0 - 0.5 * falls), 2e4, 0.5, Constant(1e-14), Constant(0.0), Chemical()),
        Carrier(ELECTRON, lattice(1, 0.5).carriers[0].statistics, 1e5, 0.5, Constant(1e-9)),
    )
    host = Material("host", host, 10.0, neutral_charge(host))
    level = bulk_potential(glass.carriers[0], jnp.asarray(T))
    fermi = bulk_potential(host.carriers[1], jnp.asarray(T))
    junctions = [
        Junction("left", (transfer("Li+", ButlerVolmer(Constant(10.0), 0.5), level),), Capacitance(0.1)),
        Junction("middle", (Reaction(*INSERTION, ButlerVolmer(Constant(10.0), 0.4, True), 0.0),), Capacitance(0.1)),
        Junction("right", (transfer("e-", None, -fermi),)),
    ]
    layers = [uniform(glass, 1e-7, NODES, "glass"), uniform(host, 1e-7, NODES, "host")]
    return stack([LITHIUM, METAL, ELECTRON], layers, junctions, series_resistance=1e-3)


@pytest.fixture(scope="module")
def still(cell):
    return equilibrium(cell)


@pytest.fixture(scope="module")
def follow(cell, still):
    """Protocols of the cell within the window of a battery; all of one shape."""

    def run(*steps, start=still, **options):
        return simulate(cell, Protocol(steps), start, **options)

    return run


WINDOW = (Cutoff.voltage(2.0, "below"),)


@pytest.mark.parametrize("order", [3, 4])
def test_the_error_falls_with_the_order_of_the_method(cell, still, order):
    """With time steps of one size, under a voltage that begins smoothly; all unknowns at the end."""
    volts, duration = float(still.state.voltage), 0.05
    step = Step(Voltage(volts), duration, signal=sine(volts - 0.1, 0.1, 10.0, jnp.pi / 2))
    (task,), layout = tasks(cell, Protocol((step,))), Layout(cell)
    given, x = (cell, task), layout.flatten(still.state)

    @jax.jit
    def end(count):
        def one(n, carry):
            point, past = carry
            local = linearised(given, layout, point)
            trial = advance(given, layout, METHODS[order], point, past, local, duration / count, n == 0, precision)
            return trial.point, trial.past

        precision, zero = Precision(jnp.asarray(1e-3), jnp.asarray(1e-11), jnp.asarray(0.3)), jnp.zeros(())
        begin = Point(zero, x, balance(given, layout, zero, x).held, jnp.zeros_like(x), zero)
        return jax.lax.fori_loop(0, count, one, (begin, no_past(x)))[0].x

    counts = np.array([16, 32, 64, 128, 256])
    ends = np.stack([layout.unflatten(end(n)).u for n in counts])
    changes = np.abs(np.diff(ends, axis=0)).max(axis=(1, 2))
    np.testing.assert_allclose(np.log2(changes[:-1] / changes[1:])[-2:], order, atol=0.2)


def test_what_is_stored_is_what_has_passed_to_the_last_digit(follow):
    """Electrons arrive at the host from the metal, or with lithium from the glass: Delta q + Q = F Delta(e + Li)."""
    run = follow(Step(Current(15.0), 5.0, cutoffs=WINDOW), rest(5.0), Step(Current(-15.0), 5.0), rtol=1e-6)
    before, after = follow(Step(Current(0.0), 1e-9, cutoffs=WINDOW)).end, run.end
    assert int(run.steps) > 100
    assert float(run.charge.max()) == pytest.approx(75.0, rel=1e-12)
    assert float(after.charge) == pytest.approx(0.0, abs=1e-10)

    def gained(stored):
        return float(FARADAY * (stored.u[1].sum() + stored.u[2].sum()) - stored.voltage)

    total = float(FARADAY * after.stored.u[1:].sum())
    assert gained(after.stored) == pytest.approx(gained(before.stored), abs=1e-13 * total)
    turned = follow(Step(Current(15.0), 5.0, cutoffs=WINDOW), rtol=1e-6).end
    assert gained(turned.stored) - gained(before.stored) == pytest.approx(75.0, abs=1e-13 * total)


def test_charge_returns_what_discharge_took_at_a_higher_voltage(cell, follow, still):
    run = follow(Step(Current(15.0), 2.0, cutoffs=WINDOW), Step(Current(-15.0), 2.0), rest(100.0))
    there, back = run.step == 0, run.step == 1
    q = np.linspace(2.0, 28.0, 14)
    down = np.interp(q, run.charge[there], run.voltage[there])
    up = np.interp(q, run.charge[back][::-1], run.voltage[back][::-1])
    assert np.all(up - down > 2 * 15.0 * float(cell.series_resistance))
    assert float(run.end.charge) == pytest.approx(0.0, abs=1e-10)
    assert float(run.voltage[-1]) == pytest.approx(float(still.state.voltage), abs=1e-7)
    assert run.ended_by() == ("duration", "duration", "duration")


def test_a_run_goes_on_from_where_another_ended(follow):
    one, two = Step(Current(20.0), 3.0, cutoffs=WINDOW), Step(Current(-10.0), 2.0, cutoffs=WINDOW)
    whole, parts = follow(one, two), follow(two, start=follow(one))
    np.testing.assert_array_equal(parts.end.state.u, whole.end.state.u)
    assert float(parts.end.time) == float(whole.end.time) == 5.0
    assert float(parts.end.charge) == float(whole.end.charge)


def test_a_cutoff_is_met_to_the_tolerance_of_the_solver(follow, still):
    level = float(still.state.voltage) - 0.1
    step = Step(Current(50.0), 100.0, cutoffs=[Cutoff.voltage(level, "below")])
    coarse, fine = (follow(step, rtol=rtol) for rtol in (1e-4, 1e-8))
    for run in (coarse, fine):
        assert float(run.voltage[-1]) == pytest.approx(level, rel=EVENT)
        assert run.ended_by() == (f"voltage below {level:g}",)
    assert float(coarse.end.time) == pytest.approx(float(fine.end.time), rel=1e-4)


def test_a_cutoff_that_is_never_met_is_told(follow, still):
    with pytest.raises(NotConverged, match="never met its cutoff"):
        follow(Step(Voltage(still.state.voltage), cutoffs=[Cutoff.current(1e3, "above")]))


@pytest.mark.parametrize("frequency", [1e1, 1e3, 1e5])
def test_a_sine_in_time_is_the_linearised_impedance(cell, follow, still, frequency):
    """The last two of eight periods are a sine again; what is not, is of the second order of its amplitude."""
    volts, amplitude = float(still.state.voltage), 1e-4
    (expected,) = np.asarray(impedance(cell, still, np.array([frequency])).z)
    run = follow(
        Step(Voltage(volts), 8 / frequency, signal=sine(volts, amplitude, frequency), cutoffs=WINDOW), rtol=1e-8
    )
    t = np.asarray(run.t)
    late = t > 6 / frequency
    turns = 2 * np.pi * frequency * t[late]
    basis = np.stack([np.ones_like(turns), t[late], np.sin(turns), np.cos(turns)], axis=1)
    fits = [np.linalg.lstsq(basis, np.asarray(values)[late], rcond=None)[0] for values in (run.voltage, run.current)]
    voltage, current = (fit[2] + 1j * fit[3] for fit in fits)
    assert -voltage / current == pytest.approx(expected, rel=1e-3)


def test_a_temperature_ramp_ends_in_the_equilibrium_of_its_end(cell, follow, still):
    step = Step(Current(0.0), 100.0, temperature=ramp(T, 0.2), cutoffs=WINDOW)
    during = follow(step)
    assert float(during.temperature[-1]) == pytest.approx(T + 20.0, abs=1e-9)
    warm = rest(1e3, temperature=ramp(T + 20.0, 0.0), cutoffs=WINDOW)
    settled = follow(warm, start=during)
    assert float(settled.voltage[-1]) == pytest.approx(float(equilibrium(cell.at(T + 20.0)).state.voltage), abs=1e-6)
    back = follow(rest(1e3, cutoffs=WINDOW), start=during)  # without a temperature: that of the stack
    assert float(back.temperature[-1]) == pytest.approx(T)
    assert float(back.voltage[-1]) == pytest.approx(float(still.state.voltage), abs=1e-6)


# --------------------------------------------------------------------------------- blocking contacts


@pytest.fixture(scope="module")
def shut():
    cell = blocking_cell(salt(100.0), 1e-7, [CATION, ANION], NODES)
    return cell, equilibrium(cell, voltage=0.0)


def test_a_closed_cell_keeps_its_ions_to_the_last_digit(shut):
    cell, before = shut
    run = simulate(cell, Protocol((Step(Voltage(0.2), 1e-2), Step(Voltage(-0.2), 1e-2))), before)
    start = simulate(cell, Step(Voltage(0.0), 1e-9), before).end.stored.u.sum(axis=1)
    assert int(run.steps) > 30
    np.testing.assert_allclose(run.end.stored.u.sum(axis=1), start, rtol=1e-14)


def test_the_charge_that_a_voltage_holds_back_is_counted(shut):
    """A step of the voltage across a blocking cell: what passes is the charge of its double layers, no more."""
    cell, before = shut
    run = simulate(cell, Step(Voltage(0.05), 1.0), before)
    held = float(equilibrium(cell, voltage=0.05).state.displacement[0])
    assert abs(float(run.end.charge)) == pytest.approx(abs(held), rel=1e-8)
    assert abs(held) > 1e-3


# --------------------------------------------------------------------------------- derivatives and batches


def varied(cell):
    """An exchange current, two diffusivities, a thickness, an amount of sites and the series resistance."""
    glass, host = cell.layers
    return [
        cell.junctions[1].reactions[0].law.exchange_current.value,
        glass.material.carriers[0].diffusivity.value,
        host.material.carriers[0].diffusivity.value,
        host.thickness,
        host.material.carriers[0].sites,
        cell.series_resistance,
    ]


def changed(cell, factors):
    """The cell with these leaves multiplied."""
    return eqx.tree_at(varied, cell, [leaf * factor for leaf, factor in zip(varied(cell), factors, strict=True)])


def discharge(cell, mode):
    """Voltage at a time, and the charge at which a voltage is met (the capacity), of factors."""

    def answers(factors):
        one = changed(cell, factors)
        step = Step(Current(20.0), 100.0, cutoffs=[Cutoff.voltage(3.4, "below")], save=[0.5])
        before = equilibrium(one, throw=False)
        run = simulate(one, step, before, mode=mode, throw=False, rtol=1e-6, steps=500)
        return jnp.stack([run.voltage[1], run.end.charge])

    return answers


@pytest.mark.slow
def test_derivatives_of_voltage_and_capacity_are_those_of_central_differences(cell):
    one, h = jnp.ones(6), 2e-3
    ask = jax.jit(discharge(cell, "forward"))
    volts, capacity = np.asarray(ask(one))
    assert 3.4 < volts < 3.75
    assert 20 < capacity < 96

    def difference(h):
        return np.stack([(ask(one + h * e) - ask(one - h * e)) / (2 * h) for e in jnp.eye(6)], axis=1)

    forward = np.asarray(jax.jit(jax.jacfwd(discharge(cell, "forward")))(one))
    scale = np.abs(forward).max(axis=1, keepdims=True)
    expected = (4 * difference(h) - difference(2 * h)) / 3
    # time steps fall elsewhere when a parameter changes: at rtol 1e-7 differences are smooth to 1e-5
    np.testing.assert_allclose(forward / scale, expected / scale, atol=2e-5)


@pytest.mark.slow
def test_reverse_derivatives_are_forward_derivatives(cell):
    one = jnp.ones(6)
    forward = np.asarray(jax.jit(jax.jacfwd(discharge(cell, "forward")))(one))
    backward = np.asarray(jax.jit(jax.jacrev(discharge(cell, "reverse")))(one))
    scale = np.abs(forward).max(axis=1, keepdims=True)
    # 8e-6 of the capacity, 4e-7 of the voltage: rounding of some hundred transposed solves
    np.testing.assert_allclose(backward / scale, forward / scale, atol=2e-5)


@pytest.mark.slow
def test_a_batch_is_a_loop(cell):
    factors = jnp.asarray(np.random.default_rng(3).uniform(0.8, 1.2, (3, 6)))
    ask = discharge(cell, "forward")
    one = jax.jit(ask)
    np.testing.assert_allclose(jax.jit(jax.vmap(ask))(factors), jnp.stack([one(f) for f in factors]), rtol=1e-7)
