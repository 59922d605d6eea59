"""Designs: textbook optima, the proof that they are optimal, and standard errors that fits of noisy data then have."""

import jax.numpy as jnp
import numpy as np
import pytest

from ionics.fitting.circuits import R
from ionics.fitting.design import optimal
from ionics.fitting.design.information import Condition, rows, unknowns
from ionics.fitting.design.plan import Timing, design
from ionics.fitting.leastsquares import fit
from ionics.fitting.model import AbstractModel, CircuitModel, Parameter
from ionics.fitting.spectrum import Spectrum
from ionics.plots.design import plot_design

RESISTANCE, CAPACITANCE = 100.0, 1e-6
TAU = RESISTANCE * CAPACITANCE


class Polynomial(AbstractModel):
    """a + b x + c x^2 + ... with x = f - 2: what textbooks design."""

    degree: int

    @property
    def parameters(self):
        return tuple(Parameter(name, 1.0, -1.0, 2.0, "linear") for name in "abcdef"[: self.degree + 1])

    def impedance(self, values, frequency):
        powers = jnp.stack([(frequency - 2.0) ** k for k in range(self.degree + 1)])
        return (values @ powers).astype(complex)


def one(frequency):
    """An error of 1 ohm."""
    return np.ones_like(frequency)


def polynomial(degree):
    return Condition("line", Polynomial(degree), np.linspace(1.0, 3.0, 101), one)


def rc(error, points=81):
    model = CircuitModel("p(R1,C1)", start={"R1": RESISTANCE, "C1": CAPACITANCE})
    return Condition("cell", model, np.geomspace(1e-2, 1e2, points) / (2 * np.pi * TAU), error)


def cell(points=81, error=0.01, label="25 degC"):
    """Electrolyte, charge transfer, electrode."""
    start = {"R0": 20.0, "R1": 100.0, "CPE1.Q": 1e-6, "CPE1.n": 0.9, "CPE2.Q": 1e-3, "CPE2.n": 0.8}
    model = CircuitModel("R0-p(R1,CPE1)-CPE2", start=start, bounds={"CPE1.n": (0.5, 1.0), "CPE2.n": (0.5, 1.0)})
    return Condition(label, model, np.geomspace(1e-2, 1e6, points), error)


def support(made, least=1e-3):
    """Frequency -> share, of the settings that matter."""
    return {round(float(f), 6): float(w) for f, w in zip(made.frequency, made.shares, strict=True) if w > least}


def known_as(white):
    """What is asked for is known."""
    assert white is not None
    return white


# ---- closed forms


def test_a_parabola_is_measured_at_both_ends_and_in_the_middle():
    """A third each (Smith, Biometrika 12 (1918) 1)."""
    made = design(polynomial(2), tolerance=1e-6)
    assert support(made) == pytest.approx({1.0: 1 / 3, 2.0: 1 / 3, 3.0: 1 / 3}, abs=1e-4)


def test_its_curvature_alone_takes_half_of_the_effort_in_the_middle():
    """Chebyshev's polynomial: a quarter, a half, a quarter (Kiefer, Wolfowitz, Ann. Math. Stat. 30 (1959) 271)."""
    made = design(polynomial(2), "c", tolerance=1e-6)
    assert support(made) == pytest.approx({1.0: 0.25, 2.0: 0.5, 3.0: 0.25}, abs=1e-3)


@pytest.mark.parametrize(("degree", "shares"), [(1, (0.25, 0.0, 0.75)), (2, (1 / 7, 3 / 7, 3 / 7))])
def test_extrapolation_to_twice_the_range(degree, shares):
    """Hoel, Levine, Ann. Math. Stat. 35 (1964) 1553: shares go with Lagrange's polynomials at x = 2."""
    names = "abc"[: degree + 1]
    made = design(polynomial(degree), lambda v: sum(v[n] * 2.0**k for k, n in enumerate(names)), tolerance=1e-6)
    expected = {f: share for f, share in zip((1.0, 2.0, 3.0), shares, strict=True) if share}
    assert support(made) == pytest.approx(expected, abs=2e-3)


def test_a_quintic_is_measured_at_the_ends_and_the_extrema_of_legendres_polynomial():
    """Guest, Ann. Math. Stat. 29 (1958) 294; the grid of 0.02 splits shares between neighbours."""
    made = design(polynomial(5), tolerance=1e-5)
    points = np.array([-1.0, -0.76505532, -0.28523152, 0.28523152, 0.76505532, 1.0])
    x = made.frequency - 2
    for point in points:
        assert made.shares[np.abs(x - point) < 0.021].sum() == pytest.approx(1 / 6, abs=2e-3)


