"""Fingers into a cell: a dotted path of the file -> the leaf it became."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionics.cells.cell import Cell, Electrode, Metal, Particle
from ionics.config import units
from ionics.config.errors import ConfigError, Problem, choices
from ionics.config.schema import Config
from ionics.config.units import Dimension
from ionics.kinetics.film import ResistiveFilm
from ionics.laws import Constant, Law

Where = Callable[[Any], Any]


@dataclass(frozen=True)
class CellLeaf:
    """Where a quantity stands in a `Specimen` (a cell at `.cell`, occupancies at `.filled`); several are tied."""

    path: str
    where: Where
    dimension: Dimension
    knot: int | None = None  # `where` is the curve of a logarithm, this one of its knots is meant
    times: float = 1.0  # what the curve is the logarithm over


def leaf(config: Config, cell: Cell, path: str) -> CellLeaf:
    """The leaf at a path. Raises ConfigError with the paths there are."""
    known = {one.path: one for one in leaves(cell)}
    if path in known:
        return known[path]
    place = ("fit", "free", path)
    document = config.document
    problem = Problem(
        document.where(place), document.dotted(place), path, "unknown path", choices(path, list(known), "paths")
    )
    raise ConfigError(problem)


def leaves(cell: Cell) -> Iterator[CellLeaf]:
    """Everything of a cell that can be changed without changing anything else."""
    yield CellLeaf("series_resistance", lambda s: s.cell.series_resistance, units.AREA_RESISTANCE)
    for k, one in enumerate(cell.between):
        base = "cell.separator" if len(cell.between) == 1 else f"cell.separator[{k}]"
        yield CellLeaf(f"{base}.thickness", lambda s, k=k: s.cell.between[k].thickness, units.LENGTH)
        if _stated(one.conductivity):
            yield CellLeaf(
                f"{base}.conductivity", lambda s, k=k: s.cell.between[k].conductivity.value, units.CONDUCTIVITY
            )
    for side in ("negative", "positive"):
        yield from _electrode(getattr(cell, side), side)


def _electrode(electrode: Electrode, side: str) -> Iterator[CellLeaf]:
    def at(s):
        return getattr(s.cell, side)

    base = f"cell.{side}"
    if electrode.nodes > 1:
        for key, name in (("electrolyte.conductivity", "ionic"), ("electronic_conductivity", "electronic")):
            if _stated(getattr(electrode, name)):
                yield CellLeaf(f"{base}.{key}", lambda s, name=name: getattr(at(s), name).value, units.CONDUCTIVITY)
    for k, one in enumerate(electrode.members):
        place = (
            base if isinstance(one, Metal) else f"{base}.active.{one.name}" if electrode.nodes > 1 else f"{base}.film"
        )
        yield from _member(one, place, lambda s, k=k: at(s).members[k])


def _member(one: Particle | Metal, place: str, at: Where) -> Iterator[CellLeaf]:
    surface = one.surface
    for name, dimension in (("exchange_current", units.CURRENT_DENSITY), ("resistance", units.AREA_RESISTANCE)):
        if _stated(getattr(surface.law, name, None)):
            yield CellLeaf(
                f"{place}.reaction.{name}", lambda s, name=name: getattr(at(s).surface.law, name).value, dimension
            )
    if hasattr(surface.law, "alpha"):
        yield CellLeaf(f"{place}.reaction.alpha", lambda s: at(s).surface.law.alpha, units.RATIO)
    if isinstance(surface.film, ResistiveFilm):
        yield CellLeaf(
            f"{place}.coating.resistance", lambda s: at(s).surface.film.area_resistance.value, units.AREA_RESISTANCE
        )
    if hasattr(surface.compact, "capacitance"):
        yield CellLeaf(
            f"{place}.double_layer.capacitance", lambda s: at(s).surface.compact.capacitance, units.AREA_CAPACITANCE
        )
    if isinstance(one, Metal):
        yield CellLeaf(f"{place}.potential", lambda s: at(s).potential.value, units.VOLTAGE)
        return
    name = one.name
    yield CellLeaf(f"{place}.occupancy", lambda s: s.filled[name], units.RATIO)
    curve = one.carrier.diffusivity_curve
    for n in range(0 if curve is None or not isinstance(one.carrier.diffusivity, Constant) else len(curve.knots)):
        times = float(one.carrier.diffusivity(298.15))
        path = f"{place}.diffusivity_over_occupancy[{n}]"
        yield CellLeaf(path, lambda s: at(s).carrier.diffusivity_curve, units.DIFFUSIVITY, n, times)
    if curve is None:
        yield CellLeaf(f"{place}.diffusivity", lambda s: at(s).carrier.diffusivity.value, units.DIFFUSIVITY)
    yield CellLeaf(f"{place}.sites", lambda s: at(s).carrier.sites, units.CONCENTRATION)
    if one.inside.dimension == 1:
        yield CellLeaf(f"{place}.thickness", lambda s: (at(s).radius, at(s).volume), units.LENGTH)
    elif np.size(one.radius) == 1:
        yield CellLeaf(f"{place}.radius", lambda s: at(s).radius, units.LENGTH)
    if float(surface.contact.share) < 1:
        yield CellLeaf(f"{place}.contact.share", lambda s: at(s).surface.contact.share, units.RATIO)


def _stated(law: Law | None) -> bool:
    """Whether a law is a number of the file, at the temperature it was stated for."""
    return law is not None and hasattr(law, "value")
