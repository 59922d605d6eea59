"""Units of energies of interfaces and of reactions; inside the package eV and angstrom."""

from __future__ import annotations

from ionics.constants import ELEMENTARY_CHARGE, FARADAY

JOULE_PER_AREA = ELEMENTARY_CHARGE * 1e20  # J/m^2 in one eV/angstrom^2
KILOJOULE_PER_MOLE = FARADAY / 1e3  # kJ/mol in one eV
