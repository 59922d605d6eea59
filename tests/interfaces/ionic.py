"""A small ionic potential and a junction of two rock salts: enough chemistry for tests, fast and without other modules."""

import itertools

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.calculator import Calculator, all_changes

from ionics.interfaces.interface import LEFT, RIGHT, Interface

CHARGES = {"Li": 1.0, "F": -1.0, "Na": 1.0, "Mg": 2.0, "O": -2.0}
RADII = {"Li": 0.76, "F": 1.33, "Na": 1.02, "Mg": 0.72, "O": 1.40}  # Shannon, sixfold
FAR = 8.0  # angstrom


class Ionic(Calculator):
    """Coulomb, damped and shifted (Fennell and Gezelter 2006), with a Born-Mayer repulsion; lateral images only."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        positions, charges = self.atoms.positions, 0.7 * self.atoms.get_initial_charges()
        radii = np.array([RADII[s] for s in self.atoms.symbols])
        images = [i * self.atoms.cell[0] + j * self.atoms.cell[1] for i, j in itertools.product((0, 1, -1), repeat=2)]
        energy, forces = 0.0, np.zeros_like(positions)
        for image in images:
            apart = positions[None] + image - positions[:, None]
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
    """Fails on every structure whose first lithium stands in the wrong half of a nanometre; nothing random."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if len(atoms) > 40 and int(abs(atoms.positions[-1, 0]) * 10) % 3 == 0:
            raise RuntimeError("self-consistency was not reached")
        super().calculate(atoms, properties, system_changes)


def sulking() -> Calculator:
    return Sulking()


def rock_salt(formula: str, a: float, layers: int, repeat: int = 2) -> Atoms:
    """A (001) slab from z = 0 upwards, charges and all."""
    cubic = make_supercell(bulk(formula, "rocksalt", a=a, cubic=True), np.diag([repeat, repeat, (layers + 1) // 2]))
    slab = cubic[cubic.positions[:, 2] < (layers - 0.5) * a / 2]
    slab.set_initial_charges([CHARGES[s] for s in slab.symbols])
    return slab


def junction(left: str = "LiF", right: str = "MgO", layers: int = 3, gap: float = 2.2, vacuum: float = 10.0) -> Interface:
    """Two (001) slabs on a common cell of 2 x 2 cubes, 8.2 angstrom wide, anion over anion to begin with."""
    a = 4.12
    below, above = rock_salt(left, a, layers), rock_salt(right, a, layers)
    below.set_tags(LEFT)
    above.set_tags(RIGHT)
    top = below.positions[:, 2].max()
    above.positions[:, 2] += top + gap
    atoms = below + above
    atoms.set_cell([2 * a, 2 * a, atoms.positions[:, 2].max() + vacuum])
    atoms.pbc = True
    return Interface(atoms, left, right, top + gap / 2)
