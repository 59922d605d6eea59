"""The device as a value: species, materials, layers, junctions, a stack. Pytrees; units in comments.

Numbers are array leaves; names, charges and counts are static. Everything is SI.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY
from ionics.kinetics.bulk import BulkLaw
from ionics.kinetics.compact import CompactLayer, NoCompactLayer
from ionics.kinetics.film import Film, NoFilm
from ionics.kinetics.rates import Blocked, Equilibrium, RateLaw
from ionics.kinetics.states import InterfaceState
from ionics.laws import Constant, Curve, Law, array
from ionics.transport.flux import Hopping, Immobile, Mobility, Vehicle
from ionics.transport.grid import CONDUCTOR, MIXED, graded
from ionics.transport.mechanics import ClampedFilm
from ionics.transport.statistics import Filling, Statistics


class Species(eqx.Module):
    """A mobile species of the stack."""

    name: str = eqx.field(static=True)
    charge: int = eqx.field(static=True)  # elementary charges


class Carrier(eqx.Module):
    """What a species is in one material."""

    species: Species
    statistics: Statistics
    sites: Float[Array, ""] = array()  # mol m-3
    occupancy: Float[Array, ""] = array()  # bulk occupancy at which the layer is neutral, 1
    diffusivity: Law = eqx.field(default=Constant(1e-12))  # m2 s-1
    standard_potential: Law = eqx.field(default=Constant(0.0))  # mu0, J mol-1
    mobility: Mobility = eqx.field(default=Vehicle())
    sublattice: str | None = eqx.field(static=True, default=None)  # carriers of one name share their sites
    diffusivity_curve: Curve | None = None  # ln(D / diffusivity) over the occupancy
    stress: ClampedFilm | None = None


class BulkReaction(eqx.Module):
    """What one turn consumes and produces in the bulk of a material, as (species name, count)."""

    consumed: tuple[tuple[str, int], ...] = eqx.field(static=True)
    produced: tuple[tuple[str, int], ...] = eqx.field(static=True)
    law: BulkLaw
    level: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=0.0
    )  # added to the affinity, J mol-1: what the standard potentials of the carriers do not say


class Material(eqx.Module):
    """A mixed conductor: its carriers, its permittivity, its immobile charge, what reacts in it."""

    name: str = eqx.field(static=True)
    carriers: tuple[Carrier, ...]
    permittivity: Float[Array, ""] = array()  # relative, 1
    fixed_charge: Float[Array, ""] = array()  # mol m-3, signed
    reactions: tuple[BulkReaction, ...] = ()

    def carrier(self, species: str) -> Carrier:
        """The carrier of that species."""
        return next(c for c in self.carriers if c.species.name == species)

    def beside(self, carrier: Carrier) -> tuple[Carrier, ...]:
        """The other carriers on the same sites."""
        if carrier.sublattice is None:
            return ()
        own = carrier.species.name
        return tuple(c for c in self.carriers if c.sublattice == carrier.sublattice and c.species.name != own)


class Profile(eqx.Module):
    """How a carrier differs along one layer: a grain-boundary core, an atomistic profile."""

    species: str = eqx.field(static=True)
    energy: Curve | None = None  # added to mu0, J mol-1, over the distance from the left end, m
    log_diffusivity: Curve | None = None  # ln(D(x) / D)


class Layer(eqx.Module):
    """A slab of one material with its mesh."""

    name: str = eqx.field(static=True)
    material: Material
    thickness: Float[Array, ""] = array()  # m
    spacing: Float[Array, " face"] = (
        array()
    )  # between neighbouring nodes, shares of the thickness; end nodes on junctions
    profiles: tuple[Profile, ...] = ()

    @property
    def nodes(self) -> int:
        """Number of nodes, the two on the junctions included."""
        return self.spacing.shape[0] + 1

    def positions(self) -> Float[Array, " node"]:
        """Distance of each node from the left end [m]."""
        return self.thickness * jnp.pad(jnp.cumsum(self.spacing), (1, 0))


class Reaction(eqx.Module):
    """What leaves the left side and what arrives on the right side in one turn.

    `left` and `right` hold (species name, count): Li+ hopping across is left=(("Li+", 1),), right=(("Li+", 1),);
    Li+ + e- <-> Li with the electrolyte on the left and Li, e- on the right is left=(("Li+", 1),),
    right=(("Li", 1), ("e-", -1)). On a metal's side a species has eta = z F phi_metal.
    """

    left: tuple[tuple[str, int], ...] = eqx.field(static=True)
    right: tuple[tuple[str, int], ...] = eqx.field(static=True)
    law: RateLaw
    level: Float[Array, ""] = (
        array()
    )  # added to the affinity, J mol-1: mu of a metal or reservoir on the left, minus that on the right


class Junction(eqx.Module):
    """The face between two layers, or between a metal and a layer (a contact)."""

    name: str = eqx.field(static=True)
    reactions: tuple[Reaction, ...] = ()
    compact: CompactLayer = eqx.field(default=NoCompactLayer())
    step: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=0.0
    )  # dipole, phi_right - phi_left, V
    surface_charge: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, float), default=0.0
    )  # C m-2, in the middle of the compact layer
    film: Film = eqx.field(default=NoFilm())  # in series with the reactions
    states: tuple[InterfaceState, ...] = ()  # reactions may name them as a species on either side

    @property
    def slots(self) -> int:
        """Unknowns of what the junction itself stores: the film's, then one for each state."""
        return self.film.slots + len(self.states)


