"""Bounded least squares of one spectrum, of many apart, or of many together: many starts, exact Jacobians, and what
the data do not determine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.fitting.across import Across
from ionics.fitting.elsewhere import elsewhere
from ionics.fitting.identify import identify
from ionics.fitting.levenberg import Box
from ionics.fitting.model import AbstractModel
from ionics.fitting.open_ends import further
from ionics.fitting.problem import AbstractPosed, Posed, Problem, Unknowns, Weighting, linearised, unknowns
from ionics.fitting.result import Estimates, FitResult, SeriesFit
from ionics.fitting.search import Ends, search
from ionics.fitting.spectrum import Spectrum

__all__ = ["FitError", "Weighting", "fit", "fit_series", "fit_together"]

SAME = 1e-6  # costs closer than this, relatively, are one optimum
NEARLY_SAME = 1e-3  # likewise of series, whose searches end less sharply before they are polished
ON_BOUND = 1e-6  # of the allowed range
ENERGIES = (0.05, 1.5)  # eV: random starts of activation energies
Tell = Callable[[float], None]


class FitError(RuntimeError):
    """No start led anywhere; the message says what every start ran into."""


def fit(
    model: AbstractModel,
    spectrum: Spectrum,
    *,
    weighting: Weighting = "modulus",
    start: Float[np.ndarray, " parameter"] | None = None,
    starts: int = 64,
    seed: int = 0,
    iterations: int = 200,
    robust: bool = False,
) -> FitResult:
    """Fit a model to a spectrum from a given start and `starts` random ones, all as one compiled batch.

    start: parameter values to start from, the model's own where None.

    Minimised is chi^2 = sum_k |Z_k - Z(f_k)|^2 / s_k^2 over real and imaginary parts, with s_k = |Z_k|
    (`modulus`), the spectrum's sigma (`sigma`), or 1 ohm (`unit`); dof = 2 points - free parameters.
    Random starts fill (Latin hypercube) what the model says the spectrum can resolve. The best is polished
    by SciPy's trust-region method with the same exact Jacobian. Of optima with equal chi^2 (two arcs
    exchanged) the one nearest to the given start is returned; others are told in `elsewhere`.

    Covariance: (J^T J)^-1 at the optimum, times reduced chi^2 for `modulus` and `unit`, whose size of error
    is unknown and is estimated from the misfit (as lmfit, and SciPy's curve_fit with absolute_sigma=False,
    do); unscaled for `sigma`. Parameters on a bound are held there: they have no standard error, but as far as the
    data would let them leave it, they widen those of the others. What the errors call determined is followed further
    out, and named in `undetermined` where chi^2 levels off or another search ended as well.

    robust: points beyond 3 standard deviations count less and less (pseudo-Huber loss; the standard deviation is
    the median absolute residual, errors are those of Huber's M-estimator); s_k is then the median |Z| of five
    neighbours, so that no outlier weighs itself. Priors of parameters add their squares
    to chi^2 once the size of the errors is known from a fit without them.

    Raises DataError where the data cannot determine so many parameters, FitError where no start is finite.
    """
    options = Options(weighting, starts, seed, iterations, robust)
    return _apart(model, [spectrum], options, start)[0]


def fit_series(
    model: AbstractModel,
    spectra: Sequence[Spectrum],
    *,
    weighting: Weighting = "modulus",
    starts: int = 64,
    seed: int = 0,
    iterations: int = 200,
    robust: bool = False,
    tell: Tell | None = None,
) -> list[FitResult]:
    """Fit each spectrum by itself, all as one batch; then each once more from where its neighbours ended.

    Spectra in the order of their temperature (or cycle, or state of charge) keep the names of their arcs: of optima
    with equal chi^2 each fit takes the one nearest to its neighbour's, and the first the one nearest to the model's
    start. tell(share of the searches that are done) is called as the work goes on.
    """
    return _apart(model, spectra, Options(weighting, starts, seed, iterations, robust, tell))


def fit_together(
    model: AbstractModel,
    spectra: Sequence[Spectrum],
    across: Mapping[str, Across],
    *,
    weighting: Weighting = "modulus",
    starts: int = 64,
    seed: int = 0,
    iterations: int = 200,
    robust: bool = False,
    tell: Tell | None = None,
) -> SeriesFit:
    """Fit all spectra at once: parameters are shared, or run through the series by the law that `across` names.

    Every spectrum is fitted by itself first, if the model says the same under all conditions: the series then starts
    from the unknowns that come nearest to these fits, else from the given start; and from random ones. See `fit`.
    """
    options = Options(weighting, starts, seed, iterations, robust, tell)
    posed = Posed(model, tuple(spectra), weighting, unknowns(model, spectra, across), smooth=robust)
    begin = posed.unknowns.start[None]
    if all(model.under(spectrum) is model for spectrum in spectra):
        begin = np.concatenate([_projected(posed, _apart(model, spectra, options))[None], begin])
    begin = np.concatenate([begin, random_starts(list(_joint_reach(posed)), posed.unknowns, min(starts, 16), seed)])
    posed, ends, chosen = settled([posed], [begin], options, [begin[0]])[0]
    estimates, _ = estimated(posed, ends, chosen)
    values = np.asarray(posed.problem.values(jnp.asarray(_at(estimates))))
    members = tuple(_member(posed, estimates, k, own) for k, own in enumerate(values))
    return SeriesFit(**fields_of(estimates), members=members)


@dataclass(frozen=True)
class Options:
    """How to search."""

    weighting: Weighting
    starts: int
    seed: int
    iterations: int
    robust: bool = False
    tell: Tell | None = None


# ---- each spectrum by itself


def _apart(model, spectra, options: Options, given=None) -> list[FitResult]:
    own = unknowns(model, spectra[:1], {})
    if given is not None:
        starts = zip(own.parameters, given, strict=True)
        own = Unknowns(tuple(_begun(s, float(v)) for s, (_, v) in zip(own.spreads, starts, strict=True)))
    posed = [Posed(model, (spectrum,), options.weighting, own, smooth=options.robust) for spectrum in spectra]
    begins = []
    for one in posed:
        reach = np.array(model.reach(one.spectra[0]))
        begins.append(np.concatenate([own.start[None], random_starts(reach, own, options.starts, options.seed)]))
    results = []
    for one, ends, chosen in settled(posed, begins, options, None):
        estimates, missed = estimated(one, ends, chosen)
        (impedance,) = _impedances(one.plain.problem, one.spectra, missed)
        results.append(FitResult(**fields_of(estimates), model=model, spectrum=one.spectra[0], impedance=impedance))
    return results


def _begun(spread, value):
    return replace(spread, unknowns=(replace(spread.unknowns[0], start=value),))


def settled(posed: Sequence[AbstractPosed], begins, options: Options, nearest) -> list[tuple[Any, Ends, np.ndarray]]:
    """Search, again with the size of the errors known where that matters, choose and polish; problems come back so.

    nearest: of equal optima the one nearest to these is taken; by default to the first begin, then to what was
    chosen for the neighbour before.
    """
    for one in posed:
        one.check()
    ends = _searched(posed, begins, options)
    if len(posed) > 1:  # from where the neighbours ended
        best = [one.at[np.argmin(one.cost)] for one in ends]
        beside = [np.stack([best[max(k - 1, 0)], best[min(k + 1, len(best) - 1)]]) for k in range(len(best))]
        ends = [_joined(a, b) for a, b in zip(ends, _searched(posed, beside, replace(options, tell=None)), strict=True)]
    for _ in range(posed[0].passes):
        posed = [one.weighed(own.at[np.argmin(own.cost)]) for one, own in zip(posed, ends, strict=True)]
        again = _searched(posed, [own.at for own in ends], replace(options, tell=None))
        ends = [Ends(b.at, b.cost, a.code) for a, b in zip(ends, again, strict=True)]
    found, near = [], None if nearest is None else nearest[0]
    for one, own, begin in zip(posed, ends, begins, strict=True):
        if not np.isfinite(own.cost).any():
            raise FitError(f"{one.label}: none of {len(own.cost)} starts gave a finite answer; check bounds and model")
        near = begin[0] if near is None else near
        at = _polish(one, own.at[_choose(one, own, near)])
        found.append((one, own, at))
        near = at
    return found


def _searched(posed: Sequence[AbstractPosed], begins, options: Options) -> list[Ends]:
    which = np.repeat(np.arange(len(posed)), [len(begin) for begin in begins])
    boxes = [one.unknowns.box for one in posed]
    box = Box(*(jnp.stack([getattr(own, name) for own in boxes])[which] for name in ("lower", "upper", "stride")))
    problems = [one.problem for one in posed]
    ends = search(problems, which, np.concatenate(begins), box, options.iterations, options.tell)
    return [ends.of(which == k) for k in range(len(posed))]


def _joined(a: Ends, b: Ends) -> Ends:
    return Ends(*(np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("at", "cost", "code")))


# ---- where to start


def random_starts(reach, unknowns: Unknowns, count: int, seed: int) -> Float[np.ndarray, "start unknown"]:
    """A Latin hypercube over the reach [unknown, 2], as it is searched."""
    if not count:
        return np.zeros((0, len(reach)))
    low, high = np.array(reach).T
    low, high = (np.where(unknowns.is_log, np.log(np.where(unknowns.is_log, edge, 1.0)), edge) for edge in (low, high))
    rng = np.random.default_rng(seed)
    rank = rng.permuted(np.tile(np.arange(count), (len(reach), 1)), axis=1).T
    cube = (rank + rng.random(rank.shape)) / count
    return low + cube * (high - low)


def _joint_reach(posed: Posed):
    """Of every unknown of a series: that of its parameter in any of the spectra."""
    each = np.array([posed.model.reach(one) for one in posed.spectra])
    low, high = each[..., 0].min(axis=0), each[..., 1].max(axis=0)
    for p, spread in enumerate(posed.unknowns.spreads):
        for unknown in spread.unknowns:
            if unknown.unit == "eV" and unknown.scale == "linear":
                yield max(ENERGIES[0], unknown.lower), min(ENERGIES[1], unknown.upper)
            else:
                yield max(low[p], unknown.lower), min(high[p], unknown.upper)


def _projected(posed: Posed, apart: list[FitResult]) -> Float[np.ndarray, " unknown"]:
    """The unknowns whose parameters come nearest to those of the single fits, by what these know."""
    rows, level = np.asarray(posed.problem.rows), np.asarray(posed.problem.level)
    start, matrix, right = posed.unknowns.start, 0.0, 0.0
    for k, one in enumerate(apart):
        _, jacobian = (np.asarray(part) for part in linearised(one.posed.problem, jnp.asarray(_at(one))))
        fisher = jacobian.T @ jacobian / max(one.reduced_chi_squared, 1e-300)
        fisher = fisher + 1e-6 * np.max(np.diag(fisher)) * np.eye(len(fisher))
        matrix = matrix + rows[k].T @ fisher @ rows[k]
        right = right + rows[k].T @ fisher @ (_at(one) - level[k] - rows[k] @ start)
    scale = np.sqrt(np.diag(matrix))
    step = np.linalg.lstsq(matrix / np.outer(scale, scale), right / scale, rcond=1e-12)[0] / scale
    box = posed.unknowns.box
    return np.clip(start + step, np.asarray(box.lower), np.asarray(box.upper))


# ---- which end is the answer


def _choose(posed: AbstractPosed, ends: Ends, near) -> int:
    """Index of the best end; among equal ones, that nearest to the given start."""
    same = SAME if posed.sharp else NEARLY_SAME
    equal = np.flatnonzero(ends.cost <= np.min(ends.cost) * (1 + same) + posed.rounding)
    distance = np.linalg.norm((ends.at[equal] - near) / np.asarray(posed.unknowns.box.stride), axis=1)
    return int(equal[np.argmin(distance)])


def _polish(posed: AbstractPosed, at):
    """The last digits by SciPy's trust-region reflective method; never worse than what it was given."""
    from scipy.optimize import least_squares  # slow to import

    problem, box = posed.problem, posed.unknowns.box
    if problem.rough:
        return at

    @functools.lru_cache(maxsize=1)
    def known(x: tuple):
        return tuple(np.asarray(part) for part in linearised(problem, jnp.asarray(x)))

    def both(x):
        return known(tuple(x))

    lower, upper = np.asarray(box.lower), np.asarray(box.upper)
    inside = np.clip(at, lower + 1e-12 * (upper - lower), upper - 1e-12 * (upper - lower))
    tight = {"ftol": 1e-14, "xtol": 1e-12, "gtol": 1e-15, "max_nfev": 100}  # below is rounding
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


# ---- what is said about it


def estimated(posed: AbstractPosed, ends: Ends, at) -> tuple[Estimates, Float[np.ndarray, " residual"]]:
    """Values with errors, and what the data are missed by, with the weights that were given."""
    parameters, is_log = posed.unknowns.parameters, posed.unknowns.is_log
    missed, by = (np.asarray(part) for part in linearised(posed.problem, jnp.asarray(at)))
    cost = float(missed @ missed)
    residual, jacobian = (np.asarray(part) for part in linearised(posed.plain.problem, jnp.asarray(at)))
    data = len(residual) - len(at)
    chi_squared = float(residual[:data] @ residual[:data])
    jacobian = np.concatenate([jacobian[:data] / posed.noise, jacobian[data:]])
    scale = posed.spread(residual[:data])
    lower, upper = np.asarray(posed.unknowns.box.lower), np.asarray(posed.unknowns.box.upper)
    width = upper - lower
    on_bound = np.minimum(at - lower, upper - at) < ON_BOUND * width
    values = posed.unknowns.values(at)
    spread = np.where(is_log, 1.0, width)
    side = np.where(on_bound, np.where(at - lower < upper - at, -1, 1), 0)
    found = identify(parameters, values, jacobian, spread, side, by.T @ missed, scale)
    slope = np.where(is_log, values, 1.0)
    nil = posed.rounding
    estimates = Estimates(
        posed=posed,
        weighting=posed.weighting,
        parameters=parameters,
        values=values,
        covariance=found.covariance * np.outer(slope, slope),
        correlation=found.correlation,
        chi_squared=chi_squared,
        dof=posed.dof,
        at_bound=tuple(bool(flag) for flag in on_bound),
        undetermined=(*found.sentences, *further(posed, ends, at, found, on_bound)),
        limits=found.limits,
        information=found.information,
        start_costs=ends.cost,
        start_codes=ends.codes,
        starts_at_best=int(np.sum(ends.converged & (ends.cost <= cost * (1 + 1e-4) + nil))),
        elsewhere=tuple(elsewhere(posed, at, cost + nil, ends)),
    )
    return estimates, residual[:data]


def _member(posed: Posed, whole: Estimates, k: int, values) -> FitResult:
    """One spectrum of a series with its parameters, whose errors follow from those of the series."""
    problem, spectrum = posed.problem, posed.spectra[k]
    parameters = posed.model.parameters
    is_log = np.array([parameter.scale == "log" for parameter in parameters])
    slope = np.where(is_log, values, 1.0)
    inner = np.where(posed.unknowns.is_log, whole.values, 1.0)
    rows = np.asarray(problem.rows[k])
    known = np.nan_to_num(whole.covariance / np.outer(inner, inner), nan=0.0, posinf=0.0)
    covariance = rows @ known @ rows.T
    lost = np.any((rows != 0) & np.isinf(np.diag(whole.covariance)), axis=1)
    held = np.all((rows == 0) | np.array(whole.at_bound), axis=1)
    deviation = np.sqrt(np.diag(covariance))
    safe = np.where(deviation > 0, deviation, 1.0)
    correlation = covariance / np.outer(safe, safe)
    correlation[np.diag_indices_from(correlation)] = 1.0
    covariance = covariance * np.outer(slope, slope)
    covariance[np.diag_indices_from(covariance)] = np.where(lost, np.inf, np.where(held, np.nan, np.diag(covariance)))
    plain = Posed(posed.model, (spectrum,), posed.weighting, unknowns(posed.model, [spectrum], {}), smooth=posed.smooth)
    residual = np.asarray(linearised(plain.problem, jnp.asarray(plain.unknowns.inner(values)))[0])[: -len(values)]
    return FitResult(
        posed=plain,
        weighting=posed.weighting,
        parameters=parameters,
        values=values,
        covariance=covariance,
        correlation=correlation,
        chi_squared=float(residual @ residual),
        dof=plain.dof,
        at_bound=tuple(bool(flag) for flag in held),
        model=posed.model,
        spectrum=spectrum,
        impedance=_impedances(plain.problem, (spectrum,), residual)[0],
    )


def _impedances(problem: Problem, spectra, residual) -> list[np.ndarray]:
    """The fitted impedance [ohm] of every spectrum, from what its points are missed by."""
    missed = residual.reshape(len(spectra), 2, -1)
    return [
        one.impedance + (own[0] + 1j * own[1])[: len(one)] / np.asarray(weight)[: len(one)]
        for one, own, weight in zip(spectra, missed, problem.data.weight, strict=True)
    ]


def _at(estimates: Estimates) -> Float[np.ndarray, " unknown"]:
    return estimates.posed.unknowns.inner(estimates.values)


def fields_of(estimates: Estimates) -> dict:
    return dict(vars(estimates))
