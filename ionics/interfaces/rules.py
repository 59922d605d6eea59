"""What an interface must keep to pass, said once for the cheap ranking and for the audit of built atoms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Limits of the audit; the defaults are choices, stated here."""

    open: int = 1  # corners that a polyhedron (TiO6, CoO6) may miss: 1 as on LiCoO2 (104), 2 as on (110)
    polar: float = 0.01  # e/angstrom^2, dipole per volume of a slab: more grows with thickness (LiCoO2 (001): 0.073)
    strain: float = 0.03  # largest principal strain of either slab
    shear: float = 0.02  # radians, change of a right angle in either slab
    corner: float = 35.0  # degrees, sharpest corner of the cell
    charge: float = 0.01  # e, of the whole interface
    near: float = 0.85  # shortest distance over the one at which two ions touch
    stretch: float = 0.08  # of a bond of a unit or polyhedron, beyond those of the bulk
