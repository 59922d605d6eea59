"""Text with a unit is the SI number it means."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionics.config import units
from ionics.config.units import UnitError, constant_phase, parse, parse_any
from ionics.constants import AVOGADRO, ELEMENTARY_CHARGE, FARADAY


@pytest.mark.parametrize(
    ("text", "dimension", "wanted"),
    [
        ("5 nm", units.LENGTH, 5e-9),
        ("5nm", units.LENGTH, 5e-9),
        (" 3 µm ", units.LENGTH, 3e-6),
        ("3 Å", units.LENGTH, 3e-10),
        ("1e-4 S/cm", units.CONDUCTIVITY, 1e-2),
        ("1e-4 S cm^-1", units.CONDUCTIVITY, 1e-2),
        ("1e-4 S*cm**-1", units.CONDUCTIVITY, 1e-2),
        ("0.34 eV", units.MOLAR_ENERGY, 0.34 * FARADAY),
        ("34 kJ/mol", units.MOLAR_ENERGY, 34e3),
        ("25 degC", units.TEMPERATURE, 298.15),
        ("25 °C", units.TEMPERATURE, 298.15),
        ("1 %", units.RATIO, 0.01),
        ("0.5", units.RATIO, 0.5),
        (1, units.RATIO, 1.0),
        ("1e22 cm^-3", units.CONCENTRATION, 1e28 / AVOGADRO),
        ("1e22/cm^3", units.CONCENTRATION, 1e28 / AVOGADRO),
        ("2 mol/L", units.CONCENTRATION, 2000.0),
        ("10 ohm cm^2", units.AREA_RESISTANCE, 1e-3),
        ("10 Ω cm²", units.AREA_RESISTANCE, 1e-3),
        ("5 uF/cm^2", units.AREA_CAPACITANCE, 0.05),
        ("0.1 mA/cm^2", units.CURRENT_DENSITY, 1.0),
        ("1e-6 S s^0.9/cm^2", constant_phase(0.9), 1e-2),
        ("1e-6 F s^-0.1/cm^2", constant_phase(0.9), 1e-2),
        ("1e-6 S s^0.85/cm^2", constant_phase(0.85), 1e-2),
        ("1e-6 F/cm^2", constant_phase(1.0), 1e-2),
    ],
)
def test_a_quantity_in_si(text, dimension, wanted):
    assert parse(text, dimension) == pytest.approx(wanted, rel=1e-12)


def test_an_energy_per_particle_is_the_same_as_per_mole():
    assert parse(f"{ELEMENTARY_CHARGE!r} J", units.MOLAR_ENERGY) == pytest.approx(FARADAY, rel=1e-9)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
def test_a_length_in_metres_is_the_number_itself(x):
    assert parse(f"{x!r} m", units.LENGTH) == x


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_a_clear_refusal(text):
    try:
        refusal = None
        value = parse(text, units.LENGTH)
    except UnitError as error:
        refusal = error
    assert math.isfinite(value) if refusal is None else (refusal.problem and " nm" in refusal.valid)


@pytest.mark.parametrize("text", ["5 S s^0.9/m^2", "10 ohm", "1 kHz", "0.5 nm/nm"])
def test_a_quantity_of_any_dimension(text):
    value, unit = parse_any(text)
    assert value == pytest.approx(float(text.split()[0]) * (1000 if "kHz" in text else 1))
    assert bool(unit) == ("nm" not in text)
