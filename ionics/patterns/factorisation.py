"""Non-negative matrix factorisation of spectrum images: image = loadings times spectra, neither below 0.

Counts scatter by Poisson's law, so their likelihood is what is maximised (the generalised Kullback-Leibler divergence);
least squares of values scaled by their expected noise comes near it and starts it. The factors are not unique: any
mixture that keeps both sides positive fits as well. Starting from the purest pixels picks the sparse end of them.

Sources: Lee and Seung, Nature 401, 788 (1999), 10.1038/44565; Keenan and Kotula, Surf. Interface Anal. 36, 203 (2004),
10.1002/sia.1657 (scaling of Poisson noise); scikit-learn does the factorisation.
"""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from ionics.patterns.endmembers import abundances, pure
from ionics.patterns.images import Image, choices, flat, matched, numbers, poisson_deviance

NOISE = ("poisson", "gaussian")
LEAST = 1e-9  # of the largest value: multiplicative updates cannot leave 0
SWEEPS = 500  # at most
TOLERANCE = 1e-5  # relative gain of ten sweeps at which they end


def factorise(
    image: xr.DataArray,
    components: int,
    noise: str = "poisson",
    energy: str = "energy",
    draws: int = 0,
    seed: int = 0,
    negative: str = "refuse",
) -> xr.Dataset:
    """Spectra that sum to 1 over the energies, and loadings: what each adds to a pixel's sum.

    Returns spectrum (component, energy), loading (component, ...), fraction = loading over their sum, residual (...):
    root mean square of (image - model) / sqrt(model) for Poisson noise (about 1 where the model is right), of
    image - model for Gaussian. Components are sorted by their share. `draws` > 0 adds one standard uncertainty of
    spectrum and loading by a bootstrap: images drawn from the model's noise, each factorised from where this one ended.
    """
    choices(noise, NOISE, "the noise")
    flattened = flat(image, energy, negative)
    numbers(components, flattened)
    rng = np.random.default_rng(seed)
    loadings, spectra = _sorted(*solve(flattened.values, components, noise, rng))
    model = loadings @ spectra
    result = xr.Dataset(
        {
            "spectrum": flattened.spectra(spectra, "spectrum", "1"),
            "loading": flattened.map(loadings.T, "loading", flattened.unit),
            "fraction": flattened.map((loadings / loadings.sum(1, keepdims=True).clip(1e-300)).T, "fraction", "1"),
            "residual": flattened.map(_residual(flattened.values, model, noise), "residual", "1"),
        },
        attrs={
            "kind": "factorisation",
            "noise": noise,
            "seed": seed,
            "draws": draws,
            "deviance": poisson_deviance(flattened.values, model),
            "explained": float(1 - ((flattened.values - model) ** 2).sum() / (flattened.values**2).sum()),
        },
    )
    if draws:
        errors = _bootstrap(flattened, loadings, spectra, noise, draws, rng)
        result["spectrum_error"] = flattened.spectra(errors[1], "spectrum_error", "1")
        result["loading_error"] = flattened.map(errors[0].T, "loading_error", flattened.unit)
    return result


def solve(values: np.ndarray, components: int, noise: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Loadings (pixels, components) and spectra (components, channels) that sum to 1, from the purest pixels on."""
    start = pure(values, components, "n-findr", rng)
    rough = abundances(values, start)
    if noise == "gaussian":
        return _normalised(*_fit(values, rough, start, "frobenius"))
    rows, columns = _noise_scale(values)
    loadings, spectra = _fit(values / rows / columns, rough / rows, start / columns, "frobenius")
    return _normalised(*_fit(values, loadings * rows, spectra * columns, "kullback-leibler"))


def _noise_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square roots of the mean image (pixels, 1) and the mean spectrum (1, channels): where Poisson noise is even."""
    rows, columns = (np.sqrt(values.mean(axis, keepdims=True)) for axis in (1, 0))
    return np.maximum(rows, 1e-3 * rows.max()), np.maximum(columns, 1e-3 * columns.max())


def _fit(values: np.ndarray, loadings: np.ndarray, spectra: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Factors with the least loss, from a start."""
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    solver = "cd" if loss == "frobenius" else "mu"
    model = NMF(len(spectra), init="custom", solver=solver, beta_loss=loss, max_iter=SWEEPS, tol=TOLERANCE)
    least = LEAST * values.max()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the residual tells how good the fit is
        found = model.fit_transform(values, W=np.maximum(loadings, least), H=np.maximum(spectra, least))
    return found, model.components_


def _normalised(loadings: np.ndarray, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = np.maximum(spectra.sum(1), np.finfo(float).tiny)
    return loadings * size, spectra / size[:, None]


def _sorted(loadings: np.ndarray, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-loadings.sum(0))
    return loadings[:, order], spectra[order]


def _residual(values: np.ndarray, model: np.ndarray, noise: str) -> np.ndarray:
    scale = np.sqrt(np.maximum(model, 1e-12)) if noise == "poisson" else 1.0
    return np.sqrt((((values - model) / scale) ** 2).mean(1))


def _bootstrap(
    image: Image, loadings: np.ndarray, spectra: np.ndarray, noise: str, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of loadings and spectra over images drawn from the model's noise."""
    model = loadings @ spectra
    spread = (image.values - model).std(0)
    loss = "kullback-leibler" if noise == "poisson" else "frobenius"
    drawn = []
    for _ in range(draws):
        drawn_values = rng.poisson(model) if noise == "poisson" else model + rng.normal(size=model.shape) * spread
        values = drawn_values.astype(float)
        new = _normalised(*_fit(np.maximum(values, 0), loadings, spectra, loss))
        order = matched(new[1], spectra)
        drawn.append((new[0][:, order], new[1][order]))
    return np.std([w for w, _ in drawn], axis=0), np.std([h for _, h in drawn], axis=0)
