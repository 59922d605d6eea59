"""Which model do the data want? Fits of the same data with different models, by information criteria."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from ionics.fit_results import joint_of
from ionics.fitting.criteria import criteria
from ionics.results import variable

CLEAR, SOME = 10.0, 2.0  # differences of AICc: Burnham and Anderson, Model Selection (Springer 2002), section 2.6


class NotComparable(ValueError):
    """Fits of different data; the message says what differs."""


def compare(fits: Mapping[str, xr.Dataset | xr.DataTree]) -> xr.Dataset:
    """A table over `model`, the best first: AICc and BIC above the best, Akaike weights, parameters, misfit.

    fits: name -> result of `ionics fit`; a series counts as one fit. Raises NotComparable where the data or their
    weighting are not the same.
    """
    rows = {name: _row(result) for name, result in fits.items()}
    if len(rows) < 2:
        raise NotComparable("one fit; a comparison needs two or more of the same data")
    first, *others = rows
    for name in others:
        for key, word in (("sha256", "data"), ("observations", "points"), ("weighting", "weighting")):
            if rows[name][key] != rows[first][key]:
                given = f"{word} of {first} and {name} differ"
                detail = "" if key == "sha256" else f" ({rows[first][key]} and {rows[name][key]})"
                remedy = "only fits of the same data with the same weighting can be compared"
                raise NotComparable(f"{given}{detail}: {remedy}")
    names = sorted(rows, key=lambda name: rows[name]["aicc"])
    axis = ("model",)

    def column(key):
        return np.array([rows[name][key] for name in names], float)

    aicc, bic = column("aicc"), column("bic")
    weight = np.exp(-0.5 * (aicc - aicc[0]))
    return xr.Dataset(
        {
            "delta_aicc": variable(axis, aicc - aicc[0], "1", "AICc above the best"),
            "delta_bic": variable(axis, bic - bic.min(), "1", "BIC above the best"),
            "weight": variable(axis, weight / weight.sum(), "1", "Akaike weight: share of the evidence among these"),
            "parameters": variable(axis, column("parameters").astype(int), "1", "free parameters"),
            "relative_rmse": variable(axis, column("rmse"), "1", "root mean square of |residual| / |Z|"),
        },
        coords={"model": names},
        attrs={"kind": "comparison", "message": _sentence(names, aicc, bic, rows[names[0]]["systematic"])},
    )


def _row(result) -> dict:
    """What a fit is judged by; a series that was fitted one by one is one model with the parameters of all."""
    if isinstance(result, xr.Dataset):
        return _judged(_of_one(result))
    members = [child.to_dataset(inherit=False) for name, child in result.children.items() if name != "together"]
    apart = [_of_one(ds) for ds in members]
    whole = {key: sum(one[key] for one in apart) for key in ("observations", "chi_squared", "parameters", "squares")}
    whole |= {"weighting": apart[0]["weighting"], "sha256": [one["sha256"] for one in apart]}
    whole["systematic"] = any(one["systematic"] for one in apart)
    if "together" in result.children:
        whole["parameters"] = joint_of(result).sizes["parameter"]
    return _judged(whole)


def _of_one(ds) -> dict:
    observations = int(ds.attrs["observations"])
    return {
        "sha256": ds.attrs["sha256"],
        "observations": observations,
        "weighting": ds.attrs["weighting"],
        "chi_squared": float(ds.chi_squared),
        "parameters": ds.sizes["parameter"],
        "squares": float(ds.relative_rmse) ** 2 * observations,
        "systematic": "systematic" in ds.attrs["message"],
    }


def _judged(row: dict) -> dict:
    found = criteria(row["chi_squared"], row["observations"], row["parameters"], row["weighting"] == "sigma")
    rmse = math.sqrt(row["squares"] / row["observations"])
    return row | {"aicc": found["AICc"], "bic": found["BIC"], "rmse": rmse}


def _sentence(names, aicc, bic, systematic: bool) -> str:
    gap = float(aicc[1] - aicc[0])
    if gap > CLEAR:
        text = f"The data want {names[0]}: AICc is lower by {gap:.3g} than for {names[1]}"
    elif gap > SOME:
        text = f"The data favour {names[0]} over {names[1]}, not decisively: AICc is lower by {gap:.2g}"
    else:
        text = f"The data do not tell {names[0]} from {names[1]}: AICc differs by {gap:.2g}"
    if bic.argmin() != 0:
        text += f"; BIC, which asks more of every parameter, prefers {names[int(bic.argmin())]}"
    if systematic:
        text += (
            "; the residuals of the best one are systematic too, so none of them describes the data within their "
            "noise and the numbers overstate the difference"
        )
    return text
