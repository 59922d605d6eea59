"""Bonds and polyhedra of a bulk crystal, found from distances and oxidation states alone.

Pauling's bond strength, oxidation state over coordination number, sorts the cations: at least 1 is a covalent unit that
no cut may break (PO4, PS4, CO3, MoO4, SiO4), at least 1/2 a polyhedron whose loss of corners is counted (TiO6, ZrO6,
NbO6, CoO6), less is an ion (Li, La). Source: Pauling, J. Am. Chem. Soc. 51, 1010 (1929), 10.1021/ja01379a006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from ionics.interfaces.errors import AtomsError

SPREAD = (
    1.25  # a bond is at most this much longer than the shortest of its cation: TiO6 in LiNbO3-like cells reaches 1.12
)
REACH = 3.6  # angstrom: no cation-anion bond is longer
SOFTNESS = 0.37  # angstrom, of bond valence: Brown and Altermatt, Acta Cryst. B41, 244 (1985)
UNIT, POLYHEDRON = 1.0, 0.5  # least bond strengths


@dataclass(frozen=True)
class Bonds:
    """Cation-anion bonds of a bulk cell: one entry per bond."""

    cation: np.ndarray  # (bonds,) indices
    anion: np.ndarray  # (bonds,)
    image: np.ndarray  # (bonds, 3) cell of the anion when the cation is in cell 0
    valence: np.ndarray  # (bonds,) those of one cation add up to its oxidation state
    length: np.ndarray  # (bonds,) angstrom
    coordination: np.ndarray  # (atoms,) anions about a cation, 0 for others
    strength: np.ndarray  # (atoms,) oxidation state over coordination, 0 for others

    @property
    def units(self) -> np.ndarray:
        """Mask of the centres of covalent units, shape (atoms,)."""
        return self.strength >= UNIT - 1e-9

    @property
    def polyhedra(self) -> np.ndarray:
        """Mask of the centres of polyhedra whose corners are counted, shape (atoms,)."""
        return (self.strength >= POLYHEDRON - 1e-9) & ~self.units


def oxidation(structure: Structure) -> np.ndarray:
    """Oxidation states of an ordered, decorated structure, shape (atoms,)."""
    if not structure.is_ordered:
        raise AtomsError(f"{structure.formula} has partly occupied sites", "order it first (phases.read orders it)")
    states = [getattr(site.specie, "oxi_state", None) for site in structure]
    if any(state is None for state in states):
        if len(structure.composition.elements) == 1:
            return np.zeros(len(structure))
        raise AtomsError(f"{structure.formula} has atoms without oxidation state", "give one for each element")
    return np.array(states, dtype=float)


def bonds(structure: Structure) -> Bonds:
    """All cation-anion bonds of a cell."""
    states = oxidation(structure)
    first, second, image, length = structure.get_neighbor_list(REACH)
    pair = (states[first] > 0) & (states[second] < 0)
    first, second, image, length = first[pair], second[pair], image[pair], length[pair]
    nearest = np.full(len(structure), np.inf)
    np.minimum.at(nearest, first, length)
    near = length <= SPREAD * nearest[first]
    first, second, image, length = first[near], second[near], image[near], length[near]
    weight = np.exp(-length / SOFTNESS)
    total = np.bincount(first, weight, len(structure))
    count = np.bincount(first, minlength=len(structure))
    valence = states[first] * weight / total[first]
    strength = np.where(count > 0, states / np.maximum(count, 1), 0.0)
    return Bonds(first, second, image.astype(int), valence, length, count, strength)


def groups(bond: Bonds, atoms: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Atoms that travel together: each covalent unit with what it shares corners with, every other atom alone.

    Returns the group of each atom (atoms,), the cell (atoms, 3) in which it sits when its group is whole, and whether
    all groups are finite: a framework of units without end (SiO4 in quartz) is left as single atoms and says False.
    """
    of, cell = np.arange(atoms), np.zeros((atoms, 3), dtype=int)
    strong = np.flatnonzero(bond.units[bond.cation])
    finite = True
    for k in strong:
        i, j, shift = bond.cation[k], bond.anion[k], bond.image[k]
        needed = cell[i] + shift - cell[j]
        if of[i] == of[j]:
            finite = finite and not needed.any()
            continue
        members = of == of[j]
        cell[members] += needed
        of[members] = of[i]
    if not finite:
        return np.arange(atoms), np.zeros((atoms, 3), dtype=int), False
    return np.unique(of, return_inverse=True)[1], cell, True
