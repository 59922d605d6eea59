"""Who proposes what to visit next: one small interface, and the proposer that knows nothing.

A proposer is asked for a generation and told what became of it. It decides from that alone and from the seed, so the
same answers lead to the same questions: that is how a killed search goes on.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionics.interfaces.search.frame import Candidate, Frame
from ionics.interfaces.search.moves import fresh, origin
from ionics.interfaces.search.settings import Settings


@dataclass(frozen=True)
class Judged:
    """What became of a proposal: its number, where it stands after relaxation, and how good it is."""

    index: int
    candidate: Candidate
    objective: float  # eV/angstrom^2, infinite where it failed or was not promoted
    twin: bool = False  # of a better or earlier one


class Proposer(abc.ABC):
    """Asks and is told, generation by generation."""

    def __init__(self, frames: Sequence[Frame], settings: Settings):
        self.frames, self.settings = list(frames), settings

    @abc.abstractmethod
    def ask(self, generation: int) -> list[Candidate]:
        """Candidates of one generation."""

    @abc.abstractmethod
    def tell(self, judged: Sequence[Judged]) -> None:
        """What became of them, in their order."""

    def rng(self, generation: int, place: int = 0) -> np.random.Generator:
        """Random numbers of one proposal, whatever came before it."""
        return np.random.default_rng([self.settings.seed, generation, place])

    def anew(self, generation: int, place: int) -> Candidate:
        """Any start, any registry; the starts themselves come first of all."""
        rng = self.rng(generation, place)
        if generation == 0 and place < len(self.frames) and not self.settings.buffer:
            return origin(self.frames[place])
        return fresh(self.frames[int(rng.integers(len(self.frames)))], rng)


class Random(Proposer):
    """Candidates that owe nothing to each other."""

    def ask(self, generation: int) -> list[Candidate]:
        return [self.anew(generation, place) for place in range(self.settings.population)]

    def tell(self, judged: Sequence[Judged]) -> None:
        pass
