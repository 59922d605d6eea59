"""Capacity against rate: exact limitations, a published table, honest intervals, and what curves do not say."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import f

import ionics
from ionics import summary
from ionics.comparison import compare
from ionics.config.errors import ConfigError
from ionics.fitting.files.rates import read_rate_table
from ionics.fitting.files.sheets import sheets
from ionics.fitting.files.source import open_source
from ionics.fitting.rates.capacity_rate import fit_capacity_rate, fit_laws
from ionics.fitting.rates.laws import HOUR, LAWS, measured_rate
from ionics.fitting.rates.posed import laws_of
from ionics.fitting.spectrum import DataError
from ionics.results import save

RATE = np.array([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0])  # 1/h
MEASURED = np.geomspace(0.01, 1000, 15)


def made(law, low, tau, n, rate=RATE):
    """Capacities without noise, of tau [s]."""
    return np.asarray(LAWS[law].capacity(low, tau, n, rate / HOUR))


def noisy(law, low, tau, n, noise, seed, rate=RATE):
    return made(law, low, tau, n, rate) + noise * np.random.default_rng(seed).standard_normal(len(rate))


# ---- the laws, against physics


def sheet(current):
    """Charge (L = D = 1) that a constant current draws from a full sheet until its surface is empty."""
    waves = np.arange(1.0, 6000.0)

    def surface(time):
        series = 6 / np.pi**2 * np.sum(np.exp(-((np.pi * waves) ** 2) * time) / waves**2)
        return 1 - current * time - current / 3 * (1 - series)

    return current * brentq(surface, 1e-9, 1 / current, xtol=1e-16, rtol=1e-14)


def test_the_law_of_diffusion_is_the_discharge_of_a_sheet_and_its_time_is_that_of_diffusion():
    current = np.geomspace(0.03, 30, 13)  # of a full charge in L^2/D
    charge = np.array([sheet(one) for one in current])
    rate = measured_rate(current, charge, 1.0)
    # 6000 waves leave 1/(6000 pi^2) of the surface value at most, seen where it is smallest: 1/30
    np.testing.assert_allclose(made("diffusion", 1.0, HOUR, 1.0, rate), charge, rtol=1e-6)
    fit = fit_capacity_rate(rate, charge, law="diffusion", rates="measured", unit="1")
    assert fit["tau"] == pytest.approx(HOUR, rel=1e-6)
    table = compare(fit_laws(rate, charge, laws=["tian", "tanh", "diffusion"], rates="measured", unit="1"))
    assert table.model.values[0] == "diffusion"
    assert "The data want diffusion" in table.attrs["message"]


def test_diffusion_falls_by_a_half_of_measured_rates_and_by_one_of_currents():
    current = np.geomspace(30, 300, 6)
    charge = np.array([sheet(one) for one in current])
    of_rates = fit_capacity_rate(measured_rate(current, charge, 1.0), charge, law="peukert", rates="measured")
    assert of_rates["n"] == pytest.approx(0.5, abs=1e-4)  # Sand: time to empty goes with current^-2
    assert fit_capacity_rate(current, charge, law="peukert")["n"] == pytest.approx(1.0, abs=1e-4)


def test_a_capacitance_behind_a_resistance_gives_their_product():
    farad, ohm, volt = 2.0, 900.0, 1.0
    current = np.linspace(0.02, 0.95, 9) * volt / ohm
    charge = farad * (volt - current * ohm)
    rate = current / charge * HOUR
    fit = fit_capacity_rate(rate, charge, law="resistance", rates="measured", unit="C")
    assert fit["tau"] == pytest.approx(farad * ohm, rel=1e-10)
    assert fit["Q_M"] == pytest.approx(farad * volt, rel=1e-10)


@pytest.mark.parametrize(("law", "low", "high"), [("diffusion", 0.5, 0.9), ("resistance", 0.8, 1.0)])
def test_the_exponent_of_a_whole_curve_is_not_that_of_its_end(law, low, high):
    exponents = []
    for furthest in (1.0, 10.0, 100.0, 1000.0):
        rate = np.geomspace(0.01, furthest, 12)
        fit = fit_capacity_rate(rate, made(law, 1.0, HOUR, 1.0, rate), rates="measured")
        exponents.append(fit["n"])
    assert low < min(exponents) < max(exponents) < high
    assert "compare with the laws diffusion and resistance" in fit.exponent
    if law == "diffusion":
        assert exponents[0] > 0.8  # that of a resistance, by the look of it


def test_the_law_of_tian_keeps_its_digits_at_both_ends():
    share = LAWS["tian"].share
    assert float(share(jnp.asarray(0.0), jnp.asarray(0.7))) == pytest.approx(np.exp(-1), rel=1e-15)
    log_x = np.linspace(-3, 4, 400)  # the naive form is good to 1e-13 here
    x = np.exp(0.9 * log_x)
    naive = 1 - x * (1 - np.exp(-1 / x))
    np.testing.assert_allclose(share(jnp.asarray(log_x), jnp.asarray(0.9)), naive, rtol=1e-12)
    far = jnp.asarray([-40.0, 40.0])
    slow, fast = np.asarray(share(far, jnp.asarray(0.9)))
    assert slow == pytest.approx(1.0, rel=1e-15)
    assert fast == pytest.approx(0.5 * np.exp(-36.0), rel=1e-14)
    slope = jax.vmap(jax.grad(lambda u: share(u, jnp.asarray(0.9))))(jnp.asarray([-40.0, 4.0, 40.0]))
    assert np.all(np.isfinite(slope))
    assert slope[2] == pytest.approx(-0.9 * fast, rel=1e-12)


@pytest.mark.parametrize("law", ["rational", "tanh"])
def test_half_is_left_at_one_over_the_time_constant(law):
    share = LAWS[law].share(jnp.asarray(0.0), jnp.asarray(1.3))
    assert float(share) == pytest.approx(0.5, abs=2e-4)  # 0.522 is published with three digits


@pytest.mark.parametrize("law", LAWS)
def test_every_law_falls_from_one(law):
    share = np.asarray(LAWS[law].share(jnp.linspace(-12, 12, 300), jnp.asarray(1.0)))
    assert np.all(np.diff(share) <= 0)
    if law != "peukert":
        assert share[0] == pytest.approx(1.0, abs=1e-3)


# ---- a published table


@pytest.fixture(scope="module")
def folder(laboratory):
    return laboratory / "batteryratecap"


@pytest.fixture(scope="module")
def published(folder):
    """The table of BatteryRateCap (tau in h, Q in mAh/g, least squares without weights), with the curves it is of."""
    rows = next(iter(sheets(open_source(folder / "export_fitparameters.xlsx"))))[1]
    curves = [one for one in read_rate_table(folder / "input_performancelog.xls") if one.sheet == "CapacityRate"]
    names = rows[0][2:5]
    return [
        (curve, dict(zip(names, map(float, row[2:5]), strict=True)), np.array(row[5:8], float))
        for curve, row in zip(curves, rows[1:], strict=True)
    ]


def test_the_published_table_is_reproduced(published):
    fitted = [(curve, values, sigma) for curve, values, sigma in published if values["Qmax"]]
    assert (len(published), len(fitted)) == (17, 11)
    for curve, values, sigma in fitted:
        fit = fit_capacity_rate(curve.rate, curve.capacity, label=curve.label, unit=curve.unit)
        ours = np.array([fit["tau"] / 3600, fit["n"], fit["Q_M"] / 3600])
        errors = np.array([fit.error("tau") / 3600, fit.error("n"), fit.error("Q_M") / 3600])
        theirs = np.array([values["tau"], values["n"], values["Qmax"]])
        # both are the least-squares optimum: they differ by how early the other search stopped, and by its
        # difference quotients, which are good to the root of the rounding of a misfit
        assert np.all(abs(ours - theirs) < 1e-3 * sigma), curve.label
        np.testing.assert_allclose(errors, sigma, rtol=1e-3, err_msg=curve.label)
        assert fit.starts_at_best == len(fit.start_costs)


def test_curves_of_three_points_are_refused_as_they_were_there(published):
    few = [curve for curve, values, _ in published if not values["Qmax"]]
    assert len(few) == 6
    for curve in few:
        with pytest.raises(DataError, match="3 points cannot determine 3 parameters of the law 'tian'; valid: more"):
            fit_capacity_rate(curve.rate, curve.capacity)


def test_what_the_published_table_does_not_say_is_said(published):
    by_label = {curve.label: curve for curve, _, _ in published}
    straight = by_label["Paper #19, set #1 E"]  # no bend: published with tau = 0.01 s
    fit = fit_capacity_rate(straight.rate, straight.capacity)
    assert any("tau and n are not determined separately" in one for one in fit.undetermined)
    assert compare(fit_laws(straight.rate, straight.capacity)).model.values[0] == "peukert"
    scattered = by_label["Paper #31, set #1 E"]  # four points, one of which is off the curve by a tenth
    fit = fit_capacity_rate(scattered.rate, scattered.capacity)
    assert {one.split()[0] for one in fit.undetermined} == {"Q_M", "tau", "n"}


def test_the_curves_made_from_discharges(folder):
    """Of the twelve only those of one paper have points enough."""
    enough = {}
    for curve in read_rate_table(folder / "export_capacity_rate_all.xlsx"):
        if len(curve.rate) > 3:
            enough[curve.label] = fit_capacity_rate(curve.rate, curve.capacity, label=curve.label)
        else:
            with pytest.raises(DataError, match="points cannot determine 3 parameters"):
                fit_capacity_rate(curve.rate, curve.capacity)
    assert list(enough) == [f"Paper # 32, set #{k}" for k in (1, 2, 3)]
    times = [fit["tau"] / 3600 for fit in enough.values()]
    assert times == sorted(times)
    for fit in enough.values():
        assert fit.verdict == f"fits well (RMSE {100 * fit.relative_rmse:.2g} % of the largest capacity)"


# ---- errors


@pytest.mark.slow
def test_the_intervals_hold_the_truth_as_often_as_they_say():
    truth, count = {"Q_M": 140.0, "tau": 1800.0, "n": 0.8}, 200
    held = dict.fromkeys(truth, 0)
    for seed in range(count):
        fit = fit_capacity_rate(RATE, noisy("tian", *truth.values(), noise=2.0, seed=seed))
        for name, value in truth.items():
            low, high = fit.interval(name)
            held[name] += low <= value <= high
        assert not fit.profile_warning
    for name, hits in held.items():  # three standard deviations of a binomial count
        assert hits / count == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / count)), name


def test_an_interval_ends_where_chi_squared_has_risen_by_the_quantile():
    capacity = noisy("tian", 140.0, 1800.0, 0.8, noise=3.0, seed=5)
    fit = fit_capacity_rate(RATE, capacity)
    for end in fit.interval("n"):
        held = fit_capacity_rate(RATE, capacity, fixed={"n": end})
        rise = (held.chi_squared - fit.chi_squared) / (fit.chi_squared / fit.dof)
        assert rise == pytest.approx(f.ppf(0.95, 1, fit.dof), rel=0.02)  # rungs are a factor 1.5 apart, joined by lines
    assert (fit.names, held.names) == (("Q_M", "tau", "n"), ("Q_M", "tau"))


def test_given_errors_are_taken_as_they_are():
    capacity = noisy("tian", 140.0, 1800.0, 0.8, noise=2.0, seed=1)
    one, two = (fit_capacity_rate(RATE, capacity, sigma) for sigma in (2.0, 4.0))
    assert one["tau"] == pytest.approx(two["tau"], rel=1e-9)
    assert two.error("tau") == pytest.approx(2 * one.error("tau"), rel=1e-6)
    assert one.chi_squared == pytest.approx(4 * two.chi_squared, rel=1e-9)
    assert one.verdict.startswith("fits within the given errors")
    assert fit_capacity_rate(RATE, capacity, 0.2).verdict.startswith("does not fit within the given errors")


def test_with_the_size_of_the_errors_in_every_rate_intervals_are_wide_rather_than_narrow():
    """A measured rate is the current over the measured capacity, and has its error."""
    current, tau, held = np.array([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0]), 3600.0, 0

    def missed(charge, one):
        return made("diffusion", 1.0, tau, 1.0, np.array([one / charge]))[0] - charge

    exact = np.array([brentq(missed, 1e-6, 1.0, args=(one,)) for one in current])
    for seed in range(60):
        charge = exact * (1 + 0.02 * np.random.default_rng(seed).standard_normal(len(exact)))
        rate = measured_rate(current, charge, 1.0)
        low, high = fit_capacity_rate(rate, charge, 0.02 * charge, "diffusion", rates="measured").interval("tau")
        held += low <= tau <= high
    assert held >= 54  # 57 expected of an honest 95 %, less a standard deviation and a half


# ---- what the data do not say


def test_a_flat_curve_determines_its_height_and_nothing_else():
    capacity = 140 + np.random.default_rng(0).normal(0, 1, 8)
    fit = fit_capacity_rate(np.geomspace(0.1, 5, 8), capacity)
    assert {one.split()[0] for one in fit.undetermined} == {"tau", "n"}
    assert all("is not determined by these data: " in one and "impedance" not in one for one in fit.undetermined)
    assert fit.verdict.endswith("of the largest capacity)")
    assert "not every parameter is determined" in fit.verdict
    low, high = fit.interval("Q_M")
    assert low < 140 < high < 1.1 * low
    assert fit.interval("tau")[1] < 2 * HOUR / 5  # slower than that it would be seen


def test_a_curve_that_ends_before_the_bend_determines_neither_its_place_nor_its_steepness():
    rate = np.geomspace(0.03, 0.3, 8)  # 1/tau is 2
    capacity = noisy("tian", 140.0, 1800.0, 1.0, noise=1.5, seed=2, rate=rate)
    fit = fit_capacity_rate(rate, capacity)
    assert {one.split()[0] for one in fit.undetermined} == {"tau", "n"}
    assert all("it may be anything between" in one for one in fit.undetermined)
    low, high = fit.interval("tau")
    assert high > 1000 * low
    assert fit.error("tau") < fit["tau"]  # which says nothing of this
    more = np.append(rate, [1.0, 3.0])
    assert not fit_capacity_rate(more, np.append(capacity, made("tian", 140.0, 1800.0, 1.0, more[-2:]))).undetermined


@pytest.mark.parametrize("law", ["tian", "rational", "erfc", "peukert"])
def test_the_law_that_made_the_data_is_preferred(law):
    rate = np.geomspace(0.05, 20, 14)
    capacity = noisy(law, 140.0, HOUR if law == "peukert" else 1800.0, 0.15 if law == "peukert" else 1.2, 0.7, 3, rate)
    table = compare(fit_laws(rate, np.maximum(capacity, 0.0)))
    assert table.model.values[0] == law


# ---- the door


WRONG = {
    "law": ({"law": "butler"}, "law 'butler'; valid: tian, rational, tanh, erfc, peukert"),
    "of measured rates": ({"law": "diffusion"}, "is one of measured rates, not of C-rates; valid: tian"),
    "rate": ({"rate": RATE - 0.05}, "a cell, point 1: rate 0; valid: finite, > 0"),
    "capacity": ({"capacity": -RATE}, "point 1: capacity -0.05; valid: finite, >= 0"),
    "lengths": ({"rate": RATE[:5]}, "5 rates and 8 capacities; valid: as many"),
    "sigma": ({"sigma": -1.0}, "a cell: sigma; valid: one number, or one a point, finite, > 0"),
    "weighting": ({"weighting": "sigma"}, "weighting 'sigma' and sigma is not given"),
    "fixed name": ({"fixed": {"m": 1.0}}, "no parameter 'm' of the law 'tian'; valid: Q_M, tau, n"),
    "fixed value": ({"fixed": {"n": 0.0}}, "fixed: n 0; valid: 0.02 to 20 1"),
    "all fixed": ({"fixed": {"n": 1.0, "tau": 1e3, "Q_M": 1.0}}, "at least one free parameter"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_said_in_one_line(change, message):
    given = {"rate": RATE, "capacity": made("tian", 1.0, 1800.0, 1.0), "label": "a cell"} | change
    with pytest.raises(DataError) as caught:
        fit_capacity_rate(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_five_points_are_too_few_to_choose_a_law():
    with pytest.raises(DataError, match="5 points are too few to judge the law 'tian' by AICc; valid: at least 6"):
        fit_laws(RATE[:5], made("tian", 1.0, 1800.0, 1.0)[:5])
    assert laws_of("c-rate") == tuple(LAWS)[:5]


def test_a_text_file_of_rates_is_read_with_its_unit(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text("film A;;film B;\nC-rate;Capacity (µAh/cm²);C-rate;Capacity (mAh)\n0,1;55,0;0,1;2\n1;50;;\n")
    first, second = read_rate_table(path)
    assert (first.label, first.unit, second.label, second.unit) == ("film A", "C/m^2", "film B", "C")
    np.testing.assert_allclose(first.capacity, [1980.0, 1800.0])  # 1 uAh/cm2 = 36 C/m^2
    np.testing.assert_array_equal(first.rate, [0.1, 1.0])
    np.testing.assert_allclose(second.capacity, [7.2])
    path.write_text("C-rate;Capacity (bananas)\n0.1;55\n")
    with pytest.raises(DataError, match=r"no line has columns 'C-rate' and .* units of capacity: mah/g, .* uah/cm2"):
        read_rate_table(path)


CONFIG = """
title: How fast is this cathode?
fit:
  model: capacity-rate
  data: cathode.csv
  capacity_rate: {law: tian}
