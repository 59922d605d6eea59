"""The only statement of the physics: d/dt storage(stack, state) + outflow(stack, state, drive) = 0.

Unknowns live on nodes (u of each carrier, the potential), on junctions (the rate of each reaction, the displacement)
and on the right metal (its potential, the current). The left metal is at zero potential.
"""

from __future__ import annotations

import abc
import itertools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.laws import array
from ionics.transport.stack import Carrier, Layer, Stack

Scalar = Float[Array, ""]


class State(eqx.Module):
    """Unknowns of a stack, and by the same names the rows of its balance."""

    u: Float[Array, "carrier node"]  # log or logit of the occupancy; 0 where the carrier does not live
    phi: Float[Array, " node"]  # V
    rate: Float[Array, "reaction junction"]  # mol m-2 s-1, left to right; 0 beyond a junction's reactions
    displacement: Float[Array, " junction"]  # C m-2, left of the junction's surface charge
    voltage: Scalar  # V, right metal against left metal
    current: Scalar  # A m-2, through the cell from left to right (discharge)


class Drive(eqx.Module):
    """What is held at the terminals."""

    value: eqx.AbstractVar[Scalar]

    @abc.abstractmethod
    def residual(self, voltage: Scalar, current: Scalar) -> Scalar: ...


class Voltage(Drive):
    """Terminal voltage held."""

    value: Scalar = array()  # V

    def residual(self, voltage, current):
        return voltage - self.value


class Current(Drive):
    """Current density held."""

    value: Scalar = array()  # A m-2

    def residual(self, voltage, current):
        return current - self.value


class LayerFlow(eqx.Module):
    """What flows inside one layer; carriers in the order of its material."""

    flux: tuple[Float[Array, " face"], ...]  # mol m-2 s-1
    displacement: Float[Array, " face"]  # C m-2
    electrochemical: tuple[Float[Array, " node"], ...]  # eta, J mol-1
    chemical: tuple[Float[Array, " node"], ...]  # mu, J mol-1
    content: tuple[Float[Array, " node"], ...]  # mol m-2 in the cell of each node


class JunctionFlow(eqx.Module):
    """What drives and passes one junction."""

    affinity: tuple[Scalar, ...]  # J mol-1, of each reaction
    rate: tuple[Scalar, ...]  # mol m-2 s-1
    drop: Scalar  # phi_left - phi_right, V
    displacement: Scalar  # C m-2


def node_ranges(stack: Stack) -> list[slice]:
    """Where each layer's nodes stand among all nodes."""
    ends = [0]
    for layer in stack.layers:
        ends.append(ends[-1] + layer.nodes)
    return [slice(a, b) for a, b in itertools.pairwise(ends)]


def spacings(layer: Layer) -> tuple[Float[Array, " face"], Float[Array, " node"]]:
    """Distances between nodes and cell volumes per area, half cells at the ends [m]."""
    h = layer.spacing * layer.thickness
    volume = 0.5 * (jnp.pad(h, (1, 0)) + jnp.pad(h, (0, 1)))
    return h, volume


def layer_flow(stack: Stack, layer: Layer, u: Float[Array, "carrier node"], phi: Float[Array, " node"]) -> LayerFlow:
    """Fluxes, potentials and contents of one layer from its own nodes."""
    h, volume = spacings(layer)
    temperature, thermal = stack.temperature, stack.thermal_voltage
    fluxes, etas, mus, contents = [], [], [], []
    for carrier in layer.material.carriers:
        z, own = carrier.species.charge, u[stack.index(carrier.species.name)]
        drop = z * jnp.diff(phi) / thermal
        turnover = carrier.mobility.flux(carrier.statistics, own[:-1], own[1:], drop, temperature)
        fluxes.append(carrier.diffusivity(temperature) * carrier.sites / h * turnover)
        mu = chemical_potential(carrier, own, temperature)
        mus.append(mu)
        etas.append(mu + z * FARADAY * phi)
        contents.append(carrier.sites * carrier.statistics.occupancy(own) * volume)
    displacement = -VACUUM_PERMITTIVITY * layer.material.permittivity * jnp.diff(phi) / h
    return LayerFlow(tuple(fluxes), displacement, tuple(etas), tuple(mus), tuple(contents))


def chemical_potential(carrier: Carrier, u: Float[Array, " node"], temperature: Scalar) -> Float[Array, " node"]:
    """mu [J mol-1]."""
    ideal = GAS * temperature * carrier.statistics.chemical(u, temperature)
    return carrier.standard_potential(temperature) + ideal


class _Side(eqx.Module):
    """What one side of a junction shows to it: eta, occupancy and vacancy of each species, the potential."""

    eta: dict[str, Scalar]
    occupancy: dict[str, Scalar]
    vacancy: dict[str, Scalar]
    phi: Scalar


