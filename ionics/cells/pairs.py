"""Tridiagonal systems whose entries are blocks of two by two, as many side by side as the trailing axes hold.

Parallel cyclic reduction as in `tridiagonal`, with blocks in place of numbers: no loop over rows. Without pivoting
between blocks. For two coupled equations a node, such as a fourth-order one that is written as two of second order.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact, Int

Blocks = Inexact[Array, "2 2 node *side"]
Counts = Int[Array, " *rest"]
Reach = Int[Array, ""]
Rows = Inexact[Array, "2 node *side"]


class Factors(NamedTuple):
    """What the rounds do to a right-hand side."""

    before: Inexact[Array, "round 2 2 node *side"]  # weight of the row that far above
    after: Inexact[Array, "round 2 2 node *side"]  # and below
    inverse: Blocks  # of what is left of the diagonal
    turned: Counts  # pivots of negative determinant, counted with the sign of their upper right entry


def factorise(lower: Blocks, diagonal: Blocks, upper: Blocks) -> Factors:
    """lower[..., k] couples node k to k-1, upper[..., k] to k+1; lower[..., 0] and upper[..., -1] must be zero."""
    row = jnp.arange(diagonal.shape[2]).reshape(-1, *(1 for _ in diagonal.shape[3:]))

    def halved(rows, reach):
        lower, diagonal, upper = rows
        eliminated = row % (2 * reach) == reach
        turned = jnp.sum(jnp.where(eliminated, _turned(diagonal), 0), axis=0)
        inverse = inverted(diagonal)
        above, below = -product(lower, from_above(inverse, reach)), -product(upper, from_below(inverse, reach))
        diagonal = diagonal + product(above, from_above(upper, reach)) + product(below, from_below(lower, reach))
        lower, upper = product(above, from_above(lower, reach)), product(below, from_below(upper, reach))
        return (lower, diagonal, upper), (above, below, turned)

    (_, diagonal, _), (before, after, turned) = jax.lax.scan(
        halved, (lower, diagonal, upper), _reaches(diagonal.shape[2])
    )
    return Factors(before, after, inverted(diagonal), jnp.sum(turned, axis=0) + _turned(diagonal[:, :, 0]))


def solve(factors: Factors, rhs: Rows) -> Rows:
    """x of the system."""

    def reduced(b, turn):
        above, below, reach = turn
        return b + product(above, from_above(b, reach)) + product(below, from_below(b, reach)), None

    b = rhs[:, None].astype(jnp.result_type(rhs, factors.inverse))
    b, _ = jax.lax.scan(reduced, b, (factors.before, factors.after, _reaches(rhs.shape[1])))
    return product(factors.inverse, b)[:, 0]


def _reaches(count: int) -> Int[Array, " round"]:
    """How far the rows that meet are apart, round for round: 1, 2, 4 ... One loop over them compiles fast."""
    return 2 ** jnp.arange((count - 1).bit_length())


def product(a: Inexact[Array, "2 2 *rest"], b: Inexact[Array, "2 many *rest"]) -> Inexact[Array, "2 many *rest"]:
    """Of blocks, elementwise in the rest."""
    return a[:, :1] * b[:1] + a[:, 1:] * b[1:]


def inverted(a: Blocks) -> Blocks:
    """Of each block."""
    scale = 1 / determinant(a)
    return jnp.stack([jnp.stack([a[1, 1], -a[0, 1]]), jnp.stack([-a[1, 0], a[0, 0]])]) * scale


def determinant(a: Inexact[Array, "2 2 *rest"]) -> Inexact[Array, " *rest"]:
    """Of each block."""
    return a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]


def _turned(a: Blocks) -> Counts:
    return jnp.where(jnp.real(determinant(a)) < 0, jnp.sign(jnp.real(a[0, 1])), 0.0).astype(int)


def from_above(a: Inexact[Array, "row many node *side"], reach: Reach) -> Inexact[Array, "row many node *side"]:
    """Node k holds what stood in k - reach; zero beyond the end."""
    count = a.shape[2]
    return jax.lax.dynamic_slice_in_dim(jnp.concatenate([jnp.zeros_like(a), a], axis=2), count - reach, count, axis=2)


def from_below(a: Inexact[Array, "row many node *side"], reach: Reach) -> Inexact[Array, "row many node *side"]:
    """Node k holds what stood in k + reach; zero beyond the end."""
    count = a.shape[2]
    return jax.lax.dynamic_slice_in_dim(jnp.concatenate([a, jnp.zeros_like(a)], axis=2), reach, count, axis=2)
