"""What a relaxed junction costs and what it may become: adhesion, lithium content, exchange of cations, reactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics import interface_results as made
from ionics.config.interface_questions import ANGSTROM, EV_PER_ANGSTROM
from ionics.interfaces import calculators, phases, text
from ionics.interfaces.calculators import FIELD
from ionics.interfaces.energetics.adhesion import Relaxing, adhesion, work_estimate
from ionics.interfaces.energetics.chemical import line, metal_energy
from ionics.interfaces.energetics.computed import entries_of
from ionics.interfaces.energetics.entries import Entries, materials_project, read_entries
from ionics.interfaces.energetics.exchanges import swaps
from ionics.interfaces.energetics.mixing import mixing
from ionics.interfaces.energetics.reactions import reactivity
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.interface import LEFT, Interface
from ionics.interfaces.relax import relax

if TYPE_CHECKING:
    from ionics.config.interface_course import Course

VOLTS = np.linspace(0.0, 5.0, 101)  # against Li/Li+
ALONE = 0.3  # of a work of adhesion by one model: what is not known of it


def weigh(course: Course, found: xr.Dataset, place: Path) -> xr.Dataset:
    """All that the file asks of energies."""
    relaxed = text.interface(found.attrs["atoms"])
    with course.blamed("energies"):
        named, words = _adhesion(course, relaxed)
        parts = [_of(named)]
        if course.question.energies.exchange:
            parts.append(_exchange(course, relaxed, place))
        reaction = ""
        of_ions = course.question.model == FIELD
        if of_ions and course.question.energies.entries is None:
            reaction = "The bond-valence field knows no energies of reactions or of lithium: neither was asked of it"
        else:
            known = _entries(course, place)
            if course.question.energies.lithium and not of_ions:
                parts.append(_lithium(course, relaxed, known, place, _beside(course, found)))
            parts.append(_reactions(course, known))
            reaction = str(parts[-1].attrs["reaction"])
    ds = xr.merge(parts)
    ds.attrs = {"adhesion": words, "reaction": reaction}
    return ds


def _of(named: dict[str, Estimate]) -> xr.Dataset:
    """Energies of the junction as a table of their own."""
    return xr.Dataset(
        {
            "energy_value": made.variable(("energy",), [one.value for one in named.values()], "J/m^2", "energy"),
            "energy_error": made.variable(
                ("energy",), [one.uncertainty for one in named.values()], "J/m^2", "one standard deviation"
            ),
            "energy_method": made.texts("energy", [one.method for one in named.values()], "method"),
        },
        coords={"energy": made.texts("energy", list(named), "which energy")},
    )


def _adhesion(course: Course, relaxed: Interface) -> tuple[dict[str, Estimate], str]:
    course.tell("work of adhesion")
    models = {calculators.describe(one): one for one in course.models}
    found = {name: adhesion(relaxed, one) for name, one in models.items()}
    first = abs(next(iter(found.values())).work("rigid")) * made.JOULE_PER_M2
    source = f"{relaxed.left} | {relaxed.right}; {', '.join(models)}"
    one = work_estimate(found, source, "rigid", None if len(found) > 1 else ALONE * first)
    spread = "the error is the spread of the models" if len(found) > 1 else "of one model: the error is set to 30 %"
    words = f"The work of adhesion is {one.value:.2f} ± {one.uncertainty:.2f} J/m² (rigid slabs; {spread})."
    return {"work of adhesion, rigid": one}, words


def _exchange(course: Course, relaxed: Interface, place: Path) -> xr.Dataset:
    """Energies of exchanges of cations, those asked, the nearest pairs of each."""
    asked, rows = course.question.energies, []
    settings = Relaxing(course.question.relax.force / EV_PER_ANGSTROM, max(1, course.question.relax.steps // 4))
    for left, right in asked.exchange:
        chosen = swaps(relaxed, left, right, most=asked.pairs)
        keep, source = place / f"exchange-{left}-{right}", calculators.describe(course.model)
        done = mixing(relaxed, chosen, course.question.model, source, settings, keep, tell=course.tell)
        rows += [(f"{left} <-> {right}", one) for one in done.found]
    return xr.Dataset(
        {
            "exchange_pair": made.texts("exchange", [name for name, _ in rows], "left <-> right"),
            "exchange_energy": made.variable(("exchange",), [one.energy for _, one in rows], "eV", "energy"),
            "exchange_charge": made.variable(
                ("exchange",), [one.swap.charge for _, one in rows], "e", "charge that went to the left"
            ),
            "exchange_message": made.texts("exchange", [one.message for _, one in rows], "what went wrong"),
        }
    )


def _entries(course: Course, place: Path) -> Entries:
    """Competing phases: the user's, those of Materials Project, or the curated ones by the model."""
    asked, pair = course.question.energies, course.phases
    elements = {str(e) for phase in pair for e in phase.structure.composition.element_composition} | {"Li"}
    if asked.entries == "materials-project":
        return materials_project(sorted(elements))
    if asked.entries is not None:
        return read_entries(Path(course.study.config.document.name).parent / asked.entries)
    course.tell("bulk energies of the curated phases")
    others = [one for one in map(phases.curated, phases.names()) if _within(one, elements) and len(one.structure) <= 40]
    names = {one.name for one in pair}
    chosen = [*pair, *(one for one in others if one.name not in names)]
    source = calculators.describe(course.model)
    return entries_of(chosen, course.model, source, keep=place / "bulk", tell=course.tell)


