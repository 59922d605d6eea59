"""Lithium taken out, put in, or both, in an interface or a bulk supercell: relaxed energies against the perfect one.

What such an energy means depends on the model. A potential for neutral atoms takes the electron along with the
lithium: a lone vacancy is then one with a hole, a lone interstitial one with an electron, and only what keeps the atoms
(a Frenkel pair in one cell) is a defect of an electrolyte. A field of fixed charges moves ions: lone defects mean
something, and sums in which the number of lithium stays do so without any reference.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atom, Atoms
from ase.geometry import find_mic, get_distances

from ionics.interfaces.calculators import describe
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.field import BondValenceField
from ionics.interfaces.relax import relax

Tell = Callable[[str], None]
MOVED = 1.0  # angstrom: an atom farther than that from a site does not sit on it
SILENT: Tell = lambda _: None  # noqa: E731


@dataclass(frozen=True)
class Defect:
    """One lithium out, one in, or one that changes its place."""

    removed: int | None = None  # index of the atom
    added: tuple[float, float, float] | None = None  # angstrom

    def __post_init__(self):
        if self.removed is None and self.added is None:
            raise AtomsError("a defect without an atom taken out or put in", "removed=INDEX, added=(x, y, z), or both")

    @property
    def name(self) -> str:
        """Of the file in which its result is kept."""
        out = [] if self.removed is None else [f"out{self.removed}"]
        put = [] if self.added is None else ["in" + "_".join(f"{x:.3f}" for x in self.added)]
        return "-".join(out + put)

    def made(self, atoms: Atoms, symbol: str = "Li") -> Atoms:
        """The structure with it: the atom put in stands last, in the slab of its nearest neighbour."""
        atoms = atoms.copy()
        like = next((k for k, one in enumerate(atoms) if one.symbol == symbol), None)
        charge = 0.0 if like is None else float(atoms.get_initial_charges()[like])
        tag = 0
        if self.added is not None:
            near = _lengths(np.array([self.added]), atoms.positions, atoms)[0]
            if near.min() < 0.5:
                raise AtomsError(f"an atom put {near.min():.2g} angstrom from another", "a hole of the structure")
            tag = int(atoms.get_tags()[near.argmin()])
        if self.removed is not None:
            if not 0 <= self.removed < len(atoms) or atoms[self.removed].symbol != symbol:
                raise AtomsError(f"atom {self.removed} is no {symbol}", f"the index of one of the {symbol} atoms")
            del atoms[self.removed]
        if self.added is not None:
            atoms.append(Atom(symbol, self.added, tag=tag, charge=charge))
        return atoms

    def carried(self, mask: np.ndarray) -> np.ndarray:
        """A mask over the atoms of the perfect structure, over those with the defect."""
        mask = mask if self.removed is None else np.delete(mask, self.removed)
        return mask if self.added is None else np.append(mask, False)


@dataclass(frozen=True)
class Settings:
    """Of the relaxations."""

    fmax: float = 0.05  # eV/angstrom
    steps: int = 200
    symbol: str = "Li"


@dataclass(frozen=True)
class Computed:
    """Energies of defects; rows that failed are nan and say why."""

    defects: tuple[Defect, ...]
    energy: np.ndarray  # eV, (defects,), less that of the perfect structure
    empty: np.ndarray  # angstrom, (defects, 3), the site that is empty in the end; nan where none is
    extra: np.ndarray  # angstrom, (defects, 3), where the lithium that was put in ended; nan where none was
    messages: tuple[str, ...]
    model: str
    fixed_charges: bool  # whether ions moved, without their electrons

    @property
    def good(self) -> np.ndarray:
        """Mask of the rows with an energy, (defects,)."""
        return np.isfinite(self.energy)

    def separation(self, atoms: Atoms) -> np.ndarray:
        """Between the empty site and the extra lithium of each pair [angstrom], (defects,), the nearest images."""
        return np.linalg.norm(find_mic(self.extra - self.empty, atoms.cell, atoms.pbc)[0], axis=1)


def compute(
    atoms: Atoms,
    defects: Sequence[Defect],
    calculator: Any,
    fixed: np.ndarray | None = None,
    settings: Settings | None = None,
    keep: Path | None = None,
    tell: Tell = SILENT,
) -> Computed:
    """Relaxes the perfect structure, then every defect in it.

    fixed: mask of atoms that stay, such as `interface.outer(depth)`; keep: a folder in which every result is written
    when it is there, and from which it is taken when asked again.
    """
    settings = settings or Settings()
    fixed = np.zeros(len(atoms), bool) if fixed is None else np.asarray(fixed, bool)
    model = describe(calculator)
    kept = _Kept(keep, _digest(atoms, fixed, model, settings))
    found = kept.item("perfect", lambda: _relaxed(atoms, fixed, calculator, settings, kept.course("perfect")))
    if found["message"]:
        raise AtomsError(f"the perfect structure did not relax: {found['message']}", "another structure or calculator")
    perfect, energy = kept.atoms(atoms, found), found["energy"]
    rows = []
    for n, defect in enumerate(defects):
        path = kept.course(defect.name)
        row = kept.item(defect.name, lambda d=defect, p=path: _one(perfect, d, fixed, calculator, settings, energy, p))
        tell(f"defect {n + 1} of {len(defects)}: {row['message'] or format(row['energy'], '.3f') + ' eV'}")
        rows.append(row)
    return _gathered(defects, rows, model, _fixes_charges(calculator))


def _one(
    perfect: Atoms, defect: Defect, fixed: np.ndarray, calculator, settings: Settings, energy: float, path: Path | None
) -> dict:
    """What is kept of one defect."""
    started = defect.made(perfect, settings.symbol)
    found = _relaxed(started, defect.carried(fixed), calculator, settings, path)
    nothing = {"empty": None, "extra": None}
    if found["message"]:
        return found | nothing
    final = started.copy()
    final.positions = found["positions"]
    empty, extra = _ended(perfect, final, settings.symbol)
    row = found | nothing | {"energy": found["energy"] - energy}
    if defect.removed is not None:
        if not len(empty):
            return row | {"energy": None, "message": "the lithium fell back into its site: the pair is gone"}
        row["empty"] = _nearest(empty, perfect.positions[defect.removed], perfect)
    if defect.added is not None:
        row["extra"] = _nearest(extra, np.array(defect.added), perfect) if len(extra) else final.positions[-1].tolist()
    return row


def _relaxed(atoms: Atoms, fixed: np.ndarray, calculator, settings: Settings, path: Path | None) -> dict:
    """Energy and positions, or why there are none; a calculator that fails is caught where it is called."""
    found = relax(atoms, calculator, fmax=settings.fmax, steps=settings.steps, fixed=fixed, keep=path)
    if not found.converged:
        return {"energy": None, "positions": None, "message": found.message}
    return {"energy": float(found.energy), "positions": found.atoms.positions.tolist(), "message": ""}


def _ended(perfect: Atoms, final: Atoms, symbol: str) -> tuple[np.ndarray, np.ndarray]:
    """Sites of the perfect structure without an atom near them, and atoms without a site near them, (n, 3) each."""
    sites = perfect.positions[[a.symbol == symbol for a in perfect]]
    here = final.positions[[a.symbol == symbol for a in final]]
    apart = _lengths(sites, here, perfect)
    return sites[apart.min(axis=1) > MOVED], here[apart.min(axis=0) > MOVED]


def _nearest(points: np.ndarray, point: np.ndarray, atoms: Atoms) -> list[float]:
    return points[_lengths(np.array([point]), points, atoms)[0].argmin()].tolist()


def _lengths(one: np.ndarray, other: np.ndarray, atoms: Atoms) -> np.ndarray:
    return get_distances(one, other, cell=atoms.cell, pbc=atoms.pbc)[1]


def _gathered(defects, rows: Sequence[dict], model: str, fixed_charges: bool) -> Computed:
    def column(key: str, empty):
        return np.array([empty if row[key] is None else row[key] for row in rows], float)

    nowhere = [math.nan] * 3
    return Computed(
        tuple(defects),
        column("energy", math.nan).reshape(len(rows)),
        column("empty", nowhere).reshape(len(rows), 3),
        column("extra", nowhere).reshape(len(rows), 3),
        tuple(row["message"] for row in rows),
        model,
        fixed_charges,
    )


def _fixes_charges(calculator) -> bool:
    return bool(getattr(calculator, "fixed_charges", isinstance(calculator, BondValenceField)))


def _digest(atoms: Atoms, fixed: np.ndarray, model: str, settings: Settings) -> str:
    """Tells two questions apart."""
    parts = [atoms.numbers.tobytes(), np.round(atoms.positions, 6).tobytes(), np.round(atoms.cell.array, 6).tobytes()]
    parts += [atoms.pbc.tobytes(), fixed.tobytes(), model.encode(), json.dumps(asdict(settings)).encode()]
    return hashlib.sha256(b"|".join(parts)).hexdigest()


class _Kept:
    """Results in a folder, one file each."""

    def __init__(self, folder: Path | None, digest: str):
        self.folder, self.digest = folder, digest
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        marker = folder / "question.json"
        if marker.exists() and json.loads(marker.read_text())["digest"] != digest:
            raise AtomsError(
                f"{folder} holds defects of another structure, potential or setting", "another folder, or delete it"
            )
        self._write("question", {"digest": digest})

    def item(self, name: str, make: Callable[[], dict]) -> dict:
        """What is kept under a name, else made and kept."""
        path = None if self.folder is None else self.folder / f"{name}.json"
        if path is not None and path.exists():
            return json.loads(path.read_text())
        found = make()
        self._write(name, found)
        return found

    def course(self, name: str) -> Path | None:
        """Where a relaxation is kept while it runs, and its structure afterwards."""
        return None if self.folder is None else self.folder / f"{name}.extxyz"

    @staticmethod
    def atoms(like: Atoms, found: dict) -> Atoms:
        """A structure from its positions."""
        atoms = like.copy()
        atoms.positions = found["positions"]
        return atoms

    def _write(self, name: str, found: dict) -> None:
        if self.folder is None:
            return
        new = self.folder / f".{name}.new"
        new.write_text(json.dumps(found))
        os.replace(new, self.folder / f"{name}.json")
