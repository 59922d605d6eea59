"""Who eats the voltage: along the path of the current, what each layer and junction takes from it.

With psi = eta / zF of the species that carries the current, V = psi(right metal) - psi(left metal) telescopes: every
layer takes its drop of psi, every junction its affinity per charge, and what is left is the voltage that the
compositions at the junctions would have at rest. Compared with the compositions averaged over each layer, that is the
open-circuit voltage plus what the unevenness of neutral carriers (lithium in an electrode) takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.constants import FARADAY
from ionics.kinetics.film import NoFilm
from ionics.kinetics.rates import Blocked
from ionics.transport.balance import Flows, Profiles, State, charge_number, flows, profiles
from ionics.transport.flux import Hopping, Immobile
from ionics.transport.stack import Reaction, Stack, bulk_potential

CHUNK = 16  # states at once, always as many: compiled once


@dataclass(frozen=True)
class Crossing:
    """A reaction of a junction on the path of the current, and the charges it moves to the right in one turn."""

    junction: int
    reaction: int
    charges: int


@dataclass(frozen=True)
class Path:
    """The species that carries the current in each layer, and the reactions that hand it on."""

    species: tuple[str, ...]
    crossings: tuple[Crossing, ...]


class History(NamedTuple):
    """What happens inside a stack, one row for each state."""

    losses: Float[np.ndarray, "row loss"]  # V, each one's part of V - open_circuit
    open_circuit: Float[np.ndarray, " row"]  # V, of the mean compositions
    affinity: Float[np.ndarray, "row reaction"]  # V, per charge moved; per turn where none is
    rate: Float[np.ndarray, "row reaction"]  # mol m-2 s-1
    surface: Float[np.ndarray, "row slot"]  # film thicknesses [m], interface states [mol m-2]


def path(stack: Stack) -> Path | None:
    """The path of least resistance for a direct current from metal to metal, None where it is blocked."""
    reached: dict[str, tuple[float, Path]] = {"": (0.0, Path((), ()))}
    for j in range(len(stack.junctions)):
        beyond: dict[str, tuple[float, Path]] = {}
        inside = stack.layers[j].material.carriers if j < len(stack.layers) else ()
        for start, end, crossings in _links(stack, j):
            if start not in reached:
                continue
            cost, before = reached[start]
            if end:
                carrier = next(c for c in inside if c.species.name == end)
                cost = cost + _resistance(stack, j, carrier)
            species = (*before.species, end) if end else before.species
            if np.isfinite(cost) and (end not in beyond or cost < beyond[end][0]):
                beyond[end] = (cost, Path(species, (*before.crossings, *crossings)))
        reached = beyond
    return reached[""][1] if "" in reached else None


def _links(stack: Stack, j: int) -> list[tuple[str, str, tuple[Crossing, ...]]]:
    """(charged species on the left, on the right, reactions between them) at a junction; a metal is ''."""
    junction = stack.junctions[j]
    states = [state.name for state in junction.states]
    single = []
    for m, reaction in enumerate(junction.reactions):
        if isinstance(reaction.law, Blocked):
            continue
        number = charge_number(stack, reaction)
        ends = [_charged(stack, j, reaction, side, states) for side in ("left", "right")]
        if number and None not in ends:
            single.append((*ends, (Crossing(j, m, number),)))
    found = [link for link in single if link[0] not in states and link[1] not in states]
    for start, middle, one in single:
        if middle in states:
            found += [(start, end, one + two) for state, end, two in single if state == middle and end not in states]
    return found


def _charged(stack: Stack, j: int, reaction: Reaction, side: str, states: list[str]) -> str | None:
    """The one charged species on a side of a reaction; '' in a metal, None if there are several."""
    charges = {s.name: s.charge for s in stack.species}
    charges |= {state.name: state.charge for state in stack.junctions[j].states}
    names = [name for name, _ in getattr(reaction, side) if charges.get(name, 0)]
    metal = (side == "left" and j == 0) or (side == "right" and j == len(stack.layers))
    if metal and not any(name in states for name in names):
        return ""
    return names[0] if len(names) == 1 else None


def _resistance(stack: Stack, i: int, carrier) -> float:
    """Of a layer for one carrier in its neutral bulk, up to a common factor."""
    if isinstance(carrier.mobility, Immobile):
        return np.inf
    free = 1 - float(carrier.occupancy) if isinstance(carrier.mobility, Hopping) else 1.0
    diffusivity = float(carrier.diffusivity(stack.temperature))
    moving = carrier.species.charge**2 * diffusivity * float(carrier.sites) * float(carrier.occupancy) * free
    return float(stack.layers[i].thickness) / moving if moving > 0 else np.inf


def names(stack: Stack, along: Path | None) -> tuple[str, ...]:
    """Of the losses: the series resistance, contacts, layers, junctions, films, and unevenness of a composition."""
    if along is None:
        return ()
    found = ["series resistance", *(stack.junctions[j].name for j in range(len(stack.junctions)))]
    found += [layer.name for layer in stack.layers]
    found += [f"film at {stack.junctions[j].name}" for j in _films(stack)]
    return (*found, *(f"{name} in {stack.layers[i].name}" for i, name in _uneven(stack, along)))


def reactions(stack: Stack) -> tuple[str, ...]:
    """Every reaction of every junction in words."""
    return tuple(f"{j.name}: {_equation(r)}" for j in stack.junctions for r in j.reactions)


def slots(stack: Stack) -> tuple[str, ...]:
    """What the junctions store: parts of films, interface states."""
    found = []
    for junction in stack.junctions:
        count = junction.film.slots
        parts = ("reversible film", "permanent film") if count == 2 else tuple(f"film {n + 1}" for n in range(count))
        found += [f"{junction.name}: {part}" for part in (*parts, *(state.name for state in junction.states))]
    return tuple(found)


def history(stack: Stack, states: State, temperature: Float[np.ndarray, " row"], along: Path | None) -> History:
    """Losses, affinities and rates for states that are stacked along the first axis of every field."""
    return History(*_in_chunks(_history, stack, states, temperature, along))


def moments(stack: Stack, states: State, temperature: Float[np.ndarray, " row"]) -> Profiles:
    """Profiles of states that are stacked along the first axis of every field."""
    return _in_chunks(_profiles, stack, states, temperature)


def _in_chunks(function, stack: Stack, states: State, temperature, *more):
    rows, found = len(temperature), []
    for start in range(0, rows, CHUNK):
        which = np.minimum(np.arange(start, start + CHUNK), rows - 1)
        some = jax.tree.map(lambda a, which=which: jnp.asarray(np.asarray(a)[which]), states)
        part = function(stack, some, jnp.asarray(np.asarray(temperature)[which]), *more)
        found.append(jax.tree.map(np.asarray, part))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:rows], *found)


@eqx.filter_jit
def _profiles(stack: Stack, states: State, temperature) -> Profiles:
    return jax.vmap(lambda state, t: profiles(stack.at(t), state))(states, temperature)


@eqx.filter_jit
def _history(stack: Stack, states: State, temperature, along: Path | None):
    def one(state, temperature):
        warm = stack.at(temperature)
        flowing = flows(warm, state)
        affinity, rate, held = [], [], []
        for junction, flow in zip(warm.junctions, flowing[1], strict=True):
            held += list(flow.held)
            for reaction, own, turns in zip(junction.reactions, flow.affinity, flow.rate, strict=True):
                affinity.append(own / (FARADAY * (charge_number(warm, reaction) or 1)))
                rate.append(turns)
        losses, rest = _losses(warm, state, flowing, along)
        return losses, rest, *(jnp.stack(v) if v else jnp.zeros(0) for v in (affinity, rate, held))

    return jax.vmap(one)(states, temperature)


def _losses(stack: Stack, state: State, flowing: Flows, along: Path | None):
    if along is None:
        return jnp.zeros(0), jnp.asarray(jnp.nan)
    layers, junctions = flowing
    zero = jnp.zeros(())
    at_junction, at_film = [zero] * len(junctions), dict.fromkeys(_films(stack), zero)
    for crossing in along.crossings:
        j, m, n = crossing.junction, crossing.reaction, crossing.charges
        affinity, film = junctions[j].affinity[m], junctions[j].resistive[m]
        if j in at_film:
            affinity, at_film[j] = affinity - film, -film / (n * FARADAY)
        at_junction[j] = at_junction[j] - affinity / (n * FARADAY)
    in_layer = []
    for i, name in enumerate(along.species):
        carriers = [c.species for c in stack.layers[i].material.carriers]
        k = [s.name for s in carriers].index(name)
        eta = layers[i].electrochemical[k]
        in_layer.append((eta[-1] - eta[0]) / (carriers[k].charge * FARADAY))
    taken = [*at_junction, *in_layer, *at_film.values()]
    surfaces = state.voltage - sum(taken, zero)
    uneven = [_unevenness(stack, flowing, along, i, name) for i, name in _uneven(stack, along)]
    losses = jnp.stack([-stack.series_resistance * state.current, *taken, *uneven])
    return losses, surfaces - sum(uneven, zero)


def _uneven(stack: Stack, along: Path) -> list[tuple[int, str]]:
    """(layer, neutral carrier) whose composition at a junction enters the voltage."""
    found: dict[tuple[int, str], None] = {}
    for crossing in along.crossings:
        for i, name, _, _ in _neutral(stack, crossing):
            found[i, name] = None
    return list(found)


def _neutral(stack: Stack, crossing: Crossing) -> list[tuple[int, str, int, int]]:
    """(layer, neutral carrier, count consumed, node) of a reaction; 0 and -1 are the nodes at its ends."""
    reaction = stack.junctions[crossing.junction].reactions[crossing.reaction]
    charges, found = {s.name: s.charge for s in stack.species}, []
    for i, terms, sign, node in (
        (crossing.junction - 1, reaction.left, 1, -1),
        (crossing.junction, reaction.right, -1, 0),
    ):
        if 0 <= i < len(stack.layers):
            found += [(i, name, sign * nu, node) for name, nu in terms if charges.get(name) == 0]
    return found


def _unevenness(stack: Stack, flowing: Flows, along: Path, i: int, name: str):
    """What the difference between surface and mean of a neutral carrier takes [V]."""
    layer, flow = stack.layers[i], flowing[0][i]
    thickness, carriers = layer.thickness, layer.material.carriers
    means = [jnp.sum(own) / (c.sites * thickness) for own, c in zip(flow.content, carriers, strict=True)]
    even = tuple(eqx.tree_at(lambda c: c.occupancy, c, mean) for c, mean in zip(carriers, means, strict=True))
    material = eqx.tree_at(lambda m: m.carriers, layer.material, even)
    mean = bulk_potential(material.carrier(name), stack.temperature, material.beside(material.carrier(name)))
    k, taken = [c.species.name for c in carriers].index(name), jnp.zeros(())
    for crossing in along.crossings:
        for at, who, consumed, node in _neutral(stack, crossing):
            if (at, who) == (i, name):
                taken = taken + consumed * (flow.chemical[k][node] - mean) / (crossing.charges * FARADAY)
    return taken


def _films(stack: Stack) -> list[int]:
    return [j for j, junction in enumerate(stack.junctions) if not isinstance(junction.film, NoFilm)]


def _equation(reaction: Reaction) -> str:
    before = [(name, nu) for name, nu in reaction.left if nu > 0] + [(n, -nu) for n, nu in reaction.right if nu < 0]
    after = [(name, nu) for name, nu in reaction.right if nu > 0] + [(n, -nu) for n, nu in reaction.left if nu < 0]
    sides = [" + ".join(f"{nu} {name}" if nu != 1 else name for name, nu in side) for side in (before, after)]
    return sides[0] if sides[0] == sides[1] else " <-> ".join(sides)
