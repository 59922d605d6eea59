"""Many searches as one batch: the queue changes how long they take, not where they end."""

import jax.numpy as jnp
import numpy as np

from ionics.fitting import search as searching
from ionics.fitting.levenberg import Box
from ionics.fitting.posed import AbstractProblem
from ionics.fitting.problem import Posed, unknowns
from ionics.fitting.search import search
from tests.fitting.recovery.simple import ARC, arc

COUNT = 30


def test_more_searches_than_fit_at_once_end_where_they_end_alone(monkeypatch):
    spectra = [arc(seed=k) for k in range(2)]
    posed = [Posed(ARC, (one,), "modulus", unknowns(ARC, [one], {})) for one in spectra]
    rng = np.random.default_rng(0)
    starts = posed[0].unknowns.start + rng.normal(0, 1.5, (COUNT, 3))
    which = np.arange(COUNT) % 2
    box = posed[0].unknowns.box
    boxes = Box(*(jnp.tile(edge, (COUNT, 1)) for edge in (box.lower, box.upper, box.stride)))
    problems = [one.problem for one in posed]
    at_once = search(problems, which, starts, boxes, 200)
    told = []
    monkeypatch.setattr(searching, "WIDTH", 8)
    monkeypatch.setattr(searching, "ROUND", 5)
    queued = search(problems, which, starts, boxes, 200, told.append)
    assert queued.codes == at_once.codes
    assert np.all(at_once.converged)
    np.testing.assert_allclose(queued.at, at_once.at, atol=1e-7)  # both end to 1e-11 in steps, 1e-13 in chi-squared
    np.testing.assert_allclose(queued.cost, at_once.cost, rtol=1e-9)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > COUNT / 8


class Leaning(AbstractProblem):
    """Two unknowns that nearly make up for each other; a bound on one cuts off the way of one and not of the other."""

    @property
    def slow(self) -> bool:
        return True

    @property
    def rough(self) -> float:
        return 1e-5

    @property
    def residuals(self) -> int:
        return len(MATRIX)

    def linearised(self, unknowns):
        return MATRIX @ unknowns - RIGHT, MATRIX


MATRIX, RIGHT = jnp.array([[1.0, 0.99], [0.0, 0.1], [0.0, 0.0]]), jnp.array([0.0, 1.0, 0.1])


def test_a_way_that_is_cut_off_at_a_bound_is_not_the_end():
    # the minimum of both unknowns is (-9.9, 10); with the first at its bound the second one is at a = 0.99 and b = 0.1:
    bound = -2.0
    best = (0.99 * -bound + 0.1 * 1.0) / (0.99**2 + 0.1**2)
    box = Box(jnp.array([[bound, -20.0]]), jnp.array([[20.0, 20.0]]), jnp.full((1, 2), 30.0))
    ends = search([Leaning()], np.zeros(1, int), np.zeros((1, 2)), box, 60)
    assert ends.codes == ("converged",)
    np.testing.assert_allclose(ends.at[0], [bound, best], atol=1e-2)  # less than 1e-5 of the sum of squares is left
