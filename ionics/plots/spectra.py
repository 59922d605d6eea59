"""Pictures of impedances: Nyquist, Bode, and which element is which arc."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ionics import results
from ionics.plots.intervals import bands, shade_along, shade_plane
from ionics.plots.style import (
    FEW,
    INK,
    LEAST_SHARE,
    OTHERS,
    PALETTE,
    SMALL,
    dress,
    legend_outside,
    new_axes,
    scaled,
    two_axes,
)
from ionics.quantity import pretty_unit, quantity
from ionics.summary import blocking, contributions, reference_frequency

BODE, PARTS = (6.4, 4.6), (7.6, 5.4)  # inches


def plot_nyquist(ds: xr.Dataset, ax=None, *, resize: bool | None = None):
    """-Im Z over Re Z with equal axes, a mark at every decade, and each element's arc filled, in series.

    The arcs stand from the fastest to the slowest, each beginning where the one before ends at the lowest
    frequency. resize: shape the figure to the data (default: when no axes were given).
    """
    resize = ax is None if resize is None else resize
    ax = new_axes(ax, (8.4, 4.4))
    ds = ds.sortby("frequency", ascending=False)
    z = results.impedance_of(ds)
    frequency, fine = smooth(ds.frequency.values, complex_values(z))
    right, top = view(fine)
    scale, unit = scaled(max(right, top), z.attrs["units"])
    if "z_part_real" in ds:
        _fill_arcs(ax, ds, scale, pretty_unit(z.attrs["units"]))
    ax.plot(fine.real * scale, -fine.imag * scale, color=INK, linewidth=1.6, zorder=5, label="_total")
    equal_limits(ax, fine * scale)
    shade_plane(ax, ds, scale, INK)
    ax.set_xlabel(f"Re Z ({unit})")
    ax.set_ylabel(f"−Im Z ({unit})")
    dress(ax)
    labels = ax.get_legend_handles_labels()[1]
    if labels:
        legend_outside(ax, title=f"real part at {quantity(reference_frequency(ds), 'Hz')}")
    if resize:
        _shape(ax, labels)
    note_cropped(ax, frequency, fine * scale, quantity(abs(fine[-1]), pretty_unit(z.attrs["units"])))
    mark_decades(ax, frequency, fine * scale)
    return ax


def _fill_arcs(ax, ds, scale, unit):
    """Every element to the frequency at which resistances are read off; what blocks below it, as a line."""
    reference, low = _reference(ds), reference_frequency(ds)
    frequency, start = ds.frequency.values, 0.0
    at = int(np.argmin(abs(frequency - low)))
    tail = -results.impedance_of(ds).values[-1].imag
    for name, part, share, color in shown_parts(ds):
        blocks = blocking(ds) and -part[-1].imag > 0.1 * tail
        _, fine = smooth(frequency, part) if blocks else smooth(frequency[: at + 1], part[: at + 1])
        x, y = start + fine.real * scale, -fine.imag * scale
        label = f"{name}: {quantity(part[at].real, unit)} ({100 * share:.0f} %)"
        if blocks:
            farad = 1 / (2 * math.pi * frequency[-1] * -part[-1].imag)
            stored = f"blocks: {quantity(farad, unit.replace('Ω ', 'F/').replace('Ω', 'F'))}"
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
    z = complex_values(results.impedance_of(ds))
    real = z.real[ds.frequency.values >= reference_frequency(ds)].max()
    return float(real) if real > 1e-9 * abs(z).max() else float(abs(z).max())


def shown_parts(ds):
    """(name, Z over frequency, share of the real part, colour), from the fastest to the slowest element."""
    parts = complex_values(results.parts_of(ds).transpose("element", "frequency"))
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


def complex_values(z: xr.DataArray) -> NDArray[np.complex128]:
    return np.asarray(z.values, dtype=complex)


def smooth(frequency, z, between: int = 8) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
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


def view(z) -> tuple[float, float]:
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


def equal_limits(ax, z):
    right, top = view(z)
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


def mark_decades(ax, frequency, z):
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


def note_cropped(ax, frequency, z, whole: str):
    """Say how large |Z| (`whole`, in words) gets at the last frequency, if the axes do not show it."""
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    if z.real.max() > right or -z.imag.min() > top:
        text = f"continues to |Z| = {whole} at {quantity(float(frequency[-1]), 'Hz')}"
        ax.set_title(text, loc="right", fontsize=SMALL, color=INK)


def plot_bode(ds: xr.Dataset, axes=None):
    """|Z| and -phase over frequency, on two axes one above the other."""
    upper, lower = two_axes(axes, BODE)
    ds = ds.sortby("frequency")
    z = results.impedance_of(ds)
    unit = pretty_unit(z.attrs["units"])
    frequency = z.frequency.values
    marker = "o" if len(frequency) < FEW else ""
    shade_along(upper, frequency, bands(ds, "z_modulus"), PALETTE[0])
    shade_along(lower, frequency, bands(ds, "z_phase"), PALETTE[5], -1)
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
    upper, lower = two_axes(axes, PARTS)
    ds = ds.sortby("frequency")
    frequency = ds.frequency.values
    z, units = complex_values(results.impedance_of(ds)), ds.z_real.attrs["units"]
    scale, unit = scaled(z.real.max(), units)
    shown = shown_parts(ds)
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
    legend_outside(upper, reverse=True)
    return np.array([upper, lower])


def _frequency_axis(upper, lower, frequency):
    for ax in (upper, lower):
        spread = 1.0 if np.ptp(frequency) else 2.0
        ax.set_xlim(frequency.min() / spread, frequency.max() * spread)
        dress(ax)
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("frequency (Hz)")
