"""Work of adhesion and energy of an interface, from three energies.

    W = (E_left + E_right - E_interface) / A          gamma = sigma_left + sigma_right - W  (Dupre)

Rigid: the slabs as they stand in the interface. Relaxed: each of the three relaxed by itself, with the same outer atoms
held. A rigid W of a relaxed interface is the ideal work of separation, never below the relaxed one:
Finnis, J. Phys. Condens. Matter 8 (1996) 5811, doi:10.1088/0953-8984/8/32/003.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from pymatgen.entries.computed_entries import ComputedEntry

from ionics.interfaces.energetics.counting import beyond_bulk
from ionics.interfaces.energetics.spread import ensemble
from ionics.interfaces.energetics.units import JOULE_PER_AREA
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.relax import relax


@dataclass(frozen=True)
class Relaxing:
    """How far atoms are relaxed before their energy counts."""

    fmax: float = 0.05  # eV/angstrom
    steps: int = 200
    held: float = 2.0  # angstrom: outer atoms this deep stay where they are


@dataclass(frozen=True)
class Energies:
    """Of the interface and of its two slabs alone [eV]."""

    interface: float
    left: float
    right: float

    @property
    def work(self) -> float:
        """To take them apart [eV], positive if they hold together."""
        return self.left + self.right - self.interface


@dataclass(frozen=True)
class Adhesion:
    """What holds one interface together, by one calculator."""

    area: float  # angstrom^2
    atoms: tuple[Atoms, Atoms, Atoms]  # interface, left, right; relaxed if they were
    rigid: Energies
    relaxed: Energies | None = None
    unfinished: tuple[str, ...] = ()  # relaxations that did not reach fmax, in words

    def work(self, which: str = "relaxed") -> float:
        """Work of adhesion [eV/angstrom^2], `rigid` or `relaxed`."""
        return self.energies(which).work / self.area

    def energies(self, which: str) -> Energies:
        """Of one kind, `rigid` or `relaxed`."""
        if which not in ("rigid", "relaxed"):
            raise AtomsError(f"no energies called {which!r}", "rigid or relaxed")
        found = self.rigid if which == "rigid" else self.relaxed
        if found is None:
            raise AtomsError("nothing was relaxed", "give settings for the relaxation, or ask for the rigid energies")
        return found


def adhesion(
    interface: Interface,
    calculator: BaseCalculator,
    relaxing: Relaxing | None = None,
    keep: Path | None = None,
    tell: Callable[[str], None] = lambda words: None,
) -> Adhesion:
    """Energies of the interface and of its slabs alone; relaxed too if `relaxing` is given.

    `keep`: folder in which the relaxations are kept, so that an interrupted one goes on.
    """
    whole = interface.atoms
    parts = (whole, interface.slab(LEFT), interface.slab(RIGHT))
    if min(len(part) for part in parts) == 0:
        raise AtomsError("one of the slabs has no atoms", "tags 1 below the plane and 2 above it")
    rigid = Energies(*(_energy(part, calculator) for part in parts))
    if relaxing is None:
        return Adhesion(interface.area, parts, rigid)
    outer = interface.outer(relaxing.held)
    masks = (outer, outer[interface.side(LEFT)], outer[interface.side(RIGHT)])
    return _relaxed(Adhesion(interface.area, parts, rigid), masks, calculator, relaxing, keep, tell)


def _energy(atoms: Atoms, calculator: BaseCalculator) -> float:
    alone = atoms.copy()
    alone.calc = calculator
    return float(alone.get_potential_energy())


def _relaxed(start: Adhesion, masks, calculator, relaxing: Relaxing, keep, tell) -> Adhesion:
    if keep is not None:
        Path(keep).mkdir(parents=True, exist_ok=True)
    done, unfinished = [], []
    for name, atoms, mask in zip(("interface", "left", "right"), start.atoms, masks, strict=True):
        place = None if keep is None else Path(keep) / f"{name}.extxyz"
        tell(f"relaxing the {name} ({len(atoms)} atoms)")
        one = relax(atoms.copy(), calculator, relaxing.fmax, relaxing.steps, fixed=mask, keep=place, tell=tell)
        if not np.isfinite(one.energy):
            raise AtomsError(f"the {name} could not be relaxed: {one.message}", "another start, or rigid energies")
        if not one.converged:
            unfinished.append(f"{name}: {one.message} (largest force {one.forces_max:.3f} eV/angstrom)")
        done.append(one)
    energies = Energies(*(one.energy for one in done))
    return Adhesion(start.area, tuple(one.atoms for one in done), start.rigid, energies, tuple(unfinished))


def surface_energy(slab: Atoms, energy: float, bulk: ComputedEntry, area: float) -> float:
    """Mean energy of the two faces of a slab of whole formula units [eV/angstrom^2]."""
    return beyond_bulk(energy, slab, [bulk]) / (2 * area)


def interface_energy(found: Adhesion, left: ComputedEntry, right: ComputedEntry, which: str = "relaxed") -> float:
    """Energy of the junction [eV/angstrom^2] by Dupre's relation; both slabs have to be stoichiometric.

    The two faces of a slab are taken to cost the same; where they differ, only differences of gamma between
    interfaces with the same free surfaces are sharp. Bulk energies of the strained cells leave the strain energy of the
    slabs out; those of the free crystals count it into gamma, where it grows with the thickness.
    """
    energies = found.energies(which)
    sides = (
        surface_energy(found.atoms[1], energies.left, left, found.area),
        surface_energy(found.atoms[2], energies.right, right, found.area),
    )
    return sum(sides) - energies.work / found.area


def work_estimate(
    found: Mapping[str, Adhesion], source: str, which: str = "relaxed", uncertainty: float | None = None
) -> Estimate:
    """Work of adhesion [J/m^2] over several calculators (name -> Adhesion); `uncertainty` [J/m^2] is added if given."""
    values = {name: one.work(which) * JOULE_PER_AREA for name, one in found.items()}
    return ensemble(values, "J/m^2", source, _method(found.values(), f"work of adhesion, {which}"), uncertainty)


def energy_estimate(
    found: Mapping[str, Adhesion],
    bulks: Mapping[str, tuple[ComputedEntry, ComputedEntry]],
    source: str,
    which: str = "relaxed",
    uncertainty: float | None = None,
) -> Estimate:
    """Interface energy [J/m^2] over calculators; `bulks`: name of the calculator -> (left, right) of its own."""
    if missing := sorted(set(found) - set(bulks)):
        raise AtomsError(f"no bulk energies of {', '.join(missing)}", "bulk energies by each calculator itself")
    values = {name: interface_energy(one, *bulks[name], which) * JOULE_PER_AREA for name, one in found.items()}
    return ensemble(values, "J/m^2", source, _method(found.values(), f"interface energy, {which}"), uncertainty)


def _method(found: Sequence[Adhesion], what: str) -> str:
    open_ends = [words for one in found for words in one.unfinished]
    return what + (f" (not fully: {'; '.join(open_ends)})" if open_ends else "")
