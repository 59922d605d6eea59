"""A resolved thin-film stack as a cell: its space charges become resistances, and factors of its junction laws.

What is kept: the materials, the laws of the reactions, the open-circuit curve, diffusion in the electrode. What a space
charge changes, the resistance of layers and the exchange current at a junction, is taken from the impedance of the
resolved stack at rest, at a frequency at which nothing but the filling of the electrode still changes.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ionics.cells.cell import Cell, Conductor, Electrode, Metal, Particle, Surface
from ionics.cells.inward import Modes, Shells
from ionics.constants import FARADAY
from ionics.kinetics.compact import Capacitance, NoCompactLayer
from ionics.kinetics.film import Passive, ResistiveFilm
from ionics.kinetics.rates import Activated
from ionics.laws import Constant
from ionics.transport.balance import State, charge_number
from ionics.transport.flux import Chemical, Immobile
from ionics.transport.impedance import impedance
from ionics.transport.stack import Carrier, Junction, Layer, Material, Reaction, Stack, bulk_unknown, fillings

SLOW = 1e-3  # Hz; of the resistances that are read off


class NotLumpable(ValueError):
    """The stack is no metal | conductors | film electrode | metal."""


def lumped(stack: Stack, about: State, nodes: int = 60) -> tuple[Cell, dict[str, float]]:
    """The cell, and the occupancy of its film at the state.

    stack: a lithium contact on the left, layers that conduct one kind of ion, an electrode that stores neutral lithium
    beside the right contact, which passes electrons. about: its state at rest. Raises NotLumpable.
    """
    film = stack.layers[-1]
    stored = [c for c in film.material.carriers if c.species.charge == 0 and not isinstance(c.mobility, Immobile)]
    if len(stored) != 1 or stack.units:
        raise NotLumpable(f"the last layer, {film.name}, does not store one neutral carrier")
    for layer in stack.layers[:-1]:
        if any(c.species.charge == 0 for c in layer.material.carriers):
            raise NotLumpable(f"{layer.name} stores a neutral carrier: only the last layer may")
    slow = impedance(stack, about, [SLOW])
    parts = dict(zip(slow.elements, np.real(np.asarray(slow.parts[:, 0])), strict=True))
    left, joint, right = stack.junctions[0], stack.junctions[-2], stack.junctions[-1]
    conductors = [Conductor(layer.name, Constant(_over(layer.thickness, parts[layer.name])), layer.thickness)
                  for layer in stack.layers[:-1]]  # fmt: skip
    inner = sum(parts[junction.name] for junction in stack.junctions[1:-2])
    own, before = film.material, stack.layers[-2].material
    electrons = [c for c in own.carriers if c.species.charge == -1]
    through = float(film.thickness) / _conductivity(stack, own, electrons[0]) if electrons else 0.0
    theta, carrier = _filling(stack, about, film, stored[0]), stored[0]
    contact = _transfer(stack, left, f"the left contact, {left.name},")
    entering = _transfer(stack, joint, f"the junction {joint.name}")
    metal = Metal(left.name, _surface(stack, left, contact, (before,), parts[left.name], None))
    surface = _surface(stack, joint, entering, (before, own), parts[joint.name], (carrier, theta))
    size = jnp.asarray([float(film.thickness)])
    spacing = np.linspace(4.0, 1.0, nodes - 1)
    linear = isinstance(carrier.mobility, Chemical) and carrier.diffusivity_curve is None
    inside = (Modes if linear else Shells)(1, spacing / spacing.sum())
    cell = Cell(
        negative=Electrode("negative", (metal,)),
        between=tuple(conductors),
        positive=Electrode("positive", (Particle(film.name, carrier, inside, surface, size, size),)),
        temperature=stack.temperature,
        series_resistance=stack.series_resistance + inner + through + parts[right.name],
    )
    return cell, {film.name: theta}


def _over(thickness, resistance: float):
    return thickness / max(resistance, 1e-30)


def _conductivity(stack: Stack, material: Material, carrier: Carrier) -> float:
    moving = carrier.diffusivity(stack.temperature) * carrier.sites * carrier.occupancy
    return float(moving * FARADAY / stack.thermal_voltage)


def _filling(stack: Stack, about: State, film: Layer, carrier: Carrier) -> float:
    nodes = film.nodes
    carriers = film.material.carriers
    unknowns = tuple(about.u[stack.index(c.species.name), -nodes:] for c in carriers)
    theta = fillings(film.material, unknowns, stack.temperature)
    own = theta[[c.species.name for c in carriers].index(carrier.species.name)].occupancy
    h = np.asarray(film.spacing)
    weights = 0.5 * (np.append(h, 0.0) + np.append(0.0, h))
    return float(np.sum(np.asarray(own) * weights))


def _transfer(stack: Stack, junction: Junction, where: str) -> Reaction:
    """The one reaction that carries charge through a junction."""
    charged = [r for r in junction.reactions if charge_number(stack, r) or charge_number(stack, r, "right")]
    if len(charged) != 1 or not isinstance(junction.film, Passive) or junction.states:
        raise NotLumpable(f"{where} must have one reaction that carries charge, no interphase and no states")
    return charged[0]


def _surface(stack: Stack, junction: Junction, reaction: Reaction, materials, resistance: float, lithium) -> Surface:
    """With an exchange current that gives the junction the resistance it has in the resolved stack at rest."""
    activities = [0.0, 0.0]
    for material, terms in zip(materials, (reaction.left, reaction.right), strict=False):
        for name, _ in terms:
            own = [c for c in material.carriers if c.species.name == name and c.species.charge != 0]
            for c in own:
                one = fillings(Material("", (c,), 1.0, 0.0), (bulk_unknown(c),), stack.temperature)[0]
                activities = [activities[0] + float(one.log_occupancy), activities[1] + float(one.log_vacancy)]
    compact = junction.compact if isinstance(junction.compact, Capacitance) else NoCompactLayer()
    law = reaction.law
    if not isinstance(law, Activated):
        return Surface(law, (0.0, 0.0), ResistiveFilm(Constant(max(resistance, 0.0))), compact)
    plain = Surface(law, activities, junction.film, compact)
    film = float(junction.film.resistance(jnp.zeros(0), stack.temperature))
    factor = _resistance(stack, eqx.tree_at(lambda s: s.film, plain, ResistiveFilm(Constant(0.0))), lithium) / (
        resistance - film
    )
    scaled = jax.tree.map(lambda leaf: leaf, law)
    scaled = eqx.tree_at(lambda one: one.exchange_current.value, scaled, replace_fn=lambda value: value * factor)
    return Surface(scaled, activities, junction.film, compact)


def _resistance(stack: Stack, surface: Surface, lithium) -> float:
    """Of a surface at rest [Ohm m2]."""
    logs = (jnp.zeros(()), jnp.zeros(()))
    if lithium is not None:
        carrier, theta = lithium
        u = carrier.statistics.unknown(jnp.asarray(theta))
        one = fillings(Material("", (carrier,), 1.0, 0.0), (u,), stack.temperature)[0]
        logs = (one.log_vacancy, one.log_occupancy)

    def law(rate, drop):
        return surface.residual(rate, drop, jnp.zeros(()), logs, jnp.ones(()), stack.temperature)

    by_rate, by_drop = jax.grad(law, (0, 1))(jnp.zeros(()), jnp.zeros(()))
    return float(by_rate / by_drop / FARADAY)
