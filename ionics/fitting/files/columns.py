"""What a column of a file is, from its name: the vocabularies of impedance and of cycling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFIXES = {"": 1.0, "n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
PREFIX = "([nµμumkMG]?)"
OHM = r"[Oo]hms?|OHM|Ω|Ω|a|b"  # ZView marks the two parts of Z by (a) and (b)
AREAS = {"m": 1.0, "cm": 1e-4, "mm": 1e-6}
OHM_AREA = re.compile(rf"{PREFIX}(?:[Oo]hms?|OHM|Ω|Ω)[\s.*·⋅×_-]*(cm|mm|m)(?:\^?2|²)")
ANGLES = {"": 1.0, "deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0, "rad": 57.29577951308232}
TIMES = {"": 1.0, "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "hr": 3600.0}
LONGEST_NAME = 100  # characters; a cell that is longer is no name
CHARGES = {"ma.h": 3.6, "mah": 3.6, "a.h": 3600.0, "ah": 3600.0, "c": 1.0, "mas": 1e-3}


@dataclass(frozen=True)
class Column:
    """A column that was understood; its factor leads to SI (degrees for a phase), None if the unit is unknown."""

    role: str
    unit: str = ""
    factor: float | None = 1.0
    negated: bool = False
    per_area: bool = False  # ohm m^2 rather than ohm
    offset: float = 0.0  # added before the factor: degrees to kelvin


@dataclass(frozen=True)
class Vocabulary:
    """The names that columns of one kind of measurement have.

    spellings: role -> names, stripped of case, blanks, dots and underscores; units: role -> the base units of
    its metric prefixes, or unit -> factor; valid: role -> the units as a message lists them.
    """

    what: str
    needed: str
    known: str
    complete: tuple[frozenset[str], ...]  # sets of roles of which one must be there
    spellings: Mapping[str, str]
    units: Mapping[str, str | Mapping[str, float]]
    valid: Mapping[str, str]
    roles: dict[str, str] = field(init=False)

    def __post_init__(self):
        roles = {spelling: role for role, line in self.spellings.items() for spelling in line.split()}
        object.__setattr__(self, "roles", roles)

    def holds(self, names: Iterable[str]) -> bool:
        """Whether columns of these names are a measurement of this kind."""
        found = {column.role for name in names if (column := self.understand(name))}
        return any(roles <= found for roles in self.complete)

    def understand(self, name: str) -> Column | None:
        """The column called `name`, or None where the name means nothing here."""
        if len(name) > LONGEST_NAME:
            return None
        text = name.strip(" #").replace('Z"', "Z''").replace("′", "'").replace("″", "''").strip('"')
        text = text.replace("−", "-").replace("”", "''")
        negated = text.startswith("-") or text.lower().startswith("neg ")
        bare, unit = self._split(text.lstrip("-").removeprefix("neg ").strip())
        role = self.roles.get(_normal(bare))
        return None if role is None else self._measured(role, unit, negated)

    def _split(self, text):
        """`Re(Z)/Ohm`, `Zs'[ohm]`, `Zre (ohms)`, `freq_Hz`, `voltage_V` -> the name and its unit."""
        if _normal(text) in self.roles:
            return text, ""
        patterns = [r"(.+?)\s*/\s*(.+)", r"(.+?)\s*\[(.*)\]"]
        patterns += [r"(.+?)[_\s]([µμumkMG]?(?:Hz|hz|[Oo]hms?|Ω|Ω|V|A|Ah|s|K)|h|min|deg|rad|degC|°C)"]
        if text[:3].lower() not in ("re(", "im("):  # Re(Y), Im(M) are other quantities, not Re in a unit
            patterns.append(r"(.+?)\s*\(([^()]*(?:\([^()]*\))?)\)")
        for pattern in patterns:
            match = re.fullmatch(pattern, text)
            if match and _normal(match[1]) in self.roles:
                return match[1], match[2].strip()
        return text, ""

    def _measured(self, role, unit, negated):
        if role == "temperature":
            factor, offset = TEMPERATURES.get(unit.replace(" ", "").removeprefix("°").removeprefix("deg"), (None, 0.0))
            return Column(role, unit, factor, negated, offset=offset)
        units = self.units.get(role)
        if units is None:
            return Column(role, unit, 1.0, negated)
        if isinstance(units, str):
            match = re.fullmatch(rf"{PREFIX}(?:{units})", unit)
            if match or not unit:
                return Column(role, unit, PREFIXES[match[1]] if match else 1.0, negated)
            area = OHM_AREA.fullmatch(unit) if units == OHM else None
            if area:
                return Column(role, unit, PREFIXES[area[1]] * AREAS[area[2]], negated, per_area=True)
            return Column(role, unit, None, negated)
        return Column(role, unit, units.get(unit.lower(), units.get(unit)), negated)


TEMPERATURES = {"K": (1.0, 0.0), "C": (1.0, 273.15), "F": (1 / 1.8, 459.67)}


def _normal(text):
    return re.sub(r"[\s._:#]", "", text).lower()


CARTESIAN, POLAR = frozenset({"frequency", "real", "imaginary"}), frozenset({"frequency", "modulus", "phase"})
IMPEDANCE = Vocabulary(
    what="an impedance spectrum",
    needed="a frequency, and real and imaginary part (or modulus and phase)",
    known="freq, Zre or Z' or Re(Z), Zim or Z'' or -Im(Z), |Z|, Phase(Z)",
    complete=(CARTESIAN, POLAR),
    spellings={
        "frequency": "f freq frequency frequenz datafrequency",
        "real": "re(z) rez zre zreal zr z' zs' dataz' real re zprime",
        "imaginary": "im(z) imz zim zimag zimg zi z'' zs'' dataz'' imag imaginary im zdoubleprime",
        "modulus": "|z| zmod modz abs(z) absz zabs magnitude modulus data|z|",
        "phase": "phase(z) phase phasez theta theta(z) datatheta(z) phi zphz zphase",
        "loop": "loopindex loop loopnumber cyclenumber cycle",
        "time": "time elapsedtime",
    },
    units={"frequency": "Hz|hz|HZ", "real": OHM, "imaginary": OHM, "modulus": OHM, "phase": ANGLES},
    valid={"frequency": "Hz, mHz, kHz, MHz", "phase": "deg, rad"},
)
CYCLING = Vocabulary(
    what="a cycling record",
    needed="a time and a voltage (and a current)",
    known="time/s, Ewe/V or voltage, I/mA or current, (Q-Qo)/mA.h, cycle number, step",
    complete=(frozenset({"time", "voltage"}),),
    spellings={
        "time": "totaltime testtime elapsedtime time test t seconds",
        "voltage": "ewe <ewe> ecell voltage terminalvoltage potential volts v vf e u",
        "current": "i <i> current amps im imeas",
        "counter": "(q-qo)",
        "increment": "dq",
        "cycle": "cyclenumber cycle cycleindex cyclecount cyc cyclec loopindex",
        "step": "ns stepcount step stepindex stepnumber stepid",
        "temperature": "temperature temp celltemperature auxtemperature",
        "state": "state md",
    },
    units={
        "time": {**TIMES, "h:m:s": 1.0, "secs.": 1.0},
        "voltage": r"V|v|V vs\. Ref\.",
        "current": "A|Amps",
        "counter": CHARGES,
        "increment": CHARGES,
    },
    valid={"time": "s, ms, min, h", "voltage": "V, mV", "current": "A, mA, µA", "temperature": "K, degC, degF"},
)
UNITS_OF_OHM = "ohm, mohm, kohm, Mohm, or ohm cm^2 with area"


def understand(name: str) -> Column | None:
    """The column of an impedance file called `name`, or None where the name means nothing there."""
    return IMPEDANCE.understand(name)
