"""What a fit of capacity against rate returns: a verdict, numbers with their errors, and what the data leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ionics.fitting.criteria import criteria
from ionics.fitting.model import Parameter
from ionics.fitting.profile import Profile
from ionics.fitting.rates.laws import HOUR, Law
from ionics.fitting.rates.search import predict
from ionics.fitting.result import FAIR, GOOD

if TYPE_CHECKING:
    import xarray as xr

Rates = Literal["c-rate", "measured"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RateFit:
    """The best fit of one curve with one law."""

    law: Law
    rate: Float[np.ndarray, " point"]  # 1/h
    capacity: Float[np.ndarray, " point"]  # in `unit`
    sigma: Float[np.ndarray, " point"] | None  # standard deviation of the capacity, where it was given
    rates: Rates
    unit: str
    at: Float[np.ndarray, " unknown"]  # logarithms of capacity, time constant and exponent, fitted or held
    spread: Float[np.ndarray, "unknown unknown"]  # their covariance, without directions that change nothing
    parameters: tuple[Parameter, ...]  # those that were fitted
    values: Float[np.ndarray, " parameter"]
    covariance: Float[np.ndarray, "parameter parameter"]  # NaN for parameters on a bound, inf if undetermined
    correlation: Float[np.ndarray, "parameter parameter"]
    profiles: tuple[Profile, ...]
    profile_warning: str  # a sentence, empty where the profiles found nothing better
    weighting: str
    chi_squared: float  # sum of squared weighted residuals
    dof: int
    at_bound: tuple[bool, ...]
    undetermined: tuple[str, ...]  # sentences; empty where everything is determined
    limits: tuple[str, ...]  # sentences about determined parameters that lie on a bound
    start_costs: Float[np.ndarray, " start"]
    start_codes: tuple[str, ...]
    starts_at_best: int
    label: str
    source: str
    sha256: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    def __getitem__(self, name: str) -> float:
        return float(self.values[self._index(name)])

    def error(self, name: str) -> float:
        """Standard error of one parameter."""
        return float(self.standard_errors[self._index(name)])

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval by the profile; an end that the data leave open is the parameter's bound."""
        return self.profiles[self._index(name)].interval(level)

    def _index(self, name):
        if name not in self.names:
            raise KeyError(f"no parameter '{name}'; there are {', '.join(self.names)}")
        return self.names.index(name)

    @property
    def standard_errors(self) -> Float[np.ndarray, " parameter"]:
        """One standard deviation each; NaN on a bound, inf where the data say nothing."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def criteria(self) -> dict[str, float]:
        """AIC, AICc and BIC; smaller is better. AICc is infinite where there are too few points for it."""
        return criteria(self.chi_squared, len(self.rate), len(self.names), self.weighting == "sigma")

    @property
    def fitted(self) -> Float[np.ndarray, " point"]:
        """The fitted capacity at the measured rates."""
        return np.asarray(predict(self.law, jnp.asarray(self.at), jnp.asarray(self.rate / HOUR)))

    @property
    def relative_rmse(self) -> float:
        """Root mean square of the misfit over the largest capacity."""
        return float(np.sqrt(np.mean((self.capacity - self.fitted) ** 2)) / np.max(self.capacity))

    def predicted(self, rate: Float[np.ndarray, " point"]) -> tuple[np.ndarray, np.ndarray]:
        """Capacity at a rate [1/h] and its standard error, to first order."""

        def curve(at):
            value = predict(self.law, at, jnp.asarray(rate / HOUR))
            return value, value

        slope, value = jax.jacfwd(curve, has_aux=True)(jnp.asarray(self.at))
        slope = np.asarray(slope)
        return np.asarray(value), np.sqrt(np.einsum("pi,ij,pj->p", slope, self.spread, slope))

    @property
    def far(self) -> float:
        """Standard errors to each end of a 95 % interval that is symmetric."""
        from scipy.stats import norm, t

        return float(norm.ppf(0.975) if self.weighting == "sigma" else t.ppf(0.975, self.dof))

    # ---- in words

    @property
    def verdict(self) -> str:
        """Whether the law describes the curve, in a sentence."""
        if self.weighting == "sigma":
            within = self.chi_squared / self.dof < 1.0 + 3.0 * np.sqrt(2.0 / self.dof)
            text = f"{'fits' if within else 'does not fit'} within the given errors"
        else:
            rmse = self.relative_rmse
            text = "fits well" if rmse < GOOD else "fits roughly" if rmse < FAIR else "does not fit"
        if self.undetermined:
            text += "; not every parameter is determined"
        return f"{text} (RMSE {100 * self.relative_rmse:.2g} % of the largest capacity)"

    @property
    def exponent(self) -> str:
        """What n says about the mechanism, in a sentence; empty for laws whose n was given no meaning."""
        if self.law.name != "tian" or "n" not in self.names:
            return ""
        if self.rates == "c-rate":
            return "n is of C-rates: Tian's 0.5 (diffusion) and 1 (a resistance) are of rates that were measured"
        return (
            "n is 0.5 (diffusion) or 1 (a resistance) only where the curve goes far past 1/tau; over a decade or two "
            "either gives 0.7 to 0.9: compare with the laws diffusion and resistance"
        )

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """The fit as text."""
        codes = ", ".join(f"{self.start_codes.count(code)} {code}" for code in sorted(set(self.start_codes)))
        lines = [
            f"{f'{self.label}: ' if self.label else ''}{self.law.name} {self.verdict}",
            f"chi-squared {self.chi_squared:.6g} ({self.dof} degrees of freedom, {self.weighting} weighting)",
            f"{self.starts_at_best} of {len(self.start_costs)} starts found this optimum ({codes})",
            "",
            *(one.sentence() for one in self.profiles),
        ]
        for title, told in (("Not determined by these data:", self.undetermined), ("On a bound:", self.limits)):
            lines += ["", title, *(f"  {sentence}" for sentence in told)] if told else []
        return "\n".join([*lines, *filter(None, (self.exponent, self.profile_warning))])

    def to_dataset(self) -> xr.Dataset:
        """Parameters with errors and profiles, the measured and the fitted curve."""
        from ionics.fitting.rates.datasets import to_dataset

        return to_dataset(self)
