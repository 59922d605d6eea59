"""What a layer's carriers are, from what the material, the layer and the study say together."""

from __future__ import annotations

from typing import Any

from ionics.config.carriers import ON_SITES, Carrier
from ionics.config.material import Material, shared
from ionics.config.schema import Config, Layer
from ionics.constants import FARADAY, GAS

DEFAULT_MOBILITY = {
    "dilute": "vehicle",
    "lattice": "hopping",
    "fermi-dirac": "vehicle",
    "regular-solution": "hopping",
    "measured": "chemical",
}


def mobility(entry: Carrier) -> str:
    """Stated, or what goes with the statistics."""
    return entry.mobility or DEFAULT_MOBILITY[entry.statistics]


def mobile(material: Material) -> list[str]:
    """The carriers that can move, and so cross a junction."""
    return [name for name, entry in material.carriers.items() if mobility(entry) != "immobile"]


def occupancy(config: Config, layer: Layer, carrier: str) -> float | None:
    """Bulk occupancy: stated for the layer, else by the material, else the state of charge asked for."""
    stated = config.material(layer.material).carriers[carrier].occupancy
    held = config.study.state_of_charge.get(layer.name, {}) if config.study else {}
    return layer.occupancy.get(carrier, stated.value if stated else held.get(carrier))


def diffusivity_per_conductivity(config: Config, layer: Layer, name: str) -> float:
    """R T_ref / (z^2 F^2 c_sites theta g) [m3 ohm s-1], at the occupancy and temperature the conductivity belongs to.

    That occupancy is the material's own; a layer that is filled differently keeps the diffusivity. Without a stated
    temperature the conductivity is that at the temperature of the stack.
    """
    material = config.material(layer.material)
    entry = material.carriers[name]
    theta = _own(config, layer, name)
    hops = mobility(entry) == "hopping" and entry.statistics in ON_SITES
    empty = 1 - theta - sum(_own(config, layer, other) for other in shared(material, name)) if hops else 1.0
    stated = entry.conductivity.temperature if entry.conductivity else None
    temperature = stated or config.temperature
    return GAS * temperature / (entry.charge**2 * FARADAY**2 * entry.sites.value * theta * empty)


def _own(config: Config, layer: Layer, name: str) -> Any:
    """The occupancy of the material itself, else that of the layer."""
    stated = config.material(layer.material).carriers[name].occupancy
    return stated.value if stated else occupancy(config, layer, name)
