"""Pure spectra among the pixels of an image, and how much of each every pixel holds.

If every pixel is a mixture with fractions that are positive and add up to 1, the spectra fill a simplex whose corners
are the pure ones. Vertex component analysis walks to one corner after another, always away from those it has; N-FINDR
exchanges corners as long as the simplex grows. Both see corners only where pure pixels exist.

Sources: Nascimento and Dias, IEEE Trans. Geosci. Remote Sens. 43, 898 (2005), 10.1109/TGRS.2005.844293 (VCA); Winter,
Proc. SPIE 3753, 266 (1999), 10.1117/12.366289 (N-FINDR); Heinz and Chang, IEEE Trans. Geosci. Remote Sens. 39, 529
(2001), 10.1109/36.911111 (fractions that add up to 1).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.patterns.images import Image, choices, flat, matched, numbers

METHODS = ("vca", "n-findr")
STARTS = 10  # of vertex component analysis: the largest simplex is kept
SUM_WEIGHT = 10.0  # of the row that makes fractions add up to 1, in units of the largest value
PASSES = 20  # of N-FINDR over the corners, at most
CORNER = 0.03  # share of the pixels nearest a corner that are averaged into its spectrum


def endmembers(
    image: xr.DataArray,
    number: int,
    method: str = "vca",
    energy: str = "energy",
    draws: int = 0,
    seed: int = 0,
    negative: str = "refuse",
) -> xr.Dataset:
    """`number` pure spectra and the fractions of each in every pixel.

    Spectra are averages over the 3 % of the pixels nearest to a corner. `draws` > 0 adds one standard uncertainty
    of both, from images whose pixels are drawn again with replacement (spectra) or whose spectra are so drawn from the
    residuals (fractions).
    """
    choices(method, METHODS, "the method")
    flattened = flat(image, energy, negative)
    numbers(number, flattened)
    rng = np.random.default_rng(seed)
    spectra = pure(flattened.values, number, method, rng)
    fractions = abundances(flattened.values, spectra)
    result = xr.Dataset(
        {
            "spectrum": flattened.spectra(spectra, "spectrum", flattened.unit),
            "fraction": flattened.map(fractions.T, "fraction", "1"),
            "residual": flattened.map(_rms(flattened.values - fractions @ spectra), "residual", flattened.unit),
        },
        attrs={"kind": "endmembers", "method": method, "seed": seed, "draws": draws},
    )
    if draws:
        errors = _errors(flattened, spectra, fractions, method, draws, rng)
        result["spectrum_error"] = flattened.spectra(errors[0], "spectrum_error", flattened.unit)
        result["fraction_error"] = flattened.map(errors[1].T, "fraction_error", "1")
    return result


def abundances(values: np.ndarray, spectra: np.ndarray) -> np.ndarray:
    """Fractions of shape (pixels, spectra), at least 0 and adding up to 1, that come nearest to the values."""
    from scipy.optimize import nnls

    weight = SUM_WEIGHT * float(np.abs(spectra).max())
    matrix = np.vstack([spectra.T, np.full(len(spectra), weight)])
    found = np.array([nnls(matrix, np.append(row, weight))[0] for row in values])
    return found / np.maximum(found.sum(1, keepdims=True), np.finfo(float).tiny)


def corners(values: np.ndarray, number: int, method: str, rng: np.random.Generator) -> np.ndarray:
    """Indices of the purest pixels, (number,)."""
    cloud = _reduced(values, number)
    if number == 1:
        return np.array([int(np.argmax(values.sum(1)))])
    tries = [_vertices(cloud, number, rng) for _ in range(STARTS)]
    best = max(tries, key=lambda chosen: _volume(cloud[chosen]))
    return best if method == "vca" else _grown(cloud, best)


def pure(values: np.ndarray, number: int, method: str, rng: np.random.Generator) -> np.ndarray:
    """Spectra at the corners, averaged over the pixels nearest to each, (number, channels)."""
    cloud = _reduced(values, number)
    chosen = corners(values, number, method, rng)
    few = max(1, round(CORNER * len(values)))
    distance = np.linalg.norm(cloud[:, None] - cloud[chosen][None], axis=-1)
    return np.array([values[np.argsort(column)[:few]].mean(0) for column in distance.T])


def _reduced(values: np.ndarray, number: int) -> np.ndarray:
    """Scores on the first number - 1 principal components, where the simplex lies; noise outside is left behind.

    Channels are divided by the root of their mean first, so that the noise of counts is alike in all of them.
    """
    mean = np.abs(values.mean(0))
    centred = (values - values.mean(0)) / np.sqrt(np.maximum(mean, 1e-3 * mean.max()))
    axes = np.linalg.svd(centred, full_matrices=False)[2][: max(number - 1, 1)]
    return centred @ axes.T


def _vertices(cloud: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Vertex component analysis: extremes along random directions at right angles to the corners so far."""
    lifted = np.column_stack([cloud, np.full(len(cloud), np.abs(cloud).max() or 1.0)])
    chosen: list[int] = []
    for _ in range(number):
        direction = rng.normal(size=lifted.shape[1])
        if chosen:
            basis = np.linalg.qr(lifted[chosen].T)[0]
            direction -= basis @ (basis.T @ direction)
        chosen.append(int(np.argmax(np.abs(lifted @ direction))))
    return np.array(chosen)


def _grown(cloud: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """N-FINDR: each corner in turn goes to the pixel that makes the simplex largest, until none moves."""
    best = chosen.copy()
    for _ in range(PASSES):
        before = best.copy()
        for k in range(len(best)):
            best[k] = _farthest(cloud, np.delete(best, k))
        if (best == before).all():
            break
    return best


def _farthest(cloud: np.ndarray, others: np.ndarray) -> int:
    """The pixel farthest from the flat through the other corners: with it the simplex is largest."""
    away = cloud - cloud[others[0]]
    if len(others) > 1:
        basis = np.linalg.qr((cloud[others[1:]] - cloud[others[0]]).T)[0]
        away = away - away @ basis @ basis.T
    return int(np.argmax((away**2).sum(1)))


def _volume(points: np.ndarray) -> float:
    """Of the simplex with these corners, (number, number - 1), times a constant."""
    return float(abs(np.linalg.det(points[1:] - points[0])))


def _rms(residual: np.ndarray) -> np.ndarray:
    return np.sqrt((residual**2).mean(1))


def _errors(
    image: Image, spectra: np.ndarray, fractions: np.ndarray, method: str, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of spectra and fractions over bootstrap draws."""
    model = fractions @ spectra
    residual = image.values - model
    drawn_spectra, drawn_fractions = [], []
    for _ in range(draws):
        pixels = rng.integers(0, len(residual), size=len(residual))
        new = pure(image.values[pixels], len(spectra), method, rng)
        drawn_spectra.append(new[matched(new, spectra)])
        noise = rng.permuted(residual, axis=0)  # channel by channel: noise of one channel has one size
        drawn_fractions.append(abundances(model + noise, drawn_spectra[-1]))
    return np.std(drawn_spectra, axis=0), np.std(drawn_fractions, axis=0)
