"""What a column of an impedance file is, from its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

# One line a role: the spellings seen in the wild, stripped of case, blanks, dots and underscores.
SPELLINGS = {
    "frequency": "f freq frequency frequenz datafrequency",
    "real": "re(z) rez zre zreal zr z' zs' dataz' real re zprime",
    "imaginary": "im(z) imz zim zimag zimg zi z'' zs'' dataz'' imag imaginary im zdoubleprime",
    "modulus": "|z| zmod modz abs(z) absz zabs magnitude modulus data|z|",
    "phase": "phase(z) phase phasez theta theta(z) datatheta(z) phi zphz zphase",
    "loop": "loopindex loop loopnumber cyclenumber cycle",
}
ROLES = {spelling: role for role, line in SPELLINGS.items() for spelling in line.split()}
PREFIXES = {"": 1.0, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
OHM = r"[Oo]hms?|OHM|Ω|Ω|a|b"  # ZView marks the two parts of Z by (a) and (b)
UNITS = {"frequency": r"Hz|hz|HZ", "real": OHM, "imaginary": OHM, "modulus": OHM}
VALID = {"frequency": "Hz, mHz, kHz, MHz", "phase": "deg, rad"}  # and ohm, mohm, kohm, Mohm for the others
ANGLES = {"": 1.0, "deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0, "rad": 57.29577951308232}


@dataclass(frozen=True)
class Column:
    """A column that was understood; its factor leads to Hz, ohm or degrees, None if the unit is unknown."""

    role: str
    unit: str = ""
    factor: float | None = 1.0
    negated: bool = False


def understand(name: str) -> Column | None:
    """The column called `name`, or None where the name means nothing here."""
    text = name.strip(" #").replace('Z"', "Z''").replace("′", "'").replace("″", "''").strip('"')
    text = text.replace("−", "-").replace("”", "''")
    negated = text.startswith("-") or text.lower().startswith("neg ")
    bare, unit = _split(text.lstrip("-").removeprefix("neg ").strip())
    role = ROLES.get(_normal(bare))
    return None if role is None else Column(role, unit, _factor(role, unit), negated)


def _normal(text):
    return re.sub(r"[\s._:#]", "", text).lower()


def _split(text):
    """`Re(Z)/Ohm`, `Zs'[ohm]`, `Zre (ohms)`, `freq_Hz` -> the name and its unit."""
    if _normal(text) in ROLES:
        return text, ""
    patterns = [r"(.+?)\s*/\s*(.+)", r"(.+?)\s*\[(.*)\]", r"(.+?)[_\s]([µμumkMG]?(?:Hz|hz|[Oo]hms?|Ω|Ω)|deg|rad)"]
    if text[:3].lower() not in ("re(", "im("):  # Re(Y), Im(M) are other quantities, not Re in a unit
        patterns.append(r"(.+?)\s*\(([^()]*)\)")
    for pattern in patterns:
        match = re.fullmatch(pattern, text)
        if match and _normal(match[1]) in ROLES:
            return match[1], match[2].strip()
    return text, ""


def _factor(role, unit):
    if role == "phase":
        return ANGLES.get(unit.lower())
    if not unit or role == "loop":
        return 1.0
    match = re.fullmatch(rf"([µμumkMG]?)(?:{UNITS[role]})", unit)
    return PREFIXES[match[1]] if match else None
