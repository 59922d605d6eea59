"""Reactions at junctions with energies computed here: which products, how much energy, limited to which phases.

    python benchmarks/interface_reactions.py [chgnet | chgnet-r2scan] [folder in which energies are kept]

Competing phases: the curated ones of each system, and simple crystal types with textbook cells and positions (below),
every cell relaxed by the same calculator. Products that are not in the list are not seen.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from pymatgen.core import Lattice, Structure

from ionics.interfaces.calculators import calculator, describe
from ionics.interfaces.energetics.chemical import bounds
from ionics.interfaces.energetics.computed import Bulking, entries_of
from ionics.interfaces.energetics.reactions import alone, reactivity
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.phases import curated

CURATED = ("LiCoO2", "gamma-Li3PO4", "LiTi2(PO4)3", "LATP", "tetragonal-LLZO", "Li", "Li2O")
GROUPS = {"Co3O4": "Fd-3m:2", "LiTi2O4": "Fd-3m:2", "La2Zr2O7": "Fd-3m:2"}
TYPES = {  # name -> space group, cell (a, b, c, beta or gamma), sites; relaxed before use
    "CoO": ("Fm-3m", (4.26,), [("Co", 0, 0, 0), ("O", 0.5, 0.5, 0.5)]),
    "Co3O4": ("Fd-3m", (8.084,), [("Co", 0.125, 0.125, 0.125), ("Co", 0.5, 0.5, 0.5), ("O", 0.2631, 0.2631, 0.2631)]),
    "CoO2": ("R-3m", (2.822, 12.88), [("Co", 0, 0, 0.5), ("O", 0, 0, 0.235)]),
    "Li2O2": ("P6_3/mmc", (3.142, 7.65), [("Li", 0, 0, 0), ("Li", 1 / 3, 2 / 3, 0.25), ("O", 1 / 3, 2 / 3, 0.649)]),
    "LiCoPO4": (
        "Pnma",
        (10.2, 5.92, 4.70),
        [
            ("Li", 0, 0, 0), ("Co", 0.2786, 0.25, 0.9793), ("P", 0.0948, 0.25, 0.4182), ("O", 0.0968, 0.25, 0.7428),
            ("O", 0.4571, 0.25, 0.2060), ("O", 0.1656, 0.0465, 0.2848),
        ],
    ),
    "TiO2": ("P4_2/mnm", (4.594, 2.959), [("Ti", 0, 0, 0), ("O", 0.305, 0.305, 0)]),
    "LiTi2O4": ("Fd-3m", (8.4,), [("Li", 0.125, 0.125, 0.125), ("Ti", 0.5, 0.5, 0.5), ("O", 0.263, 0.263, 0.263)]),
    "AlPO4": (
        "P3_121",
        (4.943, 10.974),
        [("Al", 0.464, 0, 1 / 3), ("P", 0.467, 0, 5 / 6), ("O", 0.416, 0.292, 0.397), ("O", 0.415, 0.257, 0.884)],
    ),
    "Al2O3": ("R-3c", (4.759, 12.991), [("Al", 0, 0, 0.3522), ("O", 0.3064, 0, 0.25)]),
    "LiAlO2": (
        "P4_12_12",
        (5.169, 6.268),
        [("Li", 0.8126, 0.8126, 0), ("Al", 0.1759, 0.1759, 0), ("O", 0.3369, 0.2906, 0.7723)],
    ),
    "La2O3": ("P-3m1", (3.937, 6.13), [("La", 1 / 3, 2 / 3, 0.2467), ("O", 1 / 3, 2 / 3, 0.647), ("O", 0, 0, 0)]),
    "ZrO2": (
        "P2_1/c",
        (5.15, 5.212, 5.317, 99.23),
        [("Zr", 0.2754, 0.0395, 0.2083), ("O", 0.07, 0.3317, 0.3447), ("O", 0.4496, 0.7569, 0.4792)],
    ),
    "La2Zr2O7": (
        "Fd-3m",
        (10.8,),
        [("La", 0.5, 0.5, 0.5), ("Zr", 0, 0, 0), ("O", 0.332, 0.125, 0.125), ("O", 0.375, 0.375, 0.375)],
    ),
    "Li3P": ("P6_3/mmc", (4.273, 7.594), [("P", 1 / 3, 2 / 3, 0.25), ("Li", 0, 0, 0.25), ("Li", 1 / 3, 2 / 3, 0.583)]),
    "P": ("Cmce", (3.314, 10.478, 4.376), [("P", 0, 0.1017, 0.0808)]),
    "Co": ("P6_3/mmc", (2.507, 4.069), [("Co", 1 / 3, 2 / 3, 0.25)]),
    "Ti": ("P6_3/mmc", (2.951, 4.684), [("Ti", 1 / 3, 2 / 3, 0.25)]),
    "Zr": ("P6_3/mmc", (3.232, 5.147), [("Zr", 1 / 3, 2 / 3, 0.25)]),
    "La": ("P6_3/mmc", (3.774, 12.171), [("La", 0, 0, 0), ("La", 1 / 3, 2 / 3, 0.25)]),
    "Al": ("Fm-3m", (4.05,), [("Al", 0, 0, 0)]),
}  # fmt: skip
PAIRS = [("LiCoO2", "Li3PO4"), ("LiCoO2", "LATP"), ("LiCoO2", "LiTi2(PO4)3"), ("Li", "LLZO"), ("LiCoO2", "LLZO")]
BULKING = Bulking(fmax=0.05, steps=100)
ALONE = {"LLZO": (0.0,), "Li3PO4": (0.0, 4.2), "LiTi2(PO4)3": (2.0,), "LiCoO2": (2.0, 4.2)}


@dataclass(frozen=True)
class Crystal:
    """What `entries_of` asks of a phase."""

    name: str
    structure: Structure


def of_type(name: str) -> Crystal:
    """A crystal of the table."""
    group, cell, sites = TYPES[name]
    symbols, points = [site[0] for site in sites], [site[1:] for site in sites]
    if len(cell) == 1:
        lattice = Lattice.cubic(*cell)
    elif len(cell) == 2:
        hexagonal = group.startswith(("P6", "P3", "P-3", "R"))
        lattice = Lattice.hexagonal(*cell) if hexagonal else Lattice.tetragonal(*cell)
    else:
        lattice = Lattice.monoclinic(*cell) if len(cell) == 4 else Lattice.orthorhombic(*cell)
    return Crystal(name, Structure.from_spacegroup(GROUPS.get(name, group), lattice, symbols, points))


def oxygen() -> Crystal:
    """The molecule in a box."""
    return Crystal(
        "O2", Structure(Lattice.cubic(12.0), ["O", "O"], [[5, 6, 6], [6.21, 6, 6]], coords_are_cartesian=True)
    )


def _size(phase) -> int:
    return len(phase.structure.get_primitive_structure())


def told(words: str) -> None:
    print(words, flush=True)


def main(model: str = "chgnet", folder: str = "reaction_energies") -> None:
    warnings.simplefilter("ignore")
    made = calculator(model, threads=1)
    phases = sorted([curated(name) for name in CURATED] + [of_type(name) for name in TYPES], key=_size)
    keep = Path(folder)
    known = entries_of(phases, made, describe(made), BULKING, keep=keep, tell=told)
    gas = entries_of([oxygen()], made, describe(made), replace(BULKING, cell=False), keep=keep, tell=told)
    known = type(known)((*known.entries, *gas.entries), (*known.notes, *gas.notes))
    formula = {"LATP": curated("LATP").structure.composition.reduced_formula, "LLZO": "Li7La3Zr2O12"}
    for left, right in PAIRS:
        pair = formula.get(left, left), formula.get(right, right)
        for voltage in (None, 2.0, 3.0, 4.2) if left != "Li" else (None,):
            print(reactivity(*pair, known, voltage).words(), end="\n\n")
    for name, voltages in ALONE.items():
        for voltage in voltages:
            kink = alone(formula.get(name, name), known, voltage)
            print(f"{name} at {voltage} V: {kink.reaction}, {kink.energy * 1e3:.0f} meV per atom other than Li")
    for name in ("LiCoO2", "Li3PO4", "LiTi2(PO4)3", *formula):
        phase = known.of(formula.get(name, name))
        elements = [str(e) for e in phase.composition]
        try:
            low, high = bounds([phase], known.among([*elements, "Li"]).entries)
            print(f"{name}: stable from {0 - round(high, 2):.2f} to {0 - low:.2f} V against Li/Li+")
        except AtomsError as unstable:
            print(f"{name}: {unstable.problem}")


if __name__ == "__main__":
    main(*sys.argv[1:])
