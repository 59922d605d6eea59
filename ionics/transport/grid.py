"""Where the nodes of a layer sit: its end nodes on its junctions, graded towards both ends."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

SHARES = (0.6, 0.2, 0.2)  # of the nodes: space charge, diffusion layers, bulk
REACH = 3.0  # screening lengths over which the space-charge share thins out


def graded(
    nodes: int, left: float, right: float, where: Float[ndarray, " node"] | None = None
) -> Float[ndarray, " face"]:
    """Distances between neighbouring nodes as shares of the thickness.

    where: positions 0..1 in the order of nodes, uniform by default; left, right: screening length at either end as a fraction of the thickness. At a distance d from an end the nodes
    are as dense as SHARES of three parts: (1 + d/(REACH length))^-2 resolves the space charge with an error that
    does not grow with thickness / length; (1 + d/length)^-1 gives every diffusion length the same number of nodes;
    and a uniform part. The map is smooth, so refining it keeps second order. Distances rather than positions are
    kept because a position near the right end has no digits left for a spacing of 1e-12.
    """
    if nodes < 5:
        raise ValueError(f"a layer needs at least 5 nodes, got {nodes}")
    left, right = (min(max(length, 1e-14), 1.0) for length in (left, right))
    near_left, near_right = (np.concatenate([[0.0], np.geomspace(length / 200, 0.5, 4000)]) for length in (left, right))
    from_left = _share(near_left, left) + _share(1.0, right) - _share(1 - near_left, right)
    from_right = _share(near_right, right) + _share(1.0, left) - _share(1 - near_right, left)
    total = from_left[-1] + from_right[-1]
    targets = total * (np.linspace(0, 1, nodes) if where is None else where)
    first = targets <= from_left[-1]
    begin = np.interp(targets[first], from_left, near_left)
    end = np.interp((total - targets[~first])[::-1], from_right, near_right)[::-1]
    end[-1] = 0.0
    return np.concatenate([np.diff(begin), [1 - begin[-1] - end[0]], -np.diff(end)])


def _share(d: Float[ndarray, " point"] | float, length: float) -> Float[ndarray, " point"] | float:
    """Nodes between an end and the distance d from it, of those that belong to this end."""

    def parts(d):
        return np.array([d / (1 + d / (REACH * length)), np.log1p(d / length), d])

    weights = np.array(SHARES) / parts(1.0)
    return np.tensordot(weights, parts(d), axes=1)


def crowded(
    where: Float[ndarray, " node"], spacing: Float[ndarray, " face"], curvature: Float[ndarray, " node"], share: float
) -> Float[ndarray, " node"]:
    """New positions `where` for `graded` that move a share of the nodes to where a profile is curved.

    The error of a charge summed over cells goes with h^3 |rho''|; a node density ~ |rho''|^(1/3) spreads it evenly
    (de Boor 1973). curvature: |rho''| at the nodes, any unit.
    """
    monitor = np.cbrt(curvature)
    monitor = np.convolve(np.pad(monitor, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    faces = 0.5 * (monitor[1:] + monitor[:-1]) * spacing
    if not faces.sum() > 0:
        return where
    wanted = np.concatenate([[0.0], np.cumsum(share * faces / faces.sum() + (1 - share) * np.diff(where))])
    return np.interp(np.linspace(0, wanted[-1], len(where)), wanted, where)
