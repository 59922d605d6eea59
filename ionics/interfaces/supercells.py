"""Cells of two plane lattices that nearly coincide: the search of Zur and McGill for all pairs at once.

pymatgen's ZSLGenerator compares one pair at a time in Python; here every sublattice of a plane is reduced once and all
pairs are compared as arrays, with the same tolerances and the same answer (a test holds one against the other).
Source: Zur and McGill, J. Appl. Phys. 55, 378 (1984), 10.1063/1.333084.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np


@dataclass(frozen=True, eq=False)
class Supercells:
    """All sublattices of a plane lattice up to an area, each with its reduced vectors."""

    multiple: np.ndarray  # (cells,) area in units of the lattice's own cell
    vectors: np.ndarray  # (cells, 2, 2) angstrom, rows, shorter first, angle at most 90 degrees
    lengths: np.ndarray  # (cells, 2) angstrom
    angle: np.ndarray  # (cells,) radians


def supercells(lattice: np.ndarray, area: float) -> Supercells:
    """Of a plane lattice with rows of shape (2, 2), all sublattices smaller than `area` [angstrom^2]."""
    own = abs(np.linalg.det(lattice))
    found = [_sublattices(n) for n in range(1, max(2, ceil(area / own)))]
    matrices = np.concatenate(found)
    vectors = reduced(matrices @ lattice)
    a, b = vectors[:, 0], vectors[:, 1]
    cross = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    angle = np.arctan2(cross, (a * b).sum(-1))
    multiple = np.rint(np.linalg.det(matrices)).astype(int)
    return Supercells(multiple, vectors, np.linalg.norm(vectors, axis=-1), angle)


def _sublattices(multiple: int) -> np.ndarray:
    """Hermite forms of determinant `multiple`, shape (sum of divisors, 2, 2)."""
    factors = [i for i in range(1, multiple + 1) if multiple % i == 0]
    return np.array([[[i, j], [0, multiple // i]] for i in factors for j in range(multiple // i)], dtype=float)


def reduced(cells: np.ndarray) -> np.ndarray:
    """The shortest vectors that span the same lattices, rows of shape (cells, 2, 2), never at an obtuse angle."""
    a, b = cells[:, 0].copy(), cells[:, 1].copy()
    while True:
        obtuse = (a * b).sum(-1) < -1e-12
        b[obtuse] *= -1
        longer = (a**2).sum(-1) > (b**2).sum(-1) + 1e-9
        a[longer], b[longer] = b[longer], a[longer]
        shorter = (b**2).sum(-1) > ((b - a) ** 2).sum(-1) + 1e-9
        b[shorter] -= a[shorter]
        if not (obtuse | longer | shorter).any():
            return np.stack([a, b], axis=1)


@dataclass(frozen=True)
class Tolerance:
    """When two cells count as one, as in pymatgen's ZSLGenerator, in either direction."""

    length: float = 0.03  # of either vector, relative
    angle: float = 0.01  # between the vectors, relative
    ratio: float = 0.09  # of the areas of the cells, absolute on the ratio of the lattices' own areas


def near(left: Supercells, right: Supercells, own: tuple[float, float], tolerance: Tolerance) -> np.ndarray:
    """Indices of pairs of nearly the same area, shape (pairs, 2); `own`: areas of the two lattices' own cells."""
    quotient = left.multiple[:, None] / right.multiple[None]
    ratio = own[0] / own[1]
    return np.argwhere(
        (np.abs(ratio - 1 / quotient) < tolerance.ratio) | (np.abs(1 / ratio - quotient) < tolerance.ratio)
    )


def mismatches(left: Supercells, right: Supercells, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relative mismatch of lengths and of angles of pairs, each (pairs, 2): left to right and right to left."""
    length = right.lengths[pairs[:, 1]] / left.lengths[pairs[:, 0]]
    angle = right.angle[pairs[:, 1]] / left.angle[pairs[:, 0]]
    lengths = np.column_stack([np.abs(length - 1).max(-1), np.abs(1 / length - 1).max(-1)])
    return lengths, np.column_stack([np.abs(angle - 1), np.abs(1 / angle - 1)])


def coincident(left: Supercells, right: Supercells, own: tuple[float, float], tolerance: Tolerance) -> np.ndarray:
    """Indices of pairs that coincide, in one direction or the other, shape (pairs, 2)."""
    pairs = near(left, right, own, tolerance)
    length, angle = mismatches(left, right, pairs)
    return pairs[((length <= tolerance.length) & (angle <= tolerance.angle)).any(axis=1)]
