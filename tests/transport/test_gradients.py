"""Derivatives by every parameter of a stack against central differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ionics.kinetics.compact import Capacitance
from ionics.kinetics.rates import ButlerVolmer
from ionics.laws import Arrhenius, Constant
from ionics.transport.balance import Current, Voltage
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.stack import Carrier, Junction, Material, bulk_potential, neutral_charge, transfer
from ionics.transport.statistics import Lattice
from ionics.transport.steady import steady
from tests.cells import LITHIUM, T, lattice, stack, uniform

NODES, FREQUENCY = 13, 1e4


def cell():
    """Lithium | glass | glass | lithium, all laws of finite rate, nothing symmetric."""
    first = lattice(1e4, 0.4, 1e-13, name="first", hopping=True)
    law = Arrhenius(2e-13, 3e4, 298.15)
    second = (Carrier(LITHIUM, Lattice(), 2e4, 0.3, law, Constant(2e3)),)
    second = Material("second", second, 20.0, neutral_charge(second))
    levels = [float(bulk_potential(m.carriers[0], jnp.asarray(T))) for m in (first, second)]
    junctions = [
        Junction(
            "left", (transfer("Li+", ButlerVolmer(Constant(10.0), 0.4), levels[0] + 3e3),), Capacitance(0.1), 0.02
        ),
        Junction("middle", (transfer("Li+", ButlerVolmer(Constant(50.0), 0.6, True), 500.0),), Capacitance(0.2), 0.01),
        Junction("right", (transfer("Li+", ButlerVolmer(Constant(20.0), 0.5), -levels[1]),), Capacitance(0.15), 0.03),
    ]
    layers = [uniform(first, 2e-9, NODES, "first"), uniform(second, 3e-9, NODES, "second")]
    made = stack([LITHIUM], layers, junctions, series_resistance=1e-4)
    return eqx.tree_at(lambda s: s.junctions[1].surface_charge, made, jnp.asarray(0.01))


def answers(stack):
    """Voltage at rest [V], current [A m-2] under a voltage, voltage under a current, Z [Ohm m2] there."""
    rest = equilibrium(stack, throw=False)
    held = steady(stack, Voltage(0.1), rest, throw=False)
    passed = steady(stack, Current(5.0), rest, throw=False)
    z = impedance(stack, passed, jnp.asarray([FREQUENCY])).z[0]
    return jnp.stack([rest.state.voltage, held.state.current, passed.state.voltage, z.real, z.imag])


@pytest.fixture(scope="module")
def found():
    """The answers as a function of the factors that multiply the parameters, and their names and number."""
    parameters, rest = eqx.partition(cell(), eqx.is_inexact_array)
    values, back = ravel_pytree(parameters)
    names = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(parameters)
        for _ in range(leaf.size)
    ]
    moved = jnp.where(values == 0, 1.0, values)

    def ask(factors):
        return answers(eqx.combine(back(values + moved * factors), rest))

    return ask, jax.jit(ask), names


def test_derivatives_by_every_parameter_are_central_differences(found):
    """Romberg's table of three central differences says how well a difference knows its own value."""
    ask, quick, names = found
    zero = jnp.zeros(len(names))
    value = np.asarray(quick(zero))
    assert np.all(np.isfinite(value))
    assert np.all(np.abs(value) > 1e-6)
    exact = np.asarray(jax.jit(jax.jacfwd(ask))(zero)).T

    def difference(n, h):
        step = zero.at[n].set(h)
        return np.asarray(quick(step) - quick(-step)) / (2 * h)

    for n, name in enumerate(names):
        rough, fine, finest = (difference(n, h) for h in (4e-3, 2e-3, 1e-3))
        once = [(4 * b - a) / 3 for a, b in ((rough, fine), (fine, finest))]
        expected = (16 * once[1] - once[0]) / 15
        unsure = np.abs(expected - once[1])  # what is left of the step
        rounding = 1e-9 * np.abs(value)  # of an answer, over the step
        missed = np.abs(exact[n] - expected)
        assert np.all(missed <= 1e-6 * np.abs(expected) + unsure + rounding), (name, exact[n], expected, unsure)
        assert np.all(unsure <= 1e-5 * np.abs(exact).max(axis=0)), (name, unsure)


@pytest.mark.slow
def test_reverse_is_forward(found):
    ask, _, names = found
    zero = jnp.zeros(len(names))
    forward = jax.jit(jax.jacfwd(ask))(zero)
    backward = jax.jit(jax.jacrev(ask))(zero)
    scale = np.abs(forward).max(axis=1, keepdims=True)
    np.testing.assert_allclose(backward / scale, forward / scale, atol=1e-9)
