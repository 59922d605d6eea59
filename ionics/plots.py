"""Pictures of results: functions that take a Dataset and, if you like, the axes to draw on, and return the
axes.

Colours are those of Okabe and Ito (2008), told apart by every kind of colour vision. Nothing here touches the
global settings of matplotlib, which is imported when the first picture is drawn.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ionics import results
from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.quantity import PREFIXES, pretty_unit, quantity
from ionics.summary import blocking, contributions, reference_frequency, verdict

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#F0E442")
OTHERS = "#9A9A9A"
INK = "#222222"
SMALL = 8  # points
DPI = 120
FEW = 8  # points, so few that each is marked
LEAST_SHARE = 0.005  # of the largest |Z|; elements below are drawn together


# ------------------------------------------------------------------------------------------------ impedance


def plot_nyquist(ds: xr.Dataset, ax=None, *, resize: bool | None = None):
    """-Im Z over Re Z with equal axes, a mark at every decade, and each element's arc filled, in series.

    The arcs stand from the fastest to the slowest, each beginning where the one before ends at the lowest
    frequency. resize: shape the figure to the data (default: when no axes were given).
    """
    resize = ax is None if resize is None else resize
    ax = _axes(ax, (8.4, 4.4))
    ds = ds.sortby("frequency", ascending=False)
    z = results.impedance_of(ds)
    frequency, fine = _smooth(ds.frequency.values, _complex(z))
    right, top = _view(fine)
    scale, unit = _scale(max(right, top), z.attrs["units"])
    if "z_part_real" in ds:
        _fill_arcs(ax, ds, scale, pretty_unit(z.attrs["units"]))
    ax.plot(fine.real * scale, -fine.imag * scale, color=INK, linewidth=1.6, zorder=5, label="_total")
    _equal_limits(ax, fine * scale)
    ax.set_xlabel(f"Re Z ({unit})")
    ax.set_ylabel(f"−Im Z ({unit})")
    _dress(ax)
    labels = ax.get_legend_handles_labels()[1]
    if labels:
        _legend_outside(ax, title=f"real part at {quantity(reference_frequency(ds), 'Hz')}")
    if resize:
        _shape(ax, labels)
    _note_cropped(ax, frequency, fine * scale, quantity(abs(fine[-1]), pretty_unit(z.attrs["units"])))
    _mark_decades(ax, frequency, fine * scale)
    return ax


def _fill_arcs(ax, ds, scale, unit):
    """Every element to the frequency at which resistances are read off; what blocks below it, as a line."""
    reference, low = _reference(ds), reference_frequency(ds)
    frequency, start = ds.frequency.values, 0.0
    at = int(np.argmin(abs(frequency - low)))
    tail = -results.impedance_of(ds).values[-1].imag
    for name, part, share, color in _shown_parts(ds):
        blocks = blocking(ds) and -part[-1].imag > 0.1 * tail
        _, fine = _smooth(frequency, part) if blocks else _smooth(frequency[: at + 1], part[: at + 1])
        x, y = start + fine.real * scale, -fine.imag * scale
        label = f"{name}: {quantity(part[at].real, unit)} ({100 * share:.0f} %)"
        if blocks:
            farad = 1 / (2 * math.pi * frequency[-1] * -part[-1].imag)
            stored = f"blocks: {quantity(farad, 'F' + unit.replace('Ω ', '/'))}"
            label = f"{label}, {stored}" if share > LEAST_SHARE else f"{name} {stored}"
            ax.plot(x, y, color=color, linewidth=2.5, zorder=3, label=label)
        elif np.ptp(fine.imag) < 1e-3 * reference:
            ax.plot([start, x[-1]], [0, 0], color=color, linewidth=6, solid_capstyle="butt", label=label, zorder=4)
        else:
            outline = np.r_[x[0], x, x[-1]], np.r_[0, y, 0]
            ax.fill(*outline, color=color, alpha=0.35, linewidth=0, zorder=2, label=label)
            ax.plot(x, y, color=color, linewidth=1.2, zorder=3)
        start += part[at].real * scale


def _reference(ds) -> float:
    """What an impedance is compared with to be called small: the real part where resistances are read off."""
    z = _complex(results.impedance_of(ds))
    real = z.real[ds.frequency.values >= reference_frequency(ds)].max()
    return float(real) if real > 1e-9 * abs(z).max() else float(abs(z).max())


def _shown_parts(ds):
    """(name, Z over frequency, share of the real part, colour), from the fastest to the slowest element."""
    parts = _complex(results.parts_of(ds).transpose("element", "frequency"))
    low = int(np.argmin(abs(ds.frequency.values - reference_frequency(ds))))
    speeds = contributions(ds).peak_frequency.values
    reference = _reference(ds)
    total = parts[:, low].real.sum()
    sizes = abs(parts.real).max(axis=1) + abs(parts.imag).max(axis=1)
    largest = np.argsort(-sizes)[: len(PALETTE) - 1]
    chosen = sorted(int(k) for k in largest if sizes[k] > LEAST_SHARE * reference)
    rows = []
    for color, k in zip(PALETTE, chosen, strict=False):
        stores = -parts[k, low].imag > 1e-3 * reference
        speed = speeds[k] if math.isfinite(speeds[k]) else (0.0 if stores else math.inf)
        rows.append((speed, str(ds.element.values[k]), parts[k], color))
    rows.sort(key=lambda row: (-row[0], row[2][low].real < LEAST_SHARE * reference))
    shown = [(name, z, z[low].real / total, shade) for _, name, z, shade in rows]
    rest = [k for k in range(len(sizes)) if k not in chosen]
    if rest and sizes[rest].sum() > LEAST_SHARE * reference:
        z = parts[rest].sum(axis=0)
        shown.append((f"{len(rest)} others", z, z[low].real / total, OTHERS))
    return shown


def _complex(z: xr.DataArray) -> NDArray[np.complex128]:
    return np.asarray(z.values, dtype=complex)


def _smooth(frequency, z, between: int = 8) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Frequencies and Z with points in between, by cubics in the logarithm of the frequency."""
    log = np.log(frequency)
    if len(log) < 4:
        return frequency, z
    order = np.argsort(log)
    log, z = log[order], z[order]
    slope = np.gradient(z, log)
    k = np.repeat(np.arange(len(log) - 1), between)
    t = np.tile(np.arange(between) / between, len(log) - 1)
    h = (log[1:] - log[:-1])[k]
    fine = (
        (1 + 2 * t) * (1 - t) ** 2 * z[k]
        + t * (1 - t) ** 2 * h * slope[k]
        + t**2 * (3 - 2 * t) * z[k + 1]
        - t**2 * (1 - t) * h * slope[k + 1]
    )
    x = np.exp(np.append(log[k] + t * h, log[-1]))[::-1]
    return x, np.append(fine, z[-1])[::-1]


