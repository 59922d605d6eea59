"""A checked configuration of a cell as the cell of the engine, with what it contains at the beginning."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

from ionics.cells.cell import Bulk, Cell, Conductor, Electrode, Member, Metal, Particle, Surface
from ionics.cells.inward import Inward, Modes, Shells
from ionics.cells.phase_field import STEPS, PhaseField, boundary_width, even
from ionics.config.assembly import law, material_of, rate_law
from ionics.config.cell_references import filled, ion, lithium
from ionics.config.cells import (
    MOST_NODES,
    Active,
    Composite,
    DenseFilm,
    FilmElectrode,
    Listed,
    Percolation,
    Separator,
    Sizes,
)
from ionics.config.cells import ContactShare as ContactEntry
from ionics.config.cells import Metal as MetalEntry
from ionics.config.cells import Surface as SurfaceEntry
from ionics.config.schema import Config, Layer
from ionics.constants import FARADAY
from ionics.kinetics.compact import Capacitance, NoCompactLayer
from ionics.kinetics.contact import ContactArea, pressed
from ionics.kinetics.film import NoFilm, ResistiveFilm
from ionics.laws import Arrhenius, Constant, Law
from ionics.quantity import quantity
from ionics.transport.flux import Chemical
from ionics.transport.stack import Carrier, Material, bulk_unknown, fillings

FINER = 4.0  # spacing in the middle of a piece over that at its surface
BRUGGEMAN = 0.5
INSTANT = 1e-8  # ohm m2, of a reaction in equilibrium: a microvolt at 10 mA/cm2
SHAPES = {"sphere": 3, "cylinder": 2}


def build_cell(config: Config) -> Cell:
    """The cell of a checked configuration."""
    entry = config.cell
    partners = _partners(config)
    return Cell(
        negative=_electrode(config, "negative", entry.negative, partners),
        between=tuple(_conductor(config, one) for one in entry.separators),
        positive=_electrode(config, "positive", entry.positive, partners),
        temperature=config.temperature,
        series_resistance=config.area_resistance,
    )


def beginning(config: Config) -> dict[str, Any]:
    """Occupancy of every member at the beginning, by name."""
    return {name: filled(config, side, name, entry) for side, name, _, entry in config.cell.members()}


def capacity(config: Config, cell: Cell) -> float | None:
    """What 1C passes in an hour [C m-2], by `study: capacity`; None where nothing is said."""
    if config.study is None or not config.study.capacity:
        return None
    ((side, windows),) = config.study.capacity.items()
    electrode: Electrode = getattr(cell, side)
    total = 0.0
    for member in electrode.members:
        if isinstance(member, Metal):
            continue
        own = [windows[key] for key in (member.name, member.carrier.species.name) if key in windows]
        if own:
            amount = float(member.carrier.sites * jnp.sum(member.volume))
            total += FARADAY * amount * abs(own[0][1] - own[0][0])
    return total


def _material(config: Config, name: str, occupancy: dict[str, float] | None = None) -> Material:
    """A material of the library or the file, without its space charge."""
    layer = Layer.model_construct(
        name=name, material=name, thickness=1.0, nodes=3, occupancy=occupancy or {}, profiles={}
    )
    return material_of(config, layer)


def _partners(config: Config) -> tuple[Any, ...]:
    """ln of occupied and of empty sites of the ion at surfaces, of the first electrolyte that says it."""
    for _, name in config.cell.electrolytes():
        material = _material(config, name)
        return _log_sites(config, material, ion(config.material(name)))
    return (0.0, 0.0)


def _log_sites(config: Config, material: Material, species: str) -> tuple[Any, Any]:
    carriers = material.carriers
    k = [c.species.name for c in carriers].index(species)
    us = tuple(bulk_unknown(c, material.beside(c)) for c in carriers)
    found = fillings(material, us, config.temperature)[k]
    return found.log_occupancy, found.log_vacancy


def _electrode(config: Config, name: str, entry: Composite | FilmElectrode | MetalEntry, partners) -> Electrode:
    if isinstance(entry, MetalEntry):
        return Electrode(name, (_metal(entry, partners),))
    if isinstance(entry, FilmElectrode):
        return Electrode(name, (_film(config, name, entry.film, partners),))
    members: list[Member] = [_particles(config, entry, key, own, partners) for key, own in entry.active.items()]
    return Electrode(
        name,
        tuple(members),
        thickness=entry.thickness,
        ionic=_ionic(config, entry),
        electronic=_electronic(entry),
        spacing=_depths(entry.nodes),
    )


def _depths(nodes: int) -> np.ndarray:
    """Spacings over the depth of an electrode, finer towards separator and collector, where the current turns."""
    even = np.linspace(0, 1, nodes)
    return np.diff(0.25 * even + 0.375 * (1 - np.cos(np.pi * even)))


def _metal(entry: MetalEntry, partners) -> Metal:
    surface, potential = _surface(entry, partners, (0.0, 0.0)), Constant(entry.potential)
    if entry.voids is None:
        return Metal(entry.metal, surface, potential)
    return Metal(entry.metal, surface, potential, entry.voids.depth, entry.voids.healing)


def _film(config: Config, name: str, entry: DenseFilm, partners) -> Particle:
    carrier, electrons = _stored(config, name, name, entry)
    surface = _surface(entry, partners, electrons)
    inside = _inside(config, (name, "film"), entry, carrier, 1, entry.thickness)
    return Particle(name, carrier, inside, surface, np.array([entry.thickness]), np.array([entry.thickness]))


def _particles(config: Config, electrode: Composite, name: str, entry: Active, partners) -> Particle:
    side = "negative" if config.cell.negative is electrode else "positive"
    carrier, electrons = _stored(config, side, name, entry)
    radii, shares = _sizes(entry.radius)
    surface = _surface(entry, partners, electrons, entry.contact)
    path = side, "active", name
    inside = _inside(config, path, entry, carrier, SHAPES[entry.shape], float(radii.max()))
    return Particle(name, carrier, inside, surface, radii, entry.volume_fraction * electrode.thickness * shares)


def _stored(config: Config, side: str, name: str, entry: Active | DenseFilm) -> tuple[Carrier, tuple[Any, Any]]:
    """The carrier that is stored, and ln of occupied and of empty sites of the electrons."""
    species = lithium(config.material(entry.material))[0]
    material = _material(config, entry.material, {species: filled(config, side, name, entry)})
    electronic = [c.species.name for c in material.carriers if c.species.name == "e-"]
    electrons = _log_sites(config, material, "e-") if electronic else (0.0, 0.0)
    return material.carrier(species), electrons


def _inside(
    config: Config, path: tuple[str, ...], entry: Active | DenseFilm, carrier: Carrier, dimension: int, largest: float
) -> Inward:
    """Modes where diffusion is linear, else finite volumes; finer towards the surface, but for boundaries of phases.

    path: of the entry in the cell; largest: radius or thickness [m].
    """
    stated = lithium(config.material(entry.material))[1].gradient_energy
    if stated is not None:
        spacing = _across_boundaries(config, path, entry, carrier, stated.value, largest)
        return PhaseField(dimension, spacing, stated.value)
    spacing = np.linspace(FINER, 1.0, entry.nodes - 1)
    spacing = spacing / spacing.sum()
    if isinstance(carrier.mobility, Chemical) and carrier.diffusivity_curve is None:
        return Modes(dimension, spacing)
    return Shells(dimension, spacing)


def _across_boundaries(
    config: Config, path: tuple[str, ...], entry: Active | DenseFilm, carrier: Carrier, gradient: float, largest: float
) -> np.ndarray:
    """Equal steps: as many as the file says, else enough over the width of a boundary between phases."""
    if "nodes" in entry.model_fields_set:
        return np.full(entry.nodes - 1, 1 / (entry.nodes - 1))
    spacing = np.asarray(even(largest, carrier, gradient, config.temperature))
    if len(spacing) >= MOST_NODES:
        width = boundary_width(carrier, gradient, config.temperature)
        key, most = "thickness" if isinstance(entry, DenseFilm) else "radius", (MOST_NODES - 1) * width / STEPS
        raise config.error(
            ("cell", *path, key),
            f"a boundary between phases of {entry.material} is {quantity(width, 'm')} wide: it takes "
            f"{len(spacing) + 1} nodes to follow one through {quantity(largest, 'm')}, {MOST_NODES} are allowed",
            f"up to {quantity(most, 'm')}, a material with more gradient_energy, or nodes: {MOST_NODES} all the same",
        )
    return spacing


def _sizes(entry: float | Sizes | Listed) -> tuple[np.ndarray, np.ndarray]:
    """Radii [m] and shares of the volume. Of a distribution: the middles of parts of equal volume."""
    if isinstance(entry, Listed):
        return np.array(entry.radii), np.array(entry.shares) / sum(entry.shares)
    if isinstance(entry, Sizes):
        middles = (np.arange(entry.sizes) + 0.5) / entry.sizes
        return entry.median * np.exp(entry.spread * ndtri(middles)), np.full(entry.sizes, 1 / entry.sizes)
    return np.array([entry]), np.ones(1)


def _surface(entry: SurfaceEntry, ions, electrons, contact: ContactEntry | None = None) -> Surface:
    activities = [float(a + b) for a, b in zip(ions, electrons, strict=True)]
    layer = entry.double_layer
    return Surface(
        law=rate_law(entry.reaction, 1),
        activities=activities,
        film=_coating(entry),
        compact=NoCompactLayer() if layer is None else Capacitance(layer.capacitance),
        contact=_contact(contact),
    )


def _coating(entry: SurfaceEntry):
    """In series with the reaction. One in equilibrium gets INSTANT, without which nothing would say its rate."""
    own = entry.coating
    if own is None:
        return ResistiveFilm(Constant(INSTANT)) if entry.reaction.law == "equilibrium" else NoFilm()
    if own.resistance is not None:
        return ResistiveFilm(law(own.resistance, sign=-1.0))
    conducting = law(own.conductivity)
    value, energy = own.thickness / own.conductivity.value, own.conductivity.activation_energy
    if isinstance(conducting, Constant):
        return ResistiveFilm(Constant(value))
    return ResistiveFilm(Arrhenius(value, -energy, own.conductivity.temperature))


def _contact(entry: ContactEntry | None) -> ContactArea:
    if entry is None:
        return ContactArea(1.0, 0.0, 0.0)
    share = entry.share if entry.share is not None else pressed(entry.pressure, entry.stiffness)
    return ContactArea(share, entry.swelling, entry.reference)


def _conductor(config: Config, entry: Separator) -> Conductor:
    conductivity = law(entry.conductivity) if entry.material is None else Bulk(_material(config, entry.material), 1.0)
    return Conductor(entry.name, conductivity, entry.thickness)


def _ionic(config: Config, entry: Composite) -> Law:
    own = entry.electrolyte
    if own.conductivity is not None:
        return law(own.conductivity)
    fraction = own.volume_fraction
    tortuosity = fraction**-BRUGGEMAN if own.tortuosity == "bruggeman" else own.tortuosity
    return Bulk(_material(config, own.material), fraction / tortuosity)


def _electronic(entry: Composite) -> Law:
    if entry.percolation is None:
        return law(entry.electronic_conductivity)
    return law(entry.percolation.conductivity, percolating(entry.percolation))


def percolating(entry: Percolation) -> float:
    """Effective over own conductivity of grains above their threshold.

    Kirkpatrick, Rev. Mod. Phys. 45 (1973) 574, doi:10.1103/RevModPhys.45.574.
    """
    return math.pow((entry.volume_fraction - entry.threshold) / (1 - entry.threshold), entry.exponent)
