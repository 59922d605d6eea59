"""'Li+ + e- <-> Li' -> what the left side loses and the right side gains; in a bulk, what turns into what.

'nothing' stands for the perfect crystal, or for an amount that is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ionics.config.errors import choices

ARROW = re.compile(r"\s*(?:<->|<=>|⇌)\s*")
TERM = re.compile(r"(?:(\d+)\s+)?(\S+?)(?:\s*\((.+)\))?")
Terms = tuple[tuple[str, int], ...]
NOTHING, BULK = "nothing", "'nothing <-> Li_i + V_Li' or 'e- <-> trapped'"


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


def parse(text: str, left: Side, right: Side, states: Mapping[str, int] | None = None) -> tuple[Terms, Terms]:
    """(left, right): counts lost by the left layer and gained by the right one; forward is as written.

    A species goes to the layer in which it lives; where it lives in both, '(layer name)' behind it decides.
    states: charges of the interface states of the junction; they stand on the right.
    """
    plane = Side("the junction", dict(states or {}))
    lost, gained, places = _collect(text, left, right, plane)
    if plane not in places and not (lost and gained):
        only = left.layer if lost else right.layer
        raise EquationError(f"every species lives in {only}, nothing crosses", "a reaction between both layers")
    return tuple(lost.items()), tuple(gained.items())


def parse_driving(text: str, left: Side, right: Side) -> tuple[Terms, Terms]:
    """Like `parse`, of a reaction that only drives something: it need not cross."""
    lost, gained, _ = _collect(text, left, right, Side("the junction", {}))
    return tuple(lost.items()), tuple(gained.items())


def parse_bulk(text: str, charges: Mapping[str, int]) -> tuple[Terms, Terms]:
    """(consumed, produced) of a reaction among the carriers of one material."""
    sides, totals = [], []
    for half in _halves(text):
        counts: dict[str, int] = {}
        for term in half:
            match = TERM.fullmatch(term)
            if not match or match[3] is not None:
                raise EquationError(f"'{term}' is not a species", f"write it like {BULK}")
            if match[2] not in charges:
                near = choices(match[2], charges, "its carriers")
                raise EquationError(f"{match[2]} is no carrier of the material", near)
            counts[match[2]] = counts.get(match[2], 0) + int(match[1] or 1)
        sides.append(tuple(counts.items()))
        totals.append(sum(nu * charges[name] for name, nu in counts.items()))
    if totals[0] != totals[1]:
        listed = ", ".join(f"{name} {charges[name]:+d}" for name in dict([*sides[0], *sides[1]]))
        problem = f"not balanced: charge {totals[0]:+d} on the left, {totals[1]:+d} on the right ({listed})"
        raise EquationError(problem, "balance it, e.g. with e-")
    return sides[0], sides[1]


def _halves(text: str) -> list[list[str]]:
    """The terms on either side of the arrow; 'nothing' has none."""
    halves = [half.strip() for half in ARROW.split(text.strip())]
    if len(halves) != 2 or not all(halves) or halves == [NOTHING, NOTHING]:
        raise EquationError("not a reaction", "write it like 'Li+ + e- <-> Li'")
    return [[] if half == NOTHING else [term.strip() for term in re.split(r"\s+\+\s+", half)] for half in halves]


def _collect(text: str, left: Side, right: Side, plane: Side) -> tuple[dict[str, int], dict[str, int], list[Side]]:
    """Counts lost by the left side, counts gained by the right side and the plane, and the sides that take part."""
    lost: dict[str, int] = {}
    gained: dict[str, int] = {}
    charge, places = 0, []
    for half, sign in zip(_halves(text), (1, -1), strict=True):
        for term in half:
            name, count, side = _term(term, left, right, plane)
            places.append(side)
            charge += sign * count * side.charges[name]
            target, change = (lost, sign * count) if side is left else (gained, -sign * count)
            target[name] = target.get(name, 0) + change
    if charge:
        raise EquationError(f"not balanced: charge {charge:+d} is lost from left to right", "balance it, e.g. with e-")
    return lost, gained, places


def _term(term: str, left: Side, right: Side, plane: Side) -> tuple[str, int, Side]:
    match = TERM.fullmatch(term)
    if not match:
        raise EquationError(f"'{term}' is not a species", "write it like 'Li+ + e- <-> Li'")
    count, name, layer = int(match[1] or 1), match[2], match[3]
    if name in plane.charges and layer is None:
        return name, count, plane
    homes = [side for side in (left, right) if name in side.charges]
    if layer is not None:
        homes = [side for side in homes if side.layer == layer]
        if not homes:
            raise EquationError(f"{name} does not live in '{layer}'", f"carriers: {_inventory(left, right)}")
    if not homes:
        near = choices(name, dict.fromkeys((*left.charges, *right.charges, *plane.charges)), "carriers here")
        raise EquationError(f"{name} lives in neither {left.layer} nor {right.layer}", near)
    if len(homes) == 2:
        raise EquationError(
            f"{name} lives in {left.layer} and in {right.layer}",
            f"say which: {name}({left.layer}) or {name}({right.layer})",
        )
    return name, count, homes[0]


def _inventory(*sides: Side) -> str:
    return "; ".join(f"{', '.join(side.charges)} in {side.layer}" for side in sides)
