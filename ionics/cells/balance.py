"""The only statement of the physics of a cell: mass d/dt state = rows(cell, state, drive).

A composite electrode is that of Newman and Tiedemann (AIChE J. 21 (1975) 25, doi:10.1002/aic.690210103) with an
electrolyte in which one ion moves: nothing but Ohm's law is left of it, and of both potentials only their difference
matters. With i = i_ion + i_electron at every depth,

    i_ion = (dw/dx + i / sigma) / (1 / kappa + 1 / sigma),    w = phi(electrode) - phi(electrolyte)
    d i_ion / dx = -sum a (F rate - C dw/dt)
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.cells.cell import Cell, Electrode
from ionics.constants import FARADAY
from ionics.transport.balance import Drive

Scalar = Float[Array, ""]
Vector = Float[Array, " unknown"]


class Inside(eqx.Module):
    """Unknowns of an electrode, and by the same names the rows of its balance."""

    filling: tuple[Float[Array, "unknown size depth"], ...]  # of each member, as its kind of inside keeps it
    rate: tuple[Float[Array, "size depth"], ...]  # of lithium into each member, mol m-2 s-1
    drop: Float[Array, " depth"]  # potential of the electrode over that of the electrolyte, V


class State(eqx.Module):
    """Unknowns of a cell."""

    negative: Inside
    positive: Inside
    charge: Scalar  # C m-2 passed
    current: Scalar  # A m-2, discharge positive
    voltage: Scalar  # V, between the metals


def rows(cell: Cell, state: State, drive: Drive) -> State:
    """What each unknown grows by, and what vanishes: laws of reactions, the sum of voltages, the drive.

    Rows: filling [s-1]; rate: the law; drop: current that is left for the double layer [A m-2]; charge [A m-2];
    current [V]; voltage: the drive.
    """
    negative, below = electrode_rows(cell.negative, state.negative, -state.current, cell.temperature)
    positive, above = electrode_rows(cell.positive, state.positive, state.current, cell.temperature)
    apart = above - below - cell.resistance * state.current
    return State(negative, positive, state.current, state.voltage - apart, drive.residual(state.voltage, state.current))


def electrode_rows(electrode: Electrode, inside: Inside, current: Scalar, temperature: Scalar) -> tuple[Inside, Scalar]:
    """The rows of an electrode, and its potential: of the collector over the electrolyte at the separator [V]."""
    ions = ionic_current(electrode, inside.drop, current, temperature)
    taken, theta, law = jnp.zeros_like(inside.drop), [], []
    for member, own, rate in zip(electrode.members, inside.filling, inside.rate, strict=True):
        spreading = member.spreading(temperature)
        theta.append(member.inside.growth(own, rate, spreading))
        surface, *curvature = member.inside.seen(own, spreading)
        outside = member.outside(surface, temperature, *curvature)
        law.append(member.surface.residual(rate, inside.drop, *outside, temperature))
        taken = taken + FARADAY * jnp.sum(member.area[:, None] * rate, axis=0)
    everywhere = jnp.concatenate([current[None], ions, jnp.zeros(1)])
    rest = electrode.shares * taken + jnp.diff(everywhere)
    return Inside(tuple(theta), tuple(law), rest), potential(electrode, inside.drop, current, ions, temperature)


def ionic_current(electrode: Electrode, drop, current: Scalar, temperature: Scalar) -> Float[Array, " face"]:
    """In the electrolyte of an electrode, from node to node [A m-2]."""
    by_electrons, by_ions = face_resistances(electrode, temperature)
    return (jnp.diff(drop) + by_electrons * current) / (by_electrons + by_ions)


def face_resistances(electrode: Electrode, temperature: Scalar) -> tuple[Float[Array, " face"], Float[Array, " face"]]:
    """For electrons and for ions from node to node [Ohm m2]."""
    h = electrode.spacing * electrode.thickness
    return h / electrode.electronic(temperature), h / electrode.ionic(temperature)


def potential(electrode: Electrode, drop, current: Scalar, ions: Float[Array, " face"], temperature: Scalar) -> Scalar:
    """Of the collector over the electrolyte at the separator [V]."""
    by_electrons, _ = face_resistances(electrode, temperature)
    return drop[0] - jnp.sum(by_electrons * (current - ions))


def mass(cell: Cell, like: State) -> State:
    """What stands before d/dt in each row; none where the row is a law."""

    def inside(electrode: Electrode, own: Inside) -> Inside:
        theta, rate = tuple(map(jnp.ones_like, own.filling)), tuple(map(jnp.zeros_like, own.rate))
        return Inside(theta, rate, electrode.capacitance * electrode.shares)

    zero = jnp.zeros(())
    return State(inside(cell.negative, like.negative), inside(cell.positive, like.positive), jnp.ones(()), zero, zero)


def flatten(state: State) -> Vector:
    """All unknowns in a row."""
    parts = [part.ravel() for own in (state.negative, state.positive) for part in (*own.filling, *own.rate, own.drop)]
    return jnp.concatenate([*parts, jnp.stack([state.charge, state.current, state.voltage])])


def unflatten(cell: Cell, x: Vector) -> State:
    """The inverse of flatten."""
    place = 0

    def take(*shape):
        nonlocal place
        size = int(np.prod(shape))
        place += size
        return x[place - size : place].reshape(shape)

    def inside(electrode: Electrode) -> Inside:
        sizes = [(one.unknowns, one.area.shape[0], electrode.nodes) for one in electrode.members]
        theta = tuple(take(*size) for size in sizes)
        rate = tuple(take(*size[1:]) for size in sizes)
        return Inside(theta, rate, take(electrode.nodes))

    negative, positive = inside(cell.negative), inside(cell.positive)
    return State(negative, positive, x[place], x[place + 1], x[place + 2])


def scales(cell: Cell, like: State) -> Vector:
    """What an error of each unknown is measured by; infinite where it does not count."""

    def inside(own: Inside) -> Inside:
        theta, rate = tuple(map(jnp.ones_like, own.filling)), (jnp.full_like(one, jnp.inf) for one in own.rate)
        return Inside(theta, tuple(rate), jnp.full_like(own.drop, cell.thermal_voltage))

    never = jnp.asarray(jnp.inf)
    return flatten(State(inside(like.negative), inside(like.positive), never, never, cell.thermal_voltage))


def at_rest(cell: Cell, filled: dict[str, float] | dict[str, Scalar]) -> State:
    """Nothing flows and every member is as it rests at its occupancy, by its name: uniform, or in two phases. One
    electrode in balance: if an electrode holds several members, their open-circuit potentials should agree (see
    `balanced`).
    """
    sides = []
    for electrode in (cell.negative, cell.positive):
        theta, rate, level = [], [], jnp.zeros(())
        for one in electrode.members:
            size = (one.area.shape[0], electrode.nodes)
            occupancy = jnp.asarray(filled.get(one.name, 0.0), float)
            spreading = one.spreading(cell.temperature)
            theta.append(one.inside.resting(jnp.full(size, occupancy), spreading))
            rate.append(jnp.zeros(size))
            surface, *curvature = one.inside.seen(theta[-1], spreading)
            level = one.outside(surface, cell.temperature, *curvature)[0][0, 0]
        sides.append(Inside(tuple(theta), tuple(rate), jnp.full(electrode.nodes, level)))
    zero = jnp.zeros(())
    return State(*sides, zero, zero, sides[1].drop[0] - sides[0].drop[0])
