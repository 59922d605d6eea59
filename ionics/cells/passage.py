"""What the current passes on its way through an electrode, and what each of it takes from the potential.

At every depth and at every piece there, current leaves the electrolyte: through the film, through the reaction, into
the piece. With any weights of these ways that sum to one,

    potential = sum(weight drop) - sum over faces [(R i)_ions (weight beyond) + (R i)_electrons (weight before)]

holds exactly, because the potential does not depend on the way; the weights decide whose drop counts how much. With
each way's share of the current it is the balance of power, by Tellegen's theorem: of the power lost in operation, and
with complex shares that of a small signal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Inexact

from ionics.cells.balance import face_resistances, ionic_current
from ionics.cells.cell import Cell, Electrode, Member, Particle
from ionics.constants import FARADAY
from ionics.kinetics.film import NoFilm

Values = Inexact[Array, "..."]

PIECES = IONS, ELECTRONS, TRANSFER, FILM, DIFFUSION = (
    "ions",
    "electrons",
    "charge transfer",
    "coating film",
    "diffusion",
)
SERIES = "series resistance"


class Way(NamedTuple):
    """Into the pieces of one member; size, depth."""

    current: Values  # through the reaction, A m-2 of the cell
    open_circuit: Values  # of the surface, V
    film: Values  # what the film adds to it, V
    drop: Values  # potential of the electrode over that of the electrolyte, V


class Passage(NamedTuple):
    """Currents [A m-2] and potentials [V] inside an electrode."""

    ways: tuple[Way, ...]  # of each member
    charging: Values  # into the double layers, depth
    drop: Values  # depth
    ions: Values  # resistance times current in the electrolyte, from node to node, V
    electrons: Values  # in the electrode

    @property
    def through(self) -> tuple[Values, ...]:
        """Currents into each member."""
        return tuple(way.current for way in self.ways)


class Taken(NamedTuple):
    """What each part takes from the potential of an electrode [V]."""

    ions: Values
    electrons: Values
    transfer: Values  # with the double layer
    film: Values
    surface: Values  # open-circuit potential of the surfaces


def passage(electrode: Electrode, inside, current, temperature) -> Passage:
    """Of a state of an electrode at its own current."""
    ions = ionic_current(electrode, inside.drop, current, temperature)
    by_electrons, by_ions = face_resistances(electrode, temperature)
    ways = tuple(
        _way(member, filling, rate, inside.drop, electrode.shares, temperature)
        for member, filling, rate in zip(electrode.members, inside.filling, inside.rate, strict=True)
    )
    everywhere = jnp.concatenate([current[None], ions, jnp.zeros(1)])
    charging = -jnp.diff(everywhere) - sum(jnp.sum(way.current, axis=0) for way in ways)
    return Passage(ways, charging, inside.drop, by_ions * ions, by_electrons * (current - ions))


def _way(member: Member, filling, rate, drop, shares, temperature) -> Way:
    surface, *curvature = member.inside.seen(filling, member.spreading(temperature))
    open_circuit, _, touching = member.outside(surface, temperature, *curvature)
    resistance = member.surface.film.resistance(jnp.zeros(0), temperature)
    passed = FARADAY * rate
    current = shares * member.area[:, None] * passed
    return Way(current, open_circuit, -resistance * passed / touching, jnp.broadcast_to(drop, rate.shape))


def split(found: Passage, weights: tuple[Values, ...], charging: Values) -> Taken:
    """The potential of an electrode in parts, with the weight of each way and of the double layer at each depth."""
    of_ways = [jnp.sum(own, axis=0) for own in weights]
    beyond = jnp.cumsum((charging + sum(of_ways))[::-1])[::-1][1:]
    surface = sum(jnp.sum(own * way.open_circuit) for own, way in zip(weights, found.ways, strict=True))
    film = sum(jnp.sum(own * way.film) for own, way in zip(weights, found.ways, strict=True))
    whole = sum(jnp.sum(own * way.drop) for own, way in zip(weights, found.ways, strict=True))
    transfer = whole - surface - film + jnp.sum(charging * found.drop)
    return Taken(-jnp.sum(beyond * found.ions), -jnp.sum((1 - beyond) * found.electrons), transfer, film, surface)


def pieces(electrode: Electrode) -> tuple[str, ...]:
    """What an electrode consists of, in the order of `Taken`. What cannot take anything is left out."""
    films = any(not isinstance(member.surface.film, NoFilm) for member in electrode.members)
    particles = any(isinstance(member, Particle) for member in electrode.members)
    there = (electrode.nodes > 1, electrode.nodes > 1, True, films, particles)
    return tuple(name for name, own in zip(PIECES, there, strict=True) if own)


def kept(electrode: Electrode, taken: Taken) -> list[Values]:
    """What each piece takes."""
    there = pieces(electrode)
    return [own for name, own in zip(PIECES, taken, strict=True) if name in there]


def elements(cell: Cell, cut: Callable[[Electrode], tuple[str, ...]] | None = None) -> tuple[str, ...]:
    """Names in the order in which the current passes them, the series resistance last; cut: electrodes into pieces."""

    def own(electrode: Electrode) -> tuple[str, ...]:
        return tuple(f"{electrode.name}, {piece}" for piece in cut(electrode)) if cut else (electrode.name,)

    return (*own(cell.negative), *(one.name for one in cell.between), *own(cell.positive), SERIES)
