"""The `interface` part of a file: from two crystals to a stack, in stages that are kept as they are done."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ionics import interface_results as made
from ionics.config.interface_bulk import crystals
from ionics.config.interface_energies import weigh
from ionics.config.interface_handover import continuum_of, hand_over
from ionics.config.interface_lithium import heat, make_defects, migrate
from ionics.config.interface_questions import ANGSTROM, EV_PER_ANGSTROM, Crystal, InterfaceQuestion
from ionics.config.stages import Stage, walk
from ionics.interfaces import calculators, matching, phases, ranking, text
from ionics.interfaces.audit import audit
from ionics.interfaces.calculators import FIELD
from ionics.interfaces.errors import AtomsError, MissingExtra
from ionics.interfaces.interface import Interface
from ionics.interfaces.ordering import Ordering
from ionics.interfaces.relax import Relaxed, relax
from ionics.interfaces.rules import Rules
from ionics.interfaces.search import geometry
from ionics.interfaces.search.history import history
from ionics.interfaces.search.registry_map import registry_map
from ionics.interfaces.search.searching import search
from ionics.interfaces.search.settings import Settings
from ionics.interfaces.search.settings import Stage as Level

if TYPE_CHECKING:
    from ionics.config.study import Study

DATABASE = "search.db"
MAP = (8, 8)  # shifts of the registry map


def interface(study: Study, folder: Path, tell: Callable[[str], None]) -> xr.Dataset:
    """The junction and the stack it hands over. Raises ConfigError where the file asks for something impossible."""
    asked = study.config.interface
    if asked is None:
        example = "interface: {left: {structure: LiCoO2}, right: {structure: gamma-Li3PO4}}"
        raise study.config.error((), "no interface is asked for", f"write e.g. {example}")
    course = Course(study, asked, tell)
    found, places = walk(course.stages(), course.plain, folder, tell)
    tell("the stack")
    given = hand_over(course, found, places["defects"])
    attributes = found.attrs | given.attrs
    found = found.merge(given)
    if given.attrs["stack"]:
        solved = continuum_of(course, given.attrs["stack"], folder)
        found, attributes = found.merge(solved), attributes | solved.attrs
    found.attrs = attributes
    found.attrs["sentences"] = "\n".join(sentences(found))
    sources = [(one.name, one.source) for one in course.phases]
    warnings = [words.rstrip(".") for words in found.attrs["notes_of_handover"].split("\n") if words]
    warnings += [f"{one.name}: {note}" for one in course.phases for note in one.notes]
    found.attrs |= study.origin.attributes() | {
        "materials": json.dumps(sources, ensure_ascii=False), "warnings": json.dumps(warnings, ensure_ascii=False)
    }  # fmt: skip
    found.attrs |= {"kind": "interface", "database": str(places["search"] / DATABASE)}
    return found


@dataclass(frozen=True)
class Look:
    """What a file would join, before anything costs energy."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.lines)


def look(study: Study, question: InterfaceQuestion) -> Look:
    """The crystals, and the best candidates. Raises ConfigError."""
    course = Course(study, question, lambda _: None)
    if question.model not in calculators.NAMES:
        _ = course.model  # says what would be valid
    ranked = course.ranked()
    lines = [
        f"{side}: {phase.name}, {phase.source}" for side, phase in zip(("left", "right"), course.phases, strict=True)
    ]
    lines += [f"  {note}" for phase in course.phases for note in phase.notes]
    lines.append(f"{len(ranked)} candidates, {sum(one.passed for one in ranked)} pass the audit; the best:")
    for one in ranked[: question.match.keep]:
        about = f"{one.candidate.atoms} atoms, strain {100 * one.candidate.match.strain:.1f} %"
        lines.append(f"  {one.candidate.name}, {about}" + ("" if one.passed else f": {'; '.join(one.reasons)}"))
    return Look(tuple(lines))


def sentences(found: xr.Dataset) -> list[str]:
    """What was found, the most important first."""
    a = found.attrs
    passed = int(found.candidate_passed.sum())
    said = [
        f"{a['left']} | {a['right']}: {found.sizes['candidate']} candidates, {passed} pass the audit; {a['searched']}",
        f"{a['candidate']} joins with {-float(found.relaxed_energy[int(a['chosen'])]):.2f} J/m² by {a['model']}",
    ]
    if a["audit"]:
        said.append(f"Once relaxed, look twice: {a['audit']}")
    if "path_forward" in found:
        for k in np.flatnonzero(found.path_crosses.values):
            ways = f"{float(found.path_forward[k]):.2f} eV, back {float(found.path_backward[k]):.2f} eV"
            done = "" if found.path_converged.values[k] else f"; {found.path_message.values[k]}"
            said.append(f"Over the plane lithium climbs {ways} (± {float(found.path_error[k]):.2f} eV{done})")
    said += [a[key] for key in ("adhesion",) if a.get(key)]
    said += (a.get("reaction") or "").split("\n")[:2] + a["notes_of_handover"].split("\n")
    said += [*a.get("dynamics", "").split("\n"), a.get("continuum", "")]
    return [text.rstrip(".") for text in said if text]


