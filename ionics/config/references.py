"""What the schema cannot see: names that must exist, and statements that must agree with one another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ionics.config import materials
from ionics.config.carriers import ON_SITES
from ionics.config.conversion import mobile, occupancy
from ionics.config.equations import EquationError, Side, parse, parse_driving
from ionics.config.errors import ConfigError, Problem, choices
from ionics.config.material import Material, at, excess_charge, gaps, merged, shared, unknown_material
from ionics.config.schema import Config, Junction, Layer, Unit
from ionics.config.units import UnitError

Steps = tuple[str | int, ...]
ROUNDING = 1e-9  # of a thickness, from units


def resolve(config: Config) -> dict[str, Material]:
    """Every material that is named, complete. Raises ConfigError."""
    used = [(("stack", *path, "material"), layer.material) for path, layer in _flat(config)] + _of_cell(config)
    wanted = [(("materials", name), name) for name in config.materials] + used
    found: dict[str, Material] = {}
    failed: set[str] = set()
    problems: list[Problem] = []
    for path, name in wanted:
        if name in found or name in failed:
            continue
        try:
            found[name] = _lookup(config, name, path, ())
        except ConfigError as error:
            problems += error.problems
            failed |= _chain(config, name).keys()
            continue
        if name in config.materials:
            problems += _gaps(config, name, found[name])
        found[name] = at(found[name], config.temperature)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return found


def _lookup(config: Config, name: str, path: Steps, seen: tuple[str, ...]) -> Material:
    """A local material, or one of the library; a local one may be like the library's of the same name."""
    local = config.materials.get(name) if name not in seen[-1:] else None
    if local is None:
        if name not in materials.names():
            known = [*(k for k in config.materials if k != name), *materials.names()]
            raise config.error(path, *unknown_material(name, known))
        return materials.material(name)
    if local.like is None:
        return local
    here = ("materials", name, "like")
    if name in seen:
        raise config.error(here, f"goes in a circle: {' -> '.join((*seen, name))}", "a material that stands on its own")
    return merged(_lookup(config, local.like, here, (*seen, name)), local)


def _chain(config: Config, name: str) -> dict[str, None]:
    """A local material and the local ones it is like, in order."""
    chain: dict[str, None] = {}
    while name in config.materials and name not in chain:
        chain[name] = None
        name = config.materials[name].like or ""
    return chain


def _origin(config: Config, name: str, key: tuple[str, ...]) -> Steps:
    """Where a material says, or should say, what stands at a key: itself or a local one it is like."""
    chain = list(_chain(config, name)) or [name]
    stated = (one for one in chain if config.document.at(("materials", one, *key)) is not None)
    return ("materials", next(stated, chain[-1]), *key)


def _gaps(config: Config, name: str, material: Material) -> Iterator[Problem]:
    for gap in gaps(material):
        if gap.key == ("permittivity",) and config.stack is None:
            continue  # a cell asks for no space charge
        path = _origin(config, name, gap.key)
        alone = config.materials[path[1]].like is None and path[1] in materials.names()
        hint = f", or start from the library with like: {path[1]}" if alone else ""
        yield config.document.problem(path, gap.problem, gap.valid + hint, gap.value)


def _of_cell(config: Config) -> list[tuple[Steps, str]]:
    """Paths and names of the materials of a cell."""
    if config.cell is None:
        return []
    found = [(path, one.material) for _, _, path, one in config.cell.members()]
    return [(("cell", *path, "material"), name) for path, name in (*found, *config.cell.electrolytes())]


def check(config: Config) -> None:
    """Raises ConfigError with everything that does not fit together."""
    if config.cell is not None:
        from ionics.config.cell_references import check as check_cell

        check_cell(config)
    if config.stack is None:
        return
    problems = [*_names(config), *_layers(config), *_species(config)]
    if not problems:  # what follows relies on the layers
        problems = [*_junctions(config), *_contacts(config), *_study(config), *_free(config)]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def side(config: Config, layer: Layer) -> Side:
    """A layer as a reaction sees it."""
    carriers = config.material(layer.material).carriers
    return Side(layer.name, {name: carrier.charge for name, carrier in carriers.items()})


