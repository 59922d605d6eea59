"""Energies of bulk phases computed here with one calculator: cell and atoms relaxed, kept, resumed."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from pymatgen.entries.computed_entries import ComputedEntry

from ionics.interfaces.energetics.entries import Entries
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.relax import relax


@dataclass(frozen=True)
class Bulking:
    """How far a bulk phase is relaxed before its energy counts."""

    fmax: float = 0.03  # eV/angstrom, of forces and of the cell as ASE's filter weighs it
    steps: int = 200
    cell: bool = True  # the cell too
    method: str = "LBFGS"  # optimiser: near a minimum, where crystals begin, it needs fewer steps than FIRE


def atoms_of(structure) -> Atoms:
    """ASE atoms of the primitive cell of an ordered pymatgen structure, oxidation states as initial charges."""
    structure = structure.get_primitive_structure()
    charges = [float(getattr(site.specie, "oxi_state", 0.0) or 0.0) for site in structure]
    symbols = [site.specie.symbol for site in structure]
    return Atoms(symbols, structure.cart_coords, cell=structure.lattice.matrix, pbc=True, charges=charges)


def entries_of(
    phases: Sequence,
    calculator: BaseCalculator,
    source: str,
    bulking: Bulking = Bulking(),
    keep: Path | None = None,
    tell: Callable[[str], None] = lambda words: None,
) -> Entries:
    """Energies of `phases` (each with a name and an ordered structure) by one calculator, all from one `source`.

    `keep`: a folder; what is there with the same structure, settings and source is not computed again. A phase whose
    calculation fails is left out and named in the notes; raises AtomsError if none is left.
    """
    found, notes = [], []
    for phase in phases:
        try:
            one = _kept(phase, calculator, source, bulking, keep)
        except Exception as broken:  # a calculator may raise anything; the other phases are still wanted
            notes.append(f"{phase.name} is left out: {broken}")
            tell(notes[-1])
            continue
        found.append(one)
        if not one.data["converged"]:
            notes.append(f"{phase.name}: {one.data['message']} (sought: {bulking.fmax} eV/angstrom)")
        tell(f"{phase.name}: {one.energy_per_atom:.4f} eV/atom")
    if not found:
        raise AtomsError(f"no phase could be computed ({'; '.join(notes)})", "another calculator or other phases")
    return Entries(tuple(found), tuple(notes))


def _kept(phase, calculator, source: str, bulking: Bulking, keep: Path | None) -> ComputedEntry:
    atoms = atoms_of(phase.structure)
    place = None if keep is None else Path(keep) / f"{_name(phase.name)}-{_mark(atoms, source, bulking)}.json"
    if place is not None and place.exists():
        return ComputedEntry.from_dict(json.loads(place.read_text(encoding="utf-8")))
    one = _computed(phase.name, atoms, calculator, source, bulking)
    if place is not None:
        write_whole(place, json.dumps(one.as_dict()))
    return one


def _computed(name: str, atoms: Atoms, calculator, source: str, bulking: Bulking) -> ComputedEntry:
    done = relax(atoms, calculator, bulking.fmax, bulking.steps, method=bulking.method, cell=bulking.cell)
    if not np.isfinite(done.energy):
        raise AtomsError(done.message)
    data = {"source": source, "name": name, "volume": float(done.atoms.get_volume())}
    data |= {"converged": done.converged, "message": done.message}
    return ComputedEntry(Counter(atoms.get_chemical_symbols()), done.energy, data=data)


def _mark(atoms: Atoms, source: str, bulking: Bulking) -> str:
    """Short hash of all that the energy depends on."""
    what = (
        atoms.get_chemical_symbols(),
        atoms.cell.array.tolist(),
        atoms.positions.round(8).tolist(),
        source,
        str(bulking),
    )
    charges = atoms.get_initial_charges().tolist()
    return hashlib.sha256(json.dumps([*what, charges]).encode()).hexdigest()[:16]


def _name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def write_whole(path: Path, text: str) -> None:
    """A file that is either whole or not there, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
