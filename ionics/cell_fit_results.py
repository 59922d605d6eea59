"""A fit of a cell as an xarray Dataset: parameters as of any fit, and every record beside what the cell makes of it.

Dimensions: `parameter`, `record`, `point` (all points of all records in one row; `point_record` says whose).
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from ionics.fit_results import estimates_to_dataset
from ionics.results import Origin, variable

UNITS = {"discharge": ("s", "V"), "rates": ("A/m^2", "C/m^2"), "titration": ("s", "V"), "impedance": ("Hz", "ohm m^2")}


def to_dataset(fit, origin: Origin | None = None) -> xr.Dataset:
    """fit: fitting.cells.result.CellFit."""
    origin, one = origin or Origin(), ("point",)
    kinds = [type(own.record).__name__.lower() for own in fit.fitted]
    of = np.concatenate([np.full(len(own.x), k) for k, own in enumerate(fit.fitted)])

    def joined(name):
        return np.concatenate([np.asarray(getattr(own, name), complex) for own in fit.fitted])

    measured, model = joined("measured"), joined("model")
    current = [float(getattr(own.record, "current", np.nan)) if kind == "discharge" else np.nan
               for own, kind in zip(fit.fitted, kinds, strict=True)]  # fmt: skip
    capacity = [np.nan if own.capacity is None else float(own.capacity) for own in fit.fitted]
    given = [_given(own.record) for own in fit.fitted]
    ds = estimates_to_dataset(fit).merge(
        xr.Dataset(
            {
                "x": variable(one, np.real(joined("x")), "", "time in s, current density in A/m^2 or frequency in Hz"),
                "measured_real": variable(one, np.real(measured), "", "voltage in V, charge in C/m^2, Re Z in ohm m^2"),
                "measured_imag": variable(one, np.imag(measured), "", "Im Z in ohm m^2"),
                "model_real": variable(one, np.real(model), "", "what the cell makes of it"),
                "model_imag": variable(one, np.imag(model), "", "what the cell makes of it, imaginary part"),
                "rms": variable(("record",), [own.rms for own in fit.fitted], "", "rms missed: V, or a share"),
                "record_current": variable(("record",), current, "A/m^2", "current of a discharge"),
                "record_capacity": variable(("record",), given, "C/m^2", "measured up to the cutoff"),
                "model_capacity": variable(("record",), capacity, "C/m^2", "of the cell up to the cutoff"),
                "determination": variable(
                    ("record", "parameter"), fit.by_record.share[: len(fit.fitted)], "1",
                    "share of a record in what is known of a parameter",
                ),
            },
            coords={
                "record": [own.name for own in fit.fitted],
                "record_kind": ("record", kinds, {"long_name": "what was measured"}),
                "point_record": variable(one, of, "", "index of the record that a point belongs to"),
            },
        )
    )  # fmt: skip
    told = json.dumps(list(fit.sources), ensure_ascii=False)
    return ds.assign_attrs(origin.attributes() | {"kind": "fit", "message": fit.verdict, "sources_of_parameters": told})


def _given(record) -> float:
    capacity = getattr(record, "capacity", None)
    return np.nan if capacity is None or np.ndim(capacity) else float(capacity)


def with_limits(ds: xr.Dataset, limits) -> xr.Dataset:
    """With the losses of each discharge. limits: fitting.cells.limiting.Limits."""
    both = ("limited", "limiting")
    added = xr.Dataset(
        {
            "loss_mean": variable(both, limits.value, "V", "part of voltage - open circuit, mean over the charge"),
            "loss_error": variable(both, limits.error, "V", "one standard deviation of it"),
            "limited_current": variable(("limited",), limits.current, "A/m^2", "current of a discharge"),
        },
        coords={"limited": list(limits.discharges), "limiting": list(limits.names)},
    )
    return ds.merge(added).assign_attrs(ds.attrs | {"limiting": json.dumps(limits.sentences, ensure_ascii=False)})
