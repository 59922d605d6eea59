"""Fits of capacity against rate: many starts, intervals by profiles, and what the data do not determine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.fitting.identify import Identified, identify
from ionics.fitting.levenberg import CODES, Box
from ionics.fitting.problem import Weighting
from ionics.fitting.profile import Profile
from ionics.fitting.rates.fitted import RateFit, Rates
from ionics.fitting.rates.posed import Numbers, PosedCurve, laws_of, pose
from ionics.fitting.rates.search import linearised, profiles, search
from ionics.fitting.spectrum import DataError

if TYPE_CHECKING:
    import xarray as xr

SAME = 1e-4  # costs closer than this, relatively, are one optimum
ON_BOUND = 1e-6  # of the allowed range
NOTHING = 1e-30  # a derivative below this share of the largest is none
FACTOR = np.exp(2.0)  # to an end of its interval, from which a parameter is open: two standard errors of a factor e
BETTER = -0.1  # rise of chi-squared that says that a profile found something better


def fit_capacity_rate(
    rate: Numbers,
    capacity: Numbers,
    sigma: Numbers | float | None = None,
    law: str = "tian",
    *,
    weighting: Weighting | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int = 32,
    seed: int = 0,
    rates: Rates = "c-rate",
    unit: str = "C/kg",
    label: str = "curve",
    source: str = "",
) -> RateFit:
    """Fit a law (`laws.LAWS`) to one curve of capacity against rate.

    rate: 1 is a full charge in an hour; rates: whether these are C-rates, or one over the time [h] that each discharge
    took (`laws.measured_rate`). capacity: in `unit`. sigma: standard deviation of the capacity in `unit`. Without it
    every point weighs alike ('unit') or by 1/capacity ('modulus'), and the misfit says how large the errors are.
    fixed: parameter -> value at which it is held, tau in s. label, source: what the curve is called, and its file.

    Random starts fill (Latin hypercube) what such rates can resolve. Covariance as in `leastsquares.fit`; intervals
    are those of profiles. Raises DataError for numbers that are no curve, or too few for the law.
    """
    posed = pose(law, rate, capacity, sigma, weighting, fixed or {}, rates, unit, label)
    ends = search(posed.law, posed.data, jnp.asarray(posed.starts(starts, seed)), posed.bounds)
    costs = np.where(np.isfinite(ends.cost), ends.cost, np.inf)
    codes = tuple(CODES[code] for code in np.asarray(ends.code))
    at = np.asarray(ends.at)[np.argmin(costs)]
    best = float(costs.min()) * (1 + SAME) + posed.rounding
    return RateFit(
        **_answer(posed, at),
        law=posed.law,
        rate=posed.rate,
        capacity=posed.capacity,
        sigma=posed.sigma,
        rates=rates,
        unit=unit,
        at=at,
        parameters=tuple(posed.fitted.values()),
        weighting=posed.weighting,
        dof=posed.dof,
        start_costs=costs,
        start_codes=codes,
        starts_at_best=int(np.sum((costs <= best) & (np.array(codes) == "converged"))),
        label=label,
        source=source,
        sha256=posed.sha256,
    )


def fit_laws(
    rate: Numbers,
    capacity: Numbers,
    sigma: Numbers | float | None = None,
    laws: Iterable[str] | None = None,
    *,
    rates: Rates = "c-rate",
    **options,
) -> dict[str, xr.Dataset]:
    """One curve with several laws (all by default), law -> Dataset, for `ionics.compare`, which ranks them by AICc.

    options: of fit_capacity_rate. Raises DataError where there are too few points to judge a law.
    """
    wanted = laws_of(rates) if laws is None else laws
    fits = {law: fit_capacity_rate(rate, capacity, sigma, law, rates=rates, **options) for law in wanted}
    for law, one in fits.items():
        if not np.isfinite(one.criteria["AICc"]):
            least = len(one.names) + (2 if sigma is not None else 3)
            raise DataError(
                f"{one.label}: {np.size(rate)} points are too few to judge the law '{law}' by AICc; "
                f"valid: at least {least} points"
            )
    return {law: one.to_dataset() for law, one in fits.items()}


# ---- what is said about it


def _answer(posed: PosedCurve, at: Float[np.ndarray, " unknown"]) -> dict:
    """Values with their errors, intervals, and what is not determined: fields of RateFit."""
    residual, jacobian = (np.asarray(part) for part in linearised(posed.law, posed.data, jnp.asarray(at)))
    chi_squared, free = float(residual @ residual), list(posed.fitted)
    given = posed.weighting == "sigma"
    noise = 1.0 if given else max(chi_squared, posed.rounding) / posed.dof
    jacobian = jacobian[:, free]
    jacobian = np.where(np.abs(jacobian) > NOTHING * np.max(np.abs(jacobian)), jacobian, 0.0)
    own, values, side = list(posed.fitted.values()), np.exp(at[free]), _sides(at, posed.bounds)[free]
    found = identify(own, values, jacobian, np.ones(len(own)), side, jacobian.T @ residual, noise)
    dof = None if given else posed.dof
    followed, lowest = profiles(posed.law, posed.data, posed.fitted, at, noise, dof, posed.bounds)
    spread = np.zeros((len(at), len(at)))
    spread[np.ix_(free, free)] = noise * np.linalg.pinv(jacobian.T @ jacobian, hermitian=True)
    warning = f"a profile found a chi-squared lower by {-lowest:.2g}: the fit is not the best one"
    return {
        "values": values,
        "covariance": found.covariance * np.outer(values, values),
        "correlation": found.correlation,
        "spread": spread,
        "profiles": tuple(followed),
        "profile_warning": warning if lowest < BETTER else "",
        "chi_squared": chi_squared,
        "at_bound": tuple(bool(flag) for flag in side),
        "undetermined": tuple(_open(found, followed, side)),
        "limits": found.limits,
    }


def _sides(at, bounds: Box) -> np.ndarray:
    """-1 and 1 on the lower and upper bound, 0 inside."""
    lower, upper = np.asarray(bounds.lower), np.asarray(bounds.upper)
    near = np.minimum(at - lower, upper - at) < ON_BOUND * (upper - lower)
    return np.where(near, np.where(at - lower < upper - at, -1, 1), 0)


def _open(found: Identified, followed: Sequence[Profile], side) -> Iterator[str]:
    """What is not determined: by the curvature at the optimum, then by how far profiles go before they have risen."""
    yield from found.sentences
    for j, one in enumerate(followed):
        (low, high), (below, above) = one.interval(), one.closed()
        if j in found.named or side[j] or (below and above and max(one.best / low, high / one.best) < FACTOR):
            continue
        start, unit = (
            f"{one.name} is not determined by these data: it may be ",
            "" if one.unit == "1" else f" {one.unit}",
        )
        if below and above:
            yield f"{start}anything between {low:.3g} and {high:.3g}{unit} (95 %)"
        elif below:
            yield f"{start}far larger; they set only a lower limit"
        elif above:
            yield f"{start}far smaller; they set only an upper limit"
        else:
            yield f"{start}far larger and far smaller"
