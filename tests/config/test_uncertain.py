"""Numbers with uncertainties, hops and formation energies: what a file may say, and what it is told."""

import math
from statistics import NormalDist

import numpy as np
import pytest

import ionics
from ionics import config
from ionics.config import ConfigError, uncertainty
from ionics.config.leaves import leaf
from ionics.config.uncertain import Uncertain
from ionics.constants import AVOGADRO, BOLTZMANN, ELEMENTARY_CHARGE, FARADAY

FILE = """
title: two
temperature: 298.15 K
materials:
  one:
    permittivity: 16.6
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 6e4 mol/m^3, occupancy: 0.1, conductivity: 1e-6 S/cm}
  two:
    permittivity: 13
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 2e4 mol/m^3, occupancy: 0.6, diffusivity: 1e-14 m^2/s}
  unused:
    permittivity: {value: 13, uncertainty: 1}
    carriers:
      Li+: {charge: 1, statistics: lattice, sites: 2e4 mol/m^3, occupancy: 0.6, diffusivity: 1e-14 m^2/s}
stack:
  left: {contact: reservoir}
  layers:
    - {name: left, material: one, thickness: 20 nm}
    - {name: right, material: two, thickness: 20 nm}
  junctions:
    left | right: {carriers: {Li+: {law: equilibrium}}, space_charge_potential: -0.1 V}
  right: {contact: reservoir}
study:
  impedance: {frequencies: [1 Hz, 1 MHz]}
"""
SIGMA = NormalDist().cdf(1)  # the share below one standard deviation above the middle


@pytest.fixture
def reading(tmp_path):
    """The configuration of FILE after replacements 'old' -> 'new', each of which must be found."""

    def read(*changes: tuple[str, str]):
        text = FILE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "study.yaml"
        path.write_text(text, encoding="utf-8")
        return config.read(path)

    return read


@pytest.mark.parametrize(
    ("old", "new", "key", "value", "above"),
    [
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: 1 nm}", "left.thickness", 20e-9, 21e-9),
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: 10 %}", "left.thickness", 20e-9, 22e-9),
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: factor 1.5}", "left.thickness", 20e-9, 30e-9),
        ("-0.1 V", "{value: -0.1 V, uncertainty: 20 mV}", "space_charge_potential", -0.1, -0.08),
        ("298.15 K", "{value: 25 degC, uncertainty: 2 degC}", "temperature", 298.15, 300.15),
        ("298.15 K", "{value: 25 degC, uncertainty: 2 K, source: a thermometer}", "temperature", 298.15, 300.15),
        ("permittivity: 16.6", "permittivity: {value: 16.6, uncertainty: 0.6}", "permittivity", 16.6, 17.2),
        ("1e-6 S/cm", "{value: 1e-6 S/cm, uncertainty: factor 3, method: MD}", "conductivity", 1e-4, 3e-4),
    ],
)
def test_every_quantity_may_have_an_uncertainty(reading, old, new, key, value, above):
    """'factor f': 68 % between value/f and value*f; all others: one standard deviation of a normal distribution."""
    (found,) = uncertainty.doubts(reading((old, new)))
    assert found.key.endswith(key)
    assert float(found.number) == pytest.approx(value, rel=1e-12)
    # what lies beyond the limits of a positive quantity is left out: 5e-7 of the cases here with limits closest by
    assert found.number.draw(SIGMA) == pytest.approx(above, rel=1e-6)
    assert found.number.draw(0.5) == pytest.approx(value, rel=1e-6)


def test_members_of_tables_and_activation_energies_have_uncertainties_too(reading):
    found = reading(
        ("conductivity: 1e-6 S/cm", "conductivity: {value: 1e-6 S/cm, uncertainty: 10 %, temperature: 300 K, "
         "activation_energy: {value: 0.5 eV, uncertainty: 0.1 eV}}"),
        ("20 nm}", "20 nm, profiles: {Li+: {energy: {position: [0 nm, 1 nm], "
         "energy: [{value: -0.2 eV, uncertainty: 0.05 eV, source: NEB}, 0 eV]}}}}"),
    )  # fmt: skip
    keys = {doubt.key: doubt for doubt in uncertainty.doubts(found)}
    assert list(keys) == [
        "stack.layers.left.profiles.Li+.energy.energy[0]",
        "materials.one.carriers.Li+.conductivity",
        "materials.one.carriers.Li+.conductivity.activation_energy",
    ]
    assert keys["stack.layers.left.profiles.Li+.energy.energy[0]"].source == "NEB"


