"""Whether hops join up into endless paths through a crystal, and the highest barrier on the easiest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionics.interfaces.migration.moves import DIVACANCY, Move
from ionics.interfaces.migration.network import Edge, Forest


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
    forest = Forest()
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
