"""What a file says about a cell above the resolved scale: electrodes of particles, films or metal, and a separator."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ionics.config.controls import Duration, PassedCharge
from ionics.config.model import Mapping, wrong
from ionics.config.quantities import (
    AreaCapacitance,
    AreaResistance,
    Conductivity,
    FilledFraction,
    Law,
    Length,
    Modulus,
    OpenFraction,
    PositiveRatio,
    Pressure,
    Quantity,
    Ratio,
    Voltage,
)
from ionics.config.rates import Rate
from ionics.config.units import RATIO

Tortuosity = Annotated[float, Quantity(RATIO, least=1)]
MOST_NODES, MOST_SIZES = 500, 50


class Coating(Mapping):
    """In series with the reaction, on every surface: a resistance, or a thin layer that conducts ions."""

    resistance: Law[AreaResistance] | None = Field(None, description="Per area of it.", examples=["10 ohm cm^2"])
    thickness: Length | None = Field(None, description="Of the layer.", examples=["5 nm"])
    conductivity: Law[Conductivity] | None = Field(None, description="Of the layer.", examples=["1e-8 S/cm"])

    @model_validator(mode="after")
    def _one_of_two(self):
        layer = (self.thickness is not None, self.conductivity is not None)
        if (self.resistance is not None) == any(layer):
            raise wrong("a coating is a resistance or a layer", "resistance, or thickness and conductivity")
        if any(layer) and not all(layer):
            missing = "conductivity" if layer[0] else "thickness"
            raise wrong("required key missing", f"write e.g. {missing}: {'1e-8 S/cm' if layer[0] else '5 nm'}", missing)
        return self


class DoubleLayer(Mapping):
    """Of every surface."""

    capacitance: AreaCapacitance = Field(description="Per area of it.", examples=["10 uF/cm^2"])


class ContactShare(Mapping):
    """The share of the particles' surface that the electrolyte touches: stated, or what a pressure makes of it."""

    share: FilledFraction | None = Field(None, description="At the reference occupancy.", examples=["0.8"])
    pressure: Pressure | None = Field(None, description="On the stack.", examples=["50 MPa"])
    stiffness: Modulus | None = Field(
        None, description="Contact modulus times slope of the roughness: the share is erf(sqrt(2) p / it).",
        examples=["100 MPa"],
    )  # fmt: skip
    swelling: Ratio = Field(
        0.0, description="Change of ln(share/(1 - share)) per occupancy: positive where the particle grows with it.",
        examples=["2"],
    )  # fmt: skip
    reference: OpenFraction = Field(0.5, description="Occupancy at which the share holds.", examples=["0.5"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.share is None) == (self.pressure is None):
            raise wrong("the contact is a share or follows from a pressure", "share: 0.8, or pressure and stiffness")
        if (self.pressure is None) != (self.stiffness is None):
            raise wrong("pressure and stiffness go together", "{pressure: 50 MPa, stiffness: 100 MPa}", "stiffness")
        if self.pressure is not None and self.pressure <= 0:
            raise wrong("nothing touches without pressure", "a positive pressure", "pressure")
        if self.share == 1 and self.swelling != 0:
            raise wrong("where all of it touches, swelling changes nothing", "a share below 1", "swelling")
        return self


class Surface(Mapping):
    """Where lithium enters an electrode: Li+ + e- <-> Li, forward into the electrode."""

    reaction: Rate = Field(
        description="Of lithium that enters.", examples=["{law: butler-volmer, exchange_current: 1 A/m^2}"]
    )
    coating: Coating | None = Field(
        None, description="In series with the reaction.", examples=["{resistance: 10 ohm cm^2}"]
    )
    double_layer: DoubleLayer | None = Field(None, description="Beside it.", examples=["{capacitance: 10 uF/cm^2}"])

    @model_validator(mode="after")
    def _something_enters(self):
        if self.reaction.law == "blocked":
            raise wrong("nothing enters", "equilibrium, linear, butler-volmer, marcus, marcus-hush-chidsey", "reaction")
        return self


class Sizes(Mapping):
    """Radii whose logarithm is distributed normally, by volume."""

    median: Length = Field(description="Half of the volume is in smaller particles.", examples=["3 um"])
    spread: PositiveRatio = Field(description="Standard deviation of the logarithm of the radius.", examples=["0.3"])
    sizes: int = Field(5, description="How many are computed.", ge=2, le=MOST_SIZES)


class Listed(Mapping):
    """Radii, and the share of the volume of each."""

    radii: list[Length] = Field(description="Of the particles.", min_length=1, examples=["[1 um, 3 um]"])
    shares: list[PositiveRatio] = Field(description="Of the volume; their sum counts as one.", examples=["[1, 2]"])

    @model_validator(mode="after")
    def _as_many(self):
        if len(self.shares) != len(self.radii):
            raise wrong(f"{len(self.shares)} shares for {len(self.radii)} radii", "one for each", "shares")
        return self


def _radius(data: Any) -> str:
    if not isinstance(data, dict):
        return "one"
    return "listed" if "radii" in data or "shares" in data else "sizes"


Radius = Annotated[
    Annotated[Length, Tag("one")] | Annotated[Sizes, Tag("sizes")] | Annotated[Listed, Tag("listed")],
    Discriminator(_radius),
]


class Active(Surface):
    """Particles of one material in a composite."""

    material: str = Field(description="Local or from the library, e.g. NMC811.")
    volume_fraction: OpenFraction = Field(description="Of the electrode.", examples=["0.5"])
    radius: Radius = Field(description="One, a distribution or a list.", examples=["3 um"])
    shape: Literal["sphere", "cylinder"] = Field("sphere", description="Of the particles.")
    occupancy: OpenFraction | None = Field(None, description="At the beginning.", examples=["0.3"])
    contact: ContactShare | None = Field(
        None, description="How much of the surface is touched (default all).", examples=["{share: 0.8}"]
    )
    nodes: int = Field(20, description="Along the radius.", ge=3, le=MOST_NODES)


class DenseFilm(Surface):
    """A dense film without electrolyte in it."""

    material: str = Field(description="Local or from the library, e.g. LiCoO2.")
    thickness: Length = Field(description="Of the film.", examples=["1 um"])
    occupancy: OpenFraction | None = Field(None, description="At the beginning.", examples=["0.5"])
    nodes: int = Field(40, description="Across it.", ge=3, le=MOST_NODES)


class Electrolyte(Mapping):
    """What conducts ions between the particles."""

    material: str | None = Field(None, description="Local or from the library.", examples=["LiPON"])
    volume_fraction: OpenFraction | None = Field(None, description="Of the electrode.", examples=["0.3"])
    tortuosity: Literal["bruggeman"] | Tortuosity = Field(
        "bruggeman", description="Conductivity: the material's times fraction over this; bruggeman: fraction^-0.5.",
        examples=["2.5"],
    )  # fmt: skip
    conductivity: Law[Conductivity] | None = Field(
        None, description="Effective, instead of what follows from the material.", examples=["0.1 mS/cm"]
    )

    @model_validator(mode="after")
    def _one_of_two(self):
        if self.material is None and self.conductivity is None:
            raise wrong("required key missing", "write e.g. material: Li6PS5Cl, or conductivity: 0.1 mS/cm", "material")
        if self.conductivity is None and self.volume_fraction is None:
            raise wrong("required key missing", "write e.g. volume_fraction: 0.3", "volume_fraction")
        if self.conductivity is not None and {"tortuosity", "volume_fraction"} & self.model_fields_set:
            raise wrong(
                "the conductivity is the effective one",
                "conductivity, or volume_fraction and tortuosity",
                "conductivity",
            )
        return self


class Percolation(Mapping):
    """Grains that conduct where enough of them touch: sigma ((fraction - threshold) / (1 - threshold))^exponent."""

    conductivity: Law[Conductivity] = Field(description="Of the grains.", examples=["1 S/cm"])
    volume_fraction: OpenFraction = Field(description="Of the electrode.", examples=["0.3"])
    threshold: OpenFraction = Field(description="Below it nothing conducts.", examples=["0.15"])
    exponent: PositiveRatio = Field(2.0, description="Of the power law.", examples=["2"])

    @model_validator(mode="after")
    def _above(self):
        if self.volume_fraction <= self.threshold:
            raise wrong("at or below the threshold nothing conducts", "a larger volume_fraction", "volume_fraction")
        return self


class Composite(Mapping):
    """Particles, electrolyte and whatever conducts electrons, mixed."""

    thickness: Length = Field(description="Of the electrode.", examples=["60 um"])
    active: dict[str, Active] = Field(description="Particles by name.", min_length=1, examples=["{NMC: {...}}"])
    electrolyte: Electrolyte = Field(description="In it.", examples=["{material: Li6PS5Cl, volume_fraction: 0.3}"])
    electronic_conductivity: Law[Conductivity] | None = Field(None, description="Effective.", examples=["1 S/m"])
    percolation: Percolation | None = Field(
        None, description="Instead of electronic_conductivity.",
        examples=["{conductivity: 1 S/cm, volume_fraction: 0.3, threshold: 0.15}"],
    )  # fmt: skip
    nodes: int = Field(20, description="Along the thickness.", ge=3, le=MOST_NODES)

    @model_validator(mode="after")
    def _agrees(self):
        if (self.electronic_conductivity is None) == (self.percolation is None):
            raise wrong(
                "electrons need one conductivity",
                "electronic_conductivity: 1 S/m, or percolation",
                "electronic_conductivity",
            )
        total = sum(one.volume_fraction for one in self.active.values()) + (self.electrolyte.volume_fraction or 0.0)
        if total > 1 + 1e-9:
            raise wrong(f"volume fractions add up to {total:g}", "at most 1 with the electrolyte", "active")
        return self


class Voids(Mapping):
    """Contact that a metal loses where it is stripped faster than it creeps."""

    depth: PassedCharge = Field(description="Charge that would empty the whole face.", examples=["1 mAh/cm^2"])
    healing: Duration = Field(description="Time in which creep closes them.", examples=["10 h"])


class Metal(Surface):
    """Lithium, or an alloy on a plateau."""

    metal: str = Field(description="Its name.", examples=["Li"])
    potential: Voltage = Field(0.0, description="Against Li/Li+; of Li itself 0 V.", examples=["0.62 V"])
    voids: Voids | None = Field(None, description="Under it.", examples=["{depth: 1 mAh/cm^2, healing: 10 h}"])

    @model_validator(mode="after")
    def _has_a_potential(self):
        if self.metal != "Li" and "potential" not in self.model_fields_set:
            raise wrong(
                f"{self.metal} is not lithium", "its potential against Li/Li+, e.g. 0.62 V of In-Li", "potential"
            )
        return self


class FilmElectrode(Mapping):
    """An electrode that is one dense film."""

    film: DenseFilm = Field(description="The film.", examples=["{material: LiCoO2, thickness: 1 um, ...}"])


def _kind(data: Any) -> str:
    keys = data if isinstance(data, dict) else {}
    return next((tag for key, tag in (("metal", "a metal"), ("film", "a film")) if key in keys), "a composite")


Electrode = Annotated[
    Annotated[Metal, Tag("a metal")]
    | Annotated[FilmElectrode, Tag("a film")]
    | Annotated[Composite, Tag("a composite")],
    Discriminator(_kind),
]


class Separator(Mapping):
    """What only conducts ions."""

    name: str = Field("separator", description="Goes with the results.", examples=["separator"])
    material: str | None = Field(None, description="Local or from the library.", examples=["LiPON"])
    conductivity: Law[Conductivity] | None = Field(None, description="Instead of a material.", examples=["1 mS/cm"])
    thickness: Length = Field(description="Of the slab.", examples=["30 um"])

    @model_validator(mode="after")
    def _one_of_two(self):
        if (self.material is None) == (self.conductivity is None):
            raise wrong(
                "a separator is a material or a conductivity",
                "material: Li6PS5Cl, or conductivity: 1 mS/cm",
                "material",
            )
        return self


class Cell(Mapping):
    """Negative electrode | separator | positive electrode."""

    negative: Electrode = Field(description="Left.", examples=["{metal: Li, reaction: {law: equilibrium}}"])
    separator: Separator | list[Separator] = Field(
        description="One or several.", examples=["{material: Li6PS5Cl, thickness: 30 um}"]
    )
    positive: Electrode = Field(description="Right.", examples=["{thickness: 60 um, active: {...}, ...}"])

    @model_validator(mode="after")
    def _something_moves(self):
        if isinstance(self.negative, Metal) and isinstance(self.positive, Metal):
            raise wrong("two metals are no cell", "particles or a film on one side", "positive")
        return self

    @property
    def separators(self) -> list[Separator]:
        """From left to right."""
        return self.separator if isinstance(self.separator, list) else [self.separator]

    def members(self) -> list[tuple[str, str, tuple[str, ...], Active | DenseFilm]]:
        """Electrode, name, path inside the cell and entry of everything that stores lithium in itself."""
        found = []
        for side in ("negative", "positive"):
            entry = getattr(self, side)
            if isinstance(entry, FilmElectrode):
                found.append((side, side, (side, "film"), entry.film))
            elif isinstance(entry, Composite):
                found += [(side, name, (side, "active", name), one) for name, one in entry.active.items()]
        return found

    def electrolytes(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Path and material of what conducts ions."""
        several = isinstance(self.separator, list)
        found = [
            (("separator", k) if several else ("separator",), one.material) for k, one in enumerate(self.separators)
        ]
        for side in ("negative", "positive"):
            entry = getattr(self, side)
            if isinstance(entry, Composite):
                found.append(((side, "electrolyte"), entry.electrolyte.material))
        return [(path, name) for path, name in found if name is not None]
