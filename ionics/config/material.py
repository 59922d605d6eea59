"""What a file says about a material, how changes to a library entry are merged, and when an entry is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingLike
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from ionics.config.errors import choices
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    Concentration,
    Conductivity,
    Diffusivity,
    FixedCharge,
    Law,
    Length,
    MolarEnergy,
    Number,
    OpenFraction,
    Permittivity,
    PositiveRatio,
    Temperature,
    Voltage,
    Written,
)

NEUTRAL = 1e-6  # of the charge of the carriers


class OpenCircuit(Mapping):
    """A measured open-circuit curve against Li/Li+."""

    occupancy: list[OpenFraction] = Field(description="Increasing, between 0 and 1.", examples=["[0.4, 0.7, 0.99]"])
    potential: list[Voltage] = Field(description="Decreasing.", examples=["[4.4 V, 4.0 V, 3.7 V]"])
    temperature: Temperature | None = Field(None, description="At which it was measured.")
    source: str | None = Field(None, description="Citation.")
    confidence: str | None = Field(None, description="How far to trust it.")
    note: str | None = None

    @model_validator(mode="after")
    def _a_curve(self):
        n = len(self.occupancy)
        if n < 3:
            raise wrong(f"{n} points are not a curve", "at least 3 points", "occupancy")
        if len(self.potential) != n:
            raise wrong(f"{len(self.potential)} potentials for {n} occupancies", f"{n} potentials", "potential")
        for i in range(1, n):
            if self.occupancy[i] <= self.occupancy[i - 1]:
                raise wrong(f"does not increase at point {i + 1}", "increasing occupancies", "occupancy")
            if self.potential[i] >= self.potential[i - 1]:
                raise wrong(f"does not decrease at point {i + 1}", "decreasing potentials", "potential")
        return self


class Carrier(Mapping):
    """What a mobile species is in a material."""

    charge: int | None = Field(None, description="In elementary charges.", examples=["1"])
    statistics: Literal["dilute", "lattice", "measured"] | None = Field(
        None, description="How it fills its sites.", examples=["lattice"]
    )
    mobility: Literal["vehicle", "hopping", "chemical"] | None = Field(
        None, description="Default: hopping on a lattice, vehicle if dilute, chemical if measured."
    )
    sites: Number[Concentration] | None = Field(None, description="Site density.", examples=["5e4 mol/m^3"])
    occupancy: Number[PositiveRatio] | None = Field(
        None, description="Share of filled sites at which the material is neutral.", examples=["0.5"]
    )
    conductivity: Law[Conductivity] | None = Field(
        None, description="At the occupancy stated here; or diffusivity.", examples=["1e-4 S/cm"]
    )
    diffusivity: Law[Diffusivity] | None = Field(None, description="Or conductivity.", examples=["1e-12 m^2/s"])
    mu0: Number[MolarEnergy] | None = Field(None, description="Standard chemical potential.", examples=["0 eV"])
    open_circuit: OpenCircuit | None = Field(None, description="For measured statistics.")

    @model_validator(mode="after")
    def _one_mobility(self):
        if self.conductivity is not None and self.diffusivity is not None:
            raise wrong("conductivity and diffusivity are two words for one parameter", "keep one", "diffusivity")
        return self


class Alternative(Mapping):
    """Another published value of a number of the entry."""

    property: str
    value: Written
    activation_energy: MolarEnergy | None = None
    temperature: Temperature | None = None
    source: str | None = None
    confidence: str | None = None
    note: str | None = None


class Material(Mapping):
    """A mixed conductor. With `like`, only what differs from that entry need be said."""

    like: str | None = Field(None, description="Start from this library entry or local material.", examples=["LiPON"])
    name: str | None = None
    formula: str | None = None
    role: str | None = Field(None, description="electrolyte, cathode, anode ...")
    about: str | None = None
    lattice_spacing: Number[Length] | None = Field(
        None, description="Below it continuum theory is thin.", examples=["0.3 nm"]
    )
    permittivity: Number[Permittivity] | None = Field(None, description="Relative.", examples=["13.2"])
    carriers: dict[str, Carrier] | None = Field(None, description="Mobile species by name, e.g. Li+, e-.")
    fixed_charge: Number[FixedCharge] | None = Field(
        None, description="Immobile charge; by default what makes the bulk neutral.", examples=["-100 mol/m^3"]
    )
    properties: dict[str, Number[Written]] | None = Field(None, description="Further numbers, not used by the engine.")
    alternatives: list[Alternative] | None = None


def merged(base: Material, changes: Material) -> Material:
    """The base with every key that `changes` gives; a number is replaced as a whole."""
    update = _given(changes)
    carriers = dict(base.carriers or {})
    for name, change in (changes.carriers or {}).items():
        carriers[name] = _merged_carrier(carriers[name], change) if name in carriers else change
    return base.model_copy(update=update | {"carriers": carriers})


def _merged_carrier(base: Carrier, changes: Carrier) -> Carrier:
    update = _given(changes)
    if {"conductivity", "diffusivity"} & update.keys():
        update = {"conductivity": None, "diffusivity": None} | update
    if update.get("statistics", "measured") != "measured":
        update = {"open_circuit": None} | update
    return base.model_copy(update=update)


def _given(changes: Mapping) -> dict[str, Any]:
    return {key: getattr(changes, key) for key in changes.model_fields_set}


@dataclass(frozen=True)
class Gap:
    """Something missing from or contradictory in a material; `key` is its path inside the material."""

    key: tuple[str, ...]
    problem: str
    valid: str


def gaps(material: Material) -> Iterator[Gap]:
    """Why a material cannot be built yet."""
    if material.permittivity is None:
        yield _missing(("permittivity",), "permittivity: 13.2")
    if material.carriers is None:
        yield _missing(("carriers",), "carriers: {Li+: {charge: 1, ...}}")
    for name, carrier in (material.carriers or {}).items():
        for gap in _carrier_gaps(name, carrier):
            yield Gap(("carriers", name, *gap.key), gap.problem, gap.valid)


def _carrier_gaps(name: str, carrier: Carrier) -> Iterator[Gap]:
    said = charge_in(name)
    if said is not None and carrier.charge not in (None, said):
        yield Gap(("charge",), f"the name {name} says {said:+d}", f"charge: {said}, or a name without a sign")
    for key, field in Carrier.model_fields.items():
        if key in ("charge", "statistics", "sites") and getattr(carrier, key) is None:
            yield _missing((key,), f"{key}: {field.examples[0]}")
    if carrier.conductivity is None and carrier.diffusivity is None:
        yield _missing(("conductivity",), "conductivity: 1e-4 S/cm, or a diffusivity")
    if carrier.charge == 0 and carrier.conductivity is not None:
        yield Gap(("conductivity",), "a neutral carrier has no conductivity", "give its diffusivity")
    if carrier.statistics == "measured" and carrier.open_circuit is None:
        yield _missing(("open_circuit",), "open_circuit: {occupancy: [...], potential: [...]}")
    if carrier.statistics == "measured" and carrier.mu0 is not None:
        yield Gap(("mu0",), "a measured open-circuit curve is the whole chemical potential", "delete mu0")
    if carrier.statistics != "measured" and carrier.open_circuit is not None:
        yield Gap(("open_circuit",), f"not used with statistics {carrier.statistics}", "statistics: measured")
    if carrier.mobility == "chemical" and carrier.charge != 0:
        yield Gap(("mobility",), "chemical diffusion is that of a neutral carrier", "vehicle or hopping")
    full = carrier.occupancy is not None and carrier.occupancy.value >= 1
    if full and carrier.statistics in ("lattice", "measured"):
        yield Gap(("occupancy",), "must be below 1: each site holds one", "a share of filled sites, e.g. 0.5")


def charge_in(name: str) -> int | None:
    """The charge that the name of a species ends with: Li+, O2-, Al3+; None where it says none."""
    match = re.search(r"(\d*)(\++|-+)$", name)
    if not match:
        return None
    size = int(match[1] or 1) * len(match[2])
    return size if match[2][0] == "+" else -size


def _missing(key: tuple[str, ...], example: str) -> Gap:
    return Gap(key, "required key missing", f"write e.g. {example}")


def excess_charge(material: Material, occupancy: MappingLike[str, float]) -> float:
    """Charge of the bulk [mol m-3] at these occupancies where the fixed charge is stated; 0 where it follows."""
    if material.fixed_charge is None:
        return 0.0
    charges = [
        c.charge * c.sites.value * occupancy.get(name, c.occupancy.value) for name, c in material.carriers.items()
    ]
    excess = sum(charges) + material.fixed_charge.value
    scale = sum(map(abs, charges)) + abs(material.fixed_charge.value)
    return 0.0 if abs(excess) <= NEUTRAL * scale else excess


def unknown_material(name: str, known: list[str]) -> tuple[str, str]:
    """The problem, and what would be valid."""
    return "unknown material", choices(name, known, "known materials")
