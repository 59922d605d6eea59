"""What is asked of each crystal alone: pairs of defects of an electrolyte, the lithium chemical potential of a host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics.config.interface_questions import ANGSTROM, EV_PER_ANGSTROM
from ionics.interfaces import calculators, phases
from ionics.interfaces.calculators import FIELD
from ionics.interfaces.defect_lists import frenkel_pairs, holes
from ionics.interfaces.defects import Defect, Settings, compute
from ionics.interfaces.energetics.computed import atoms_of, entries_of
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.levels import lithium_potential
from ionics.interfaces.migration import neb as bands
from ionics.interfaces.migration.ends import symmetric
from ionics.interfaces.migration.paths import supercell, vacancy_paths
from ionics.interfaces.migration.percolation import percolation
from ionics.interfaces.migration.sites import sites

if TYPE_CHECKING:
    from ionics.config.interface_course import Course

APART = 8.0  # angstrom between a defect and its image
HOST = 5.0  # angstrom between a vacancy of a host, which is not charged, and its image
MOST = 8  # kinds of hops
TRIED = 6  # pairs, by the field, before the model sees one


def crystals(course: Course, place: Path) -> xr.Dataset:
    """Attributes pair_left, pair_right: energy [eV] and separation [angstrom]; level_left, level_right: mu_Li [eV]
    against lithium metal and the filling at the lower end; each with _how."""
    found: dict = {}
    for side, phase in zip(("left", "right"), course.phases, strict=True):
        if phase.metal:
            continue
        asked = getattr(course.question, side)
        pairs = course.question.defects is not None and course.question.handover.formation_energy is None
        with course.blamed(side):
            if course.question.migration is not None:
                found |= _named(f"hop_{side}", *_hop(course, phase, place))
            if asked.electrode is not None:
                found |= _named(f"level_{side}", _level(course, phase, place), "one vacancy of a cell")
            elif pairs:
                found |= _named(f"pair_{side}", _pair(course, phase, place), "a Frenkel pair in a supercell, relaxed")
    return xr.Dataset(attrs=found)


def _named(key: str, values: list[float], how: str) -> dict:
    return {key: values, f"{key}_how": how}


def _hop(course: Course, phase: phases.Phase, place: Path) -> tuple[list[float], str]:
    """Barrier [eV] and length [angstrom] of the vacancy hop that limits the easiest endless way, found by the field.

    All distinct hops by the field, the one that limits by the model too.
    """
    asked = course.question.migration
    paths = vacancy_paths(phase.structure, limit=asked.longest / ANGSTROM, least=APART)[:MOST]
    if not paths:
        raise AtomsError(
            f"no hop of lithium in {phase.name} up to {asked.longest / ANGSTROM:g} angstrom", "migration.longest"
        )
    course.tell(f"{len(paths)} kinds of hops in {phase.name}")
    field = calculators.calculator(FIELD)
    known = symmetric(sites(phase.structure), supercell(phase.structure.lattice.matrix, APART))
    barriers = [
        _band(course, one.path, field, place / f"{phase.name}-{k}-field.xyz", known) for k, one in enumerate(paths)
    ]
    heights = [max(one.highest, 0.0) if one.converged else np.inf for one in barriers]
    easiest = percolation([one.move for one in paths], heights)
    axis = int(np.argmin(easiest.barrier))
    kinds = f"{len(paths)} kinds of vacancy hops" if len(paths) > 1 else "the only kind of vacancy hop"
    way = f"the hop that limits the easiest endless way by {kinds}"
    if not np.isfinite(easiest.barrier[axis]):
        if not np.isfinite(heights).any():
            raise AtomsError(f"no hop in {phase.name} converged: {barriers[0].message}", "more steps under migration")
        axis, way = 0, f"the easiest of {kinds}, which do not join up to an endless way"
    label = easiest.highest[axis] or paths[int(np.argmin(heights))].move.label
    first = next(k for k, one in enumerate(paths) if one.move.label == label)
    chosen = paths[first].path
    if course.question.model == FIELD:
        return [barriers[first].highest, chosen.distance], f"{label}, {way}"
    done = _band(course, chosen, course.model, place / f"{phase.name}-{first}.xyz", None)
    if not done.converged:
        raise AtomsError(f"hop {label} in {phase.name}: {done.message}", "more steps under migration")
    return [
        done.highest,
        chosen.distance,
    ], f"{label}, by the bond-valence field {way} ({barriers[first].highest:.2f} eV)"


def _band(course: Course, path, calculator, keep: Path, ends) -> bands.Barrier:
    asked = course.question.migration
    force = asked.force / EV_PER_ANGSTROM
    settings = bands.Settings(
        images=asked.images, fmax=force, end_fmax=force / 2, steps=asked.steps, end_steps=2 * asked.steps
    )
    return bands.neb(path, calculator, settings, None, keep, ends, course.tell)


def _settings(course: Course) -> Settings:
    asked = course.question.defects
    return Settings(fmax=asked.force / EV_PER_ANGSTROM, steps=asked.steps)


def _pair(course: Course, phase: phases.Phase, place: Path) -> list[float]:
    """The pair that costs least by the field, relaxed by the model."""
    unit = atoms_of(phase.structure)
    atoms = unit.repeat(supercell(unit.cell.array, APART))
    pairs = frenkel_pairs(atoms, holes(atoms, most=200))
    pairs = [pairs[k] for k in np.unique(np.linspace(0, len(pairs) - 1, TRIED).astype(int))]
    course.tell(f"Frenkel pairs in {phase.name}")
    field, folder = calculators.calculator(FIELD), place / f"pairs-{phase.name}"
    first = compute(atoms, pairs, field, None, _settings(course), folder / "field", course.tell)
    best = [pairs[k] for k in np.argsort(first.energy) if first.good[k]][:1] or pairs[:1]
    done = compute(atoms, best, course.model, None, _settings(course), place / f"pairs-{phase.name}", course.tell)
    if not done.good.any():
        raise AtomsError(f"no Frenkel pair in {phase.name}: {done.messages[0]}", "more steps under defects")
    return [float(done.energy[0]), float(done.separation(atoms)[0])]


def _level(course: Course, phase: phases.Phase, place: Path) -> list[float]:
    """Energy of lithium taken out of a host against the metal, by the model."""
    unit = atoms_of(phase.structure)
    atoms = unit.repeat(supercell(unit.cell.array, HOST))
    lithium = [k for k, symbol in enumerate(atoms.get_chemical_symbols()) if symbol == "Li"]
    if not lithium:
        raise AtomsError(f"{phase.name} holds no lithium", "an electrode with its lithium in, whose filling is given")
    course.tell(f"lithium chemical potential of {phase.name}")
    out, folder = [Defect(removed=lithium[0])], place / f"host-{phase.name}"
    done = compute(atoms, out, course.model, None, _settings(course), folder, course.tell)
    if not done.good.any():
        raise AtomsError(f"no vacancy in {phase.name}: {done.messages[0]}", "more steps under defects")
    source = calculators.describe(course.model)
    metal = entries_of([phases.curated("Li")], course.model, source, keep=place / "bulk", tell=course.tell)
    value = lithium_potential(0.0, float(done.energy[0]), 1.0, metal.entries[0].energy_per_atom)
    return [value, 1.0 - 1.0 / len(lithium)]
