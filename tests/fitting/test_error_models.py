"""The errors that were put into spectra are found again, and what a fixture added can be taken away."""

import dataclasses

import numpy as np
import pytest

from ionics.fitting.checks.corrections import estimate_inductance, without_fixture, without_series
from ionics.fitting.checks.error_models import ErrorModel, fit_error_model, modulus_error, repeated_error
from ionics.fitting.checks.kramers_kronig import kramers_kronig_series
from ionics.fitting.spectrum import DataError, Spectrum

from .random_circuits import noisy

FREQUENCY = np.logspace(6, -1, 71)
S = 2j * np.pi * FREQUENCY
Z = 100 + 1000 / (1 + (1e-3 * S) ** 0.9)


def with_errors(sigma, number, seed, drift=lambda k: 0.0):
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((number, 71)) + 1j * rng.standard_normal((number, 71))
    return [Spectrum(FREQUENCY, Z + drift(k) + sigma * draws[k]) for k in range(number)]


def test_a_share_of_the_modulus():
    spectrum = Spectrum(FREQUENCY, Z)
    weighted = dataclasses.replace(spectrum, sigma=modulus_error(spectrum, 0.01))
    assert weighted.sigma == pytest.approx(0.01 * abs(Z))
    with pytest.raises(ValueError, match="share 0"):
        modulus_error(spectrum, 0.0)


def test_the_error_model_behind_the_residuals_is_found():
    sigma = ErrorModel(alpha=0.002, beta=0.001, delta=0.3).sigma(Z)
    found = fit_error_model(kramers_kronig_series(with_errors(sigma, 10, seed=0)))
    assert found.sigma(Z) == pytest.approx(sigma, rel=0.25)
    assert np.mean(found.sigma(Z) / sigma) == pytest.approx(1, abs=0.08)
    rough = fit_error_model(kramers_kronig_series(with_errors(0.003 * abs(Z), 1, seed=1)))
    assert rough.sigma(Z) / (0.003 * abs(Z)) == pytest.approx(np.ones(71), abs=0.5)


def test_too_few_residuals_make_no_model():
    short = [Spectrum(s.frequency[:15], s.impedance[:15]) for s in with_errors(0.003 * abs(Z), 1, seed=1)]
    with pytest.raises(DataError, match="30 residuals"):
        fit_error_model(kramers_kronig_series(short))


def test_errors_from_repeated_sweeps_do_not_count_the_drift_between_them():
    sigma = ErrorModel(alpha=0.002, beta=0.001, delta=0.3).sigma(Z)
    sweeps = with_errors(sigma, 8, 2, drift=lambda k: (5 * k + 2 * k**2) + 30 * k / (1 + 1e-2 * S))
    assert np.mean(repeated_error(sweeps) / sigma) == pytest.approx(1, abs=0.15)
    assert repeated_error(sweeps) / sigma == pytest.approx(np.ones(71), abs=0.6)
    still = with_errors(sigma, 2, 3)
    assert np.mean(repeated_error(still) / sigma) == pytest.approx(1, abs=0.2)
    with pytest.raises(DataError, match="same frequencies"):
        repeated_error([sweeps[0], sweeps[1].window(fmin=1.0)])
    with pytest.raises(DataError, match="1 sweep"):
        repeated_error(sweeps[:1])


# ---- corrections


def test_series_inductance_and_resistance_are_subtracted_and_noted():
    spectrum = without_series(Spectrum(FREQUENCY, Z + 1e-6 * S + 2), inductance=1e-6, resistance=2.0)
    assert spectrum.impedance == pytest.approx(Z)
    assert spectrum.notes == ("series inductance of 1e-06 H and resistance of 2 ohm subtracted",)


def test_an_inductance_is_estimated_within_its_error():
    rng = np.random.default_rng(4)
    found = [estimate_inductance(Spectrum(FREQUENCY, noisy(rng, Z + 1e-5 * S, 3e-3))) for _ in range(30)]
    off = np.array([(one.value - 1e-5) / one.error for one in found])
    assert np.sqrt(np.mean(off**2)) < 2
    assert found[0].error < 2e-7
    assert found[0].unit == "H"
    with pytest.raises(DataError, match="an inductance needs 8"):
        estimate_inductance(Spectrum(FREQUENCY[::4], Z[::4]))


def test_open_short_and_load_take_a_fixture_away():
    series, parallel, gain = 0.5 + 2e-7 * S, 1e-9 + 3e-12 * S, 1.02 * np.exp(1e-8 * S)

    def measured(z):
        return (
            gain * (series + 1 / (1 / z + parallel)) if np.ndim(z) or np.isfinite(z) else gain * (series + 1 / parallel)
        )

    plain = Spectrum(FREQUENCY, measured(Z) / gain, sigma=1e-3 * abs(Z))
    calibration = {
        "open_circuit": Spectrum(FREQUENCY, (series + 1 / parallel)),
        "short_circuit": Spectrum(FREQUENCY, series),
    }
    corrected = without_fixture(plain, **calibration)
    assert corrected.impedance == pytest.approx(Z, rel=1e-6)
    assert corrected.sigma.shape == (71,)
    assert corrected.notes == ("corrected by a measured open and short",)
    calibration = {
        "open_circuit": Spectrum(FREQUENCY, measured(np.inf)),
        "short_circuit": Spectrum(FREQUENCY, gain * series),
        "load": Spectrum(FREQUENCY, measured(np.full(71, 50.0))),
    }
    whole = without_fixture(Spectrum(FREQUENCY, measured(Z)), **calibration, load_value=50.0)
    assert whole.impedance == pytest.approx(Z, rel=1e-6)
    with pytest.raises(DataError, match="the short calibration covers"):
        without_fixture(plain, open_circuit=plain, short_circuit=plain.window(fmin=10.0))
