"""The statistics of the linear Kramers-Kronig test, for many spectra on one frequency grid at once.

One chain of RC elements has to describe real and imaginary part together (p_c coefficients); two independent
ones, with the same time constants, describe each part by itself (p_u coefficients). Both are linear least
squares. If the parts belong together, what the second wins is noise, and

    F = (S_c - S_u) / (p_u - p_c) / (S_u / (n - p_u))

follows Fisher's distribution with p_u - p_c and n - p_u degrees of freedom (analysis of variance; Seber and Lee,
Linear Regression Analysis, 2003, section 4.3): the size of the noise need not be known, and the share of good
spectra that fail is what one asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from ionics.fitting.checks.chains import relaxations, time_constants

PER_DECADE = (0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5)  # time constants: more than 3 add nothing but noise
SEARCH = 2.5  # time constants a decade while outliers are looked for
RIDGE = 1e-8  # of a column: keeps coefficients finite where columns are alike
SHARE = 0.1  # of the points may be outliers
REPRESENTATIONS = ("impedance", "admittance")


@dataclass(frozen=True, eq=False)
class Consistency:
    """Fits of one shared chain and of one chain for each part; the first axis is the spectrum."""

    representation: Int[np.ndarray, " spectrum"]  # index into REPRESENTATIONS
    order: Int[np.ndarray, " spectrum"]  # relaxations in the chain
    p_value: Float[np.ndarray, " spectrum"]  # of the F test
    noise: Float[np.ndarray, " spectrum"]  # standard deviation of Re and of Im, in units of sigma
    shared: Complex[np.ndarray, "spectrum frequency"]  # ohm
    separate: Complex[np.ndarray, "spectrum frequency"]  # ohm
    size: Float[np.ndarray, "spectrum frequency"]  # of the shared residual in robust standard deviations
    keep: Bool[np.ndarray, "spectrum frequency"]

    def update(self, rows: Bool[np.ndarray, " spectrum"], other: Consistency) -> None:
        """Take over the rows of another."""
        for name, own in vars(self).items():
            own[rows] = getattr(other, name)


def analyse(
    frequency: Float[np.ndarray, " frequency"],
    impedance: Complex[np.ndarray, "spectrum frequency"],
    sigma: Float[np.ndarray, "spectrum frequency"],
    keep: Bool[np.ndarray, "spectrum frequency"],
) -> Consistency:
    """The best chain of each spectrum: of all orders and both representations that with the least AICc.

    sigma [ohm]: up to a factor. Akaike's criterion, corrected for few points (Hurvich and Tsai, Biometrika 76
    (1989) 297), weighs the misfit of the shared chain against its p_c coefficients.
    """
    best = None
    for representation in range(len(REPRESENTATIONS)):
        for per_decade in PER_DECADE:
            if (fit := _fit(frequency, impedance, sigma, keep, representation, per_decade)) is None:
                break
            found, criterion = fit
            if best is None:
                best, least = found, criterion
                continue
            better = criterion < least
            best.update(better, _rows(found, better))
            least = np.where(better, criterion, least)
    if best is None:
        raise ValueError(f"{keep.sum(axis=-1).min()} points are too few for a chain of RC elements")
    return best


def outliers(
    frequency: Float[np.ndarray, " frequency"],
    impedance: Complex[np.ndarray, "spectrum frequency"],
    sigma: Float[np.ndarray, "spectrum frequency"],
    limit: float,
) -> Bool[np.ndarray, "spectrum frequency"]:
    """Which points to keep: the worst one goes as long as it is off by more than `limit` standard deviations.

    A point's size is its deletion residual, e^T (I - H)^-1 e of its two components, over the median absolute
    deviation of all; never more than a tenth of the points go.
    """
    keep = np.ones(impedance.shape, dtype=bool)
    active = np.ones(len(impedance), dtype=bool)
    for _ in range(int(SHARE * len(frequency))):
        chains = [
            fit
            for representation in (0, 1)
            if (fit := _fit(frequency, impedance[active], sigma[active], keep[active], representation, SEARCH))
        ]
        if not chains:
            break
        first = chains[0][0]
        for found, criterion in chains[1:]:
            better = criterion < chains[0][1]
            first.update(better, _rows(found, better))
        size = np.where(keep[active], first.size, 0)
        worst = np.argmax(size, axis=-1)
        bad = size[np.arange(len(size)), worst] > limit
        index = np.flatnonzero(active)[bad]
        keep[index, worst[bad]] = False
        active = np.zeros_like(active)
        active[index] = True
        if not len(index):
            break
    return keep


def _rows(found, rows):
    return Consistency(*(value[rows] for value in vars(found).values()))


def _fit(frequency, impedance, sigma, keep, representation, per_decade):
    """The fits with one set of time constants and their AICc; None where there are too few points."""
    tau = time_constants(frequency, per_decade)
    order, points = len(tau), keep.sum(axis=-1)
    shared_count, separate_count = order + 3, 2 * order + 3
    if order + 3 > 0.75 * points.min() or 2 * points.min() - separate_count < 6:
        return None
    target = 1 / impedance if representation else impedance
    weight = abs(impedance) ** 2 / sigma if representation else 1 / sigma
    omega = 2 * np.pi * frequency
    chain, one, none = relaxations(frequency, tau), np.ones((len(omega), 1)), np.zeros((len(omega), 2))
    real = np.hstack([one, none, np.real(chain)])
    imaginary = np.hstack([0 * one, (omega / omega.max())[:, None], -(omega.min() / omega)[:, None], np.imag(chain)])
    both = _project(
        np.vstack([real, imaginary]), np.hstack([np.real(target), np.imag(target)]), _twice(weight), _twice(keep)
    )
    of_real = _project(real[:, [0, *range(3, order + 3)]], np.real(target), weight, keep)
    of_imaginary = _project(imaginary[:, 1:], np.imag(target), weight, keep)
    count = 2 * points
    shared_sum, separate_sum = both.cost, of_real.cost + of_imaginary.cost
    variance = separate_sum / (count - separate_count)
    tiny = np.finfo(float).tiny
    ratio = np.maximum(shared_sum - separate_sum, 0) / order / np.maximum(variance, tiny)
    n = len(frequency)
    shared = both.fitted[:, :n] + 1j * both.fitted[:, n:]
    separate = of_real.fitted + 1j * of_imaginary.fitted
    found = Consistency(
        representation=np.full(len(impedance), representation),
        order=np.full(len(impedance), order),
        p_value=_fisher(ratio, order, count - separate_count),
        noise=np.sqrt(variance),
        shared=1 / shared if representation else shared,
        separate=1 / separate if representation else separate,
        size=_sizes(both, keep),
        keep=keep.copy(),
    )
    spare = count - shared_count - 1
    criterion = count * np.log(np.maximum(shared_sum, tiny) / count) + 2 * shared_count * count / spare
    return found, criterion


@dataclass(frozen=True, eq=False)
class _Projection:
    fitted: np.ndarray  # (spectrum, row)
    residual: np.ndarray  # weighted
    reach: np.ndarray  # (spectrum, row, column): weighted rows times R^-1; their products are the hat matrix
    cost: np.ndarray  # sum of squares over the rows kept


def _project(columns, target, weight, keep):
    """Weighted linear least squares, a spectrum a problem; rows that are not kept are predicted."""
    scale = np.sqrt(np.sum((columns * (weight * keep)[..., None]) ** 2, axis=-2))
    whole = columns * weight[..., None] / scale[:, None, :]
    width = columns.shape[1]
    ridge = np.broadcast_to(RIDGE * np.eye(width), (len(target), width, width))
    q, r = np.linalg.qr(np.concatenate([whole * keep[..., None], ridge], axis=-2))
    q = q[:, : columns.shape[0]]
    goal = target * weight
    inner = np.einsum("snp,sn->sp", q, goal * keep)
    if keep.all():
        reach = q
    else:
        reach = np.swapaxes(np.linalg.solve(np.swapaxes(r, -1, -2), np.swapaxes(whole, -1, -2)), -1, -2)
    fitted = np.einsum("snp,sp->sn", reach, inner)
    residual = goal - fitted
    return _Projection(fitted / weight, residual, reach, np.sum((residual * keep) ** 2, axis=-1))


def _sizes(fit, keep):
    """How many robust standard deviations every point lies from what the others say."""
    n = keep.shape[-1]
    a, b = fit.reach[:, :n], fit.reach[:, n:]
    sign = np.where(keep, -1.0, 1.0)
    rr = np.maximum(1 + sign * np.sum(a * a, axis=-1), 1e-3)
    ii = np.maximum(1 + sign * np.sum(b * b, axis=-1), 1e-3)
    ri = sign * np.sum(a * b, axis=-1)
    determinant = np.maximum(rr * ii - ri**2, 1e-3 * rr * ii)
    x, y = fit.residual[:, :n], fit.residual[:, n:]
    squared = (ii * x**2 - 2 * ri * x * y + rr * y**2) / determinant
    parts = np.where(_twice(keep), abs(fit.residual) / np.sqrt(np.hstack([rr, ii])), np.nan)
    spread = 1.4826 * np.nanmedian(parts, axis=-1, keepdims=True)
    return np.sqrt(np.maximum(squared, 0)) / np.maximum(spread, np.finfo(float).tiny)


def _twice(x):
    return np.concatenate([x, x], axis=-1)


def _fisher(ratio, first, second):
    """Probability that noise alone gives a larger ratio."""
    from scipy.special import fdtrc  # slow to import

    return np.asarray(fdtrc(first, second, ratio))
