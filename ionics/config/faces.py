"""Every face of a stack, from the left contact to the right one, and what crosses it: names only, no numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ionics.config.equations import Terms, parse
from ionics.config.references import between, side
from ionics.config.schema import Config, Contact, Face, Layer, Rate

Steps = tuple[str | int, ...]
EQUILIBRIUM = Rate(law="equilibrium")


@dataclass(frozen=True)
class Crossing:
    """One reaction of a face; forward is as written, out of the metal at a contact."""

    label: str
    path: Steps  # of the mapping that states its law
    left: Terms
    right: Terms
    rate: Rate
    reservoir: str = ""  # the carrier whose bulk chemical potential the metal holds


@dataclass(frozen=True)
class Spot:
    """A face with its name and place in the file."""

    name: str
    path: Steps
    face: Face
    crossings: tuple[Crossing, ...]
    blocked: tuple[str, ...] = ()  # what does not cross although it could


def spots(config: Config) -> tuple[Spot, ...]:
    """The faces in order; the configuration has been checked."""
    layers = [layer for _, layer in config.stack.flat()]
    inner = [_junction(config, layers, i) for i in range(1, len(layers))]
    left = _contact(config, config.stack.left, "left", layers[0])
    return (left, *inner, _contact(config, config.stack.right, "right", layers[-1]))


def _contact(config: Config, contact: Contact, where: str, layer: Layer) -> Spot:
    path = ("stack", where)
    carriers = side(config, layer).charges
    electronic = [name for name in ("e-", "h+") if name in carriers]
    crossing = {"blocking": [], "lithium": ["Li+"], "ohmic": electronic, "reservoir": list(carriers)}
    names = crossing[contact.contact]
    nu = 1 if where == "left" else -1  # forward is out of the metal
    found = tuple(
        Crossing(
            name,
            path,
            ((name, nu),),
            ((name, nu),),
            contact.rate or EQUILIBRIUM,
            name if contact.contact == "reservoir" else "",
        )
        for name in names
    )
    blocked = tuple(name for name in carriers if name not in names)
    return _without_blocked(Spot(f"{where} contact", path, contact, found, blocked))


def _junction(config: Config, layers: list[Layer], i: int) -> Spot:
    names = [layer.name for layer in layers]
    left, right = side(config, layers[i - 1]), side(config, layers[i])
    name = f"{left.layer} | {right.layer}"
    key = next((key for key in config.stack.junctions if between(names, key) == i), name)
    path = ("stack", "junctions", key)
    junction = config.stack.junctions.get(key)
    reactions = junction.reactions if junction else {}
    laws = junction.carriers if junction else {}
    found = [
        Crossing(text, (*path, "reactions", text), *parse(text, left, right), rate) for text, rate in reactions.items()
    ]
    for carrier in left.charges:
        if carrier in right.charges:
            terms = ((carrier, 1),)
            rate = laws.get(carrier, EQUILIBRIUM)
            found.append(Crossing(carrier, (*path, "carriers", carrier), terms, terms, rate))
    crossing = {carrier for c in found for carrier, _ in (*c.left, *c.right)}
    blocked = tuple(c for c in (*left.charges, *right.charges) if c not in crossing)
    return _without_blocked(Spot(name, path, junction or Face(), tuple(found), blocked))


def _without_blocked(spot: Spot) -> Spot:
    """What has the law `blocked` does not cross at all."""
    crossings = tuple(c for c in spot.crossings if c.rate.law != "blocked")
    stopped = tuple(c.label for c in spot.crossings if c.rate.law == "blocked")
    return Spot(spot.name, spot.path, spot.face, crossings, (*spot.blocked, *stopped))
