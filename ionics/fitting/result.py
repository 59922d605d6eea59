"""What a fit returns: chi-squared and a verdict first, then numbers with their errors."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from ionics.fitting.model import AbstractModel, Parameter
from ionics.fitting.spectrum import Spectrum

GOOD, FAIR = 0.02, 0.10  # relative RMSE


@dataclass(frozen=True, eq=False)
class FitResult:
    """The best fit found, its errors, and whether to believe it."""

    model: AbstractModel
    spectrum: Spectrum
    weighting: str
    parameters: tuple[Parameter, ...]
    values: Float[np.ndarray, " parameter"]
    covariance: Float[np.ndarray, "parameter parameter"]  # NaN for parameters on a bound, inf if undetermined
    correlation: Float[np.ndarray, "parameter parameter"]
    chi_squared: float  # sum of squared weighted residuals
    dof: int  # 2 points - free parameters
    impedance: Complex[np.ndarray, " frequency"]  # ohm, of the fit at the spectrum's frequencies
    at_bound: tuple[bool, ...]
    undetermined: tuple[str, ...]  # sentences; empty where everything is determined
    start_costs: Float[np.ndarray, " start"]  # chi-squared each start ended with; the first start is the given one
    start_codes: tuple[str, ...]  # converged, iteration limit, non-finite
    starts_at_best: int  # starts that converged to the best chi-squared (within 1e-4)

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
    def residuals(self) -> Complex[np.ndarray, " frequency"]:
        """Measured minus fitted impedance [ohm]."""
        return self.spectrum.impedance - self.impedance

    @property
    def relative_rmse(self) -> float:
        """sqrt(mean |Z - Z_fit|^2 / |Z|^2) over the frequencies, Z as measured."""
        return float(np.sqrt(np.mean(np.abs(self.residuals / self.spectrum.impedance) ** 2)))

    def __getitem__(self, name: str) -> float:
        return float(self.values[self._index(name)])

    def error(self, name: str) -> float:
        """Standard error of one parameter."""
        return float(self.standard_errors[self._index(name)])

    def _index(self, name):
        if name not in self.names:
            raise KeyError(f"no parameter '{name}'; there are {', '.join(self.names)}")
        return self.names.index(name)

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
        """Plain numbers and words, for JSON or a table."""
        return {
            "label": self.spectrum.label,
            "source": self.spectrum.source,
            "sha256": self.spectrum.sha256,
            "points": len(self.spectrum),
            "weighting": self.weighting,
            "chi_squared": self.chi_squared,
            "reduced_chi_squared": self.reduced_chi_squared,
            "dof": self.dof,
            "relative_rmse": self.relative_rmse,
            "verdict": self.verdict,
            "parameters": {
                p.name: {"value": float(v), "standard_error": float(e), "unit": p.unit, "at_bound": b}
                for p, v, e, b in zip(self.parameters, self.values, self.standard_errors, self.at_bound, strict=True)
            },
            "correlation": self.correlation.tolist(),
            "undetermined": list(self.undetermined),
            "starts": len(self.start_costs),
            "starts_at_best": self.starts_at_best,
            "start_codes": {code: self.start_codes.count(code) for code in sorted(set(self.start_codes))},
            "notes": list(self.spectrum.notes),
        }

    def summary(self) -> str:
        """The fit as text: verdict and chi-squared, parameters, what is not determined, correlations."""
        codes = ", ".join(f"{self.start_codes.count(code)} {code}" for code in sorted(set(self.start_codes)))
        lines = [
            f"{self.spectrum.label}: {self.verdict}",
            f"chi-squared {self.chi_squared:.6g}, reduced {self.reduced_chi_squared:.6g} "
            f"({self.dof} degrees of freedom, {self.weighting} weighting)",
            f"{self.starts_at_best} of {len(self.start_costs)} starts found this optimum ({codes})",
            "",
            *self._table(),
        ]
        if self.undetermined:
            lines += [
                "",
                "Not determined by these data:",
                *(f"  {sentence}" for sentence in self.undetermined),
            ]
        pairs = list(self._correlated())
        if pairs:
            lines += ["", "Correlations above 0.95:", *(f"  {a} and {b}: {c:+.3f}" for a, b, c in pairs)]
        return "\n".join(lines)

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

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(p.name)}</td><td>{value:.5g}</td>"
            f"<td>{'on its bound' if bound else f'{error:.2g}'}</td><td>{html.escape(p.unit)}</td></tr>"
            for p, value, error, bound in zip(
                self.parameters, self.values, self.standard_errors, self.at_bound, strict=True
            )
        )
        loose = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in self.undetermined)
        return (
            f"<p><b>{html.escape(self.verdict)}</b><br>reduced chi-squared {self.reduced_chi_squared:.5g}, "
            f"{self.starts_at_best} of {len(self.start_costs)} starts agree</p>"
            "<table><tr><th>parameter</th><th>value</th><th>standard error</th><th>unit</th></tr>"
            f"{rows}</table><ul>{loose}</ul>"
        )


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
