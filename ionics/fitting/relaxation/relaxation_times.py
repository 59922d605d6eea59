"""Distribution of relaxation times: which processes a spectrum holds, without a circuit.

    Z = R_inf + i omega L + 1 / (Q (i omega)^n) + integral of gamma(ln tau) / (1 + i omega tau) d(ln tau)

gamma [ohm] is not negative, piecewise linear in ln tau, and as smooth as the evidence asks for (`tikhonov`). The
last resistance of a cell that blocks is no distribution: its end is the element Q, n, with n chosen by evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Complex, Float

from ionics.fitting.checks.kramers_kronig import grids
from ionics.fitting.relaxation.ends import Problem, end, solve, weighted
from ionics.fitting.relaxation.peaks import Peak, find_peaks
from ionics.fitting.relaxation.tikhonov import roughness, samples
from ionics.fitting.spectrum import DataError, Spectrum

Blocking = Literal["auto", "none", "capacitance", "cpe"]
EXPONENTS = {"none": (0.0,), "capacitance": (1.0,), "cpe": tuple(np.round(np.arange(0.3, 1.001, 0.02), 2))}
EXPONENTS["auto"] = EXPONENTS["none"] + EXPONENTS["cpe"]
PER_DECADE, BEYOND = 10, 0.7  # points of the grid; decades that it reaches past either end
LEVEL = 0.95  # of the credible band
LEAST_POINTS = 12
CHUNK = 64  # spectra worked on together: more do not fit into the cache


@dataclass(frozen=True, eq=False)
class RelaxationTimes:
    """gamma(ln tau) with its credible band, what stands beside it, and the peaks."""

    spectrum: Spectrum
    tau: Float[np.ndarray, " relaxation"]  # s, increasing
    gamma: Float[np.ndarray, " relaxation"]  # ohm, the most probable
    lower: Float[np.ndarray, " relaxation"]  # ohm, ends of the pointwise 95 % band
    upper: Float[np.ndarray, " relaxation"]  # ohm
    peaks: tuple[Peak, ...]  # from the fastest
    resistance: float  # ohm, R_inf
    resistance_error: float
    inductance: float  # H
    inductance_error: float
    blocking: float  # Q [F s^(n-1)], inf where nothing blocks
    blocking_error: float
    exponent: float  # n; 0 where nothing blocks
    polarisation: float  # ohm, integral of gamma
    polarisation_error: float
    strength: float  # lambda
    noise: float  # standard deviation of Re Z and Im Z, of |Z|
    log_evidence: float
    impedance: Complex[np.ndarray, " frequency"]  # ohm

    @property
    def residuals(self) -> Complex[np.ndarray, " frequency"]:
        """(Z - Z of the distribution) / |Z|."""
        return (self.spectrum.impedance - self.impedance) / abs(self.spectrum.impedance)

    def summary(self) -> str:
        """The peaks as text."""
        peaks = "1 peak" if len(self.peaks) == 1 else f"{len(self.peaks)} peaks"
        lines = [
            f"{self.spectrum.label}: {peaks}, {self.polarisation:.4g} +- {self.polarisation_error:.2g} ohm in all; "
            f"R_inf {self.resistance:.4g} +- {self.resistance_error:.2g} ohm; noise {100 * self.noise:.2g} %"
        ]
        if self.exponent:
            lines.append(f"blocking end: Q {self.blocking:.3g} F s^(n-1), n {self.exponent:.2f}")
        lines += [
            f"  {p.frequency:10.4g} Hz  R {p.resistance:9.4g} +- {p.resistance_error:.2g} ohm  "
            f"tau {p.time_constant:9.3g} +- {p.time_constant_error:.2g} s  C {p.capacitance:9.3g} F"
            for p in self.peaks
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict:
        """Plain numbers and words, for JSON or a table."""
        numbers = ("resistance", "inductance", "polarisation")
        out: dict = {"label": self.spectrum.label}
        for name in numbers:
            out[name] = {"value": getattr(self, name), "error": getattr(self, f"{name}_error")}
        blocks = {"q": self.blocking, "q_error": self.blocking_error, "n": self.exponent} if self.exponent else None
        peaks = [vars(peak) | {"frequency": peak.frequency, "valleys": list(peak.valleys)} for peak in self.peaks]
        return out | {"blocking": blocks, "strength": self.strength, "noise": self.noise, "peaks": peaks}

    def to_dataset(self):
        """An xarray Dataset over `tau`, `frequency` and `peak`, of kind `relaxation_times`."""
        from ionics.fitting.datasets import compared, dataset

        one, axis, many = ("frequency",), ("tau",), ("peak",)

        def of(name):
            return np.array([getattr(peak, name) for peak in self.peaks], dtype=float)

        variables = compared(self.spectrum, self.impedance, "distribution") | {
            "gamma": (axis, self.gamma, "ohm", "distribution over ln tau"),
            "gamma_lower": (axis, self.lower, "ohm", "lower end of the 95 % credible band"),
            "gamma_upper": (axis, self.upper, "ohm", "upper end of the 95 % credible band"),
        }
        for name, unit, words in (
            ("resistance", "ohm", "resistance"),
            ("time_constant", "s", "time constant"),
            ("capacitance", "F", "capacitance"),
        ):
            variables[f"peak_{name}"] = (many, of(name), unit, f"{words} of the peak")
            variables[f"peak_{name}_error"] = (many, of(f"{name}_error"), unit, "one standard deviation")
        for name, unit, words in (
            ("resistance", "ohm", "resistance at infinite frequency"),
            ("inductance", "H", "inductance"),
            ("polarisation", "ohm", "integral of the distribution"),
        ):
            variables[name] = ((), getattr(self, name), unit, words)
            variables[f"{name}_error"] = ((), getattr(self, f"{name}_error"), unit, "one standard deviation")
        variables |= {
            "blocking": ((), self.blocking, "F s^(n-1)", "Q of the blocking end"),
            "exponent": ((), self.exponent, "1", "n of the blocking end, 0 where nothing blocks"),
            "strength": ((), self.strength, "1", "strength of the regularisation"),
            "noise": ((), self.noise, "1", "standard deviation of Re and of Im over |Z|"),
        }
        coords = {
            "frequency": (one, self.spectrum.frequency, "Hz", "frequency"),
            "tau": (axis, self.tau, "s", "relaxation time"),
        }
        message = self.summary().splitlines()[0]
        return dataset(self.spectrum, variables, coords, kind="relaxation_times", message=message)


def distribution_of_relaxation_times(
    spectrum: Spectrum,
    *,
    inductance: bool = True,
    blocking: Blocking = "auto",
    per_decade: int = PER_DECADE,
    draws: int = 200,
    seed: int = 0,
) -> RelaxationTimes:
    """The distribution behind one spectrum.

    inductance: whether L may be above zero; blocking: the end at low frequencies: `none`, `capacitance` (n = 1),
    `cpe` (n from 0.3 to 1, a Warburg end at 0.5) or `auto`, all of these by evidence; per_decade: points of the
    grid in tau; draws: samples of the posterior, of which bands and errors are made.

    Errors are proportional to |Z| and their size is found, or they are the spectrum's sigma where it has one.
    The band says how gamma may vary if it is about equally smooth everywhere. A sharp peak (a single RC) comes
    out narrow, never infinitely so, and what lies between peaks is best read from their resistances.
    DataError: fewer than 12 points. Clean the spectrum first (`kramers_kronig`).
    """
    options = {"inductance": inductance, "blocking": blocking, "per_decade": per_decade, "draws": draws, "seed": seed}
    return relaxation_times_series([spectrum], **options)[0]


def relaxation_times_series(
    spectra: Sequence[Spectrum],
    *,
    inductance: bool = True,
    blocking: Blocking = "auto",
    per_decade: int = PER_DECADE,
    draws: int = 200,
    seed: int = 0,
) -> list[RelaxationTimes]:
    """Distributions of many spectra, those on one frequency grid together: `distribution_of_relaxation_times`.

    Each has its own smoothness and its own end; the grid of tau is common to those with a common frequency grid.
    """
    if blocking not in EXPONENTS:
        raise ValueError(f"blocking '{blocking}'; valid: {', '.join(EXPONENTS)}")
    if draws < 2:
        raise ValueError(f"draws {draws}; valid: 2 and more, some hundred for a smooth band")
    results: dict[int, RelaxationTimes] = {}
    for members in grids(spectra).values():
        if len(spectra[members[0]]) < LEAST_POINTS:
            raise DataError(
                f"{spectra[members[0]].label}: {len(spectra[members[0]])} points; a distribution needs {LEAST_POINTS}"
            )
        for known in (False, True):
            own = [k for k in members if (spectra[k].sigma is not None) == known]
            for first in range(0, len(own), CHUNK):
                chunk = own[first : first + CHUNK]
                found = _together(
                    [spectra[k] for k in chunk], known, inductance, EXPONENTS[blocking], per_decade, draws, seed
                )
                results |= dict(zip(chunk, found, strict=True))
    return [results[k] for k in range(len(spectra))]


# ---- spectra on one grid


def _together(spectra, known, inductance, exponents, per_decade, draws, seed):
    """Evidence for every end and strength, then optimum and samples with the best of them."""
    omega = 2 * np.pi * spectra[0].frequency
    log = _grid(omega, per_decade)
    rough = roughness(len(log), log[1] - log[0])
    z = np.stack([spectrum.impedance for spectrum in spectra])
    weight = 1 / (np.stack([spectrum.sigma for spectrum in spectra]) if known else abs(z))
    a, b = weighted(_kernel(omega, log), weight), np.concatenate([np.real(z) * weight, np.imag(z) * weight], axis=-1)
    ends = [end(omega, exponent) for exponent in exponents]
    present = [np.array([True, inductance, exponent > 0]) for exponent in exponents]
    size = np.stack([np.interp(log, -np.log(omega), row) for row in abs(z)])  # |Z| at omega = 1 / tau
    within = log <= -np.log(omega.min()) + 1e-9
    solved = [
        solve(Problem(a[row], b[row], weight[row], size[row], within, rough, known), ends, present)
        for row in range(len(spectra))
    ]
    stacked, target, best = (
        np.stack([getattr(one, name) for one in solved]) for name in ("stacked", "target", "unknowns")
    )
    noise, scale = np.array([one.noise for one in solved]), np.stack([one.scale for one in solved])
    drawn = samples(stacked, target, noise, best, draws, seed)
    drawn[:, :-3] *= scale[..., None]
    best[:, :-3] *= scale
    kernel = _kernel(omega, log)
    fitted = [
        kernel @ x[:-3] + ends[one.pick] @ (x[-3:] * present[one.pick]) for x, one in zip(best, solved, strict=True)
    ]
    relative = noise * np.sqrt(np.mean((1 / weight / abs(z)) ** 2, axis=-1))
    last = int(within.sum())
    return [
        RelaxationTimes(
            **_numbers(np.exp(log), best[row], drawn[row], size[row], present[one.pick], exponents[one.pick], last),
            spectrum=spectrum,
            strength=one.strength,
            noise=float(relative[row]),
            log_evidence=one.value,
            impedance=fitted[row],
        )
        for row, (spectrum, one) in enumerate(zip(spectra, solved, strict=True))
    ]


def _numbers(tau, best, drawn, size, present, exponent, last):
    """The optimum with the spread of the samples; beside a blocking end what piles up at the last tau is no peak."""
    gamma, of_gamma, step = best[:-3], drawn[:-3], np.log(tau[1] / tau[0])
    lower, upper = np.quantile(of_gamma, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    found, errors = best[-3:] * present, np.std(drawn[-3:], axis=-1) * present
    blocks = found[2] > 0
    return {
        "tau": tau,
        "gamma": gamma,
        "lower": np.minimum(lower, gamma),
        "upper": np.maximum(upper, gamma),
        "peaks": find_peaks(tau, gamma, of_gamma, size, last - 2 if blocks else len(tau)),
        "resistance": float(found[0]),
        "resistance_error": float(errors[0]),
        "inductance": float(found[1]),
        "inductance_error": float(errors[1]),
        "blocking": float(1 / found[2]) if blocks else np.inf,
        "blocking_error": float(errors[2] / found[2] ** 2) if blocks else np.nan,
        "exponent": float(exponent) if blocks else 0.0,
        "polarisation": float(step * gamma.sum()),
        "polarisation_error": float(np.std(step * of_gamma.sum(axis=0))),
    }


def _grid(omega, per_decade):
    """ln tau [s], increasing."""
    low, high = -np.log(omega.max()) - BEYOND * np.log(10), -np.log(omega.min()) + BEYOND * np.log(10)
    return np.linspace(low, high, int(np.ceil(per_decade * (high - low) / np.log(10))) + 1)


def _kernel(omega, log):
    """Impedance of the hat functions on the grid: their integrals over 1 / (1 + i omega tau), by Gauss's rule."""
    step = log[1] - log[0]
    place, share = np.polynomial.legendre.leggauss(4)
    place, share = (place + 1) / 2, share / 2
    kernel = np.zeros((len(omega), len(log)), dtype=complex)
    for x, w in zip(place, share, strict=True):
        for side in (-1, 1):
            kernel += step * w * (1 - x) / (1 + 1j * np.outer(omega, np.exp(log + side * x * step)))
    return kernel
