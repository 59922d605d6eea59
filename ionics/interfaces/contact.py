"""How near two slabs may come: ionic radii instead of a fixed gap."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
from ase import Atoms
from pymatgen.core import Element, Species

OXIDE = 1.40  # angstrom, radius of an oxide ion: Shannon, Acta Cryst. A32, 751 (1976), 10.1107/S0567739476001551
ANIONS = 0.93  # of the sum of radii: oxide ions of one PO4 or CoO6 are 2.5 to 2.7 angstrom apart
CATIONS = 0.60  # of the sum of both bonds to an oxide: cations across a shared edge
DEPTH = 6.0  # angstrom: atoms deeper in their slab cannot touch the other one


@lru_cache(maxsize=1024)
def radius(symbol: str, state: float) -> float:
    """Ionic radius (Shannon, sixfold where tabulated); of a neutral atom the metallic or atomic one [angstrom]."""
    element = Element(symbol)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No data available", category=UserWarning)
        if state == 0:
            return float((element.metallic_radius if element.is_metal else None) or element.atomic_radius)
        known = Species(symbol, state).ionic_radius if float(state).is_integer() else None
        return float(known or element.average_ionic_radius or element.atomic_radius)


@lru_cache(maxsize=4096)
def least(one: tuple[str, float], two: tuple[str, float]) -> float:
    """The distance [angstrom] at which two atoms (symbol, oxidation state) touch."""
    if one[1] * two[1] < 0:
        return radius(*one) + radius(*two)
    if one[1] < 0 and two[1] < 0:
        return ANIONS * (radius(*one) + radius(*two))
    if one[1] > 0 and two[1] > 0:
        return CATIONS * (radius(*one) + radius(*two) + 2 * OXIDE)
    if min(one[1], two[1]) < 0:  # a metal that meets anions gives up its electrons
        return sum(radius(symbol, state) if state else _ion(symbol) for symbol, state in (one, two))
    return radius(*one) + radius(*two)


def _ion(symbol: str) -> float:
    element = Element(symbol)
    states = element.common_oxidation_states
    return radius(symbol, float(states[-1])) if states else float(element.atomic_radius)


def table(below: Atoms, above: Atoms) -> np.ndarray:
    """Contact distances [angstrom] of every atom of one slab with every one of the other, shape (below, above)."""
    kinds = [list(zip(a.get_chemical_symbols(), a.get_initial_charges().tolist(), strict=True)) for a in (below, above)]
    return np.array([[least(one, two) for two in kinds[1]] for one in kinds[0]])


def gap(below: Atoms, above: Atoms, cell: np.ndarray) -> float:
    """Height [angstrom] from the uppermost atom below to the lowest above at which the first pair touches.

    `cell` (2, 2) repeats the plane. Negative where the two surfaces fit into each other.
    """
    top, bottom = below.positions[:, 2].max(), above.positions[:, 2].min()
    one = below[below.positions[:, 2] > top - DEPTH]
    two = above[above.positions[:, 2] < bottom + DEPTH]
    touch = table(one, two)
    reach = int(np.ceil(touch.max() / min(abs(np.linalg.det(cell)) / np.linalg.norm(cell, axis=1)))) + 1
    apart = two.positions[None, :, :2] - one.positions[:, None, :2]
    rise = (two.positions[None, :, 2] - bottom) + (top - one.positions[:, None, 2])
    highest = -np.inf
    apart = apart - np.round(apart @ np.linalg.inv(cell)) @ cell
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            flat = ((apart + np.array([i, j]) @ cell) ** 2).sum(-1)
            needed = np.sqrt(np.maximum(touch**2 - flat, 0.0)) - rise
            near = flat < touch**2
            if near.any():
                highest = max(highest, float(needed[near].max()))
    return highest if np.isfinite(highest) else 2.0
