"""The only statement of the physics: d/dt storage(stack, state) + outflow(stack, state, drive) = 0.

Unknowns live on nodes (u of each carrier, the potential), on junctions (the rate of each reaction, what the junction
itself stores, the displacement) and on the right metal (its potential, the current). The left metal is at zero.
"""

from __future__ import annotations

import abc
import itertools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.laws import array
from ionics.transport.stack import Layer, Stack, fillings
from ionics.transport.statistics import Filling, Lattice

Scalar = Float[Array, ""]


class State(eqx.Module):
    """Unknowns of a stack, and by the same names the rows of its balance."""

    u: Float[Array, "carrier node"]  # log or logit of the occupancy; 0 where the carrier does not live
    phi: Float[Array, " node"]  # V
    rate: Float[Array, "reaction junction"]  # mol m-2 s-1, left to right; 0 beyond a junction's reactions
    surface: Float[Array, "slot junction"]  # of its film, then of its states; 0 beyond a junction's slots
    displacement: Float[Array, " junction"]  # C m-2, left of the junction's surface charge
    voltage: Scalar  # V, right metal against left metal
    current: Scalar  # A m-2, through the cell from left to right (discharge)


class Drive(eqx.Module):
    """What is held at the terminals."""

    @abc.abstractmethod
    def terminal(self) -> Terminal:
        """The same as weights."""

    def residual(self, voltage: Scalar, current: Scalar) -> Scalar:
        """Vanishes where the drive holds: voltage at the terminals [V], current [A m-2]."""
        return self.terminal().residual(voltage, current)


class Terminal(Drive):
    """of_voltage V + of_current I + of_power V I = value: one formula for every control, so that all share code."""

    of_voltage: Scalar = array()
    of_current: Scalar = array()
    of_power: Scalar = array()
    value: Scalar = array()

    def terminal(self):
        return self

    def residual(self, voltage, current):
        held = self.of_voltage * voltage + self.of_current * current + self.of_power * voltage * current
        return held - self.value


class Voltage(Drive):
    """Terminal voltage held."""

    value: Scalar = array()  # V

    def terminal(self):
        return Terminal(1.0, 0.0, 0.0, self.value)


class Current(Drive):
    """Current density held; open circuit is Current(0)."""

    value: Scalar = array()  # A m-2

    def terminal(self):
        return Terminal(0.0, 1.0, 0.0, self.value)


class Power(Drive):
    """Power density held, positive where the cell delivers it."""

    value: Scalar = array()  # W m-2

    def terminal(self):
        return Terminal(0.0, 0.0, 1.0, self.value)


class Load(Drive):
    """The cell works on a resistance."""

    value: Scalar = array()  # Ohm m2

    def terminal(self):
        return Terminal(1.0, -self.value, 0.0, 0.0)


class LayerFlow(eqx.Module):
    """What flows inside one layer; carriers in the order of its material."""

    flux: tuple[Float[Array, " face"], ...]  # mol m-2 s-1
    displacement: Float[Array, " face"]  # C m-2
    electrochemical: tuple[Float[Array, " node"], ...]  # eta, J mol-1
    chemical: tuple[Float[Array, " node"], ...]  # mu, J mol-1
    content: tuple[Float[Array, " node"], ...]  # mol m-2 in the cell of each node
    filling: tuple[Filling, ...]
    affinity: tuple[Float[Array, " node"], ...]  # of each reaction in the bulk, J mol-1
    turnover: tuple[Float[Array, " node"], ...]  # of each reaction in the cell of each node, mol m-2 s-1


