"""The lithium chemical potential of each side of a junction, and the step of the potential that follows from it.

A model is wrong by the same amount wherever it takes lithium out of the same host, so one measured voltage corrects
it there, and nowhere else; without that it is wrong by as much as the steps that a junction has (0.8 V of LiCoO2 with
a general machine-learned potential). An uncalibrated level is therefore not handed over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionics.interfaces.continuum import deviation, expect
from ionics.interfaces.errors import AtomsError
from ionics.interfaces.estimate import Estimate

NEAR = 0.1  # of filling: how far from where it was calibrated a level may be used


@dataclass(frozen=True)
class Level:
    """mu_Li of a host [eV] against lithium metal of the same model: what taking out lithium costs, with its sign.

    occupancy: the fillings between which lithium was taken out. A host against lithium at U volts has mu_Li = -e U.
    """

    phase: str
    model: str  # with its version
    occupancy: tuple[float, float]
    value: float  # eV
    uncertainty: float  # eV, of the calculation: convergence, spread over sites
    calibration: Calibration | None = None

    @property
    def calibrated(self) -> float:
        """mu_Li [eV] on the measured scale."""
        return self.value + self._calibration().offset

    def by(self, calibration: Calibration) -> Level:
        """The same level with a calibration. Raises AtomsError where that is of something else."""
        for what in ("phase", "model"):
            own, other = getattr(self, what), getattr(calibration, what)
            if own != other:
                raise AtomsError(
                    f"a calibration of {what} {other} for a level of {what} {own}", "the same phase and the same model"
                )
        far = abs(_middle(self.occupancy) - _middle(calibration.occupancy))
        if far > NEAR:
            raise AtomsError(
                f"a level at filling {_middle(self.occupancy):.3g}, calibrated at {_middle(calibration.occupancy):.3g}",
                f"a measured voltage within {NEAR:g} of the filling",
            )
        return replace(self, calibration=calibration)

    def estimate(self) -> Estimate:
        """mu_Li [eV] for the hand-over; refused without a calibration."""
        own = self._calibration()
        method = (
            f"{self.value:.4g} eV of {self.model} and {own.offset:+.3g} eV: {own.voltage:.4g} V measured between "
            f"{own.occupancy[0]:g} and {own.occupancy[1]:g} ({own.source}), where the model gives {own.modelled:.4g} V"
        )
        error = math.hypot(self.uncertainty, own.uncertainty)
        return Estimate(self.calibrated, "eV", f"{self.phase}; {self.model}", method, error)

    def _calibration(self) -> Calibration:
        if self.calibration is None:
            raise AtomsError(
                f"the lithium chemical potential of {self.phase} by {self.model}, {self.value:.3g} eV, is not "
                "calibrated to a measured open-circuit voltage: such models are wrong by up to 0.8 eV",
                f"calibration: {{phase: {self.phase}, occupancy: [{self.occupancy[0]:g}, {self.occupancy[1]:g}], "
                "voltage: ... V, source: ...}",
            )
        return self.calibration


@dataclass(frozen=True)
class Calibration:
    """A measured open-circuit voltage, and what a model gives for the same host between the same fillings."""

    model: str
    phase: str
    occupancy: tuple[float, float]  # between which lithium was taken out
    voltage: float  # V against Li/Li+, measured, mean between these fillings
    modelled: float  # V, -mu_Li/e of the model
    uncertainty: float  # V, of the measured voltage, one standard deviation
    source: str

    def __post_init__(self):
        less, more = self.occupancy
        if not 0 <= less <= more <= 1:
            raise AtomsError(f"a calibration between the fillings {less:g} and {more:g}", "two fillings from 0 to 1")
        if not self.source.strip():
            raise AtomsError(
                f"the measured voltage of {self.phase} has no source", "source: who measured it, and where"
            )
        if not (math.isfinite(self.voltage) and math.isfinite(self.modelled) and self.uncertainty >= 0):
            raise AtomsError(
                f"a measured voltage of {self.voltage} V ± {self.uncertainty} V", "numbers, the error not negative"
            )

    @property
    def offset(self) -> float:
        """What has to be added to mu_Li of the model [eV]."""
        return self.modelled - self.voltage


def lithium_potential(more: float, less: float, count: float, metal: float) -> float:
    """mu_Li [eV] against lithium metal of a model: energies [eV] of two relaxed cells of one host, and per metal atom.

    more, less: with and without `count` atoms of lithium. At 0 K and without the entropy of mixing, which the
    calibration between the same fillings takes up.
    """
    if not count > 0:
        raise AtomsError(f"two cells that differ by {count:g} atoms of lithium", "the cell with more lithium first")
    return (more - less) / count - metal


def mean_voltage(filling: Sequence[float], potential: Sequence[float], between: tuple[float, float]) -> float:
    """Mean of a measured open-circuit curve [V] between two fillings (at one filling, its value there)."""
    x, volts = np.asarray(filling, float), np.asarray(potential, float)
    order = np.argsort(x)
    x, volts = x[order], volts[order]
    less, more = between
    if not x[0] <= less <= more <= x[-1]:
        raise AtomsError(
            f"fillings {less:g} to {more:g} are not all on a curve from {x[0]:g} to {x[-1]:g}",
            "fillings at which the voltage was measured",
        )
    if less == more:
        return float(np.interp(less, x, volts))
    grid = np.unique(np.concatenate([[less, more], x[(x > less) & (x < more)]]))
    return float(np.trapezoid(np.interp(grid, x, volts), grid) / (more - less))


def potential_step(left: Level, right: Level) -> Estimate:
    """The open-circuit voltage of two electrodes [V]: -(mu_Li right - mu_Li left)/e."""
    one, other = left.estimate(), right.estimate()
    error = math.hypot(deviation(one), deviation(other))
    method = f"-(mu_Li right - mu_Li left)/e; right: {other.method}; left: {one.method}"
    return Estimate(one.value - other.value, "V", f"{one.source}; {other.source}", method, error)


def built_in(interstitial: Estimate, vacancy: Estimate, electrode: Level | None, side: str) -> Estimate:
    """The step that the space charges of an electrode | electrolyte junction share [V]: phi right less left.

    interstitial, vacancy: energies [eV] of Li+ taken from lithium metal into the electrolyte, and from it into the
    metal, at the junction before anything is charged, the electron at the Fermi level of the electrode: charged
    defects. electrode: mu_Li of it, None for lithium metal; side: on which it stands, 'left' or 'right'.

    In the electrolyte's bulk both cost the same, so it stands (E_v - E_i)/2e + mu_Li/e above its face; half the sum,
    the formation energy there, does not depend on any level.
    """
    if side not in ("left", "right"):
        raise AtomsError(f"an electrode on the side {side!r}", "left or right")
    filled = expect(interstitial, "eV", "the energy of an interstitial")
    empty = expect(vacancy, "eV", "the energy of a vacancy")
    level = electrode.estimate() if electrode is not None else None
    above = (empty - filled) / 2 + (level.value if level else 0.0)
    error = math.hypot(deviation(interstitial) / 2, deviation(vacancy) / 2, deviation(level) if level else 0.0)
    method = f"(E_v - E_i)/2e + mu_Li/e; E_i: {interstitial.method}; E_v: {vacancy.method}"
    method += f"; mu_Li: {level.method}" if level else "; of lithium metal"
    sources = dict.fromkeys([interstitial.source, vacancy.source, *([level.source] if level else [])])
    return Estimate(above if side == "left" else -above, "V", "; ".join(sources), method, error)


def _middle(between: tuple[float, float]) -> float:
    return sum(between) / 2