def test_both_values_of_an_rc_circuit_are_measured_at_one_frequency():
    """Equal errors in ohm: det M goes with x^2/(1 + x^2)^4, so x = omega RC = 1/sqrt(3), and one frequency is optimal:
    (1 + 3 x^2)/(1 + x^2)^2 is nowhere larger than there."""
    condition = rc(one)
    best = 1 / (2 * np.pi * TAU * np.sqrt(3))
    grid = np.sort(np.append(condition.frequency, best))
    made = design(Condition("cell", condition.model, grid, one), tolerance=1e-6)
    assert support(made) == pytest.approx({round(best, 6): 1.0}, abs=1e-3)
    x = 2 * np.pi * grid * TAU
    np.testing.assert_allclose(made.sensitivity, (16 / 9) * (1 + 3 * x**2) / (1 + x**2) ** 2 / 2, rtol=1e-3)


def test_its_capacitance_alone_is_measured_at_the_summit():
    """The information on ln C goes with x^2/(1 + x^2)^2."""
    made = design(rc(one), "C1")
    assert made.frequency[np.argmax(made.shares)] == pytest.approx(1 / (2 * np.pi * TAU), rel=1e-9)
    x = 2 * np.pi * made.frequency * TAU
    assert np.argmax(made.contribution) == np.argmax(x**2 / (1 + x**2) ** 2)


def test_with_errors_relative_to_z_any_symmetric_sweep_of_an_rc_circuit_is_optimal():
    """M_k = diag(1, x^2)/(1 + x^2): every frequency has the same sensitivity about an even sweep around the summit."""
    made = design(rc(0.01))
    assert made.gap < 1e-9
    np.testing.assert_allclose(made.sensitivity, 1.0, rtol=1e-9)
    np.testing.assert_allclose(made.contribution, 1 / 81, rtol=1e-9)


# ---- certificates


@pytest.mark.parametrize("question", [None, "R1", ("R1", "CPE1.Q"), lambda v: v["R0"] + v["R1"]])
def test_no_shares_do_better_than_the_certificate_allows(question):
    """Against 500 random shares, and shares moved to any one setting (Kiefer, Wolfowitz 1960)."""
    condition = cell()
    made = design(condition, question, tolerance=1e-3)
    assert made.gap <= 1e-3
    assert made.sensitivity.max() == pytest.approx(1 + made.gap)
    assert made.shares @ made.sensitivity == pytest.approx(1.0, abs=1e-6)
    known = unknowns([condition])
    every = np.eye(6)
    asked = {"R1": every[:, [1]], ("R1", "CPE1.Q"): every[:, [1, 2]], None: every}.get(question)
    if asked is None:
        asked = (known.slope * np.array([1.0, 1.0, 0, 0, 0, 0]))[:, None]
    white, along = known_as(optimal.whitened(rows(condition, known, condition.frequency), asked))
    blocks = np.einsum("kri,krj->kij", white, white)
    rng = np.random.default_rng(0)
    others = [rng.dirichlet(np.full(81, size)) for size in (0.05, 0.3, 1.0) for _ in range(150)]
    others += [0.99 * made.shares + 0.01 * row for row in np.eye(81)]
    best, *values = optimal.log_det(np.tensordot(np.array([made.shares, *others]), blocks, 1), along)
    assert best <= min(values) + along.shape[1] * np.log1p(made.gap)


def test_the_ideal_plan_is_the_bound_of_the_suggested_one():
    for question in (None, "CPE1.n", ("R0", "CPE2.n")):
        made = design(cell(), question, tolerance=1e-4)
        ideal, suggested, even = (made.plans[name].answer for name in ("ideal", "suggested", "even"))
        assert ideal <= suggested * (1 + 1e-4) <= even
        assert int(made.counts.sum()) == 12
        assert made.counts.max() == 1


def test_suggestions_cannot_be_bettered_by_moving_one_measurement():
    condition = cell(41)
    made = design(condition, "R1")
    known = unknowns([condition])
    found = rows(condition, known, condition.frequency)
    white, along = known_as(optimal.whitened(found, np.eye(6)[:, [1]]))
    blocks = np.einsum("kri,krj->kij", white, white)
    now = optimal.log_det(np.tensordot(made.counts, blocks, 1), along)
    for out in np.flatnonzero(made.counts):
        for into in np.flatnonzero(made.counts == 0):
            counts = made.counts.copy()
            counts[[out, into]] = 0, 1
            assert now <= optimal.log_det(np.tensordot(counts, blocks, 1), along) + 1e-9


# ---- what comes of it


