"""How atoms are drawn: radii and colours by element, those of ASE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors

ANION, CATION = 1.15, 0.5  # of the covalent radius: anions large, as they are, and all bonds in sight


def radii(symbols: Sequence[str], oxidation: np.ndarray) -> np.ndarray:
    """Of the discs [angstrom], shape (atoms,)."""
    size = covalent_radii[[atomic_numbers[symbol] for symbol in symbols]]
    return np.where(np.asarray(oxidation) < 0, ANION, CATION) * size


def colours(symbols: Sequence[str]) -> list[str]:
    """As #rrggbb."""
    shades = (jmol_colors[atomic_numbers[symbol]] for symbol in symbols)
    return ["#" + "".join(f"{round(255 * part):02x}" for part in shade) for shade in shades]
