"""Protocols: signals, cutoffs, what is refused at the door, and the usual experiments as steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.constants import FARADAY
from ionics.kinetics.compact import ConstantPhase
from ionics.transport.balance import Current, Load, Power, Voltage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.protocol import (
    Cutoff,
    Protocol,
    Step,
    check,
    constant_current_constant_voltage,
    current_of_rate,
    cyclic_sweep,
    hold,
    intermittent_titration,
    pulses,
    ramp,
    rest,
    sine,
    tasks,
)
from ionics.transport.stack import Junction, Unit
from ionics.transport.transient import simulate
from tests.cells import ANION, CATION, LITHIUM, blocking_cell, lattice, layer, salt, stack, symmetric_cell

T = np.linspace(0.0, 3.0, 7)


@pytest.mark.parametrize(
    ("signal", "value", "rate"),
    [
        (hold(2.0), np.full_like(T, 2.0), np.zeros_like(T)),
        (ramp(1.0, -0.5), 1 - 0.5 * T, np.full_like(T, -0.5)),
        (
            sine(1.0, 0.1, 0.4, 0.3),
            1 + 0.1 * np.sin(0.8 * np.pi * T + 0.3),
            0.08 * np.pi * np.cos(0.8 * np.pi * T + 0.3),
        ),
    ],
)
def test_a_signal_and_its_slope(signal, value, rate):
    assert np.asarray(jax.vmap(signal)(T)) == pytest.approx(value)
    assert np.asarray(jax.vmap(jax.grad(signal))(T)) == pytest.approx(rate)
    assert np.asarray(jax.vmap(signal.rate)(T)) == pytest.approx(rate)


def test_only_an_oscillation_limits_the_time_step():
    assert np.isinf(hold(1.0).longest())
    assert np.isinf(ramp(1.0, 2.0).longest())
    assert float(sine(0.0, 1.0, 50.0).longest()) == pytest.approx(0.02 / 8)


@pytest.mark.parametrize("duration", [0.0, -1.0, np.nan])
def test_a_duration_must_be_positive(duration):
    with pytest.raises(ValueError, match="must be positive"):
        Step(Current(1.0), duration)


def test_a_step_must_end_somehow():
    with pytest.raises(ValueError, match="a duration or a cutoff"):
        Step(Current(1.0))
    with pytest.raises(ValueError, match="at least one step"):
        check(blocking_cell(salt(1.0), 1e-6, [CATION, ANION], 11), Protocol(()))


def test_saving_times_must_increase():
    with pytest.raises(ValueError, match="must increase"):
        Step(Current(1.0), 2.0, save=[1.0, 1.0])


def test_a_constant_phase_element_is_refused_with_the_name_of_its_junction():
    one = layer(lattice(1e4, 0.5), 1e-7, 11)
    cell = stack([LITHIUM], [one], [Junction("left contact", (), ConstantPhase(1e-2, 0.9)), Junction("right contact")])
    with pytest.raises(ValueError, match="constant-phase element of left contact has no form in the time domain"):
        simulate(cell, rest(1.0), equilibrium(cell, voltage=0.0))


def test_repeated_units_are_refused():
    cell = symmetric_cell(lattice(1e4, 0.5), 1e-7, 1.0, nodes=11)
    many = stack(cell.species, cell.layers, cell.junctions, units=(Unit(0, 0, 10.0),))
    with pytest.raises(ValueError, match="repeated units"):
        check(many, Protocol((rest(1.0),)))


def test_a_cutoff_is_named_in_words():
    assert Cutoff.voltage(3.0, "below").name == "voltage below 3"
    assert Cutoff.current(0.1, "below").name == "size of the current below 0.1"
    assert Cutoff.occupancy("Li", 0.9, "above").name == "largest occupancy of Li above 0.9"
    with pytest.raises(ValueError, match="'above' or 'below'"):
        Cutoff.voltage(3.0, "under")


def test_a_cutoff_on_a_species_that_is_not_there_is_refused():
    cell = blocking_cell(salt(1.0), 1e-6, [CATION, ANION], 11)
    with pytest.raises(ValueError, match="the stack has C\\+, A-"):
        tasks(cell, Protocol((Step(Current(1.0), cutoffs=[Cutoff.occupancy("Li", 0.9, "above")]),)))


@pytest.mark.parametrize(
    ("drive", "voltage", "current"),
    [(Voltage(2.0), 2.0, 7.0), (Current(3.0), 5.0, 3.0), (Power(6.0), 2.0, 3.0), (Load(4.0), 8.0, 2.0)],
)
def test_every_control_is_one_formula(drive, voltage, current):
    step = Step(drive, 1.0)
    at_rest = tasks(blocking_cell(salt(1.0), 1e-6, [CATION, ANION], 11), Protocol((step,)))[0].drive(0.5)
    assert float(at_rest.residual(jnp.asarray(voltage), jnp.asarray(current))) == 0.0
    assert float(at_rest.residual(jnp.asarray(voltage + 1), jnp.asarray(current + 1))) != 0.0


def test_charging_is_held_at_the_voltage_it_reaches():
    charge, held = constant_current_constant_voltage(-1.0, 4.2, 0.05).steps
    assert float(charge.signal(0.0)) == -1.0
    assert [c.name for c in charge.cutoffs] == ["voltage above 4.2"]
    assert float(held.signal(0.0)) == 4.2
    assert [c.name for c in held.cutoffs] == ["size of the current below 0.05"]
    discharge, _ = constant_current_constant_voltage(1.0, 3.0, 0.05).steps
    assert [c.name for c in discharge.cutoffs] == ["voltage below 3"]


def test_titration_alternates_pulses_and_rests():
    steps = intermittent_titration(0.1, 600.0, 3600.0, 3).steps
    assert [float(s.signal(0.0)) for s in steps] == [0.1, 0.0] * 3
    assert [float(s.duration) for s in steps] == [600.0, 3600.0] * 3
    assert len(pulses(Voltage(1.0), 1.0, 2.0, 4).steps) == 8


def test_a_sweep_is_continuous_and_returns_to_where_it_began():
    steps = cyclic_sweep(0.1, 0.5, -0.3, 0.01, cycles=2).steps
    ends = [(float(s.signal(0.0)), float(s.signal(s.duration))) for s in steps]
    assert ends == [pytest.approx(pair) for pair in [(0.1, 0.5), (0.5, -0.3), (-0.3, 0.1)] * 2]
    assert all(abs(float(s.signal.slope)) == 0.01 for s in steps)


def test_a_rate_of_one_passes_the_window_in_an_hour():
    cell = symmetric_cell(lattice(2e4, 0.5), 1e-6, 1.0, nodes=11)
    current = float(current_of_rate(cell, "layer", "Li+", 2.0, (0.25, 0.75)))
    assert current * 1800.0 == pytest.approx(FARADAY * 2e4 * 1e-6 * 0.5)