class JunctionFlow(eqx.Module):
    """What drives and passes one junction."""

    affinity: tuple[Scalar, ...]  # J mol-1, of each reaction
    rate: tuple[Scalar, ...]  # mol m-2 s-1
    drop: Scalar  # phi_left - phi_right, V
    displacement: Scalar  # C m-2, the mean of both sides
    resistive: tuple[Scalar, ...]  # share of each affinity that drops in the film, J mol-1
    held: tuple[Scalar, ...]  # amount in each slot: thickness of a film [m], amount of a state [mol m-2]
    stress: tuple[Scalar, ...]  # what drives each slot: affinity of the film's growth, eta of a state, J mol-1
    charge: Scalar  # of the interface, C m-2


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
    material, temperature = layer.material, stack.temperature
    names = [c.species.name for c in material.carriers]
    filled = list(fillings(material, tuple(u[stack.index(name)] for name in names), temperature))
    faster = {}
    for profile in layer.profiles:
        k, x = names.index(profile.species), layer.positions()
        if profile.energy is not None:
            chemical = filled[k].chemical + profile.energy(x) / (GAS * temperature)
            filled[k] = eqx.tree_at(lambda f: f.chemical, filled[k], chemical)
        if profile.log_diffusivity is not None:
            faster[profile.species] = profile.log_diffusivity(0.5 * (x[1:] + x[:-1]))
    fluxes, etas, mus, contents = [], [], [], []
    for carrier, filling in zip(material.carriers, filled, strict=True):
        z, name = carrier.species.charge, carrier.species.name
        drop = z * jnp.diff(phi) / stack.thermal_voltage
        turnover = carrier.mobility.flux(filling[:-1], filling[1:], drop)
        diffusivity = carrier.diffusivity(temperature)
        if name in faster:
            diffusivity = diffusivity * jnp.exp(faster[name])
        if carrier.diffusivity_curve is not None:
            mean = 0.5 * (filling.occupancy[1:] + filling.occupancy[:-1])
            diffusivity = diffusivity * jnp.exp(carrier.diffusivity_curve(mean))
        fluxes.append(diffusivity * carrier.sites / h * turnover)
        mus.append(carrier.standard_potential(temperature) + GAS * temperature * filling.chemical)
        etas.append(mus[-1] + z * FARADAY * phi)
        contents.append(carrier.sites * filling.occupancy * volume)
    displacement = -VACUUM_PERMITTIVITY * material.permittivity * jnp.diff(phi) / h
    affinities, turnovers = [], []
    for reaction in material.reactions:
        terms = [(names.index(name), nu) for name, nu in reaction.consumed]
        terms += [(names.index(name), -nu) for name, nu in reaction.produced]
        affinities.append(sum((nu * etas[k] for k, nu in terms), reaction.level + jnp.zeros_like(phi)))
        forward, backward = log_activities([(filled[k], nu) for k, nu in terms], jnp.zeros_like(phi))
        concentration = {c.species.name: c.sites * f.occupancy for c, f in zip(material.carriers, filled, strict=True)}
        chances = affinities[-1] / (GAS * temperature), forward, backward
        turnovers.append(volume * reaction.law.rate(*chances, concentration, temperature))
    rest = map(tuple, (etas, mus, contents, filled, affinities, turnovers))
    return LayerFlow(tuple(fluxes), displacement, *rest)


def log_activities(terms: list[tuple[Filling, int]], start) -> tuple[Float[Array, ...], Float[Array, ...]]:
    """ln of the occupancies consumed times the empty sites filled, for the forward and the backward reaction.

    terms: a filling and how many of it the forward reaction consumes (negative: produces).
    """
    forward = backward = start
    for filling, nu in terms:
        full, empty = abs(nu) * filling.log_occupancy, abs(nu) * filling.log_vacancy
        forward = forward + (full if nu > 0 else empty)
        backward = backward + (empty if nu > 0 else full)
    return forward, backward


class _Side(eqx.Module):
    """What one side of a junction shows to it: eta and filling of each species, the potential."""

    eta: dict[str, Scalar]
    filling: dict[str, Filling]
    phi: Scalar


def _metal(stack: Stack, phi: Scalar) -> _Side:
    one, nothing = jnp.ones(()), jnp.zeros(())
    eta = {s.name: s.charge * FARADAY * phi for s in stack.species}
    return _Side(eta, dict.fromkeys(eta, Filling(one, nothing, one, nothing, nothing)), phi)


def _surface(layer: Layer, flow: LayerFlow, phi: Scalar, local: int) -> _Side:
    names = [carrier.species.name for carrier in layer.material.carriers]
    eta = {name: own[local] for name, own in zip(names, flow.electrochemical, strict=True)}
    return _Side(eta, {name: own[local] for name, own in zip(names, flow.filling, strict=True)}, phi)


def sides(stack: Stack, state: State, flows: list[LayerFlow]) -> list[tuple[_Side, _Side]]:
    """Left and right side of every junction."""
    faces: list[_Side] = [_metal(stack, jnp.zeros(()))]
    for layer, flow, nodes in zip(stack.layers, flows, node_ranges(stack), strict=True):
        faces.append(_surface(layer, flow, state.phi[nodes.start], 0))
        faces.append(_surface(layer, flow, state.phi[nodes.stop - 1], -1))
    faces.append(_metal(stack, state.voltage))
    return [_with_states(stack, j, faces[2 * j], faces[2 * j + 1], state) for j in range(len(stack.junctions))]


def _with_states(stack: Stack, j: int, left: _Side, right: _Side, state: State) -> tuple[_Side, _Side]:
    """Both sides of a junction, its interface states among the species of either, at the mean potential."""
    junction, eta, filling = stack.junctions[j], {}, {}
    for n, own in enumerate(junction.states):
        w = state.surface[junction.film.slots + n, j]
        filling[own.name] = Lattice().filling(w, stack.temperature)
        eta[own.name] = own.chemical(w, stack.temperature) + own.charge * FARADAY * 0.5 * (left.phi + right.phi)
    first, second = (_Side(side.eta | eta, side.filling | filling, side.phi) for side in (left, right))
    return first, second


