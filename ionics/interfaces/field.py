"""A fast classical field for any junction of ionic crystals: formal charges, scaled, and bond valences.

The energy [eV] of ions with oxidation states q is

    scale^2 k sum q_i q_j / r                     electrostatics, damped and shifted to end at a cutoff,
    + sum_(cation, anion) P s^m                    the push of a bond of valence s = exp((R0 - r)/b),
    + K sum_i |q_i|^n (V_i - |q_i|)^2              valence sums V_i = sum_j s_ij: too many or too few bonds,
    + A sum_(anion, anion) (x^2 - 2 x)              touching anions, x = exp((R + R' - r)/rho).

That a pair potential proportional to the bond valence keeps the bond-valence rule in every coordination follows from
the balance with the electric flux, which in ionic crystals is proportional to the bond valence too: L. Preiser,
J. Loesel, I. D. Brown, M. Kunz and A. Skowron, Acta Cryst. B 55, 698 (1999), doi:10.1107/S0108768199003961. The squared
valence sums follow Y.-H. Shin, V. R. Cooper, I. Grinberg and A. M. Rappe, Phys. Rev. B 71, 054104 (2005),
doi:10.1103/PhysRevB.71.054104; the electrostatics C. J. Fennell and J. D. Gezelter, J. Chem. Phys. 124, 234104 (2006),
doi:10.1063/1.2206581. Every constant that is not a tabulated R0, b or radius is global (`Constants`), calibrated once
for all on the cells, bond lengths and bulk moduli of fourteen crystals (docs/interfaces/energies.md). Neutral lithium:
`metal`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.optimization.neighbors import find_points_in_spheres
from scipy.special import erfc

from ionics import __version__
from ionics.interfaces import metal
from ionics.interfaces.bond_valence import lengths, radius
from ionics.interfaces.errors import AtomsError

COULOMB = 14.3996455  # eV angstrom, e^2/(4 pi eps0)
TOGETHER = 0.2  # angstrom: nearer than this atoms count as coinciding


@dataclass(frozen=True)
class Constants:
    """The global constants of the field; the equation is that of the module."""

    scale: float = 0.47  # of the formal charges; about one over the root of an oxide's electronic permittivity
    push: float = 1.10  # P = push scale^2 k q^cation |q'|^anion b/R0^2
    cation: float = 0.79
    anion: float = 0.50
    steepness: float = 0.97  # m
    valence: float = 0.26  # eV, K
    state: float = -0.4  # n
    touch: float = 0.065  # eV, A
    range: float = 0.78  # angstrom, rho
    damping: float = 0.3  # 1/angstrom
    far: float = 8.0  # angstrom, cutoff of the electrostatics
    near: float = 6.0  # angstrom, cutoff of the rest


@dataclass(frozen=True)
class Pairs:
    """Every pair of atoms within a cutoff, once."""

    first: np.ndarray  # (pairs,)
    second: np.ndarray
    vector: np.ndarray  # angstrom, (pairs, 3), from the first to the second
    length: np.ndarray  # angstrom, (pairs,)

    def where(self, mask: np.ndarray) -> Pairs:
        return Pairs(self.first[mask], self.second[mask], self.vector[mask], self.length[mask])


def pairs(atoms: Atoms, cutoff: float) -> Pairs:
    """All pairs of atoms within `cutoff` [angstrom], periodic images included, each once."""
    cell = np.ascontiguousarray(atoms.cell.complete().array, dtype=float)
    points = np.ascontiguousarray(atoms.positions, dtype=float)
    periodic = np.array(atoms.pbc, dtype=np.int64)
    first, second, image, length = find_points_in_spheres(points, points, float(cutoff), periodic, cell, 1e-8)
    later = image @ np.array([1e6, 1e3, 1.0])
    once = (first < second) | ((first == second) & (later > 0))
    first, second, image = first[once], second[once], image[once]
    return Pairs(first, second, points[second] + image @ cell - points[first], length[once])


def ending(length: np.ndarray, cutoff: float, width: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A factor that falls from 1 to 0 over `width` before the cutoff, twice differentiable, and its derivative."""
    x = np.clip((cutoff - length) / width, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2), -30 * x**2 * (1 - x) ** 2 / width