"""


def test_a_file_names_table_law_and_curve(tmp_path):
    """From YAML to words: errors of the capacities are not known, so the misfit is their size and no chi-squared."""
    capacity = noisy("tian", 140.0, 1800.0, 0.8, noise=1.0, seed=4)
    lines = [f"{rate},{own}" for rate, own in zip(RATE, capacity, strict=True)]
    (tmp_path / "cathode.csv").write_text("\n".join(["C-rate,Capacity (mAh/g)", *lines]) + "\n")
    (tmp_path / "cathode.yaml").write_text(CONFIG)
    ds = ionics.load(tmp_path / "cathode.yaml").fit()
    assert ds.attrs["label"] == "cathode"
    assert float(ds["value"].sel(parameter="tau")) == pytest.approx(1800.0, abs=5 * float(ds.standard_error[1]))
    told = " ".join(summary.verdict(ds))
    assert "largest capacity" in told
    assert "chi-squared" not in told
    for change, message in (
        ("law: tina", r"cathode.yaml:6: fit.capacity_rate.law: got tina; unknown law; did you mean tian\?"),
        ("curve: anode", r"cathode.yaml:6: fit.capacity_rate.curve: got anode; no such curve; .*cathode"),
    ):
        (tmp_path / "cathode.yaml").write_text(CONFIG.replace("law: tian", change))
        with pytest.raises(ConfigError, match=message):
            ionics.load(tmp_path / "cathode.yaml").fit()


# ---- the result


@pytest.fixture(scope="module")
def fitted():
    capacity = HOUR * noisy("tian", 140.0, 1800.0, 0.8, noise=1.0, seed=4)
    return fit_capacity_rate(RATE, capacity, HOUR * np.full(8, 1.0), label="cell 7", source="folder/cell7.xlsx")


def test_the_result_is_a_dataset_with_units(fitted, tmp_path):
    ds = fitted.to_dataset()
    assert list(ds.parameter.values) == ["Q_M", "tau", "n"]
    assert list(ds.parameter_unit.values) == ["C/kg", "s", "1"]
    assert (ds.capacity.attrs["units"], ds.rate.attrs["units"], ds.curve.attrs["units"]) == ("C/kg", "1/h", "C/kg")
    assert (ds.attrs["data"], ds.attrs["weighting"], ds.attrs["rates"]) == ("cell7.xlsx", "sigma", "c-rate")
    assert json.loads(ds.attrs["undetermined"]) == []
    inside = (ds.interval_low < ds["value"]) & (ds["value"] < ds.interval_high)
    assert bool(inside.all())
    np.testing.assert_allclose(ds.capacity - ds.capacity_model, ds.residual, rtol=1e-12)
    assert float(ds.curve[0]) == pytest.approx(float(ds["value"][0]), rel=0.05)
    assert save(ds, tmp_path / "rates.nc").is_file()


def test_the_picture_shows_data_law_and_numbers(fitted):
    from matplotlib.figure import Figure

    from ionics.plots.rates import plot_capacity_rate

    given = Figure().add_subplot()
    ax = plot_capacity_rate(fitted.to_dataset(), given)
    assert ax is given
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("C-rate (1/h)", "capacity (mAh/g)", "log")
    labels = ax.get_legend_handles_labels()[1]
    assert labels[1] == "cell 7"
    assert labels[0].startswith("tian: Q_M 1")
    assert " mAh/g, τ " in labels[0]
    assert " min, n 0." in labels[0]
    shown = ax.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(shown, np.c_[RATE, fitted.capacity / 3600])  # mAh/g
    assert ax.get_ylim()[1] > shown[:, 1].max()


def test_several_laws_stand_in_one_picture_and_what_is_open_has_no_number():
    from matplotlib.figure import Figure

    from ionics.plots.rates import plot_capacity_rate

    flat = 140 + np.random.default_rng(0).normal(0, 1, 8)
    fits = fit_laws(RATE, flat, unit="C")
    ax = plot_capacity_rate(list(fits.values()), Figure().add_subplot())
    labels = ax.get_legend_handles_labels()[1]
    assert [label.split(":")[0] for label in labels[:-1]] == list(fits)
    assert "τ not determined, n not determined" in labels[0]
