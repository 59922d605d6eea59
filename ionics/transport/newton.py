"""Damped Newton for a stack's balance bordered by a few global conditions."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ionics.transport.balance import State
from ionics.transport.linear import Layout, jacobian, solve, with_identity

OK, STALLED, NOT_FINITE, NO_STEADY_STATE = 0, 1, 2, 3
MESSAGES = {
    OK: "converged",
    STALLED: "Newton's method did not converge: the last correction was still above the tolerance",
    NOT_FINITE: "the iteration left the finite numbers: a condition of the problem is singular or contradictory",
    NO_STEADY_STATE: "there is no steady state: a carrier accumulates because it cannot leave where it arrives",
}

TOLERANCE = 1e-9  # of the last correction, in units of RT
LONGEST = 4.0  # longest step of any u or F phi / RT
STEPS = 400


class Solution(eqx.Module):
    """A state, and whether to believe it."""

    state: State
    result: Int[Array, ""]  # 0: converged; words in `message`
    steps: Int[Array, ""]
    correction: Float[Array, ""]  # the last one, in units of RT
    pinned: tuple[str, ...] = eqx.field(static=True, default=())

    def message(self) -> str:
        """The result in words."""
        return MESSAGES[int(self.result)]


def newton(
    residual: Callable,
    conditions: Callable,
    layout: Layout,
    thermal: Float[Array, ""],
    start: State,
    constants: Float[Array, " constant"],
    parameters,
) -> tuple[State, Float[Array, " constant"], Int[Array, ""], Int[Array, ""], Float[Array, ""]]:
    """Solve residual(parameters, state, p) = 0 and conditions(parameters, state, p) = 0 for the state and p.

    `parameters` is a pytree; the result is differentiable by it (one exact step at the solution carries the implicit
    derivative). Steps are shortened so that no u and no F phi/RT moves by more than LONGEST.
    """
    padding = layout.padding()
    values, shape = eqx.partition(parameters, eqx.is_inexact_array)
    fixed = eqx.combine(jax.lax.stop_gradient(values), shape)
    scale = jnp.where(jnp.arange(layout.width) == layout.width - 1, 1 / thermal, 1.0)
    nodes = jnp.asarray(layout._node_index)

    def rows(given, x, p):
        return layout.flatten(residual(given, layout.unflatten(x), p))

    def extra(given, x, p):
        return conditions(given, layout.unflatten(x), p)

    def correction(x, p):
        return _bordered(rows, extra, fixed, x, p, layout, padding, rows(fixed, x, p), extra(fixed, x, p))

    def body(carry):
        x, p, count, _, _ = carry
        dx, dp = correction(x, p)
        size = jnp.max(jnp.abs(dx[nodes] * scale))
        step = jnp.minimum(1.0, LONGEST / size)
        step = jnp.where(jnp.isfinite(size), step, jnp.nan)
        return x + step * dx, p + step * dp, count + 1, size, carry[3]

    def unfinished(carry):
        _, _, count, size, before = carry
        stagnated = (size < 1e-6) & (size > 0.5 * before)
        return (count < STEPS) & (size > TOLERANCE) & ~stagnated & ~jnp.isnan(size)

    x0 = jax.lax.stop_gradient(layout.flatten(start))
    p0 = jax.lax.stop_gradient(constants)
    x, p, count, size, _ = jax.lax.while_loop(
        unfinished, body, (x0, p0, jnp.zeros((), int), jnp.asarray(jnp.inf), jnp.asarray(jnp.inf))
    )
    x, p = jax.lax.stop_gradient((x, p))
    # One more step with live parameters: changes the value by less than the tolerance, carries the derivative.
    r, g = rows(parameters, x, p), extra(parameters, x, p)
    dx, dp = _bordered(rows, extra, fixed, x, p, layout, padding, r, g)
    finite = jnp.all(jnp.isfinite(dx)) & jnp.isfinite(size)
    result = jnp.where(finite, jnp.where(size < 1e-6, OK, STALLED), NOT_FINITE)
    return layout.unflatten(x + dx), p + dp, result, count, size


def _bordered(rows, extra, given, x, p, layout, padding, r, g):
    """Newton's correction of the state and of the constants that border it. Linear in r and g."""
    matrix = with_identity(jacobian(lambda x: rows(given, x, p), x), padding)
    matrix = jax.lax.stop_gradient(matrix)
    if p.size == 0:
        return -_solve(matrix, r[:, :, None], layout)[:, :, 0], p
    columns = jax.lax.stop_gradient(jax.jacfwd(lambda p: rows(given, x, p))(p))
    _, along = jax.linearize(lambda x, p: extra(given, x, p), x, p)
    both = _solve(matrix, jnp.concatenate([r[:, :, None], columns], axis=2), layout)
    particular, answers = both[:, :, 0], both[:, :, 1:]
    unit = jnp.eye(p.size)
    schur = jax.vmap(lambda k: along(-answers[:, :, k], unit[k]), out_axes=1)(jnp.arange(p.size))
    dp = jnp.linalg.solve(schur, along(particular, jnp.zeros_like(p)) - g)
    return -particular - answers @ dp, dp


def _solve(matrix, rhs, layout):
    """Linear in rhs for differentiation; the matrix is taken as given."""
    return solve(matrix, rhs[..., None], layout)[..., 0]
