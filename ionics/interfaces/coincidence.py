"""Cells of two planes that coincide within limits, with the strain of both sides; copies by symmetry left out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ionics.interfaces import strain as straining
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.phases import Phase
from ionics.interfaces.slabs import Facet, Plane
from ionics.interfaces.supercells import Tolerance, coincident, supercells
from ionics.interfaces.terminations import repeats

SAME = 1e-4  # matches whose mappings differ by less are one
STEEPEST = 35.0  # degrees: a cell with a sharper corner is not used


@dataclass(frozen=True)
class Limits:
    """What a candidate may be. Lengths in angstrom, strains as fractions."""

    area: float = 200.0  # angstrom^2, largest cell
    mismatch: float = 0.03  # of the lengths of the two cells' vectors, before strain is shared
    angle: float = 0.01  # of the angles between them, relative
    strain: float = 0.03  # largest principal strain of either slab
    shear: float = 0.02  # radians by which a right angle in either slab may change
    atoms: int = 300  # most atoms
    thickness: tuple[float, float] = (8.0, 8.0)  # least height of the left and the right slab
    layer: float = 0.25  # atoms nearer in height form one layer when cuts are looked for
    merge: bool = True  # leave out matches and cuts that symmetry or whole units make equal
    compensate: bool = True  # carry ions across a slab whose cut is polar

    def __post_init__(self):
        for name in ("area", "mismatch", "angle", "strain", "shear", "atoms", "layer"):
            if not getattr(self, name) > 0:
                raise AtomsError(f"the limit {name} is {getattr(self, name)}", "a number above 0")

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(self.mismatch, self.angle)


@dataclass(frozen=True, eq=False)
class Match:
    """Two cells that coincide once both slabs are strained."""

    left_plane: Plane
    right_plane: Plane
    left_cell: np.ndarray = field(repr=False)  # (2, 2) angstrom, rows, of the unstrained left facet
    right_cell: np.ndarray = field(repr=False)  # (2, 2), of the right one, after its turn upside down if flipped
    axes: np.ndarray = field(repr=False)  # (2, 2) principal axes as columns, frame of the left facet
    left_count: int  # cells of the facet in the common cell
    right_count: int
    area: float  # angstrom^2, of the common cell
    misfit: np.ndarray  # (2,) principal logarithmic strains from left to right
    left_strain: np.ndarray  # (2,) those of the left slab, along the same axes
    right_strain: np.ndarray  # (2,)
    normal: tuple[float, float]  # strain of each slab along its free normal
    shear: float  # radians, largest change of a right angle in either slab
    turn: float  # degrees, of the right crystal's x axis against the left's
    energy: float  # eV/angstrom^2, elastic, of both slabs
    flipped: bool  # the right slab stands on its head: a mirror image is no crystal
    copies: int = 1  # matches that symmetry makes equal to this one

    @property
    def strain(self) -> float:
        """The largest principal strain of either slab."""
        return float(max(np.abs(self.left_strain).max(), np.abs(self.right_strain).max()))

    @property
    def von_mises(self) -> float:
        """The scalar that other tools report for the misfit, for comparison."""
        return float(straining.von_mises(self.misfit))

    @property
    def cell(self) -> np.ndarray:
        """The common cell (2, 2) [angstrom], rows, in the frame of the left facet."""
        return self.left_cell @ straining.tensor(self.left_strain, self.axes)


def pairs(left: Phase, right: Phase, a: Facet, b: Facet, limits: Limits) -> list[Match]:
    """All coincident cells of two facets, with strain; merged by symmetry if wanted."""
    cells = [supercells(f.cell[:2, :2], limits.area) for f in (a, b)]
    index = coincident(cells[0], cells[1], (a.area, b.area), limits.tolerance)
    if not len(index):
        return []
    first, second = cells[0].vectors[index[:, 0]], cells[1].vectors[index[:, 1]]
    first, second, flipped = _handed(first, second)
    kept, copies = np.arange(len(index)), np.ones(len(index), dtype=int)
    if limits.merge:
        kept, copies = _distinct(first, second, flipped, a.symmetries, b.symmetries)
    counts = [c.multiple[index[kept, k]] for k, c in enumerate(cells)]
    return _strained(left, right, a, b, limits, first[kept], second[kept], flipped[kept], counts, copies)


def _handed(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right-handed left cells; right cells of the other hand are turned upside down about x. All (pairs, 2, 2)."""
    wrong = np.linalg.det(first) < 0
    first, second = (
        np.where(wrong[:, None, None], first[:, ::-1], first),
        np.where(wrong[:, None, None], second[:, ::-1], second),
    )
    flipped = np.linalg.det(second) < 0
    return first, second * np.where(flipped[:, None, None], [1.0, -1.0], 1.0), flipped


