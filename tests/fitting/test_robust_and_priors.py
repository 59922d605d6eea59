"""Outliers do not spoil a robust fit, priors count as much as they know, and the criteria choose the right circuit."""

import dataclasses

import numpy as np
import pytest

from ionics.fitting.leastsquares import fit, fit_series
from ionics.fitting.model import CircuitModel, Prior
from tests.fitting.recovery.families import measured
from tests.fitting.recovery.simple import ARC, FREQUENCY, TRUTH, Line, arc, line

DENSE = np.logspace(6, 0, 64)


def spoiled(spectrum, noise, rng, share=0.05):
    """Points moved by 10 to 100 standard deviations in a random direction."""
    z = np.array(spectrum.impedance)
    where = rng.choice(len(z), max(1, round(share * len(z))), replace=False)
    size = np.exp(rng.uniform(np.log(10), np.log(100), len(where)))
    z[where] += size * noise * np.abs(z[where]) * np.exp(2j * np.pi * rng.random(len(where)))
    return dataclasses.replace(spectrum, impedance=z)


def test_outliers_move_a_robust_fit_by_less_than_two_standard_errors_and_its_errors_are_its_scatter():
    repeats, noise, rng = 40, 0.01, np.random.default_rng(0)
    clean = [arc(noise=noise, seed=k, frequency=DENSE) for k in range(repeats)]
    dirty = [spoiled(one, noise, rng) for one in clean]
    plain = fit_series(ARC, clean, starts=1)
    robust = fit_series(ARC, dirty, starts=1, robust=True)
    moved = np.array([(b.values - a.values) / a.standard_errors for a, b in zip(plain, robust, strict=True)])
    assert np.mean(np.abs(moved) < 2) >= 0.95
    scatter = np.std([one.values for one in robust], axis=0, ddof=1)
    stated = np.mean([one.standard_errors for one in robust], axis=0)
    np.testing.assert_allclose(stated, scatter, rtol=0.3)


def test_without_outliers_a_robust_fit_knows_nearly_as_much():
    plain, robust = (fit(ARC, arc(noise=0.01, frequency=DENSE), starts=1, robust=flag) for flag in (False, True))
    assert np.all(np.abs(robust.values - plain.values) < plain.standard_errors)
    np.testing.assert_allclose(robust.standard_errors, plain.standard_errors, rtol=0.3)


def test_a_prior_of_a_linear_parameter_is_averaged_in_by_its_weight():
    data, prior = line(sigma=0.1, points=6), Prior(2.5, 0.05)
    alone = fit(Line(), data, weighting="sigma", starts=0)
    both = fit(Line(prior), data, weighting="sigma", starts=0)
    weights = np.array([alone.error("a") ** -2, prior.error**-2])
    assert both["a"] == pytest.approx(weights @ [alone["a"], 2.5] / weights.sum(), rel=1e-9)
    assert both.error("a") == pytest.approx(weights.sum() ** -0.5, rel=1e-9)
    assert both["b"] == pytest.approx(alone["b"], rel=1e-9)
    assert both.dof == alone.dof + 1


def test_a_prior_determines_what_the_data_leave_open():
    spectrum = measured(CircuitModel("R0-p(R2,C2)"), [10.0, 100.0, 1e-6], FREQUENCY, 0.005, np.random.default_rng(0))
    result = fit(CircuitModel("R0-R1-p(R2,C2)", priors={"R1": Prior(4.0, 0.1)}), spectrum, starts=4)
    assert result.undetermined == ()
    assert result["R1"] == pytest.approx(4.0, rel=1e-3)  # the data do not move it
    assert result.error("R1") == pytest.approx(0.4, rel=0.02)
    assert result["R0"] == pytest.approx(6.0, abs=3 * result.error("R0"))
    assert result.error("R0") == pytest.approx(0.4, rel=0.1)


def test_two_arcs_exchanged_are_told_and_a_single_optimum_is_not():
    two = CircuitModel("R0-p(R1,C1)-p(R2,C2)")
    truth = [10.0, 100.0, 1e-7, 200.0, 1e-5]
    spectrum = measured(two, truth, FREQUENCY, 0.005, np.random.default_rng(0))
    result = fit(two, spectrum, starts=16)
    assert result.undetermined == ()
    assert len(result.elsewhere) == 1
    assert result.elsewhere[0].startswith("R1 and R2, C1 and C2 exchanged give the same chi-squared (")
    assert fit(ARC, arc(), starts=16).elsewhere == ()


@pytest.mark.slow
def test_the_criterion_of_schwarz_counts_arcs_rightly_in_38_of_40():
    one, two = ARC, CircuitModel("R0-p(R1,C1)-p(R2,C2)")
    rng = np.random.default_rng(0)
    spectra = [measured(one, list(TRUTH), DENSE, 0.01, rng) for _ in range(20)]
    spectra += [measured(two, [10.0, 200.0, 5e-7, 20.0, 5e-5], DENSE, 0.01, rng) for _ in range(20)]
    criteria = [[own.criteria["BIC"] for own in fit_series(model, spectra, starts=8)] for model in (one, two)]
    chosen = np.argmin(criteria, axis=0)
    right = int(np.sum(chosen == np.repeat([0, 1], 20)))
    print(f"{right} of 40 right")
    assert right >= 38