def _view(z) -> tuple[float, float]:
    """How much of a spectrum (high to low frequency) to show: a blocking tail must not flatten the arcs."""
    x, y = z.real, -z.imag
    right = float(x.max())
    valleys = np.flatnonzero((y[1:-1] < y[:-2]) & (y[1:-1] <= y[2:])) + 1
    if len(valleys):
        knee = float(x[valleys[-1]])
        if knee > 0 and y[-1] > 3 * knee:
            right = min(right, 1.8 * knee)
    width = right - min(0.0, float(x.min()))
    return right, max(min(float(y.max()), 0.8 * width), 0.25 * width)


def _equal_limits(ax, z):
    right, top = _view(z)
    left = min(0.0, float(z.real.min()))
    width = (right - left) or 1.0
    bottom = min(0.0, max(-float(z.imag.max()), -0.25 * width))
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlim(left - 0.02 * width, right + 0.06 * width)
    ax.set_ylim(bottom - 0.02 * width * (bottom < 0), top + 0.12 * max(top, 0.3 * width))


def _shape(ax, labels):
    """A figure as wide as its legend asks for and as high as its data."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    width = 5.6
    height = min(max(width * (top - bottom) / (right - left), 0.2 * len(labels) + 0.3), 6.0)
    beside = 0.75 + 0.075 * max(map(len, labels)) if labels else 0.15
    ax.get_figure().set_size_inches(width + 0.75 + beside, height + 0.7)
    ax.set_anchor("W")


def _mark_decades(ax, frequency, z):
    """A dot at every decade; labels where they find room, 1 Hz, 1 kHz, 1 MHz first."""
    log = np.log10(frequency[::-1])
    decades = np.arange(math.ceil(log[0] - 1e-9), math.floor(log[-1] + 1e-9) + 1)
    at = np.interp(decades, log, z.real[::-1]) - 1j * np.interp(decades, log, -z.imag[::-1])
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    inside = (at.real >= left) & (at.real <= right) & (-at.imag >= bottom) & (-at.imag <= top)
    ax.plot(at.real[inside], -at.imag[inside], "o", color=INK, markersize=4, zorder=6)
    point = _points(ax)
    line = _dense(np.column_stack([z.real - left, -z.imag - bottom]) * point, 4.0)
    room = np.array([right - left, top - bottom]) * point
    taken = []
    for k in sorted(np.flatnonzero(inside), key=lambda k: (decades[k] % 3 != 0, at[k].imag)):
        text = quantity(10.0 ** decades[k], "Hz")
        place = np.array([at[k].real - left, -at[k].imag - bottom]) * point
        found = _free_place(place, np.array([4.9 * len(text), 9.0]), line, taken, room)
        if found is None:
            continue
        taken.append(found)
        x, y = found[:2] - place
        ax.annotate(
            text, (at[k].real, -at[k].imag), xytext=(x, y), textcoords="offset points",
            ha="left", va="bottom", fontsize=SMALL, color=INK, zorder=7,
        )  # fmt: skip


def _points(ax) -> float:
    """Points per unit of data in axes of equal aspect, before the figure is drawn."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    box, size = ax.get_position(), ax.get_figure().get_size_inches()
    beside = 1.0 if ax.get_legend() is None else 0.75
    return 72 * min(beside * box.width * size[0] / (right - left), box.height * size[1] / (top - bottom))


