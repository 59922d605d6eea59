"""Random stacks: structures (which parts, names and laws: what is compiled) and random numbers for each.

A case is named by two integers, case(structure, draw), and is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ionics.constants import FARADAY, GAS
from ionics.kinetics.bulk import Generation, MassAction, ShockleyReadHall
from ionics.kinetics.compact import Capacitance, ConstantPhase, NoCompactLayer
from ionics.kinetics.eyring import Eyring
from ionics.kinetics.film import Interphase, NoFilm, ResistiveFilm
from ionics.kinetics.rates import Blocked, ButlerVolmer, Equilibrium, Linear, Marcus, MarcusHushChidsey
from ionics.kinetics.states import InterfaceState
from ionics.laws import Arrhenius, Constant
from ionics.transport.fermi import fermi_dirac
from ionics.transport.flux import Chemical, Hopping, Immobile, Vehicle
from ionics.transport.stack import (
    BulkReaction,
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
from ionics.transport.statistics import Dilute, FermiDirac, Lattice, Measured, RegularSolution

CHARGES = {"Li+": 1, "Na+": 1, "V-": -1, "A-": -1, "e-": -1, "h+": 1, "t-": -1, "D+": 1, "Li": 0}
SPECIES = {name: Species(name, z) for name, z in CHARGES.items()}
KINDS = {
    "conductor": ("Li+",),  # one ion on a lattice
    "pair": ("Li+", "V-"),  # interstitials and vacancies
    "salt": ("Li+", "A-"),
    "mixed": ("Li+", "e-"),
    "defects": ("Li+", "V-", "e-", "h+"),
    "semiconductor": ("e-", "h+"),
    "electrode": ("Li", "e-"),
    "dielectric": (),
    "shared": ("Li+", "Na+"),  # two ions on the same sites
    "trapping": ("e-", "h+", "t-"),  # electrons held by immobile traps
    "doped": ("Li+", "e-", "D+"),  # immobile charge
}
WEIGHTS = (4, 2, 2, 2, 1, 2, 4, 0.5, 1, 1, 1)
RATE_LAWS = ("equilibrium", "equilibrium", "linear", "butler-volmer", "occupancy", "marcus", "chidsey", "eyring")
INSERTION = ((("Li+", 1),), (("Li", 1), ("e-", -1)))
PAIRS = {("Li+", "V-"): "mass action", ("e-", "h+"): "shockley-read-hall"}  # created and annihilated in the bulk


@dataclass(frozen=True)
class Part:
    """A carrier of a layer: names only."""

    species: str
    statistics: str
    mobility: str
    activated: bool


@dataclass(frozen=True)
class Face:
    """A junction or contact: reactions as (left, right, law), the compact layer, the film, the interface state."""

    reactions: tuple[tuple[tuple, tuple, str], ...]
    compact: str
    contact: str = ""
    film: str = "none"
    state: str = ""  # the species it holds


@dataclass(frozen=True)
class Structure:
    """What is compiled."""

    layers: tuple[tuple[Part, ...], ...]
    reactions: tuple[tuple[tuple[tuple, tuple, str], ...], ...]  # of each layer, as (consumed, produced, law)
    faces: tuple[Face, ...]
    nodes: int

    @property
    def species(self) -> tuple[Species, ...]:
        names = [part.species for layer in self.layers for part in layer]
        return tuple(SPECIES[name] for name in dict.fromkeys(names))

    def __str__(self):
        layers = ["+".join(p.species for p in parts) or "dielectric" for parts in self.layers]
        laws = [",".join(law for *_, law in one) for one in self.reactions]
        layers = [f"{layer} ({law})" if law else layer for layer, law in zip(layers, laws, strict=True)]
        faces = [f.contact or ",".join(law for *_, law in f.reactions) or "blocked" for f in self.faces]
        return " | ".join(x for pair in zip(faces, [*layers, ""], strict=True) for x in pair if x)


def structure(seed: int, nodes: int = 61) -> Structure:
    """Layers, carriers, statistics, mobilities, laws and contacts."""
    rng = np.random.default_rng([17, seed])
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
    weights = np.array(WEIGHTS) / sum(WEIGHTS)
    kinds = [str(k) for k in rng.choice(list(KINDS), size=count, p=weights)]
    layers = tuple(tuple(_part(rng, name, kind) for name in KINDS[kind]) for kind in kinds)
    reactions = tuple(_bulk_reactions(rng, parts) for parts in layers)
    faces = [_contact(rng, layers[0], "left")]
    faces += [_junction(rng, a, b) for a, b in pairwise(layers)]
    faces.append(_contact(rng, layers[-1], "right"))
    return Structure(layers, reactions, tuple(faces), nodes)


def _part(rng, species: str, kind: str) -> Part:
    if species in ("t-", "D+"):
        choices = [("lattice", "immobile")]
    elif kind == "shared":
        choices = [("lattice", "hopping"), ("lattice", "vehicle")]
    elif species == "Li":
        choices = [("lattice", "hopping"), ("regular", "vehicle"), ("measured", "hopping"), ("measured", "chemical")]
    elif species in ("e-", "h+"):
        choices = [("dilute", "vehicle"), ("dilute", "vehicle"), ("lattice", "vehicle"), ("fermi-dirac", "vehicle")]
    else:
        choices = [("lattice", "hopping"), ("lattice", "vehicle"), ("dilute", "vehicle"), ("regular", "hopping")]
    statistics, mobility = choices[rng.integers(len(choices))]
    return Part(species, statistics, mobility, bool(rng.random() < 0.2))


def _bulk_reactions(rng, parts: tuple[Part, ...]) -> tuple[tuple[tuple, tuple, str], ...]:
    """Pairs come and go, sometimes by light; traps fill."""
    names, found = [p.species for p in parts], []
    for (one, other), law in PAIRS.items():
        if one in names and other in names and rng.random() < 0.4:
            pair = ((one, 1), (other, 1))
            found.append((pair, (), law))
            if rng.random() < 0.3:
                found.append(((), pair, "generation"))
    if "t-" in names:
        found.append(((("e-", 1),), (("t-", 1),), "mass action"))
    return tuple(found)


def _compact(rng) -> str:
    return str(rng.choice(["none", "capacitance", "constant phase"], p=[0.5, 0.4, 0.1]))


def _film(rng) -> str:
    return str(rng.choice(["none", "resistive", "interphase"], p=[0.75, 0.2, 0.05]))


def _state(rng, left: set[str], right: set[str]) -> tuple[list, str]:
    """A state that takes electrons or ions from either side, and the reactions that fill it."""
    held = [name for name in ("e-", "Li+") if name in left | right]
    if not held or rng.random() > 0.2:
        return [], ""
    one = str(rng.choice(held))
    full, bare = (("state", 1),), ((one, 1),)
    laws = [str(rng.choice(few)) for few in (["equilibrium", "linear", "occupancy"], ["linear", "occupancy"])]
    found = [(bare, full, laws[0])] if one in left else []
    return found + ([(full, bare, laws[-1])] if one in right else []), one  # no two paths without resistance


def _junction(rng, left: tuple[Part, ...], right: tuple[Part, ...]) -> Face:
    names = [{p.species for p in side} for side in (left, right)]
    reactions = [(((name, 1),), ((name, 1),), str(rng.choice(RATE_LAWS))) for name in sorted(names[0] & names[1])]
    law = str(rng.choice(["butler-volmer", "occupancy", "linear", "equilibrium"]))
    if "Li+" in names[0] and {"Li", "e-"} <= names[1] and "Li+" not in names[1]:
        reactions.append((*INSERTION, law))
    if "Li+" in names[1] and {"Li", "e-"} <= names[0] and "Li+" not in names[0]:
        reactions.append((*INSERTION[::-1], law))
    filling, state = _state(rng, *names)
    return Face((*reactions, *filling), _compact(rng), "", _film(rng), state)


def _contact(rng, layer: tuple[Part, ...], side: str) -> Face:
    names = [p.species for p in layer if p.mobility != "immobile"]
    kinds = ["blocking", "reservoir"]
    kinds += ["ohmic"] * 3 * ("e-" in names) + ["lithium"] * 3 * ("Li+" in names)
    contact = str(rng.choice(kinds))
    law = str(rng.choice(["equilibrium", "linear", "butler-volmer", "occupancy", "marcus", "chidsey", "eyring"]))
    passing = {"blocking": [], "reservoir": names, "ohmic": ["e-"], "lithium": ["Li+"]}[contact]
    laws = ["equilibrium" if contact in ("reservoir", "ohmic") and rng.random() < 0.7 else law for _ in passing]
    reactions = tuple((((n, 1),), ((n, 1),), one) for n, one in zip(passing, laws, strict=True))
    inside = set(names)
    filling, state = _state(rng, *((set(), inside) if side == "left" else (inside, set())))
    return Face((*reactions, *filling), _compact(rng), contact, _film(rng), state)


def stack(shape: Structure, draw: int) -> Stack:
    """A structure with random numbers, from mild to wild."""
    rng = np.random.default_rng([23, draw])
    wild = rng.random()
    temperature = rng.uniform(250.0, 450.0)
    ends = {0: shape.faces[0].contact == "reservoir"}
    ends[len(shape.layers) - 1] = ends.get(len(shape.layers) - 1, False) | (shape.faces[-1].contact == "reservoir")
    materials = [
        _material(rng, f"material {i}", parts, reactions, ends.get(i, False), wild, temperature)
        for i, (parts, reactions) in enumerate(zip(shape.layers, shape.reactions, strict=True))
    ]
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
        eqx.tree_at(lambda face: face.step, one, one.step + bulk_step(made, j)) if flat[j] else one
        for j, one in enumerate(junctions)
    ]
    return Stack(shape.species, tuple(layers), tuple(junctions), temperature, resistance)


def _law(rng, value: float, activated: bool):
    return Arrhenius(value, rng.uniform(1e4, 6e4), 298.15) if activated else Constant(value)


def _material(rng, name: str, parts: tuple[Part, ...], reactions, held: bool, wild: float, temperature: float):
    """held: by a reservoir of its own neutral bulk, in which all reactions are then at rest."""
    carriers, shared = [], {"Li+", "Na+"} <= {part.species for part in parts}
    for part in parts:
        electronic = part.species in ("e-", "h+")
        diffusivity = 10.0 ** (rng.uniform(-8, -3) if electronic else rng.uniform(-18, -9))
        sites = 10.0 ** rng.uniform(-3, 5)
        logit = rng.uniform(-4, 4) if wild < 0.5 else rng.uniform(-12, 12)
        theta = 1 / (1 + np.exp(-logit))
        if part.statistics == "dilute":
            sites, theta = 1.0, sites
        if part.statistics == "fermi-dirac":
            theta = float(fermi_dirac(jnp.asarray(logit))[0])
        if shared and carriers:  # the same sites, of which the first has left some empty
            sites, theta = carriers[0].sites, theta * (1 - float(carriers[0].occupancy))
        statistics = {
            "dilute": Dilute,
            "fermi-dirac": FermiDirac,
            "lattice": Lattice,
            "regular": lambda: RegularSolution(rng.uniform(-3, 1.8) * GAS * temperature),
            "measured": lambda: _curve(rng),
        }[part.statistics]()
        mobility = {"vehicle": Vehicle, "hopping": Hopping, "chemical": Chemical, "immobile": Immobile}[part.mobility]
        law = _law(rng, diffusivity, part.activated)
        mu0 = Constant(rng.normal(0, 0.2) * FARADAY)
        place = "ions" if shared else None
        carriers.append(Carrier(SPECIES[part.species], statistics, sites, theta, law, mu0, mobility(), place))
    permittivity = 10.0 ** rng.uniform(0.3, 2.3)
    bare = Material(name, tuple(carriers), permittivity, neutral_charge(tuple(carriers)))
    for consumed, produced, law in reactions:
        if law != "generation":
            away = rng.normal(0, 4 if wild < 0.5 else 15) * GAS * temperature * (rng.random() < 0.5)
            bare = _resting(bare, consumed, produced, 0.0 if held else away, temperature)
    turning = tuple(BulkReaction(a, b, _bulk_law(rng, law)) for a, b, law in reactions)
    return eqx.tree_at(lambda m: m.reactions, bare, turning)


def _resting(material: Material, consumed, produced, away: float, temperature: float) -> Material:
    """The last species of a reaction has the standard potential at which the neutral bulk is `away` from rest."""

    def potential(name):
        carrier = material.carrier(name)
        return float(bulk_potential(carrier, jnp.asarray(temperature), material.beside(carrier)))

    last, sign = (produced[-1][0], 1) if produced else (consumed[-1][0], -1)
    affinity = sum(n * potential(name) for name, n in consumed) - sum(n * potential(name) for name, n in produced)
    k = [c.species.name for c in material.carriers].index(last)
    return eqx.tree_at(
        lambda m: m.carriers[k].standard_potential.value, material, replace_fn=lambda v: v + sign * (affinity + away)
    )


def _bulk_law(rng, law: str):
    if law == "generation":
        return Generation(Constant(10.0 ** rng.uniform(-6, 3)))
    if law == "shockley-read-hall":
        times = [Constant(10.0 ** rng.uniform(-9, -3)) for _ in range(2)]
        deep = [Constant(10.0 ** rng.uniform(-9, -1)) for _ in range(2)]
        return ShockleyReadHall("e-", "h+", *times, *deep)
    return MassAction(Constant(10.0 ** rng.uniform(-6, 9)))


def _curve(rng) -> Measured:
    theta = np.linspace(0.02, 0.98, 9)
    falls = rng.dirichlet(np.ones(8)) * rng.uniform(0.1, 1.5)
    return Measured(theta, rng.uniform(0, 4) - np.concatenate([[0.0], np.cumsum(falls)]))


def _with_numbers(rng, j, face: Face, shape: Structure, materials, wild, temperature) -> Junction:
    reactions = []
    offset = rng.normal(0, 0.1 if wild < 0.5 else 0.4) * FARADAY  # of the whole contact
    for left, right, law in face.reactions:
        level = 0.0
        if face.contact and "state" not in dict(
            (*left, *right)
        ):  # every carrier of a contact in equilibrium with the same bulk
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
    films = {
        "none": NoFilm,
        "resistive": lambda: ResistiveFilm(Constant(10.0 ** rng.uniform(-6, 1))),
        "interphase": lambda: Interphase(
            (), (), Constant(10.0 ** rng.uniform(3, 8)), Constant(1e-12), 0.0, 0.5, 0.5, 1e-9, np.array([1e-9, 1e-10])
        ),
    }
    states = ()
    if face.state:
        density, energy = 10.0 ** rng.uniform(-9, -5), rng.normal(0, 0.2) * FARADAY
        states = (InterfaceState("state", SPECIES[face.state].charge, density, energy),)
    return Junction(f"junction {j}", tuple(reactions), compact, step, charge, films[face.film](), states)


def _rate_law(rng, law: str):
    if law == "blocked":
        return Blocked()
    if law == "equilibrium":
        return Equilibrium()
    if law == "linear":
        return Linear(Constant(10.0 ** rng.uniform(-7, 2)))
    if law in ("marcus", "chidsey"):
        kind = Marcus if law == "marcus" else MarcusHushChidsey
        return kind(Constant(10.0 ** rng.uniform(-4, 4)), rng.uniform(0.2, 2.0) * FARADAY)
    if law == "eyring":
        return ButlerVolmer(Eyring(10.0 ** rng.uniform(-6, -4), rng.uniform(3e4, 7e4)), rng.uniform(0.2, 0.8), True)
    return ButlerVolmer(Constant(10.0 ** rng.uniform(-4, 4)), rng.uniform(0.2, 0.8), law != "butler-volmer")


def volts(draw: int) -> float:
    """How far from rest the stack is driven [V]: from 1 mV to 5 V, either sign."""
    rng = np.random.default_rng([29, draw])
    return float(rng.choice([-1.0, 1.0]) * 5.0 * 10.0 ** -rng.uniform(0, 3.7))
