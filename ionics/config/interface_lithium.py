"""What lithium meets in a relaxed interface: barriers of its hops, energies of its defects, how it moves when hot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ionics import interface_results as made
from ionics.config.interface_questions import ANGSTROM, EV, EV_PER_ANGSTROM
from ionics.interfaces import calculators, text
from ionics.interfaces.calculators import FIELD
from ionics.interfaces.defect_lists import holes, interstitials, vacancies
from ionics.interfaces.defects import Computed, Defect, Settings, compute
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import Interface
from ionics.interfaces.migration import md
from ionics.interfaces.migration import neb as bands
from ionics.interfaces.migration.across import across, hops
from ionics.interfaces.migration.arrhenius import arrhenius

if TYPE_CHECKING:
    from ionics.config.interface_course import Course

PICO, FEMTO = 1e-12, 1e-15


def migrate(course: Course, found: xr.Dataset, place: Path) -> xr.Dataset:
    """Barriers in bins of the distance from the plane, and over it."""
    asked = course.question.migration
    if asked is None:
        return xr.Dataset()
    relaxed = text.interface(found.attrs["atoms"])
    held = course.question.relax.fixed / ANGSTROM
    settings = bands.Settings(
        images=asked.images, fmax=asked.force / EV_PER_ANGSTROM, steps=asked.steps, end_steps=asked.steps
    )
    with course.blamed("migration"):
        model = course.model if asked.model is None else calculators.calculator(asked.model)
        chosen = hops(
            relaxed, _edges(relaxed, asked.hops, held), limit=asked.longest / ANGSTROM, over=asked.across, outer=held
        )
        profile = across(relaxed, model, chosen, settings, held, asked.error / EV, keep=place, tell=course.tell)
    ds = made.hops(profile.details, profile.distance)
    ds["path_length"] = made.variable(("path",), profile.length, "angstrom", "between the two sites")
    ds["path_crosses"] = made.variable(("path",), profile.crosses.astype(int), "", "whether it leads over the plane")
    ds["path_error"] = made.variable(("path",), profile.error, "eV", "one standard deviation")
    ds.attrs["barriers_by"] = calculators.describe(model)
    return ds


def _edges(interface: Interface, bins: int, held: float) -> np.ndarray:
    """So many bins between the parts that are held; with none, one that no hop is in."""
    inner = interface.distance[~interface.outer(held)]
    if bins == 0:
        return np.array([inner.max() + 1.0, inner.max() + 2.0])
    return np.linspace(inner.min(), inner.max() + 1e-9, bins + 1)


def make_defects(course: Course, found: xr.Dataset, place: Path) -> xr.Dataset:
    """Lone vacancies and interstitials by the field of fixed charges, at even distances in both slabs."""
    asked = course.question.defects
    if asked is None:
        return xr.Dataset()
    relaxed = text.interface(found.attrs["atoms"])
    with course.blamed("defects"):
        computed = by_field(course, relaxed, place, course.tell)
    rows = []
    for defect, energy, end, words in zip(
        computed.defects, computed.energy, _ends(relaxed, computed), computed.messages, strict=True
    ):
        kind = "vacancy" if defect.removed is not None else "interstitial"
        slab = relaxed.left if end < 0 else relaxed.right
        rows.append((f"{kind} in {slab}", end, float(energy), asked.error / EV, words))
    ds = made.defects(rows)
    relative = [row[2] for row in _against_middle(rows)]
    ds["site_relative"] = made.variable(
        ("site",), relative, "eV", "energy less that of its kind farthest from the plane"
    )
    return ds


def by_field(course: Course, relaxed: Interface, place: Path, tell: Callable[[str], None]) -> Computed:
    """The defects themselves; what was computed before is read."""
    asked, fixed = course.question.defects, relaxed.outer(course.question.relax.fixed / ANGSTROM)
    heights, sites = relaxed.distance, asked.sites
    out = vacancies(relaxed.atoms, fixed)
    chosen = [out[k] for k in _even([heights[d.removed] for d in out], sites)]
    limits = heights[~fixed].min(), heights[~fixed].max()
    points = holes(relaxed.atoms, most=60)
    points = points[(points[:, 2] - relaxed.plane > limits[0]) & (points[:, 2] - relaxed.plane < limits[1])]
    put = interstitials(points)
    chosen += [put[k] for k in _even(list(points[:, 2] - relaxed.plane), sites)]
    settings = Settings(fmax=asked.force / EV_PER_ANGSTROM, steps=asked.steps)
    field = calculators.calculator(FIELD)
    return compute(relaxed.atoms, chosen, field, fixed, settings, place, tell)


def _even(heights: list[float], number: int) -> list[int]:
    """Rows of about `number` heights on each side of the plane, from the plane outwards at even distances."""
    z = np.array(heights)
    rows: list[int] = []
    for side in (z < 0, z >= 0):
        own = np.flatnonzero(side)
        if len(own):
            wanted = np.linspace(z[own].min(), z[own].max(), number)
            rows += [int(own[np.abs(z[own] - height).argmin()]) for height in wanted]
    return list(dict.fromkeys(rows))


def _ends(relaxed: Interface, computed: Computed) -> list[float]:
    """Where each defect is in the end [angstrom from the plane]; of failed ones, where it was put."""
    found = []
    for defect, empty, extra in zip(computed.defects, computed.empty, computed.extra, strict=True):
        here = empty if np.isfinite(empty[2]) else extra
        found.append(float(here[2] - relaxed.plane) if np.isfinite(here[2]) else _start(relaxed, defect))
    return found


def _start(relaxed: Interface, defect: Defect) -> float:
    if defect.added is not None:
        return float(defect.added[2] - relaxed.plane)
    return float(relaxed.distance[defect.removed])


def _against_middle(rows: list[tuple]) -> list[tuple]:
    """Energies of each kind less the one that is farthest from the plane: there the slab is most like its bulk."""
    lowest: dict[str, tuple[float, float]] = {}
    for kind, distance, energy, *_ in rows:
        if np.isfinite(energy) and abs(distance) > lowest.get(kind, (-1.0, 0.0))[0]:
            lowest[kind] = abs(distance), energy
    return [(kind, x, energy - lowest.get(kind, (0.0, np.nan))[1], *rest) for kind, x, energy, *rest in rows]


def heat(course: Course, found: xr.Dataset, place: Path) -> xr.Dataset:
    """Molecular dynamics at each temperature: diffusivities in both slabs with their errors."""
    asked = course.question.dynamics
    if asked is None:
        return xr.Dataset()
    from ionics.interfaces.migration.diffusion import resolved

    relaxed = text.interface(found.attrs["atoms"])
    fixed = relaxed.outer(course.question.relax.fixed / ANGSTROM)
    inner = relaxed.distance[~fixed]
    rows = []
    with course.blamed("dynamics"):
        for warm in asked.temperatures:
            settings = md.Settings(time=asked.time / PICO, step=asked.step / FEMTO, seed=asked.seed)
            keep = place / f"{warm:g}K.traj"
            motion = md.run(relaxed.atoms, course.model, warm, keep, settings, fixed, course.tell)
            if motion.message != "complete":
                raise AtomsError(f"the run at {warm:g} K ended early: {motion.message}", "another model, or less heat")
            edges = relaxed.plane + np.array([inner.min(), 0.0, inner.max()])
            moved = resolved(motion, edges, fixed=fixed)
            slabs = (relaxed.left, relaxed.right)
            rows += [(warm, *one) for one in zip(slabs, moved.value, moved.error, strict=True)]
    dim = ("run",)
    ds = xr.Dataset(
        {
            "run_temperature": made.variable(dim, [row[0] for row in rows], "K", "temperature"),
            "run_slab": made.texts("run", [row[1] for row in rows], "slab"),
            "run_diffusivity": made.variable(dim, [row[2] for row in rows], "m^2/s", "diffusivity of lithium"),
            "run_error": made.variable(dim, [row[3] for row in rows], "m^2/s", "one standard deviation"),
        }
    )
    ds.attrs["dynamics"] = "\n".join(_activated(course, slab, rows) for slab in (relaxed.left, relaxed.right))
    return ds


def _activated(course: Course, slab: str, rows: list[tuple]) -> str:
    """The activation energy in one slab, or what was found at one temperature, in words."""
    own = [row for row in rows if row[1] == slab and np.isfinite(row[2]) and row[2] > 0]
    if not own:
        return f"Lithium in {slab}: no diffusivity was found"
    found = ", ".join(f"{row[2]:.2g} ± {row[3]:.1g} m²/s at {row[0]:g} K" for row in own)
    if len(own) < 2:
        return f"Lithium in {slab}: {found}"
    warm, values, errors = ([row[k] for row in own] for k in (0, 2, 3))
    energy = arrhenius(warm, values, errors, calculators.describe(course.model)).energy
    return f"Lithium in {slab}: {found}; activation energy {energy.value:.2f} ± {energy.uncertainty:.2f} eV"
