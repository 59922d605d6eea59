"""Relaxed ends of paths, so that a defect that ends several paths, as it stands or turned, is relaxed once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial import KDTree

from ionics.interfaces.migration.sites import Sites

SAME = 0.05  # angstrom: atoms nearer than this stand at the same place
Operation = tuple[np.ndarray, np.ndarray]  # of fractional coordinates of the supercell: rotation (3, 3), shift (3,)


class Ends:
    """Remembers what became of every end; finds it again whatever the order of its atoms, also turned by symmetry."""

    def __init__(self, operations: Sequence[Operation] = ()):
        self._operations = [(np.eye(3), np.zeros(3)), *operations]
        self._known: list[tuple[Atoms, np.ndarray, float]] = []

    def add(self, before: Atoms, relaxed: Atoms, energy: float):
        """An end as built and as relaxed [eV]."""
        step, _ = find_mic(relaxed.positions - before.positions, before.cell, before.pbc)
        self._known.append((before.copy(), step, float(energy)))

    def find(self, atoms: Atoms) -> tuple[np.ndarray, float] | None:
        """Relaxed positions [angstrom], shape (atoms, 3), in the order of `atoms`, and the energy [eV]; or nothing."""
        for before, step, energy in self._known:
            if len(atoms) != len(before) or not np.allclose(atoms.cell, before.cell, atol=1e-6):
                continue
            for rotation, shift in self._operations:
                order = _order(atoms, before, rotation, shift)
                if order is not None:
                    cell = atoms.cell.array
                    turned = np.linalg.solve(cell.T, step[order].T).T @ rotation.T @ cell
                    return atoms.positions + turned, energy
        return None


def symmetric(found: Sites, repeats: Sequence[int]) -> Ends:
    """Ends of paths in a supercell of a crystal: one relaxation serves all equal ones."""
    size = np.array(repeats)
    operations: list[Operation] = []
    for index, rotation in enumerate(found.rotations):
        turned = rotation * size[None, :] / size[:, None]
        if not np.allclose(turned, np.rint(turned)):
            continue  # does not keep the supercell
        for cell in itertools.product(*(range(n) for n in size)):
            operations.append((turned, (found.translations[index] + np.array(cell)) / size))
    return Ends(operations)


def _order(atoms: Atoms, before: Atoms, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray | None:
    """Which atom of `before`, once turned, stands where each of `atoms` stands, shape (atoms,); or nothing."""
    there = (before.get_scaled_positions(wrap=False) @ rotation.T + shift) % 1.0 % 1.0
    here = atoms.get_scaled_positions() % 1.0
    _, found = KDTree(there, boxsize=1.0).query(here)
    order = np.asarray(found)
    apart = here - there[order]
    apart = (apart - np.rint(apart)) @ atoms.cell.array
    alike = np.array_equal(atoms.numbers, before.numbers[order])
    same = alike and np.linalg.norm(apart, axis=1).max() < SAME and len(set(order)) == len(order)
    return order if same else None
