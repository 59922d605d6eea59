"""Pictures of designs: where the information lies, what to measure, and what comes of it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.fits import shortened
from ionics.plots.style import INK, OTHERS, SMALL, colour, dress

NAMES = {"even": "evenly spaced", "suggested": "suggested", "ideal": "best possible", "all": "all", "already": "now"}
MARKS = {"even": "o", "suggested": "D", "ideal": "|", "all": "|", "already": "o"}


def plot_design(ds: xr.Dataset, figure=None):
    """Information over frequency with the suggested points, and the standard errors of the plans.

    ds: `Design.to_dataset()`; returns the axes: one row a condition, and the errors on the right.
    """
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    labels = list(dict.fromkeys(str(label) for label in ds.condition.values))
    figure.set_size_inches(10.5, max(3.6, 1.2 + 1.7 * len(labels)))
    grid = figure.add_gridspec(len(labels), 2, width_ratios=(1.5, 1))
    rows = []
    for k, label in enumerate(labels):
        rows.append(figure.add_subplot(grid[k, 0], sharex=rows[0] if rows else None))
        _information(rows[-1], ds, label, len(labels) > 1, first=k == 0)
        if k < len(labels) - 1:
            rows[-1].tick_params(labelbottom=False)
    rows[-1].set_xlabel("frequency (Hz)")
    errors = figure.add_subplot(grid[:, 1])
    _errors(errors, ds)
    figure.suptitle(f"what to measure for {ds.attrs['asked']}", fontsize=11, x=0.01, ha="left")
    return np.array([*rows, errors])


def plot_choice(ds: xr.Dataset, figure=None):
    """What each record brings to the answer, what it tells alone, and the standard errors of the choice.

    ds: `Choice.to_dataset()`; returns the axes: shares, and the errors on the right.
    """
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    most = max(ds.sizes["record"], ds.sizes["parameter"])
    figure.set_size_inches(10.5, max(3.2, 1.4 + 0.36 * most))
    shares, errors = figure.subplots(1, 2, width_ratios=(1.2, 1))
    _shares(shares, ds)
    _errors(errors, ds)
    figure.suptitle(f"which records tell {ds.attrs['asked']}", fontsize=11, x=0.01, ha="left")
    return np.array([shares, errors])


def _shares(ax, ds):
    """Bars: share of each record in what all tell; suggested ones coloured, those there anyway pale."""
    share, y = 100 * ds.contribution.values, np.arange(ds.sizes["record"])[::-1]
    chosen, held = ds.chosen.values.astype(bool), ds.held.values.astype(bool)
    kinds = (
        ("suggested", chosen, {"color": colour(1)}),
        ("not suggested", ~chosen & ~held, {"color": OTHERS}),
        ("there already", held, {"color": "#ffffff", "edgecolor": OTHERS, "hatch": "///"}),
    )
    for name, own, how in kinds:
        if own.any():
            ax.barh(y[own], share[own], height=0.6, label=name, **how)
    for k, (width, alone) in enumerate(zip(share, ds.alone_answer.values, strict=True)):
        if not held[k] and np.isfinite(alone) and alone < 1:
            ax.text(width, y[k], f" alone {100 * alone:.2g} %", va="center", fontsize=SMALL, color="#555555")
    ax.set(
        xlabel="information, if all are made (%)", xlim=(0, 1.35 * max(share.max(), 1e-9)), ylim=(-0.6, len(y) - 0.2)
    )
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= 100])
    ax.set_yticks(y, [str(name) for name in ds.record.values], fontsize=9)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1, frameon=False, fontsize=SMALL,
              borderaxespad=0.1)  # fmt: skip
    dress(ax)


def _information(ax, ds, label, several, first):
    """Share of the information per decade as an area; suggested points as stems as high as they are often measured."""
    own = ds.isel(setting=np.flatnonzero(ds.condition.values == label)).sortby("frequency")
    frequency = own.frequency.values
    width = np.gradient(np.log10(frequency)) if len(frequency) > 1 else np.ones(1)
    ax.fill_between(frequency, 100 * own.contribution.values / width, color=colour(0), alpha=0.18, linewidth=0)
    ax.plot(
        frequency, 100 * own.contribution.values / width, color=colour(0), linewidth=1.3, label="if all are measured"
    )
    ax.set(xscale="log", ylim=(0, None), ylabel="information\n(% per decade)")
    other = ax.twinx()
    there = own["count"].values > 0
    if there.any():
        lines = other.stem(frequency[there], own["count"].values[there], basefmt=" ")
        lines.markerline.set(color=colour(1), markersize=5)
        lines.stemlines.set(color=colour(1), linewidth=1.2)
    even = ds.even_frequency.values[ds.even_condition.values == label]
    other.plot(even, np.zeros(len(even)), "o", color=OTHERS, markersize=5, clip_on=False, zorder=5)
    top = max(1, int(ds["count"].max()))
    other.set(ylim=(0, 1.25 * top), ylabel="times measured")
    other.set_yticks(sorted({0, top, *([round(top / 2)] if top > 3 else [])}))
    other.tick_params(labelsize=9, color="#777777")
    other.yaxis.label.set_size(10)
    other.spines["top"].set_visible(False)
    if several:
        ax.set_title(label, fontsize=10, loc="left")
    if first:
        handles = [
            ax.lines[0],
            other.plot([], [], "o", color=colour(1), markersize=5)[0],
            other.plot([], [], "o", color=OTHERS, markersize=5)[0],
        ]
        names = ["information", "suggested", "evenly spaced"]
        where = {"loc": "lower left", "bbox_to_anchor": (0.25 if several else 0, 1.0), "borderaxespad": 0.1}
        ax.legend(handles, names, ncols=3, frameon=False, fontsize=SMALL, **where)
    dress(ax, keep=("right",))


def _errors(ax, ds):
    """Relative standard errors of every parameter under each plan; what a plan does not determine at the edge."""
    from matplotlib.ticker import LogLocator

    value = np.abs(ds.value.values)
    relative = 100 * ds.standard_error.values / np.where(value > 0, value, 1.0)
    y = np.arange(ds.sizes["parameter"])[::-1]
    finite = relative[np.isfinite(relative)]
    edge = 3 * finite.max() if finite.size else 100.0
    for k, plan in enumerate(str(name) for name in ds.plan.values):
        own = np.where(np.isfinite(relative[k]), relative[k], edge)
        shade = {"o": OTHERS, "D": colour(1), "|": INK}[MARKS[plan]]
        size = 11 if MARKS[plan] == "|" else 6
        ax.plot(own, y, MARKS[plan], color=shade, markersize=size, linestyle="none", label=NAMES[plan], zorder=3 + k)
    shown = np.where(np.isfinite(relative), relative, edge)
    ax.hlines(y, shown.min(axis=0), shown.max(axis=0), color="#000000", alpha=0.15, linewidth=1.5)
    if not np.all(np.isfinite(relative)):
        ax.axvline(edge, color="#000000", alpha=0.3, linewidth=0.8, linestyle=":")
        ax.text(edge, y.max() + 0.45, "not determined", ha="right", va="bottom", fontsize=SMALL, color="#555555")
    ax.set(xscale="log", xlabel="standard error (%)", ylim=(-0.6, len(y) - 0.2))
    if shown.max() < 30 * shown.min():  # not much more than a decade, of which powers of ten say little
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
    ax.set_yticks(y, shortened([str(name) for name in ds.parameter.values]), fontsize=9)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1, frameon=False, fontsize=SMALL,
              borderaxespad=0.1)  # fmt: skip
    dress(ax)
