"""The bond-valence field and screening: how near to measured crystals, and how fast.

python benchmarks/interface_field.py [crystals] [screening] [speed]

Times are processor seconds of one thread, so that a busy machine tells the same as a quiet one.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from machine import processor
from pymatgen.io.ase import AseAtomsAdaptor

from ionics.interfaces import phases
from ionics.interfaces.calculators import calculator, describe
from ionics.interfaces.field import BondValenceField
from ionics.interfaces.relax import relax
from ionics.interfaces.screening import screen

GPA = 160.2177  # of 1 eV/angstrom^3
RESULTS = Path(__file__).parent / "results" / "interface_field.md"
CENTRES = ("P", "C")


def atoms_of(name):
    structure = phases.curated(name).structure.get_primitive_structure()
    atoms = Atoms(AseAtomsAdaptor.get_atoms(structure))
    atoms.set_initial_charges([float(site.specie.oxi_state) for site in structure])
    return atoms


def lengths(atoms):
    """Shortest and longest bond [angstrom] of P or C to the anions of its own group."""
    found = []
    for i in np.flatnonzero(np.isin(atoms.get_chemical_symbols(), CENTRES)):
        bonds = np.sort(atoms.get_distances(i, np.arange(len(atoms)), mic=True))
        found += list(bonds[1 : 5 if atoms.symbols[i] == "P" else 4])
    return f"{min(found):.3f}-{max(found):.3f}" if found else ""


def modulus(atoms):
    """Bulk modulus [GPa], ions relaxed."""
    pressures = []
    for stretch in (0.99, 1.01):
        cell = atoms.copy()
        cell.set_cell(stretch * atoms.cell.array, scale_atoms=True)
        cell = relax(cell, BondValenceField(), fmax=0.01, steps=200, method="LBFGS").atoms
        cell.calc = BondValenceField()
        pressures.append(cell.get_stress()[:3].mean())
    return (pressures[1] - pressures[0]) / 0.06 * GPA


def crystals():
    rows = []
    for name in phases.names():
        if name in ("graphite", "Li", "LATP"):  # no ions, fitted, ordered by choice
            continue
        before = atoms_of(name)
        after = relax(before, BondValenceField(), fmax=0.02, steps=300, cell=True, method="LBFGS")
        change = 100 * (after.atoms.cell.lengths() / before.cell.lengths() - 1)
        volume = 100 * (after.atoms.get_volume() / before.get_volume() - 1)
        rows.append(
            f"| {name} | {' '.join(f'{x:+.1f}' for x in change)} | {volume:+.1f} | {lengths(before)} | "
            f"{lengths(after.atoms)} | {modulus(after.atoms):.0f} | {after.message} |"
        )
        print(rows[-1], flush=True)
    head = "| crystal | a, b, c of the primitive cell [%] | volume [%] | P-X, C-O measured | relaxed | B [GPa] | |"
    return [
        "## Cells relaxed by the field, against the measured ones",
        "",
        head,
        "|---|---|---|---|---|---|---|",
        *rows,
    ]


def screening():
    rows = []
    for name in phases.names():
        structure = phases.curated(name).structure
        if "Li" not in structure.symbol_set or len(structure.symbol_set) == 1:
            continue
        start = time.process_time()
        found = screen(structure)
        took = time.process_time() - start
        axes, ways = (" ".join(f"{x:.2f}" for x in kind) for kind in (found.barriers, found.dimensions))
        rows.append(f"| {name} | {axes} | {ways} | {took:.1f} |")
        print(rows[-1], flush=True)
    head = "| crystal | along a, b, c [eV] | in 1, 2, 3 dimensions [eV] | time [s] |"
    return ["## Bond-valence screening of Li+", "", head, "|---|---|---|---|", *rows]


def speed():
    rows = []
    for name in ("bond-valence", "chgnet"):
        calc = calculator(name)
        for repeat in ((1, 1, 1), (1, 2, 2), (2, 2, 2)):
            atoms = atoms_of("gamma-Li3PO4") * repeat
            atoms.center(vacuum=6, axis=2)
            atoms.calc = calc
            times = []
            for _ in range(4):
                atoms.rattle(0.001)
                start = time.process_time()
                atoms.get_potential_energy()
                atoms.get_forces()
                times.append(time.process_time() - start)
            rows.append(f"| {describe(calc)} | {len(atoms)} | {1e3 * min(times):.1f} |")
            print(rows[-1], flush=True)
    head = "| calculator | atoms | energy and forces [ms] |"
    return ["## One call, slab of Li3PO4", "", head, "|---|---|---|", *rows]


def main(asked):
    parts = {"crystals": crystals, "screening": screening, "speed": speed}
    text = ["# The bond-valence field", ""]
    text += [f"{processor()}, one thread, load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors;"]
    text += [
        f"{datetime.date.today()}; `python benchmarks/interface_field.py {' '.join(asked)}`".replace(" `", " `"),
        "",
    ]
    for part in asked or parts:
        text += [*parts[part](), ""]
    RESULTS.write_text("\n".join(text))


if __name__ == "__main__":
    main(sys.argv[1:])
