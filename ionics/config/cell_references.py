"""What the schema of a cell cannot see: names that must exist, and statements that must agree with one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ionics.config.carriers import Carrier
from ionics.config.cells import Active, DenseFilm
from ionics.config.conversion import mobile
from ionics.config.errors import ConfigError, Problem, choices
from ionics.config.material import Material, gaps
from ionics.config.schema import Config

Steps = tuple[str | int, ...]
STORES = ("measured", "lattice", "regular-solution")


def check(config: Config) -> None:
    """Raises ConfigError with everything that does not fit together."""
    problems = [*_names(config), *_members(config), *_electrolytes(config)]
    if not problems:  # what follows relies on the members
        problems = [*_study(config)]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def lithium(material: Material) -> tuple[str, Carrier] | None:
    """Name and entry of the neutral carrier that an electrode stores."""
    found = [(n, c) for n, c in (material.carriers or {}).items() if c.charge == 0 and c.statistics in STORES]
    return found[0] if len(found) == 1 else None


def ion(material: Material) -> str | None:
    """Name of the one positive carrier that moves in an electrolyte."""
    found = [name for name in mobile(material) if material.carriers[name].charge > 0]
    return found[0] if len(found) == 1 else None


def filled(config: Config, side: str, name: str, entry: Active | DenseFilm) -> float | None:
    """Occupancy of a member at the beginning: by the state of charge, its entry or its material."""
    stored = lithium(config.material(entry.material))
    held = config.study.state_of_charge.get(side, {}) if config.study else {}
    by_name = [held[key] for key in (name, stored[0]) if key in held]
    own = stored[1].occupancy
    return next((x for x in (*by_name, entry.occupancy, own.value if own else None) if x is not None), None)


def _names(config: Config) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for side, name, path, _ in config.cell.members():
        if name in seen:
            problem = f"also the name of particles of the {seen[name]} electrode"
            yield config.document.problem(("cell", *path), problem, "a name of its own", value=name)
        seen[name] = side


def _members(config: Config) -> Iterator[Problem]:
    for side, name, path, entry in config.cell.members():
        here, material = ("cell", *path, "material"), config.material(entry.material)
        missing = next((gap for gap in gaps(material) if gap.key != ("permittivity",)), None)
        if missing is not None:
            problem = f"{entry.material} cannot store lithium: {'.'.join(missing.key)} is not known"
            yield config.document.problem(here, problem, "a local material like: this one that adds it")
            continue
        stored = lithium(material)
        if stored is None:
            problem = f"{entry.material} does not have one neutral carrier that fills sites"
            valid = "an electrode material, with e.g. Li: {charge: 0, statistics: measured, ...}"
            yield config.document.problem(here, problem, valid)
            continue
        if filled(config, side, name, entry) is None:
            problem = f"required key missing: how full of {stored[0]} it is at the beginning"
            yield config.document.problem(("cell", *path, "occupancy"), problem, "write e.g. occupancy: 0.5")


def _electrolytes(config: Config) -> Iterator[Problem]:
    for path, name in config.cell.electrolytes():
        here, material = ("cell", *path, "material"), config.material(name)
        missing = next((gap for gap in gaps(material) if gap.key != ("permittivity",)), None)
        if missing is not None:
            problem = f"{name} cannot conduct: {'.'.join(missing.key)} is not known"
            yield config.document.problem(here, problem, "conductivity: 1 mS/cm instead of a material")
        elif ion(material) is None:
            problem = f"{name} does not have one positive carrier that moves"
            valid = "an electrolyte with one mobile cation, or conductivity: 1 mS/cm"
            yield config.document.problem(here, problem, valid)


def _study(config: Config) -> Iterator[Problem]:
    if config.study is None:
        return
    yield from _named(config, "state_of_charge", config.study.state_of_charge)
    yield from _named(config, "capacity", config.study.capacity)


def _named(config: Config, key: str, stated: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Electrodes and members of a statement electrode -> member -> value."""
    members = config.cell.members()
    sides = dict.fromkeys(side for side, *_ in members)
    for side, held in stated.items():
        path = ("study", key, side)
        if side not in sides:
            yield config.document.problem(
                path, "no such electrode", choices(side, list(sides), "electrodes"), value=side
            )
            continue
        own = [(name, lithium(config.material(entry.material))[0]) for own, name, _, entry in members if own == side]
        known = [name for name, _ in own] + ([own[0][1]] if len(own) == 1 else [])
        for name in held:
            if name not in known:
                problem = f"the {side} electrode has no {name}"
                yield config.document.problem((*path, name), problem, choices(name, known, "its particles"), value=name)
