"""Impedance spectra at rest as arrays, and by how much a cell misses them; padding has weight zero."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ionics.cells import linear
from ionics.cells.balance import unflatten
from ionics.cells.cell import Cell
from ionics.cells.impedance import answering_at
from ionics.fitting.cells.states import Specimen, resting
from ionics.transport.balance import Current


class Spectra(eqx.Module):
    """Spectra side by side."""

    frequency: Float[Array, "run point"]  # Hz
    impedance: Complex[Array, "run point"]  # Ohm m2
    weight: Float[Array, "run point"]  # Ohm-1 m-2
    drawn: Float[Array, " run"]  # C m-2
    temperature: Float[Array, " run"]  # K

    def answer(self, specimen: Specimen) -> Complex[Array, "run point"]:
        """Impedance [Ohm m2]."""

        def one(frequency, drawn, temperature):
            cell, x = resting(specimen, drawn, temperature)
            return at_terminals(cell, x, frequency)

        return jax.vmap(one)(self.frequency, self.drawn, self.temperature)

    def misfit(self, specimen: Specimen) -> Float[Array, " residual"]:
        """Real and imaginary parts of every spectrum."""
        missed = (self.answer(specimen) - self.impedance) * self.weight
        return jnp.stack([missed.real, missed.imag], axis=1).ravel()


def at_terminals(
    cell: Cell, x: Float[Array, " unknown"], frequency: Float[Array, " point"]
) -> Complex[Array, " point"]:
    """-dV/dI about a state at rest [Ohm m2], without the shares that `ionics.cells.impedance` adds."""
    state = unflatten(cell, x)
    slopes = linear.linearise(cell, state, Current(0.0))
    kick = jax.tree.map(lambda a: jnp.zeros(a.shape, complex), state)
    kick = eqx.tree_at(lambda rows: rows.voltage, kick, -1.0 + 0j)

    def one(frequency):
        rate = 2j * jnp.pi * frequency
        answering = answering_at(cell, rate)
        return -linear.solve(answering, linear.factorise(answering, slopes, rate), kick).voltage

    return jax.vmap(one)(frequency)
