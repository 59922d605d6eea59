"""Small-signal impedance of a cell: the exact linearisation of its balance about a state, all frequencies at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from ionics.cells import linear
from ionics.cells.balance import State
from ionics.cells.cell import Cell, Electrode
from ionics.cells.passage import Passage, elements, kept, passage, pieces, split
from ionics.kinetics.compact import Capacitance, CompactLayer, ConstantPhase
from ionics.transport.balance import Current

Frequencies = Float[Array, " frequency"] | Float[np.ndarray, " frequency"] | Sequence[float] | float  # Hz
TOGETHER = 32  # frequencies at most at once: their factors stay in a processor's cache


class Impedance(eqx.Module):
    """Impedance of a cell, the share of each electrode and conductor in it, and of what an electrode consists of."""

    frequency: Float[Array, " frequency"]  # Hz
    z: Complex[Array, " frequency"]  # Ohm m2, with the series resistance
    parts: Complex[Array, "element frequency"]  # Ohm m2, summing to z
    shares: Complex[Array, "piece frequency"]  # Ohm m2, the same with electrodes cut into pieces
    elements: tuple[str, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)  # of the shares

    def pieces(self) -> tuple[tuple[str, ...], Complex[Array, "piece frequency"]]:
        """Names and shares with every electrode cut into its pieces: "cathode, ions". They sum to z."""
        return self.names, self.shares


def impedance(cell: Cell, about: State, frequency: Frequencies) -> Impedance:
    """Z = -dV/dI [Ohm m2] at frequencies above zero [Hz] about any state, at rest or under current.

    A state under current moves on: the answer is that of the cell as it stands, which a measurement finds at
    frequencies that are fast against its discharge. Shares are those of the complex power, by Tellegen's theorem (see
    `passage`): the current of each face and of each surface times the drop there. They add up to Z, and the real part
    of each is what it dissipates. Double layers belong to the charge transfer. The open-circuit potential of the
    surfaces is the share of diffusion: at low frequency it ends in the capacity of the particles.
    """
    return _impedance(cell, about, jnp.atleast_1d(jnp.asarray(frequency, float)))


@eqx.filter_jit
def _impedance(cell: Cell, about: State, frequency) -> Impedance:
    slopes = linear.linearise(cell, about, Current(about.current))
    kick = jax.tree.map(lambda a: jnp.zeros(a.shape, complex), about)
    kick = eqx.tree_at(lambda rows: rows.voltage, kick, -1.0 + 0j)  # of the drive: one more A m-2
    sides = ((cell.negative, about.negative, -1.0), (cell.positive, about.positive, 1.0))
    tangents = [
        _tangent(electrode, inside, sign * about.current, cell.temperature) for electrode, inside, sign in sides
    ]

    def at(frequency):
        rate = 2j * jnp.pi * frequency
        answering = answering_at(cell, rate)
        change = linear.solve(answering, linear.factorise(answering, slopes, rate), kick)
        changes = (change.negative, change.positive)
        powers = [
            _powers(electrode, tangent(own, sign * change.current), sign)
            for (electrode, _, sign), tangent, own in zip(sides, tangents, changes, strict=True)
        ]
        return -change.voltage, *powers

    z, negative, positive = _in_turns(at, frequency)
    resistances = [*(one.resistance(cell.temperature) for one in cell.between), cell.series_resistance]
    *between, series = (jnp.full_like(z, one)[None] for one in resistances)
    negative, positive = negative.T, positive.T
    shares = jnp.concatenate([negative, *between, positive, series])
    parts = jnp.concatenate([negative.sum(0)[None], *between, positive.sum(0)[None], series])
    return Impedance(frequency, z, parts, shares, elements(cell), elements(cell, pieces))


def _in_turns(answer: Callable, frequency: Float[Array, " frequency"]):
    """answer(one frequency) for all, some at once; the frequency is the first axis of every array."""
    count = len(frequency)
    turns = -(-count // TOGETHER)
    found = jax.lax.map(jax.vmap(answer), jnp.resize(frequency, (turns, -(-count // turns))))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:count], found)


def answering_at(cell: Cell, rate: Inexact[Array, ""]) -> Cell:
    """The cell as it answers exp(rate t): an element of constant phase is a capacitance Q rate^(n-1) to it."""

    def own(layer):
        if not isinstance(layer, ConstantPhase):
            return layer
        return eqx.tree_at(lambda one: one.capacitance, Capacitance(0.0), layer.q * rate ** (layer.n - 1))

    return jax.tree.map(own, cell, is_leaf=lambda node: isinstance(node, CompactLayer))


def _tangent(electrode: Electrode, inside, current, temperature) -> Callable[..., Passage]:
    """What passes along a complex change of an electrode and of its current."""
    _, slope = jax.linearize(lambda *at: passage(electrode, *at, temperature), inside, current)

    def along(*change):
        real, imaginary = (slope(*jax.tree.map(part, change)) for part in (jnp.real, jnp.imag))
        return jax.tree.map(lambda a, b: a + 1j * b, real, imaginary)

    return along


def _powers(electrode: Electrode, change: Passage, sign: float) -> Complex[Array, " piece"]:
    """What each piece of an electrode dissipates and stores, for a change with a current of `sign` [Ohm m2]."""
    weights = tuple(sign * jnp.conj(own) for own in change.through)
    taken = split(change, weights, sign * jnp.conj(change.charging))
    return -sign * jnp.stack(kept(electrode, taken))
