"""Stacks that several tests share. One place, so that shapes and compiled functions are shared too."""

import jax.numpy as jnp

from ionics.kinetics.compact import Capacitance, NoCompactLayer
from ionics.kinetics.rates import ButlerVolmer, Equilibrium
from ionics.laws import Constant
from ionics.transport.flux import Hopping, Vehicle
from ionics.transport.stack import (
    Carrier,
    Junction,
    Layer,
    Material,
    Species,
    Stack,
    bulk_potential,
    graded_mesh,
    neutral_charge,
    reservoir,
    transfer,
)
from ionics.transport.statistics import Dilute, Lattice

T = 298.15
LITHIUM = Species("Li+", 1)
CATION, ANION = Species("C+", 1), Species("A-", -1)
ELECTRON, HOLE = Species("e-", -1), Species("h+", 1)


def lattice(sites, theta, diffusivity=1e-12, eps=10.0, mu0=0.0, name="lattice", hopping=False):
    """One mobile Li+ on a lattice with a neutralising background."""
    carrier = Carrier(
        LITHIUM, Lattice(), sites, theta, Constant(diffusivity), Constant(mu0), Hopping() if hopping else Vehicle()
    )
    return Material(name, (carrier,), eps, neutral_charge((carrier,)))


def salt(concentration, diffusivity=1e-12, eps=10.0, fixed=0.0, anion=None, name="salt"):
    """A dilute symmetric salt, with fixed charge if given."""
    amounts = (concentration, concentration if anion is None else anion)
    carriers = tuple(
        Carrier(s, Dilute(), 1.0, c, Constant(diffusivity)) for s, c in zip((CATION, ANION), amounts, strict=True)
    )
    return Material(name, carriers, eps, fixed)


def semiconductor(electrons, holes, eps, diffusivity=1e-4, name="semiconductor"):
    """Dilute electrons and holes with the dopants that neutralise them."""
    carriers = (
        Carrier(ELECTRON, Dilute(), 1.0, electrons, Constant(diffusivity)),
        Carrier(HOLE, Dilute(), 1.0, holes, Constant(diffusivity)),
    )
    return Material(name, carriers, eps, neutral_charge(carriers))


def layer(material, thickness, nodes=None, name="layer", temperature=T):
    return Layer(name, material, thickness, graded_mesh(material, thickness, temperature, nodes))


def uniform(material, thickness, nodes, name="layer"):
    return Layer(name, material, thickness, jnp.full(nodes - 1, 1 / (nodes - 1)))


def stack(species, layers, junctions, temperature=T, **rest):
    return Stack(tuple(species), tuple(layers), tuple(junctions), temperature, **rest)


def half_space(material, thickness, species, nodes=None, temperature=T):
    """A blocking metal on the left, a reservoir of the neutral bulk on the right."""
    right = Junction("right contact", reservoir(material, "right", temperature))
    one = layer(material, thickness, nodes, temperature=temperature)
    return stack(species, [one], [Junction("left contact"), right], temperature)


def symmetric_cell(material, thickness, exchange_current, compact=None, alpha=0.5, nodes=None):
    """Lithium | electrolyte | lithium with Butler-Volmer (or, without an exchange current, equilibrium) contacts."""
    level = float(bulk_potential(material.carriers[0], jnp.asarray(T)))
    law = Equilibrium() if exchange_current is None else ButlerVolmer(Constant(exchange_current), alpha)
    layers = Capacitance(compact) if compact else NoCompactLayer()
    contacts = [
        Junction(f"{side} contact", (transfer("Li+", law, sign * level),), layers)
        for side, sign in (("left", 1), ("right", -1))
    ]
    return stack([LITHIUM], [layer(material, thickness, nodes)], contacts)


def blocking_cell(material, thickness, species, nodes=None):
    one = layer(material, thickness, nodes)
    return stack(species, [one], [Junction("left contact"), Junction("right contact")])


__all__ = [name for name in dir() if not name.startswith("_")]
