"""What happens behind a surface of an electrode: lithium that spreads within a particle, voids under a metal.

A kind of inside has its own unknowns w, first axis; then sizes, then depths. It says how they grow, what of them a law
at the surface sees, and eliminates (rate - slope) dw = rhs + column drate. Growth is linear or couples neighbours only.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Int

from ionics.cells import tridiagonal
from ionics.constants import FARADAY
from ionics.laws import array
from ionics.transport.flux import Chemical
from ionics.transport.stack import Carrier, Material, fillings
from ionics.transport.statistics import Filling

Scalar = Float[Array, ""]
Values = Float[Array, "..."]
Answers = Inexact[Array, "..."]
Unknowns = Float[Array, "unknown size depth"]


class Spreading(NamedTuple):
    """What the material and the size make of diffusion."""

    carrier: Carrier
    size: Float[Array, "size 1"]  # radius, m
    speed: Float[Array, "size 1"]  # D / radius^2, without its dependence on the occupancy, s-1
    filling: Float[Array, "size 1"]  # occupancy of a shell as thick as the radius per rate and time, m2 mol-1
    temperature: Scalar


class Inward(eqx.Module):
    """A kind of inside."""

    separates: ClassVar[bool] = False  # whether its mu may fall with the occupancy

    @property
    @abc.abstractmethod
    def unknowns(self) -> int:
        """How many there are in one piece."""

    @abc.abstractmethod
    def uniform(self, theta: Values) -> Values:
        """Unknowns of a piece with the same occupancy everywhere; a new first axis."""

    def resting(self, theta: Values, spreading: Spreading) -> Values:
        """Unknowns of a piece that holds so much and is left alone."""
        return self.uniform(theta)

    @abc.abstractmethod
    def surface(self, w: Values) -> Values:
        """Occupancy at the surface."""

    def seen(self, w: Values, spreading: Spreading) -> tuple[Values, ...]:
        """What the law at the surface sees, linear in w: the occupancy there; where gradients cost energy, also what
        the curvature of the profile adds to the chemical potential there [RT].
        """
        return (self.surface(w),)

    @abc.abstractmethod
    def mean(self, w: Values) -> Values:
        """Of the occupancy over the piece."""

    @abc.abstractmethod
    def profile(self, w: Values) -> Values:
        """Occupancies at `positions`, first axis."""

    @abc.abstractmethod
    def growth(self, w: Unknowns, rate: Values, spreading: Spreading) -> Unknowns:
        """dw/dt at a rate into the surface [mol m-2 s-1]."""

    @abc.abstractmethod
    def slopes(self, w: Unknowns, rate: Values, spreading: Spreading):
        """Whatever `eliminated` needs of the derivatives of `growth`."""

    @abc.abstractmethod
    def eliminated(self, slopes, rate: Inexact[Array, ""]) -> tuple[Any, Any]:
        """Factors of (rate - slope), and what a unit rate then makes of what is seen at the surface."""

    @abc.abstractmethod
    def substituted(self, factors, rhs: Values, rate: Values | None) -> Values:
        """Unknowns for a right-hand side and a rate, or for the right-hand side alone."""

    def growing(self, factors) -> Int[Array, "size depth"] | int:
        """How many small changes of a closed piece grow faster than the rate of its factors."""
        return 0

    def substituted_seen(self, factors, rhs: Answers) -> tuple[Answers, ...]:
        """What is seen at the surface for a right-hand side alone."""
        return (self.surface(self.substituted(factors, rhs, None)),)


def shell_shares(spacing: Values, dimension: int) -> Values:
    """Volumes of the cells of nodes at the sums of `spacing` over that of the piece."""
    r = jnp.pad(jnp.cumsum(spacing), (1, 0))
    edges = jnp.concatenate([jnp.zeros(1), 0.5 * (r[1:] + r[:-1]), jnp.ones(1)])
    return jnp.diff(edges**dimension)


def face_weights(spacing: Values, dimension: int) -> Values:
    """Area of each inner face over distance, for a piece of unit radius and volume."""
    r = jnp.pad(jnp.cumsum(spacing), (1, 0))
    return dimension * (0.5 * (r[1:] + r[:-1])) ** (dimension - 1) / spacing


def filling(carrier: Carrier, theta: Values, temperature: Scalar) -> Filling:
    """How the sites of a carrier are filled at an occupancy."""
    u = carrier.statistics.unknown(theta)
    return fillings(Material("", (carrier,), 1.0, 0.0), (u,), temperature)[0]


class Nodes(Inward):
    """Occupancies at nodes along the radius, in finite volumes; nodes sit on the surface and in the middle."""

    dimension: eqx.AbstractVar[int]  # 1 film, 2 cylinder, 3 sphere
    spacing: eqx.AbstractVar[Float[Array, " face"]]  # shares of the radius, from the middle

    @property
    def unknowns(self):
        return self.spacing.shape[0] + 1

    @property
    def positions(self) -> Float[Array, " node"]:
        """Of the nodes, shares of the radius."""
        return jnp.pad(jnp.cumsum(self.spacing), (1, 0))

    @property
    def shares(self) -> Float[Array, "node 1 1"]:
        """Volume of the cell of each node over that of the piece."""
        return shell_shares(self.spacing, self.dimension)[:, None, None]

    @property
    def weights(self) -> Float[Array, "face 1 1"]:
        """Area of each inner face over distance, for a piece of unit radius and volume."""
        return face_weights(self.spacing, self.dimension)[:, None, None]

    def uniform(self, theta):
        return jnp.broadcast_to(theta, (self.unknowns, *jnp.shape(theta)))

    def surface(self, w):
        return w[-1]

    def mean(self, w):
        return jnp.tensordot(shell_shares(self.spacing, self.dimension), w, 1)

    def profile(self, w):
        return w

    def _flux(self, left, right, spreading, drop):
        """Outwards through the inner faces, per volume of the piece [s-1]; drop: rise of a potential outwards [RT]."""
        carrier, speed = spreading.carrier, spreading.speed
        if carrier.diffusivity_curve is not None:
            speed = speed * jnp.exp(carrier.diffusivity_curve(0.5 * (left + right)))
        both = (_moving(carrier, theta, spreading.temperature) for theta in (left, right))
        return speed * self.weights * carrier.mobility.flux(*both, drop)

    def _source(self, rate, spreading):
        return self.dimension * spreading.filling * rate

    def _assembled(self, flux, source):
        edge = jnp.zeros_like(flux[:1])
        entering = jnp.concatenate([edge, flux])
        leaving = jnp.concatenate([flux, -source[None]])
        return (entering - leaving) / self.shares


class Shells(Nodes):
    """For any mobility and any diffusivity over occupancy."""

    dimension: int = eqx.field(static=True)  # 1 film, 2 cylinder, 3 sphere
    spacing: Float[Array, " face"] = array()  # shares of the radius, from the middle

    def growth(self, w, rate, spreading):
        flux = self._flux(w[:-1], w[1:], spreading, jnp.zeros(()))
        return self._assembled(flux, self._source(rate, spreading))

    def slopes(self, w, rate, spreading):
        left, right = each(lambda *ends: self._flux(*ends, spreading, jnp.zeros(())), w[:-1], w[1:])
        edge, volume = jnp.zeros_like(w[:1]), self.shares
        lower = jnp.concatenate([edge, left]) / volume
        diagonal = (jnp.concatenate([edge, right]) - jnp.concatenate([left, edge])) / volume
        upper = -jnp.concatenate([right, edge]) / volume
        (column,) = each(lambda rate: self._source(rate, spreading), rate)
        return lower, diagonal, upper, column / volume[-1]

    def eliminated(self, slopes, rate):
        lower, diagonal, upper, column = slopes
        factors = tridiagonal.factorise(-lower, rate - diagonal, -upper)
        unit = jnp.zeros_like(factors.inverse).at[-1].set(column)
        return (factors, column), (tridiagonal.solve(factors, unit)[-1],)

    def substituted(self, factors, rhs, rate):
        own, column = factors
        return tridiagonal.solve(own, rhs if rate is None else rhs.at[-1].add(column * rate))


def _moving(carrier: Carrier, theta: Values, temperature: Scalar) -> Filling:
    if isinstance(carrier.mobility, Chemical):
        return Filling(theta, theta, theta, theta, theta)  # only the first is looked at
    return filling(carrier, theta, temperature)


class Modes(Inward):
    """The same finite volumes in their own modes: each decays by itself where diffusion is linear.

    For mobility `chemical` and one diffusivity at every occupancy. The first mode is the mean; amplitudes of the
    others are orthogonal with the volumes of the cells as weight, so that lithium is conserved to rounding.
    """

    dimension: int = eqx.field(static=True)
    positions: Float[Array, " node"] = array()  # of the nodes, shares of the radius
    shapes: Float[Array, "node mode"] = array()
    decay: Float[Array, " mode"] = array()  # radius^2 / D

    def __init__(self, dimension: int, spacing):
        spacing = np.asarray(spacing, float)
        shares = np.asarray(shell_shares(jnp.asarray(spacing), dimension))
        weights = np.asarray(face_weights(jnp.asarray(spacing), dimension))
        coupling = np.diag(np.append(weights, 0.0) + np.append(0.0, weights))
        coupling -= np.diag(weights, 1) + np.diag(weights, -1)
        root = np.sqrt(shares)
        values, vectors = np.linalg.eigh(coupling / root[:, None] / root)
        shapes = vectors / root[:, None]
        shapes[:, 0], values[0] = 1.0, 0.0
        self.dimension, self.positions = dimension, jnp.pad(jnp.cumsum(jnp.asarray(spacing)), (1, 0))
        self.shapes, self.decay = jnp.asarray(shapes), jnp.asarray(values)

    @property
    def unknowns(self):
        return self.decay.shape[0]

    def uniform(self, theta):
        return jnp.zeros((self.unknowns, *jnp.shape(theta))).at[0].set(theta)

    def surface(self, w):
        return jnp.tensordot(self.shapes[-1], w, 1)

    def mean(self, w):
        return w[0]

    def profile(self, w):
        return jnp.tensordot(self.shapes, w, 1)

    def growth(self, w, rate, spreading):
        column = self.shapes[-1][:, None, None] * (self.dimension * spreading.filling)
        return column * rate - self.decay[:, None, None] * spreading.speed * w

    def slopes(self, w, rate, spreading):
        column = self.shapes[-1][:, None, None] * (self.dimension * spreading.filling)
        return self.decay[:, None, None] * spreading.speed, column

    def eliminated(self, slopes, rate):
        decay, column = slopes
        inverse = 1 / (rate + decay)
        seen = self.shapes[-1][:, None] * inverse[:, :, 0]
        return (inverse, column, seen), (self.surface(inverse * column),)

    def substituted(self, factors, rhs, rate):
        inverse, column, _ = factors
        return inverse * (rhs if rate is None else rhs + column * rate)

    def substituted_seen(self, factors, rhs):
        return (jnp.einsum("us,usd->sd", factors[2], rhs),)


class Voids(Inward):
    """The share of a metal's face that has lost contact: dv/dt = (1 - v) i / depth - v / healing."""

    depth: Scalar = array()  # C m-2
    healing: Scalar = array()  # s

    @property
    def unknowns(self):
        return 1

    def uniform(self, theta):
        return jnp.asarray(theta)[None]

    def surface(self, w):
        return w[0]

    def mean(self, w):
        return w[0]

    def profile(self, w):
        return w

    def growth(self, w, rate, spreading):
        return -(1 - w) * FARADAY * rate / self.depth - w / self.healing

    def slopes(self, w, rate, spreading):
        by_w, by_rate = each(lambda w, rate: self.growth(w, rate, spreading), w, rate[None])
        return by_w, by_rate

    def eliminated(self, slopes, rate):
        by_w, column = slopes
        inverse = 1 / (rate - by_w)
        return (inverse, column), ((inverse * column)[0],)

    def substituted(self, factors, rhs, rate):
        inverse, column = factors
        return inverse * (rhs if rate is None else rhs + column * rate)


def each(function, *values):
    """Derivatives of an elementwise function by each argument."""
    found = []
    for k in range(len(values)):
        along = [jnp.ones_like(v) if n == k else jnp.zeros_like(v) for n, v in enumerate(values)]
        found.append(jax.jvp(function, values, tuple(along))[1])
    return found
