"""The database of a search: an ase.db (sqlite) with one row for every structure at every stage, and its ancestry.

Columns: number (of the structure), stage, generation, operator, state, message, objective [eV/angstrom^2], calls,
start, seed, the registry, interlayer (how many atoms at the end of the structure); data: parents, and the twin of a
duplicate. Tags are the sides, initial charges the oxidation states.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.search.frame import REGISTRY, Candidate
from ionics.interfaces.search.settings import Settings

DONE, FAILED, DUPLICATE, REJECTED, REFERENCE = "done", "failed", "duplicate", "rejected", "reference"
BEYOND = "beyond"  # the budget: not kept, so that a larger budget computes it


@dataclass(frozen=True)
class Record:
    """One structure at one stage."""

    number: int
    stage: str
    generation: int
    candidate: Candidate
    atoms: Atoms  # where the relaxation left them
    plane: float  # angstrom
    state: str
    energy: float = math.nan  # eV
    forces: np.ndarray | None = None  # eV/angstrom
    objective: float = math.inf  # eV/angstrom^2
    calls: int = 0
    message: str = ""
    twin: int | None = None  # the number of the structure it repeats


class Store:
    """Rows are written in small transactions: what is lost when a search is killed is at most a batch."""

    def __init__(self, path: Path, settings: Settings, starts: list[dict[str, Any]]):
        self.path, self.seed, self.batch = Path(path), settings.seed, []
        if not self.path.parent.is_dir():
            raise AtomsError(f"there is no folder {self.path.parent}", "a database in a folder that exists")
        self.db: Any = connect(str(path), type="db", use_lock_file=False)
        self._check(json.loads(json.dumps({"settings": settings.signature(), "starts": starts})))
        self.known = {(row.stage, row.number): row for row in self.db.select()}

    def kept(self, stage: str, number: int) -> Any | None:
        """The row of an earlier run, if there is one."""
        return self.known.get((stage, number))

    def keep(self, record: Record) -> None:
        """Writes a record, with others soon after."""
        if record.state == BEYOND or (record.stage, record.number) in self.known:
            return
        self.batch.append(record)
        if len(self.batch) >= 8:
            self.flush()

    def flush(self) -> None:
        """Everything told so far is in the file."""
        with self.db:
            for record in self.batch:
                self._write(record)
        self.batch = []

    def _write(self, record: Record) -> None:
        atoms = record.atoms.copy()
        if math.isfinite(record.energy):
            atoms.calc = SinglePointCalculator(atoms, energy=record.energy, forces=record.forces)
        candidate = record.candidate
        columns = {
            "number": record.number,
            "stage": record.stage,
            "generation": record.generation,
            "operator": candidate.operator,
            "state": record.state,
            "message": record.message,
            "calls": record.calls,
            "start": candidate.start,
            "seed": self.seed,
            "plane": record.plane,
            "interlayer": len(candidate.interlayer),
            **dict(zip(REGISTRY, map(float, candidate.registry), strict=True)),
        }
        if math.isfinite(record.objective):
            columns["objective"] = record.objective
        data = {"parents": list(candidate.parents), "twin": -1 if record.twin is None else record.twin}
        self.db.write(atoms, data=data, **columns)

    def _check(self, asked: dict[str, Any]) -> None:
        found = self.db.metadata if self.path.exists() else {}
        if not found:
            self.db.metadata = asked
            return
        if found != asked:
            old, new = found.get("settings", {}), asked["settings"]
            changed = [key for key in new if old.get(key) != new[key]] or ["the starts"]
            raise AtomsError(
                f"{self.path.name} holds another search: {', '.join(changed)} differ",
                "another database, or the settings and starts it was begun with; calls and workers may change",
            )


def described(start: Atoms) -> dict[str, Any]:
    """What tells one start from another, as plain values."""
    return {
        "formula": start.get_chemical_formula(),
        "cell": np.round(start.cell.array, 6).tolist(),
        "positions": round(float(np.sum(start.positions * np.arange(1, len(start) + 1)[:, None])), 4),
        "charge": round(float(start.get_initial_charges().sum()), 6),
    }
