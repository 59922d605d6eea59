"""Small-signal impedance: the exact linearisation of the balance about a state, all frequencies at once."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Complex, Float

from ionics.constants import FARADAY, VACUUM_PERMITTIVITY
from ionics.transport import batches
from ionics.transport.balance import Flows, JunctionFlow, LayerFlow, State, spacings
from ionics.transport.equilibrium import equilibrium
from ionics.transport.newton import Solution
from ionics.transport.stack import Junction, Layer, Stack, Unit, debye_length, reservoir
from ionics.transport.tangent import Tangent, along_waves, in_turns

Frequencies = Float[Array, " frequency"] | Float[np.ndarray, " frequency"] | Sequence[float] | float  # Hz
SERIES = "series resistance"
ZONES = ("space charge on the left", "bulk", "space charge on the right")
TOGETHER = 1  # stacks of a batch at once: their frequencies fill the vectors of a processor
CACHED = 400_000  # complex numbers, 6 MB: as many frequencies at once as leave the matrices in a processor's cache


class Impedance(eqx.Module):
    """Impedance of a stack and the share of each layer, junction and space charge in it."""

    frequency: Float[Array, " frequency"]  # Hz
    z: Complex[Array, " frequency"]  # Ohm m2, with the series resistance
    parts: Complex[Array, "element frequency"]  # Ohm m2, summing to z
    zones: Complex[Array, "layer zone frequency"]  # Ohm m2, summing to the layer's part; ZONES from left to right
    reach: Float[Array, "layer 2"]  # m, how far the space charge reaches in from the left and the right end
    elements: tuple[str, ...] = eqx.field(static=True)

    def pieces(self) -> tuple[tuple[str, ...], Complex[Array, "piece frequency"]]:
        """Names and shares with every layer cut into its zones: "film, bulk". They sum to z."""
        names, shares = [], []
        for i, name in enumerate(self.elements):
            of_layer = i % 2 == 1 and i < 2 * self.zones.shape[0]
            names += [f"{name}, {zone}" for zone in ZONES] if of_layer else [name]
            shares.append(self.zones[i // 2] if of_layer else self.parts[i : i + 1])
        return tuple(names), jnp.concatenate(shares)


def impedance(
    stack: Stack, about: Solution | State, frequency: Frequencies, lengths: Float[Array, ""] | float = 5.0
) -> Impedance:
    """Z = -dV/dI [Ohm m2] at frequencies [Hz] about any steady or equilibrium state, at rest or under current.

    The shares of the elements are those of the complex power, by Tellegen's theorem: flux times drop in eta and
    displacement current times drop in potential on faces, storage current times chemical potential and turnover times
    affinity on nodes. In a chain of two-terminal elements each share is the impedance of that element; the shares add
    up to Z exactly, and the real part of each is what it dissipates. Repeated units count as often as they stand in
    series.

    A layer's share is cut once more where the space charges at its ends end: see `space_charge`. lengths: Debye
    lengths that count as space charge even where nothing is charged at rest.
    """
    state = about.state if isinstance(about, Solution) else about
    if stack.units and not isinstance(state.current, Tracer) and float(state.current) != 0:
        raise ValueError("the impedance of a repeated unit is known at equilibrium only, not under current")
    frequency = jnp.atleast_1d(jnp.asarray(frequency, float))
    return _together(stack, state, frequency, jnp.asarray(lengths, float))


@eqx.filter_jit
def _impedance(stack: Stack, state: State, frequency, lengths) -> Impedance:
    z, parts, zones, reach = _alone(stack, state, frequency, lengths)
    z = z + stack.series_resistance
    for unit in stack.units:
        alone = unit_alone(stack, unit)
        rest = equilibrium(alone, throw=False).state
        own, inside, cut, _ = _alone(alone, rest, frequency, lengths)
        more, first = unit.count - 1, 1 + 2 * unit.first
        z = z + more * own
        parts = parts.at[first : first + inside.shape[0] - 2].add(more * inside[1:-1])
        zones = zones.at[unit.first : unit.last + 1].add(more * cut)
    series = jnp.broadcast_to(stack.series_resistance.astype(complex), (1, *frequency.shape))
    return Impedance(frequency, z, jnp.concatenate([parts, series]), zones, reach, (*elements(stack), SERIES))


_together = eqx.filter_jit(batches.in_turns(_impedance, TOGETHER))


def _alone(stack: Stack, state: State, frequency, lengths=5.0):
    """Z, shares of elements and zones, reach of the space charges; each layer stands once, no series resistance."""
    tangent = Tangent(stack, state)
    both = list(zip(stack.layers, tangent.flowing[0], strict=True))
    reach = jax.lax.stop_gradient(jnp.stack([space_charge(stack, layer, flow, lengths) for layer, flow in both]))
    weights = [_zone_weights(layer, ends) for layer, ends in zip(stack.layers, reach, strict=True)]

    def answer(frequency):
        change = tangent.response(tangent.factors(frequency), frequency)
        slopes = along_waves(lambda dx: tangent.along(dx)[2], change)
        return -change[-1, -1], *_shares(tangent, weights, frequency, change[:, -1], slopes)

    return *in_turns(answer, tangent.layout, frequency, CACHED), reach


def elements(stack: Stack) -> tuple[str, ...]:
    """Names of junctions and layers in the order they stand."""
    names = [stack.junctions[0].name]
    for layer, junction in zip(stack.layers, stack.junctions[1:], strict=True):
        names += [layer.name, junction.name]
    return tuple(names)


def unit_alone(stack: Stack, unit: Unit) -> Stack:
    """The layers of a repeated unit between reservoirs: what each further copy adds."""
    layers = stack.layers[unit.first : unit.last + 1]
    inner = stack.junctions[unit.first + 1 : unit.last + 1]
    ends = [
        Junction(side, reservoir(layer.material, side, stack.temperature))
        for side, layer in (("left", layers[0]), ("right", layers[-1]))
    ]
    return Stack(stack.species, layers, (ends[0], *inner, ends[1]), stack.temperature)


def space_charge(
    stack: Stack, layer: Layer, flow: LayerFlow, lengths: Float[Array, ""] | float = 5.0
) -> Float[Array, " 2"]:
    """How far the space charges at the left and the right end of a layer reach in [m], each at most to the middle.

    As far from the end as the charge density at rest stays above exp(-lengths) eps RT/(F lambda^2), that is where the
    potential differs from its neutral value by more than exp(-lengths) RT/F; at least `lengths` Debye lengths lambda,
    because what is neutral at rest is charged by the signal there. Zero without charged carriers.
    """
    debye = debye_length(layer.material, stack.temperature)
    _, volume = spacings(layer)
    density = jnp.abs(jnp.diff(flow.displacement)) / volume[1:-1]  # by Gauss' law, of the inner nodes
    screened = VACUUM_PERMITTIVITY * layer.material.permittivity * stack.thermal_voltage / debye**2
    charged = density > jnp.exp(-lengths) * screened
    ends = []
    for shares, run in ((layer.spacing, charged), (layer.spacing[::-1], charged[::-1])):
        distance = layer.thickness * jnp.cumsum(shares)  # of the nodes behind the first
        count = jnp.sum(jnp.cumprod(run))
        edge = jnp.where(count > 0, distance[count], 0.0)
        ends.append(jnp.minimum(jnp.maximum(edge, lengths * debye), 0.5 * layer.thickness))
    return jnp.where(jnp.isfinite(debye), jnp.stack(ends), 0.0)


def _zone_weights(layer: Layer, reach: Float[Array, " 2"]):
    """The share of every face and of every node's cell that lies in each of the three zones."""
    h, volume = spacings(layer)
    left = jnp.clip((reach[0] - (jnp.cumsum(h) - h)) / h, 0.0, 1.0)
    right = jnp.clip((reach[1] - (jnp.cumsum(h[::-1]) - h[::-1])[::-1]) / h, 0.0, 1.0)
    faces = jnp.stack([left, 1 - left - right, right])
    halves = 0.5 * faces * h
    return faces, (jnp.pad(halves, ((0, 0), (1, 0))) + jnp.pad(halves, ((0, 0), (0, 1)))) / volume


