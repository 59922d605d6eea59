"""A linearly implicit Runge-Kutta method for M y' = f(t, y) with a constant, singular M: order 5, eight stages.

One matrix and eight solves a step, no iteration: every member of a batch does the same work. Stiffly accurate, of full
order for index-1 equations with algebraic constraints, with a dense output of order 4.
Rodas5P of Steinebach, BIT Numer. Math. 63 (2023) 27, doi:10.1007/s10543-023-00967-x; the form without products of
the Jacobian is that of Hairer and Wanner, Solving Ordinary Differential Equations II (1996), section IV.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
Vector = Float[Array, " unknown"]

STAGES, ORDER = 8, 5
GAMMA = 0.21193756319429014


def _lower(rows) -> np.ndarray:
    found = np.zeros((STAGES, STAGES))
    for i, row in enumerate(rows, start=1):
        found[i, : len(row)] = row
    return found


_SIXTH = [-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946]
A = _lower(
    [
        [3.0],
        [2.849394379747939, 0.45842242204463923],
        [-6.954028509809101, 2.489845061869568, -10.358996098473584],
        [2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641],
        _SIXTH,
        [*_SIXTH, 1.0],
        [*_SIXTH, 1.0, 1.0],
    ]
)
C = _lower(
    [
        [-14.155112264123755],
        [-17.97296035885952, -2.859693295451294],
        [147.12150275711716, -1.41221402718213, 71.68940251302358],
        [165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
        [24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471],
        [
            *(30.91273214028599, -3.1208243349937974, 77.79954646070892),
            *(34.28646028294783, -19.097331116725623, -28.087943162872662),
        ],
        [
            *(37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047),
            *(-40.06618937091002, -54.66780262877968, -9.48861652309627),
        ],
    ]
)
NODES = np.array([0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0])
SLOPES = np.array([GAMMA, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734, 2.325825639765069, 0, 0, 0])
DENSE = np.array(
    [
        [
            *(25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022682204),
            *(0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493),
        ],
        [
            *(-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796),
            *(20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372),
        ],
        [
            *(11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643),
            *(-52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722),
        ],
    ]
)


class Taken(NamedTuple):
    """A step that was tried."""

    y: Vector  # at its end
    stages: Float[Array, "stage unknown"]  # their sum with certain weights is the step, the last one its error

    @property
    def error(self) -> Vector:
        """Estimated, of y."""
        return self.stages[-1]


def advance(
    answer: Callable[[Scalar, Vector, Vector], Vector],
    mass: Vector,
    t: Scalar,
    y: Vector,
    h: Scalar,
    by_time: Vector,
    stages: Scalar | int = STAGES,
) -> Taken:
    """One step of length h.

    answer(t, y, more): what solves (M/(h GAMMA) - df/dy) k = f(t, y) + more, the matrix at the beginning; mass: the
    diagonal of M; by_time: df/dt at the beginning; stages: how many are wanted, the first one alone is
    answer(t, y, h GAMMA by_time). All share one loop, and what it compiles; only the sums over earlier stages are
    written out, each with no more terms than there are.
    """
    nodes, slopes, weights = jnp.asarray(NODES), jnp.asarray(SLOPES) * h, mass / h

    def stage(i, carry):
        k, at, moved = carry
        k = k.at[i].set(answer(t + nodes[i] * h, at, weights * moved + slopes[i] * by_time))
        at, moved = jax.lax.switch(i, [_following(i) for i in range(STAGES)], y, k)
        return k, at, moved

    k, end, _ = jax.lax.fori_loop(0, stages, stage, (jnp.zeros((STAGES, *y.shape)), y, jnp.zeros_like(y)))
    return Taken(end, k)


def _following(i: int):
    """Where stage i + 1 looks, and what it takes over from those before; after the last one the end."""
    if i + 1 < STAGES:
        return lambda y, k: (y + _weighted(A[i + 1], k), _weighted(C[i + 1], k))
    return lambda y, k: (y + _weighted(A[i], k) + k[i], jnp.zeros_like(y))


def _weighted(weights, k):
    terms = [float(weight) * k[j] for j, weight in enumerate(weights) if weight != 0]
    return sum(terms[1:], terms[0])


def bend(stages: Float[Array, "stage some"]) -> Float[Array, "3 some"]:
    """Of the dense output, for some of the unknowns."""
    return jnp.asarray(DENSE) @ stages


def between(start, end, bend, share):
    """Dense output at a share of a step; bend has a first axis of three."""
    rest = 1 - share
    return rest * start + share * (end + rest * (bend[0] + share * (bend[1] + share * bend[2])))


def ending(taken: Taken, start: Vector, h: Scalar) -> Vector:
    """dy/dt of the dense output where a step ends."""
    return (taken.y - start - _weighted(DENSE.sum(axis=0), taken.stages)) / h