def between(names: list[str], key: str) -> int | None:
    """Index of the layer to the right of the junction 'a | b'; None if they are no neighbours."""
    words = tuple(word.strip() for word in key.split("|"))
    return next((i for i in range(1, len(names)) if (names[i - 1], names[i]) == words), None)


def _flat(config: Config) -> list[tuple[Steps, Layer]]:
    return config.stack.flat() if config.stack else []


def _names(config: Config) -> Iterator[Problem]:
    seen: set[str] = set()
    units = [(("layers", i), e) for i, e in enumerate(config.stack.layers) if isinstance(e, Unit)]
    for path, entry in [*units, *_flat(config)]:
        here = ("stack", *path, "name")
        if "|" in entry.name:
            yield config.document.problem(here, "'|' separates the layers of a junction", "a name without '|'")
        if entry.name in seen:
            yield config.document.problem(here, "two layers have this name", f"e.g. {entry.name} 2")
        seen.add(entry.name)
    for path, unit in units:
        first, last = unit.layers[0], unit.layers[-1]
        if first.material != last.material:
            here = ("stack", *path, "layers", len(unit.layers) - 1, "material")
            problem = f"a repeated unit ends in another material than it begins with ({first.material})"
            yield config.document.problem(here, problem, "begin and end in the middle of a grain")


def _layers(config: Config) -> Iterator[Problem]:
    for path, layer in _flat(config):
        here = ("stack", *path)
        material = config.material(layer.material)
        missing = next(gaps(material), None)
        if missing and layer.material not in config.materials:
            problem = f"{layer.material} cannot be a layer: {'.'.join(missing.key)} is not known"
            hint = f"contact: lithium; or a local material like: {layer.material} that adds it"
            yield config.document.problem((*here, "material"), problem, hint)
            continue
        yield from _occupancies(config, here, layer, material)
        yield from _profiles(config, here, layer, material)


def _occupancies(config: Config, here: Steps, layer: Layer, material: Material) -> Iterator[Problem]:
    for name, value in layer.occupancy.items():
        path = (*here, "occupancy", name)
        if name not in material.carriers:
            problem = f"{layer.material} has no carrier {name}"
            yield config.document.problem(path, problem, choices(name, material.carriers, "its carriers"))
        elif value >= 1 and material.carriers[name].statistics in ON_SITES:
            yield config.document.problem(path, "must be below 1: each site holds one", "a share, e.g. 0.5")
    for name in material.carriers:
        if occupancy(config, layer, name) is None:
            problem = f"required key missing: how full of {name} is {layer.material}"
            yield config.document.problem((*here, "occupancy"), problem, f"write e.g. occupancy: {{{name}: 0.5}}")
    yield from _full_sites(config, here, layer, material)
    excess = excess_charge(material, layer.occupancy)
    if excess:
        stated = _origin(config, layer.material, ("fixed_charge",))
        own = layer.occupancy or config.document.at(stated) is None
        key = (*here, "occupancy" if layer.occupancy else "material") if own else stated
        problem = f"the bulk is not neutral: carriers and fixed_charge leave {excess:g} mol/m^3"
        yield config.document.problem(key, problem, "leave fixed_charge out, or change it or the occupancies")


def _full_sites(config: Config, here: Steps, layer: Layer, material: Material) -> Iterator[Problem]:
    """Carriers that share sites leave some of them empty."""
    told: set[str] = set()
    for name, carrier in material.carriers.items():
        together = [name, *shared(material, name)]
        filled = [occupancy(config, layer, one) for one in together]
        if len(together) == 1 or carrier.sublattice in told or None in filled:
            continue
        told.add(carrier.sublattice)
        if sum(filled) >= 1:
            problem = f"{' and '.join(together)} fill {sum(filled):g} of the sites of {carrier.sublattice}"
            key = _origin(config, layer.material, ("carriers", name, "occupancy"))
            local = layer.material in config.materials and not layer.occupancy
            path = key if local else (*here, "occupancy" if layer.occupancy else "material")
            yield config.document.problem(path, problem, "occupancies that add up to less than 1")


