"""The hand-over: what atoms said about two crystals and their junction, as a file that `ionics run` accepts.

The parts below are mappings with the keys of a stack file whose numbers are estimates; a part may be written by hand
instead. `handover` puts them together and refuses what cannot be right; the rest the door of ionics checks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionics.interfaces import stackfile
from ionics.interfaces.continuum import Hop, deviation, expect, kept_positive, pairing, positive
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate

Part = dict[str, Any]
INTERSTITIAL, VACANCY = "Li+", "V_Li-"
PAIR = f"nothing <-> {INTERSTITIAL} + {VACANCY}"
CHARGE_TRANSFER = "Li+ + e- <-> Li"
IMPEDANCE: Part = {"impedance": {"from": "1 mHz", "to": "10 MHz", "points": 81}}
POSITIVE = ("permittivity", "sites", "barrier", "length", "attempt_frequency", "site_density", "diffusivity", "modulus")


@dataclass(frozen=True)
class Handover:
    """A stack file in the making."""

    document: Mapping[str, Any]

    def text(self) -> str:
        """As YAML."""
        return stackfile.text(self.document)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every number with its error, by its dotted path in the file."""
        return stackfile.estimates(self.document)

    def write(self, path: str | Path) -> Path:
        """As a file, which is there as a whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(self.text(), encoding="utf-8")
        os.replace(temporary, path)
        return path


def defect_pair(
    permittivity: Estimate,
    sites: Estimate,
    formation: Estimate,
    interstitial: Hop | Estimate,
    vacancy: Hop | Estimate,
    temperature: float,
    lattice_spacing: str | None = None,
) -> Part:
    """A crystal whose lithium moves as interstitials (Li+) and vacancies (V_Li-), each on as many sites.

    formation: energy [eV] of either defect where the crystal is neutral, half that of a pair (`per_defect`); sites
    [mol/m^3]; interstitial and vacancy: how they move, a Hop or a diffusivity [m^2/s].
    """
    moving = {name: _moving(how) for name, how in ((INTERSTITIAL, interstitial), (VACANCY, vacancy))}
    hops = sum(_diffusivity(how, temperature) for how in (interstitial, vacancy))
    energy = expect(formation, "eV", "the formation energy of a defect")
    frenkel = Estimate(2 * energy, "eV", formation.source, f"twice {formation.method}", 2 * deviation(formation))
    both = {"statistics": "lattice", "sites": sites, "formation_energy": formation}
    part: Part = {"permittivity": permittivity}
    if lattice_spacing is not None:
        part["lattice_spacing"] = lattice_spacing
    part["carriers"] = {
        INTERSTITIAL: {"charge": 1, **both, **moving[INTERSTITIAL]},
        VACANCY: {"charge": -1, **both, **moving[VACANCY]},
    }
    rate = pairing(frenkel, sites, hops, permittivity, temperature)
    part["reactions"] = {PAIR: {"law": "mass-action", "rate_constant": rate}}
    return part


def _moving(how: Hop | Estimate) -> Part:
    return {"hop": how.entry()} if isinstance(how, Hop) else {"diffusivity": how}


def _diffusivity(how: Hop | Estimate, temperature: float) -> float:
    found = how.diffusivity(temperature) if isinstance(how, Hop) else how
    return positive(found, "m^2/s", "a diffusivity")


def single_ion(
    permittivity: Estimate,
    sites: Estimate,
    occupancy: Estimate,
    how: Hop | Estimate,
    lattice_spacing: str | None = None,
) -> Part:
    """A crystal whose lithium (Li+) moves on a lattice that is partly empty, in a charge that does not move."""
    positive(occupancy, "", "an occupancy")
    carrier = {"charge": 1, "statistics": "lattice", "sites": sites, "occupancy": occupancy, **_moving(how)}
    part: Part = {"permittivity": permittivity}
    if lattice_spacing is not None:
        part["lattice_spacing"] = lattice_spacing
    return part | {"carriers": {INTERSTITIAL: carrier}}


def layer(name: str, material: str, thickness: str, **more: Any) -> Part:
    """A slab of the stack; more: occupancy, nodes, profiles."""
    return {"name": name, "material": material, "thickness": thickness, **more}


def crossing(
    barrier: Estimate,
    sites: Estimate,
    step: Estimate | None = None,
    reaction: str | None = CHARGE_TRANSFER,
    compact_layer: Estimate | None = None,
) -> Part:
    """A junction that lithium crosses by an Eyring hop.

    barrier: Gibbs energy of activation at equal standard potentials [eV] (`across`); sites: per area [1/m^2]; step:
    potential of the right layer's bulk less that of the left that space charges share [V] (None: flat band).
    reaction: into an electrode that holds neutral lithium and electrons; None: Li+ crosses as itself.
    """
    positive(barrier, "eV", "the barrier of a junction")
    positive(sites, "1/m^2", "the sites of a junction")
    law = {"law": "butler-volmer", "eyring": {"barrier": barrier, "site_density": sites}}
    part: Part = {"reactions": {reaction: law}} if reaction else {"carriers": {INTERSTITIAL: law}}
    if compact_layer is not None:
        positive(compact_layer, "F/m^2", "the capacitance of a compact layer")
        part["compact_layer"] = {"capacitance": compact_layer}
    return part | _step(step)


def lithium_metal(step: Estimate | None = None, barrier: Estimate | None = None, sites: Estimate | None = None) -> Part:
    """A contact of lithium metal: in equilibrium with Li+, or by an Eyring hop.

    step: at the left end, potential of the electrolyte's bulk less that of its face at the metal [V], at the right end
    its negative.
    """
    part: Part = {"contact": "lithium"}
    if (barrier is None) != (sites is None):
        raise AtomsError("a hop has a barrier and sites", "both, or neither for an equilibrium")
    if barrier is not None and sites is not None:
        part |= {"law": "butler-volmer", "eyring": {"barrier": barrier, "site_density": sites}}
    return part | _step(step)


def _step(step: Estimate | None) -> Part:
    if step is None:
        return {}
    expect(step, "V", "the step of the potential")
    return {"space_charge_potential": step}


def film_stress(
    molar_volume: Estimate, modulus: Estimate, poisson: Estimate, occupancy: str, residual: str = "0 MPa"
) -> Part:
    """The key `stress` of a carrier in a film that cannot expand in its plane.

    molar_volume: partial, of the carrier [m^3/mol]; modulus [GPa]; occupancy: at which the film was clamped.
    """
    expect(molar_volume, "m^3/mol", "a partial molar volume")
    positive(modulus, "GPa", "Young's modulus")
    if not -1 < expect(poisson, "", "Poisson's ratio") <= 0.5:
        raise AtomsError(f"Poisson's ratio is {poisson.value:g}", "above -1, at most 0.5")
    numbers = {"molar_volume": molar_volume, "modulus": modulus, "poisson": poisson}
    return {**numbers, "occupancy": occupancy, "residual": residual}


def handover(
    title: str,
    temperature: float,
    materials: Mapping[str, Part],
    layers: Sequence[Part],
    left: Part,
    right: Part,
    junctions: Mapping[str, Part] | None = None,
    study: Part | None = None,
    atoms: str = "",
    models: str = "",
    settings: str = "",
) -> Handover:
    """A complete stack file of parts; temperature [K].

    atoms: the crystals and the interface, models: the potentials with their versions, settings: of the calculation;
    together they are the `source` of the file. Raises AtomsError.
    """
    said = {"atoms": atoms, "models": models, "settings": settings}
    for what, words in said.items():
        if not words.strip():
            raise AtomsError(f"nothing is said about the {what}", f"{what}=..., as a reader would look for them")
    _junctions_between(layers, junctions or {})
    between = {"junctions": dict(junctions)} if junctions else {}
    document = {
        "title": title,
        "source": "; ".join(f"{what}: {words.strip()}" for what, words in said.items()),
        "temperature": f"{temperature:g} K",
        "materials": dict(materials),
        "stack": {"left": left, "layers": list(layers), **between, "right": right},
        "study": study or IMPEDANCE,
    }
    found = Handover(_positive(document, {}))
    for path, estimate in found.estimates.items():
        expect(estimate, estimate.unit, f"the estimate at {path}")
        if not estimate.source.strip() or not estimate.method.strip():
            raise AtomsError(f"the estimate at {path} does not say where it comes from", "a source and a method")
    return found


def _positive(node: Any, changed: dict[int, Estimate], key: str = "") -> Any:
    """With a factor for an error where a quantity has to stay positive; what was one number stays one."""
    if isinstance(node, Mapping):
        return {name: _positive(value, changed, str(name)) for name, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_positive(value, changed, key) for value in node]
    if not isinstance(node, Estimate) or key not in POSITIVE:
        return node
    return changed.setdefault(id(node), kept_positive(node))


def _junctions_between(layers: Sequence[Part], junctions: Mapping[str, Part]) -> None:
    names = [one["name"] for one in layers]
    known = [f"{names[k]} | {names[k + 1]}" for k in range(len(names) - 1)]
    for name in junctions:
        if name not in known:
            raise AtomsError(f"no junction {name} in a stack of {', '.join(names)}", ", ".join(known) or "no junctions")
