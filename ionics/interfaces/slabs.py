"""Planes of a crystal, the places where it can be cut, and slabs that leave covalent units whole.

A facet is the smallest cell that repeats the bulk behind a plane: two vectors in the plane, a third that climbs one
repeat. A cut height says where the slab begins; a unit (PO4) goes as a whole to the side of its centre, so that any
number of repeats has the composition and charge of the bulk. Where a cut leaves a dipole that grows with thickness,
a fraction of the outermost ions is carried to the other face (Tasker, J. Phys. C 12, 4977 (1979), type III).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm

import numpy as np
from pymatgen.core import Structure
from pymatgen.core.surface import SlabGenerator
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from ionics.interfaces import polyhedra
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.phases import Phase

Plane = tuple[int, int, int]
LAYER = 0.25  # angstrom: atoms nearer than this in height form one layer, as in pymatgen's interface builder


@dataclass(frozen=True, eq=False)
class Facet:
    """A crystal seen along the normal of one of its planes; z is the height, the first vector lies along x."""

    phase: str
    plane: Plane
    cell: np.ndarray  # (3, 3) angstrom, rows; the third climbs by `repeat`
    positions: np.ndarray  # (atoms, 3) angstrom, units whole
    symbols: tuple[str, ...]
    oxidation: np.ndarray  # (atoms,) e
    group: np.ndarray  # (atoms,) which atoms travel together
    bonds: polyhedra.Bonds
    whole: bool  # covalent units are finite
    symmetries: np.ndarray = field(repr=False)  # (operations, 3, 3) rotations that keep the plane, normal up or down

    @property
    def repeat(self) -> float:
        """Height after which the crystal repeats, up to a shift in the plane [angstrom]."""
        return float(self.cell[2, 2])

    @property
    def area(self) -> float:
        """Of the cell in the plane [angstrom^2]."""
        return float(abs(np.linalg.det(self.cell[:2, :2])))

    @property
    def height(self) -> np.ndarray:
        """Of the centre of the group of each atom [angstrom], shape (atoms,)."""
        central = np.where(self.bonds.units, 1.0, 0.0)
        alone = np.bincount(self.group, central)[self.group] == 0
        weight = np.where(alone, 1.0, central)
        return (np.bincount(self.group, weight * self.positions[:, 2]) / np.bincount(self.group, weight))[self.group]


def facet(phase: Phase, plane: Plane) -> Facet:
    """A crystal ready to be cut along a plane, Miller indices of its conventional cell, which phases keep."""
    plane, bulk = _checked(plane), phase.structure
    polyhedra.oxidation(bulk)  # refuses what cannot be cut
    analyzer = SpacegroupAnalyzer(bulk)
    operations = analyzer.get_space_group_operations()
    translations = [o.translation_vector for o in operations if np.allclose(o.rotation_matrix, np.eye(3))]
    basis = _shortened(_plane_basis(_primitive(translations), plane), bulk.lattice.matrix)
    matrix, turn = _upright(basis @ bulk.lattice.matrix)
    small = _inside(bulk, basis)
    bond = polyhedra.bonds(small)
    group, image, whole = polyhedra.groups(bond, len(small))
    return Facet(
        phase=phase.name,
        plane=plane,
        cell=matrix,
        positions=(small.frac_coords + image) @ matrix,
        symbols=tuple(site.specie.symbol for site in small),
        oxidation=polyhedra.oxidation(small),
        group=group,
        bonds=_moved(bond, image),
        whole=whole,
        symmetries=_symmetries(bulk, operations, turn),
    )


def heights(phase: Phase, plane: Plane, layer: float = LAYER) -> list[float]:
    """Where pymatgen's SlabGenerator cuts one period of the conventional cell [angstrom], nothing merged."""
    plane, bulk = _checked(plane), phase.structure.copy()  # the generator writes into it
    generator = SlabGenerator(bulk, plane, 1, 1, in_unit_planes=True, primitive=True, reorient_lattice=False)
    normal = bulk.lattice.reciprocal_lattice_crystallographic.get_cartesian_coords(plane)
    climb = generator.oriented_unit_cell.lattice.matrix[2] @ normal / np.linalg.norm(normal)  # may be negative
    return [float(shift * climb) for shift in generator.gen_possible_terminations(ftol=layer)]


def _checked(plane: Plane) -> Plane:
    try:
        h, k, m = (int(i) for i in plane)
        if (h, k, m) != tuple(float(i) for i in plane):
            raise ValueError
    except (TypeError, ValueError):
        raise AtomsError(f"{plane!r} is no plane", "three whole numbers, the Miller indices, e.g. (1, 0, 4)") from None
    if not any((h, k, m)):
        raise AtomsError("(0, 0, 0) is no plane", "at least one Miller index other than 0, e.g. (0, 0, 1)")
    divisor = gcd(h, k, m)
    return h // divisor, k // divisor, m // divisor


