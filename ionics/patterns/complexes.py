"""Alpha complex of a periodic set of points, as a simplicial complex on the torus.

The Delaunay cells of the points and of their images near the cell come from gudhi with exact arithmetic; simplices that
touch the cell are named by the points they are images of. Small cells are repeated until no simplex meets itself around
the cell and no two share all their points, for only then the names are a simplicial complex. Crystals have cells whose
corners lie on one sphere; points are moved by SHAKE, all images alike, so that images are cut alike.

Source: Edelsbrunner and Muecke, ACM Trans. Graph. 13, 43 (1994), 10.1145/174462.156635 (alpha shapes); Caroli and
Teillaud, Discrete Comput. Geom. 55, 827 (2016), 10.1007/s00454-016-9782-6 (periodic triangulations by covering).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

SHAKE = 1e-5  # angstrom: positions and radii are good to this
OPEN = 5.0  # angstrom: balls grow this far if a direction has no period; a flat surface has cells of any radius
MOST = 60_000  # points with images: beyond, ask for a smaller cell


@dataclass(frozen=True)
class Complex:
    """Simplices on the torus and the radii at which they appear."""

    simplices: list[tuple[int, ...]]
    radii: np.ndarray  # (simplices,) angstrom
    points: np.ndarray  # (points, 3) of the repeated cell
    atoms: np.ndarray  # (points,) which atom of the given cell each is an image of
    repeats: tuple[int, int, int]


def periodic_alpha(points: np.ndarray, cell: np.ndarray, periodic: tuple[bool, bool, bool]) -> Complex:
    """Of points (n, 3) [angstrom] in a cell whose rows are its vectors, periodic along some of them."""
    shaken = points + SHAKE * np.random.default_rng(0).uniform(-1, 1, points.shape)
    repeats = np.ones(3, dtype=int)
    while True:
        found = _try(shaken, cell, np.array(periodic), repeats)
        if found is not None:
            return found
        widths = repeats / np.linalg.norm(np.linalg.inv(cell), axis=0)
        repeats[np.where(periodic, widths, np.inf).argmin()] += 1


def _try(points: np.ndarray, cell: np.ndarray, periodic: np.ndarray, repeats: np.ndarray) -> Complex | None:
    """The complex in a repeated cell, or None if the cell is too small for one."""
    shifts = np.array(list(product(*map(range, repeats))))
    whole = (points[None] + (shifts @ cell)[:, None]).reshape(-1, 3)
    big = cell * repeats[:, None]
    margin, cloud, owner, home = _images(whole, big, periodic)
    simplices, radii = {}, []
    for vertices, square in _delaunay(cloud):
        if not home[vertices].any():
            continue
        radius = float(np.sqrt(square))
        if radius > OPEN and not periodic.all():
            continue
        if radius > margin / 2:
            return None  # its sphere may reach beyond the images
        names = tuple(sorted(owner[vertices].tolist()))
        if len(set(names)) < len(names):
            return None
        shape = _shape(cloud[vertices], owner[vertices])
        known = simplices.setdefault(names, shape)
        if np.abs(known - shape).max() > 100 * SHAKE:
            return None  # two simplices with the same points
        if known is shape:
            radii.append(radius)
    atoms = np.tile(np.arange(len(points)), len(shifts))
    return Complex(list(simplices), np.array(radii), whole, atoms, tuple(int(n) for n in repeats))


def _shape(corners: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Edges from the first-named point to the others: the same for all images of a simplex."""
    order = np.argsort(owners)
    return corners[order] - corners[order[0]]


def _images(
    whole: np.ndarray, big: np.ndarray, periodic: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Depth of the shell of images about the cell, points with images, whose images they are, which are originals."""
    widths = 1 / np.linalg.norm(np.linalg.inv(big), axis=0)
    margin = float(widths[periodic].min()) if periodic.any() else np.inf
    reach = [range(-1, 2) if p else range(1) for p in periodic]
    fractional = whole @ np.linalg.inv(big)
    fractional -= np.floor(fractional) * periodic
    inside = fractional @ big
    cloud, owner, home = [inside], [np.arange(len(whole))], [np.ones(len(whole), bool)]
    for shift in product(*reach):
        if any(shift):
            moved = fractional + shift
            away = np.maximum(np.maximum(-moved, moved - 1) * widths, 0)[:, periodic].max(1)  # angstrom
            near = away < margin
            cloud.append(moved[near] @ big)
            owner.append(np.flatnonzero(near))
            home.append(np.zeros(near.sum(), bool))
    joined = np.concatenate(cloud)
    if len(joined) > MOST:
        raise ValueError(f"{len(joined)} points with their images are too many; pass a smaller cell or fewer ions")
    return margin, joined, np.concatenate(owner), np.concatenate(home)


def _delaunay(cloud: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Simplices of the alpha complex and their squared radii."""
    import gudhi

    tree = gudhi.AlphaComplex(points=cloud, precision="safe").create_simplex_tree()
    return [(np.array(vertices), max(value, 0.0)) for vertices, value in tree.get_simplices()]
