"""Where one more ion would fit: corners of Voronoi cells with room enough and a bond-valence sum not far from 1."""

from __future__ import annotations

import itertools

import numpy as np
from pymatgen.core import Structure
from scipy.spatial import Voronoi

ANIONS = ("O", "S", "F", "Cl", "Br", "I", "N", "Se", "H")
# Bond-valence parameters R0 [angstrom] of lithium, b = 0.37: Brese & O'Keeffe 1991, 10.1107/S0108768190011041
R0 = {"O": 1.466, "S": 1.94, "F": 1.36, "Cl": 1.91, "Br": 2.02, "I": 2.22, "N": 1.61, "Se": 2.09}
SOFTNESS = 0.37  # angstrom
MISFIT = 0.75  # of the bond-valence sum of lithium, against 1: beyond, the ion hangs loose or is squeezed


def voids(
    structure: Structure,
    ion: str,
    rotations: np.ndarray,
    translations: np.ndarray,
    anion: float = 1.7,
    cation: float = 1.9,
    same: float = 1.6,
    apart: float = 0.8,
    most: int = 12,
) -> np.ndarray:
    """Fractional points of voids, shape (voids, 3), closed under the symmetry given.

    A void stands at least `anion` [angstrom] from every anion, `cation` from every cation, `same` from ions of its own
    kind, which give way, and `apart` from every other void; of more than `most` distinct ones the roomiest stay.
    """
    candidates = _corners(structure)
    negative = np.array([site.specie.symbol in ANIONS for site in structure])
    distances = structure.lattice.get_all_distances(candidates, structure.frac_coords)
    alike = np.array([site.specie.symbol == ion for site in structure])
    room = (distances - np.where(negative, anion, np.where(alike, same, cation))).min(axis=1)
    fits = (room > 0) & (np.abs(_valence(structure, candidates, negative) - 1.0) < MISFIT)
    candidates, room = candidates[fits], room[fits]
    if not len(candidates):
        return np.zeros((0, 3))
    found: list[np.ndarray] = []
    orbits = 0
    for point in candidates[np.argsort(-np.round(room, 6), kind="stable")]:
        if orbits == most:
            break
        if found and structure.lattice.get_all_distances(point, np.array(found)).min() < apart:
            continue
        orbit = _orbit(point, rotations, translations, structure, apart)
        found.extend(orbit)
        orbits += 1
    return np.array(found) % 1.0


def _corners(structure: Structure) -> np.ndarray:
    """Corners of the Voronoi cells within one unit cell, fractional, shape (corners, 3)."""
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    points = (structure.frac_coords % 1.0)[None] + shifts[:, None, :]
    diagram = Voronoi(points.reshape(-1, 3) @ structure.lattice.matrix)
    corners = structure.lattice.get_fractional_coords(diagram.vertices)
    inside = np.all((corners > -1e-6) & (corners < 1 - 1e-6), axis=1)
    return np.unique(np.round(corners[inside], 6), axis=0)


def _valence(structure: Structure, points: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Bond-valence sum of lithium at the points from the anions' nearest images, shape (points,)."""
    if not negative.any():
        return np.ones(len(points))
    anions = [site for site, minus in zip(structure, negative, strict=True) if minus]
    distances = structure.lattice.get_all_distances(points, [site.frac_coords for site in anions])
    r0 = np.array([R0.get(site.specie.symbol, 1.5) for site in anions])
    return np.exp((r0 - distances) / SOFTNESS).sum(axis=1)


def _orbit(point, rotations, translations, structure: Structure, apart: float) -> list[np.ndarray]:
    """All images of a point; those nearer than `apart` to each other are one, at their mean (a special position)."""
    images = rotations @ point + translations
    left = list(range(len(images)))
    means = []
    while left:
        away = images[left] - images[left[0]]
        away -= np.rint(away)
        near = np.linalg.norm(away @ structure.lattice.matrix, axis=1) < apart
        means.append((images[left[0]] + away[near].mean(axis=0)) % 1.0)
        left = [i for i, together in zip(left, near, strict=True) if not together]
    return means
