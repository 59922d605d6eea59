"""Which step limits, with error bars.

The losses of every discharge at the fitted values, and what their errors make of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.cells import losses
from ionics.cells.simulate import Instant, simulate
from ionics.fitting.cells.records import Discharge
from ionics.fitting.cells.result import CellFit
from ionics.fitting.cells.states import resting
from ionics.transport.balance import Current
from ionics.transport.newton import OK
from ionics.transport.protocol import Cutoff, Step

DRAWS = 20
WIDEST = 2.0  # standard deviations of the logarithm, or quarters of the bounds: beyond, a draw says nothing


@dataclass(frozen=True, eq=False)
class Limits:
    """Losses averaged over the charge of each discharge [V]: what they are, and one standard deviation."""

    discharges: tuple[str, ...]
    current: Float[np.ndarray, " discharge"]  # A m-2
    names: tuple[str, ...]
    value: Float[np.ndarray, "discharge loss"]
    error: Float[np.ndarray, "discharge loss"]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The largest loss of each discharge, with twice its standard deviation."""
        found = []
        for k, name in enumerate(self.discharges):
            n = int(np.argmax(np.abs(self.value[k])))
            own, error = 1e3 * self.value[k, n], 1e3 * self.error[k, n]
            found.append(f"{name}: {self.names[n]} takes most, {own:.3g} ± {2 * error:.2g} mV")
        return tuple(found)


def limits(
    fit: CellFit, draws: int = DRAWS, seed: int = 0, tell: Callable[[float], None] | None = None
) -> Limits | None:
    """Of all discharges of a fit; None where there are none.

    Errors are those of `draws` sets of parameters from the normal distribution of the fit (what is not determined stays
    where it is); a set with which a discharge cannot be followed is left out.
    """
    records = [(one.name, one.record) for one in fit.fitted if isinstance(one.record, Discharge)]
    if not records:
        return None
    at = fit.posed.unknowns.inner(fit.values)
    sets = [at, *(at + _steps(fit, draws, seed))]
    rows = []
    for k, own in enumerate(sets):
        rows.append([_of(fit, own, record) for _, record in records])
        if tell is not None:
            tell((k + 1) / len(sets))
    found = np.array(rows)  # set discharge loss
    known = found[1:][np.isfinite(found[1:]).all(axis=(1, 2))]
    error = known.std(axis=0, ddof=1) if len(known) > 1 else np.full(found.shape[1:], np.nan)
    current = np.array([record.current for _, record in records])
    return Limits(tuple(name for name, _ in records), current, losses.names(fit.specimen.cell), found[0], error)


def _steps(fit: CellFit, draws: int, seed: int) -> Float[np.ndarray, "draw unknown"]:
    """From the best values, on the scale they are searched on."""
    box, is_log = fit.posed.unknowns.box, fit.posed.unknowns.is_log
    slope = np.where(is_log, fit.values, 1.0)
    spread = np.where(is_log, 1.0, np.asarray(box.upper - box.lower) / 4)
    covariance = fit.covariance / np.outer(slope, slope)
    size = np.sqrt(np.diag(covariance))
    open_ = ~np.isfinite(size) | (size > WIDEST * spread)
    covariance = np.where(open_[:, None] | open_[None], 0.0, np.nan_to_num(covariance))
    drawn = np.random.default_rng(seed).multivariate_normal(np.zeros(len(size)), covariance, draws, method="eigh")
    at = fit.posed.unknowns.inner(fit.values)
    return np.clip(at + drawn, np.asarray(box.lower), np.asarray(box.upper)) - at


def _of(fit: CellFit, at, record: Discharge) -> Float[np.ndarray, " loss"]:
    """Mean losses of one discharge with one set of values; NaN where it cannot be followed."""
    specimen = fit.posed.problem.at(jnp.asarray(at))
    cell, x = resting(specimen, jnp.asarray(record.drawn), jnp.asarray(record.temperature))
    side = "below" if record.current > 0 else "above"
    ends = () if record.cutoff is None else (Cutoff.voltage(record.cutoff, side),)
    last = None if record.cutoff is not None else float(record.time[-1])
    start = Instant(jnp.zeros(()), x, jnp.zeros(()))
    run = simulate(cell, Step(Current(record.current), last, cutoffs=ends), start, throw=False)
    if int(run.result) != OK or len(run.t) < 2:
        return np.full(len(losses.names(cell)), np.nan)
    parts = losses.history(cell, run.x[1:], run.temperature[1:]).losses
    return losses.averages(np.asarray(parts), np.asarray(run.charge[1:]))
