"""Two composite electrodes with double layers, coatings and a changing contact: what must hold for any such cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.cells import losses
from ionics.cells.balance import at_rest, face_resistances, ionic_current, unflatten
from ionics.cells.impedance import impedance
from ionics.cells.simulate import simulate, states
from ionics.constants import FARADAY
from ionics.fitting.checks.kramers_kronig import kramers_kronig
from ionics.fitting.spectrum import Spectrum
from ionics.transport.balance import Current
from ionics.transport.protocol import Cutoff, Protocol, Step, sine
from tests.whole_cells.build import composite

CELL = composite()
FILLED = {"anode": 0.8, "cathode": 0.2}
START = at_rest(CELL, FILLED)
RATE, AMPLITUDE = 10.0, 0.02  # A m-2
FREQUENCY = np.geomspace(1e-4, 1e5, 91)  # Hz
NEVER = Cutoff.voltage(0.0, "below")  # every step has a cutoff: all share what is compiled


@pytest.fixture(scope="module")
def cycled():
    """A discharge to a cutoff, rest, some of a charge."""
    steps = (
        Step(Current(RATE), cutoffs=(Cutoff.voltage(2.6, "below"),)),
        Step(Current(0.0), 600.0, cutoffs=(NEVER,)),
        Step(Current(-RATE), 300.0, cutoffs=(NEVER,)),
    )
    return simulate(CELL, Protocol(steps), START)


@pytest.fixture(scope="module")
def spectrum():
    return impedance(CELL, START, FREQUENCY)


def sides(run):
    own = states(CELL, run.x)
    return (CELL.negative, own.negative, -1), (CELL.positive, own.positive, 1)


def occupancy(electrode, inside):
    """Of all particles, each row."""
    (member,) = electrode.members
    mean = jax.vmap(member.inside.mean)(inside.filling[0])
    volume = member.volume / jnp.sum(member.volume)
    return np.asarray(jnp.einsum("rsd,s,d->r", mean, volume, electrode.shares))


def sites(electrode):
    """For lithium, as charge [C m-2]."""
    (member,) = electrode.members
    return FARADAY * float(member.carrier.sites * jnp.sum(member.volume))


def held(electrode, inside):
    """By the double layers [C m-2]."""
    return np.asarray(electrode.capacitance * inside.drop @ electrode.shares)


def test_the_charge_that_passed_is_the_lithium_that_moved(cycled):
    """To rounding over the whole of discharge, rest and charge, with what the double layers hold."""
    charge, together = np.asarray(cycled.charge), np.zeros(len(cycled.charge))
    for electrode, inside, sign in sides(cycled):
        taken = sites(electrode) * occupancy(electrode, inside) - held(electrode, inside)
        np.testing.assert_allclose(taken - taken[0], sign * charge, atol=1e-13 * sites(electrode))
        together = together + taken
    assert charge.max() > 1e4
    np.testing.assert_allclose(together, together[0], rtol=1e-13)


def test_losses_add_up_to_the_voltage_in_every_row(cycled):
    found, names = losses.history(CELL, cycled.x, cycled.temperature), losses.names(CELL)
    assert len(names) == found.losses.shape[1] == len(set(names)) == 14
    np.testing.assert_allclose(found.open_circuit + found.losses.sum(1), cycled.voltage, atol=1e-13)
    taken, current = dict(zip(names, found.losses.T, strict=True)), np.asarray(cycled.current)
    np.testing.assert_allclose(taken["separator"], -current * 1.5e-4, atol=1e-12)
    np.testing.assert_allclose(taken["series resistance"], -current * 1e-4, atol=1e-12)
    below, above = (
        np.asarray(electrode.members[0].open_circuit(jnp.asarray(occupancy(electrode, inside)), CELL.temperature))
        for electrode, inside, _ in sides(cycled)
    )
    np.testing.assert_allclose(found.open_circuit, above - below, atol=1e-12)
    assert losses.limiting(names, found.losses, np.asarray(cycled.charge))[1] < -0.01


def test_losses_of_a_passing_current_are_those_of_its_power(cycled):
    """In the middle of a discharge everything flows one way: what ions lose is the sum of R i^2."""
    row = int(np.argmin(abs(np.asarray(cycled.t) - 2000.0)))
    found = losses.history(CELL, cycled.x[row : row + 1], cycled.temperature[row : row + 1])
    taken = dict(zip(losses.names(CELL), found.losses[0], strict=True))
    own = unflatten(CELL, cycled.x[row])
    for electrode, inside, current in ((CELL.negative, own.negative, -RATE), (CELL.positive, own.positive, RATE)):
        by_electrons, by_ions = face_resistances(electrode, CELL.temperature)
        ions = ionic_current(electrode, inside.drop, jnp.asarray(current), CELL.temperature)
        for name, power in (("ions", by_ions * ions**2), ("electrons", by_electrons * (current - ions) ** 2)):
            assert taken[f"{electrode.name}, {name}"] * RATE == pytest.approx(-float(jnp.sum(power)), rel=1e-10)


def fitted(run, frequency, since, order):
    """Z of a sine in the current, by least squares with a polynomial for what drifts."""
    t = np.asarray(run.t)
    late, omega = t > since, 2 * np.pi * frequency
    columns = [np.cos(omega * t), np.sin(omega * t), *(t**n for n in range(order + 1))]
    waves = np.stack(columns, axis=1)[late]
    answers = [np.linalg.lstsq(waves, np.asarray(own)[late], rcond=None)[0] for own in (run.voltage, run.current)]
    voltage, current = (a[0] - 1j * a[1] for a in answers)
    return -voltage / current


def test_impedance_is_the_answer_to_a_small_sine():
    """At rest and at a frequency at which lithium diffuses in and out; the last of five periods."""
    frequency = 2e-3
    step = Step(Current(0.0), 5 / frequency, signal=sine(0.0, AMPLITUDE, frequency, np.pi / 2), cutoffs=(NEVER,))
    found = fitted(simulate(CELL, step, START, rtol=1e-7), frequency, 4 / frequency, 0)
    assert abs(found / complex(impedance(CELL, START, frequency).z[0]) - 1) < 1e-5


def test_impedance_under_current_is_the_answer_to_a_small_sine_on_top_of_it(cycled):
    """About the middle of a discharge, at a frequency of the double layers; the voltage falls meanwhile."""
    row = int(np.argmin(abs(np.asarray(cycled.t) - 2000.0)))
    about, frequency = unflatten(CELL, cycled.x[row]), 20.0
    step = Step(Current(RATE), 5 / frequency, signal=sine(RATE, AMPLITUDE, frequency), cutoffs=(NEVER,))
    found = fitted(simulate(CELL, step, about, rtol=1e-8), frequency, 1 / frequency, 2)
    exact = complex(impedance(CELL, about, frequency).z[0])
    assert abs(found / exact - 1) < 2e-5
    assert abs(complex(impedance(CELL, START, frequency).z[0]) / exact - 1) > 0.05  # it is not that at rest


def test_impedance_adds_up_and_obeys_kramers_and_kronig(spectrum):
    np.testing.assert_allclose(spectrum.shares.sum(0), spectrum.z, rtol=1e-12)
    np.testing.assert_allclose(spectrum.parts.sum(0), spectrum.z, rtol=1e-12)
    assert np.min(np.real(spectrum.shares)) > -1e-12
    verdict = kramers_kronig(Spectrum(FREQUENCY, np.asarray(spectrum.z)))
    assert verdict.consistent
    assert verdict.deviation < 2e-4  # of |Z|: what a chain of RC elements over ten points a decade leaves


def test_at_low_frequency_the_cell_is_the_capacity_of_its_open_circuit_curve():
    """-1 / (omega Im Z) is charge per open-circuit voltage, with the double layers in parallel."""
    elastance = 0.0
    for electrode in (CELL.negative, CELL.positive):
        (member,) = electrode.members
        slope = jax.grad(lambda theta, member=member: member.open_circuit(theta, CELL.temperature))(FILLED[member.name])
        elastance += 1 / (sites(electrode) / -float(slope) + float(electrode.capacitance))
    frequency = 1e-7  # against seconds to minutes of diffusion: (omega tau)^2 = 1e-8
    z = complex(impedance(CELL, START, frequency).z[0])
    assert -z.imag * 2 * np.pi * frequency == pytest.approx(elastance, rel=1e-7)


def test_at_high_frequency_only_what_conducts_is_left():
    """Double layers short-circuit the rest: in an electrode ions and electrons conduct side by side."""
    z = complex(impedance(CELL, START, 1e12).z[0])
    assert z == pytest.approx(1.5e-4 + 1e-4 + 2 * 60e-6 / (0.05 + 2.0), rel=1e-6)
