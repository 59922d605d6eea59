"""What equilibrium leaves open: which electrochemical potentials are tied, and which amounts must be stated.

Static analysis of names and reactions, no numbers: a carrier's electrochemical potential is one constant in each
connected region; reactions and contacts tie these constants and the voltage to each other; what stays free is fixed by
a voltage, a state of charge, or by the amount of a carrier that cannot leave (an inventory).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax
import numpy as np

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
class Term:
    """What an inventory counts: a carrier over some layers, or an interface state."""

    species: str
    layers: tuple[int, ...]
    junction: int | None
    weight: float


@dataclass(frozen=True)
class Inventory:
    """An amount is held, of one carrier or a sum that reactions leave as it is; a region is free because of it."""

    species: str
    layers: tuple[int, ...]
    region: int
    terms: tuple[Term, ...]


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
    return _analysed(jax.tree.structure(stack), voltage, occupancies, flowing)


@lru_cache(maxsize=1024)
def _analysed(names, voltage: bool, occupancies: tuple[tuple[int, str], ...], flowing: bool) -> Freedom:
    """The same for a stack without its numbers: all stacks of one make share the answer."""
    stack: Stack = jax.tree.unflatten(names, [None] * names.num_leaves)
    found = regions(stack)
    where = places(found)
    rows: list[np.ndarray] = []
    turning: list[np.ndarray] = []
    reactions = []
    for j, junction in enumerate(stack.junctions):
        for m, reaction in enumerate(junction.reactions):
            if isinstance(reaction.law, Blocked):
                continue
            row = reaction_row(stack, found, where, j, m)
            turning.append(row)
            if _independent(rows, row):
                rows.append(row)
                reactions.append((j, m))
    bulk = []
    for i, layer in enumerate(stack.layers):
        for m, reaction in enumerate(layer.material.reactions):
            row = bulk_row(stack, found, where, i, m)
            turning.append(row)
            if reaction.law.detailed_balance and _independent(rows, row):
                rows.append(row)
                bulk.append((i, m))
    unit = np.eye(len(found) + 1)
    zero = not voltage and _floats(stack, where, rows, len(found))
    if voltage or zero:
        if _independent(rows, unit[-1]):
            rows.append(unit[-1])
        elif not flowing:
            raise Overdetermined("the contacts and reactions already fix the voltage; leave the voltage out")
    inventories = []

    def hold(n: int, row: np.ndarray, terms: list[Term]):
        rows.append(row)
        inventories.append(Inventory(found[n].species, terms[0].layers, n, tuple(terms)))

    for i, name in occupancies:
        row = unit[where[i, name]]
        if not _independent(rows, row):
            raise Overdetermined(
                f"the occupancy of {name} in {stack.layers[i].name} cannot be chosen: "
                "the contacts, reactions or the voltage already fix it"
            )
        hold(where[i, name], row, [Term(name, (i,), None, 1.0)])
    for n, row in _conserved(stack, found, turning):
        if _independent(rows, row):
            few = sorted((k for k in range(len(found)) if row[k]), key=lambda k: k != n)
            hold(n, row, [Term(found[k].species, found[k].layers, found[k].junction, float(row[k])) for k in few])
    for n in sorted(range(len(found)), key=lambda n: _reluctance(stack, found[n])):
        if _independent(rows, unit[n]):
            counted = {(i, t.species) for held in inventories for t in held.terms for i in t.layers}
            hold(n, unit[n], [_composition(stack, found[n], counted)])
    zero = zero or _independent(rows, unit[-1])
    return Freedom(found, tuple(reactions), tuple(bulk), tuple(inventories), voltage or zero)


def _composition(stack: Stack, region: Region, counted: set[tuple[int, str]]) -> Term:
    """What stands for the state of charge where a region is free: its amount, for electrons that of an ion beside them.

    Electrons also charge the surfaces of a metal and of space charges; ions are what a composition counts.
    counted: (layer, species) whose amounts are held already.
    """
    if region.species in ("e-", "h+"):
        for i in reversed(region.layers):
            for carrier in stack.layers[i].material.carriers:
                name = carrier.species.name
                trap = isinstance(carrier.mobility, Immobile)  # an electron held is no ion
                if carrier.species.charge and name not in ("e-", "h+") and not trap and (i, name) not in counted:
                    return Term(name, (i,), None, 1.0)
    return Term(region.species, region.layers, region.junction, 1.0)


def _floats(stack: Stack, where, rows: list[np.ndarray], count: int) -> bool:
    """Whether the voltage can change, and the potentials of the layers with it, while no composition does."""
    size = count + 1 + len(stack.layers)
    bulk = [np.append(row, np.zeros(len(stack.layers))) for row in rows]
    for (i, name), n in where.items():
        if isinstance(i, int):
            row = np.zeros(size)
            row[n], row[count + 1 + i] = 1, -stack.species[stack.index(name)].charge
            bulk.append(row)
    changing = np.eye(size)[count]
    return _rank([*bulk, changing]) > _rank(bulk)


def _conserved(stack: Stack, found, turning: list[np.ndarray]) -> list[tuple[int, np.ndarray]]:
    """Sums of amounts that no reaction changes, as weights of the regions: (the region it stands for, weights).

    The kernel of the reactions, by elimination; charged sums come first.
    """
    size = len(found)
    order = sorted(range(size), key=lambda n: _reluctance(stack, found[n]), reverse=True)
    sums = []
    for column, weights in kernel(np.array([row[:-1] for row in turning]).reshape(len(turning), size)[:, order]):
        row = np.zeros(size + 1)
        row[order] = weights
        sums.append((order[column], row))
    charge = [0 if r.junction is not None else stack.species[stack.index(r.species)].charge for r in found]
    return sorted(sums, key=lambda one: one[1][:-1] @ charge == 0)


def kernel(rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Vectors that all rows annul, by elimination: (column in which only this one has a one, vector).

    The first columns are eliminated first, so that these ones stand as far to the right as can be.
    """
    a, pivots = np.array(rows, float), []
    for column in range(a.shape[1]):
        rest = a[len(pivots) :, column]
        if not np.any(np.abs(rest) > 1e-9):
            continue
        k = len(pivots) + int(np.argmax(np.abs(rest)))
        a[[len(pivots), k]] = a[[k, len(pivots)]]
        a[len(pivots)] /= a[len(pivots), column]
        for other in range(len(a)):
            if other != len(pivots):
                a[other] -= a[other, column] * a[len(pivots)]
        pivots.append(column)
    found = []
    for column in range(a.shape[1]):
        if column not in pivots:
            vector = np.eye(a.shape[1])[column]
            vector[pivots] = -a[: len(pivots), column]
            found.append((column, vector))
    return found


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
    return _rank([*rows, row]) > len(rows)


def _rank(rows: list[np.ndarray]) -> int:
    return int(np.linalg.matrix_rank(np.array(rows))) if rows else 0


def _reluctance(stack: Stack, region: Region) -> tuple[int, int]:
    """Neutral carriers are held first, then ions, then electrons and holes, then those in traps."""
    if region.junction is not None:
        return (3, 0)
    charge = stack.species[stack.index(region.species)].charge
    own = [stack.layers[i].material.carrier(region.species) for i in region.layers]
    trapped = all(isinstance(carrier.mobility, Immobile) for carrier in own)
    return (2 if trapped or region.species in ("e-", "h+") else int(charge != 0), int(trapped))
