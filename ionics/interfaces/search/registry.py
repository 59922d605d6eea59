"""Genetic and swarm search of the rigid registry: pymoo asks for vectors and is told their energies.

pymoo: Blank and Deb, IEEE Access 8 (2020) 89497, 10.1109/ACCESS.2020.2990567.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ionics.interfaces.errors import MissingExtra
from ionics.interfaces.search.frame import Candidate
from ionics.interfaces.search.moves import origin, within
from ionics.interfaces.search.proposals import Judged, Proposer
from ionics.interfaces.search.swarm import COMMON, INERTIA, OWN

WORST = 1e6  # stands for an infinite objective: differences of infinities are no numbers
FLIGHT = {"w": INERTIA, "c1": OWN, "c2": COMMON, "adaptive": False, "initial_velocity": "zero"}
PATIENCE, GAIN = 5, 0.01  # where the best gains less than this share in so many generations, it starts anew elsewhere
MARGIN = 0.25  # shifts run this much beyond the cell on either side, so that its edge is no wall


class Registry(Proposer):
    """One of pymoo's algorithms on (start,) shift a, shift b, lift and, if allowed, strains."""

    def __init__(self, frames, settings):
        super().__init__(frames, settings)
        self.columns = [0, 1, 2] + ([3, 4] if settings.strain > 0 else [])
        self.round, self.algorithm = 0, self._algorithm(0)
        self.asked, self.told = None, []

    def ask(self, generation: int) -> list[Candidate]:
        if len(self.told) > PATIENCE and self.told[-1 - PATIENCE] - self.told[-1] < GAIN * abs(self.told[-1]):
            self.round, self.told = self.round + 1, []
            self.algorithm = self._algorithm(self.round)
        self.asked = self.algorithm.ask()
        name = "registry" if self.told else "random"
        return [self._candidate(vector, name) for vector in self.asked.get("X")]

    def tell(self, judged: Sequence[Judged]) -> None:
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        worth = np.array([one.objective if np.isfinite(one.objective) else WORST for one in judged])
        Evaluator().eval(StaticProblem(self.algorithm.problem, F=worth[:, None]), self.asked)
        self.algorithm.tell(infills=self.asked)
        self.told.append(min([*self.told[-1:], float(worth.min())]))

    def _algorithm(self, round_: int):
        try:
            from pymoo.algorithms.soo.nonconvex.ga import GA
            from pymoo.algorithms.soo.nonconvex.pso import PSO
            from pymoo.core.problem import Problem
            from pymoo.core.termination import NoTermination
            from pymoo.operators.mutation.pm import PM
        except ImportError as missing:
            raise MissingExtra("pymoo", "atoms", f"a {self.settings.method} search of the registry") from missing
        low, high = self._bounds()
        size = self.settings.population
        first = self._first(low, high, round_)
        if self.settings.method == "genetic":
            algorithm = GA(pop_size=size, sampling=first, mutation=PM(eta=5))
        else:
            algorithm = PSO(pop_size=size, sampling=first, **FLIGHT)
        problem = Problem(n_var=len(low), n_obj=1, xl=low, xu=high)
        return algorithm.setup(problem, seed=self.settings.seed + 1000 * round_, termination=NoTermination())

    def _first(self, low: np.ndarray, high: np.ndarray, round_: int) -> np.ndarray:
        """Vectors anywhere, in the first round the starts before them, shape (population, variables)."""
        first = self.rng(round_).uniform(low, high, size=(self.settings.population, len(low)))
        for number, frame in enumerate(self.frames[: len(first)] if round_ == 0 else []):
            registry = origin(frame).registry[self.columns]
            first[number] = np.append(registry, number + 0.5)[: len(low)]
        return first

    def _bounds(self) -> np.ndarray:
        low, high = self.frames[0].bounds[:, self.columns]
        low[:2], high[:2] = -MARGIN, 1 + MARGIN
        if len(self.frames) > 1:
            low, high = np.append(low, 0), np.append(high, len(self.frames))
        fixed = high <= low  # a lift of one value: pymoo divides by the width
        return np.array([low, np.where(fixed, low + 1e-9, high)])

    def _candidate(self, vector: np.ndarray, operator: str) -> Candidate:
        which = min(int(vector[-1]), len(self.frames) - 1) if len(self.frames) > 1 else 0
        frame = self.frames[which]
        registry = np.zeros(5)
        registry[self.columns] = vector[: len(self.columns)]
        start = frame.carried(origin(frame), within(frame, registry))
        return Candidate(which, start.registry, start.interlayer, (), operator)
