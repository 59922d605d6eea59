"""The types of the numbers in a file: text with a unit -> SI float, and a schema that an editor understands."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType

from ionics.config import uncertain, units
from ionics.config.model import Mapping, wrong
from ionics.config.uncertain import Drawn, Uncertain
from ionics.config.units import Dimension, UnitError

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
WITH_UNIT, MAYBE_UNIT = rf"^\s*{NUMBER}\s*[^0-9.\s].*$", rf"^\s*{NUMBER}\s*([^0-9.\s].*)?$"
UNCERTAINTY = "One standard uncertainty: of the same kind, in %, or 'factor 3'."


@dataclass(frozen=True)
class Quantity:
    """Marks a float as a quantity of one dimension, within limits (SI)."""

    dimension: Dimension
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict:
        unit = self.dimension.unit
        described = {
            "description": self.dimension.name.capitalize() + (f" with its unit (SI: {unit})" if unit else ""),
            "examples": [self.dimension.example],
        }
        text = {"type": "string", "pattern": WITH_UNIT if unit else MAYBE_UNIT}
        limits = {
            "exclusiveMinimum": self.above, "minimum": self.least, "exclusiveMaximum": self.below, "maximum": self.most
        }  # fmt: skip
        number = {"type": "number"} | {key: limit for key, limit in limits.items() if limit is not None}
        bare = [text] if unit else [number, text]
        return {"anyOf": [*bare, _estimate_schema({"anyOf": bare} if len(bare) > 1 else text)]} | described

    def read(self, raw: Any, key: str = "") -> float:
        """The SI value, within its limits; `key` is where messages say it stands.

        Also of a mapping {value: 0.34 eV, uncertainty: 0.05 eV}: then the value knows how others lie about it.
        """
        if isinstance(raw, Drawn | Uncertain):
            return raw  # read before
        if isinstance(raw, dict):
            return self._read_mapping(raw, (key,) if key else ())
        return self._read_plain(raw, key)

    def _read_plain(self, raw: Any, key: str | tuple[str, ...]) -> float:
        try:
            value = units.parse(raw, self.dimension)
        except UnitError as error:
            raise wrong(error.problem, error.valid, key) from None
        for problem, holds in self._limits(value):
            if not holds:
                valid = f"write {self.dimension.name} that is, e.g. {self.dimension.example}"
                raise wrong(f"must be {problem}", valid, key)
        return value

    def _read_mapping(self, raw: dict, keys: tuple[str, ...]) -> float:
        """A value with its uncertainty and where both come from."""
        unknown = [key for key in raw if key not in uncertain.KEYS]
        if unknown or "value" not in raw:
            problem = f"unknown key {unknown[0]}" if unknown else "required key missing: value"
            raise wrong(problem, f"write {self.dimension.name}, or {{{', '.join(uncertain.KEYS)}}}", keys)
        for key in ("source", "method"):
            if not isinstance(raw.get(key, ""), str):
                raise wrong("text is needed here", "write it on one line, in quotes", (*keys, key))
        value = raw["value"]
        value = value if isinstance(value, Drawn) else self._read_plain(value, (*keys, "value"))
        return self.uncertain(value, raw, keys) if "uncertainty" in raw else value

    def uncertain(self, value: float, raw: dict, keys: tuple[str, ...] = ()) -> float:
        """The value with the uncertainty of a mapping; a plain number where that is zero."""
        low = max((x for x in (self.above, self.least) if x is not None), default=-math.inf)
        high = min((x for x in (self.below, self.most) if x is not None), default=math.inf)
        try:
            return uncertain.uncertain(value, raw["value"], raw["uncertainty"], self.dimension, (low, high))
        except UnitError as error:
            raise wrong(error.problem, error.valid, (*keys, "uncertainty")) from None

    def _limits(self, value: float):
        unit = f" {self.dimension.unit}".rstrip()
        if self.above is not None:
            yield "positive" if self.above == 0 else f"above {self.above:g}{unit}", value > self.above
        if self.least is not None:
            yield "zero or positive" if self.least == 0 else f"at least {self.least:g}{unit}", value >= self.least
        if self.below is not None:
            yield f"below {self.below:g}{unit}", value < self.below
        if self.most is not None:
            yield f"at most {self.most:g}{unit}", value <= self.most


def _estimate_schema(bare: dict) -> dict:
    """The schema of a value with its uncertainty."""
    text, error = {"type": "string"}, {"type": ["number", "string"], "minimum": 0, "pattern": uncertain.EVERY}
    return {
        "type": "object",
        "properties": {"value": bare, "uncertainty": error, "source": text, "method": text},
        "required": ["value"],
        "additionalProperties": False,
    }


def _type(name: str, dimension: Dimension, **limits: float) -> Any:
    return TypeAliasType(name, Annotated[float, Quantity(dimension, **limits)])  # pyright: ignore[reportGeneralTypeIssues]


Ratio = _type("Ratio", units.RATIO)
PositiveRatio = _type("PositiveRatio", units.RATIO, above=0)
OpenFraction = _type("OpenFraction", units.RATIO, above=0, below=1)
PhaseExponent = _type("PhaseExponent", replace(units.RATIO, example="0.9"), above=0, most=1)
Permittivity = _type("Permittivity", replace(units.RATIO, example="13.2"), least=1)
Length = _type("Length", units.LENGTH, above=0)
Area = _type("Area", units.AREA, above=0)
Temperature = _type("Temperature", units.TEMPERATURE, above=0)
Voltage = _type("Voltage", units.VOLTAGE)
Conductivity = _type("Conductivity", units.CONDUCTIVITY, above=0)
Diffusivity = _type("Diffusivity", units.DIFFUSIVITY, above=0)
Concentration = _type("Concentration", units.CONCENTRATION, above=0)
FixedCharge = _type("FixedCharge", replace(units.CONCENTRATION, example="-100 mol/m^3"))
GradientEnergy = _type("GradientEnergy", units.GRADIENT_ENERGY, above=0)
MolarEnergy = _type("MolarEnergy", units.MOLAR_ENERGY)
CurrentDensity = _type("CurrentDensity", units.CURRENT_DENSITY)
ExchangeCurrent = _type("ExchangeCurrent", units.CURRENT_DENSITY, above=0)
SurfaceCharge = _type("SurfaceCharge", units.SURFACE_CHARGE)
AreaCapacitance = _type("AreaCapacitance", units.AREA_CAPACITANCE, above=0)
AreaResistance = _type("AreaResistance", units.AREA_RESISTANCE, above=0)
Resistance = _type("Resistance", units.RESISTANCE, above=0)
Inductance = _type("Inductance", units.INDUCTANCE, above=0)
Frequency = _type("Frequency", units.FREQUENCY, above=0)
FilledFraction = _type("FilledFraction", units.RATIO, above=0, most=1)
Share = _type("Share", units.RATIO, least=0, most=1)
PoissonRatio = _type("PoissonRatio", replace(units.RATIO, example="0.2"), above=-1, most=0.5)
Position = _type("Position", units.LENGTH, least=0)
PositiveEnergy = _type("PositiveEnergy", units.MOLAR_ENERGY, above=0)
Time = _type("Time", units.TIME, above=0)
Speed = _type("Speed", units.SPEED, above=0)
Resistivity = _type("Resistivity", units.RESISTIVITY, above=0)
Pressure = _type("Pressure", units.PRESSURE)
Modulus = _type("Modulus", replace(units.PRESSURE, example="100 GPa"), above=0)
MolarVolume = _type("MolarVolume", units.MOLAR_VOLUME)
SiteDensity = _type("SiteDensity", units.SITE_DENSITY, above=0)
Turnover = _type("Turnover", units.TURNOVER, above=0)
Recombination = _type("Recombination", units.RECOMBINATION, above=0)


@dataclass(frozen=True)
class Written:
    """A quantity of a dimension that only its reader knows: the text, and its SI value."""

    text: str | float
    value: float
    unit: str  # SI

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.read)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict:
        return {
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": MAYBE_UNIT}],
            "description": "A number with its unit",
            "examples": ["10 ohm"],
        }

    @classmethod
    def read(cls, raw: Any) -> Written:
        """A finite number with a unit that exists."""
        try:
            return cls(raw, *units.parse_any(raw))
        except UnitError as error:
            raise wrong(error.problem, error.valid) from None

    def of(self, dimension: Dimension) -> float:
        """The SI value as a quantity of this dimension; UnitError if it is none."""
        return units.parse(self.text, dimension)


def _ohms(text: Any) -> bool:
    """Whether it is a resistance. UnitError if it is none."""
    units.parse(text, units.RESISTANCE)
    return True


@dataclass(frozen=True)
class SeriesResistance:
    """ohm, or ohm times area."""

    value: float
    total: bool  # in ohm, so that an area is needed

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.read)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict:
        text = Quantity(units.AREA_RESISTANCE).__get_pydantic_json_schema__(schema, handler)
        return text | {
            "description": "A resistance times area, or a resistance (needs area)",
            "examples": ["18 ohm", "5 ohm cm^2"],
        }

    @classmethod
    def read(cls, raw: Any) -> SeriesResistance:
        """Tried as ohm first."""
        text = raw.get("value") if isinstance(raw, dict) else raw
        try:
            total = text.unit == units.RESISTANCE.unit if isinstance(text, Drawn) else _ohms(text)
        except UnitError:
            total = False
        return cls(Quantity(units.RESISTANCE if total else units.AREA_RESISTANCE, least=0).read(raw), total)


Q = TypeVar("Q")


def _marker(annotation: Any) -> Quantity | None:
    """The quantity that a type is marked as."""
    annotation = getattr(annotation, "__value__", annotation)
    return next((one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Quantity)), None)


class Number(Mapping, Generic[Q]):
    """A number and where it comes from; in your own file the bare quantity is enough."""

    value: Q = Field(description="The quantity with its unit.")
    uncertainty: float | str | None = Field(None, description=UNCERTAINTY, examples=["0.05 eV"])
    method: str | None = Field(None, description="How value and uncertainty were found.")
    temperature: Temperature | None = Field(None, description="At which it was measured.", examples=["298.15 K"])
    source: str | None = Field(None, description="Citation.")
    confidence: str | None = Field(None, description="How far to trust it.")
    note: str | None = Field(None, description="Free text for the reader.")

    @classmethod
    def _prepare(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return {"value": data}
        if data.get("uncertainty") is None or data.get("value") is None:
            return data
        quantity = _marker(cls.model_fields["value"].annotation)
        if quantity is None:  # of a dimension that only its reader knows
            text = Written.read(data["value"])
            Quantity(Dimension("a quantity", text.unit, str(text.text))).uncertain(text.value, data)
            return data
        return data | {"value": quantity.uncertain(quantity.read(data["value"], "value"), data)}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict:
        reference = handler(schema)
        definition = handler.resolve_ref_schema(reference)
        full = dict(definition)
        definition.clear()
        definition |= {
            "anyOf": [full["properties"]["value"], full],
            "description": "A number, bare or with its source.",
        }
        return reference


class Law(Number[Q], Generic[Q]):
    """A number that may follow Arrhenius: value exp(-Ea/R (1/T - 1/temperature))."""

    activation_energy: MolarEnergy | None = Field(None, description="Ea; constant without it.", examples=["0.5 eV"])

    @model_validator(mode="after")
    def _reference(self):
        if self.activation_energy is not None and self.temperature is None:
            raise wrong(
                "required key missing: an activation energy needs the temperature at which `value` holds",
                "write e.g. temperature: 298.15 K",
                "temperature",
            )
        return self
