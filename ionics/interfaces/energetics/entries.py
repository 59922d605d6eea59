"""Energies of bulk phases: from a file, computed here, or from the Materials Project; each knows its source."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pymatgen.core import Composition, Element
from pymatgen.entries.computed_entries import ComputedEntry

from ionics.interfaces.errors import AtomsError

COLUMNS = ("formula", "energy_per_atom")
KEYS = ("MP_API_KEY", "PMG_MAPI_KEY")  # environment variables of the Materials Project's clients
NOWHERE = "placeholder"  # source of an entry that stands in for a missing element
PLACEHOLDER = 10.0  # eV/atom above every entry: an element that no reaction among known phases can set free


@dataclass(frozen=True)
class Entries:
    """Energies of phases that may be compared with each other, because of one source, or mixed knowingly."""

    entries: tuple[ComputedEntry, ...]
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the energies are from, each once."""
        return tuple(sorted({source_of(entry) for entry in self.entries} - {NOWHERE}))

    def of(self, formula: str) -> ComputedEntry:
        """The lowest entry of a composition, by its formula."""
        wanted = composition(formula).reduced_formula
        same = [entry for entry in self.entries if entry.composition.reduced_formula == wanted]
        if not same:
            names = ", ".join(sorted({entry.composition.reduced_formula for entry in self.entries}))
            raise AtomsError(f"no energy of {wanted}", f"one of {names}")
        return min(same, key=lambda entry: entry.energy_per_atom)

    def among(self, elements: Sequence[str]) -> Entries:
        """Only phases made of these elements."""
        kept = [entry for entry in self.entries if {str(e) for e in entry.composition} <= set(elements)]
        return Entries(tuple(kept), self.notes)


def source_of(entry: ComputedEntry) -> str:
    """Where the energy of an entry is from."""
    return str(entry.data.get("source", "not told"))


def composition(formula: str) -> Composition:
    """A formula as a composition; raises AtomsError if it is none."""
    try:
        found = Composition(formula)
    except (ValueError, KeyError, TypeError) as broken:
        raise AtomsError(f"{formula!r} is no formula ({broken})", "such as Li3PO4") from None
    if not found or not all(isinstance(element, Element) for element in found.elements):
        raise AtomsError(f"{formula!r} is no formula", "such as Li3PO4")
    return found


def entry(formula: str, energy_per_atom: float, source: str) -> ComputedEntry:
    """One phase by its formula and its energy [eV/atom]."""
    whole = composition(formula)
    return ComputedEntry(whole, energy_per_atom * whole.num_atoms, data={"source": source})


def joined(*sets: Entries, mixed: bool = False) -> Entries:
    """Several sets as one. Sources differ in their zeros: energies of several have to be asked for with `mixed`."""
    together = Entries(tuple(e for one in sets for e in one.entries), tuple(n for one in sets for n in one.notes))
    if len(together.sources) > 1 and not mixed:
        raise AtomsError(
            f"energies of different sources: {'; '.join(together.sources)}",
            "one source for all phases of a reaction, or mixed=True if their zeros are known to agree",
        )
    return together


