"""Bond-valence parameters: how long a bond of a given strength is, for the pairs of solid-state batteries.

The valence of a bond is s = exp((R0 - r)/b); the valences around an atom add up to its oxidation state. R0 and b
[angstrom] as collected by I. D. Brown, "Accumulated table of bond valence parameters" (International Union of
Crystallography, 2020), from I. D. Brown and D. Altermatt, Acta Cryst. B 41, 244 (1985), doi:10.1107/S0108768185002063
(BA), N. E. Brese and M. O'Keeffe, Acta Cryst. B 47, 192 (1991), doi:10.1107/S0108768190011041 (BO), and O. C. Gagne and
F. C. Hawthorne, Acta Cryst. B 71, 562 (2015), doi:10.1107/S2052520615016297 (GH).
"""

from __future__ import annotations

from ionics.interfaces.errors import AtomsError

# cation, its oxidation state, anion -> R0, b
LENGTHS: dict[tuple[str, int, str], tuple[float, float]] = {
    ("Li", 1, "O"): (1.466, 0.37),
    ("Na", 1, "O"): (1.803, 0.37),
    ("K", 1, "O"): (2.132, 0.37),
    ("Mg", 2, "O"): (1.693, 0.37),
    ("Ca", 2, "O"): (1.967, 0.37),
    ("Sr", 2, "O"): (2.118, 0.37),
    ("Ba", 2, "O"): (2.285, 0.37),
    ("Zn", 2, "O"): (1.704, 0.37),
    ("Mn", 2, "O"): (1.790, 0.37),
    ("Fe", 2, "O"): (1.734, 0.37),
    ("Co", 2, "O"): (1.692, 0.37),
    ("Ni", 2, "O"): (1.654, 0.37),
    ("B", 3, "O"): (1.371, 0.37),
    ("Al", 3, "O"): (1.651, 0.37),
    ("Ga", 3, "O"): (1.730, 0.37),
    ("Y", 3, "O"): (2.014, 0.37),
    ("La", 3, "O"): (2.172, 0.37),
    ("Cr", 3, "O"): (1.724, 0.37),
    ("Mn", 3, "O"): (1.760, 0.37),
    ("Fe", 3, "O"): (1.759, 0.37),
    ("Co", 3, "O"): (1.655, 0.364),
    ("C", 4, "O"): (1.390, 0.37),
    ("Si", 4, "O"): (1.624, 0.37),
    ("Ge", 4, "O"): (1.748, 0.37),
    ("Sn", 4, "O"): (1.905, 0.37),
    ("Ti", 4, "O"): (1.815, 0.37),
    ("Zr", 4, "O"): (1.937, 0.37),
    ("Hf", 4, "O"): (1.923, 0.37),
    ("Mn", 4, "O"): (1.753, 0.37),
    ("Co", 4, "O"): (1.729, 0.358),
    ("P", 5, "O"): (1.615, 0.37),
    ("V", 5, "O"): (1.803, 0.37),
    ("Nb", 5, "O"): (1.911, 0.37),
    ("Ta", 5, "O"): (1.920, 0.37),
    ("S", 6, "O"): (1.624, 0.37),
    ("Mo", 6, "O"): (1.907, 0.37),
    ("W", 6, "O"): (1.917, 0.37),
    ("Li", 1, "F"): (1.360, 0.37),
    ("Na", 1, "F"): (1.677, 0.37),
    ("Al", 3, "F"): (1.545, 0.37),
    ("Li", 1, "Cl"): (1.910, 0.37),
    ("Na", 1, "Cl"): (2.150, 0.37),
    ("Li", 1, "Br"): (2.020, 0.37),
    ("Li", 1, "S"): (1.940, 0.37),
    ("Na", 1, "S"): (2.280, 0.37),
    ("P", 5, "S"): (2.145, 0.37),
    ("Ge", 4, "S"): (2.217, 0.37),
    ("Si", 4, "S"): (2.126, 0.37),
    ("Sn", 4, "S"): (2.399, 0.37),
    ("Li", 1, "N"): (1.610, 0.37),
    ("P", 5, "N"): (1.704, 0.37),
}

# Mobile ion, its oxidation state, counter-ion -> length [angstrom], depth [eV], steepness [1/angstrom] of a Morse well,
# softBV: H. Chen, L. L. Wong and S. Adams, Acta Cryst. B 75, 18 (2019), doi:10.1107/S2052520618015718.
WELLS: dict[tuple[str, int, str], tuple[float, float, float]] = {
    ("Li", 1, "O"): (1.94001, 0.98816, 1.93798),
    ("Li", 1, "F"): (1.87265, 0.49611, 1.96850),
    ("Li", 1, "S"): (2.40971, 1.04027, 1.53139),
    ("Li", 1, "Cl"): (2.39647, 0.49302, 1.57729),
    ("Li", 1, "Br"): (2.58255, 0.44910, 1.48148),
    ("Li", 1, "I"): (2.78807, 0.44117, 1.36054),
    ("Li", 1, "N"): (2.13256, 2.05495, 1.56986),
    ("Na", 1, "O"): (2.37433, 0.57523, 2.07469),
    ("Na", 1, "F"): (2.23216, 0.29586, 2.10970),
    ("Na", 1, "S"): (2.91621, 0.63067, 1.61551),
    ("Na", 1, "Cl"): (2.74801, 0.31546, 1.66389),
    ("Mg", 2, "O"): (1.95626, 1.57554, 1.95312),
    ("Mg", 2, "S"): (2.45753, 1.64536, 1.54083),
}

# Ionic radii of anions [angstrom], sixfold: R. D. Shannon, Acta Cryst. A 32, 751 (1976), doi:10.1107/S0567739476001551.
RADII = {"O": 1.40, "F": 1.33, "N": 1.46, "S": 1.84, "Cl": 1.81, "Br": 1.96}


def lengths(cation: str, charge: float, anion: str) -> tuple[float, float]:
    """R0 and b [angstrom] of a pair; of a tabulated oxidation state the nearest one."""
    states = [state for element, state, other in LENGTHS if (element, other) == (cation, anion)]
    if not states:
        raise AtomsError(
            f"no bond-valence parameters are tabulated for {cation}{charge:+g} with {anion}",
            "use another calculator ('chgnet'), or add the pair to ionics.interfaces.bond_valence.LENGTHS",
        )
    return LENGTHS[cation, min(states, key=lambda state: abs(state - charge)), anion]


def well(ion: str, charge: int, counter: str) -> tuple[float, float, float]:
    """Length [angstrom], depth [eV] and steepness [1/angstrom] of the Morse well of a mobile ion at a counter-ion."""
    if (ion, charge, counter) not in WELLS:
        known = ", ".join(f"{i}{q:+d} with {c}" for i, q, c in WELLS)
        raise AtomsError(
            f"no bond-valence site energy is tabulated for {ion}{charge:+d} with {counter}", f"known: {known}"
        )
    return WELLS[ion, charge, counter]


def radius(anion: str) -> float:
    """Ionic radius [angstrom] of an anion."""
    if anion not in RADII:
        raise AtomsError(f"no ionic radius is tabulated for {anion} as an anion", f"known: {', '.join(RADII)}")
    return RADII[anion]
