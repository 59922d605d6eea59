"""Tridiagonal systems whose entries are blocks of two by two, as many side by side as the trailing axes hold.

Parallel cyclic reduction as in `tridiagonal`, with blocks in place of numbers: no loop over rows. Without pivoting
between blocks. For two coupled equations a node, such as a fourth-order one that is written as two of second order.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Inexact, Int

Counts = Int[Array, "..."]
Blocks = Inexact[Array, "2 2 node *side"]
Counts = Int[Array, " *rest"]
Rows = Inexact[Array, "2 node *side"]


class Factors(NamedTuple):
    """What the rounds do to a right-hand side."""

    before: tuple[Blocks, ...]  # weight of the row that far above, one for each round
    after: tuple[Blocks, ...]  # and below
    inverse: Blocks  # of what is left of the diagonal
    turned: Int[Array, " *side"]  # pivots of negative determinant, counted with the sign of their upper right entry


def factorise(lower: Blocks, diagonal: Blocks, upper: Blocks) -> Factors:
    """lower[..., k] couples node k to k-1, upper[..., k] to k+1; lower[..., 0] and upper[..., -1] must be zero."""
    before, after, reach, turned = [], [], 1, 0
    while reach < diagonal.shape[2]:
        turned += jnp.sum(_turned(diagonal[:, :, reach :: 2 * reach]), axis=0)
        inverse = inverted(diagonal)
        above, below = -product(lower, from_above(inverse, reach)), -product(upper, from_below(inverse, reach))
        diagonal = diagonal + product(above, from_above(upper, reach)) + product(below, from_below(lower, reach))
        lower, upper = product(above, from_above(lower, reach)), product(below, from_below(upper, reach))
        before.append(above)
        after.append(below)
        reach *= 2
    return Factors(tuple(before), tuple(after), inverted(diagonal), turned + _turned(diagonal[:, :, 0]))


def solve(factors: Factors, rhs: Rows) -> Rows:
    """x of the system."""
    reach, b = 1, rhs[:, None]
    for above, below in zip(factors.before, factors.after, strict=True):
        b = b + product(above, from_above(b, reach)) + product(below, from_below(b, reach))
        reach *= 2
    return product(factors.inverse, b)[:, 0]


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


def from_above(a: Inexact[Array, "row many node *side"], reach: int) -> Inexact[Array, "row many node *side"]:
    """Node k holds what stood in k - reach; zero beyond the end."""
    return jnp.concatenate([jnp.zeros_like(a[:, :, :reach]), a[:, :, :-reach]], axis=2)


def from_below(a: Inexact[Array, "row many node *side"], reach: int) -> Inexact[Array, "row many node *side"]:
    """Node k holds what stood in k + reach; zero beyond the end."""
    return jnp.concatenate([a[:, :, reach:], jnp.zeros_like(a[:, :, :reach])], axis=2)
