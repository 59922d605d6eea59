"""Smooth non-negative distributions behind linear data: evidence, optimum, samples. Many problems at once.

    b = A gamma + B c + noise,    gamma >= 0, c >= 0

gamma lives on a grid and is smooth: its prior is Gaussian with precision D^T D / s^2, D the first differences
(gamma vanishes beyond the grid), c has no prior to speak of. What decides about smoothness and about which
columns B holds is the evidence, the probability of the data with gamma and c integrated out
(MacKay, Neural Computation 4 (1992) 415), here without the bounds, for which it is a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

STRENGTHS = np.logspace(-12, 4, 65)  # lambda = (noise / s)^2, relative to the largest singular value squared
ROUNDS, RELAX = 400, 1.6
ALONE = 2**18  # multiplications up to which OpenBLAS does not divide a product among cores
CHECK, SETTLED = 25, 0.03  # rounds between looks; change in them, of the spread of the samples, that ends it


def roughness(points: int, step: float) -> Float[np.ndarray, "row point"]:
    """First derivative on a grid of that step, of a function that is zero beyond it; its square integrates.

    A prior on the second derivative is too sure of itself: bands that should hold 95 % of a known distribution
    then held 85 %, and 72 % on the peaks; with the first they hold 98 % and 95 %.
    """
    outside = np.zeros((points + 1, points))
    outside[np.arange(points), np.arange(points)] = 1.0
    outside[np.arange(points) + 1, np.arange(points)] = -1.0
    return outside / step**0.5


@dataclass(frozen=True, eq=False)
class Whitened:
    """Singular values and vectors of A in coordinates in which the prior is white."""

    left: Float[np.ndarray, "spectrum row value"]
    values: Float[np.ndarray, "spectrum value"]

    @property
    def strengths(self) -> Float[np.ndarray, "spectrum strength"]:
        return STRENGTHS * self.values[:, :1] ** 2


def whiten(a: Float[np.ndarray, "spectrum row point"], rough: Float[np.ndarray, "other point"]) -> Whitened:
    """A times the inverse root of D^T D, decomposed."""
    root = np.linalg.cholesky(rough.T @ rough)  # lower: D^T D = root root^T
    left, values, _ = np.linalg.svd(np.linalg.solve(root, np.swapaxes(a, -1, -2)).swapaxes(-1, -2), full_matrices=False)
    return Whitened(left, values)


def evidence(
    white: Whitened,
    b: Float[np.ndarray, "spectrum row"],
    extra: Float[np.ndarray, "spectrum row column"],
    known: bool,
) -> tuple[Float[np.ndarray, "spectrum strength"], Float[np.ndarray, "spectrum strength"]]:
    """Log evidence and variance of the noise, for every strength.

    extra: B. Its coefficients have a unit-information prior (Kass and Wasserman, J. Am. Stat. Assoc. 90 (1995)
    928), so that problems with different B may be compared. known: the noise has variance 1
    (the one found is returned all the same).
    """
    rows, columns = b.shape[-1], extra.shape[-1]
    size = np.sqrt(rows / np.sum(extra**2, axis=-2, keepdims=True))
    right = np.concatenate([b[..., None], extra * size], axis=-1)
    inner = np.einsum("snk,snp->skp", white.left, right)
    square = white.values[:, None, :] ** 2
    shrunk = square / (square + white.strengths[..., None])  # (spectrum, strength, value)
    whole = np.einsum("snp,snq->spq", right, right)
    gram = whole[:, None] - np.einsum("slk,skp,skq->slpq", shrunk, inner, inner, optimize=True)
    bb, xb, xx = gram[..., 0, 0], gram[..., 1:, 0], gram[..., 1:, 1:]
    _, volume = np.linalg.slogdet(xx)
    misfit = bb - np.sum(xb * np.linalg.solve(xx, xb[..., None])[..., 0], axis=-1)
    misfit = np.maximum(misfit, 1e-24 * bb)
    complexity = -np.sum(np.log1p(-shrunk), axis=-1) + volume + columns
    found = misfit / (rows - columns)
    if known:
        return -0.5 * (misfit + complexity), found
    return -0.5 * (rows * np.log(misfit) + complexity), found


def optimum(
    stacked: Float[np.ndarray, "row column"], target: Float[np.ndarray, " row"]
) -> Float[np.ndarray, " column"]:
    """Least squares with non-negative unknowns (Lawson and Hanson 1974)."""
    from scipy.optimize import nnls  # slow to import

    scale = np.linalg.norm(stacked, axis=0)
    return nnls(stacked / scale, target, maxiter=30 * stacked.shape[1])[0] / scale


def samples(
    stacked: Float[np.ndarray, "spectrum row column"],
    target: Float[np.ndarray, "spectrum row"],
    noise: Float[np.ndarray, " spectrum"],
    start: Float[np.ndarray, "spectrum column"],
    number: int,
    seed: int,
) -> Float[np.ndarray, "spectrum column sample"]:
    """Draws from the posterior: optima of randomised problems, each non-negative least squares.

    Every row of data and prior gets its own noise (randomise then optimise: Bardsley, Solonen, Haario, Laine,
    SIAM J. Sci. Comput. 36 (2014) A1895; with bounds Bardsley and Fox, Inverse Probl. Sci. Eng. 20 (2012) 477).
    All are solved together by the alternating direction method of multipliers with one factorisation a problem.
    """
    rng = np.random.default_rng(seed)
    scale = np.linalg.norm(stacked, axis=1)
    columns = stacked / scale[:, None, :]
    shaken = target[..., None] + noise[:, None, None] * rng.standard_normal((*target.shape, number))
    gram = np.swapaxes(columns, -1, -2) @ columns
    values, vectors = np.linalg.eigh(gram)
    rho = np.sqrt(np.maximum(values[:, 0], 1e-6 * values[:, -1]) * values[:, -1])[:, None, None]
    inverse = (vectors / (values[:, None, :] + rho)) @ np.swapaxes(vectors, -1, -2)
    goal = _blocks(np.swapaxes(columns, -1, -2) @ shaken)
    inverse, rho = inverse[:, None], rho[:, None]
    inside = np.broadcast_to((start * scale)[:, None, :, None], goal.shape)
    dual, before = np.zeros_like(goal), inside
    for turn in range(1, ROUNDS + 1):
        free = inverse @ (goal + rho * (inside - dual))
        mixed = RELAX * free + (1 - RELAX) * inside + dual
        inside = np.maximum(mixed, 0)
        dual = mixed - inside
        if turn % CHECK == 0:
            spread = np.std(inside, axis=(1, 3)) + SETTLED * np.mean(inside, axis=(1, 3))
            change = np.mean((inside - before) ** 2, axis=(1, 2, 3)) / np.mean(spread**2, axis=1)
            if np.sqrt(change.max()) < SETTLED:
                break
            before = inside
    return np.swapaxes(inside, 1, 2).reshape(*start.shape, -1)[..., :number] / scale[..., None]


def _blocks(right):
    """Columns in blocks of a size that BLAS multiplies on one core: no slower, and far faster on a busy machine."""
    rows, number = right.shape[1:]
    width = max(1, min(number, ALONE // rows**2))
    padded = np.pad(right, ((0, 0), (0, 0), (0, -number % width)), mode="edge")
    return np.ascontiguousarray(np.swapaxes(padded.reshape(len(right), rows, -1, width), 1, 2))
