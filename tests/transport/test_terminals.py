"""The impedance for fits: that of the whole analysis, and its derivatives by the way of the transposed system."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.kinetics.compact import Capacitance, ConstantPhase
from ionics.kinetics.rates import Linear
from ionics.laws import Constant
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import impedance
from ionics.transport.stack import Junction, Unit, reservoir, transfer
from ionics.transport.terminals import terminal_impedance
from tests.cells import LITHIUM, T, lattice, layer, stack

FREQUENCY = jnp.geomspace(1e1, 1e9, 9)
GRAIN = lattice(30000.0, 0.4, 1e-12, eps=15.0, name="grain")
FILM = lattice(30000.0, 0.4, 1e-13, eps=30.0, name="film", mu0=4000.0)


def boundary():
    return Junction("gb", (transfer("Li+", Linear(Constant(1e-6))),), Capacitance(0.05))


def blocked():
    ends = [Junction(side, (), ConstantPhase(0.02, 0.85)) for side in ("l", "r")]
    layers = [layer(GRAIN, 0.2e-6, nodes, f"grain {nodes}") for nodes in (41, 31)]
    return stack([LITHIUM], layers, [ends[0], boundary(), ends[1]], units=(Unit(0, 1, 100.0),))


def charged():
    """Layers of different length whose space charges meet at a boundary."""
    layers = [layer(GRAIN, 0.2e-6, 41, "grain"), layer(FILM, 0.1e-6, 31, "film")]
    ends = [Junction(side, reservoir(m, side, T)) for side, m in (("left", GRAIN), ("right", FILM))]
    return stack([LITHIUM], layers, [ends[0], boundary(), ends[1]])


def changed(made, by):
    """Diffusivity of the first layer, permittivity of the second, resistance and capacitance of the boundary."""

    def where(s):
        return (
            s.layers[0].material.carriers[0].diffusivity.value,
            s.layers[1].material.permittivity,
            s.junctions[1].reactions[0].law.resistance.value,
            s.junctions[1].compact.capacitance,
        )

    return eqx.tree_at(where, made, tuple(leaf * jnp.exp(b) for leaf, b in zip(where(made), by, strict=True)))


@pytest.mark.parametrize("made", [blocked, charged])
def test_values_and_derivatives_are_those_of_the_whole_analysis(made):
    cell = made()

    def quick(by):
        one = changed(cell, by)
        return terminal_impedance(one, equilibrium(one, throw=False).state, FREQUENCY)

    def whole(by):
        one = changed(cell, by)
        return impedance(one, equilibrium(one, throw=False), FREQUENCY).z

    at = jnp.zeros(4)
    z, slope = jax.jit(quick)(at), jax.jit(jax.jacfwd(quick))(at)
    np.testing.assert_allclose(z, jax.jit(whole)(at), rtol=1e-7)
    exact = jax.jit(jax.jacfwd(whole))(at)
    assert np.all(np.abs(slope - exact) < 1e-6 * np.abs(exact).max(axis=0) + 1e-9 * np.abs(z)[:, None])


def test_what_leaks_by_rounding_does_not_reach_a_blocked_stack():
    """At low frequency Z is that of the electrodes, 1e5 times what the grains add, which stays the same."""
    cell = blocked()

    def slope(frequency):
        def of(by):
            one = changed(cell, (by, 0.0, 0.0, 0.0))
            return terminal_impedance(one, equilibrium(one, throw=False).state, frequency)

        return jax.jit(lambda x: jax.jvp(of, (x,), (1.0,))[1])(0.0)

    found = np.asarray(slope(jnp.asarray([1e-3, 1e-1, 1e1])))
    np.testing.assert_allclose(found.real, found[-1].real, rtol=1e-3)
