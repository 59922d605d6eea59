"""The balance of a cell linearised part by part against its own dense Jacobian."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.cells import linear
from ionics.cells.balance import at_rest, flatten, mass, rows, unflatten
from ionics.transport.balance import Current, Load, Power, Voltage
from tests.whole_cells.build import composite, thin_film, with_voids

CELLS = {
    "composite": (composite(), {"anode": 0.8, "cathode": 0.3}),
    "film": (with_voids(thin_film(5), 1e4, 1e3), {"film": 0.4, "lithium": 0.1}),
}


@eqx.filter_jit
def dense(cell, x, drive):
    slopes = jax.jacfwd(lambda x: flatten(rows(cell, unflatten(cell, x), drive)))(x)
    return slopes, flatten(mass(cell, unflatten(cell, x)))


@eqx.filter_jit
def solved(cell, x, drive, rate, rhs):
    factors = linear.factorise(cell, linear.linearise(cell, unflatten(cell, x), drive), rate)
    return flatten(linear.solve(cell, factors, unflatten(cell, rhs)))


@pytest.mark.parametrize("name", CELLS)
def test_eliminating_part_by_part_solves_the_dense_system(name):
    """About a state that is out of balance everywhere, for every control, at rates of steps and of waves."""
    cell, filled = CELLS[name]
    rng = np.random.default_rng(1)
    x = flatten(at_rest(cell, filled))
    x = x + 1e-3 * rng.normal(size=x.shape)
    x = x.at[-2].set(10.0)
    rhs = jnp.asarray(rng.normal(size=x.shape))
    for drive in (Current(10.0), Voltage(3.0), Power(30.0), Load(0.1)):
        slopes, weights = map(np.asarray, dense(cell, x, drive.terminal()))
        for rate in (0.3, 1e6, 2j):
            matrix = np.diag(weights) * rate - slopes
            given = np.asarray(rhs) + 0j
            found = solved(cell, x, drive.terminal(), jnp.asarray(rate + 0j), jnp.asarray(given))
            # backward error: rounding of every row by the terms it sums
            left = np.abs(matrix @ np.asarray(found) - given)
            assert np.max(left / (np.abs(matrix) @ np.abs(np.asarray(found)) + np.abs(given))) < 1e-11