Flows = tuple[list[LayerFlow], list[JunctionFlow]]


def flows(stack: Stack, state: State) -> Flows:
    """Everything that flows, layer by layer and junction by junction."""
    layers = [
        layer_flow(stack, layer, state.u[:, nodes], state.phi[nodes])
        for layer, nodes in zip(stack.layers, node_ranges(stack), strict=True)
    ]
    both = sides(stack, state, layers)
    return layers, [_junction_flow(stack, j, left, right, state) for j, (left, right) in enumerate(both)]


def _junction_flow(stack: Stack, j: int, left: _Side, right: _Side, state: State) -> JunctionFlow:
    junction = stack.junctions[j]
    affinities = [r.level + _affinity(r.left, r.right, left, right) for r in junction.reactions]
    rates = [state.rate[m, j] for m in range(len(affinities))]
    own = junction.film.slots
    w = state.surface[:own, j]
    resistance = junction.film.resistance(w, stack.temperature)
    numbers = [charge_number(stack, reaction) for reaction in junction.reactions]
    drop = resistance * FARADAY * sum((n * r for n, r in zip(numbers, rates, strict=True)), jnp.zeros(()))
    held, stress = [], []
    if own:
        held += list(junction.film.stored(w))
        stress += [junction.film.level + _affinity(junction.film.left, junction.film.right, left, right)] * own
    charge = junction.surface_charge
    for n, kept in enumerate(junction.states):
        held.append(kept.stored(state.surface[own + n, j]))
        stress.append(left.eta[kept.name])
        charge = charge + kept.charge * FARADAY * held[-1]
    return JunctionFlow(
        affinity=tuple(affinities),
        rate=tuple(rates),
        drop=left.phi - right.phi,
        displacement=state.displacement[j] + 0.5 * charge,
        resistive=tuple(n * FARADAY * drop for n in numbers),
        held=tuple(held),
        stress=tuple(stress),
        charge=charge,
    )


def _affinity(consumed, produced, left: _Side, right: _Side) -> Scalar:
    """sum(nu eta)_left - sum(nu eta)_right [J mol-1]."""
    gained = sum((nu * right.eta[name] for name, nu in produced), jnp.zeros(()))
    return sum((nu * left.eta[name] for name, nu in consumed), jnp.zeros(())) - gained


def storage(stack: Stack, state: State, flowing: Flows | None = None) -> State:
    """Amounts per area: carriers in the cells of their nodes [mol m-2], films [m] and states [mol m-2] of junctions,
    charge that has gone into the right metal [C m-2], right of the charge of its junction.

    flowing: what `flows` gives for this state, where it is at hand.
    """
    layers, junctions = flowing or flows(stack, state)
    rows = []
    for layer, flow, nodes in zip(stack.layers, layers, node_ranges(stack), strict=True):
        content = dict(zip((c.species.name for c in layer.material.carriers), flow.content, strict=True))
        none = jnp.zeros(nodes.stop - nodes.start)
        rows.append(_by_species([content.get(species.name, none) for species in stack.species], none))
    return State(
        u=jnp.concatenate(rows, axis=1),
        phi=jnp.zeros_like(state.phi),
        rate=jnp.zeros_like(state.rate),
        surface=_by_slot(state, [flow.held for flow in junctions]),
        displacement=jnp.zeros_like(state.displacement),
        voltage=state.displacement[-1] + junctions[-1].charge,
        current=jnp.zeros(()),
    )


