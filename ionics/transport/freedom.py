"""What equilibrium leaves open: which electrochemical potentials are tied, and which amounts must be stated.

Static analysis of names and reactions, no numbers: a carrier's electrochemical potential is one constant in each
connected region; reactions and contacts tie these constants and the voltage to each other; what stays free is fixed by
a voltage, a state of charge, or by the amount of a carrier that cannot leave (an inventory).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionics.kinetics.bulk import Generation, WeakElectrolyte
from ionics.kinetics.rates import Blocked
from ionics.transport.flux import Immobile
from ionics.transport.stack import Material, Stack


@dataclass(frozen=True)
class Region:
    """A carrier and the layers it can reach as itself; for an interface state no layers, but its junction."""

    species: str
    layers: tuple[int, ...]
    junction: int | None = None


@dataclass(frozen=True)
class Inventory:
    """The amount of a carrier over some layers is held."""

    species: str
    layers: tuple[int, ...]
    region: int


@dataclass(frozen=True)
class Freedom:
    """Unknown constants (one a region, then the voltage) and what fixes them."""

    regions: tuple[Region, ...]
    reactions: tuple[tuple[int, int], ...]  # (junction, reaction) whose affinity is set to zero, independent ones
    bulk: tuple[tuple[int, int], ...]  # (layer, reaction) likewise
    inventories: tuple[Inventory, ...]
    voltage: bool  # the voltage is given rather than found


class Overdetermined(ValueError):
    """More is stated than can be chosen."""


def regions(stack: Stack) -> tuple[Region, ...]:
    """Connected regions of every species that moves or reacts, left to right, then the interface states that react."""
    found: list[list] = []
    for i, layer in enumerate(stack.layers):
        for carrier in layer.material.carriers:
            name = carrier.species.name
            if frozen(layer.material, name):
                continue
            before = next((r for r in found if r[0] == name and r[1][-1] == i - 1), None)
            if before is not None and _crosses(stack, i, name):
                before[1].append(i)
            else:
                found.append([name, [i]])
    states = [
        Region(kept.name, (), j)
        for j, junction in enumerate(stack.junctions)
        for kept in junction.states
        if any(kept.name in dict((*r.left, *r.right)) for r in junction.reactions if not isinstance(r.law, Blocked))
    ]
    return (*(Region(name, tuple(layers)) for name, layers in found), *states)


def frozen(material: Material, species: str) -> bool:
    """Whether a carrier neither moves nor reacts: it stays where it is."""
    names = [name for r in material.reactions for name, _ in (*r.consumed, *r.produced)]
    return isinstance(material.carrier(species).mobility, Immobile) and species not in names


def places(found: tuple[Region, ...]) -> dict[tuple[int | str, str], int]:
    """(layer, species), or ("junction 3", state) -> index of the region."""
    where: dict[tuple[int | str, str], int] = {(i, r.species): n for n, r in enumerate(found) for i in r.layers}
    return where | {(f"junction {r.junction}", r.species): n for n, r in enumerate(found) if r.junction is not None}


def analyse(
    stack: Stack, *, voltage: bool, occupancies: tuple[tuple[int, str], ...] = (), flowing: bool = False
) -> Freedom:
    """Choose a complete, independent set of conditions.

    voltage: the voltage is given. occupancies: (layer, species) whose mean is given. flowing: carriers may flow, so a
    voltage may be held that equilibrium would not have. Raises Overdetermined.
    """
    found = regions(stack)
    where = places(found)
    rows: list[np.ndarray] = []
    reactions = []
    for j, junction in enumerate(stack.junctions):
        for m, reaction in enumerate(junction.reactions):
            if isinstance(reaction.law, Blocked):
                continue
            row = reaction_row(stack, found, where, j, m)
            if _independent(rows, row):
                rows.append(row)
                reactions.append((j, m))
    bulk = []
    for i, layer in enumerate(stack.layers):
        for m, reaction in enumerate(layer.material.reactions):
            row = bulk_row(stack, found, where, i, m)
            if not isinstance(reaction.law, (Generation, WeakElectrolyte)) and _independent(rows, row):
                rows.append(row)
                bulk.append((i, m))
    unit = np.eye(len(found) + 1)
    if voltage:
        if _independent(rows, unit[-1]):
            rows.append(unit[-1])
        elif not flowing:
            raise Overdetermined("the contacts and reactions already fix the voltage; leave the voltage out")
    inventories = []
    for i, name in occupancies:
        row = unit[where[i, name]]
        if not _independent(rows, row):
            raise Overdetermined(
                f"the occupancy of {name} in {stack.layers[i].name} cannot be chosen: "
                "the contacts, reactions or the voltage already fix it"
            )
        rows.append(row)
        inventories.append(Inventory(name, (i,), where[i, name]))
    for n in sorted(range(len(found)), key=lambda n: _reluctance(stack, found[n])):
        if _independent(rows, unit[n]):
            rows.append(unit[n])
            inventories.append(Inventory(found[n].species, found[n].layers, n))
    zero_volts = _independent(rows, unit[-1])
    return Freedom(found, tuple(reactions), tuple(bulk), tuple(inventories), voltage or zero_volts)


def reaction_row(stack: Stack, found, where, j: int, m: int) -> np.ndarray:
    """Derivative of the affinity by the constants (eta of each region; F times the voltage)."""
    row = np.zeros(len(found) + 1)
    reaction = stack.junctions[j].reactions[m]
    for side, terms, sign in ((j - 1, reaction.left, 1), (j, reaction.right, -1)):
        for name, nu in terms:
            if (f"junction {j}", name) in where:
                row[where[f"junction {j}", name]] += sign * nu
            elif 0 <= side < len(stack.layers):
                row[where[side, name]] += sign * nu
            elif side == len(stack.layers):
                row[-1] += sign * nu * stack.species[stack.index(name)].charge
    return row


def bulk_row(stack: Stack, found, where, i: int, m: int) -> np.ndarray:
    """Derivative of the affinity of a reaction in the bulk of layer i by the constants."""
    row = np.zeros(len(found) + 1)
    reaction = stack.layers[i].material.reactions[m]
    for sign, terms in ((1, reaction.consumed), (-1, reaction.produced)):
        for name, nu in terms:
            row[where[i, name]] += sign * nu
    return row


def _crosses(stack: Stack, j: int, name: str) -> bool:
    same = ((name, 1),)
    return any(
        r.left == same and r.right == same and not isinstance(r.law, Blocked) for r in stack.junctions[j].reactions
    )


def _independent(rows: list[np.ndarray], row: np.ndarray) -> bool:
    return bool(np.linalg.matrix_rank(np.array([*rows, row])) > len(rows))


def _reluctance(stack: Stack, region: Region) -> tuple[int, int]:
    """Neutral carriers are held first, then ions, then electrons and holes."""
    if region.junction is not None:
        return (3, 0)
    charge = stack.species[stack.index(region.species)].charge
    return (2 if region.species in ("e-", "h+") else int(charge != 0), 0)
