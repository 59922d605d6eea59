"""Checked values -> the physics. After this the configuration is not needed."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ionics.config.carriers import Carrier as CarrierEntry
from ionics.config.carriers import Stress
from ionics.config.conversion import diffusivity_per_conductivity, mobility, occupancy
from ionics.config.equations import Terms, parse_bulk, parse_driving
from ionics.config.faces import Crossing, Spot, Steps, spots
from ionics.config.quantities import Law as Entry
from ionics.config.rates import BulkRate, Rate
from ionics.config.rates import Film as FilmEntry
from ionics.config.rates import InterfaceState as StateEntry
from ionics.config.references import side
from ionics.config.schema import METAL, MOST_NODES, CompactLayer, Config, Core, Unit
from ionics.config.schema import Layer as LayerEntry
from ionics.config.schema import Profile as ProfileEntry
from ionics.kinetics.bulk import BulkLaw, Generation, MassAction, ShockleyReadHall, WeakElectrolyte
from ionics.kinetics.compact import Capacitance, ConstantPhase, NoCompactLayer
from ionics.kinetics.compact import CompactLayer as Compact
from ionics.kinetics.eyring import Eyring
from ionics.kinetics.film import Film, Interphase, NoFilm, ResistiveFilm
from ionics.kinetics.rates import ButlerVolmer, Equilibrium, Linear, Marcus, MarcusHushChidsey, RateLaw
from ionics.kinetics.states import InterfaceState
from ionics.laws import Arrhenius, Constant, Curve, Law
from ionics.transport.adapt import along
from ionics.transport.flux import Chemical, Hopping, Immobile, Mobility, Vehicle
from ionics.transport.mechanics import ClampedFilm
from ionics.transport.stack import (
    FINEST,
    BulkReaction,
    Carrier,
    Junction,
    Layer,
    Material,
    Profile,
    Reaction,
    Species,
    Stack,
    bulk_conductivity,
    bulk_potential,
    bulk_step,
    debye_length,
    default_nodes,
    ends_mesh,
    neutral_charge,
)
from ionics.transport.stack import Unit as Repeat
from ionics.transport.statistics import Dilute, FermiDirac, Lattice, Measured, RegularSolution, Statistics

MOBILITIES: dict[str, type[Mobility]] = {
    "vehicle": Vehicle, "hopping": Hopping, "chemical": Chemical, "immobile": Immobile
}  # fmt: skip
IDEAL: dict[str, type[Statistics]] = {"dilute": Dilute, "lattice": Lattice, "fermi-dirac": FermiDirac}
HALF = 2 * math.sqrt(2 * math.log(2))  # full width at half depth of a Gaussian, in standard deviations
REACH, POINTS = 8, 513  # standard deviations of a core on either side, and knots over them: 1e-5 of its depth


def build(config: Config) -> Stack:
    """The stack of a checked configuration."""
    if config.stack is None:
        raise config.error(("stack",), "required key missing", "write stack: {left: ..., layers: ..., right: ...}")
    layers = tuple(_layer(config, path, entry) for path, entry in config.stack.flat())
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


def material_of(config: Config, entry: LayerEntry) -> Material:
    """The material of a layer at its composition."""
    written = config.material(entry.material)
    carriers = tuple(_carrier(config, entry, name, c) for name, c in written.carriers.items())
    fixed = neutral_charge(carriers) if written.fixed_charge is None else written.fixed_charge.value
    permittivity = written.permittivity.value if written.permittivity else 1.0  # a cell asks for no space charge
    material = Material(entry.material, carriers, permittivity, fixed)
    reactions = tuple(_bulk_reaction(config, material, *one) for one in (written.reactions or {}).items())
    return eqx.tree_at(lambda m: m.reactions, material, reactions)


def _layer(config: Config, path: Steps, entry: LayerEntry) -> Layer:
    """A slab with its mesh, which follows its Debye length and its profiles. Raises ConfigError where it cannot."""
    material = material_of(config, entry)
    length = float(debye_length(material, config.temperature))
    if length < FINEST and float(bulk_conductivity(material, config.temperature)) < METAL:
        raise config.error(
            ("stack", *path, "material"),
            f"its Debye length, {length * 1e9:.3g} nm, is below {FINEST * 1e9:g} nm, the finest that a mesh follows: "
            f"space charge is not resolved at any number of nodes up to {MOST_NODES}",
            "fewer charges or a larger permittivity",
        )
    length = max(length, FINEST)
    nodes = entry.nodes or default_nodes(material)
    profiles = tuple(_profile(name, profile) for name, profile in entry.profiles.items())
    layer = Layer(entry.name, material, entry.thickness, jnp.full(nodes - 1, 1 / (nodes - 1)), profiles)
    where = along(layer, (length, length), config.temperature)
    mesh = ends_mesh(material, entry.thickness, (length, length), nodes, where)
    return eqx.tree_at(lambda one: one.spacing, layer, mesh)


def _carrier(config: Config, layer: LayerEntry, name: str, entry: CarrierEntry) -> Carrier:
    diffusivity, curve = _diffusivity(config, layer, name, entry)
    return Carrier(
        Species(name, entry.charge),
        _statistics(entry),
        sites=entry.sites.value,
        occupancy=occupancy(config, layer, name),
        diffusivity=diffusivity,
        standard_potential=Constant(entry.mu0.value if entry.mu0 else 0.0),
        mobility=MOBILITIES[mobility(entry)](),
        sublattice=entry.sublattice,
        diffusivity_curve=curve,
        stress=_stress(entry.stress, entry.sites.value) if entry.stress else None,
    )


def _diffusivity(config: Config, layer: LayerEntry, name: str, entry: CarrierEntry) -> tuple[Law, Curve | None]:
    """D; from a table, D at the layer's occupancy, and ln of D over that."""
    if entry.diffusivity is not None:
        return law(entry.diffusivity), None
    if entry.conductivity is not None:
        return law(entry.conductivity, diffusivity_per_conductivity(config, layer, name)), None
    if entry.hop is not None:
        return Arrhenius(entry.hop.prefactor, entry.hop.barrier, math.inf), None
    table = entry.diffusivity_over_occupancy
    if table is None:  # immobile
        return Constant(1.0), None
    logs = np.log(table.diffusivity)
    here = float(Curve(table.occupancy, logs)(jnp.asarray(occupancy(config, layer, name))))
    return _law(math.exp(here), table.activation_energy, table.temperature), Curve(table.occupancy, logs - here)


