"""Genetic search of registry and interlayer atoms: survival of the best distinct structures, cut and splice by ase-ga.

Cut and splice: Deaven and Ho, Phys. Rev. Lett. 75 (1995) 288, 10.1103/PhysRevLett.75.288; on a surface: Vilhelmsen and
Hammer, Phys. Rev. Lett. 108 (2012) 126101, 10.1103/PhysRevLett.108.126101.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ionics.interfaces.errors import MissingExtra
from ionics.interfaces.search.frame import Candidate, Frame, apart
from ionics.interfaces.search.moves import UNARY, nudged, ordered, within
from ionics.interfaces.search.proposals import Judged, Proposer

ROOM = 0.5  # of the shortest distances that a child must keep: the relaxation mends the rest


class Evolution(Proposer):
    """Parents are drawn by rank among the best distinct structures so far; a child is one operator away."""

    def __init__(self, frames, settings):
        super().__init__(frames, settings)
        self.alive: list[Judged] = []

    def ask(self, generation: int) -> list[Candidate]:
        return [self._child(generation, place) for place in range(self.settings.population)]

    def tell(self, judged: Sequence[Judged]) -> None:
        good = [one for one in judged if np.isfinite(one.objective) and not one.twin]
        ranked = sorted([*self.alive, *good], key=lambda one: (one.objective, one.index))
        self.alive = ranked[: self.settings.population]

    def _child(self, generation: int, place: int) -> Candidate:
        rng = self.rng(generation, place)
        if not self.alive or rng.random() < self.settings.fresh:
            return self.anew(generation, place)
        parent = self._drawn(rng)
        names = [name for name, weight in self.settings.moves.items() if weight > 0]
        weights = np.array([self.settings.moves[name] for name in names])
        for _ in range(5):
            name = str(rng.choice(names, p=weights / weights.sum()))
            child = self._operated(name, parent, rng)
            if child is not None:
                return child
        return self.anew(generation, place)

    def _operated(self, name: str, parent: Judged, rng: np.random.Generator) -> Candidate | None:
        frame = self.frames[parent.candidate.start]
        parents: tuple[int, ...] = (parent.index,)
        if name == "registry":
            child = nudged(frame, parent.candidate, rng)
        elif name == "splice":
            other = self._mate(parent, rng)
            if other is None:
                return None
            child, parents = spliced(frame, parent.candidate, other.candidate, rng), (parent.index, other.index)
        else:
            child = UNARY[name](frame, parent.candidate, rng)
        return None if child is None else replace(child, parents=parents, operator=name)

    def _drawn(self, rng: np.random.Generator) -> Judged:
        """By rank: the best is drawn twice as often as the middle one, the last hardly ever."""
        rank = np.arange(len(self.alive), 0, -1, dtype=float)
        return self.alive[int(rng.choice(len(self.alive), p=rank / rank.sum()))]

    def _mate(self, parent: Judged, rng: np.random.Generator) -> Judged | None:
        """Another of the same start and the same interlayer composition."""
        formula = parent.candidate.interlayer.numbers
        able = [
            one
            for one in self.alive
            if one.index != parent.index
            and one.candidate.start == parent.candidate.start
            and np.array_equal(one.candidate.interlayer.numbers, formula)
        ]
        return able[int(rng.integers(len(able)))] if able else None


def spliced(frame: Frame, one: Candidate, other: Candidate, rng: np.random.Generator) -> Candidate | None:
    """A child of two interlayers cut by one plane, at a registry between theirs or that of the first."""
    try:
        from ase_ga.cutandsplicepairing import CutAndSplicePairing
    except ImportError as missing:
        raise MissingExtra("ase-ga", "atoms", "a genetic search of interlayer atoms") from missing
    if len(one.interlayer) < 2:
        return None
    registry = within(frame, one.registry + rng.choice([0.0, 0.5]) * apart(other.registry, one.registry))
    first, second = frame.carried(one, registry), frame.carried(other, registry)
    slab = frame.rigid(registry)
    slab.pbc = (True, True, False)
    limits = {pair: ROOM * distance for pair, distance in frame.limits.items()}
    pairing = CutAndSplicePairing(slab, len(one.interlayer), limits, rng=np.random.RandomState(rng.integers(2**31)))
    child = pairing.cross(_on(slab, first), _on(slab, second))
    if child is None:
        return None
    inner = first.interlayer.copy()
    inner.positions = child.positions[len(slab) :]
    return replace(first, interlayer=ordered(inner))


def _on(slab, candidate: Candidate):
    inner = candidate.interlayer.copy()
    inner.pbc = slab.pbc
    return slab + inner
