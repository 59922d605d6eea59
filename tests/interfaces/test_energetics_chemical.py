"""gamma(mu_Li): straight lines, a concave envelope, and the window of each phase."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import PhaseDiagram
from pymatgen.core import Element
from scipy.spatial import ConvexHull

from ionics.constants import FARADAY
from ionics.interfaces.energetics.chemical import Line, bounds, envelope, gamma_estimate, line
from ionics.interfaces.energetics.counting import beyond_bulk, bulk
from ionics.interfaces.energetics.entries import entry
from ionics.interfaces.energetics.units import JOULE_PER_AREA
from ionics.interfaces.errors import AtomsError
from tests.interfaces.pairs import Pairs, crystal, rock_salt, stacked

METAL = -1.9  # eV/atom


def energy(atoms) -> float:
    atoms = atoms.copy()
    atoms.calc = Pairs()
    return atoms.get_potential_energy()


BULKS = [bulk(crystal(name), energy(crystal(name))) for name in ("LiF", "MgO")]


def junction(short: int = 0, layers: int = 3):
    """LiF | MgO that lacks `short` lithium ions of the layer at the plane."""
    whole = stacked(rock_salt("LiF", layers, across=2), rock_salt("MgO", 3, across=2), gap=2.3)
    lithium = np.flatnonzero(whole.atoms.numbers == 3)
    nearest = lithium[np.argsort(-whole.atoms.positions[lithium, 2], kind="stable")][:short]
    return whole.moved(whole.atoms[[i for i in range(len(whole.atoms)) if i not in nearest]])


def as_line(interface, name="x") -> Line:
    return line(name, interface.atoms, energy(interface.atoms), interface.area, BULKS, METAL)


@pytest.mark.parametrize("short", [0, 1, 3])
def test_gamma_falls_with_mu_by_the_excess_per_area(short):
    one = as_line(junction(short))
    assert one.excess == -short
    slope = (one(-1.0) - one(-3.0)) / 2.0
    assert slope == pytest.approx(short / junction().area, abs=1e-12)


def test_gamma_is_the_energy_beyond_bulk_and_reservoir():
    short = junction(2)
    mu = -2.5
    direct = beyond_bulk(energy(short.atoms), short.atoms, BULKS, {"Li": METAL + mu}) / short.area
    assert as_line(short)(mu) == pytest.approx(direct, abs=1e-12)


def test_more_bulk_does_not_change_gamma():
    assert as_line(junction(1, layers=5))(-2.0) == pytest.approx(as_line(junction(1, layers=3))(-2.0), abs=1e-10)


def test_free_surfaces_may_be_left_out():
    one = junction(1)
    less = line("x", one.atoms, energy(one.atoms), one.area, BULKS, METAL, outer=0.03)
    assert as_line(one)(-1.0) - less(-1.0) == pytest.approx(0.03)


def test_an_oxygen_too_few_needs_the_chemical_potential_of_oxygen():
    one = junction()
    oxygen = int(np.flatnonzero(one.atoms.numbers == 8)[0])
    short = one.moved(one.atoms[[i for i in range(len(one.atoms)) if i != oxygen]])
    with pytest.raises(AtomsError, match=r"left .*O -"):
        as_line(short)
    told = line("x", short.atoms, 0.0, short.area, BULKS, METAL, reservoirs={"O": -4.0})
    other = line("x", short.atoms, 0.0, short.area, BULKS, METAL, reservoirs={"O": -5.0})
    assert told(0.0) - other(0.0) == pytest.approx(1.0 / short.area)  # a vacancy costs mu_O, 1 eV more
    with pytest.raises(AtomsError, match="leave Li out"):
        line("x", short.atoms, 0.0, short.area, BULKS, METAL, reservoirs={"Li": -4.0})


def test_lithium_metal_on_one_side_leaves_no_excess():
    below, above = rock_salt("MgO", 2), rock_salt("MgO", 2)
    above.symbols[:] = "Li"
    both = stacked(below, above, gap=2.5)
    metal = bulk(above[:1], METAL)
    one = line("x", both.atoms, -60.0, both.area, [BULKS[1], metal], METAL)
    assert one.excess == 0
    assert one(0.0) == one(-3.0)


lines = st.lists(
    st.tuples(st.floats(-2, 2, allow_nan=False), st.integers(-6, 6)), min_size=1, max_size=12, unique_by=lambda t: t
).map(lambda rows: [Line(f"{i}", 50.0, float(n), g) for i, (g, n) in enumerate(rows)])


@settings(max_examples=200, deadline=None)
@given(lines)
def test_the_envelope_is_the_lowest_line_everywhere_and_concave(some):
    found = envelope(some, -4.0, 0.0)
    mu = np.linspace(-4.0, 0.0, 401)
    lowest = np.min([one(mu) for one in some], axis=0)
    assert found.gamma(mu) == pytest.approx(lowest, abs=1e-12)
    assert np.diff(lowest, 2).max() <= 1e-12  # concave: lithium is taken up, never given off, as its potential rises
    assert np.all(np.diff([one.excess for one in found.stable]) > 0)
    assert np.all(np.diff(found.bounds) >= -1e-12)
    assert (found.bounds[0], found.bounds[-1]) == (-4.0, 0.0)


@settings(max_examples=50, deadline=None)
@given(lines, st.floats(-4, 0))
def test_what_is_called_stable_is_lowest(some, mu):
    assert envelope(some, -4.0, 0.0).at(mu)(mu) == pytest.approx(min(float(one(mu)) for one in some), abs=1e-12)


def test_structures_on_the_envelope_are_the_corners_of_the_hull_of_energy_over_excess():
    rng = np.random.default_rng(3)
    some = [Line(f"{n}", 60.0, float(n), float(0.002 * n**2 + rng.normal(0, 0.01))) for n in range(-8, 9)]
    points = np.array([[one.coverage, one.metal] for one in some])
    hull = ConvexHull(points)
    below = hull.equations[:, 1] < 0
    corners = {some[i].name for facet in hull.simplices[below] for i in facet}
    assert {one.name for one in envelope(some, -1e3, 1e3).stable} == corners


def test_crossings_are_exact_and_told_as_voltages():
    few, many = Line("few", 100.0, -2.0, 0.05), Line("many", 100.0, 2.0, -0.07)
    found = envelope([many, few], -4.0, 0.0)
    assert found.bounds == pytest.approx([-4.0, -3.0, 0.0])  # 0.05 + 0.02 mu = -0.07 - 0.02 mu
    assert found.voltages == pytest.approx([4.0, 3.0, 0.0])
    assert [one.name for one in found.stable] == ["few", "many"]
    assert "4.00 to 3.00 V: few, -2 Li" in found.words()
    with pytest.raises(AtomsError, match="outside"):
        found.at(0.5)


@pytest.mark.parametrize(("some", "low", "high"), [([], -1, 0), ([Line("a", 1, 0, 0)], 0, -1)])
def test_nothing_to_compare_or_no_range_is_refused(some, low, high):
    with pytest.raises(AtomsError):
        envelope(some, low, high)


def test_spread_of_gamma_over_models_at_a_voltage():
    both = {name: envelope([Line("a", 50.0, -1.0, g)], -4, 0) for name, g in (("one", 0.03), ("two", 0.05))}
    told = gamma_estimate(both, 3.0, "x")
    values = (np.array([0.03, 0.05]) - 3.0 / 50.0) * JOULE_PER_AREA
    assert told.value == pytest.approx(values.mean())
    assert told.uncertainty == pytest.approx(values.std(ddof=1))


def formed(formula: str, gibbs: float):
    """A phase by its Gibbs energy of formation [kJ per mole of formula units], 298 K."""
    atoms = entry(formula, 0.0, "").composition.num_atoms
    return entry(formula, gibbs * 1e3 / FARADAY / atoms, "tables")


# Gibbs energies of formation at 298 K, kJ/mol: CRC Handbook of Chemistry and Physics, standard thermodynamic properties
LITHIUM_OXYGEN = [formed("Li", 0), formed("O2", 0), formed("Li2O", -561.2), formed("Li2O2", -571.0)]


def test_lithium_peroxide_forms_at_2_96_volts():
    low, high = bounds([LITHIUM_OXYGEN[3]], LITHIUM_OXYGEN)
    assert -low == pytest.approx(2.96, abs=0.005)  # textbook voltage of the lithium-oxygen cell, two digits
    assert -high == pytest.approx((2 * 561.2 - 571.0) * 1e3 / FARADAY / 2, abs=1e-6)  # 2 Li2O = Li2O2 + 2 Li
    assert bounds([LITHIUM_OXYGEN[2]], LITHIUM_OXYGEN) == pytest.approx((high, 0.0), abs=1e-6)


def test_two_phases_side_by_side_fix_lithium_where_they_border():
    low, high = bounds(LITHIUM_OXYGEN[2:], LITHIUM_OXYGEN)
    assert low == pytest.approx(high, abs=1e-6)
    assert low == pytest.approx(bounds([LITHIUM_OXYGEN[3]], LITHIUM_OXYGEN)[1], abs=1e-6)


def test_windows_agree_with_those_of_a_hull():
    table = {"Li": 0, "O2": 0, "Co": 0, "Li2O": -2.0, "LiCoO2": -1.75, "CoO": -1.2, "Co3O4": -1.35, "Li2O2": -1.6}
    some = [entry(name, value, "hand") for name, value in table.items()]
    profile = PhaseDiagram(some).get_element_profile(Element("Li"), some[4].composition)
    own = [step["chempot"] for step in profile if abs(step["evolution"]) < 1e-8]
    after = max(step["chempot"] for step in profile if step["chempot"] < min(own))
    assert bounds([some[4]], some) == pytest.approx((after, max(own)), abs=1e-6)


def test_a_phase_above_the_hull_and_phases_that_react_have_no_bounds():
    bad = formed("Li2O2", -400.0)
    with pytest.raises(AtomsError, match="Li2O2 is not stable at any"):
        bounds([bad], LITHIUM_OXYGEN)
    with pytest.raises(AtomsError, match="they react"):
        bounds([LITHIUM_OXYGEN[0], LITHIUM_OXYGEN[3]], LITHIUM_OXYGEN)
    with pytest.raises(AtomsError, match="no entry of lithium metal"):
        bounds([LITHIUM_OXYGEN[2]], LITHIUM_OXYGEN[1:])
