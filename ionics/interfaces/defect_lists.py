"""Which defects to compute: every lithium that may leave, every hole that could take one, and pairs of both."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from ionics.interfaces.defects import Defect
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface

PAIR = (3.0, 7.0)  # angstrom, between the defects of a pair: nearer ones fall back, farther ones are not one cell's


def holes(atoms: Atoms, most: int = 10_000, symbol: str = "Li") -> np.ndarray:
    """Where one more atom would fit inside [angstrom], (holes, 3): voids as migration finds them, not in a vacuum."""
    from pymatgen.io.ase import AseAtomsAdaptor

    from ionics.interfaces.migration.voids import voids

    structure = AseAtomsAdaptor.get_structure(atoms)
    found = voids(structure, symbol, np.eye(3, dtype=int)[None], np.zeros((1, 3)), most=most)
    points = found @ atoms.cell.array
    inside = (points[:, 2] > atoms.positions[:, 2].min()) & (points[:, 2] < atoms.positions[:, 2].max())
    return points if all(atoms.pbc) and not _vacuum(atoms) else points[inside]


def _vacuum(atoms: Atoms) -> bool:
    heights = np.sort(atoms.positions[:, 2])
    return float(atoms.cell.lengths()[2] - (heights[-1] - heights[0])) > 6.0


def vacancies(atoms: Atoms, fixed: np.ndarray | None = None, symbol: str = "Li") -> list[Defect]:
    """One for every atom of the kind that is not fixed."""
    return [Defect(removed=int(k)) for k in _mobile(atoms, fixed, symbol)]


def interstitials(points: np.ndarray) -> list[Defect]:
    """One for every hole."""
    return [Defect(added=_place(point)) for point in points]


def frenkel_pairs(
    atoms: Atoms,
    points: np.ndarray,
    fixed: np.ndarray | None = None,
    separation: tuple[float, float] = PAIR,
    symbol: str = "Li",
) -> list[Defect]:
    """For every atom that may leave, the nearest hole that is far enough not to let it fall back, in its own slab."""
    found = []
    mobile = _mobile(atoms, fixed, symbol)
    apart, own, tags = _apart(atoms, mobile, points), _tags(atoms, points), atoms.get_tags()
    for k, row in zip(mobile, apart, strict=True):
        fits = (row >= separation[0]) & (row <= separation[1]) & (own == tags[k])
        if fits.any():
            found.append(Defect(int(k), _place(points[np.where(fits, row, np.inf).argmin()])))
    if not found:
        raise AtomsError(
            f"no hole between {separation[0]:g} and {separation[1]:g} angstrom from any {symbol} that may leave",
            "a larger cell, another separation, or fewer fixed atoms",
        )
    return found


def transfers(
    interface: Interface,
    points: np.ndarray,
    fixed: np.ndarray | None = None,
    separation: tuple[float, float] = PAIR,
    symbol: str = "Li",
) -> list[Defect]:
    """For every atom that may leave, the nearest hole of the other slab, in both directions."""
    atoms = interface.atoms
    mobile = _mobile(atoms, fixed, symbol)
    apart, own, tags = _apart(atoms, mobile, points), _tags(atoms, points), atoms.get_tags()
    found = []
    for k, row in zip(mobile, apart, strict=True):
        other = {LEFT: RIGHT, RIGHT: LEFT}[int(tags[k])]
        fits = (own == other) & (row >= separation[0]) & (row <= separation[1])
        if fits.any():
            found.append(Defect(int(k), _place(points[np.where(fits, row, np.inf).argmin()])))
    return found


def _mobile(atoms: Atoms, fixed: np.ndarray | None, symbol: str) -> np.ndarray:
    free = np.ones(len(atoms), bool) if fixed is None else ~np.asarray(fixed, bool)
    found = np.flatnonzero(free & (np.array(atoms.get_chemical_symbols()) == symbol))
    if not len(found):
        raise AtomsError(f"no {symbol} that may leave", f"a structure with {symbol} that is not fixed")
    return found


def _apart(atoms: Atoms, mobile: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distances [angstrom], (mobile, holes)."""
    if not len(points):
        raise AtomsError("no holes in which lithium would fit", "points from `holes`, or of your own")
    return get_distances(atoms.positions[mobile], points, cell=atoms.cell, pbc=atoms.pbc)[1]


def _tags(atoms: Atoms, points: np.ndarray) -> np.ndarray:
    """The slab of every hole: that of the atom nearest to it."""
    apart = get_distances(points, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1]
    return atoms.get_tags()[apart.argmin(axis=1)]


def _place(point: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in point)
    return x, y, z
