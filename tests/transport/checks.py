"""What a solved stack must obey (PHYSICS section 8), each violation in words. No tolerance is looser than rounding.

A flux is the small difference of two large one-way fluxes D c / h, so what a face can say about it ends at some
1e-16 of those; tolerances are multiples of that.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ionics.constants import FARADAY, GAS
from ionics.kinetics.bulk import Generation
from ionics.kinetics.rates import Blocked
from ionics.transport.balance import Drive, flows, outflow, spacings
from ionics.transport.freedom import frozen
from ionics.transport.newton import Solution
from ionics.transport.stack import Stack

FLAT = 1e-7  # RT, of an electrochemical potential at equilibrium
ROUNDING = 1e-11  # of a one-way flux
RELATIVE = 1e-6  # of a flux
NOTHING = 1e-25  # mol m-2 s-1: less than an elementary charge per second and square metre


@eqx.filter_jit
def _observed(stack: Stack, state, drive: Drive):
    layers, junctions = flows(stack, state)
    rows = outflow(stack, state, drive)
    oneway, charge = [], []
    for layer, flow in zip(stack.layers, layers, strict=True):
        h, volume = spacings(layer)
        ways, total = [], jnp.abs(layer.material.fixed_charge) * volume
        for carrier, content in zip(layer.material.carriers, flow.content, strict=True):
            c = content / volume
            ways.append(carrier.diffusivity(stack.temperature) * jnp.maximum(c[1:], c[:-1]) / h)
            total = total + abs(carrier.species.charge) * content
        oneway.append(tuple(ways))
        charge.append(total)
    return layers, junctions, rows, oneway, charge


def _numpy(tree):
    import jax

    return jax.tree.map(np.asarray, tree)


def at_rest(stack: Stack, solution: Solution, drive: Drive) -> list[str]:
    """Violations of an equilibrium state."""
    layers, junctions, rows, oneway, charge = _numpy(_observed(stack, solution.state, drive))
    wrong = _finite(solution) + _gauss(stack, layers, rows, charge)
    thermal = GAS * float(stack.temperature)
    for layer, flow, ways in zip(stack.layers, layers, oneway, strict=True):
        for carrier, eta, flux, way in zip(layer.material.carriers, flow.electrochemical, flow.flux, ways, strict=True):
            name = f"{carrier.species.name} in {layer.name}"
            if not frozen(layer.material, carrier.species.name) and not np.ptp(eta) < FLAT * thermal:
                wrong.append(f"eta of {name} varies by {np.ptp(eta) / thermal:.1e} RT")
            drop = abs(carrier.species.charge) * np.abs(np.diff(_potential(stack, solution, layer))) * FARADAY / thermal
            if not np.all(np.abs(flux) <= FLAT * way * (1 + drop)):
                wrong.append(f"flux of {name} is {np.max(np.abs(flux) / way):.1e} of one way")
        for reaction, affinity in zip(layer.material.reactions, flow.affinity, strict=True):
            if not isinstance(reaction.law, Generation) and not np.all(np.abs(affinity) < FLAT * thermal):
                wrong.append(f"affinity in the bulk of {layer.name} is {np.max(np.abs(affinity)) / thermal:.1e} RT")
    for j, (junction, flow) in enumerate(zip(stack.junctions, junctions, strict=True)):
        for reaction, affinity in zip(junction.reactions, flow.affinity, strict=True):
            if not isinstance(reaction.law, Blocked) and not abs(affinity) < FLAT * thermal:
                wrong.append(f"affinity at junction {j} is {affinity / thermal:.1e} RT")
    return wrong


def under_drive(stack: Stack, solution: Solution, drive: Drive) -> list[str]:
    """Violations of a steady state."""
    layers, junctions, rows, oneway, charge = _numpy(_observed(stack, solution.state, drive))
    wrong = _finite(solution) + _gauss(stack, layers, rows, charge)
    thermal = GAS * float(stack.temperature)
    current, known = float(solution.state.current), {}
    for i, (layer, flow, ways) in enumerate(zip(stack.layers, layers, oneway, strict=True)):
        phi = _potential(stack, solution, layer)
        total, noise = np.zeros(layer.nodes - 1), np.zeros(layer.nodes - 1)
        for carrier, eta, flux, way in zip(layer.material.carriers, flow.electrochemical, flow.flux, ways, strict=True):
            z, name = carrier.species.charge, f"{carrier.species.name} in {layer.name}"
            own = ROUNDING * way * (1 + np.abs(z * np.diff(phi)) * FARADAY / thermal)
            best = np.argmin(own)
            known[i, carrier.species.name] = float(own[best])
            made, unsure = _made(layer, flow, carrier.species.name, thermal)
            kept, uncertain = flux - made, own + np.cumsum(unsure)[-1]
            missed = RELATIVE * (np.abs(flux[best]) + np.abs(made).max()) + uncertain + uncertain.max()
            if not np.all(np.abs(kept - kept[best]) <= missed):
                wrong.append(f"flux of {name} varies by {np.ptp(kept):.1e} about {kept[best]:.1e} ({missed.max():.1e})")
            if not np.all(flux * -np.diff(eta) >= -own * (np.abs(np.diff(eta)) + 1e-10 * thermal)):
                wrong.append(f"negative entropy production of {name}")
            total, noise = total + z * FARADAY * flux, noise + abs(z) * FARADAY * uncertain
        if not np.all(np.abs(total - current) <= RELATIVE * abs(current) + noise + noise.max()):
            wrong.append(f"current in {layer.name} is {total[np.argmin(noise)]:.3e}, at the terminals {current:.3e}")
    for j, (junction, flow) in enumerate(zip(stack.junctions, junctions, strict=True)):
        for reaction, affinity, rate in zip(junction.reactions, flow.affinity, flow.rate, strict=True):
            if isinstance(reaction.law, Blocked):
                if not abs(rate) < 1e-20:
                    wrong.append(f"a blocked reaction at junction {j} runs at {rate:.1e}")
                continue
            names = [name for name, _ in (*reaction.left, *reaction.right)]
            unsure = NOTHING + max((known.get((i, name), 0.0) for i in (j - 1, j) for name in names), default=0.0)
            if not affinity * rate >= -1e-9 * thermal * abs(rate) - max(thermal, abs(affinity)) * unsure:
                wrong.append(f"negative entropy production at junction {j}: {affinity / thermal:.1e} RT, {rate:.1e}")
    if not abs(float(rows.current)) <= 1e-8 * max(1.0, abs(float(drive.value))):
        wrong.append(f"the drive is missed by {float(rows.current):.1e}")
    return wrong


def _made(layer, flow, name: str, thermal: float):
    """What reactions make of a carrier left of each face beyond the first, and what rounding leaves open of it.

    The affinity ends at some 1e-13 RT; a turnover r = f (1 - exp(-a)) then at 1e-13 f.
    """
    made, unsure = np.zeros(layer.nodes - 1), np.zeros(layer.nodes - 1)
    for reaction, affinity, turnover in zip(layer.material.reactions, flow.affinity, flow.turnover, strict=True):
        nu = dict(reaction.produced).get(name, 0) - dict(reaction.consumed).get(name, 0)
        if nu:
            gross = np.abs(turnover) / np.maximum(-np.expm1(-np.abs(affinity) / thermal), ROUNDING)
            made[1:] += nu * np.cumsum(turnover[1:-1])
            unsure[1:] += abs(nu) * ROUNDING * gross[1:-1]
    return made, unsure


def _potential(stack: Stack, solution: Solution, layer):
    start = 0
    for one in stack.layers:
        if one is layer:
            return np.asarray(solution.state.phi)[start : start + layer.nodes]
        start += one.nodes
    raise KeyError(layer.name)


def _finite(solution: Solution) -> list[str]:
    import jax

    return [] if all(bool(np.all(np.isfinite(a))) for a in jax.tree.leaves(solution.state)) else ["not finite"]


def _gauss(stack: Stack, layers, rows, charge) -> list[str]:
    start, wrong = 0, []
    for layer, flow, amount in zip(stack.layers, layers, charge, strict=True):
        missed = np.abs(rows.phi[start : start + layer.nodes])
        start += layer.nodes
        field = np.abs(flow.displacement)
        noise = FARADAY * amount + np.pad(field, (1, 0), mode="edge") + np.pad(field, (0, 1), mode="edge")
        # the field is a difference of potentials of some volts
        h = np.asarray(layer.spacing * layer.thickness)
        volts = np.abs(flow.displacement) * 0 + 1e-14 * 8.854e-12 * float(layer.material.permittivity) / h
        noise = 1e-9 * noise + 100 * (np.pad(volts, (1, 0), mode="edge") + np.pad(volts, (0, 1), mode="edge"))
        if not np.all(missed <= noise):
            wrong.append(f"Gauss' law in {layer.name} is missed by {np.max(missed / noise):.1e}")
    return wrong
