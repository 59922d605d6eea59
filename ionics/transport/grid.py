"""Where the nodes of a layer sit: its end nodes on its junctions, graded towards both ends."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Shares = tuple[float, float, float]  # of the nodes: space charge, diffusion layers, bulk
CONDUCTOR: Shares = (0.75, 0.1, 0.15)  # one carrier: nothing diffuses, its space charge is all there is
MIXED: Shares = (0.5, 0.35, 0.15)  # several: diffusion layers of any thickness
REACH = 3.0  # screening lengths over which the space-charge share thins out


def graded(
    nodes: int, left: float, right: float, shares: Shares = MIXED, where: Float[ndarray, " node"] | None = None
) -> Float[ndarray, " face"]:
    """Distances between neighbouring nodes as shares of the thickness.

    left, right: screening length at either end as a fraction of the thickness; where: positions 0..1 of the nodes in
    the grading, uniform by default. At a distance d from an end the nodes are as dense as `shares` of three parts:
    (1 + d/(REACH length))^-2 resolves the space charge with an error that does not grow with thickness / length;
    (1 + d/length)^-1 gives every diffusion length the same number of nodes; and a uniform part. The map is smooth,
    so refining it keeps second order. Distances rather than positions are kept because a position near the right
    end has no digits left for a spacing of 1e-12.
    """
    if nodes < 5:
        raise ValueError(f"a layer needs at least 5 nodes, got {nodes}")
    left, right = (min(max(length, 1e-14), 1.0) for length in (left, right))
    near_left, near_right = (np.concatenate([[0.0], np.geomspace(length / 200, 0.5, 4000)]) for length in (left, right))
    from_left = _share(near_left, left, shares) + _share(1.0, right, shares) - _share(1 - near_left, right, shares)
    from_right = _share(near_right, right, shares) + _share(1.0, left, shares) - _share(1 - near_right, left, shares)
    total = from_left[-1] + from_right[-1]
    targets = total * (np.linspace(0, 1, nodes) if where is None else where)
    first = targets <= from_left[-1]
    begin = np.interp(targets[first], from_left, near_left)
    end = np.interp((total - targets[~first])[::-1], from_right, near_right)[::-1]
    end[-1] = 0.0
    return np.concatenate([np.diff(begin), [1 - begin[-1] - end[0]], -np.diff(end)])


def _share(d: Float[ndarray, "*point"] | float, length: float, shares: Shares) -> Float[ndarray, "*point"]:
    """Nodes between an end and the distance d from it, of those that belong to this end."""

    def parts(d):
        return np.array([d / (1 + d / (REACH * length)), np.log1p(d / length), d])

    weights = np.array(shares) / parts(1.0)
    return np.tensordot(weights, parts(d), axes=1)


def crowded(
    where: Float[ndarray, " node"],
    spacing: Float[ndarray, " face"],
    charge: Float[ndarray, " node"],
    potential: Float[ndarray, " node"],
    share: float,
) -> Float[ndarray, " node"]:
    """New positions `where` for `graded` that move a share of the nodes to where a solution is steep or curved.

    One half of them follows the curvature of the charge: the error of a charge summed over cells goes with
    h^3 |rho''|, and a density ~ |rho''|^(1/3) spreads it evenly (de Boor 1973). The other half follows the potential,
    the same number for every volt, because resistances go with its exponential. Any units.
    """
    slope = np.diff(charge) / spacing
    curvature = np.abs(np.diff(slope)) / (0.5 * (spacing[1:] + spacing[:-1]))
    bent = np.convolve(np.pad(np.cbrt(curvature), 4, mode="edge"), np.ones(7) / 7, mode="valid")
    bent = 0.5 * (bent[1:] + bent[:-1]) * spacing
    steep = np.convolve(np.pad(np.abs(np.diff(potential)), 3, mode="edge"), np.ones(7) / 7, mode="valid")
    wanted = (1 - share) * np.diff(where)
    for part in (bent, steep):
        wanted = wanted + 0.5 * share * (part / part.sum() if part.sum() > 0 else np.diff(where))
    total = np.concatenate([[0.0], np.cumsum(wanted)])
    return np.interp(np.linspace(0, total[-1], len(where)), total, where)
