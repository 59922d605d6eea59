"""Pictures of the Kramers-Kronig test and of distributions of relaxation times: what stands on the axes."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from ionics.fitting.checks.kramers_kronig import kramers_kronig
from ionics.fitting.relaxation.relaxation_times import relaxation_times_series
from ionics.fitting.spectrum import Spectrum
from ionics.plots.relaxation import plot_drt, plot_kramers_kronig

from .random_circuits import noisy

FREQUENCY = np.logspace(6, -1, 71)
S = 2j * np.pi * FREQUENCY
ARCS = 20 + 100 / (1 + (1e-5 * S) ** 0.85) + 300 / (1 + (1e-2 * S) ** 0.9)


def axes():
    return Figure(layout="constrained").add_subplot()


def words(ax):
    return " ".join(text.get_text() for text in ax.texts)


def test_residuals_outliers_and_noise_are_drawn():
    z = noisy(np.random.default_rng(0), ARCS, 3e-3)
    z[30] *= 1.3
    result = kramers_kronig(Spectrum(FREQUENCY, z))
    ax = plot_kramers_kronig(result.to_dataset(), axes())
    ax.figure.draw_without_rendering()
    assert f"{result.outliers[0].size:.0f} σ" in words(ax)
    assert ax.get_ylim()[1] < 5  # the outlier does not squeeze the others
    assert [text.get_text() for text in ax.get_legend().get_texts()][1:] == ["Re", "Im", "outlier"]


def test_peaks_carry_their_numbers():
    spectrum = Spectrum(FREQUENCY, noisy(np.random.default_rng(1), ARCS, 3e-3))
    (result,) = relaxation_times_series([spectrum])
    ax = plot_drt(result.to_dataset(), axes())
    ax.figure.draw_without_rendering()
    assert len(ax.texts) == 2
    assert "µF" in words(ax)
    assert ax.get_yscale() == "linear"


def test_a_series_is_coloured_by_temperature():
    rng = np.random.default_rng(2)
    spectra = [
        dataclasses.replace(Spectrum(FREQUENCY, noisy(rng, ARCS * factor, 3e-3)), temperature=kelvin)
        for factor, kelvin in ((100.0, 280.0), (1.0, 300.0))
    ]
    ax = plot_drt([result.to_dataset() for result in relaxation_times_series(spectra)], axes())
    ax.figure.draw_without_rendering()
    assert ax.figure.axes[1].get_ylabel() == "temperature (°C)"
    assert ax.get_yscale() == "log"
