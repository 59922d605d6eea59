"""Checked values -> the physics. After this the configuration is not needed."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from ionics.config.conversion import diffusivity_per_conductivity, mobility, occupancy
from ionics.config.faces import Crossing, Spot, spots
from ionics.config.material import Carrier as CarrierEntry
from ionics.config.quantities import Law as Entry
from ionics.config.schema import CompactLayer, Config, Rate, Unit
from ionics.config.schema import Layer as LayerEntry
from ionics.kinetics.compact import Capacitance, ConstantPhase, NoCompactLayer
from ionics.kinetics.compact import CompactLayer as Compact
from ionics.kinetics.rates import ButlerVolmer, Equilibrium, Linear, RateLaw
from ionics.laws import Arrhenius, Constant, Law
from ionics.transport.flux import Chemical, Hopping, Mobility, Vehicle
from ionics.transport.stack import (
    NODES,
    Carrier,
    Junction,
    Layer,
    Material,
    Reaction,
    Species,
    Stack,
    bulk_potential,
    bulk_step,
    graded_mesh,
    neutral_charge,
)
from ionics.transport.stack import Unit as Repeat
from ionics.transport.statistics import Dilute, Lattice, Measured, Statistics

MOBILITIES: dict[str, type[Mobility]] = {"vehicle": Vehicle, "hopping": Hopping, "chemical": Chemical}


def build(config: Config) -> Stack:
    """The stack of a checked configuration."""
    if config.stack is None:
        raise config.error(("stack",), "required key missing", "write stack: {left: ..., layers: ..., right: ...}")
    layers = tuple(_layer(config, entry) for _, entry in config.stack.flat())
    found = spots(config)
    stack = Stack(
        species=_species(layers),
        layers=layers,
        junctions=tuple(_junction(config, spot, layers, j) for j, spot in enumerate(found)),
        temperature=config.temperature,
        series_resistance=config.area_resistance,
        units=_units(config),
    )
    return eqx.tree_at(
        lambda s: [junction.step for junction in s.junctions],
        stack,
        [_step(config, stack, spot, j) for j, spot in enumerate(found)],
    )


def _species(layers: tuple[Layer, ...]) -> tuple[Species, ...]:
    """In the order in which they first appear."""
    return tuple(dict.fromkeys(c.species for layer in layers for c in layer.material.carriers))


def _units(config: Config) -> tuple[Repeat, ...]:
    found, first = [], 0
    for entry in config.stack.layers:
        count = len(entry.layers) if isinstance(entry, Unit) else 1
        if isinstance(entry, Unit):
            found.append(Repeat(first, first + count - 1, entry.repeat))
        first += count
    return tuple(found)


def _layer(config: Config, entry: LayerEntry) -> Layer:
    """A slab with its mesh."""
    written = config.material(entry.material)
    carriers = tuple(_carrier(config, entry, name, c) for name, c in written.carriers.items())
    fixed = neutral_charge(carriers) if written.fixed_charge is None else written.fixed_charge.value
    material = Material(entry.material, carriers, written.permittivity.value, fixed)
    spacing = graded_mesh(material, entry.thickness, config.temperature, entry.nodes or NODES)
    return Layer(entry.name, material, entry.thickness, spacing)


def _carrier(config: Config, layer: LayerEntry, name: str, entry: CarrierEntry) -> Carrier:
    filled = occupancy(config, layer, name)
    if entry.diffusivity is not None:
        diffusivity = law(entry.diffusivity)
    else:
        diffusivity = law(entry.conductivity, diffusivity_per_conductivity(config, layer, name))
    return Carrier(
        Species(name, entry.charge),
        _statistics(entry),
        sites=entry.sites.value,
        occupancy=filled,
        diffusivity=diffusivity,
        standard_potential=Constant(entry.mu0.value if entry.mu0 else 0.0),
        mobility=MOBILITIES[mobility(entry)](),
    )


def _statistics(entry: CarrierEntry) -> Statistics:
    if entry.statistics == "measured":
        return Measured(jnp.asarray(entry.open_circuit.occupancy), jnp.asarray(entry.open_circuit.potential))
    return Lattice() if entry.statistics == "lattice" else Dilute()


def law(entry: Entry, factor: float = 1.0, sign: float = 1.0) -> Law:
    """A constant or Arrhenius law of `factor` times the quantity."""
    if entry.activation_energy is None:
        return Constant(factor * entry.value)
    return Arrhenius(factor * entry.value, sign * entry.activation_energy, entry.temperature)


def _junction(config: Config, spot: Spot, layers: tuple[Layer, ...], j: int) -> Junction:
    beside = layers[0] if j == 0 else layers[-1]  # the layer at a contact
    reactions = tuple(_reaction(config, crossing, beside) for crossing in spot.crossings)
    return Junction(spot.name, reactions, _compact(spot.face.compact_layer), 0.0, spot.face.surface_charge)


def _reaction(config: Config, crossing: Crossing, beside: Layer) -> Reaction:
    level = jnp.zeros(())
    for carrier in beside.material.carriers:
        if carrier.species.name == crossing.reservoir:
            level = bulk_potential(carrier, jnp.asarray(config.temperature))
    return Reaction(crossing.left, crossing.right, _rate(crossing.rate), level)


def _rate(entry: Rate) -> RateLaw:
    """The resistance of a linear law falls with temperature: its activation energy is that of the conductance."""
    if entry.law == "equilibrium":
        return Equilibrium()
    if entry.law == "linear":
        return Linear(law(entry.resistance, sign=-1.0))
    alpha = 0.5 if entry.alpha is None else entry.alpha
    return ButlerVolmer(law(entry.exchange_current), alpha, bool(entry.occupancy_dependent))


def _compact(entry: CompactLayer | None) -> Compact:
    if entry is None:
        return NoCompactLayer()
    if entry.capacitance is not None:
        return Capacitance(entry.capacitance)
    return ConstantPhase(entry.constant_phase.q, entry.constant_phase.n)


def _step(config: Config, stack: Stack, spot: Spot, j: int):
    """The potential step of a junction [V]: a stated dipole, or the stated distance from flat band."""
    if spot.face.dipole is not None:
        return jnp.asarray(spot.face.dipole)
    if spot.face.space_charge_potential is not None and not carries_charge(stack, j):
        path = (*spot.path, "space_charge_potential")
        raise config.error(path, "no charge crosses here, so nothing defines flat band", "dipole: 0 V, or a reaction")
    return bulk_step(stack, j) - (spot.face.space_charge_potential or 0.0)


def carries_charge(stack: Stack, j: int) -> bool:
    """Whether some reaction of a junction carries charge."""
    charges = {species.name: species.charge for species in stack.species}
    return any(sum(nu * charges[name] for name, nu in r.left) for r in stack.junctions[j].reactions)
