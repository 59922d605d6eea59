"""What the stages found, as a stack: parts of `interfaces.handoff` filled from a Dataset, and the stack solved."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics import interface_results as made
from ionics import results
from ionics.config.interface_lithium import by_field
from ionics.config.interface_questions import ANGSTROM, EV, Crystal
from ionics.config.uncertain import Uncertain
from ionics.constants import AVOGADRO
from ionics.interfaces import calculators, continuum, handoff, text
from ionics.interfaces.depth import Depth, energy_profile, segregation
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.handoff import Part
from ionics.interfaces.interface import LEFT, RIGHT
from ionics.interfaces.ions import Ions, step
from ionics.interfaces.levels import Calibration, Level

if TYPE_CHECKING:
    from ionics.config.interface_course import Course

TERA = 1e12
COUNTED = 0.02  # relative: density of sites, from a lattice at room temperature against a relaxed one
LENGTH = 0.1  # angstrom: of a hop between relaxed sites
ATTEMPT = 3.0  # factor within which an attempt frequency is known
STATED = "stated in the file"


class Unknown(AtomsError):
    """A number that a stack can do without, with words on what is assumed instead."""


@dataclass(frozen=True)
class Side:
    """One crystal on its way into the stack."""

    tag: int
    name: str
    asked: Crystal
    metal: bool

    @property
    def word(self) -> str:
        return "left" if self.tag == LEFT else "right"

    @property
    def electrode(self) -> bool:
        return self.asked.electrode is not None


class Assembly:
    """The hand-over of one interface."""

    def __init__(self, course: Course, found: xr.Dataset, defects: Path):
        self.course, self.found, self.defects, self.notes = course, found, defects, []
        self.relaxed = text.interface(found.attrs["atoms"])
        names = (self.relaxed.left, self.relaxed.right)
        asked = (course.question.left, course.question.right)
        metal = [phase.metal for phase in course.phases]
        self.left, self.right = (Side(k + 1, names[k], asked[k], metal[k]) for k in range(2))
        self.model = calculators.describe(course.model)
        self.source = f"{names[0]} | {names[1]}, {found.attrs['candidate']}; {self.model}"

    def handover(self) -> handoff.Handover:
        """The stack. Raises AtomsError where something that it needs is missing."""
        sides = [side for side in (self.left, self.right) if not side.metal]
        if not sides:
            raise AtomsError("two metals make no stack", "an electrolyte on one side")
        question = self.course.question
        layers = [
            handoff.layer(side.name, side.name, f"{question.handover.thickness * 1e9:g} nm", **self._profiles(side))
            for side in sides
        ]
        ends = [self._end(side) for side in (self.left, self.right)]
        junctions = {f"{self.left.name} | {self.right.name}": self._junction()} if len(sides) == 2 else {}
        config = self.course.study.config
        return handoff.handover(
            title=f"{self.left.name} | {self.right.name} from its atoms",
            temperature=config.temperature,
            materials={side.name: self._material(side) for side in sides},
            layers=layers,
            left=ends[0],
            right=ends[1],
            junctions=junctions,
            atoms="; ".join(f"{one.name} ({one.source})" for one in self.course.phases),
            models=", ".join(calculators.describe(one) for one in self.course.models) + "; bond-valence field for ions",
            settings=f"{self.found.attrs['candidate']}; {self.found.attrs['searched']}",
        )

    # ---- materials

    def _material(self, side: Side) -> Part:
        sites, permittivity = self._sites(side), self._permittivity(side)
        hop = self._hop(side)
        if side.electrode:
            filled = Estimate(float(side.asked.electrode.occupancy), "", STATED, "chosen", 0.0)
            return handoff.single_ion(permittivity, sites, filled, hop)
        formation = self._formation(side)
        return handoff.defect_pair(permittivity, sites, formation, hop, hop, self.course.study.config.temperature)

    def _sites(self, side: Side) -> Estimate:
        structure = self.course.phases[side.tag - 1].structure
        count = sum(1 for site in structure if site.specie.symbol == "Li")
        value = count / (structure.volume * ANGSTROM**3) / AVOGADRO
        source = self.course.phases[side.tag - 1].source
        return Estimate(value, "mol/m^3", source, "lithium sites of the crystal over its volume", COUNTED * value)

    def _permittivity(self, side: Side) -> Estimate:
        factor = float(self.course.question.handover.permittivity_factor)
        value = float(side.asked.permittivity)
        return Estimate(value, "", STATED, "not computed", factor=factor)

    def _hop(self, side: Side) -> continuum.Hop:
        """The hop that limits lithium in the bulk of a crystal."""
        key = f"hop_{side.word}"
        if key not in self.found.attrs:
            raise AtomsError(f"no hop of lithium in {side.name} was computed", "migration: {}")
        value, length = (float(x) for x in self.found.attrs[key])
        error = float(self.course.question.migration.error) / EV
        if value < error / 2:
            raise AtomsError(
                f"the barrier in {side.name} ({self.found.attrs[f'{key}_how']}, by {self.model}), {value:.3f} eV, is "
                f"less than half of its error, {error:g} eV: its diffusivity is not known",
                "a better model, such as chgnet, and its error under migration",
            )
        source, method = f"{side.name}; {self.model}", str(self.found.attrs[f"{key}_how"])
        barrier = Estimate(value, "eV", source, f"{method}; nudged elastic band", error)
        between = Estimate(length, "angstrom", source, "between the sites of the crystal", LENGTH)
        return continuum.Hop(barrier, between, self._attempt, side.asked.directions)

    @property
    def _attempt(self) -> Estimate:
        value = float(self.course.question.handover.attempt_frequency) / TERA
        return Estimate(value, "THz", STATED, "a lattice vibration, not computed", factor=ATTEMPT)

    def _formation(self, side: Side) -> Estimate:
        """Of one defect of an electrolyte: stated, or half a pair far apart."""
        stated = self.course.question.handover.formation_energy
        if stated is not None:
            return self._stated("formation_energy", stated, EV, "eV")
        key = f"pair_{side.word}"
        if key not in self.found.attrs:
            raise AtomsError(f"no formation energy of defects in {side.name}", "defects, or handover.formation_energy")
        pair, apart = (float(x) for x in self.found.attrs[key])
        error = float(self.course.question.defects.pair_error) / EV
        source, method = f"{side.name}; {self.model}", str(self.found.attrs[f"{key}_how"])
        far = continuum.unbound(Estimate(pair, "eV", source, method, error), apart, self._permittivity(side))
        return continuum.per_defect(far)

    # ---- faces

    def _end(self, side: Side) -> Part:
        if not side.metal:
            return {"contact": "reservoir"}
        known = self._step()
        if known is not None and side.tag == RIGHT:
            known = Estimate(-known.value, known.unit, known.source, f"minus: {known.method}", known.uncertainty)
        return handoff.lithium_metal(known)

    def _junction(self) -> Part:
        """Lithium crosses by the computed hop; without one, or where it is no obstacle, in equilibrium."""
        try:
            forward, backward = self._over()
            barrier = self._barrier(forward, backward)
            part = handoff.crossing(barrier, self._density(), self._step(), reaction=None)
        except Unknown as error:
            self.notes.append(f"Lithium is taken to cross in equilibrium: {error.problem}.")
            part = {"carriers": {handoff.INTERSTITIAL: {"law": "equilibrium"}}}
            known = self._step()
            part |= {} if known is None else {"space_charge_potential": known}
        if not (self.left.electrode or self.right.electrode):  # vacancies come and go with interstitials
            part |= {"carriers": part["carriers"] | {handoff.VACANCY: {"law": "blocked"}}}
        return part

    def _barrier(self, forward: Estimate, backward: Estimate) -> Estimate:
        try:
            return continuum.across(forward, backward, self._attempt, self.course.study.config.temperature)
        except AtomsError as error:
            raise Unknown(error.problem, error.valid) from error

    def _over(self) -> tuple[Estimate, Estimate]:
        found = self.found
        over = [] if "path_crosses" not in found else [
            k for k in np.flatnonzero(found.path_crosses.values) if found.path_converged.values[k]
        ]  # fmt: skip
        if not over:
            raise Unknown("no hop across the plane converged", "migration with across: 1 and more steps")
        k = min(over, key=lambda k: max(float(found.path_forward[k]), float(found.path_backward[k])))
        error, source = float(found.path_error[k]), found.attrs["barriers_by"]
        words = f"hop {found.path_label.values[k]} by a band"
        forward, backward = (float(found[key][k]) for key in ("path_forward", "path_backward"))
        return (
            Estimate(forward, "eV", source, f"forward of {words}", error),
            Estimate(backward, "eV", source, f"backward of {words}", error),
        )

    def _density(self) -> Estimate:
        """Lithium of the left slab within 2.5 angstrom of the plane, per area."""
        near = self.relaxed.side(LEFT) & (np.abs(self.relaxed.distance) < 2.5)
        count = sum(1 for k in np.flatnonzero(near) if self.relaxed.atoms[int(k)].symbol == "Li")
        return continuum.site_density(max(count, 1), self.relaxed.area, self.source, max(1.0, math.sqrt(count)))

    def _step(self) -> Estimate | None:
        """Stated, or of lone ions by the field; None: flat band."""
        stated = self.course.question.handover.step
        if stated is not None:
            return self._stated("step", stated, 1.0, "V")
        if self.course.question.defects is None or self.left.metal or self.right.metal:
            self.notes.append("No step of the potential is known: flat band is assumed.")
            return None
        self.levels()  # refuses a host whose level is not calibrated
        self.notes.append(
            "The step of the potential is that of ions in a classical field; handover.step takes a better one."
        )
        return step(*(self._ions(side) for side in (self.left, self.right)))

    def _ions(self, side: Side) -> Ions:
        vacancy = self._inner(side, "vacancy")
        return Ions(vacancy, None if side.electrode else self._inner(side, "interstitial"))

    def _inner(self, side: Side, kind: str) -> Estimate:
        """Energy of a lone ion's defect in the outer half of what was computed in a slab."""
        found, name = self.found, f"{kind} in {side.name}"
        own = np.flatnonzero((found.site_kind.values == name) & np.isfinite(found.site_energy.values))
        if not len(own):
            raise AtomsError(f"no {name} was computed", "defects with more sites or steps")
        distance = np.abs(found.site_distance.values[own])
        inner = own[distance >= np.median(distance)]
        values = found.site_energy.values[inner]
        error = math.hypot(float(found.site_error.values[own[0]]), float(values.std()))
        method = f"lone {kind} of an ion, mean of {len(inner)} sites away from the plane"
        return Estimate(
            float(values.mean()), "eV", f"{self.relaxed.left} | {self.relaxed.right}; bond-valence field", method, error
        )

    def _stated(self, key: str, value: float, scale: float, unit: str) -> Estimate:
        """A quantity of the file, with the uncertainty, source and method that it states."""
        written = self.course.study.config.document.at(("interface", "handover", key))
        said = written if isinstance(written, dict) else {}
        source, method = said.get("source", STATED), said.get("method", "as stated")
        if not isinstance(value, Uncertain):
            return Estimate(value / scale, unit, source, f"{method}, without an uncertainty", 0.0)
        spread = value.spread
        if spread.logarithmic:
            return Estimate(float(value) / scale, unit, source, method, factor=math.exp(spread.error))
        return Estimate(float(value) / scale, unit, source, method, spread.error / scale)

    # ---- profiles, levels

    def _profiles(self, side: Side) -> Part:
        """Energies of defects along an electrolyte, where enough of them were computed."""
        if self.course.question.defects is None or side.electrode or side.metal:
            return {}
        computed = by_field(self.course, self.relaxed, self.defects, lambda _: None)
        thickness = float(self.course.question.handover.thickness) * 1e9
        profiles = {}
        for carrier, alone in ((handoff.INTERSTITIAL, "added"), (handoff.VACANCY, "removed")):
            rows = [k for k, one in enumerate(computed.defects) if getattr(one, alone) is not None]
            try:
                depth: Depth = segregation(
                    self.relaxed, side.tag, _rows(computed, rows), self.course.question.defects.error / EV
                )
                profiles[carrier] = {"energy": energy_profile(depth, side.tag, thickness)}
            except AtomsError as error:
                self.notes.append(f"No profile of {carrier} in {side.name}: {error.problem}.")
        return {"profiles": profiles} if profiles else {}

    def levels(self) -> dict[str, Estimate]:
        """mu_Li of every electrode, shifted to what was measured. Raises AtomsError where nothing was."""
        found = {}
        for side in (self.left, self.right):
            key = f"level_{side.word}"
            if not side.electrode or key not in self.found.attrs:
                continue
            value, less = (float(x) for x in self.found.attrs[key])
            model = self.model
            level = Level(side.name, model, (less, 1.0), value, 0.05)
            own = side.asked.electrode.open_circuit
            if own is not None:
                measured = (float(own.occupancy[0]), float(own.occupancy[1]))
                level = level.by(
                    Calibration(model, side.name, measured, own.potential, -value, own.uncertainty, own.source)
                )
            found[f"mu_Li of {side.name}"] = level.estimate()
        return found