def _shares(tangent: Tangent, weights, frequency, phi: Complex[Array, "block frequency"], slopes: Flows):
    """Complex power at unit current: of junctions and layers in turn, and of the zones of each layer."""
    rate = 2j * jnp.pi * frequency
    layers, junctions = slopes
    parts, zones = [], []
    for i, junction in enumerate(junctions):
        parts.append(_junction_power(tangent, i, junction, phi, rate))
        if i < len(layers):
            first, last = tangent.layout.nodes[i]
            on_faces, on_nodes = _layer_power(layers[i], -jnp.diff(phi[first:last], axis=0), rate)
            of_faces, of_nodes = weights[i]
            zones.append(of_faces @ on_faces + of_nodes @ on_nodes)
            parts.append(zones[-1].sum(axis=0))
    return jnp.stack(parts), jnp.stack(zones)


def _junction_power(tangent: Tangent, i: int, flow: JunctionFlow, phi, rate) -> Complex[Array, " frequency"]:
    """Complex power of reactions, of the field between both sides and of the states that fill in between."""
    power = jnp.conj(rate * flow.displacement) * flow.drop
    for affinity, passing in zip(flow.affinity, flow.rate, strict=True):
        power = power + jnp.conj(passing) * affinity
    junction, block = tangent.stack.junctions[i], tangent.layout.junction[i]
    for n, state in enumerate(junction.states):
        # eta of a state less z F times the mean potential of both sides: the left metal stays at zero
        mean = 0.5 * (phi[block + 1] + (phi[block - 1] if i else 0.0))
        slot = junction.film.slots + n
        power = power + jnp.conj(rate * flow.held[slot]) * (flow.stress[slot] - state.charge * FARADAY * mean)
    return power


def _layer_power(flow: LayerFlow, drop, rate):
    """Complex power on each face and each node."""
    faces, nodes = jnp.conj(rate * flow.displacement) * drop, jnp.zeros((drop.shape[0] + 1, rate.size), complex)
    for flux, eta, mu, content in zip(flow.flux, flow.electrochemical, flow.chemical, flow.content, strict=True):
        faces = faces - jnp.conj(flux) * jnp.diff(eta, axis=0)
        nodes = nodes + jnp.conj(rate * content) * mu
    for affinity, turnover in zip(flow.affinity, flow.turnover, strict=True):
        nodes = nodes + jnp.conj(turnover) * affinity
    return faces, nodes
