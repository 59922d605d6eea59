"""A pair potential whose sums are known by hand, and junctions of rock salt slabs to put it on."""

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

from ionics.interfaces.interface import LEFT, RIGHT, Interface

A = 4.2  # angstrom, of every cubic cell here
REACH = 5.0  # angstrom: where the potential ends
CHARGES = {"Li": 1.0, "Na": 1.0, "Mg": 2.0, "F": -1.0, "Cl": -1.0, "O": -2.0, "Co": 3.0, "P": 5.0, "S": -2.0}
RADII = {"Li": 0.7, "Na": 0.8, "Mg": 0.7, "F": 1.4, "Cl": 1.5, "O": 1.4, "Co": 0.6, "P": 0.5, "S": 1.5}


class Pairs(Calculator):
    """Morse attraction of unlike charges, repulsion of like ones, going smoothly to zero at REACH."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, depth: float = 1.0):
        super().__init__()
        self.depth = depth

    def value(self, one: np.ndarray, other: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy of pairs [eV] and its slope; `one` and `other` are symbols."""
        charge = np.array([CHARGES[s] for s in one]) * np.array([CHARGES[s] for s in other])
        middle = np.array([RADII[s] for s in one]) + np.array([RADII[s] for s in other])
        inner = np.exp(-2.0 * (r - middle))
        bond = np.where(charge < 0, inner**2 - 2 * inner, 0.3 * inner)
        slope = np.where(charge < 0, -4.0 * inner**2 + 4.0 * inner, -0.6 * inner)
        size = self.depth * np.abs(charge) ** 0.5
        window = (1 - (r / REACH) ** 2) ** 2
        return size * bond * window, size * (slope * window - bond * 4 * r / REACH**2 * (1 - (r / REACH) ** 2))

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        first, second, r, vector = neighbor_list("ijdD", self.atoms, REACH)
        symbols = np.array(self.atoms.get_chemical_symbols())
        value, slope = self.value(symbols[first], symbols[second], r)
        pulls = (slope / r)[:, None] * vector
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, first, pulls)
        self.results = {"energy": float(value.sum() / 2), "forces": forces}
        if self.atoms.pbc.all():
            virial = 0.5 * np.einsum("pa,pb->ab", pulls, vector) / self.atoms.get_volume()
            self.results["stress"] = virial.ravel()[[0, 4, 8, 5, 2, 1]]


def rock_salt(formula: str, layers: int, across: int = 1) -> Atoms:
    """A (001) slab from z = 0 upwards, both faces alike, every layer neutral."""
    cubic = make_supercell(bulk(formula, "rocksalt", a=A, cubic=True), np.diag([across, across, (layers + 1) // 2]))
    slab = cubic[cubic.positions[:, 2] < (layers - 0.5) * A / 2]
    slab.set_initial_charges([CHARGES[s] for s in slab.symbols])
    return slab


def crystal(formula: str) -> Atoms:
    """The bulk of the same phase."""
    atoms = bulk(formula, "rocksalt", a=A, cubic=True)
    atoms.set_initial_charges([CHARGES[s] for s in atoms.symbols])
    return atoms


def stacked(below: Atoms, above: Atoms, gap: float, vacuum: float = 12.0, shift: float = 0.0) -> Interface:
    """Two slabs on each other; `shift` [angstrom] along x of the upper one."""
    below, above = below.copy(), above.copy()
    below.set_tags(LEFT)
    above.set_tags(RIGHT)
    top = below.positions[:, 2].max()
    above.positions += [shift, 0, top + gap - above.positions[:, 2].min()]
    atoms = below + above
    atoms.set_cell([*below.cell.lengths()[:2], atoms.positions[:, 2].max() + vacuum])
    atoms.pbc = True
    return Interface(atoms, "left", "right", top + gap / 2)


def upside_down(interface: Interface) -> Interface:
    """The same interface seen from the other side: left is right."""
    atoms = interface.atoms.copy()
    height = atoms.cell[2, 2]
    atoms.positions[:, 2] = height - atoms.positions[:, 2]
    atoms.set_tags(np.where(atoms.get_tags() == LEFT, RIGHT, LEFT))
    return Interface(atoms, interface.right, interface.left, height - interface.plane)