def test_the_same_number_from_the_same_source_is_drawn_once(reading):
    """Interstitials and vacancies of one pair: drawn apart, the material would be charged."""
    pair = "permittivity: {value: 16.6, uncertainty: 1, source: DFT, method: slab}"
    other = ("permittivity: 13\n", pair + "\n")
    tied = reading(("permittivity: 16.6", pair), other)
    (doubt,) = uncertainty.doubts(tied)
    assert doubt.keys == ("materials.one.permittivity", "materials.two.permittivity")
    drawn = uncertainty.drawn(tied, [doubt], [0.9])
    assert drawn.material("one").permittivity.value == drawn.material("two").permittivity.value != 16.6
    apart = reading(("permittivity: 16.6", pair.replace("slab", "bulk")), other)
    assert len(uncertainty.doubts(apart)) == 2
    unsaid = ", source: DFT, method: slab"
    apart = reading(("permittivity: 16.6", pair.replace(unsaid, "")), (other[0], other[1].replace(unsaid, "")))
    assert len(uncertainty.doubts(apart)) == 2


def test_no_uncertainty_is_a_plain_number(reading):
    found = reading(("permittivity: 16.6", "permittivity: {value: 16.6, uncertainty: 0 %, source: a}"))
    assert uncertainty.doubts(found) == ()
    assert not isinstance(found.material("one").permittivity.value, Uncertain)


def test_what_is_drawn_differs_in_the_numbers_drawn_only(reading):
    found = reading(
        ("1e-6 S/cm", "{value: 1e-6 S/cm, uncertainty: factor 3}"), ("20 nm", "{value: 20 nm, uncertainty: 1 nm}")
    )
    doubts = uncertainty.doubts(found)
    drawn = uncertainty.drawn(found, doubts, [0.3, 0.7])
    assert uncertainty.doubts(drawn) == ()
    conductivity = drawn.material("one").carriers["Li+"].conductivity.value
    assert conductivity == pytest.approx(1e-4 * 3 ** NormalDist().inv_cdf(0.7))
    assert drawn.stack.layers[0].thickness == pytest.approx(20e-9 + 1e-9 * NormalDist().inv_cdf(0.3))
    assert drawn.stack.layers[1] == found.stack.layers[1]
    assert drawn.material("two") == found.material("two")


def test_a_resistance_in_ohm_stays_one_when_it_is_drawn(reading):
    area = ("title: two", "title: two\narea: 2 cm^2\nseries_resistance: {value: 10 ohm, uncertainty: 1 ohm}")
    found = reading(area)
    drawn = uncertainty.drawn(found, uncertainty.doubts(found), [SIGMA])
    assert drawn.area_resistance == pytest.approx(11 * 2e-4, rel=1e-9)


def test_draws_of_a_positive_quantity_are_positive(reading):
    """Half of the value as standard deviation: 2.3 % of the normal distribution would be negative and are left out."""
    (found,) = uncertainty.doubts(reading(("permittivity: 16.6", "permittivity: {value: 21, uncertainty: 10}")))
    drawn = np.array([found.number.draw(share) for share in (np.arange(1000) + 0.5) / 1000])
    assert drawn.min() > 1
    z = np.linspace(-2, 6, 4001)  # relative permittivities are at least 1
    weight = np.exp(-(z**2) / 2)
    assert drawn.mean() == pytest.approx(21 + 10 * np.sum(z * weight) / np.sum(weight), rel=1e-3)  # a thousand draws


def test_a_design_takes_every_share_of_every_number_once():
    shares = uncertainty.design(3, 16, 5)
    assert np.sort(shares, axis=0) == pytest.approx(np.tile((np.arange(16)[:, None] + 0.5) / 16, 3))
    assert np.array_equal(shares, uncertainty.design(3, 16, 5))
    assert not np.array_equal(shares, uncertainty.design(3, 16, 6))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("16.6", "{value: 16.6, uncertainty: -1}", ("one.permittivity.uncertainty: got -1", "not negative")),
        ("16.6", "{value: 16.6, uncertainty: 1 nm}", ("permittivity.uncertainty: got 1 nm", "'nm' is not")),
        ("16.6", "{value: 16.6, uncertainty: 20}", ("so wide that 22 %", "below 1", "factor 3.3")),
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: factor 0.5}", ("factor is at least 1",)),
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: factor x}", ("got factor x", "not a number")),
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: 2}", ("unit is missing", "20 % or factor 2")),
        ("thickness: 20 nm", "thickness: {value: 20 nm, uncertainty: 20 nm}", ("not positive", "factor 2.7")),
        ("thickness: 20 nm", "thickness: {value: 20 nm, error: 2 nm}", ("unknown key error", "uncertainty")),
        ("thickness: 20 nm", "thickness: {uncertainty: 2 nm}", ("required key missing: value",)),
        ("thickness: 20 nm", "thickness: {value: 20, uncertainty: 2 nm}", ("thickness.value: got 20", "unit")),
        ("-0.1 V", "{value: -0.1 V, uncertainty: factor 2}", ("a factor is one of a positive value",)),
        ("-0.1 V", "{value: 0 V, uncertainty: 20 %}", ("a share of a value that is zero",)),
        ("[1 Hz, 1 MHz]", "[{value: 1 Hz, uncertainty: 1 %}, 1 MHz]", ("a number of the question is exact",)),
        ("1 MHz]}", "1 MHz]}\n  uncertainty: {samples: 3}", ("too few draws", "0, or at least 8")),
    ],
)
def test_what_is_no_uncertainty_is_told_with_its_place(reading, old, new, said):
    line = FILE[: FILE.index(old)].count("\n") + 1 + new.count("\n")
    with pytest.raises(ConfigError) as told:
        reading((old, new))
    assert f"study.yaml:{line}: " in str(told.value)
    for words in said:
        assert words in str(told.value)


