"""How large the errors of a measured spectrum are: a share of |Z|, fitted to residuals, or from repeated sweeps.

Every function gives or leads to `sigma` [ohm], the standard deviation of Re Z and of Im Z, for

    dataclasses.replace(spectrum, sigma=sigma)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from ionics.fitting.checks.kramers_kronig import KramersKronig
from ionics.fitting.spectrum import DataError, Spectrum

MEAN_OF_SIZE = np.sqrt(2 / np.pi)  # of |x| for a normal x of variance 1
DEGREE = 5  # of the polynomial in ln f that drift between sweeps may follow
LEAST_POINTS = 3 * (DEGREE + 1)


@dataclass(frozen=True)
class ErrorModel:
    """sigma = alpha |Im Z| + beta |Re Z| + gamma |Z|^2 + delta.

    Agarwal, Crisalle, Orazem, Garcia-Rubio, J. Electrochem. Soc. 142 (1995) 4149; the resistor that measures the
    current is within gamma. Real and imaginary part of consistent data have the same variance.
    """

    alpha: float = 0.0  # 1
    beta: float = 0.0  # 1
    gamma: float = 0.0  # ohm-1
    delta: float = 0.0  # ohm

    def sigma(self, impedance: Complex[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
        """Standard deviation of Re Z and of Im Z [ohm]."""
        return _terms(impedance) @ np.array([self.alpha, self.beta, self.gamma, self.delta])


def modulus_error(spectrum: Spectrum, share: float) -> Float[np.ndarray, " frequency"]:
    """sigma [ohm] = share |Z|."""
    if not share > 0:
        raise ValueError(f"share {share}; valid: above 0, such as 0.01")
    return share * abs(spectrum.impedance)


def fit_error_model(results: KramersKronig | Sequence[KramersKronig]) -> ErrorModel:
    """The error model behind the residuals of Kramers-Kronig tests of spectra taken with the same settings.

    Least squares of |residual| with coefficients >= 0, relative to the errors found and so done three times;
    outliers are left out. The residuals are those that remain when each part is described by itself, so that a
    drift does not count as noise; each is enlarged by what the fit took up. Several spectra give a better model.
    DataError where residuals are fewer than 40.
    """
    results = [results] if isinstance(results, KramersKronig) else list(results)
    rows, sizes = [], []
    for result in results:
        own = result.spectrum.impedance - result.impedance - result.mismatch * abs(result.spectrum.impedance)
        keep = result.kept
        parts = np.concatenate([np.real(own)[keep], np.imag(own)[keep]])
        taken = 1 - (2 * result.order + 3) / len(parts)
        rows.append(np.tile(_terms(result.spectrum.impedance[keep]), (2, 1)))
        sizes.append(abs(parts) / np.sqrt(taken))
    size = np.concatenate(sizes) if sizes else np.zeros(0)
    if len(size) < 40:
        raise DataError(f"{len(size)} residuals cannot tell an error model; valid: 40 or more, from more spectra")
    return ErrorModel(*(float(x) for x in _non_negative(np.concatenate(rows), size / MEAN_OF_SIZE)))


def repeated_error(spectra: Sequence[Spectrum], neighbours: int = 2) -> Float[np.ndarray, " frequency"]:
    """sigma [ohm] of one sweep from repeated sweeps on one grid, without what drifted between them.

    A steady drift falls out of second differences of three sweeps (of two sweeps: out of nothing), an unsteady
    one is smooth in frequency: a polynomial of degree 5 in ln f is taken from each difference, of real and
    imaginary part over |Z|. What is left is averaged over sweeps, parts and `neighbours` points to either side.
    DataError where grids differ, or there are fewer than 2 sweeps or 18 points.
    """
    if len(spectra) < 2:
        raise DataError(f"{len(spectra)} sweep; errors from repetition need 2 or more")
    frequency = spectra[0].frequency
    if len(frequency) < LEAST_POINTS:
        raise DataError(f"{len(frequency)} points; errors from repetition need {LEAST_POINTS}")
    if any(len(s) != len(frequency) or not np.allclose(s.frequency, frequency, rtol=1e-6) for s in spectra):
        raise DataError("repeated sweeps must have the same frequencies")
    z = np.stack([spectrum.impedance for spectrum in spectra])
    size = abs(z.mean(axis=0))
    order = min(2, len(z) - 1)
    change = np.diff(z / size, n=order, axis=0) / np.sqrt({1: 2, 2: 6}[order])
    x = np.log(frequency / frequency[-1])
    q, _ = np.linalg.qr(np.polynomial.legendre.legvander(2 * x / x[0] - 1, DEGREE))
    rest = (change - (change @ q) @ q.T) / np.sqrt(1 - np.sum(q**2, axis=1))
    variance = np.mean(np.real(rest) ** 2 + np.imag(rest) ** 2, axis=0) / 2
    near = abs(np.subtract.outer(np.arange(len(x)), np.arange(len(x)))) <= neighbours
    return size * np.sqrt(near @ variance / near.sum(axis=1))


def _terms(z):
    return np.column_stack([abs(np.imag(z)), abs(np.real(z)), abs(z) ** 2, np.ones(len(z))])


def _non_negative(terms, size):
    """Weighted least squares: the error of |residual| is in proportion to sigma itself."""
    from scipy.optimize import nnls  # slow to import

    sigma, found = np.maximum(terms[:, 0] + terms[:, 1], np.finfo(float).tiny), np.zeros(terms.shape[1])
    for _ in range(3):
        scale = np.linalg.norm(terms / sigma[:, None], axis=0)
        found = nnls(terms / sigma[:, None] / scale, size / sigma)[0] / scale
        sigma = np.maximum(terms @ found, 1e-3 * np.max(terms @ found, initial=np.finfo(float).tiny))
    return found