def _profiles(config: Config, here: Steps, layer: Layer, material: Material) -> Iterator[Problem]:
    for name, profile in layer.profiles.items():
        path = (*here, "profiles", name)
        if name not in material.carriers:
            problem = f"{layer.material} has no carrier {name}"
            yield config.document.problem(path, problem, choices(name, material.carriers, "its carriers"))
            continue
        key, furthest = profile.reach
        if furthest > layer.thickness * (1 + ROUNDING):
            problem = f"{furthest:g} m is beyond the layer, which is {layer.thickness:g} m thick"
            yield config.document.problem((*path, *key), problem, "positions from the left end of the layer")
        moves = profile.diffusivity is not None or (profile.core and profile.core.diffusivity_factor is not None)
        if moves and name not in mobile(material):
            problem = f"{name} is immobile in {layer.material}"
            yield config.document.problem(path, problem, "an energy only")


def _species(config: Config) -> Iterator[Problem]:
    first: dict[str, tuple[int, str]] = {}
    for path, layer in _flat(config):
        for name, carrier in config.material(layer.material).carriers.items():
            charge, where = first.setdefault(name, (carrier.charge, layer.name))
            if carrier.charge is not None and charge != carrier.charge:
                problem = f"{name} has charge {carrier.charge} here but {charge} in {where}"
                yield config.document.problem(("stack", *path, "material"), problem, "one charge per species")


def _junctions(config: Config) -> Iterator[Problem]:
    layers = [layer for _, layer in _flat(config)]
    names = [layer.name for layer in layers]
    known = [f"{a} | {b}" for a, b in pairwise(names)]
    seen: set[int] = set()
    for key, junction in config.stack.junctions.items():
        path = ("stack", "junctions", key)
        i = between(names, key)
        if i is None or i in seen:
            problem = "no such junction" if i is None else "the same junction twice"
            yield config.document.problem(path, problem, choices(key, known, "junctions"), value=key)
            continue
        seen.add(i)
        yield from _junction(config, path, junction, layers[i - 1], layers[i])


def _junction(config: Config, path: Steps, junction: Junction, before: Layer, behind: Layer) -> Iterator[Problem]:
    """What a junction says about the carriers of the layers it joins."""
    left, right = side(config, before), side(config, behind)
    known = {name: layer.name for _, layer in _flat(config) for name in side(config, layer).charges}
    for name in junction.states:
        if name in known:
            problem = f"the name of a carrier of {known[name]}"
            yield config.document.problem((*path, "states", name), problem, "a name of its own", value=name)
    named: set[str] = set()
    charges = {name: state.charge for name, state in junction.states.items()}
    for equation in junction.reactions:
        try:
            terms = parse(equation, left, right, charges)
            named |= {name for half in terms for name, _ in half}
        except EquationError as error:
            named |= charges.keys()
            yield config.document.problem((*path, "reactions", equation), error.problem, error.valid, value=equation)
    for name in charges:
        if name not in named and name not in known:
            valid = f"reactions: {{e- <-> {name}: {{law: ...}}}}"
            yield config.document.problem((*path, "states", name), "no reaction names it", valid, value=name)
    if junction.film and junction.film.interphase:
        driven = junction.film.interphase.driven_by
        try:
            parse_driving(driven, left, right)
        except EquationError as error:
            here = (*path, "film", "interphase", "driven_by")
            yield config.document.problem(here, error.problem, error.valid)
    yield from _shared_carriers(config, path, junction, before, behind)


