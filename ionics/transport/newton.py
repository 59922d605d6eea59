"""Damped Newton for a stack's balance bordered by a few global conditions."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ionics.transport.balance import State
from ionics.transport.linear import Layout, coloured, factorise, pivoted_inverse, substitute, with_identity

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

    `parameters` is a pytree; the result is differentiable by it. Steps are shortened so that no u and no F phi/RT
    moves by more than LONGEST.
    """
    nodes = jnp.asarray(layout.of_nodes())[:, None]
    scale = jnp.where(nodes, jnp.where(jnp.arange(layout.width) == layout.width - 1, 1 / thermal, 1.0), 0.0)

    def both(given, x, p):
        state = layout.unflatten(x)
        return layout.flatten(residual(given, state, p)), conditions(given, state, p)

    def unfinished(carry):
        _, _, count, size, before = carry
        stagnated = (size < 1e-6) & (size > 0.5 * before)
        return (count < STEPS) & (size > TOLERANCE) & ~stagnated & ~jnp.isnan(size)

    # The iteration is taken as it is; its derivative is the implicit one, compiled only where it is asked for.
    @eqx.filter_custom_jvp
    def root(given, scale, x, p):
        def body(carry):
            x, p, count, before, _ = carry
            values, along = jax.linearize(lambda x, p: both(given, x, p), x, p)
            dx, dp = _correction(along, p, layout, *values)
            size = jnp.max(jnp.abs(dx * scale))
            step = jnp.minimum(1.0, LONGEST / size)
            step = jnp.where(jnp.isfinite(size), step, jnp.nan)
            return x + step * dx, p + step * dp, count + 1, size, before

        endless = jnp.asarray(jnp.inf)
        return jax.lax.while_loop(unfinished, body, (x, p, jnp.zeros((), int), endless, endless))[:4]

    @root.def_jvp
    def _(primals, tangents):
        given, (x, p, count, size) = primals[0], root(*primals)
        values, along = jax.linearize(lambda x, p: both(given, x, p), x, p)
        _, changes = eqx.filter_jvp(lambda given: both(given, x, p), (given,), tangents[:1])
        changes = tuple(jnp.zeros_like(v) if t is None else t for v, t in zip(values, changes, strict=True))
        _, moved = jax.jvp(lambda r, g: _correction(along, p, layout, r, g), values, changes)
        return (x, p, count, size), (*moved, None, None)

    x, p, count, size = root(parameters, scale, layout.flatten(start), constants)
    finite = jnp.all(jnp.isfinite(x)) & jnp.isfinite(size)
    result = jnp.where(finite, jnp.where(size < 1e-6, OK, STALLED), NOT_FINITE)
    return layout.unflatten(x), p, result, count, size


def _correction(along, p, layout, r, g):
    """Newton's correction of the state and of the constants that border it. Linear in r and g."""
    still, unit = jnp.zeros_like(r), jnp.eye(p.size)
    (matrix,) = coloured(lambda dx: along(dx, jnp.zeros_like(p))[:1], *r.shape)
    factors = factorise(with_identity(matrix, layout.padding()), layout)
    columns, _ = jax.vmap(lambda dp: along(still, dp), out_axes=(-1, -1))(unit)
    both = substitute(factors, jnp.concatenate([r[:, :, None], columns], axis=2)[..., None], layout)[..., 0]
    particular, answers = both[:, :, 0], both[:, :, 1:]
    if p.size == 0:
        return -particular, p
    schur = jax.vmap(lambda k: along(-answers[:, :, k], unit[k])[1], out_axes=1)(jnp.arange(p.size))
    missed = along(particular, jnp.zeros_like(p))[1] - g
    dp = pivoted_inverse(schur[..., None])[..., 0] @ missed
    return -particular - answers @ dp, dp
