"""Sampled posteriors agree with what is known in closed form."""

import numpy as np
import pytest
from scipy.stats import t

from ionics.fitting.leastsquares import fit
from ionics.fitting.model import CircuitModel
from ionics.fitting.posterior import sample
from tests.fitting.recovery.families import measured
from tests.fitting.recovery.simple import ARC, FREQUENCY, TRUTH, Line, arc, line

pytest.importorskip("numpyro")
pytestmark = pytest.mark.slow


def test_a_well_determined_fit_has_the_posterior_that_its_covariance_says():
    result = fit(ARC, arc(noise=0.005), weighting="sigma", starts=4)
    drawn = sample(result, draws=2000)
    assert drawn.trustworthy
    assert drawn.verdict.startswith("4 chains of 2000 draws: R-hat at most 1.00")
    flat = drawn.draws.reshape(-1, 3)
    # a standard deviation from 4000 independent draws is known to 1.1 %; four of those
    np.testing.assert_allclose(flat.std(axis=0), result.standard_errors, rtol=0.05)
    np.testing.assert_allclose(flat.mean(axis=0), result.values, atol=0.1 * result.standard_errors.max(), rtol=2e-3)
    np.testing.assert_allclose(np.corrcoef(flat.T), result.correlation, atol=0.05)


def test_errors_of_unknown_size_are_integrated_out_to_students_t():
    result = fit(Line(), line(points=4), weighting="unit", starts=0)
    drawn = sample(result, draws=4000)
    own = drawn.draws[..., 0].ravel()
    # Jeffreys' prior: a has a t distribution with 2 points - 2 degrees of freedom about its estimate
    for level in (0.05, 0.25, 0.75, 0.95):
        expected = result["a"] + result.error("a") * t.ppf(level, result.dof)
        assert np.mean(own < expected) == pytest.approx(level, abs=0.02)


def test_a_resistance_without_an_upper_limit_is_as_likely_in_every_decade():
    model = CircuitModel("R0-p(R1,C1)", bounds={"R1": (1.0, 1e12)})
    spectrum = measured(model, [50.0, 1e12, 1e-6], FREQUENCY, 0.01, np.random.default_rng(1))
    drawn = sample(fit(model, spectrum, weighting="sigma", starts=4), draws=4000)
    far = np.log10(drawn.draws[..., 1].ravel())
    far = far[far > 9]
    assert len(far) > 1000
    np.testing.assert_allclose(np.quantile(far, [0.25, 0.5, 0.75]), [9.75, 10.5, 11.25], atol=0.25)


def test_credible_intervals_of_small_data_sets_hold_the_truth():
    held = []
    for seed in range(20):
        result = fit(ARC, arc(noise=0.02, seed=seed, frequency=np.logspace(5, 1, 8)), starts=1)
        drawn = sample(result, draws=500, warmup=300)
        held += [
            low <= value <= high for value, (low, high) in zip(TRUTH, map(drawn.interval, result.names), strict=True)
        ]
    assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 20)  # as if those of one data set were one
