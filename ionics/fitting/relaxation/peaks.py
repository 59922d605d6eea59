"""Peaks of a distribution of relaxation times: where they are, what they sum to, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

PROMINENCE = 0.03  # in ln(gamma): what rises less above its valleys is no peak
FLOOR = 1e-3  # of |Z|: gamma below it is as good as none
SURE = 1.0  # standard deviations that a valley between two peaks is deep
TELLING = 2.0  # standard deviations that the resistance of a peak is above zero
SHARE = 0.02  # of |Z| at its frequency: what holds less resistance is no peak


@dataclass(frozen=True)
class Peak:
    """One process: the part of the distribution between two valleys. Errors are standard deviations."""

    resistance: float  # ohm
    resistance_error: float
    time_constant: float  # s, at the maximum
    time_constant_error: float
    capacitance: float  # F, time constant over resistance
    capacitance_error: float
    valleys: tuple[float, float]  # s

    @property
    def frequency(self) -> float:
        """Hz, 1 / (2 pi tau)."""
        return 1 / (2 * np.pi * self.time_constant)


def find_peaks(
    tau: Float[np.ndarray, " relaxation"],
    gamma: Float[np.ndarray, " relaxation"],
    samples: Float[np.ndarray, "relaxation sample"],
    size: Float[np.ndarray, " relaxation"],
    last: int,
) -> tuple[Peak, ...]:
    """The peaks of gamma [ohm] over tau [s], from the fastest, with errors from the samples of the posterior.

    size: |Z| [ohm] at omega = 1 / tau, with which gamma is compared: beside a blocking end of megaohms an arc of
    kiloohms is a peak. last: summits from this index on are none.

    The resistance is the integral over ln tau from valley to valley. The valleys are those of gamma for every
    sample.
    """
    step = np.log(tau[1] / tau[0])
    tops = _sure(_tops(np.log(gamma + FLOOR * size)), gamma, samples)
    edges = [
        0,
        *(a + int(np.argmin(gamma[a : b + 1])) for a, b in pairwise(tops)),
        len(tau),
    ]
    peaks = []
    for low, high in pairwise(edges):
        resistance = step * gamma[low:high].sum()
        top = low + int(np.argmax(gamma[low:high]))
        if len(tops) and top < last and resistance > SHARE * size[top]:
            own = samples[low:high]
            peaks.append(_peak(tau, low, high, gamma, resistance, step * own.sum(axis=0), own))
    return tuple(peak for peak in peaks if peak.resistance > TELLING * peak.resistance_error)


def _tops(height) -> Int[np.ndarray, " peak"]:
    """Local maxima that rise above the valleys on both sides; the ends count as valleys."""
    from scipy.signal import find_peaks  # slow to import

    padded = np.concatenate([[height.min() - 1], height, [height.min() - 1]])
    return find_peaks(padded, prominence=PROMINENCE)[0] - 1


def _sure(tops, gamma, samples):
    """Without those tops whose valley towards a higher neighbour may be none, the shallowest first."""
    tops = list(tops)
    gamma, samples = _averaged(gamma[:, None])[:, 0], _averaged(samples)
    while len(tops) > 1:
        rows = []
        for a, b in pairwise(tops):
            lesser, valley = min(a, b, key=lambda k: gamma[k]), a + int(np.argmin(gamma[a : b + 1]))
            depth = samples[lesser] - samples[valley]
            rows.append(((gamma[lesser] - gamma[valley]) / max(np.std(depth), np.finfo(float).tiny), lesser))
        depth, lesser = min(rows)
        if depth > SURE:
            break
        tops.remove(lesser)
    return tops


def _averaged(columns):
    """Each point with its neighbours: single points of a sample say little about how deep a valley is."""
    padded = np.concatenate([columns[:1], columns, columns[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def _peak(tau, low, high, gamma, resistance, resistances, own):
    log = np.log(tau)
    at = _summit(log[low:high], gamma[low:high])
    places = np.array([_summit(log[low:high], column) for column in own.T])
    error = np.std(places)
    capacitance = np.exp(at) / resistance
    shares = np.log(np.maximum(resistances, 1e-6 * resistance))
    return Peak(
        resistance=float(resistance),
        resistance_error=float(np.std(resistances)),
        time_constant=float(np.exp(at)),
        time_constant_error=float(np.exp(at) * error),
        capacitance=float(capacitance),
        capacitance_error=float(capacitance * np.std(places - shares)),
        valleys=(float(tau[low]), float(tau[high - 1])),
    )


def _summit(x, y):
    """Where a parabola through the highest point and its neighbours has its top."""
    k = int(np.argmax(y))
    if not 0 < k < len(y) - 1:
        return x[k]
    bend = y[k - 1] - 2 * y[k] + y[k + 1]
    shift = 0.5 * (y[k - 1] - y[k + 1]) / bend if bend < 0 else 0.0
    return x[k] + shift * (x[1] - x[0])
