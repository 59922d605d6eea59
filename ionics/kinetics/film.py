"""What a junction has in series with its reactions: nothing, a resistance, an interphase that grows and dissolves.

A film carries the current of the junction's reactions and takes resistance x current from their affinity. What it
stores are unknowns of the junction: d/dt stored(w) = growth(w, affinity, temperature).
"""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ionics.constants import GAS
from ionics.laws import Law, array

Scalar = Float[Array, ""]
Slots = Float[Array, " slot"]
Terms = tuple[tuple[str, int], ...]  # (species name, count)


class Film(eqx.Module):
    """A layer too thin to be resolved, with `slots` unknowns w of its own.

    `left`, `right` and `level` name what drives it as they do for a reaction: its affinity [J mol-1] is
    level + sum(nu eta)_left - sum(nu eta)_right.
    """

    slots: eqx.AbstractClassVar[int]
    left: eqx.AbstractVar[Terms]
    right: eqx.AbstractVar[Terms]
    level: eqx.AbstractVar[Scalar]

    @abc.abstractmethod
    def resistance(self, w: Slots, temperature: Scalar) -> Scalar:
        """In series with the reactions [Ohm m2]."""

    @abc.abstractmethod
    def stored(self, w: Slots) -> Slots:
        """Thicknesses [m]."""

    @abc.abstractmethod
    def growth(self, w: Slots, affinity: Scalar, temperature: Scalar) -> Slots:
        """d/dt stored [m s-1]."""

    @abc.abstractmethod
    def start(self) -> Slots:
        """Unknowns of the film as it was made."""


class Passive(Film):
    """A film that does not change: no unknowns, nothing drives it."""

    slots: ClassVar[int] = 0

    @property
    def left(self) -> Terms:
        """Nothing."""
        return ()

    @property
    def right(self) -> Terms:
        """Nothing."""
        return ()

    @property
    def level(self) -> Scalar:
        """Zero."""
        return jnp.zeros(())

    def stored(self, w):
        return w

    def growth(self, w, affinity, temperature):
        return w

    def start(self):
        return jnp.zeros(0)


class NoFilm(Passive):
    """Nothing in series."""

    def resistance(self, w, temperature):
        return jnp.zeros(())


class ResistiveFilm(Passive):
    """A resistance per area."""

    area_resistance: Law  # Ohm m2

    def resistance(self, w, temperature):
        return self.area_resistance(temperature)


class Interphase(Film):
    """A decomposition layer that grows with its driving force and dissolves in part when that is gone.

    With a the driving affinity in units of RT, l the whole thickness and s the share that can go back:

        growth      g = v0 exp(alpha a) / (1 + l/halving)
        reversible  dl_rev/dt = s g - v0 exp(-(1-alpha) a) l_rev / l_ref
        permanent   dl_per/dt = (1-s) g

    At a held affinity the reversible part tends to l_rev = s l_ref exp(a) / (1 + l/halving): `level` sets the threshold
    above which the layer is thicker than l_ref. A permanent part has no steady state. Unknowns: the logs of both
    thicknesses over l_ref, so that they stay positive.

    Seen at positive electrodes at high voltage: between Li3PO4 and LiCo0.5Mn1.5O4 the resistance rises a hundredfold
    above 5.2 V and relaxes within three hours at 4.0 V; Nakayama et al., Nano Lett. 21 (2021) 5572,
    doi:10.1021/acs.nanolett.1c01059, who give no rate law: the one here is the simplest that is reversible.
    """

    slots: ClassVar[int] = 2
    left: Terms = eqx.field(static=True)
    right: Terms = eqx.field(static=True)
    resistivity: Law  # Ohm m
    rate: Law  # v0, m s-1
    level: Scalar = array()  # J mol-1
    alpha: Scalar = array()  # 1
    reversible: Scalar = array()  # s, 1
    reference: Scalar = array()  # l_ref, m
    initial: Float[Array, " slot"] = array()  # thickness of the reversible and the permanent part, positive, m
    halving: Scalar | None = eqx.field(  # thickness at which growth has halved, m; None: it does not slow
        converter=lambda x: None if x is None else jnp.asarray(x, dtype=float), default=None
    )

    def resistance(self, w, temperature):
        return self.resistivity(temperature) * jnp.sum(self.stored(w))

    def stored(self, w):
        return self.reference * jnp.exp(w)

    def growth(self, w, affinity, temperature):
        a, speed = affinity / (GAS * temperature), self.rate(temperature)
        thickness = self.stored(w)
        slowed = 1.0 if self.halving is None else 1 / (1 + jnp.sum(thickness) / self.halving)
        grown = speed * jnp.exp(self.alpha * a) * slowed
        dissolved = speed * jnp.exp(-(1 - self.alpha) * a) * thickness[0] / self.reference
        return jnp.stack([self.reversible * grown - dissolved, (1 - self.reversible) * grown])

    def start(self):
        return jnp.log(self.initial / self.reference)
