"""Which part of its electrodes a full cell uses: capacities and windows from a slow discharge.

A cell at rest has V = U_p(x_p) - U_n(x_n); a discharge of q fills the positive electrode, x_p = x_p0 + q/Q_p, and
empties the negative one, x_n = x_n0 - q/Q_n. Four numbers, then, place the two half-cell curves under the curve of the
cell: Honkura et al., J. Power Sources 196 (2011) 10141; Dubarry, Truchot and Liaw, ibid. 219 (2012) 204. Charge is in
any unit (C, Ah, C m-2), the same throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.fitting.full_cell import FullCell, HalfCell, Stoichiometries
from ionics.fitting.spectrum import DataError
from ionics.transport.statistics import Measured

ENDS = ("positive at start", "positive at end", "negative at start", "negative at end")
CAPACITIES = ("positive capacity", "negative capacity")
EMPTY = 1e-6  # as near to empty and full as a search goes
LOOSE = 0.05  # of an electrode: a standard error above it is not knowing
NOTHING = 1e-10  # singular values below this share of the largest are rounding
PART = 0.2  # components below this share of the largest are left out of a sentence
TRIED, FEW, THINNED = 400, 60, 400  # random windows, points that compare them, points that searches follow
SAME, NEARLY = 0.01, 1.1  # windows closer than this are one; rms within this factor of the best is told
Windows = Float[Array, " end"]


@dataclass(frozen=True, eq=False)
class Balance:
    """Windows of both electrodes, and how well the discharge determines them."""

    charge: float  # from the first to the last point
    positive: Measured
    negative: Measured
    temperature: float
    windows: Float[np.ndarray, " end"]  # ENDS
    covariance: Float[np.ndarray, "end end"]  # of the windows, infinite where nothing is known
    residual: Float[np.ndarray, " point"]  # V, computed less measured
    correlation: float  # points over which the residuals keep their sign
    known_noise: bool
    undetermined: tuple[str, ...]
    elsewhere: tuple[str, ...]  # other windows that fit nearly as well

    @property
    def rms(self) -> float:
        """Root mean square of the residual [V]."""
        return float(np.sqrt(np.mean(self.residual**2)))

    @property
    def cell(self) -> FullCell:
        """The two electrodes with the lithium they share."""
        filling = Stoichiometries(float(self.windows[0]), float(self.windows[2]))
        electrodes = (HalfCell(self.positive, self[CAPACITIES[0]]), HalfCell(self.negative, self[CAPACITIES[1]]))
        return FullCell.as_made(*electrodes, filling, self.temperature)

    def __getitem__(self, name: str) -> float:
        value = self._estimate(name)[0]
        return self.charge / value if name in CAPACITIES else value

    def error(self, name: str) -> float:
        """Standard error of a filling or a capacity."""
        value, error = self._estimate(name)
        return self.charge / value**2 * error if name in CAPACITIES else error

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval: symmetric in fillings, up to empty and full; of a capacity by the share used."""
        from scipy.stats import norm, t

        independent = max(len(self.residual) / self.correlation - len(ENDS), 1.0)
        value, error = self._estimate(name)
        far = float((norm.ppf((1 + level) / 2) if self.known_noise else t.ppf((1 + level) / 2, independent)) * error)
        if name in CAPACITIES:
            return self.charge / (value + far), self.charge / (value - far) if far < value else np.inf
        return max(value - far, 0.0), min(value + far, 1.0)

    def _estimate(self, name: str) -> tuple[float, float]:
        """A filling, or the share of an electrode that was used, and its standard error."""
        if name not in (*ENDS, *CAPACITIES):
            raise KeyError(f"no estimate '{name}'; there are {', '.join((*ENDS, *CAPACITIES))}")
        if name in ENDS:
            k = ENDS.index(name)
            return float(self.windows[k]), float(np.sqrt(self.covariance[k, k]))
        i, j = (0, 1) if name == CAPACITIES[0] else (2, 3)
        with np.errstate(invalid="ignore"):
            variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        share = abs(float(self.windows[j] - self.windows[i]))
        return share, float(np.sqrt(variance)) if np.isfinite(variance) else np.inf

    def __str__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """The balance as text."""
        width = max(map(len, (*ENDS, *CAPACITIES)))
        lines = [
            f"rms {1e3 * self.rms:.3g} mV over {len(self.residual)} points, residuals alike over {self.correlation:.3g}"
        ]
        for name in (*CAPACITIES, *ENDS):
            low, high = self.interval(name)
            lines.append(f"{name:<{width}}  {self[name]:.5g}  ({low:.5g} to {high:.5g}, 95 %)")
        return "\n".join([*lines, *self.undetermined, *self.elsewhere])


