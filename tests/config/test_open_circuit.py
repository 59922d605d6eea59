"""Open-circuit curves from formulas and files: the same table as by hand, and clear words about what is no curve."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics import config
from ionics.config import ConfigError, materials
from ionics.config.formula import FormulaError, evaluate, poles
from ionics.config.open_circuit import CLOSE, tabulated
from ionics.config.resolved import resolved
from ionics.constants import FARADAY, GAS
from ionics.transport.statistics import Measured, RegularSolution

from .files import CELL, line, read

TABLE = "          occupancy: [0.5, 0.7, 0.9]\n          potential: [4.2 V, 4.0 V, 3.8 V]"
FILE = CELL.replace(TABLE, "          file: data/curve.csv")
KEY = "materials.host.carriers.Li.open_circuit"
ROUND = 1e-12  # relative: roundings of text and units

# J. Electrochem. Soc. 151 (2004) A196, as public codes write it: two poles lie below the range it was fitted in
RATIONAL = (
    "(-4.656 + 88.669*x**2 - 401.119*x**4 + 342.909*x**6 - 462.471*x**8 + 433.434*x**10)"
    "/(-1 + 18.933*x**2 - 79.532*x**4 + 37.311*x**6 - 73.083*x**8 + 95.96*x**10)"
)
GRAPHITE = (
    "1.9793*exp(-39.3631*x) + 0.2482 - 0.0909*tanh(29.8538*(x - 0.1234)) - 0.04478*tanh(14.9159*(x - 0.2769))"
    " - 0.0205*tanh(30.4444*(x - 0.6103))"
)
PUBLISHED = {  # formulas of the sources that the library names
    "NMC811": (
        "-0.809*x + 4.4875 - 0.0428*tanh(18.5138*(x - 0.5542)) - 17.7326*tanh(15.789*(x - 0.3117))"
        " + 17.5842*tanh(15.9308*(x - 0.312))"
    ),
    "Si": "-51.02*x**7 + 161.3*x**6 - 205.7*x**5 + 140.2*x**4 - 58.76*x**3 + 16.87*x**2 - 3.792*x + 0.9937",
    "LiMn2O4": (
        "4.06279 + 0.0677504*tanh(-21.8502*x + 12.8268) - 0.105734*((1.00167 - x)**-0.379571 - 1.575994)"
        " - 0.045*exp(-71.69*x**8) + 0.01*exp(-200*(x - 0.19))"
    ),
}  # fmt: skip


def written(tmp_path, rows, header="occupancy, potential [V]\n", name="curve.csv"):
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / name).write_text(header + rows, encoding="utf-8")


def lithium(found):
    return config.build(found).layer("cathode").material.carrier("Li").statistics


def refused(tmp_path, text=FILE):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize(("formula", "low", "high"), [(RATIONAL, 0.45, 0.98), (GRAPHITE, 0.001, 0.99)])
def test_the_curve_of_a_formula_is_the_formula(formula, low, high):
    """Also where it is steep: 2 V within 0.05 of the filling."""
    statistics = Measured(*tabulated(formula, low, high))
    x = np.linspace(low, high, 3001)
    found = statistics.open_circuit(statistics.unknown(jnp.asarray(x)), 298.15)
    np.testing.assert_allclose(found, evaluate(formula, x), atol=2 * CLOSE)  # middles are within CLOSE


def test_a_narrow_step_is_followed():
    """As wide as a thousandth of the range; a fixed table of 801 points misses it by 4 mV."""
    formula = "4 - 0.1*x - 0.2*tanh((x - 0.5012)/5e-4)"
    x, potential = tabulated(formula, 0.1, 0.9)
    inside = np.linspace(0.495, 0.507, 2001)
    assert len(x) < 2000
    off = Measured(x, potential).curve(jnp.asarray(inside)) - evaluate(formula, inside)
    assert np.abs(off).max() < 5 * CLOSE


@pytest.mark.parametrize("pole", [0.498, 0.30303, 0.7501])
@pytest.mark.parametrize("term", ["1e-9/(x - {})", "1e-7*(x - {})**-1", "1e-9/(x - {})**2", "1e-12/tanh(x - {})"])
def test_a_pole_is_found_however_narrow_and_named_with_its_place(term, pole):
    """A billionth of a volt wide: no table of a few thousand points sees it."""
    formula = f"4.2 - 0.4*x + {term.format(pole)}"
    assert poles(formula, 0.1, 0.9) == pytest.approx([pole], abs=1e-7)  # a double pole is a minimum, less sharp
    with pytest.raises(FormulaError) as caught:
        tabulated(formula, 0.1, 0.9)
    assert f"has a pole at x = {pole}" in str(caught.value)
    low, high = map(float, str(caught.value).split("[")[1].rstrip("]").split(","))
    assert not low < pole < high  # and what is proposed works
    assert len(tabulated(formula, low, high)[0]) >= 801


def test_a_published_formula_has_its_poles_outside_the_range_of_its_source():
    below = poles(RATIONAL, 0.35, 0.999)
    roots = np.roots([95.96, -73.083, 37.311, -79.532, 18.933, -1.0])  # in x**2
    wanted = np.sqrt(roots[np.abs(roots.imag) < 1e-12].real)
    assert below == pytest.approx([root for root in wanted if 0.35 < root < 0.999], rel=1e-9)
    assert poles(RATIONAL, 0.45, 0.999) == []


@pytest.mark.parametrize("part", ["1 + exp(2000*x)", "cosh", "2 + tanh(50*(x - 0.5))", "(x - 0.5)**2 + 1e-3"])
def test_a_denominator_that_only_comes_near_to_zero_is_none(part):
    """A logistic step that overflows, and a minimum above zero, are no poles."""
    part = part.replace("cosh", "exp(9*(x - 0.5)) + exp(9*(0.5 - x))")
    assert poles(f"4 - x + 0.1/({part})", 0.1, 0.9) == []


def test_stretches_that_rise_are_named_with_their_ends_and_height():
    """4 - 0.3 x + 0.01 tanh(300 (x - 0.3)) rises where 3 sech^2 > 0.3, by 0.02 sqrt(0.9) - 0.6 atanh(sqrt(0.9))/300."""
    half = np.arctanh(np.sqrt(0.9)) / 300
    rise = 0.02 * np.sqrt(0.9) - 0.6 * half
    with pytest.raises(FormulaError) as caught:
        tabulated("4 - 0.3*x + 0.01*tanh(300*(x - 0.3))", 0.1, 0.9)
    words = caught.value.problem.split()
    start, end, height = float(words[6]), float(words[8]), float(words[11])
    assert start == pytest.approx(0.3 - half, abs=2e-4)  # the points on which it is looked for lie 1.6e-4 apart
    assert end == pytest.approx(0.3 + half, abs=2e-4)
    assert height == pytest.approx(1e3 * rise, rel=1e-2)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("3.4 + 0*x", ["does not decrease at x = 0.1 to 0.9 (is flat)", "a potential that falls with x"]),
        ("4 - x + exp(50*(0.5 - x))", ["which is no potential against lithium", "x = 0.1"]),
        ("4.2 - log(0.5 - x)", ["has no value at x = 0.5"]),
        ("4.2 - sqrt(x - 0.4)", ["has no value at x = 0.1"]),
    ],
)
def test_what_is_no_curve_is_refused(formula, words):
    with pytest.raises(FormulaError) as caught:
        tabulated(formula, 0.1, 0.9)
    assert all(word in str(caught.value) for word in words)


def test_a_formula_of_many_bumps_lists_a_few():
    with pytest.raises(FormulaError, match="and 4 more"):
        tabulated(" + ".join(["4 - 0.3*x", *(f"0.01*tanh(300*(x - 0.{k}))" for k in range(2, 9))]), 0.1, 0.9)


def test_ln_is_log():
    assert np.array_equal(evaluate("ln(x)", np.array([0.1, 0.7])), np.log([0.1, 0.7]))


def test_beyond_its_range_a_formula_goes_on_by_itself_and_stays_finite(tmp_path):
    """The logarithmic tails: monotone, never flatter than the ideal RT/F per e-fold, whatever the formula would do."""
    text = CELL.replace(TABLE, f"          formula: {RATIONAL}\n          range: [0.45, 0.98]")
    statistics = lithium(read(tmp_path, text))
    u = jnp.linspace(-60.0, 60.0, 4001)
    potential = np.asarray(statistics.open_circuit(u, 298.15))
    slope = np.diff(potential) / np.diff(np.asarray(u))
    assert np.all(np.isfinite(potential))
    assert np.all(slope < 0)
    outside = np.asarray(u)[1:] < float(statistics.unknown(jnp.asarray(0.44)))
    assert np.all(slope[outside] <= -GAS * 298.15 / FARADAY * (1 - 1e-6))


# ---------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("occupancy, potential [V]\n", "0.5, 4.2\n0.7, 4.0\n0.9, 3.8\n"),
        ("occupancy, potential [V]\n", "0.9, 3.8\n0.7, 4.0\n0.5, 4.2\n"),
        ("# OCP of a film\n# sto,ocp [V]\n", "# measured\n0.5,4.2\n\n0.7,4.0\n0.9,3.8\n"),
        (
            "Ewe;ignored;E vs Li/Li+ [mV];x [%]\n",
            "1;a;4200,0;50,0\n1;a;4000,0;70,0\n1;a;3800,0;90,0\n".replace("a", "2"),
        ),
        ("stoichiometry\tU/V\n", "0.5\t4.2\n0.7\t4.0\n0.9\t3.8\n"),
    ],
)
def test_a_file_is_the_table_it_holds(header, rows, tmp_path):
    written(tmp_path, rows, header)
    curve = lithium(read(tmp_path, FILE)).curve
    np.testing.assert_allclose(curve.knots, [0.5, 0.7, 0.9], rtol=ROUND)
    np.testing.assert_allclose(curve.values, [4.2, 4.0, 3.8], rtol=ROUND)


def test_rows_in_which_the_potential_stays_are_left_out_and_counted(tmp_path):
    written(tmp_path, "0.5, 4.2\n0.6, 4.2\n0.7, 4.0\n0.8, 4.0\n0.85, 4.0\n0.9, 3.8\n")
    found = read(tmp_path, FILE)
    assert "without 3 rows" in found.material("host").carriers["Li"].open_circuit.note
    np.testing.assert_array_equal(lithium(found).curve.knots, [0.5, 0.7, 0.9])


def test_the_file_that_a_run_keeps_holds_the_numbers(tmp_path):
    """`config.yaml` beside a result must run anywhere."""
    written(tmp_path, "0.9, 3.8\n0.7, 4.0\n0.5, 4.2\n")
    kept = resolved(read(tmp_path, FILE))
    assert "curve.csv" in kept  # as a note
    (tmp_path / "elsewhere").mkdir()
    again = read(tmp_path / "elsewhere", kept)
    np.testing.assert_array_equal(lithium(again).curve.values, [4.2, 4.0, 3.8])


def test_a_material_made_from_another_takes_its_file_along(tmp_path):
    written(tmp_path, "0.5, 4.2\n0.7, 4.0\n0.9, 3.8\n")
    text = FILE.replace("stack:", "  other: {like: host, permittivity: 11}\nstack:", 1).replace(
        "material: host", "material: other"
    )
    np.testing.assert_array_equal(lithium(read(tmp_path, text)).curve.values, [4.2, 4.0, 3.8])


@pytest.mark.parametrize(
    ("rows", "where", "words"),
    [
        ("0, 3.5\n0.5, 4.2\n0.9, 3.8\n", "curve.csv:2", ["got 0;", "a lattice that is empty", "leave the row out"]),
        ("0.5, 4.2\n0.9, 3.8\n1, 3.0\n", "curve.csv:4", ["got 1;", "a lattice that is full"]),
        ("5, 4.2\n7, 4.0\n9, 3.8\n", "curve.csv:2", ["got 5;", "0.5 or 50 %"]),
        ("0.5, 4.2\n0.7, 4.0\n0.7, 3.9\n0.9, 3.8\n", "curve.csv:4", ["neither up nor down"]),
        ("0.5, 4.2\n0.9, 3.8\n0.7, 4.0\n", "curve.csv:4", ["neither up nor down"]),
        ("0.5, 4.2\n0.7, 4.0\n0.8, 4.1\n0.9, 3.8\n", "curve.csv:4", ["got 4.1 V", "4 V in line 3"]),
        ("0.9, 3.85\n0.8, 3.8\n0.5, 4.2\n", "curve.csv:2", ["got 3.85 V", "3.8 V in line 3"]),
        ("0.5, 4.2\n0.9, 3.8\n", "curve.csv", ["2 points are not a curve"]),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_line(rows, where, words, tmp_path):
    written(tmp_path, rows)
    message = refused(tmp_path)
    assert message.startswith(str(tmp_path / "data" / where))
    assert KEY in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        ("occupancy, potential\n", "0.5, 4.2\n", ["column 2 ('potential')", "the unit is missing", "potential [V]"]),
        ("occupancy, potential [kg]\n", "0.5, 4.2\n", ["column 2", "unknown unit 'kg'", "V, mV"]),
        ("soc [%], potential [V]\n", "50, 4.2\n", ["no header names an occupancy", "stoichiometry"]),
        ("", "0.5, 4.2\n0.7, 4.0\n", ["no header names", "occupancy, potential [V]"]),
        ("occupancy, U [V], E [V]\n", "0.5, 4.2, 4.1\n", ["2 columns are potential", "keep one"]),
        ("occupancy, potential [V]\n", "", ["no row of numbers"]),
        ("occupancy, potential [V]\n", "0.5, 4.2\n0.7, high\n", ["line 3", "'high' is not a number"]),
        ("occupancy, potential [V]\n", "0.5, 4.2\n0.7\n", ["line 3", "1 values where 2 are expected"]),
    ],
)
def test_a_file_that_is_no_table_is_named_by_the_line_that_names_it(header, rows, words, tmp_path):
    written(tmp_path, rows, header)
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path / 'study.yaml'}:{line(FILE, 'curve.csv')}: {KEY}.file: got data/curve.csv")
    assert all(word in message for word in words), message


def test_a_missing_file_says_from_where_it_is_seen(tmp_path):
    message = refused(tmp_path)
    assert "no such file" in message
    assert f"seen from {tmp_path / 'study.yaml'}" in message


@pytest.mark.parametrize("other", ["occupancy: [0.5, 0.7, 0.9]", "formula: 4 - x", "range: [0.4, 0.9]"])
def test_a_file_and_something_else_are_too_much(other, tmp_path):
    written(tmp_path, "0.5, 4.2\n0.7, 4.0\n0.9, 3.8\n")
    message = refused(tmp_path, FILE.replace("file: data/curve.csv", f"file: data/curve.csv\n          {other}"))
    assert f"{KEY}.file" in message
    assert f"given together with {other.split(':')[0]}" in message


def test_a_measured_curve_of_a_laboratory(shared, tmp_path):
    """LiCoO2 of Ai et al. (J. Electrochem. Soc. 167 (2020) 013512), as its makers wrote it."""
    source = shared / "data" / "pybamm" / "lico2_ocp_Ai2020.csv"
    if not source.is_file():
        pytest.skip("no such file")
    wanted = np.loadtxt(source, delimiter=",", comments="#")
    found = read(tmp_path, CELL.replace(TABLE, f"          file: {source}"))
    statistics = lithium(found)
    falls = np.concatenate([[True], np.diff(wanted[:, 1]) < 0])
    assert f"without {np.sum(~falls)} rows" in found.material("host").carriers["Li"].open_circuit.note
    potential = statistics.open_circuit(statistics.unknown(jnp.asarray(wanted[:, 0])), 293.15)
    np.testing.assert_allclose(potential[falls], wanted[falls, 1], atol=1e-9)  # V: the knots, through a logit
    np.testing.assert_allclose(potential, wanted[:, 1], atol=2e-4)  # V: the step of its digitiser


# -------------------------------------------------------------------------------------------------- library


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_table_of_the_library_is_the_published_formula(name):
    """As close as its entry says: 1 mV."""
    entry = materials.material(name).carriers["Li"].open_circuit
    curve = Measured(*entry.curve).curve
    x = np.linspace(float(curve.knots[0]), float(curve.knots[-1]), 2001)
    assert np.abs(curve(jnp.asarray(x)) - evaluate(PUBLISHED[name], x)).max() < 1e-3
    tabulated(PUBLISHED[name], float(x[0]), float(x[-1]))  # and the formula itself may be written


def test_indium_lithium_is_a_plateau():
    curve = Measured(*materials.material("InLi").carriers["Li"].open_circuit.curve)
    x = jnp.linspace(0.02, 0.88, 201)
    potential = curve.open_circuit(curve.unknown(x), 298.15)
    assert np.abs(potential - 0.62).max() <= 1e-3


def test_iron_phosphate_separates_at_its_plateau(tmp_path):
    text = """\
temperature: 298 K
stack:
  left: {contact: blocking}
  layers: [{name: film, material: LiFePO4, thickness: 100 nm, nodes: 21, occupancy: {Li: 0.995}}]
  right: {contact: ohmic}
"""
    carrier = config.build(read(tmp_path, text)).layer("film").material.carrier("Li")
    assert isinstance(carrier.statistics, RegularSolution)
    low = float(carrier.statistics.binodal(298.0))
    u = carrier.statistics.unknown(jnp.asarray([low, 1 - low]))
    mu = float(carrier.standard_potential(298.0)) + GAS * 298.0 * carrier.statistics.filling(u, 298.0).chemical
    assert low == pytest.approx(0.012, abs=5e-4)  # as the entry says
    np.testing.assert_allclose(-mu / FARADAY, 3.422, atol=1e-6)  # V: both phases, by symmetry
    assert float(carrier.statistics.hysteresis(298.0)) == pytest.approx(0.074, abs=5e-4)
