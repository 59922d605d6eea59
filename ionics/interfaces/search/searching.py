"""The search itself: proposals are scored, the promising ones get energies, the best go on to dearer stages.

It always runs from the beginning; what the database already holds is read instead of computed. Proposals follow from
the seed and the answers alone, so a killed search ends as an uninterrupted one would, and a larger budget goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import Interface
from ionics.interfaces.search.evaluate import Workers
from ionics.interfaces.search.evolution import Evolution
from ionics.interfaces.search.frame import taken_apart
from ionics.interfaces.search.judging import Judge
from ionics.interfaces.search.proposals import Judged, Proposer, Random
from ionics.interfaces.search.registry import Registry
from ionics.interfaces.search.settings import Settings, Stage
from ionics.interfaces.search.store import DONE, DUPLICATE, FAILED, Record, Store, described
from ionics.interfaces.search.swarm import Swarm

IDLE = 20  # generations without anything new after which there is nothing left to find


@dataclass(frozen=True)
class Found:
    """One of the best structures. `energy` [eV/angstrom^2] is that of joining the separated slabs of its start."""

    interface: Interface
    energy: float
    number: int
    stage: str
    generation: int
    operator: str
    parents: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class Searched:
    """What a search found, best first, all of them different; and what it took."""

    best: list[Found]
    calls: dict[str, int]  # energy calls of each stage, those of the separated slabs included
    evaluated: int  # structures with an energy of the guiding stage
    duplicates: int
    failed: int
    database: Path


def search(
    starts: Sequence[Interface],
    settings: Settings,
    database: Path | str,
    tell: Callable[[str], None] = lambda text: None,
) -> Searched:
    """The best structures that can be made of the starts within the budgets of the stages.

    Everything visited is in `database`; calling again with it goes on where an earlier call was stopped. Raises
    AtomsError where the database belongs to another search, where slabs alone have no energy, and where every
    structure of the first generation fails.
    """
    if not starts:
        raise AtomsError("there is nothing to start from", "one interface or more")
    frames = [taken_apart(number, start, settings) for number, start in enumerate(starts)]
    store = Store(Path(database), settings, [described(start.atoms) for start in starts])
    with Workers(settings.stages, settings.workers) as workers:
        judge = Judge(frames, settings, store, workers)
        try:
            guiding = _guided(judge, _proposer(frames, settings), settings, tell)
            seen = {settings.stages[settings.guide].name: guiding}
            for stage, earlier in zip(
                settings.stages[settings.guide + 1 :], settings.stages[settings.guide :], strict=False
            ):
                seen[stage.name] = _promoted(judge, stage, earlier, seen[earlier.name], tell)
        finally:
            store.flush()
    return _searched(judge, seen, guiding, store)


def _proposer(frames, settings: Settings) -> Proposer:
    if settings.method == "random":
        return Random(frames, settings)
    if not settings.of_atoms:
        return Registry(frames, settings)
    return (Evolution if settings.method == "genetic" else Swarm)(frames, settings)


def _guided(judge: Judge, proposer: Proposer, settings: Settings, tell: Callable[[str], None]) -> list[Record]:
    """Generations until the budget of the guiding stage is spent."""
    stage = settings.stages[settings.guide]
    judge.refer(stage)
    records: list[Record] = []
    generation, idle = 0, 0
    while judge.calls[stage.name] < stage.calls and idle < IDLE:
        before = judge.calls[stage.name]
        asked = proposer.ask(generation)
        visited = judge.generation(stage, generation, generation * settings.population, asked)
        proposer.tell([_judged(record) for record in visited])
        records += visited
        idle = idle + 1 if judge.calls[stage.name] == before else 0
        if generation == 0:
            _check_first(visited)
        generation += 1
        tell(_progress(stage, generation, judge.calls[stage.name], records))
    if idle == IDLE:
        tell(f"{IDLE} generations brought nothing new: the search ends before its budget does")
    return records


def _judged(record: Record) -> Judged:
    return Judged(record.number, record.candidate, record.objective, record.twin is not None)


def _check_first(visited: Sequence[Record]) -> None:
    tried = [record for record in visited if record.state in (DONE, FAILED)]
    failed = [record for record in tried if record.state == FAILED]
    if tried and len(failed) == len(tried):
        raise AtomsError(
            f"all {len(failed)} structures of the first generation failed; the first: {failed[0].message}",
            "a calculator that knows these elements and charges",
        )


def _progress(stage: Stage, generation: int, calls: int, records: Sequence[Record]) -> str:
    best = min((record.objective for record in records), default=math.inf)
    states = [record.state for record in records]
    failed = f", {states.count(FAILED)} failed" if FAILED in states else ""
    return (
        f"generation {generation}: {calls} of {stage.calls} {stage.name} calls, best {best:.5f} eV/A^2, "
        f"{states.count(DONE)} structures, {states.count(DUPLICATE)} seen before{failed}"
    )


def _promoted(judge: Judge, stage: Stage, earlier: Stage, records: list[Record], tell) -> list[Record]:
    """The best distinct structures of the stage before, judged by this one until its budget is spent."""
    judge.refer(stage)
    distinct = _distinct(records)
    number = max(1, math.ceil(earlier.promoted * len(distinct)))
    visited = judge.advance(stage, distinct[:number])
    tell(f"{stage.name}: {len(visited)} of {len(distinct)} structures, {judge.calls[stage.name]} calls")
    return visited


def _distinct(records: Sequence[Record]) -> list[Record]:
    good = [record for record in records if record.state == DONE and record.twin is None]
    return sorted(good, key=lambda record: (record.objective, record.number))


def _searched(judge: Judge, seen: dict[str, list[Record]], guiding: list[Record], store: Store) -> Searched:
    ranked = [_distinct(records) for records in reversed(seen.values())]
    best = next((records for records in ranked if records), [])
    states = [record.state for records in seen.values() for record in records]
    evaluated = sum(record.state == DONE for record in guiding)
    return Searched(
        [_found(judge, record) for record in best], dict(judge.calls), evaluated,
        states.count(DUPLICATE), states.count(FAILED), store.path,
    )  # fmt: skip


def _found(judge: Judge, record: Record) -> Found:
    candidate = record.candidate
    start = judge.frames[candidate.start].start
    interface = replace(start, atoms=record.atoms, plane=record.plane)
    return Found(
        interface, record.objective, record.number, record.stage, record.generation, candidate.operator,
        candidate.parents, candidate.start,
    )  # fmt: skip
