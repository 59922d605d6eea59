"""Optimal designs: how effort is best shared among settings of which each adds rows to a weighted Jacobian.

With M the Fisher information and A what is asked for (a column each), the covariance of the answer is K = A^T M^-1 A,
and its log det is minimised. A is the identity (D-optimal), some of its columns (those parameters, the others unknown
as well) or one gradient (c-optimal). With phi_k = tr(K^-1 A^T M^-1 M_k M^-1 A) shares are optimal exactly if no phi_k
exceeds the number of columns of A (Kiefer, Wolfowitz, Canad. J. Math. 12 (1960) 363, doi 10.4153/CJM-1960-030-4;
Pukelsheim, Optimal Design of Experiments (1993), chapter 7). Otherwise they are at least as efficient as that number
over the largest phi_k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

NOTHING = 1e-10  # singular values below this share of the largest are rounding
SEEN = 1e-6  # of a unit vector: a smaller part in a direction of no information is rounding
GONE = 1e-10  # share of a setting that is left out
STEPS, SWEEPS, CUTS = 5000, 60, 40
EVERY = 20_000  # choices that are all compared
GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)

Rows = Float[np.ndarray, "setting row parameter"]  # weighted derivatives: M_k = rows[k]^T rows[k]
Asked = Float[np.ndarray, "parameter asked"]


def whitened(
    rows: Rows, asked: Asked
) -> tuple[Float[np.ndarray, "setting row direction"], Float[np.ndarray, "direction asked"]] | None:
    """The same in unknowns of which all settings together know 1; None if they do not know what is asked for."""
    scale = np.sqrt(np.sum(rows**2, axis=(0, 1)))
    scale = 1 / np.where(scale > 0, scale, 1.0)
    _, singular, direction = np.linalg.svd((rows * scale).reshape(-1, rows.shape[-1]), full_matrices=True)
    singular = np.pad(singular, (0, rows.shape[-1] - len(singular)))
    known = singular > NOTHING * max(singular[0], 1e-300)
    along = direction @ (asked * scale[:, None])
    if np.any(np.abs(along[~known]) > SEEN * np.linalg.norm(along, axis=0)):
        return None
    basis = direction[known].T / singular[known]
    return (rows * scale) @ basis, along[known] / singular[known, None]


@dataclass(frozen=True)
class Optimum:
    """Shares of the effort, and the proof that no other shares do better."""

    shares: Float[np.ndarray, " setting"]  # of the effort; they add up to 1
    sensitivity: Float[np.ndarray, " setting"]  # phi_k over its bound: nowhere above 1 + gap, 1 where effort goes
    gap: float  # the shares are at least 1/(1 + gap) as efficient as the best
    steps: int


def optimum(rows: Rows, asked: Asked, tolerance: float = 1e-4) -> Optimum:
    """The best shares of whitened rows, certified to the tolerance.

    The multiplicative algorithm (Silvey, Titterington, Torsney, Comm. Stat. A 7 (1978) 1379; for covariances of some
    parameters Yu, Ann. Stat. 38 (2010) 1593, doi 10.1214/09-AOS758) finds the settings that matter, an exchange between
    the best and the worst of them (Boehning, Metrika 33 (1986) 337) the shares. `gap` says how far it came.
    """
    blocks = np.einsum("kri,krj->kij", rows, rows)
    bound, count = asked.shape[1], len(rows)
    power = 1.0 if bound == rows.shape[-1] else 0.5  # monotone
    shares = np.full(count, 1 / count)
    steps = 0
    for steps in range(1, STEPS + 1):
        sensitivity = _sensitivity(np.tensordot(shares, blocks, 1), rows, asked) / bound
        if sensitivity.max() < 1 + tolerance:
            break
        best = int(np.argmax(sensitivity))
        there = np.flatnonzero(shares > GONE)
        worst = int(there[np.argmin(sensitivity[there])])
        if steps % 2 and worst != best:
            shares = _exchanged(shares, blocks, asked, worst, best)
        else:
            shares = shares * sensitivity**power
            shares = np.where(shares > GONE, shares, 0.0)
            shares = shares / shares.sum()
    sensitivity = _sensitivity(np.tensordot(shares, blocks, 1), rows, asked) / bound
    return Optimum(shares, sensitivity, float(max(sensitivity.max() - 1, 0.0)), steps)


def contribution(rows: Rows, asked: Asked) -> Float[np.ndarray, " setting"]:
    """Share of each setting in what is known of the answer if every one is measured once; they add up to 1."""
    return _sensitivity(np.einsum("kri,krj->ij", rows, rows), rows, asked) / asked.shape[1]


def _sensitivity(information, rows, asked):
    """tr(K^-1 A^T M^-1 M_k M^-1 A) of every setting."""
    gain = _solved(information, asked)
    root = np.linalg.cholesky(np.linalg.inv(asked.T @ gain))
    return np.sum((rows @ (gain @ root)) ** 2, axis=(1, 2))


def _solved(information, asked):
    """M^-1 A; a direction that has all but lost its settings keeps 1e-13 of what all of them know."""
    size = information.shape[-1]
    return np.linalg.solve(information + 1e-13 * np.trace(information) / size * np.eye(size), asked)


def log_det(information: Float[np.ndarray, "*batch parameter parameter"], asked: Asked) -> Float[np.ndarray, "*batch"]:
    """log det of the covariance of what is asked for; infinite where the information does not hold it."""
    wide = np.broadcast_to(asked, (*information.shape[:-2], *asked.shape))
    size = np.trace(information, axis1=-2, axis2=-1)[..., None, None] / information.shape[-1] * np.eye(len(asked))
    sign, value = np.linalg.slogdet(np.swapaxes(wide, -1, -2) @ np.linalg.solve(information + 1e-13 * size, wide))
    return np.where(sign > 0, value, np.inf)


def _exchanged(shares, blocks, asked, worst, best):
    """The share that goes from the worst setting to the best, by golden sections."""
    base, change = np.tensordot(shares, blocks, 1), blocks[best] - blocks[worst]
    low, high = 0.0, shares[worst]
    for _ in range(CUTS):
        points = np.array([high - GOLDEN * (high - low), low + GOLDEN * (high - low)])
        a, b = log_det(base + points[:, None, None] * change, asked)
        low, high = (low, points[1]) if a < b else (points[0], high)
    move = shares[worst] if shares[worst] - high < 1e-6 * shares[worst] else 0.5 * (low + high)
    moved = shares.copy()
    moved[worst] -= move
    moved[best] += move
    return moved


# ---- so many measurements


def rounded(
    rows: Rows,
    asked: Asked,
    shares: Float[np.ndarray, " setting"],
    cost: Float[np.ndarray, " setting"],
    budget: float,
    repeats: bool,
    held: Int[np.ndarray, " setting"],
) -> Int[np.ndarray, " setting"]:
    """How often to measure each setting at a total cost: rounded shares, filled up, then exchanged one by one.

    rows: of one measurement each; shares: of the cost; repeats: whether a setting may be measured more than once;
    held: measurements that are made in any case.
    Exchange after Fedorov, Theory of Optimal Experiments (1972): what is better taken elsewhere is.
    """
    blocks = np.einsum("kri,krj->kij", rows, rows)
    more = np.floor(shares * max(budget - held @ cost, 0.0) / cost + 1e-9).astype(int)
    counts = held + (more if repeats else np.minimum(more, 1 - np.minimum(held, 1)))
    floor = 1e-9 * np.tensordot(shares / cost, blocks, 1) * budget  # before there are enough to answer at all
    information = np.tensordot(counts, blocks, 1) + floor

    def open_(left):
        return (cost <= left * (1 + 1e-9)) & (repeats | (counts < 1))

    while np.any(free := open_(budget - counts @ cost)):
        gain = log_det(information, asked) - log_det(information + blocks, asked)
        chosen = int(np.argmax(np.where(free, gain / cost, -np.inf)))
        counts[chosen] += 1
        information = information + blocks[chosen]
    for _ in range(SWEEPS):
        before = float(log_det(information, asked))
        for taken in np.flatnonzero(counts > held):
            counts[taken] -= 1
            without = information - blocks[taken]
            after = np.where(open_(budget - counts @ cost), log_det(without + blocks, asked), np.inf)
            chosen = int(np.argmin(after))
            chosen = chosen if after[chosen] < log_det(information, asked) - 1e-12 else int(taken)
            counts[chosen] += 1
            information = without + blocks[chosen]
        if before - float(log_det(information, asked)) < 1e-9:
            break
    return counts


def best_of(
    rows: Rows, asked: Asked, count: int, held: Bool[np.ndarray, " setting"]
) -> tuple[Bool[np.ndarray, " setting"], bool]:
    """The best so many settings beside those that are held, each measured once; whether every choice was compared.

    Up to EVERY choices are; of more, one is exchanged for another as in `rounded`.
    """
    free = np.flatnonzero(~held)
    if math.comb(len(free), count) > EVERY:
        shares = np.where(held, 0.0, 1 / len(free))
        once, budget = np.ones(len(held)), float(held.sum() + count)
        return (rounded(rows, asked, shares, once, budget, False, held.astype(int)) > 0) & ~held, False
    choices = np.array(list(combinations(free, count)))
    taken = np.zeros((len(choices), len(held)), bool)
    np.put_along_axis(taken, choices, True, axis=1)
    blocks = np.einsum("kri,krj->kij", rows, rows)
    floor = 1e-12 * blocks.sum(axis=0)  # where a choice cannot answer at all
    return taken[np.argmin(log_det(np.tensordot((taken | held).astype(float), blocks, 1) + floor, asked))], True