@pytest.mark.parametrize("plan", ["even", "suggested"])
def test_fits_of_noisy_data_scatter_as_predicted(plan):
    """120 spectra with 1 % of noise: a standard deviation from so many is known to 6.5 %; four of those are allowed."""
    condition = cell()
    made = design(condition, "R1", count=16)
    frequency = np.sort(made.plans[plan].frequency)
    values = jnp.asarray(made.unknowns.values)
    z = np.asarray(condition.model.impedance(values, jnp.asarray(frequency)))
    rng, found = np.random.default_rng(3), []
    for _ in range(120):
        noisy = z + 0.01 * np.abs(z) * (rng.normal(size=16) + 1j * rng.normal(size=16))
        spectrum = Spectrum(frequency, noisy, label="drawn", sigma=0.01 * np.abs(z))
        found.append(fit(condition.model, spectrum, weighting="sigma", starts=0).values)
    k = made.unknowns.names.index("R1")
    deviation = np.std(np.array(found)[:, k], ddof=1)
    assert deviation == pytest.approx(made.plans[plan].errors[k], rel=4 / np.sqrt(2 * 119))
    result = fit(condition.model, Spectrum(frequency, z, label="exact", sigma=0.01 * np.abs(z)), weighting="sigma")
    np.testing.assert_allclose(result.standard_errors, made.plans[plan].errors, rtol=1e-6)


def test_a_parameter_that_nothing_depends_on_is_said_to_be_beyond_any_design():
    model = CircuitModel(R(10.0) + R(20.0), start={})
    frequency = np.geomspace(1.0, 1e3, 20)
    made = design(Condition("pellet", model, frequency), "R0")
    assert not made.possible
    assert made.sentences[0] == "no choice among these 20 settings determines R0"
    assert "only their sum R0 + R1" in made.sentences[1]
    assert not made.counts.any()
    whole = design(Condition("pellet", model, frequency), lambda v: v["R0"] + v["R1"])
    assert whole.possible
    assert whole.plans["suggested"].answer == pytest.approx(0.01 / np.sqrt(12), rel=1e-6)  # only Re Z depends on it
    assert "does not determine R0, R1" in " ".join(whole.sentences)


def test_time_makes_low_frequencies_dear():
    free, paid = design(cell(), "CPE2.n"), design(cell(), "CPE2.n", timing=Timing(cycles=3.0, pause=1.0))
    ideal = [made.plans["ideal"] for made in (free, paid)]
    mean = [np.exp(np.average(np.log(plan.frequency), weights=plan.times)) for plan in ideal]
    assert mean[1] > 2 * mean[0]
    suggested, even = paid.plans["suggested"], paid.plans["even"]
    assert even.effort == pytest.approx(np.sum(1 + 3 / even.frequency))
    assert suggested.effort <= even.effort * (1 + 1e-9)
    assert suggested.answer < 0.8 * even.answer
    assert "s instead of" in paid.sentences[0]


def test_effort_goes_to_the_condition_that_knows_more():
    """The same cell with a tenth of the noise elsewhere: a hundred times the information, so nothing is left for it."""
    made = design([cell(41, 0.05, "here"), cell(41, 0.005, "there")], "R1")
    there = np.array([label == "there" for label in made.label])
    assert made.contribution[there].sum() == pytest.approx(100 / 101, rel=1e-6)
    assert made.shares[there].sum() == pytest.approx(1.0, abs=1e-6)
    assert set(made.plans["even"].label) == {"here", "there"}


def test_some_evenly_spaced_frequencies_are_kept():
    made = design(cell(), "R1", keep=5)
    measured = made.frequency[made.counts > 0]
    assert len(measured) == 12
    for wanted in np.geomspace(1e-2, 1e6, 5):
        assert np.min(np.abs(np.log(measured / wanted))) < 0.12  # half a step of the grid
    assert made.plans["suggested"].answer > design(cell(), "R1").plans["suggested"].answer


def test_questions_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="no parameter 'R7'"):
        design(cell(), "R7")
    with pytest.raises(ValueError, match="no parameter R7"):
        design(cell(), values={"R7": 1.0})
    with pytest.raises(ValueError, match="on a log scale"):
        design(cell(), values={"R1": -1.0})
    with pytest.raises(ValueError, match="keep <= count"):
        design(cell(), keep=13)
    with pytest.raises(ValueError, match="not finite"):
        design(cell(error=np.nan))


def test_a_design_is_kept_and_drawn(tmp_path):
    import xarray as xr
    from matplotlib.figure import Figure

    made = design([cell(41, label="25 degC"), cell(41, 0.02, "0 degC")], ("R1", "CPE1.Q"), timing=Timing())
    ds = made.to_dataset()
    ds.to_netcdf(tmp_path / "design.nc")
    again = xr.open_dataset(tmp_path / "design.nc")
    assert again.attrs["sentences"].splitlines() == list(made.sentences)
    axes = plot_design(again, Figure(layout="constrained"))
    assert len(axes) == 3
    axes[0].figure.savefig(tmp_path / "design.png")
