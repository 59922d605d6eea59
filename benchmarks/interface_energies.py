"""Adhesion, gamma(mu_Li) and Co/P exchange of one LiCoO2 | gamma-Li3PO4 junction with CHGNet; not searched.

python benchmarks/interface_energies.py [folder in which energies are kept]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np

from ionics.interfaces.calculators import Recipe, calculator, describe
from ionics.interfaces.energetics.adhesion import Relaxing, adhesion
from ionics.interfaces.energetics.chemical import bounds, envelope, line
from ionics.interfaces.energetics.computed import Bulking, entries_of
from ionics.interfaces.energetics.exchanges import swaps
from ionics.interfaces.energetics.mixing import mixing
from ionics.interfaces.energetics.units import JOULE_PER_AREA
from ionics.interfaces.interface import RIGHT, Interface
from ionics.interfaces.matching import Limits, build, candidates
from ionics.interfaces.phases import curated
from ionics.interfaces.ranking import rank
from ionics.interfaces.relax import relax

LEFT_NAME, RIGHT_NAME = "LiCoO2", "gamma-Li3PO4"
PLANES = [((0, 0, 1), (0, 0, 1))]
LIMITS = Limits(area=200.0, mismatch=0.05, strain=0.03, atoms=330, thickness=(5.0, 5.0))


def told(words: str) -> None:
    print(f"{time.process_time():7.1f} s  {words}", flush=True)


def best() -> Interface:
    """The candidate that ranks first, relaxed by the field where it may move."""
    left, right = curated(LEFT_NAME), curated(RIGHT_NAME)
    first = rank(candidates(left, right, PLANES, LIMITS))[0].candidate
    interface = build(first, left, right)
    told(f"{first.name}: {len(interface.atoms)} atoms, {interface.area:.1f} A^2")
    rested = relax(interface.atoms, calculator("bond-valence"), 0.1, 60, fixed=interface.outer(2.0))
    told(f"field: {rested.message}, largest force {rested.forces_max:.2f} eV/A")
    return interface.moved(rested.atoms)


def short_of(interface: Interface, missing: int) -> Interface:
    """Without the lithium ions of the right side that are nearest to the plane."""
    mine = np.flatnonzero(interface.side(RIGHT) & (interface.atoms.numbers == 3))
    gone = set(mine[np.argsort(np.abs(interface.distance[mine]), kind="stable")][:missing].tolist())
    return interface.moved(interface.atoms[[i for i in range(len(interface.atoms)) if i not in gone]])


def main(folder: str = "interface_energies") -> None:
    warnings.simplefilter("ignore")
    keep, made = Path(folder), calculator("chgnet", threads=1)
    source, interface = describe(made), best()
    held = adhesion(interface, made)
    told(f"W rigid, relaxed by the field: {held.work('rigid') * JOULE_PER_AREA:.3f} J/m^2 ({source})")
    bulks = entries_of([curated(n) for n in (LEFT_NAME, RIGHT_NAME, "Li")], made, source, Bulking(0.05, 100), keep)
    lithium = bulks.of("Li").energy_per_atom
    lines = []
    for missing in (0, 1, 2, 4):
        one = short_of(interface, missing)
        energy = held.rigid.interface if not missing else float(made.get_potential_energy(one.atoms))
        found = line(
            f"{missing} Li short", one.atoms, energy, one.area, [bulks.of("LiCoO2"), bulks.of("Li3PO4")], lithium
        )
        lines.append(found)
        told(f"{found.name}: gamma and free surfaces {found.metal * JOULE_PER_AREA:.3f} J/m^2 at 0 V, {found.excess:g}")
    told(f"Li3PO4 among these: {bounds([bulks.of('Li3PO4')], bulks.entries)} eV")
    told("from 0 to 5 V:\n" + envelope(lines, -5.0, 0.0).words())
    some = swaps(interface, "Co", "P", depth=6.0, most=3)
    told(mixing(interface, some, Recipe("chgnet", 1), source, folder=keep, tell=told).words())
    closed = swaps(interface, "Co", "P", depth=6.0, most=3, compensate=True)
    told(mixing(interface, closed, Recipe("chgnet", 1), source, folder=keep, tell=told).words())
    rule = Relaxing(0.1, 25)
    told(mixing(interface, closed[:1], Recipe("chgnet", 1), source, rule, folder=keep, tell=told).words())


if __name__ == "__main__":
    main(*sys.argv[1:])
