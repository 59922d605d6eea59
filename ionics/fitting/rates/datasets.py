"""A fit of capacity against rate as an xarray Dataset, whose variables are named as those of other fits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from ionics.fitting.rates.fitted import RateFit

DRAWN, MARGIN = 120, 2.0  # points of the drawn curve, and how far it goes past the data
RATES = {"c-rate": "C-rate", "measured": "rate, one over the time of discharge"}


def to_dataset(fit: RateFit) -> xr.Dataset:
    """Parameters over `parameter`, data over `point`, the fitted curve with its 95 % band over `curve_rate`."""
    drawn = np.geomspace(fit.rate.min() / MARGIN, fit.rate.max() * MARGIN, DRAWN)
    return xr.Dataset(
        _estimates(fit) | _curves(fit, drawn) | _profiles(fit),
        coords={
            "rate": _described("point", fit.rate, "1/h", RATES[fit.rates]),
            "curve_rate": _described("curve_rate", drawn, "1/h", RATES[fit.rates]),
            "parameter": list(fit.names),
            "other": list(fit.names),
            "profiled": list(fit.names),
        },
        attrs=_attributes(fit),
    )


def _estimates(fit: RateFit) -> dict:
    axis, two = "parameter", ("parameter", "other")
    limits = np.array([fit.interval(name) for name in fit.names])
    found = {
        "value": _described(axis, fit.values, "", "fitted value, in parameter_unit"),
        "standard_error": _described(axis, fit.standard_errors, "", "one standard deviation, in parameter_unit"),
        "interval_low": _described(axis, limits[:, 0], "", "lower end of the 95 % interval, by the profile"),
        "interval_high": _described(axis, limits[:, 1], "", "upper end of the 95 % interval, by the profile"),
        "parameter_unit": (axis, [p.unit for p in fit.parameters], {"long_name": "unit of the parameter"}),
        "at_bound": _described(axis, np.array(fit.at_bound, np.int8), "", "1 where the value is on its bound"),
        "lower": _described(axis, [p.lower for p in fit.parameters], "", "lower bound"),
        "upper": _described(axis, [p.upper for p in fit.parameters], "", "upper bound"),
        "log_scale": _described(axis, np.ones(len(fit.names), np.int8), "1", "1: searched by ln"),
        "correlation": _described(two, fit.correlation, "1", "correlation of the logarithms"),
        "covariance": _described(two, fit.covariance, "", "covariance of the parameters"),
        "chi_squared": _described((), fit.chi_squared, "1", "sum of squared weighted residuals"),
        "relative_rmse": _described((), fit.relative_rmse, "1", "RMSE over the largest capacity"),
        "start_cost": _described("start", fit.start_costs, "1", "chi-squared each start ended with"),
    }
    if fit.weighting == "sigma":  # else the misfit says how large the errors are
        found["reduced_chi_squared"] = _described(
            (), fit.chi_squared / fit.dof, "1", "chi-squared per degree of freedom"
        )
    for name, value in fit.criteria.items():
        found[name.lower()] = _described((), value, "1", f"information criterion {name}")
    return found


def _curves(fit: RateFit, drawn) -> dict:
    value, error = fit.predicted(drawn)
    band = fit.far * error
    found = {
        "capacity": _described("point", fit.capacity, fit.unit, "measured capacity"),
        "capacity_model": _described("point", fit.fitted, fit.unit, "fitted capacity"),
        "residual": _described("point", fit.capacity - fit.fitted, fit.unit, "measured - fitted capacity"),
        "curve": _described("curve_rate", value, fit.unit, "fitted capacity"),
        "curve_low": _described("curve_rate", value - band, fit.unit, "lower end of its 95 % band, to first order"),
        "curve_high": _described("curve_rate", value + band, fit.unit, "upper end of its 95 % band, to first order"),
    }
    if fit.sigma is not None:
        found["sigma"] = _described("point", fit.sigma, fit.unit, "standard deviation of the measured capacity")
    return found


def _profiles(fit: RateFit) -> dict:
    length = max(len(one.value) for one in fit.profiles)
    both, axis = ("profiled", "profile_point"), "profiled"

    def padded(rows):
        return np.stack([np.pad(row, (0, length - len(row)), constant_values=np.nan) for row in rows])

    closed = np.array([one.closed() for one in fit.profiles], np.int8)
    return {
        "profile_value": _described(both, padded([one.value for one in fit.profiles]), "", "value, in parameter_unit"),
        "profile_rise": _described(
            both, padded([one.rise for one in fit.profiles]), "1", "rise of chi-squared over the noise"
        ),
        "profile_closed_low": _described(axis, closed[:, 0], "", "1 where the data set a lower limit"),
        "profile_closed_high": _described(axis, closed[:, 1], "", "1 where the data set an upper limit"),
    }


def _attributes(fit: RateFit) -> dict:
    def told(sentences):
        return json.dumps(list(sentences), ensure_ascii=False)

    return {
        "kind": "capacity-rate",
        "message": fit.verdict,
        "law": fit.law.name,
        "formula": fit.law.formula,
        "law_source": fit.law.source,
        "rates": fit.rates,
        "exponent": fit.exponent,
        "label": fit.label,
        "data": Path(fit.source).name,
        "sha256": fit.sha256,
        "weighting": fit.weighting,
        "dof": fit.dof,
        "observations": len(fit.rate),
        "starts_at_best": fit.starts_at_best,
        "undetermined": told(fit.undetermined),
        "limits": told(fit.limits),
        "profiles": told(one.sentence() for one in fit.profiles),
        "profile_warning": fit.profile_warning,
    }


def _described(dims, values, units: str, name: str):
    return dims, np.asarray(values), {"units": units, "long_name": name} if units else {"long_name": name}
