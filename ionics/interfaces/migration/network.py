"""Sites of a periodic crystal joined by edges: in which directions the network is endless."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ionics.interfaces.migration.sites import Place

Edge = tuple[Place, Place]


def dimension(edges: Iterable[Edge]) -> int:
    """In how many independent directions the edges join up into endless paths, 0 to 3."""
    forest = Forest()
    for edge in edges:
        forest.join(*edge)
    return forest.rank


class Forest:
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
