"""Steady state: nothing accumulates anywhere while a voltage or a current is held."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY
from ionics.transport.balance import Current, Drive, State, Voltage, flows, node_ranges, outflow
from ionics.transport.equilibrium import NotConverged, checked, equilibrium, inventory_rows, sentences, still
from ionics.transport.freedom import Freedom, analyse
from ionics.transport.linear import Layout
from ionics.transport.newton import NO_STEADY_STATE, OK, Solution, newton
from ionics.transport.stack import Stack

SMALLEST = 1e-3  # of the way from the start to the drive, before continuation gives up
ACCUMULATION = 1e-6  # largest flux into a held amount that counts as none, in units of the current or of 1 A/m2


def steady(stack: Stack, drive: Drive, start: Solution | None = None, throw: bool = True) -> Solution:
    """The steady state under a drive, from equilibrium (or `start`) by continuation in the drive.

    Carriers that cannot leave the stack keep the amount they have at the start. Raises NotConverged where there is
    no steady state (a carrier arrives where it cannot leave: a battery under current) or none is found.
    """
    start = equilibrium(stack) if start is None else start
    freedom = analyse(stack, voltage=isinstance(drive, Voltage), flowing=True)
    if isinstance(drive, Current) and freedom.voltage and float(drive.value) != 0:
        raise NotConverged("no direct current can pass: no carrier connects the two contacts")
    begin = _held(drive, start.state, stack)
    done, step, solution = 0.0, 1.0, start
    while done < 1.0:
        part = min(1.0, done + step)
        target = type(drive)(begin + part * (drive.value - begin))
        trial = _steady(stack, freedom, target, solution.state, start.state)
        if int(trial.result) == OK:
            solution, done, step = trial, part, 2 * step
        elif int(trial.result) == NO_STEADY_STATE or step < SMALLEST:
            return checked(trial, throw)
        else:
            step /= 4
    return solution


@eqx.filter_jit
def _steady(stack: Stack, freedom: Freedom, drive: Drive, guess: State, reference: State) -> Solution:
    """One Newton solve; `reference` carries the amounts of what cannot leave."""
    layout = Layout(stack)
    held = freedom.inventories
    means = mean_occupancies(stack, held, reference)
    ranges = node_ranges(stack)

    def rows(given, state, p):
        flowing = flows(given[0], state)
        out = still(given[0], outflow(given[0], state, given[1], flowing), state, reference, flowing)
        if not held:
            return out
        layers, _ = flowing
        u = out.u
        for n, inventory in enumerate(held):
            i = freedom.regions[inventory.region].layers[0]
            eta = _eta(given[0], layers, i, inventory.species)
            node = ranges[i].start
            thermal = given[0].thermal_voltage * FARADAY
            u = u.at[given[0].index(inventory.species), node].set(eta[0] / thermal - p[n])
        return eqx.tree_at(lambda s: s.u, out, u)

    def conditions(given, state, p):
        rows = inventory_rows(given[0], held, state, given[2])
        return jnp.stack(rows) if rows else jnp.zeros(0)

    layers, _ = flows(stack, guess)
    thermal = stack.thermal_voltage * FARADAY
    start = [_eta(stack, layers, freedom.regions[h.region].layers[0], h.species)[0] / thermal for h in held]
    constants = jnp.stack(start) if start else jnp.zeros(0)
    state, _, result, steps, size = newton(
        rows,
        conditions,
        layout,
        jax.lax.stop_gradient(stack.thermal_voltage),
        guess,
        constants,
        (stack, drive, means),
    )
    arriving = _accumulation(stack, freedom, drive, state)
    result = jnp.where((result == OK) & (arriving > ACCUMULATION), NO_STEADY_STATE, result)
    return Solution(state, result, steps, size, tuple(sentences(stack, freedom, 0)))


def mean_occupancies(stack: Stack, held, state: State) -> Float[Array, " inventory"]:
    """Mean occupancy of each held carrier over its layers in a state."""
    layers, _ = flows(stack, state)
    means = []
    for inventory in held:
        amount = room = jnp.zeros(())
        for i in inventory.layers:
            names = [c.species.name for c in stack.layers[i].material.carriers]
            k = names.index(inventory.species)
            amount = amount + jnp.sum(layers[i].content[k])
            room = room + stack.layers[i].material.carriers[k].sites * stack.layers[i].thickness
        means.append(amount / room)
    return jnp.stack(means) if means else jnp.zeros(0)


def _held(drive: Drive, state: State, stack: Stack) -> Float[Array, ""]:
    if isinstance(drive, Current):
        return state.current
    return state.voltage - stack.series_resistance * state.current


def _eta(stack: Stack, layers, i: int, species: str) -> Float[Array, " node"]:
    names = [c.species.name for c in stack.layers[i].material.carriers]
    return layers[i].electrochemical[names.index(species)]


def _accumulation(stack: Stack, freedom: Freedom, drive: Drive, state: State) -> Float[Array, ""]:
    """Largest flux into a node whose balance was traded for a held amount.

    Relative to the current or to what one RT across the layer would drive, whichever is larger.
    """
    rows = outflow(stack, state, drive).u
    ranges = node_ranges(stack)
    worst = jnp.zeros(())
    for held in freedom.inventories:
        i = freedom.regions[held.region].layers[0]
        layer = stack.layers[i]
        carrier = next(c for c in layer.material.carriers if c.species.name == held.species)
        easy = carrier.diffusivity(stack.temperature) * carrier.sites * carrier.occupancy / layer.thickness
        flux = jnp.abs(rows[stack.index(held.species), ranges[i].start])
        worst = jnp.maximum(worst, flux / jnp.maximum(jnp.abs(state.current) / FARADAY, easy))
    return worst
