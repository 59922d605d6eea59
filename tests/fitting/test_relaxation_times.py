"""Distributions of relaxation times against those that are known in closed form, and on laboratory spectra."""

import numpy as np
import pytest

from ionics.fitting.checks.kramers_kronig import kramers_kronig
from ionics.fitting.relaxation.relaxation_times import distribution_of_relaxation_times, relaxation_times_series
from ionics.fitting.relaxation.tikhonov import optimum, roughness, samples
from ionics.fitting.spectrum import DataError, Spectrum

from .random_circuits import noisy

FREQUENCY = np.logspace(6, -1, 71)
S = 2j * np.pi * FREQUENCY


def zarc(r, tau, n):
    return r / (1 + (S * tau) ** n)


def zarc_gamma(x, r, tau, n):
    """Fuoss and Kirkwood, J. Am. Chem. Soc. 63 (1941) 385; Cole and Cole, J. Chem. Phys. 9 (1941) 341."""
    return r / (2 * np.pi) * np.sin((1 - n) * np.pi) / (np.cosh(n * (x - np.log(tau))) - np.cos((1 - n) * np.pi))


def havriliak_negami_gamma(x, r, tau, n, b):
    """Havriliak and Negami, Polymer 8 (1967) 161, of r / (1 + (i omega tau)^n)^b."""
    u = np.exp(n * (x - np.log(tau)))
    angle = np.arctan2(np.sin(np.pi * n), u + np.cos(np.pi * n))
    return r / np.pi * u**b * np.sin(b * angle) / (u**2 + 2 * u * np.cos(np.pi * n) + 1) ** (b / 2)


def distribution(z, noise, seed=0, **options):
    return distribution_of_relaxation_times(
        Spectrum(FREQUENCY, noisy(np.random.default_rng(seed), z, noise)), **options
    )


def test_a_single_relaxation_is_one_narrow_peak_of_its_resistance_and_time():
    result = distribution(10 + 100 / (1 + 1e-3 * S), 3e-3)
    (peak,) = result.peaks
    assert peak.resistance == pytest.approx(100, abs=4 * peak.resistance_error)
    assert peak.resistance_error < 0.5
    assert peak.time_constant == pytest.approx(1e-3, rel=0.01)
    assert peak.capacitance == pytest.approx(1e-5, rel=0.01)
    assert result.resistance == pytest.approx(10, abs=4 * result.resistance_error)
    assert result.noise == pytest.approx(3e-3, rel=0.2)
    wide = result.gamma > 0.1 * result.gamma.max()
    assert np.log10(np.ptp(result.tau[wide]) / 1e-3 + 1) < 0.4  # decades, at a tenth of its height


def test_the_distribution_of_a_zarc_is_found():
    result = distribution(10 + zarc(100, 1e-3, 0.8), 1e-3)
    truth = zarc_gamma(np.log(result.tau), 100, 1e-3, 0.8)
    inside = abs(np.log10(result.tau / 1e-3)) < 2.5
    assert result.gamma[inside] == pytest.approx(truth[inside], abs=0.06 * truth.max())
    (peak,) = result.peaks
    assert peak.resistance == pytest.approx(100, abs=1)
    assert peak.time_constant == pytest.approx(1e-3, rel=0.1)


def test_peaks_sum_to_the_charge_transfer_resistance_within_their_errors():
    z = 5 + zarc(60, 2e-5, 0.85) + zarc(140, 1e-2, 0.9)
    rng = np.random.default_rng(0)
    off, counts = [], []
    for result in relaxation_times_series([Spectrum(FREQUENCY, noisy(rng, z, 5e-3)) for _ in range(12)]):
        counts.append(len(result.peaks))
        assert sum(peak.resistance for peak in result.peaks) == pytest.approx(result.polarisation, rel=0.02)
        off.append((result.polarisation - 200) / result.polarisation_error)
    assert sum(count == 2 for count in counts) >= 10
    assert np.sqrt(np.mean(np.square(off))) < 2  # standard deviations


