"""Neutral lithium beside ions: a tight-binding metal, and what keeps metal and salt together and apart.

Neutral lithium atoms have the second-moment form of F. Cleri and V. Rosato, Phys. Rev. B 48, 22 (1993),
doi:10.1103/PhysRevB.48.22,

    E = sum_i [ sum_j A exp(-p x_ij) - sqrt(sum_j xi^2 exp(-2 q x_ij)) ],  x = r/NEAREST - 1,

with A, xi, p and q such that the bcc crystal of lattice parameter 3.51 angstrom has the cohesive energy 1.63 eV, the
bulk modulus 11.6 GPa and the shear modulus (C11 - C12)/2 of 1.1 GPa (C. Kittel, Introduction to Solid State Physics,
8th ed., 2005, ch. 1 and 3). A Morse pair potential with the first three is unstable against shear; this one is stable
but soft: C44 is 0.5 GPa (measured 8.8), a vacancy costs 0.01 eV (0.48), the (100) surface 0.09 J/m^2 (0.5).

Between neutral lithium and an anion stands a Morse well with the length of a bond of valence 1/6; between neutral
lithium and a cation a repulsion. Depth and steepness of these two are choices, not fits, and the field knows no image
charges: it places a metal on an electrolyte, and another calculator must give the energies of that junction.
"""

from __future__ import annotations

import numpy as np

from ionics.interfaces.bond_valence import lengths
from ionics.interfaces.errors import AtomsError

NEAREST = 3.51 * np.sqrt(3) / 2  # angstrom
REPULSION, BOND, P, Q = 0.1230842, 0.8988093, 3.0822308, 1.567048  # eV, eV, 1, 1
DEPTH, STEEPNESS, REST = 0.15, 1.4, 3.0  # eV, 1/angstrom; angstrom, of neutral lithium and a cation
VALENCE = 1 / 6


def check(symbols, charges) -> None:
    """Refuses neutral atoms other than lithium."""
    strange = sorted({s for s, q in zip(symbols, charges, strict=True) if q == 0 and s != "Li"})
    if strange:
        raise AtomsError(
            f"the bond-valence field needs an oxidation state for every atom; {', '.join(strange)} has none",
            "atoms.set_initial_charges(...) or a phase with oxidation states; only Li may be neutral (metal)",
        )


def rests(kinds) -> np.ndarray:
    """Rest lengths [angstrom] of neutral lithium with every kind of ion, (kinds, kinds)."""
    rest = np.full((len(kinds), len(kinds)), REST)
    for i, (metal, charge) in enumerate(kinds):
        for j, (other, state) in enumerate(kinds):
            if charge == 0 > state:
                r0, b = lengths(metal, 1, other)
                rest[i, j] = rest[j, i] = r0 - b * np.log(VALENCE)
    return rest


def metallic(length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Repulsion [eV] of pairs of neutral atoms and its slope, (pairs,)."""
    push = 2 * REPULSION * np.exp(-P * (length / NEAREST - 1))
    return push, -P / NEAREST * push


def hopping(length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared hopping [eV^2] of pairs of neutral atoms and its slope, (pairs,)."""
    square = BOND**2 * np.exp(-2 * Q * (length / NEAREST - 1))
    return square, -2 * Q / NEAREST * square


def contact(length: np.ndarray, rest: np.ndarray, anion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy [eV] and slope of pairs of a neutral atom and an ion, (pairs,); `anion`: 1 for anions, 0 for cations."""
    x = np.exp(STEEPNESS * (rest - length))
    return DEPTH * (x**2 - 2 * anion * x), -2 * DEPTH * STEEPNESS * (x**2 - anion * x)