def _statistics(entry: CarrierEntry) -> Statistics:
    if entry.statistics == "measured":
        return Measured(*entry.open_circuit.curve)
    if entry.statistics == "regular-solution":
        return RegularSolution(entry.interaction.value)
    return IDEAL[entry.statistics]()


def _stress(entry: Stress, sites: float) -> ClampedFilm:
    clamped = entry.concentration if entry.concentration is not None else entry.occupancy * sites
    numbers = (entry.molar_volume, entry.modulus, entry.poisson)
    return ClampedFilm(*(number.value for number in numbers), clamped, entry.residual, entry.pressure)


def _profile(species: str, entry: ProfileEntry) -> Profile:
    energy = Curve(entry.energy.position, entry.energy.energy) if entry.energy else None
    faster = Curve(entry.diffusivity.position, np.log(entry.diffusivity.factor)) if entry.diffusivity else None
    if entry.core is not None:
        energy = _well(entry.core, -entry.core.depth)
        if entry.core.diffusivity_factor is not None:
            faster = _well(entry.core, math.log(entry.core.diffusivity_factor))
    return Profile(species, energy, faster)


def _well(core: Core, height: float) -> Curve:
    """A Gaussian of this height over the distance from the left end."""
    t = np.linspace(-REACH, REACH, POINTS)
    return Curve(core.position + core.width / HALF * t, height * np.exp(-(t**2) / 2))


def _bulk_reaction(config: Config, material: Material, equation: str, entry: BulkRate) -> BulkReaction:
    charges = {c.species.name: c.species.charge for c in material.carriers}
    consumed, produced = parse_bulk(equation, charges)
    level = 0.0
    if entry.law in ("mass-action", "shockley-read-hall") and entry.equilibrium != "standard potentials":
        level = -bulk_affinity(material, consumed, produced, config.temperature)
    return BulkReaction(consumed, produced, _bulk_law(entry, consumed, produced, charges), level)


def bulk_affinity(material: Material, consumed: Terms, produced: Terms, temperature: float):
    """sum(nu mu)_consumed - sum(nu mu)_produced of the neutral bulk [J mol-1]."""
    total = jnp.zeros(())
    for sign, terms in ((1, consumed), (-1, produced)):
        for name, nu in terms:
            carrier = material.carrier(name)
            total = total + sign * nu * bulk_potential(carrier, temperature, material.beside(carrier))
    return total


def _bulk_law(entry: BulkRate, consumed: Terms, produced: Terms, charges: dict[str, int]) -> BulkLaw:
    if entry.law == "mass-action":
        return MassAction(law(entry.rate_constant))
    if entry.law == "generation":
        return Generation(law(entry.rate))
    if entry.law == "shockley-read-hall":
        electron, hole = sorted((name for name, _ in consumed), key=lambda name: charges[name])
        numbers = (entry.electron_lifetime, entry.hole_lifetime, entry.n1, entry.p1)
        return ShockleyReadHall(electron, hole, *map(law, numbers))
    (freed, _), (left_behind, _) = produced
    return WeakElectrolyte(freed, left_behind, law(entry.recombination), entry.total.value, entry.dissociation.value)