def coverage(number, seed):
    """Share of the true gamma within the 95 % band: everywhere in the range, and above a tenth of its height."""
    rng = np.random.default_rng(seed)
    everywhere, on_peaks, counts = [], [], []
    spectra, truths = [], []
    for k in range(number):
        share, n, m = 10 ** rng.uniform(-3, -1.7), *rng.uniform(0.7, 0.92, 2)
        fast = 10 ** rng.uniform(-5, -3.2)
        slow, r = fast * 10 ** rng.uniform(1.5, 2.5), 10 ** rng.uniform(1.5, 2.5)
        b = 1.0 if k % 2 else 0.6
        z = 10 + 100 / (1 + (S * fast) ** n) ** b + zarc(r, slow, m)
        spectra.append(Spectrum(FREQUENCY, noisy(rng, z, share)))
        truths.append(
            lambda x, p=(fast, n, b, slow, m, r): (
                havriliak_negami_gamma(x, 100, *p[:3]) + zarc_gamma(x, p[5], p[3], p[4])
            )
        )
    for result, truth in zip(relaxation_times_series(spectra), truths, strict=True):
        gamma = truth(np.log(result.tau))
        inside = (result.tau > 1 / abs(S).max()) & (result.tau < 1 / abs(S).min())
        held = (gamma >= result.lower) & (gamma <= result.upper)
        everywhere.append(held[inside].mean())
        on_peaks.append(held[gamma > 0.1 * gamma.max()].mean())
        counts.append(len(result.peaks))
    return np.mean(everywhere), np.mean(on_peaks), np.mean(np.array(counts) == 2)


def test_bands_hold_what_they_promise_over_random_distributions():
    everywhere, on_peaks, two = coverage(24, seed=3)
    assert everywhere >= 0.95
    assert on_peaks >= 0.88  # where gamma bends most, a smooth prior is a little too sure
    assert two >= 0.9  # both processes are seen, and no others


@pytest.mark.slow
def test_bands_hold_what_they_promise_over_hundreds():
    everywhere, on_peaks, two = coverage(400, seed=5)
    assert everywhere >= 0.95
    assert on_peaks >= 0.9
    assert two >= 0.93


@pytest.mark.parametrize("exponent", [1.0, 0.8, 0.5])
def test_a_blocking_end_is_found_and_is_no_relaxation(exponent):
    z = 10 + zarc(100, 1e-4, 0.85) + 30 * (S / (2 * np.pi * 10)) ** -exponent
    result = distribution(z, 3e-3)
    assert result.exponent == pytest.approx(exponent, abs=0.05)
    fast = [peak for peak in result.peaks if peak.time_constant < 1e-2]
    assert len(fast) == 1
    assert fast[0].resistance == pytest.approx(100, rel=0.04)
    assert fast[0].time_constant == pytest.approx(1e-4, rel=0.1)
    if exponent == 1:
        assert result.blocking == pytest.approx(1 / (60 * np.pi * 10), rel=0.01)


def test_an_end_that_is_named_is_taken():
    z = 10 + zarc(100, 1e-4, 0.85) + 1 / (1e-3 * S)
    assert distribution(z, 3e-3, blocking="capacitance").exponent == 1.0
    assert distribution(z, 3e-3, blocking="none").blocking == np.inf
    assert distribution(10 + zarc(100, 1e-3, 0.8), 3e-3).exponent == 0.0


def test_an_inductance_is_told_from_relaxations():
    result = distribution(10 + zarc(100, 1e-4, 0.85) + 50 / (1 + 1e-2 * S) + 1e-6 * S, 3e-3)
    assert result.inductance == pytest.approx(1e-6, abs=4 * result.inductance_error)
    assert [peak.resistance for peak in result.peaks] == pytest.approx([100, 50], rel=0.06)