def _within(phase: phases.Phase, elements: set[str]) -> bool:
    return {str(e) for e in phase.structure.composition.element_composition} <= elements


def _beside(course: Course, found: xr.Dataset) -> float:
    """By how much the model's voltage of the left electrode is too low [V]; 0 where nothing was measured."""
    electrode = course.question.left.electrode
    if electrode is None or electrode.open_circuit is None or "level_left" not in found.attrs:
        return 0.0
    return float(electrode.open_circuit.potential) + float(found.attrs["level_left"][0])


def _lithium(course: Course, relaxed: Interface, known: Entries, place: Path, beside: float) -> xr.Dataset:
    """gamma against the lithium chemical potential: as it is, and with one and two lithium fewer on the left side.

    Voltages are the model's, raised by `beside`, as the chemical potential of the electrode is.
    """
    if course.question.energies.entries is not None:  # their zeros are not the model's
        course.tell("bulk energies by the model")
        chosen = [*course.phases, phases.curated("Li")]
        source = calculators.describe(course.model)
        known = entries_of(chosen, course.model, source, keep=place / "bulk", tell=course.tell)
    bulks = [known.of(one.structure.composition.reduced_formula) for one in course.phases]
    metal = metal_energy(known.entries)
    lines = []
    for number, (atoms, energy) in enumerate(_fewer(course, relaxed, place)):
        lines.append(line(f"{-number:+d} Li", atoms, energy, relaxed.area, bulks, metal))
    values = np.array([one(beside - VOLTS) for one in lines])
    values -= values[0]
    return xr.Dataset(
        {"gamma": made.variable(("lithium_content", "lithium_voltage"), values * made.JOULE_PER_M2, "J/m^2", "energy")},
        coords={
            "lithium_content": made.variable(("lithium_content",), -np.arange(float(len(lines))), "", "atoms more"),
            "lithium_voltage": made.variable(("lithium_voltage",), VOLTS, "V", "lithium chemical potential as -mu/e"),
        },
    )


def _fewer(course: Course, relaxed: Interface, place: Path) -> Iterator[tuple]:
    """The junction, and with lithium atoms of the left side taken out that stand nearest to the plane; relaxed."""
    asked = course.question.relax
    own = np.flatnonzero(relaxed.side(LEFT) & np.array([s == "Li" for s in relaxed.atoms.get_chemical_symbols()]))
    nearest = own[np.argsort(np.abs(relaxed.distance[own]), kind="stable")]
    fixed = relaxed.outer(asked.fixed / ANGSTROM)
    for number in range(min(2, len(nearest)) + 1):
        out = nearest[:number]
        atoms = relaxed.atoms.copy()
        del atoms[out]
        keep = place / f"fewer-{number}.extxyz"
        course.tell(f"{number} lithium fewer")
        steps = 1 if number == 0 else max(1, asked.steps // 4)
        done = relax(
            atoms, course.model, asked.force / EV_PER_ANGSTROM, steps, np.delete(fixed, out), keep, course.tell
        )
        yield done.atoms, done.energy


def _reactions(course: Course, known: Entries) -> xr.Dataset:
    left, right = (one.structure.composition.reduced_formula for one in course.phases)
    if left == right:
        return xr.Dataset(attrs={"reaction": ""})
    found = reactivity(left, right, known)
    dim = ("kink",)
    return xr.Dataset(
        {
            "reaction_mixing": made.variable(dim, [k.fraction for k in found.kinks], "", "share of atoms of the left"),
            "reaction_energy": made.variable(dim, [k.energy for k in found.kinks], "eV", "energy per atom"),
            "reaction_products": made.texts("kink", [k.reaction for k in found.kinks], "reaction"),
        },
        attrs={"reaction": found.words()},
    )