class BondValenceField(Calculator):
    """Energy, forces and stress of ions whose initial charges are their oxidation states."""

    implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]  # noqa: RUF012

    def __init__(self, constants: Constants | None = None, **kwargs):
        super().__init__(**kwargs)
        self.constants = constants or CONSTANTS
        self.description = f"ionics {__version__} bond-valence field"
        self._tables: tuple[bytes, dict] | None = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, list(properties), list(system_changes))
        bonds = pairs(self.atoms, self.constants.far)
        if len(bonds.length) and bonds.length.min() < TOGETHER:
            one = int(np.argmin(bonds.length))
            where = (
                f"atoms {bonds.first[one]} and {bonds.second[one]} coincide ({bonds.length[one]:.2f} angstrom apart)"
            )
            raise AtomsError(where, f"a distance above {TOGETHER:g} angstrom")
        charges = self.atoms.get_initial_charges()
        near = bonds.where(bonds.length < self.constants.near)
        sums = _Sums(len(self.atoms))
        sums.add(bonds, *_electrostatic(bonds, charges, self.constants))
        sums.atom -= _own(charges, self.constants)
        kinds = self._kinds(charges)
        _bonding(sums, near, charges, kinds, self.constants)
        _touching(sums, near, kinds, self.constants)
        _metallic(sums, near, charges, kinds, self.constants)
        self._keep(sums)

    def _kinds(self, charges):
        """Tables of the kinds of atoms at hand; looked up again only when the atoms are others."""
        key = self.atoms.numbers.tobytes() + charges.tobytes()
        if self._tables is None or self._tables[0] != key:
            self._tables = key, _lookup(self.atoms.get_chemical_symbols(), charges, self.constants)
        return self._tables[1]

    def _keep(self, sums):
        energy = float(sums.atom.sum())
        self.results = {"energy": energy, "free_energy": energy, "energies": sums.atom, "forces": sums.forces()}
        if self.atoms.cell.rank == 3:
            virial = sums.virial / self.atoms.get_volume()
            self.results["stress"] = virial.flat[[0, 4, 8, 5, 2, 1]]


class _Sums:
    """Energies of atoms, forces and the virial, gathered from pair terms."""

    def __init__(self, atoms: int):
        self.atom = np.zeros(atoms)
        self.force = np.zeros((3, atoms))
        self.virial = np.zeros((3, 3))

    def add(self, bonds: Pairs, energy: np.ndarray, slope: np.ndarray):
        """Energies [eV] of pairs, shared equally, and their derivatives to the length [eV/angstrom]."""
        count = len(self.atom)
        self.atom += 0.5 * (np.bincount(bonds.first, energy, count) + np.bincount(bonds.second, energy, count))
        self.pull(bonds, slope)

    def pull(self, bonds: Pairs, slope: np.ndarray):
        count, force = len(self.atom), (slope / bonds.length)[:, None] * bonds.vector
        for axis in range(3):
            self.force[axis] += np.bincount(bonds.first, force[:, axis], count)
            self.force[axis] -= np.bincount(bonds.second, force[:, axis], count)
        self.virial += bonds.vector.T @ force

    def forces(self) -> np.ndarray:
        return np.ascontiguousarray(self.force.T)


def _electrostatic(bonds, charges, constants):
    """Fennell and Gezelter (2006), eqs. 18 and 19: energy and slope of every pair."""
    damping, far, r = constants.damping, constants.far, bonds.length
    bell = 2 * damping / np.sqrt(np.pi)
    edge = erfc(damping * far) / far
    edge_slope = -edge / far - bell * np.exp(-((damping * far) ** 2)) / far
    screened = erfc(damping * r) / r
    strength = COULOMB * constants.scale**2 * charges[bonds.first] * charges[bonds.second]
    slope = -screened / r - bell * np.exp(-((damping * r) ** 2)) / r
    return strength * (screened - edge - edge_slope * (r - far)), strength * (slope - edge_slope)


def _own(charges, constants):
    """Energy of every ion with its own screening charge: what makes the sum that of point charges."""
    damping, far = constants.damping, constants.far
    edge = erfc(damping * far) / far
    return COULOMB * constants.scale**2 * charges**2 * (edge / 2 + damping / np.sqrt(np.pi))


