"""Distances across a junction: how close ions may come, how near a structure is to that, which structures are alike.

Only lateral images count: below and above a slab stack is vacuum.
"""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from ionics.interfaces.interface import LEFT, RIGHT, Interface

Shortest = dict[tuple[int, int], float]  # (atomic number, atomic number), both orders -> angstrom

CUTOFF = 6.0  # angstrom: beyond it neighbours do not tell structures apart
WIDTH = 0.2  # angstrom, of the bell that stands for one distance
FAR = 2.5  # times the sum of covalent radii: what is further apart in a slab says nothing of how close it may come
FINE = 0.02  # angstrom, of the bins before they are smoothed


def between(one: np.ndarray, other: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Distances [angstrom] from each of `one` to each of `other`: the nearest and its eight neighbours in the plane.

    Shape (one, other, 9).
    """
    apart = short_way(other[None] - one[:, None], cell)[:, :, None] + images(cell)
    return np.sqrt(np.einsum("abcx,abcx->abc", apart, apart))


def images(cell: np.ndarray) -> np.ndarray:
    """The lattice vectors to the cells around in the plane, that of the cell itself first, shape (9, 3)."""
    return np.array([i * cell[0] + j * cell[1] for i, j in itertools.product((0, -1, 1), repeat=2)])


def short_way(displacement: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Displacements the short way round a and b, shape as given (..., 3)."""
    fractions = displacement @ np.linalg.inv(cell)
    fractions[..., :2] -= np.round(fractions[..., :2])
    return fractions @ cell


def shortest(interface: Interface) -> Shortest:
    """Shortest distance of every pair of elements [angstrom]: as found inside the two slabs.

    A pair that stands in neither slab takes the sum of its covalent radii (Cordero et al. 2008, 10.1039/b801115j, as in
    ASE), as do pairs that the slabs only hold further apart than FAR times that.
    """
    numbers = np.unique(interface.atoms.numbers)
    found = {(a, b): covalent_radii[a] + covalent_radii[b] for a, b in itertools.product(numbers.tolist(), repeat=2)}
    inside: Shortest = {}
    for tag in (LEFT, RIGHT):
        slab = interface.slab(tag)
        if len(slab):
            _shortest_inside(slab, inside)
    inside = {pair: length for pair, length in inside.items() if length < FAR * found[pair]}
    return {pair: float(length) for pair, length in (found | inside).items()}


def _shortest_inside(slab: Atoms, found: Shortest) -> None:
    far = between(slab.positions, slab.positions, slab.cell.array)
    far[np.arange(len(slab)), np.arange(len(slab)), 0] = np.inf
    nearest = far.min(axis=2)
    for a, b in itertools.product(np.unique(slab.numbers).tolist(), repeat=2):
        here = nearest[np.ix_(slab.numbers == a, slab.numbers == b)].min()
        found[a, b] = min(found.get((a, b), np.inf), float(here))


def overlap(interface: Interface, limits: Shortest | None = None) -> float:
    """How much atoms near the plane overlap: sum over pairs of (1 - d / shortest)^2 where d is shorter; 0 is none.

    Infinite where two atoms are closer than half of what their elements keep in the slabs. `limits` default to those of
    this interface.
    """
    atoms, limits = interface.atoms, limits or shortest(interface)
    near = np.abs(interface.distance) < CUTOFF
    ratio = _ratios(atoms[near], limits)
    if ratio.size and ratio.min() < 0.5:
        return float(np.inf)
    return float(np.sum(np.clip(1 - ratio, 0, None) ** 2) / 2)


def _ratios(atoms: Atoms, limits: Shortest) -> np.ndarray:
    """Distance over shortest distance of every pair and image, itself left out, shape (atoms, atoms, 9)."""
    far = between(atoms.positions, atoms.positions, atoms.cell.array)
    far[np.arange(len(atoms)), np.arange(len(atoms)), 0] = np.inf
    return far / allowed(atoms.numbers, atoms.numbers, limits)[:, :, None]


def allowed(one: np.ndarray, other: np.ndarray, limits: Shortest) -> np.ndarray:
    """Shortest distances [angstrom] between atoms of these numbers, shape (one, other)."""
    return np.array([[limits[int(a), int(b)] for b in other] for a in one]).reshape(len(one), len(other))


class Fingerprint:
    """Distances across the plane and to the atoms of the interlayer, as one smooth vector; equal for equal structures.

    Which pairs count is settled by the start: the rigid parts of one side know each other already.
    """

    def __init__(self, numbers: np.ndarray, rigid_left: int, rigid_right: int):
        self.kinds = np.unique(numbers)
        self.rigid = np.array([0] * rigid_left + [1] * rigid_right, dtype=int)
        fine, coarse = np.arange(0, CUTOFF + 2 * FINE, FINE), np.arange(0.5, CUTOFF, WIDTH)
        self.bells = np.exp(-0.5 * ((coarse[:, None] - fine[None]) / WIDTH) ** 2)  # (coarse, fine)

    def __call__(self, atoms: Atoms, plane: float) -> np.ndarray:
        """Of atoms in the order rigid left, rigid right, interlayer; shape (kinds * kinds * bins,)."""
        side = np.concatenate([self.rigid, np.arange(2, 2 + len(atoms) - len(self.rigid))])
        near = np.abs(atoms.positions[:, 2] - plane) < CUTOFF
        positions, kind, side = atoms.positions[near], np.searchsorted(self.kinds, atoms.numbers[near]), side[near]
        one, other = np.nonzero(np.triu(side[:, None] != side[None, :]))
        apart = short_way(positions[other] - positions[one], atoms.cell.array)[:, None, :] + images(atoms.cell.array)
        squared = np.einsum("pix,pix->pi", apart, apart)
        pair, image = np.nonzero(squared < CUTOFF**2)
        low, high = np.minimum(kind[one], kind[other]), np.maximum(kind[one], kind[other])
        return self._bells((low * len(self.kinds) + high)[pair], np.sqrt(squared[pair, image]))

    def _bells(self, kind: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Each distance shared by the two fine bins it lies between, then smoothed."""
        fade = 0.5 * (1 + np.cos(np.pi * distance / CUTOFF))
        low = (distance / FINE).astype(int)
        high = distance / FINE - low
        bins, kinds = self.bells.shape[1], len(self.kinds) ** 2
        counts = np.bincount(kind * bins + low, fade * (1 - high), kinds * bins)
        counts += np.bincount(kind * bins + low + 1, fade * high, kinds * bins)
        return (counts.reshape(kinds, bins) @ self.bells.T).ravel()


def difference(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Relative difference of a fingerprint from each of `others`, shape (others,)."""
    size = max(float(np.linalg.norm(one)), 1e-300)
    return np.linalg.norm(others - one, axis=1) / size