def _shared_carriers(config: Config, path: Steps, junction: Junction, before: Layer, behind: Layer):
    """Laws of carriers that cross as themselves."""
    left, right = side(config, before), side(config, behind)
    both = [name for name in left.charges if name in right.charges]
    for name in junction.carriers:
        if name not in both:
            problem = f"{name} does not live in both {left.layer} and {right.layer}"
            valid = choices(name, both, "shared carriers")
            yield config.document.problem((*path, "carriers", name), problem, valid)
            continue
        for layer in (before, behind):
            if name not in mobile(config.material(layer.material)):
                problem = f"{name} is immobile in {layer.name}"
                yield config.document.problem((*path, "carriers", name), problem, "a carrier that moves on both sides")


def _contacts(config: Config) -> Iterator[Problem]:
    layers = [layer for _, layer in _flat(config)]
    for where, layer in (("left", layers[0]), ("right", layers[-1])):
        contact = getattr(config.stack, where)
        carriers = mobile(config.material(layer.material))
        needs = {"lithium": ["Li+"], "ohmic": ["e-", "h+"], "reservoir": carriers}.get(contact.contact)
        if needs is not None and not any(name in carriers for name in needs):
            problem = f"a contact of this kind needs {' or '.join(needs) or 'a carrier'} in {layer.name}"
            here = ("stack", where, "contact")
            yield config.document.problem(here, problem, f"blocking; {layer.name} has {', '.join(carriers) or 'none'}")


def _study(config: Config) -> Iterator[Problem]:
    if config.study is None:
        return
    yield from _named(config, "state_of_charge", config.study.state_of_charge)
    yield from _named(config, "capacity", config.study.capacity)
    if config.study.protocol:
        yield from _in_time(config)


def _named(config: Config, key: str, stated: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Layers and carriers of a statement layer -> carrier -> value."""
    layers = {layer.name: layer for _, layer in _flat(config)}
    for name, held in stated.items():
        path = ("study", key, name)
        if name not in layers:
            yield config.document.problem(path, "no such layer", choices(name, layers, "layers"))
            continue
        carriers = config.material(layers[name].material).carriers
        for species in held:
            if species not in carriers:
                problem = f"{name} has no carrier {species}"
                yield config.document.problem((*path, species), problem, choices(species, carriers, "its carriers"))


def _in_time(config: Config) -> Iterator[Problem]:
    """What has no form in the time domain."""
    stack = config.stack
    faces = [(("left",), stack.left), (("right",), stack.right)]
    faces += [(("junctions", name), junction) for name, junction in stack.junctions.items()]
    for path, face in faces:
        if face.compact_layer is not None and face.compact_layer.constant_phase is not None:
            place = ("stack", *path, "compact_layer", "constant_phase")
            problem = "a constant-phase element has no form in time, which study.protocol asks for"
            yield config.document.problem(place, problem, "capacitance: 5 uF/cm^2")
    for i, entry in enumerate(stack.layers):
        if isinstance(entry, Unit):
            problem = "a repeated unit is meshed once, and study.protocol asks for all of it"
            yield config.document.problem(("stack", "layers", i, "repeat"), problem, "its layers without repeat")


def _free(config: Config) -> Iterator[Problem]:
    """Paths of free parameters, and the dimensions of their bounds."""
    from ionics.config.leaves import target

    if not config.fit or config.fit.model != "stack":
        return
    for key, free in config.fit.free.items():
        path = ("fit", "free", key)
        try:
            dimension = target(config, key, path).dimension
            for one in free.tied:
                target(config, one, (*path, "tied"))
        except ConfigError as error:
            yield from error.problems
            continue
        bounds = {("bounds", i): bound for i, bound in enumerate(free.bounds or ())}
        for place, written in {("start",): free.start, **bounds}.items():
            try:
                _ = written.of(dimension) if written else None
            except UnitError as error:
                yield config.document.problem((*path, *place), error.problem, error.valid)
