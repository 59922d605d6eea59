"""Diagonally implicit Runge-Kutta methods: L-stable, stiffly accurate, one matrix for all stages of a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Method:
    """y_i = y_0 + h sum_j a_ij f(y_j); the last row of `a` is the result.

    `a`, `c`, `error` (weights of the result less those of the embedded method) are of a method whose first stage is
    explicit; what starts from a jump, where the first stage means nothing, uses `jump_a`, `jump_c`, `jump_error`, which
    have the same diagonal and do not look at the first stage.
    """

    order: int
    diagonal: float
    a: np.ndarray
    c: np.ndarray
    error: np.ndarray
    jump_a: np.ndarray
    jump_c: np.ndarray
    jump_error: np.ndarray

    @property
    def stages(self) -> int:
        """Number of stages, the explicit one included."""
        return len(self.c)


def _lower(rows: list[list[float]]) -> np.ndarray:
    size = len(rows)
    return np.array([[*row, *[0.0] * (size - len(row))] for row in rows])


def _method(order: int, rows: list[list[float]], embedded, jump_rows: list[list[float]], jump_embedded) -> Method:
    a, jump = _lower(rows), _lower([[0.0], *([0.0, *row] for row in jump_rows)])
    return Method(
        order,
        rows[-1][-1],
        a,
        a.sum(axis=1),
        a[-1] - np.array(embedded),
        jump,
        jump.sum(axis=1),
        jump[-1] - np.array([0.0, *jump_embedded]),
    )


def _third() -> Method:
    """ESDIRK3(2)4L[2]SA of Kennedy and Carpenter (as below).

    After a jump SDIRK of Alexander, SIAM J. Numer. Anal. 14 (1977) 1006. Both have the root g of
    6 g^3 - 18 g^2 + 9 g = 1 that makes them L-stable. The rows follow from the conditions of order 3 and stage order 2
    with c3 = 3/5.
    """
    g = float(np.sort(np.roots([6, -18, 9, -1]).real)[1])
    g -= (6 * g**3 - 18 * g**2 + 9 * g - 1) / (18 * g**2 - 36 * g + 9)
    c = 0.6
    a32 = c * (c - 2 * g) / (4 * g)
    b = np.linalg.solve([[2 * g, c], [4 * g * g, c * c]], [0.5 - g, 1 / 3 - g])
    embedded = [
        2756255671327 / 12835298489170,
        -10771552573575 / 22201958757719,
        9247589265047 / 10645013368117,
        2193209047091 / 5459859503100,
    ]
    middle = (1 + g) / 2
    first, second = -(6 * g * g - 16 * g + 1) / 4, (6 * g * g - 20 * g + 5) / 4
    two = (0.5 - g) / (middle - g)
    return _method(
        3,
        [[0.0], [g, g], [c - a32 - g, a32, g], [1 - b.sum() - g, *b, g]],
        embedded,
        [[g], [middle - g, g], [first, second, g]],
        [1 - two, two, 0.0],
    )


def _fourth() -> Method:
    """ESDIRK4(3)6L[2]SA of Kennedy and Carpenter, Appl. Numer. Math. 136 (2019) 183 and NASA/TM-2016-219173.

    After a jump SDIRK of order 4(3) of Hairer and Wanner, Solving Ordinary Differential Equations II (1996), p. 100.
    """
    r = np.sqrt(2.0)
    embedded = [
        -480923228411 / 4982971448372,
        -480923228411 / 4982971448372,
        6709447293961 / 12833189095359,
        3513175791894 / 6748737351361,
        -498863281070 / 6042575550617,
        2077005547802 / 8945017530137,
    ]
    third, fourth, fifth = (1 - r) / 8, (5 - 7 * r) / 64, (-13796 - 54539 * r) / 125000
    last = (1181 - 987 * r) / 13782
    rows = [
        [0.0],
        [0.25, 0.25],
        [third, third, 0.25],
        [fourth, fourth, 7 * (1 + r) / 32, 0.25],
        [fifth, fifth, (506605 + 132109 * r) / 437500, 166 * (-97 + 376 * r) / 109375, 0.25],
        [
            last,
            last,
            47 * (-267 + 1783 * r) / 273343,
            -16 * (-22922 + 3525 * r) / 571953,
            -15625 * (97 + 376 * r) / 90749876,
            0.25,
        ],
    ]
    jump_rows = [
        [1 / 4],
        [1 / 2, 1 / 4],
        [17 / 50, -1 / 25, 1 / 4],
        [371 / 1360, -137 / 2720, 15 / 544, 1 / 4],
        [25 / 24, -49 / 48, 125 / 16, -85 / 12, 1 / 4],
    ]
    return _method(4, rows, embedded, jump_rows, [59 / 48, -17 / 96, 225 / 32, -85 / 12, 0.0])


METHODS = {3: _third(), 4: _fourth()}