def law(entry: Entry, factor: float = 1.0, sign: float = 1.0) -> Law:
    """A constant or Arrhenius law of `factor` times the quantity."""
    return _law(factor * entry.value, entry.activation_energy, entry.temperature, sign)


def _law(value: float, energy: float | None, temperature: float | None, sign: float = 1.0) -> Law:
    return Constant(value) if energy is None else Arrhenius(value, sign * energy, temperature)


def _junction(config: Config, spot: Spot, layers: tuple[Layer, ...], j: int) -> Junction:
    beside = layers[0] if j == 0 else layers[-1]  # the layer at a contact
    return Junction(
        spot.name,
        tuple(_reaction(config, crossing, beside) for crossing in spot.crossings),
        _compact(spot.face.compact_layer),
        0.0,
        spot.face.surface_charge,
        _film(config, spot.face.film, j),
        tuple(_state(name, state) for name, state in spot.states.items()),
    )


def _state(name: str, entry: StateEntry) -> InterfaceState:
    return InterfaceState(name, entry.charge, entry.density.value, entry.level.value if entry.level else 0.0)


def _film(config: Config, entry: FilmEntry | None, j: int) -> Film:
    if entry is None:
        return NoFilm()
    if entry.interphase is None:
        return ResistiveFilm(law(entry.resistance, sign=-1.0))
    own = entry.interphase
    layers = [layer for _, layer in config.stack.flat()]
    left, right = parse_driving(own.driven_by, side(config, layers[j - 1]), side(config, layers[j]))
    return Interphase(
        left=left,
        right=right,
        resistivity=law(own.resistivity, sign=-1.0),
        rate=law(own.rate),
        level=-own.threshold,
        alpha=own.alpha,
        reversible=own.reversible,
        reference=own.reference,
        initial=np.array([own.initial.reversible, own.initial.permanent]),
        halving=own.halving,
    )


def _reaction(config: Config, crossing: Crossing, beside: Layer) -> Reaction:
    level, temperature = jnp.zeros(()), config.temperature
    for carrier in beside.material.carriers:
        if carrier.species.name == crossing.reservoir:
            level = bulk_potential(carrier, temperature, beside.material.beside(carrier))
    if crossing.paired:
        level = pair_level(beside.material, temperature)
    return Reaction(crossing.left, crossing.right, rate_law(crossing.rate, crossing.electrons), level)


def pair_level(material: Material, temperature: float):
    """mu of an electron and a hole of the bulk, which a metal that exchanges both holds in balance [J mol-1]."""
    both = (("e-", 1), ("h+", 1))
    for reaction in material.reactions:
        sides = tuple(sorted(reaction.consumed)), tuple(sorted(reaction.produced))
        if sides in ((both, ()), ((), both)) and not isinstance(reaction.law, Generation):
            return -reaction.level if sides[0] else reaction.level
    return bulk_affinity(material, both, (), temperature)


def rate_law(entry: Rate, electrons: int) -> RateLaw:
    """The resistance of a linear law falls with temperature: its activation energy is that of the conductance."""
    if entry.law == "equilibrium":
        return Equilibrium()
    if entry.law == "linear":
        return Linear(law(entry.resistance, sign=-1.0))
    current, full = exchange_current(entry, electrons), entry.eyring is not None or bool(entry.occupancy_dependent)
    if entry.law == "butler-volmer":
        return ButlerVolmer(current, 0.5 if entry.alpha is None else entry.alpha, full)
    kind = Marcus if entry.law == "marcus" else MarcusHushChidsey
    return kind(current, entry.reorganisation_energy.value, full)


def exchange_current(entry: Rate, electrons: int) -> Law:
    """i0 of an activated law: stated, or from a barrier."""
    if entry.eyring is None:
        return law(entry.exchange_current)
    return Eyring(electrons * entry.eyring.site_density.value, entry.eyring.barrier.value)


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
    crosses = any(crossing.charge for crossing in spot.crossings if not crossing.fills)
    if spot.face.space_charge_potential is not None and not crosses:
        path = (*spot.path, "space_charge_potential")
        raise config.error(path, "no charge crosses here, so nothing defines flat band", "dipole: 0 V, or a reaction")
    if not crosses:
        return jnp.zeros(())
    return bulk_step(stack, j) - (spot.face.space_charge_potential or 0.0)
