"""Two electrodes that share their lithium: the fillings at a voltage, and what the cell gives between two voltages.

At rest V = U_p(x_p) - U_n(x_n), and Q_p x_p + Q_n x_n stays what it was when the cell was made. Charge is in any
unit (C, Ah, C m-2), the same throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ionics.transport.statistics import Measured

FAR = 700.0  # logit: what rounding leaves between a site and none


@dataclass(frozen=True)
class HalfCell:
    """An electrode against lithium."""

    curve: Measured
    capacity: float  # charge between empty and full


@dataclass(frozen=True)
class Stoichiometries:
    """Filling of both electrodes [1]."""

    positive: float
    negative: float


@dataclass(frozen=True)
class Window:
    """What a cell gives between two voltages at rest."""

    capacity: float
    full: Stoichiometries  # at the upper voltage
    empty: Stoichiometries  # at the lower one
    beyond: tuple[str, ...]  # sentences about fillings that no curve was measured at


@dataclass(frozen=True)
class FullCell:
    """Two electrodes that share their lithium."""

    positive: HalfCell
    negative: HalfCell
    inventory: float  # lithium in both electrodes, as a charge
    temperature: float = 298.15  # K

    def __post_init__(self):
        room = self.positive.capacity + self.negative.capacity
        if not (self.positive.capacity > 0 and self.negative.capacity > 0 and 0 < self.inventory < room):
            raise ValueError(
                f"a cell has capacities above 0 and lithium between 0 and both of them, {room:g}; "
                f"got {self.positive.capacity:g}, {self.negative.capacity:g} and {self.inventory:g}"
            )

    @classmethod
    def as_made(
        cls, positive: HalfCell, negative: HalfCell, filling: Stoichiometries, temperature: float = 298.15
    ) -> FullCell:
        """From electrodes of known filling, e.g. a cathode as it was made and an empty anode."""
        lithium = positive.capacity * filling.positive + negative.capacity * filling.negative
        return cls(positive, negative, lithium, temperature)

    def at(self, voltage: float) -> Stoichiometries:
        """The fillings at which the cell rests at a voltage [V].

        There is one for every voltage: the curves go on logarithmically where an electrode runs empty or full.
        """
        from scipy.optimize import brentq

        reach = self._voltage(-FAR), self._voltage(FAR)
        if not reach[1] < voltage < reach[0]:
            raise ValueError(
                f"no filling gives {voltage:g} V; these electrodes reach {reach[1]:.3g} to {reach[0]:.3g} V"
            )
        return self._fillings(brentq(lambda t: self._voltage(t) - voltage, -FAR, FAR, xtol=1e-12))[0]

    def window(self, lower: float, upper: float) -> Window:
        """Capacity and fillings between two voltages [V]."""
        if not lower < upper:
            raise ValueError(f"the lower voltage, {lower:g} V, is not below the upper one, {upper:g} V")
        full, empty = self.at(upper), self.at(lower)
        drawn = self.positive.capacity * (empty.positive - full.positive)
        return Window(drawn, full, empty, tuple(self._beyond(full, upper)) + tuple(self._beyond(empty, lower)))

    def _fillings(self, t: float) -> tuple[Stoichiometries, tuple[float, float]]:
        """Fillings, and their logits with every digit, at t: the logit of the share of the lithium that has moved."""
        p, n = self.positive.capacity, self.negative.capacity
        low, high = max(0.0, (self.inventory - n) / p), min(1.0, self.inventory / p)
        most, least = min(1.0, self.inventory / n), max(0.0, (self.inventory - p) / n)
        moved, rest = -np.logaddexp(0, -t), -np.logaddexp(0, t)  # ln of both shares
        with np.errstate(divide="ignore"):
            held = np.log([low, 1 - high, least, 1 - most])
            wide, span = np.log(high - low), np.log(most - least)
        logs = np.logaddexp(held, [wide + moved, wide + rest, span + rest, span + moved])
        return Stoichiometries(*(min(float(x), 1.0) for x in np.exp(logs[::2]))), (logs[0] - logs[1], logs[2] - logs[3])

    def _voltage(self, t: float) -> float:
        u_p, u_n = (jnp.asarray(u) for u in self._fillings(t)[1])
        positive, negative = self.positive.curve, self.negative.curve
        return float(_potential(positive, u_p, self.temperature) - _potential(negative, u_n, self.temperature))

    def _beyond(self, filling: Stoichiometries, voltage: float) -> Iterator[str]:
        for name in ("positive", "negative"):
            x, knots = getattr(filling, name), getattr(self, name).curve.curve.knots
            if not float(knots[0]) <= x <= float(knots[-1]):
                yield (
                    f"at {voltage:g} V the {name} electrode is filled to {x:.4g}, outside its curve "
                    f"({float(knots[0]):.4g} to {float(knots[-1]):.4g}): extrapolated"
                )


@eqx.filter_jit
def _potential(curve: Measured, u, temperature):
    return curve.open_circuit(u, temperature)