def outflow(stack: Stack, state: State, drive: Drive, flowing: Flows | None = None) -> State:
    """What leaves each cell per time, and every algebraic law as something that vanishes.

    Rows: u, net outflow of each carrier [mol m-2 s-1]; phi, Gauss' law [C m-2]; rate, the law of each reaction;
    surface, growth of films [m s-1] and filling of states [mol m-2 s-1], both negative; displacement, the compact layer
    [V]; voltage, current into the right metal [A m-2]; current, the drive.
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
            entering = passing(stack, i, name, "right", state.rate)
            leaving = passing(stack, i + 1, name, "left", state.rate)
            own[name] = jnp.diff(_between(entering, flux, leaving))
            charge = charge + carrier.species.charge * content
        for reaction, turnover in zip(layer.material.reactions, flow.turnover, strict=True):
            for name, nu in reaction.consumed:
                own[name] = own[name] + nu * turnover
            for name, nu in reaction.produced:
                own[name] = own[name] - nu * turnover
        idle = state.u[:, nodes]
        rows.append(_by_species([own.get(s.name, idle[k]) for k, s in enumerate(stack.species)], state.phi[nodes]))
        before = state.displacement[i] + junctions[i].charge
        displacement = _between(before, flow.displacement, state.displacement[i + 1])
        gauss.append(jnp.diff(displacement) - FARADAY * charge)

    both = sides(stack, state, layers)
    laws = [_laws(stack, j, flow, both[j], state) for j, flow in enumerate(junctions)]
    filling = [_gains(stack, j, flow, state) for j, flow in enumerate(junctions)]
    drops = [
        junction.step + flow.drop - junction.compact.elastance() * flow.displacement
        for junction, flow in zip(stack.junctions, junctions, strict=True)
    ]
    arriving = sum(
        (charge_number(stack, r, "right") * state.rate[m, -1] for m, r in enumerate(stack.junctions[-1].reactions)),
        jnp.zeros(()),
    )
    terminal = state.voltage - stack.series_resistance * state.current
    return State(
        u=jnp.concatenate(rows, axis=1),
        phi=jnp.concatenate(gauss),
        rate=jnp.stack(laws, axis=1),
        surface=-_by_slot(state, filling, idle=-state.surface),
        displacement=jnp.stack(drops),
        voltage=FARADAY * arriving - state.current,
        current=drive.residual(terminal, state.current),
    )


def charge_number(stack: Stack, reaction, side: str = "left") -> int:
    """Elementary charges that leave the left side in one turn, or that arrive on the right side."""
    charges = {s.name: s.charge for s in stack.species}
    return sum(nu * charges.get(name, 0) for name, nu in getattr(reaction, side))


def _by_slot(state: State, columns: list, idle=None) -> Float[Array, "slot junction"]:
    """What each junction gives for its slots, as an array; `idle` (zero) beyond them."""
    slots = state.surface.shape[0]
    if slots == 0:
        return state.surface
    idle = jnp.zeros_like(state.surface) if idle is None else idle
    padded = [[*own, *idle[len(own) :, j]] for j, own in enumerate(columns)]
    return jnp.stack([jnp.stack(column) for column in padded], axis=1)


def _gains(stack: Stack, j: int, flow: JunctionFlow, state: State) -> list[Scalar]:
    """Growth of the film [m s-1] and filling of the states [mol m-2 s-1] of a junction."""
    junction = stack.junctions[j]
    own = junction.film.slots
    gains = list(junction.film.growth(state.surface[:own, j], flow.stress[0], stack.temperature)) if own else []
    for kept in junction.states:
        into = passing(stack, j, kept.name, "right", state.rate)
        gains.append(into - passing(stack, j, kept.name, "left", state.rate))
    return gains


def _by_species(rows: list, like: Float[Array, " node"]) -> Float[Array, "carrier node"]:
    """Rows of every species on top of each other; a stack of dielectrics has none."""
    return jnp.stack(rows) if rows else jnp.zeros((0, *like.shape))


def _between(first: Scalar, inner: Float[Array, " face"], last: Scalar) -> Float[Array, " edge"]:
    return jnp.concatenate([first[None], inner, last[None]])


def passing(stack: Stack, j: int, name: str, side: str, rate: Float[Array, "reaction junction"]) -> Scalar:
    """Flux of a species through junction j as its left or right side sees it [mol m-2 s-1]."""
    total = jnp.zeros(())
    for m, reaction in enumerate(stack.junctions[j].reactions):
        for species, nu in getattr(reaction, side):
            if species == name:
                total = total + nu * rate[m, j]
    return total


def _laws(stack: Stack, j: int, flow: JunctionFlow, both: tuple[_Side, _Side], state: State) -> Float[Array, " r"]:
    rows = [state.rate[m, j] for m in range(state.rate.shape[0])]
    for m, reaction in enumerate(stack.junctions[j].reactions):
        electrons = abs(charge_number(stack, reaction)) or abs(charge_number(stack, reaction, "right")) or 1
        terms = [(both[0].filling[name], nu) for name, nu in reaction.left]
        terms += [(both[1].filling[name], -nu) for name, nu in reaction.right]
        activities = log_activities(terms, jnp.zeros(()))
        affinity = flow.affinity[m] - flow.resistive[m]
        rows[m] = reaction.law.residual(flow.rate[m], affinity, electrons, activities, stack.temperature)
    return jnp.stack(rows) if rows else jnp.zeros(0)


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
        names = [c.species.name for c in layer.material.carriers]
        own = dict(
            zip(names, zip(layer.material.carriers, flow.filling, flow.electrochemical, strict=True), strict=True)
        )
        theta, c, energy = [], [], []
        for species in stack.species:
            if species.name in own:
                carrier, filling, potential = own[species.name]
                theta.append(filling.occupancy)
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
