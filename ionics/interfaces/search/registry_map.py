"""The energy of a junction over lateral shifts: rigid slabs, the gap as good as it gets at every shift."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from ase.calculators.calculator import Calculator
from scipy.optimize import OptimizeResult, minimize_scalar

from ionics.interfaces.errors import AtomsError
from ionics.interfaces.interface import LEFT, RIGHT, Interface
from ionics.interfaces.search.frame import taken_apart
from ionics.interfaces.search.moves import origin
from ionics.interfaces.search.settings import Settings, Stage

CLOSE = 0.02  # angstrom to which the gap is found


@dataclass(frozen=True)
class RegistryMap:
    """Energies on a grid of shifts; nan where the calculator failed, and `messages` say how."""

    shift_a: np.ndarray  # fractions of a, shape (a,)
    shift_b: np.ndarray  # fractions of b, shape (b,)
    energy: np.ndarray  # eV/angstrom^2 against the separated slabs, shape (a, b)
    lift: np.ndarray  # angstrom by which the right slab is raised there, shape (a, b)
    calls: int
    messages: tuple[str, ...]


def registry_map(
    interface: Interface,
    calculator: Calculator,
    grid: tuple[int, int] = (8, 8),
    lift: tuple[float, float] = (-0.5, 1.5),
    keep: Path | str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> RegistryMap:
    """Energy against the shift along a and b, at the best lift [angstrom] within bounds.

    With `keep`, a .npz file, points that are done are kept and read again. At a bound the best lift may lie outside.
    """
    if min(grid) < 1 or not lift[0] < lift[1]:
        raise AtomsError(f"a map of {grid} points with lifts {lift}", "1 or more points each way, the lower lift first")
    asked = _Asked(interface, calculator, lift)
    a, b = (np.arange(n) / n for n in grid)
    energy, height, calls = _kept(keep, asked, grid)
    apart = asked.separated() if np.isnan(energy).any() else 0.0
    messages = []
    for i, j in zip(*np.nonzero(np.isnan(energy)), strict=True):
        before = asked.calls
        try:
            total, height[i, j] = asked.best(a[i], b[j])
            energy[i, j] = (total - apart) / interface.area
        except Exception as error:
            messages.append(f"shift {a[i]:.3g}, {b[j]:.3g}: {type(error).__name__}: {error}")
        calls += asked.calls - before
        _keep(keep, energy, height, calls, asked.print)
        tell(f"registry map: {np.isfinite(energy).sum()} of {energy.size} points, {calls} calls")
    return RegistryMap(a, b, energy, height, calls, tuple(messages))


class _Asked:
    """One interface and its calculator, counting calls."""

    def __init__(self, interface: Interface, calculator: Calculator, lift: tuple[float, float]):
        # A frame needs settings; of these the lift alone matters here.
        stage = Stage("map", calculator=lambda: calculator, calls=1)
        self.frame = taken_apart(0, interface, Settings("random", (stage,), lift=lift))
        self.calculator, self.lift, self.calls = calculator, lift, 0
        atoms = interface.atoms
        self.print = np.concatenate([atoms.positions.ravel(), atoms.cell.array.ravel(), atoms.numbers, lift])

    def separated(self) -> float:
        whole = self.frame.left + self.frame.right
        return sum(self._energy(whole[whole.get_tags() == tag]) for tag in (LEFT, RIGHT))

    def best(self, shift_a: float, shift_b: float) -> tuple[float, float]:
        """Energy [eV] and lift [angstrom]."""

        def energy(lift: float) -> float:
            registry = np.array([shift_a, shift_b, lift, 0.0, 0.0])
            return self._energy(self.frame.interface(self.frame.carried(origin(self.frame), registry)).atoms)

        options = {"xatol": CLOSE}
        found = cast(OptimizeResult, minimize_scalar(energy, bounds=self.lift, method="bounded", options=options))
        return float(found.fun), float(found.x)

    def _energy(self, atoms) -> float:
        self.calls += 1
        atoms.calc = self.calculator
        energy = float(atoms.get_potential_energy())
        if not math.isfinite(energy):
            raise ValueError(f"the energy is {energy} eV")
        return energy


def _kept(keep: Path | str | None, asked: _Asked, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, int]:
    if keep is None or not Path(keep).is_file():
        return np.full(grid, np.nan), np.full(grid, np.nan), 0
    with np.load(keep) as file:
        if file["energy"].shape != tuple(grid) or not np.array_equal(file["asked"], asked.print):
            raise AtomsError(
                f"{Path(keep).name} holds another map", "another file, or the interface, grid and lifts it has"
            )
        return file["energy"], file["lift"], int(file["calls"])


def _keep(keep: Path | str | None, energy: np.ndarray, lift: np.ndarray, calls: int, print_: np.ndarray) -> None:
    if keep is None:
        return
    part = Path(f"{keep}.part")
    with part.open("wb") as file:
        np.savez(file, energy=energy, lift=lift, calls=calls, asked=print_)
    os.replace(part, keep)
