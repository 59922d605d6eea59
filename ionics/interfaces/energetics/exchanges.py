"""Cations that may change sides: pairs by their distance from the plane, and lithium that follows to keep the charge.

An exchange of Co3+ and P5+ carries two charges across the plane. Bare, that leaves a dipole and two badly filled sites;
compensated, as many lithium ions go the other way, from the side that gained to a void near the cation that lost.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial import KDTree

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface

REACH = 5.0  # angstrom: a void or a lithium ion this far from its cation at most
STEP = 0.4  # angstrom: grid on which voids are looked for
ROOM = {"anion": 1.8, "cation": 2.2}  # angstrom from a lithium ion before relaxation; Li-O is 1.9 to 2.2 in oxides
TIGHT = 0.85  # share of ROOM below which there is no void


@dataclass(frozen=True)
class Swap:
    """Two cations that change places, and lithium ions that move to compensate."""

    left: int  # index of the atom that was left of the plane
    right: int
    elements: tuple[str, str]  # that were left and right
    distances: tuple[float, float]  # angstrom from the plane, left negative
    apart: float  # angstrom between the two
    charge: float  # e that the cations carry into the left side
    lithium: tuple[tuple[int, tuple[float, float, float]], ...] = ()  # index, new position [angstrom]
    note: str = ""

    @property
    def compensated(self) -> bool:
        """Whether each side keeps its charge: the cations carry none, or lithium carries it back."""
        return abs(abs(self.charge) - len(self.lithium)) < 1e-6

    def words(self) -> str:
        """The exchange in one line."""
        first, second = self.elements
        moved = f", {len(self.lithium)} Li back" if self.lithium else ""
        state = "charge compensated" if self.compensated else f"not compensated: {self.charge:+g} e into the left"
        where = f"{self.distances[0]:.1f} and {self.distances[1]:+.1f} angstrom from the plane"
        remarks = "; ".join(filter(None, (state, self.note)))
        return f"{first}{self.left} <-> {second}{self.right} at {where}{moved} ({remarks})"

    def done(self, atoms: Atoms) -> Atoms:
        """The atoms after the exchange: species and oxidation states change places, tags stay with the places."""
        after = atoms.copy()
        pair = [self.left, self.right]
        charges, numbers = atoms.get_initial_charges(), atoms.numbers.copy()
        numbers[pair], charges[pair] = numbers[pair[::-1]], charges[pair[::-1]]
        after.numbers[:] = numbers
        after.set_initial_charges(charges)
        tags = after.get_tags()
        for index, position in self.lithium:
            after.positions[index] = position
            tags[index] = RIGHT if tags[index] == LEFT else LEFT
        after.set_tags(tags)
        after.set_masses(None)
        return after


def swaps(
    interface: Interface,
    left: str | None = None,
    right: str | None = None,
    depth: float = 4.0,
    most: int = 20,
    compensate: bool = False,
) -> list[Swap]:
    """The exchanges nearest to the plane, at most `most`, of cations within `depth` [angstrom] of it on either side.

    left, right: elements, or None for any cation but lithium. Pairs of one element are no exchange.
    """
    sides = (_cations(interface, LEFT, left, depth), _cations(interface, RIGHT, right, depth))
    symbols, oxidation = interface.atoms.get_chemical_symbols(), interface.oxidation
    found = []
    for i, j in itertools.product(*sides):
        if symbols[i] != symbols[j]:
            distances = (float(interface.distance[i]), float(interface.distance[j]))
            apart = float(interface.atoms.get_distance(i, j, mic=True))
            charge = float(oxidation[j] - oxidation[i])
            found.append(Swap(int(i), int(j), (symbols[i], symbols[j]), distances, apart, charge))
    if not found:
        raise AtomsError("the cations on both sides are of one element", "two different elements to exchange")
    found.sort(key=lambda s: (round(sum(map(abs, s.distances)), 3), round(s.apart, 3)))
    return [compensated(interface, one) if compensate else one for one in found[:most]]


def _cations(interface: Interface, tag: int, element: str | None, depth: float) -> np.ndarray:
    """Indices of the cations of one side that may be exchanged, nearest first."""
    symbols = np.array(interface.atoms.get_chemical_symbols())
    near = interface.side(tag) & (np.abs(interface.distance) <= depth)
    side = "left" if tag == LEFT else "right"
    wanted = near & (interface.oxidation > 0) & ((symbols != "Li") if element is None else (symbols == element))
    if not wanted.any():
        there = sorted(set(symbols[near & (interface.oxidation > 0)])) or ["none"]
        raise AtomsError(
            f"no {element or 'cation but lithium'} within {depth:g} angstrom of the plane on the {side}",
            f"a greater depth, or another cation (there are: {', '.join(there)})",
        )
    found = np.flatnonzero(wanted)
    return found[np.argsort(np.abs(interface.distance[found]), kind="stable")]


def compensated(interface: Interface, swap: Swap) -> Swap:
    """The exchange with the lithium that carries its charge back, or as it was with a note why that cannot be."""
    count = abs(swap.charge)
    if count < 1e-6:
        return swap
    if abs(count - round(count)) > 1e-6:
        return replace(swap, note="its charge is no whole number of lithium ions")
    gained, other = (LEFT, RIGHT) if swap.charge > 0 else (RIGHT, LEFT)
    from_, to = (swap.left, swap.right) if gained == LEFT else (swap.right, swap.left)
    ions = _lithium(interface, gained, from_)
    places = _voids(interface, other, to)
    if min(len(ions), len(places)) < round(count):
        return replace(swap, note=f"{len(ions)} Li and {len(places)} voids in reach, {round(count)} needed")
    chosen = zip(ions, places, strict=False)
    pairs = tuple((int(i), tuple(float(x) for x in p)) for i, p in itertools.islice(chosen, round(count)))
    return replace(swap, lithium=pairs)


def _lithium(interface: Interface, tag: int, centre: int) -> np.ndarray:
    """Lithium ions of one side around an atom, nearest first."""
    atoms = interface.atoms
    own = np.flatnonzero(interface.side(tag) & (atoms.numbers == 3))
    far = atoms.get_distances(centre, own, mic=True) if len(own) else np.zeros(0)
    return own[np.argsort(far, kind="stable")][: int((far <= REACH).sum())]


def _voids(interface: Interface, tag: int, centre: int) -> list[np.ndarray]:
    """Places for lithium on one side around an atom, roomiest first, apart from each other; each of shape (3,)."""
    atoms = interface.atoms
    axis = np.arange(-REACH, REACH + STEP / 2, STEP)
    grid = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    grid = grid[np.linalg.norm(grid, axis=1) <= REACH] + atoms.positions[centre]
    slab = atoms.positions[interface.side(tag), 2]
    inside = (grid[:, 2] > slab.min() - ROOM["anion"] / 2) & (grid[:, 2] < slab.max() + ROOM["anion"] / 2)
    inside &= (grid[:, 2] < interface.plane) if tag == LEFT else (grid[:, 2] > interface.plane)
    grid = grid[inside]
    if not len(grid):
        return []
    return _apart(grid, _room(atoms, interface.oxidation, grid), atoms)


def _room(atoms: Atoms, oxidation: Sequence[float], points: np.ndarray) -> np.ndarray:
    """Distance of points to the atoms as a share of what lithium needs, shape (points,)."""
    cell = atoms.cell.array
    shifts = [i * cell[0] + j * cell[1] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    wrapped = points - np.floor(atoms.cell.scaled_positions(points) * [1, 1, 0]) @ cell
    base = atoms.copy()
    base.wrap(pbc=(True, True, False))
    room = np.full(len(points), np.inf)
    for mask, needed in ((np.asarray(oxidation) < 0, ROOM["anion"]), (np.asarray(oxidation) >= 0, ROOM["cation"])):
        if mask.any():
            images = (base.positions[mask] + np.array(shifts)[:, None]).reshape(-1, 3)
            room = np.minimum(room, KDTree(images).query(wrapped)[0] / needed)
    return room


def _apart(points: np.ndarray, room: np.ndarray, atoms: Atoms) -> list[np.ndarray]:
    """The roomiest points that keep away from each other, but no open space: lithium wants neighbours."""
    fits = (room >= TIGHT) & (room <= 1 / TIGHT)
    points, room = points[fits], room[fits]
    kept: list[np.ndarray] = []
    for point in points[np.argsort(-room, kind="stable")]:
        away = [find_mic(point - other, atoms.cell, pbc=(True, True, False))[1] for other in kept]
        if not away or min(away) >= ROOM["cation"]:
            kept.append(point)
    return kept
