"""The `fit` part of a file with `model: capacity-rate`: one curve of a table of rates, and a law for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from ionics.config.errors import choices
from ionics.config.fit_questions import CapacityRate
from ionics.fitting.files.rates import RateCurve, read_rate_table
from ionics.fitting.rates.capacity_rate import fit_capacity_rate
from ionics.fitting.rates.laws import LAWS

if TYPE_CHECKING:
    from ionics.config.study import Study


def fit(study: Study, data: str | Path | None, tell: Callable[[str], None]) -> xr.Dataset:
    """Fit a law to one curve. Raises ConfigError, DataError."""
    config = study.config
    asked = config.fit.capacity_rate or CapacityRate()
    if asked.law not in LAWS:
        raise config.error(("fit", "capacity_rate", "law"), "unknown law", choices(asked.law, list(LAWS), "laws"))
    if data is None and config.fit.data is None:
        raise config.error(("fit", "data"), "no table of rates", "data: FILE, or --data FILE")
    path = Path(data) if data is not None else Path(config.document.name).parent / str(config.fit.data)
    tell("reading the table of rates")
    curve = _chosen(study, asked, [one for one in read_rate_table(path) if one.voltage is None])
    tell(f"fitting {curve.label}")
    found = fit_capacity_rate(
        curve.rate, curve.capacity, law=asked.law, rates=asked.rates, unit=curve.unit, label=curve.label,
        source=str(path), weighting=asked.weighting,
    )  # fmt: skip
    return found.to_dataset().assign_attrs(study.origin.attributes() | found.to_dataset().attrs)


def _chosen(study: Study, asked: CapacityRate, curves: list[RateCurve]) -> RateCurve:
    """The curve that is named; without a name the only one."""
    own = [one for one in curves if asked.sheet is None or one.sheet == asked.sheet]
    labels = list(dict.fromkeys(one.label for one in own))
    place = ("fit", "capacity_rate", "curve")
    if asked.curve is None and len(own) == 1:
        return own[0]
    if asked.curve is None:
        raise study.config.error(place, f"the table has {len(own)} curves", f"name one: {'; '.join(labels)}")
    named = [one for one in own if one.label == asked.curve]
    if not named:
        raise study.config.error(place, "no such curve", choices(asked.curve, labels, "curves"))
    if len(named) > 1:
        sheets = ", ".join(dict.fromkeys(one.sheet for one in named))
        raise study.config.error(place, f"{len(named)} curves have this name", f"sheet: one of {sheets}")
    return named[0]
