"""Steady state: nothing accumulates anywhere while a voltage, a current, a power or a load is held."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS
from ionics.transport.balance import (
    Current,
    Drive,
    Load,
    Power,
    State,
    Terminal,
    Voltage,
    flows,
    node_ranges,
    outflow,
    spacings,
)
from ionics.transport.equilibrium import checked, equilibrium, held_amounts, inventory_rows, sentences, still
from ionics.transport.flux import Immobile
from ionics.transport.freedom import Freedom, analyse, frozen
from ionics.transport.linear import Layout
from ionics.transport.newton import BLOCKED, NO_STEADY_STATE, OK, Solution, newton
from ionics.transport.stack import Stack

ACCUMULATION = 1e-6  # largest flux into a held amount that counts as none, of the current or of what one RT would drive
TINY = 1e-290  # mol m-2 s-1


def steady(stack: Stack, drive: Drive, start: Solution | State | None = None, throw: bool = True) -> Solution:
    """The steady state under a drive, from equilibrium (or `start`).

    The drive is approached from where the start is, in strides as long as Newton's method bears; where it bears none,
    in time, with all that the stack stores. Carriers that cannot leave the stack keep the amount they have at the
    start. One compiled function: it may be differentiated and batched, the result code stays beside the state then.
    Raises NotConverged (unless throw=False) where there is no steady state (a carrier arrives where it cannot leave:
    a battery under current), where the stack cannot carry the current, or where none is found.
    """
    start = equilibrium(stack, throw=False) if start is None else start
    state = start.state if isinstance(start, Solution) else start
    freedom = analyse(stack, voltage=isinstance(drive, (Voltage, Load)), flowing=True)
    blocked = freedom.voltage and isinstance(drive, (Current, Power))
    return checked(_steady(stack, freedom, drive.terminal(), state, blocked), throw)


class Border(NamedTuple):
    """Where the numbers stand that border the balance: first levels (eta in RT), then rates, then the voltage."""

    carriers: tuple[tuple[int, int], ...]  # (layer, carrier) whose flux is the same at every x: level of its first node
    reacting: tuple[tuple[int, int], ...]  # (layer, carrier) that reacts in the bulk: likewise
    states: tuple[tuple[int, int], ...]  # (junction, state)
    rates: tuple[tuple[int, int], ...]  # (junction, reaction)
    inventory: dict[tuple[str, int, int], int]  # which of these levels belongs to an amount that is held


def border(stack: Stack, freedom: Freedom) -> Border:
    """Names only."""
    inventory = {}
    for n, held in enumerate(freedom.inventories):
        region = freedom.regions[held.region]
        if region.junction is None:
            i = region.layers[0]
            names = [c.species.name for c in stack.layers[i].material.carriers]
            inventory["layer", i, names.index(region.species)] = n
        else:
            names = [kept.name for kept in stack.junctions[region.junction].states]
            inventory["junction", region.junction, names.index(region.species)] = n
    carriers, reacting = [], []
    for i, layer in enumerate(stack.layers):
        names = [name for r in layer.material.reactions for name, _ in (*r.consumed, *r.produced)]
        for k, carrier in enumerate(layer.material.carriers):
            if carrier.species.name in names:
                local = isinstance(carrier.mobility, Immobile) and ("layer", i, k) not in inventory
                reacting += [] if local else [(i, k)]
            elif not frozen(layer.material, carrier.species.name):
                carriers.append((i, k))
    states = [(r.junction, r.species) for r in freedom.regions if r.junction is not None]
    kept = [(j, [s.name for s in stack.junctions[j].states].index(name)) for j, name in states]
    rates = [(j, m) for j, junction in enumerate(stack.junctions) for m in range(len(junction.reactions))]
    return Border(tuple(carriers), tuple(reacting), tuple(kept), tuple(rates), inventory)


@eqx.filter_jit
def _steady(stack: Stack, freedom: Freedom, drive: Terminal, start: State, blocked: bool) -> Solution:
    """blocked: no direct current can pass, so that the voltage stays as it is."""
    edge, wanted = border(stack, freedom), drive
    if blocked:
        drive = Voltage(start.voltage - stack.series_resistance * start.current).terminal()
    begun = drive.residual(start.voltage - stack.series_resistance * start.current, start.current)

    def at(given, share):
        return (given[0], eqx.tree_at(lambda d: d.value, given[1], given[1].value + (1 - share) * given[4]), *given[2:])

    def rows(given, state, p):
        return steady_rows(given[0], edge, state, given[3], p)

    def conditions(given, state, p):
        missed = inventory_rows(given[0], freedom, state, given[2])
        return steady_conditions(given[0], edge, given[1], state, p, missed)

    state, p, result, steps, size = newton(
        rows,
        conditions,
        Layout(stack),
        jax.lax.stop_gradient(stack.thermal_voltage),
        start,
        _constants(stack, edge, start),
        (stack, drive, held_amounts(stack, freedom, start), start, begun),
        at=at,
    )
    result = jnp.where((result == OK) & (_accumulation(stack, edge, state, p) > 1), NO_STEADY_STATE, result)
    if blocked:
        result = jnp.where((result == OK) & (wanted.value != 0), BLOCKED, result)
    return Solution(state, result, steps, size, tuple(sentences(stack, freedom, 0)))


def _levels(stack: Stack, edge: Border, flowing) -> list[Float[Array, ""]]:
    layers, junctions = flowing
    found = [layers[i].electrochemical[k][0] for i, k in (*edge.carriers, *edge.reacting)]
    found += [junctions[j].stress[stack.junctions[j].film.slots + n] for j, n in edge.states]
    return [eta / (GAS * stack.temperature) for eta in found]


def _constants(stack: Stack, edge: Border, state: State) -> Float[Array, " constant"]:
    rates = [state.rate[m, j] for j, m in edge.rates]
    return jnp.stack([*_levels(stack, edge, flows(stack, state)), *rates, state.voltage / stack.thermal_voltage])


def steady_rows(stack: Stack, edge: Border, state: State, reference: State, p: Float[Array, " constant"]) -> State:
    """The balance of a steady state: the flux of a carrier is that of its layer on every face, rather than the same on
    both sides of every node. So a flux keeps its digits however small it is beside the one-way fluxes, and a carrier
    that cannot leave is in equilibrium however depleted it is.
    """
    flowing = flows(stack, state)
    out = still(stack, outflow(stack, state, Current(0.0), flowing), state, reference, flowing)
    layers, u, surface = flowing[0], out.u, out.surface
    rate, ranges = _rates(stack, edge, state, p), node_ranges(stack)
    levels = [level - own for level, own in zip(_levels(stack, edge, flowing), p, strict=False)]
    for n, (i, k) in enumerate((*edge.carriers, *edge.reacting)):
        layer, carrier = stack.layers[i], stack.layers[i].material.carriers[k]
        row, nodes = stack.index(carrier.species.name), ranges[i]
        u = u.at[row, nodes.start].set(levels[n])
        if (i, k) in edge.carriers:
            h, volume = spacings(layer)
            density = layers[i].content[k] / volume
            easy = carrier.diffusivity(stack.temperature) * jnp.maximum(density[1:], density[:-1]) / h
            passing = layers[i].flux[k] - _through(stack, i, carrier.species.name, "right", rate)
            u = u.at[row, nodes.start + 1 : nodes.stop].set(passing / jax.lax.stop_gradient(easy + TINY))
    for n, (j, own) in enumerate(edge.states, len(edge.carriers) + len(edge.reacting)):
        surface = surface.at[stack.junctions[j].film.slots + own, j].set(levels[n])
    volts = state.voltage / stack.thermal_voltage - p[-1]
    return State(u, out.phi, state.rate - rate, surface, out.displacement, out.voltage, volts)


def steady_conditions(
    stack: Stack, edge: Border, drive: Terminal, state: State, p, missed
) -> Float[Array, " constant"]:
    """What each layer takes in it gives off, or its amount is held (`missed`); the laws of junctions; the drive."""
    flowing, rate = flows(stack, state), _rates(stack, edge, state, p)
    out, rows = outflow(stack, state, drive, flowing), []
    for n, gain in _gains(stack, edge, flowing, rate):
        rows.append(gain if n is None else missed[n])
    rows += [out.rate[m, j] for j, m in edge.rates]
    return jnp.stack([*rows, out.current])


def _gains(stack: Stack, edge: Border, flowing, rate) -> list[tuple[int | None, Float[Array, ""]]]:
    """Of every level: the inventory it belongs to, and what its layer or state takes in [mol m-2 s-1]."""
    gains = []
    for i, k in (*edge.carriers, *edge.reacting):
        name = stack.layers[i].material.carriers[k].species.name
        gain = _through(stack, i, name, "right", rate) - _through(stack, i + 1, name, "left", rate)
        for reaction, turnover in zip(stack.layers[i].material.reactions, flowing[0][i].turnover, strict=True):
            made = dict(reaction.produced).get(name, 0) - dict(reaction.consumed).get(name, 0)
            gain = gain + made * jnp.sum(turnover)
        gains.append((edge.inventory.get(("layer", i, k)), gain))
    for j, own in edge.states:
        name = stack.junctions[j].states[own].name
        gain = _through(stack, j, name, "right", rate) - _through(stack, j, name, "left", rate)
        gains.append((edge.inventory.get(("junction", j, own)), gain))
    return gains


def _rates(stack: Stack, edge: Border, state: State, p) -> Float[Array, "reaction junction"]:
    """Rates of the reactions as they stand among the constants."""
    first = len(edge.carriers) + len(edge.reacting) + len(edge.states)
    rate = jnp.zeros_like(state.rate)
    for n, (j, m) in enumerate(edge.rates, first):
        rate = rate.at[m, j].set(p[n])
    return rate


def _through(stack: Stack, j: int, name: str, side: str, rate) -> Float[Array, ""]:
    """Flux of a species through junction j as its left or right side sees it [mol m-2 s-1]."""
    total = jnp.zeros(())
    for m, reaction in enumerate(stack.junctions[j].reactions):
        for species, nu in getattr(reaction, side):
            if species == name:
                total = total + nu * rate[m, j]
    return total


def _accumulation(stack: Stack, edge: Border, state: State, p) -> Float[Array, ""]:
    """What arrives where an amount is held, over what counts as none."""
    flowing = flows(stack, state)
    gains = _gains(stack, edge, flowing, _rates(stack, edge, state, p))
    worst = jnp.zeros(())
    for (i, k), (n, gain) in zip((*edge.carriers, *edge.reacting), gains, strict=False):
        if n is not None and (i, k) in edge.carriers:
            layer, carrier = stack.layers[i], stack.layers[i].material.carriers[k]
            easy = carrier.diffusivity(stack.temperature) * jnp.sum(flowing[0][i].content[k]) / layer.thickness**2
            worst = jnp.maximum(worst, jnp.abs(gain) / jnp.maximum(jnp.abs(state.current) / FARADAY, easy))
    return worst / ACCUMULATION
