"""The time step on an equation with an exact solution, and tridiagonal systems against dense ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ionics.cells import rodas, tridiagonal

END = 2.0


def rows(t, y):
    """y' = cos(t) z / y^2 under z y = y^3: y = 2 + sin(t), z = y^2."""
    return jnp.stack([jnp.cos(t) * y[1] / y[0] ** 2, y[1] * y[0] - y[0] ** 3])


def exact(t):
    return jnp.stack([2 + jnp.sin(t), (2 + jnp.sin(t)) ** 2])


@jax.jit
def errors(h):
    """At the end of the last of many steps of length h, and of its dense output at a third of it."""
    mass = jnp.asarray([1.0, 0.0])

    def step(n, carry):
        y, _ = carry
        t = n * h
        matrix = jnp.diag(mass) / (h * rodas.GAMMA) - jax.jacfwd(lambda y: rows(t, y))(y)
        by_time = jax.jvp(lambda t: rows(t, y), (t,), (jnp.ones_like(t),))[1]

        def answer(t, y, more):
            return jnp.linalg.solve(matrix, rows(t, y) + more)

        taken = rodas.advance(answer, mass, t, y, h, by_time)
        inside = rodas.between(y, taken.y, rodas.bend(taken.stages), 1 / 3)
        return taken.y, inside - exact(t + h / 3)

    y, inside = jax.lax.fori_loop(0, jnp.round(END / h).astype(int), step, (exact(0.0), jnp.zeros(2)))
    return jnp.abs(y - exact(END)), jnp.abs(inside)


def test_the_time_step_is_of_order_five_and_its_dense_output_of_order_four():
    """Global errors over halved steps, of the differential and of the algebraic unknown."""
    found = np.array([jnp.stack(errors(END / n)) for n in (64, 128)])  # errors of 1e-9 and 1e-11: rounding is far
    at_end, inside = np.log2(found[0] / found[1])
    np.testing.assert_allclose(at_end, 5, atol=0.1)
    np.testing.assert_array_less(3.9, inside)  # where the end dominates, it is five


@jax.jit
def solved(lower, diagonal, upper, rhs):
    return tridiagonal.solve(tridiagonal.factorise(lower, diagonal, upper), rhs)


@pytest.mark.parametrize("n", [1, 5, 16])
def test_cyclic_reduction_solves_what_a_dense_solver_solves(n):
    """Many systems side by side, real and complex; diffusion and a time step: the diagonal dominates."""
    rng = np.random.default_rng(n)
    lower, upper = -rng.uniform(0, 1, (2, n, 2, 3))
    lower[0], upper[-1] = 0, 0
    for shift in (0.1, 0.5j):
        diagonal = -lower - upper + shift
        rhs = rng.normal(size=(n, 2, 3))
        found = solved(*(jnp.asarray(a + 0j) for a in (lower, diagonal, upper, rhs)))
        for side in np.ndindex(2, 3):
            at = (slice(None), *side)
            dense = np.diag(diagonal[at]) + np.diag(lower[at][1:], -1) + np.diag(upper[at][:-1], 1)
            answer = np.linalg.solve(dense, rhs[at])
            # condition below 4 / 0.1
            np.testing.assert_allclose(found[at], answer, atol=1e-14 * 40 * abs(answer).max())
