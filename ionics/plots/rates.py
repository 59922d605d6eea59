"""Pictures of rate capability: capacity over rate with the laws that were fitted to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ionics.plots.style import INK, SMALL, colour, dash, dress, new_axes
from ionics.quantity import plus_minus, pretty_unit

CAPACITY_RATE = (6.4, 4.2)  # inches
SHOWN = {"C/kg": ("mAh/g", 3600.0), "C/m^2": ("mAh/cm²", 3.6e4), "C": ("mAh", 3.6)}  # unit -> what people read
TIMES = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))
LOOSE = 1.0  # a standard error above so many times the value says that it is not determined


def plot_capacity_rate(ds: xr.Dataset | Sequence[xr.Dataset], ax=None):
    """Measured capacity over rate, the fitted law with its 95 % band, and its numbers in the legend.

    ds: `RateFit.to_dataset()`, or several of the same curve with other laws.
    """
    several = [ds] if isinstance(ds, xr.Dataset) else list(ds)
    ax = new_axes(ax, CAPACITY_RATE)
    first = several[0]
    unit, size = SHOWN.get(first.capacity.attrs["units"], (pretty_unit(first.capacity.attrs["units"]), 1.0))
    for k, one in enumerate(several):
        rate, color = one.curve_rate.values, colour(k)
        low, high = one.curve_low.values / size, one.curve_high.values / size
        ax.fill_between(rate, np.maximum(low, 0), high, color=color, alpha=0.15, linewidth=0)
        ax.plot(rate, one.curve.values / size, color=color, linestyle=dash(k), linewidth=1.6, label=_numbers(one))
    error = first.sigma.values / size if "sigma" in first else None
    ax.errorbar(
        first.rate.values, first.capacity.values / size, yerr=error, fmt="o", color=INK, markersize=4.5,
        markerfacecolor="white", linewidth=0.9, capsize=2, zorder=5, label=first.attrs["label"] or "measured",
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(first.curve_rate.values[0], first.curve_rate.values[-1])
    ax.set_ylim(0, 1.2 * float(first.capacity.max()) / size)
    ax.set_xlabel(f"{first.rate.attrs['long_name']} (1/h)")
    ax.set_ylabel(f"capacity ({unit})")
    dress(ax)
    ax.legend(loc="lower left", frameon=False, fontsize=SMALL)
    return ax


def _numbers(ds: xr.Dataset) -> str:
    """`tian: Q_M 106.1 ± 3.1 mAh/g, tau 29.1 ± 2.5 min, n 1.30 ± 0.17`; only the name where it is not determined."""
    told = []
    for name, value, error, unit in zip(
        ds.parameter.values, ds["value"].values, ds.standard_error.values, ds.parameter_unit.values, strict=True
    ):
        unit, size = SHOWN.get(str(unit), (str(unit), 1.0))
        if unit == "s":
            size, unit = next((row for row in TIMES if value >= row[0]), TIMES[-1])
        sign = str(name).replace("tau", "τ")
        if not np.isfinite(error) or error > LOOSE * abs(value):
            told.append(f"{sign} not determined")
            continue
        told.append(f"{sign} {plus_minus(value / size, error / size)} {pretty_unit(unit)}".rstrip())
    return f"{ds.attrs['law']}: {', '.join(told)}"
