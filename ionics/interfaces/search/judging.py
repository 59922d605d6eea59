"""How good a structure is: against the separated slabs of its start, per area, and never computed twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.search.evaluate import Outcome, Task, Workers
from ionics.interfaces.search.frame import Candidate, Frame
from ionics.interfaces.search.geometry import difference
from ionics.interfaces.search.settings import Settings, Stage
from ionics.interfaces.search.store import BEYOND, DONE, DUPLICATE, FAILED, REFERENCE, REJECTED, Record, Store

SAME_STRAIN = 1e-3
SAME_ENERGY = 1e-4  # eV/angstrom^2, 1.6 mJ/m^2: structures further apart than this are two


@dataclass
class _Seen:
    """Fingerprints met so far, one row for each number, by start."""

    prints: dict[int, list[np.ndarray]]
    records: dict[int, list[Record]]

    def like(self, print_: np.ndarray, record: Record, alike: float, energy: float | None = None) -> Record | None:
        """The first earlier record with the same distances, strain and, if given, objective."""
        start = record.candidate.start
        if not self.prints.get(start):
            return None
        near = difference(print_, np.array(self.prints[start])) < alike
        for place in np.nonzero(near)[0]:
            other = self.records[start][place]
            strains = other.candidate.registry[3:] - record.candidate.registry[3:]
            if np.abs(strains).max() < SAME_STRAIN and (energy is None or abs(other.objective - energy) < SAME_ENERGY):
                return other
        return None

    def add(self, print_: np.ndarray, record: Record) -> None:
        self.prints.setdefault(record.candidate.start, []).append(print_)
        self.records.setdefault(record.candidate.start, []).append(record)


class Judge:
    """Scores, evaluates and keeps; counts the calls of every stage."""

    def __init__(self, frames: Sequence[Frame], settings: Settings, store: Store, workers: Workers):
        self.frames, self.settings, self.store, self.workers = list(frames), settings, store, workers
        self.calls = {stage.name: 0 for stage in settings.stages if stage.calculator is not None}
        self.references: dict[tuple[str, int], float] = {}
        self.proposed, self.relaxed = _Seen({}, {}), _Seen({}, {})

    def refer(self, stage: Stage) -> None:
        """Energies of the separated slabs of every start, relaxed as the stage relaxes."""
        tasks, records = [], []
        for frame in self.frames:
            whole = frame.left + frame.right + frame.interlayer
            free = self._free(stage, whole, len(frame.interlayer))
            for tag in (LEFT, RIGHT):
                own = whole.get_tags() == tag
                number = -(2 * frame.number + tag)
                candidate = Candidate(frame.number, np.zeros(5), whole[:0], (), f"slab {tag}")
                tasks.append(Task(number, stage.name, whole[own], free[own]))
                records.append(Record(number, stage.name, -1, candidate, whole[own], frame.start.plane, REFERENCE))
        for record, outcome in zip(records, self._outcomes(tasks), strict=True):
            self._refer(stage, record, outcome)

    def _refer(self, stage: Stage, record: Record, outcome: Outcome) -> None:
        if not math.isfinite(outcome.energy):
            start = self.frames[record.candidate.start].start
            name = start.left if record.candidate.operator == f"slab {LEFT}" else start.right
            raise AtomsError(
                f"the {name} slab of start {record.candidate.start} alone has no energy: {outcome.message}",
                f"a calculator for stage {stage.name!r} that knows its elements and charges",
            )
        self.store.keep(_answered(record, outcome, REFERENCE))
        self.calls[stage.name] += outcome.calls
        key = stage.name, record.candidate.start
        self.references[key] = self.references.get(key, 0.0) + outcome.energy

    def generation(self, stage: Stage, generation: int, first: int, asked: Sequence[Candidate]) -> list[Record]:
        """Records of all that was asked, in order: scored, recognised, evaluated while the budget lasts."""
        records = [self._record(stage, generation, first + place, one) for place, one in enumerate(asked)]
        records = self._recognised(self._scored(stage, records))
        due = [place for place, record in enumerate(records) if record.state == DONE]
        for place, record in zip(due, self._judged(stage, [records[place] for place in due]), strict=True):
            records[place] = self._twin(record) if record.state == DONE else record
        told = {record.number: record for seen in self.proposed.records.values() for record in seen}
        told |= {record.number: record for record in records}
        records = [_repeated(record, told) for record in records]
        self._remember(records)
        for record in records:
            self.store.keep(record)
        return records

    def advance(self, stage: Stage, chosen: Sequence[Record]) -> list[Record]:
        """The same structures at a later stage, from where the earlier one left them."""
        fresh = [replace(one, stage=stage.name, energy=math.nan, forces=None, objective=math.inf) for one in chosen]
        judged = [record for record in self._judged(stage, fresh) if record.state != BEYOND]
        for record in judged:
            self.store.keep(record)
        return judged

    def _record(self, stage: Stage, generation: int, number: int, candidate: Candidate) -> Record:
        built = self.frames[candidate.start].interface(candidate)
        return Record(number, stage.name, generation, candidate, built.atoms, built.plane, DONE)

    def _scored(self, stage: Stage, records: list[Record]) -> list[Record]:
        """The worse ones rejected, by each score in turn."""
        for scoring in self.settings.stages[: self.settings.guide]:
            left = [place for place, record in enumerate(records) if record.state == DONE]
            scores = [_score(scoring, self._interface(records[place])) for place in left]
            number = max(1, math.ceil(scoring.promoted * len(left)))
            chosen = set(np.argsort(scores, kind="stable")[:number].tolist())
            for rank, (place, score) in enumerate(zip(left, scores, strict=True)):
                if rank not in chosen or not math.isfinite(score):
                    message = f"score {score:.6g} of {scoring.name}"
                    records[place] = replace(records[place], state=REJECTED, stage=scoring.name, message=message)
        return records

    def _recognised(self, records: list[Record]) -> list[Record]:
        """Structures that were proposed before, also earlier in this generation, are not computed again."""
        result = []
        for record in records:
            if record.state == DONE:
                print_ = self._print(record)
                twin = self.proposed.like(print_, record, self.settings.alike)
                if twin is not None:
                    record = replace(record, state=DUPLICATE, twin=twin.number, message=f"as number {twin.number}")
                else:
                    self.proposed.add(print_, record)
            result.append(record)
        return result

    def _judged(self, stage: Stage, records: list[Record]) -> list[Record]:
        """Evaluated in order until the budget is spent; the rest are beyond it."""
        frames = [self.frames[record.candidate.start] for record in records]
        sizes = [len(record.candidate.interlayer) for record in records]
        tasks = [
            Task(record.number, stage.name, record.atoms, self._free(stage, record.atoms, size))
            for record, size in zip(records, sizes, strict=True)
        ]
        judged = [replace(record, state=BEYOND) for record in records]
        width = self.settings.workers
        for begin in range(0, len(tasks), width):
            if self.calls[stage.name] >= stage.calls:
                break
            outcomes = self._outcomes(tasks[begin : begin + width])
            for place, outcome in enumerate(outcomes, start=begin):
                if self.calls[stage.name] < stage.calls:
                    self.calls[stage.name] += outcome.calls
                    judged[place] = self._worth(stage, frames[place], records[place], outcome)
        return judged

    def _outcomes(self, tasks: Sequence[Task]) -> list[Outcome]:
        """From the database where it has them, in the order of the tasks."""
        rows = [self.store.kept(task.stage, task.number) for task in tasks]
        due = [task for task, row in zip(tasks, rows, strict=True) if row is None]
        computed = iter(list(self.workers.evaluate(due)))
        return [_read(row) if row is not None else next(computed) for row in rows]

    def _worth(self, stage: Stage, frame: Frame, record: Record, outcome: Outcome) -> Record:
        if not math.isfinite(outcome.energy):
            return _answered(record, outcome, FAILED)
        energy = outcome.energy - self.references[stage.name, frame.number]
        for symbol, potential in self.settings.reservoir.items():
            more = np.sum(outcome.atoms.symbols == symbol) - np.sum(frame.start.atoms.symbols == symbol)
            energy -= potential * float(more)
        moved = frame.relaxed(record.candidate, outcome.atoms)
        return replace(_answered(record, outcome, DONE), candidate=moved, objective=energy / frame.start.area)

    def _twin(self, record: Record) -> Record:
        """Marked where the relaxation led to a structure that is already known."""
        print_ = self._print(record)
        twin = self.relaxed.like(print_, record, self.settings.alike, record.objective)
        if twin is not None:
            return replace(record, twin=twin.number, message=f"relaxed to number {twin.number}")
        self.relaxed.add(print_, record)
        return record

    def _remember(self, records: Sequence[Record]) -> None:
        """What was proposed gets its energy, for duplicates to come."""
        told = {record.number: record for record in records}
        for seen in self.proposed.records.values():
            seen[:] = [told.get(record.number, record) for record in seen]

    def _print(self, record: Record) -> np.ndarray:
        return self.frames[record.candidate.start].fingerprint(record.atoms, record.plane)

    def _interface(self, record: Record) -> Interface:
        return replace(self.frames[record.candidate.start].start, atoms=record.atoms, plane=record.plane)

    def _free(self, stage: Stage, atoms: Atoms, size: int) -> np.ndarray:
        """What moves: the interlayer at the end, or all but the outer atoms; shape (atoms,)."""
        if stage.relaxed == "interlayer":
            return np.arange(len(atoms)) >= len(atoms) - size
        z, depth = atoms.positions[:, 2], self.settings.outer
        return (z >= z.min() + depth) & (z <= z.max() - depth)


def _score(stage: Stage, interface: Interface) -> float:
    assert stage.score is not None
    return float(stage.score(interface))


def _answered(record: Record, outcome: Outcome, state: str) -> Record:
    return replace(
        record, atoms=outcome.atoms, energy=outcome.energy, forces=outcome.forces, calls=outcome.calls,
        message=outcome.message, state=state,
    )  # fmt: skip


def _repeated(record: Record, told: dict[int, Record]) -> Record:
    """A duplicate with the energy of its twin."""
    if record.state != DUPLICATE:
        return record
    return replace(record, objective=told[record.twin].objective)


def _read(row) -> Outcome:
    """The outcome that a row of an earlier run holds."""
    atoms = row.toatoms()
    atoms.calc = None
    energy = row.get("energy", math.nan)
    forces = row.get("forces") if math.isfinite(energy) else None
    return Outcome(row.number, atoms, energy, forces, row.calls, row.message if not math.isfinite(energy) else "")
