"""What `ionics check` shows: lengths, times and resistances of the resolved stack, and where to be careful."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ionics.config import materials
from ionics.config.faces import Spot, spots
from ionics.config.schema import Config, Unit
from ionics.constants import FARADAY, GAS, VACUUM_PERMITTIVITY

METAL = 1000.0  # S/m: above it nobody needs the space charge of electrons resolved


@dataclass(frozen=True)
class CarrierRow:
    """A carrier in the neutral bulk of a layer."""

    name: str
    charge: int
    occupancy: float
    concentration: float  # mol m-3
    diffusivity: float  # m2 s-1
    conductivity: float  # S m-1, 0 for a neutral carrier
    diffusion_time: float  # s, thickness^2 / diffusivity


@dataclass(frozen=True)
class LayerRow:
    """A layer; times and lengths of its neutral bulk."""

    name: str
    material: str
    thickness: float  # m
    nodes: int
    count: int  # how often it stands in series
    carriers: tuple[CarrierRow, ...]
    permittivity: float  # relative
    debye_length: float  # m, infinite without charged carriers
    first_spacing: float  # m, of the mesh at the junctions
    lattice_spacing: float | None  # m
    conductivity: float  # S m-1
    dielectric_time: float  # s, permittivity / conductivity
    resistance: float  # ohm m2, of one such layer: thickness / conductivity
    citations: tuple[str, ...]


@dataclass(frozen=True)
class JunctionRow:
    """A junction or contact."""

    name: str
    laws: tuple[tuple[str, str], ...]  # (what crosses, law)
    blocked: tuple[str, ...]  # carriers that stop here
    resistance: float  # ohm m2 near equilibrium, of all crossings that carry charge in parallel; infinite if none
    step: float  # V, phi_right - phi_left across the face
    flat_band: bool  # assumed, not stated
    compact_layer: str


@dataclass(frozen=True)
class Check:
    """The resolved stack as a table; as text it is what `ionics check` prints."""

    temperature: float | None  # K, None without a stack
    area: float | None  # m2
    series_resistance: float  # ohm m2
    layers: tuple[LayerRow, ...]
    junctions: tuple[JunctionRow, ...]  # from the left contact to the right one
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        from ionics.config.text import text

        return text(self)


def check(config: Config) -> Check:
    """The table of a checked configuration. Raises ConfigError where it cannot be built."""
    from ionics.config import build

    if config.fit is not None and config.fit.model == "circuit":
        from ionics.config.fits import circuit_model

        circuit_model(config)  # complains about the circuit and its parameters
    if config.stack is None:
        return Check(None, config.area, config.area_resistance, (), (), ())
    stack = build(config)
    counts = [
        count
        for entry in config.stack.layers
        for count in ([entry.repeat] * len(entry.layers) if isinstance(entry, Unit) else [1])
    ]
    layers = tuple(
        _layer(config, layer, count, stack.temperature) for layer, count in zip(stack.layers, counts, strict=True)
    )
    found = spots(config)
    junctions = tuple(_junction(spot, stack, j) for j, spot in enumerate(found))
    warnings = [w for row in layers for w in _layer_warnings(config, row)]
    warnings += [w for row in junctions for w in _junction_warnings(row)]
    warnings += _beyond_curves(config, stack)
    return Check(
        float(stack.temperature),
        config.area,
        float(stack.series_resistance),
        layers,
        junctions,
        tuple(dict.fromkeys(warnings)),
    )


def _layer(config: Config, layer, count: int, temperature) -> LayerRow:
    from ionics.transport.stack import debye_length

    thickness = float(layer.thickness)
    carriers = tuple(_carrier(c, thickness, temperature) for c in layer.material.carriers)
    sigma = sum(row.conductivity for row in carriers)
    permittivity = float(layer.material.permittivity)
    written = config.material(layer.material.name)
    return LayerRow(
        name=layer.name,
        material=layer.material.name,
        thickness=thickness,
        nodes=layer.nodes,
        count=count,
        carriers=carriers,
        permittivity=permittivity,
        debye_length=float(debye_length(layer.material, temperature)),
        first_spacing=float(np.asarray(layer.spacing)[[0, -1]].max()) * thickness,
        lattice_spacing=written.lattice_spacing.value if written.lattice_spacing else None,
        conductivity=sigma,
        dielectric_time=VACUUM_PERMITTIVITY * permittivity / sigma if sigma else math.inf,
        resistance=thickness / sigma if sigma else math.inf,
        citations=materials.citations(written),
    )


def _carrier(carrier, thickness: float, temperature) -> CarrierRow:
    """sigma = z^2 F^2 D c g / RT, with g = 1 - theta for hopping."""
    from ionics.transport.flux import Hopping

    theta, diffusivity = float(carrier.occupancy), float(carrier.diffusivity(temperature))
    concentration = float(carrier.sites) * theta
    empty = float(carrier.statistics.filling(carrier.statistics.unknown(carrier.occupancy), temperature).vacancy)
    share = empty if isinstance(carrier.mobility, Hopping) else 1.0
    charge = carrier.species.charge
    sigma = (charge * FARADAY) ** 2 * diffusivity * concentration * share / (GAS * float(temperature))
    return CarrierRow(
        carrier.species.name, charge, theta, concentration, diffusivity, sigma, thickness**2 / diffusivity
    )


def _junction(spot: Spot, stack, j: int) -> JunctionRow:
    conductance = sum(_conductance(spot, stack, j, m) for m in range(len(spot.crossings)))
    compact = spot.face.compact_layer
    if compact is None:
        written = ""
    elif compact.capacitance is not None:
        written = f"{compact.capacitance:.4g} F/m^2"
    else:
        written = f"{compact.constant_phase.q:.4g} S s^n/m^2, n = {compact.constant_phase.n:g}"
    return JunctionRow(
        name=spot.name,
        laws=tuple((crossing.label, crossing.rate.law) for crossing in spot.crossings),
        blocked=spot.blocked,
        resistance=1 / conductance if conductance else math.inf,
        step=float(stack.junctions[j].step),
        flat_band=_assumes_flat_band(spot, stack, j),
        compact_layer=written,
    )


def _assumes_flat_band(spot: Spot, stack, j: int) -> bool:
    from ionics.config.assembly import carries_charge

    unsaid = spot.face.dipole is None and spot.face.space_charge_potential is None
    same = 0 < j < len(stack.layers) and stack.layers[j - 1].material.name == stack.layers[j].material.name
    return unsaid and not same and carries_charge(stack, j)


def _conductance(spot: Spot, stack, j: int, m: int) -> float:
    """n F i0 / RT of a crossing that carries charge, infinite in equilibrium [S m-2]."""
    reaction, rate = stack.junctions[j].reactions[m], spot.crossings[m].rate
    n = abs(sum(nu * stack.species[stack.index(name)].charge for name, nu in reaction.left))
    if n == 0:
        return 0.0
    if rate.law == "equilibrium":
        return math.inf
    temperature = stack.temperature
    if rate.law == "linear":
        return 1 / float(reaction.law.resistance(temperature))
    i0 = float(reaction.law.exchange_current(temperature))
    if rate.occupancy_dependent:
        alpha = float(reaction.law.alpha)
        forward, backward = _activities(stack, j, reaction)
        i0 *= forward ** (1 - alpha) * backward**alpha
    return n * FARADAY * i0 / (GAS * float(temperature))


def _activities(stack, j: int, reaction) -> tuple[float, float]:
    """Bulk occupancies consumed times empty sites filled, forward and backward; a metal counts as one."""
    forward = backward = 1.0
    for side, terms, sign in ((j - 1, reaction.left, 1), (j, reaction.right, -1)):
        if not 0 <= side < len(stack.layers):
            continue
        carriers = {c.species.name: c for c in stack.layers[side].material.carriers}
        for name, nu in terms:
            carrier = carriers[name]
            theta = float(carrier.occupancy)
            u = carrier.statistics.unknown(carrier.occupancy)
            empty = float(carrier.statistics.filling(u, stack.temperature).vacancy)
            full, free = theta ** abs(nu), empty ** abs(nu)
            forward *= full if sign * nu > 0 else free
            backward *= free if sign * nu > 0 else full
    return forward, backward


def _layer_warnings(config: Config, row: LayerRow) -> Iterator[str]:
    length, spacing = row.debye_length, row.lattice_spacing
    if spacing is not None and length < spacing:
        yield (
            f"{row.name}: Debye length {_nm(length)} is below the lattice spacing {_nm(spacing)}; "
            "space charge there is an extrapolation of continuum theory"
        )
    elif spacing is None and math.isfinite(length) and length < 0.3e-9:
        yield f"{row.name}: Debye length {_nm(length)} is below any lattice spacing; {row.material} states none"
    if row.thickness < 3 * (spacing or 0.0):
        yield f"{row.name}: {_nm(row.thickness)} thick, a few lattice spacings only; continuum theory is thin there"
    if math.isfinite(length) and row.first_spacing > length / 3 and row.conductivity < METAL:
        yield (
            f"{row.name}: the mesh begins with {_nm(row.first_spacing)}, the Debye length is {_nm(length)}; "
            f"space charge is not resolved, write nodes: {2 * row.nodes - 1} or more"
        )
    for key, confidence in materials.weak(config.material(row.material)):
        yield f"{row.material}: {key}: {confidence}"


def _junction_warnings(row: JunctionRow) -> Iterator[str]:
    if row.flat_band:
        yield f"{row.name}: flat band is assumed; state space_charge_potential or dipole"
    if row.laws and row.resistance > 0 and not row.compact_layer:
        yield (
            f"{row.name}: no compact layer, so the space charge beside it is the capacitance of its reaction: "
            "their arc appears in the share of the layer"
        )
    if not row.laws and row.name not in ("left contact", "right contact"):
        yield f"{row.name}: nothing crosses this junction"


def _beyond_curves(config: Config, stack) -> Iterator[str]:
    """Fillings outside the measured open-circuit curves, which are extrapolated there."""
    held = config.study.state_of_charge if config.study else {}
    for layer in stack.layers:
        for carrier in layer.material.carriers:
            knots = getattr(carrier.statistics, "knots", None)
            name = carrier.species.name
            theta = float(held.get(layer.name, {}).get(name, carrier.occupancy))
            if knots is not None and not knots[0] <= theta <= knots[-1]:
                yield (
                    f"{layer.name}: {name} at {theta:g} lies outside the open-circuit curve of {layer.material.name} "
                    f"({float(knots[0]):g} to {float(knots[-1]):g}); the voltage is an extrapolation"
                )


def _nm(length: float) -> str:
    return f"{length * 1e9:.3g} nm"
