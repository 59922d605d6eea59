"""Pictures of what is asked before a fit: the Kramers-Kronig test and the distribution of relaxation times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ionics.plots.style import INK, PALETTE, SMALL, by_time, dress, new_axes, scaled
from ionics.quantity import quantity

KRAMERS_KRONIG, DRT = (6.8, 3.6), (6.8, 4.0)  # inches
WIDE = 0.2  # of the axis, that a label takes
LABELS = 6  # peaks that are written out
DECADES = 50  # ratio of the highest to the lowest peak from which the axis is logarithmic


def plot_kramers_kronig(ds: xr.Dataset, ax=None):
    """Residuals of the chain of RC elements over frequency, in per cent of |Z|.

    Outliers are ringed, or stand as arrows on the edge where they lie outside; grey is twice the noise; what
    lies outside the suggested window is shaded.
    """
    ax = new_axes(ax, KRAMERS_KRONIG)
    ds = ds.sortby("frequency")
    frequency, flagged = ds.frequency.values, ds.outlier.values > 0
    parts = {"Re": 100 * ds.residual_real.values, "Im": 100 * ds.residual_imag.values}
    noise = 100 * float(ds.noise)
    kept = np.concatenate([part[~flagged] for part in parts.values()])
    reach = 1.25 * max(np.max(abs(kept), initial=0.0), 3 * noise, 1e-6)
    ax.axhspan(-2 * noise, 2 * noise, color="#000000", alpha=0.07, linewidth=0, label=f"±2 × noise ({noise:.2g} %)")
    ax.axhline(0, color=INK, linewidth=0.8)
    for (name, part), color, mark in zip(parts.items(), PALETTE, "os", strict=False):
        ax.semilogx(frequency, np.where(flagged, np.nan, part), f"{mark}-", color=color, markersize=3.5, linewidth=0.8)
        ax.plot([], [], f"{mark}-", color=color, markersize=3.5, linewidth=0.8, label=name)
        for x, y in zip(frequency[flagged], part[flagged], strict=True):
            inside = abs(y) <= reach
            shape = mark if inside else ("^" if y > 0 else "v")
            ax.plot(x, np.clip(y, -0.94 * reach, 0.94 * reach), shape, color=color, markersize=5, zorder=5)
    _name_outliers(ax, ds, flagged)
    ax.set_xlim(0.7 * frequency.min(), 1.4 * frequency.max())
    ax.set_ylim(-reach, reach)
    _shade_window(ax, ds, frequency)
    ax.set_xlabel("frequency (Hz)")
    ax.set_ylabel("residual (% of |Z|)")
    dress(ax)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=SMALL, borderpad=0, columnspacing=1.2
    )
    return ax


def _name_outliers(ax, ds, flagged):
    """A line through every outlier with its size; where they crowd only the largest are named."""
    sizes, frequency = ds.outlier.values, ds.frequency.values
    named: list[float] = []
    for k in sorted(np.flatnonzero(flagged), key=lambda k: -sizes[k]):
        ax.axvline(frequency[k], color=PALETTE[5], linewidth=0.9, linestyle=":", zorder=1)
        if all(abs(np.log10(frequency[k] / other)) > 0.5 for other in named):
            named.append(frequency[k])
            left = frequency[k] > np.sqrt(frequency[0] * frequency[-1])
            ax.annotate(
                f"{sizes[k]:.0f} σ", (frequency[k], 0.1), xycoords=("data", "axes fraction"),
                xytext=(-3 if left else 3, 0), textcoords="offset points", ha="right" if left else "left",
                fontsize=SMALL, color=PALETTE[5],
            )  # fmt: skip
    if flagged.any():
        ax.plot([], [], ":", color=PALETTE[5], label="outlier")


def _shade_window(ax, ds, frequency):
    low, high = float(ds.window_low), float(ds.window_high)
    if not np.isfinite(low) or (low <= frequency[0] and high >= frequency[-1]):
        return
    left, right = ax.get_xlim()
    for a, b in ((left, 0.85 * low), (1.18 * high, right)):
        if a < low and b > a and (low > frequency[0] if a == left else high < frequency[-1]):
            ax.axvspan(a, b, color=PALETTE[1], alpha=0.18, linewidth=0, zorder=0)
    text = f"suggested {quantity(low, 'Hz')} to {quantity(high, 'Hz')}"
    ax.set_title(text, fontsize=SMALL, loc="left", color="#8A5A00", pad=4)


def plot_drt(ds: xr.Dataset | Sequence[xr.Dataset], ax=None):
    """gamma over tau with its 95 % band and the peaks; of several spectra as lines, coloured by temperature.

    The largest peaks carry resistance and capacitance. Where one peak is 50 times another the axis is logarithmic.
    """
    several = [ds] if isinstance(ds, xr.Dataset) else list(ds)
    ax = new_axes(ax, DRT)
    shown = [_shown(one) for one in several]
    heights = [height for height in _heights(shown) if height > 0] or [1.0]
    log = max(heights) > DECADES * min(heights)
    scale, unit = scaled(max(heights), several[0].gamma.attrs["units"])
    if log:
        ax.set_yscale("log")
        ax.set_ylim(0.05 * min(heights) * scale, 8 * max(heights) * scale)
    else:
        ax.set_ylim(0, 1.35 * max(heights) * scale)
    if len(shown) == 1:
        _one(ax, shown[0], scale)
    else:
        _many(ax, shown, scale)
    ax.set_xscale("log")
    ax.set_xlim(min(float(one.tau[0]) for one in shown), max(float(one.tau[-1]) for one in shown))
    ax.set_xlabel("relaxation time τ (s)")
    ax.set_ylabel(f"γ ({unit})")
    dress(ax)
    top = ax.secondary_xaxis("top", functions=(_over, _over))
    top.set_xlabel("frequency 1 / 2πτ (Hz)", fontsize=9)
    top.tick_params(labelsize=8)
    return ax


def _over(x):
    return 1 / (2 * np.pi * np.maximum(np.asarray(x, dtype=float), 1e-30))


def _shown(ds):
    """Beside a blocking end without what lies beyond the lowest frequency."""
    if float(ds.exponent) == 0:
        return ds
    slowest = 1 / (2 * np.pi * float(ds.frequency.min()))
    return ds.isel(tau=np.flatnonzero(ds.tau.values <= 0.8 * slowest))


def _heights(several):
    """gamma at the peaks that are listed, or its largest value where there are none."""
    for ds in several:
        inside = [x for x in ds.peak_time_constant.values if x <= ds.tau.values[-1]]
        if inside:
            yield from np.interp(np.log(inside), np.log(ds.tau.values), ds.gamma.values)
        else:
            yield float(ds.gamma.max())


def _one(ax, ds, scale):
    tau, gamma = ds.tau.values, ds.gamma.values * scale
    ax.fill_between(
        tau, ds.gamma_lower.values * scale, ds.gamma_upper.values * scale, color=PALETTE[4], alpha=0.35, linewidth=0,
        label="95 % band",
    )  # fmt: skip
    ax.plot(tau, _above(ax, gamma), color=PALETTE[0], linewidth=1.6, label="γ")
    taken: list[tuple[float, int]] = []
    for k in np.argsort(-ds.peak_resistance.values):
        x, r, error = (float(ds[f"peak_{name}"][k]) for name in ("time_constant", "resistance", "resistance_error"))
        if len(taken) == LABELS or not tau[0] <= x <= tau[-1]:
            continue
        y = float(np.interp(np.log(x), np.log(tau), gamma))
        row = next(
            row
            for row in range(LABELS)
            if all(row != other or abs(np.log10(x / at)) > WIDE * np.log10(tau[-1] / tau[0]) for at, other in taken)
        )
        taken.append((x, row))
        share = np.log(x / tau[0]) / np.log(tau[-1] / tau[0])
        ax.annotate(
            f"{_with_error(r, error)}\n{quantity(float(ds.peak_capacitance[k]), 'F')}",
            (x, y),
            xytext=(0, 6 + 24 * row),
            textcoords="offset points",
            ha="left" if share < WIDE / 2 else "right" if share > 1 - WIDE / 2 else "center",
            va="bottom",
            fontsize=SMALL,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6} if row else None,
        )
    ax.legend(loc="upper right", ncols=2, frameon=False, fontsize=SMALL, borderaxespad=0.1)


def _above(ax, gamma):
    """Without what lies below a logarithmic axis."""
    return np.where(gamma < ax.get_ylim()[0], np.nan, gamma)


def _with_error(value, error):
    """`51.2 ± 0.6 kΩ`, one prefix for both."""
    text = quantity(value, "Ω")
    unit = text.split(" ")[1]
    factor = 10.0 ** round(np.log10(value / float(text.split(" ")[0])))
    digits = max(0, min(6, 1 - int(np.floor(np.log10(max(error / factor, 1e-9))))))
    return f"{value / factor:.{digits}f} ± {error / factor:.{digits}f} {unit}"


def _many(ax, several, scale):
    """Lines coloured by temperature where each has one, else by their order."""
    warm = all("temperature" in ds for ds in several)
    numbers = np.array([float(ds.temperature) - 273.15 if warm else k + 1.0 for k, ds in enumerate(several)])
    low, high = numbers.min(), max(numbers.max(), numbers.min() + 1e-9)
    for ds, number in zip(several, numbers, strict=True):
        color = by_time(np.array((number - low) / (high - low)))
        ax.plot(ds.tau.values, _above(ax, ds.gamma.values * scale), color=color, linewidth=1.3)
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    colours = ListedColormap(by_time(np.linspace(0, 1, 64)))
    bar = ax.figure.colorbar(ScalarMappable(Normalize(low, high), colours), ax=ax, pad=0.02)
    bar.set_label("temperature (°C)" if warm else "spectrum")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL)
