"""Fingers: a dotted path of the file -> the leaf of the stack it became, and the factor between the two.

Only what can be changed without changing anything else has a leaf: occupancies, sites and mu0 do not, since the
fixed charge and flat band follow from them when the stack is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ionics.config import units
from ionics.config.conversion import diffusivity_per_conductivity
from ionics.config.errors import ConfigError, Problem, nearest
from ionics.config.faces import Crossing, Spot, spots
from ionics.config.quantities import Law
from ionics.config.schema import Config, Layer
from ionics.config.units import Dimension

USED_UP = (
    "occupancy", "formation_energy", "sites", "mu0", "fixed_charge", "interaction", "gradient_energy"
)  # fmt: skip
Where = Callable[[Any], Any]
Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Leaf:
    """Where a quantity of the file stands in a stack: leaf = factor * quantity + offset.

    `where(stack)` is a leaf, or a tuple of leaves that are tied to one value (a material in several layers).
    """

    path: str
    where: Where = field(compare=False)  # the same for the same path of the same stack
    dimension: Dimension
    factor: float = 1.0
    offset: float = 0.0

    def quantity(self, leaf: float) -> float:
        """The quantity in SI, as the file states it."""
        return (leaf - self.offset) / self.factor

    def value(self, quantity: float) -> float:
        """What stands in the stack for a quantity in SI."""
        return self.factor * quantity + self.offset

    def put(self, stack: Any, quantity: Any) -> Any:
        """The stack with a quantity in SI, which may be traced."""
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        new = jax.tree.map(lambda old: jnp.full_like(old, self.value(quantity)), self.where(stack))
        return eqx.tree_at(self.where, stack, new)


def leaf(config: Config, path: str) -> Leaf:
    """The leaf at a dotted path. Raises ConfigError."""
    found = target(config, path)
    if path.endswith(".space_charge_potential"):
        from ionics.config.assembly import build
        from ionics.transport.stack import bulk_step

        j = next(j for j, spot in enumerate(spots(config)) if found.path.startswith(_dotted(spot)))
        return replace(found, offset=float(bulk_step(build(config), j)))
    return found


def together(config: Config, path: str, tied: list[str]) -> Leaf:
    """The leaf at a path and those at the paths tied to it, as one. Raises ConfigError."""
    first, *others = [leaf(config, one) for one in (path, *tied)]
    place = ("fit", "free", path, "tied")
    for one in others:
        if (one.dimension, one.factor, one.offset) != (first.dimension, first.factor, first.offset):
            raise config.error(place, f"{one.path} is not the same quantity as {path}", "paths of the same quantity")
    return replace(first, where=_tied([one.where for one in (first, *others)]))


def target(config: Config, path: str, place: Steps = ()) -> Leaf:
    """The leaf at a dotted path, without the offset that needs a stack; `place` is where the file names it."""
    known = targets(config)
    short = _short(config, path)
    if short in known:
        return replace(known[short], path=path)
    baked = short.rpartition(".")[2] in USED_UP
    baked = baked or any(part in short for part in (".stress.", ".profiles.", ".open_circuit."))
    problem = "is used up when the stack is built and cannot be varied" if baked else "unknown path"
    near = [word for word in [nearest(short, known)] if word]
    family = [key for key in known if key.rpartition(".")[0] == short.rpartition(".")[0]]
    listed = list(dict.fromkeys([*near, *family])) or list(known)[:8]
    document = config.document
    raise ConfigError(
        Problem(
            document.where(place),
            document.dotted(place) or path,
            path,
            problem,
            f"did you mean one of: {', '.join(listed)}",
        )
    )


def _short(config: Config, path: str) -> str:
    """The path without the name of a repeated unit and without a final .value."""
    for entry in config.stack.layers if config.stack else ():
        prefix = f"stack.layers.{entry.name}.layers."
        if path.startswith(prefix):
            path = f"stack.layers.{path.removeprefix(prefix)}"
    return path.removesuffix(".value")


def targets(config: Config) -> dict[str, Leaf]:
    """Everything in a file that may be varied, by its dotted path; what shares a path is tied."""
    found: dict[str, list[Leaf]] = {}
    for one in _all(config) if config.stack else ():
        found.setdefault(one.path, []).append(one)
    return {path: replace(same[0], where=_tied([one.where for one in same])) for path, same in found.items()}


def _all(config: Config) -> Iterator[Leaf]:
    total = config.series_resistance is not None and config.series_resistance.total
    dimension, factor = (units.RESISTANCE, config.area) if total else (units.AREA_RESISTANCE, 1.0)
    yield Leaf("series_resistance", lambda s: s.series_resistance, dimension, factor)
    for i, (_, layer) in enumerate(config.stack.flat()):
        stem = f"stack.layers.{layer.name}"
        yield Leaf(f"{stem}.thickness", lambda s, i=i: s.layers[i].thickness, units.LENGTH)
        yield from _material(config, layer, i, stem)
        yield from _material(config, layer, i, f"materials.{layer.material}")
        for prefix in (stem, f"materials.{layer.material}"):
            yield from _bulk_reactions(config, layer, i, prefix)
    for j, spot in enumerate(spots(config)):
        yield from _face(spot, j)
        for m, crossing in enumerate(spot.crossings):
            yield from _rate(crossing, j, m)


def _tied(wheres: list[Where]) -> Where:
    return wheres[0] if len(wheres) == 1 else lambda s: tuple(where(s) for where in wheres)


def _material(config: Config, layer: Layer, i: int, prefix: str) -> Iterator[Leaf]:
    yield Leaf(f"{prefix}.permittivity", lambda s: s.layers[i].material.permittivity, units.RATIO)
    for k, (name, entry) in enumerate(config.material(layer.material).carriers.items()):
        stem = f"{prefix}.carriers.{name}"

        def diffusivity(s, k=k):
            return s.layers[i].material.carriers[k].diffusivity

        if entry.hop is not None:
            yield Leaf(f"{stem}.hop.barrier", lambda s, law=diffusivity: law(s).activation_energy, units.MOLAR_ENERGY)
            speed = entry.hop.prefactor / entry.hop.attempt_frequency
            yield Leaf(f"{stem}.hop.attempt_frequency", lambda s, law=diffusivity: law(s).value, units.FREQUENCY, speed)
        stated = entry.diffusivity or entry.conductivity
        if entry.diffusivity_over_occupancy is not None and prefix.startswith("stack"):
            yield Leaf(f"{stem}.diffusivity", lambda s, law=diffusivity: law(s).value, units.DIFFUSIVITY)
        if stated is None:
            continue
        yield from _law(f"{stem}.diffusivity", diffusivity, stated, units.DIFFUSIVITY)
        if entry.charge:
            factor = diffusivity_per_conductivity(config, layer, name)
            yield from _law(f"{stem}.conductivity", diffusivity, stated, units.CONDUCTIVITY, factor)


def _bulk_reactions(config: Config, layer: Layer, i: int, prefix: str) -> Iterator[Leaf]:
    dimensions = {
        "rate_constant": units.TURNOVER, "rate": units.TURNOVER, "recombination": units.RECOMBINATION,
        "electron_lifetime": units.TIME, "hole_lifetime": units.TIME,
    }  # fmt: skip
    names = {"rate": "value"}
    for m, (equation, entry) in enumerate((config.material(layer.material).reactions or {}).items()):
        for key, dimension in dimensions.items():
            stated = getattr(entry, key)
            if stated is not None:
                name = names.get(key, key)
                where = lambda s, m=m, name=name: getattr(s.layers[i].material.reactions[m].law, name)  # noqa: E731
                yield from _law(f"{prefix}.reactions.{equation}.{key}", where, stated, dimension)


def _law(
    path: str, where: Where, entry: Law, dimension: Dimension, factor: float = 1.0, sign: float = 1.0
) -> Iterator[Leaf]:
    yield Leaf(path, lambda s: where(s).value, dimension, factor)
    if entry.activation_energy is not None:
        energy = f"{path}.activation_energy"
        yield Leaf(energy, lambda s: where(s).activation_energy, units.MOLAR_ENERGY, sign)


def _dotted(spot: Spot) -> str:
    return ".".join(map(str, spot.path))


def _face(spot: Spot, j: int) -> Iterator[Leaf]:
    stem, face = _dotted(spot), spot.face
    yield Leaf(f"{stem}.surface_charge", lambda s: s.junctions[j].surface_charge, units.SURFACE_CHARGE)
    if face.dipole is not None:
        yield Leaf(f"{stem}.dipole", lambda s: s.junctions[j].step, units.VOLTAGE)
    elif any(crossing.charge for crossing in spot.crossings if not crossing.fills):
        yield Leaf(f"{stem}.space_charge_potential", lambda s: s.junctions[j].step, units.VOLTAGE, -1.0)
    if face.film is not None and face.film.resistance is not None:
        where = lambda s: s.junctions[j].film.area_resistance  # noqa: E731
        yield from _law(f"{stem}.film.resistance", where, face.film.resistance, units.AREA_RESISTANCE, sign=-1.0)
    for n, name in enumerate(spot.states):
        yield Leaf(f"{stem}.states.{name}.density", lambda s, n=n: s.junctions[j].states[n].density, units.SITE_DENSITY)
        yield Leaf(f"{stem}.states.{name}.level", lambda s, n=n: s.junctions[j].states[n].level, units.MOLAR_ENERGY)
    if face.compact_layer is None:
        return
    if face.compact_layer.capacitance is not None:
        capacitance = f"{stem}.compact_layer.capacitance"
        yield Leaf(capacitance, lambda s: s.junctions[j].compact.capacitance, units.AREA_CAPACITANCE)
        return
    dimension = units.constant_phase(face.compact_layer.constant_phase.n)
    for key in ("compact_layer.constant_phase", "compact_layer"):
        yield Leaf(f"{stem}.{key}.Q", lambda s: s.junctions[j].compact.q, dimension)
        yield Leaf(f"{stem}.{key}.n", lambda s: s.junctions[j].compact.n, units.RATIO)


def _rate(crossing: Crossing, j: int, m: int) -> Iterator[Leaf]:
    stem, rate = ".".join(map(str, crossing.path)), crossing.rate

    def law(s):
        return s.junctions[j].reactions[m].law

    if rate.law == "linear":
        where = lambda s: law(s).resistance  # noqa: E731
        yield from _law(f"{stem}.resistance", where, rate.resistance, units.AREA_RESISTANCE, sign=-1.0)
    elif rate.law != "equilibrium":
        where = lambda s: law(s).exchange_current  # noqa: E731
        if rate.eyring is not None:
            yield Leaf(f"{stem}.eyring.barrier", lambda s: where(s).barrier, units.MOLAR_ENERGY)
            density = f"{stem}.eyring.site_density"
            yield Leaf(density, lambda s: where(s).site_density, units.SITE_DENSITY, crossing.electrons)
        else:
            yield from _law(f"{stem}.exchange_current", where, rate.exchange_current, units.CURRENT_DENSITY)
    if rate.law == "butler-volmer":
        yield Leaf(f"{stem}.alpha", lambda s: law(s).alpha, units.RATIO)
    elif rate.reorganisation_energy is not None:
        yield Leaf(f"{stem}.reorganisation_energy", lambda s: law(s).reorganisation, units.MOLAR_ENERGY)
