"""What `ionics check` shows: lengths, times and resistances of the resolved stack, and where to be careful."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ionics.config import materials, uncertainty
from ionics.config.carriers import Carrier as CarrierEntry
from ionics.config.conversion import mobility
from ionics.config.faces import Spot, spots
from ionics.config.material import Material
from ionics.config.schema import METAL, MOST_NODES, Config, Profile, Unit
from ionics.constants import AVOGADRO, FARADAY, GAS, VACUUM_PERMITTIVITY

if TYPE_CHECKING:
    from ionics.config.cell_table import CellCheck

STEEPEST = 1.0  # RT, or a factor e of D, from node to node of a profile


@dataclass(frozen=True)
class CarrierRow:
    """A carrier in the neutral bulk of a layer."""

    name: str
    kind: str  # statistics and mobility
    charge: int
    occupancy: float
    concentration: float  # mol m-3
    diffusivity: float  # m2 s-1, 0 for an immobile one
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
    resistance: float  # ohm m2 near equilibrium: crossings that carry charge in parallel, and a film; infinite if none
    step: float  # V, phi_right - phi_left across the face
    flat_band: bool  # assumed, not stated
    compact_layer: str


@dataclass(frozen=True)
class Detail:
    """Something else that a layer or junction holds, in words."""

    place: str
    what: str
    value: str


@dataclass(frozen=True)
class Check:
    """The resolved stack as a table; as text it is what `ionics check` prints."""

    temperature: float | None  # K, None without a stack
    area: float | None  # m2
    series_resistance: float  # ohm m2
    layers: tuple[LayerRow, ...]
    junctions: tuple[JunctionRow, ...]  # from the left contact to the right one
    details: tuple[Detail, ...]  # reactions and profiles of layers, films and states of junctions
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        from ionics.config.text import text

        return text(self)


def check(config: Config) -> Check | CellCheck:
    """The table of a checked configuration. Raises ConfigError where it cannot be built."""
    from ionics.config import build
    from ionics.config.course import refuse_impossible

    if config.fit is not None and config.fit.model == "circuit":
        from ionics.config.fit_models import circuit_model

        circuit_model(config, config.fit)  # complains about the circuit and its parameters
    if config.cell is not None:
        from ionics.config.cell_table import check_cell

        return check_cell(config)
    if config.stack is None:
        return Check(None, config.area, config.area_resistance, (), (), (), ())
    stack = build(config)
    refuse_impossible(config, stack)
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
    for layer in stack.layers:
        warnings += [*_unstable(config, layer, stack.temperature), *_unbalanced(layer, stack.temperature)]
        warnings += [*_coarse_profiles(layer, stack.temperature), *_without_gradients(config, layer)]
    warnings += uncertainty.not_followed(config)
    return Check(
        float(stack.temperature),
        config.area,
        float(stack.series_resistance),
        layers,
        junctions,
        tuple(details(config, stack)),
        tuple(dict.fromkeys(warnings)),
    )


def _layer(config: Config, layer, count: int, temperature) -> LayerRow:
    from ionics.transport.stack import debye_length

    thickness = float(layer.thickness)
    written = config.material(layer.material.name)
    carriers = tuple(_carrier(written, layer.material, c, thickness, temperature) for c in layer.material.carriers)
    sigma = sum(row.conductivity for row in carriers)
    permittivity = float(layer.material.permittivity)
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


def _carrier(written: Material, material, carrier, thickness: float, temperature) -> CarrierRow:
    """sigma = z^2 F^2 D c g / RT, with g the share of empty sites for hopping."""
    from ionics.transport.flux import Hopping, Immobile

    name, charge = carrier.species.name, carrier.species.charge
    kind = f"{written.carriers[name].statistics}, {mobility(written.carriers[name])}"
    theta = float(carrier.occupancy)
    concentration = float(carrier.sites) * theta
    if isinstance(carrier.mobility, Immobile):
        return CarrierRow(name, kind, charge, theta, concentration, 0.0, 0.0, math.inf)
    diffusivity = float(carrier.diffusivity(temperature))
    if carrier.diffusivity_curve is not None:
        diffusivity *= math.exp(carrier.diffusivity_curve(carrier.occupancy))
    share = _bulk_filling(material, name, temperature).vacancy if isinstance(carrier.mobility, Hopping) else 1.0
    sigma = (charge * FARADAY) ** 2 * diffusivity * concentration * float(share) / (GAS * float(temperature))
    return CarrierRow(name, kind, charge, theta, concentration, diffusivity, sigma, thickness**2 / diffusivity)


def _bulk_filling(material, name: str, temperature):
    """How a carrier fills its sites in the neutral bulk."""
    from ionics.transport.stack import bulk_unknown, fillings

    u = tuple(bulk_unknown(c, material.beside(c)) for c in material.carriers)
    names = [c.species.name for c in material.carriers]
    return fillings(material, u, temperature)[names.index(name)]


def _junction(spot: Spot, stack, j: int) -> JunctionRow:
    conductance = sum(_conductance(spot, stack, j, m) for m in range(len(spot.crossings)))
    compact = spot.face.compact_layer
    if compact is None:
        written = ""
    elif compact.capacitance is not None:
        written = f"{compact.capacitance:.4g} F/m^2"
    else:
        written = f"{compact.constant_phase.q:.4g} S s^n/m^2, n = {compact.constant_phase.n:g} (impedance only)"
    return JunctionRow(
        name=spot.name,
        laws=tuple((crossing.label, crossing.rate.law) for crossing in spot.crossings),
        blocked=spot.blocked,
        resistance=1 / conductance + _film(stack, j) if conductance else math.inf,
        step=float(stack.junctions[j].step) + 0.0,  # no minus sign before a zero
        flat_band=_assumes_flat_band(spot, stack, j),
        compact_layer=written,
    )


def _assumes_flat_band(spot: Spot, stack, j: int) -> bool:
    unsaid = spot.face.dipole is None and spot.face.space_charge_potential is None
    same = 0 < j < len(stack.layers) and stack.layers[j - 1].material.name == stack.layers[j].material.name
    return unsaid and not same and any(crossing.charge for crossing in spot.crossings if not crossing.fills)


def _conductance(spot: Spot, stack, j: int, m: int) -> float:
    """n F i0 / RT of a crossing that carries charge, infinite in equilibrium [S m-2]."""
    reaction, crossing = stack.junctions[j].reactions[m], spot.crossings[m]
    if crossing.charge == 0 or crossing.fills:
        return 0.0
    if crossing.rate.law == "equilibrium":
        return math.inf
    temperature = stack.temperature
    if crossing.rate.law == "linear":
        return 1 / float(reaction.law.resistance(temperature))
    i0 = float(reaction.law.exchange_current(temperature))
    if reaction.law.occupancy_dependent:
        forward, backward = _activities(stack, j, reaction)
        i0 *= math.exp(forward + reaction.law.log_forward(backward - forward, temperature))
    return crossing.electrons * FARADAY * i0 / (GAS * float(temperature))


def _activities(stack, j: int, reaction):
    """ln of bulk occupancies consumed times empty sites filled, forward and backward; a metal counts as one."""
    import jax.numpy as jnp

    from ionics.transport.balance import log_activities

    terms = []
    for side, counts, sign in ((j - 1, reaction.left, 1), (j, reaction.right, -1)):
        if 0 <= side < len(stack.layers):
            material = stack.layers[side].material
            terms += [(_bulk_filling(material, name, stack.temperature), sign * nu) for name, nu in counts]
    return log_activities(terms, jnp.zeros(()))


def details(config: Config, stack) -> Iterator[Detail]:
    """Reactions and profiles of layers, films and states of junctions."""
    for (_, entry), layer in zip(config.stack.flat(), stack.layers, strict=True):
        for (equation, rate), reaction in zip(
            (config.material(layer.material.name).reactions or {}).items(), layer.material.reactions, strict=True
        ):
            turnover = _turnover(layer.material, reaction, stack.temperature)
            yield Detail(layer.name, equation, f"{rate.law}, {turnover}")
        for name, carrier in config.material(layer.material.name).carriers.items():
            yield from _atomistic(layer.name, name, carrier)
        for name, profile in entry.profiles.items():
            yield Detail(layer.name, f"profile of {name}", _profile(profile))
    for j, spot in enumerate(spots(config)):
        film = spot.face.film
        if film is not None:
            kind = f"interphase driven by {film.interphase.driven_by}, now " if film.interphase else ""
            yield Detail(spot.name, "film", f"{kind}{_film(stack, j) * 1e4:.4g} ohm cm^2")
        for name, state in spot.states.items():
            level = state.level.value if state.level else 0.0
            value = f"charge {state.charge:+d}, {state.density.value * AVOGADRO:.3g} /m^2, level {_ev(level)}"
            yield Detail(spot.name, f"state {name}", value)
    for doubt in uncertainty.doubts(config):
        also = f" (drawn together with {', '.join(doubt.keys[1:])})" if doubt.keys[1:] else ""
        yield Detail("uncertain", doubt.key, f"{doubt.number.spread.written}{also}")


def _atomistic(place: str, name: str, carrier: CarrierEntry) -> Iterator[Detail]:
    """What a diffusivity and an occupancy were made from."""
    if carrier.hop is not None:
        law = f"D = {carrier.hop.prefactor:.3g} m^2/s exp(-{_ev(carrier.hop.barrier)}/kT)"
        yield Detail(place, f"hop of {name}", law)
    if carrier.formation_energy is not None:
        filled = f"{_ev(carrier.formation_energy.value)}, {carrier.occupancy.value:.3g} of the sites filled"
        yield Detail(place, f"formation energy of {name}", filled)


def _film(stack, j: int) -> float:
    """Resistance of the film of a junction as it was made [ohm m2]."""
    film = stack.junctions[j].film
    return float(film.resistance(film.start(), stack.temperature))


def _turnover(material, reaction, temperature) -> str:
    """The forward rate where a law has one, and what the composition stated is driven by."""
    from ionics.kinetics.bulk import Generation, MassAction

    if isinstance(reaction.law, Generation):
        return f"{float(reaction.law.value(temperature)):.4g} mol/m^3/s"
    affinity, net = _driven(material, reaction, temperature)
    if not isinstance(reaction.law, MassAction):
        return f"net {net:.3g} mol/m^3/s at the stated composition"
    return f"affinity {_ev(affinity)} at the stated composition"


def _driven(material, reaction, temperature) -> tuple[float, float]:
    """Affinity [J mol-1] and net rate [mol m-3 s-1] of a bulk reaction at the stated composition."""
    import jax.numpy as jnp

    from ionics.config.assembly import bulk_affinity
    from ionics.transport.balance import log_activities

    affinity = reaction.level + bulk_affinity(material, reaction.consumed, reaction.produced, temperature)
    terms = [
        (_bulk_filling(material, name, temperature), sign * nu)
        for sign, half in ((1, reaction.consumed), (-1, reaction.produced))
        for name, nu in half
    ]
    amounts = {c.species.name: c.sites * c.occupancy for c in material.carriers}
    logs = log_activities(terms, jnp.zeros(()))
    rate = reaction.law.rate(affinity / (GAS * temperature), *logs, amounts, temperature)
    return float(affinity), float(rate)


def _profile(profile: Profile) -> str:
    words = []
    if profile.core is not None:
        core = profile.core
        words.append(f"core {_ev(core.depth)} deep, {_nm(core.width)} wide at {_nm(core.position)}")
        if core.diffusivity_factor is not None:
            words.append(f"D times {core.diffusivity_factor:g}")
    if profile.energy is not None:
        words.append(f"{_ev(min(profile.energy.energy))} to {_ev(max(profile.energy.energy))}")
    if profile.diffusivity is not None:
        words.append(f"D times {min(profile.diffusivity.factor):g} to {max(profile.diffusivity.factor):g}")
    return ", ".join(words)


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
    if math.isfinite(length) and row.conductivity < METAL:
        yield from _unresolved(row)
    for key, confidence in materials.weak(config.material(row.material)):
        yield f"{row.material}: {key}: {confidence}"


def _unresolved(row: LayerRow) -> Iterator[str]:
    """A mesh that does not follow the Debye length with this number of nodes."""
    length, more = row.debye_length, 2 * row.nodes - 1
    if row.first_spacing > length / 3:
        way = f"write nodes: {more} or more" if more <= MOST_NODES else "it needs a thinner layer"
        yield (
            f"{row.name}: the mesh begins with {_nm(row.first_spacing)}, the Debye length is {_nm(length)}; "
            f"space charge is not resolved, {way}"
        )


def _unstable(config: Config, layer, temperature) -> Iterator[str]:
    """Regular solutions between their spinodals."""
    from ionics.transport.statistics import RegularSolution

    for carrier in layer.material.carriers:
        if not isinstance(carrier.statistics, RegularSolution):
            continue
        name, low = carrier.species.name, float(carrier.statistics.spinodal(temperature))
        held = config.study.state_of_charge if config.study else {}
        theta = float(held.get(layer.name, {}).get(name, carrier.occupancy))
        if low < theta < 1 - low:  # NaN where there is one phase
            binodal = float(carrier.statistics.binodal(temperature))
            yield (
                f"{layer.name}: {name} at {theta:g} lies inside the spinodal ({low:.3g} to {1 - low:.3g}): one phase "
                f"is not stable there, it separates into {binodal:.3g} and {1 - binodal:.3g}; "
                "boundaries between phases have no energy here, so results depend on the mesh"
            )


def _without_gradients(config: Config, layer) -> Iterator[str]:
    """What a cell would make of a material that separates, and a stack does not."""
    for name, carrier in config.material(layer.material.name).carriers.items():
        if carrier.gradient_energy is not None:
            yield (
                f"{layer.name}: the gradient_energy of {name} is not used in a stack; between its phases results "
                "depend on the mesh there. Particles and films of a cell have boundaries with a width and an energy"
            )


def _unbalanced(layer, temperature) -> Iterator[str]:
    """Reactions in the bulk that run at the stated composition."""
    from ionics.kinetics.bulk import Generation, WeakElectrolyte

    for reaction in layer.material.reactions:
        if isinstance(reaction.law, Generation):
            continue
        affinity, _ = _driven(layer.material, reaction, temperature)
        half = [f"{nu} {name}" if nu > 1 else name for name, nu in (*reaction.consumed, *reaction.produced)]
        if isinstance(reaction.law, WeakElectrolyte):
            free, law = float(_concentration(layer.material, reaction.law.freed)), reaction.law
            wanted = float(law.total * law.dissociation)
            if abs(free / wanted - 1) > 1e-3:
                yield (
                    f"{layer.name}: {law.freed} is stated as {free:.4g} mol/m^3, but where nothing is charged "
                    f"total times dissociation, {wanted:.4g} mol/m^3, is free"
                )
        elif abs(affinity) > 0.1 * GAS * float(temperature):
            yield (
                f"{layer.name}: the reaction of {', '.join(half)} is not in equilibrium at the stated composition "
                f"(affinity {_ev(affinity)}); the equilibrium will be at another one"
            )


def _concentration(material, name: str):
    carrier = material.carrier(name)
    return carrier.sites * carrier.occupancy


def _coarse_profiles(layer, temperature) -> Iterator[str]:
    """Profiles that change by more than the mesh can follow from node to node."""
    from ionics.transport.adapt import sampled

    x = np.asarray(layer.positions())
    for profile in layer.profiles:
        for curve, scale in ((profile.energy, 1 / (GAS * float(temperature))), (profile.log_diffusivity, 1.0)):
            if curve is None:
                continue
            points = np.unique(np.concatenate([x, np.clip(np.asarray(curve.knots), 0, x[-1])]))
            values = scale * sampled(curve, points)
            node = np.searchsorted(points, x)  # where the nodes stand among nodes and knots
            steepest = max(np.ptp(values[a : b + 1]) for a, b in pairwise(node))
            if steepest > STEEPEST:
                more = 2 * layer.nodes - 1
                way = f"write nodes: {more} or more" if more <= MOST_NODES else "smooth it"
                yield (
                    f"{layer.name}: the profile of {profile.species} changes by {steepest:.2g} RT between two "
                    f"nodes of the mesh; {way}"
                )


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
    from ionics.transport.statistics import Measured

    held = config.study.state_of_charge if config.study else {}
    for layer in stack.layers:
        for carrier in layer.material.carriers:
            knots = carrier.statistics.curve.knots if isinstance(carrier.statistics, Measured) else None
            name = carrier.species.name
            theta = float(held.get(layer.name, {}).get(name, carrier.occupancy))
            if knots is not None and not knots[0] <= theta <= knots[-1]:
                yield (
                    f"{layer.name}: {name} at {theta:g} lies outside the open-circuit curve of {layer.material.name} "
                    f"({float(knots[0]):g} to {float(knots[-1]):g}); the voltage is an extrapolation"
                )


def _ev(energy: float) -> str:
    """A molar energy per particle, in words."""
    per_particle = energy / FARADAY
    return f"{per_particle if abs(per_particle) > 1e-9 else 0:.4g} eV"


def _nm(length: float) -> str:
    return f"{length * 1e9:.3g} nm"
