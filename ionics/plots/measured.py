"""Pictures of impedances that were measured on the way of a protocol."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ionics.plots.spectra import smooth, view
from ionics.plots.style import INK, SMALL, by_time, colour, dash, dress, legend_outside, scaled, time_unit
from ionics.quantity import quantity

SIZE = (10.4, 4.2)  # inches
SHOWN = 6  # elements, at most, whose resistance is followed
LEAST = 0.01  # of the largest: smaller ones are not drawn


def plot_measured(ds: xr.Dataset, figure=None):
    """-Im Z over Re Z from early to late, and beside it what each element adds at the lowest frequency."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
    figure.set_size_inches(*SIZE)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    where, label = _where(ds)
    _nyquist(left, ds, where)
    _colours(figure, left, where, label)
    _resistances(right, ds, where, label)
    return np.array([left, right])


def _where(ds):
    """Charge, or time where no charge passed, of each spectrum; and how to call it."""
    charge, time = ds.measured_charge.values, ds.measured_time.values
    if np.ptp(charge) > 1e-6 * max(abs(ds.charge.values).max(), 1e-300):
        factor, unit = scaled(abs(charge).max() / 3.6e7, "Ah/cm^2")
        return charge * factor / 3.6e7, f"charge passed ({unit})"
    factor, unit = time_unit(float(time.max() - ds.time.values[0]))
    return time * factor, f"time ({unit})"


def _spectrum(ds, n: int):
    """Frequencies and Z of one, from high to low."""
    z = ds.measured_z_real.values[n] + 1j * ds.measured_z_imag.values[n]
    own = np.flatnonzero(np.isfinite(z))[::-1]
    return ds.measured_frequency.values[own], z[own]


def _nyquist(ax, ds, where):
    spectra = [smooth(*_spectrum(ds, n))[1] for n in range(ds.sizes["measured"])]
    views = np.array([view(z) for z in spectra])
    scale, unit = scaled(views.max(), "ohm cm^2")
    width = (where - where.min()) / (np.ptp(where) or 1.0)
    for z, share in zip(spectra, width, strict=True):
        ax.plot(z.real * scale, -z.imag * scale, color=by_time(share), linewidth=1.5)
    begin = min(0.0, min(float(z.real.min()) for z in spectra)) * scale
    (end, top), below = views.max(axis=0) * scale, max(float(z.imag.max()) for z in spectra) * scale
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlim(begin, end * 1.04)
    ax.set_ylim(-min(below, 0.25 * end) if below > 0 else 0.0, 1.08 * top)
    ax.axhline(0, color=INK, linewidth=0.6)
    low = ds.measured_frequency.values.min()
    ax.set_title(f"down to {quantity(float(low), 'Hz')}", loc="right", fontsize=SMALL, color=INK)
    ax.set_xlabel(f"Re Z ({unit})")
    ax.set_ylabel(f"−Im Z ({unit})")
    dress(ax)


def _colours(figure, ax, where, label):
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    low, high = where.min(), where.max()
    scale = ScalarMappable(
        Normalize(low, high if high > low else low + 1), ListedColormap(by_time(np.linspace(0, 1, 128)))
    )
    bar = figure.colorbar(scale, ax=ax, location="top", shrink=0.7, pad=0.02, aspect=40)
    bar.set_label(label, fontsize=10)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL)


def _resistances(ax, ds, where, label):
    """Real parts at the lowest frequency of each spectrum."""
    parts = ds.measured_z_part_real.transpose("measured", "element", "measured_frequency").values
    low = [int(np.flatnonzero(np.isfinite(ds.measured_z_real.values[n]))[0]) for n in range(len(parts))]
    real = np.array([parts[n][:, k] for n, k in enumerate(low)])
    total = real.sum(axis=1)
    sizes = abs(real).max(axis=0)
    chosen = [k for k in np.argsort(-sizes)[:SHOWN] if sizes[k] > LEAST * sizes.max()]
    scale, unit = scaled(abs(total).max(), "ohm cm^2")
    ax.plot(where, total * scale, color=INK, linewidth=1.4, marker="o", markersize=3.5, label="all")
    for i, k in enumerate(sorted(chosen)):
        name, style = str(ds.element.values[k]), {"color": colour(i), "linestyle": dash(i // 7)}
        ax.plot(where, real[:, k] * scale, linewidth=1.6, marker="o", markersize=3.5, label=name, **style)
    lowest = sorted({float(ds.measured_frequency.values[k]) for k in low})
    at = quantity(lowest[0], "Hz") if len(lowest) == 1 else "the lowest frequency"
    ax.set_title(f"at {at}", loc="right", fontsize=SMALL, color=INK)
    ax.set_xlabel(label)
    ax.set_ylabel(f"Re Z ({unit})")
    ax.set_ylim(min(0.0, 1.05 * real.min() * scale), 1.08 * total.max() * scale)
    legend_outside(ax)
    dress(ax)
