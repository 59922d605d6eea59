"""Whether hops join up into endless paths through a crystal, and the highest barrier on the easiest of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ionics.interfaces.migration.moves import DIVACANCY, Move
from ionics.interfaces.migration.sites import Place

Edge = tuple[Place, Place]


@dataclass(frozen=True)
class Percolation:
    """The easiest endless path along each axis of the cell."""

    barrier: tuple[float, float, float]  # eV, along a, b, c: the highest on the easiest path; inf where there is none
    highest: tuple[str, str, str]  # label of the move that sets it, '' where there is none
    dimension: int  # in how many independent directions the network of all moves is endless


def percolation(moves: Sequence[Move], barriers: Sequence[float]) -> Percolation:
    """Of moves of one mechanism with a barrier [eV] each, in the order of the moves.

    A barrier here is that of the harder way over the hop (an endless path crosses it once in one direction, and comes
    back to an equal site): give max(forward, backward), or the saddle's height over the deepest site of the network.
    """
    edges = [(b, m.label, e) for m, b in zip(moves, barriers, strict=True) if np.isfinite(b) for e in hops(m)]
    edges.sort(key=lambda row: row[0])
    forest = _Forest()
    barrier = [np.inf] * 3
    highest = ["", "", ""]
    for height, label, edge in edges:
        for cycle in forest.join(*edge):
            for axis in np.flatnonzero(cycle):
                if np.isinf(barrier[axis]):
                    barrier[axis], highest[axis] = float(height), label
    return Percolation(tuple(barrier), tuple(highest), forest.rank)  # pyright: ignore[reportArgumentType]


def hops(move: Move) -> list[Edge]:
    """Every copy of a move as an edge between the places where its defect stands."""
    last = 1 if move.mechanism == DIVACANCY else -1
    return [(copy[0], copy[last]) for copy in move.copies]


def dimension(sites: int, edges: Iterable[Edge]) -> int:
    """In how many independent directions the edges join up into endless paths, 0 to 3."""
    del sites
    forest = _Forest()
    for edge in edges:
        forest.join(*edge)
    return forest.rank


class _Forest:
    """Trees of joined sites; every site knows its root and the cell in which that root stands, seen from itself.

    An edge inside a tree closes a cycle; if the cycle ends in another cell, the path goes on for ever.
    """

    def __init__(self):
        self._root: dict[int, int] = {}
        self._cell: dict[int, np.ndarray] = {}
        self._members: dict[int, list[int]] = {}
        self._cycles: dict[int, list[np.ndarray]] = {}

    def join(self, start: Place, end: Place) -> list[np.ndarray]:
        """Add an edge; the endless directions (cells) that it opens."""
        for site in (start[0], end[0]):
            if site not in self._root:
                self._root[site], self._cell[site] = site, np.zeros(3, dtype=int)
                self._members[site], self._cycles[site] = [site], []
        step = np.array(end[1]) - np.array(start[1])
        across = self._cell[start[0]] + step - self._cell[end[0]]
        left, right = self._root[start[0]], self._root[end[0]]
        if left == right:
            return self._close(left, across)
        for site in self._members[right]:
            self._root[site] = left
            self._cell[site] = self._cell[site] + across
        self._members[left] += self._members.pop(right)
        self._cycles[left] += self._cycles.pop(right)
        return []

    def _close(self, root: int, cycle: np.ndarray) -> list[np.ndarray]:
        known = self._cycles[root]
        if not cycle.any() or _rank([*known, cycle]) == _rank(known):
            return []
        known.append(cycle)
        return [cycle]

    @property
    def rank(self) -> int:
        """Of the largest network."""
        return max((_rank(cycles) for cycles in self._cycles.values()), default=0)


def _rank(cycles: list[np.ndarray]) -> int:
    return int(np.linalg.matrix_rank(np.array(cycles))) if cycles else 0
