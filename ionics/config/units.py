"""Quantities as text -> SI numbers of a known dimension. The only place that knows a units library.

SI is coherent here: m, kg, s, A, K, mol. Molar energies may be given per particle (0.34 eV), site densities as
numbers per volume.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

from ionics.config.errors import nearest
from ionics.constants import AVOGADRO


@dataclass(frozen=True)
class Dimension:
    """What kind of quantity is wanted."""

    name: str  # with its article, as in a sentence
    unit: str  # coherent SI
    example: str
    also: tuple[tuple[str, float], ...] = ()  # other units that are understood, and the factor to `unit`


RATIO = Dimension("a dimensionless number", "", "0.5")
LENGTH = Dimension("a length", "m", "5 nm")
AREA = Dimension("an area", "m^2", "1 cm^2")
TEMPERATURE = Dimension("a temperature", "K", "298.15 K")
VOLTAGE = Dimension("a voltage", "V", "0.1 V")
CONDUCTIVITY = Dimension("a conductivity", "S/m", "1e-4 S/cm")
DIFFUSIVITY = Dimension("a diffusivity", "m^2/s", "1e-12 m^2/s")
CONCENTRATION = Dimension("a concentration", "mol/m^3", "5e4 mol/m^3", (("1/m^3", 1 / AVOGADRO),))
GRADIENT_ENERGY = Dimension("an energy per length", "J/m", "3e-10 J/m")
MOLAR_ENERGY = Dimension("an energy", "J/mol", "0.34 eV", (("J", AVOGADRO),))
CURRENT_DENSITY = Dimension("a current density", "A/m^2", "1 mA/cm^2")
SURFACE_CHARGE = Dimension("a charge per area", "C/m^2", "0.1 C/m^2")
AREA_CAPACITANCE = Dimension("a capacitance per area", "F/m^2", "5 uF/cm^2")
AREA_RESISTANCE = Dimension("a resistance times area", "ohm m^2", "10 ohm cm^2")
RESISTANCE = Dimension("a resistance", "ohm", "10 ohm")
INDUCTANCE = Dimension("an inductance", "H", "1 uH")
FREQUENCY = Dimension("a frequency", "Hz", "1 kHz")
TIME = Dimension("a time", "s", "1 us")
SPEED = Dimension("a speed", "m/s", "1 nm/h")
RESISTIVITY = Dimension("a resistivity", "ohm m", "1e7 ohm cm")
PRESSURE = Dimension("a pressure", "Pa", "10 MPa")
MOLAR_VOLUME = Dimension("a molar volume", "m^3/mol", "1e-6 m^3/mol", (("m^3", AVOGADRO),))
SITE_DENSITY = Dimension("a number of sites per area", "mol/m^2", "1e18/m^2", (("1/m^2", 1 / AVOGADRO),))
TURNOVER = Dimension("a rate per volume", "mol/m^3/s", "1e6 mol/m^3/s", (("1/m^3/s", 1 / AVOGADRO),))
RECOMBINATION = Dimension("a rate constant of pairs", "m^3/mol/s", "1e-6 m^3/mol/s", (("m^3/s", AVOGADRO),))


def constant_phase(n: float) -> Dimension:
    """The dimension of Q in Y = Q (i omega)^n per area."""
    return Dimension(f"a constant-phase Q for n = {n:g}", f"S s^{n!r}/m^2", f"1e-6 S s^{n:g}/cm^2")


class UnitError(ValueError):
    """Text that is not the quantity that was wanted."""

    def __init__(self, problem: str, valid: str):
        super().__init__(f"{problem}; {valid}")
        self.problem, self.valid = problem, valid


NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)(?![a-z]))\s*(.*?)\s*", re.I)
UNIT = re.compile(r"[\w\s^*/.()%°µμΩÅ·⁻-]*")
COMMON = (
    "m cm mm um nm pm angstrom S mS uS ohm mohm kohm Mohm V mV uV A mA uA nA F mF uF nF pF H mH uH nH "
    "Hz mHz kHz MHz GHz s ms us min h K degC eV meV J kJ mol mmol C mC uC g kg N Pa MPa GPa rad percent"
)


def parse(raw: object, dimension: Dimension) -> float:
    """The SI value of '5 nm', '0.34 eV', '1 %' or, where no unit is needed, of a bare number."""
    number, unit = split(raw, dimension)
    if not unit:
        if dimension.unit:
            written = f"{abs(number) if number else 1:g} {dimension.example.split(' ', 1)[1]}"
            raise UnitError("the unit is missing", f"write {dimension.name} with its unit, e.g. {written}")
        return number
    return _convert(number, unit, dimension)


def difference(raw: object, dimension: Dimension) -> float:
    """The SI value of a difference of two such quantities: 2 degC are 2 K."""
    number, unit = split(raw, dimension)
    if not unit:
        return parse(raw, dimension)
    return _convert(number, unit, dimension) - _convert(0.0, unit, dimension)


def parse_any(raw: object) -> tuple[float, str]:
    """The SI value of a quantity of any dimension, and its SI unit ('' for a number)."""
    number, unit = split(raw, RATIO)
    if not unit:
        return number, ""
    _understand(unit, Dimension("a quantity", "", "10 ohm"))
    base = _registry().Quantity(number, _clean(unit)).to_base_units()
    return float(base.magnitude), "" if base.unitless else f"{base.units:~}"


def split(raw: object, dimension: Dimension) -> tuple[float, str]:
    """Number and unit of a quantity; the number is finite."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise UnitError("not a quantity", f"write {dimension.name}, e.g. {dimension.example}")
    match = NUMBER.fullmatch(raw if isinstance(raw, str) else repr(raw))
    if not match:
        raise UnitError("not a number with a unit", f"write {dimension.name}, e.g. {dimension.example}")
    number = float(match[1])
    if not math.isfinite(number):
        raise UnitError("not a finite number", f"write {dimension.name}, e.g. {dimension.example}")
    return number, match[2]