def _dense(points, step: float):
    """Points along a polyline no farther apart than `step`."""
    length = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    at = np.arange(0, min(length[-1], 4000 * step), step)
    return np.column_stack([np.interp(at, length, points[:, k]) for k in (0, 1)])


def _free_place(place, size, line, taken, room):
    """Corners (lower left, upper right) of a label near a point, clear of line, other labels and edge."""
    w, h = size
    gap = 5.0
    offsets = [(-w / 2, gap), (-w - gap, 3), (gap, 3), (-w - gap, -h / 2), (gap, -h / 2), (-w / 2, 2.2 * gap)]
    offsets += [(gap, -h - 1), (-w - gap, -h - 1), (-w / 2, -h - gap)]
    for offset in offsets:
        low = place + offset
        high = low + size
        if (low < 1).any() or (high > room - 1).any():
            continue
        if ((line > low - 2) & (line < high + 2)).all(axis=1).any():
            continue
        if any((low < b[2:] + 2).all() and (high > b[:2] - 2).all() for b in taken):
            continue
        return np.concatenate([low, high])
    return None


def _note_cropped(ax, frequency, z, whole: str):
    """Say how large |Z| (`whole`, in words) gets at the last frequency, if the axes do not show it."""
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    if z.real.max() > right or -z.imag.min() > top:
        text = f"continues to |Z| = {whole} at {quantity(float(frequency[-1]), 'Hz')}"
        ax.set_title(text, loc="right", fontsize=SMALL, color=INK)


