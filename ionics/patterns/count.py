"""How many components an image holds.

Counts can be split: each is thrown, count by count, into one of two images, which are then independent and have the
same mean. A factorisation of one half is judged by the likelihood of the other; too many components describe the noise
of their own half. Images that are no counts are judged by deflated parallel analysis: a singular value has to exceed
that of the same residual numbers shuffled within every channel.

Sources: Neufeld, Gao, Popp, Battle and Witten, Biostatistics 25, 270 (2024), 10.1093/biostatistics/kxac047 (splitting
of counts); Horn, Psychometrika 30, 179 (1965), 10.1007/BF02289447, and Dobriban and Owen, J. R. Stat. Soc. B 81, 163
(2019), 10.1111/rssb.12301 (parallel analysis, deflated).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.patterns.factorisation import solve
from ionics.patterns.images import choices, flat, numbers, poisson_deviance

METHODS = ("split", "parallel")
QUANTILE = 0.95  # of the shuffled singular values


def count(
    image: xr.DataArray,
    largest: int = 8,
    method: str | None = None,
    energy: str = "energy",
    draws: int = 4,
    seed: int = 0,
    negative: str = "refuse",
) -> xr.Dataset:
    """Scores of 1 to `largest` components, and the number chosen (attribute `chosen`).

    "split" (for counts): score (draw, components) is the deviance of held-out counts per value; chosen is the smallest
    number whose excess over the best is within its standard error over the draws. "parallel": score (components) are
    singular values of the centred image, limit those of shuffled residuals; chosen is one more than those above it.
    """
    flattened = flat(image, energy, negative)
    numbers(largest, flattened)
    method = method or ("split" if flattened.counts else "parallel")
    choices(method, METHODS, "the method")
    if method == "split" and not flattened.counts:
        raise ValueError("the values are no whole counts and cannot be split; say method='parallel'")
    rng = np.random.default_rng(seed)
    judge = _split if method == "split" else _parallel
    found = judge(flattened.values, largest, draws, rng)
    found["components"] = np.arange(1, largest + 1)
    return found.assign_attrs(kind="count", method=method, seed=seed)


def _split(values: np.ndarray, largest: int, draws: int, rng: np.random.Generator) -> xr.Dataset:
    score = np.empty((draws, largest))
    for draw in range(draws):
        half = rng.binomial(values.astype(np.int64), 0.5).astype(float)
        rest = values - half
        for k in range(1, largest + 1):
            loadings, spectra = solve(half, k, "poisson", rng)
            score[draw, k - 1] = poisson_deviance(rest, loadings @ spectra)
    best = int(np.argmin(score.mean(0)))
    excess = score - score[:, [best]]
    error = excess.std(0, ddof=1) / np.sqrt(draws) if draws > 1 else np.zeros(largest)
    chosen = 1 + int(np.argmax(excess.mean(0) <= error + 1e-12))
    return xr.Dataset({"score": (("draw", "components"), score)}, attrs={"chosen": chosen})


def _parallel(values: np.ndarray, largest: int, draws: int, rng: np.random.Generator) -> xr.Dataset:
    """Each singular value against the largest of what is left without those before it, shuffled."""
    left = values - values.mean(0)
    own, limit = np.empty(largest), np.empty(largest)
    for k in range(largest):
        u, s, v = np.linalg.svd(left, full_matrices=False)
        own[k] = s[0]
        limit[k] = np.quantile([np.linalg.norm(rng.permuted(left, axis=0), 2) for _ in range(max(draws, 10))], QUANTILE)
        left = left - s[0] * np.outer(u[:, 0], v[0])
    above = own > limit
    chosen = 1 + (int(np.argmin(above)) if not above.all() else largest - 1)
    return xr.Dataset({"score": ("components", own), "limit": ("components", limit)}, attrs={"chosen": chosen})
