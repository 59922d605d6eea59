"""The shape of an ion network: at which radius balls about the ions join, close rings, and fill voids.

Balls of growing radius about the ions: pieces (dimension 0) merge, rings (1) are born and filled, voids (2) are born
and filled. In a periodic crystal some never die: rings around the cell are born where the ions percolate along a
direction, so their births are percolation radii. A slab's balls grow to 5 angstrom; what is left then never dies. Works
on any object with positions and a cell: ASE Atoms, pymatgen Structure.

Sources: Edelsbrunner and Harer, Computational Topology (2010); Hiraoka et al., Proc. Natl. Acad. Sci. 113, 7035 (2016),
10.1073/pnas.1520877113 (materials); Atienza, Gonzalez-Diaz and Soriano-Trigueros, Pattern Recognit. 107, 107509 (2020),
10.1016/j.patcog.2020.107509 (persistence entropy). Library: gudhi.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.patterns.complexes import Complex, periodic_alpha

DIMENSIONS = (0, 1, 2)
LEAST = 1e-3  # angstrom: features that live shorter come from cells with corners on one sphere


def ion_network(
    structure,
    ion: str = "Li",
    plane: float | None = None,
    radii: np.ndarray | None = None,
    distances: np.ndarray | None = None,
) -> xr.Dataset:
    """Births and deaths [angstrom] of pieces, rings and voids of one ion's sublattice, with descriptors.

    feature: dimension, birth, death (infinite for those that never die), weight = 1 / repeats of the cell, so that
    weighted counts are per cell (one piece and three rings of the whole repeated cell remain); z, and distance =
    z - `plane` if a plane is given: the height of the simplex that ends the feature (that begins it, if none does).
    betti (order, radius) per cell; entropy, mean_life (order) of those that die; percolation (direction): births of
    the rings that never die, one per periodic direction. `distances` (edges of bins [angstrom]) adds betti_near
    (order, radius, bin): features by their distance from the plane.
    """
    points, cell, periodic = _of(structure, ion)
    found = periodic_alpha(points, cell, periodic)
    rows = _features(found, cell, periodic)
    result = xr.Dataset(
        {name: ("feature", values) for name, values in rows.items()},
        attrs={"kind": "network", "ion": ion, "ions": len(points), "repeats": list(found.repeats)},
    )
    for name, unit in (("birth", "angstrom"), ("death", "angstrom"), ("z", "angstrom"), ("weight", "1")):
        result[name].attrs["units"] = unit
    if plane is not None:
        result["distance"] = (result.z - plane).assign_attrs(units="angstrom", long_name="distance from the plane")
    grid = _grid(result) if radii is None else np.asarray(radii, dtype=float)
    axis = ("radius", grid, {"units": "angstrom", "long_name": "radius"})
    result = result.assign_coords(radius=axis, order=list(DIMENSIONS))
    result["betti"] = (("order", "radius"), _betti(result, grid))
    result["entropy"] = ("order", [_entropy(result, k) for k in DIMENSIONS])
    result["mean_life"] = ("order", [_mean_life(result, k) for k in DIMENSIONS], {"units": "angstrom"})
    result["percolation"] = ("direction", _percolation(result), {"units": "angstrom"})
    if distances is not None:
        result = _near(result, np.asarray(distances, dtype=float), grid, plane)
    return result


def _of(structure, ion: str) -> tuple[np.ndarray, np.ndarray, tuple[bool, bool, bool]]:
    """Positions of the ions (n, 3) [angstrom], the cell and the directions in which it repeats."""
    if hasattr(structure, "get_chemical_symbols"):
        symbols, where = structure.get_chemical_symbols(), structure.positions
        cell, periodic = np.asarray(structure.cell), structure.pbc
    elif hasattr(structure, "cart_coords"):
        symbols = [site.specie.symbol for site in structure]
        where, cell = structure.cart_coords, structure.lattice.matrix
        periodic = structure.lattice.pbc
    else:
        raise ValueError(f"a {type(structure).__name__} has no positions; pass ASE Atoms or a pymatgen Structure")
    chosen = np.array([symbol == ion for symbol in symbols])
    if chosen.sum() < 1:
        raise ValueError(f"there is no {ion} among {', '.join(sorted(set(symbols)))}")
    cell = np.array(cell, dtype=float)
    for k in np.flatnonzero(~np.asarray(periodic)):  # a direction without period needs some length
        cell[k] = cell[k] if np.linalg.norm(cell[k]) > 0 else np.eye(3)[k]
    if not any(periodic) and chosen.sum() < 5:
        raise ValueError(f"{int(chosen.sum())} ions without periodic directions make no network; at least 5 are needed")
    return np.asarray(where, dtype=float)[chosen], cell, (bool(periodic[0]), bool(periodic[1]), bool(periodic[2]))


def _features(found: Complex, cell: np.ndarray, periodic: tuple[bool, bool, bool]) -> dict[str, np.ndarray]:
    """Columns of the table of features."""
    import gudhi

    tree = gudhi.SimplexTree()
    for simplex, radius in zip(found.simplices, found.radii, strict=True):
        tree.insert(list(simplex), filtration=float(radius))
    tree.make_filtration_non_decreasing()
    tree.compute_persistence(homology_coeff_field=2, min_persistence=LEAST, persistence_dim_max=True)
    rows = []
    for begins, ends in tree.persistence_pairs():
        if len(begins) - 1 not in DIMENSIONS:
            continue
        birth, death = (tree.filtration(list(s)) if s else np.inf for s in (begins, ends))
        if death - birth > LEAST:
            rows.append((len(begins) - 1, birth, death, _height(found, ends or begins, cell, periodic)))
    order, birth, death, z = map(np.array, zip(*sorted(rows), strict=True))
    weight = np.full(len(order), 1 / np.prod(found.repeats))
    return {"dimension": order, "birth": birth, "death": death, "z": z, "weight": weight}


def _height(found: Complex, simplex: list[int], cell: np.ndarray, periodic: tuple[bool, bool, bool]) -> float:
    """Mean height of a simplex's corners; across a period the corners are taken near the first."""
    corners = found.points[list(simplex)]
    if periodic[2]:
        big = cell * np.array(found.repeats)[:, None]
        offset = (corners - corners[0]) @ np.linalg.inv(big)
        corners = corners[0] + (offset - np.round(offset) * np.array(periodic)) @ big
    return float(corners[:, 2].mean())