def balance(
    charge: Float[np.ndarray, " point"],
    voltage: Float[np.ndarray, " point"],
    positive: Measured,
    negative: Measured,
    *,
    temperature: float = 298.15,
    overpotential: float = 0.0,
    sigma: float | None = None,
    starts: int = 16,
    seed: int = 0,
) -> Balance:
    """Place two half-cell curves under a slow discharge by least squares.

    charge: drawn, rising; voltage [V]: of the cell; overpotential [V]: what the current costs, where it is known;
    sigma [V]: of independent errors of the voltage, None to take them from the misfit.

    Unknown are the fillings at the first and the last point, each between empty and full; the capacities follow from
    the charge between. The search begins at the best `starts` of many random windows; SciPy's trust-region method with
    the exact Jacobian ends it.

    Covariance without a sigma: s^2 tau (J^T J)^-1, with tau the points over which the residuals keep alike. Half-cell
    curves of another sample leave a misfit that is no noise: counting every second of a discharge as an observation
    would make errors far too small. Errors of the half-cell curves, and a wrong overpotential, are not in it otherwise.

    Raises DataError for data that are no discharge, or that no window of these curves follows.
    """
    share, total = _share(charge, voltage)
    data = jnp.asarray(share), jnp.asarray(np.asarray(voltage, dtype=float) + overpotential)
    curves = positive, negative, jnp.asarray(float(temperature))
    ends = _search(data, curves, starts, seed)
    best = _polish(ends[0], data, curves)
    residual, jacobian = np.asarray(_residual(best, *data, *curves)), np.asarray(_jacobian(best, *data, *curves))
    correlation = 1.0 if sigma is not None else _correlation(residual)
    scale = sigma**2 if sigma is not None else residual @ residual / (len(residual) - len(ENDS)) * correlation
    covariance, told = _determined(np.asarray(best), jacobian, float(scale))
    others = tuple(_elsewhere(best, ends[1:], data, curves, float(np.sqrt(np.mean(residual**2)))))
    return Balance(
        total, positive, negative, float(temperature), np.asarray(best), covariance, residual, float(correlation),
        sigma is not None, told, others,
    )  # fmt: skip


def _share(charge, voltage) -> tuple[Float[np.ndarray, " point"], float]:
    """The charge from 0 at the first to 1 at the last point, and the charge between."""
    q, v = np.asarray(charge, dtype=float), np.asarray(voltage, dtype=float)
    if q.ndim != 1 or q.shape != v.shape or len(q) < 2 * len(ENDS):
        raise DataError(
            f"charge {q.shape} and voltage {v.shape}: columns of one length, at least {2 * len(ENDS)} points"
        )
    if not (np.isfinite(q).all() and np.isfinite(v).all()):
        raise DataError("charge and voltage hold a number that is not finite; leave the point out")
    back = np.flatnonzero(np.diff(q) < 0)
    if len(back) or q[-1] <= q[0]:
        where = f" at point {back[0] + 2}" if len(back) else ""
        raise DataError(f"the charge does not rise{where}; give the charge drawn in one discharge")
    if np.polyfit(q - q[0], v, 1)[0] >= 0:
        raise DataError(
            "the voltage rises with the charge drawn; give a discharge, or a charge from its end to its beginning"
        )
    return (q - q[0]) / (q[-1] - q[0]), float(q[-1] - q[0])


@eqx.filter_jit
def _residual(windows: Windows, share, voltage, positive: Measured, negative: Measured, temperature):
    """Voltage at rest less that of the data [V]."""
    return _at_rest(windows, share, positive, negative, temperature) - voltage


def _at_rest(windows, share, positive, negative, temperature):
    x_p = windows[0] + (windows[1] - windows[0]) * share
    x_n = windows[2] + (windows[3] - windows[2]) * share
    u_p, u_n = jnp.log(x_p) - jnp.log1p(-x_p), jnp.log(x_n) - jnp.log1p(-x_n)
    return positive.open_circuit(u_p, temperature) - negative.open_circuit(u_n, temperature)


@eqx.filter_jit
def _jacobian(windows: Windows, share, voltage, positive: Measured, negative: Measured, temperature):
    return jax.jacfwd(_at_rest)(windows, share, positive, negative, temperature)


@eqx.filter_jit
def _costs(windows: Float[Array, "window end"], share, voltage, positive: Measured, negative: Measured, temperature):
    return jax.vmap(lambda one: jnp.mean((_at_rest(one, share, positive, negative, temperature) - voltage) ** 2))(
        windows
    )


