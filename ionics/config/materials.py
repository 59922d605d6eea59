"""The library: one YAML file per material, every number with unit, temperature, citation and a word on its trust."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ionics.config.carriers import DiffusivityTable
from ionics.config.document import Document, parse
from ionics.config.errors import ConfigError, Problem
from ionics.config.hop import Hop
from ionics.config.material import Material, unknown_material
from ionics.config.model import Mapping
from ionics.config.quantities import Number
from ionics.config.reading import validated

PAIRS = "junctions"


@dataclass(frozen=True)
class Entry:
    """One number of the library as it is written there."""

    key: str  # dotted, inside the material
    value: str
    temperature: str
    source: str
    confidence: str
    note: str = ""
    activation_energy: str = ""


def names() -> tuple[str, ...]:
    """Names of the materials of the library."""
    found = (f.name for f in files("ionics").joinpath("materials").iterdir())
    stems = (name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))
    return tuple(sorted((stem for stem in stems if stem != PAIRS), key=str.lower))


def materials() -> tuple[Material, ...]:
    """Every material of the library."""
    return tuple(material(name) for name in names())


@functools.cache
def material(name: str) -> Material:
    """A material of the library. Raises ConfigError with what was probably meant."""
    return validated(document(name), Material)


@functools.cache
def document(name: str) -> Document:
    """The text of a material of the library, with lines."""
    if name not in names():
        problem, valid = unknown_material(name, list(names()))
        raise ConfigError(Problem("library", "material", name, problem, valid))
    return _load(name)


def numbers(name: str) -> tuple[Entry, ...]:
    """Every number of a material with its source, for a reader; alternatives last."""
    return tuple(_entries(document(name).values, ""))


@functools.cache
def pairs() -> tuple[dict[str, str], ...]:
    """Published numbers of pairs of materials: junction, property, value, temperature, source, confidence, note."""
    return tuple({key: str(value) for key, value in row.items()} for row in _load(PAIRS).values)


def citations(material: Material) -> tuple[str, ...]:
    """The sources of the numbers of a material that the engine uses, each once."""
    return tuple(dict.fromkeys(_sources(material)))


def _sources(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        source = getattr(part, "source", None)
        if source:
            yield source
        skipped = ("properties", "alternatives") if isinstance(part, Material) else ()
        for key in type(part).model_fields:
            if key not in skipped:
                yield from _sources(getattr(part, key))
    elif isinstance(part, dict):
        for value in part.values():
            yield from _sources(value)


def weak(material: Material) -> Iterator[tuple[str, str]]:
    """(key, confidence) of the numbers the engine uses that are assumptions or otherwise unconfirmed."""
    rows = {"permittivity": material.permittivity, "lattice_spacing": material.lattice_spacing}
    for name, carrier in (material.carriers or {}).items():
        keys = (
            "sites",
            "occupancy",
            "formation_energy",
            "conductivity",
            "diffusivity",
            "diffusivity_over_occupancy",
            "hop",
            "mu0",
            "interaction",
            "gradient_energy",
        )
        rows |= {f"{name} {key}": getattr(carrier, key) for key in keys}
    for key, number in rows.items():
        if isinstance(number, (Number, DiffusivityTable, Hop)) and number.confidence and _is_weak(number.confidence):
            yield key, number.confidence


def _is_weak(confidence: str) -> bool:
    return any(word in confidence.lower() for word in ("assum", "unconfirmed", "not confirmed", "order of magnitude"))


def _entries(value: Any, key: str) -> Iterator[Entry]:
    if isinstance(value, list):
        for item in value:
            yield from _entries(item, f"{key}.{item['property']}" if isinstance(item, dict) else key)
    elif isinstance(value, dict) and "value" in value:
        yield _entry(key, str(value["value"]), value)
    elif isinstance(value, dict) and isinstance(value.get("occupancy"), list):
        yield _entry(key, f"{len(value['occupancy'])} points", value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _entries(inner, f"{key}.{name}".lstrip("."))


def _entry(key: str, written: str, row: dict[str, Any]) -> Entry:
    words = ("temperature", "source", "confidence", "note", "activation_energy")
    return Entry(key, written, **{word: str(row.get(word, "")) for word in words})


def _load(stem: str) -> Document:
    file = files("ionics").joinpath("materials", f"{stem}.yaml")
    return parse(file.read_text(encoding="utf-8"), f"ionics/materials/{stem}.yaml")
