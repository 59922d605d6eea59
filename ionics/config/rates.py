"""What a file says about how fast things react: at a junction or contact, and in the bulk of a material."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    AreaResistance,
    Concentration,
    ExchangeCurrent,
    Law,
    Length,
    MolarEnergy,
    Number,
    OpenFraction,
    PositiveEnergy,
    Recombination,
    Resistivity,
    Share,
    SiteDensity,
    Speed,
    Time,
    Turnover,
)

Needs = tuple[tuple[str, ...], ...]  # all of: one of these keys
LAW_KEYS = {
    "blocked": (),
    "equilibrium": (),
    "linear": ("resistance",),
    "butler-volmer": ("exchange_current", "eyring", "alpha", "occupancy_dependent"),
    "marcus": ("exchange_current", "eyring", "reorganisation_energy", "occupancy_dependent"),
    "marcus-hush-chidsey": ("exchange_current", "eyring", "reorganisation_energy", "occupancy_dependent"),
}
LAW_NEEDS: dict[str, Needs] = {
    "linear": (("resistance",),),
    "butler-volmer": (("exchange_current", "eyring"),),
    "marcus": (("exchange_current", "eyring"), ("reorganisation_energy",)),
    "marcus-hush-chidsey": (("exchange_current", "eyring"), ("reorganisation_energy",)),
}
LawName = Literal["blocked", "equilibrium", "linear", "butler-volmer", "marcus", "marcus-hush-chidsey"]
RATE_KEYS = ("exchange_current", "eyring", "alpha", "reorganisation_energy", "resistance", "occupancy_dependent")

BULK_KEYS = {
    "mass-action": ("rate_constant", "equilibrium"),
    "generation": ("rate",),
    "shockley-read-hall": ("electron_lifetime", "hole_lifetime", "n1", "p1", "equilibrium"),
    "weak-electrolyte": ("recombination", "total", "dissociation"),
}
BULK_NEEDS: dict[str, Needs] = {
    "mass-action": (("rate_constant",),),
    "generation": (("rate",),),
    "shockley-read-hall": (("electron_lifetime",), ("hole_lifetime",), ("n1",), ("p1",)),
    "weak-electrolyte": (("recombination",), ("total",), ("dissociation",)),
}


def _rules(keys: dict[str, tuple[str, ...]], needs: dict[str, Needs]):
    """Tell editors which keys each law needs and which it does not know."""
    every = {key for known in keys.values() for key in known}

    def extra(schema: dict[str, Any]) -> None:
        schema["allOf"] = [
            {
                "if": {"properties": {"law": {"const": law}}, "required": ["law"]},
                "then": {
                    "properties": dict.fromkeys(sorted(every - set(known)), False),
                    "allOf": [{"anyOf": [{"required": [key]} for key in one]} for one in needs.get(law, ())],
                },
            }
            for law, known in keys.items()
        ]

    return extra


def _fits(given: Mapping, law: str, keys: dict[str, tuple[str, ...]], needs: dict[str, Needs]) -> None:
    """Complains about keys that a law lacks or does not take."""
    for one in needs.get(law, ()):
        stated = [key for key in one if getattr(given, key) is not None]
        example = type(given).model_fields[one[0]].examples[0]
        if not stated:
            raise wrong(f"required key missing for law {law}", f"write e.g. {one[0]}: {example}", one[0])
        if len(stated) > 1:
            raise wrong(f"given together with {stated[0]}", "keep one of the two", stated[1])
    for key in sorted({key for known in keys.values() for key in known}):
        if key in given.model_fields_set and key not in keys[law]:
            raise wrong(f"not used by law {law}", f"{law} takes {', '.join(keys[law]) or 'no further keys'}", key)


class Eyring(Mapping):
    """An exchange current from a barrier: F n (kB T/h) exp(-barrier/RT) per charge and filled site."""

    barrier: Number[PositiveEnergy] = Field(description="Gibbs energy of activation of the hop.", examples=["0.5 eV"])
    site_density: Number[SiteDensity] = Field(description="Sites per area from which one jumps.", examples=["1e18/m^2"])


class Kinetics(Mapping):
    """The numbers of rate laws."""

    exchange_current: Law[ExchangeCurrent] | None = Field(
        None, description="i0 of an activated law.", examples=["1 mA/cm^2"]
    )
    eyring: Eyring | None = Field(
        None,
        description="Instead of exchange_current; then occupancy_dependent.",
        examples=["{barrier: 0.5 eV, site_density: 1e18/m^2}"],
    )
    alpha: OpenFraction | None = Field(
        None,
        description="Share of the affinity that drives the reaction as written, at a contact out of the metal "
        "(default 0.5).",
        examples=["0.5"],
    )
    reorganisation_energy: Number[PositiveEnergy] | None = Field(
        None, description="lambda of marcus and marcus-hush-chidsey.", examples=["0.5 eV"]
    )
    resistance: Law[AreaResistance] | None = Field(None, description="Of linear.", examples=["10 ohm cm^2"])
    occupancy_dependent: bool | None = Field(
        None, description="Whether i0 scales with filled and empty sites (default false; with eyring true)."
    )

    def fits(self, law: str) -> None:
        """Complains about keys that a law lacks or does not take."""
        _fits(self, law, LAW_KEYS, LAW_NEEDS)
        if self.eyring is not None and self.occupancy_dependent is False:
            raise wrong("a hop needs a filled and an empty site", "true, or exchange_current", "occupancy_dependent")


class Rate(Kinetics):
    """How fast a reaction runs down its affinity."""

    model_config = Mapping.model_config | {"json_schema_extra": _rules(LAW_KEYS, LAW_NEEDS)}

    law: LawName = Field(description="The rate law.", examples=["butler-volmer"])

    @model_validator(mode="after")
    def _only_what_the_law_needs(self):
        self.fits(self.law)
        return self


class BulkRate(Mapping):
    """How fast a reaction runs in the bulk of a material."""

    model_config = Mapping.model_config | {"json_schema_extra": _rules(BULK_KEYS, BULK_NEEDS)}

    law: Literal["mass-action", "generation", "shockley-read-hall", "weak-electrolyte"] = Field(
        description="The rate law.", examples=["mass-action"]
    )
    rate_constant: Law[Turnover] | None = Field(
        None, description="Forward rate of mass-action at unit occupancies.", examples=["1e6 mol/m^3/s"]
    )
    equilibrium: Literal["composition", "standard potentials"] | None = Field(
        None,
        description="Whether the composition stated is in equilibrium (default), or the mu0 decide.",
        examples=["composition"],
    )
    rate: Law[Turnover] | None = Field(None, description="Of generation.", examples=["1 mol/m^3/s"])
    electron_lifetime: Law[Time] | None = Field(None, description="tau_n of shockley-read-hall.", examples=["1 us"])
    hole_lifetime: Law[Time] | None = Field(None, description="tau_p of shockley-read-hall.", examples=["1 us"])
    n1: Law[Concentration] | None = Field(
        None, description="Electrons with the Fermi level at that of the trap.", examples=["1e16/m^3"]
    )
    p1: Law[Concentration] | None = Field(
        None, description="Holes with the Fermi level at that of the trap.", examples=["1e16/m^3"]
    )
    recombination: Law[Recombination] | None = Field(
        None, description="Rate constant of weak-electrolyte.", examples=["1e-6 m^3/mol/s"]
    )
    total: Number[Concentration] | None = Field(
        None, description="Free and bound ions of weak-electrolyte together.", examples=["6e4 mol/m^3"]
    )
    dissociation: Number[OpenFraction] | None = Field(
        None, description="Share of them that is free where nothing is charged.", examples=["0.2"]
    )

    @model_validator(mode="after")
    def _only_what_the_law_needs(self):
        _fits(self, self.law, BULK_KEYS, BULK_NEEDS)
        return self


class InterfaceState(Mapping):
    """Sites in the plane of a junction; reactions of the junction name them like a carrier."""

    charge: int = Field(description="Full less empty, in elementary charges.", examples=["-1"])
    density: Number[SiteDensity] = Field(description="Sites per area.", examples=["1e17/m^2"])
    level: Number[MolarEnergy] | None = Field(
        None, description="Standard chemical potential (default 0 eV).", examples=["0 eV"]
    )


class Thickness(Mapping):
    """Of an interphase as it was made."""

    reversible: Length = Field(description="Of the part that can go back.", examples=["0.1 nm"])
    permanent: Length = Field(description="Of the part that stays; small where there is none.", examples=["1 pm"])


class Interphase(Mapping):
    """A decomposition layer that grows with its driving force, and dissolves in part when that is gone."""

    driven_by: str = Field(
        description="The reaction whose affinity drives it, charge balanced. That of 'nothing <-> Li' is -mu of "
        "lithium: its voltage against lithium metal.",
        examples=["nothing <-> Li"],
    )
    threshold: MolarEnergy = Field(
        0.0, description="Affinity at which the layer comes to rest `reference` thick.", examples=["4.5 eV"]
    )
    resistivity: Law[Resistivity] = Field(description="Of the layer.", examples=["1e7 ohm cm"])
    rate: Law[Speed] = Field(description="Of growth at the threshold.", examples=["1 nm/h"])
    alpha: OpenFraction = Field(0.5, description="Share of the affinity that speeds up growth.", examples=["0.5"])
    reversible: Share = Field(1.0, description="Share of the growth that can go back.", examples=["1"])
    reference: Length = Field(description="Thickness at the threshold.", examples=["1 nm"])
    initial: Thickness = Field(description="As it was made.", examples=["{reversible: 0.1 nm, permanent: 1 pm}"])
    halving: Length | None = Field(None, description="Thickness at which growth has halved.", examples=["5 nm"])


class Film(Mapping):
    """In series with the reactions of a face, too thin to be resolved."""

    resistance: Law[AreaResistance] | None = Field(None, description="That does not change.", examples=["10 ohm cm^2"])
    interphase: Interphase | None = Field(None, description="That grows and dissolves; between layers only.")

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.resistance is None) == (self.interphase is None):
            raise wrong(
                "a film is either a resistance or an interphase",
                "resistance: 10 ohm cm^2, or interphase: {driven_by: ..., ...}",
            )
        return self
