"""Arrangements of ions on fixed sites: all of them, or a sample by swaps, and which differ by symmetry."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from math import factorial, prod

import numpy as np
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

TOUCH = 0.05  # angstrom: an operation takes a site onto one nearer than this
WARM, COLD = 3.0, 0.02  # eV: first and last temperature of the sampling
NOTED = 0.5  # eV: arrangements accepted at lower temperatures are kept
SWEEPS = 600  # swaps tried per site and restart
KEPT = 2000  # arrangements kept of a sample, the lowest


@dataclass(frozen=True)
class Places:
    """Partly occupied sites of a cell and the energy of any arrangement: base + field q + q pair q [eV]."""

    sites: np.ndarray  # (places,) indices in the cell
    groups: np.ndarray  # (places,) sites that exchange ions
    kinds: list  # species that may sit there
    charges: np.ndarray  # (1 + kinds,) e; the first is that of an empty site
    counts: np.ndarray  # (groups, 1 + kinds)
    pair: np.ndarray  # (places, places)
    field: np.ndarray  # (places,)
    base: float

    def energies(self, states: np.ndarray) -> np.ndarray:
        """Of arrangements of shape (..., places): 0 for empty, k for the k-th kind."""
        q = self.charges[states]
        return self.base + q @ self.field + np.einsum("...i,...i->...", q @ self.pair, q)


@dataclass(frozen=True)
class Seen:
    """Arrangements and their energies [eV], lowest first."""

    states: np.ndarray  # (seen, places)
    energies: np.ndarray  # (seen,)
    tried: int  # arrangements whose energy was taken


def number(places: Places) -> float:
    """How many arrangements there are."""
    return prod(
        factorial(int(sum(row))) / prod(factorial(int(n)) for n in row) if sum(row) < 150 else float("inf")
        for row in places.counts
    )


def enumerated(places: Places) -> Seen:
    """Every arrangement."""
    rows = [_fillings(row) for row in places.counts]
    states = np.zeros((prod(map(len, rows)), len(places.sites)), dtype=np.int8)
    for k, parts in enumerate(product(*rows)):
        for group, part in enumerate(parts):
            states[k, places.groups == group] = part
    return _sorted(states, places)


def _fillings(row: np.ndarray) -> list[np.ndarray]:
    """All ways to put row[k] ions of kind k on sum(row) sites."""
    ways = [np.zeros(int(row.sum()), dtype=np.int8)]
    for kind, amount in enumerate(row[1:], start=1):
        ways = [
            _with(way, where, kind) for way in ways for where in combinations(np.flatnonzero(way == 0), int(amount))
        ]
    return ways


def _with(way: np.ndarray, where: tuple[int, ...], kind: int) -> np.ndarray:
    new = way.copy()
    new[list(where)] = kind
    return new


def sampled(places: Places, restarts: int, seed: int) -> Seen:
    """The arrangements that swaps at a falling temperature pass through, from several random starts."""
    rng = np.random.default_rng(seed)
    found: set[bytes] = set()
    for _ in range(restarts):
        _anneal(places, rng, found)
    tried = restarts * SWEEPS * len(places.sites)
    seen = _sorted(np.array([np.frombuffer(key, dtype=np.int8) for key in found]), places, tried)
    return Seen(seen.states[:KEPT], seen.energies[:KEPT], tried)


def _anneal(places: Places, rng: np.random.Generator, found: set[bytes]) -> None:
    """One run of Metropolis swaps; those accepted below NOTED and the last are put into `found`."""
    state = _start(places, rng)
    charge = places.charges[state]
    potential = places.field + 2 * places.pair @ charge  # energy per charge added, without its own term
    own = np.diag(places.pair)
    members = [
        np.flatnonzero(places.groups == g) for g in range(len(places.counts)) if (places.counts[g] > 0).sum() > 1
    ]
    weights = np.array([len(m) for m in members]) / sum(map(len, members))
    steps = SWEEPS * len(places.sites)
    groups = rng.choice(len(members), size=steps, p=weights)
    chance, first, second = rng.random((3, steps))
    for step, temperature in enumerate(np.geomspace(WARM, COLD, steps)):
        group = members[groups[step]]
        i, j = group[int(first[step] * len(group))], group[int(second[step] * len(group))]
        change = charge[j] - charge[i]
        if state[i] == state[j]:
            continue
        rise = change * (potential[i] - potential[j]) + change**2 * (own[i] + own[j] - 2 * places.pair[i, j])
        if rise > 0 and chance[step] > np.exp(-rise / temperature):
            continue
        state[i], state[j] = state[j], state[i]
        charge[i], charge[j] = charge[j], charge[i]
        potential += 2 * change * (places.pair[:, i] - places.pair[:, j])
        if temperature < NOTED:
            found.add(state.tobytes())
    found.add(state.tobytes())


def _start(places: Places, rng: np.random.Generator) -> np.ndarray:
    """A random arrangement, (places,)."""
    state = np.zeros(len(places.sites), dtype=np.int8)
    for group, row in enumerate(places.counts):
        state[places.groups == group] = rng.permutation(np.repeat(np.arange(len(row)), row))
    return state


def _sorted(states: np.ndarray, places: Places, tried: int | None = None) -> Seen:
    energies = places.energies(states)
    order = np.lexsort((*states.T[::-1], np.round(energies, 6)))
    return Seen(states[order], energies[order], len(order) if tried is None else tried)


def distinct(seen: Seen, places: Places, parent: Structure, cell: Structure) -> tuple[np.ndarray, np.ndarray, int]:
    """The lowest arrangement, energies of the lowest that differ by symmetry, and how many do."""
    labels = _labels(seen.states, len(places.kinds), _operations(places.sites, parent, cell))
    first = np.sort(np.unique(labels, return_index=True)[1])
    return seen.states[0], seen.energies[first], len(first)


def _labels(states: np.ndarray, kinds: int, operations: np.ndarray) -> np.ndarray:
    """A number per arrangement, the same for those that an operation turns into each other, shape (seen,)."""
    weights = np.random.default_rng(0).integers(0, 2**62, size=(kinds + 1, states.shape[1]), dtype=np.int64)
    weights[0] = 0
    least = np.full(len(states), np.iinfo(np.int64).max)
    columns = np.arange(states.shape[1])
    for operation in operations:  # sums wrap around: they are hashes
        with np.errstate(over="ignore"):
            total = weights[states, operation[columns]].sum(1)
        least = np.minimum(least, total)
    return least


def _operations(sites: np.ndarray, parent: Structure, cell: Structure) -> np.ndarray:
    """Where each operation of the averaged crystal takes the partly occupied sites, shape (operations, places)."""
    analyser = SpacegroupAnalyzer(parent, symprec=0.01)
    where = cell.frac_coords[sites]
    found = set()
    matrix = cell.lattice.matrix @ parent.lattice.inv_matrix  # rows of the supercell in the parent cell
    shifts = _translations(matrix)
    for operation in analyser.get_space_group_operations():
        moved = operation.operate_multi(where @ matrix)
        for shift in shifts:
            image = (moved + shift) @ np.linalg.inv(matrix)
            offset = image[:, None] - where[None]
            offset -= np.round(offset)
            length = np.linalg.norm(offset @ cell.lattice.matrix, axis=-1)
            target = length.argmin(1)
            if (length[np.arange(len(where)), target] < TOUCH).all():
                found.add(tuple(target))
    return np.array(sorted(found))


def _translations(matrix: np.ndarray) -> np.ndarray:
    """Lattice vectors of the parent cell inside a supercell of whole multiples, in units of the parent."""
    return np.array(list(product(*[range(round(n)) for n in np.diag(matrix)])), dtype=float)