def _convert(number: float, unit: str, dimension: Dimension) -> float:
    registry = _registry()
    parsed = _understand(unit, dimension)
    for wanted, factor in ((dimension.unit, 1.0), *dimension.also):
        if _alike(parsed.dimensionality, registry.parse_units(wanted).dimensionality):
            value = float(registry.Quantity(number, parsed).to_base_units().magnitude) * factor
            if not math.isfinite(value):
                raise UnitError("not a finite number in SI", f"write {dimension.name}, e.g. {dimension.example}")
            return value
    meant = f" [{dimension.unit}]" if dimension.unit else ""
    raise UnitError(f"'{unit}' is not {dimension.name}{meant}", f"write {dimension.name}, e.g. {dimension.example}")


def _alike(one, other) -> bool:
    """The same dimension; powers such as s^0.9 are compared up to rounding."""
    return all(abs(one.get(base, 0) - other.get(base, 0)) < 1e-9 for base in {*one, *other})


@functools.lru_cache(maxsize=256)
def _understand(unit: str, dimension: Dimension):
    """The unit as the units library knows it."""
    import tokenize

    import pint

    example = f"write {dimension.name}, e.g. {dimension.example}"
    if not UNIT.fullmatch(unit):
        raise UnitError(f"'{unit}' is not a unit", example)
    try:
        return _registry().parse_units(_clean(unit))
    except pint.UndefinedUnitError as error:
        names = error.unit_names
        name = names if isinstance(names, str) else next(iter(names))
        near = _with_powers(unit) or nearest(name, COMMON.split())
        raise UnitError(f"unknown unit '{name}'", f"did you mean {near}? {example}" if near else example) from None
    except (pint.PintError, ValueError, AssertionError, ArithmeticError, TypeError, tokenize.TokenError):
        near = _with_powers(unit)
        raise UnitError(f"'{unit}' is not a unit", f"did you mean {near}? {example}" if near else example) from None


def _with_powers(unit: str) -> str | None:
    """cm2, s-1 -> cm^2, s^-1; None where that is not what is wrong."""
    import pint

    written = re.sub(r"(?<=[a-zA-Zµ])(?=-?[1-9])", "^", unit)
    try:
        return written if written != unit and _registry().parse_units(_clean(written)) else None
    except (pint.PintError, ValueError, AssertionError, ArithmeticError, TypeError):
        return None


def _clean(unit: str) -> str:
    text = unit.replace("%", " percent").replace("·", "*")
    return "1" + text if text.startswith("/") else text


@functools.cache
def _registry():
    """One registry for the process: building it costs a tenth of a second."""
    import pint

    return pint.UnitRegistry()
