"""Every face of a stack, from the left contact to the right one, and what crosses it: names only, no numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ionics.config.conversion import mobile
from ionics.config.equations import Side, Terms, parse
from ionics.config.rates import InterfaceState, Rate
from ionics.config.references import between, side
from ionics.config.schema import Config, Contact, Face, Layer

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
    paired: bool = False  # the hole of a metal that exchanges electrons too
    fills: bool = False  # an interface state takes part
    charge: int = 0  # elementary charges that cross in one turn

    @property
    def electrons(self) -> int:
        """Charges per turn; 1 for a neutral carrier."""
        return abs(self.charge) or 1


@dataclass(frozen=True)
class Spot:
    """A face with its name and place in the file."""

    name: str
    path: Steps
    face: Face
    crossings: tuple[Crossing, ...]
    blocked: tuple[str, ...] = ()  # what does not cross although it could
    states: dict[str, InterfaceState] = field(default_factory=dict)


def spots(config: Config) -> tuple[Spot, ...]:
    """The faces in order; the configuration has been checked."""
    layers = [layer for _, layer in config.stack.flat()]
    inner = [_junction(config, layers, i) for i in range(1, len(layers))]
    left = _contact(config, config.stack.left, "left", layers[0])
    return (left, *inner, _contact(config, config.stack.right, "right", layers[-1]))


def _contact(config: Config, contact: Contact, where: str, layer: Layer) -> Spot:
    path = ("stack", where)
    carriers = mobile(config.material(layer.material))
    electronic = [name for name in ("e-", "h+") if name in carriers]
    crossing = {"blocking": [], "lithium": ["Li+"], "ohmic": electronic, "reservoir": carriers}
    names = crossing[contact.contact]
    nu = 1 if where == "left" else -1  # forward is out of the metal
    charges = side(config, layer).charges
    found = tuple(
        Crossing(
            name,
            path,
            ((name, nu),),
            ((name, nu),),
            contact.rate or EQUILIBRIUM,
            reservoir=name if contact.contact == "reservoir" else "",
            paired=contact.contact == "ohmic" and name == "h+" and "e-" in names,
            charge=charges[name],
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
    states = junction.states if junction else {}
    charges = {name: state.charge for name, state in states.items()}
    found = [
        _reaction(text, (*path, "reactions", text), parse(text, left, right, charges), rate, left, right)
        for text, rate in reactions.items()
    ]
    beyond, here = (mobile(config.material(layers[k].material)) for k in (i - 1, i))
    for carrier in beyond:
        if carrier in here:
            terms = ((carrier, 1),)
            rate = laws.get(carrier, EQUILIBRIUM)
            place, charge = (*path, "carriers", carrier), left.charges[carrier]
            found.append(Crossing(carrier, place, terms, terms, rate, charge=charge))
    crossing = {carrier for c in found for carrier, _ in (*c.left, *c.right)}
    blocked = tuple(dict.fromkeys(c for c in (*beyond, *here) if c not in crossing))
    found.sort(key=lambda c: c.fills)  # what crosses comes first: flat band follows from it
    return _without_blocked(Spot(name, path, junction or Face(), tuple(found), blocked, states))


def _reaction(text: str, path: Steps, terms: tuple[Terms, Terms], rate: Rate, left: Side, right: Side) -> Crossing:
    lost, gained = terms
    fills = any(name not in right.charges for name, _ in gained)  # an interface state
    leaving = sum(nu * left.charges[name] for name, nu in lost)
    arriving = sum(nu * right.charges.get(name, 0) for name, nu in gained)
    return Crossing(text, path, lost, gained, rate, fills=fills, charge=leaving or arriving)


def _without_blocked(spot: Spot) -> Spot:
    """What has the law `blocked` does not cross at all."""
    crossings = tuple(c for c in spot.crossings if c.rate.law != "blocked")
    stopped = tuple(c.label for c in spot.crossings if c.rate.law == "blocked")
    return replace(spot, crossings=crossings, blocked=(*spot.blocked, *stopped))
