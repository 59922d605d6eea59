"""Rate laws: how fast a reaction at a junction runs down its affinity.

A reaction takes what its left side loses to what its right side gains; its affinity is
A = sum(nu eta)_left - sum(nu eta)_right [J mol-1], its rate r > 0 [mol m-2 s-1] runs left to right. A law
states the relation between the two as a residual that vanishes, so that laws without a finite rate
constant (equilibrium, blocked) need no large or small numbers.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import FARADAY, GAS
from ionics.laws import Law, array

Scalar = Float[Array, ""]
Values = Float[Array, "..."]


class RateLaw(eqx.Module):
    """residual(rate, affinity, ...) = 0."""

    @abc.abstractmethod
    def residual(
        self,
        rate: Scalar,
        affinity: Scalar,
        electrons: int,
        activities: tuple[Scalar, Scalar],
        temperature: Scalar,
    ) -> Scalar:
        """The law as something that vanishes.

        rate [mol m-2 s-1]; affinity [J mol-1]; electrons: elementary charges carried per turn (1 for a
        neutral carrier); activities: logarithms of the products of occupancies consumed and of empty sites
        filled by the forward and by the backward reaction [1]; temperature [K].
        """


class Blocked(RateLaw):
    """Nothing passes."""

    def residual(self, rate, affinity, electrons, activities, temperature):
        return rate


class Equilibrium(RateLaw):
    """Infinitely fast: the affinity is zero whatever passes."""

    def residual(self, rate, affinity, electrons, activities, temperature):
        return affinity / (GAS * temperature)


class Linear(RateLaw):
    """A resistance per area: A / (n F) = n F r R."""

    resistance: Law  # Ohm m2

    def residual(self, rate, affinity, electrons, activities, temperature):
        charge = electrons * FARADAY
        return affinity / charge - charge * rate * self.resistance(temperature)


class Activated(RateLaw):
    """i = i00 [f kf(a0) - b kb(a0)] with i = n F r and kf / kb = exp(a0), whatever the law of kf.

    f and b are the activities of the forward and backward reaction where the law is `occupancy_dependent`, one
    where it is not; a0 = A/RT - ln(f/b) is the affinity at unit activities. The forward and backward rates are
    then first order in what they consume, and the net rate vanishes with A exactly: i = i00 f kf(a0) (1 - exp(-A/RT)).
    kf(0) = 1, so that i00 is the exchange current at unit activities and a0 = 0.
    Bazant, Acc. Chem. Res. 46 (2013) 1144, doi:10.1021/ar300145c.
    """

    exchange_current: eqx.AbstractVar[Law]  # i00, A m-2
    occupancy_dependent: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def log_forward(self, affinity: Values, temperature: Values) -> Values:
        """ln kf of an affinity in units of RT."""

    def residual(self, rate, affinity, electrons, activities, temperature):
        a = affinity / (GAS * temperature)
        forward, backward = activities if self.occupancy_dependent else (jnp.zeros_like(a), jnp.zeros_like(a))
        scale = forward + self.log_forward(a - forward + backward, temperature)
        return electrons * FARADAY * rate - self.exchange_current(temperature) * net(scale, a)


class ButlerVolmer(Activated):
    """kf = exp(alpha a), the barrier follows the affinity linearly.

    Constant i0: i = i0 [exp(alpha A/RT) - exp(-(1 - alpha) A/RT)], for small affinities a resistance RT/(n F i0);
    Newman and Thomas-Alyea, Electrochemical Systems (2004), chapter 8. Occupancy dependent: i0 = i00 f^(1-alpha)
    b^alpha, for a hop i00 (theta_l (1-theta_r))^(1-alpha) ((1-theta_l) theta_r)^alpha.
    """

    exchange_current: Law  # A m-2
    alpha: Float[Array, ""] = array()  # 1
    occupancy_dependent: bool = eqx.field(static=True, default=False)

    def log_forward(self, affinity, temperature):
        return self.alpha * affinity


class Marcus(Activated):
    """ln kf = a/2 - a^2 / (4 lambda): parabolas of the reorganisation energy lambda, inverted beyond it.

    Goes to Butler-Volmer with alpha = 1/2 for large lambda.
    Marcus, J. Chem. Phys. 24 (1956) 966, doi:10.1063/1.1742723.
    """

    exchange_current: Law  # A m-2
    reorganisation: Float[Array, ""] = array()  # lambda, J mol-1
    occupancy_dependent: bool = eqx.field(static=True, default=False)

    def log_forward(self, affinity, temperature):
        return affinity / 2 - affinity**2 / (4 * self.reorganisation / (GAS * temperature))


class MarcusHushChidsey(Activated):
    """Marcus' rate of every electron level, weighed with the Fermi distribution of a metal.

    kf(a) ~ integral of exp(-(x - lambda + a)^2 / (4 lambda)) / (1 + exp(x)) dx, normalised to kf(0) = 1; energies
    in units of RT. Chidsey, Science 251 (1991) 919, doi:10.1126/science.251.4996.919; Zeng, Smith, Bai, Bazant,
    J. Electroanal. Chem. 735 (2014) 77, doi:10.1016/j.jelechem.2014.09.038.
    """

    exchange_current: Law  # A m-2
    reorganisation: Float[Array, ""] = array()  # lambda, J mol-1
    occupancy_dependent: bool = eqx.field(static=True, default=False)

    def log_forward(self, affinity, temperature):
        energy = self.reorganisation / (GAS * temperature)
        return affinity / 2 + _log_overlap(affinity, energy) - _log_overlap(jnp.zeros_like(energy), energy)


def net(log_forward: Values, affinity: Values) -> Values:
    """forward (1 - exp(-a)) from the log of the forward rate, a in units of RT.

    With its digits near a = 0, and without overflow as long as forward and backward rate are both finite:
    for a < 0 the backward rate exp(log_forward - a) stands in front.
    """
    down = affinity >= 0
    decay = jnp.expm1(-jnp.where(down, affinity, -affinity))
    scale = jnp.exp(jnp.where(down, log_forward, log_forward - affinity))
    return jnp.where(down, -decay, decay) * scale


_NODES = 512
_REACH = 8.5  # standard deviations on either side; exp(-8.5^2 / 2) = 2e-16


def _log_overlap(affinity: Values, energy: Values) -> Values:
    """ln of the integral over x of exp(-(x + a)^2 / (4 lambda)) / (2 cosh(x/2)), even in a (energies in RT).

    Chidsey's integrand is this times exp(a/2 - lambda/4), which shows kf(a) = exp(a) kf(-a). The logarithm of the
    integrand is concave everywhere by at least 1 / (2 lambda): from its maximum, which lies near x = min(a, lambda) - a
    for a > 0, it falls off no slower than a Gaussian of variance 2 lambda. It is analytic within |Im x| < pi: the
    trapezoid rule of step h errs by exp(-2 pi^2 / h); h = 0.51 for 3 eV at room temperature.
    Trefethen and Weideman, SIAM Rev. 56 (2014) 385, doi:10.1137/130932132.
    """
    width = jnp.sqrt(2 * energy)[..., None]
    t = width * jnp.linspace(-_REACH, _REACH, _NODES)
    a, energy = affinity[..., None], energy[..., None]
    near = jnp.clip(a, -energy, energy)  # x + a = near + t: no digits lost at large a; the integral is free of it
    x = near - a + t
    exponent = -((near + t) ** 2) / (4 * energy) - jnp.logaddexp(x / 2, -x / 2)
    step = 2 * _REACH * width[..., 0] / (_NODES - 1)
    return jax.nn.logsumexp(exponent, axis=-1) + jnp.log(step)
