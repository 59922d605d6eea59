"""A swarm of interlayers: every particle flies between its own best structure and the best of all, then relaxes.

After CALYPSO: Wang, Lv, Zhu, Ma, Phys. Rev. B 82 (2010) 094116, 10.1103/PhysRevB.82.094116. Atoms of one element are
matched to those of the best by least total displacement, so that two names for one structure do not pull apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ionics.interfaces.search.frame import Candidate, Frame, apart
from ionics.interfaces.search.geometry import short_way
from ionics.interfaces.search.moves import within
from ionics.interfaces.search.proposals import Judged, Proposer

INERTIA, OWN, COMMON = 0.729, 1.494, 1.494  # Clerc and Kennedy, 10.1109/4235.985692
FASTEST = 0.25  # of the bounds in one step
FASTEST_ATOM = 1.0  # angstrom in one step


@dataclass
class Particle:
    """Where it is, how it moves, and the best it has been."""

    here: Judged
    best: Judged
    registry: np.ndarray  # velocity, shape (5,)
    atoms: np.ndarray  # velocity [angstrom], shape (interlayer atoms, 3)


class Swarm(Proposer):
    """One particle a place in the population; the worst `fresh` share of each generation starts anew."""

    def __init__(self, frames, settings):
        super().__init__(frames, settings)
        self.particles: list[Particle | None] = [None] * settings.population
        self.flown: list[tuple[np.ndarray, np.ndarray] | None] = []

    def ask(self, generation: int) -> list[Candidate]:
        anew = self._restarted()
        asked, self.flown = [], []
        for place, particle in enumerate(self.particles):
            if particle is None or place in anew:
                self.particles[place] = None
                asked.append(self.anew(generation, place))
                self.flown.append(None)
            else:
                candidate, speed = self._step(particle, self.rng(generation, place))
                asked.append(candidate)
                self.flown.append(speed)
        return asked

    def tell(self, judged: Sequence[Judged]) -> None:
        for place, (one, speed) in enumerate(zip(judged, self.flown, strict=True)):
            particle = self.particles[place]
            if particle is None or speed is None:
                resting = np.zeros(5), np.zeros((len(one.candidate.interlayer), 3))
                self.particles[place] = Particle(one, one, *resting) if np.isfinite(one.objective) else None
            else:
                best = one if one.objective < particle.best.objective else particle.best
                here = one if np.isfinite(one.objective) else particle.here
                self.particles[place] = Particle(here, best, *speed)

    def _restarted(self) -> set[int]:
        """Places of the worst particles, and of those that fell onto the same structure as a better one."""
        alive = [(p.best.objective, place) for place, p in enumerate(self.particles) if p is not None]
        worst = sorted(alive, reverse=True)[: round(self.settings.fresh * len(alive))]
        return {place for _, place in worst}

    def _step(self, particle: Particle, rng: np.random.Generator) -> tuple[Candidate, tuple[np.ndarray, np.ndarray]]:
        here, own, common = particle.here.candidate, particle.best, self._leader(particle)
        frame = self.frames[here.start]
        r = rng.random(4)
        low, high = frame.bounds
        speed = INERTIA * particle.registry
        speed = speed + OWN * r[0] * apart(own.candidate.registry, here.registry)
        speed = speed + COMMON * r[1] * apart(common.candidate.registry, here.registry)
        speed = np.clip(speed, -FASTEST * (high - low), FASTEST * (high - low))
        carried = frame.carried(here, within(frame, here.registry + speed))
        drift = INERTIA * particle.atoms
        drift = drift + OWN * r[2] * towards(frame, carried, own.candidate)
        drift = drift + COMMON * r[3] * towards(frame, carried, common.candidate)
        drift = np.clip(drift, -FASTEST_ATOM, FASTEST_ATOM)
        inner = carried.interlayer.copy()
        inner.positions += drift
        parents = tuple(sorted({particle.here.index, own.index, common.index}))
        flown = replace(carried, interlayer=inner, parents=parents, operator="swarm")
        if not frame.roomy(flown):
            flown = replace(carried, parents=parents, operator="registry")  # the atoms wait until there is room
        return flown, (speed, drift)

    def _leader(self, particle: Particle) -> Judged:
        """The best of all with the same start and interlayer composition."""
        numbers, start = particle.here.candidate.interlayer.numbers, particle.here.candidate.start
        able = [
            other.best
            for other in self.particles
            if other is not None
            and other.best.candidate.start == start
            and np.array_equal(other.best.candidate.interlayer.numbers, numbers)
        ]
        return min([*able, particle.best], key=lambda one: (one.objective, one.index))


def towards(frame: Frame, candidate: Candidate, best: Candidate) -> np.ndarray:
    """Displacements [angstrom] that take the interlayer to that of the best at its own registry, shape (atoms, 3)."""
    there = frame.carried(best, candidate.registry).interlayer
    here = candidate.interlayer
    way = short_way(there.positions[None] - here.positions[:, None], here.cell.array)
    result = np.zeros((len(here), 3))
    for number in np.unique(here.numbers):
        at = np.nonzero(here.numbers == number)[0]
        cost = np.einsum("abx,abx->ab", way[np.ix_(at, at)], way[np.ix_(at, at)])
        one, other = linear_sum_assignment(cost)
        result[at[one]] = way[at[one], at[other]]
    return result
