"""Least squares over one spectrum or several: what is searched, what is missed, and by how much."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.ndimage import median_filter

from ionics.fitting.across import Across, Shared
from ionics.fitting.model import AbstractModel
from ionics.fitting.posed import AbstractPosed, AbstractProblem, Unknowns, linearised
from ionics.fitting.spectrum import DataError, Spectrum

Weighting = Literal["modulus", "sigma", "unit"]
PAD = 32  # spectra are padded to multiples of this many points, so that a series shares one compiled function
NEIGHBOURS = 5  # points whose median modulus is the weight in a robust fit
FAR = 3.0  # residuals beyond so many standard deviations count less and less in a robust fit
ROUNDING = 1e-10  # a misfit below this share of the data is no misfit


class Data(eqx.Module):
    """Spectra with their weights; padding has weight zero."""

    frequency: Float[Array, "spectrum point"]  # Hz
    impedance: Complex[Array, "spectrum point"]  # ohm
    weight: Float[Array, "spectrum point"]  # ohm-1


class Problem(AbstractProblem):
    """Spectra that are fitted together.

    Searched are `unknowns`: logarithms of values, or values. Parameter p of spectrum k stands at
    level[k, p] + rows[k, p] @ unknowns.
    """

    model: AbstractModel  # its array leaves have a first axis: spectrum
    data: Data
    rows: Float[Array, "spectrum parameter unknown"]
    level: Float[Array, "spectrum parameter"]
    is_log: Array  # bool, parameter
    expected: Float[Array, " unknown"]  # by the priors
    certainty: Float[Array, " unknown"]  # one over the standard deviation of the prior; 0: none
    far: Float[Array, ""]  # FAR, or infinity: plain least squares

    def values(self, unknowns: Float[Array, " unknown"]) -> Float[Array, "spectrum parameter"]:
        """The parameters of every spectrum."""
        at = self.level + self.rows @ unknowns
        return jnp.where(self.is_log, jnp.exp(jnp.where(self.is_log, at, 0.0)), at)

    @property
    def residuals(self) -> int:
        """How many there are: real and imaginary parts of every point, and those of the priors."""
        return 2 * self.data.weight.size + len(self.expected)

    @property
    def slow(self) -> bool:
        return self.model.slow

    @property
    def rough(self) -> float:
        return 0.0

    def linearised(self, unknowns: Float[Array, " unknown"]):
        """Residual and its Jacobian: weighted misfits [spectrum, real and imaginary, point], then those of the priors.

        Derivatives are taken by the parameters of each spectrum on its own.
        """

        def one(model, frequency, impedance, weight, rows, level):
            def misfit(at):
                values = jnp.where(self.is_log, jnp.exp(jnp.where(self.is_log, at, 0.0)), at)
                missed = (model.impedance(values, frequency) - impedance) * weight
                both = jnp.stack([missed.real, missed.imag])
                far = jnp.sum(both**2, axis=0) / self.far**2
                both = (both * jnp.sqrt(2.0 / (1.0 + jnp.sqrt(1.0 + far)))).reshape(-1)
                return both, both

            slope, value = jax.jacfwd(misfit, has_aux=True)(level + rows @ unknowns)
            return value, slope @ rows

        data = self.data
        inputs = (self.model, data.frequency, data.impedance, data.weight, self.rows, self.level)
        if len(self.rows) == 1:
            value, slope = one(*jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, inputs))
        else:
            value, slope = eqx.filter_vmap(one)(*inputs)
        value, slope = value.reshape(-1), slope.reshape(-1, len(unknowns))
        value = jnp.concatenate([value, (unknowns - self.expected) * self.certainty])
        return value, jnp.concatenate([slope, jnp.diag(self.certainty)])


def unknowns(model: AbstractModel, spectra: Sequence[Spectrum], across: Mapping[str, Across]) -> Unknowns:
    """The unknowns of a model over spectra; parameters without a law are shared. Raises DataError."""
    names = [parameter.name for parameter in model.parameters]
    for name in across:
        if name not in names:
            raise DataError(f"there is no parameter '{name}'; the model has {', '.join(names)}")
    return Unknowns(tuple(across.get(p.name, Shared()).spread(p, spectra) for p in model.parameters))


@dataclass(frozen=True, eq=False)
class Posed(AbstractPosed):
    """A model and spectra."""

    model: AbstractModel
    spectra: tuple[Spectrum, ...]
    weighting: Weighting
    unknowns: Unknowns
    noise: float = 1.0  # where robust fits and priors need to know it
    robust: bool = False
    smooth: bool = False  # whether |Z| as a weight is the median of neighbours, so that no outlier weighs itself

    @functools.cached_property
    def problem(self) -> Problem:
        """As arrays. Raises DataError."""
        spreads, found = self.unknowns.spreads, self.unknowns.parameters
        rows = np.zeros((len(self.spectra), len(spreads), len(found)))
        first = 0
        for p, spread in enumerate(spreads):
            rows[:, p, first : first + len(spread.unknowns)] = spread.rows
            first += len(spread.unknowns)
        models = [self.model.under(spectrum) for spectrum in self.spectra]
        expected = [unknown.inner(unknown.prior.value) if unknown.prior else 0.0 for unknown in found]
        return Problem(
            model=jax.tree.map(lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0], *models),
            data=data(self.spectra, self.weighting, self.noise, self.smooth),
            rows=jnp.asarray(rows),
            level=jnp.asarray(np.stack([spread.level for spread in spreads], axis=1)),
            is_log=jnp.asarray([parameter.scale == "log" for parameter in self.model.parameters]),
            expected=jnp.asarray(expected),
            certainty=jnp.asarray([1 / unknown.prior.error if unknown.prior else 0.0 for unknown in found]),
            far=jnp.asarray(FAR if self.robust else np.inf),
        )

    @property
    def label(self) -> str:
        return self.spectra[0].label

    @property
    def plain(self) -> Posed:
        return replace(self, noise=1.0, robust=False) if self.robust or self.noise != 1 else self

    @property
    def known(self) -> bool:
        return self.weighting == "sigma" or self.noise != 1.0 or self.robust

    @property
    def points(self) -> int:
        """Frequencies of all spectra."""
        return sum(len(one) for one in self.spectra)

    @property
    def observations(self) -> int:
        return 2 * self.points

    @property
    def rounding(self) -> float:
        own = self.problem.data
        return ROUNDING**2 * float(np.sum(np.abs(np.asarray(own.impedance * own.weight)) ** 2))

    @property
    def sharp(self) -> bool:
        return len(self.spectra) == 1

    @property
    def followed(self) -> bool:
        return len(self.spectra) == 1

    @property
    def passes(self) -> int:
        return 3 if self.smooth else 1 if self.priors and self.weighting != "sigma" else 0

    def weighed(self, at: Float[np.ndarray, " unknown"]) -> Posed:
        return replace(self, noise=self._noise(at), robust=self.smooth)

    def _noise(self, at) -> float:
        """One standard deviation of a weighted residual [1]."""
        if self.weighting == "sigma" and not self.robust:
            return 1.0
        plain = replace(self, noise=1.0, robust=False)
        missed = np.asarray(linearised(plain.problem, jnp.asarray(at))[0])[: -len(at)]
        missed = missed[missed != 0]
        size = 1.4826 * np.median(np.abs(missed)) * np.sqrt(len(missed) / max(self.dof, 1))
        if self.robust or size == 0:
            return max(float(size), 1e-12)
        return float(np.sqrt(missed @ missed / self.dof))

    def check(self) -> None:
        count = len(self.unknowns.parameters)
        if self.dof < 1:
            raise DataError(
                f"{self.label}: {self.points} points cannot determine {count} parameters; "
                f"valid: more than {count / 2:g} points"
            )

    def spread(self, missed: Float[np.ndarray, " residual"]) -> float:
        if self.robust:
            return _inflation(missed.reshape(len(self.spectra), 2, -1) / self.noise, self.dof)
        return 1.0 if self.weighting == "sigma" or self.priors else float(missed @ missed) / self.dof


def _inflation(residual: Float[np.ndarray, "spectrum 2 point"], dof: int) -> float:
    """Variance of an M-estimate over that of least squares with unit errors: mean psi^2 / (mean psi')^2.

    P. J. Huber, Robust Statistics (Wiley 1981), section 7.6.
    """
    far = np.sum(residual**2, axis=1, keepdims=True) / FAR**2
    psi = residual / np.sqrt(1 + far)
    slope = 1 / np.sqrt(1 + far) - residual**2 / FAR**2 / (1 + far) ** 1.5
    used = residual != 0
    count = max(int(used.sum()), 1)
    return float(np.sum(psi[used] ** 2) / max(dof, 1) / (np.sum(slope[used]) / count) ** 2)


def data(spectra: Sequence[Spectrum], weighting: Weighting, noise: float = 1.0, smooth: bool = False) -> Data:
    """Spectra of any lengths as one padded array."""
    if jnp.zeros(()).dtype != jnp.float64:
        raise RuntimeError("fits need float64: call jax.config.update('jax_enable_x64', True) first")
    most = max(len(one) for one in spectra)
    length = most + -most % PAD

    def padded(rows, **how):
        return jnp.asarray(np.stack([np.pad(row, (0, length - len(row)), **how) for row in rows]))

    return Data(
        padded([one.frequency for one in spectra], mode="edge"),
        padded([one.impedance for one in spectra], mode="edge"),
        padded([1 / (noise * _error(one, weighting, smooth)) for one in spectra]),
    )


def _error(spectrum: Spectrum, weighting: Weighting, smooth: bool) -> Float[np.ndarray, " frequency"]:
    if weighting == "modulus":
        modulus = np.abs(spectrum.impedance)
        return median_filter(modulus, NEIGHBOURS, mode="nearest") if smooth else modulus
    if weighting == "sigma":
        if spectrum.sigma is None:
            raise DataError(f"{spectrum.label}: weighting 'sigma' needs the spectrum's sigma [ohm]; or use 'modulus'")
        return np.asarray(spectrum.sigma)
    if weighting == "unit":
        return np.ones(len(spectrum))
    raise ValueError(f"weighting '{weighting}'; valid: modulus, sigma, unit")