def plot_bode(ds: xr.Dataset, axes=None):
    """|Z| and -phase over frequency, on two axes one above the other."""
    upper, lower = _pair(axes, SIZES[plot_bode])
    z = results.impedance_of(ds.sortby("frequency"))
    unit = pretty_unit(z.attrs["units"])
    frequency = z.frequency.values
    marker = "o" if len(frequency) < FEW else ""
    upper.loglog(frequency, abs(z.values), color=PALETTE[0], linewidth=1.8, marker=marker)
    upper.set_ylabel(f"|Z| ({unit})")
    lower.semilogx(frequency, -np.degrees(np.angle(z.values)), color=PALETTE[5], linewidth=1.8, marker=marker)
    lower.set_ylabel("−phase (°)")
    lower.set_yticks(range(-90, 91, 30))
    phase = -np.degrees(np.angle(z.values))
    lower.set_ylim(min(-3, phase.min() - 3), max(93, phase.max() + 3))
    _frequency_axis(upper, lower, frequency)
    return np.array([upper, lower])


def plot_parts(ds: xr.Dataset, axes=None):
    """Which part is which arc: Re Z stacked by element, and -Im Z of each element, over frequency."""
    upper, lower = _pair(axes, SIZES[plot_parts])
    ds = ds.sortby("frequency")
    frequency = ds.frequency.values
    z, units = _complex(results.impedance_of(ds)), ds.z_real.attrs["units"]
    scale, unit = _scale(z.real.max(), units)
    shown = _shown_parts(ds)
    names, shades = [row[0] for row in shown], [row[3] for row in shown]
    layers = [row[1].real * scale for row in shown]
    upper.stackplot(frequency, *layers, colors=shades, alpha=0.55, labels=names, linewidth=0)
    upper.plot(frequency, z.real * scale, color=INK, linewidth=1.4)
    upper.set_ylabel(f"Re Z ({unit}), stacked")
    upper.set_ylim(min(0, float(z.real.min()) * scale), float(z.real.max()) * scale * 1.05)
    marker = "o" if len(frequency) < FEW else ""
    for k, (_, part, _, shade) in enumerate(shown):
        style = {"color": shade, "linewidth": 1.8, "linestyle": "--" if k % 2 else "-", "marker": marker}
        lower.loglog(frequency, np.where(part.imag < 0, -part.imag, np.nan), **style)
    total = -z.imag
    lower.loglog(frequency, np.where(total > 0, total, np.nan), color=INK, linewidth=1.4)
    biggest = total.max()
    lower.set_ylim(max(biggest / 1e5, 0.3 * total[total > 0].min()), 2 * biggest)
    lower.set_ylabel(f"−Im Z ({pretty_unit(units)})")
    _frequency_axis(upper, lower, frequency)
    upper.plot([], [], color=INK, linewidth=1.4, label="total")
    _legend_outside(upper, reverse=True)
    return np.array([upper, lower])


def _frequency_axis(upper, lower, frequency):
    for ax in (upper, lower):
        spread = 1.0 if np.ptp(frequency) else 2.0
        ax.set_xlim(frequency.min() / spread, frequency.max() * spread)
        _dress(ax)
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("frequency (Hz)")


# ------------------------------------------------------------------------------------------------ profiles


def plot_profiles(ds: xr.Dataset, figure=None):
    """Potential, concentrations and electrochemical potentials: the whole stack, then each junction enlarged.

    A row for a junction is drawn where something happens within a few Debye lengths of it that the whole
    stack is too coarse to show.
    """
    windows = _windows(ds)
    rows = 1 + len(windows)
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(11.0, 0.7 + 2.6 * rows)
    axes = figure.subplots(rows, 3, squeeze=False)
    _profile_row(axes[0], ds, None, "whole stack")
    for row, (title, low, high, origin) in zip(axes[1:], windows, strict=True):
        _profile_row(row, ds, (low, high, origin), title)
    carriers = [str(c) for c in ds.carrier.values]
    figure.align_ylabels(axes)
    handles = [
        axes[0, 1].plot([], [], color=_shade(k), linestyle=_dash(k), linewidth=1.8)[0] for k in range(len(carriers))
    ]
    figure.legend(handles, carriers, loc="outside upper right", ncols=len(carriers), frameon=False, fontsize=9)
    return axes