class Unit(eqx.Module):
    """Layers first..last (inclusive) stand `count` times in series; they begin and end in the middle of a grain."""

    first: int = eqx.field(static=True)
    last: int = eqx.field(static=True)
    count: Float[Array, ""] = array()


class Stack(eqx.Module):
    """Metal | layers and junctions | metal, from the negative (left, x = 0) to the positive (right).

    junctions[0] and junctions[-1] are the contacts, junctions[j] lies between layers j-1 and j.
    """

    species: tuple[Species, ...]
    layers: tuple[Layer, ...]
    junctions: tuple[Junction, ...]
    temperature: Float[Array, ""] = array()  # K
    series_resistance: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float), default=0.0)  # Ohm m2
    units: tuple[Unit, ...] = ()

    def __check_init__(self):
        if len(self.junctions) != len(self.layers) + 1:
            raise ValueError(
                f"{len(self.layers)} layers need {len(self.layers) + 1} junctions, got {len(self.junctions)}"
            )
        if not jnp.zeros(()).dtype == jnp.float64:
            raise RuntimeError(
                "ionics computes in float64: set JAX_ENABLE_X64=1 or jax.config.update('jax_enable_x64', True)"
            )

    @property
    def thermal_voltage(self) -> Float[Array, ""]:
        """RT/F [V]."""
        return GAS * self.temperature / FARADAY

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        return next(layer for layer in self.layers if layer.name == name)

    def index(self, species: str) -> int:
        """Position of a species among the unknowns of a node."""
        return next(i for i, s in enumerate(self.species) if s.name == species)

    def at(self, temperature: Float[Array, ""] | float) -> Stack:
        """The same stack at another temperature [K]."""
        return eqx.tree_at(lambda s: s.temperature, self, jnp.asarray(temperature, float))


def transfer(species: str, law: RateLaw | None = None, level: Float[Array, ""] | float = 0.0) -> Reaction:
    """A carrier crossing as itself; without a law, in equilibrium."""
    return Reaction(((species, 1),), ((species, 1),), law or Equilibrium(), level)


def fillings(
    material: Material, u: tuple[Float[Array, ...], ...], temperature: Float[Array, ""] | float
) -> tuple[Filling, ...]:
    """How each carrier of a material fills its sites, in the order of the material; u in the same order."""
    found = []
    for k, carrier in enumerate(material.carriers):
        names = [c.species.name for c in material.beside(carrier)]
        shared = [own for own, c in zip(u, material.carriers, strict=True) if c.species.name in names]
        others = 0.0
        if shared:
            others = jax.nn.logsumexp(jnp.stack([jnp.zeros_like(u[k]), *shared]), axis=0)
        filling = carrier.statistics.filling(u[k], temperature, others)
        if carrier.stress is not None:
            strained = carrier.stress.potential(carrier.sites * filling.occupancy) / (GAS * temperature)
            filling = eqx.tree_at(lambda f: f.chemical, filling, filling.chemical + strained)
        found.append(filling)
    return tuple(found)


def debye_length(material: Material, temperature: Float[Array, ""] | float) -> Float[Array, ""]:
    """sqrt(eps RT / (F^2 sum z z c_s d theta/d mu)) of the neutral bulk [m]; infinite without charged carriers.

    d theta/d mu is ideal: theta (1 - theta) on a lattice, theta if dilute, -theta theta' between carriers that share
    their sites; Maier, Physical Chemistry of Ionic Materials (2004), chapter 5.
    """
    charges = [c.species.charge for c in material.carriers]

    def charge(u):
        filled = fillings(material, tuple(u), temperature)
        return sum((z * c.sites * f.occupancy for z, c, f in zip(charges, material.carriers, filled, strict=True)), 0.0)

    u = jnp.stack([bulk_unknown(c, material.beside(c)) for c in material.carriers]) if charges else jnp.zeros(0)
    _, strength = jax.jvp(charge, (u,), (jnp.asarray(charges, float),)) if charges else (None, jnp.zeros(()))
    return jnp.sqrt(VACUUM_PERMITTIVITY * material.permittivity * GAS * temperature / (FARADAY**2 * strength))


