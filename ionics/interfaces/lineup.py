"""Where the electrostatic potential of one crystal lies against that of the other, from charges that stay on atoms.

The planar average of the potential of point charges is exact: a charge q at height z0 adds -q |z - z0| / (2 eps0 A). A
running mean over one period of each crystal (Baldereschi, Baroni, Resta, Phys. Rev. Lett. 61 (1988) 734,
doi:10.1103/PhysRevLett.61.734) leaves what is common to its cells; straight lines through the inner part of each slab,
continued to the plane of the junction, differ there by the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ionics.interfaces.continuum import COULOMB
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate
from ionics.interfaces.interface import LEFT, RIGHT, Interface

STEP = 0.02  # angstrom, of the grid
NEUTRAL = 1e-6  # elementary charges


@dataclass(frozen=True)
class Lineup:
    """The potential across an interface [V], without screening by electrons that move."""

    height: np.ndarray  # angstrom above the plane, (points,)
    potential: np.ndarray  # planar average, (points,)
    macroscopic: np.ndarray  # running mean over the period of the slab at that height, (points,)
    step: float  # V, right less left, at the plane
    error: float  # V
    fields: tuple[float, float]  # V/angstrom inside the left and the right slab

    def estimate(self, permittivity: float, source: str) -> Estimate:
        """The step with electrons that screen by `permittivity`; what they take away is its error.

        Charges that stay on atoms and a permittivity that is that of the bulk are both models: between them lies more
        than any other error.
        """
        if not permittivity >= 1:
            raise AtomsError(f"an electronic permittivity of {permittivity:g}", "at least 1")
        value = self.step / permittivity
        method = f"planar average of point charges, running mean over periods, {self.step:.3g} V / {permittivity:g}"
        return Estimate(value, "V", source, method, math.hypot(self.error, self.step - value))


def lineup(interface: Interface, periods: tuple[float, float], charges: np.ndarray | None = None) -> Lineup:
    """The step of the potential across an interface.

    periods: of the left and the right crystal along z [angstrom]; charges: of the atoms [e], by default their
    oxidation states. Raises AtomsError for a charged cell and for slabs without an inner part.
    """
    q = np.asarray(interface.oxidation if charges is None else charges, float)
    if q.shape != (len(interface.atoms),):
        raise AtomsError(f"{q.size} charges for {len(interface.atoms)} atoms", "one charge for every atom")
    if not np.any(q):
        raise AtomsError("all charges are zero", "oxidation states, or the charges of a calculation")
    if abs(q.sum()) > NEUTRAL * max(1.0, np.abs(q).sum()):
        raise AtomsError(
            f"the charges of the interface add up to {q.sum():+.3g} e: its potential has no zero",
            "a neutral interface; see the audit for what is missing",
        )
    z = interface.distance
    height = np.arange(z.min() - max(periods), z.max() + max(periods), STEP)
    potential = _planar(height, z, q, interface.area)
    means = [_running_mean(potential, period) for period in periods]
    left, right = (
        _line(interface, tag, height, mean, period)
        for tag, mean, period in zip((LEFT, RIGHT), means, periods, strict=True)
    )
    step, error = right[0] - left[0], math.hypot(left[1], right[1])
    return Lineup(height, potential, np.where(height < 0, *means), step, error, (-left[2], -right[2]))


def _planar(height: np.ndarray, z: np.ndarray, q: np.ndarray, area: float) -> np.ndarray:
    """Potential [V] of sheets of charge; zero far below, where a neutral slab has no field."""
    per_charge = 4 * math.pi * COULOMB / area  # V angstrom^-1, e/(eps0 A)
    order = np.argsort(z)
    z, q = z[order], q[order]
    passed = np.searchsorted(z, height)
    charge, moment = np.concatenate([[0.0], np.cumsum(q)]), np.concatenate([[0.0], np.cumsum(q * z)])
    return -per_charge * (charge[passed] * height - moment[passed])


def _running_mean(values: np.ndarray, width: float) -> np.ndarray:
    """Over `width` [angstrom] around every point of the grid, ends continued."""
    n = max(1, round(width / STEP))
    padded = np.concatenate([np.full(n, values[0]), values, np.full(n, values[-1])])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    start = np.arange(len(values)) + n - n // 2
    return (sums[start + n] - sums[start]) / n


def _line(interface: Interface, tag: int, height: np.ndarray, smooth: np.ndarray, period: float):
    """At the plane [V], its error, and the slope [V/angstrom] of a straight line through the inner part of a slab."""
    own = interface.distance[interface.side(tag)]
    if not len(own):
        raise AtomsError(f"no atoms of the {'left' if tag == LEFT else 'right'} slab", "tags 1 and 2")
    low, high = own.min() + period / 2, own.max() - period / 2
    if high - low < period / 2:
        name = interface.left if tag == LEFT else interface.right
        raise AtomsError(
            f"the slab of {name} is {own.max() - own.min():.3g} angstrom thick: no inner part is left",
            f"at least one and a half periods, {1.5 * period:.3g} angstrom",
        )
    inside = (height >= low) & (height <= high)
    slope, value = np.polyfit(height[inside], smooth[inside], 1)
    rest = float(np.std(smooth[inside] - (slope * height[inside] + value)))
    middle = (low + high) / 2
    return float(value), math.hypot(rest, abs(slope * middle) / 2), float(slope)
