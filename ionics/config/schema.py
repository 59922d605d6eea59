"""The file as a whole: what may be written where, and in which unit."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from ionics.config.document import Document
from ionics.config.errors import ConfigError
from ionics.config.material import Material
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    Area,
    AreaCapacitance,
    AreaResistance,
    ExchangeCurrent,
    Law,
    Length,
    OpenFraction,
    PhaseExponent,
    PositiveRatio,
    Quantity,
    SeriesResistance,
    SurfaceCharge,
    Temperature,
    Voltage,
)
from ionics.config.questions import Fit, Study
from ionics.config.units import constant_phase

LAW_KEYS = {
    "blocked": (),
    "equilibrium": (),
    "linear": ("resistance",),
    "butler-volmer": ("exchange_current", "alpha", "occupancy_dependent"),
}
LAW_NEEDS = {"linear": "resistance", "butler-volmer": "exchange_current"}
EXAMPLES = {"resistance": "10 ohm cm^2", "exchange_current": "1 mA/cm^2"}
LawName = Literal["blocked", "equilibrium", "linear", "butler-volmer"]


def _law_rules(schema: dict[str, Any]) -> None:
    """Tell editors which keys each law needs and which it does not know."""
    every = {key for known in LAW_KEYS.values() for key in known}
    schema["allOf"] = [
        {
            "if": {"properties": {"law": {"const": law}}, "required": ["law"]},
            "then": {
                "required": [LAW_NEEDS[law]] if law in LAW_NEEDS else [],
                "properties": dict.fromkeys(sorted(every - set(known)), False),
            },
        }
        for law, known in LAW_KEYS.items()
    ]


class Rate(Mapping):
    """How fast a reaction runs down its affinity."""

    model_config = Mapping.model_config | {"json_schema_extra": _law_rules}

    law: LawName = Field(description="The rate law.", examples=["butler-volmer"])
    exchange_current: Law[ExchangeCurrent] | None = Field(
        None, description="i0 of butler-volmer.", examples=["1 mA/cm^2"]
    )
    alpha: OpenFraction | None = Field(
        None, description="Share of the affinity that drives the reaction as written (default 0.5).", examples=["0.5"]
    )
    resistance: Law[AreaResistance] | None = Field(None, description="Of linear.", examples=["10 ohm cm^2"])
    occupancy_dependent: bool | None = Field(
        None, description="Whether i0 scales with filled and empty sites (default false)."
    )

    @model_validator(mode="after")
    def _only_what_the_law_needs(self):
        needed = LAW_NEEDS.get(self.law)
        if needed and getattr(self, needed) is None:
            raise wrong(f"required key missing for law {self.law}", f"write e.g. {needed}: {EXAMPLES[needed]}", needed)
        for key in ("exchange_current", "alpha", "resistance", "occupancy_dependent"):
            if getattr(self, key) is not None and key not in LAW_KEYS[self.law]:
                takes = ", ".join(LAW_KEYS[self.law]) or "no further keys"
                raise wrong(f"not used by law {self.law}", f"{self.law} takes {takes}", key)
        return self


class ConstantPhase(Mapping):
    """Admittance Q (i omega)^n per area; in impedance only."""

    Q: Any = Field(description="With a unit that fits n.", examples=["1e-6 S s^0.9/cm^2"])
    n: PhaseExponent = Field(description="Between 0 and 1.", examples=["0.9"])

    @model_validator(mode="after")
    def _unit_of_q(self):
        Quantity(constant_phase(self.n), above=0).read(self.Q, "Q")
        return self

    @property
    def q(self) -> float:
        """S s^n m-2."""
        return Quantity(constant_phase(self.n)).read(self.Q)


class CompactLayer(Mapping):
    """A capacitance in series with the space charge: constant, or of constant phase."""

    capacitance: AreaCapacitance | None = Field(None, examples=["5 uF/cm^2"])
    constant_phase: ConstantPhase | None = Field(None, examples=["{Q: 1e-6 S s^0.9/cm^2, n: 0.9}"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.capacitance is None) == (self.constant_phase is None):
            raise wrong(
                "a compact layer is either a capacitance or a constant phase element",
                "capacitance: 5 uF/cm^2, or constant_phase: {Q: 1e-6 S s^0.9/cm^2, n: 0.9}",
            )
        return self


class Face(Mapping):
    """What any junction or contact may have."""

    compact_layer: CompactLayer | None = Field(None, description="Between the two sides.")
    space_charge_potential: Voltage | None = Field(
        None, description="How far from flat band at the stated compositions (default 0 V).", examples=["0 V"]
    )
    dipole: Voltage | None = Field(
        None, description="Potential step; mu0 of the materials then decide the space charge.", examples=["0 V"]
    )
    surface_charge: SurfaceCharge = Field(0.0, description="Immobile charge on the face.", examples=["0 C/m^2"])

    @model_validator(mode="after")
    def _one_step(self):
        if self.space_charge_potential is not None and self.dipole is not None:
            raise wrong("given together with space_charge_potential", "keep one of the two", "dipole")
        return self


class Junction(Face):
    """The face between two layers; a shared carrier not named here crosses in equilibrium."""

    reactions: dict[str, Rate] = Field({}, description="Charge transfer, e.g. 'Li+ + e- <-> Li'.")
    carriers: dict[str, Rate] = Field({}, description="A carrier crossing as itself, forward is left to right.")


class Contact(Face):
    """The metal at an end."""

    model_config = Mapping.model_config | {"json_schema_extra": _law_rules}

    contact: Literal["blocking", "ohmic", "lithium", "reservoir"] = Field(
        description="What the metal does.", examples=["blocking"]
    )
    law: LawName | None = Field(None, description="How fast (default equilibrium).", examples=["butler-volmer"])
    exchange_current: Law[ExchangeCurrent] | None = Field(None, examples=["1 mA/cm^2"])
    alpha: OpenFraction | None = Field(
        None, description="Share of the affinity that drives ions out of the metal (default 0.5).", examples=["0.5"]
    )
    resistance: Law[AreaResistance] | None = Field(None, examples=["10 ohm cm^2"])

    @model_validator(mode="after")
    def _law_of_the_contact(self):
        laws = {"law", "exchange_current", "alpha", "resistance"} & self.model_fields_set
        if self.contact == "blocking" and laws:
            raise wrong("nothing crosses a blocking contact", "contact: lithium, ohmic or reservoir", min(laws))
        if self.law is None and laws:
            raise wrong(
                "required key missing",
                f"write e.g. law: {'linear' if 'resistance' in laws else 'butler-volmer'}",
                "law",
            )
        if self.contact == "blocking" and self.space_charge_potential is not None:
            raise wrong("no reaction defines flat band here", "dipole: 0 V", "space_charge_potential")
        self.rate  # noqa: B018 - complains about keys that the law does not take
        return self

    @property
    def rate(self) -> Rate | None:
        """The rate law, None where nothing crosses."""
        if self.contact == "blocking":
            return None
        given = {key: getattr(self, key) for key in ("exchange_current", "alpha", "resistance")}
        return Rate.model_construct(law=self.law or "equilibrium", **given)._only_what_the_law_needs()


class Layer(Mapping):
    """A slab of one material."""

    name: str = Field(description="Unique.", examples=["electrolyte"], min_length=1)
    material: str = Field(description="Local or from the library.", examples=["LiPON"])
    thickness: Length = Field(description="Of the slab.", examples=["5 nm"])
    nodes: int | None = Field(
        None, description="Mesh points, both ends included (default 401).", examples=["401"], ge=5, le=20001
    )
    occupancy: dict[str, PositiveRatio] = Field({}, description="Bulk occupancy of carriers in this layer.")


class Unit(Mapping):
    """Layers that stand `repeat` times in series; they begin and end in the middle of a grain."""

    repeat: int = Field(description="How many times.", examples=["1000"], ge=1, le=10**9)
    name: str = Field(description="Unique.", examples=["ceramic"], min_length=1)
    layers: list[Layer] = Field(description="Meshed once.", min_length=1)


def _kind(data: Any) -> str:
    return "unit" if isinstance(data, dict) and ("repeat" in data or "layers" in data) else "layer"


LayerOrUnit = Annotated[Annotated[Layer, Tag("layer")] | Annotated[Unit, Tag("unit")], Discriminator(_kind)]


class Stack(Mapping):
    """From left (negative electrode, x = 0) to right (positive)."""

    left: Contact = Field(description="The left contact.", examples=["{contact: blocking}"])
    layers: list[LayerOrUnit] = Field(description="From left to right.", min_length=1, examples=["[{name: ...}]"])
    junctions: dict[str, Junction] = Field({}, description="By the layers they join: 'electrolyte | cathode'.")
    right: Contact = Field(description="The right contact.", examples=["{contact: ohmic}"])

    def flat(self) -> list[tuple[tuple[str | int, ...], Layer]]:
        """Every layer once, with its path inside the stack."""
        found = []
        for i, entry in enumerate(self.layers):
            if isinstance(entry, Unit):
                found += [(("layers", i, "layers", k), layer) for k, layer in enumerate(entry.layers)]
            else:
                found.append((("layers", i), entry))
        return found


class Config(Mapping):
    """A file of ionics, version 1: a stack and questions asked of it, or a fit of spectra."""

    title: str = Field("", description="Goes with the results.")
    source: str = Field("", description="Where the numbers come from.")
    temperature: Temperature | None = Field(None, examples=["298.15 K"])
    area: Area | None = Field(None, description="Then results are also given in ohm.", examples=["1 cm^2"])
    series_resistance: SeriesResistance | None = None
    materials: dict[str, Material] = Field({}, description="Local materials, or library ones with changes.")
    stack: Stack | None = Field(None, examples=["{left: ..., layers: ..., right: ...}"])
    study: Study | None = Field(None, description="What `ionics run` asks.")
    fit: Fit | None = Field(None, description="What `ionics fit` asks.")

    _document: Document = PrivateAttr()
    _resolved: dict[str, Material] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self):
        if self.stack is not None and self.temperature is None:
            raise wrong(
                "required key missing: a stack has a temperature", "write e.g. temperature: 298.15 K", "temperature"
            )
        if self.series_resistance and self.series_resistance.total and self.area is None:
            raise wrong("ohm needs an area", "give ohm cm^2, or add e.g. area: 1 cm^2", "series_resistance")
        wants = "study" if self.study else "fit" if self.fit and self.fit.model == "stack" else ""
        if wants and self.stack is None:
            raise wrong(
                f"required key missing: {wants} asks for a stack",
                "write stack: {left: ..., layers: ..., right: ...}",
                "stack",
            )
        return self

    @property
    def document(self) -> Document:
        """The text this came from."""
        return self._document

    def material(self, name: str) -> Material:
        """A material of the stack, complete: changes merged into what they are like."""
        return self._resolved[name]

    @property
    def area_resistance(self) -> float:
        """Series resistance [ohm m2]."""
        if self.series_resistance is None:
            return 0.0
        return self.series_resistance.value * ((self.area or 1.0) if self.series_resistance.total else 1.0)

    def error(self, path: tuple[str | int, ...], problem: str, valid: str = "") -> ConfigError:
        """A ConfigError about the value at a path of this file."""
        return ConfigError(self._document.problem(path, problem, valid))


def json_schema() -> dict[str, Any]:
    """A JSON schema of the file, for editors."""
    schema = _tidy(Config.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "made from ionics.config.schema",
        **schema,
        "title": "ionics configuration",
    }


def _tidy(schema: Any) -> Any:
    """Without null (an empty value is an error), titles that repeat the key, and defaults that say nothing."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    silent = [("title", str), ("default", float), ("default", dict), ("default", list)]
    kept = {k: _tidy(v) for k, v in schema.items() if v is not None and (k, type(v)) not in silent}
    if "anyOf" in kept:
        kept["anyOf"] = [option for option in kept["anyOf"] if option != {"type": "null"}]
        if len(kept["anyOf"]) == 1:
            return kept.pop("anyOf")[0] | kept
    return kept


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))
