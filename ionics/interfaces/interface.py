"""The one form in which an atomistic interface is passed on: ASE atoms of two slabs, left below right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

LEFT, RIGHT = 1, 2  # tags of the atoms


@dataclass(frozen=True)
class Interface:
    """Two slabs in one periodic cell, the left one below, the right one above, then a vacuum.

    The cell's a and b lie in the plane x, y, c along +z. Tags say which slab an atom came from (LEFT, RIGHT), initial
    charges are oxidation states; both survive extxyz files and ase.db. `plane` is the height [angstrom] of the middle
    of the gap as built.
    """

    atoms: Atoms
    left: str  # names of the phases
    right: str
    plane: float

    @property
    def area(self) -> float:
        """Of the cell in the plane [angstrom^2]."""
        a, b = self.atoms.cell.array[:2]
        return float(abs(a[0] * b[1] - a[1] * b[0]))

    @property
    def distance(self) -> np.ndarray:
        """Height of every atom above the plane [angstrom], shape (atoms,): negative in the left slab."""
        return self.atoms.positions[:, 2] - self.plane

    @property
    def oxidation(self) -> np.ndarray:
        """Oxidation state of every atom, shape (atoms,)."""
        return self.atoms.get_initial_charges()

    def side(self, tag: int) -> np.ndarray:
        """Mask of the atoms of one slab, LEFT or RIGHT, shape (atoms,)."""
        return self.atoms.get_tags() == tag

    def outer(self, depth: float) -> np.ndarray:
        """Mask of the atoms that stand within `depth` [angstrom] of either free surface, shape (atoms,)."""
        z = self.atoms.positions[:, 2]
        return (z < z.min() + depth) | (z > z.max() - depth)

    def slab(self, tag: int) -> Atoms:
        """One slab alone in the same cell, as it stands here."""
        return self.atoms[self.side(tag)]

    def moved(self, atoms: Atoms) -> Interface:
        """The same interface with its atoms elsewhere."""
        return replace(self, atoms=atoms)
