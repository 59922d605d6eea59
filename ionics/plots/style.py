"""How every picture looks. Nothing here touches the global settings of matplotlib."""

from __future__ import annotations

import math

import numpy as np

from ionics.quantity import PREFIXES, pretty_unit

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#F0E442")
OTHERS = "#9A9A9A"
INK = "#222222"
SMALL = 8  # points
DPI = 120
FEW = 8  # points, so few that each is marked
LEAST_SHARE = 0.005  # of the largest |Z|; elements below are drawn together


def new_axes(ax, size):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def two_axes(axes, size):
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt

    return plt.subplots(2, 1, sharex=True, figsize=size, layout="constrained")[1]


def dress(ax, keep=()):
    for side in ("top", "right"):
        ax.spines[side].set_visible(side in keep)
    ax.tick_params(labelsize=9, color="#777777")
    ax.xaxis.label.set_size(10)
    ax.yaxis.label.set_size(10)
    ax.grid(True, color="#000000", alpha=0.08, linewidth=0.8)
    ax.set_axisbelow(True)


def legend_outside(ax, title=None, reverse=False):
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=9,
        title=title,
        title_fontsize=9,
        alignment="left",
        reverse=reverse,
        borderaxespad=0,
    )


def colour(k):
    return PALETTE[(0, 5, 2, 1, 3, 4, 6)[k % 7]]


def dash(k):
    return ("-", "--", "-.", ":")[k % 4]


def scaled(largest: float, unit: str) -> tuple[float, str]:
    """Factor and unit that keep the axis numbers between 1 and 10 000."""
    exponent = 3 * math.floor(math.log10(largest) / 3) if largest > 0 else 0
    if 0 <= math.log10(largest or 1) < 4:
        exponent = 0
    exponent = min(12, max(-12, exponent))
    return 10.0**-exponent, PREFIXES[exponent] + pretty_unit(unit)


def length_unit(width: float) -> tuple[float, str]:
    for factor, unit in ((1e9, "nm"), (1e6, "µm")):
        if width * factor < 2000:
            return factor, unit
    return 1e3, "mm"


def span(ax, values, least):
    """Limits that do not blow rounding up to a picture."""
    if not values.size:
        return
    middle, half = 0.5 * (values.max() + values.min()), 0.5 * np.ptp(values)
    half = 1.12 * max(half, least)
    ax.set_ylim(middle - half, middle + half)


def shade_layers(ax, ds, x, low, high, letters=34):
    layers = ds.layer.values
    for k, name in enumerate(dict.fromkeys(layers)):
        own = x[layers == name]
        a, b = max(own.min(), low), min(own.max(), high)
        if b <= a:
            continue
        ax.axvspan(a, b, color="#000000", alpha=0.07 if k % 2 else 0.02, linewidth=0, zorder=0)
        room = (b - a) / (high - low) * letters  # that fit
        if len(str(name)) <= room:
            ax.text(
                (a + b) / 2,
                1.01,
                name,
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=SMALL,
                color="#555555",
            )


def time_unit(longest: float) -> tuple[float, str]:
    """Factor and unit for times up to `longest` [s]."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")):
        if longest >= 2 * size:
            return 1 / size, unit
    return 1e6, "µs"


def by_time(values):
    """Colours from early to late, for values between 0 and 1."""
    import matplotlib as mpl

    return mpl.colormaps["viridis"](0.95 * values)