def _distinct(
    first: np.ndarray, second: np.ndarray, flipped: np.ndarray, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of matches that no symmetry of the two crystals maps onto another, and copies of each.

    The mapping from left to right coordinates decides: one mapping has one smallest common cell, so a repeated cell is
    a copy (the smallest is kept), and so is a mapping that follows by a symmetry of the left slab, its normal up, and
    one of the right.
    """
    unturned = second * np.where(flipped[:, None, None], [1.0, -1.0], 1.0)
    mapping = np.linalg.solve(first, unturned)
    best = np.full((len(mapping), 4), -np.inf)
    for one in left[left[:, 2, 2] > 0]:
        for two in right:
            if np.linalg.det(one) * np.linalg.det(two) > 0:
                image = np.round((one[:2, :2].T @ mapping @ two[:2, :2]).reshape(-1, 4) / SAME) + 0.0
                best = _larger(best, image)
    order = np.argsort(np.linalg.det(first), kind="stable")
    _, kept, copies = np.unique(best[order], axis=0, return_index=True, return_counts=True)
    return order[kept], copies


def _larger(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Row by row the lexicographically larger of two arrays (rows, 4)."""
    differ = one != two
    where = differ.argmax(axis=1)
    rows = np.arange(len(one))
    take = differ.any(axis=1) & (two[rows, where] > one[rows, where])
    return np.where(take[:, None], two, one)


def _strained(
    left: Phase,
    right: Phase,
    a: Facet,
    b: Facet,
    limits: Limits,
    first: np.ndarray,
    second: np.ndarray,
    flipped: np.ndarray,
    counts: list[np.ndarray],
    copies: np.ndarray,
) -> list[Match]:
    thick = [f.repeat * repeats(f, t) for f, t in zip((a, b), limits.thickness, strict=True)]
    sheet = straining.sheets(left.elasticity, right.elasticity, (thick[0], thick[1]))
    misfit, axes, rotation = straining.misfit(first, second)
    mine, other = straining.share(misfit, *sheet)
    energy = sheet[0].energy(mine) + sheet[1].energy(other)
    normals = np.column_stack([sheet[0].normal(mine), sheet[1].normal(other)])
    shear = np.maximum(*(np.abs(e[:, 1] - e[:, 0]) for e in (mine, other)))
    area = np.linalg.det(first) * np.exp(mine.sum(-1))
    turn = -np.degrees(np.arctan2(rotation[:, 0, 1], rotation[:, 0, 0]))
    return [
        Match(
            a.plane,
            b.plane,
            first[k],
            second[k],
            axes[k],
            int(counts[0][k]),
            int(counts[1][k]),
            float(area[k]),
            misfit[k],
            mine[k],
            other[k],
            (float(normals[k, 0]), float(normals[k, 1])),
            float(shear[k]),
            float(turn[k]),
            float(energy[k]),
            bool(flipped[k]),
            int(copies[k]),
        )
        for k in np.argsort(energy, kind="stable")
    ]


def within(found: list[Match], limits: Limits) -> tuple[list[Match], list[Match]]:
    """Matches that the strain limits admit, and the others."""
    good = [m for m in found if m.strain <= limits.strain and m.shear <= limits.shear and _open(m)]
    kept = set(map(id, good))
    return good, [m for m in found if id(m) not in kept]


def _open(match: Match) -> bool:
    a, b = match.cell
    angle = np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    return bool(STEEPEST <= angle <= 180 - STEEPEST)
