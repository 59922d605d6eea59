"""The impedance between the terminals alone, for fits: its derivatives cost hardly more than itself.

Z = -e x with A x = k, A = J + i omega M: along any change of the stack dZ = y dA x, where A^T y = e. One more
substitution with the factors at hand serves all parameters, and dA is real and the same at every frequency.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ionics.transport.balance import State
from ionics.transport.batches import in_turns as few_at_once
from ionics.transport.equilibrium import equilibrium
from ionics.transport.impedance import CACHED, TOGETHER, unit_alone
from ionics.transport.linear import Tridiagonal, arranged, backward, coloured, of_transposed
from ionics.transport.stack import Stack
from ionics.transport.tangent import Tangent, Waves, in_turns

ROUNDING = 1e-12  # of what a sum is made of


def terminal_impedance(
    stack: Stack, rest: State, frequency: Float[Array, " frequency"]
) -> Complex[Array, " frequency"]:
    """Z [Ohm m2] at frequencies [Hz] about equilibrium: `impedance(...).z` without the shares of the elements.

    For first derivatives by the stack and its state, which are those of the assembled matrices.
    """
    z = _alone(stack, rest, frequency) + stack.series_resistance
    for unit in stack.units:
        alone = unit_alone(stack, unit)
        z = z + (unit.count - 1) * _alone(alone, equilibrium(alone, throw=False).state, frequency)
    return z


def _waves(stack: Stack, state: State, frequency) -> tuple[Complex[Array, " frequency"], Waves, Waves]:
    """Z, the change x of every unknown per unit current, and y."""
    tangent = Tangent(stack, state)
    layout = tangent.layout

    def answer(frequency):
        factors = tangent.factors(frequency)
        change = tangent.response(factors, frequency)
        end = jnp.zeros((*tangent.x.shape, frequency.shape[0]), complex).at[-1, -1].set(1.0)
        dual = backward(of_transposed(factors, layout), arranged(end[:, :, None], layout), layout)[:, :, 0]
        return -change[-1, -1], change, dual

    return in_turns(answer, layout, frequency, CACHED)


_each = few_at_once(_waves, TOGETHER)


@eqx.filter_custom_jvp
def _alone(stack: Stack, state: State, frequency):
    return _each(stack, state, frequency)[0]


@_alone.def_jvp
def _(primals, tangents):
    stack, state, frequency = primals
    z, x, y = _each(stack, state, frequency)
    made, changes = eqx.filter_jvp(lambda *about: _matrices(*about, frequency), (stack, state), tangents[:2])
    still, moving, dispersion = eqx.combine(changes, jax.tree.map(jnp.zeros_like, made))
    junctions = jnp.asarray(Tangent(stack, state).layout.junction)
    pairs = _pairs(x, y)
    of_rest, of_storage = _weighed((still, moving), pairs)
    slope = of_rest + 2j * jnp.pi * frequency * of_storage
    return z, slope + jnp.sum(y[junctions, -1] * dispersion * x[junctions, -1], axis=0)


def _matrices(stack: Stack, state: State, frequency) -> tuple[Tridiagonal, Tridiagonal, Array]:
    """J and M, and what depends on the frequency in another way, on the last diagonal entries of the junctions."""
    tangent = Tangent(stack, state)
    still, moving = coloured(tangent.rows, *tangent.x.shape)
    return still, moving, tangent.dispersion(frequency)


def _pairs(x: Waves, y: Waves) -> Float[Array, "entry wave"]:
    """x of a column times y of the row above less that of the column's own row, times the same of the row below, and
    times y of the own row; real, then imaginary parts."""
    nothing = jnp.zeros_like(y[:1])
    steps = jnp.concatenate([nothing, y[:-1]]) - y, jnp.concatenate([y[1:], nothing]) - y, y
    products = jnp.stack([one[:, :, None] * x[:, None] for one in steps])
    return jnp.concatenate([products.real, products.imag], axis=-1).reshape(-1, 2 * x.shape[-1])


def _weighed(changes: tuple[Tridiagonal, ...], pairs: Float[Array, "entry wave"]) -> Complex[Array, "change frequency"]:
    """y dA x of every change. What leaves a cell enters the next, so that the columns of dA add up to nothing but for
    rounding, which a blocked stack at low frequency would show a thousandfold: sums that are rounding are zero here."""
    entries = jnp.stack([_by_column(change) for change in changes])
    return jax.lax.complex(*jnp.split(entries.reshape(len(changes), -1) @ pairs, 2, axis=1))


def _by_column(change: Tridiagonal) -> Float[Array, "3 block row column"]:
    """The entries above and below, and the sum of all three."""
    lower, diagonal, upper = (part[..., 0] for part in change)
    nothing = jnp.zeros_like(diagonal[:1])
    above, below = jnp.concatenate([nothing, upper[:-1]]), jnp.concatenate([lower[1:], nothing])
    total, size = above + diagonal + below, jnp.abs(above) + jnp.abs(diagonal) + jnp.abs(below)
    return jnp.stack([above, below, jnp.where(jnp.abs(total) > ROUNDING * size, total, 0.0)])
