"""Tridiagonal systems along the first axis, as many side by side as the other axes hold.

Parallel cyclic reduction: every round couples each row to rows twice as far away, after log2(n) rounds to none. No
loop over rows, so that a single cell costs a few array operations; without pivoting, for diagonally dominant matrices
(diffusion and a time step). Hockney and Jesshope, Parallel Computers (1981), section 5.4.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Inexact, Int

Rows = Inexact[Array, "row *side"]


class Factors(NamedTuple):
    """What the rounds do to a right-hand side."""

    before: tuple[Rows, ...]  # weight of the row that far above, one for each round
    after: tuple[Rows, ...]  # and below
    inverse: Rows  # of what is left of the diagonal
    negative: Int[Array, " *side"]  # how many pivots are: eigenvalues below zero, of a symmetric matrix (Sylvester)


def factorise(lower: Rows, diagonal: Rows, upper: Rows) -> Factors:
    """lower[k] couples row k to k-1, upper[k] to k+1; lower[0] and upper[-1] must be zero."""
    before, after, reach, negative = [], [], 1, 0
    while reach < len(diagonal):
        # among the rounds are those that eliminate every other row of what is left: their pivots
        negative += jnp.sum(jnp.real(diagonal[reach :: 2 * reach]) < 0, axis=0)
        above = -lower / _from_above(diagonal, reach, 1.0)
        below = -upper / _from_below(diagonal, reach, 1.0)
        diagonal = diagonal + above * _from_above(upper, reach) + below * _from_below(lower, reach)
        lower, upper = above * _from_above(lower, reach), below * _from_below(upper, reach)
        before.append(above)
        after.append(below)
        reach *= 2
    return Factors(tuple(before), tuple(after), 1 / diagonal, negative + (jnp.real(diagonal[0]) < 0))


def solve(factors: Factors, rhs: Rows) -> Rows:
    """x of the system."""
    reach = 1
    for above, below in zip(factors.before, factors.after, strict=True):
        rhs = rhs + above * _from_above(rhs, reach) + below * _from_below(rhs, reach)
        reach *= 2
    return rhs * factors.inverse


class Inverse(NamedTuple):
    """Of a single matrix; a product with it is one operation, however many rows."""

    matrix: Inexact[Array, "row row"]
    negative: Int[Array, ""]  # as of the factors


def inverted(lower: Rows, diagonal: Rows, upper: Rows) -> Inverse:
    """For a short system that is solved many times: it pays up to some hundred rows."""
    factors = factorise(lower[:, None], diagonal[:, None], upper[:, None])
    return Inverse(solve(factors, jnp.eye(len(diagonal), dtype=diagonal.dtype)), factors.negative[0])


def _from_above(rows: Rows, reach: int, beyond: float = 0.0) -> Rows:
    """Row k holds what stood in k - reach."""
    return jnp.concatenate([jnp.full_like(rows[:reach], beyond), rows[:-reach]])


def _from_below(rows: Rows, reach: int, beyond: float = 0.0) -> Rows:
    """Row k holds what stood in k + reach."""
    return jnp.concatenate([rows[reach:], jnp.full_like(rows[:reach], beyond)])
