"""Least squares over one spectrum or several: what is searched, what is missed, and by how much."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.ndimage import median_filter

from ionics.fitting.across import Across, Shared, Spread
from ionics.fitting.levenberg import Box
from ionics.fitting.model import AbstractModel, Parameter
from ionics.fitting.spectrum import DataError, Spectrum

Weighting = Literal["modulus", "sigma", "unit"]
PAD = 32  # spectra are padded to multiples of this many points, so that a series shares one compiled function
NEIGHBOURS = 5  # points whose median modulus is the weight in a robust fit
FAR = 3.0  # residuals beyond so many standard deviations count less and less in a robust fit


class Data(eqx.Module):
    """Spectra with their weights; padding has weight zero."""

    frequency: Float[Array, "spectrum point"]  # Hz
    impedance: Complex[Array, "spectrum point"]  # ohm
    weight: Float[Array, "spectrum point"]  # ohm-1


class Problem(eqx.Module):
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


@dataclass(frozen=True)
class Unknowns:
    """What is searched in a problem, and where."""

    spreads: tuple[Spread, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(unknown for spread in self.spreads for unknown in spread.unknowns)

    @property
    def is_log(self) -> np.ndarray:
        return np.array([unknown.scale == "log" for unknown in self.parameters])

    @property
    def box(self) -> Box:
        """Bounds; a step is at most a factor e^3 or a quarter of the range."""
        found = self.parameters
        lower = np.array([unknown.inner(unknown.lower) for unknown in found])
        upper = np.array([unknown.inner(unknown.upper) for unknown in found])
        stride = [3.0 if p.scale == "log" else (p.upper - p.lower) / 4 for p in found]
        return Box(jnp.asarray(lower), jnp.asarray(upper), jnp.asarray(np.array(stride)))

    @property
    def start(self) -> Float[np.ndarray, " unknown"]:
        return np.array([unknown.inner(unknown.start) for unknown in self.parameters])

    def inner(self, values: Float[np.ndarray, " unknown"]) -> Float[np.ndarray, " unknown"]:
        """From values to what is searched."""
        return np.array([one.inner(float(value)) for one, value in zip(self.parameters, values, strict=True)])

    def values(self, at: Float[np.ndarray, "*batch unknown"]) -> Float[np.ndarray, "*batch unknown"]:
        """From what is searched to values."""
        return np.where(self.is_log, np.exp(np.where(self.is_log, at, 0.0)), at)


def unknowns(model: AbstractModel, spectra: Sequence[Spectrum], across: Mapping[str, Across]) -> Unknowns:
    """The unknowns of a model over spectra; parameters without a law are shared. Raises DataError."""
    names = [parameter.name for parameter in model.parameters]
    for name in across:
        if name not in names:
            raise DataError(f"there is no parameter '{name}'; the model has {', '.join(names)}")
    return Unknowns(tuple(across.get(p.name, Shared()).spread(p, spectra) for p in model.parameters))


@dataclass(frozen=True, eq=False)
class Posed:
    """What is to be fitted to what, before anything is compiled."""

    model: AbstractModel
    spectra: tuple[Spectrum, ...]
    weighting: Weighting
    unknowns: Unknowns
    noise: float = 1.0  # one standard deviation of a weighted residual, where robust fits and priors need to know it
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

    def variance(self, least: float) -> float:
        """Of a residual of `problem`, whose smallest sum of squares is `least`: the unit in which chi-squared rises."""
        known = self.weighting == "sigma" or self.noise != 1.0 or self.robust
        return 1.0 if known else least / self.dof

    @property
    def points(self) -> int:
        """Frequencies of all spectra."""
        return sum(len(one) for one in self.spectra)

    @property
    def dof(self) -> int:
        """Two a frequency and one for every prior, less the unknowns."""
        found = self.unknowns.parameters
        return 2 * self.points + sum(one.prior is not None for one in found) - len(found)


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


@eqx.filter_jit
def linearised(problem: Problem, at: Float[Array, " unknown"]):
    """Compiled `linearised`."""
    return problem.linearised(at)
