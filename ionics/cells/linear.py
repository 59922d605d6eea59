"""The balance of a cell linearised about a state, and (mass / step - slope) dx = rhs solved part by part.

Inside a particle a change couples to its neighbours along the radius, at its surface to the rate, along the depth of an
electrode to the next node, and everything to the current of the cell: particles are eliminated first, then rates, then
the depth, and two equations for current and voltage are left. Every slope is a derivative of the functions of the
balance, taken elementwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Inexact, Int

from ionics.cells import tridiagonal
from ionics.cells.balance import Inside, State, face_resistances
from ionics.cells.cell import Cell, Electrode, Metal, Particle
from ionics.cells.inward import each
from ionics.constants import FARADAY
from ionics.transport.balance import Drive

Values = Inexact[Array, "..."]


class MemberSlopes(NamedTuple):
    """Derivatives of the rows of one member."""

    inside: Any  # of the growth of its filling, as its kind of inside wants them
    law_by_rate: Values  # of the law, size depth
    law_by_drop: Values
    law_by_seen: tuple[Values, ...]  # by what it sees of the inside at the surface


class ElectrodeSlopes(NamedTuple):
    """Derivatives of the rows of an electrode; conductances and potentials are linear in drop and current."""

    members: tuple[MemberSlopes, ...]
    conductance: Values  # of ions from node to node per drop, face
    share: Values  # of the current that ions carry, face


class Slopes(NamedTuple):
    """Of a cell."""

    negative: ElectrodeSlopes
    positive: ElectrodeSlopes
    drive_by_voltage: Values
    drive_by_current: Values


def linearise(cell: Cell, state: State, drive: Drive) -> Slopes:
    """All derivatives of the rows."""
    by_voltage, by_current = jax.grad(drive.residual, argnums=(0, 1))(state.voltage, state.current)
    sides = (
        electrode_slopes(electrode, own, cell.temperature)
        for electrode, own in ((cell.negative, state.negative), (cell.positive, state.positive))
    )
    return Slopes(*sides, by_voltage, by_current)


def electrode_slopes(electrode: Electrode, inside: Inside, temperature) -> ElectrodeSlopes:
    """Derivatives of the rows of one electrode."""
    members = tuple(
        member_slopes(member, filling, rate, inside.drop, temperature)
        for member, filling, rate in zip(electrode.members, inside.filling, inside.rate, strict=True)
    )
    by_electrons, by_ions = face_resistances(electrode, temperature)
    return ElectrodeSlopes(members, 1 / (by_electrons + by_ions), by_electrons / (by_electrons + by_ions))


def member_slopes(member: Particle | Metal, filling, rate, drop, temperature) -> MemberSlopes:
    """Derivatives of the rows of one member."""

    def law(rate, drop, surface, *curvature):
        return member.surface.residual(rate, drop, *member.outside(surface, temperature, *curvature), temperature)

    spreading = member.spreading(temperature)
    seen = member.inside.seen(filling, spreading)
    by_rate, by_drop, *by_seen = each(law, rate, jnp.broadcast_to(drop, rate.shape), *seen)
    return MemberSlopes(member.inside.slopes(filling, rate, spreading), by_rate, by_drop, tuple(by_seen))


def along(by_seen: tuple[Values, ...], change: tuple[Values, ...]) -> Values:
    """Of the law, for a change of what it sees."""
    first, *others = (by * own for by, own in zip(by_seen, change, strict=True))
    return sum(others, first)


class MemberFactors(NamedTuple):
    """A member with its inside and rate eliminated: d rate = given - answer d drop."""

    inside: Any
    law_by_seen: tuple[Values, ...]
    pivot: Values  # 1 / d law / d rate with the surface following
    answer: Values


class ElectrodeFactors(NamedTuple):
    """An electrode with its depth eliminated, at no and at unit current."""

    members: tuple[MemberFactors, ...]
    weights: tuple[Values, ...]  # of each member's rates in the current taken up, size 1
    depth: tridiagonal.Inverse
    per_current: Values  # d drop per current, depth
    potential_by_drop: Values
    potential_by_current: Values
    shares: Values


class Factors(NamedTuple):
    """A cell, eliminated down to its current."""

    negative: ElectrodeFactors
    positive: ElectrodeFactors
    slopes: Slopes
    pivot: Values
    rate: Values
    resistance: Values


def factorise(cell: Cell, slopes: Slopes, rate: Values) -> Factors:
    """Eliminate mass * rate - slopes; rate [s-1] may be complex."""
    negative = eliminated(cell.negative, slopes.negative, rate, cell.temperature)
    positive = eliminated(cell.positive, slopes.positive, rate, cell.temperature)
    apart = positive.potential_by_current + negative.potential_by_current - cell.resistance
    pivot = 1 / -(slopes.drive_by_current + slopes.drive_by_voltage * apart)
    return Factors(negative, positive, slopes, pivot, jnp.asarray(rate), cell.resistance)


def growing(cell: Cell, factors: Factors) -> Int[Array, ""]:
    """How many small changes grow faster than the (real) rate of the factors: a step of 1 / rate does not see them.

    Read off the signs of the pivots: of a closed piece, of one at a given drop, of the depth at a given current, of the
    current. Exact as far as changes answer each other symmetrically (Onsager), which takes Sylvester's law of inertia.
    """
    slopes, count = factors.slopes, 0
    for electrode, own in ((cell.negative, factors.negative), (cell.positive, factors.positive)):
        for member, one in zip(electrode.members, own.members, strict=True):
            count = count + jnp.sum(member.inside.growing(one.inside) + (jnp.real(one.answer) < 0))
        count = count - own.depth.negative
    held = jnp.where(slopes.drive_by_current == 0, -slopes.drive_by_voltage, slopes.drive_by_current)
    return count + (jnp.real(factors.pivot) * held > 0)


def separates(cell: Cell) -> bool:
    """Whether anything can grow by itself."""
    return any(one.inside.separates for side in (cell.negative, cell.positive) for one in side.members)


def possible(cell: Cell, state: State) -> Bool[Array, ""]:
    """Whether nothing that separates holds less than nothing or more than its sites, where its mu has no value."""
    found = jnp.asarray(True)
    for electrode, own in ((cell.negative, state.negative), (cell.positive, state.positive)):
        for member, w in zip(electrode.members, own.filling, strict=True):
            if member.inside.separates:
                theta = member.inside.profile(w)
                found &= jnp.all((theta > 0) & (theta < 1))
    return found


def eliminated(electrode: Electrode, slopes: ElectrodeSlopes, rate: Values, temperature) -> ElectrodeFactors:
    """An electrode, eliminated down to its current."""
    members, weights, shares = [], [], electrode.shares
    diagonal = rate * electrode.capacitance * shares
    for member, own in zip(electrode.members, slopes.members, strict=True):
        inside, response = member.inside.eliminated(own.inside, rate)
        pivot = 1 / (own.law_by_rate + along(own.law_by_seen, response))
        answer = pivot * own.law_by_drop
        members.append(MemberFactors(inside, own.law_by_seen, pivot, answer))
        weights.append(FARADAY * member.area[:, None])
        diagonal = diagonal + shares * jnp.sum(weights[-1] * answer, axis=0)
    g, nothing = slopes.conductance, jnp.zeros(1)
    diagonal = diagonal + jnp.concatenate([nothing, g]) + jnp.concatenate([g, nothing])
    lower, upper = jnp.concatenate([nothing, -g]), jnp.concatenate([-g, nothing])
    depth = tridiagonal.inverted(lower.astype(diagonal.dtype), diagonal, upper.astype(diagonal.dtype))
    everywhere = jnp.concatenate([jnp.ones(1), slopes.share, nothing])
    per_current = depth.matrix @ jnp.diff(everywhere).astype(diagonal.dtype)
    by_drop = jax.grad(lambda drop: _potential(electrode, slopes, drop, 0.0, temperature))(jnp.zeros_like(shares))
    own = jax.grad(lambda current: _potential(electrode, slopes, jnp.zeros_like(shares), current, temperature))(0.0)
    return ElectrodeFactors(
        tuple(members), tuple(weights), depth, per_current, by_drop, own + by_drop @ per_current, shares
    )


def _potential(electrode: Electrode, slopes: ElectrodeSlopes, drop, current, temperature):
    ions = slopes.conductance * jnp.diff(drop) + slopes.share * current
    by_electrons, _ = face_resistances(electrode, temperature)
    return drop[0] - jnp.sum(by_electrons * (current - ions))


def solve(cell: Cell, factors: Factors, rhs: State) -> State:
    """dx of (mass * rate - slopes) dx = rhs."""
    negative = _substituted(cell.negative, factors.negative, rhs.negative)
    positive = _substituted(cell.positive, factors.positive, rhs.positive)
    slopes = factors.slopes
    # voltage = rhs' + apart current; -(drive_V voltage + drive_I current) = rhs of the drive
    given = positive[0] - negative[0] - rhs.current
    current = factors.pivot * (rhs.voltage + slopes.drive_by_voltage * given)
    apart = factors.positive.potential_by_current + factors.negative.potential_by_current - factors.resistance
    below = _inside(cell.negative, factors.negative, negative, -current)
    above = _inside(cell.positive, factors.positive, positive, current)
    return State(below, above, (rhs.charge + current) / factors.rate, current, given + apart * current)


def _substituted(electrode: Electrode, factors: ElectrodeFactors, rhs: Inside):
    """Potential and drop at no current, and what the rates are without any drop."""
    taken, rates = rhs.drop, []
    for k, (member, own) in enumerate(zip(electrode.members, factors.members, strict=True)):
        seen = member.inside.substituted_seen(own.inside, rhs.filling[k])
        rates.append(-own.pivot * (rhs.rate[k] + along(own.law_by_seen, seen)))
        taken = taken + factors.shares * jnp.sum(factors.weights[k] * rates[-1], axis=0)
    drop = factors.depth.matrix @ taken
    return factors.potential_by_drop @ drop, drop, rates, rhs.filling


def _inside(electrode: Electrode, factors: ElectrodeFactors, found, current) -> Inside:
    _, drop, rates, given = found
    drop = drop + factors.per_current * current
    filling, rate = [], []
    for member, own, free, rhs in zip(electrode.members, factors.members, rates, given, strict=True):
        rate.append(free - own.answer * drop)
        filling.append(member.inside.substituted(own.inside, rhs, rate[-1]))
    return Inside(tuple(filling), tuple(rate), drop)