def bulk_conductivity(material: Material, temperature: Float[Array, ""] | float) -> Float[Array, ""]:
    """sum z^2 F^2 D c g / RT of the neutral bulk [S m-1]."""
    total = jnp.zeros(())
    filled = fillings(material, tuple(bulk_unknown(c, material.beside(c)) for c in material.carriers), temperature)
    for carrier, own in zip(material.carriers, filled, strict=True):
        if isinstance(carrier.mobility, Immobile):
            continue
        free = own.vacancy if isinstance(carrier.mobility, Hopping) else 1.0
        mobile = carrier.diffusivity(temperature) * carrier.sites * carrier.occupancy * free
        if carrier.diffusivity_curve is not None:
            mobile = mobile * jnp.exp(carrier.diffusivity_curve(carrier.occupancy))
        total = total + carrier.species.charge**2 * mobile
    return total * FARADAY**2 / (GAS * temperature)


def neutral_charge(carriers: tuple[Carrier, ...]) -> Float[Array, ""]:
    """The fixed charge that makes a material neutral at its bulk occupancies [mol m-3]."""
    return -sum((c.species.charge * c.sites * c.occupancy for c in carriers), jnp.zeros(()))


def bulk_unknown(carrier: Carrier, beside: tuple[Carrier, ...] = ()) -> Float[Array, ""]:
    """u of a carrier in the neutral bulk; beside: the carriers that share its sites."""
    return carrier.statistics.unknown(carrier.occupancy, sum((c.occupancy for c in beside), jnp.zeros(())))


def bulk_potential(
    carrier: Carrier, temperature: Float[Array, ""] | float, beside: tuple[Carrier, ...] = ()
) -> Float[Array, ""]:
    """Chemical potential of a carrier in the neutral bulk [J mol-1]; beside: the carriers that share its sites."""
    few = (carrier, *beside)
    several = Material("", few, 1.0, 0.0)
    us = tuple(bulk_unknown(c, several.beside(c)) for c in few)
    filling = fillings(several, us, temperature)[0]
    return carrier.standard_potential(temperature) + GAS * temperature * filling.chemical


def bulk_step(stack: Stack, j: int) -> Float[Array, ""]:
    """phi_right - phi_left [V] that puts the two neutral bulks at junction j in equilibrium (flat band).

    Taken from the first reaction that carries charge from one to the other; zero where none does.
    """
    junction = stack.junctions[j]
    states = {state.name for state in junction.states}
    for reaction in junction.reactions:
        if states & {name for name, _ in (*reaction.left, *reaction.right)}:
            continue
        charge = sum(nu * stack.species[stack.index(name)].charge for name, nu in reaction.left)
        if charge == 0 or isinstance(reaction.law, Blocked):
            continue
        affinity = reaction.level
        for side, terms, sign in ((j - 1, reaction.left, 1), (j, reaction.right, -1)):
            if 0 <= side < len(stack.layers):
                material = stack.layers[side].material
                for name, nu in terms:
                    carrier = material.carrier(name)
                    own = bulk_potential(carrier, stack.temperature, material.beside(carrier))
                    affinity = affinity + sign * nu * own
        return affinity / (charge * FARADAY)
    return jnp.zeros(())


def reservoir(
    material: Material, side: str, temperature: Float[Array, ""] | float, law: RateLaw | None = None
) -> tuple[Reaction, ...]:
    """Reactions of a contact that holds every carrier at its bulk chemical potential; side: 'left' or 'right'."""
    sign = 1.0 if side == "left" else -1.0
    return tuple(
        transfer(c.species.name, law, sign * bulk_potential(c, temperature, material.beside(c)))
        for c in material.carriers
        if not isinstance(c.mobility, Immobile)
    )


NODES, MIXED_NODES = 401, 641  # a layer, by default: 1e-4 in a space charge, and in diffusion with several carriers
FINEST = 1e-11  # m; below a tenth of an atom no space charge is resolved


def graded_mesh(
    material: Material, thickness: float, temperature: float, nodes: int | None = None
) -> Float[Array, " face"]:
    """Spacing of a layer that resolves its Debye length at both ends, in shares of the thickness."""
    length = max(float(debye_length(material, temperature)), FINEST)
    return ends_mesh(material, thickness, (length, length), nodes or default_nodes(material))


def default_nodes(material: Material) -> int:
    """Nodes of a layer when nobody says otherwise."""
    return NODES if len(material.carriers) < 2 else MIXED_NODES


def ends_mesh(material: Material, thickness: float, lengths: tuple[float, float], nodes: int, where=None):
    """Spacing of a layer graded to given screening lengths [m] at its left and right end."""
    left, right = (length / float(thickness) for length in lengths)
    shares = CONDUCTOR if len(material.carriers) < 2 else MIXED
    return jnp.asarray(graded(nodes, left, right, shares, where))
