"""Energies of structures, here or in other processes; what fails is told in words and the rest goes on."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.constraints import FixAtoms
from ase.optimize import LBFGS

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.search.settings import Stage

STEP = 0.15  # angstrom: the longest step of a relaxation that starts from random places


@dataclass(frozen=True)
class Task:
    """One structure for one stage; `free` masks the atoms that a relaxation may move, shape (atoms,)."""

    number: int
    stage: str
    atoms: Atoms
    free: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """The structure where the relaxation left it; energy is nan where the calculator failed, and `message` says how."""

    number: int
    atoms: Atoms
    energy: float  # eV
    forces: np.ndarray | None  # eV/angstrom, shape (atoms, 3)
    calls: int
    message: str = ""


class Bench:
    """The stages with their calculators, each made when first needed."""

    def __init__(self, stages: Sequence[Stage], sharers: int = 1):
        self.stages = {stage.name: stage for stage in stages}
        self.sharers = sharers
        self.made: dict[str, BaseCalculator] = {}

    def evaluate(self, task: Task) -> Outcome:
        """Energy after the steps of relaxation that the stage asks for; the lowest that was met."""
        stage, atoms = self.stages[task.stage], task.atoms.copy()
        relaxes = stage.steps > 0 and bool(task.free.any())
        atoms.set_constraint(FixAtoms(mask=~task.free) if relaxes else None)
        met = _Met(atoms)
        try:
            atoms.calc = self._calculator(stage)
            optimizer = LBFGS(atoms, logfile=None, maxstep=STEP) if relaxes else None
            met.meet()
            while optimizer and met.calls <= stage.steps and met.force(task.free) > stage.fmax:
                optimizer.step()
                met.meet()
        except Exception as error:
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            return Outcome(task.number, task.atoms, math.nan, None, max(met.calls, 1), message or "failed")
        return Outcome(task.number, met.best(task.atoms), met.energy, met.forces, met.calls)

    def _calculator(self, stage: Stage) -> BaseCalculator:
        if stage.name not in self.made:
            self.made[stage.name] = _made(stage)
            torch = sys.modules.get("torch")
            if torch is not None and self.sharers > 1:
                torch.set_num_threads(max(1, (os.cpu_count() or 1) // self.sharers))
        return self.made[stage.name]


class _Met:
    """The lowest energy that a relaxation met, and the calls it took."""

    def __init__(self, atoms: Atoms):
        self.atoms, self.calls, self.energy = atoms, 0, math.inf
        self.positions, self.forces = atoms.positions.copy(), np.zeros((len(atoms), 3))
        self.now = self.forces

    def meet(self) -> None:
        self.calls += 1
        energy = float(self.atoms.get_potential_energy())
        self.now = np.array(self.atoms.get_forces(apply_constraint=False))
        if not math.isfinite(energy) or not np.isfinite(self.now).all():
            raise ValueError(f"the energy is {energy} eV and some forces are no numbers")
        if energy < self.energy:
            self.energy, self.positions, self.forces = energy, self.atoms.positions.copy(), self.now

    def force(self, free: np.ndarray) -> float:
        return float(np.linalg.norm(self.now[free], axis=1).max())

    def best(self, atoms: Atoms) -> Atoms:
        found = atoms.copy()
        found.positions = self.positions
        return found


def _made(stage: Stage) -> BaseCalculator:
    if isinstance(stage.calculator, str):
        from ionics.interfaces.calculators import calculator

        return calculator(stage.calculator)
    assert stage.calculator is not None
    return stage.calculator()


class Workers:
    """Evaluates in order: in this process, or in `count` others that live as long as this object is entered."""

    def __init__(self, stages: Sequence[Stage], count: int):
        self.stages, self.count = tuple(s for s in stages if s.calculator is not None), count
        self.bench = Bench(self.stages)
        self.pool: ProcessPoolExecutor | None = None
        if count > 1:
            self._check()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def evaluate(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Outcomes in the order of the tasks, each as soon as it and those before it are there."""
        if self.count == 1:
            yield from map(self.bench.evaluate, tasks)
            return
        self.pool = self.pool or self._pool(self.count)
        futures = [self.pool.submit(_evaluate, task) for task in tasks]
        for task, future in zip(tasks, futures, strict=True):
            try:
                yield future.result()
            except BrokenProcessPool:
                self.pool = None
                yield self._alone(task)

    def _alone(self, task: Task) -> Outcome:
        """A task that was under way when a process died, in a process of its own: who dies again is to blame."""
        with self._pool(1) as pool:
            try:
                return pool.submit(_evaluate, task).result()
            except BrokenProcessPool:
                return Outcome(task.number, task.atoms, math.nan, None, 1, "the process of the calculator died")

    def _pool(self, count: int) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(count, mp_context=spawn, initializer=_start, initargs=(self.stages, self.count))

    def _check(self) -> None:
        for stage in self.stages:
            try:
                pickle.dumps(stage.calculator)
            except Exception as error:
                raise AtomsError(
                    f"the calculator of stage {stage.name!r} cannot go to other processes: {error}",
                    "a function at the top of a module, a functools.partial of one, a name, or workers: 1",
                ) from error


_BENCH: list[Bench] = []  # of this worker process


def _start(stages: Sequence[Stage], sharers: int) -> None:
    _BENCH[:] = [Bench(stages, sharers)]


def _evaluate(task: Task) -> Outcome:
    return _BENCH[0].evaluate(task)
