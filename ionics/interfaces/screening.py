"""First look at ion migration, in seconds: the bond-valence site energy and its percolation.

The energy [eV] of a mobile ion at a point of the rigid crystal without its own kind is

    1/2 sum_(counter-ions) D [(exp(alpha (R - r)) - 1)^2 - 1] + sum_(like ions) k q q' erfc(r/rho)/(r sqrt(n n')),

n: principal quantum numbers, rho: 0.74 times the sum of the covalent radii. Form and parameters: S. Adams and
R. Prasada Rao, Phys. Status Solidi A 208, 1746 (2011), doi:10.1002/pssa.201001116; H. Chen, L. L. Wong and S. Adams,
Acta Cryst. B 75, 18 (2019), doi:10.1107/S2052520618015718; the half as in the package bvlain 0.25, so that barriers
compare. No relaxation, no vacancies, no other mobile ion: good for ranking crystals and directions, not for a barrier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from pymatgen.core import Structure
from pymatgen.optimization.neighbors import find_points_in_spheres
from scipy.ndimage import generate_binary_structure, label
from scipy.special import erfc

from ionics.interfaces.bond_valence import well
from ionics.interfaces.errors import AtomsError

COULOMB = 14.3996455  # eV angstrom, e^2/(4 pi eps0)
REACH = 8.0  # angstrom, cutoff
SHARPNESS = 0.74
CLOSE = 0.005  # eV, to which barriers are found
PERIODS = np.array([2, 10, 18, 36, 54, 86])  # the last elements of the periods
NEIGHBOURS = generate_binary_structure(3, 3)  # 26


@dataclass(frozen=True)
class Screening:
    """The site energies of one kind of ion in a crystal."""

    ion: str
    energy: np.ndarray  # eV, (points along a, along b, along c), the lowest is zero
    cell: np.ndarray  # angstrom, (3, 3)
    barriers: tuple[float, float, float]  # eV, along a, b, c; inf where nothing connects below the ceiling
    dimensions: tuple[float, float, float]  # eV, at which paths percolate in 1, 2, 3 dimensions
    lowest: np.ndarray  # fractional coordinates of the lowest point, (3,)

    def at(self, place: np.ndarray) -> float:
        """Energy [eV] above the lowest point at the grid point next to fractional coordinates, (3,)."""
        return float(self.energy[_index(place, self.energy.shape)])

    def between(self, first: np.ndarray, second: np.ndarray) -> float:
        """Highest energy [eV] on the best way between two places (fractional, (3,)) or their images; inf: no way."""
        ends = [_index(place, self.energy.shape) for place in (first, second)]
        floor = max(self.energy[end] for end in ends)

        def joined(ceiling):
            groups, names = _groups(self.energy <= ceiling)
            return names[groups[ends[0]]][0] == names[groups[ends[1]]][0]

        return _lowest(joined, float(floor), float(np.max(self.energy)))


def screen(structure: Structure | Atoms, ion: str = "Li+", spacing: float = 0.2, ceiling: float = 5.0) -> Screening:
    """Site energies of `ion` on a grid of about `spacing` [angstrom], and the barriers [eV] of percolation.

    The structure is ordered and has oxidation states (in ASE atoms: initial charges). Above `ceiling` [eV] no way is
    looked for.
    """
    symbols, charges, positions, cell = _unpack(structure)
    element, charge = _ion(ion)
    host = symbols != element
    if host.all():
        raise AtomsError(f"there is no {element} in the structure", f"one of {', '.join(sorted(set(symbols)))}")
    if not np.any(charges[host] * charge < 0):
        raise AtomsError(f"nothing in the structure is charged against {ion}", "oxidation states for every atom")
    shape = tuple(max(4, int(np.ceil(length / spacing))) for length in np.linalg.norm(cell, axis=1))
    functions = [_function(element, charge, s, q) for s, q in zip(symbols[host], charges[host], strict=True)]
    energy = _grid(shape, cell, positions[host], functions)
    lowest = np.array(np.unravel_index(np.argmin(energy), shape)) / shape
    energy = np.minimum(energy - energy.min(), 1e3)
    loops = cache(lambda level: _loops(energy <= level))
    along = [lambda level, i=i: any(np.any(found[:, i]) for found in loops(level)) for i in range(3)]
    within = [lambda level, n=n: any(np.linalg.matrix_rank(found) >= n for found in loops(level)) for n in (1, 2, 3)]
    axes, ranks = (tuple(_lowest(holds, 0.0, ceiling) for holds in kind) for kind in (along, within))
    return Screening(ion, energy, cell, axes, ranks, lowest)


def _unpack(structure):
    """Symbols, oxidation states, positions [angstrom] and cell of either kind of structure."""
    if isinstance(structure, Structure):
        if not structure.is_ordered:
            raise AtomsError("the structure has partly occupied sites", "an ordered structure")
        charges = np.array([getattr(site.specie, "oxi_state", None) or 0.0 for site in structure], float)
        symbols = np.array([site.specie.symbol for site in structure])
        return symbols, charges, structure.cart_coords, structure.lattice.matrix
    symbols = np.array(structure.get_chemical_symbols())
    return symbols, structure.get_initial_charges(), structure.positions, structure.cell.array


def _ion(ion):
    """Element and charge of 'Li+', 'Mg2+'."""
    match = re.fullmatch(r"([A-Z][a-z]?)(\d?)([+-])", ion)
    if match is None:
        raise AtomsError(f"'{ion}' is not an ion", "an element and a charge: 'Li+', 'Na+', 'Mg2+'")
    return match[1], int(match[2] or 1) * (1 if match[3] == "+" else -1)


def _function(element, charge, other, state):
    """What an ion of the host does to the mobile one: (kind, numbers)."""
    if state * charge < 0:
        return ("well", *well(element, charge, other))
    if state == 0:
        return ("none", 0.0, 1.0, 1.0)
    numbers = [atomic_numbers[element], atomic_numbers[other]]
    shells = 1 + np.searchsorted(PERIODS, numbers)
    strength = COULOMB * charge * state / np.sqrt(shells[0] * shells[1])
    return ("like", strength, SHARPNESS * float(covalent_radii[numbers].sum()), 1.0)


def _grid(shape, cell, host, functions, chunk=4096):
    """Energies at all points of the grid, (points along a, b, c)."""
    fractions = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    points, host = np.ascontiguousarray(fractions @ cell), np.ascontiguousarray(host)
    wells = np.array([kind == "well" for kind, *_ in functions])
    likes = np.array([kind == "like" for kind, *_ in functions])
    first, second, third = np.array([numbers for _, *numbers in functions]).T
    periodic, cell = np.ones(3, dtype=np.int64), np.ascontiguousarray(cell)
    energy = np.zeros(len(points))
    for start in range(0, len(points), chunk):
        part = points[start : start + chunk]
        i, j, _, r = find_points_in_spheres(host, part, REACH, periodic, cell, 1e-8)
        r, near = np.maximum(r, 0.5), np.zeros(len(r))
        mask = wells[j]
        x = np.exp(third[j[mask]] * (first[j[mask]] - r[mask]))
        near[mask] = 0.5 * second[j[mask]] * (x**2 - 2 * x)
        mask = likes[j] & (r < 4 * second[j])  # erfc(4) = 1.5e-8
        near[mask] = first[j[mask]] * erfc(r[mask] / second[j[mask]]) / r[mask]
        energy[start : start + chunk] = np.bincount(i, near, len(part))
    return energy.reshape(shape)


def _index(place, shape):
    return tuple(int(x) for x in np.round(np.asarray(place) * shape).astype(int) % shape)


def _groups(open_):
    """Connected regions of a periodic grid: their labels and, for every label, (root, image) of its group.

    The grid is continued by one layer on the far sides, where a point is the image of one on the near sides: two labels
    that are the same region with a known offset of cells.
    """
    labels, count = cast(tuple[np.ndarray, int], label(np.pad(open_, [(0, 1)] * 3, mode="wrap"), NEIGHBOURS))
    forest = _Forest(count + 1)
    for sides in np.ndindex(2, 2, 2):
        if not any(sides):
            continue
        far = labels[tuple(slice(-1, None) if side else slice(0, -1) for side in sides)]
        near = labels[tuple(slice(0, 1) if side else slice(0, -1) for side in sides)]
        same = np.unique(np.stack([far.ravel(), near.ravel()], axis=1), axis=0)
        for one, other in same[same[:, 0] > 0]:
            forest.join(int(one), int(other), np.array(sides))
    return labels[:-1, :-1, :-1], forest


class _Forest:
    """Which labels are one region, and by which offset of cells; the offsets by which a region meets itself."""

    def __init__(self, count: int):
        self.parent = list(range(count))
        self.offset = [np.zeros(3, int) for _ in range(count)]
        self.loops: dict[int, list[np.ndarray]] = {}

    def __getitem__(self, name: int) -> tuple[int, np.ndarray]:
        total = np.zeros(3, int)
        while self.parent[name] != name:
            total, name = total + self.offset[name], self.parent[name]
        return name, total

    def join(self, one: int, other: int, offset: np.ndarray):
        """`one` is `other` shifted by `offset` cells."""
        (root, here), (second, there) = self[one], self[other]
        jump = offset + there - here
        if root == second:
            if np.any(jump):
                self.loops.setdefault(root, []).append(jump)
            return
        self.parent[root], self.offset[root] = second, jump
        self.loops.setdefault(second, []).extend(self.loops.pop(root, []))


def _loops(open_) -> list[np.ndarray]:
    """For every region that meets an image of itself: the offsets of cells by which it does, (offsets, 3)."""
    _, forest = _groups(open_)
    return [np.unique(found, axis=0) for found in forest.loops.values() if found]


def _lowest(holds, low, high):
    """Least number between `low` and `high` at which something holds; inf where it does not at `high`."""
    if not holds(high):
        return float("inf")
    if holds(low):
        return low
    while high - low > CLOSE:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
