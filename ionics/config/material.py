"""What a file says about a material, how changes to a library entry are merged, and when an entry is complete."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingLike

from pydantic import Field

from ionics.config import carriers
from ionics.config.carriers import Carrier, Gap, missing
from ionics.config.equations import EquationError, Terms, parse_bulk
from ionics.config.errors import choices
from ionics.config.model import Mapping
from ionics.config.quantities import FixedCharge, Length, MolarEnergy, Number, Permittivity, Temperature, Written
from ionics.config.rates import BulkRate

NEUTRAL = 1e-6  # of the charge of the carriers
SAME = 1e-6  # sites of one sublattice, relative


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
    reactions: dict[str, BulkRate] | None = Field(
        None,
        description="In the bulk, by equation.",
        examples=["{nothing <-> Li_i + V_Li: {law: mass-action, rate_constant: 1e6 mol/m^3/s}}"],
    )
    properties: dict[str, Number[Written]] | None = Field(None, description="Further numbers, not used by the engine.")
    alternatives: list[Alternative] | None = None


def merged(base: Material, changes: Material) -> Material:
    """The base with every key that `changes` gives; a number is replaced as a whole."""
    update = {key: getattr(changes, key) for key in changes.model_fields_set}
    own = dict(base.carriers or {})
    for name, change in (changes.carriers or {}).items():
        own[name] = carriers.merged(own[name], change) if name in own else change
    reactions = (base.reactions or {}) | (changes.reactions or {})
    return base.model_copy(update=update | {"carriers": own, "reactions": reactions})


def at(material: Material, temperature: float | None) -> Material:
    """With the occupancies that formation energies mean at a temperature [K]."""
    if not any(carrier.formation_energy for carrier in (material.carriers or {}).values()):
        return material
    own = {name: carrier.at(temperature) for name, carrier in material.carriers.items()}
    return material.model_copy(update={"carriers": own})


def gaps(material: Material) -> Iterator[Gap]:
    """Why a material cannot be built yet."""
    if material.permittivity is None:
        yield missing(("permittivity",), "permittivity: 13.2")
    if material.carriers is None:
        yield missing(("carriers",), "carriers: {Li+: {charge: 1, ...}}")
    found = [
        Gap(("carriers", name, *gap.key), gap.problem, gap.valid)
        for name, carrier in (material.carriers or {}).items()
        for gap in carriers.carrier_gaps(name, carrier)
    ]
    yield from found
    if not found:  # what follows relies on the carriers
        yield from _sublattice_gaps(material.carriers or {})
        yield from _reaction_gaps(material)


def _sublattice_gaps(own: dict[str, Carrier]) -> Iterator[Gap]:
    first: dict[str, str] = {}
    for name, carrier in own.items():
        if carrier.sublattice is None:
            continue
        other = first.setdefault(carrier.sublattice, name)
        sites = own[other].sites.value
        if abs(carrier.sites.value - sites) > SAME * sites:
            problem = (
                f"shares the sites of {other}, which has {sites:g} mol/m^3, but has {carrier.sites.value:g} mol/m^3"
            )
            yield Gap(("carriers", name, "sites"), problem, "the same sites, or another sublattice")


def _reaction_gaps(material: Material) -> Iterator[Gap]:
    charges = {name: carrier.charge for name, carrier in (material.carriers or {}).items()}
    for equation, rate in (material.reactions or {}).items():
        try:
            consumed, produced = parse_bulk(equation, charges)
            _suits(rate.law, consumed, produced, charges)
        except EquationError as error:
            yield Gap(("reactions", equation), error.problem, error.valid, equation)


def _suits(law: str, consumed: Terms, produced: Terms, charges: dict[str, int]) -> None:
    """Some laws are those of one kind of reaction. Raises EquationError."""
    if law == "shockley-read-hall":
        kinds = sorted(charges[name] for name, nu in consumed if nu == 1)
        if kinds != [-1, 1] or len(consumed) != 2 or produced:
            raise EquationError(f"{law} is the law of an electron and a hole", "write it like 'e- + h+ <-> nothing'")
    if law == "weak-electrolyte" and (consumed or [nu for _, nu in produced] != [1, 1]):
        raise EquationError(
            f"{law} frees an ion and leaves a vacancy behind", "write it like 'nothing <-> Li+ + n-', the ion first"
        )


def shared(material: Material, name: str) -> list[str]:
    """The other carriers on the sites of a carrier."""
    own = material.carriers[name].sublattice
    return [k for k, c in material.carriers.items() if k != name and own is not None and c.sublattice == own]


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
