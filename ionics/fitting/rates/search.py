"""Least squares of one curve of capacity against rate: searches from many starts at once, and profiles.

Searched are the logarithms of capacity, time constant and exponent; one that is held has bounds that coincide.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.fitting.levenberg import Box, Search, advance, begin
from ionics.fitting.model import Parameter
from ionics.fitting.profile import Profile
from ionics.fitting.rates.laws import Law

PAD = 16  # curves are padded to multiples of this many points, so that many share one compiled function
ITERATIONS = 300
STRIDE = 3.0  # of a logarithm, in one step
NEAR, FAR = 0.2, 60.0  # standard errors: first and last rung of a profile, before those that go on to the bound
RUNGS, MORE = 16, 8  # up to FAR, and from there to the bound


class Curve(eqx.Module):
    """Capacity against rate with weights; padding has weight zero."""

    rate: Float[Array, " point"]  # 1/s
    capacity: Float[Array, " point"]
    weight: Float[Array, " point"]  # one over the unit of capacity


def curve(
    rate: Float[np.ndarray, " point"], capacity: Float[np.ndarray, " point"], weight: Float[np.ndarray, " point"]
) -> Curve:
    """A padded curve of rate [1/s]."""
    if jnp.zeros(()).dtype != jnp.float64:
        raise RuntimeError("fits need float64: call jax.config.update('jax_enable_x64', True) first")
    more = (0, -len(rate) % PAD)
    return Curve(
        jnp.asarray(np.pad(rate, more, mode="edge")),
        jnp.asarray(np.pad(capacity, more, mode="edge")),
        jnp.asarray(np.pad(weight, more)),
    )


def box(lower: Float[np.ndarray, " unknown"], upper: Float[np.ndarray, " unknown"]) -> Box:
    """Bounds of the logarithms."""
    return Box(jnp.asarray(lower), jnp.asarray(upper), jnp.full(len(lower), STRIDE))


def predict(law: Law, at: Float[Array, " unknown"], rate: Float[Array, " point"]) -> Float[Array, " point"]:
    """Capacity at a rate [1/s]."""
    low, tau, n = jnp.exp(at)
    return law.capacity(low, tau, n, rate)


def _linearised(law: Law, data: Curve, at: Float[Array, " unknown"]):
    def misfit(at):
        value = (predict(law, at, data.rate) - data.capacity) * data.weight
        return value, value

    slope, value = jax.jacfwd(misfit, has_aux=True)(at)
    return value, slope


@eqx.filter_jit
def linearised(law: Law, data: Curve, at: Float[Array, " unknown"]):
    """Weighted misfit, fitted minus measured, and its Jacobian."""
    return _linearised(law, data, at)


def _search(law: Law, data: Curve, start: Float[Array, " unknown"], own: Box) -> Search:
    begun = begin(data.rate.shape[0], start, own)
    return advance(lambda at: _linearised(law, data, at), begun, own, ITERATIONS + 1, ITERATIONS)


@eqx.filter_jit
def search(law: Law, data: Curve, starts: Float[Array, "search unknown"], bounds: Box) -> Search:
    """Searches from every start in the same box."""
    return jax.vmap(lambda start: _search(law, data, start, bounds))(starts)


def profiles(
    law: Law,
    data: Curve,
    parameters: dict[int, Parameter],
    at: Float[np.ndarray, " unknown"],
    noise: float,
    dof: int | None,
    bounds: Box,
) -> tuple[list[Profile], float]:
    """Profiles of the unknowns in `parameters` (index -> parameter), and the lowest rise of chi-squared met.

    Each goes up a ladder to both sides, every rung from where the one before ended; noise: variance of a residual.
    """
    residual, jacobian = (np.asarray(part) for part in linearised(law, data, jnp.asarray(at)))
    least = float(residual @ residual)
    lower, upper = np.asarray(bounds.lower), np.asarray(bounds.upper)
    width = np.maximum(upper - lower, 1e-12)
    covariance = np.linalg.inv(jacobian.T @ jacobian / noise + np.diag(width**-2.0))
    lanes = [(i, side) for i in parameters for side in (-1.0, 1.0)]
    which = np.array([i for i, _ in lanes])
    along = covariance[which] / covariance[which, which][:, None]  # how the others follow
    ladders = np.stack([_ladder(i, side, at, lower, upper, float(np.sqrt(covariance[i, i]))) for i, side in lanes])
    costs = np.asarray(_climb(law, data, jnp.asarray(at), jnp.asarray(along), which, jnp.asarray(ladders), bounds))
    kept = {i: [(at[i], 0.0)] for i in parameters}
    for (i, _), rungs, cost in zip(lanes, ladders, costs, strict=True):
        kept[i] += zip(rungs, (cost - least) / noise, strict=True)
    found = [_profile(parameter, at[i], kept[i], dof) for i, parameter in parameters.items()]
    return found, min(float(one.rise.min()) for one in found)


@eqx.filter_jit
def _climb(law: Law, data: Curve, at, along, which, ladders, bounds: Box) -> Float[Array, "lane rung"]:
    """The least sum of squares with unknown which[lane] held on each rung of a ladder."""

    def lane(follow, index, ladder):
        def rung(here, value):
            start = here + follow * (value - here[index])
            own = Box(bounds.lower.at[index].set(value), bounds.upper.at[index].set(value), bounds.stride)
            ended = _search(law, data, start, own)
            return ended.at, ended.cost

        return jax.lax.scan(rung, at, ladder)[1]

    return jax.vmap(lane)(along, jnp.asarray(which), ladders)


def _ladder(i: int, side: float, at, lower, upper, error: float) -> Float[np.ndarray, " rung"]:
    """Values from the optimum to the bound: close together within FAR standard errors, which is where limits lie."""
    room = float(upper[i] - at[i] if side > 0 else at[i] - lower[i])
    far = min(FAR * error, room)
    first = np.geomspace(NEAR, FAR, RUNGS) * far / FAR
    more = np.geomspace(max(far, 1e-300), max(room, 1e-300), MORE + 1)[1:]
    return np.clip(at[i] + side * np.concatenate([first, more]), lower[i], upper[i])


def _profile(parameter: Parameter, best: float, points, dof: int | None) -> Profile:
    inner, rise = np.array(sorted(points)).T
    inside = np.concatenate([[True], np.diff(inner) > 0])
    bounds = parameter.lower, parameter.upper
    value = np.exp(inner[inside])
    return Profile(
        parameter.name, parameter.unit, float(np.exp(best)), value, rise[inside], bounds, parameter.scale == "log", dof
    )
