"""A small ionic potential and a junction of two rock salts: enough chemistry for tests, and fast."""

import itertools

import numpy as np
from ase import Atom, Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.symbols import string2symbols

from ionics.interfaces.interface import LEFT, RIGHT, Interface

CHARGES = {"Li": 1.0, "F": -1.0, "Na": 1.0, "Mg": 2.0, "O": -2.0}
RADII = {"Li": 0.76, "F": 1.33, "Na": 1.02, "Mg": 0.72, "O": 1.40}  # Shannon, sixfold
FAR = 5.5  # angstrom: less than the cell is wide


class Ionic(Calculator):
    """Coulomb, damped and shifted (Fennell and Gezelter 2006), with a Born-Mayer repulsion; lateral images only."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        positions, charges = self.atoms.positions, 0.7 * self.atoms.get_initial_charges()
        radii = np.array([RADII[s] for s in self.atoms.symbols])
        cell = self.atoms.cell[:]
        between = positions[None] - positions[:, None]
        between -= np.round(between @ np.linalg.inv(cell) * [1, 1, 0]) @ cell
        energy, forces = 0.0, np.zeros_like(positions)
        for i, j in itertools.product((0, 1, -1), repeat=2):
            apart = between + i * cell[0] + j * cell[1]
            length = np.linalg.norm(apart, axis=2)
            length[length < 1e-9] = np.inf
            near = length < FAR
            r = np.where(near, length, FAR)
            coulomb = 14.4 * charges[:, None] * charges[None]
            push = 0.15 * np.exp((radii[:, None] + radii[None] - r) / 0.25)
            value = coulomb * (1 / r - 1 / FAR + (r - FAR) / FAR**2) + push
            slope = coulomb * (-1 / r**2 + 1 / FAR**2) - push / 0.25
            energy += 0.5 * np.sum(value[near])
            forces += np.einsum("ab,abx->ax", np.where(near, slope / r, 0.0), np.where(near[..., None], apart, 0.0))
        self.results = {"energy": float(energy), "forces": forces}


def ionic() -> Calculator:
    return Ionic()


class Sulking(Ionic):
    """Fails on a third of all structures, told by where the last atom stands."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if len(atoms) > 40 and int(abs(atoms.positions[-1, 0]) * 10) % 3 == 0:
            raise RuntimeError("self-consistency was not reached")
        super().calculate(atoms, properties, system_changes)


def sulking() -> Calculator:
    return Sulking()


def rock_salt(formula: str, a: float, layers: int) -> Atoms:
    """A (001) slab from z = 0 upwards, 2 x 2 of the smallest cell, charges and all."""
    symbols, side = string2symbols(formula), a / np.sqrt(2)
    slab = Atoms(cell=[2 * side, 2 * side, layers * a / 2], pbc=True)
    for layer, i, j, place in itertools.product(range(layers), range(2), range(2), range(2)):
        half = 0.5 * ((place + layer) % 2)
        slab += Atom(symbols[place], ((i + half) * side, (j + half) * side, layer * a / 2))
    slab.set_initial_charges([CHARGES[s] for s in slab.symbols])
    return slab


def junction(
    left: str = "LiF", right: str = "MgO", layers: int = 3, gap: float = 2.2, vacuum: float = 10.0
) -> Interface:
    """Two (001) slabs on a common square cell 5.83 angstrom wide."""
    a = 4.12
    below, above = rock_salt(left, a, layers), rock_salt(right, a, layers)
    below.set_tags(LEFT)
    above.set_tags(RIGHT)
    top = below.positions[:, 2].max()
    above.positions[:, 2] += top + gap
    atoms = below + above
    atoms.set_cell([below.cell[0, 0], below.cell[1, 1], atoms.positions[:, 2].max() + vacuum])
    return Interface(atoms, left, right, top + gap / 2)