HOP = "hop: {barrier: 0.31 eV, length: 2.9 angstrom, attempt_frequency: 10 THz, directions: 4, correlation: 0.5}"


def test_a_hop_is_a_diffusivity_with_the_barrier_as_activation_energy(reading):
    """D = f n l^2 nu exp(-E/kT) / (2 d), Mehrer (2007) chapter 4; at any temperature."""
    found = reading(("diffusivity: 1e-14 m^2/s", HOP))
    law = config.build(found).layers[1].material.carriers[0].diffusivity
    for kelvin in (250.0, 298.15, 800.0):
        barrier = 0.31 * ELEMENTARY_CHARGE / (BOLTZMANN * kelvin)
        assert float(law(kelvin)) == pytest.approx(0.5 * 4 * 2.9e-10**2 * 1e13 * math.exp(-barrier) / 6, rel=1e-9)
    assert ionics.load(found.document.name).check().layers[1].carriers[0].diffusivity == pytest.approx(
        float(law(298.15))
    )


def test_a_fit_may_search_the_barrier_of_a_hop(reading):
    found = reading(("diffusivity: 1e-14 m^2/s", HOP))
    stack = config.build(found)
    barrier = leaf(found, "materials.two.carriers.Li+.hop.barrier")
    assert barrier.quantity(float(barrier.where(stack))) == pytest.approx(0.31 * FARADAY)
    higher = barrier.put(stack, 0.41 * FARADAY)
    old, new = (float(one.layers[1].material.carriers[0].diffusivity(298.15)) for one in (stack, higher))
    assert math.log(old / new) == pytest.approx(0.1 * ELEMENTARY_CHARGE / (BOLTZMANN * 298.15), rel=1e-9)
    speed = leaf(found, "materials.two.carriers.Li+.hop.attempt_frequency")
    assert speed.quantity(float(speed.where(stack))) == pytest.approx(1e13)


@pytest.mark.parametrize("energy", [0.9, 0.3, -0.05])
def test_a_formation_energy_is_an_occupancy_at_the_temperature_of_the_file(reading, energy):
    """x / (1 - x) = exp(-E_f/kT)."""
    found = reading(("occupancy: 0.6", f"formation_energy: {energy} eV"))
    share = float(config.build(found).layers[1].material.carriers[0].occupancy)
    assert math.log(share / (1 - share)) == pytest.approx(-energy * FARADAY / (AVOGADRO * BOLTZMANN * 298.15), rel=1e-9)
    text = str(ionics.load(found.document.name).check())
    assert f"{energy:g} eV, {share:.3g} of the sites filled" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("occupancy: 0.6", "occupancy: 0.6, formation_energy: 0.9 eV")], "two words for one parameter"),
        ([("1e-14 m^2/s}", f"1e-14 m^2/s, {HOP}}}")], "diffusivity and hop are two words"),
        ([("statistics: lattice", "statistics: dilute"), ("occupancy: 0.1", "formation_energy: 0.9 eV")],
         "not used with statistics dilute; statistics: lattice"),
        ([("diffusivity: 1e-14 m^2/s", HOP.replace("4", "0"))], "must be at least 1"),
        ([("diffusivity: 1e-14 m^2/s", HOP.replace("10 THz", "10 eV"))], "a frequency"),
        ([("diffusivity: 1e-14 m^2/s", HOP.replace("barrier: 0.31 eV, ", ""))], "hop.barrier: got nothing; required"),
    ],
)  # fmt: skip
def test_mistakes_in_hops_and_formation_energies_are_told(reading, changes, said):
    with pytest.raises(ConfigError) as told:
        reading(*changes)
    assert said in str(told.value)


def test_a_change_of_what_fills_the_sites_replaces_it(reading):
    """A material like another keeps one of occupancy and formation_energy, that which it states."""
    found = reading(
        ("occupancy: 0.6", "formation_energy: 0.3 eV"),
        ("  unused:", "  changed: {like: two, carriers: {Li+: {occupancy: 0.2}}}\n  unused:"),
        ("material: one", "material: changed"),
    )
    assert float(config.build(found).layers[0].material.carriers[0].occupancy) == pytest.approx(0.2)


def test_check_lists_the_uncertain_numbers_and_says_where_they_are_not_followed(reading):
    found = reading(("20 nm", "{value: 20 nm, uncertainty: 1 nm}"))
    shown = ionics.load(found.document.name).check()
    assert "20 nm ± 1 nm" in str(shown)
    assert not any("uncertain" in text for text in shown.warnings)
    off = ionics.load(found.document.name, "study.uncertainty={samples: 0}").check()
    assert any("no draws are asked" in text and "left.thickness" in text for text in off.warnings)