def _grid(ds: xr.Dataset) -> np.ndarray:
    last = ds.death.values[np.isfinite(ds.death.values)].max(initial=ds.birth.values.max())
    return np.linspace(0, 1.05 * last, 200)


def _betti(ds: xr.Dataset, radii: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Features alive at each radius over the repeats of the cell, (dimensions, radii)."""
    weight = ds.weight.values * (1.0 if mask is None else mask)
    alive = (ds.birth.values[:, None] <= radii) & (radii < ds.death.values[:, None])
    return np.array([((ds.dimension.values == k) * weight) @ alive for k in DIMENSIONS])


def _lives(ds: xr.Dataset, dimension: int) -> np.ndarray:
    lives = (ds.death - ds.birth).values[ds.dimension.values == dimension]
    return lives[np.isfinite(lives)]


def _entropy(ds: xr.Dataset, dimension: int) -> float:
    """Shannon entropy of the shares of the lives over its largest value: 1 if all live equally long."""
    lives = _lives(ds, dimension)
    if len(lives) < 2:
        return np.nan
    share = lives / lives.sum()
    return float(-(share * np.log(share)).sum() / np.log(len(lives)))


def _mean_life(ds: xr.Dataset, dimension: int) -> float:
    lives = _lives(ds, dimension)
    return float(lives.mean()) if len(lives) else np.nan


def _percolation(ds: xr.Dataset) -> np.ndarray:
    return np.sort(ds.birth.values[(ds.dimension.values == 1) & np.isinf(ds.death.values)])


def _near(ds: xr.Dataset, edges: np.ndarray, radii: np.ndarray, plane: float | None) -> xr.Dataset:
    """With Betti curves of the features within each bin of distances."""
    if plane is None or len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("distances need a plane and at least 2 growing edges [angstrom]")
    bins = np.digitize(ds.distance.values, edges) - 1
    curves = np.stack([_betti(ds, radii, bins == k) for k in range(len(edges) - 1)], axis=-1)
    middle = (edges[:-1] + edges[1:]) / 2
    ds = ds.assign_coords(bin=("bin", middle, {"units": "angstrom", "long_name": "distance from the plane"}))
    ds["betti_near"] = (("order", "radius", "bin"), curves)
    return ds
