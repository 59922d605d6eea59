"""Crystals with the cells for which counts of matches were published, and pymatgen's own way of counting them."""

from functools import cache

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.core.surface import SlabGenerator

from ionics.interfaces.phases import Elasticity, Phase

STIFF = Elasticity(191.0, 0.24, "a number for tests")
SOFT = Elasticity(103.0, 0.26, "a number for tests")
METAL = Elasticity(7.8, 0.36, "a number for tests")


@cache
def cobaltate() -> Phase:
    lattice = Lattice.hexagonal(2.816, 14.054)
    sites = [[0, 0, 0], [0, 0, 0.5], [0, 0, 0.2396]]
    return Phase("LiCoO2", Structure.from_spacegroup("R-3m", lattice, ["Li+", "Co3+", "O2-"], sites), "test", STIFF)


@cache
def phosphate() -> Phase:
    lattice = Lattice.orthorhombic(10.490, 6.120, 4.9266)
    sites = [
        [0.1639, 0.5013, 0.3013],
        [0.4237, 0.75, 0.2057],
        [0.4115, 0.25, 0.3082],
        [0.3417, 0.0434, 0.2058],
        [0.0501, 0.25, 0.2937],
        [0.0892, 0.75, 0.1223],
    ]
    species = ["Li+", "Li+", "P5+", "O2-", "O2-", "O2-"]
    return Phase("Li3PO4", Structure.from_spacegroup("Pnma", lattice, species, sites), "test", SOFT)


@cache
def lithium() -> Phase:
    structure = Structure.from_spacegroup("Im-3m", Lattice.cubic(3.51), ["Li"], [[0, 0, 0]])
    return Phase("Li", structure.add_oxidation_state_by_element({"Li": 0}), "test", METAL)


@cache
def tellurium() -> Phase:
    """Chains that wind one way only: a mirror image of it is another crystal."""
    lattice = Lattice.hexagonal(4.457, 5.929)
    structure = Structure.from_spacegroup("P3_121", lattice, ["Te"], [[0.2636, 0, 1 / 3]])
    return Phase("Te", structure.add_oxidation_state_by_element({"Te": 0}), "test", None)


def generator(phase: Phase, plane: tuple[int, int, int]) -> SlabGenerator:
    """As pymatgen's CoherentInterfaceBuilder makes it."""
    return SlabGenerator(
        phase.structure.copy(),
        plane,
        1,
        3,
        in_unit_planes=True,
        center_slab=True,
        primitive=True,
        reorient_lattice=False,
    )


def vectors(phase: Phase, plane: tuple[int, int, int]) -> np.ndarray:
    """The cell of pymatgen's slab in the plane, (2, 3) [angstrom]."""
    return generator(phase, plane).get_slab(shift=0).lattice.matrix[:2]


def flat(rows: np.ndarray) -> np.ndarray:
    """Two vectors in space as (2, 2) in their own plane."""
    length = np.linalg.norm(rows, axis=1)
    cosine = rows[0] @ rows[1] / length.prod()
    return np.array([[length[0], 0.0], [length[1] * cosine, length[1] * np.sqrt(1 - cosine**2)]])
