"""The places of one ion in a crystal, and where every symmetry operation takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.migration import voids

Place = tuple[int, tuple[int, int, int]]  # a site of the cell, and the cell it stands in


@dataclass(frozen=True)
class Sites:
    """Sites of an ion, full ones first, then voids, with their symmetry.

    `taken[o, s]` is the site onto which operation o takes site s, `shift[o, s]` the cell in which that image stands.
    """

    structure: Structure
    ion: str
    points: np.ndarray  # fractional, shape (sites, 3)
    atom: np.ndarray  # index of the ion in the structure, -1 for a void, shape (sites,)
    orbit: np.ndarray  # sites of equal number are equal by symmetry, shape (sites,)
    names: tuple[str, ...]  # Wyckoff multiplicity and letter of a full site, 'i1', 'i2' ... of a void
    taken: np.ndarray  # shape (operations, sites)
    shift: np.ndarray  # shape (operations, sites, 3)
    rotations: np.ndarray  # of fractional coordinates, integers, shape (operations, 3, 3)
    translations: np.ndarray  # fractional, shape (operations, 3)

    @property
    def full(self) -> np.ndarray:
        """Mask of the sites that hold an ion, shape (sites,)."""
        return self.atom >= 0

    def position(self, place: Place) -> np.ndarray:
        """Of a place [angstrom], shape (3,)."""
        index, cell = place
        return self.structure.lattice.get_cartesian_coords(self.points[index] + np.array(cell))

    def image(self, operation: int, place: Place) -> Place:
        """Where a symmetry operation takes a place."""
        index, cell = place
        turned = self.rotations[operation] @ np.array(cell) + self.shift[operation, index]
        return int(self.taken[operation, index]), (int(turned[0]), int(turned[1]), int(turned[2]))


def sites(structure: Structure, ion: str = "Li", interstitials: bool = False, symprec: float = 0.01) -> Sites:
    """The full sites of an ion and, if asked, the voids that could take one more.

    The cell should be the conventional or the primitive one: a supercell of another shape hides symmetry, and equal
    hops are then told apart. `symprec` [angstrom]: how far an atom may stand from its place, as spglib takes it.
    """
    _ordered(structure, ion)
    bare = structure.copy()
    bare.remove_oxidation_states()
    analyzer = SpacegroupAnalyzer(bare, symprec=symprec)
    operations = analyzer.get_symmetry_operations()
    rotations = np.array([np.rint(o.rotation_matrix).astype(int) for o in operations])
    translations = np.array([o.translation_vector for o in operations])
    atom = np.array([i for i, site in enumerate(bare) if site.specie.symbol == ion])
    points = bare.frac_coords[atom] % 1.0
    if interstitials:
        empty = voids.voids(bare, ion, rotations, translations)
        points = np.concatenate([points, empty])
        atom = np.concatenate([atom, np.full(len(empty), -1)])
    taken, shift = _table(points, rotations, translations, structure.lattice.matrix, 20 * symprec)
    orbit = taken.min(axis=0)
    names = _names(analyzer, atom, orbit)
    return Sites(structure, ion, points, atom, orbit, names, taken, shift, rotations, translations)


def _ordered(structure: Structure, ion: str):
    if not structure.is_ordered:
        raise AtomsError(
            f"{structure.composition.reduced_formula} has partly filled sites",
            "order it first: a hop needs to know which sites are full (ionics.interfaces.ordering)",
        )
    present = {element.symbol for element in structure.composition.element_composition}
    if ion not in present:
        raise AtomsError(f"no {ion} in {structure.composition.reduced_formula}", f"an element of {sorted(present)}")


def _table(points, rotations, translations, lattice, tolerance):
    """Which site every operation takes every site onto, shape (operations, sites), and in which cell."""
    moved = np.einsum("oij,sj->osi", rotations, points) + translations[:, None, :]
    apart = moved[:, :, None, :] - points  # (operations, sites, sites, 3)
    whole = np.rint(apart)
    distance = np.linalg.norm((apart - whole) @ lattice, axis=-1)
    taken = distance.argmin(axis=-1)
    worst = distance.min(axis=-1).max()
    if worst > tolerance:
        raise AtomsError(
            f"a symmetry operation misses a site by {worst:.2f} angstrom",
            "relax or symmetrise the structure, or ask for a smaller symprec",
        )
    shift = np.take_along_axis(whole, taken[:, :, None, None], axis=2)[:, :, 0, :].astype(int)
    return taken, shift


def _names(analyzer: SpacegroupAnalyzer, atom: np.ndarray, orbit: np.ndarray) -> tuple[str, ...]:
    """Wyckoff names; a second orbit on the same letter gets a prime. Multiplicities are of the conventional cell."""
    letters = analyzer.get_symmetry_dataset().wyckoffs
    scale = _conventional(analyzer)
    named: dict[int, str] = {}
    void = 0
    for site in np.unique(orbit):
        if atom[site] < 0:
            void += 1
            named[int(site)] = f"i{void}"
            continue
        name = f"{round(np.sum(orbit == site) * scale)}{letters[atom[site]]}"
        while name in named.values():
            name += "'"
        named[int(site)] = name
    return tuple(named[int(o)] for o in orbit)


def _conventional(analyzer: SpacegroupAnalyzer) -> float:
    """Volume of the conventional cell over that of the cell given."""
    dataset = analyzer.get_symmetry_dataset()
    return 1.0 / abs(np.linalg.det(dataset.transformation_matrix))
