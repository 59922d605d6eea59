"""Particles that separate into phases: a homogeneous free energy with two minima, and a price on gradients.

The free energy of a piece is that of Cahn and Hilliard (J. Chem. Phys. 28 (1958) 258, doi:10.1063/1.1744102),

    G = integral of c_s g(theta) + kappa/2 |grad theta|^2,    mu = dg/dtheta - (kappa / c_s) laplacian(theta),

lithium runs down its chemical potential, J = -(D c v / RT) grad mu with v the share of empty sites where a jump needs
one, and the reaction at the surface sees the same mu, the curvature of the profile included: Bazant, Acc. Chem. Res. 46
(2013) 1144, doi:10.1021/ar300145c; for spheres Zeng and Bazant, SIAM J. Appl. Math. 74 (2014) 980,
doi:10.1137/130937548. The profile meets the surface without a gradient: both phases cost it the same, neither wets it.
What is not in it: stress between phases, boundaries that run any other way than around the centre.

What follows and is not put in: pieces smaller than the width of a boundary stay uniform and go through the whole loop
between the spinodals; in larger ones a shell of the new phase shrinks a core of the old one, at the potential of the
common tangent, shifted by the tension of the boundary (Gibbs and Thomson) and by diffusion through the shell; of
several pieces side by side one fills after the other. All of it begins with an instability, which a time step must
not step over (`linear.growing`).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact

from ionics.cells import pairs
from ionics.cells.inward import Nodes, Scalar, Spreading, Unknowns, Values, each, filling
from ionics.constants import GAS
from ionics.laws import array
from ionics.transport.flux import Hopping, Vehicle
from ionics.transport.stack import Carrier
from ionics.transport.statistics import RegularSolution

STEPS = 4  # over the width of a boundary: its passage of the nodes is then seen by a microvolt, at 2 by 0.3 mV
FEWEST = 15  # of a piece that stays uniform


def boundary_width(carrier: Carrier, gradient_energy: float, temperature: float) -> float:
    """Of the boundary between the phases of a regular solution [m]; infinite where there is one phase.

    gradient_energy [J m-1]; temperature [K].
    """
    if not isinstance(carrier.statistics, RegularSolution):
        return np.inf
    _, width = carrier.statistics.phase_boundary(carrier.sites, gradient_energy, temperature)
    return float(width) if np.isfinite(width) else np.inf


def even(
    radius: float, carrier: Carrier, gradient_energy: float, temperature: float, steps: float = STEPS
) -> Float[Array, " face"]:
    """Spacing of equal steps, so many over the width of a boundary between the phases of a regular solution.

    radius: of the largest piece [m]; gradient_energy [J m-1]; temperature [K].
    """
    count = max(FEWEST, int(np.ceil(steps * radius / boundary_width(carrier, gradient_energy, temperature))))
    return jnp.full(count, 1 / count)


LONGEST = {1: np.pi, 2: 3.831705970207512, 3: 4.493409457909064}  # wave in a piece of radius 1: of cos, J0, sin x / x
HALVINGS = 50


class Slopes(NamedTuple):
    """Of occupancies and curvatures of one piece."""

    left: Values  # of the fluxes through the inner faces by the occupancy on their inner side
    right: Values  # on their outer side
    rise: Values  # by the rise of the curvature
    stiffness: Values  # of the curvature by the steps of the occupancy, face
    column: Values  # of the growth of the outermost node by the rate


class Faces(NamedTuple):
    """What stands on faces, for each node: on its inner and its outer one, over its share of the volume."""

    inner: Values
    outer: Values


class PhaseField(Nodes):
    """Occupancies at nodes close enough for a boundary between phases (`even`), with mobility hopping or vehicle.

    mu is the derivative of a sum over nodes and the steps between them, and every flux runs down its difference: the
    sum of a closed piece never rises, and at a flat mu nothing moves. Both to rounding, on any mesh.
    """

    dimension: int = eqx.field(static=True)  # 1 film, 2 cylinder, 3 sphere
    spacing: Float[Array, " face"] = array()  # shares of the radius, from the middle
    gradient_energy: Scalar = array()  # kappa of kappa/2 |grad theta|^2, J m-1

    separates: ClassVar[bool] = True

    def potential(self, w: Unknowns, spreading: Spreading) -> Unknowns:
        """(mu - mu0) / RT at the nodes."""
        own = filling(spreading.carrier, w, spreading.temperature)
        return own.chemical + self._curvature(w, self._stiffness(spreading))

    def seen(self, w, spreading):
        return w[-1], self._stiffness(spreading)[-1] * (w[-1] - w[-2]) / self.shares[-1]

    def resting(self, theta, spreading):
        """Uniform where that lasts, else in two phases: a core of the poor one, as filling leaves it.

        The boundary has its width and lies where the piece then holds its lithium. It settles within microseconds to
        milliseconds; the derivative by theta is that of its place.
        """
        own = spreading.carrier.statistics
        if not isinstance(own, RegularSolution):
            return self.uniform(theta)
        low, width = own.binodal(spreading.temperature), self._width(own, spreading)
        r, fixed = self.positions[:, None, None], jax.lax.stop_gradient((low, 4 * spreading.size / width, theta))

        def profile(place):
            return fixed[0] + (1 - 2 * fixed[0]) * jax.nn.sigmoid(fixed[1] * (r - place))

        def halve(_, ends):
            middle = 0.5 * (ends[0] + ends[1])
            over = self.mean(profile(middle)) > fixed[2]
            return jnp.where(over, middle, ends[0]), jnp.where(over, ends[1], middle)

        ends = jnp.full_like(theta, -1.0), jnp.full_like(theta, 2.0)
        place = jax.lax.stop_gradient(jax.lax.fori_loop(0, HALVINGS, halve, ends)[0])
        (slope,) = each(lambda place: self.mean(profile(place)), place)
        place = place - (self.mean(profile(place)) - theta) / slope
        return jnp.where(self._lasts(theta, spreading), self.uniform(theta), profile(place))

    def _width(self, statistics: RegularSolution, spreading: Spreading) -> Scalar:
        _, width = statistics.phase_boundary(spreading.carrier.sites, self.gradient_energy, spreading.temperature)
        return jnp.where(jnp.isfinite(width), width, 1.0)

    def _lasts(self, theta: Values, spreading: Spreading) -> Bool[Array, "size depth"]:
        """Whether no wave grows in a uniform closed piece."""
        (slope,) = each(lambda theta: filling(spreading.carrier, theta, spreading.temperature).chemical, theta)
        return slope + LONGEST[self.dimension] ** 2 * self._steepness(spreading) > 0

    def growth(self, w, rate, spreading):
        curvature = self._curvature(w, self._stiffness(spreading))
        flux = self._driven(w[:-1], w[1:], jnp.diff(curvature, axis=0), spreading)
        return self._assembled(flux, self._source(rate, spreading))

    def slopes(self, w, rate, spreading):
        stiffness = self._stiffness(spreading)
        rise = jnp.diff(self._curvature(w, stiffness), axis=0)
        by_flux = each(lambda *ends: self._driven(*ends, spreading), w[:-1], w[1:], rise)
        (column,) = each(lambda rate: self._source(rate, spreading), rate)
        return Slopes(*by_flux, stiffness, column / self.shares[-1])

    def eliminated(self, slopes, rate):
        # rate theta - growth = rhs, curvature - (what makes it of theta) = 0: two equations a node instead of one of
        # fourth order
        count, shape = len(self.spacing) + 1, slopes.rise.shape[1:]
        stiffness = jnp.broadcast_to(slopes.stiffness, slopes.rise.shape)
        one, none = jnp.ones((count, *shape)), jnp.zeros((count, *shape))
        left, right, rise, pull = (self._on_faces(own) for own in (slopes.left, slopes.right, slopes.rise, stiffness))
        lower = _blocks(-left.inner, rise.inner, pull.inner, none, rate)
        diagonal = _blocks(
            rate - right.inner + left.outer, -rise.inner - rise.outer, -pull.inner - pull.outer, one, rate
        )
        upper = _blocks(right.outer, rise.outer, pull.outer, none, rate)
        factors = pairs.factorise(lower, diagonal, upper)
        unit = jnp.zeros(diagonal.shape[1:], diagonal.dtype).at[0, -1].set(slopes.column)
        return (factors, slopes.column), tuple(pairs.solve(factors, unit)[:, -1])

    def substituted(self, factors, rhs, rate):
        own, column = factors
        return self._both(own, rhs if rate is None else rhs.at[-1].add(column * rate))[0]

    def substituted_seen(self, factors, rhs):
        return tuple(self._both(factors[0], rhs)[:, -1])

    def growing(self, factors):
        # [[stiffness, -1], [-1, -mobility / rate]] in potentials is symmetric: as many eigenvalues of either sign
        # where nothing grows; of a pivot with two negative ones mobility is positive, of one with two positive negative
        return factors[0].turned

    def _both(self, factors, rhs):
        """Occupancies and curvatures."""
        return pairs.solve(factors, jnp.stack([rhs, jnp.zeros_like(rhs)]))

    def _stiffness(self, spreading: Spreading) -> Values:
        """What a step of the occupancy through a face does to the curvature of a node of unit share [RT]."""
        return self._steepness(spreading) * self.weights

    def _steepness(self, spreading: Spreading) -> Float[Array, "size 1"]:
        """kappa over c_s RT radius^2."""
        return self.gradient_energy / (GAS * spreading.temperature * spreading.carrier.sites * spreading.size**2)

    def _curvature(self, w: Values, stiffness: Values) -> Values:
        """-(kappa / c_s) laplacian(theta) at the nodes [RT], without a gradient at both ends."""
        pull = self._on_faces(stiffness * jnp.diff(w, axis=0))
        return pull.inner - pull.outer

    def _on_faces(self, face: Values) -> Faces:
        edge, shares = jnp.zeros_like(face[:1]), self.shares
        return Faces(jnp.concatenate([edge, face]) / shares, jnp.concatenate([face, edge]) / shares)

    def _driven(self, left, right, rise, spreading):
        if not isinstance(spreading.carrier.mobility, Hopping | Vehicle):
            raise ValueError(
                f"phases separate by a chemical potential: {spreading.carrier.species.name} needs the mobility "
                f"'hopping' or 'vehicle', not '{type(spreading.carrier.mobility).__name__.lower()}'"
            )
        return self._flux(left, right, spreading, rise)


def _blocks(a: Values, b: Values, c: Values, d: Values, like: Inexact[Array, ""]) -> Inexact[Array, "2 2 node ..."]:
    """[[a, b], [c, d]], complex where `like` is."""
    return jnp.stack([jnp.stack([a, b]), jnp.stack([c, d])]).astype(jnp.result_type(a, like))
