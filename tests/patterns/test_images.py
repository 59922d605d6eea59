"""Spectrum images with known spectra and Poisson noise: what comes back, and what is refused."""

import numpy as np
import pytest
import xarray as xr

from ionics.patterns import synthetic
from ionics.patterns.count import count
from ionics.patterns.endmembers import abundances, endmembers
from ionics.patterns.factorisation import factorise
from ionics.patterns.images import cosines, matched

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def made() -> xr.Dataset:
    return synthetic.image(counts=50_000, shape=(10, 32), seed=1)


def in_order(found: xr.Dataset, made: xr.Dataset) -> xr.Dataset:
    return found.isel(component=matched(found.spectrum.values, made.spectrum.values))


def errors(found: xr.Dataset, made: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Angles [rad] between spectra, root mean square errors of fractions."""
    cosine = np.diag(cosines(made.spectrum.values, found.spectrum.values))
    return np.arccos(np.clip(cosine, -1, 1)), np.sqrt(
        ((found.fraction - made.fraction.values) ** 2).mean(("y", "x"))
    ).values


@pytest.mark.parametrize("method", ["vca", "n-findr"])
def test_endmembers_are_those_the_image_was_made_of(made, method):
    found = in_order(endmembers(made.image, 3, method=method), made)
    angle, wrong = errors(found, made)
    # 150 channels of 333 counts: a pixel's spectrum is off by 1 / sqrt(333) = 0.055 rad, ten averaged by 0.017
    assert angle.max() < 0.03
    assert (
        wrong.max() < 0.08
    )  # corners stand off by the extremes of the noise, some 2.5 x 0.017 over 0.3 between spectra
    assert float(found.fraction.min()) >= 0
    assert found.fraction.sum("component").values == pytest.approx(1, abs=1e-9)
    assert found.fraction.dims == ("component", "y", "x")
    assert found.spectrum.energy.values == pytest.approx(made.energy.values)


def test_fractions_of_exact_mixtures_are_exact(made):
    pure, parts = made.spectrum.values, made.fraction.values.reshape(3, -1).T
    assert abundances(parts @ pure, pure) == pytest.approx(parts, abs=1e-6)


def test_without_noise_n_findr_finds_the_purest_pixels(made):
    mixed = xr.dot(made.fraction, made.spectrum, dim="phase")
    found = in_order(endmembers(mixed, 3, method="n-findr"), made)
    assert errors(found, made)[0].max() < 0.01  # the interphase is nowhere purer than 0.97


@pytest.mark.parametrize("noise", ["poisson", "gaussian"])
def test_factors_are_those_the_image_was_made_of(made, noise):
    found = in_order(factorise(made.image, 3, noise=noise), made)
    angle, wrong = errors(found, made)
    assert angle.max() < 0.035
    assert wrong.max() < 0.10  # factors are unique only up to what stays positive: see the docstring
    assert found.spectrum.sum("energy").values == pytest.approx(1)
    assert float(found.loading.sum()) == pytest.approx(float(made.image.sum()), rel=1e-3)
    if noise == "poisson":
        assert float(found.residual.mean()) == pytest.approx(1, abs=0.03)  # in units of the counts' own scatter
        assert found.attrs["deviance"] == pytest.approx(1, abs=0.04)  # 48,000 values: scatter 0.006; 3 * 182 parameters


def test_poisson_likelihood_beats_least_squares_at_few_counts():
    made = synthetic.image(counts=1500, shape=(10, 32), seed=2)
    poisson, gaussian = (factorise(made.image, 3, noise=noise) for noise in ("poisson", "gaussian"))
    assert poisson.attrs["deviance"] < gaussian.attrs["deviance"]


def test_bootstrap_gives_the_scatter_over_images(made):
    """The stated uncertainty against the spread over images made with other noise, to a factor of 2."""
    small = [synthetic.image(counts=50_000, shape=(6, 20), seed=seed) for seed in range(6)]
    found = [in_order(factorise(one.image, 3), made) for one in small]
    spread = np.std([one.spectrum.values for one in found], axis=0, ddof=1)
    stated = in_order(factorise(small[0].image, 3, draws=6), made).spectrum_error.values
    ratio = np.sqrt((stated**2).mean() / (spread**2).mean())
    assert 0.3 < ratio < 1.5  # the corners chosen differ from image to image too, which one image cannot tell


def test_bootstrap_of_endmembers_has_their_shape(made):
    found = endmembers(made.image, 3, draws=3)
    assert found.spectrum_error.shape == found.spectrum.shape
    assert found.fraction_error.shape == found.fraction.shape
    assert 0 < float(found.fraction_error.mean()) < 0.1


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_the_number_of_components_is_found_from_held_out_counts(phases):
    made = synthetic.image(counts=50_000, shape=(6, 20))
    parts = made.fraction.values[:phases] + 1e-9
    mean = 50_000 * np.einsum("pyx,pe->yxe", parts / parts.sum(0), made.spectrum.values[:phases])
    counts = xr.DataArray(np.random.default_rng(phases).poisson(mean), dims=("y", "x", "energy"))
    found = count(counts, largest=4, draws=3)
    assert found.attrs["method"] == "split"
    assert found.attrs["chosen"] == phases


def test_parallel_analysis_counts_components_of_what_is_no_count():
    rng = np.random.default_rng(0)
    made = synthetic.image(shape=(10, 32))
    mixed = xr.dot(made.fraction, made.spectrum, dim="phase")
    noisy = mixed + 0.02 * float(mixed.mean()) * rng.normal(size=mixed.shape)
    found = count(noisy, largest=5)
    assert found.attrs["method"] == "parallel"
    assert found.attrs["chosen"] == 3


def test_a_line_scan_and_other_names_of_the_energy_work(made):
    line = made.image.isel(y=0).rename(energy="loss")
    found = factorise(line, 2, energy="loss")
    assert found.fraction.dims == ("component", "x")
    assert found.spectrum.dims == ("component", "loss")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image.rename(energy="e"), "one of them has to be 'energy'"),
        (lambda image: image.isel(x=0, y=0), "needs a spatial dimension"),
        (lambda image: image - 1e6, "values are negative"),
        (lambda image: image.where(image.x > 0), "are no numbers"),
    ],
)
def test_images_that_cannot_be_taken_apart_are_refused(made, change, message):
    with pytest.raises(ValueError, match=message):
        factorise(change(made.image), 2)


def test_wrong_words_and_numbers_are_refused(made):
    with pytest.raises(ValueError, match="the noise 'shot' is none of poisson, gaussian"):
        factorise(made.image, 2, noise="shot")
    with pytest.raises(ValueError, match="between 1 and 150 are possible"):
        endmembers(made.image, 400)
    with pytest.raises(ValueError, match="no whole counts"):
        count(made.image + 0.5, method="split")