def test_a_resistor_has_no_relaxation():
    result = distribution(np.full(71, 50.0 + 0j), 3e-3)
    assert result.peaks == ()
    assert result.resistance == pytest.approx(50, abs=0.2)


def test_the_impedance_of_a_distribution_is_consistent():
    result = distribution(10 + zarc(100, 1e-4, 0.85) + zarc(30, 1e-2, 0.8), 3e-3)
    noise = noisy(np.random.default_rng(1), result.impedance, 1e-4)
    assert not kramers_kronig(Spectrum(FREQUENCY, noise)).systematic
    assert np.sqrt(np.mean(abs(result.residuals) ** 2) / 2) == pytest.approx(3e-3, rel=0.2)


def test_many_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(2)
    spectra = [Spectrum(FREQUENCY, noisy(rng, 10 + zarc(100 + 20 * k, 1e-4, 0.85), 3e-3)) for k in range(3)]
    spectra.append(Spectrum(FREQUENCY[::2], spectra[0].impedance[::2], sigma=3e-3 * abs(spectra[0].impedance[::2])))
    for one, spectrum in zip(relaxation_times_series(spectra), spectra, strict=True):
        alone = distribution_of_relaxation_times(spectrum)
        assert one.spectrum is spectrum
        assert one.gamma == pytest.approx(alone.gamma, rel=1e-6, abs=1e-6)
        assert len(one.peaks) == len(alone.peaks)


def test_samples_solve_the_randomised_problems():
    rng = np.random.default_rng(3)
    rows = np.vstack([rng.standard_normal((30, 12)), 0.3 * roughness(12, 1.0)])
    goal = np.concatenate([rows[:30] @ np.maximum(rng.standard_normal(12), 0), np.zeros(13)])
    best = optimum(rows, goal)
    drawn = samples(rows[None], goal[None], np.array([0.1]), best[None], 20, 7)[0]
    shaken = goal[:, None] + 0.1 * np.random.default_rng(7).standard_normal((1, 43, 20))[0]
    exact = np.column_stack([optimum(rows, column) for column in shaken.T])
    assert drawn == pytest.approx(exact, abs=0.02 * np.std(exact))


def test_too_few_points_and_draws_are_refused():
    with pytest.raises(DataError, match="5 points; a distribution needs 12"):
        distribution_of_relaxation_times(Spectrum(FREQUENCY[:5], 1 / S[:5]))
    with pytest.raises(ValueError, match="draws 1"):
        distribution(zarc(1, 1e-3, 0.9), 1e-2, draws=1)


def test_the_result_as_dataset_and_as_plain_numbers_say_what_the_object_says():
    result = distribution(10 + zarc(100, 1e-4, 0.85), 3e-3)
    ds = result.to_dataset()
    assert ds.attrs["kind"] == "relaxation_times"
    assert ds.gamma.dims == ("tau",)
    assert ds.gamma.attrs["units"] == "ohm"
    assert ds.peak_resistance.values == pytest.approx([peak.resistance for peak in result.peaks])
    assert result.as_dict()["peaks"][0]["frequency"] == pytest.approx(1 / (2 * np.pi * result.peaks[0].time_constant))
    assert "1 peak," in result.summary()


def test_a_cold_pellet_between_blocking_steel_keeps_its_resistance(laboratory):
    rows = np.genfromtxt(laboratory / "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C_RelaxIS.txt", skip_header=4)
    spectrum = Spectrum(rows[:, 0], rows[:, 1] + 1j * rows[:, 2]).window(fmax=1.1e6)
    result = distribution_of_relaxation_times(spectrum)
    assert 0.8 < result.exponent < 0.95  # steel: a constant-phase element
    pellet = [peak for peak in result.peaks if peak.frequency > 1e4]
    total = result.resistance + sum(peak.resistance for peak in pellet)
    assert total == pytest.approx(1451, rel=0.05)  # R0 + R1 of the circuit R0-p(R1,CPE1)-CPE2