def _metal(stack: Stack, phi: Scalar) -> _Side:
    one = jnp.ones(())
    names = [s.name for s in stack.species]
    eta = {s.name: s.charge * FARADAY * phi for s in stack.species}
    return _Side(eta, dict.fromkeys(names, one), dict.fromkeys(names, one), phi)


def _surface(stack: Stack, layer: Layer, flow: LayerFlow, state: State, node: int, local: int) -> _Side:
    eta, occupancy, vacancy = {}, {}, {}
    for carrier, own in zip(layer.material.carriers, flow.electrochemical, strict=True):
        name = carrier.species.name
        u = state.u[stack.index(name), node]
        eta[name] = own[local]
        occupancy[name], vacancy[name] = carrier.statistics.occupancy(u), carrier.statistics.vacancy(u)
    return _Side(eta, occupancy, vacancy, state.phi[node])


def sides(stack: Stack, state: State, flows: list[LayerFlow]) -> list[tuple[_Side, _Side]]:
    """Left and right side of every junction."""
    ranges = node_ranges(stack)
    faces: list[_Side] = [_metal(stack, jnp.zeros(()))]
    for layer, flow, nodes in zip(stack.layers, flows, ranges, strict=True):
        faces.append(_surface(stack, layer, flow, state, nodes.start, 0))
        faces.append(_surface(stack, layer, flow, state, nodes.stop - 1, -1))
    faces.append(_metal(stack, state.voltage))
    return [(faces[2 * j], faces[2 * j + 1]) for j in range(len(stack.junctions))]


Flows = tuple[list[LayerFlow], list[JunctionFlow]]


def flows(stack: Stack, state: State) -> Flows:
    """Everything that flows, layer by layer and junction by junction."""
    layers = [
        layer_flow(stack, layer, state.u[:, nodes], state.phi[nodes])
        for layer, nodes in zip(stack.layers, node_ranges(stack), strict=True)
    ]
    junctions = []
    for j, (left, right) in enumerate(sides(stack, state, layers)):
        affinity = [
            reaction.level
            + sum(nu * left.eta[name] for name, nu in reaction.left)
            - sum(nu * right.eta[name] for name, nu in reaction.right)
            for reaction in stack.junctions[j].reactions
        ]
        rate = tuple(state.rate[m, j] for m in range(len(affinity)))
        junctions.append(JunctionFlow(tuple(affinity), rate, left.phi - right.phi, state.displacement[j]))
    return layers, junctions


def storage(stack: Stack, state: State, flowing: Flows | None = None) -> State:
    """Amounts per area: carriers in the cells of their nodes [mol m-2], charge on the right metal [C m-2].

    flowing: what `flows` gives for this state, where it is at hand.
    """
    layers, _ = flowing or flows(stack, state)
    rows = []
    for layer, flow, nodes in zip(stack.layers, layers, node_ranges(stack), strict=True):
        content = dict(zip((c.species.name for c in layer.material.carriers), flow.content, strict=True))
        none = jnp.zeros(nodes.stop - nodes.start)
        rows.append(_by_species([content.get(species.name, none) for species in stack.species], none))
    return State(
        u=jnp.concatenate(rows, axis=1),
        phi=jnp.zeros_like(state.phi),
        rate=jnp.zeros_like(state.rate),
        displacement=jnp.zeros_like(state.displacement),
        voltage=state.displacement[-1],
        current=jnp.zeros(()),
    )


def outflow(stack: Stack, state: State, drive: Drive, flowing: Flows | None = None) -> State:
    """What leaves each cell per time, and every algebraic law as something that vanishes.

    Rows: u, net outflow of each carrier [mol m-2 s-1]; phi, Gauss' law [C m-2]; rate, the law of each reaction;
    displacement, the compact layer [V]; voltage, current into the right metal [A m-2]; current, the drive.
    flowing: what `flows` gives for this state, where it is at hand.
    """
    layers, junctions = flowing or flows(stack, state)
    rows, gauss = [], []
    for i, (layer, flow, nodes) in enumerate(zip(stack.layers, layers, node_ranges(stack), strict=True)):
        _, volume = spacings(layer)
        charge = layer.material.fixed_charge * volume
        own = {}
        for carrier, flux, content in zip(layer.material.carriers, flow.flux, flow.content, strict=True):
            name = carrier.species.name
            entering = _passing(stack, i, name, "right", state)
            leaving = _passing(stack, i + 1, name, "left", state)
            own[name] = jnp.diff(_between(entering, flux, leaving))
            charge = charge + carrier.species.charge * content
        idle = state.u[:, nodes]
        rows.append(_by_species([own.get(s.name, idle[k]) for k, s in enumerate(stack.species)], state.phi[nodes]))
        before = state.displacement[i] + stack.junctions[i].surface_charge
        displacement = _between(before, flow.displacement, state.displacement[i + 1])
        gauss.append(jnp.diff(displacement) - FARADAY * charge)

    both = sides(stack, state, layers)
    laws = [_laws(stack, j, flow, both[j], state) for j, flow in enumerate(junctions)]
    drops = [
        junction.step + flow.drop - junction.compact.elastance() * (flow.displacement + 0.5 * junction.surface_charge)
        for junction, flow in zip(stack.junctions, junctions, strict=True)
    ]
    arriving = sum(
        (charge_number(stack, r) * state.rate[m, -1] for m, r in enumerate(stack.junctions[-1].reactions)),
        jnp.zeros(()),
    )
    terminal = state.voltage - stack.series_resistance * state.current
    return State(
        u=jnp.concatenate(rows, axis=1),
        phi=jnp.concatenate(gauss),
        rate=jnp.stack(laws, axis=1),
        displacement=jnp.stack(drops),
        voltage=FARADAY * arriving - state.current,
        current=drive.residual(terminal, state.current),
    )