def read_entries(path: Path | str) -> Entries:
    """Entries of a user's file, a table (.csv) or a JSON list.

    The table has columns formula, energy_per_atom [eV] and, if there are several, source; the JSON list holds entries
    as pymatgen writes them, or objects with the columns of the table.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as broken:
        raise AtomsError(f"{path}: cannot be read ({broken})", "a .csv table or a .json list of entries") from None
    if path.suffix.lower() == ".json":
        found = _of_json(path, text)
    elif path.suffix.lower() == ".csv":
        found = _of_table(path, text)
    else:
        raise AtomsError(f"{path}: entries in a {path.suffix or 'nameless'} file", "a .csv table or a .json list")
    if not found:
        raise AtomsError(f"{path}: holds no entry", f"at least one row of {', '.join(COLUMNS)}")
    return Entries(tuple(found))


def _of_table(path: Path, text: str) -> list[ComputedEntry]:
    lines = [row for row in text.splitlines() if row.strip() and not row.lstrip().startswith("#")]
    numbers = [n for n, row in enumerate(text.splitlines(), 1) if row.strip() and not row.lstrip().startswith("#")]
    reader = csv.DictReader(lines, skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    if missing := [name for name in COLUMNS if name not in names]:
        raise AtomsError(f"{path}: no column {', '.join(missing)}", f"a head line {', '.join(COLUMNS)}")
    reader.fieldnames = names
    return [_of_row(row, f"{path}, line {n}", path.name) for n, row in zip(numbers[1:], reader, strict=True)]


def _of_json(path: Path, text: str) -> list[ComputedEntry]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as broken:
        raise AtomsError(f"{path}, line {broken.lineno}: no JSON ({broken.msg})", "a list of entries") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise AtomsError(f"{path}: not a list of objects", "a list of entries as pymatgen writes them")
    return [_of_object(row, f"{path}, entry {n}", path.name) for n, row in enumerate(rows, 1)]


def _of_object(row: dict, place: str, name: str) -> ComputedEntry:
    if "composition" not in row:
        return _of_row(row, place, name)
    try:
        found = ComputedEntry.from_dict(row)
    except (KeyError, ValueError, TypeError, AttributeError) as broken:
        raise AtomsError(
            f"{place}: no ComputedEntry ({broken!r})", "composition and energy as pymatgen writes them"
        ) from None
    if not math.isfinite(found.energy):
        raise AtomsError(f"{place}: the energy {found.energy} is not finite", "eV for the whole composition")
    found.data.setdefault("source", name)
    return found


def _of_row(row: dict, place: str, name: str) -> ComputedEntry:
    if missing := [key for key in COLUMNS if row.get(key) in (None, "")]:
        raise AtomsError(f"{place}: no {' and no '.join(missing)}", "both in every row")
    try:
        energy = float(row["energy_per_atom"])
    except (TypeError, ValueError):
        energy = math.nan
    if not math.isfinite(energy):
        raise AtomsError(f"{place}: energy_per_atom {row['energy_per_atom']!r} is no number", "eV per atom, as -5.1")
    try:
        return entry(str(row["formula"]).strip(), energy, str(row.get("source") or name).strip())
    except AtomsError as broken:
        raise AtomsError(f"{place}: formula {broken.problem}", broken.valid) from None


def materials_project(elements: Sequence[str], key: str | None = None) -> Entries:
    """Entries of a chemical system from the Materials Project, with the user's own key (or MP_API_KEY of the shell).

    GGA and GGA+U energies with the corrections of the project, as one source. Needs the network.
    """
    key = key or next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
    if not key:
        raise AtomsError(
            "no key of the Materials Project",
            f"set {KEYS[0]} (from materialsproject.org), or give entries in a file, or compute them here",
        )
    try:
        found = _asked(list(elements), key)
    except Exception as broken:  # whatever the client or the network raises
        raise AtomsError(
            f"the Materials Project gave no answer ({type(broken).__name__}: {broken})",
            "check the key and the network, or give entries in a file, or compute them here",
        ) from broken
    if not found:
        raise AtomsError(f"the Materials Project has no entry of {'-'.join(elements)}", "elements by their symbols")
    for one in found:
        one.data["source"] = "Materials Project, GGA/GGA+U with its 2020 corrections"
    return Entries(tuple(found))


def _asked(elements: list[str], key: str) -> list[ComputedEntry]:
    """By mp-api if it is installed, else by pymatgen's own client, which needs nothing more."""
    try:
        rester, criteria = import_module("mp_api.client").MPRester, {"thermo_types": ["GGA_GGA+U"]}
        settings = {"additional_criteria": criteria}
    except ImportError:
        rester, settings = import_module("pymatgen.ext.matproj").MPRester, {}
    with rester(key) as client:
        return list(client.get_entries_in_chemsys(elements, **settings))


def closed(entries: Entries, elements: Sequence[str]) -> Entries:
    """The entries with a placeholder for every element that has none, far above all others, and a note that says so."""
    have = {entry.composition.chemical_system for entry in entries.entries}
    missing = [element for element in sorted(elements) if element not in have]
    if not missing:
        return entries
    above = max(entry.energy_per_atom for entry in entries.entries) + PLACEHOLDER
    added = [ComputedEntry(element, above, data={"source": NOWHERE}) for element in missing]
    words = f"no energy of {', '.join(missing)} as an element: reactions that set it free are not seen"
    return Entries((*entries.entries, *added), (*entries.notes, words))
