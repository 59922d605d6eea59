"""A cell with what it contains, and the same at rest after a charge has been drawn from it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.cells.balance import at_rest, flatten
from ionics.cells.cell import Cell, Electrode, Particle
from ionics.constants import FARADAY

Scalar = Float[Array, ""]

HALVINGS = 60
EDGE = 1e-5  # an occupancy is at least so far from empty and full: more cannot be drawn or put in


class Specimen(eqx.Module):
    """A cell and how full its members are before anything is drawn. What is free is pointed at in here."""

    cell: Cell
    filled: dict[str, Scalar]  # occupancy of each member, by its name

    def __init__(self, cell: Cell, filled):
        names = [one.name for one in (*cell.negative.members, *cell.positive.members)]
        for name in filled:
            if name not in names:
                raise ValueError(f"the cell has no '{name}' to fill; it has {', '.join(names)}")
        self.cell, self.filled = cell, {name: jnp.asarray(value, float) for name, value in filled.items()}


def resting(specimen: Specimen, drawn: Scalar, temperature: Scalar) -> tuple[Cell, Float[Array, " unknown"]]:
    """The cell at a temperature [K], and its unknowns at rest with a charge drawn [C m-2]."""
    cell = eqx.tree_at(lambda one: one.temperature, specimen.cell, temperature)
    filled = dict(specimen.filled)
    for electrode, sign in ((cell.negative, -1.0), (cell.positive, 1.0)):
        filled |= after(electrode, specimen.filled, sign * drawn, temperature)
    return cell, flatten(at_rest(cell, filled))


def after(electrode: Electrode, filled: dict[str, Scalar], taken: Scalar, temperature: Scalar) -> dict[str, Scalar]:
    """Occupancies once an electrode has taken up a charge [C m-2]; several members share it at one potential."""
    members = [one for one in electrode.members if isinstance(one, Particle)]
    if not members:
        return {}
    room = jnp.stack([FARADAY * one.carrier.sites * jnp.sum(one.volume) for one in members])
    before = jnp.stack([filled[one.name] for one in members])
    if len(members) == 1:
        return {members[0].name: jnp.clip(before[0] + taken / room[0], EDGE, 1 - EDGE)}
    theta = _shared(members, room, room @ before + taken, temperature)
    return {one.name: own for one, own in zip(members, theta, strict=True)}


def _shared(members, room, lithium, temperature):
    """Occupancies at one potential that hold so much lithium [C m-2]."""

    def potentials(theta):
        return jnp.stack([one.open_circuit(own, temperature) for one, own in zip(members, theta, strict=True)])

    def at(level):
        def halve(_, ends):
            low, high = ends
            middle = 0.5 * (low + high)
            fuller = potentials(middle) > level
            return jnp.where(fuller, middle, low), jnp.where(fuller, high, middle)

        ends = jnp.full(len(members), EDGE), jnp.full(len(members), 1 - EDGE)
        return 0.5 * sum(jax.lax.fori_loop(0, HALVINGS, halve, ends))

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        fuller = room @ at(middle) > lithium
        return jnp.where(fuller, middle, low), jnp.where(fuller, high, middle)

    reach = jnp.min(potentials(jnp.full(len(members), 1 - EDGE))), jnp.max(potentials(jnp.full(len(members), EDGE)))
    level = jax.lax.stop_gradient(0.5 * sum(jax.lax.fori_loop(0, HALVINGS, halve, jax.lax.stop_gradient(reach))))
    theta = jax.lax.stop_gradient(at(level))
    # one Newton step carries the derivatives
    missed, slope = jax.jvp(potentials, (theta,), (jnp.ones_like(theta),))
    missed, slope = missed - level, jax.lax.stop_gradient(slope)
    lacking = lithium - room @ theta
    change = (lacking + room @ (missed / slope)) / (room @ (1 / slope))
    return theta + (change - missed) / slope
