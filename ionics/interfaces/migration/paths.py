"""A move in a supercell: the atoms before and after, in one order, and a first guess of the way between."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from pymatgen.core import Structure

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.migration.moves import (
    DIVACANCY,
    INTERSTITIAL,
    INTERSTITIALCY,
    MECHANISMS,
    VACANCY,
    Move,
    divacancy,
    interstitial,
    interstitialcy,
    vacancy,
)
from ionics.interfaces.migration.sites import Place, Sites, sites

LONG = 4.5  # angstrom: a hop longer than this goes by a void, if one is near its middle


@dataclass(frozen=True)
class Path:
    """The two ends of a way, with the same atoms in the same order; `moving` are the atoms that go."""

    initial: Atoms
    final: Atoms
    moving: tuple[int, ...]
    label: str
    mechanism: str
    distance: float  # angstrom, of the longest step
    middle: np.ndarray | None = None  # positions half way [angstrom], shape (atoms, 3), where a straight line is poor

    def __post_init__(self):
        if list(self.initial.symbols) != list(self.final.symbols):
            raise AtomsError(
                f"the atoms of the two ends of {self.label or 'a path'} are not in one order",
                "give both ends the same atoms, the moving one at the same place of the list",
            )


@dataclass(frozen=True)
class Found:
    """A move and the path that shows it in a supercell."""

    move: Move
    path: Path


def vacancy_paths(structure: Structure, ion: str = "Li", limit: float = 4.0, least: float = 8.0) -> tuple[Found, ...]:
    """Every distinct vacancy hop up to `limit` [angstrom], in supercells of at least `least` between images."""
    return _paths(sites(structure, ion), vacancy, limit, least)


def divacancy_paths(structure: Structure, ion: str = "Li", limit: float = 4.0, least: float = 8.0) -> tuple[Found, ...]:
    """Every distinct hop beside a second vacancy."""
    return _paths(sites(structure, ion), divacancy, limit, least)


def interstitial_paths(
    structure: Structure, ion: str = "Li", limit: float = 4.0, least: float = 8.0
) -> tuple[Found, ...]:
    """Every distinct hop of an extra ion from void to void."""
    return _paths(sites(structure, ion, interstitials=True), interstitial, limit, least)


def interstitialcy_paths(
    structure: Structure, ion: str = "Li", limit: float = 4.0, least: float = 8.0
) -> tuple[Found, ...]:
    """Every distinct kick-out of a lattice ion by an extra one."""
    return _paths(sites(structure, ion, interstitials=True), interstitialcy, limit, least)


def _paths(found: Sites, finder, limit: float, least: float) -> tuple[Found, ...]:
    return tuple(Found(move, path(move, found, least)) for move in finder(found, limit))


def path(move: Move, found: Sites, least: float = 8.0, repeats: Sequence[int] | None = None) -> Path:
    """A move in a supercell of `repeats`, or of the fewest cells that leave `least` [angstrom] between images."""
    if move.mechanism not in MECHANISMS:
        raise AtomsError(f"no migration mechanism is called {move.mechanism!r}", f"one of {', '.join(MECHANISMS)}")
    box = _Box(found, tuple(repeats) if repeats is not None else supercell(found.structure.lattice.matrix, least))
    if move.mechanism in (VACANCY, DIVACANCY):
        return _by_vacancy(move, box)
    return _by_interstitial(move, box)


def supercell(cell: np.ndarray, least: float = 8.0) -> tuple[int, int, int]:
    """The fewest repeats of a cell, rows [angstrom], that leave `least` between an atom and every image of it."""
    wanted = [max(1, int(np.ceil(least / np.linalg.norm(row) - 1e-9))) for row in cell]
    shifts = np.array([s for s in itertools.product((-1, 0, 1), repeat=3) if any(s)])
    while True:
        images = np.linalg.norm(shifts @ (cell * np.array(wanted)[:, None]), axis=1)
        if images.min() >= least - 1e-6:
            return wanted[0], wanted[1], wanted[2]
        for axis in np.flatnonzero(shifts[images.argmin()]):
            wanted[axis] += 1


class _Box:
    """A supercell of a crystal, and the number of the atom at every place of it."""

    def __init__(self, found: Sites, repeats: tuple[int, ...]):
        self.sites, self.repeats = found, np.array(repeats)
        self.unit = _atoms(found.structure)
        self.atoms = self.unit.repeat(repeats)

    def number(self, place: Place) -> int:
        site, cell = place
        a, b, c = np.array(cell) % self.repeats
        return int(((a * self.repeats[1] + b) * self.repeats[2] + c) * len(self.unit) + self.sites.atom[site])

    def position(self, place: Place) -> np.ndarray:
        return self.sites.position(place)


def _atoms(structure: Structure) -> Atoms:
    """ASE atoms with oxidation states as initial charges, where the structure has them."""
    charges = [getattr(site.specie, "oxi_state", None) or 0.0 for site in structure]
    symbols = [site.specie.symbol for site in structure]
    return Atoms(symbols, structure.cart_coords, cell=structure.lattice.matrix, pbc=True, charges=charges)


def _by_vacancy(move: Move, box: _Box) -> Path:
    start, end, *empty = move.places
    gone = sorted(box.number(place) for place in (end, *empty))
    if len({box.number(start), *gone}) < 2 + len(empty):
        raise AtomsError(
            f"the supercell {tuple(int(n) for n in box.repeats)} is too small for {move.label}",
            "ask for a larger distance between images, `least`",
        )
    keep = np.setdiff1d(np.arange(len(box.atoms)), gone)
    moving = int(np.searchsorted(keep, box.number(start)))
    initial = box.atoms[keep]
    step = box.position(end) - box.position(start)
    final = _moved(initial, {moving: step})
    via = _corner(move, box, empty)
    middle = None if via is None else _moved(initial, {moving: via - box.position(start)}).positions
    return Path(initial, final, (moving,), move.label, move.mechanism, move.distance, middle)


def _corner(move: Move, box: _Box, empty: list[Place]) -> np.ndarray | None:
    """A point to go by [angstrom]: towards the second vacancy, or the roomiest void beside a long way."""
    start, end = box.position(move.places[0]), box.position(move.places[1])
    if empty:
        third = (start + end + box.position(empty[0])) / 3
        return third if np.linalg.norm(third - (start + end) / 2) < np.linalg.norm(end - start) / 2 else None
    if np.linalg.norm(end - start) < LONG:
        return None
    return _void_between(box.sites, start, end)


def _void_between(found: Sites, start: np.ndarray, end: np.ndarray, detour: float = 1.15) -> np.ndarray | None:
    """The void on the shortest way round from start to end [angstrom], if one lies near the middle."""
    empty = sites(found.structure, found.ion, interstitials=True)
    lattice, middle = found.structure.lattice, (start + end) / 2
    length = float(np.linalg.norm(end - start))
    if np.all(empty.full):
        return None
    points = lattice.get_points_in_sphere(empty.points[~empty.full], middle, length / 4)
    ways = [lattice.get_cartesian_coords(row[0]) for row in points]
    lengths = [np.linalg.norm(w - start) + np.linalg.norm(end - w) for w in ways]
    if not ways or min(lengths) > detour * length:
        return None
    return ways[int(np.argmin(lengths))]


def _by_interstitial(move: Move, box: _Box) -> Path:
    ion, charge = box.sites.ion, _charge(box)
    extra = Atoms([ion], [box.position(move.places[0])], charges=[charge])
    initial = box.atoms + extra
    last = len(initial) - 1
    first = box.position(move.places[1]) - box.position(move.places[0])
    steps = {last: first}
    if move.mechanism == INTERSTITIALCY:
        steps[box.number(move.places[1])] = box.position(move.places[2]) - box.position(move.places[1])
    final = _moved(initial, steps)
    moving = tuple(steps)
    return Path(initial, final, moving, move.label, move.mechanism, move.distance)


def _charge(box: _Box) -> float:
    """Of the moving ion, as its equals have it."""
    same = box.unit.symbols == box.sites.ion
    return float(np.mean(box.unit.get_initial_charges()[same]))


def _moved(atoms: Atoms, steps: dict[int, np.ndarray]) -> Atoms:
    moved = atoms.copy()
    for atom, step in steps.items():
        moved.positions[atom] += step
    return moved


__all__ = [
    "INTERSTITIAL",
    "Found",
    "Path",
    "divacancy_paths",
    "interstitial_paths",
    "interstitialcy_paths",
    "path",
    "supercell",
    "vacancy_paths",
]