def _profile_row(row, ds, window, title):
    low, high, origin = window or (float(ds.x.min()), float(ds.x.max()), 0.0)
    factor, unit = _length(high - low)
    x = (ds.x.values - origin) * factor
    inside = (ds.x.values >= low - 1e-3 * (high - low)) & (ds.x.values <= high + 1e-3 * (high - low))
    drawn = np.convolve(inside, [1, 1, 1], "same") > 0  # one node beyond each edge
    eta = ds.electrochemical_potential.values
    eta = eta - np.array([row[np.isfinite(row)][0] if np.isfinite(row).any() else 0.0 for row in eta])[:, None]
    layers = ds.layer.values
    names = list(dict.fromkeys(layers))
    for ax in row:
        _shade_layers(ax, ds, x, (low - origin) * factor, (high - origin) * factor)
        ax.set_xlim((low - origin) * factor, (high - origin) * factor)
        ax.set_xlabel(f"x ({unit})" if window is None else f"distance from the junction ({unit})")
    for name in names:
        own = (layers == name) & drawn
        row[0].plot(x[own], ds.potential.values[own], color=INK, linewidth=1.8)
        for k in range(ds.sizes["carrier"]):
            style = {"color": _shade(k), "linestyle": _dash(k), "linewidth": 1.8}
            row[1].plot(x[own], ds.concentration.values[k][own], **style)
            row[2].plot(x[own], eta[k][own] * 1e3, **style)
    row[0].set_ylabel("potential (V)")
    row[1].set_ylabel("concentration (mol/m³)")
    row[2].set_ylabel("Δη/F from the left (mV)")
    row[0].set_title(title, loc="left", fontsize=10, fontweight="bold", pad=18)
    concentration = ds.concentration.values[:, inside]
    concentration = concentration[np.isfinite(concentration)]
    _span(row[0], ds.potential.values[inside], 2e-3)
    if concentration.size and concentration.min() > 0 and concentration.max() > 20 * concentration.min():
        row[1].set_yscale("log")
        decades = max(np.log10(concentration.max() / concentration.min()), 1)
        row[1].set_ylim(concentration.min() / 10 ** (0.08 * decades), concentration.max() * 10 ** (0.08 * decades))
    else:
        _span(row[1], concentration, 0.02 * (concentration.max() if concentration.size else 1))
    _span(row[2], 1e3 * eta[:, inside][np.isfinite(eta[:, inside])], 2.0)
    for ax in row:
        _dress(ax)
        if ax.get_yscale() == "linear":
            ax.ticklabel_format(axis="y", useOffset=False, style="plain")


def _span(ax, values, least):
    """Limits that do not blow rounding up to a picture."""
    if not values.size:
        return
    middle, half = 0.5 * (values.max() + values.min()), 0.5 * np.ptp(values)
    half = 1.12 * max(half, least)
    ax.set_ylim(middle - half, middle + half)


def _shade_layers(ax, ds, x, low, high):
    layers = ds.layer.values
    for k, name in enumerate(dict.fromkeys(layers)):
        own = x[layers == name]
        a, b = max(own.min(), low), min(own.max(), high)
        if b <= a:
            continue
        ax.axvspan(a, b, color="#000000", alpha=0.07 if k % 2 else 0.02, linewidth=0, zorder=0)
        room = (b - a) / (high - low) * 34  # letters that fit
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


def _windows(ds):
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


