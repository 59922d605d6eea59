"""A curve of a cell as free values at its knots: a diffusivity over the occupancy, for instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.laws import Curve


@dataclass(frozen=True)
class Knot:
    """A finger that points at the value of a curve at one knot; on a log scale the curve is a logarithm."""

    name: str
    where: Callable[[Any], Curve]
    index: int
    lower: float
    upper: float
    scale: Literal["log", "linear"] = "log"
    unit: str = ""
    times: float = 1.0  # what the curve is the logarithm over, in `unit`

    def start(self, tree) -> float:
        """The value that leaves the tree as it is."""
        own = float(self.where(tree).values[self.index])
        return self.times * float(np.exp(own)) if self.scale == "log" else own

    def put(self, tree, value: Float[Array, ""]):
        """The tree with this value at the knot."""
        curve = self.where(tree)
        own = jnp.log(value / self.times) if self.scale == "log" else value
        values = curve.values.at[self.index].set(own)
        both = lambda tree: (self.where(tree).values, self.where(tree).slopes)  # noqa: E731
        return eqx.tree_at(both, tree, (values, monotone_slopes(curve.knots, values)))


def knots(
    name: str,
    where: Callable[[Any], Curve],
    curve: Curve,
    lower: float,
    upper: float,
    scale: Literal["log", "linear"] = "log",
    unit: str = "",
    times: float = 1.0,
) -> tuple[Knot, ...]:
    """A finger for every knot of a curve, named by its place.

    scale: 'log' where the curve is the logarithm of the quantity over `times`, as that of a diffusivity is. The curve
    goes through its values as `Curve` draws it, whatever they become.
    """
    return tuple(
        Knot(f"{name} ({float(place):.3g})", where, k, lower, upper, scale, unit, times)
        for k, place in enumerate(curve.knots)
    )


def monotone_slopes(x: Float[Array, " knot"], y: Float[Array, " knot"]) -> Float[Array, " knot"]:
    """At the knots of the monotone cubic that `Curve` is, as SciPy's PchipInterpolator has them, traceable.

    Inside, the harmonic mean of the slopes to both sides weighted by their lengths, 0 at an extremum (Fritsch and
    Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300, doi:10.1137/0905021); at the ends a parabola, limited.
    """
    h, rise = jnp.diff(x), jnp.diff(y) / jnp.diff(x)
    if len(x) == 2:
        return jnp.full(2, rise[0])
    left, right = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = rise[:-1] * rise[1:] > 0
    before, after = jnp.where(same, rise[:-1], 1.0), jnp.where(same, rise[1:], 1.0)
    inner = jnp.where(same, (left + right) / (left / before + right / after), 0.0)
    first = _end(h[0], h[1], rise[0], rise[1])
    last = _end(h[-1], h[-2], rise[-1], rise[-2])
    return jnp.concatenate([first[None], inner, last[None]])


def _end(h, further, rise, beyond):
    slope = ((2 * h + further) * rise - h * beyond) / (h + further)
    slope = jnp.where(slope * rise <= 0, 0.0, slope)
    return jnp.where((rise * beyond <= 0) & (jnp.abs(slope) > 3 * jnp.abs(rise)), 3 * rise, slope)
