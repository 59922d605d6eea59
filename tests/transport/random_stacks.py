"""Random stacks: structures (which parts, names and laws: what is compiled) and random numbers for each.

A case is named by two integers, case(structure, draw), and is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import jax.numpy as jnp
import numpy as np

from ionics.constants import FARADAY, VACUUM_PERMITTIVITY
from ionics.kinetics.compact import Capacitance, ConstantPhase, NoCompactLayer
from ionics.kinetics.rates import Blocked, ButlerVolmer, Equilibrium, Linear
from ionics.laws import Arrhenius, Constant
from ionics.transport.flux import Chemical, Hopping, Vehicle
from ionics.transport.stack import (
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
    transfer,
)
from ionics.transport.statistics import Dilute, Lattice, Measured

SPECIES = {name: Species(name, z) for name, z in (("Li+", 1), ("V-", -1), ("A-", -1), ("e-", -1), ("h+", 1), ("Li", 0))}
KINDS = {
    "conductor": ("Li+",),  # one ion on a lattice
    "pair": ("Li+", "V-"),  # interstitials and vacancies
    "salt": ("Li+", "A-"),
    "mixed": ("Li+", "e-"),
    "defects": ("Li+", "V-", "e-", "h+"),
    "semiconductor": ("e-", "h+"),
    "electrode": ("Li", "e-"),
    "dielectric": (),
}
WEIGHTS = (4, 2, 2, 2, 1, 2, 4, 0.5)
RATE_LAWS = ("equilibrium", "equilibrium", "linear", "butler-volmer", "occupancy", "blocked")
INSERTION = ((("Li+", 1),), (("Li", 1), ("e-", -1)))


@dataclass(frozen=True)
class Part:
    """A carrier of a layer: names only."""

    species: str
    statistics: str
    mobility: str
    activated: bool


@dataclass(frozen=True)
class Face:
    """A junction or contact: reactions as (left, right, law), the compact layer, whether a dipole is given."""

    reactions: tuple[tuple[tuple, tuple, str], ...]
    compact: str
    contact: str = ""


@dataclass(frozen=True)
class Structure:
    """What is compiled."""

    layers: tuple[tuple[Part, ...], ...]
    faces: tuple[Face, ...]
    nodes: int

    @property
    def species(self) -> tuple[Species, ...]:
        names = [part.species for layer in self.layers for part in layer]
        return tuple(SPECIES[name] for name in dict.fromkeys(names))

    def __str__(self):
        layers = ["+".join(p.species for p in parts) or "dielectric" for parts in self.layers]
        faces = [f.contact or ",".join(law for *_, law in f.reactions) or "blocked" for f in self.faces]
        return " | ".join(x for pair in zip(faces, [*layers, ""], strict=True) for x in pair if x)


def structure(seed: int, nodes: int = 61) -> Structure:
    """Layers, carriers, statistics, mobilities, laws and contacts."""
    rng = np.random.default_rng([17, seed])
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
    weights = np.array(WEIGHTS) / sum(WEIGHTS)
    kinds = [str(k) for k in rng.choice(list(KINDS), size=count, p=weights)]
    layers = tuple(tuple(_part(rng, name) for name in KINDS[kind]) for kind in kinds)
    faces = [_contact(rng, layers[0], "left")]
    faces += [_junction(rng, a, b) for a, b in pairwise(layers)]
    faces.append(_contact(rng, layers[-1], "right"))
    return Structure(layers, tuple(faces), nodes)


def _part(rng, species: str) -> Part:
    if species == "Li":
        choices = [("lattice", "hopping"), ("lattice", "vehicle"), ("measured", "hopping"), ("measured", "chemical")]
    elif species in ("e-", "h+"):
        choices = [("dilute", "vehicle"), ("dilute", "vehicle"), ("lattice", "vehicle")]
    else:
        choices = [("lattice", "hopping"), ("lattice", "vehicle"), ("dilute", "vehicle")]
    statistics, mobility = choices[rng.integers(len(choices))]
    return Part(species, statistics, mobility, bool(rng.random() < 0.2))


def _compact(rng) -> str:
    return str(rng.choice(["none", "capacitance", "constant phase"], p=[0.5, 0.4, 0.1]))


def _junction(rng, left: tuple[Part, ...], right: tuple[Part, ...]) -> Face:
    names = [{p.species for p in side} for side in (left, right)]
    reactions = [(((name, 1),), ((name, 1),), str(rng.choice(RATE_LAWS))) for name in sorted(names[0] & names[1])]
    law = str(rng.choice(["butler-volmer", "occupancy", "linear", "equilibrium"]))
    if "Li+" in names[0] and {"Li", "e-"} <= names[1] and "Li+" not in names[1]:
        reactions.append((*INSERTION, law))
    if "Li+" in names[1] and {"Li", "e-"} <= names[0] and "Li+" not in names[0]:
        reactions.append((*INSERTION[::-1], law))
    return Face(tuple(reactions), _compact(rng))


def _contact(rng, layer: tuple[Part, ...], side: str) -> Face:
    names = [p.species for p in layer]
    kinds = ["blocking", "reservoir"]
    kinds += ["ohmic"] * 3 * ("e-" in names) + ["lithium"] * 3 * ("Li+" in names)
    contact = str(rng.choice(kinds))
    law = str(rng.choice(["equilibrium", "linear", "butler-volmer", "occupancy"]))
    passing = {"blocking": [], "reservoir": names, "ohmic": ["e-"], "lithium": ["Li+"]}[contact]
    laws = ["equilibrium" if contact in ("reservoir", "ohmic") and rng.random() < 0.7 else law for _ in passing]
    reactions = tuple((((n, 1),), ((n, 1),), one) for n, one in zip(passing, laws, strict=True))
    return Face(reactions, _compact(rng), contact)


def stack(shape: Structure, draw: int) -> Stack:
    """A structure with random numbers, from mild to wild."""
    rng = np.random.default_rng([23, draw])
    wild = rng.random()
    temperature = rng.uniform(250.0, 450.0)
    materials = [_material(rng, f"material {i}", parts, wild, temperature) for i, parts in enumerate(shape.layers)]
    layers = []
    for i, material in enumerate(materials):
        thickness = 10.0 ** rng.uniform(-9, -3)
        layers.append(
            Layer(f"layer {i}", material, thickness, graded_mesh(material, thickness, temperature, shape.nodes))
        )
    junctions = []
    for j, face in enumerate(shape.faces):
        junctions.append(_with_numbers(rng, j, face, shape, materials, wild, temperature))
    resistance = 10.0 ** rng.uniform(-6, -2) if rng.random() < 0.3 else 0.0
    made = Stack(shape.species, tuple(layers), tuple(junctions), temperature, resistance)
    # half of the junctions near flat band, the rest as the standard potentials have it
    flat = [rng.random() < 0.6 for _ in junctions]
    junctions = [
        Junction(one.name, one.reactions, one.compact, one.step + bulk_step(made, j), one.surface_charge)
        if flat[j]
        else one
        for j, one in enumerate(junctions)
    ]
    return Stack(shape.species, tuple(layers), tuple(junctions), temperature, resistance)


def _law(rng, value: float, activated: bool):
    return Arrhenius(value, rng.uniform(1e4, 6e4), 298.15) if activated else Constant(value)


def _material(rng, name: str, parts: tuple[Part, ...], wild: float, temperature: float) -> Material:
    carriers = []
    for part in parts:
        electronic = part.species in ("e-", "h+")
        diffusivity = 10.0 ** (rng.uniform(-8, -3) if electronic else rng.uniform(-18, -9))
        sites = 10.0 ** rng.uniform(-3, 5)
        logit = rng.uniform(-4, 4) if wild < 0.5 else rng.uniform(-12, 12)
        theta = 1 / (1 + np.exp(-logit))
        if part.statistics == "dilute":
            sites, theta = 1.0, sites
        statistics = {"dilute": Dilute, "lattice": Lattice, "measured": lambda: _curve(rng)}[part.statistics]()
        mobility = {"vehicle": Vehicle, "hopping": Hopping, "chemical": Chemical}[part.mobility]()
        mu0 = rng.normal(0, 0.2) * FARADAY
        carriers.append(
            Carrier(
                SPECIES[part.species],
                statistics,
                sites,
                theta,
                _law(rng, diffusivity, part.activated),
                Constant(mu0),
                mobility,
            )
        )
    carriers = tuple(carriers)
    return Material(name, carriers, 10.0 ** rng.uniform(0.3, 2.3), neutral_charge(carriers))


def _curve(rng) -> Measured:
    theta = np.linspace(0.02, 0.98, 9)
    falls = rng.dirichlet(np.ones(8)) * rng.uniform(0.1, 1.5)
    return Measured(theta, rng.uniform(0, 4) - np.concatenate([[0.0], np.cumsum(falls)]))


def _with_numbers(rng, j, face: Face, shape: Structure, materials, wild, temperature) -> Junction:
    reactions = []
    offset = rng.normal(0, 0.1 if wild < 0.5 else 0.4) * FARADAY  # of the whole contact
    for left, right, law in face.reactions:
        level = 0.0
        if face.contact:  # every carrier of a contact in equilibrium with the same bulk
            material, sign = (materials[0], 1.0) if j == 0 else (materials[-1], -1.0)
            carrier = next(c for c in material.carriers if c.species.name == left[0][0])
            level = sign * (float(bulk_potential(carrier, jnp.asarray(temperature))) + carrier.species.charge * offset)
        reactions.append(Reaction(left, right, _rate_law(rng, law), level))
    compact = {
        "none": NoCompactLayer,
        "capacitance": lambda: Capacitance(10.0 ** rng.uniform(-3, 0.5)),
        "constant phase": lambda: ConstantPhase(10.0 ** rng.uniform(-6, -2), rng.uniform(0.5, 1.0)),
    }[face.compact]()
    step = rng.normal(0, 0.2) if rng.random() < 0.5 else 0.0
    charge = rng.normal(0, 0.02) if rng.random() < 0.3 else 0.0
    return Junction(f"junction {j}", tuple(reactions), compact, step, charge)


def _rate_law(rng, law: str):
    if law == "blocked":
        return Blocked()
    if law == "equilibrium":
        return Equilibrium()
    if law == "linear":
        return Linear(Constant(10.0 ** rng.uniform(-7, 2)))
    return ButlerVolmer(Constant(10.0 ** rng.uniform(-4, 4)), rng.uniform(0.2, 0.8), law != "butler-volmer")


def volts(draw: int) -> float:
    """How far from rest the stack is driven [V]: from 1 mV to 5 V, either sign."""
    rng = np.random.default_rng([29, draw])
    return float(rng.choice([-1.0, 1.0]) * 5.0 * 10.0 ** -rng.uniform(0, 3.7))


__all__ = [
    "FARADAY",
    "VACUUM_PERMITTIVITY",
    "Structure",
    "stack",
    "structure",
    "transfer",
    "volts",
]
