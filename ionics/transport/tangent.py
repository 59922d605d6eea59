"""The balance linearised about a state, and its periodic solutions: (J + i omega M) x = right-hand side."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ionics.transport.balance import Current, Flows, State, flows, outflow, storage
from ionics.transport.linear import Factors, Layout, arranged, backward, coloured, factorise, substitute, with_identity
from ionics.transport.stack import Stack

Blocks = Float[Array, "block row"]
Waves = Complex[Array, "block row frequency"]  # amplitudes of every unknown, or of the rows of its balance


class Tangent:
    """A stack under current control, linearised about a state. All frequencies [Hz] at once, on the last axis."""

    def __init__(self, stack: Stack, state: State):
        self.stack, self.layout = stack, Layout(stack)
        self.x = self.layout.flatten(state)
        (_, _, self.flowing), self.along = jax.linearize(self.balance, self.x)

    def balance(self, x: Blocks) -> tuple[Blocks, Blocks, Flows]:
        """Outflow, storage and what flows. One linearisation serves the matrix, the refinement and the shares."""
        state = self.layout.unflatten(x)
        flowing = flows(self.stack, state)
        leaving = outflow(self.stack, state, Current(0.0), flowing)
        return self.layout.flatten(leaving), self.layout.flatten(storage(self.stack, state, flowing)), flowing

    def rows(self, dx: Blocks) -> tuple[Blocks, Blocks]:
        """Change of outflow and storage along a change of the unknowns."""
        return self.along(dx)[:2]

    def factors(self, frequency: Float[Array, " frequency"]) -> Factors:
        """The eliminated matrices. They carry no derivative by the parameters: `solve` brings it in."""
        still, moving = coloured(self.rows, *self.x.shape)
        still = with_identity(still, self.layout.padding())
        fixed = jax.lax.stop_gradient((still, moving, self.dispersion(frequency)))
        return factorise(fixed[0], self.layout, fixed[1], jax.lax.stop_gradient(2j * jnp.pi * frequency), fixed[2])

    def solve(self, factors: Factors, frequency: Float[Array, " frequency"], right: Waves) -> Waves:
        """x with (J + i omega M) x = right."""
        return self._refined(factors, frequency, right, substitute(factors, right[:, :, None], self.layout)[:, :, 0])

    def response(self, factors: Factors, frequency: Float[Array, " frequency"]) -> Waves:
        """Change of every unknown per unit current through the cell."""
        kick = jnp.zeros((*self.x.shape, frequency.shape[0]), complex).at[self.layout.metal, 0].set(1.0)
        first = backward(factors, arranged(kick[:, :, None], self.layout), self.layout)[:, :, 0]
        return self._refined(factors, frequency, kick, first)

    def _refined(self, factors, frequency, right, answer):
        # The solve is taken as given. One refinement with the balance itself makes the answer differentiable, and as
        # exact as the fluxes: they enter neighbouring cells with opposite signs, so nothing leaks, while the rounding
        # of the assembled matrix does (1e-7 of Z on fine meshes at low frequency).
        residual = self.apply(frequency, answer) - right
        return answer - substitute(factors, residual[:, :, None], self.layout)[:, :, 0]

    def apply(self, frequency: Float[Array, " frequency"], change: Waves) -> Waves:
        """(J + i omega M) x, from the balance itself."""
        leaving, stored = along_waves(self.rows, change)
        junctions = jnp.asarray(self.layout.junction)
        rows = leaving + 2j * jnp.pi * frequency * stored
        return rows.at[junctions, -1].add(self.dispersion(frequency) * change[junctions, -1])

    def dispersion(self, frequency) -> Complex[Array, "junction frequency"]:
        """What compact layers of constant phase add to the last diagonal entry of each junction."""
        omega = 2 * jnp.pi * frequency
        return jnp.stack([-junction.compact.dispersion(omega) for junction in self.stack.junctions])


def along_waves(derivative: Callable, change: Complex[Array, "*shape frequency"]):
    """A real linear map along complex changes, batch last."""
    real_and_imaginary = jnp.concatenate([change.real, change.imag], axis=-1)
    slopes = jax.vmap(derivative, in_axes=-1, out_axes=-1)(real_and_imaginary)
    half = change.shape[-1]
    return jax.tree.map(lambda a: a[..., :half] + 1j * a[..., half:], slopes)


def in_turns(answer: Callable, layout: Layout, frequency: Float[Array, " frequency"], cached: int):
    """answer(frequency), in as many turns as keep a turn's matrices below `cached` complex numbers.

    answer: frequencies -> any pytree with the frequency as the last axis of every array.
    """
    count = frequency.shape[0]
    turns = -(-count * layout.blocks * layout.width**2 // cached)
    if turns <= 1:
        return answer(frequency)
    each = -(-count // turns)
    found = jax.lax.map(answer, jnp.resize(frequency, (turns, each)))
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, -2).reshape(*a.shape[1:-1], -1)[..., :count], found)