def _rows(computed, rows: list[int]):
    from dataclasses import replace

    return replace(
        computed,
        defects=tuple(computed.defects[k] for k in rows),
        energy=computed.energy[rows],
        empty=computed.empty[rows],
        extra=computed.extra[rows],
        messages=tuple(computed.messages[k] for k in rows),
    )


def hand_over(course: Course, found: xr.Dataset, defects: Path) -> xr.Dataset:
    """The stack file and every number of it; where something is missing, words that say what, and no stack."""
    assembly = Assembly(course, found, defects)
    with course.blamed("left" if course.question.left.electrode else "right", "electrode"):
        named = assembly.levels()
    try:
        stack = assembly.handover()
    except AtomsError as error:
        missing = f"No stack is handed over: {error.problem}; what would help: {error.valid}."
        return made.estimates(named).assign_attrs(stack="", notes_of_handover=missing)
    named |= {name.rpartition("carriers.")[2]: one for name, one in stack.estimates.items()}
    notes = "\n".join(dict.fromkeys(assembly.notes))
    return made.estimates(named).assign_attrs(stack=stack.text(), notes_of_handover=notes)


def continuum_of(course: Course, stack: str, folder: Path) -> xr.Dataset:
    """The potential about the junction of the stack at rest, with its intervals; kept in the folder."""
    from ionics.config.study import load
    from ionics.transport.equilibrium import NotConverged

    path = folder / f"stack-{hashlib.sha256(stack.encode()).hexdigest()[:12]}.yaml"
    if path.with_suffix(".nc").is_file():
        return xr.load_dataset(path.with_suffix(".nc"), engine="h5netcdf")
    path.write_text(stack, encoding="utf-8")
    course.tell("the potential of the stack")
    try:
        run = load(path, ["study={uncertainty: {samples: 32, seed: 1}}"]).run(course.tell)
    except NotConverged as error:
        return xr.Dataset(attrs={"continuum": f"The stack has no answer: {error}"})
    layers = np.flatnonzero(run.element_kind.values == "layer")
    face = float(run.thickness[layers[0]]) if len(layers) > 1 else 0.0
    kept = {"continuum_position": made.variable(("node",), run.x.values - face, "m", "distance from the junction")}
    kept["continuum_potential"] = made.variable(("node",), run.potential.values, "V", "potential of the stack at rest")
    if "potential_quantile" in run:
        for name, q in (("low", 0.16), ("high", 0.84)):
            values = run.potential_quantile.sel(quantile=q).values
            kept[f"continuum_{name}"] = made.variable(("node",), values, "V", f"{q:g} quantile")
    ds = xr.Dataset(kept)
    results.save(ds, path.with_suffix(".nc"))
    return ds
