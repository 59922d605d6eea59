"""Bounded least squares: many starts as one batch, exact Jacobians, and what the data do not determine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ionics.fitting.identify import identify
from ionics.fitting.levenberg import CODES, CONVERGED, NONFINITE, Box, minimise
from ionics.fitting.model import AbstractModel, Parameter
from ionics.fitting.result import FitResult
from ionics.fitting.spectrum import DataError, Spectrum

Weighting = Literal["modulus", "sigma", "unit"]
PAD = 32  # spectra are padded to multiples of this many points, so that a series shares one compiled function
SAME = 1e-6  # costs closer than this, relatively, are one optimum
ROUNDING = 1e-10  # a misfit below this share of the data is no misfit
ON_BOUND = 1e-6  # of the allowed range


class FitError(RuntimeError):
    """No start led anywhere; the message says what every start ran into."""


class Data(eqx.Module):
    """A spectrum with its weights; padding has weight zero."""

    frequency: Float[Array, " frequency"]  # Hz
    impedance: Complex[Array, " frequency"]  # ohm
    weight: Float[Array, " frequency"]  # ohm-1


def fit(
    model: AbstractModel,
    spectrum: Spectrum,
    *,
    weighting: Weighting = "modulus",
    start: Float[np.ndarray, " parameter"] | None = None,
    starts: int = 64,
    seed: int = 0,
    iterations: int = 200,
) -> FitResult:
    """Fit a model to a spectrum from a given start and `starts` random ones, all as one compiled batch.

    start: parameter values to start from, the model's own where None.

    Minimised is chi^2 = sum_k |Z_k - Z(f_k)|^2 / s_k^2 over real and imaginary parts, with s_k = |Z_k|
    (`modulus`), the spectrum's sigma (`sigma`), or 1 ohm (`unit`); dof = 2 points - free parameters.
    Random starts fill (Latin hypercube) what the model says the spectrum can resolve. The best is polished
    by SciPy's trust-region method with the same exact Jacobian. Of optima with equal chi^2 (two arcs
    exchanged) the one nearest to the given start is returned.

    Covariance: (J^T J)^-1 at the optimum, times reduced chi^2 for `modulus` and `unit`, whose size of error
    is unknown and is estimated from the misfit (as lmfit, and SciPy's curve_fit with absolute_sigma=False,
    do); unscaled for `sigma`. Parameters on a bound are held there: they have no standard error.
    """
    parameters = model.parameters
    data = _data(spectrum, weighting)
    box = _box(parameters)
    is_log = np.array([parameter.scale == "log" for parameter in parameters])
    dof = 2 * len(spectrum) - len(parameters)
    if dof < 1:
        raise DataError(
            f"{spectrum.label}: {len(spectrum)} points cannot determine {len(parameters)} parameters; "
            f"valid: more than {len(parameters) / 2:g} points"
        )
    given = [p.start for p in parameters] if start is None else start
    begin = _starts(parameters, given, model.reach(spectrum), is_log, starts, seed)
    search = _batch(model, data, jnp.asarray(is_log), box, jnp.asarray(begin), iterations)
    ends, costs, codes = (np.asarray(x) for x in (search.at, search.cost, search.code))
    costs = np.where(codes == NONFINITE, np.inf, costs)
    nil = ROUNDING**2 * float(np.sum(np.abs(np.asarray(data.impedance * data.weight)) ** 2))
    best = _choose(ends, costs, begin[0], box, nil)
    if best is None:
        raise FitError(f"{spectrum.label}: none of {len(costs)} starts gave a finite impedance; check bounds and model")
    at = _polish(model, data, is_log, box, ends[best])
    residual, jacobian = (np.asarray(x) for x in _linearised(model, data, jnp.asarray(is_log), jnp.asarray(at)))
    cost = float(residual @ residual)
    values = np.where(is_log, np.exp(at), at)
    width = np.asarray(box.upper - box.lower)
    on_bound = np.minimum(at - np.asarray(box.lower), np.asarray(box.upper) - at) < ON_BOUND * width
    scale = cost / dof if weighting != "sigma" else 1.0
    spread = np.where(is_log, 1.0, width)
    found = identify(parameters, values, jacobian, spread, ~on_bound, scale)
    slope = np.where(is_log, values, 1.0)
    fitted = np.asarray(model.impedance(jnp.asarray(values), jnp.asarray(spectrum.frequency)))
    return FitResult(
        model=model,
        spectrum=spectrum,
        weighting=weighting,
        parameters=parameters,
        values=values,
        covariance=found.covariance * np.outer(slope, slope),
        correlation=found.correlation,
        chi_squared=cost,
        dof=dof,
        impedance=fitted,
        at_bound=tuple(bool(flag) for flag in on_bound),
        undetermined=found.sentences,
        start_costs=costs,
        start_codes=tuple(CODES[code] for code in codes),
        starts_at_best=int(np.sum((codes == CONVERGED) & (costs <= cost * (1 + 1e-4) + nil))),
    )


def fit_series(
    model: AbstractModel,
    spectra: Sequence[Spectrum],
    *,
    weighting: Weighting = "modulus",
    starts: int = 64,
    seed: int = 0,
    iterations: int = 200,
) -> list[FitResult]:
    """Fit each spectrum by itself, with one compiled function, from the values of the one before it.

    Spectra in the order of their temperature then keep the names of their arcs: of optima with equal chi^2
    each fit takes the one nearest to its neighbour's, and the first the one nearest to the model's start.
    """
    options = {"weighting": weighting, "starts": starts, "seed": seed, "iterations": iterations}
    results = []
    for spectrum in spectra:
        start = results[-1].values if results else None
        results.append(fit(model, spectrum, start=start, **options))
    return results


# ---- data and unknowns


def _data(spectrum, weighting):
    if jnp.zeros(()).dtype != jnp.float64:
        raise RuntimeError("fits need float64: call jax.config.update('jax_enable_x64', True) first")
    if weighting == "modulus":
        error = np.abs(spectrum.impedance)
    elif weighting == "sigma":
        if spectrum.sigma is None:
            raise DataError(f"{spectrum.label}: weighting 'sigma' needs the spectrum's sigma [ohm]; or use 'modulus'")
        error = spectrum.sigma
    elif weighting == "unit":
        error = np.ones(len(spectrum))
    else:
        raise ValueError(f"weighting '{weighting}'; valid: modulus, sigma, unit")
    more = -len(spectrum) % PAD
    return Data(
        jnp.asarray(np.pad(spectrum.frequency, (0, more), mode="edge")),
        jnp.asarray(np.pad(spectrum.impedance, (0, more), mode="edge")),
        jnp.asarray(np.pad(1 / error, (0, more))),
    )


def _inner(parameter: Parameter, value: float) -> float:
    return float(np.log(value)) if parameter.scale == "log" else value


def _box(parameters):
    """Bounds of log(value) or value; a step is at most a factor e^3 or a quarter of the range."""
    lower = np.array([_inner(parameter, parameter.lower) for parameter in parameters])
    upper = np.array([_inner(parameter, parameter.upper) for parameter in parameters])
    stride = [3.0 if p.scale == "log" else (p.upper - p.lower) / 4 for p in parameters]
    return Box(jnp.asarray(lower), jnp.asarray(upper), jnp.asarray(np.array(stride)))


def _starts(parameters, given, reach, is_log, starts, seed):
    """The given start, then a Latin hypercube over the reach; rows are starts."""
    first = [[_inner(parameter, float(value)) for parameter, value in zip(parameters, given, strict=True)]]
    if not starts:
        return np.array(first)
    low, high = np.array(reach).T
    low, high = (np.where(is_log, np.log(np.where(is_log, edge, 1.0)), edge) for edge in (low, high))
    rng = np.random.default_rng(seed)
    rank = rng.permuted(np.tile(np.arange(starts), (len(parameters), 1)), axis=1).T
    cube = (rank + rng.random(rank.shape)) / starts
    return np.concatenate([np.array(first), low + cube * (high - low)])


def _choose(ends, costs, given, box, nil):
    """Index of the best end; among equal ones, that nearest to the given start."""
    if not np.isfinite(costs).any():
        return None
    equal = np.flatnonzero(costs <= np.min(costs) * (1 + SAME) + nil)
    distance = np.linalg.norm((ends[equal] - given) / np.asarray(box.stride), axis=1)
    return int(equal[np.argmin(distance)])


# ---- compiled


def _residual(model, data, is_log, at):
    values = jnp.where(is_log, jnp.exp(jnp.where(is_log, at, 0.0)), at)
    misfit = model.impedance(values, data.frequency) - data.impedance
    return jnp.concatenate([misfit.real * data.weight, misfit.imag * data.weight])


@eqx.filter_jit
def _batch(model, data, is_log, box, begin, iterations):
    return jax.vmap(lambda start: minimise(partial(_residual, model, data, is_log), start, box, iterations))(begin)


@eqx.filter_jit
def _linearised(model, data, is_log, at):
    residual = partial(_residual, model, data, is_log)
    return residual(at), jax.jacfwd(residual)(at)


def _polish(model, data, is_log, box, at):
    """The last digits by SciPy's trust-region reflective method; never worse than what it was given."""
    from scipy.optimize import least_squares  # slow to import

    is_log = jnp.asarray(is_log)

    def both(x):
        return tuple(np.asarray(part) for part in _linearised(model, data, is_log, jnp.asarray(x)))

    lower, upper = np.asarray(box.lower), np.asarray(box.upper)
    inside = np.clip(at, lower + 1e-12 * (upper - lower), upper - 1e-12 * (upper - lower))
    tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": 100}
    ended = least_squares(
        lambda x: both(x)[0],
        inside,
        jac=lambda x: both(x)[1],  # pyright: ignore[reportArgumentType]  (the stubs lag behind)
        bounds=(lower, upper),
        x_scale="jac",
        **tight,
    )
    before = both(at)[0]
    return ended.x if 2 * ended.cost < before @ before else at
