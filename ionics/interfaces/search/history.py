"""What a database of a search holds, as arrays for pictures and as lines of descent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.db import connect

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.search.frame import REGISTRY
from ionics.interfaces.search.store import DONE, FAILED, REFERENCE


@dataclass(frozen=True)
class History:
    """Every structure that cost energy calls at one stage, in their order; arrays of shape (structures,)."""

    stage: str
    method: str
    seed: int
    calls: np.ndarray  # spent when this structure was done, those of the separated slabs included
    number: np.ndarray
    generation: np.ndarray
    energy: np.ndarray  # eV/angstrom^2, nan where it failed
    best: np.ndarray  # of all so far, nan before the first
    start: np.ndarray
    registry: np.ndarray  # shape (structures, 5): shifts, lift [angstrom], strains
    operator: tuple[str, ...]
    message: tuple[str, ...]


def history(database: Path | str, stage: str | None = None) -> History:
    """What was visited at a stage: the first with energies, if none is named."""
    db = _opened(database)
    settings = db.metadata["settings"]
    names = [entry[0] for entry in settings["stages"] if entry[1]]
    if stage is not None and stage not in names:
        raise AtomsError(f"{Path(database).name} has no stage {stage!r}", f"one of {', '.join(names)}")
    stage = stage or names[0]
    rows = sorted(db.select(stage=stage), key=lambda row: (row.number >= 0, row.number))
    slabs = sum(row.calls for row in rows if row.state == REFERENCE)
    rows = [row for row in rows if row.state in (DONE, FAILED)]
    energy = np.array([row.get("objective", math.nan) for row in rows], dtype=float)
    lowest = np.fmin.accumulate(energy) if len(energy) else energy
    return History(
        stage, settings["method"], settings["seed"],
        slabs + np.cumsum([row.calls for row in rows], dtype=int),
        np.array([row.number for row in rows], dtype=int),
        np.array([row.generation for row in rows], dtype=int),
        energy, lowest,
        np.array([row.start for row in rows], dtype=int),
        np.array([[row[key] for key in REGISTRY] for row in rows]).reshape(len(rows), 5),
        tuple(row.operator for row in rows), tuple(row.message for row in rows),
    )  # fmt: skip


@dataclass(frozen=True)
class Ancestor:
    """One structure of a line of descent. `energy` [eV/angstrom^2] is nan where it has none."""

    number: int
    generation: int
    operator: str
    parents: tuple[int, ...]
    energy: float
    atoms: Atoms


def ancestry(database: Path | str, number: int) -> list[Ancestor]:
    """The structure of this number and all it descends from, youngest first."""
    db = _opened(database)
    names = [entry[0] for entry in db.metadata["settings"]["stages"]]
    due, line = [number], {}
    while due:
        here = due.pop()
        if here in line:
            continue
        rows = sorted(db.select(number=here), key=lambda row: names.index(row.stage))
        if not rows:
            raise AtomsError(f"{Path(database).name} has no structure of number {here}", "a number from its history")
        row = rows[0]
        parents = tuple(row.data["parents"])
        energy = row.get("objective", math.nan)
        line[here] = Ancestor(here, row.generation, row.operator, parents, energy, row.toatoms())
        due += parents
    return sorted(line.values(), key=lambda one: -one.number)


def _opened(database: Path | str):
    if not Path(database).is_file():
        raise AtomsError(f"there is no database {database}", "the file that a search was given")
    db = connect(str(database), type="db", use_lock_file=False)
    if "settings" not in db.metadata:
        raise AtomsError(f"{Path(database).name} holds no search", "the file that a search was given")
    return db
