"""Relaxation of atoms to rest: resumable, and with words when a calculator fails or atoms fly apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.filters import UnitCellFilter
from ase.io import read, write
from ase.optimize import BFGS, FIRE, LBFGS

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.field import pairs

METHODS = {"FIRE": FIRE, "BFGS": BFGS, "LBFGS": LBFGS}
FAR = 6.0  # angstrom: an atom that moved so far has flown away
ALONE = 4.0  # angstrom: an atom without any neighbour so near has flown away


@dataclass(frozen=True)
class Relaxed:
    """Atoms after a relaxation, and whether to believe it."""

    atoms: Atoms  # with energy and forces attached; where a calculator failed, as they were before
    energy: float  # eV; nan where nothing could be calculated
    forces_max: float  # eV/angstrom, the largest on a free atom
    converged: bool
    message: str
    steps: int  # calls of the calculator made here, those before a resumption not counted


class _Stop(Exception):
    """Ends a relaxation with words."""


def relax(
    atoms: Atoms,
    calc,
    fmax: float = 0.05,
    steps: int = 200,
    fixed: np.ndarray | None = None,
    keep: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    method: str = "LBFGS",
    cell: bool = False,
) -> Relaxed:
    """Relax a copy of `atoms` until no free atom feels more than `fmax` [eV/angstrom], at most `steps` calls.

    `fixed`: mask of the atoms that stay, (atoms,). `keep`: a file (extxyz) that always holds the best structure so far;
    where it exists already and holds the same atoms, the relaxation goes on from it. `cell`: relax the cell too (bulk).
    """
    if method not in METHODS:
        raise AtomsError(f"there is no optimiser '{method}'", f"one of {', '.join(METHODS)}")
    work, done = _start(atoms, keep)
    if done is not None and done.converged and done.forces_max <= fmax:
        return done
    work.set_constraint(FixAtoms(mask=np.asarray(fixed, bool)) if fixed is not None else None)
    work.calc = calc
    course = _Course(work, atoms.positions.copy(), cell, fmax, keep, tell)
    return course.run(METHODS[method], steps)


class _Course:
    """One relaxation: watches every step, keeps the best."""

    def __init__(self, atoms, start, cell, fmax, keep, tell):
        self.atoms, self.start, self.cell, self.fmax = atoms, start, cell, fmax
        self.keep, self.tell = keep, tell
        self.best: Atoms | None = None
        self.calls = 0

    def run(self, optimiser, steps) -> Relaxed:
        try:
            self._watch()
            with optimiser(UnitCellFilter(self.atoms) if self.cell else self.atoms, logfile=None) as moves:
                moves.attach(self._watch_moves)
                self.moves = moves
                converged = moves.run(fmax=self.fmax, steps=steps)
            message = "relaxed" if converged else f"not at rest after {steps} steps"
        except _Stop as stop:
            converged, message = False, str(stop)
        except AtomsError as error:
            converged, message = False, f"the calculator failed: {error}"
        except Exception as error:  # whatever a foreign calculator raises: what is done is kept
            converged, message = False, f"the calculator failed: {type(error).__name__}: {error}"
        return self._result(bool(converged), message)

    def _watch_moves(self):
        if self.moves.nsteps:
            self._watch()

    def _watch(self):
        """Looks at the atoms as they stand now; keeps them where they are sound."""
        energy, forces = self.atoms.get_potential_energy(), self.atoms.get_forces()
        self.calls += 1
        if not (np.isfinite(energy) and np.all(np.isfinite(forces))):
            raise _Stop("the calculator gave an energy or a force that is not a number")
        fled = _fled(self.atoms, self.start, self.cell)
        if fled is not None:
            raise _Stop(fled)
        if self.best is None or energy <= self.best.get_potential_energy() + 1e-9:
            self.best = _still(self.atoms, energy, forces)
            self._save(False, "under way")
        if self.calls % 10 == 1:
            self.tell(f"step {self.calls}: {energy:.3f} eV, largest force {_largest(forces):.3f} eV/angstrom")

    def _result(self, converged, message) -> Relaxed:
        if self.best is None:
            self.atoms.calc = None
            return Relaxed(self.atoms, float("nan"), float("nan"), False, message, self.calls)
        if converged:
            self.best = _still(self.atoms, self.atoms.get_potential_energy(), self.atoms.get_forces())
        self._save(converged, message)
        largest = _largest(self.best.get_forces())
        return Relaxed(self.best, float(self.best.get_potential_energy()), largest, converged, message, self.calls)

    def _save(self, converged, message):
        if self.keep is None:
            return
        keep, best = Path(self.keep), self.best.copy()
        best.calc = self.best.calc
        best.info |= {"converged": converged, "message": message}
        part = keep.with_name(keep.name + ".part")
        keep.parent.mkdir(parents=True, exist_ok=True)
        write(part, best, format="extxyz")
        os.replace(part, keep)


def _start(atoms, keep) -> tuple[Atoms, Relaxed | None]:
    """Where to begin: the atoms given, or those kept by an earlier run, then with what it found."""
    work = atoms.copy()
    if keep is None or not Path(keep).exists():
        return work, None
    kept = cast(Atoms, read(keep, format="extxyz"))
    if len(kept) != len(atoms) or np.any(kept.numbers != atoms.numbers):
        problem = f"{keep} holds a relaxation of other atoms ({kept.get_chemical_formula()})"
        raise AtomsError(problem, f"{atoms.get_chemical_formula()}, or another file name")
    work.set_positions(kept.positions, apply_constraint=False)
    work.set_cell(kept.cell)
    energy, forces = kept.get_potential_energy(), kept.get_forces()
    state = Relaxed(_still(work, energy, forces), float(energy), _largest(forces), bool(kept.info["converged"]), "", 0)
    return work, Relaxed(**{**state.__dict__, "message": f"taken from {Path(keep).name}: {kept.info['message']}"})


def _still(atoms, energy, forces) -> Atoms:
    """A copy that remembers its energy and forces."""
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, energy=float(energy), forces=np.array(forces))
    return copy


def _largest(forces) -> float:
    return float(np.sqrt((forces**2).sum(axis=1).max(initial=0.0)))


def _fled(atoms, start, cell) -> str | None:
    """Words about an atom that left the others, None where all are together."""
    if not cell:
        moved = np.linalg.norm(atoms.positions - start, axis=1)
        if moved.max() > FAR:
            i = int(moved.argmax())
            return f"atom {i} ({atoms.symbols[i]}) moved {moved[i]:.1f} angstrom: the structure falls apart"
    if len(atoms) > 1:
        near = pairs(atoms, ALONE)
        alone = np.setdiff1d(np.arange(len(atoms)), np.concatenate([near.first, near.second]))
        if len(alone):
            i = int(alone[0])
            return (
                f"atom {i} ({atoms.symbols[i]}) has no neighbour within {ALONE:g} angstrom: the structure falls apart"
            )
    return None
