"""Steady state: nothing accumulates anywhere while a voltage, a current, a power or a load is held."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ionics.constants import FARADAY, GAS
from ionics.kinetics.bulk import Generation
from ionics.transport.balance import (
    Current,
    Drive,
    Flows,
    LayerFlow,
    Load,
    Power,
    State,
    Terminal,
    Voltage,
    flows,
    node_ranges,
    outflow,
    passing,
    spacings,
)
from ionics.transport.equilibrium import checked, equilibrium, held_amounts, inventory_rows, sentences, still
from ionics.transport.flux import Immobile
from ionics.transport.freedom import Freedom, analyse, frozen, kernel
from ionics.transport.linear import Layout
from ionics.transport.newton import BLOCKED, NO_STEADY_STATE, OK, Solution, newton
from ionics.transport.stack import BulkReaction, Stack

ACCUMULATION = 1e-6  # largest flux into a held amount that counts as none, of the current or of what one RT would drive
TINY = 1e-120  # mol m-2 s-1 per RT, beside every flux and turnover: what has no carriers left is at rest


def steady(stack: Stack, drive: Drive, start: Solution | State | None = None, throw: bool = True) -> Solution:
    """The steady state under a drive, from equilibrium (or `start`).

    The drive is approached from where the start is, in strides as long as Newton's method bears. Carriers that cannot
    leave the stack keep the amount they have at the start. One compiled function: it may be differentiated and
    batched, the result code stays beside the state then.
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
    sums: dict[tuple[int, int], dict[int, float]]  # of some of these: carriers of the layer -> weights in a sum of
    # fluxes that is the same at every x; it stands for the balance of this carrier
    states: tuple[tuple[int, int], ...]  # (junction, state)
    rates: tuple[tuple[int, int], ...]  # (junction, reaction)
    inventory: dict[tuple[str, int, int], int]  # which of these levels belongs to an amount that is held

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(layer, carrier) of the levels before those of states."""
        return (*self.carriers, *self.reacting)

    def held(self, i: int, k: int) -> int | None:
        """The inventory that the level of carrier k of layer i belongs to."""
        return self.inventory.get(("layer", i, k))

    @property
    def balanced(self) -> dict[int, tuple[int, int]]:
        """Levels whose condition is the balance of the carrier in its first cell."""
        return {
            n: (i, k) for n, (i, k) in enumerate(self.levels) if (i, k) not in self.sums and self.held(i, k) is None
        }


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
    sums = {(i, k): {k: 1.0} for i, k in carriers}
    for i, layer in enumerate(stack.layers):
        # light ties no carrier to another one: then each balance is taken as it is
        if any(isinstance(reaction.law, Generation) for reaction in layer.material.reactions):
            continue
        sums |= _sums(stack, i, [k for layer, k in reacting if layer == i], inventory)
    return Border(tuple(carriers), tuple(reacting), sums, tuple(kept), tuple(rates), inventory)


def _sums(stack: Stack, i: int, reacting: list[int], inventory) -> dict[tuple[int, int], dict[int, float]]:
    """Sums of fluxes in layer i; each stands for a carrier whose amount is held, if there is one."""
    material = stack.layers[i].material

    def last(k: int) -> tuple[bool, bool]:
        return not isinstance(material.carriers[k].mobility, Immobile), ("layer", i, k) in inventory

    order = sorted(range(len(material.carriers)), key=last)
    made = np.array([[_made(r, material.carriers[k].species.name) for k in order] for r in material.reactions])
    found = {}
    for column, weights in kernel(made.reshape(len(material.reactions), len(order))):
        own = {order[n]: float(w) for n, w in enumerate(weights) if abs(w) > 1e-9}
        others_held = any(("layer", i, k) in inventory for k in own if k != order[column])
        if order[column] in reacting and not others_held:
            found[i, order[column]] = own
    return found


def _made(reaction: BulkReaction, name: str) -> int:
    """How many of a species one turn of a reaction makes."""
    return dict(reaction.produced).get(name, 0) - dict(reaction.consumed).get(name, 0)


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

    def measures(given, state):
        return steady_measures(given[0], edge, state)

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
        measures=measures,
    )
    result = jnp.where((result == OK) & (_accumulation(stack, edge, state, p) > 1), NO_STEADY_STATE, result)
    if blocked:
        result = jnp.where((result == OK) & (wanted.value != 0), BLOCKED, result)
    return Solution(state, result, steps, size, tuple(sentences(stack, freedom, 0)))


def _levels(stack: Stack, edge: Border, flowing) -> list[Float[Array, ""]]:
    layers, junctions = flowing
    found = [layers[i].electrochemical[k][0] for i, k in edge.levels]
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
    flowing = _flows(stack, state)
    out = still(stack, outflow(stack, state, Current(0.0), flowing), state, reference, flowing)
    layers, u, surface = flowing[0], out.u, out.surface
    rate, ranges = _rates(stack, edge, state, p), node_ranges(stack)
    levels = [level - own for level, own in zip(_levels(stack, edge, flowing), p, strict=False)]
    for i, k in _local(stack, edge):
        u = u.at[_row(stack, i, k), ranges[i]].set(_balance(stack, edge, i, k, out, layers[i]))
    for n, (i, k) in enumerate(edge.levels):
        row, nodes = _row(stack, i, k), ranges[i]
        u = u.at[row, nodes.start].set(levels[n])
        if (i, k) in edge.sums:
            weights = edge.sums[i, k].items()
            own = [(w, layers[i].flux[m] - passing(stack, i, _name(stack, i, m), "right", rate)) for m, w in weights]
            u = u.at[row, nodes.start + 1 : nodes.stop].set(sum(w * flux for w, flux in own))
    for n, (j, own) in enumerate(edge.states, len(edge.levels)):
        surface = surface.at[stack.junctions[j].film.slots + own, j].set(levels[n])
    volts = state.voltage / stack.thermal_voltage - p[-1]
    return State(u, out.phi, state.rate - rate, surface, out.displacement, out.voltage, volts)


def steady_measures(stack: Stack, edge: Border, state: State) -> tuple[State, Float[Array, " constant"]]:
    """What the rows and the conditions are to be measured by: one-way fluxes and turnovers where they are fluxes."""
    layers, ranges = _flows(stack, state)[0], node_ranges(stack)
    rows, u = jax.tree.map(jnp.ones_like, state), jnp.ones_like(state.u)
    conditions = jnp.ones(len(edge.levels) + len(edge.states) + len(edge.rates) + 1)
    for i, k in _local(stack, edge):
        u = u.at[_row(stack, i, k), ranges[i]].set(_turned(stack, edge, i, k, layers[i]))
    for n, (i, k) in edge.balanced.items():
        conditions = conditions.at[n].set(u[_row(stack, i, k), ranges[i].start])
    for i, k in edge.levels:
        row = _row(stack, i, k)
        u = u.at[row, ranges[i].start].set(1.0)
        if (i, k) in edge.sums:
            easy = jnp.stack([_easy(stack, i, m, layers[i]) for m in edge.sums[i, k]])
            u = u.at[row, ranges[i].start + 1 : ranges[i].stop].set(jnp.max(easy, axis=0) + TINY)
    return eqx.tree_at(lambda s: s.u, rows, u), conditions


def _flows(stack: Stack, state: State) -> Flows:
    """What flows, and TINY beside it: where a carrier is so rare that its flux is no number any more, it is at rest."""
    layers, junctions = flows(stack, state)
    thermal, found = GAS * stack.temperature, []
    for layer, flow in zip(stack.layers, layers, strict=True):
        still = [isinstance(carrier.mobility, Immobile) for carrier in layer.material.carriers]
        both = zip(flow.flux, flow.electrochemical, still, strict=True)
        fluxes = [flux if fixed else flux - TINY * jnp.diff(eta) / thermal for flux, eta, fixed in both]
        resting = [r.law.detailed_balance for r in layer.material.reactions]
        both = zip(flow.turnover, flow.affinity, resting, strict=True)
        turnovers = [one + TINY * affinity / thermal if rests else one for one, affinity, rests in both]
        found.append(eqx.tree_at(lambda f: (f.flux, f.turnover), flow, (tuple(fluxes), tuple(turnovers))))
    return found, junctions


def _easy(stack: Stack, i: int, k: int, flow: LayerFlow) -> Float[Array, " face"]:
    """One-way flux of carrier k of layer i [mol m-2 s-1]: what its flux is to be measured by."""
    carrier, filling = stack.layers[i].material.carriers[k], flow.filling[k]
    h, _ = spacings(stack.layers[i])
    free = carrier.diffusivity(stack.temperature) * carrier.sites / h
    return free * carrier.mobility.one_way(filling[:-1], filling[1:])


def _local(stack: Stack, edge: Border) -> list[tuple[int, int]]:
    """(layer, carrier) that react and whose own balance is a row."""
    found = []
    for i, layer in enumerate(stack.layers):
        for k, carrier in enumerate(layer.material.carriers):
            if (i, k) not in edge.sums and not frozen(layer.material, carrier.species.name):
                found.append((i, k))
    return found


def _alike(stack: Stack, edge: Border, i: int, k: int, flow: LayerFlow) -> tuple[list[int], Int[Array, " node"]]:
    """Carriers of layer i whose balance differs from that of carrier k by a sum that is kept, itself first, and which
    of them there is least of in each cell: its balance is known best and stands for that of k.
    """
    material = stack.layers[i].material
    moving = {m for m, carrier in enumerate(material.carriers) if not isinstance(carrier.mobility, Immobile)}
    sums = [(own, weights) for (layer, own), weights in edge.sums.items() if layer == i]
    same = [k, *(own for own, weights in sums if own != k and moving & set(weights) == {own, k})]
    return same, jnp.argmin(jnp.stack([_leaving(stack, i, m, flow) for m in same]), axis=0)


def _leaving(stack: Stack, i: int, k: int, flow: LayerFlow) -> Float[Array, " node"]:
    """One-way fluxes of carrier k through both faces of each cell of layer i [mol m-2 s-1]."""
    easy = _easy(stack, i, k, flow)
    return jnp.pad(easy, (1, 0)) + jnp.pad(easy, (0, 1))


def _balance(stack: Stack, edge: Border, i: int, k: int, out: State, flow: LayerFlow) -> Float[Array, " node"]:
    """Balance of a reacting carrier in each cell, or the one that stands for it."""
    same, least = _alike(stack, edge, i, k, flow)
    balances = jnp.stack([out.u[_row(stack, i, m), node_ranges(stack)[i]] for m in same])
    return jnp.take_along_axis(balances, least[None], axis=0)[0]


def _turned(stack: Stack, edge: Border, i: int, k: int, flow: LayerFlow) -> Float[Array, " node"]:
    """What that balance is measured by: one-way fluxes and turnovers of the same carrier [mol m-2 s-1]."""
    same, least = _alike(stack, edge, i, k, flow)
    measures = []
    for m in same:
        total = _leaving(stack, i, m, flow) + TINY
        both = zip(stack.layers[i].material.reactions, flow.turnover, flow.affinity, strict=True)
        for reaction, turnover, affinity in both:
            net = -jnp.expm1(-jnp.abs(affinity) / (GAS * stack.temperature))  # share of what is not undone at once
            net = jnp.where(isinstance(reaction.law, Generation) | (net == 0), 1.0, net)
            total = total + abs(_made(reaction, _name(stack, i, m))) * jnp.abs(turnover) / net
        measures.append(total)
    return jax.lax.stop_gradient(jnp.take_along_axis(jnp.stack(measures), least[None], axis=0)[0])


def _name(stack: Stack, i: int, k: int) -> str:
    return stack.layers[i].material.carriers[k].species.name


def _row(stack: Stack, i: int, k: int) -> int:
    """Where carrier k of layer i stands among the species of the stack."""
    return stack.index(_name(stack, i, k))


def steady_conditions(
    stack: Stack, edge: Border, drive: Terminal, state: State, p, missed
) -> Float[Array, " constant"]:
    """What each layer takes in it gives off, or its amount is held (`missed`); the laws of junctions; the drive.

    Sums of fluxes do so where carriers react; of the others stands the balance of the first node.
    """
    flowing, rate = _flows(stack, state), _rates(stack, edge, state, p)
    out, rows = outflow(stack, state, drive, flowing), []
    for n, (held, gain) in enumerate(_gains(stack, edge, flowing, rate)):
        if held is not None:
            rows.append(missed[held])
        elif n in edge.balanced:
            i, k = edge.balanced[n]
            rows.append(_balance(stack, edge, i, k, out, flowing[0][i])[0])
        else:
            rows.append(gain)
    rows += [out.rate[m, j] for j, m in edge.rates]
    return jnp.stack([*rows, out.current])


def _gains(stack: Stack, edge: Border, flowing, rate) -> list[tuple[int | None, Float[Array, ""]]]:
    """Of every level: the inventory it belongs to, and what its layer or state takes in [mol m-2 s-1]."""
    gains = []
    for i, k in edge.levels:
        gain = jnp.zeros(())
        for m, weight in edge.sums.get((i, k), {}).items():
            name = _name(stack, i, m)
            passed = passing(stack, i, name, "right", rate) - passing(stack, i + 1, name, "left", rate)
            gain = gain + weight * passed
        gains.append((edge.held(i, k), gain))
    for j, own in edge.states:
        name = stack.junctions[j].states[own].name
        gain = passing(stack, j, name, "right", rate) - passing(stack, j, name, "left", rate)
        gains.append((edge.inventory.get(("junction", j, own)), gain))
    return gains


def _rates(stack: Stack, edge: Border, state: State, p) -> Float[Array, "reaction junction"]:
    """Rates of the reactions as they stand among the constants."""
    first = len(edge.levels) + len(edge.states)
    rate = jnp.zeros_like(state.rate)
    for n, (j, m) in enumerate(edge.rates, first):
        rate = rate.at[m, j].set(p[n])
    return rate


def _accumulation(stack: Stack, edge: Border, state: State, p) -> Float[Array, ""]:
    """What arrives where an amount is held, over what counts as none."""
    flowing = flows(stack, state)
    gains = _gains(stack, edge, flowing, _rates(stack, edge, state, p))
    worst = jnp.zeros(())
    for (i, k), (n, gain) in zip(edge.levels, gains, strict=False):
        if n is not None and (i, k) in edge.carriers:
            layer, carrier = stack.layers[i], stack.layers[i].material.carriers[k]
            easy = carrier.diffusivity(stack.temperature) * jnp.sum(flowing[0][i].content[k]) / layer.thickness**2
            worst = jnp.maximum(worst, jnp.abs(gain) / jnp.maximum(jnp.abs(state.current) / FARADAY, easy))
    return worst / ACCUMULATION
