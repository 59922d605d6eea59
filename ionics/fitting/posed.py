"""What searches, error analysis and samplers need to know of a problem of least squares, whatever its data are."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ionics.fitting.across import Spread
from ionics.fitting.levenberg import Box
from ionics.fitting.model import Parameter

Linear = tuple[Float[Array, " residual"], Float[Array, "residual unknown"]]


class AbstractProblem(eqx.Module):
    """What is searched, as arrays: residuals of the data and, last, those of the priors, and their Jacobian."""

    @property
    @abc.abstractmethod
    def residuals(self) -> int:
        """How many there are, with those of the priors."""

    @property
    @abc.abstractmethod
    def slow(self) -> bool:
        """Whether searches had better run one after another."""

    @property
    @abc.abstractmethod
    def rough(self) -> float:
        """Share of the sum of squares by which it jumps because a model takes steps; 0: it is smooth to rounding."""

    @abc.abstractmethod
    def linearised(self, unknowns: Float[Array, " unknown"]) -> Linear:
        """Residual and its Jacobian."""


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


class AbstractPosed(abc.ABC):
    """What is to be fitted to what, before anything is compiled."""

    unknowns: Unknowns
    weighting: str  # 'sigma': the size of the errors is known
    noise: float  # one standard deviation of a residual of `plain`, where it has been estimated; else 1

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Of the data."""

    @property
    @abc.abstractmethod
    def problem(self) -> AbstractProblem:
        """As arrays. Raises DataError."""

    @property
    @abc.abstractmethod
    def plain(self) -> AbstractPosed:
        """The same as plain least squares, with errors of the size that was given."""

    @property
    @abc.abstractmethod
    def known(self) -> bool:
        """Whether the size of the errors is part of the problem, given or estimated."""

    @property
    @abc.abstractmethod
    def observations(self) -> int:
        """Real numbers that are fitted."""

    @property
    @abc.abstractmethod
    def rounding(self) -> float:
        """A sum of squares that is rounding."""

    @property
    @abc.abstractmethod
    def sharp(self) -> bool:
        """Whether searches that end in the same optimum end with nearly the same sum of squares."""

    @property
    @abc.abstractmethod
    def followed(self) -> bool:
        """Whether what is known poorly is worth following out to its bounds."""

    @property
    @abc.abstractmethod
    def passes(self) -> int:
        """How often the size of the errors is estimated anew."""

    @abc.abstractmethod
    def weighed(self, at: Float[np.ndarray, " unknown"]) -> AbstractPosed:
        """The same with errors of the size that they have at these unknowns."""

    @abc.abstractmethod
    def check(self) -> None:
        """Raise DataError where the data cannot determine so many unknowns."""

    @abc.abstractmethod
    def spread(self, missed: Float[np.ndarray, " residual"]) -> float:
        """Variance of a residual of `plain` over that of `noise`, at the optimum."""

    @property
    def priors(self) -> int:
        """How many there are."""
        return sum(one.prior is not None for one in self.unknowns.parameters)

    @property
    def dof(self) -> int:
        """Numbers that are fitted and one for every prior, less the unknowns."""
        return self.observations + self.priors - len(self.unknowns.parameters)

    def variance(self, least: float) -> float:
        """Of a residual of `problem`, whose smallest sum of squares is `least`: the unit in which chi-squared rises."""
        return 1.0 if self.known else least / self.dof


@eqx.filter_jit
def linearised(problem: AbstractProblem, at: Float[Array, " unknown"]) -> Linear:
    """Compiled `linearised`."""
    return problem.linearised(at)
