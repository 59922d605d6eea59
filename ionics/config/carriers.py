"""What a file says about a mobile species in a material, and when that is complete."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from ionics.config.formula import ALLOWED, FormulaError
from ionics.config.hop import Hop
from ionics.config.model import Mapping, wrong
from ionics.config.open_circuit import TABLE, Curve, tabulated
from ionics.config.quantities import (
    Concentration,
    Conductivity,
    Diffusivity,
    FilledFraction,
    GradientEnergy,
    Law,
    Modulus,
    MolarEnergy,
    MolarVolume,
    Number,
    OpenFraction,
    PoissonRatio,
    PositiveRatio,
    Pressure,
    Temperature,
    Voltage,
)
from ionics.constants import GAS

EXTREME = 600.0  # RT: an occupancy of 1e-260
ON_SITES = ("lattice", "regular-solution", "measured")  # each site holds one
SHARING = ("lattice", "regular-solution")  # statistics of carriers that may share sites
TRANSPORT = ("conductivity", "diffusivity", "diffusivity_over_occupancy", "hop")
FILLING = ("occupancy", "formation_energy")


@dataclass(frozen=True)
class Gap:
    """Something missing from or contradictory in a material; `key` is its path inside the material."""

    key: tuple[str, ...]
    problem: str
    valid: str
    value: str | None = None  # what the message shows, if not what stands at the key


def missing(key: tuple[str, ...], example: str) -> Gap:
    """A key that must be there."""
    return Gap(key, "required key missing", f"write e.g. {example}")


def increasing(values: Sequence[float], key: str, what: str) -> None:
    """Complains about the first value that is not above the one before."""
    for i in range(1, len(values)):
        if values[i] <= values[i - 1]:
            raise wrong(f"does not increase at point {i + 1}", f"increasing {what}", key)


def as_many(values: Sequence[float], key: str, wanted: int, what: str) -> None:
    """Complains about a column that is longer or shorter than its table."""
    if len(values) != wanted:
        raise wrong(f"{len(values)} values for {wanted} {what}", f"{wanted} values", key)


class OpenCircuit(Mapping):
    """A measured open-circuit curve against Li/Li+: a table, a file with one, or a formula."""

    occupancy: list[OpenFraction] | None = Field(
        None, description="Increasing, between 0 and 1.", examples=["[0.4, 0.7, 0.99]"]
    )
    potential: list[Voltage] | None = Field(None, description="Decreasing.", examples=["[4.4 V, 4.0 V, 3.7 V]"])
    file: str | None = Field(
        None,
        description="CSV with a column of occupancies and one of potentials, seen from this file; either may rise.",
        examples=["curve.csv"],
    )
    formula: str | None = Field(
        None, description=f"In V, of the occupancy x: {ALLOWED}.", examples=["4.2 - 0.4*x + 0.05*tanh(20*(0.5 - x))"]
    )
    range: tuple[OpenFraction, OpenFraction] | None = Field(
        None, description="Of x, in which the formula holds.", examples=["[0.4, 0.99]"]
    )
    temperature: Temperature | None = Field(None, description="At which it was measured.")
    source: str | None = Field(None, description="Citation.")
    confidence: str | None = Field(None, description="How far to trust it.")
    note: str | None = None

    @model_validator(mode="after")
    def _a_curve(self):
        if self.file is not None:  # else it has been replaced by what it holds
            given = [key for key in (*TABLE, "formula", "range") if getattr(self, key) is not None]
            problem = f"given together with {given[0]}" if given else "no file is read here"
            raise wrong(problem, "a file, or occupancy and potential, or formula and range", "file")
        if self.formula is not None or self.range is not None:
            return self._a_formula()
        for key, example in (("occupancy", "[0.4, 0.7, 0.99]"), ("potential", "[4.4 V, 4.0 V, 3.7 V]")):
            if getattr(self, key) is None:
                raise wrong("required key missing", f"write e.g. {key}: {example}, or a file, or a formula", key)
        n = len(self.occupancy)
        if n < 3:
            raise wrong(f"{n} points are not a curve", "at least 3 points", "occupancy")
        if len(self.potential) != n:
            raise wrong(f"{len(self.potential)} potentials for {n} occupancies", f"{n} potentials", "potential")
        increasing(self.occupancy, "occupancy", "occupancies")
        for i in range(1, n):
            if self.potential[i] >= self.potential[i - 1]:
                raise wrong(f"does not decrease at point {i + 1}", "decreasing potentials", "potential")
        return self

    def _a_formula(self):
        for key in TABLE:
            if getattr(self, key) is not None:
                raise wrong("given together with a formula", "a table, or formula and range", key)
        if self.formula is None:
            raise wrong("required key missing", "write e.g. formula: 4.2 - 0.4*x, or a table", "formula")
        if self.range is None:
            raise wrong("required key missing: where the formula holds", "write e.g. range: [0.4, 0.99]", "range")
        if self.range[0] >= self.range[1]:
            raise wrong("the first occupancy is not below the second", "[lowest, highest]", "range")
        try:
            tabulated(self.formula, *self.range)
        except FormulaError as error:
            raise wrong(error.problem, error.valid, "formula") from None
        return self

    @property
    def curve(self) -> Curve:
        """Occupancy and potential [V]."""
        if self.formula is not None:
            return tabulated(self.formula, *self.range)
        return np.asarray(self.occupancy), np.asarray(self.potential)


class DiffusivityTable(Mapping):
    """A diffusivity that depends on the filling."""

    occupancy: list[FilledFraction] = Field(description="Increasing.", examples=["[0.5, 0.8, 1]"])
    diffusivity: list[Diffusivity] = Field(
        description="There; constant beyond.", examples=["[8e-14 m^2/s, 2e-14 m^2/s, 3e-15 m^2/s]"]
    )
    activation_energy: MolarEnergy | None = Field(None, description="Of all of them.", examples=["0.3 eV"])
    temperature: Temperature | None = Field(None, description="At which it was measured.", examples=["298.15 K"])
    source: str | None = Field(None, description="Citation.")
    confidence: str | None = Field(None, description="How far to trust it.")
    note: str | None = None

    @model_validator(mode="after")
    def _a_table(self):
        if len(self.occupancy) < 2:
            raise wrong(f"{len(self.occupancy)} points are not a table", "at least 2 points", "occupancy")
        as_many(self.diffusivity, "diffusivity", len(self.occupancy), "occupancies")
        increasing(self.occupancy, "occupancy", "occupancies")
        if self.activation_energy is not None and self.temperature is None:
            raise wrong(
                "required key missing: an activation energy needs the temperature at which the table holds",
                "write e.g. temperature: 298.15 K",
                "temperature",
            )
        return self


class Stress(Mapping):
    """Of a film that cannot expand in its plane: mu gains -molar_volume times the hydrostatic stress."""

    molar_volume: Number[MolarVolume] = Field(
        description="Partial molar volume of the carrier.", examples=["1e-6 m^3/mol"]
    )
    modulus: Number[Modulus] = Field(description="Young's modulus.", examples=["100 GPa"])
    poisson: Number[PoissonRatio] = Field(description="Poisson's ratio.", examples=["0.2"])
    occupancy: PositiveRatio | None = Field(
        None, description="At which the film was clamped without stress; or concentration.", examples=["0.5"]
    )
    concentration: Concentration | None = Field(
        None, description="At which the film was clamped without stress.", examples=["2e4 mol/m^3"]
    )
    residual: Pressure = Field(0.0, description="Biaxial stress there, tension positive.", examples=["0 MPa"])
    pressure: Pressure = Field(0.0, description="Hydrostatic cell pressure.", examples=["0 MPa"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.occupancy is None) == (self.concentration is None):
            raise wrong("one filling without stress", "occupancy: 0.5, or concentration: 2e4 mol/m^3", "occupancy")
        return self


class Carrier(Mapping):
    """What a mobile species is in a material."""

    charge: int | None = Field(None, description="In elementary charges.", examples=["1"])
    statistics: Literal["dilute", "lattice", "fermi-dirac", "regular-solution", "measured"] | None = Field(
        None, description="How it fills its sites.", examples=["lattice"]
    )
    mobility: Literal["vehicle", "hopping", "chemical", "immobile"] | None = Field(
        None,
        description="Default: hopping on a lattice or in a regular solution, vehicle if dilute or fermi-dirac, "
        "chemical if measured. What is immobile moves by reactions only.",
    )
    sites: Number[Concentration] | None = Field(
        None, description="Site density; of fermi-dirac, the effective density of states.", examples=["5e4 mol/m^3"]
    )
    sublattice: str | None = Field(
        None, description="Carriers that name the same sublattice share its sites.", examples=["lithium"], min_length=1
    )
    occupancy: Number[PositiveRatio] | None = Field(
        None, description="Share of filled sites at which the material is neutral.", examples=["0.5"]
    )
    formation_energy: Number[MolarEnergy] | None = Field(
        None,
        description="E_f, instead of occupancy on a lattice: x/(1-x) = exp(-E_f/RT) at the temperature of the file. Of "
        "a pair of defects it is half the energy of the pair.",
        examples=["0.9 eV"],
    )
    conductivity: Law[Conductivity] | None = Field(
        None, description="At the occupancy stated here; or diffusivity.", examples=["1e-4 S/cm"]
    )
    diffusivity: Law[Diffusivity] | None = Field(None, description="Or conductivity.", examples=["1e-12 m^2/s"])
    diffusivity_over_occupancy: DiffusivityTable | None = Field(
        None,
        description="Or a table over the filling.",
        examples=["{occupancy: [0.5, 1], diffusivity: [8e-14 m^2/s, 3e-15 m^2/s]}"],
    )
    hop: Hop | None = Field(
        None,
        description="Or the jumps it consists of.",
        examples=["{barrier: 0.31 eV, length: 2.9 angstrom, attempt_frequency: 10 THz, directions: 4}"],
    )
    mu0: Number[MolarEnergy] | None = Field(None, description="Standard chemical potential.", examples=["0 eV"])
    open_circuit: OpenCircuit | None = Field(None, description="For measured statistics.")
    interaction: Number[MolarEnergy] | None = Field(
        None,
        description="W of a regular solution, mu = RT ln(x/(1-x)) + W (1-2x): positive is attraction, two phases "
        "above 2 RT.",
        examples=["0.04 eV"],
    )
    gradient_energy: Number[GradientEnergy] | None = Field(
        None,
        description="kappa of a regular solution, kappa/2 |grad x|^2 per volume: in the particles and films of a cell "
        "the boundaries between its phases then have a width and an energy.",
        examples=["3e-10 J/m"],
    )
    stress: Stress | None = Field(
        None,
        description="Of a clamped film.",
        examples=["{molar_volume: 1e-6 m^3/mol, modulus: 100 GPa, poisson: 0.2, occupancy: 0.5}"],
    )

    @model_validator(mode="after")
    def _one_mobility(self):
        given = [key for key in TRANSPORT if getattr(self, key) is not None]
        if len(given) > 1:
            raise wrong(f"{given[0]} and {given[1]} are two words for one parameter", "keep one", given[1])
        if self.occupancy is not None and self.formation_energy is not None:
            raise wrong("occupancy and formation_energy are two words for one parameter", "keep one", FILLING[1])
        return self

    def at(self, temperature: float | None) -> Carrier:
        """With the occupancy that a formation energy means at a temperature [K]."""
        if self.formation_energy is None or temperature is None:
            return self
        energy = self.formation_energy
        share = 1 / (1 + math.exp(min(max(energy.value / (GAS * temperature), -EXTREME), EXTREME)))
        found = Number.model_construct(value=share, source=energy.source, confidence=energy.confidence)
        return self.model_copy(update={"occupancy": found})


def merged(base: Carrier, changes: Carrier) -> Carrier:
    """The base with every key that `changes` gives, without what contradicts it."""
    update = {key: getattr(changes, key) for key in changes.model_fields_set}
    if set(TRANSPORT) & update.keys():
        update = dict.fromkeys(TRANSPORT) | {"mobility": _moving(base)} | update
    if set(FILLING) & update.keys():
        update = dict.fromkeys(FILLING) | update
    if update.get("mobility") == "immobile":
        update = dict.fromkeys(TRANSPORT) | update
    if update.get("mobility") in NOT_DOWNHILL:
        update = {"gradient_energy": None} | update
    statistics = update.get("statistics", base.statistics)
    if statistics != base.statistics:
        dropped = [key for key, needs in OWN.items() if statistics not in needs]
        update = dict.fromkeys(dropped) | update
    return base.model_copy(update=update)


def _moving(base: Carrier) -> str | None:
    """A diffusivity makes an immobile carrier move again, as its statistics say."""
    return None if base.mobility == "immobile" else base.mobility


OWN = {
    "formation_energy": ("lattice",),
    "open_circuit": ("measured",),
    "interaction": ("regular-solution",),
    "gradient_energy": ("regular-solution",),
    "sublattice": SHARING,
}
NOT_DOWNHILL = ("chemical", "immobile")  # what runs down a concentration, or does not run, forms no phases
EXAMPLE = {
    "open_circuit": "open_circuit: {occupancy: [...], potential: [...]}",
    "interaction": "interaction: 0.04 eV",
}


def carrier_gaps(name: str, carrier: Carrier) -> Iterator[Gap]:
    """Why a carrier cannot be built yet; keys inside the carrier."""
    said = charge_in(name)
    if said is not None and carrier.charge not in (None, said):
        yield Gap(("charge",), f"the name {name} says {said:+d}", f"charge: {said}, or a name without a sign")
    for key in ("charge", "statistics", "sites"):
        if getattr(carrier, key) is None:
            yield missing((key,), f"{key}: {Carrier.model_fields[key].examples[0]}")
    yield from _transport_gaps(carrier)
    for key, needs in OWN.items():
        stated = getattr(carrier, key) is not None
        if carrier.statistics in needs and not stated and key in EXAMPLE:
            yield missing((key,), EXAMPLE[key])
        if carrier.statistics not in (None, *needs) and stated:
            yield Gap((key,), f"not used with statistics {carrier.statistics}", f"statistics: {' or '.join(needs)}")
    if carrier.statistics == "measured" and carrier.mu0 is not None:
        yield Gap(("mu0",), "a measured open-circuit curve is the whole chemical potential", "delete mu0")
    if carrier.gradient_energy is not None and carrier.mobility in NOT_DOWNHILL:
        problem = f"{carrier.mobility}, but what separates into phases runs down its chemical potential"
        yield Gap(("mobility",), problem, "hopping or vehicle, or no gradient_energy")
    full = carrier.occupancy is not None and carrier.occupancy.value >= 1
    if full and carrier.statistics in ON_SITES:
        yield Gap(("occupancy",), "must be below 1: each site holds one", "a share of filled sites, e.g. 0.5")


def _transport_gaps(carrier: Carrier) -> Iterator[Gap]:
    given = [key for key in TRANSPORT if getattr(carrier, key) is not None]
    if carrier.mobility == "immobile":
        for key in given:
            yield Gap((key,), "an immobile carrier has none", "delete it, or another mobility")
    elif not given:
        yield missing(("conductivity",), "conductivity: 1e-4 S/cm, or a diffusivity, or a hop")
    if carrier.charge == 0 and carrier.conductivity is not None:
        yield Gap(("conductivity",), "a neutral carrier has no conductivity", "give its diffusivity")
    if carrier.mobility == "chemical" and carrier.charge != 0:
        yield Gap(("mobility",), "chemical diffusion is that of a neutral carrier", "vehicle or hopping")


def charge_in(name: str) -> int | None:
    """The charge that the name of a species ends with: Li+, O2-, Al3+; None where it says none."""
    match = re.search(r"(\d*)(\++|-+)$", name)
    if not match:
        return None
    size = int(match[1] or 1) * len(match[2])
    return size if match[2][0] == "+" else -size
