"""The file as a whole: what may be written where, and in which unit."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from ionics.config.carriers import as_many, increasing
from ionics.config.cells import Cell
from ionics.config.design_questions import Design
from ionics.config.document import Document
from ionics.config.errors import ConfigError
from ionics.config.fit_questions import Fit
from ionics.config.interface_questions import InterfaceQuestion
from ionics.config.material import Material
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    Area,
    AreaCapacitance,
    Length,
    MolarEnergy,
    PhaseExponent,
    Position,
    PositiveRatio,
    Quantity,
    SeriesResistance,
    SurfaceCharge,
    Temperature,
    Voltage,
)
from ionics.config.questions import Study
from ionics.config.rates import RATE_KEYS, Film, InterfaceState, Kinetics, LawName, Rate
from ionics.config.units import constant_phase

MOST_NODES = 20001  # of a layer
METAL = 1000.0  # S/m: above it nobody needs the space charge of electrons resolved


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
        return Quantity(constant_phase(self.n), above=0).read(self.Q)

    def quantity(self, name: str) -> Any:
        """The value of a field; that of Q as its unit says."""
        return self.q if name == "Q" else getattr(self, name)


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
    film: Film | None = Field(None, description="In series with what crosses.", examples=["{resistance: 10 ohm cm^2}"])

    @model_validator(mode="after")
    def _one_step(self):
        if self.space_charge_potential is not None and self.dipole is not None:
            raise wrong("given together with space_charge_potential", "keep one of the two", "dipole")
        return self


class Junction(Face):
    """The face between two layers; a shared carrier not named here crosses in equilibrium."""

    reactions: dict[str, Rate] = Field({}, description="Charge transfer, e.g. 'Li+ + e- <-> Li'.")
    carriers: dict[str, Rate] = Field({}, description="A carrier crossing as itself, forward is left to right.")
    states: dict[str, InterfaceState] = Field(
        {},
        description="Sites in the plane, which reactions may name, e.g. 'e- <-> trap'.",
        examples=["{trap: {charge: -1, density: 1e17/m^2}}"],
    )


class Contact(Face, Kinetics):
    """The metal at an end."""

    model_config = Rate.model_config

    contact: Literal["blocking", "ohmic", "lithium", "reservoir"] = Field(
        description="What the metal does.", examples=["blocking"]
    )
    law: LawName | None = Field(None, description="How fast (default equilibrium).", examples=["butler-volmer"])

    @model_validator(mode="after")
    def _law_of_the_contact(self):
        laws = {"law", *RATE_KEYS} & self.model_fields_set
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
        if self.contact == "blocking" and self.film is not None:
            raise wrong("nothing crosses a blocking contact", "compact_layer, or another contact", "film")
        if self.film is not None and self.film.interphase is not None:
            raise wrong("an interphase grows between layers", "film: {resistance: 10 ohm cm^2}", "film")
        self.fits(self.law or "equilibrium")
        return self

    @property
    def rate(self) -> Rate | None:
        """The rate law, None where nothing crosses."""
        if self.contact == "blocking":
            return None
        return Rate.model_construct(law=self.law or "equilibrium", **{key: getattr(self, key) for key in RATE_KEYS})


class EnergyTable(Mapping):
    """Added to mu0, over the distance from the left end of the layer; smooth between, constant beyond."""

    position: list[Position] = Field(description="Increasing.", examples=["[0 nm, 1 nm, 2 nm]"])
    energy: list[MolarEnergy] = Field(description="There.", examples=["[-0.5 eV, -0.1 eV, 0 eV]"])

    @model_validator(mode="after")
    def _a_table(self):
        return _over_position(self, "energy")


class FactorTable(Mapping):
    """D over the D of the material, over the distance from the left end of the layer."""

    position: list[Position] = Field(description="Increasing.", examples=["[0 nm, 1 nm, 2 nm]"])
    factor: list[PositiveRatio] = Field(description="There.", examples=["[0.01, 0.5, 1]"])

    @model_validator(mode="after")
    def _a_table(self):
        return _over_position(self, "factor")


def _over_position(table: Any, key: str) -> Any:
    if len(table.position) < 2:
        raise wrong(f"{len(table.position)} points are not a table", "at least 2 points", "position")
    as_many(getattr(table, key), key, len(table.position), "positions")
    increasing(table.position, "position", "positions")
    return table


class Core(Mapping):
    """A smooth (Gaussian) well, such as the core of a grain boundary."""

    position: Position = Field(description="Of its middle, from the left end of the layer.", examples=["50 nm"])
    width: Length = Field(description="Between the places of half the depth.", examples=["0.5 nm"])
    depth: MolarEnergy = Field(description="By which mu0 is lower in the middle.", examples=["0.5 eV"])
    diffusivity_factor: PositiveRatio | None = Field(
        None, description="D in the middle over that of the material (default 1).", examples=["0.1"]
    )


class Profile(Mapping):
    """How a carrier differs along one layer."""

    energy: EnergyTable | None = Field(
        None, description="A table.", examples=["{position: [0 nm, 2 nm], energy: [-0.5 eV, 0 eV]}"]
    )
    diffusivity: FactorTable | None = Field(
        None, description="A table.", examples=["{position: [0 nm, 2 nm], factor: [0.01, 1]}"]
    )
    core: Core | None = Field(
        None, description="Instead of an energy table.", examples=["{position: 50 nm, width: 0.5 nm, depth: 0.5 eV}"]
    )

    @model_validator(mode="after")
    def _something(self):
        if self.core is not None and self.energy is not None:
            raise wrong("given together with an energy table", "keep one of the two", "core")
        if self.core is not None and self.core.diffusivity_factor is not None and self.diffusivity is not None:
            raise wrong("given together with the diffusivity of a core", "keep one of the two", "diffusivity")
        if self.core is None and self.energy is None and self.diffusivity is None:
            raise wrong("an empty profile", "energy, diffusivity or core")
        return self

    @property
    def reach(self) -> tuple[tuple[str, ...], float]:
        """The largest position that is named, and its key."""
        named = [(("core", "position"), self.core.position)] if self.core else []
        tables = {"energy": self.energy, "diffusivity": self.diffusivity}
        named += [((key, "position"), table.position[-1]) for key, table in tables.items() if table]
        return max(named, key=lambda one: one[1])


class Layer(Mapping):
    """A slab of one material."""

    name: str = Field(description="Unique.", examples=["electrolyte"], min_length=1)
    material: str = Field(description="Local or from the library.", examples=["LiPON"])
    thickness: Length = Field(description="Of the slab.", examples=["5 nm"])
    nodes: int | None = Field(
        None,
        description="Mesh points, both ends included (default 401, several carriers 641).",
        examples=["401"],
        ge=5,
        le=MOST_NODES,
    )
    occupancy: dict[str, PositiveRatio] = Field({}, description="Bulk occupancy of carriers in this layer.")
    profiles: dict[str, Profile] = Field(
        {},
        description="Of carriers along this layer.",
        examples=["{Li+: {core: {position: 50 nm, width: 0.5 nm, depth: 0.5 eV}}}"],
    )


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
    cell: Cell | None = Field(
        None, description="Instead of a stack: electrodes of particles, films or metal.",
        examples=["{negative: ..., separator: ..., positive: ...}"],
    )  # fmt: skip
    study: Study | None = Field(None, description="What `ionics run` asks.")
    fit: Fit | None = Field(None, description="What `ionics fit` asks.")
    design: Design | None = Field(None, description="What `ionics design` asks.")
    interface: InterfaceQuestion | None = Field(
        None, description="What `ionics interface` asks.",
        examples=["{left: {structure: LiCoO2}, right: {structure: gamma-Li3PO4}}"],
    )  # fmt: skip

    _document: Document = PrivateAttr()
    _resolved: dict[str, Material] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self):
        if self.stack is not None and self.cell is not None:
            raise wrong("given together with a stack", "a file describes one device: stack or cell", "cell")
        device = "stack" if self.stack is not None else "cell"
        if (self.stack is not None or self.cell is not None) and self.temperature is None:
            raise wrong(
                f"required key missing: a {device} has a temperature", "write e.g. temperature: 298.15 K", "temperature"
            )
        if self.series_resistance and self.series_resistance.total and self.area is None:
            raise wrong("ohm needs an area", "give ohm cm^2, or add e.g. area: 1 cm^2", "series_resistance")
        if self.fit is not None and self.fit.model == "cell" and self.cell is None:
            raise wrong("required key missing: the fit asks for a cell", "write cell: {negative: ..., ...}", "cell")
        wants = "study" if self.study else "fit" if self.fit and self.fit.model == "stack" else ""
        if self.design is not None and self.fit is None:
            raise wrong("required key missing: a design is that of a fit", "write fit: {model: ..., free: ...}", "fit")
        if self.design is not None:
            self.design.suits(self.fit.model)
        if wants and self.stack is None and (wants == "fit" or self.cell is None):
            raise wrong(
                f"required key missing: {wants} asks for a stack{' or a cell' if wants == 'study' else ''}",
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

    def used(self) -> list[str]:
        """Names of the materials of the stack or the cell, in order."""
        if self.cell is not None:
            return [one.material for *_, one in self.cell.members()] + [name for _, name in self.cell.electrolytes()]
        return [layer.material for _, layer in self.stack.flat()] if self.stack else []

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