def _search(data, curves, starts: int, seed: int) -> list[Float[np.ndarray, " end"]]:
    """Where searches end on a few of the points, the best first."""
    few, thin = _thinned(data, FEW), _thinned(data, THINNED)
    tried = np.random.default_rng(seed).uniform(EMPTY, 1 - EMPTY, (TRIED, 4))
    tried[:, :2], tried[:, 2:] = np.sort(tried[:, :2], axis=1), -np.sort(-tried[:, 2:], axis=1)
    costs = np.asarray(_costs(jnp.asarray(tried), *few, *curves))
    ends = [_polish(tried[k], thin, curves) for k in np.argsort(costs)[:starts]]
    ends = [end for end in ends if end[0] < end[1] and end[3] < end[2]]
    if not ends:
        raise DataError("no window of these half-cell curves falls as the voltage does; exchange the electrodes?")
    order = np.argsort(np.asarray(_costs(jnp.asarray(np.array(ends)), *thin, *curves)))
    return [ends[k] for k in order]


def _thinned(data, points: int):
    chosen = np.unique(np.linspace(0, len(data[0]) - 1, points).astype(int))
    return tuple(column[chosen] for column in data)


def _polish(start, data, curves) -> Float[np.ndarray, " end"]:
    from scipy.optimize import least_squares

    bounds, tight = (EMPTY, 1 - EMPTY), dict.fromkeys(("xtol", "ftol", "gtol"), 1e-12)
    return least_squares(
        lambda x: np.asarray(_residual(jnp.asarray(x), *data, *curves)),
        np.clip(start, 2 * EMPTY, 1 - 2 * EMPTY),
        lambda x: np.asarray(_jacobian(jnp.asarray(x), *data, *curves)),
        bounds,
        x_scale="jac",
        **tight,
    ).x


def _correlation(residual) -> float:
    """Points over which a residual keeps alike, (1 + rho)/(1 - rho) of a decay that has the same half-life; at least 1.

    A fit takes the slowest parts out of the residual, as many as it has unknowns. What they would have added to the
    correlation, 4 tau/n, is put back once: with errors of known correlation, intervals then hold what they say.
    """
    products = np.fft.irfft(np.abs(np.fft.rfft(residual, 2 * len(residual))) ** 2)[: len(residual)]
    if products[0] <= 0:
        return 1.0
    alike = products / products[0]
    lag = int(np.argmax(alike < 0.5))
    points = 1.0
    for _ in range(2):
        taken = min(len(ENDS) * points / len(residual), 0.5)
        rho = alike[lag] * (1 - taken) + (taken if points > 1 else 0.0)
        points = 1.0 if rho <= 0 else max(1.0, 1 / np.tanh(-0.5 * np.log(rho) / lag))
    return float(points)


def _determined(best, jacobian, scale: float) -> tuple[Float[np.ndarray, "end end"], tuple[str, ...]]:
    """Covariance, and sentences about what the data leave open."""
    held = (best < 10 * EMPTY) | (best > 1 - 10 * EMPTY)
    free = np.flatnonzero(~held)
    covariance = np.diag(np.where(held, np.inf, 0.0))
    told = [f"{ENDS[k]} runs to {'empty' if best[k] < 0.5 else 'full'}: it has no error" for k in np.flatnonzero(held)]
    _, singular, directions = np.linalg.svd(jacobian[:, free], full_matrices=False)
    known = singular > NOTHING * max(singular.max(initial=0.0), 1e-300)
    variance = np.where(known, scale / np.where(known, singular, 1.0) ** 2, np.inf)
    inner = (directions[known].T * variance[known]) @ directions[known]
    lost = np.any(np.abs(directions[~known]) > 1e-6, axis=0)
    inner[np.ix_(lost, lost)] = np.where(np.eye(lost.sum()) > 0, np.inf, inner[np.ix_(lost, lost)])
    covariance[np.ix_(free, free)] = inner
    for row, size in zip(directions, variance, strict=True):
        if size > LOOSE**2:
            members = [ENDS[free[k]] for k in np.flatnonzero(np.abs(row) > PART * np.abs(row).max())]
            if len(members) > 1:
                how = "are not determined: they can change together and leave the voltage as it is"
            elif np.isfinite(size):
                how = f"is not determined: its standard error is {np.sqrt(size):.2g}"
            else:
                how = "is not determined: the voltage does not depend on it"
            told.append(f"{' and '.join(members)} {how}")
    return covariance, tuple(told)


def _elsewhere(best, ends, data, curves, rms: float) -> Iterator[str]:
    """Other ends of the search that fit nearly as well."""
    seen = [best]
    for end in ends:
        if min(np.abs(end - one).max() for one in seen) < SAME:
            continue
        seen.append(end)
        size = float(np.sqrt(np.mean(np.asarray(_residual(jnp.asarray(end), *data, *curves)) ** 2)))
        if size < NEARLY * rms:
            listed = ", ".join(f"{name} {value:.3g}" for name, value in zip(ENDS, end, strict=True))
            yield f"nearly as good (rms {1e3 * size:.3g} mV): {listed}"
