"""What a fit returns: chi-squared and a verdict first, then numbers with their errors."""

from __future__ import annotations

import dataclasses
import html
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from ionics.fitting.criteria import criteria
from ionics.fitting.identify import Information
from ionics.fitting.model import AbstractModel, Parameter
from ionics.fitting.posed import AbstractPosed
from ionics.fitting.spectrum import Spectrum

GOOD, FAIR = 0.02, 0.10  # relative RMSE
MOST = 12  # correlations that a summary tells


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Estimates:
    """Values of parameters, what the data say about their errors, and how they were found."""

    posed: AbstractPosed  # what was fitted to what
    weighting: str
    parameters: tuple[Parameter, ...]
    values: Float[np.ndarray, " parameter"]
    covariance: Float[np.ndarray, "parameter parameter"]  # NaN for parameters on a bound, inf if undetermined
    correlation: Float[np.ndarray, "parameter parameter"]
    chi_squared: float  # sum of squared weighted residuals
    dof: int  # 2 points - free parameters, and one for every prior
    at_bound: tuple[bool, ...]
    undetermined: tuple[str, ...] = ()  # sentences; empty where everything is determined
    limits: tuple[str, ...] = ()  # sentences about determined parameters that lie on a bound
    information: Information | None = None
    start_costs: Float[np.ndarray, " start"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    start_codes: tuple[str, ...] = ()  # converged, iteration limit, non-finite; the first start is the given one
    starts_at_best: int = 0  # starts that converged to the best chi-squared (within 1e-4)
    elsewhere: tuple[str, ...] = ()  # sentences about other optima, as good or nearly so

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(parameter.unit for parameter in self.parameters)

    @property
    def standard_errors(self) -> Float[np.ndarray, " parameter"]:
        """One standard deviation each; NaN on a bound, inf where the data say nothing."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def reduced_chi_squared(self) -> float:
        return self.chi_squared / self.dof

    @property
    def observations(self) -> int:
        """Real numbers that were fitted: two a frequency."""
        priors = sum(parameter.prior is not None for parameter in self.parameters)
        return self.dof + len(self.parameters) - priors

    @property
    def criteria(self) -> dict[str, float]:
        """AIC, AICc and BIC; smaller is better."""
        return criteria(self.chi_squared, self.observations, len(self.parameters), self.weighting == "sigma")

    def __getitem__(self, name: str) -> float:
        return float(self.values[self._index(name)])

    def error(self, name: str) -> float:
        """Standard error of one parameter."""
        return float(self.standard_errors[self._index(name)])

    def _index(self, name):
        if name not in self.names:
            raise KeyError(f"no parameter '{name}'; there are {', '.join(self.names)}")
        return self.names.index(name)

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval from the standard error, symmetric in what was searched (the logarithm on a log scale).

        Student's t where the size of the errors was estimated from the misfit. Profiles (`profile`) need no such
        symmetry.
        """
        from scipy.stats import norm, t

        k = self._index(name)
        value, error = float(self.values[k]), float(self.standard_errors[k])
        far = float(norm.ppf((1 + level) / 2) if self.weighting == "sigma" else t.ppf((1 + level) / 2, self.dof))
        if self.parameters[k].scale == "log":
            factor = float(np.exp(min(far * error / value, 700.0))) if np.isfinite(error) else np.inf
            return value / factor, value * factor
        return value - far * error, value + far * error

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """The fit as text."""
        return "\n".join([*self._statistics(), *self._answers()])

    def _statistics(self):
        codes = ", ".join(f"{self.start_codes.count(code)} {code}" for code in sorted(set(self.start_codes)))
        yield (
            f"chi-squared {self.chi_squared:.6g}, reduced {self.reduced_chi_squared:.6g} "
            f"({self.dof} degrees of freedom, {self.weighting} weighting)"
        )
        if self.start_codes:
            yield f"{self.starts_at_best} of {len(self.start_costs)} starts found this optimum ({codes})"

    def _answers(self):
        """Table, what is not determined, other optima, correlations, as lines."""
        yield from ("", *self._table())
        if self.undetermined:
            yield from ("", "Not determined by these data:", *(f"  {sentence}" for sentence in self.undetermined))
        if self.limits:
            yield from ("", "On a bound:", *(f"  {sentence}" for sentence in self.limits))
        if self.elsewhere:
            yield from ("", "Other optima:", *(f"  {sentence}" for sentence in self.elsewhere))
        pairs = list(self._correlated())
        if pairs:
            told = sorted(pairs, key=lambda pair: -abs(pair[2]))[:MOST]
            yield from ("", "Correlations above 0.95:", *(f"  {a} and {b}: {c:+.3f}" for a, b, c in told))
            if len(pairs) > MOST:
                yield f"  and {len(pairs) - MOST} more"

    def _table(self):
        width = max(len(name) for name in self.names)
        for p, value, error, bound in zip(
            self.parameters, self.values, self.standard_errors, self.at_bound, strict=True
        ):
            unit = p.unit if p.unit != "1" else ""
            yield f"{p.name:<{width}}  {_measured(value, error, bound)} {unit}".rstrip()

    def _correlated(self):
        for i, a in enumerate(self.names):
            for j in range(i):
                if abs(self.correlation[i, j]) > 0.95:
                    yield self.names[j], a, self.correlation[i, j]

    def _html_table(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(p.name)}</td><td>{value:.5g}</td>"
            f"<td>{'on its bound' if bound else f'{error:.2g}'}</td><td>{html.escape(p.unit)}</td></tr>"
            for p, value, error, bound in zip(
                self.parameters, self.values, self.standard_errors, self.at_bound, strict=True
            )
        )
        loose = "".join(
            f"<li>{html.escape(sentence)}</li>" for sentence in (*self.undetermined, *self.limits, *self.elsewhere)
        )
        return (
            "<table><tr><th>parameter</th><th>value</th><th>standard error</th><th>unit</th></tr>"
            f"{rows}</table><ul>{loose}</ul>"
        )

    def as_dict(self) -> dict:
        """Plain numbers and words, for JSON or a table."""
        return {
            "weighting": self.weighting,
            "chi_squared": self.chi_squared,
            "reduced_chi_squared": self.reduced_chi_squared,
            "dof": self.dof,
            "criteria": self.criteria,
            "parameters": {
                p.name: {"value": float(v), "standard_error": float(e), "unit": p.unit, "at_bound": b}
                for p, v, e, b in zip(self.parameters, self.values, self.standard_errors, self.at_bound, strict=True)
            },
            "correlation": self.correlation.tolist(),
            "undetermined": list(self.undetermined),
            "limits": list(self.limits),
            "elsewhere": list(self.elsewhere),
            "starts": len(self.start_costs),
            "starts_at_best": self.starts_at_best,
            "start_codes": {code: self.start_codes.count(code) for code in sorted(set(self.start_codes))},
        }


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FitResult(Estimates):
    """The best fit of one spectrum, its errors, and whether to believe it."""

    model: AbstractModel
    spectrum: Spectrum
    impedance: Complex[np.ndarray, " frequency"]  # ohm, of the fit at the spectrum's frequencies

    @property
    def residuals(self) -> Complex[np.ndarray, " frequency"]:
        """Measured minus fitted impedance [ohm]."""
        return self.spectrum.impedance - self.impedance

    @property
    def relative_rmse(self) -> float:
        """sqrt(mean |Z - Z_fit|^2 / |Z|^2) over the frequencies, Z as measured."""
        return float(np.sqrt(np.mean(np.abs(self.residuals / self.spectrum.impedance) ** 2)))

    @property
    def systematic(self) -> bool:
        """Whether residuals run in stretches of one sign, as those of a wrong model do (runs test)."""
        return any(_runs_score(part) < -3.0 for part in (np.real(self.residuals), np.imag(self.residuals)))

    @property
    def verdict(self) -> str:
        """Whether the model describes the data, in a sentence."""
        size = f"relative RMSE {100 * self.relative_rmse:.2g} %"
        if self.weighting == "sigma":
            limit = 1.0 + 3.0 * np.sqrt(2.0 / self.dof)
            text = (
                "fits within the given errors"
                if self.reduced_chi_squared < limit
                else "does not fit within the given errors"
            )
        elif self.relative_rmse < GOOD:
            text = "fits well"
        else:
            text = "fits roughly" if self.relative_rmse < FAIR else "does not fit"
        if self.systematic:
            text += "; the residuals are systematic, so the standard errors are too small"
        if self.undetermined:
            text += "; not every parameter is determined"
        return f"{text} ({size})"

    def as_dict(self) -> dict:
        own = {
            "label": self.spectrum.label,
            "source": self.spectrum.source,
            "sha256": self.spectrum.sha256,
            "points": len(self.spectrum),
            "relative_rmse": self.relative_rmse,
            "verdict": self.verdict,
            "notes": list(self.spectrum.notes),
        }
        return own | super().as_dict()

    def summary(self) -> str:
        """The fit as text: verdict and chi-squared, parameters, what is not determined, correlations."""
        return "\n".join([f"{self.spectrum.label}: {self.verdict}", *self._statistics(), *self._answers()])

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{html.escape(self.verdict)}</b><br>reduced chi-squared {self.reduced_chi_squared:.5g}, "
            f"{self.starts_at_best} of {len(self.start_costs)} starts agree</p>{self._html_table()}"
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SeriesFit(Estimates):
    """The best fit of several spectra together: the parameters of the series, and each spectrum with its own."""

    members: tuple[FitResult, ...]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def relative_rmse(self) -> float:
        """sqrt(mean |Z - Z_fit|^2 / |Z|^2) over all points."""
        squares = [abs(one.residuals / one.spectrum.impedance) ** 2 for one in self.members]
        return float(np.sqrt(np.mean(np.concatenate(squares))))

    @property
    def verdict(self) -> str:
        """Whether the model describes the series, in a sentence."""
        worst = max(self.members, key=lambda one: one.relative_rmse)
        text = f"{len(self.members)} spectra together, relative RMSE {100 * self.relative_rmse:.2g} %"
        text += f", worst {100 * worst.relative_rmse:.2g} % ({worst.spectrum.label})"
        systematic = sum(one.systematic for one in self.members)
        if systematic:
            text += f"; residuals of {systematic} are systematic, so the standard errors are too small"
        if self.undetermined:
            text += "; not every parameter is determined"
        return text

    def summary(self) -> str:
        """The fit as text."""
        return "\n".join([self.verdict, *self._statistics(), *self._answers()])

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.verdict)}</b></p>{self._html_table()}"


def _measured(value, error, bound):
    if bound:
        return f"{value:>12.5g}  (on its bound)  "
    share = f"({100 * error / abs(value):.2g} %)" if np.isfinite(error) and value else ""
    return f"{value:>12.5g} +- {error:<8.2g} {share:>9}"


def _runs_score(values):
    """Wald-Wolfowitz: how many standard deviations the number of sign runs is above that of noise."""
    up = values > 0
    n, m = int(up.sum()), int((~up).sum())
    if min(n, m) < 2:
        return 0.0
    total = n + m
    mean = 2 * n * m / total + 1
    variance = (mean - 1) * (mean - 2) / (total - 1)
    return float((1 + np.sum(up[1:] != up[:-1]) - mean) / np.sqrt(variance))