def _lookup(symbols, charges, constants):
    """Numbers of kinds, (atoms,), and their tables, (kinds, kinds): R0, 1/b, push; radii of anions, (kinds,)."""
    metal.check(symbols, charges)
    kinds = sorted({(s, float(q)) for s, q in zip(symbols, charges, strict=True)})
    number = np.array([kinds.index((s, float(q))) for s, q in zip(symbols, charges, strict=True)])
    reach, rate, push = (np.zeros((len(kinds), len(kinds))) for _ in range(3))
    for i, (cation, charge) in enumerate(kinds):
        for j, (anion, other) in enumerate(kinds):
            if charge > 0 > other:
                r0, b = lengths(cation, charge, anion)
                reach[i, j] = reach[j, i] = r0
                rate[i, j] = rate[j, i] = 1 / b
                growth = charge**constants.cation * abs(other) ** constants.anion
                push[i, j] = push[j, i] = constants.push * COULOMB * constants.scale**2 * growth * b / r0**2
    radii = np.array([radius(s) if q < 0 else np.nan for s, q in kinds])
    return {"number": number, "reach": reach, "rate": rate, "push": push, "radius": radii, "rest": metal.rests(kinds)}


def _bonding(sums, near, charges, kinds, constants):
    """Push of bonds and misfit of valence sums."""
    bonds = near.where(charges[near.first] * charges[near.second] < 0)
    kind = kinds["number"][bonds.first], kinds["number"][bonds.second]
    rate, (factor, fall) = kinds["rate"][kind], ending(bonds.length, constants.near)
    bare = np.exp((kinds["reach"][kind] - bonds.length) * rate)
    steep = constants.steepness
    push = kinds["push"][kind] * bare**steep
    sums.add(bonds, push * factor, push * (fall - steep * rate * factor))
    count = len(charges)
    valence = np.bincount(bonds.first, bare * factor, count) + np.bincount(bonds.second, bare * factor, count)
    states = np.abs(charges)
    stiffness = np.zeros(count)
    np.power(states, constants.state, out=stiffness, where=states > 0)
    stiffness *= constants.valence
    sums.atom += stiffness * (valence - states) ** 2
    slope = 2 * stiffness * (valence - states)
    sums.pull(bonds, (slope[bonds.first] + slope[bonds.second]) * bare * (fall - rate * factor))


def _touching(sums, near, kinds, constants):
    """Anions: they attract a little and bear no nearness than that of their radii."""
    radii = kinds["radius"][kinds["number"]]
    apart = radii[near.first] + radii[near.second]
    bonds, apart = near.where(np.isfinite(apart)), apart[np.isfinite(apart)]
    factor, fall = ending(bonds.length, constants.near)
    x = np.exp((apart - bonds.length) / constants.range)
    energy = constants.touch * (x**2 - 2 * x)
    slope = -2 * constants.touch / constants.range * (x**2 - x)
    sums.add(bonds, energy * factor, energy * fall + slope * factor)


def _metallic(sums, near, charges, kinds, constants):
    """Neutral atoms with each other and with ions."""
    neutral = charges == 0
    if not neutral.any():
        return
    bonds = near.where(neutral[near.first] & neutral[near.second])
    factor, fall = ending(bonds.length, constants.near)
    push, slope = metal.metallic(bonds.length)
    sums.add(bonds, push * factor, push * fall + slope * factor)
    square, slope = metal.hopping(bonds.length)
    count = len(charges)
    band = np.sqrt(sum(np.bincount(ends, square * factor, count) for ends in (bonds.first, bonds.second)))
    sums.atom -= band
    narrow = np.divide(0.5, band, out=np.zeros(count), where=band > 0)
    sums.pull(bonds, -(narrow[bonds.first] + narrow[bonds.second]) * (square * fall + slope * factor))
    bonds = near.where(neutral[near.first] != neutral[near.second])
    factor, fall = ending(bonds.length, constants.near)
    rest = kinds["rest"][kinds["number"][bonds.first], kinds["number"][bonds.second]]
    energy, slope = metal.contact(bonds.length, rest, 1.0 * (charges[bonds.first] + charges[bonds.second] < 0))
    sums.add(bonds, energy * factor, energy * fall + slope * factor)


CONSTANTS = Constants()
