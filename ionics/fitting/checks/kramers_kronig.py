"""Linear Kramers-Kronig test: whether real and imaginary part of a spectrum belong to one stationary, linear cell.

The chain of RC elements is that of Boukamp (J. Electrochem. Soc. 142 (1995) 1885), its number of elements is
chosen anew for each spectrum (as Schoenleber, Klotz and Ivers-Tiffee, Electrochim. Acta 131 (2014) 20, ask for),
here by Akaike's criterion; the verdict is an F test, whose rate of false alarms is known (`consistency`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex

from ionics.fitting.checks.consistency import REPRESENTATIONS, SHARE, Consistency, analyse, outliers
from ionics.fitting.spectrum import DataError, Spectrum

SIGNIFICANCE = 0.005  # share of good spectra that fail
TOLERANCE = 5e-3  # of |Z|: smaller deviations are stated, but are no reason to refuse a spectrum
OUTLIER = 5.0  # standard deviations
LEAST_POINTS = 12
STEPS = 0.1 * np.arange(7)  # shares of the decades that a suggested window may lose at an end
CLEARLY = 0.05  # p-value from which a window is suggested


@dataclass(frozen=True)
class Outlier:
    """A point that does not belong to its neighbours."""

    index: int  # in the spectrum
    frequency: float  # Hz
    size: float  # in robust standard deviations of the other points' residuals


@dataclass(frozen=True, eq=False)
class KramersKronig:
    """What the test found. Nothing is removed from the spectrum."""

    spectrum: Spectrum
    impedance: Complex[np.ndarray, " frequency"]  # ohm, of the chain
    mismatch: Complex[np.ndarray, " frequency"]  # of |Z|: what the parts by themselves say less what the chain says
    representation: str  # impedance or admittance: in which of them RC elements were fitted
    order: int  # RC elements
    p_value: float  # chance that a consistent spectrum looks worse
    noise: float  # standard deviation of Re Z and of Im Z, of |Z|
    outliers: tuple[Outlier, ...]
    window: tuple[float, float] | None  # Hz: the widest that passes, a suggestion; None where there is none
    significance: float
    tolerance: float

    @property
    def residuals(self) -> Complex[np.ndarray, " frequency"]:
        """(Z - Z of the chain) / |Z|."""
        return (self.spectrum.impedance - self.impedance) / abs(self.spectrum.impedance)

    @property
    def pseudo_chi_squared(self) -> float:
        """Sum of |residual|^2 over the points that are no outliers (Boukamp 1995, equation 10)."""
        return float(np.sum(abs(self.residuals[self.kept]) ** 2))

    @property
    def deviation(self) -> float:
        """By how much real and imaginary part contradict each other, of |Z|: root mean square of the mismatch."""
        return float(np.sqrt(np.mean(abs(self.mismatch[self.kept]) ** 2) / 2))

    @property
    def systematic(self) -> bool:
        """Whether the parts contradict each other by more than noise explains."""
        return self.p_value < self.significance

    @property
    def consistent(self) -> bool:
        """Whether the parts agree within noise or tolerance."""
        return not self.systematic or self.deviation < self.tolerance

    @property
    def drift(self) -> bool:
        """Whether the contradiction is systematic and goes away only with the lowest frequencies, which take long.

        False where without the highest quarter of the decades it is gone: wiring, instrument.
        """
        if not self.systematic or self.window is None:
            return self.systematic
        low, high = self.spectrum.frequency[[-1, 0]]
        return bool(self.window[0] > low or np.log(high / self.window[1]) > 0.25 * np.log(high / low))

    @property
    def kept(self):
        """Which points are no outliers."""
        keep = np.ones(len(self.spectrum), dtype=bool)
        keep[[point.index for point in self.outliers]] = False
        return keep

    @property
    def verdict(self) -> str:
        """In words."""
        within = "" if not self.systematic else f" within {100 * self.tolerance:g} % of |Z|"
        text = f"{'' if self.consistent else 'not '}consistent with Kramers-Kronig{within}"
        text += f" (noise {100 * self.noise:.2g} %)"
        if self.systematic:
            why = "the cell drifted during the sweep or did not respond linearly"
            why = why if self.drift else "the wiring or the instrument at high frequencies"
            text += f"; real and imaginary part contradict each other by {100 * self.deviation:.2g} % of |Z|: {why}"
            text += f"; {self.window[0]:.3g} to {self.window[1]:.3g} Hz is free of it" if self.window else ""
        if self.outliers:
            points = ", ".join(f"{point.frequency:.4g} Hz ({point.size:.0f} sigma)" for point in self.outliers)
            text += f"; {'outlier' if len(self.outliers) == 1 else 'outliers'} at {points}"
        return text

    def as_dict(self) -> dict:
        """Plain numbers and words, for JSON or a table."""
        names = ("order", "representation", "p_value", "noise", "deviation", "pseudo_chi_squared")
        return {
            "label": self.spectrum.label,
            "verdict": self.verdict,
            "consistent": self.consistent,
            "systematic": self.systematic,
            "drift": self.drift,
            **{name: getattr(self, name) for name in names},
            "outliers": [vars(point).copy() for point in self.outliers],
            "window": list(self.window) if self.window else None,
        }

    def to_dataset(self):
        """An xarray Dataset over `frequency`, of kind `kramers_kronig`."""
        from ionics.fitting.datasets import compared, dataset

        size = np.zeros(len(self.spectrum))
        for point in self.outliers:
            size[point.index] = point.size
        low, high = self.window or (np.nan, np.nan)
        one = ("frequency",)
        return dataset(
            self.spectrum,
            compared(self.spectrum, self.impedance, "chain of RC elements")
            | {
                "outlier": (one, size, "1", "robust standard deviations of an outlier, 0 for other points"),
                "noise": ((), self.noise, "1", "standard deviation of Re and of Im over |Z|"),
                "deviation": (
                    (),
                    self.deviation,
                    "1",
                    "contradiction of real and imaginary part over |Z|, root mean square",
                ),
                "p_value": ((), self.p_value, "1", "chance that a consistent spectrum looks worse"),
                "pseudo_chi_squared": ((), self.pseudo_chi_squared, "1", "sum of squared residuals over |Z|^2"),
                "order": ((), self.order, "1", "RC elements in the chain"),
                "window_low": ((), low, "Hz", "suggested window, lower end"),
                "window_high": ((), high, "Hz", "suggested window, upper end"),
            },
            {"frequency": (one, self.spectrum.frequency, "Hz", "frequency")},
            kind="kramers_kronig",
            message=self.verdict,
            representation=self.representation,
            consistent=int(self.consistent),
            systematic=int(self.systematic),
            drift=int(self.drift),
        )


def kramers_kronig(
    spectrum: Spectrum,
    *,
    significance: float = SIGNIFICANCE,
    tolerance: float = TOLERANCE,
    outlier: float = OUTLIER,
) -> KramersKronig:
    """Test one spectrum.

    significance: share of consistent spectra that may be called systematic; tolerance: contradictions below this
    share of |Z| are stated, and the spectrum still called consistent; outlier: robust standard deviations from
    which a point is flagged and left out of the test. Errors of Re Z and Im Z are taken as equal and proportional
    to |Z|, or to the spectrum's sigma where it has one; their size is found.

    The chain is R0 + i omega L + 1 / (i omega C) + sum R_k / (1 + i omega tau_k) with R_k of either sign, or the
    same sum for the admittance: blocking cells and inductive loops need no special care. What no such chain
    follows is found from about 8 standard deviations on, counted as the norm over all points. DataError: fewer
    than 12 points.
    """
    return kramers_kronig_series([spectrum], significance=significance, tolerance=tolerance, outlier=outlier)[0]


def kramers_kronig_series(
    spectra: Sequence[Spectrum],
    *,
    significance: float = SIGNIFICANCE,
    tolerance: float = TOLERANCE,
    outlier: float = OUTLIER,
) -> list[KramersKronig]:
    """Test many spectra; those that share a frequency grid are one vectorised computation. See `kramers_kronig`."""
    results: list[KramersKronig | None] = [None] * len(spectra)
    for members in grids(spectra).values():
        frequency = spectra[members[0]].frequency
        if len(frequency) < LEAST_POINTS:
            raise DataError(
                f"{spectra[members[0]].label}: {len(frequency)} points; a Kramers-Kronig test needs {LEAST_POINTS}"
            )
        impedance = np.stack([spectra[k].impedance for k in members])
        sigma = np.stack([_sigma(spectra[k]) for k in members])
        keep = outliers(frequency, impedance, sigma, outlier)
        found = analyse(frequency, impedance, sigma, keep)
        for last in (False, True):
            settled = (found.size <= outlier) | (keep & last)
            changed = (settled != found.keep).any(axis=-1) & (settled.mean(axis=-1) >= 1 - SHARE)
            if changed.any():
                again = analyse(frequency, impedance[changed], sigma[changed], settled[changed])
                found.update(changed, again)
            keep = found.keep
        tested = [_result(spectra[k], found, row, sigma[row], significance, tolerance) for row, k in enumerate(members)]
        failed = np.array([one.systematic for one in tested])
        windows = _windows(frequency, impedance, sigma, found, failed)
        for k, one, window in zip(members, tested, windows, strict=True):
            object.__setattr__(one, "window", window)
            results[k] = one
    return [one for one in results if one is not None]


def grids(spectra: Sequence[Spectrum]) -> dict[bytes, list[int]]:
    """Positions of the spectra by their frequency grid."""
    groups: dict[bytes, list[int]] = {}
    for k, spectrum in enumerate(spectra):
        groups.setdefault(spectrum.frequency.tobytes(), []).append(k)
    return groups


def _sigma(spectrum):
    return abs(spectrum.impedance) if spectrum.sigma is None else spectrum.sigma


def _result(spectrum, found: Consistency, row, sigma, significance, tolerance):
    size = abs(spectrum.impedance)
    flagged = np.flatnonzero(~found.keep[row])
    return KramersKronig(
        spectrum=spectrum,
        impedance=found.shared[row],
        mismatch=np.where(found.keep[row], (found.separate[row] - found.shared[row]) / size, 0),
        representation=REPRESENTATIONS[found.representation[row]],
        order=int(found.order[row]),
        p_value=float(found.p_value[row]),
        noise=float(found.noise[row] * np.sqrt(np.mean((sigma / size) ** 2))),
        outliers=tuple(Outlier(int(k), float(spectrum.frequency[k]), float(found.size[row, k])) for k in flagged),
        window=None,
        significance=significance,
        tolerance=tolerance,
    )


def _windows(frequency, impedance, sigma, found, failed):
    """The whole range where the test passed; else the widest part of it that passes clearly, if any."""
    whole = (float(frequency[-1]), float(frequency[0]))
    windows: list[tuple[float, float] | None] = [None if bad else whole for bad in failed]
    share = np.log(frequency / frequency[-1]) / np.log(frequency[0] / frequency[-1])
    cuts = sorted(
        ((low, high) for low in STEPS for high in STEPS if 0 < low + high < 0.65), key=lambda cut: (sum(cut), -cut[0])
    )
    left = np.flatnonzero(failed)
    for low, high in cuts:
        inside = (share >= low - 1e-9) & (share <= 1 - high + 1e-9)
        if not len(left) or inside.sum() < LEAST_POINTS:
            continue
        part = left, inside.nonzero()[0]
        keep = found.keep[np.ix_(*part)]
        if keep.sum(axis=-1).min() < LEAST_POINTS:
            continue
        tried = analyse(frequency[inside], impedance[np.ix_(*part)], sigma[np.ix_(*part)], keep)
        passed = tried.p_value >= CLEARLY
        for k in left[passed]:
            windows[k] = (float(frequency[inside][-1]), float(frequency[inside][0]))
        left = left[~passed]
    return windows
