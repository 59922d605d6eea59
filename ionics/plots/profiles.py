"""Pictures of what happens along x."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.plots.intervals import bands, shade_along
from ionics.plots.style import INK, colour, dash, dress, length_unit, shade_layers, span


def plot_profiles(ds: xr.Dataset, figure=None):
    """Potential, concentrations and electrochemical potentials: the whole stack, then each junction enlarged.

    A row for a junction is drawn where something happens within a few Debye lengths of it that the whole
    stack is too coarse to show.
    """
    places = windows(ds)
    rows = 1 + len(places)
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(11.0, 0.7 + 2.6 * rows)
    axes = figure.subplots(rows, 3, squeeze=False)
    _profile_row(axes[0], ds, None, "whole stack")
    for row, (title, low, high, origin) in zip(axes[1:], places, strict=True):
        _profile_row(row, ds, (low, high, origin), title)
    carriers = [str(c) for c in ds.carrier.values]
    figure.align_ylabels(axes)
    handles = [
        axes[0, 1].plot([], [], color=colour(k), linestyle=dash(k), linewidth=1.8)[0] for k in range(len(carriers))
    ]
    figure.legend(handles, carriers, loc="outside upper right", ncols=len(carriers), frameon=False, fontsize=9)
    return axes


def _profile_row(row, ds, window, title):
    low, high, origin = window or (float(ds.x.min()), float(ds.x.max()), 0.0)
    factor, unit = length_unit(high - low)
    x = (ds.x.values - origin) * factor
    inside = (ds.x.values >= low - 1e-3 * (high - low)) & (ds.x.values <= high + 1e-3 * (high - low))
    drawn = np.convolve(inside, [1, 1, 1], "same") > 0  # one node beyond each edge
    eta = ds.electrochemical_potential.values
    eta = eta - np.array([row[np.isfinite(row)][0] if np.isfinite(row).any() else 0.0 for row in eta])[:, None]
    layers = ds.layer.values
    names = list(dict.fromkeys(layers))
    for ax in row:
        shade_layers(ax, ds, x, (low - origin) * factor, (high - origin) * factor)
        ax.set_xlim((low - origin) * factor, (high - origin) * factor)
        ax.set_xlabel(f"x ({unit})" if window is None else f"distance from the junction ({unit})")
    around = bands(ds, "potential"), bands(ds, "concentration")
    for name in names:
        own = (layers == name) & drawn
        shade_along(row[0], x[own], [(low[own], high[own], dark) for low, high, dark in around[0]], INK)
        row[0].plot(x[own], ds.potential.values[own], color=INK, linewidth=1.8)
        for k in range(ds.sizes["carrier"]):
            style = {"color": colour(k), "linestyle": dash(k), "linewidth": 1.8}
            shade_along(row[1], x[own], [(low[k, own], high[k, own], dark) for low, high, dark in around[1]], colour(k))
            row[1].plot(x[own], ds.concentration.values[k][own], **style)
            row[2].plot(x[own], eta[k][own] * 1e3, **style)
    row[0].set_ylabel("potential (V)")
    row[1].set_ylabel("concentration (mol/m³)")
    row[2].set_ylabel("Δη/F from the left (mV)")
    row[0].set_title(title, loc="left", fontsize=10, fontweight="bold", pad=18)
    concentration = _with_bands(ds.concentration.values, around[1])[..., inside]
    concentration = concentration[np.isfinite(concentration)]
    span(row[0], _with_bands(ds.potential.values, around[0])[..., inside], 2e-3)
    if concentration.size and concentration.min() > 0 and concentration.max() > 20 * concentration.min():
        row[1].set_yscale("log")
        decades = max(np.log10(concentration.max() / concentration.min()), 1)
        row[1].set_ylim(concentration.min() / 10 ** (0.08 * decades), concentration.max() * 10 ** (0.08 * decades))
    else:
        span(row[1], concentration, 0.02 * (concentration.max() if concentration.size else 1))
    span(row[2], 1e3 * eta[:, inside][np.isfinite(eta[:, inside])], 2.0)
    for ax in row:
        dress(ax)
        if ax.get_yscale() == "linear":
            ax.ticklabel_format(axis="y", useOffset=False, style="plain")


def _with_bands(values, found):
    """A variable and the edges of its bands, first axis."""
    return np.stack([values, *(edge for low, high, _ in found for edge in (low, high))])


def windows(ds):
    """(title, from, to, origin) [m] of the neighbourhoods worth enlarging, merged where they overlap."""
    ranges = _layer_ranges(ds)
    total = ranges[-1][2] - ranges[0][1]
    found = []
    for j in range(len(ranges) + 1):
        left = ranges[j - 1] if j else None
        right = ranges[j] if j < len(ranges) else None
        at = ranges[j - 1][2] if j else ranges[0][1]
        low = at - _reach(ds, left, at) if left else at
        high = at + _reach(ds, right, at) if right else at
        if high - low > 0.25 * total or not _something_happens(ds, low, high):
            continue
        sides = [side[0] for side in (left, right) if side]
        title = " | ".join(sides) if len(sides) == 2 else ("left contact" if left is None else "right contact")
        if found and low < found[-1][2]:
            before = found.pop()
            found.append((f"{before[0]}, {title}", before[1], high, before[3]))
        else:
            found.append((title, low, high, at))
    return found


def _layer_ranges(ds):
    layers, x = ds.layer.values, ds.x.values
    return [(str(n), float(x[layers == n].min()), float(x[layers == n].max())) for n in dict.fromkeys(layers)]


def _reach(ds, layer, at):
    """How far the space charge of a junction reaches into a layer: some Debye lengths, more if bent."""
    name, low, high = layer
    debye = float(ds.debye_length.sel(element=name).values.reshape(-1)[0])
    own = ds.layer.values == name
    x, phi = ds.x.values[own], ds.potential.values[own]
    bending = abs(np.interp(at, x, phi) - np.interp(0.5 * (low + high), x, phi))
    thermal = BOLTZMANN / ELEMENTARY_CHARGE * float(ds.temperature)
    width = debye * (6 + 2 * math.sqrt(2 * bending / thermal))
    return float(min(width, high - low))


def _something_happens(ds, low, high):
    inside = (ds.x.values >= low) & (ds.x.values <= high)
    if inside.sum() < 3:
        return False
    return any(
        np.ptp(ds.potential.values[inside & (ds.layer.values == name)]) > 1e-4
        for name in np.unique(ds.layer.values[inside])
    )