def charge_number(stack: Stack, reaction) -> int:
    """Elementary charges carried from left to right in one turn."""
    return sum(nu * stack.species[stack.index(name)].charge for name, nu in reaction.left)


def _by_species(rows: list, like: Float[Array, " node"]) -> Float[Array, "carrier node"]:
    """Rows of every species on top of each other; a stack of dielectrics has none."""
    return jnp.stack(rows) if rows else jnp.zeros((0, *like.shape))


def _between(first: Scalar, inner: Float[Array, " face"], last: Scalar) -> Float[Array, " edge"]:
    return jnp.concatenate([first[None], inner, last[None]])


def _passing(stack: Stack, j: int, name: str, side: str, state: State) -> Scalar:
    """Flux of a species through junction j as its left or right side sees it [mol m-2 s-1]."""
    total = jnp.zeros(())
    for m, reaction in enumerate(stack.junctions[j].reactions):
        for species, nu in getattr(reaction, side):
            if species == name:
                total = total + nu * state.rate[m, j]
    return total


def _laws(stack: Stack, j: int, flow: JunctionFlow, both: tuple[_Side, _Side], state: State) -> Float[Array, " r"]:
    rows = [state.rate[m, j] for m in range(state.rate.shape[0])]
    for m, reaction in enumerate(stack.junctions[j].reactions):
        electrons = abs(charge_number(stack, reaction)) or 1
        activities = _activities(reaction, both)
        rows[m] = reaction.law.residual(flow.rate[m], flow.affinity[m], electrons, activities, stack.temperature)
    return jnp.stack(rows) if rows else jnp.zeros(0)


def _activities(reaction, both: tuple[_Side, _Side]) -> tuple[Scalar, Scalar]:
    """Occupancies consumed times empty sites filled, for the forward and the backward reaction."""
    forward = backward = jnp.ones(())
    for side, terms, sign in ((both[0], reaction.left, 1), (both[1], reaction.right, -1)):
        for name, nu in terms:
            full, empty = side.occupancy[name] ** abs(nu), side.vacancy[name] ** abs(nu)
            if sign * nu > 0:
                forward, backward = forward * full, backward * empty
            else:
                forward, backward = forward * empty, backward * full
    return forward, backward


class Profiles(eqx.Module):
    """A state as one draws it. NaN where a carrier does not live."""

    x: Float[Array, " node"]  # m from the left contact
    layer: Int[Array, " node"]  # index
    potential: Float[Array, " node"]  # V
    occupancy: Float[Array, "carrier node"]  # 1
    concentration: Float[Array, "carrier node"]  # mol m-3
    electrochemical: Float[Array, "carrier node"]  # eta / F, V


def profiles(stack: Stack, state: State) -> Profiles:
    """Positions, potential and the profiles of every carrier."""
    x, index, occupancy, concentration, eta = [], [], [], [], []
    start = jnp.zeros(())
    layers, _ = flows(stack, state)
    for i, (layer, flow, nodes) in enumerate(zip(stack.layers, layers, node_ranges(stack), strict=True)):
        nothing = jnp.full(nodes.stop - nodes.start, jnp.nan)
        own = {c.species.name: (c, e) for c, e in zip(layer.material.carriers, flow.electrochemical, strict=True)}
        theta, c, energy = [], [], []
        for k, species in enumerate(stack.species):
            if species.name in own:
                carrier, potential = own[species.name]
                theta.append(carrier.statistics.occupancy(state.u[k, nodes]))
                c.append(carrier.sites * theta[-1])
                energy.append(potential / FARADAY)
            else:
                for rows in (theta, c, energy):
                    rows.append(nothing)
        for found, rows in ((occupancy, theta), (concentration, c), (eta, energy)):
            found.append(_by_species(rows, nothing))
        x.append(start + layer.positions())
        index.append(jnp.full(layer.nodes, i))
        start = start + layer.thickness
    joined = [jnp.concatenate(v, axis=1) for v in (occupancy, concentration, eta)]
    return Profiles(jnp.concatenate(x), jnp.concatenate(index), state.phi, *joined)