def _primitive(translations: list[np.ndarray]) -> np.ndarray:
    """Shortest lattice of a centred cell: rows, in fractions of the cell, from its pure translations."""
    parts = [[Fraction(float(x)).limit_denominator(48) for x in t] for t in translations]
    scale = lcm(*(x.denominator for row in parts for x in row))
    rows = [[int(x * scale) for x in row] for row in parts] + (scale * np.eye(3, dtype=int)).tolist()
    basis = []
    for column in range(3):
        rows = [row for row in rows if any(row)]
        while sum(row[column] != 0 for row in rows) > 1:
            rows.sort(key=lambda row: abs(row[column]) or np.inf)
            first = rows[0]
            rows = [first] + [_less(row, first, column) for row in rows[1:]]
        basis.append(next(row for row in rows if row[column]))
        rows = [row for row in rows if not row[column]]
    return np.array(basis) / scale


def _less(row: list[int], first: list[int], column: int) -> list[int]:
    times = row[column] // first[column]
    return [x - times * y for x, y in zip(row, first, strict=True)]


def _plane_basis(primitive: np.ndarray, plane: Plane) -> np.ndarray:
    """Three rows that span the same lattice: two in the plane, one a single step above it."""
    climbs = primitive @ np.array(plane, dtype=float)
    smallest = np.abs(climbs[np.abs(climbs) > 1e-9]).min()
    scale = next(k for k in range(1, 200) if np.allclose(climbs / smallest * k, np.round(climbs / smallest * k)))
    climb, rows = [round(c) for c in climbs / smallest * scale], [row.copy() for row in primitive]
    while sum(c != 0 for c in climb) > 1:
        order = sorted(range(3), key=lambda k: abs(climb[k]) or 10**9)
        first = order[0]
        for k in order[1:]:
            times = climb[k] // climb[first]
            climb[k] -= times * climb[first]
            rows[k] = rows[k] - times * rows[first]
    up = next(k for k in range(3) if climb[k])
    flat = [rows[k] for k in range(3) if k != up]
    return np.array([*flat, rows[up] * np.sign(climb[up])])


def _shortened(basis: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """The same lattice and plane with short vectors: Gauss' reduction, the third vector nearly upright."""
    a, b, c = basis
    while True:
        if np.linalg.norm(b @ lattice) < np.linalg.norm(a @ lattice) - 1e-9:
            a, b = b, a
        times = np.round((a @ lattice) @ (b @ lattice) / ((a @ lattice) @ (a @ lattice)) - 1e-9)
        if not times:
            break
        b = b - times * a
    flat = np.linalg.lstsq(np.array([a, b]).dot(lattice).T, c @ lattice, rcond=None)[0]
    c = c - np.round(flat[0]) * a - np.round(flat[1]) * b
    if np.linalg.det(np.array([a, b, c]) @ lattice) < 0:
        b = -b
    return np.array([a, b, c])


def _upright(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cell turned so that its plane is x, y and its first vector lies along x; and the turn, rows @ turn."""
    normal = np.cross(matrix[0], matrix[1])
    z = normal / np.linalg.norm(normal) * np.sign(normal @ matrix[2])
    x = matrix[0] / np.linalg.norm(matrix[0])
    turn = np.column_stack([x, np.cross(z, x), z])
    return matrix @ turn, turn


def _inside(bulk: Structure, basis: np.ndarray) -> Structure:
    """The atoms of a bulk cell that are distinct in the cell of `basis` (rows in fractions of the bulk cell)."""
    fractions = bulk.frac_coords @ np.linalg.inv(basis)
    keep: list[int] = []
    for i, site in enumerate(bulk):
        gap = fractions[keep] - fractions[i]
        near = np.linalg.norm((gap - np.round(gap)) @ basis @ bulk.lattice.matrix, axis=1) < 0.05
        if not any(bulk[keep[k]].specie == site.specie for k in np.flatnonzero(near)):
            keep.append(i)
    return Structure(basis @ bulk.lattice.matrix, [bulk[i].specie for i in keep], fractions[keep] % 1.0)


def _moved(bond: polyhedra.Bonds, image: np.ndarray) -> polyhedra.Bonds:
    """Bonds after the atoms have gone to other cells."""
    shifted = bond.image + image[bond.cation] - image[bond.anion]
    return polyhedra.Bonds(
        bond.cation, bond.anion, shifted, bond.valence, bond.length, bond.coordination, bond.strength
    )


def _symmetries(bulk: Structure, operations: list, turn: np.ndarray) -> np.ndarray:
    """Rotations of the crystal that map the plane onto itself, in the frame of the facet (columns transform)."""
    lattice = bulk.lattice.matrix.T
    found: list[np.ndarray] = []
    for operation in operations:
        cartesian = turn.T @ lattice @ operation.rotation_matrix @ np.linalg.inv(lattice) @ turn
        flat = abs(abs(cartesian[2, 2]) - 1) < 1e-4
        if flat and not any(np.allclose(cartesian, other, atol=1e-4) for other in found):
            found.append(cartesian)
    return np.array(found)
