"""A start taken apart: two rigid parts and an interlayer between; a candidate is put together from them.

A candidate is its registry and its interlayer atoms. The registry is a vector of five: the shift of the right slab
along a and along b as fractions of the cell, its lift [angstrom], and the strain of a and of b. The interlayer is kept
in the unstrained cell where it stands; atoms above the plane ride with the right slab when the registry changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.search.geometry import Fingerprint, Shortest, allowed, between, shortest
from ionics.interfaces.search.settings import Settings

REGISTRY = ("shift_a", "shift_b", "lift", "strain_a", "strain_b")


@dataclass(frozen=True)
class Candidate:
    """A structure that may be visited: its start, registry of shape (5,), interlayer, and where it came from."""

    start: int
    registry: np.ndarray
    interlayer: Atoms
    parents: tuple[int, ...] = ()
    operator: str = "start"


@dataclass(frozen=True)
class Frame:
    """One start of the search: what stays rigid, what its candidates may look like."""

    number: int
    start: Interface
    left: Atoms  # rigid
    right: Atoms  # rigid, where it stands in the start
    interlayer: Atoms
    limits: Shortest
    fingerprint: Fingerprint
    settings: Settings

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper bound of the registry, shape (2, 5)."""
        (low, high), strain = self.settings.lift, self.settings.strain
        return np.array([[0, 0, low, -strain, -strain], [1, 1, high, strain, strain]], dtype=float)

    def plane(self, registry: np.ndarray) -> float:
        """Height of the middle of the gap [angstrom]."""
        return self.start.plane + float(registry[2]) / 2

    def moved(self, registry: np.ndarray) -> np.ndarray:
        """Translation of the right slab against the start [angstrom], unstrained, shape (3,)."""
        cell = self.left.cell.array
        return registry[0] * cell[0] + registry[1] * cell[1] + np.array([0, 0, registry[2]])

    def carried(self, candidate: Candidate, registry: np.ndarray) -> Candidate:
        """The candidate at another registry: what is above the plane rides with the right slab."""
        inner = candidate.interlayer.copy()
        above = inner.positions[:, 2] > self.plane(candidate.registry)
        inner.positions[above] += self.moved(registry) - self.moved(candidate.registry)
        return replace(candidate, registry=np.asarray(registry, dtype=float), interlayer=inner)

    def rigid(self, registry: np.ndarray) -> Atoms:
        """The two rigid parts at this registry, unstrained, without the interlayer."""
        right = self.right.copy()
        right.positions += self.moved(registry)
        return self.left + right

    def interface(self, candidate: Candidate) -> Interface:
        """Atoms in the order rigid left, rigid right, interlayer."""
        atoms = self.rigid(candidate.registry) + candidate.interlayer
        atoms.set_cell(self._strained(candidate.registry), scale_atoms=True)
        shifted = replace(self.start, plane=self.plane(candidate.registry))
        return shifted.moved(atoms)

    def relaxed(self, candidate: Candidate, atoms: Atoms) -> Candidate:
        """The candidate with its interlayer where it stands in relaxed `atoms`."""
        inner = atoms[len(self.left) + len(self.right) :]
        inner.calc = None
        inner.set_constraint()
        inner.set_cell(self.left.cell, scale_atoms=True)
        return replace(candidate, interlayer=inner)

    def roomy(self, candidate: Candidate, share: float = 0.5) -> bool:
        """Whether no interlayer atom is closer to another than this share of the shortest distances."""
        inner = candidate.interlayer
        if not len(inner):
            return True
        everything = self.rigid(candidate.registry) + inner
        far = between(inner.positions, everything.positions, everything.cell.array)
        far[np.arange(len(inner)), len(everything) - len(inner) + np.arange(len(inner)), 0] = np.inf
        return bool(np.all(far.min(axis=2) > share * allowed(inner.numbers, everything.numbers, self.limits)))

    def _strained(self, registry: np.ndarray) -> np.ndarray:
        cell = self.left.cell.array.copy()
        cell[0] *= 1 + registry[3]
        cell[1] *= 1 + registry[4]
        return cell


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Difference of two registries, shifts the short way round, shape (5,)."""
    difference = one - other
    difference[:2] -= np.round(difference[:2])
    return difference


def taken_apart(number: int, start: Interface, settings: Settings) -> Frame:
    """The frame of a start; the interlayer is sorted by element, then by side."""
    if abs(start.atoms.cell.array[2][:2]).max() > 1e-6 or abs(start.atoms.cell.array[:2, 2]).max() > 1e-6:
        raise AtomsError(f"the cell of start {number} is not upright", "a and b in the plane x, y and c along z")
    if not start.side(LEFT).any() or not start.side(RIGHT).any():
        raise AtomsError(f"start {number} has atoms of one side only", f"tags {LEFT} and {RIGHT} on the two slabs")
    atoms = _bare(start.atoms, max(settings.lift[1], 0.0))
    inner = (np.abs(start.distance) < settings.depth) & ~start.outer(settings.outer)
    if settings.depth > 0 and not inner.any():
        raise AtomsError(f"start {number} has no atom within {settings.depth} A of its plane", "a larger depth")
    interlayer = atoms[inner]
    interlayer = interlayer[np.lexsort([interlayer.get_tags(), interlayer.numbers])]
    left, right = atoms[start.side(LEFT) & ~inner], atoms[start.side(RIGHT) & ~inner]
    kinds = [*atoms.numbers, *Atoms(list(settings.buffer)).numbers]
    print_ = Fingerprint(np.array(kinds), len(left), len(right))
    limits = shortest(replace(start, atoms=atoms + _examples(atoms, settings)))
    return Frame(number, start, left, right, interlayer, limits, print_, settings)


def _bare(atoms: Atoms, lift: float) -> Atoms:
    """Symbols, positions, tags and charges alone; the cell higher by what the right slab may be raised."""
    cell = atoms.cell.array.copy()
    cell[2, 2] += lift
    bare = Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=atoms.pbc, tags=atoms.get_tags())
    bare.set_initial_charges(atoms.get_initial_charges())
    return bare


def _examples(atoms: Atoms, settings: Settings) -> Atoms:
    """One atom of every element of the buffer, so that its shortest distances are known; tagged as of no slab."""
    return Atoms(list(settings.buffer), cell=atoms.cell, pbc=atoms.pbc, tags=0)
