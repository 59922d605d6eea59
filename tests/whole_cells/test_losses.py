"""Who eats the voltage, in states that no run would visit: electrodes of several members, currents in circles."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.cells import losses
from ionics.cells.balance import at_rest, flatten, rows, unflatten
from ionics.cells.cell import Metal
from ionics.cells.inward import Modes
from ionics.transport.balance import Current
from tests.whole_cells.build import T, composite, composite_electrode, surface


def blended():
    """The negative electrode of two materials and a metal, each with a surface of its own."""
    cell = composite()
    other = composite_electrode("other", Modes, 1, 4, shift=3.4).members[0]
    members = (*cell.negative.members, other, Metal("metal", surface(1.0)))
    return eqx.tree_at(lambda c: c.negative.members, cell, members)


def test_losses_add_up_in_any_state_of_any_electrode():
    """Out of balance everywhere, with current, without, and with a hundredth of what flows in circles."""
    cell, rng = blended(), np.random.default_rng(3)
    rest = flatten(at_rest(cell, {"anode": 0.7, "other": 0.5, "cathode": 0.3}))
    x = []
    for current in (10.0, 0.0, 0.1, -3.0):
        own = (rest + 1e-3 * rng.normal(size=rest.shape)).at[-2].set(current)
        missing = rows(cell, unflatten(cell, own), Current(current)).current
        x.append(own.at[-1].add(-missing))  # the sum of voltages holds, nothing else does
    found = losses.history(cell, jnp.stack(x), np.full(4, T))
    names = losses.names(cell)
    np.testing.assert_allclose(found.open_circuit + found.losses.sum(1), [float(own[-1]) for own in x], atol=1e-12)
    assert np.all(np.abs(found.losses) < 10)  # nothing is divided by a current that has stopped
    assert np.all(found.losses[1, [names.index(name) for name in ("separator", "series resistance")]] == 0)


def test_the_open_circuit_of_a_blend_is_weighted_with_capacities():
    """And a metal beside particles does not count; what the members differ by is unevenness."""
    cell = blended()
    rest = at_rest(cell, {"anode": 0.7, "other": 0.5, "cathode": 0.3})
    found = losses.history(cell, flatten(rest)[None], np.array([T]))
    first, second = cell.negative.members[:2]
    volumes = [float(jnp.sum(one.volume)) for one in (first, second)]
    levels = [float(one.open_circuit(jnp.asarray(x), T)) for one, x in ((first, 0.7), (second, 0.5))]
    below = np.average(levels, weights=volumes)  # the sites are alike
    above = float(cell.positive.members[0].open_circuit(jnp.asarray(0.3), T))
    assert found.open_circuit[0] == pytest.approx(above - below, abs=1e-12)
    taken = dict(zip(losses.names(cell), found.losses[0], strict=True))
    assert taken["anode, diffusion"] == pytest.approx(0, abs=1e-12)
    areas = [float(jnp.sum(one.area)) for one in cell.negative.members]
    by_area = np.average([*levels, 0.0], weights=areas)  # nothing flows
    assert taken["anode, unevenness"] == pytest.approx(below - by_area, abs=1e-12)


def test_averages_weigh_with_the_charge_and_forgive_its_direction():
    charge = np.array([0.0, 1.0, 3.0, 3.0, 1.0])  # two units back after rest
    taken = np.array([[-1.0, 0.0], [-1.0, 0.0], [-1.0, 0.3], [1.0, 0.3], [1.0, 0.3]])
    np.testing.assert_allclose(losses.averages(taken, charge), [-1.0, (0.15 * 2 - 0.3 * 2) / 5])
    assert losses.limiting(("a", "b"), taken, charge) == ("a", -1.0)