# ------------------------------------------------------------------------------------------------ fits


def plot_fit(ds: xr.Dataset, figure=None):
    """Data and model: Nyquist on the left; |Z|, phase and relative residuals over frequency on the right."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(10.5, 5.2)
    grid = figure.add_gridspec(3, 2, width_ratios=(1.15, 1), height_ratios=(1, 1, 0.9))
    nyquist = figure.add_subplot(grid[:, 0])
    upper, middle, lower = (figure.add_subplot(grid[k, 1]) for k in range(3))
    ds = ds.sortby("frequency")
    data, model, frequency = _complex(results.impedance_of(ds)), _complex(results.model_of(ds)), ds.frequency.values
    scale, unit = _scale(max(_view(_smooth(frequency, model)[1])), ds.z_real.attrs["units"])
    point = {
        "marker": "o",
        "linestyle": "none",
        "markersize": 4,
        "markerfacecolor": "none",
        "color": PALETTE[0],
    }
    line = {"color": PALETTE[5], "linewidth": 1.5, "zorder": 3}
    whole = quantity(abs(model[0]), pretty_unit(ds.z_real.attrs["units"]))
    _fit_nyquist(nyquist, frequency, data * scale, model * scale, unit, whole, point, line)
    upper.loglog(frequency, abs(data), **point)
    upper.loglog(frequency, abs(model), **line)
    upper.set_ylabel(f"|Z| ({pretty_unit(ds.z_real.attrs['units'])})")
    middle.semilogx(frequency, -np.degrees(np.angle(data)), **point)
    middle.semilogx(frequency, -np.degrees(np.angle(model)), **line)
    middle.set_ylabel("−phase (°)")
    _residuals(lower, frequency, data, model)
    for ax in (upper, middle, lower):
        ax.set_xlim(0.8 * frequency.min(), 1.25 * frequency.max())
        _dress(ax)
    upper.tick_params(labelbottom=False)
    middle.tick_params(labelbottom=False)
    lower.set_xlabel("frequency (Hz)")
    return np.array([nyquist, upper, middle, lower])


def _fit_nyquist(ax, frequency, data, model, unit, whole, point, line):
    ax.plot(data.real, -data.imag, label="measured", **point)
    fine_frequency, fine = _smooth(frequency, model)
    ax.plot(fine.real, -fine.imag, label="fitted", **line)
    _equal_limits(ax, fine)
    ax.set_xlabel(f"Re Z ({unit})")
    ax.set_ylabel(f"−Im Z ({unit})")
    _dress(ax)
    _note_cropped(ax, fine_frequency, fine, whole)
    _mark_decades(ax, fine_frequency, fine)
    ax.legend(loc="upper left", frameon=True, facecolor="white", edgecolor="none", framealpha=0.8, fontsize=9)


def _residuals(ax, frequency, data, model):
    """(data - model) / |model| in per cent."""
    relative = 100 * (data - model) / abs(model)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.semilogx(frequency, relative.real, "o-", color=PALETTE[0], markersize=3.5, linewidth=0.8, label="Re")
    ax.semilogx(frequency, relative.imag, "s-", color=PALETTE[1], markersize=3.5, linewidth=0.8, label="Im")
    reach = 1.15 * max(abs(relative.real).max(), abs(relative.imag).max(), 1e-6)
    ax.set_ylim(-reach, reach)
    ax.set_ylabel("residual (%)")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, frameon=False, fontsize=SMALL, borderpad=0)


def plot_correlation(ds: xr.Dataset, ax=None):
    """The correlation matrix of the fitted parameters, with its numbers."""
    names = [str(n) for n in ds.parameter.values]
    ax = _axes(ax, _correlation_size(ds))
    matrix = ds.correlation.values
    image = ax.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1)
    short = [n.removeprefix("stack.").replace("layers.", "").replace("junctions.", "") for n in names]
    ax.set_xticks(range(len(names)), short, rotation=40, ha="right", rotation_mode="anchor", fontsize=SMALL)
    ax.set_yticks(range(len(names)), short, fontsize=SMALL)
    for i in range(len(names)):
        for j in range(len(names)):
            value = matrix[i, j]
            text = f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"
            color = "white" if abs(value) > 0.65 else INK
            ax.text(j, i, text, ha="center", va="center", fontsize=7.5, color=color)
    ax.set_title("correlation of the parameters", fontsize=10, loc="left")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL)
    return ax


def plot_arrhenius(ds: xr.Dataset, ax=None):
    """sigma T over 1000/T with errors and the Arrhenius lines of a series; degrees Celsius on top."""
    ax = _axes(ax, SIZES[plot_arrhenius])
    kelvin = ds.temperature.values
    inverse = np.linspace(1000 / kelvin.max(), 1000 / kelvin.min(), 50)
    for k, name in enumerate(ds.arrhenius.values):
        own = ds.sel(arrhenius=name)
        energy, error = float(own.activation_energy), float(own.activation_energy_error)
        ax.errorbar(
            1000 / kelvin, own.conductivity.values * kelvin, yerr=own.conductivity_error.values * kelvin,
            fmt="osD^v"[k % 5], color=_shade(k), markersize=5, capsize=2, linewidth=1,
            label=f"{name}: Ea = {energy:.3f} ± {error:.3f} eV",
        )  # fmt: skip
        line = np.exp(float(own.log_prefactor) - energy * ELEMENTARY_CHARGE / BOLTZMANN * inverse / 1000)
        ax.plot(inverse, line, color=_shade(k), linewidth=1.4)
    ax.set_yscale("log")
    unit = ds.conductivity.attrs["units"]
    number, _, below = unit.partition("/")
    ax.set_xlabel("1000 / T (1/K)")
    ax.set_ylabel(f"{'σ' if below else 'G'} T ({number} K{'/' + below if below else ''})")
    ax.legend(frameon=False, fontsize=9)
    top = ax.secondary_xaxis("top", functions=(_celsius, _inverse))
    top.set_xlabel("temperature (°C)")
    top.tick_params(labelsize=9)
    _dress(ax, keep=("top",))
    return ax


def _celsius(inverse):
    return 1000 / np.maximum(inverse, 1e-3) - 273.15


def _inverse(celsius):
    return 1000 / np.maximum(np.asarray(celsius) + 273.15, 1e-3)


# ------------------------------------------------------------------------------------------------ files


def figures(ds: xr.Dataset) -> dict:
    """Every picture a result has, name -> matplotlib Figure."""
    return {name: _draw(plot)(ds) for name, plot in _plots(ds).items()}


def _plots(ds) -> dict:
    kind = ds.attrs.get("kind")
    if kind == "fit":
        several = ds.sizes["parameter"] > 1 and np.isfinite(ds.correlation.values).any()
        return {"fit": plot_fit} | ({"correlation": plot_correlation} if several else {})
    if kind == "series":
        return {"arrhenius": plot_arrhenius} if "arrhenius" in ds.dims else {}
    spectrum = {"nyquist": plot_nyquist, "bode": plot_bode, "parts": plot_parts} if "z_real" in ds else {}
    return spectrum | {"profiles": plot_profiles}


def write_figures(ds: xr.Dataset, folder: Path, suffix: str = "", only: str = "") -> list[Path]:
    """Save the pictures (or the one named `only`) as PNG files and say where."""
    paths = []
    for name, plot in _plots(ds).items():
        if only in ("", name):
            paths.append(Path(folder) / f"{name}{suffix}.png")
            _draw(plot)(ds).savefig(paths[-1], dpi=DPI)
    return paths


def _draw(plot):
    """The plot on a Figure of its own that no window toolkit and no pyplot knows."""

    def drawn(ds):
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
        if plot in (plot_fit, plot_profiles):
            plot(ds, figure)
        elif plot in (plot_bode, plot_parts):
            figure.set_size_inches(*SIZES[plot])
            plot(ds, figure.subplots(2, 1, sharex=True))
        elif plot is plot_nyquist:
            plot(ds, figure.add_subplot(), resize=True)
        else:
            figure.set_size_inches(*_correlation_size(ds) if plot is plot_correlation else SIZES[plot])
            plot(ds, figure.add_subplot())
        return figure

    return drawn


SIZES = {plot_arrhenius: (6.4, 4.6), plot_bode: (6.4, 4.6), plot_parts: (7.6, 5.4)}


def _correlation_size(ds):
    size = 2.2 + 0.5 * ds.sizes["parameter"]
    return size + 0.8, size


@xr.register_datatree_accessor("ionics")
@xr.register_dataset_accessor("ionics")
class Ionics:
    """What a result can show: `ds.ionics.plot_nyquist()`."""

    def __init__(self, result: xr.Dataset | xr.DataTree):
        self._result = result
        self._ds = result.to_dataset() if isinstance(result, xr.DataTree) else result

    @property
    def z(self) -> xr.DataArray:
        """Complex impedance over frequency."""
        return results.impedance_of(self._ds)

    @property
    def parts(self) -> xr.DataArray:
        """Complex impedance of each element over frequency; they sum to z."""
        return results.parts_of(self._ds)

    @property
    def contributions(self) -> xr.Dataset:
        """Resistance, share, arc frequency and capacitance of each element."""
        return contributions(self._ds)

    @property
    def verdict(self) -> str:
        """The result in sentences."""
        return " ".join(verdict(self._ds))

    def plot_nyquist(self, ax=None):
        return plot_nyquist(self._ds, ax)

    def plot_bode(self, axes=None):
        return plot_bode(self._ds, axes)

    def plot_parts(self, axes=None):
        return plot_parts(self._ds, axes)

    def plot_profiles(self, figure=None):
        return plot_profiles(self._ds, figure)

    def plot_fit(self, figure=None):
        return plot_fit(self._ds, figure)

    def plot_correlation(self, ax=None):
        return plot_correlation(self._ds, ax)

    def plot_arrhenius(self, ax=None):
        return plot_arrhenius(self._ds, ax)

    def save(self, path) -> Path:
        """Write to netCDF; the name appears when the file is whole."""
        return results.save(self._result, path)


# ------------------------------------------------------------------------------------------------ style


def _axes(ax, size):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def _pair(axes, size):
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt

    return plt.subplots(2, 1, sharex=True, figsize=size, layout="constrained")[1]


def _dress(ax, keep=()):
    for side in ("top", "right"):
        ax.spines[side].set_visible(side in keep)
    ax.tick_params(labelsize=9, color="#777777")
    ax.xaxis.label.set_size(10)
    ax.yaxis.label.set_size(10)
    ax.grid(True, color="#000000", alpha=0.08, linewidth=0.8)
    ax.set_axisbelow(True)


def _legend_outside(ax, title=None, reverse=False):
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


def _shade(k):
    return PALETTE[(0, 5, 2, 1, 3, 4, 6)[k % 7]]


def _dash(k):
    return ("-", "--", "-.", ":")[k % 4]


def _scale(largest: float, unit: str) -> tuple[float, str]:
    """Factor and unit that keep the axis numbers between 1 and 10 000."""
    exponent = 3 * math.floor(math.log10(largest) / 3) if largest > 0 else 0
    if 0 <= math.log10(largest or 1) < 4:
        exponent = 0
    exponent = min(12, max(-6, exponent))
    return 10.0**-exponent, PREFIXES[exponent] + pretty_unit(unit)


def _length(width: float) -> tuple[float, str]:
    for factor, unit in ((1e9, "nm"), (1e6, "µm")):
        if width * factor < 2000:
            return factor, unit
    return 1e3, "mm"
