"""How far the potential of one crystal lies above that of its neighbour once both are neutral, from energies of ions.

    eta_Li flat:  step = P_right - P_left,   P = (E_v - E_i)/2e of a crystal with both defects,   P = E_v/e of a host

E_v takes an ion out of the crystal, E_i puts one in, both to and from one place outside that both crystals share, in
the cell of the junction before anything is charged. In an electrolyte both defects are as frequent where it is neutral,
which the potential (E_v - E_i)/2e does; of a host the filling is given, and taking an ion out costs E_v.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ionics.interfaces.continuum import deviation, expect
from ionics.interfaces.estimate import Estimate


@dataclass(frozen=True)
class Ions:
    """Energies of lone ions in the inner part of one slab [eV], by a field of fixed charges."""

    vacancy: Estimate
    interstitial: Estimate | None  # None: a host (electrode), whose filling is given

    @property
    def potential(self) -> tuple[float, float]:
        """P [V] and its error."""
        out = expect(self.vacancy, "eV", "the energy of a vacancy")
        if self.interstitial is None:
            return out, deviation(self.vacancy)
        put = expect(self.interstitial, "eV", "the energy of an interstitial")
        return (out - put) / 2, math.hypot(deviation(self.vacancy), deviation(self.interstitial)) / 2


def step(left: Ions, right: Ions) -> Estimate:
    """Potential of the bulk right less that left [V] which the space charges share."""
    (one, error_one), (other, error_other) = left.potential, right.potential
    method = (
        f"P right {other:.3g} V less P left {one:.3g} V, lone ions in the cell of the junction; {left.vacancy.method}"
    )
    return Estimate(other - one, "V", left.vacancy.source, method, math.hypot(error_one, error_other))
