"""Pictures of fits of cells: every record beside what the cell makes of it, and which step limits at which rate."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.style import INK, PALETTE, SMALL, by_time, dress, legend_outside, new_axes, scaled

LIMITS = (7.6, 4.4)  # inches
PANEL = 4.6  # inches, of a kind of record
CM2, MILLIAMPERE_HOURS = 1e-4, 1 / 36000.0  # m2; mAh cm^-2 in C m^-2
LEAST = 0.01  # of the largest loss: smaller ones are drawn together


def plot_records(ds: xr.Dataset, figure=None):
    """Points: measured; lines: the cell. One panel for each kind of record."""
    kinds = list(dict.fromkeys(ds.record_kind.values))
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(1.2 + PANEL * len(kinds), 4.0)
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    draw = {"discharge": _discharges, "rates": _rates, "titration": _titrations, "impedance": _impedances}
    for ax, kind in zip(axes, kinds, strict=True):
        own = [k for k, other in enumerate(ds.record_kind.values) if other == kind]
        draw[str(kind)](ax, ds, own)
        dress(ax)
        if len(own) > 1:
            ax.legend(frameon=False, fontsize=SMALL)
    return axes


def _each(ds: xr.Dataset, own: list[int]):
    for n, k in enumerate(own):
        points = ds.isel(point=np.flatnonzero(ds.point_record.values == k))
        yield k, points, by_time(n / max(len(own) - 1, 1)), str(ds.record.values[k]).removeprefix("discharge ")


def _discharges(ax, ds, own):
    for k, points, shade, name in _each(ds, own):
        passed = points.x.values * abs(float(ds.record_current[k])) * MILLIAMPERE_HOURS
        ax.plot(passed, points.model_real.values, color=shade, linewidth=1.4)
        ax.plot(passed, points.measured_real.values, "o", color=shade, markersize=3.5, label=name)
        for values, style in ((ds.record_capacity, "o"), (ds.model_capacity, "x")):
            if np.isfinite(float(values[k])):
                x = float(values[k]) * MILLIAMPERE_HOURS
                ax.plot(
                    [x], [0.02], style, color=shade, markersize=5, transform=ax.get_xaxis_transform(), clip_on=False
                )
    ax.set_xlabel("charge passed (mAh/cm²); ends: ● measured, × cell")
    ax.set_ylabel("voltage (V)")
    ax.set_xlim(left=0)


def _rates(ax, ds, own):
    for _, points, shade, name in _each(ds, own):
        current, order = np.abs(points.x.values) * 0.1, np.argsort(np.abs(points.x.values))
        ax.semilogx(current[order], points.model_real.values[order] * MILLIAMPERE_HOURS, color=shade, linewidth=1.4)
        ax.semilogx(current, points.measured_real.values * MILLIAMPERE_HOURS, "o", color=shade, label=name)
    ax.set_xlabel("current density (mA/cm²)")
    ax.set_ylabel("capacity (mAh/cm²)")


def _titrations(ax, ds, own):
    for _, points, shade, name in _each(ds, own):
        ax.plot(points.x.values / 3600, points.model_real.values, color=shade, linewidth=1.2)
        ax.plot(points.x.values / 3600, points.measured_real.values, "o", color=shade, markersize=2.5, label=name)
    ax.set_xlabel("time (h)")
    ax.set_ylabel("voltage (V)")


def _impedances(ax, ds, own):
    for _, points, shade, name in _each(ds, own):
        ax.plot(points.model_real.values / CM2, -points.model_imag.values / CM2, color=shade, linewidth=1.4)
        ax.plot(
            points.measured_real.values / CM2,
            -points.measured_imag.values / CM2,
            "o",
            color=shade,
            markersize=3,
            label=name,
        )
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("Re Z (Ω cm²)")
    ax.set_ylabel("−Im Z (Ω cm²)")


def plot_limits(ds: xr.Dataset, ax=None):
    """What each step takes from the voltage, mean over the charge of each discharge, with two standard deviations."""
    ax = new_axes(ax, LIMITS)
    taken, error = -1e3 * ds.loss_mean.values, 1e3 * ds.loss_error.values
    order = np.argsort(np.abs(ds.limited_current.values))
    factor, unit = scaled(float(np.abs(ds.limited_current.values).max()) * CM2, "A/cm^2")
    largest = np.nanmax(np.abs(taken), axis=0)
    shown = [k for k in range(len(largest)) if largest[k] > LEAST * largest.max()]
    width, base, place = 0.7, np.zeros(len(order)), np.arange(len(order))
    for n, k in enumerate(shown):
        own = taken[order, k]
        ax.bar(
            place,
            own,
            width,
            bottom=base,
            color=PALETTE[n % len(PALETTE)],
            alpha=0.75,
            label=str(ds.limiting.values[k]),
        )
        shift = (n - 0.5 * (len(shown) - 1)) * width / (len(shown) + 1)
        ax.errorbar(place + shift, base + own, 2 * error[order, k], fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5)
        base = base + own
    currents = np.abs(ds.limited_current.values[order]) * CM2 * factor
    ax.set_xticks(place, [f"{value:.3g}" for value in currents])
    ax.set_xlabel(f"current density ({unit})")
    ax.set_ylabel("taken from the voltage (mV), bars: 2 s.d.")
    legend_outside(ax)
    dress(ax)
    return ax