class Course:
    """What the stages share."""

    def __init__(self, study: Study, question: InterfaceQuestion, tell: Callable[[str], None]):
        self.study, self.question, self.tell = study, question, tell
        self.plain: dict[str, Any] = self.question.model_dump()
        self.plain["pairs"] = question.handover.formation_energy is None  # whether a pair is computed

    def stages(self) -> list[Stage]:
        """In their order."""
        dynamics = Stage("dynamics", "molecular dynamics", ("dynamics",), lambda found, place: heat(self, found, place))
        return [
            Stage("candidates", "matching the crystals", ("left", "right", "match"), self._candidates),
            Stage("search", "searching", ("search",), self._searched),
            Stage("relaxed", "relaxing the best", ("model", "relax"), self._relaxed),
            Stage("hops", "barriers", ("migration",), lambda found, place: migrate(self, found, place)),
            Stage("defects", "defects", ("defects",), lambda found, place: make_defects(self, found, place)),
            Stage("crystals", "the crystals alone", ("pairs",), lambda _, place: crystals(self, place)),
            Stage("energies", "energies", ("energies", "second_model"), lambda found, place: weigh(self, found, place)),
            *([] if self.question.dynamics is None else [dynamics]),
        ]

    # ---- what is given

    @functools.cached_property
    def phases(self) -> tuple[phases.Phase, phases.Phase]:
        """Left and right, of different names: a crystal may meet itself."""
        left, right = self._phase("left"), self._phase("right")
        if left.name == right.name:
            left, right = replace(left, name=f"{left.name} (left)"), replace(right, name=f"{right.name} (right)")
        return left, right

    def _phase(self, side: str) -> phases.Phase:
        asked: Crystal = getattr(self.question, side)
        with self.blamed(side, "structure"):
            if asked.structure in phases.names():
                return phases.curated(asked.structure)
            path = Path(self.study.config.document.name).parent / asked.structure
            if not path.is_file():
                return phases.curated(asked.structure)  # says which names there are
            order = None
            if asked.order is not None:
                order = Ordering(**asked.order.model_dump() | {"closest": asked.order.closest / ANGSTROM})
            return phases.read(path, Path(asked.structure).stem, asked.oxidation_states or None, order)

    @functools.cached_property
    def model(self):
        """The calculator of the energies that count."""
        with self.blamed("model"):
            return calculators.calculator(self.question.model)

    @functools.cached_property
    def models(self) -> list:
        """The model, and the second opinion if there is one."""
        if self.question.second_model is None:
            return [self.model]
        with self.blamed("second_model"):
            return [self.model, calculators.calculator(self.question.second_model)]

    @property
    def rules(self) -> Rules:
        asked = self.question.match
        return Rules(open=asked.open_corners, strain=asked.strain, shear=asked.strain)

    def blamed(self, *key: str):
        """Mistakes of the atomistic part, said of a key of the file."""
        return _Blamed(self.study.config, ("interface", *key))

    # ---- stages

    def ranked(self) -> list[ranking.Ranked]:
        """All that the limits allow, the best first."""
        asked, (left, right) = self.question.match, self.phases
        limits = matching.Limits(
            area=asked.area / ANGSTROM**2,
            mismatch=2 * asked.strain,
            angle=asked.strain,
            strain=asked.strain,
            shear=asked.strain,
            atoms=asked.atoms,
            thickness=(self.question.left.thickness / ANGSTROM, self.question.right.thickness / ANGSTROM),
        )
        with self.blamed("match"):
            planes = [self._planes(side, phase) for side, phase in (("left", left), ("right", right))]
            pairs = [(one, other) for one in planes[0] for other in planes[1]]
            return ranking.rank(matching.candidates(left, right, pairs, limits), self.rules)

    def _candidates(self, _: xr.Dataset, place: Path) -> xr.Dataset:
        """All that the limits allow; the best that pass the audit are built."""
        left, right = self.phases
        ranked = self.ranked()
        starts, rows, refused = [], [], ""
        for k, one in enumerate(ranked):
            if len(starts) == self.question.match.keep or not one.passed:
                break
            built = matching.build(one.candidate, left, right)
            judged = audit(built, left, right, self.rules)
            refused = refused or "; ".join(judged.reasons)
            if judged.passed:
                starts.append(built)
                rows.append(k)
        if not starts:
            refused = refused or "; ".join(ranked[0].reasons)
            why = f"none of {len(ranked)} candidates passes the audit; the best: {refused}"
            raise self.study.config.error(("interface", "match"), why, "other planes, or a larger area")
        ds = made.candidates(ranked, rows)
        ds["start_atoms"] = made.texts("start", [text.text(one) for one in starts], "built candidate, extended XYZ")
        ds["start_name"] = made.texts("start", [ranked[k].candidate.name for k in rows], "candidate")
        ds.attrs |= {"left": left.name, "right": right.name}
        return ds

    def _planes(self, side: str, phase: phases.Phase) -> list[tuple[int, int, int]]:
        asked: Crystal = getattr(self.question, side)
        return asked.planes or matching.planes(phase, asked.max_index)

    def _searched(self, found: xr.Dataset, place: Path) -> xr.Dataset:
        """Every candidate by the field, each with its own budget; the best distinct structures of all."""
        asked = self.question.search
        starts = [text.interface(str(one)) for one in found.start_atoms.values]
        with self.blamed("search"):
            done = search(starts, self._settings(len(starts)), place / DATABASE, self.tell)
            shown = history(place / DATABASE, FIELD)
            best = done.best[: asked.refine]
            self.tell("mapping the registry")
            field = calculators.calculator(FIELD)
            mapped = registry_map(starts[best[0].start], field, MAP, keep=place / "registry.npz", tell=self.tell)
        ds = xr.merge([made.visits(shown, [str(name) for name in found.start_name.values]), made.registry(mapped)])
        ds["found_atoms"] = made.texts("found", [text.text(one.interface) for one in best], "structure, extended XYZ")
        energies = np.array([one.energy for one in best]) * made.JOULE_PER_M2
        ds["found_energy"] = made.variable(("found",), energies, "J/m^2", "energy of joining by the field")
        names = [f"{found.start_name.values[one.start]}, {one.operator}" for one in best]
        ds["found_name"] = made.texts("found", names, "candidate and last move")
        ds.attrs["searched"] = f"{done.evaluated} structures, {sum(done.calls.values())} energies, {done.failed} failed"
        return ds

    def _settings(self, starts: int) -> Settings:
        asked = self.question.search
        return Settings(
            asked.method,
            (
                Level("overlap", score=geometry.overlap, promoted=0.5),
                Level(FIELD, calculator=FIELD, calls=asked.calls * starts),
            ),
            population=asked.population,
            seed=asked.seed,
            depth=asked.depth / ANGSTROM,
            outer=self.question.relax.fixed / ANGSTROM,
            workers=self.question.workers,
        )

    def _relaxed(self, found: xr.Dataset, place: Path) -> xr.Dataset:
        """The best few by the model; the one that joins with most energy stands for the junction."""
        with self.blamed("relax"):
            done = [
                self._at_rest(text.interface(str(one)), place / f"{k}.extxyz")
                for k, one in enumerate(found.found_atoms.values)
            ]
        good = [k for k, (_, _, energy) in enumerate(done) if np.isfinite(energy)]
        if not good:
            words = "; ".join(one.message for _, one, _ in done)
            raise self.study.config.error(
                ("interface", "relax"), f"no structure could be relaxed: {words}", "another model"
            )
        first = min(good, key=lambda k: done[k][2])
        best = done[first][0]
        ds = made.atoms(best)
        energies = [energy * made.JOULE_PER_M2 for *_, energy in done]
        ds["relaxed_energy"] = made.variable(("found",), energies, "J/m^2", "energy of joining by the model, relaxed")
        ds["relaxed_message"] = made.texts("found", [one.message for _, one, _ in done], "how the relaxation ended")
        judged = audit(best, *self.phases, self.rules)
        ds.attrs["model"] = calculators.describe(self.model)
        ds.attrs |= {
            "atoms": text.text(best),
            "chosen": first,
            "candidate": str(found.found_name.values[first]),
            "audit": "; ".join(judged.reasons),
        }
        return ds

    def _at_rest(self, start: Interface, keep: Path) -> tuple[Interface, Relaxed, float]:
        """Relaxed by the model, and the energy of joining its slabs as they stand [eV/angstrom^2]."""
        asked = self.question.relax
        outer = start.outer(asked.fixed / ANGSTROM)
        fmax = asked.force / EV_PER_ANGSTROM
        one = relax(start.atoms, self.model, fmax, asked.steps, outer, keep, self.tell)
        rested = start.moved(one.atoms)
        if not np.isfinite(one.energy):
            return rested, one, np.nan
        slabs = sum(self._energy(rested.slab(tag)) for tag in (1, 2))
        return rested, one, (one.energy - slabs) / start.area

    def _energy(self, atoms) -> float:
        atoms.calc = self.model
        return float(atoms.get_potential_energy())


class _Blamed:
    """Turns an AtomsError into an error of the file, at a key."""

    def __init__(self, config, key: tuple[str, ...]):
        self.config, self.key = config, key

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, MissingExtra):
            raise self.config.error(("interface", "model"), error.problem, error.valid) from error
        if isinstance(error, AtomsError):
            raise self.config.error(self.key, error.problem, error.valid) from error
        return False
