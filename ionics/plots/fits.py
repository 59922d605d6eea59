"""Pictures of fits: data and model, correlations, activation energies."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from ionics import results
from ionics.constants import BOLTZMANN, ELEMENTARY_CHARGE
from ionics.plots.spectra import (
    complex_values,
    equal_limits,
    mark_decades,
    note_cropped,
    plot_nyquist,
    smooth,
    view,
)
from ionics.plots.style import INK, PALETTE, SMALL, colour, dress, new_axes, scaled
from ionics.quantity import pretty_unit, quantity

ARRHENIUS = (6.4, 4.6)  # inches
NUMBERED = 16  # parameters of a correlation that is written out
LONG = 34  # letters of a name


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
    data, model, frequency = (
        complex_values(results.impedance_of(ds)),
        complex_values(results.model_of(ds)),
        ds.frequency.values,
    )
    scale, unit = scaled(max(view(smooth(frequency, model)[1])), ds.z_real.attrs["units"])
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
    if np.ptp(np.log10(abs(data))) > 1:  # decades are enough
        upper.yaxis.set_minor_formatter("")
    upper.set_ylabel(f"|Z| ({pretty_unit(ds.z_real.attrs['units'])})")
    middle.semilogx(frequency, -np.degrees(np.angle(data)), **point)
    middle.semilogx(frequency, -np.degrees(np.angle(model)), **line)
    middle.set_ylabel("−phase (°)")
    _residuals(lower, frequency, data, model)
    for ax in (upper, middle, lower):
        ax.set_xlim(0.8 * frequency.min(), 1.25 * frequency.max())
        dress(ax)
    upper.tick_params(labelbottom=False)
    middle.tick_params(labelbottom=False)
    lower.set_xlabel("frequency (Hz)")
    return np.array([nyquist, upper, middle, lower])


def plot_contributions(ds: xr.Dataset, ax=None, *, resize: bool | None = None):
    """The share of every element of a fitted stack, in series, with the measured points over it."""
    model = ds.assign(z_real=ds.z_model_real, z_imag=ds.z_model_imag)
    ax = plot_nyquist(model, ax, resize=resize)
    data = complex_values(results.impedance_of(ds))
    scale, _ = scaled(max(view(smooth(*_rising(ds, results.model_of(ds)))[1])), ds.z_real.attrs["units"])
    ax.plot(
        data.real * scale, -data.imag * scale, "o", markersize=4, markerfacecolor="none", color=PALETTE[0], zorder=6
    )
    return ax


def _rising(ds, z):
    order = np.argsort(-ds.frequency.values)
    return ds.frequency.values[order], complex_values(z)[order]


def _fit_nyquist(ax, frequency, data, model, unit, whole, point, line):
    ax.plot(data.real, -data.imag, label="measured", **point)
    fine_frequency, fine = smooth(frequency, model)
    ax.plot(fine.real, -fine.imag, label="fitted", **line)
    equal_limits(ax, fine)
    ax.set_xlabel(f"Re Z ({unit})")
    ax.set_ylabel(f"−Im Z ({unit})")
    dress(ax)
    note_cropped(ax, fine_frequency, fine, whole)
    mark_decades(ax, fine_frequency, fine)
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
    names, many = shortened([str(n) for n in ds.parameter.values]), ds.sizes["parameter"] > NUMBERED
    ax = new_axes(ax, correlation_size(ds))
    matrix, size = ds.correlation.values, 6.5 if many else SMALL
    image = ax.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1)
    ax.set_xticks(range(len(names)), names, rotation=60 if many else 40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(labelsize=size)
    for i, j in np.ndindex(*(matrix.shape if not many else (0, 0))):
        value = matrix[i, j]
        text = f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "–"
        ax.text(j, i, text, ha="center", va="center", fontsize=7.5, color="white" if abs(value) > 0.65 else INK)
    ax.set_title("correlation of the parameters", fontsize=10, loc="left")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL)
    return ax


def correlation_size(ds: xr.Dataset) -> tuple[float, float]:
    """Inches."""
    count = ds.sizes["parameter"]
    size = 2.2 + (0.5 * count if count <= NUMBERED else 0.19 * count + 2.0)
    return size + 0.8, size


def shortened(names: list[str]) -> list[str]:
    """Parameters as a picture can hold them: of paths into a stack what tells them apart."""
    words = [
        re.sub(r"\b(materials|stack|layers|junctions|carriers)\.", "", name)
        .replace("activation_energy", "Ea")
        .replace("compact_layer.", "")
        for name in names
    ]
    short = [word if len(word) <= LONG else "…" + word[1 - LONG :] for word in words]
    return [one if short.count(one) == 1 else word for one, word in zip(short, words, strict=True)]


def plot_arrhenius(ds: xr.Dataset, ax=None):
    """sigma T over 1000/T with errors and the Arrhenius lines of a series; degrees Celsius on top."""
    ax = new_axes(ax, ARRHENIUS)
    kelvin = ds.temperature.values
    inverse = np.linspace(1000 / kelvin.max(), 1000 / kelvin.min(), 50)
    for k, name in enumerate(ds.arrhenius.values):
        own = ds.sel(arrhenius=name)
        energy, error = float(own.activation_energy), float(own.activation_energy_error)
        ax.errorbar(
            1000 / kelvin, own.conductivity.values * kelvin, yerr=own.conductivity_error.values * kelvin,
            fmt="osD^v"[k % 5], color=colour(k), markersize=5, capsize=2, linewidth=1,
            label=f"{name}: Ea = {energy:.3f} ± {error:.3f} eV",
        )  # fmt: skip
        line = np.exp(float(own.log_prefactor) - energy * ELEMENTARY_CHARGE / BOLTZMANN * inverse / 1000)
        ax.plot(inverse, line, color=colour(k), linewidth=1.4)
    ax.set_yscale("log")
    unit = ds.conductivity.attrs["units"]
    number, _, below = unit.partition("/")
    ax.set_xlabel("1000 / T (1/K)")
    ax.set_ylabel(f"{'σ' if below else 'G'} T ({number} K{'/' + below if below else ''})")
    ax.legend(frameon=False, fontsize=9)
    top = ax.secondary_xaxis("top", functions=(_celsius, _inverse))
    top.set_xlabel("temperature (°C)")
    top.tick_params(labelsize=9)
    dress(ax, keep=("top",))
    return ax


def _celsius(inverse):
    return 1000 / np.maximum(inverse, 1e-3) - 273.15


def _inverse(celsius):
    return 1000 / np.maximum(np.asarray(celsius) + 273.15, 1e-3)
