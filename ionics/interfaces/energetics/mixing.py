"""What an exchange of cations across the plane costs, one energy an exchange, with any calculator.

Kept exchange by exchange in a folder: an interrupted run goes on, and several runs may work on one folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ionics.interfaces.calculators import calculator as named
from ionics.interfaces.energetics.adhesion import Relaxing
from ionics.interfaces.energetics.computed import write_whole
from ionics.interfaces.energetics.exchanges import Swap
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import Interface
from ionics.interfaces.relax import relax

Maker = Callable[[], BaseCalculator]


@dataclass(frozen=True)
class Exchanged:
    """One exchange with its energy."""

    swap: Swap
    energy: float  # eV against the interface before; NaN if it failed
    message: str  # empty if all is well

    @property
    def failed(self) -> bool:
        return not math.isfinite(self.energy)


@dataclass(frozen=True)
class Mixing:
    """Exchanges across one plane, the most favourable first; failed ones at the end."""

    start: float  # eV, of the interface before
    found: tuple[Exchanged, ...]
    source: str
    relaxed: bool

    @property
    def best(self) -> Exchanged:
        """The most favourable exchange."""
        if not self.found or self.found[0].failed:
            raise AtomsError("no exchange has an energy", "; ".join(sorted({e.message for e in self.found})))
        return self.found[0]

    def words(self) -> str:
        """Whether the sides mix, in words, then one line an exchange."""
        best = self.best
        does = "favourable" if best.energy < 0 else "not favourable"
        how = "relaxed" if self.relaxed else "rigid"
        head = f"Mixing is {does}: {best.energy:+.2f} eV for {best.swap.words()}, {how}, {self.source}"
        rows = [
            f"{one.swap.words()}: failed, {one.message}" if one.failed else f"{one.energy:+.3f} eV {one.swap.words()}"
            for one in self.found
        ]
        return "\n".join([head, *rows])


def mixing(
    interface: Interface,
    swaps: Sequence[Swap],
    calculator: str | Maker,
    source: str,
    relaxing: Relaxing | None = None,
    folder: Path | None = None,
    workers: int = 1,
    tell: Callable[[str], None] = lambda words: None,
) -> Mixing:
    """Energies of the exchanges against the interface as it is; both relaxed if `relaxing` is given.

    calculator: a name (see `calculators.calculator`) or a function that makes one, called once a process; with several
    workers it has to be a function of a module. A calculator that fails on one exchange leaves the others alone.
    """
    tasks = [_Task(interface, None, relaxing)] + [_Task(interface, one, relaxing) for one in swaps]
    places = [None if folder is None else Path(folder) / f"{task.name}-{task.mark(source)}.json" for task in tasks]
    results: list[dict | None] = [_read(place) for place in places]
    todo = [i for i, result in enumerate(results) if result is None]
    tell(f"{len(swaps)} exchanges, {len(tasks) - len(todo)} energies already there")
    for i, result in _run([(i, tasks[i]) for i in todo], calculator, workers):
        results[i] = result
        if places[i] is not None and math.isfinite(result["energy"]):
            write_whole(places[i], json.dumps(result))
        tell(f"{tasks[i].name}: {result['energy']:.4f} eV {result['message']}".rstrip())
    return _gathered(swaps, results, source, relaxing is not None)


def _gathered(swaps: Sequence[Swap], results: Sequence[dict], source: str, relaxed: bool) -> Mixing:
    start = results[0]
    if not math.isfinite(start["energy"]):
        raise AtomsError(f"the interface before any exchange has no energy: {start['message']}", "another calculator")
    found = [
        Exchanged(swap, result["energy"] - start["energy"], result["message"] or start["message"])
        for swap, result in zip(swaps, results[1:], strict=True)
    ]
    found.sort(key=lambda one: (one.failed, one.energy if not one.failed else 0.0))
    return Mixing(start["energy"], tuple(found), source, relaxed)


@dataclass(frozen=True)
class _Task:
    """One energy: of the interface as it is, or after an exchange."""

    interface: Interface
    swap: Swap | None
    relaxing: Relaxing | None

    @property
    def name(self) -> str:
        return "start" if self.swap is None else f"{self.swap.left}-{self.swap.right}"

    @property
    def atoms(self) -> Atoms:
        return self.interface.atoms.copy() if self.swap is None else self.swap.done(self.interface.atoms)

    def mark(self, source: str) -> str:
        """Short hash of all that the energy depends on."""
        atoms = self.atoms
        numbers = np.concatenate([atoms.cell.array.ravel(), atoms.positions.ravel(), atoms.get_initial_charges()])
        rule = None if self.relaxing is None else asdict(self.relaxing)
        text = json.dumps([atoms.get_chemical_symbols(), numbers.round(8).tolist(), rule, source])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(place: Path | None) -> dict | None:
    if place is None or not place.exists():
        return None
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except json.JSONDecodeError as broken:
        raise AtomsError(f"{place}: not a kept energy ({broken})", "remove that file") from None


def _run(todo: list, calculator: str | Maker, workers: int) -> Iterator[tuple[int, dict]]:
    """Results as they come."""
    if workers <= 1 or len(todo) < 2:
        made = _made(calculator)
        yield from ((i, _energy(task, made)) for i, task in todo)
        return
    spawned = multiprocessing.get_context("spawn")  # a fork of a process with threads of its own may hang
    with ProcessPoolExecutor(workers, spawned, initializer=_start, initargs=(calculator,)) as pool:
        waiting = {pool.submit(_elsewhere, task): i for i, task in todo}
        for done in as_completed(waiting):
            yield waiting[done], _fetched(done)


def _fetched(done: Future) -> dict:
    try:
        return done.result()
    except BrokenProcessPool:
        return {"energy": math.nan, "message": "the process that computed it ended: out of memory, or killed"}


def _made(calculator: str | Maker) -> BaseCalculator:
    if not isinstance(calculator, str):
        return calculator()
    return named(calculator)


def _start(calculator: str | Maker) -> None:
    """In a worker: the calculator of this process."""
    global _own  # one a process, made once
    _own = _made(calculator)


def _elsewhere(task: _Task) -> dict:
    return _energy(task, _own)


def _energy(task: _Task, calculator: BaseCalculator) -> dict:
    """Energy [eV] and what there is to say; NaN with words if the calculator fails."""
    atoms = task.atoms
    try:
        if task.relaxing is None:
            atoms.calc = calculator
            return _checked(float(atoms.get_potential_energy()), "")
        rule = task.relaxing
        done = relax(atoms, calculator, rule.fmax, rule.steps, fixed=task.interface.outer(rule.held))
        return _checked(float(done.energy), "" if done.converged else done.message)
    except Exception as broken:  # a calculator may raise anything; the other exchanges are still wanted
        return {"energy": math.nan, "message": f"{type(broken).__name__}: {broken}"}


def _checked(energy: float, message: str) -> dict:
    if not math.isfinite(energy):
        return {"energy": math.nan, "message": message or f"the energy is {energy}"}
    return {"energy": energy, "message": message}
