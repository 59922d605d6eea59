"""'Li+ + e- <-> Li' at a junction -> what the left side loses and what the right side gains."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ionics.config.errors import choices

ARROW = re.compile(r"\s*(?:<->|<=>|⇌)\s*")
TERM = re.compile(r"(?:(\d+)\s+)?(\S+?)(?:\s*\((.+)\))?")
Terms = tuple[tuple[str, int], ...]


class EquationError(ValueError):
    """An equation that cannot stand at this junction."""

    def __init__(self, problem: str, valid: str):
        super().__init__(f"{problem}; {valid}")
        self.problem, self.valid = problem, valid


@dataclass(frozen=True)
class Side:
    """A layer at a junction: its name, and the charges of its carriers."""

    layer: str
    charges: dict[str, int]


def parse(text: str, left: Side, right: Side) -> tuple[Terms, Terms]:
    """(left, right): counts lost by the left layer and gained by the right one; forward is as written.

    A species goes to the layer in which it lives; where it lives in both, '(layer name)' behind it decides.
    """
    halves = ARROW.split(text.strip())
    if len(halves) != 2 or not all(halves):
        raise EquationError("not a reaction", "write it like 'Li+ + e- <-> Li'")
    lost: dict[str, int] = {}
    gained: dict[str, int] = {}
    charge = 0
    for half, sign in ((halves[0], 1), (halves[1], -1)):
        for term in re.split(r"\s+\+\s+", half):
            name, count, side = _term(term, left, right)
            charge += sign * count * side.charges[name]
            target, change = (lost, sign * count) if side is left else (gained, -sign * count)
            target[name] = target.get(name, 0) + change
    if charge:
        raise EquationError(f"not balanced: charge {charge:+d} is lost from left to right", "balance it, e.g. with e-")
    if not lost or not gained:
        only = left.layer if lost else right.layer
        raise EquationError(f"every species lives in {only}, nothing crosses", "a reaction between both layers")
    return tuple(lost.items()), tuple(gained.items())


def _term(term: str, left: Side, right: Side) -> tuple[str, int, Side]:
    match = TERM.fullmatch(term.strip())
    if not match:
        raise EquationError(f"'{term}' is not a species", "write it like 'Li+ + e- <-> Li'")
    count, name, layer = int(match[1] or 1), match[2], match[3]
    homes = [side for side in (left, right) if name in side.charges]
    if layer is not None:
        homes = [side for side in homes if side.layer == layer]
        if not homes:
            raise EquationError(f"{name} does not live in '{layer}'", f"carriers: {_inventory(left, right)}")
    if not homes:
        near = choices(name, dict.fromkeys((*left.charges, *right.charges)), "carriers here")
        raise EquationError(f"{name} lives in neither {left.layer} nor {right.layer}", near)
    if len(homes) == 2:
        raise EquationError(
            f"{name} lives in {left.layer} and in {right.layer}",
            f"say which: {name}({left.layer}) or {name}({right.layer})",
        )
    return name, count, homes[0]


def _inventory(*sides: Side) -> str:
    return "; ".join(f"{', '.join(side.charges)} in {side.layer}" for side in sides)
